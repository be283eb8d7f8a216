/* Tail-sampling rules: their text, what they keep and why by the shared vectors, threads, lack of
 * memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "djp/error.h"
#include "export/otlp_trace.h"
#include "json.h"
#include "span_reader.h"
#include "sampling/head.h"

#define BASE_NS 1700000000000000000ull
#define S 1000000000ull

static djp__recorder_options
ruled(const char *text, djp_tail_rule rules[DJP_TAIL_RULES_MAX])
{
    djp__recorder_options options = span_reader_options();
    options.always_on = 0;
    options.threshold = djp__threshold_of(1e-12);
    options.decision_wait_ns = 60 * S;
    options.tail_sampling_rules = rules;
    options.tail_sampling_rule_count = djp_tail_rules_parse(rules, djp__text(text), NULL, NULL);
    return options;
}

static djp_recorder *
recorder_of(const char *text)
{
    djp_tail_rule rules[DJP_TAIL_RULES_MAX];
    djp__recorder_options options = ruled(text, rules);
    return span_reader_recorder(&options);
}

static djp__recorder_totals
counters_of(const djp_recorder *recorder)
{
    djp__recorder_totals out;
    djp__recorder_counters(&out, recorder);
    return out;
}

/* ---- text ---- */

typedef struct first_bad {
    size_t count;
    char why[128];
} first_bad;

static void
note(void *user, djp_text rule, const char *why)
{
    first_bad *bad = user;
    assert_true(rule.size > 0);
    if (bad->count++ == 0) {
        snprintf(bad->why, sizeof bad->why, "%s", why);
    }
}

static void
the_text_of_rules(void **state)
{
    (void)state;
    json *vectors = json_load("tail_sampling_rules.json");
    const json *cases = json_get(vectors, "parse");
    assert_true(json_count(cases) >= 30);
    for (size_t i = 0; i < json_count(cases); i++) {
        const json *item = json_at(cases, i);
        djp_tail_rule rules[DJP_TAIL_RULES_MAX];
        first_bad bad = {0, ""};
        size_t good = djp_tail_rules_parse(
            rules, djp__text(json_string(json_get(item, "rules"), NULL)), note, &bad);
        if ((double)good != json_number(json_get(item, "good"), -1) ||
            (bad.count > 0) != (json_number(json_get(item, "warnings"), -1) > 0)) {
            fail_msg("%s: %zu good, %zu bad: %s", json_string(json_get(item, "case"), ""), good,
                     bad.count, bad.why);
        }
    }
    json_free(vectors);
    djp_tail_rule rules[DJP_TAIL_RULES_MAX];
    assert_int_equal(djp_tail_rules_parse(
                         rules,
                         djp__text("vip: attribute a = \"x;\"*; route /r > 1.5ms; slowest 2.5%"),
                         NULL, NULL),
                     3);
    assert_true(djp__text_equal(rules[0].label, "vip") && djp__text_equal(rules[0].key, "a"));
    assert_true(djp__text_equal(rules[0].pattern, "x;") && rules[0].prefix);
    assert_int_equal(rules[1].duration_ns, 1500000);
    assert_true(rules[1].label.size == 0 && !rules[1].prefix && rules[2].part == 0.025);
}

/* ---- what is kept ---- */

static void
set_attributes(djp_span *span, const json *given)
{
    for (size_t i = 0; i < json_count(given); i++) {
        const json *value = &given->items[i];
        djp_key key = djp_key_intern(djp_text_of(given->keys[i]));
        if (value->kind == JSON_STRING) {
            djp_span_set_string(span, key, (djp_text){value->text, value->size});
        } else if (value->kind == JSON_BOOL) {
            djp_span_set_bool(span, key, value->boolean);
        } else if (value->number == (double)(int64_t)value->number) {
            djp_span_set_int(span, key, (int64_t)value->number);
        } else {
            djp_span_set_double(span, key, value->number);
        }
    }
}

