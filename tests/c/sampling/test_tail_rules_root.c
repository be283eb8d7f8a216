/* What a root's rules ask the history and make of its answer, and the edges of their limits. The
 * source is compiled in with a hook in front of the history. */
#include "sampling/tail_history.h"

static djp__tail_found hooked_look(djp_tail_history *table, const djp__tail_look *look);
#define djp__tail_history_look hooked_look
#include "sampling/tail_rules.c"
#undef djp__tail_history_look

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "record_builder.h"

#define MS 1000000ull
#define START 1700000000000000000ull

static djp__tail_look asked;
static int asks;
static djp__tail_found answer;

static djp__tail_found
hooked_look(djp_tail_history *table, const djp__tail_look *look)
{
    assert_non_null(table);
    asked = *look;
    asks++;
    return answer;
}

static djp__tail_rules *rules;

static void
use(const char *text)
{
    djp_tail_rule parsed[DJP_TAIL_RULES_MAX];
    size_t count = djp_tail_rules_parse(parsed, djp_text_of(text), NULL, NULL);
    djp__tail_rules_free(rules);
    assert_true(count > 0);
    assert_int_equal(djp__tail_rules_new(&rules, parsed, count), 0);
}

static int
begin(void **state)
{
    (void)state;
    answer = (djp__tail_found){0, 0};
    asks = 0;
    return 0;
}

static int
end(void **state)
{
    (void)state;
    djp__tail_rules_free(rules);
    rules = NULL;
    return 0;
}

/* A root of that name with some attributes, which lasts so long. The caller frees. */
static djp__span_record *
root_of(const char *name, djp_attribute *attributes, size_t count, uint64_t duration_ns)
{
    rb_span span = {.name = rb_text(name), .attributes = attributes, .count = count};
    span.header.start_unix_ns = START;
    span.header.end_unix_ns = START + duration_ns;
    return rb_record(&span);
}

static djp__verdict
judge(uint64_t duration_ns, uint64_t slow_ns, unsigned flags)
{
    djp__span_record *record = root_of("/r", NULL, 0, duration_ns);
    djp__verdict verdict = djp__tail_rules_root(rules, record, slow_ns, flags);
    free(record);
    return verdict;
}

static uint8_t
reason(uint64_t duration_ns, uint64_t slow_ns, unsigned flags)
{
    return djp__verdict_reason(judge(duration_ns, slow_ns, flags));
}

/* ---- the history ---- */

static void
the_history_is_told_what_is_kept(void **state)
{
    (void)state;
    use("slowest 1%; rare 1h");
    assert_int_equal(reason(5 * MS, 10 * MS, 0), DJP_REASON_NONE);
    assert_int_equal(asks, 1);
    assert_int_equal(asked.kept, 0);
    assert_int_equal(asked.duration_ns, 5 * MS);
    assert_int_equal(asked.now_ns, START + 5 * MS);
    reason(5 * MS, 10 * MS, DJP_TAIL_IS_SAMPLED);
    assert_int_equal(asked.kept, 1);
    assert_int_equal(reason(11 * MS, 10 * MS, 0), DJP_REASON_SLOW);
    assert_int_equal(asked.kept, 1);
    assert_int_equal(reason(11 * MS, 10 * MS, DJP_TAIL_IS_LONG), DJP_REASON_NONE);
    assert_int_equal(asked.kept, 0);
}

static void
an_answer_becomes_a_reason(void **state)
{
    (void)state;
    use("one: slowest 1%; two: rare 1h");
    answer = (djp__tail_found){1, 1};
    djp__verdict verdict = judge(5 * MS, 10 * MS, 0);
    assert_int_equal(djp__verdict_reason(verdict), DJP_REASON_SLOWEST);
    assert_int_equal(djp__verdict_label(verdict), djp__reason_label(DJP_TEXT("one")));
    verdict = judge(5 * MS, 10 * MS, DJP_TAIL_IS_LONG); /* its duration says nothing */
    assert_int_equal(djp__verdict_reason(verdict), DJP_REASON_RARE);
    assert_int_equal(djp__verdict_label(verdict), djp__reason_label(DJP_TEXT("two")));
    assert_int_equal(reason(5 * MS, 10 * MS, DJP_TAIL_IS_SAMPLED), DJP_REASON_NONE);
    assert_int_equal(reason(11 * MS, 10 * MS, 0), DJP_REASON_SLOW);
    answer = (djp__tail_found){1, 0};
    assert_int_equal(reason(5 * MS, 10 * MS, DJP_TAIL_IS_LONG), DJP_REASON_NONE);
    assert_int_equal(reason(5 * MS, 10 * MS, 0), DJP_REASON_SLOWEST);
    use("attribute a = b"); /* without a rule of the history it is not asked */
    asks = 0;
    assert_int_equal(reason(5 * MS, 10 * MS, 0), DJP_REASON_NONE);
    assert_int_equal(asks, 0);
}

