/* Traces as a row of a signal: the functions of the source over a recorder, and those of the
 * encoder. The test is the worker, so that nothing else takes from the ring. */
#include "pipeline/helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/record.h"

static djp_sdk *sdk;
static script_transport *transport;
static const djp__drain *drain;
static const djp__encode *encode;

static int
set_up(void **state)
{
    (void)state;
    djp_options options = helper_options();
    transport = script_new(NULL, NULL);
    sdk = helper_sdk(&options, transport);
    djp__store_release(&sdk->worker.state, DJP__WORKER_WORKING); /* no thread starts */
    drain = djp__signal_traces.drain;
    encode = djp__signal_traces.encode;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    djp__store_release(&sdk->worker.state, DJP__WORKER_ABSENT);
    djp_sdk_free(sdk);
    script_fini(transport);
    return 0;
}

static djp__source_counts
counts(void)
{
    djp__source_counts out;
    memset(&out, 0xff, sizeof out);
    drain->counts(&out, sdk);
    return out;
}

typedef struct reason {
    const char *name;
    uint64_t items;
    int is_found;
} reason;

static void
look(void *user, const char *name, uint64_t items)
{
    reason *wanted = user;
    if (strcmp(wanted->name, name) == 0) {
        wanted->items = items;
        wanted->is_found++;
    }
}

static uint64_t
lost(const char *name)
{
    reason wanted = {.name = name};
    drain->losses(sdk, look, &wanted);
    if (wanted.is_found != 1) {
        fail_msg("%s is shown %d times", name, wanted.is_found);
    }
    return wanted.items;
}

static void
test_the_ring_is_the_source(void **state)
{
    (void)state;
    djp_ring *ring = djp__recorder_ring(sdk->recorder);
    size_t size = 0;
    assert_int_equal(drain->capacity(sdk), djp__ring_capacity(ring));
    assert_int_equal(drain->written(sdk), 0);
    assert_int_equal(drain->consumed(sdk), 0);
    assert_null(drain->peek(sdk, &size));
    helper_spans(sdk, "span", 2);
    uint64_t end = drain->written(sdk);
    assert_true(end > 0 && end == djp__ring_written(ring));
    const djp__span_record *first = drain->peek(sdk, &size);
    assert_non_null(first);
    assert_int_equal(first->type, DJP_RECORD_SPAN);
    assert_true(size >= first->size);
    assert_int_equal(drain->consume(sdk), 1); /* one item for each record */
    uint64_t middle = drain->consumed(sdk);
    assert_true(middle > 0 && middle < end);
    assert_int_equal(drain->consume(sdk), 1);
    assert_int_equal(drain->consumed(sdk), end);
    assert_null(drain->peek(sdk, &size));
}

static void
test_counts(void **state)
{
    (void)state;
    djp_span *open = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("open"), NULL);
    djp_span *given_back = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("no end"), NULL);
    helper_spans(sdk, "span", 3);
    djp__source_counts now = counts();
    assert_int_equal(now.started, 5);
    assert_int_equal(now.live, 2);
    assert_int_equal(now.accepted, 3);
    assert_int_equal(now.not_sampled, 0);
    assert_int_equal(now.dropped, 0);
    djp_span_release(given_back);
    assert_int_equal(djp_sdk_set_enabled(sdk, 0), 0);
    djp_span_end(open, 0);
    djp_span_release(open);
    now = counts();
    assert_int_equal(now.started, 5);
    assert_int_equal(now.live, 0);
    assert_int_equal(now.dropped, 2);
    assert_int_equal(now.switched_off, 1);
    assert_int_equal(lost("never_ended"), 1);
    assert_int_equal(lost("ring_full"), 0);
    assert_int_equal(lost("rate_limited"), 0);
    assert_int_equal(lost("rate_limited_burst"), 0);
    /* ... which is shown once, with the losses of the pipeline */
    reason switched_off = {.name = "switched_off"};
    drain->losses(sdk, look, &switched_off);
    assert_int_equal(switched_off.is_found, 0);
    /* a decision of the sampling is no loss */
    reason left_out = {.name = "not_sampled"};
    drain->losses(sdk, look, &left_out);
    assert_int_equal(left_out.is_found, 0);
}

