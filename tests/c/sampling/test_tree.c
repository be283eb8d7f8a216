/* Trees of samplers: what they say about roots, how they are replaced while they decide, and what
 * it does to weights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/atomic.h"
#include "base/mem.h"
#include "base/str.h"
#include "djp/error.h"
#include "djp/metrics.h"
#include "djp/sampler.h"
#include "json.h"
#include "span_reader.h"
#include "trace/recorder_state.h"
#include "trace/span_seed.h"

static djp_recorder *recorder;

static int
tear_down(void **state)
{
    (void)state;
    djp__recorder_totals counters;
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
    djp__recorder_options options = span_reader_options();
    options.sample_errors = 1;
    djp__recorder_free(recorder);
    recorder = span_reader_recorder(&options);
    assert_int_equal(djp__recorder_set_sampler(recorder, parse(text)), 0);
}

/* A root below parent (may be NULL), ended with that status; 1 when it was head-sampled. */
static int
root(const char *name, const djp_span_context *parent, const djp_attribute *attribute,
     djp_status_code status)
{
    djp_span_options options = {.remote = parent,
                                .sampling_attributes = attribute,
                                .sampling_attribute_count = attribute != NULL};
    djp_span *span = djp_span_start(recorder, djp_text_of(name), &options);
    djp_span_context context;
    djp_span_get_context(&context, span);
    djp_span_set_status(span, status, (djp_text){NULL, 0});
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
    djp__span_record *record = span_reader_take(recorder);
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
    decide_by("rule_based(name(\"GET /health*\") => drop, attribute(\"user.tier\"=\"gold\") => "
              "always_on, "
              "attribute(\"shard\"=\"-3\") & !name(\"x\") => always_on, name(\"exact\") => "
              "always_on, any => always_off)");
    assert_false(root("GET /healthz", NULL, &gold, DJP_STATUS_ERROR));
    assert_int_equal(span_reader_drain(recorder), 0);
    assert_true(root("GET /a", NULL, &gold, DJP_STATUS_UNSET));
    assert_true(root("GET /a", NULL, &three, DJP_STATUS_UNSET));
    assert_false(root("x", NULL, &three, DJP_STATUS_UNSET));
    assert_true(root("exact", NULL, NULL, DJP_STATUS_UNSET));
    assert_false(root("exactly", NULL, NULL, DJP_STATUS_UNSET));
    assert_int_equal(djp_recorder_needs(recorder), DJP_NEEDS_NAME | DJP_NEEDS_ATTRIBUTES);
}

/* ---- the shared vectors ---- */

static void
texts_are_read_and_written(void **state)
{
    (void)state;
    json *vectors = json_load("samplers.json");
    const json *cases = json_get(vectors, "texts");
    assert_true(json_count(cases) >= 30);
    for (size_t i = 0; i < json_count(cases); i++) {
        const json *item = json_at(cases, i), *at = json_get(item, "at");
        const json *text = json_get(item, "text");
        djp_sampler *tree;
        djp_sampler_error error;
        int result = djp_sampler_parse(&tree, (djp_text){text->text, text->size}, &error);
        if (at) {
            const char *expected = json_string(json_get(item, "expected"), "?");
            if (result != DJP_EINVAL || error.at != (size_t)json_number(at, -1) ||
                !strstr(error.expected, expected)) {
                fail_msg("%s: %d at %zu: %s", json_string(json_get(item, "case"), ""), result,
                         error.at, error.expected);
            }
            assert_null(tree);
            continue;
        }
        char *written = result == 0 ? djp_sampler_text(NULL, tree) : NULL;
        if (written == NULL ||
            strcmp(written, json_string(json_get(item, "canonical"), "?")) != 0) {
            fail_msg("%s: %s, at %zu: %s", json_string(json_get(item, "case"), ""),
                     written != NULL ? written : "refused", error.at,
                     error.expected != NULL ? error.expected : "");
        }
        djp_free(written);
        djp_sampler_free(tree);
    }
    json_free(vectors);
}

static void
put_attribute(djp_attribute *out, const char *key, const json *given)
{
    out->key = (djp_text){key, strlen(key)};
    if (given->kind == JSON_STRING) {
        out->value = (djp_value){.type = DJP_STRING, .as.text = {given->text, given->size}};
    } else if (given->kind == JSON_BOOL) {
        out->value = (djp_value){.type = DJP_BOOL, .as.boolean = given->boolean};
    } else if (given->kind == JSON_ARRAY) {
        out->value = (djp_value){.type = DJP_ARRAY};
    } else if (given->number == (double)(int64_t)given->number) {
        out->value = (djp_value){.type = DJP_INT, .as.integer = (int64_t)given->number};
    } else {
        out->value = (djp_value){.type = DJP_DOUBLE, .as.real = given->number};
    }
}

static unsigned
kind_of(const char *word)
{
    static const char *const words[] = {"internal", "internal", "server",
                                        "client",   "producer", "consumer"};
    unsigned kind = 5;
    while (kind > 1 && strcmp(word, words[kind]) != 0) {
        kind--;
    }
    return kind;
}