static djp__tail_look
look_of(const char *name, djp_attribute *attributes, size_t count, uint8_t status)
{
    djp__span_record *record = root_of(name, attributes, count, MS);
    record->status = status;
    djp__tail_rules_root(rules, record, 0, 0);
    free(record);
    return asked;
}

#define TEXT(letters)                                                  \
    {                                                                  \
        .type = DJP_STRING, .as.text = { letters, sizeof letters - 1 } \
    }
#define NUMBER(number)                        \
    {                                         \
        .type = DJP_INT, .as.integer = number \
    }

/* Route, method, class of the status, and failure make a kind; both conventions the same. */
static void
a_kind_has_four_parts(void **state)
{
    djp_attribute stable[] = {{{"http.route", 10}, TEXT("/r")},
                              {{"http.request.method", 19}, TEXT("GET")},
                              {{"http.response.status_code", 25}, NUMBER(204)}};
    djp_attribute old[] = {{{"http.route", 10}, TEXT("/r")},
                           {{"http.method", 11}, TEXT("GET")},
                           {{"http.status_code", 16}, NUMBER(200)}};
    djp_attribute texts[] = {{{"http.route", 10}, NUMBER(5)},
                             {{"http.request.method", 19}, NUMBER(5)},
                             {{"http.response.status_code", 25}, TEXT("204")}};
    (void)state;
    use("rare 1h");
    djp__tail_look first = look_of("GET /r", stable, 3, 0);
    assert_int_equal(first.route, djp__hash("/r", 2));
    assert_true(look_of("GET /r", old, 3, 0).kind == first.kind);
    assert_true(look_of("other", stable, 3, 0).kind == first.kind);
    assert_true(look_of("GET /r", stable, 3, 2).kind != first.kind);
    assert_true(look_of("GET /r", stable, 2, 0).kind != first.kind);
    assert_true(look_of("GET /r", stable, 1, 0).kind != first.kind);
    assert_true(look_of("GET /r", stable, 0, 0).kind != first.kind);
    assert_int_equal(asked.route, djp__hash("GET /r", 6)); /* without a route the name */
    djp__tail_look bare = asked;
    assert_true(look_of("GET /r", texts, 3, 0).kind == bare.kind); /* of other types */
    stable[2].value.as.integer = 299;
    assert_true(look_of("GET /r", stable, 3, 0).kind == first.kind);
    stable[2].value.as.integer = 300;
    assert_true(look_of("GET /r", stable, 3, 0).kind != first.kind);
}

/* ---- limits ---- */

static void
the_first_route_that_fits_has_the_limit(void **state)
{
    (void)state;
    use("fast: route /r > 5ms; slow: route /r* > 50ms; route * > 1ms");
    djp__verdict verdict = judge(5 * MS + 1, 100 * MS, 0);
    assert_int_equal(djp__verdict_reason(verdict), DJP_REASON_SLOW);
    assert_int_equal(djp__verdict_label(verdict), djp__reason_label(DJP_TEXT("fast")));
    assert_int_equal(reason(5 * MS, 1 * MS, 0), DJP_REASON_NONE); /* in place of the general one */
    /* A rule for the route counts for connections, too. */
    assert_int_equal(reason(5 * MS + 1, 1 * MS, DJP_TAIL_IS_LONG), DJP_REASON_SLOW);
    use("route /other > 5ms");
    assert_int_equal(reason(10 * MS, 10 * MS, 0), DJP_REASON_NONE);
    assert_int_equal(reason(10 * MS + 1, 10 * MS, 0), DJP_REASON_SLOW);
    assert_int_equal(djp__verdict_label(judge(10 * MS + 1, 10 * MS, 0)), 0);
    assert_int_equal(reason(10 * MS, 0, 0), DJP_REASON_NONE);
    assert_int_equal(reason(10 * MS, 1, DJP_TAIL_IS_LONG), DJP_REASON_NONE);
}

