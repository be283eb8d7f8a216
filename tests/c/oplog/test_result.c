/* Results of instruments in an operation log: the facts of each instrument, spans that are open or
 * not, decisions about their roots, and payloads of any form. */
#include "oplog_reader.h"

#define HEAD 32u

/* A payload: times, seconds, status and flags, then texts. */
typedef struct payload {
    char bytes[4096];
    size_t size;
} payload;

static payload
facts(double seconds, uint32_t status, uint32_t flags)
{
    payload out;
    memset(&out, 0, sizeof out);
    uint64_t times[2] = {djp__clock_monotonic(), 0};
    times[1] = times[0] + 250 * MS;
    memcpy(out.bytes, times, sizeof times);
    memcpy(out.bytes + 16, &seconds, 8);
    memcpy(out.bytes + 24, &status, 4);
    memcpy(out.bytes + 28, &flags, 4);
    out.size = HEAD;
    return out;
}

static void
add(payload *out, const char *text)
{
    out->size += writer_sized(out->bytes + out->size, text);
}

static payload
request_facts(uint32_t status, uint32_t flags, const char *error)
{
    payload out = facts(0, status, flags);
    add(&out, "GET");
    add(&out, "http://example.com:81");
    add(&out, "/a?b=secret");
    add(&out, "1.1");
    add(&out, error);
    add(&out, "message");
    return out;
}

static void
begin_instrument(uint32_t slot, uint32_t number, djp_instrument instrument, const char *name)
{
    writer_start start = {.slot = slot,
                          .number = number,
                          .kind = DJP_OPLOG_INSTRUMENT | instrument,
                          .flags = DJP_OP_START_ROOT | DJP_OP_START_NAME,
                          .full_name = name,
                          .ids = writer_make_ids(number, slot + 100 * number, 0)};
    assert_true(writer_begin(&log_, &start));
}

static void
end_instrument(uint32_t slot, djp_instrument instrument, const payload *result)
{
    assert_true(writer_put(&log_, DJP_OP_RESULT, slot | (uint32_t)instrument << 16, result->bytes,
                           result->size));
}

static int
shows(const char *line)
{
    char *text;
    size_t size;
    assert_int_equal(djp_registry_expose(&text, &size, djp_sdk_registry(sdk), DJP_TEXT_0_0_4), 0);
    int found = strstr(text, line) != NULL;
    djp_free(text);
    return found;
}

static int
set_up_metrics(void **state)
{
    set_up(state);
    options.metrics_enabled = 1;
    return 0;
}

static void
a_request_of_a_client(void **state)
{
    (void)state;
    options.semconv = DJP_SEMCONV_STABLE;
    open_with(&options, 1024);
    begin_instrument(0, 1, DJP_INSTRUMENT_HTTP_CLIENT, "BREW");
    payload result = request_facts(404 | 2u << 16, 0, "");
    end_instrument(0, DJP_INSTRUMENT_HTTP_CLIENT, &result);
    flush();
    const char *line = reader_line(transport, "HTTP");
    assert_has(line, "kind3");
    assert_has(line, "scope=djp_telemetry.http@");
    assert_has(line, "status=2: ");
    assert_has(line, "url.full='http://example.com:81/a?b=REDACTED';");
    assert_has(line, "http.response.status_code=404i;");
    assert_has(line, "network.protocol.version='1.1';");
    assert_has(line, "http.request.resend_count=2i;");
    assert_has(line, "error.type='404';");
}

static void
an_error_and_a_cancellation(void **state)
{
    (void)state;
    open_with(&options, 1024);
    begin_instrument(0, 1, DJP_INSTRUMENT_HTTP_CLIENT, "GET");
    payload result = request_facts(0, 0, "ECONNRESET");
    end_instrument(0, DJP_INSTRUMENT_HTTP_CLIENT, &result);
    flush();
    assert_has(reader_line(transport, "http.client"), "status=2:message ");
    assert_has(reader_line(transport, "http.client"), "error.type='ECONNRESET';");
    begin_instrument(0, 2, DJP_INSTRUMENT_HTTP_CLIENT, "GET");
    result = request_facts(0, DJP_OP_RESULT_CANCELLED, "ECONNRESET");
    end_instrument(0, DJP_INSTRUMENT_HTTP_CLIENT, &result);
    flush();
    assert_true(shows("error_type=\"\"} 1\n"));
    assert_true(shows("error_type=\"ECONNRESET\"} 0.25\n"));
}

static void
operations_that_have_ended(void **state)
{
    (void)state;
    open_with(&options, 1024);
    payload result = facts(2, 0, DJP_OP_RESULT_FAILED);
    add(&result, "queue");
    add(&result, "job");
    add(&result, "Boom");
    begin_instrument(0, 1, DJP_INSTRUMENT_JOB, "");
    end_instrument(0, DJP_INSTRUMENT_JOB, &result);
    result = facts(0.5, 503, DJP_OP_RESULT_FAILED);
    add(&result, "service");
    add(&result, "call");
    begin_instrument(0, 2, DJP_INSTRUMENT_EXTERNAL, "");
    end_instrument(0, DJP_INSTRUMENT_EXTERNAL, &result);
    result = facts(0.5, 200, 0);
    add(&result, "GET");
    add(&result, "/route");
    begin_instrument(0, 3, DJP_INSTRUMENT_REQUEST, "");
    end_instrument(0, DJP_INSTRUMENT_REQUEST, &result);
    flush();
    assert_has(reader_line(transport, "job.run"), "kind1");
    assert_has(reader_line(transport, "job.run"), "job.duration_seconds=2d;");
    assert_has(reader_line(transport, "job.run"), "error.type='Boom';");
    assert_has(reader_line(transport, "external.api.call"), "kind3");
    assert_has(reader_line(transport, "external.api.call"), "http.status_code=503i;");
    assert_has(reader_line(transport, "http.server"), "kind2");
    assert_has(reader_line(transport, "http.server"), "http.route='/route';");
    assert_true(shows("queue_job_failures_total{error_type=\"Boom\"} 1\n"));
    assert_true(shows("external_api_errors_total{service=\"service\",status_code=\"503\"} 1\n"));
    assert_true(
        shows("http_requests_total{method=\"GET\",endpoint=\"/route\",status_code=\"200\"} 1\n"));
}

