/* The SDK's own numbers under the names of the conventions: in the scrape when asked for, in the
 * status always, and the same in both. */
#include "pipeline/helper.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PROCESSOR                                    \
    "otel_component_name=\"batching_span_processor/" \
    "0\",otel_component_type=\"batching_span_processor\""
#define EXPORTER                                     \
    "otel_component_name=\"otlp_http_span_exporter/" \
    "0\",otel_component_type=\"otlp_http_span_exporter\""
#define READER                                                        \
    "otel_component_name=\"prometheus_http_text_metric_exporter/0\"," \
    "otel_component_type=\"prometheus_http_text_metric_exporter\""

static __attribute__((noinline)) char *
scrape(djp_sdk *sdk)
{
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(djp_registry_expose(&text, &size, djp_sdk_registry(sdk), DJP_TEXT_0_0_4), 0);
    return text;
}

/* The value of a sample, -1 where it is not shown. */
static double
sample(djp_sdk *sdk, const char *name)
{
    char *text = scrape(sdk);
    char wanted[512];
    snprintf(wanted, sizeof wanted, "\n%s ", name);
    const char *at = strstr(text, wanted);
    double value = at != NULL ? strtod(at + strlen(wanted), NULL) : -1;
    djp_free(text);
    return value;
}

static double
started(djp_sdk *sdk, const char *origin, const char *result)
{
    char name[256];
    snprintf(name, sizeof name,
             "otel_sdk_span_started_total{otel_span_parent_origin=\"%s\",otel_span_sampling_result="
             "\"%s\"}",
             origin, result);
    return sample(sdk, name);
}

static double
live(djp_sdk *sdk, const char *result)
{
    char name[256];
    snprintf(name, sizeof name, "otel_sdk_span_live{otel_span_sampling_result=\"%s\"}", result);
    return sample(sdk, name);
}

static djp_options
otel_options(void)
{
    djp_options options = helper_options();
    options.metrics_enabled = 1;
    options.exporter = DJP_EXPORTER_OTLP;
    options.protocol = DJP_PROTOCOL_HTTP_PROTOBUF;
    options.sdk_metrics = 1;
    options.flush_interval_ns = 100 * SECOND;
    return options;
}

static void
end(djp_span *span)
{
    djp_span_end(span, 0);
    djp_span_release(span);
}

static djp_span *
begin(djp_sdk *sdk, djp_span *parent, const djp_span_context *remote)
{
    djp_span_options options;
    memset(&options, 0, sizeof options);
    options.parent = parent;
    options.remote = remote;
    return djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("s"), &options);
}

/* Everything about spans by where they began and what was to become of them, at a ratio of nearly
 * nothing. */
static void
test_origin_and_result(void **state)
{
    (void)state;
    for (int rules = 0; rules < 2; rules++) {
        djp_options options = otel_options();
        options.sampler = DJP_SAMPLER_RATIO;
        options.sample_ratio = 1e-12;
        options.parent_based = 1;
        options.sample_errors = rules;
        options.slow_threshold_ns = 0;
        script_transport *transport = script_new(NULL, NULL);
        djp_sdk *sdk = helper_sdk(&options, transport);
        djp_span_context remote = {.trace_id = {1}, .span_id = {2}, .flags = 1, .is_remote = 1};
        djp_span *root = begin(sdk, NULL, NULL), *child = begin(sdk, root, NULL),
                 *late = begin(sdk, root, NULL);
        djp_span *far = begin(sdk, NULL, &remote), *near = begin(sdk, far, NULL);
        const char *unsampled = rules ? "RECORD_ONLY" : "DROP",
                   *other = rules ? "DROP" : "RECORD_ONLY";
        assert_true(started(sdk, "none", unsampled) == 1 && started(sdk, "local", unsampled) == 2);
        assert_true(started(sdk, "none", other) == 0 && started(sdk, "local", other) == 0);
        assert_true(started(sdk, "remote", "RECORD_AND_SAMPLE") == 1);
        assert_true(started(sdk, "local", "RECORD_AND_SAMPLE") == 1);
        assert_true(started(sdk, "remote", unsampled) == 0 &&
                    started(sdk, "none", "RECORD_AND_SAMPLE") == 0);
        assert_true(live(sdk, "RECORD_ONLY") == (rules ? 3 : 0) &&
                    live(sdk, "RECORD_AND_SAMPLE") == 2);
        assert_true(live(sdk, "DROP") == -1);
        end(child); /* waits: ended, not decided */
        end(near);
        assert_true(live(sdk, "RECORD_ONLY") == (rules ? 2 : 0) &&
                    live(sdk, "RECORD_AND_SAMPLE") == 1);
        end(root);
        djp_span_end(far, 0); /* a handle that is kept is not a live span */
        assert_true(live(sdk, "RECORD_ONLY") == (rules ? 1 : 0) &&
                    live(sdk, "RECORD_AND_SAMPLE") == 0);
        end(late);
        djp_span_release(far);
        djp_span_release(begin(sdk, NULL, NULL)); /* given back without an end */
        assert_true(live(sdk, "RECORD_ONLY") == 0 && live(sdk, "RECORD_AND_SAMPLE") == 0);
        djp_sdk_free(sdk);
        script_fini(transport);
    }
}

