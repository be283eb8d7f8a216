/* The text of a tree of samplers: what is built by calls is written as it would be configured, and
 * what was written is read as the same tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "djp/djp.h"
#include "djp/sampler.h"
#include "heap.h"

/* Takes the tree. Its text is `want`, and reads as a tree of the same text. */
static void
writes(djp_sampler *tree, const char *want)
{
    size_t size = 77;
    assert_non_null(tree);
    char *text = djp_sampler_text(&size, tree);
    assert_string_equal(text, want);
    assert_int_equal(size, strlen(want));
    djp_sampler_free(tree);
    assert_int_equal(djp_sampler_parse(&tree, (djp_text){text, size}, NULL), 0);
    djp_free(text);
    text = djp_sampler_text(NULL, tree);
    assert_string_equal(text, want);
    djp_free(text);
    djp_sampler_free(tree);
}

static void
nodes_are_written_with_their_arguments(void **state)
{
    (void)state;
    writes(djp_sampler_always_on(), "always_on");
    writes(djp_sampler_always_off(), "always_off");
    writes(djp_sampler_drop(), "drop");
    writes(djp_sampler_probability(0.25), "probability(0.25)");
    writes(djp_sampler_probability(1), "probability(1)");
    writes(djp_sampler_probability(0), "probability(0)");
    writes(djp_sampler_rate_limited(2.5), "rate_limited(2.5)");
    writes(djp_sampler_at_least(3, djp_sampler_drop()), "at_least(3, drop)");
    writes(djp_sampler_parent_threshold(djp_sampler_at_least(0, djp_sampler_always_on())),
           "parent_threshold(at_least(0, always_on))");
    writes(djp_sampler_rule_based(), "rule_based()");
    writes(djp_sampler_annotating(NULL, 0, djp_sampler_drop()), "annotating({}, drop)");
}

/* A rule of these terms and one without any. */
static djp_sampler *
rules_of(const djp_sampler_term *terms, size_t count)
{
    djp_sampler *rules = djp_sampler_rule_based();
    assert_int_equal(djp_sampler_add_rule(rules, terms, count, djp_sampler_drop()), 0);
    assert_int_equal(djp_sampler_add_rule(rules, NULL, 0, djp_sampler_always_on()), 0);
    return rules;
}

static void
rules_are_written_with_their_conditions(void **state)
{
    (void)state;
    static const struct {
        djp_sampler_term term;
        const char *want;
    } cases[] = {
        {{.test = DJP_SAMPLER_ANY}, "rule_based(any => drop, any => always_on)"},
        {{.test = DJP_SAMPLER_ROOT}, "rule_based(root => drop, any => always_on)"},
        {{.test = DJP_SAMPLER_REMOTE_PARENT, .negated = 5},
         "rule_based(!remote_parent => drop, any => always_on)"},
        {{.test = DJP_SAMPLER_PARENT_SAMPLED},
         "rule_based(parent_sampled => drop, any => always_on)"},
        {{.test = DJP_SAMPLER_KIND, .kind = 1},
         "rule_based(kind(internal) => drop, any => always_on)"},
        {{.test = DJP_SAMPLER_KIND, .kind = 2},
         "rule_based(kind(server) => drop, any => always_on)"},
        {{.test = DJP_SAMPLER_KIND, .kind = 3},
         "rule_based(kind(client) => drop, any => always_on)"},
        {{.test = DJP_SAMPLER_KIND, .kind = 4},
         "rule_based(kind(producer) => drop, any => always_on)"},
        {{.test = DJP_SAMPLER_KIND, .kind = 5},
         "rule_based(kind(consumer) => drop, any => always_on)"},
        {{.test = DJP_SAMPLER_NAME, .pattern = {"a", 1}},
         "rule_based(name(\"a\") => drop, any => always_on)"},
        {{.test = DJP_SAMPLER_NAME, .pattern = {"a", 1}, .prefix = 1},
         "rule_based(name(\"a*\") => drop, any => always_on)"},
        {{.test = DJP_SAMPLER_ATTRIBUTE, .key = {"k", 1}, .pattern = {"v", 1}, .negated = 1},
         "rule_based(!attribute(\"k\"=\"v\") => drop, any => always_on)"},
        {{.test = DJP_SAMPLER_ATTRIBUTE, .key = {"k", 1}, .prefix = 1},
         "rule_based(attribute(\"k\"=\"*\") => drop, any => always_on)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        writes(rules_of(&cases[i].term, 1), cases[i].want);
    }
    djp_sampler_term both[] = {{.test = DJP_SAMPLER_ROOT}, {.test = DJP_SAMPLER_NAME, .prefix = 1}};
    writes(rules_of(both, 2), "rule_based(root & name(\"*\") => drop, any => always_on)");
}

/* A kind that does not exist has no word; nothing is read outside of the table. */
static void
an_unknown_kind_has_no_word(void **state)
{
    (void)state;
    static const unsigned kinds[] = {0, 6, 7, 200, UINT32_MAX};
    for (size_t i = 0; i < 5; i++) {
        djp_sampler_term term = {.test = DJP_SAMPLER_KIND, .kind = kinds[i]};
        djp_sampler *tree = rules_of(&term, 1);
        char *text = djp_sampler_text(NULL, tree);
        assert_string_equal(text, "rule_based(kind() => drop, any => always_on)");
        djp_free(text);
        djp_sampler_free(tree);
    }
}

/* What would end the text, or be a prefix, is escaped; a star elsewhere is a star. */
static void
texts_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        int prefix;
        const char *want;
    } cases[] = {
        {"a\"b", 0, "\"a\\\"b\""}, {"a\\b", 0, "\"a\\\\b\""}, {"a*", 0, "\"a\\*\""},
        {"a*", 1, "\"a\\**\""},    {"*a", 0, "\"*a\""},       {"a*b*", 0, "\"a*b\\*\""},
        {"*", 0, "\"\\*\""},       {"", 0, "\"\""},           {"", 1, "\"*\""},
        {"\"", 1, "\"\\\"*\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char want[128];
        djp_sampler_term term = {.test = DJP_SAMPLER_NAME,
                                 .pattern = djp_text_of(cases[i].pattern),
                                 .prefix = cases[i].prefix};
        snprintf(want, sizeof want, "rule_based(name(%s) => drop, any => always_on)",
                 cases[i].want);
        writes(rules_of(&term, 1), want);
    }
    /* keys and values of attributes have no prefix: a star is a star */
    djp_attribute star = {{"k*", 2}, {.type = DJP_STRING, .as.text = {"v*", 2}}};
    writes(djp_sampler_annotating(&star, 1, djp_sampler_drop()),
           "annotating({\"k*\"=\"v*\"}, drop)");
    djp_sampler_term key = {.test = DJP_SAMPLER_ATTRIBUTE, .key = {"k*", 2}, .pattern = {"v", 1}};
    writes(rules_of(&key, 1), "rule_based(attribute(\"k*\"=\"v\") => drop, any => always_on)");
}