/* Without a span, the metrics are recorded; without an instance, nothing is. */
static void
results_without_a_span(void **state)
{
    (void)state;
    open_with(&options, 1024);
    payload result = request_facts(200, 0, "");
    end_instrument(DJP_OP_NO_SLOT, DJP_INSTRUMENT_HTTP_CLIENT, &result);
    end_instrument(5, DJP_INSTRUMENT_HTTP_CLIENT, &result); /* never opened */
    flush();
    assert_true(shows("http_client_request_duration_seconds_count{http_request_method=\"GET\","
                      "server_address=\"example.com\",server_port=\"81\","
                      "http_response_status_code=\"200\",error_type=\"\"} 2\n"));
    djp_oplog_detach(log_.log);
    end_instrument(DJP_OP_NO_SLOT, DJP_INSTRUMENT_HTTP_CLIENT, &result);
    assert_int_equal(djp_oplog_attach(log_.log, sdk), 0);
    assert_false(shows("error_type=\"\"} 3\n"));
}

/* The slot is free after a result, and used by nothing else. */
static void
a_result_ends_its_span(void **state)
{
    (void)state;
    open_with(&options, 1024);
    begin_instrument(0, 1, DJP_INSTRUMENT_JOB, "");
    payload result = facts(2, 0, 0);
    end_instrument(0, DJP_INSTRUMENT_JOB, &result);
    writer_end(&log_, 0, 0);
    begin(0, 2, 0, "next");
    writer_end(&log_, 0, 0);
    flush();
    assert_has(reader_line(transport, "job.run"), "queue.name='';");
    assert_non_null(reader_line(transport, "next"));
    assert_true(dropped("never_ended") == 0);
}

static void
payloads_of_any_form(void **state)
{
    (void)state;
    open_with(&options, 4096);
    payload whole = request_facts(200, 0, "");
    for (size_t size = 0; size <= whole.size; size++) {
        payload cut = whole;
        cut.size = size;
        end_instrument(DJP_OP_NO_SLOT, DJP_INSTRUMENT_HTTP_CLIENT, &cut);
        writer_publish(&log_);
        djp_oplog_drain(log_.log, 0);
    }
    uint32_t huge = UINT32_MAX;
    payload wrong = whole;
    memcpy(wrong.bytes + HEAD, &huge, 4);
    end_instrument(DJP_OP_NO_SLOT, DJP_INSTRUMENT_HTTP_CLIENT, &wrong);
    end_instrument(DJP_OP_NO_SLOT, (djp_instrument)0, &whole);
    end_instrument(DJP_OP_NO_SLOT, (djp_instrument)5, &whole);
    payload status = request_facts(1000, 0, "");
    end_instrument(DJP_OP_NO_SLOT, DJP_INSTRUMENT_HTTP_CLIENT, &status);
    flush();
    assert_true(shows("http_response_status_code=\"\",error_type=\"\"} 1\n"));
}

/* A tree of samplers decides about the root of an instrument by its facts. */
static void
decisions(void **state)
{
    (void)state;
    options.sampler = DJP_SAMPLER_TREE;
    options.sampler_text =
        "rule_based(kind(client) & attribute(\"net.peer.name\"=\"example.com\") => always_on, "
        "kind(internal) & name(\"job.run\") & attribute(\"job.type\"=\"kept\") => always_on, "
        "kind(client) & name(\"external.api.call\") => always_on)";
    open_with(&options, 1024);
    uint8_t trace_id[16] = {1};
    payload request = request_facts(0, 0, ""), job = facts(1, 0, 0);
    add(&job, "queue");
    add(&job, "kept");
    const struct {
        djp_instrument instrument;
        const payload *known;
        size_t size;
        int sampled;
    } cases[] = {{DJP_INSTRUMENT_HTTP_CLIENT, &request, request.size, 1},
                 {DJP_INSTRUMENT_HTTP_CLIENT, &request, 0, 0},
                 {DJP_INSTRUMENT_HTTP_CLIENT, &request, HEAD, 0},
                 {DJP_INSTRUMENT_JOB, &job, job.size, 1},
                 {DJP_INSTRUMENT_JOB, &job, HEAD, 0},
                 {DJP_INSTRUMENT_JOB, &job, 0, 0},
                 {DJP_INSTRUMENT_EXTERNAL, &job, 0, 1},
                 {DJP_INSTRUMENT_REQUEST, &job, job.size, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp_oplog_root root = {.trace_id = trace_id,
                               .name = {"GET", 3},
                               .kind = DJP_OPLOG_INSTRUMENT | cases[i].instrument,
                               .attributes = cases[i].size > 0 ? cases[i].known->bytes : NULL,
                               .attributes_size = cases[i].size};
        djp_oplog_reply reply;
        djp_oplog_decide(&reply, log_.log, &root);
        assert_int_equal(reply.decision.outcome == 2, cases[i].sampled);
        djp_tracestate_unref(reply.state);
        djp_free((char *)reply.keyed);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up_metrics, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_request_of_a_client),
        CASE(an_error_and_a_cancellation),
        CASE(operations_that_have_ended),
        CASE(results_without_a_span),
        CASE(a_result_ends_its_span),
        CASE(payloads_of_any_form),
        CASE(decisions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