static djp_span *
begin(djp_recorder *recorder, const json *given, djp_span *parent, uint64_t start_ns)
{
    djp_span_options options = {.parent = parent, .start_unix_ns = start_ns};
    const char *name = json_string(json_get(given, "name"), "root");
    djp_span *span = djp_span_start(recorder, djp_text_of(name), &options);
    set_attributes(span, json_get(given, "attributes"));
    const json *error = json_get(given, "error");
    if (error != NULL && error->boolean) {
        djp_span_set_status(span, DJP_STATUS_ERROR, (djp_text){NULL, 0});
    }
    return span;
}

static uint64_t
length_ns(const json *given, double factor)
{
    return (uint64_t)(json_number(json_get(given, "ms"), 1) * factor * 1e6 + 0.5);
}

static void
run_trace(djp_recorder *recorder, const json *item, double factor)
{
    uint64_t start = BASE_NS + (uint64_t)json_number(json_get(item, "at"), 0) * S;
    const json *given = json_get(item, "root"), *children = json_get(item, "children");
    djp_span *root = begin(recorder, given, NULL, start);
    for (size_t i = 0; i < json_count(children); i++) {
        const json *child = json_at(children, i);
        djp_span *span = begin(recorder, child, root, start);
        djp_span_end(span, start + length_ns(child, 1));
        djp_span_release(span);
    }
    djp_span_end(root, start + length_ns(given, factor));
    djp_span_release(root);
}

/* The reason on the kept root, "" when nothing was kept. Kept means whole. */
static djp_text
reason_of(djp_recorder *recorder, size_t spans)
{
    djp_text reason = {"", 0};
    size_t kept = 0;
    djp__span_record *record;
    while ((record = span_reader_take(recorder)) != NULL) {
        kept++;
        assert_true(record->threshold == 0);
        if (record->local_root) {
            reason = djp__reason_text(record->reason, record->reason_label);
        }
        free(record);
    }
    assert_true(kept == 0 || kept == spans);
    return reason;
}

static void
run_case(const json *item)
{
    djp_tail_rule rules[DJP_TAIL_RULES_MAX];
    djp__recorder_options options = ruled(json_string(json_get(item, "rules"), ""), rules);
    const json *given = json_get(item, "options"), *list = json_get(item, "traces");
    options.slow_threshold_ns = (uint64_t)json_number(json_get(given, "slow_threshold"), 2) * S;
    options.sample_errors =
        json_get(given, "sample_errors") ? json_get(given, "sample_errors")->boolean : 1;
    options.drop_all = json_number(json_get(given, "sample_ratio"), 1) == 0;
    djp_recorder *recorder = span_reader_recorder(&options);
    for (size_t i = 0; i < json_count(list); i++) {
        const json *trace = json_at(list, i);
        size_t fill = (size_t)json_number(json_get(trace, "fill"), 0);
        for (size_t k = 0; k < fill; k++) {
            run_trace(recorder, trace, 1 + (double)(k % 10) / 10);
        }
        if (fill > 0) {
            span_reader_drain(recorder);
            continue;
        }
        run_trace(recorder, trace, 1);
        djp_text got = reason_of(recorder, 1 + json_count(json_get(trace, "children")));
        const char *want = json_string(json_get(trace, "reason"), "");
        if (!djp__text_equal(got, want)) {
            fail_msg("%s, trace %zu: \"%.*s\" instead of \"%s\"",
                     json_string(json_get(item, "case"), ""), i, (int)got.size, got.data, want);
        }
    }
    djp__recorder_totals counters = counters_of(recorder);
    assert_int_equal(counters.live, 0);
    assert_int_equal(counters.decision_buffer_bytes, 0);
    assert_int_equal(counters.ended, counters.started);
    djp__recorder_free(recorder);
}

static void
what_rules_keep(void **state)
{
    (void)state;
    json *vectors = json_load("tail_sampling_rules.json");
    const json *cases = json_get(vectors, "traces");
    assert_true(json_count(cases) >= 20);
    for (size_t i = 0; i < json_count(cases); i++) {
        run_case(json_at(cases, i));
    }
    json_free(vectors);
}

static djp_span *
start(djp_recorder *recorder, djp_span *parent, const char *name)
{
    djp_span_options options = {.parent = parent};
    return djp_span_start(recorder, djp_text_of(name), &options);
}

static void
finish(djp_span *span)
{
    djp_span_end(span, 0);
    djp_span_release(span);
}

