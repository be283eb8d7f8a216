/* The scripted transport and the readers of its store. */
#include "helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "gen/otlp_trace.pb-c.h"

void
helper_sleep(uint64_t ns)
{
    struct timespec pause = {(time_t)(ns / SECOND), (long)(ns % SECOND)};
    nanosleep(&pause, NULL);
}

void
script_store(script_transport *transport, const void *body, size_t size)
{
    pthread_mutex_lock(&transport->mutex);
    transport->stored = realloc(transport->stored, transport->stored_size + 4 + size);
    uint32_t head = (uint32_t)size;
    memcpy(transport->stored + transport->stored_size, &head, 4);
    memcpy(transport->stored + transport->stored_size + 4, body, size);
    transport->stored_size += 4 + size;
    pthread_mutex_unlock(&transport->mutex);
}

int
script_wait(const djp__send_control *control, uint64_t until)
{
    for (;;) {
        if (control->poll(control->user)) {
            return 0;
        }
        uint64_t now = djp__clock_monotonic();
        if (now >= control->deadline) {
            return 0;
        }
        if (now >= until) {
            return 1;
        }
        helper_sleep(MS);
    }
}

/* Spends the time of an action. Returns its result: SCRIPT_HANG when the sender gave up. */
static unsigned
script_spend_time(script_transport *transport, unsigned action, const djp__send_control *control)
{
    if (action == SCRIPT_HANG) {
        script_wait(control, UINT64_MAX);
    } else if (action == SCRIPT_SLOW) {
        uint64_t until = djp__clock_monotonic() + transport->slow_ns;
        action = script_wait(control, until) ? SCRIPT_ACCEPT : SCRIPT_HANG;
    } else if (action == SCRIPT_HELD) {
        while (transport->held && script_wait(control, djp__clock_monotonic() + MS)) {
        }
        action = transport->held ? SCRIPT_HANG : SCRIPT_ACCEPT;
    } else if (action == SCRIPT_STUCK) {
        do {
            helper_sleep(transport->slow_ns + MS);
        } while (transport->held);
        action = SCRIPT_ACCEPT;
    }
    return action;
}

void
script_send(djp__transport *base, const void *body, size_t size, const djp__send_control *control,
            djp__send_result *result)
{
    script_transport *transport = (script_transport *)base;
    unsigned attempt = transport->attempts++;
    if (transport->inside++ != 0) {
        transport->overlaps++;
    }
    memset(result, 0, sizeof *result);
    unsigned action = transport->next ? transport->next(transport->user, attempt) : SCRIPT_ACCEPT;
    if (transport->refuses != NULL &&
        memmem(body, size, transport->refuses, strlen(transport->refuses))) {
        action = SCRIPT_RETRY;
    }
    action = script_spend_time(transport, action, control);
    strcpy(result->message, "as the script says");
    result->wire_bytes = size;
    if (action == SCRIPT_RETRY) {
        result->outcome = DJP__SEND_RETRY;
        result->retry_after_ns = transport->retry_after_ns;
    } else if (action == SCRIPT_REJECT) {
        result->outcome = DJP__SEND_REJECTED;
    } else if (action == SCRIPT_HANG) {
        result->outcome = DJP__SEND_ABORTED;
    } else {
        result->rejected = action == SCRIPT_PARTIAL;
        script_store(transport, body, size);
    }
    transport->inside--;
}

void
script_abandon(djp__transport *base)
{
    script_transport *transport = (script_transport *)base;
    pthread_mutex_init(&transport->mutex, NULL);
    transport->stored = NULL;
    transport->stored_size = 0;
    transport->inside = 0;
    transport->attempts = 0;
    transport->abandoned++;
}

void
script_free(djp__transport *base)
{
    /* The test reads it after the SDK is gone and frees it itself. */
    ((script_transport *)base)->freed++;
}

static const djp__transport_ops script_ops = {
    "script", script_send, NULL, script_abandon, script_free, NULL, 0, 0, NULL};

script_transport *
script_new(unsigned (*next)(void *, unsigned), void *user)
{
    script_transport *transport = calloc(1, sizeof *transport);
    transport->base.ops = &script_ops;
    pthread_mutex_init(&transport->mutex, NULL);
    transport->next = next;
    transport->user = user;
    return transport;
}

void
script_fini(script_transport *transport)
{
    uint64_t deadline = djp__clock_monotonic() + PATIENCE;
    while (!transport->freed) {
        assert_true(djp__clock_monotonic() < deadline);
        helper_sleep(MS);
    }
    assert_int_equal(transport->freed, 1);
    free(transport->stored);
    free(transport);
}

