/* What samples a local trace: an error, a slow root, and a root that is slow before it ends. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "local_trace_fixture.h"

static void
an_error_anywhere_keeps_the_whole_local_trace(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    djp_span *root = start(NULL);
    djp_span *first = start(root);
    djp_span *second = start(first);
    end_in_error(second);
    finish(first);
    djp_span *open = start(root);
    assert_true(counters().decision_buffer_bytes > 0);
    assert_null(span_reader_take(recorder));
    djp_span_context context;
    djp_span_get_context(&context, root);
    assert_int_equal(context.flags, DJP_FLAG_RANDOM); /* downstream hears what the head said */
    djp_span_end(root, 0);
    for (int i = 0; i < 3; i++) {
        djp__span_record *record = span_reader_take(recorder);
        assert_memory_equal(record->trace_id, context.trace_id, 16);
        assert_int_equal(record->trace_flags, DJP_FLAG_RANDOM);
        assert_true(record->threshold == 0);
        assert_int_equal(record->status, i == 0 ? DJP_STATUS_ERROR : DJP_STATUS_UNSET);
        assert_int_equal(record->local_root, i == 2);
        assert_int_equal(record->reason, i == 2 ? DJP_REASON_ERROR : DJP_REASON_NONE);
        free(record);
    }
    finish(open); /* late: follows */
    djp_span *later = start(root);
    djp_span_release(root);
    finish(later);
    assert_int_equal(span_reader_drain(recorder), 2);
    assert_int_equal(counters().by_reason[DJP_REASON_ERROR], 5);
    assert_int_equal(counters().decision_buffer_bytes, 0);
}

static void
a_slow_root_keeps_the_local_trace(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    for (int slow = 0; slow < 2; slow++) {
        djp_span_options options = {.start_unix_ns = 1000};
        djp_span *root = djp_span_start(recorder, DJP_TEXT("root"), &options);
        finish(start(root));
        djp_span_end(root, 1000 + 50000000000u + (uint64_t)slow);
        djp_span_release(root);
        assert_int_equal(counters().by_reason[DJP_REASON_SLOW], slow * 2);
        djp__span_record *record = span_reader_take(recorder);
        assert_int_equal(record != NULL, slow);
        free(record);
        record = span_reader_take(recorder);
        assert_int_equal(
            record != NULL && record->reason == DJP_REASON_SLOW && record->threshold == 0, slow);
        free(record);
    }
    assert_int_equal(counters().by_reason[DJP_REASON_NONE], 2);
}

/* A root that has been open for longer than it may take is slow already: what waited is kept, and
 * so is what comes. */
static void
a_root_that_is_slow_by_now_keeps_its_spans(void **state)
{
    (void)state;
    use(options_of(1e-12));
    djp_span *root = start(NULL);
    finish_in(start(root), 1, 0);
    finish_in(start(root), 61, 0);
    assert_int_equal(span_reader_drain(recorder), 2);
    assert_int_equal(counters().decided_on_timeout, 1);
    finish_in(start(root), 62, 0);
    finish_in(root, 63, 0);
    for (int i = 0; i < 2; i++) {
        djp__span_record *record = span_reader_take(recorder);
        assert_true(record && record->threshold == 0);
        assert_int_equal(record->reason, i ? DJP_REASON_SLOW : DJP_REASON_NONE);
        free(record);
    }
    assert_int_equal(counters().by_reason[DJP_REASON_SLOW], 4);
    assert_int_equal(counters().late_sampled, 0);
}

static void
a_limit_above_the_age_is_not_reached_by_it(void **state)
{
    (void)state;
    djp__recorder_options options = options_of(1e-12);
    options.slow_threshold_ns = 90 * S;
    use(options);
    djp_span *root = start(NULL);
    finish_in(start(root), 61, 0);
    finish_in(root, 62, 0);
    assert_int_equal(span_reader_drain(recorder), 0);
    assert_int_equal(counters().decided_on_timeout, 1);
}

/* A rule may give a route more time than a root is waited for. The route of a request is not known
 * before its end. */
static void
routes_with_a_longer_limit_are_not_slow_yet(void **state)
{
    (void)state;
    static const struct {
        const char *rules, *name;
        djp_span_kind kind;
        unsigned kept;
    } cases[] = {
        {"route consume* > 1h", "consume orders", DJP_KIND_CONSUMER, 0},
        {"route consume* > 1h", "build", DJP_KIND_INTERNAL, 2},
        {"route consume* > 1h", "http.server", DJP_KIND_SERVER, 1}, /* itself, at its end */
        {"route consume* > 30s", "consume orders", DJP_KIND_CONSUMER, 2},
        {"route consume* > 30s; route * > 1h", "consume orders", DJP_KIND_CONSUMER, 2},
        {"route consume* > 30s; route * > 1h", "build", DJP_KIND_INTERNAL, 0},
        {"name build", "consume", DJP_KIND_INTERNAL, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        djp_tail_rule rules[DJP_TAIL_RULES_MAX];
        djp__recorder_options options = options_of(1e-12);
        options.tail_sampling_rules = rules;
        options.tail_sampling_rule_count =
            djp_tail_rules_parse(rules, djp__text(cases[i].rules), NULL, NULL);
        use(options);
        djp_span_options named = {.kind = (uint8_t)cases[i].kind};
        djp_span *root = djp_span_start(recorder, djp_text_of(cases[i].name), &named);
        finish_in(start(root), 61, 0);
        finish_in(root, 62, 0);
        assert_int_equal(span_reader_drain(recorder), cases[i].kept);
    }
}

/* How long a connection is held is no latency: neither its age nor its end makes it slow, an error
 * still counts. */
static void
connections_are_not_slow_by_their_length(void **state)
{
    (void)state;
    for (int failing = 0; failing < 2; failing++) {
        use(options_of(1e-12));
        djp_span *root = start(NULL);
        djp_span_set_long_lived(root);
        finish_in(start(root), 61, 0);
        finish_in(start(root), 3600, failing);
        finish_in(root, 24 * 3600, 0);
        assert_int_equal(span_reader_drain(recorder), failing ? 2 : 0);
        assert_int_equal(counters().by_reason[DJP_REASON_SLOW], 0);
        assert_int_equal(tear_down(NULL), 0);
    }
    djp_tail_rule rules[DJP_TAIL_RULES_MAX];
    djp__recorder_options options = options_of(1e-12);
    options.tail_sampling_rules = rules;
    options.tail_sampling_rule_count =
        djp_tail_rules_parse(rules, djp__text("slowest 10%; route chat > 1h"), NULL, NULL);
    use(options);
    for (int i = 0; i < 400; i++) {
        djp_span *root = start(NULL);
        djp_span_set_long_lived(root);
        finish_in(root, 3 + (uint64_t)i, 0);
    }
    assert_int_equal(span_reader_drain(recorder), 0);
    djp_span *root = djp_span_start(recorder, DJP_TEXT("chat"), NULL);
    djp_span_set_long_lived(root);
    finish_in(root, 3601, 0); /* who names its route means its length */
    assert_int_equal(counters().by_reason[DJP_REASON_SLOW], 1);
    assert_int_equal(span_reader_drain(recorder), 1);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(an_error_anywhere_keeps_the_whole_local_trace),
        CASE(a_slow_root_keeps_the_local_trace),
        CASE(a_root_that_is_slow_by_now_keeps_its_spans),
        CASE(a_limit_above_the_age_is_not_reached_by_it),
        CASE(routes_with_a_longer_limit_are_not_slow_yet),
        CASE(connections_are_not_slow_by_their_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
