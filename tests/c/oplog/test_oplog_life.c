/* How an operation log lives: room and positions, attachment, who replays it when, threads and
 * failing allocations. */
#include "oplog_reader.h"

#include <sys/resource.h>

#include "base/mem.h"

/* ---- the ring ---- */

static void
test_padding(void **state)
{
    (void)state;
    open_with(&options, 1024);
    uint32_t key = writer_symbol(&log_, "text"), spans = 0;
    char text[600];
    memset(text, 'x', sizeof text);
    /* Every remainder at the end of the ring comes up. */
    for (uint32_t size = 0; size < sizeof text; size += 8, spans++) {
        begin(0, spans + 1, 0, "root");
        writer_put(&log_, DJP_OP_TEXT, key << 16, text, size);
        writer_end(&log_, 0, 0);
        flush();
    }
    assert_true(log_.at > 3 * 1024);
    assert_int_equal(script_spans(transport, "root"), spans);
}

/* Positions wrap at 2^32: the log begins shortly before. */
static void
test_positions_wrap(void **state)
{
    (void)state;
    transport = script_new(NULL, NULL);
    sdk = helper_sdk(&options, transport);
    lent = 1;
    assert_int_equal(writer_open(&log_, 1024), 0);
    log_.at = UINT32_MAX - 2047;
    djp__store_release(&log_.control[DJP_OPLOG_PUBLISHED], log_.at);
    djp__store_release(&log_.control[DJP_OPLOG_CONSUMED], log_.at);
    assert_int_equal(djp_oplog_attach(log_.log, sdk), 0);
    for (uint32_t i = 0; i < 400; i++) {
        begin(0, i + 1, 0, "root");
        writer_end(&log_, 0, 0);
        if (i % 40 == 0) {
            flush();
        }
    }
    flush();
    assert_true(log_.at < 1u << 20);
    assert_int_equal(script_spans(transport, "root"), 400);
}

/* An operation that is larger than what was published, and a position that cannot be: given up, and
 * the next one is heard. */
static void
test_damage(void **state)
{
    (void)state;
    open_with(&options, 1024);
    begin(0, 1, 0, "before");
    writer_end(&log_, 0, 0);
    writer_head(&log_, log_.at & 1023, DJP_OP_TEXT, 0, 1 << 20);
    log_.at += 2;
    flush();
    begin(0, 2, 0, "between");
    writer_end(&log_, 0, 0);
    flush();
    log_.at += 4096 + 17;
    flush();
    begin(0, 3, 0, "after");
    writer_end(&log_, 0, 0);
    flush();
    assert_int_equal(script_spans(transport, NULL), 3);
}

static void
test_losses_are_counted(void **state)
{
    (void)state;
    options.metrics_enabled = 1;
    open_with(&options, 1024);
    writer_lose(&log_, DJP_OPLOG_LOST_SPANS, 5);
    writer_lose(&log_, DJP_OPLOG_LOST_ATTRIBUTES, 3);
    writer_lose(&log_, DJP_OPLOG_LOST_REQUESTS, 2);
    writer_publish(&log_);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), DJP_EIO);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0); /* told once */
    assert_int_equal(dropped("oplog_full"), 5);
    json *status = helper_status(sdk);
    assert_int_equal(helper_number(status, "registry", "dropped"), 2);
    json_free(status);
}

/* ---- attachment ---- */

static void
test_attach(void **state)
{
    (void)state;
    djp_oplog *none = NULL;
    assert_int_equal(djp_oplog_new(&none, 1000), DJP_EINVAL);
    assert_int_equal(djp_oplog_new(&none, DJP_OPLOG_UNITS_MIN / 2), DJP_EINVAL);
    assert_int_equal(djp_oplog_new(&none, DJP_OPLOG_UNITS_MAX * 2), DJP_EINVAL);
    assert_null(none);
    open_with(&options, 1024);
    assert_int_equal(djp_oplog_size(log_.log), DJP_OPLOG_CONTROL_BYTES + 8192);
    assert_int_equal(djp_oplog_attach(log_.log, sdk), DJP_EEXIST);
    assert_int_equal(djp_oplog_attach(log_.log, NULL), DJP_EINVAL);
    uint32_t active = djp__load_acquire(&log_.control[DJP_OPLOG_ACTIVE]);
    assert_int_equal(active, DJP_OPLOG_TRACES | DJP_OPLOG_ALWAYS_ON);
    assert_int_equal(djp__load_relaxed(&log_.control[DJP_OPLOG_VALUE_LIMIT]), UINT32_MAX);
    assert_int_equal(djp__load_relaxed(&log_.control[DJP_OPLOG_EPOCH]), 1);
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    assert_int_equal(djp__load_relaxed(&log_.control[DJP_OPLOG_ACTIVE]), 0);
    assert_int_equal(djp_oplog_attach(log_.log, sdk), DJP_ESHUTDOWN);
    djp_oplog_detach(log_.log);
    djp_oplog_wake(log_.log);
}

