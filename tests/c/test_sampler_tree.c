/* Trees of samplers: what they say about roots, how they are replaced while they decide, and what it does to weights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "djp/sampler.h"
#include "span_reader.h"
#include "trace/recorder_state.h"
#include "trace/span_seed.h"

static djp_recorder *recorder;

static int
tear_down(void **state)
{
    (void)state;
    djp_recorder_counters counters;
    djp__recorder_counters(&counters, recorder);
    assert_int_equal(counters.live, 0);
    djp__recorder_free(recorder);
    recorder = NULL;
    return 0;
}

static djp_sampler *
parse(const char *text)
{
    djp_sampler *tree = NULL;
    djp_sampler_error error;
    if (djp_sampler_parse(&tree, (djp_text){text, strlen(text)}, &error) != 0) {
        print_message("at %zu: %s expected\n", error.at, error.expected);
    }
    assert_non_null(tree);
    return tree;
}

static void
decide_by(const char *text)
{
    djp_recorder_options options = span_reader_options();
    options.keep_errors = 1;
    djp__recorder_free(recorder);
    recorder = span_reader_recorder(&options);
    assert_int_equal(djp__recorder_set_sampler(recorder, parse(text)), 0);
}

/* A root below parent (may be NULL), ended with that status; 1 when it was head-sampled. */
static int
root(const char *name, const djp_span_context *parent, const djp_attribute *attribute, djp_status status)
{
    djp_span_options options = {
        .remote = parent, .sampling_attributes = attribute, .sampling_attribute_count = attribute != NULL};
    djp_span *span = djp_span_start(recorder, name, strlen(name), &options);
    djp_span_context context;
    djp_span_get_context(span, &context);
    djp_span_set_status(span, status, NULL, 0);
    djp_span_end(span, 0);
    djp_span_release(span);
    return (context.flags & DJP_FLAG_SAMPLED) != 0;
}

static void
leaves_say_what_they_are_called(void **state)
{
    (void)state;
    decide_by("always_on");
    assert_true(root("a", NULL, NULL, DJP_STATUS_UNSET));
    djp_span_record *record = span_reader_take(recorder);
    assert_int_equal(record->threshold, 0);
    assert_int_equal(record->reason, DJP_REASON_ALWAYS);
    free(record);
    decide_by("always_off");
    assert_false(root("a", NULL, NULL, DJP_STATUS_UNSET));
    assert_int_equal(span_reader_drain(recorder), 0);
    assert_false(root("a", NULL, NULL, DJP_STATUS_ERROR));
    assert_int_equal(span_reader_drain(recorder), 1); /* the tail decision has its say */
    decide_by("drop");
    assert_false(root("a", NULL, NULL, DJP_STATUS_ERROR));
    assert_int_equal(span_reader_drain(recorder), 0);
}

static void
the_first_rule_that_holds_decides(void **state)
{
    (void)state;
    djp_attribute gold = {{"user.tier", 9}, {.type = DJP_STRING, .as.text = {"gold", 4}}};
    djp_attribute three = {{"shard", 5}, {.type = DJP_INT, .as.integer = -3}};
    decide_by(
        "rule_based(name(\"GET /health*\") => drop, attribute(\"user.tier\"=\"gold\") => always_on, "
        "attribute(\"shard\"=\"-3\") & !name(\"x\") => always_on, name(\"exact\") => always_on, any => always_off)");
    assert_false(root("GET /healthz", NULL, &gold, DJP_STATUS_ERROR));
    assert_int_equal(span_reader_drain(recorder), 0);
    assert_true(root("GET /a", NULL, &gold, DJP_STATUS_UNSET));
    assert_true(root("GET /a", NULL, &three, DJP_STATUS_UNSET));
    assert_false(root("x", NULL, &three, DJP_STATUS_UNSET));
    assert_true(root("exact", NULL, NULL, DJP_STATUS_UNSET));
    assert_false(root("exactly", NULL, NULL, DJP_STATUS_UNSET));
    assert_int_equal(djp_recorder_needs(recorder), DJP_NEEDS_NAME | DJP_NEEDS_ATTRIBUTES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(leaves_say_what_they_are_called, tear_down),
        cmocka_unit_test_teardown(the_first_rule_that_holds_decides, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
