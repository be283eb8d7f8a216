/* What a local trace asks the span rate limit, and what its answers make of a verdict. The source
 * is compiled in with hooks in front of the limit and of the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "sampling/rate_limit.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"

static djp__rate_found
hooked_look(djp__rate_limit *limit, const djp__rate_look *look, uint64_t *threshold);
static int hooked_take(djp__rate_limit *limit, uint64_t spans);
static uint64_t hooked_clock(void);
#define djp__rate_limit_look hooked_look
#define djp__rate_limit_take hooked_take
#define djp__clock_monotonic hooked_clock
#include "trace/local_trace_limit.c"
#undef djp__rate_limit_look
#undef djp__rate_limit_take
#undef djp__clock_monotonic

#include "span_reader.h"

#define S 1000000000ull
#define NOW (1000 * S)
#define LAG (60 * S)

static djp__rate_look asked;
static djp__rate_found answer;
static uint64_t answer_threshold; /* 0: that of the question */

static djp__rate_found
hooked_look(djp__rate_limit *limit, const djp__rate_look *look, uint64_t *threshold)
{
    assert_non_null(limit);
    asked = *look;
    *threshold = answer_threshold ? answer_threshold : look->own;
    return answer;
}

static uint64_t taken;
static int has_room;

static int
hooked_take(djp__rate_limit *limit, uint64_t spans)
{
    assert_non_null(limit);
    taken += spans;
    return has_room;
}

static uint64_t now;

static uint64_t
hooked_clock(void)
{
    return now;
}

static djp_recorder *recorder;
static djp_span *root;

static djp_span *
start_root(const char *name, const djp_span_context *parent)
{
    djp_span_options options = {.remote = parent};
    return djp_span_start(recorder, djp_text_of(name), &options);
}

static int
set_up(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.always_on = 0;
    options.threshold = 5ull << 24;
    options.span_rate_limit = 100;
    options.sample_errors = 1;
    recorder = span_reader_recorder(&options);
    root = start_root("GET", NULL);
    asked = (djp__rate_look){0};
    answer = DJP_RATE_KEPT;
    answer_threshold = taken = 0;
    has_room = 1;
    now = NOW;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    djp_span_release(root);
    span_reader_drain(recorder);
    djp__recorder_free(recorder);
    return 0;
}

static djp__verdict
ask_for(const djp_span *span, uint8_t reason, int root_ended)
{
    djp__limit_question question = {7, 0, root_ended};
    return djp__local_limit_ask(span->local, djp__verdict_of(reason, 0), &question);
}

/* ---- the question ---- */

static void
the_route_is_the_attribute_or_the_name(void **state)
{
    (void)state;
    djp_key route = djp_key_intern(DJP_TEXT("http.route"));
    ask_for(root, DJP_REASON_RATIO, 1);
    assert_int_equal(asked.route, djp__hash("GET", 3) | 1u);
    djp_span_set_int(root, route, 5); /* no text */
    djp_attribute other = {{"http.route", 10}, {.type = DJP_STRING, .as.text = {"/event", 6}}};
    djp_span_add_event(root, DJP_TEXT("e"), 1, &other, 1);
    djp_span_set_string(root, djp_key_intern(DJP_TEXT("other")), DJP_TEXT("/other"));
    root->record->size = root->used;
    ask_for(root, DJP_REASON_RATIO, 1);
    assert_int_equal(asked.route, djp__hash("GET", 3) | 1u);
    djp_span_set_string(root, route, DJP_TEXT("/first"));
    djp_span_set_string(root, route, DJP_TEXT("/last"));
    root->record->size = root->used;
    ask_for(root, DJP_REASON_RATIO, 1);
    assert_int_equal(asked.route, djp__hash("/last", 5) | 1u);
    ask_for(root, DJP_REASON_RATIO, 0); /* it may change while the root is open */
    assert_int_equal(asked.route, DJP__RATE_ROUTE_UNKNOWN);
    djp_span *unnamed = start_root("", NULL);
    unnamed->record->size = unnamed->used;
    ask_for(unnamed, DJP_REASON_RATIO, 1);
    assert_int_equal(asked.route, djp__hash("", 0) | 1u);
    djp_span_release(unnamed);
    /* It is never the one of unknown routes: a bit is set. */
    for (int i = 0; i < 64; i++) {
        char name[2] = {(char)('!' + i), '\0'};
        djp_span *span = start_root(name, NULL);
        span->record->size = span->used;
        ask_for(span, DJP_REASON_RATIO, 1);
        assert_true(asked.route & 1);
        djp_span_release(span);
    }
}

