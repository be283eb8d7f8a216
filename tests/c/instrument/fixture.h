/* One SDK with the memory exporter, and what it recorded: spans, read back with the generated
 * protobuf code, as lines of text, and the exposition. For one test program: everything is
 * static. */
#ifndef TESTS_C_INSTRUMENT_FIXTURE_H
#define TESTS_C_INSTRUMENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "base/mem.h"
#include "djp/djp.h"
#include "gen/otlp_trace.pb-c.h"
#include "json.h"

#define SECOND UINT64_C(1000000000)
#define TEXT(literal) ((djp_text){literal, sizeof literal - 1})

static char *exposed; /* newest exposition, owned */

static const char *
no_variables(void *user, const char *name)
{
    (void)user;
    (void)name;
    return NULL;
}

static inline djp_sdk *
sdk_with(const djp_config_override *more, size_t count)
{
    djp_config_override overrides[16] = {{"enabled", "true"}, {"exporter", "memory"}};
    const djp_sdk_language language = {"test", "test", "1", 0};
    djp_options options;
    djp_sdk *sdk;
    memcpy(overrides + 2, more, count * sizeof *more);
    assert_int_equal(
        djp_config_resolve(&options, no_variables, NULL, overrides, 2 + count, "test", NULL, NULL),
        0);
    assert_int_equal(djp_sdk_new(&sdk, &options, &language, NULL, NULL), 0);
    djp_options_fini(&options);
    return sdk;
}

static inline djp_sdk *
sdk_of(const char *semconv, const char *backend)
{
    const djp_config_override more[] = {
        {"backend", backend}, {"sample_ratio", "1"}, {"semconv", semconv}};
    return sdk_with(more, 3);
}

static inline void
sdk_free(djp_sdk *sdk)
{
    djp_free(exposed);
    exposed = NULL;
    djp_sdk_free(sdk);
}

static inline const char *
exposition(djp_sdk *sdk)
{
    size_t size;
    djp_free(exposed);
    assert_int_equal(djp_registry_expose(&exposed, &size, djp_sdk_registry(sdk), DJP_TEXT_0_0_4),
                     0);
    return exposed;
}

static inline int
shows(djp_sdk *sdk, const char *line)
{
    return strstr(exposition(sdk), line) != NULL;
}

/* The exemplar of the first line that has a text; NULL without one. */
static inline const char *
exemplar_of(djp_sdk *sdk, const char *text)
{
    size_t size;
    djp_free(exposed);
    assert_int_equal(
        djp_registry_expose(&exposed, &size, djp_sdk_registry(sdk), DJP_OPENMETRICS_1_0_0), 0);
    const char *at = strstr(exposed, text);
    assert_non_null(at);
    return strstr(at, " # {trace_id=");
}

typedef struct sink {
    char text[1 << 16];
    size_t used;
} sink;

__attribute__((format(printf, 2, 3))) static void
sink_add(sink *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(out->text + out->used, sizeof out->text - out->used, format, arguments);
    va_end(arguments);
    assert_in_range(size, 0, sizeof out->text - out->used - 1);
    out->used += (size_t)size;
}

static inline void
sink_add_id(sink *out, ProtobufCBinaryData id)
{
    for (size_t i = 0; i < id.len; i++) {
        sink_add(out, "%02x", id.data[i]);
    }
}

static inline void
sink_add_span(sink *out, const Djp__Otlp__V1__Span *span)
{
    sink_add(out, "%s|%d;", span->name, span->status ? (int)span->status->code : 0);
    for (size_t i = 0; i < span->n_attributes; i++) {
        const Djp__Otlp__V1__AnyValue *value = span->attributes[i]->value;
        const char *key = span->attributes[i]->key;
        if (value->value_case == DJP__OTLP__V1__ANY_VALUE__VALUE_STRING_VALUE) {
            sink_add(out, "%s=%s;", key, value->string_value);
        } else if (value->value_case == DJP__OTLP__V1__ANY_VALUE__VALUE_DOUBLE_VALUE) {
            sink_add(out, "%s=%gd;", key, value->double_value);
        } else if (value->value_case == DJP__OTLP__V1__ANY_VALUE__VALUE_BOOL_VALUE) {
            sink_add(out, "%s=%s;", key, value->bool_value ? "true" : "false");
        } else {
            sink_add(out, "%s=%d;", key, (int)value->int_value);
        }
    }
    sink_add(out, "|%d|%s|%llu|", (int)span->kind, span->status ? span->status->message : "",
             (unsigned long long)(span->end_time_unix_nano - span->start_time_unix_nano));
    sink_add_id(out, span->span_id);
    sink_add(out, "|");
    sink_add_id(out, span->parent_span_id);
    sink_add(out, "\n");
}

/* The spans exported since the last call, each as "name|status;key=value;...|kind|description|
 * nanoseconds|id|parent\n". Static text, until the next call. */
static inline const char *
exported(djp_sdk *sdk)
{
    static sink out;
    char *data = NULL;
    size_t size = 0;
    out.used = 0;
    out.text[0] = '\0';
    assert_int_equal(djp_sdk_flush(sdk, 60 * SECOND), 0);
    assert_int_equal(djp_sdk_take_exported(&data, &size, sdk), 0);
    for (size_t at = 0; at + 4 <= size;) {
        uint32_t length;
        memcpy(&length, data + at, 4);
        Djp__Otlp__V1__ExportTraceServiceRequest *request =
            djp__otlp__v1__export_trace_service_request__unpack(NULL, length,
                                                                (const uint8_t *)data + at + 4);
        assert_non_null(request);
        for (size_t k = 0; k < request->resource_spans[0]->n_scope_spans; k++) {
            const Djp__Otlp__V1__ScopeSpans *scope = request->resource_spans[0]->scope_spans[k];
            for (size_t i = 0; i < scope->n_spans; i++) {
                sink_add_span(&out, scope->spans[i]);
            }
        }
        djp__otlp__v1__export_trace_service_request__free_unpacked(request, NULL);
        at += 4 + length;
    }
    djp_free(data);
    return out.text;
}

