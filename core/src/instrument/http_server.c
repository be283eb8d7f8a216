/* Records one HTTP request or websocket connection: names, attributes and status rules for all
 * languages; span and metrics use the same duration. It must not record a raw path, a header or
 * other values chosen by the client. */
#include "djp/http.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "metrics/builtin.h"
#include "instrument/excluded_paths.h"
#include "instrument/http_common.h"
#include "model/baggage.h"
#include "instrument/http_server.h"
#include "instrument/operation.h"

enum { HTTP_SERVER_NAME_MAX = 1024, HTTP_SERVER_VERB_MAX = 64 };

struct djp_http_server {
    djp_recorder *recorder; /* borrowed from the SDK; NULL: traces are off */
    djp_builtin *standard; /* borrowed from the SDK; NULL: metrics are off */
    djp_builtin *documented; /* standard where only the documented families are recorded */
    djp_semconv semconv;
    djp__words methods; /* the known ones */
    char *excluded; /* owned */
    djp_scope scope;
    struct {
        djp_key method, route, status, duration, closed;
    } old;
    struct {
        djp_key method, original, route, status, scheme, path, version, error;
    } stable;
};

static void
http_server_intern(djp_http_server *server)
{
    server->scope = djp_scope_intern("djp_telemetry.http", DJP_VERSION, NULL, NULL, 0);
    server->old.method = djp__http_key("http.method");
    server->old.route = djp__http_key("http.route");
    server->old.status = djp__http_key("http.status_code");
    server->old.duration = djp__http_key("http.duration_seconds");
    server->old.closed = djp__http_key("http.client_disconnected");
    server->stable.method = djp__http_key("http.request.method");
    server->stable.original = djp__http_key("http.request.method_original");
    server->stable.route = server->old.route;
    server->stable.status = djp__http_key("http.response.status_code");
    server->stable.scheme = djp__http_key("url.scheme");
    server->stable.path = djp__http_key("url.path");
    server->stable.version = djp__http_key("network.protocol.version");
    server->stable.error = djp__http_key("error.type");
}

int
djp__http_server_new(djp_http_server **out, const djp_options *options, djp_recorder *recorder,
                     djp_builtin *standard)
{
    *out = NULL;
    djp_http_server *server = djp__calloc(1, sizeof *server);
    if (server == NULL) {
        return DJP_ENOMEM;
    }
    server->excluded = djp__strdup(options->excluded_paths);
    if (djp__words_init(&server->methods, options->known_methods) != 0 ||
        server->excluded == NULL) {
        djp_http_server_free(server);
        return DJP_ENOMEM;
    }
    server->recorder = recorder;
    server->standard = standard;
    server->semconv = options->semconv;
    server->documented = options->semconv == DJP_SEMCONV_OLD ? standard : NULL;
    http_server_intern(server);
    *out = server;
    return 0;
}

void
djp_http_server_free(djp_http_server *server)
{
    if (server == NULL) {
        return;
    }
    djp__words_fini(&server->methods);
    djp__free(server->excluded);
    djp__free(server);
}

int
djp_http_server_excludes(const djp_http_server *server, djp_text path)
{
    return server->excluded[0] != '\0' && djp__path_is_excluded(server->excluded, path);
}

uint64_t
djp_http_now(void)
{
    return djp__clock_monotonic();
}

static djp_text
http_server_name(djp_http_type type)
{
    return type == DJP_HTTP_WEBSOCKET ? (djp_text){"websocket", 9} : (djp_text){"http.server", 11};
}

/* A websocket stays open as long as its peers like. */
static djp_span *
http_server_began(djp_span *span, djp_http_type type)
{
    if (__builtin_expect(type == DJP_HTTP_WEBSOCKET, 0)) {
        djp_span_set_long_lived(span);
    }
    return span;
}