/* What a full ring refuses is lost; so says a flush. */
static void
test_a_full_ring_refuses(void **state)
{
    (void)state;
    assert_int_equal(drain->refused(sdk), 0);
    for (int i = 0; i < 100 && lost("ring_full") == 0; i++) {
        helper_spans(sdk, "many", 1000);
    }
    uint64_t full = lost("ring_full");
    assert_true(full > 0);
    assert_int_equal(drain->refused(sdk), full);
    djp__source_counts now = counts();
    assert_int_equal(now.dropped, full);
    assert_int_equal(now.started, now.accepted + now.dropped);
}

/* A span without memory never started: it is in no book, but a flush reports it. */
static void
test_a_span_without_memory_is_refused(void **state)
{
    (void)state;
    djp_span *spans[100]; /* more than the blocks that a thread keeps */
    size_t count = 0;
    uint64_t refused = 0;
    djp__alloc_fail_after(1);
    for (; count < 100 && refused == 0; count++) {
        spans[count] = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("no memory"), NULL);
        refused = drain->refused(sdk);
    }
    djp__alloc_fail_after(0);
    assert_int_equal(refused, 1);
    assert_int_equal(lost("span_no_memory"), 1);
    djp__source_counts now = counts();
    assert_int_equal(now.dropped, 0);
    assert_int_equal(now.started, count - 1);
    for (size_t i = 0; i < count; i++) {
        djp_span_release(spans[i]);
    }
}

/* A span that the limit leaves out is lost, one that the ratio leaves out is not. */
static void
test_sampling_and_limit(void **state)
{
    (void)state;
    tear_down(NULL);
    djp_options options = helper_options();
    options.sampler = DJP_SAMPLER_RATIO;
    options.sample_ratio = 1e-12;
    options.sample_errors = 0;
    options.slow_threshold_ns = 0;
    transport = script_new(NULL, NULL);
    sdk = helper_sdk(&options, transport);
    djp__store_release(&sdk->worker.state, DJP__WORKER_WORKING);
    helper_spans(sdk, "left out", 4);
    djp__source_counts now = counts();
    assert_int_equal(now.started, 4);
    assert_int_equal(now.not_sampled, 4);
    assert_int_equal(now.accepted + now.dropped, 0);
    tear_down(NULL);
    options = helper_options();
    options.span_rate_limit = 1;
    transport = script_new(NULL, NULL);
    sdk = helper_sdk(&options, transport);
    djp__store_release(&sdk->worker.state, DJP__WORKER_WORKING);
    helper_spans(sdk, "too many", 50);
    now = counts();
    assert_int_equal(now.started, 50);
    assert_true(now.dropped > 0);
    assert_int_equal(now.dropped, lost("rate_limited") + lost("rate_limited_burst"));
    assert_int_equal(now.accepted, 50 - now.dropped);
    assert_int_equal(drain->refused(sdk), 0); /* a decision, which no flush reports */
}

static void
test_muted(void **state)
{
    (void)state;
    assert_false(drain->is_muted(sdk));
    assert_int_equal(djp_sdk_set_sample_ratio(sdk, 0), 0);
    assert_true(drain->is_muted(sdk));
    assert_int_equal(djp_sdk_set_sample_ratio(sdk, 1), 0);
    assert_false(drain->is_muted(sdk));
}

/* An instance without traces has the row all the same, with zeros. */
static void
test_without_a_recorder(void **state)
{
    (void)state;
    static const djp__source_counts zeros;
    djp_recorder *recorder = sdk->recorder;
    helper_spans(sdk, "span", 2);
    sdk->recorder = NULL;
    djp__source_counts now = counts();
    uint64_t full = lost("ring_full"), burst = lost("rate_limited_burst");
    sdk->recorder = recorder;
    assert_memory_equal(&now, &zeros, sizeof zeros);
    assert_int_equal(full + burst, 0);
}