static void
the_group_follows_the_reason(void **state)
{
    (void)state;
    root->own.recorded = 3ull << 24;
    ask_for(root, DJP_REASON_RATIO, 1);
    assert_int_equal(asked.group, DJP_RATE_HEAD);
    assert_int_equal(asked.own, 5ull << 24);
    assert_int_equal(asked.spans, 7);
    ask_for(root, DJP_REASON_ERROR, 1);
    assert_int_equal(asked.group, DJP_RATE_SELF);
    assert_int_equal(asked.own, 3ull << 24);
    root->own.threshold = DJP__THRESHOLD_NONE; /* the parent did not say */
    ask_for(root, DJP_REASON_PARENT, 1);
    assert_int_equal(asked.group, DJP_RATE_HEAD);
    assert_int_equal(asked.own, 0);
    ask_for(root, DJP_REASON_ERROR, 1);
    assert_int_equal(asked.own, 3ull << 24);
}

/* Times of operation logs come late, and clocks are not the same: neither the future nor what is
 * older than a minute. */
static void
the_time_is_that_of_the_end(void **state)
{
    (void)state;
    uint64_t anchor = 5000 * S;
    static const struct {
        uint64_t end, want; /* monotonic; 0: not given */
    } cases[] = {
        {0, NOW},
        {NOW, NOW},
        {NOW + 1, NOW},
        {NOW + 99 * S, NOW},
        {NOW - 1, NOW - 1},
        {NOW - LAG, NOW - LAG},
        {NOW - LAG - 1, NOW - LAG},
        {1, NOW - LAG},
    };
    root->own.anchor = (int64_t)anchor;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__limit_question question = {1, cases[i].end ? cases[i].end + anchor : 0, 0};
        djp__local_limit_ask(&root->own, djp__verdict_of(DJP_REASON_RATIO, 0), &question);
        assert_int_equal(asked.now_ns, cases[i].want);
    }
    now = LAG / 2; /* shortly after the machine has started */
    djp__limit_question question = {1, 1 + anchor, 0};
    djp__local_limit_ask(&root->own, djp__verdict_of(DJP_REASON_RATIO, 0), &question);
    assert_int_equal(asked.now_ns, 1);
    now = LAG;
    djp__local_limit_ask(&root->own, djp__verdict_of(DJP_REASON_RATIO, 0), &question);
    assert_int_equal(asked.now_ns, 1);
}

/* The randomness is that of the trace id or of the tracestate; where it was used up by a parent
 * that did not say its threshold, another number. */
static void
the_randomness_is_that_of_the_trace(void **state)
{
    (void)state;
    const uint8_t *id = djp__span_identity(root)->trace_id;
    ask_for(root, DJP_REASON_RATIO, 1);
    assert_int_equal(asked.random, djp__randomness(id));
    ask_for(root, DJP_REASON_ERROR, 1);
    assert_int_equal(asked.random, djp__randomness(id));
    djp_tracestate *state_of_root = root->own.state;
    djp_header field = {"ot=rv:00000000000007", 20};
    djp_tracestate *given = NULL;
    assert_true(djp_tracestate_parse(&given, &field, 1));
    root->own.state = given;
    ask_for(root, DJP_REASON_RATIO, 1);
    assert_int_equal(asked.random, 7);
    root->own.threshold = DJP__THRESHOLD_NONE;
    root->own.head_reason = DJP_REASON_ALWAYS; /* unknown to none: it is 0 */
    ask_for(root, DJP_REASON_ALWAYS, 1);
    assert_int_equal(asked.random, 7);
    root->own.head_reason = DJP_REASON_PARENT;
    ask_for(root, DJP_REASON_ERROR, 1);
    assert_int_equal(asked.random, 7);
    ask_for(root, DJP_REASON_PARENT, 1);
    assert_int_equal(asked.random, djp__hash(id, 16) & (DJP__THRESHOLD_NEVER - 1));
    root->own.state = state_of_root;
    djp_tracestate_unref(given);
}