/* Shutdown delivers what was published and counts what is open; a second SDK hears the same writer,
 * with the symbols of before. */
static void
test_second_sdk(void **state)
{
    (void)state;
    open_with(&options, 1024);
    uint32_t key = writer_symbol(&log_, "early");
    begin(0, 1, 0, "first");
    begin(1, 2, 0, "open");
    writer_end(&log_, 0, 0);
    writer_publish(&log_);
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, NULL), 1);
    assert_int_equal(dropped("never_ended"), 1);
    /* No reader is attached, but the writer will not define the symbol again. */
    uint32_t between = writer_symbol(&log_, "between");
    begin(2, 3, 0, "unheard");
    writer_end(&log_, 2, 0);
    writer_publish(&log_);
    script_transport *other = script_new(NULL, NULL);
    djp_sdk *second = helper_sdk(&options, other);
    assert_int_equal(djp_oplog_attach(log_.log, second), 0);
    assert_int_equal(djp__load_relaxed(&log_.control[DJP_OPLOG_EPOCH]), 2);
    writer_end(&log_, 1, 0);
    begin(0, 4, 0, "second");
    writer_text(&log_, 0, key, "1");
    writer_text(&log_, 0, between, "2");
    writer_end(&log_, 0, 0);
    writer_publish(&log_);
    assert_int_equal(djp_sdk_flush(second, PATIENCE), 0);
    assert_int_equal(script_spans(other, NULL), 1);
    assert_has(reader_line(other, "second"), "early='1';between='2';");
    djp_sdk_free(second);
    free(other->stored);
    free(other);
}

static void
test_two_logs(void **state)
{
    (void)state;
    open_with(&options, 1024);
    writer first = log_, second;
    assert_int_equal(writer_open(&second, 2048), 0);
    assert_int_equal(djp_oplog_attach(second.log, sdk), 0);
    begin(0, 1, 0, "of one");
    first = log_;
    log_ = second;
    begin(0, 1, 0, "of two");
    writer_end(&log_, 0, 0);
    writer_publish(&log_);
    second = log_;
    log_ = first;
    writer_end(&log_, 0, 0);
    flush();
    assert_int_equal(script_spans(transport, "of "), 2);
    writer_close(&second);
    begin(0, 2, 0, "of one again");
    writer_end(&log_, 0, 0);
    flush();
    assert_int_equal(script_spans(transport, "of "), 3);
}

/* Without a worker the writer's wake replays, a little at a time; a scrape replays all. */
static void
test_metrics_only(void **state)
{
    (void)state;
    options.backend = DJP_BACKEND_PROM;
    options.metrics_enabled = 1;
    transport = script_new(NULL, NULL);
    assert_int_equal(djp_sdk_new(&sdk, &options, NULL, NULL, NULL), 0);
    assert_int_equal(writer_open(&log_, 1 << 14), 0);
    assert_int_equal(djp_oplog_attach(log_.log, sdk), 0);
    assert_int_equal(djp__load_relaxed(&log_.control[DJP_OPLOG_ACTIVE]), DJP_OPLOG_METRICS);
    writer_request request = {.slot = DJP_OP_NO_SLOT, .end = 1000, .bytes = -1, .status = 200};
    request.method = writer_symbol(&log_, "GET");
    for (int i = 0; i < 2000; i++) {
        writer_end_http(&log_, &request);
    }
    writer_publish(&log_);
    assert_int_equal(log_.wakes, 0);
    uint32_t before = writer_free_units(&log_);
    djp_oplog_wake(log_.log);
    assert_in_range(writer_free_units(&log_) - before, 1, 2048);
    char *text = NULL;
    size_t size;
    assert_int_equal(djp_registry_expose(&text, &size, djp_sdk_registry(sdk), DJP_TEXT_0_0_4), 0);
    assert_non_null(strstr(text, "endpoint=\"unmatched\",status_code=\"200\"} 2000"));
    djp_free(text);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
}

