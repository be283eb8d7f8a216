/* The text of tail-sampling rules at its edges: names, patterns, durations, parts, and what is said
 * about a bad rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "djp/key.h"
#include "djp/tail_rule.h"

static char said[256], about[600];
static int bad_count;

static void
note(void *user, djp_text rule, const char *problem)
{
    assert_ptr_equal(user, said);
    bad_count++;
    snprintf(said, sizeof said, "%s", problem);
    snprintf(about, sizeof about, "%.*s", (int)rule.size, rule.data);
}

static djp_tail_rule rules[DJP_TAIL_RULES_MAX];

static size_t
parse(const char *text)
{
    bad_count = 0;
    said[0] = about[0] = '\0';
    return djp_tail_rules_parse(rules, (djp_text){text, strlen(text)}, note, said);
}

static void
text_is(djp_text text, const char *want)
{
    if (text.size != strlen(want) || (text.size > 0 && memcmp(text.data, want, text.size) != 0)) {
        fail_msg("%.*s, not %s", (int)text.size, text.data, want);
    }
}

static void
durations_have_units_and_bounds(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns; /* 0: refused */
    } cases[] = {
        {"1us", 1000},
        {"0.9us", 0},
        {"0us", 0},
        {"1ms", 1000000},
        {"0.001ms", 1000},
        {"1.5s", 1500000000},
        {"1m", 60000000000},
        {"1min", 60000000000},
        {"2h", 7200000000000},
        {"8760h", 31536000000000000},
        {"8760.1h", 0},
        {"31536000s", 31536000000000000},
        {"31536001s", 0},
        {" 5 s ", 5000000000},
        {"5", 0},
        {"s", 0},
        {"5x", 0},
        {"5S", 0},
        {"5ss", 0},
        {"-5s", 0},
        {"nans", 0},
        {"1e1s", 10000000000},
        {"", 0},
        {"0.0000000015s", 0},
        {"0.0000015s", 1500},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "rare %s", cases[i].text);
        size_t count = parse(text);
        if (count != (cases[i].ns != 0) || (count && rules[0].duration_ns != cases[i].ns)) {
            fail_msg("%s", text);
        }
        if (!count) {
            assert_string_equal(said,
                                "it needs a duration with its unit, such as 500ms, 2s, 5m or 1h");
        }
        snprintf(text, sizeof text, "route /a > %s", cases[i].text);
        count = parse(text);
        if (count != (cases[i].ns != 0) || (count && rules[0].duration_ns != cases[i].ns)) {
            fail_msg("%s", text);
        }
    }
}

static void
parts_have_bounds(void **state)
{
    static const struct {
        const char *text;
        double part;
    } cases[] = {{"1%", 0.01},  {"0.01%", 0.0001}, {"0.009%", 0}, {"50%", 0.5},
                 {"50.01%", 0}, {"%", 0},          {"1", 0},      {"x%", 0},
                 {"-1%", 0},    {"1%%", 0},        {"5 %", 0.05}, {"", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "slowest %s", cases[i].text);
        size_t count = parse(text);
        if (count != (cases[i].part > 0) || (count && rules[0].part != cases[i].part)) {
            fail_msg("%s", text);
        }
    }
}