djp_options
helper_options(void)
{
    djp_options options;
    memset(&options, 0, sizeof options);
    char **texts[] = {&options.service_name,       &options.service_namespace,
                      &options.service_version,    &options.environment,
                      &options.environment_short,  &options.resource_attributes,
                      &options.endpoint,           &options.headers,
                      &options.certificate,        &options.client_key,
                      &options.client_certificate, &options.http_proxy,
                      &options.https_proxy,        &options.no_proxy,
                      &options.file_path,          &options.prometheus_host,
                      &options.excluded_paths,     &options.propagators,
                      &options.known_methods,      &options.report_json,
                      &options.shared_dir};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = "";
    }
    options.enabled = 1;
    options.backend = DJP_BACKEND_HYBRID;
    options.service_name = "pipeline-test";
    options.environment = "dev";
    options.environment_short = "dev";
    options.exporter = DJP_EXPORTER_MEMORY;
    options.sampler = DJP_SAMPLER_ALWAYS_ON;
    options.parent_based = 1;
    options.sample_ratio = 1.0;
    options.canary_ratio = 1.0;
    options.sample_errors = 1;
    options.protocol = DJP_PROTOCOL_HTTP_PROTOBUF;
    options.export_timeout_ns = 10 * SECOND;
    options.max_request_bytes = 64 << 20;
    options.max_response_bytes = 4 << 20;
    options.ring_bytes = 1 << 20;
    options.flush_interval_ns = 20 * MS;
    options.max_batch_spans = 512;
    options.export_concurrency = 4;
    options.shutdown_timeout_ns = SECOND;
    options.decision_buffer_bytes = 1 << 20;
    options.attribute_count_limit = 128;
    options.attribute_value_length_limit = UINT32_MAX;
    options.event_count_limit = options.link_count_limit = 128;
    options.event_attribute_count_limit = options.link_attribute_count_limit = 128;
    options.cardinality_limit = 2000;
    options.prometheus_host = "127.0.0.1";
    options.propagators = "tracecontext,baggage";
    options.known_methods = "GET,POST";
    options.log_level = DJP_LOG_NONE;
    options.report_json = "{}";
    return options;
}

djp_sdk *
helper_sdk(const djp_options *options, script_transport *transport)
{
    djp_sdk *sdk = NULL;
    djp_sdk_language language = {"c", "test", "1", 0};
    djp__transport *base = transport != NULL ? &transport->base : NULL;
    assert_int_equal(djp__sdk_new_with_transport(&sdk, options, &language, NULL, NULL, base), 0);
    assert_non_null(sdk);
    return sdk;
}

void
helper_span(djp_sdk *sdk, const char *name)
{
    djp_span *span = djp_span_start(djp_sdk_recorder(sdk), djp_text_of(name), NULL);
    djp_span_end(span, 0);
    djp_span_release(span);
}

void
helper_spans(djp_sdk *sdk, const char *name, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        helper_span(sdk, name);
    }
}

void
helper_each(const char *stored, size_t size, helper_see see, void *user)
{
    for (size_t at = 0; at < size;) {
        uint32_t length;
        assert_true(size - at >= 4);
        memcpy(&length, stored + at, 4);
        at += 4;
        assert_true(size - at >= length);
        Djp__Otlp__V1__ExportTraceServiceRequest *request =
            djp__otlp__v1__export_trace_service_request__unpack(NULL, length,
                                                                (const uint8_t *)stored + at);
        assert_non_null(request);
        at += length;
        for (size_t i = 0; i < request->n_resource_spans; i++) {
            for (size_t j = 0; j < request->resource_spans[i]->n_scope_spans; j++) {
                Djp__Otlp__V1__ScopeSpans *scope = request->resource_spans[i]->scope_spans[j];
                for (size_t k = 0; k < scope->n_spans; k++) {
                    Djp__Otlp__V1__Span *span = scope->spans[k];
                    assert_int_equal(span->trace_id.len, 16);
                    assert_int_equal(span->span_id.len, 8);
                    see(user, span->name, span->trace_id.data, span->span_id.data);
                }
            }
        }
        djp__otlp__v1__export_trace_service_request__free_unpacked(request, NULL);
    }
}

struct helper_counter {
    const char *prefix;
    size_t count;
};

static void
helper_count_one(void *user, const char *name, const uint8_t *trace_id, const uint8_t *span_id)
{
    struct helper_counter *counter = user;
    (void)trace_id;
    (void)span_id;
    counter->count +=
        !counter->prefix || strncmp(name, counter->prefix, strlen(counter->prefix)) == 0;
}

size_t
helper_count(const char *stored, size_t size, const char *name_prefix)
{
    struct helper_counter counter = {name_prefix, 0};
    helper_each(stored, size, helper_count_one, &counter);
    return counter.count;
}