static void
test_decisions(void **state)
{
    (void)state;
    options.sampler = DJP_SAMPLER_RATIO;
    options.sample_ratio = 0.5;
    open_with(&options, 1024);
    djp_oplog_roots roots;
    djp_oplog_head(&roots, log_.log);
    djp_tracestate *root = roots.state;
    djp_oplog_reply given;
    assert_non_null(root);
    djp_span_context parent = {
        .trace_id = {1}, .span_id = {2}, .flags = DJP_FLAG_SAMPLED, .is_remote = 1};
    djp_oplog_root below = {.parent = &parent};
    djp_oplog_decide(&given, log_.log, &below);
    assert_true(given.decision.threshold == 1ull << 56); /* the parent did not say */
    assert_true(given.decision.flag && given.decision.outcome == DJP__OUTCOME_SAMPLE);
    djp_tracestate_unref(given.state);
    parent.flags = 0;
    djp_oplog_decide(&given, log_.log, &below);
    assert_true(!given.decision.flag && given.decision.outcome == DJP__OUTCOME_RECORD_ONLY);
    djp_tracestate_unref(given.state);
    djp_sdk_shutdown(sdk, PATIENCE);
    djp_oplog_head(&roots, log_.log);
    assert_null(roots.state);
    assert_int_equal(roots.sampled.outcome, DJP__OUTCOME_DROP);
    djp_oplog_decide(&given, log_.log, &below);
    assert_true(!given.decision.flag && given.decision.outcome == DJP__OUTCOME_DROP);
    assert_null(given.state);
    djp_tracestate_unref(root);
    uint32_t words[64];
    djp_oplog_random(words, 64);
    for (int i = 0; i < 64; i++) {
        assert_int_not_equal(words[i], 0);
    }
}

/* ---- who replays, and when ---- */

static void
test_sleeping_worker_is_woken(void **state)
{
    (void)state;
    open_with(&options, 1024);
    for (unsigned i = 1; i <= 5; i++) {
        begin(0, i, 0, "root");
        writer_end(&log_, 0, 0);
        writer_publish(&log_);
        assert_int_equal(helper_wait_spans(transport, i, PATIENCE), i);
        helper_sleep(60 * MS); /* until it sleeps again */
    }
    assert_true(log_.wakes >= 1);
}

static uint64_t
process_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SECOND +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static void
test_idle_worker_sleeps(void **state)
{
    (void)state;
    open_with(&options, 1024);
    begin(1, 1, 0, "left open");
    begin(0, 2, 0, "root");
    writer_end(&log_, 0, 0);
    writer_publish(&log_);
    assert_int_equal(helper_wait_spans(transport, 1, PATIENCE), 1);
    uint64_t spent = UINT64_MAX;
    for (int i = 0; i < 20 && spent >= 50 * MS; i++) { /* it may not sleep yet */
        helper_sleep(100 * MS);
        uint64_t before = process_ns();
        helper_sleep(200 * MS);
        spent = process_ns() - before;
    }
    assert_true(spent < 50 * MS);
    assert_int_equal(djp__load_acquire(&log_.control[DJP_OPLOG_ASLEEP]), 1);
}

/* Spans that the head drops reach no ring; they must not wake the worker one by one. */
static void
test_unsampled_spans_wake_seldom(void **state)
{
    (void)state;
    options.sampler = DJP_SAMPLER_RATIO;
    options.sample_ratio = 0.0000001;
    options.flush_interval_ns = 200 * MS;
    open_with(&options, 1 << 14);
    for (unsigned i = 1; i <= 200; i++) {
        begin(0, i, 0, "root");
        writer_end(&log_, 0, 0);
        writer_publish(&log_);
        helper_sleep(MS);
    }
    assert_in_range(log_.wakes, 1, 100);
    flush();
}

static unsigned
retry_while_down(void *user, unsigned attempt)
{
    (void)attempt;
    _Atomic int *down = user;
    return *down ? SCRIPT_RETRY : SCRIPT_ACCEPT;
}