static void
the_last_value_of_a_key_counts(void **state)
{
    (void)state;
    djp_recorder *recorder = recorder_of("attribute tier=gold");
    djp_key key = djp_key_intern(DJP_TEXT("tier"));
    for (int last = 0; last < 2; last++) {
        djp_span *span = start(recorder, NULL, "x");
        djp_span_set_string(span, key, (djp_text){last ? "lead" : "gold", 4});
        djp_span_set_string(span, key, (djp_text){last ? "gold" : "lead", 4});
        finish(span);
        assert_int_equal(span_reader_drain(recorder), last);
    }
    assert_int_equal(counters_of(recorder).by_reason[DJP_REASON_RULE], 1);
    djp__recorder_free(recorder);
}

/* The attribute's own key inside an event, a link or a map is another thing. */
static void
attributes_of_events_are_not_the_spans(void **state)
{
    (void)state;
    djp_recorder *recorder = recorder_of("attribute tier=*");
    djp_key key = djp_key_intern(DJP_TEXT("tier"));
    djp_attribute attribute = {{"tier", 4}, {.type = DJP_STRING, .as.text = {"gold", 4}}};
    djp_span *span = start(recorder, NULL, "x");
    djp_span_add_event(span, DJP_TEXT("event"), 0, &attribute, 1);
    finish(span);
    assert_int_equal(span_reader_drain(recorder), 0);
    span = start(recorder, NULL, "x");
    djp_span_add_event(span, DJP_TEXT("event"), 0, &attribute, 1);
    djp_span_set_string(span, key, DJP_TEXT(""));
    finish(span);
    assert_int_equal(span_reader_drain(recorder), 1);
    djp__recorder_free(recorder);
}

static void
always_on_needs_no_rules(void **state)
{
    (void)state;
    djp_tail_rule rules[DJP_TAIL_RULES_MAX];
    djp__recorder_options options = ruled("name *; rare 1s", rules);
    options.always_on = 1;
    djp_recorder *recorder = span_reader_recorder(&options);
    finish(start(recorder, NULL, "x"));
    djp__recorder_totals counters = counters_of(recorder);
    assert_int_equal(counters.by_reason[DJP_REASON_ALWAYS], 1);
    assert_int_equal(counters.by_reason[DJP_REASON_RULE], 0);
    djp__recorder_free(recorder);
}

static void
wake_nobody(void *user)
{
    (void)user;
}

/* While a ratio of 0 holds nothing is kept and nothing is learned: what is rare is kept when it
 * comes again later. */
static void
rules_rest_while_nothing_is_kept(void **state)
{
    (void)state;
    djp_tail_rule rules[DJP_TAIL_RULES_MAX];
    djp__recorder_options options = ruled("name gold; rare 1h", rules);
    options.drop_all = 1;
    options.wake = wake_nobody;
    djp_recorder *recorder = span_reader_recorder(&options);
    finish(start(recorder, NULL, "gold"));
    finish(start(recorder, NULL, "x"));
    assert_int_equal(span_reader_drain(recorder), 0);
    assert_int_equal(djp__recorder_set_ratio(recorder, 1e-12), 0);
    finish(start(recorder, NULL, "gold"));
    finish(start(recorder, NULL, "x"));
    finish(start(recorder, NULL, "x"));
    assert_int_equal(span_reader_drain(recorder), 2);
    djp__recorder_totals counters = counters_of(recorder);
    assert_int_equal(counters.by_reason[DJP_REASON_RULE], 1);
    assert_int_equal(counters.by_reason[DJP_REASON_RARE], 1);
    djp__recorder_free(recorder);
}

static void
the_reason_is_exported_by_its_name(void **state)
{
    (void)state;
    djp_recorder *recorder = recorder_of("checkout: name pay");
    finish(start(recorder, NULL, "pay"));
    djp__span_record *record = span_reader_take(recorder);
    djp__encoder *encoder;
    djp__buf out;
    djp__buf_init(&out, 0);
    assert_int_equal(djp__encoder_new(&encoder, &djp__otlp_trace, DJP__ENCODE_JSON, NULL, 0), 0);
    assert_int_equal(djp__encoder_add(encoder, record), 0);
    assert_int_equal(djp__encoder_finish(encoder, &out), 0);
    djp__buf_char(&out, '\0');
    assert_non_null(strstr(
        out.data, "{\"key\":\"sampling.reason\",\"value\":{\"stringValue\":\"rule:checkout\"}}"));
    assert_non_null(strstr(out.data, "\"traceState\":\"ot=th:0\""));
    djp__buf_fini(&out);
    djp__encoder_free(encoder);
    free(record);
    djp__recorder_free(recorder);
    assert_int_equal(djp__reason_label(djp__text("checkout")),
                     djp__reason_label(djp__text("checkout")));
    assert_int_equal(djp__reason_label(djp__text("")), 0);
}