/* ---- vectors ---- */

static inline djp_text
text_of(const json *value)
{
    const char *text = json_string(value, "");
    return (djp_text){text, strlen(text)};
}

/* How many attributes a line has, without those that every failed or sampled span may have. */
static inline size_t
attributes_in(const char *line)
{
    static const char *const usual[] = {";error=", ";error.message=", ";sampling.reason="};
    size_t size = strcspn(line, "\n"), count = 0;
    for (size_t i = 0; i < size; i++) {
        count += line[i] == ';';
    }
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        const char *found = strstr(line, usual[i]);
        count -= found != NULL && found < line + size;
    }
    return count - 1;
}

/* "key=value;" as a line has it. */
static inline void
attribute_text(char *out, size_t size, const char *key, const json *value)
{
    if (value->kind == JSON_STRING) {
        snprintf(out, size, ";%s=%s;", key, json_string(value, ""));
    } else if (value->kind == JSON_BOOL) {
        snprintf(out, size, ";%s=%s;", key, value->boolean ? "true" : "false");
    } else { /* durations are doubles */
        snprintf(out, size, ";%s=%s%s;", key, value->text, strstr(key, "_seconds") ? "d" : "");
    }
}

/* The line of a span has these attributes and no others. */
static inline void
assert_attributes(const char *line, const json *wanted)
{
    char part[512];
    for (size_t i = 0; i < json_count(wanted); i++) {
        attribute_text(part, sizeof part, wanted->keys[i], &wanted->items[i]);
        if (!strstr(line, part)) {
            fail_msg("missing: %s\nin: %s", part, line);
        }
    }
    if (attributes_in(line) != json_count(wanted)) {
        fail_msg("%zu attributes, not %zu: %s", attributes_in(line), json_count(wanted), line);
    }
}

/* The recordings that metrics refused. */
static inline double
dropped(djp_sdk *sdk)
{
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(djp_sdk_status_json(&text, &size, sdk), 0);
    json *status = json_parse(text, size);
    double count = json_number(json_get(json_get(status, "registry"), "dropped"), -1);
    json_free(status);
    djp_free(text);
    return count;
}

/* ---- recorders.json ---- */

/* A number that may be written as text. */
static inline double
number_of(const json *value)
{
    const char *text = json_string(value, NULL);
    return text != NULL ? strtod(text, NULL) : json_number(value, NAN);
}

static inline void
assert_recorded_span(djp_sdk *sdk, const json *wanted, int stable)
{
    char begin[128], end[128];
    const char *line = exported(sdk);
    const json *attributes = json_get(wanted, "stable");
    int failed = strcmp(json_string(json_get(wanted, "status"), ""), "error") == 0;
    snprintf(begin, sizeof begin, "%s|%d;", json_string(json_get(wanted, "name"), ""),
             failed ? 2 : 0);
    snprintf(end, sizeof end, ";|%d|%s|", (int)json_number(json_get(wanted, "kind"), 0),
             json_string(json_get(wanted, "description"), ""));
    if (strncmp(line, begin, strlen(begin)) != 0 || strstr(line, end) == NULL) {
        fail_msg("not %s...%s: %s", begin, end, line);
    }
    assert_attributes(line,
                      stable && attributes != NULL ? attributes : json_get(wanted, "attributes"));
}

static inline void
assert_recorded_samples(djp_sdk *sdk, const json *given)
{
    const json *samples = json_get(given, "samples"), *absent = json_get(given, "absent");
    char line[512];
    for (size_t i = 0; i < json_count(samples); i++) {
        snprintf(line, sizeof line, "\n%s %s\n", samples->keys[i], samples->items[i].text);
        if (!shows(sdk, line)) {
            fail_msg("no %s in: %s", line, exposed);
        }
    }
    for (size_t i = 0; i < json_count(absent); i++) {
        snprintf(line, sizeof line, "\n%s{", json_string(json_at(absent, i), ""));
        assert_false(shows(sdk, line));
    }
    assert_true(dropped(sdk) == json_number(json_get(given, "dropped"), -1));
}

/* Makes the calls of one recorder under both conventions, with a function that passes their
 * arguments to the core. */
static inline void
check_recorder(const char *name, size_t least,
               void (*record)(djp_operations *operations, const json *call, const json *named))
{
    json *vectors = json_load("recorders.json");
    const json *cases = json_get(vectors, "cases");
    size_t found = 0;
    for (size_t i = 0; i < 2 * json_count(cases); i++) {
        const json *given = json_at(cases, i / 2), *call = json_get(given, "call");
        if (strcmp(json_string(json_at(call, 0), ""), name) == 0) {
            djp_sdk *sdk = sdk_of(i % 2 != 0 ? "stable" : "old", "hybrid");
            record(djp_sdk_operations(sdk), call, json_get(given, "named"));
            assert_recorded_span(sdk, json_get(given, "span"), i % 2 != 0);
            assert_recorded_samples(sdk, given);
            sdk_free(sdk);
            found++;
        }
    }
    assert_true(found >= 2 * least);
    json_free(vectors);
}

/* The success of a call; a text is a word for no. */
static inline int
is_failed(const json *success)
{
    return success != NULL && (success->kind == JSON_STRING || !success->boolean);
}

#endif