/* During an outage the log stays empty, so that its writer never finds it full; what does not fit
 * is counted. */
static void
test_outage(void **state)
{
    (void)state;
    options.ring_bytes = 65536;
    options.export_timeout_ns = 100 * SECOND;
    open_with(&options, 4096);
    static _Atomic int down;
    down = 1;
    transport->user = &down;
    transport->next = retry_while_down;
    unsigned lost = 0;
    uint64_t deadline = djp__clock_monotonic() + 2 * PATIENCE;
    for (unsigned i = 1; i <= 3000; i++) {
        begin(0, i, 0, "root");
        writer_end(&log_, 0, 0);
        writer_publish(&log_);
        if (i % 100 == 0) {
            for (; writer_free_units(&log_) < 4096 && djp__clock_monotonic() < deadline;
                 helper_sleep(MS)) {
            }
            lost += writer_free_units(&log_) < 4096;
        }
    }
    assert_int_equal(lost, 0);
    assert_true(dropped("ring_full") > 0);
    assert_int_equal(djp_sdk_flush(sdk, 50 * MS), DJP_ETIMEOUT);
    down = 0;
    djp_sdk_flush(sdk, PATIENCE);
    json *status = helper_status(sdk);
    assert_int_equal(helper_unaccounted(status), 0);
    json_free(status);
}

static unsigned
stuck_at_first(void *user, unsigned attempt)
{
    (void)user;
    return attempt == 0 ? SCRIPT_STUCK : SCRIPT_ACCEPT;
}

/* A flush waits for room in the smallest ring, even while the worker is stuck in a send, instead of
 * losing what its log holds. */
static void
test_burst_into_a_small_ring(void **state)
{
    (void)state;
    options.ring_bytes = 65536;
    open_with(&options, 1 << 16);
    transport->slow_ns = 300 * MS;
    transport->next = stuck_at_first;
    begin(0, 1, 0, "root");
    writer_end(&log_, 0, 0);
    writer_publish(&log_);
    for (uint64_t deadline = djp__clock_monotonic() + PATIENCE;
         !transport->inside && djp__clock_monotonic() < deadline;) {
        helper_sleep(MS);
    }
    writer_request request = {.bytes = 10, .start = 1, .end = 1000, .status = 200};
    request.method = writer_symbol(&log_, "GET");
    char route[200] = "/";
    memset(route + 1, 'r', sizeof route - 2);
    request.route = writer_symbol(&log_, route);
    for (unsigned i = 2; i <= 3000; i++) {
        writer_start start = {.number = i, .ids = writer_make_ids(i, i, 0), .mono = 1};
        start.flags = DJP_OP_START_ROOT | DJP_OP_START_HTTP;
        assert_true(writer_begin(&log_, &start));
        writer_end_http(&log_, &request);
    }
    flush();
    assert_int_equal(script_spans(transport, NULL), 3000);
    assert_int_equal(dropped("ring_full"), 0);
}

typedef struct load {
    unsigned count, lost;
} load;

static void *
write_at_full_speed(void *argument)
{
    load *it = argument;
    for (unsigned i = 0; i < it->count; i++) {
        writer_start start = {.slot = i & 7, .number = i + 1, .full_name = "full speed"};
        start.flags = DJP_OP_START_ROOT | DJP_OP_START_NAME;
        start.ids = writer_make_ids(i, i + 1, 0);
        /* Room for the end first, as every writer keeps it. */
        if (!writer_room(&log_, 20) || !writer_begin(&log_, &start)) {
            writer_lose(&log_, DJP_OPLOG_LOST_SPANS, 1);
            it->lost++;
            continue;
        }
        writer_end(&log_, i & 7, 0);
        writer_publish(&log_);
    }
    return NULL;
}

static void
full_speed(int patient)
{
    load it = {.count = 20000, .lost = 0};
    pthread_t thread;
    options.ring_bytes = 65536;
    open_with(&options, 1024);
    log_.patient = patient;
    assert_int_equal(pthread_create(&thread, NULL, write_at_full_speed, &it), 0);
    for (int i = 0; i < 20; i++) {
        json_free(helper_status(sdk));
        djp_sdk_flush(sdk, SECOND);
    }
    pthread_join(thread, NULL);
    writer_publish(&log_);
    djp_sdk_flush(sdk, PATIENCE);
    json *status = helper_status(sdk);
    double sum = (double)script_spans(transport, "full speed") +
                 helper_number(status, "dropped", "ring_full") +
                 helper_number(status, "dropped", "oplog_full") +
                 helper_number(status, "dropped", "never_ended");
    assert_int_equal(helper_number(status, "dropped", "oplog_full"), it.lost);
    assert_int_equal(sum, it.count);
    json_free(status);
}