static void
no_memory_for_rules(void **state)
{
    (void)state;
    djp_tail_rule rules[DJP_TAIL_RULES_MAX];
    djp__recorder_options options = ruled("attribute a=b; name c; rare 1s; slowest 1%", rules);
    for (long n = 1;; n++) {
        djp_recorder *recorder = NULL;
        djp__alloc_fail_after(n);
        int result = djp__recorder_new(&recorder, &options);
        djp__alloc_fail_after(0);
        if (result == 0) {
            assert_true(n > 5);
            djp__recorder_free(recorder);
            return;
        }
        assert_int_equal(result, DJP_ENOMEM);
        assert_null(recorder);
    }
}

/* ---- threads ---- */

enum { THREADS = 4, TURNS = 2000 };

static djp_recorder *shared;

static void *
use_shared(void *user)
{
    unsigned self = (unsigned)(uintptr_t)user;
    djp_key tier = djp_key_intern(DJP_TEXT("tier")), route = djp_key_intern(DJP_TEXT("http.route"));
    char name[16];
    for (unsigned i = 0; i < TURNS; i++) {
        djp_span *root = start(shared, NULL, "root");
        djp_span *child = start(shared, root, "child");
        if (i % 10 == 0) {
            djp_span_set_string(child, tier, DJP_TEXT("gold"));
        }
        finish(child);
        snprintf(name, sizeof name, "/r%u", (self + i) % 50);
        djp_span_set_string(root, route, djp_text_of(name));
        finish(root);
    }
    return NULL;
}

static void
threads_share_rules(void **state)
{
    (void)state;
    djp_tail_rule rules[DJP_TAIL_RULES_MAX];
    djp__recorder_options options = ruled("attribute tier=gold; slowest 1%; rare 1h", rules);
    options.ring_bytes = 16u << 20;
    shared = span_reader_recorder(&options);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use_shared, (void *)i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    djp__recorder_totals counters = counters_of(shared);
    assert_int_equal(counters.by_reason[DJP_REASON_RULE] + counters.dropped[DJP__DROP_RING_FULL],
                     THREADS * TURNS / 10 * 2);
    assert_int_equal(counters.dropped[DJP__DROP_RING_FULL], 0);
    assert_true(counters.by_reason[DJP_REASON_RARE] <= 2 * (50 + counters.rule_checks_skipped));
    assert_int_equal(counters.ended, 2 * THREADS * TURNS);
    assert_int_equal(counters.decision_buffer_bytes, 0);
    djp__recorder_free(shared);
}

/* A lock that a thread of the parent held over fork is free in the child. */
static void
a_fork_frees_the_table(void **state)
{
    (void)state;
    djp_recorder *recorder = recorder_of("rare 1h");
    finish(start(recorder, NULL, "x"));
    djp__recorder_fork_child(recorder);
    finish(start(recorder, NULL, "x"));
    finish(start(recorder, NULL, "y"));
    assert_int_equal(counters_of(recorder).by_reason[DJP_REASON_RARE], 1);
    djp__recorder_free(recorder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_of_rules),
        cmocka_unit_test(what_rules_keep),
        cmocka_unit_test(the_last_value_of_a_key_counts),
        cmocka_unit_test(attributes_of_events_are_not_the_spans),
        cmocka_unit_test(always_on_needs_no_rules),
        cmocka_unit_test(rules_rest_while_nothing_is_kept),
        cmocka_unit_test(the_reason_is_exported_by_its_name),
        cmocka_unit_test(no_memory_for_rules),
        cmocka_unit_test(threads_share_rules),
        cmocka_unit_test(a_fork_frees_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