/* A number is read as the type that it had. */
static void
attributes_keep_their_type(void **state)
{
    (void)state;
    static const djp_attribute items[] = {
        {{"t", 1}, {.type = DJP_BOOL, .as.boolean = 1}},
        {{"f", 1}, {.type = DJP_BOOL, .as.boolean = 0}},
        {{"i", 1}, {.type = DJP_INT, .as.integer = -5}},
        {{"d", 1}, {.type = DJP_DOUBLE, .as.real = 0.5}},
        {{"w", 1}, {.type = DJP_DOUBLE, .as.real = 3}},
        {{"e", 1}, {.type = DJP_DOUBLE, .as.real = 1e300}},
        {{"s", 1}, {.type = DJP_STRING, .as.text = {"3", 1}}},
    };
    writes(djp_sampler_annotating(items, 7, djp_sampler_drop()),
           "annotating({\"t\"=true, \"f\"=false, \"i\"=-5, \"d\"=0.5, \"w\"=3.0, \"e\"=1e+300, "
           "\"s\"=\"3\"}, drop)");
    /* of nested nodes, each writes its own */
    writes(djp_sampler_annotating(items, 1,
                                  djp_sampler_annotating(items + 2, 1, djp_sampler_always_on())),
           "annotating({\"t\"=true}, annotating({\"i\"=-5}, always_on))");
}

static void
write_and_drop(void)
{
    djp_sampler *tree = rules_of(NULL, 0);
    djp_free(djp_sampler_text(NULL, tree));
    djp__alloc_fail_after(1);
    char *text = djp_sampler_text(NULL, tree);
    djp__alloc_fail_after(0);
    assert_null(text);
    djp_attribute whole = {{"w", 1}, {.type = DJP_DOUBLE, .as.real = 3}};
    djp_sampler *annotating = djp_sampler_annotating(&whole, 1, djp_sampler_drop());
    djp__alloc_fail_after(1); /* a number whose text is not there is not looked at */
    text = djp_sampler_text(NULL, annotating);
    djp__alloc_fail_after(0);
    assert_null(text);
    djp_sampler_free(annotating);
    djp_sampler_free(tree);
}

static void
without_memory_there_is_no_text(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(write_and_drop, 30), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_written_with_their_arguments),
        cmocka_unit_test(rules_are_written_with_their_conditions),
        cmocka_unit_test(an_unknown_kind_has_no_word),
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(attributes_keep_their_type),
        cmocka_unit_test(without_memory_there_is_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