/* The next record wakes the worker, or one above the level. */
static void
test_wake_level(void **state)
{
    (void)state;
    djp__wake_wait(&sdk->worker.wake, 0); /* takes what is there */
    drain->set_wake_level(sdk, UINT64_MAX);
    helper_span(sdk, "quiet");
    assert_int_equal(djp__wake_wait(&sdk->worker.wake, 0), 0);
    drain->set_wake_level(sdk, 0);
    helper_span(sdk, "loud");
    assert_int_equal(djp__wake_wait(&sdk->worker.wake, 0), 1);
}

static void
test_encoder(void **state)
{
    (void)state;
    void *encoder = NULL;
    size_t size = 0;
    assert_int_equal(encode->create(&encoder, sdk, DJP__ENCODE_PROTOBUF), 0);
    assert_int_equal(encode->items(encoder), 0);
    helper_spans(sdk, "span", 3);
    for (uint64_t i = 0; i < 3; i++) {
        const void *record = drain->peek(sdk, &size);
        uint64_t before = encode->bytes(encoder);
        assert_int_equal(encode->add(encoder, record, size), 0);
        assert_int_equal(encode->items(encoder), i + 1);
        assert_true(encode->bytes(encoder) > before);
        drain->consume(sdk);
    }
    djp__buf body;
    djp__buf_init(&body, 0);
    uint64_t estimate = encode->bytes(encoder);
    assert_int_equal(encode->finish(encoder, &body), 0);
    assert_true(body.size > 0 && body.size <= estimate);
    assert_int_equal(encode->items(encoder), 0);
    char sized[4096];
    uint32_t body_size = (uint32_t)body.size;
    assert_true(body.size < sizeof sized - 4);
    memcpy(sized, &body_size, 4);
    memcpy(sized + 4, body.data, body.size);
    assert_int_equal(helper_count(sized, body.size + 4, "span"), 3);
    djp__buf_fini(&body);
    encode->free(encoder);
    encode->free(NULL);
}

/* Bytes that are no span are refused, whatever they claim. */
static void
test_damaged_records(void **state)
{
    (void)state;
    void *encoder = NULL;
    size_t size = 0;
    assert_int_equal(encode->create(&encoder, sdk, DJP__ENCODE_PROTOBUF), 0);
    helper_span(sdk, "whole");
    const djp__span_record *record = drain->peek(sdk, &size);
    assert_int_equal(encode->add(encoder, record, sizeof *record - 1), DJP_EPROTO);
    assert_int_equal(encode->add(encoder, record, record->size - 1), DJP_EPROTO);
    assert_int_equal(encode->add(encoder, record, 0), DJP_EPROTO);
    djp__span_record *other = malloc(record->size);
    memcpy(other, record, record->size);
    other->type = (uint8_t)(DJP_RECORD_SPAN + 1);
    assert_int_equal(encode->add(encoder, other, record->size), DJP_EPROTO);
    assert_int_equal(encode->items(encoder), 0);
    assert_int_equal(encode->add(encoder, record, record->size), 0);
    free(other);
    encode->free(encoder);
}

static void
test_encoder_without_memory(void **state)
{
    (void)state;
    int result = DJP_ENOMEM;
    for (long n = 1; result != 0; n++) {
        void *encoder = &n;
        djp__alloc_fail_after(n);
        result = encode->create(&encoder, sdk, DJP__ENCODE_PROTOBUF);
        djp__alloc_fail_after(0);
        assert_true(result == 0 || (result == DJP_ENOMEM && encoder == NULL));
        encode->free(encoder);
        assert_true(n < 100);
    }
}

int
main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_the_ring_is_the_source),
        CASE(test_counts),
        CASE(test_a_full_ring_refuses),
        CASE(test_a_span_without_memory_is_refused),
        CASE(test_sampling_and_limit),
        CASE(test_muted),
        CASE(test_without_a_recorder),
        CASE(test_wake_level),
        CASE(test_encoder),
        CASE(test_damaged_records),
        CASE(test_encoder_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