static unsigned
reject_second(void *user, unsigned attempt)
{
    (void)user;
    return attempt == 1 ? SCRIPT_REJECT : SCRIPT_ACCEPT;
}

static void
test_way_out(void **state)
{
    (void)state;
    djp_options options = otel_options();
    script_transport *transport = script_new(reject_second, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    assert_true(sample(sdk, "otel_sdk_processor_span_queue_capacity{" PROCESSOR "}") == 1024);
    helper_spans(sdk, "good", 7);
    assert_true(sample(sdk, "otel_sdk_processor_span_queue_size{" PROCESSOR "}") == 7);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    helper_spans(sdk, "bad", 5);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), DJP_EREJECTED);
    helper_spans(sdk, "waiting", 3);
    assert_true(sample(sdk, "otel_sdk_processor_span_queue_size{" PROCESSOR "}") == 3);
    assert_true(sample(sdk, "otel_sdk_exporter_span_inflight{" EXPORTER "}") == 0);
    assert_true(
        sample(sdk, "otel_sdk_exporter_span_exported_total{" EXPORTER ",error_type=\"\"}") == 7);
    assert_true(sample(sdk, "otel_sdk_exporter_span_exported_total{" EXPORTER
                            ",error_type=\"rejected\"}") == 5);
    assert_true(sample(sdk, "otel_sdk_processor_span_processed_total{" PROCESSOR
                            ",error_type=\"\"}") == 12);
    assert_true(sample(sdk, "otel_sdk_exporter_operation_duration_seconds_count{" EXPORTER
                            ",error_type=\"\"}") == 1);
    assert_true(sample(sdk, "otel_sdk_exporter_operation_duration_seconds_count{" EXPORTER
                            ",error_type=\"rejected\"}") == 1);
    double scrapes =
        sample(sdk, "otel_sdk_metric_reader_collection_duration_seconds_count{" READER "}");
    assert_true(scrapes >= 8);
    assert_true(sample(sdk, "otel_sdk_metric_reader_collection_duration_seconds_count{" READER
                            "}") == scrapes + 1);

    djp_span *late = begin(sdk, NULL, NULL);
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    end(late);
    assert_true(sample(sdk, "otel_sdk_processor_span_processed_total{" PROCESSOR
                            ",error_type=\"already_shutdown\"}") == 1);
    json *status = helper_status(sdk);
    const json *own = json_get(status, "otel_sdk");
    assert_true(helper_number(own, "processed", "success") == 15 &&
                helper_number(own, "exported", "success") == 10);
    assert_true(helper_number(own, "exported", "rejected") == 5);
    assert_true(helper_number(json_get(own, "span_started"), "none", "RECORD_AND_SAMPLE") == 16);
    assert_true(json_number(json_get(own, "queue_size"), -1) == 0);
    json_free(status);
    djp_sdk_free(sdk);
    script_fini(transport);
}

static unsigned
slow(void *user, unsigned attempt)
{
    (void)user;
    (void)attempt;
    return SCRIPT_HANG;
}

static void
test_in_flight_and_full(void **state)
{
    (void)state;
    djp_options options = otel_options();
    options.ring_bytes = 64 << 10;
    options.flush_interval_ns = 5 * MS;
    script_transport *transport = script_new(slow, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "first", 4);
    for (int i = 0; i < 12000 && sample(sdk, "otel_sdk_exporter_span_inflight{" EXPORTER "}") <= 0;
         i++) {
        helper_sleep(5 * MS);
    }
    double inflight = sample(sdk, "otel_sdk_exporter_span_inflight{" EXPORTER "}");
    double waiting = sample(sdk, "otel_sdk_processor_span_queue_size{" PROCESSOR "}");
    assert_true(inflight >= 1 && inflight + waiting == 4);
    helper_spans(sdk, "many", 20000);
    double full = sample(sdk, "otel_sdk_processor_span_processed_total{" PROCESSOR
                              ",error_type=\"queue_full\"}");
    waiting = sample(sdk, "otel_sdk_processor_span_queue_size{" PROCESSOR "}");
    assert_true(full > 0 && waiting > 0 && inflight + waiting + full == 20004);
    djp_sdk_shutdown(sdk, 100 * MS);
    json_free(helper_status_at_rest(sdk));
    double lost = sample(sdk, "otel_sdk_processor_span_processed_total{" PROCESSOR
                              ",error_type=\"shutdown\"}");
    double ended =
        sample(sdk, "otel_sdk_processor_span_processed_total{" PROCESSOR ",error_type=\"\"}");
    assert_true(lost + ended + full == 20004);
    assert_true(sample(sdk, "otel_sdk_exporter_span_inflight{" EXPORTER "}") == 0);
    djp_sdk_free(sdk);
    script_fini(transport);
}