/* ---- the answer ---- */

static void
an_answer_changes_the_verdict(void **state)
{
    (void)state;
    static const uint8_t reasons[] = {DJP_REASON_RATIO, DJP_REASON_ERROR};
    for (int self = 0; self < 2; self++) {
        answer = DJP_RATE_LIMITED;
        djp__verdict verdict = ask_for(root, reasons[self], 1);
        assert_int_equal(djp__verdict_reason(verdict), DJP_REASON_RATE_LIMITED);
        assert_int_equal(djp__verdict_label(verdict), self);
        assert_int_equal(djp__verdict_is_final(verdict), self);
        answer = DJP_RATE_BURST;
        verdict = ask_for(root, reasons[self], 1);
        assert_int_equal(djp__verdict_reason(verdict), DJP_REASON_RATE_BURST);
        assert_int_equal(djp__verdict_label(verdict), self);
        answer = DJP_RATE_KEPT;
        answer_threshold = 0;
        verdict = ask_for(root, reasons[self], 1);
        assert_int_equal(verdict.word, djp__verdict_of(reasons[self], 0).word);
        answer_threshold = 9ull << 24;
        verdict = ask_for(root, reasons[self], 1);
        assert_int_equal(djp__verdict_reason(verdict), reasons[self]);
        assert_int_equal(djp__verdict_threshold(verdict), 9ull << 24);
    }
    djp__verdict labelled = djp__verdict_of(DJP_REASON_RULE, 12);
    djp__limit_question question = {7, 0, 1};
    djp__verdict verdict = djp__local_limit_ask(root->local, labelled, &question);
    assert_int_equal(djp__verdict_label(verdict), 12);
    assert_int_equal(djp__verdict_threshold(verdict), 9ull << 24);
    root->own.threshold = DJP__THRESHOLD_NONE; /* an unknown adjusted count stays unknown */
    verdict = ask_for(root, DJP_REASON_PARENT, 1);
    assert_int_equal(verdict.word, djp__verdict_of(DJP_REASON_PARENT, 0).word);
    root->own.head_reason = DJP_REASON_ALWAYS;
    verdict = ask_for(root, DJP_REASON_ALWAYS, 1);
    assert_int_equal(djp__verdict_threshold(verdict), 9ull << 24);
}

/* Later spans of a sampled trace take from the bound; of a dropped one nothing is taken. */
static void
later_spans_take_from_the_bound(void **state)
{
    (void)state;
    djp__verdict none = djp__verdict_of(DJP_REASON_NONE, 0);
    djp__verdict verdict = djp__verdict_raise(djp__verdict_of(DJP_REASON_RATIO, 0), 9ull << 24);
    assert_int_equal(djp__local_limit_follow(recorder, verdict, 3).word, verdict.word);
    assert_int_equal(taken, 3);
    has_room = 0;
    verdict = djp__local_limit_follow(recorder, verdict, 1);
    assert_int_equal(djp__verdict_reason(verdict), DJP_REASON_RATE_BURST);
    assert_true(djp__verdict_is_final(verdict));
    taken = 0;
    assert_int_equal(djp__local_limit_follow(recorder, none, 1).word, none.word);
    assert_int_equal(djp__local_limit_follow(recorder, verdict, 1).word, verdict.word);
    assert_int_equal(taken, 0);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(the_route_is_the_attribute_or_the_name),
        CASE(the_group_follows_the_reason),
        CASE(the_time_is_that_of_the_end),
        CASE(the_randomness_is_that_of_the_trace),
        CASE(an_answer_changes_the_verdict),
        CASE(later_spans_take_from_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