static void
check_added(const djp__span_record *record, const json *added, const char *name)
{
    for (size_t i = 0; i < json_count(added); i++) {
        const json *want = &added->items[i];
        char text[64];
        const char *have = span_reader_show(record, added->keys[i]);
        if (want->kind == JSON_STRING) {
            snprintf(text, sizeof text, "s:%s", want->text);
        } else if (want->kind == JSON_BOOL) {
            snprintf(text, sizeof text, "b:%d", want->boolean);
        } else {
            snprintf(text, sizeof text,
                     want->number == (double)(int64_t)want->number ? "i:%g" : "d:%g", want->number);
        }
        if (strcmp(have, text) != 0) {
            fail_msg("%s: %s is %s, not %s", name, added->keys[i], have, text);
        }
    }
}

/* What is seen of a root. */
typedef struct seen {
    int sampled, recording;
    char state[256];
} seen;

static seen
run_root(const json *item)
{
    djp_attribute attributes[8];
    djp_span_context parent, context;
    const json *given = json_get(item, "parent"), *list = json_get(item, "attributes");
    memset(&parent, 0, sizeof parent);
    djp_span_options options = {.kind = (uint8_t)kind_of(json_string(json_get(item, "kind"), "")),
                                .sampling_attributes = attributes,
                                .sampling_attribute_count = json_count(list)};
    for (size_t i = 0; i < json_count(list); i++) {
        put_attribute(&attributes[i], list->keys[i], &list->items[i]);
    }
    if (given != NULL) {
        djp__hex_decode(parent.trace_id, 16, json_string(json_get(item, "trace_id"), "?"));
        parent.span_id[0] = parent.is_remote = 1;
        parent.flags = json_get(given, "sampled")->boolean ? DJP_FLAG_SAMPLED : 0;
        djp_header field = {json_string(json_get(given, "state"), ""), 0};
        field.size = strlen(field.data);
        djp_tracestate_parse(&parent.state, &field, field.size > 0);
        options.remote = &parent;
    }
    const char *name = json_string(json_get(item, "name"), "root");
    djp_span *span = djp_span_start(recorder, djp_text_of(name), &options);
    seen out = {.recording = djp_span_is_recording(span)};
    djp_span_get_context(&context, span);
    out.sampled = context.flags & DJP_FLAG_SAMPLED;
    djp_text text = djp_tracestate_text(context.state);
    snprintf(out.state, sizeof out.state, "%.*s", (int)text.size, text.data ? text.data : "");
    for (size_t i = 0; i < json_count(list); i++) {
        djp_span_set_value(span, djp_key_intern(attributes[i].key), &attributes[i].value);
    }
    djp_span_set_status(span, json_get(item, "error") ? DJP_STATUS_ERROR : DJP_STATUS_UNSET,
                        (djp_text){NULL, 0});
    djp_span_end(span, 0);
    djp_span_release(span);
    djp_span_context_clear(&parent);
    return out;
}

static void
roots_are_decided(void **state)
{
    (void)state;
    json *vectors = json_load("samplers.json");
    const json *cases = json_get(vectors, "decisions");
    assert_true(json_count(cases) >= 20);
    for (size_t i = 0; i < json_count(cases); i++) {
        const json *item = json_at(cases, i), *roots = json_get(item, "roots");
        decide_by(json_string(json_get(item, "sampler"), "?"));
        for (size_t k = 0; k < json_count(roots); k++) {
            char name[128];
            const json *given = json_at(roots, k), *kept = json_get(given, "kept"),
                       *recording = json_get(given, "recording");
            snprintf(name, sizeof name, "%s, root %zu", json_string(json_get(item, "case"), ""), k);
            int sampled = json_get(given, "sampled")->boolean;
            seen have = run_root(given);
            djp__span_record *record = span_reader_take(recorder);
            if (have.sampled != sampled || have.recording != (recording ? recording->boolean : 1) ||
                (record != NULL) != (kept ? kept->boolean : sampled) ||
                strcmp(have.state, json_string(json_get(given, "state"), have.state)) != 0) {
                fail_msg("%s: sampled %d, recording %d, kept %d, state %s", name, have.sampled,
                         have.recording, record != NULL, have.state);
            }
            if (record != NULL) {
                check_added(record, json_get(given, "added"), name);
            }
            free(record);
        }
    }
    json_free(vectors);
}

/* ---- weights ---- */

static double
weight_of(const djp__span_record *record)
{
    return 72057594037927936.0 / (double)(DJP__THRESHOLD_NEVER - record->threshold);
}

static void
weights_count_true(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c"};
    double counted[3] = {0, 0, 0};
    djp__span_record *record;
    decide_by("rule_based(name(\"a\") => probability(0.1), name(\"b*\") => probability(0.01), any "
              "=> always_on)");
    for (int i = 0; i < 150000; i++) {
        /* One in fifty fails, and is sampled for that: its adjusted count is 1. */
        root(names[i % 3], NULL, NULL, i % 50 == 0 ? DJP_STATUS_ERROR : DJP_STATUS_UNSET);
        while ((record = span_reader_take(recorder)) != NULL) {
            counted[span_reader_name(record).data[0] - 'a'] += weight_of(record);
            free(record);
        }
    }
    assert_int_equal((int)counted[2], 50000);
    /* 4.5 and 4.3 times the standard deviation */
    assert_true(counted[0] > 47000 && counted[0] < 53000);
    assert_true(counted[1] > 40500 && counted[1] < 59500);
}