size_t
script_spans(script_transport *transport, const char *name_prefix)
{
    pthread_mutex_lock(&transport->mutex);
    size_t count = helper_count(transport->stored, transport->stored_size, name_prefix);
    pthread_mutex_unlock(&transport->mutex);
    return count;
}

size_t
helper_wait_spans(script_transport *transport, size_t count, uint64_t timeout_ns)
{
    uint64_t deadline = djp__clock_monotonic() + timeout_ns;
    size_t have = script_spans(transport, NULL);
    while (have < count && djp__clock_monotonic() < deadline) {
        helper_sleep(2 * MS);
        have = script_spans(transport, NULL);
    }
    return have;
}

static char *
helper_value_text(const Djp__Otlp__V1__AnyValue *value)
{
    char text[32];
    if (value != NULL && value->value_case == DJP__OTLP__V1__ANY_VALUE__VALUE_STRING_VALUE) {
        return strdup(value->string_value);
    }
    if (value != NULL && value->value_case == DJP__OTLP__V1__ANY_VALUE__VALUE_INT_VALUE) {
        snprintf(text, sizeof text, "%lld", (long long)value->int_value);
        return strdup(text);
    }
    return NULL;
}

char *
helper_resource(const char *stored, size_t size, const char *key)
{
    uint32_t length;
    char *found = NULL;
    if (size < 4) {
        return NULL;
    }
    memcpy(&length, stored, 4);
    Djp__Otlp__V1__ExportTraceServiceRequest *request =
        djp__otlp__v1__export_trace_service_request__unpack(NULL, length,
                                                            (const uint8_t *)stored + 4);
    assert_non_null(request);
    assert_true(request->n_resource_spans > 0);
    Djp__Otlp__V1__Resource *resource = request->resource_spans[0]->resource;
    for (size_t i = 0; resource && i < resource->n_attributes; i++) {
        if (strcmp(resource->attributes[i]->key, key) == 0) {
            assert_null(found);
            found = helper_value_text(resource->attributes[i]->value);
        }
    }
    djp__otlp__v1__export_trace_service_request__free_unpacked(request, NULL);
    return found;
}

json *
helper_status_unchecked(djp_sdk *sdk)
{
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(djp_sdk_status_json(&text, &size, sdk), 0);
    json *status = json_parse(text, size);
    if (status == NULL) {
        fail_msg("status is not JSON: %.*s", (int)size, text);
    }
    djp_free(text);
    return status;
}

json *
helper_status(djp_sdk *sdk)
{
    json *status = helper_status_unchecked(sdk);
    helper_books(status);
    return status;
}

void
helper_books(const json *status)
{
    static const char *const sides[] = {"live", "not_sampled", "exported", "dropped", "waiting"};
    double left = helper_number(status, "books", "started");
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        left -= helper_number(status, "books", sides[i]);
    }
    if (left != 0) {
        fail_msg("%g spans are in no book", left);
    }
}

json *
helper_status_at_rest(djp_sdk *sdk)
{
    uint64_t deadline = djp__clock_monotonic() + PATIENCE;
    for (;;) {
        json *status = helper_status(sdk);
        if (!json_get(json_get(status, "worker"), "running")->boolean) {
            /* its parts were not read at one moment: some may be of before the worker's end */
            json_free(status);
            status = helper_status(sdk);
            assert_true(helper_number(status, "books", "waiting") ==
                        helper_number(status, "queue", "spans") +
                            helper_number(status, "queue", "batch_spans"));
            return status;
        }
        json_free(status);
        assert_true(djp__clock_monotonic() < deadline);
        helper_sleep(MS);
    }
}

double
helper_number(const json *status, const char *group, const char *key)
{
    double value = json_number(json_get(json_get(status, group), key), -1);
    if (value < 0) {
        fail_msg("status has no %s.%s", group, key);
    }
    return value;
}

double
helper_unaccounted(const json *status)
{
    double left = helper_number(status, "spans", "started");
    left -= helper_number(status, "spans", "exported");
    left -= helper_number(status, "spans", "not_sampled");
    left -= helper_number(status, "spans", "live");
    left -= helper_number(status, "queue", "spans");
    left -= helper_number(status, "queue", "batch_spans");
    const json *dropped = json_get(status, "dropped");
    for (size_t i = 0; i < json_count(dropped); i++) {
        /* Spans of another process were not started here. */
        if (strcmp(dropped->keys[i], "forked") != 0) {
            left -= json_number(&dropped->items[i], 0);
        }
    }
    return left;
}

double
helper_budget_spent(const char *path)
{
    char text[256] = "";
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return -1;
    }
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    const char *spent = strstr(text, "spent=");
    return spent != NULL ? strtod(spent + 6, NULL) : -1;
}