static void
patterns_in_every_form(void **state)
{
    static const struct {
        const char *text, *pattern; /* NULL: refused */
        int prefix;
        const char *problem;
    } cases[] = {
        {"a", "a", 0, NULL},
        {"a*", "a", 1, NULL},
        {"*", "", 1, NULL},
        {"\"a\"", "a", 0, NULL},
        {"\"a\"*", "a", 1, NULL},
        {"\"a*b\"", "a*b", 0, NULL},
        {"\"a;b\"", "a;b", 0, NULL},
        {"\"\"*", "", 1, NULL},
        {"a b", "a b", 0, NULL},
        {"\" a \"", " a ", 0, NULL},
        {"", NULL, 0, "the text to compare with is missing"},
        {"\"\"", NULL, 0, "there is nothing between the quotation marks"},
        {"\"", NULL, 0, "a quotation mark has no partner"},
        {"\"a", NULL, 0, "a quotation mark has no partner"},
        {"a\"b", NULL, 0, "a quotation mark has no partner"},
        {"\"a\"b\"", NULL, 0, "a quotation mark has no partner"},
        {"a*b", NULL, 0, "a * may only stand at the end, unless the text is in quotation marks"},
        {"**", NULL, 0, "a * may only stand at the end, unless the text is in quotation marks"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static const char *const forms[] = {"name %s", "attribute k=%s", "route %s > 1s"};
        for (int form = 0; form < 3; form++) {
            char text[64];
            snprintf(text, sizeof text, forms[form], cases[i].text);
            size_t count = parse(text);
            if (count != (cases[i].pattern != NULL)) {
                fail_msg("%s: %s", text, said);
            }
            if (count) {
                text_is(rules[0].pattern, cases[i].pattern);
                assert_int_equal(rules[0].prefix, cases[i].prefix);
            } else {
                assert_string_equal(said, cases[i].problem);
            }
        }
    }
}

static void
rules_of_every_kind(void **state)
{
    (void)state;
    assert_int_equal(parse("name a; Attribute k = v ; ROUTE /b > c > 2s;slowest 1%;rare 1h"), 5);
    assert_int_equal(rules[0].kind, DJP_TAIL_NAME);
    assert_int_equal(rules[1].kind, DJP_TAIL_ATTRIBUTE);
    text_is(rules[1].key, "k");
    text_is(rules[1].pattern, "v");
    assert_int_equal(rules[2].kind, DJP_TAIL_ROUTE);
    text_is(rules[2].pattern, "/b > c");
    assert_int_equal(rules[2].duration_ns, 2000000000);
    assert_int_equal(rules[3].kind, DJP_TAIL_SLOWEST);
    assert_int_equal(rules[4].kind, DJP_TAIL_RARE);
    assert_int_equal(bad_count, 0);
    static const struct {
        const char *text, *problem;
    } bad[] = {
        {"nam a", "a rule begins with attribute, name, route, slowest or rare"},
        {"attribute k", "it needs the form KEY=VALUE"},
        {"attribute", "it needs the form KEY=VALUE"},
        {"attribute =v", "it needs the form KEY=VALUE"},
        {"route /a", "it needs the form ROUTE > DURATION"},
        {"route", "it needs the form ROUTE > DURATION"},
        {"route > 1s", "the text to compare with is missing"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(parse(bad[i].text), 0);
        assert_string_equal(said, bad[i].problem);
        assert_string_equal(about, bad[i].text);
    }
    assert_int_equal(parse(""), 0);
    assert_int_equal(parse(" ; ;; "), 0);
    assert_int_equal(bad_count, 0);
    assert_int_equal(parse("x;name a;y"), 1);
    assert_int_equal(bad_count, 2);
    assert_int_equal(djp_tail_rules_parse(rules, (djp_text){"x", 1}, NULL, NULL), 0);
}

static void
names_of_rules(void **state)
{
    static const struct {
        const char *text, *label;
    } cases[] = {
        {"a: name x", "a"}, {"A-b_c.9:name x", "A-b_c.9"}, {"a:name x", "a"}, {"name x", ""},
        {"name a:b", ""},   {"z: rare 1s", "z"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse(cases[i].text), 1);
        text_is(rules[0].label, cases[i].label);
    }
    assert_int_equal(parse("9a: name x"), 0);
    assert_int_equal(parse(": name x"), 0);
    assert_int_equal(parse("a b: name x"), 0);
    for (size_t size = 31; size <= 33; size++) {
        char text[64];
        memset(text, 'n', size);
        strcpy(text + size, ": name x");
        assert_int_equal(parse(text), size <= 32);
        if (size > 32) {
            assert_string_equal(said, "its name is longer than 32 characters");
        }
    }
}

static void
numbers_of_rules(void **state)
{
    (void)state;
    char text[1024] = "";
    for (int i = 1; i <= 34; i++) {
        strcat(text, "name a;");
        assert_int_equal(parse(text), i < 32 ? i : 32);
        assert_int_equal(bad_count, i < 32 ? 0 : i - 32);
    }
    assert_string_equal(said, "there are 32 rules already");
    assert_int_equal(parse("slowest 1%;slowest 2%"), 1);
    assert_string_equal(said, "there is one of its kind already");
    assert_int_equal(parse("rare 1s;slowest 2%;rare 2s"), 2);
    assert_string_equal(said, "there is one of its kind already");
    assert_int_equal(parse("route /a > 1s;route /a > 2s;name a;name a"), 4);
}

static void
keys_have_a_length(void **state)
{
    (void)state;
    for (size_t size = DJP_KEY_SIZE_LIMIT - 1; size <= DJP_KEY_SIZE_LIMIT + 1; size++) {
        char *text = calloc(1, size + 32);
        strcpy(text, "attribute ");
        memset(text + 10, 'k', size);
        strcpy(text + 10 + size, "=v");
        assert_int_equal(parse(text), size <= DJP_KEY_SIZE_LIMIT);
        free(text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_units_and_bounds),
        cmocka_unit_test(parts_have_bounds),
        cmocka_unit_test(patterns_in_every_form),
        cmocka_unit_test(rules_of_every_kind),
        cmocka_unit_test(names_of_rules),
        cmocka_unit_test(numbers_of_rules),
        cmocka_unit_test(keys_have_a_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