djp_span *
djp__http_server_start_as(djp_http_server *server, djp_http_type type,
                          const djp_span_options *given, const djp__span_seed *seed)
{
    djp_text name = http_server_name(type);
    djp_span_options options = {.scope = server->scope,
                                .kind = DJP_KIND_SERVER,
                                .remote = given->remote,
                                .baggage = given->baggage};
    djp_span *span = djp__span_start_as(server->recorder, name.data, name.size, &options, seed);
    return http_server_began(span, type);
}

djp_span *
djp_http_server_start(uint64_t *start_ns, djp_http_server *server, djp_http_type type,
                      const djp_span_context *remote)
{
    djp_text name = http_server_name(type);
    djp_span_options options = {.scope = server->scope, .kind = DJP_KIND_SERVER, .remote = remote};
    djp_span *span = server->recorder ? djp_span_start(server->recorder, name, &options) : NULL;
    span = http_server_began(span, type);
    *start_ns = span != NULL ? djp_span_start_monotonic_ns(span) : djp__clock_monotonic();
    return span;
}

static void
http_server_sampling_text(djp__http_sampling *out, const char *key, djp_text text)
{
    if (text.size > 0) {
        djp_value value = {.type = DJP_STRING, .as.text = text};
        out->attributes[out->count++] = (djp_attribute){djp__text(key), value};
    }
}

void
djp__http_sampling_fill(djp__http_sampling *out, const djp_http_server *server, djp_http_type type,
                        const djp_http_request *request)
{
    djp_text method = request->method.size > 0 ? djp__http_method(&server->methods, request->method)
                                               : (djp_text){"", 0};
    djp_text verb = djp__http_verb(method);
    verb = type == DJP_HTTP_WEBSOCKET ? (djp_text){"websocket", 9} : verb;
    djp_text where = request->route.size > 0 ? request->route : request->path;
    verb.size = verb.size < HTTP_SERVER_VERB_MAX ? verb.size : HTTP_SERVER_VERB_MAX;
    size_t room = sizeof out->name - verb.size - 1;
    size_t size = where.size < room ? where.size : room;
    memcpy(out->name, verb.data, verb.size);
    out->name[verb.size] = ' ';
    memcpy(out->name + verb.size + 1, size > 0 ? where.data : "", size);
    out->name_text = (djp_text){out->name, verb.size + (size > 0 ? 1 + size : 0)};
    out->count = 0;
    http_server_sampling_text(out, "http.request.method", method);
    http_server_sampling_text(out, "url.path", request->path);
    http_server_sampling_text(out, "url.scheme", request->scheme);
    http_server_sampling_text(out, "http.route", request->route);
}

djp_span *
djp_http_server_start_request(uint64_t *start_ns, djp_http_server *server, djp_http_type type,
                              const djp_span_context *remote, const djp_http_request *request)
{
    if (request == NULL || !server->recorder || djp_recorder_needs(server->recorder) == 0) {
        return djp_http_server_start(start_ns, server, type, remote);
    }
    djp__http_sampling sampling;
    djp_text name = http_server_name(type);
    djp__http_sampling_fill(&sampling, server, type, request);
    djp_span_options options = {.scope = server->scope,
                                .kind = DJP_KIND_SERVER,
                                .remote = remote,
                                .baggage =
                                    request->baggage ? request->baggage : &djp__baggage_empty,
                                .sampling_name = sampling.name_text,
                                .sampling_attributes = sampling.attributes,
                                .sampling_attribute_count = sampling.count};
    djp_span *span = http_server_began(djp_span_start(server->recorder, name, &options), type);
    *start_ns = span != NULL ? djp_span_start_monotonic_ns(span) : djp__clock_monotonic();
    return span;
}

int
djp_http_server_wants_request(const djp_http_server *server)
{
    return djp_recorder_needs(server->recorder) != 0;
}

/* "{method} {route}", or the method without a route; only under the stable conventions, otherwise
 * the name is a constant. */
