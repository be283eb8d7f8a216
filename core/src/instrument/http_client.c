/* Records one HTTP client request: names, attributes and status rules for all languages; span and
 * metric use the same duration. It must not record credentials, fragments or values of a query. */
#include "instrument/http_client.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "djp/version.h"
#include "instrument/http_common.h"
#include "metrics/builtin.h"

enum { HTTP_CLIENT_MESSAGE_MAX = 1000, HTTP_CLIENT_ERROR = 400 };

/* ---- the instrumentation of an instance ---- */

struct djp_http_client {
    djp_recorder *recorder; /* borrowed; NULL: traces are off */
    djp_builtin *standard; /* borrowed; NULL: metrics are off */
    djp_semconv semconv;
    djp__words methods; /* the known ones */
    djp_scope scope;
    djp_key url, error_type;
    struct {
        djp_key method, scheme, host, port, status;
    } old;
    struct {
        djp_key method, original, scheme, host, port, status, version, resends;
    } stable;
};

static void
http_client_intern(djp_http_client *client)
{
    client->scope = djp_scope_intern("djp_telemetry.http", DJP_VERSION, NULL, NULL, 0);
    client->url = djp__http_key("url.full");
    client->error_type = djp__http_key("error.type");
    client->old.method = djp__http_key("http.method");
    client->old.scheme = djp__http_key("http.scheme");
    client->old.host = djp__http_key("net.peer.name");
    client->old.port = djp__http_key("net.peer.port");
    client->old.status = djp__http_key("http.status_code");
    client->stable.method = djp__http_key("http.request.method");
    client->stable.original = djp__http_key("http.request.method_original");
    client->stable.scheme = djp__http_key("url.scheme");
    client->stable.host = djp__http_key("server.address");
    client->stable.port = djp__http_key("server.port");
    client->stable.status = djp__http_key("http.response.status_code");
    client->stable.version = djp__http_key("network.protocol.version");
    client->stable.resends = djp__http_key("http.request.resend_count");
}

int
djp__http_client_new(djp_http_client **out, const djp_options *options, djp_recorder *recorder,
                     djp_builtin *standard)
{
    *out = NULL;
    djp_http_client *client = djp__calloc(1, sizeof *client);
    if (client == NULL || djp__words_init(&client->methods, options->known_methods) != 0) {
        djp__free(client);
        return DJP_ENOMEM;
    }
    client->recorder = recorder;
    client->standard = standard;
    client->semconv = options->semconv;
    http_client_intern(client);
    *out = client;
    return 0;
}

void
djp__http_client_free(djp_http_client *client)
{
    if (client != NULL) {
        djp__words_fini(&client->methods);
        djp__free(client);
    }
}

void
djp__http_client_request_init(djp__http_client_request *out, const djp_http_client *client,
                              const djp_http_call *call)
{
    out->method = djp__http_method(&client->methods, call->method);
    djp__http_url_read(&out->url, call->url, call->target);
}

/* ---- attributes ---- */

typedef struct http_client_attribute {
    djp_key key;
    djp_text text;
    int64_t number; /* without a text; 0: left out */
} http_client_attribute;

/* The attributes that are known at the start; those without a value are left out. */
static size_t
http_client_attributes(http_client_attribute out[DJP__HTTP_CLIENT_ATTRIBUTES],
                       const djp_http_client *client, const djp__http_client_request *request)
{
    size_t count = 0;
    out[count++] = (http_client_attribute){client->url, request->url.text, 0};
    if (client->semconv != DJP_SEMCONV_STABLE) {
        out[count++] = (http_client_attribute){client->old.method, request->method, 0};
        out[count++] = (http_client_attribute){client->old.scheme, request->url.scheme, 0};
        out[count++] = (http_client_attribute){client->old.host, request->url.host, 0};
        out[count++] = (http_client_attribute){client->old.port, {NULL, 0}, request->url.port};
    }
    if (client->semconv != DJP_SEMCONV_OLD) {
        out[count++] = (http_client_attribute){client->stable.method, request->method, 0};
        out[count++] = (http_client_attribute){client->stable.scheme, request->url.scheme, 0};
        out[count++] = (http_client_attribute){client->stable.host, request->url.host, 0};
        out[count++] = (http_client_attribute){client->stable.port, {NULL, 0}, request->url.port};
    }
    return count;
}

size_t
djp__http_client_sampling(djp_attribute out[DJP__HTTP_CLIENT_ATTRIBUTES],
                          const djp_http_client *client, const djp__http_client_request *request)
{
    http_client_attribute found[DJP__HTTP_CLIENT_ATTRIBUTES];
    size_t all = http_client_attributes(found, client, request), count = 0;
    for (size_t i = 0; i < all; i++) {
        djp_value value = {.type = DJP_STRING, .as.text = found[i].text};
        if (found[i].number > 0) {
            value = (djp_value){.type = DJP_INT, .as.integer = found[i].number};
        }
        if (found[i].text.size > 0 || found[i].number > 0) {
            out[count++] = (djp_attribute){djp_key_text(found[i].key), value};
        }
    }
    return count;
}