/* More threads than stripes share one of them: no count may be lost or come under another
 * recorder. */
static void *
count_many(void *user)
{
    djp_sdk **sdks = user;
    for (int i = 0; i < 200; i++) {
        djp_span *root = begin(sdks[i & 1], NULL, NULL);
        end(begin(sdks[i & 1], root, NULL));
        end(root);
    }
    helper_sleep(100 * MS); /* all threads live at once */
    return NULL;
}

static void
test_more_threads_than_stripes(void **state)
{
    (void)state;
    enum { THREADS = 48 };
    djp_options options = otel_options();
    script_transport *transports[2];
    djp_sdk *sdks[2];
    pthread_t threads[THREADS];
    for (int i = 0; i < 2; i++) {
        transports[i] = script_new(NULL, NULL);
        sdks[i] = helper_sdk(&options, transports[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, sdks), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < 2; i++) {
        assert_true(started(sdks[i], "none", "RECORD_AND_SAMPLE") == THREADS * 100);
        assert_true(started(sdks[i], "local", "RECORD_AND_SAMPLE") == THREADS * 100);
        assert_true(live(sdks[i], "RECORD_AND_SAMPLE") == 0);
        djp_sdk_free(sdks[i]);
        script_fini(transports[i]);
    }
}

static void
test_not_asked_for(void **state)
{
    (void)state;
    djp_options options = otel_options();
    options.sdk_metrics = 0;
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "s", 3);
    char *text = scrape(sdk);
    assert_null(strstr(text, "otel_sdk"));
    assert_non_null(strstr(text, "djp_telemetry_spans_total"));
    djp_free(text);
    json *status = helper_status(sdk);
    assert_true(helper_number(json_get(json_get(status, "otel_sdk"), "span_started"), "none",
                              "RECORD_AND_SAMPLE") == 3);
    json_free(status);
    djp_sdk_free(sdk);
    script_fini(transport);
}

static DJP__ATOMIC(int) over;
static DJP__ATOMIC(int) answered;

static int
connect_to(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)address, sizeof *address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void *
keep_scraping(void *address)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    char answer[4096];
    while (!djp__load_relaxed(&over)) {
        int fd = connect_to(address);
        if (fd < 0) {
            helper_sleep(MS / 10);
            continue;
        }
        send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
        int size = 0;
        for (ssize_t got; (got = recv(fd, answer, sizeof answer, 0)) > 0;) {
            size += (int)got;
        }
        djp__add_relaxed(&answered, size > 0);
        close(fd);
    }
    return NULL;
}

/* A scrape may come as soon as the port is open, and until it is closed: for the eyes of the thread
 * sanitizer. */
static void
test_scrapes_at_start_and_end(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, keep_scraping, &address), 0);
    for (int i = 0; i < 1000 && (i < 10 || djp__load_relaxed(&answered) < 5); i++) {
        djp_options options = helper_options();
        options.metrics_enabled = 1;
        options.prometheus_host = "127.0.0.1";
        options.prometheus_port = ntohs(address.sin_port);
        options.price_per_million_spans = 1;
        options.price_per_thousand_series = 1;
        script_transport *transport = script_new(NULL, NULL);
        djp_sdk *sdk = helper_sdk(&options, transport);
        helper_span(sdk, "costs");
        helper_sleep(2 * MS);
        djp_sdk_free(sdk);
        script_fini(transport);
    }
    djp__store_relaxed(&over, 1);
    pthread_join(thread, NULL);
    assert_true(djp__load_relaxed(&answered) >= 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origin_and_result),  cmocka_unit_test(test_way_out),
        cmocka_unit_test(test_in_flight_and_full), cmocka_unit_test(test_more_threads_than_stripes),
        cmocka_unit_test(test_not_asked_for),      cmocka_unit_test(test_scrapes_at_start_and_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