static void
test_full_speed(void **state)
{
    (void)state;
    full_speed(0);
}

static void
test_full_speed_patient(void **state)
{
    (void)state;
    full_speed(1);
}

static void *
write_until_detached(void *argument)
{
    _Atomic unsigned *count = argument;
    for (uint32_t i = 1; djp__load_acquire(&log_.control[DJP_OPLOG_ACTIVE]) != 0; i++) {
        begin(0, i, 0, "root");
        writer_end(&log_, 0, 0);
        writer_publish(&log_);
        ++*count;
    }
    return NULL;
}

/* The SDK goes while a writer writes and wakes. */
static void
test_free_under_a_writer(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        _Atomic unsigned count = 0;
        if (i > 0) {
            tear_down(NULL);
        }
        options.ring_bytes = 65536;
        open_with(&options, 1024);
        log_.patient = 1;
        assert_int_equal(pthread_create(&thread, NULL, write_until_detached, &count), 0);
        for (uint64_t deadline = djp__clock_monotonic() + PATIENCE;
             count < 50 && djp__clock_monotonic() < deadline;) {
            helper_sleep(MS);
        }
        assert_true(count > 0);
        djp_sdk_free(sdk);
        sdk = NULL;
        pthread_join(thread, NULL);
    }
}

/* ---- faults ---- */

static void
nested_map(writer_value *value)
{
    writer_value_map(value, 1);
    writer_value_key(value, "key of the map");
    writer_value_type(value, DJP_ARRAY);
    writer_value_count(value, 1);
    writer_value_string(value, "a text that is long enough");
}

static void
test_every_failing_allocation(void **state)
{
    (void)state;
    open_with(&options, 1024);
    log_.patient = 1;
    for (long n = 1; n < 6; n++) {
        djp_oplog *log = NULL;
        djp__alloc_fail_after(n);
        int result = djp_oplog_new(&log, 1024);
        djp__alloc_fail_after(0);
        assert_true(result == DJP_ENOMEM ? log == NULL : result == 0);
        djp__alloc_fail_after(n);
        result = log != NULL ? djp_oplog_attach(log, sdk) : DJP_ENOMEM;
        djp__alloc_fail_after(0);
        djp_oplog_detach(log);
        djp_oplog_unref(log);
    }
    for (long n = 1; n < 60; n++) {
        uint32_t number = (uint32_t)n * 1000;
        uint32_t key = writer_symbol(&log_, "key");
        writer_value value = {.size = 0};
        nested_map(&value);
        for (uint32_t i = 0; i < 200; i++) {
            begin(i, number + i, 0, "root");
        }
        for (uint32_t i = 0; i < 200; i++) {
            writer_put(&log_, DJP_OP_VALUE, i | key << 16, value.bytes, value.size);
            writer_end(&log_, i, 0);
        }
        writer_publish(&log_);
        djp__alloc_fail_after(n);
        djp_oplog_drain(log_.log, 0);
        djp__alloc_fail_after(0);
        djp_oplog_drain(log_.log, 0);
    }
    djp_sdk_flush(sdk, PATIENCE);
    json *status = helper_status(sdk);
    assert_int_equal(helper_number(status, "spans", "live"), 0);
    json_free(status);
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ONE(test_padding),
        ONE(test_positions_wrap),
        ONE(test_damage),
        ONE(test_losses_are_counted),
        ONE(test_attach),
        ONE(test_second_sdk),
        ONE(test_two_logs),
        ONE(test_metrics_only),
        ONE(test_decisions),
        ONE(test_sleeping_worker_is_woken),
        ONE(test_idle_worker_sleeps),
        ONE(test_unsampled_spans_wake_seldom),
        ONE(test_outage),
        ONE(test_burst_into_a_small_ring),
        ONE(test_full_speed),
        ONE(test_full_speed_patient),
        ONE(test_free_under_a_writer),
        ONE(test_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