static void
http_server_rename(djp_span *span, djp_text method, const djp_http_result *result)
{
    char name[HTTP_SERVER_NAME_MAX];
    djp_text verb = djp__http_verb(method);
    size_t size = verb.size < sizeof name ? verb.size : sizeof name;
    memcpy(name, verb.data, size);
    if (result->route.size > 0 && size + 1 + result->route.size <= sizeof name) {
        name[size++] = ' ';
        memcpy(name + size, result->route.data, result->route.size);
        size += result->route.size;
    }
    djp_span_update_name(span, (djp_text){name, size});
}

/* 0: the client disconnected before a response; the status in metrics was not sent. */
static int
http_server_has_response(const djp_http_result *result, int status)
{
    return status != DJP_HTTP_CLIENT_CLOSED || result->status != 0;
}

/* Returns error.type of the conventions; empty without an error. */
static djp_text
http_server_error_type(char room[24], const djp_http_result *result, int status, int error)
{
    if (result->error_type.size > 0 || !error) {
        return result->error_type;
    }
    return djp__digits(room, status >= 100 && status <= 999 ? status : 500);
}

static void
http_server_set_stable(const djp_http_server *server, djp_span *span, djp_text method,
                       const djp_http_result *result, int status, int error)
{
    djp_span_set_string(span, server->stable.method, method);
    if (djp__http_is_other(method) && djp__http_is_token(result->method)) {
        djp__http_set_text(span, server->stable.original, result->method);
    }
    if (http_server_has_response(result, status)) {
        djp_span_set_int(span, server->stable.status, status);
    }
    djp__http_set_text(span, server->stable.scheme, result->scheme);
    djp__http_set_text(span, server->stable.version, djp__http_version(result->version));
    /* The convention requires a path and allows scrubbing: the template is its part without
     * personal data. */
    djp_text path = result->route.size > 0 ? result->route : (djp_text){"/REDACTED", 9};
    djp_span_set_string(span, server->stable.path, path);
    char room[24];
    djp__http_set_text(span, server->stable.error,
                       http_server_error_type(room, result, status, error));
}

static void
http_server_finish_span(const djp_http_server *server, djp_span *span, djp_text method,
                        const djp_http_result *result, int status, uint64_t duration_ns)
{
    int error = result->failed || status >= 500;
    djp__http_set_text(span, server->old.route, result->route);
    if (server->semconv != DJP_SEMCONV_STABLE) {
        djp_span_set_string(span, server->old.method, method);
        if (http_server_has_response(result, status)) {
            djp_span_set_int(span, server->old.status, status);
        }
        djp_span_set_double(span, server->old.duration, (double)duration_ns / 1e9);
        djp__http_set_text(span, server->stable.error,
                           error ? result->error_type : (djp_text){"", 0});
    } else {
        http_server_rename(span, method, result);
    }
    if (server->semconv != DJP_SEMCONV_OLD) {
        http_server_set_stable(server, span, method, result, status, error);
    }
    if (result->disconnected) {
        djp_span_set_bool(span, server->old.closed, 1);
    }
    if (error) {
        djp_span_set_status(span, DJP_STATUS_ERROR, DJP_TEXT(""));
    }
}

static inline void
http_server_record_documented(const djp_http_server *server, djp_text method,
                              const djp_http_result *result, int status, uint64_t duration_ns,
                              const djp_span_context *context, uint64_t unix_ns)
{
    djp_text route = result->route.size > 0
                         ? result->route
                         : (djp_text){DJP_HTTP_UNMATCHED, sizeof DJP_HTTP_UNMATCHED - 1};
    djp__builtin_http_request_at(server->standard, method, route, status, duration_ns,
                                 result->request_bytes, context, unix_ns);
}