static void
patience_ends_with_the_limit(void **state)
{
    (void)state;
    use("route /r > 5ms; route /r* > 50ms; route /x > 20ms");
    assert_true(djp__tail_rules_is_patient(rules, DJP_TEXT("/r"), 0, 5 * MS - 1));
    assert_false(djp__tail_rules_is_patient(rules, DJP_TEXT("/r"), 0, 5 * MS));
    assert_true(djp__tail_rules_is_patient(rules, DJP_TEXT("/r2"), 0, 50 * MS - 1));
    assert_false(djp__tail_rules_is_patient(rules, DJP_TEXT("/r2"), 0, 50 * MS));
    assert_false(djp__tail_rules_is_patient(rules, DJP_TEXT("/y"), 0, 0));
    assert_true(djp__tail_rules_is_patient(rules, DJP_TEXT("/y"), 1, 50 * MS - 1));
    assert_false(djp__tail_rules_is_patient(rules, DJP_TEXT("/y"), 1, 50 * MS));
    use("attribute a = b");
    assert_false(djp__tail_rules_is_patient(rules, DJP_TEXT("/r"), 1, 0));
}

/* ---- attributes ---- */

static uint32_t
match(djp_attribute *attributes, size_t count)
{
    djp__span_record *record = root_of("name", attributes, count, MS);
    uint32_t number = djp__tail_rules_match(rules, record);
    free(record);
    return number;
}

/* The filter of keys is by their last bits, so that another key passes it. */
static void
another_key_with_the_same_bits_does_not_match(void **state)
{
    char key[] = "collides.00", same[] = "collides.00";
    djp_attribute one[] = {{{"collides", 8}, TEXT("v")}};
    (void)state;
    use("attribute collides = v");
    djp_key wanted = djp_key_intern(DJP_TEXT("collides"));
    int found = 0;
    assert_int_equal(match(one, 1), 1);
    for (int i = 0; i < 100; i++) {
        key[9] = (char)('0' + i / 10);
        key[10] = (char)('0' + i % 10);
        djp_key other = djp_key_intern((djp_text){key, 11});
        if ((other & 63) == (wanted & 63)) {
            memcpy(same, key, sizeof same);
            found = 1;
        }
    }
    assert_true(found);
    one[0].key = (djp_text){same, 11};
    assert_int_equal(match(one, 1), 0);
}

static void
values_of_each_type_match_their_text(void **state)
{
    djp_value values[] = {
        TEXT("true"),
        NUMBER(7),
        {.type = DJP_BOOL, .as.boolean = 1},
        {.type = DJP_BOOL, .as.boolean = 0},
        {.type = DJP_DOUBLE, .as.real = 7},
        {.type = DJP_EMPTY},
    };
    static const struct {
        const char *rule;
        int fits[6];
    } cases[] = {{"attribute a = true", {1, 0, 1, 0, 0, 0}},
                 {"attribute a = false", {0, 0, 0, 1, 0, 0}},
                 {"attribute a = 7", {0, 1, 0, 0, 0, 0}},
                 {"attribute a = t*", {1, 0, 1, 0, 0, 0}},
                 {"attribute a = *", {1, 1, 1, 1, 1, 1}}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        use(cases[i].rule);
        for (size_t k = 0; k < 6; k++) {
            djp_attribute one[] = {{{"a", 1}, values[k]}};
            assert_int_equal(match(one, 1), cases[i].fits[k]);
        }
    }
    use("name other; name name; attribute a = 1; name n*");
    assert_int_equal(match(NULL, 0), 2); /* the first that matches */
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        ONE(the_history_is_told_what_is_kept),
        ONE(an_answer_becomes_a_reason),
        ONE(a_kind_has_four_parts),
        ONE(the_first_route_that_fits_has_the_limit),
        ONE(patience_ends_with_the_limit),
        ONE(another_key_with_the_same_bits_does_not_match),
        ONE(values_of_each_type_match_their_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