static void
http_client_set(const djp_http_client *client, djp_span *span,
                const djp__http_client_request *request, const djp_http_call *call,
                const djp_http_call_result *result)
{
    http_client_attribute found[DJP__HTTP_CLIENT_ATTRIBUTES];
    size_t count = http_client_attributes(found, client, request);
    for (size_t i = 0; i < count; i++) {
        djp__http_set_text(span, found[i].key, found[i].text);
        djp__http_set_number(span, found[i].key, found[i].number);
    }
    if (client->semconv != DJP_SEMCONV_STABLE) {
        djp__http_set_number(span, client->old.status, result->status);
    }
    if (client->semconv != DJP_SEMCONV_OLD) {
        if (djp__http_is_other(request->method) && djp__http_is_token(call->method)) {
            djp__http_set_text(span, client->stable.original, call->method);
        }
        djp__http_set_number(span, client->stable.status, result->status);
        djp__http_set_text(span, client->stable.version, djp__http_version(result->version));
        djp__http_set_number(span, client->stable.resends, result->resend_count);
    }
}

/* ---- start and end ---- */

djp_text
djp__http_client_name(const djp_http_client *client, djp_text method)
{
    return client->semconv == DJP_SEMCONV_STABLE
               ? djp__http_verb(djp__http_method(&client->methods, method))
               : (djp_text){"http.client", 11};
}

djp_span *
djp__http_client_start_as(djp_http_client *client, djp_text method, const djp_span_options *options,
                          const djp__span_seed *seed)
{
    djp_text name = djp__http_client_name(client, method);
    djp_span_options own = *options;
    own.scope = client->scope;
    own.kind = DJP_KIND_CLIENT;
    return djp__span_start_as(client->recorder, name.data, name.size, &own, seed);
}

djp_span *
djp_http_client_start(uint64_t *start_ns, djp_http_client *client, const djp_http_call *call,
                      djp_span *parent, const djp_span_context *remote)
{
    djp_span *span = NULL;
    if (client->recorder != NULL) {
        djp_text name = djp__http_client_name(client, call->method);
        djp_span_options options = {
            .scope = client->scope, .kind = DJP_KIND_CLIENT, .parent = parent, .remote = remote};
        djp__http_client_request request;
        djp_attribute attributes[DJP__HTTP_CLIENT_ATTRIBUTES];
        if (parent == NULL && (djp_recorder_needs(client->recorder) & DJP_NEEDS_ATTRIBUTES) != 0) {
            djp__http_client_request_init(&request, client, call);
            options.sampling_attributes = attributes;
            options.sampling_attribute_count =
                djp__http_client_sampling(attributes, client, &request);
        }
        span = djp_span_start(client->recorder, name, &options);
    }
    *start_ns = span != NULL ? djp_span_start_monotonic_ns(span) : djp__clock_monotonic();
    return span;
}

/* Returns the type of the error; empty without one. */
static djp_text
http_client_error(char room[24], const djp_http_call_result *result)
{
    if (result->error_type.size > 0 && !result->cancelled) {
        return result->error_type;
    }
    return result->status >= HTTP_CLIENT_ERROR ? djp__digits(room, result->status)
                                               : (djp_text){"", 0};
}

static void
http_client_finish_span(const djp_http_client *client, djp_span *span, djp_text error,
                        const djp_http_call_result *result)
{
    if (error.size > 0) {
        int is_status = result->cancelled || result->error_type.size == 0;
        djp_text message = is_status ? (djp_text){"", 0} : result->error_message;
        message.size = djp__utf8_cut(message.data, message.size, HTTP_CLIENT_MESSAGE_MAX);
        djp_span_set_string(span, client->error_type, error);
        djp_span_set_status(span, DJP_STATUS_ERROR, message);
    }
}

static void
http_client_record(const djp_http_client *client, const djp__http_client_request *request,
                   djp_text error, const djp_http_call_result *result, uint64_t end_ns,
                   const djp_span_context *context)
{
    char port[24], status[24];
    int is_old = client->semconv == DJP_SEMCONV_OLD;
    djp_text labels[] = {
        request->method,
        request->url.host,
        request->url.port > 0 ? djp__digits(port, request->url.port) : (djp_text){"", 0},
        result->status > 0 ? djp__digits(status, result->status) : (djp_text){"", 0},
        error,
        is_old ? (djp_text){"", 0} : djp__http_version(result->version)};
    uint64_t duration = end_ns > result->start_ns ? end_ns - result->start_ns : 0;
    djp__builtin_record_at(
        client->standard, is_old ? DJP__BUILTIN_CLIENT : DJP__BUILTIN_CLIENT_DURATION, labels,
        is_old ? 5 : 6, (double)duration / 1e9, context, end_ns + (uint64_t)djp__clock_anchor());
}

void
djp_http_client_end(djp_http_client *client, djp_span *span, const djp_http_call *call,
                    const djp_http_call_result *result)
{
    char room[24];
    int recording = djp_span_is_recording(span);
    uint64_t end_ns = result->end_ns ? result->end_ns : djp__clock_monotonic();
    djp_text error = http_client_error(room, result);
    djp__http_client_request request;
    if (recording || client->standard != NULL) {
        djp__http_client_request_init(&request, client, call);
    }
    djp_span_context context = {.state = NULL};
    if (span != NULL) {
        if (recording) {
            http_client_set(client, span, &request, call, result);
            http_client_finish_span(client, span, error, result);
        }
        djp_span_get_context(&context, span);
        djp__span_end_at(span, end_ns);
        /* An error may have changed the decision that was made at the start. */
        context.flags |= djp__span_is_sampled(span) ? DJP_FLAG_SAMPLED : 0;
    }
    if (client->standard != NULL) {
        http_client_record(client, &request, error, result, end_ns, span != NULL ? &context : NULL);
    }
}