static __attribute__((noinline)) void
http_server_record_conventions(const djp_http_server *server, djp_text method,
                               const djp_http_result *result, int status, uint64_t duration_ns,
                               const djp_span_context *context, uint64_t unix_ns)
{
    char room[24];
    djp__builtin_exchange exchange = {
        .method = method,
        .scheme = result->scheme,
        .route = result->route,
        .version = djp__http_version(result->version),
        .error_type = http_server_error_type(room, result, status, result->failed || status >= 500),
        .status = http_server_has_response(result, status) ? status : 0,
        .duration_ns = duration_ns,
        .request_bytes = result->request_bytes,
        .context = context,
        .unix_ns = unix_ns};
    djp__builtin_http_exchange(server->standard, &exchange);
    if (server->semconv == DJP_SEMCONV_BOTH) {
        http_server_record_documented(server, method, result, status, duration_ns, context,
                                      unix_ns);
    }
}

int
djp_http_server_end(djp_http_server *server, djp_span *span, const djp_http_result *result)
{
    uint64_t end_ns = result->end_ns ? result->end_ns : djp__clock_monotonic();
    uint64_t duration_ns = end_ns > result->start_ns ? end_ns - result->start_ns : 0;
    int status = result->status ? result->status : result->failed ? 500 : DJP_HTTP_CLIENT_CLOSED;
    djp_text method = djp__http_method(&server->methods, result->method);
    /* unsigned: end_ns may be any value */
    uint64_t end_unix_ns = end_ns + (uint64_t)djp__clock_anchor();
    djp_span_context context;
    if (span != NULL) {
        http_server_finish_span(server, span, method, result, status, duration_ns);
        djp_span_get_context(&context, span);
        djp_span_end(span, end_unix_ns);
        /* An exemplar refers to an exported trace, whatever flag was propagated at its start. */
        context.flags = djp__span_is_sampled(span) ? DJP_FLAG_SAMPLED : 0;
    }
    const djp_span_context *exemplar = span != NULL ? &context : NULL;
    if (server->documented != NULL && result->type == DJP_HTTP_REQUEST) {
        http_server_record_documented(server, method, result, status, duration_ns, exemplar,
                                      end_unix_ns);
    } else if (server->standard != NULL && result->type == DJP_HTTP_REQUEST) {
        http_server_record_conventions(server, method, result, status, duration_ns, exemplar,
                                       end_unix_ns);
    }
    return status;
}

djp_span *
djp_http_server_background(djp_http_server *server, djp_span *span, uint64_t start_ns)
{
    static const char name[] = "http.server.background";
    if (span == NULL || server->recorder == NULL) {
        return NULL;
    }
    djp_span_options options = {.scope = server->scope,
                                .kind = DJP_KIND_INTERNAL,
                                .parent = span,
                                .start_unix_ns = start_ns + (uint64_t)djp__clock_anchor()};
    return djp_span_start(server->recorder, (djp_text){name, sizeof name - 1}, &options);
}

/* ---- requests that have ended ---- */

const djp__operation djp__operation_request = {
    .name = "http.server",
    .kind = DJP_KIND_SERVER,
    .failure = "",
    .attributes = {{"http.route", DJP__FACT_SECOND, 0},
                   {"http.duration_seconds", DJP__FACT_SECONDS, 0},
                   {"http.method", DJP__FACT_FIRST, DJP__SEMCONV_OLD},
                   {"http.status_code", DJP__FACT_STATUS, DJP__SEMCONV_OLD},
                   {"http.request.method", DJP__FACT_FIRST, DJP__SEMCONV_STABLE},
                   {"http.response.status_code", DJP__FACT_STATUS, DJP__SEMCONV_STABLE}},
    .is_request = 1,
};

void
djp_ended_request_record(djp_operations *operations, const djp_ended_request *request,
                         djp_span *parent, const djp_span_context *remote)
{
    djp__operation_facts facts = {.first = request->method,
                                  .second = request->route,
                                  .seconds = request->seconds,
                                  .status = request->status};
    djp__operation_record(operations, DJP__OPERATION_REQUEST, &facts, parent, remote);
}