/* ---- other samplers while roots are decided ---- */

static void
the_same_text_changes_nothing(void **state)
{
    (void)state;
    decide_by("rule_based(any => rate_limited(2))");
    assert_true(root("a", NULL, NULL, DJP_STATUS_UNSET));
    assert_int_equal(
        djp__recorder_set_sampler(recorder, parse("rule_based( any=>rate_limited(2.0))")), 0);
    assert_true(root("a", NULL, NULL, DJP_STATUS_UNSET));
    assert_false(root("a", NULL, NULL, DJP_STATUS_UNSET));
    assert_int_equal(
        djp__recorder_set_sampler(recorder, parse("rule_based(any => rate_limited(3))")), 0);
    assert_true(root("a", NULL, NULL, DJP_STATUS_UNSET));
    span_reader_drain(recorder);
    assert_int_equal(djp__recorder_set_ratio(recorder, 0.5), 0);
    assert_int_equal(djp_recorder_needs(recorder), 0);
    assert_int_equal(
        djp__recorder_set_sampler(recorder, parse("rule_based(name(\"a\") => always_on)")), 0);
    assert_int_equal(djp_recorder_needs(recorder), 0); /* the ratio that was said holds */
    djp__recorder_reset_ratio(recorder);
    assert_int_equal(djp_recorder_needs(recorder), DJP_NEEDS_NAME);
    assert_int_equal(djp__recorder_set_sampler(recorder, NULL), 0);
    assert_int_equal(djp_recorder_needs(recorder), 0);
    assert_true(root("a", NULL, NULL, DJP_STATUS_UNSET));
    span_reader_drain(recorder);
}

static DJP__ATOMIC(int) stop;

static void *
decide_for_long(void *unused)
{
    (void)unused;
    while (!djp__load_relaxed(&stop)) {
        djp_span *span = djp_span_start(recorder, DJP_TEXT("a"), NULL);
        djp_span_end(span, 0);
        djp_span_release(span);
    }
    return NULL;
}

static void
trees_are_replaced_while_threads_decide(void **state)
{
    (void)state;
    pthread_t threads[3];
    char text[128];
    decide_by("rule_based()");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, decide_for_long, NULL), 0);
    }
    int refused = 0;
    for (int i = 0; i < 3000; i++) {
        snprintf(
            text, sizeof text,
            "annotating({\"i\"=%d}, rule_based(name(\"a\") => at_least(%d, probability(0.5))))", i,
            i + 1);
        int result = djp__recorder_set_sampler(recorder, parse(text));
        refused += result != 0;
        assert_true(result == 0 || result == DJP_ERETRY);
    }
    djp__store_relaxed(&stop, 1);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_true(refused < 3000);
    span_reader_drain(recorder);
}

static void
lack_of_memory_is_told(void **state)
{
    (void)state;
    const char *text = "annotating({\"a\"=\"b\"}, rule_based(name(\"x\") & kind(server) => "
                       "at_least(1, probability(0.5)), "
                       "name(\"y\") => annotating({\"c\"=1}, always_on)))";
    int failed = 0, result = DJP_ENOMEM;
    for (long n = 1; n < 200 && result != 0; n++) {
        djp_sampler *tree = NULL;
        djp__alloc_fail_after(n);
        result = djp_sampler_parse(&tree, (djp_text){text, strlen(text)}, NULL);
        djp__alloc_fail_after(0);
        failed += result == DJP_ENOMEM;
        assert_true(result == 0 || (result == DJP_ENOMEM && tree == NULL));
        djp_sampler_free(tree);
    }
    assert_true(failed > 10);
    for (int n = 1; n <= failed; n++) { /* no part of a tree is left out */
        djp_sampler *tree = NULL;
        djp__alloc_fail_once(n);
        result = djp_sampler_parse(&tree, (djp_text){text, strlen(text)}, NULL);
        djp__alloc_fail_after(0);
        assert_int_equal(result == DJP_ENOMEM, tree == NULL);
        if (result == 0) {
            char *whole = djp_sampler_text(NULL, tree);
            assert_string_equal(whole, text);
            djp_free(whole);
        }
        djp_sampler_free(tree);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(leaves_say_what_they_are_called, tear_down),
        cmocka_unit_test_teardown(the_first_rule_that_holds_decides, tear_down),
        cmocka_unit_test(texts_are_read_and_written),
        cmocka_unit_test_teardown(roots_are_decided, tear_down),
        cmocka_unit_test_teardown(weights_count_true, tear_down),
        cmocka_unit_test_teardown(the_same_text_changes_nothing, tear_down),
        cmocka_unit_test_teardown(trees_are_replaced_while_threads_decide, tear_down),
        cmocka_unit_test(lack_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
