/* The OTLP destination: the first usable endpoint, the protocol, and the complete URL. Endpoints
 * may have secrets in their user part or query, so no message shows one. */
#include "config/config.h"

#include "base/str.h"

#include <string.h>

enum {
    ENDPOINT_AS_IS_INDEX = DJP_GIVEN_SOURCE,
    ENDPOINT_GRPC_PORT = 4317,
    ENDPOINT_HTTP_PORT = 4318,
    ENDPOINT_JAEGER_PORT = 14268,
    ENDPOINT_SAMPLING_PORT = 5778,
    ENDPOINT_SAMPLING_GRPC_PORT = 14250
};

/* The settings of one signal. */
typedef struct endpoint_signal {
    djp__setting endpoint, protocol, insecure, exporter;
    const char *path;
    const char *items; /* for messages */
    djp_backend backend; /* the one that exports only this signal */
} endpoint_signal;

static const endpoint_signal endpoint_traces = {DJP_SETTING_ENDPOINT, DJP_SETTING_PROTOCOL,
                                                DJP_SETTING_INSECURE, DJP_SETTING_EXPORTER,
                                                "/v1/traces",         "spans",
                                                DJP_BACKEND_OTEL};
static const endpoint_signal endpoint_metrics = {DJP_SETTING_METRICS_ENDPOINT,
                                                 DJP_SETTING_METRICS_PROTOCOL,
                                                 DJP_SETTING_METRICS_INSECURE,
                                                 DJP_SETTING_METRICS_EXPORTER,
                                                 "/v1/metrics",
                                                 "metrics",
                                                 DJP_BACKEND_PROM};

typedef struct endpoint_url {
    int has_scheme;
    int tls;
    djp_text user; /* with its '@'; all parts are borrowed */
    djp_text host; /* with the brackets of an IPv6 address */
    int port; /* 0: none */
    djp_text path;
    djp_text query; /* with its '?' */
} endpoint_url;

static int
endpoint_ends_with(djp_text text, const char *end)
{
    size_t size = strlen(end);
    return text.size >= size && memcmp(text.data + text.size - size, end, size) == 0;
}

/* Cuts text at the first of the characters; returns the rest, with that character. */
static djp_text
endpoint_cut(djp_text *text, const char *characters)
{
    size_t at = 0;
    while (at < text->size && strchr(characters, text->data[at]) == NULL) {
        at++;
    }
    djp_text rest = {text->data + at, text->size - at};
    text->size = at;
    return rest;
}

static const char *
endpoint_read_port(endpoint_url *out, djp_text port)
{
    uint64_t number;
    if (port.size == 0) {
        return NULL;
    }
    port.data++;
    port.size--;
    if (!djp__parse_u64(port, &number) || number == 0 || number > 65535) {
        return "a host with a port from 1 to 65535";
    }
    out->port = (int)number;
    return NULL;
}

static int
endpoint_host_is_valid(djp_text host, const char *also)
{
    for (size_t i = 0; i < host.size; i++) {
        char c = host.data[i];
        int alphanumeric =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && strchr(also, c) == NULL) {
            return 0;
        }
    }
    return host.size != 0;
}

static const char *
endpoint_read_ipv6(endpoint_url *out, djp_text authority)
{
    const char *close = memchr(authority.data, ']', authority.size);
    if (close == NULL) {
        return "a URL with a complete IPv6 address";
    }
    size_t inside = (size_t)(close - authority.data) - 1;
    djp_text rest = {close + 1, authority.size - inside - 2};
    if (!endpoint_host_is_valid((djp_text){authority.data + 1, inside}, ":.%") ||
        memchr(authority.data, ':', inside) == NULL || (rest.size != 0 && rest.data[0] != ':')) {
        return "a URL with a good IPv6 address";
    }
    out->host = (djp_text){authority.data, inside + 2};
    return endpoint_read_port(out, rest);
}

static int
endpoint_is_number(djp_text host)
{
    size_t digits = 0;
    while (digits < host.size && host.data[digits] >= '0' && host.data[digits] <= '9') {
        digits++;
    }
    return digits == host.size && digits != 0;
}

static const char *
endpoint_read_authority(endpoint_url *out, djp_text authority)
{
    for (size_t i = authority.size; i > 0; i--) {
        if (authority.data[i - 1] == '@') {
            out->user = (djp_text){authority.data, i};
            authority = (djp_text){authority.data + i, authority.size - i};
            break;
        }
    }
    if (authority.size != 0 && authority.data[0] == '[') {
        return endpoint_read_ipv6(out, authority);
    }
    djp_text port = endpoint_cut(&authority, ":");
    if (port.size > 1 && memchr(port.data + 1, ':', port.size - 1) != NULL) {
        return "a URL with its IPv6 address in brackets";
    }
    out->host = authority;
    if (!out->has_scheme &&
        (djp__text_equal_nocase(authority, "http") || djp__text_equal_nocase(authority, "https"))) {
        return "a URL with :// behind http or https";
    }
    if (endpoint_is_number(authority)) {
        return "an address: a number alone is no host, so write host:port";
    }
    return endpoint_host_is_valid(authority, "-._") ? endpoint_read_port(out, port)
                                                    : "a URL with a host";
}

/* Splits the text. Returns NULL, or the expected form. */
static const char *
endpoint_split(endpoint_url *out, djp_text text)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f || text.data[i] == '"' ||
            text.data[i] == '\\') {
            return "a URL without blanks and special characters";
        }
    }
    const char *colon = text.size == 0 ? NULL : strstr(text.data, "://");
    if (colon != NULL) {
        djp_text scheme = {text.data, (size_t)(colon - text.data)};
        out->has_scheme = 1;
        out->tls = djp__text_equal_nocase(scheme, "https");
        if (!out->tls && !djp__text_equal_nocase(scheme, "http")) {
            return "a URL that begins with http:// or https://";
        }
        text.size -= scheme.size + 3;
        text.data = colon + 3;
    }
    djp_text rest = endpoint_cut(&text, "/?#");
    endpoint_cut(&rest, "#");
    out->query = endpoint_cut(&rest, "?");
    out->path = rest;
    return endpoint_read_authority(out, text);
}

static int
endpoint_is_jaeger(const endpoint_url *url)
{
    return url->port == ENDPOINT_JAEGER_PORT || endpoint_ends_with(url->path, "/api/traces");
}

/* C4: a path or the HTTP port means HTTP, all else gRPC. */
static djp_protocol
endpoint_guess_protocol(const endpoint_url *url)
{
    return url->path.size > 1 || url->port == ENDPOINT_HTTP_PORT ? DJP_PROTOCOL_HTTP_PROTOBUF
                                                                 : DJP_PROTOCOL_GRPC;
}

/* A setting that is a word or a switch. */
static int
endpoint_number(const djp__config_state *state, djp__setting setting)
{
    return *(const int *)(const void *)((const char *)state->out +
                                        djp__config_table[setting].offset);
}

static int
endpoint_is_grpc(const djp__config_state *state, const endpoint_signal *signal)
{
    return endpoint_number(state, signal->protocol) == DJP_PROTOCOL_GRPC;
}

static void
endpoint_write_path(djp__buf *out, const endpoint_signal *signal, const endpoint_url *url,
                    int as_is)
{
    djp_text path = url->path;
    if (as_is) {
        djp__buf_append(out, path.size == 0 ? "/" : path.data, path.size == 0 ? 1 : path.size);
    } else {
        while (path.size != 0 && path.data[path.size - 1] == '/') {
            path.size--;
        }
        /* A complete URL of traces is a base for another signal. */
        if (endpoint_ends_with(path, signal->path)) {
            path.size -= strlen(signal->path);
        } else if (endpoint_ends_with(path, endpoint_traces.path)) {
            path.size -= strlen(endpoint_traces.path);
        }
        djp__buf_append(out, path.data, path.size);
        djp__buf_text(out, signal->path);
    }
    djp__buf_append(out, url->query.data, url->query.size);
}

static void
endpoint_write(djp__config_state *state, const endpoint_signal *signal, const endpoint_url *url,
               int as_is, const char *source)
{
    int grpc = endpoint_is_grpc(state, signal);
    int tls = url->has_scheme ? url->tls : grpc && !endpoint_number(state, signal->insecure);
    int port = url->port;
    if (port == 0 && (!url->has_scheme || (grpc && !tls))) {
        port = grpc ? ENDPOINT_GRPC_PORT : ENDPOINT_HTTP_PORT;
    }
    djp__buf text;
    djp__buf_init(&text, 0);
    djp__buf_text(&text, tls ? "https://" : "http://");
    djp__config_put_user(&text, url->user);
    djp__buf_append(&text, url->host.data, url->host.size);
    if (port != 0) {
        djp__buf_char(&text, ':');
        djp__buf_u64(&text, (uint64_t)port);
    }
    if (!grpc) {
        endpoint_write_path(&text, signal, url, as_is);
    }
    state->failed |= text.failed;
    if (!text.failed) {
        djp__config_set_text(state, signal->endpoint, (djp_text){text.data, text.size}, source);
    }
    djp__buf_fini(&text);
}

/* Jaeger's Thrift protocol no longer exists; current Jaeger versions accept OTLP on its usual
 * ports. */
static void
endpoint_rewrite_jaeger(djp__config_state *state, const endpoint_signal *signal, endpoint_url *url,
                        const djp__config_given *given, int protocol_given)
{
    url->path = (djp_text){"", 0};
    url->query = (djp_text){"", 0};
    if (!protocol_given) {
        djp__config_set_number(state, signal->protocol, DJP_PROTOCOL_GRPC, given->name);
    }
    url->port = endpoint_is_grpc(state, signal) ? ENDPOINT_GRPC_PORT : ENDPOINT_HTTP_PORT;
    djp__config_warn(state, given,
                     "%s names Jaeger's Thrift collector, which this SDK does not speak. Spans go "
                     "to the same host by OTLP on port "
                     "%d: set OTEL_EXPORTER_OTLP_ENDPOINT.",
                     given->name, url->port);
}

static void
endpoint_take(djp__config_state *state, const endpoint_signal *signal, endpoint_url *url,
              const djp__config_given *given, int protocol_given)
{
    if (endpoint_is_jaeger(url)) {
        endpoint_rewrite_jaeger(state, signal, url, given, protocol_given);
    } else if (!protocol_given) {
        djp__config_set_number(state, signal->protocol, (int)endpoint_guess_protocol(url),
                               given->name);
    }
    if (!url->has_scheme && !endpoint_is_grpc(state, signal)) {
        djp__config_warn(
            state, given,
            "%s has no scheme. It is taken as http://: write http:// or https:// in front of it.",
            given->name);
    }
    endpoint_write(state, signal, url, given->index == ENDPOINT_AS_IS_INDEX, given->name);
}

/* An exporter's name may include its protocol, which applies if no other is set. */
static int
endpoint_read_exporter_protocol(djp__config_state *state, const endpoint_signal *signal)
{
    djp__config_given given;
    size_t at = 0;
    while (djp__config_next(&given, state, signal->exporter, &at)) {
        djp_text rest = djp__text(given.text), word;
        while (djp__text_split(&word, &rest, ',')) {
            int protocol = djp__config_otlp_protocol(djp__text_trim(word));
            if (protocol >= 0) {
                djp__config_set_number(state, signal->protocol, protocol, given.name);
                return 1;
            }
        }
    }
    return 0;
}

static int
endpoint_is_this_machine(const endpoint_url *url)
{
    static const char *const names[] = {
        "localhost", "[::1]", "0.0.0.0", "[::]", "host.docker.internal", NULL};
    static const djp_text loopback = {"127.", 4};
    for (size_t i = 0; names[i] != NULL; i++) {
        if (djp__text_equal_nocase(url->host, names[i])) {
            return 1;
        }
    }
    return endpoint_ends_with(url->host, ".localhost") ||
           (url->host.size > 4 && endpoint_host_is_valid(url->host, ".") &&
            memcmp(url->host.data, loopback.data, 4) == 0 &&
            strspn(url->host.data, "0123456789.") >= url->host.size);
}

/* A Collector in a shared environment does not apply to a developer's machine; a setting for this
 * SDK does. */
static int
endpoint_is_refused_in_dev(djp__config_state *state, const endpoint_signal *signal,
                           const endpoint_url *url, const djp__config_given *given)
{
    djp_backend backend = state->out->backend;
    if (given->index < DJP_GIVEN_SOURCE || strcmp(state->out->environment_short, "dev") != 0 ||
        (backend != signal->backend && backend != DJP_BACKEND_HYBRID) ||
        endpoint_is_this_machine(url)) {
        return 0;
    }
    char option[DJP_CONFIG_NAME_MAX], variable[DJP_CONFIG_NAME_MAX];
    djp__config_option_name(option, state, signal->endpoint);
    djp__config_own_name(variable, signal->endpoint);
    djp__config_warn(state, given,
                     "%s names another machine, and the environment is %.60s (%s), where %s "
                     "stay on this one. It is "
                     "ignored, as if it were not set: give %s or the option %s "
                     "to send there all "
                     "the same, or name another environment.",
                     given->name, state->out->environment, state->sources[DJP_SETTING_ENVIRONMENT],
                     signal->items, variable, option);
    return 1;
}

/* Without the text, which may hold a password. */
static void
endpoint_warn(djp__config_state *state, const djp__config_given *given, const char *wanted)
{
    djp__config_warn(state, given,
                     "%s is not %s. It is ignored, as if it were not set: correct or remove it.",
                     given->name, wanted);
}

/* Takes the endpoint of a source. Returns 0 if it cannot be used. */
static int
endpoint_try(djp__config_state *state, const endpoint_signal *signal,
             const djp__config_given *given, int protocol_given)
{
    endpoint_url url;
    const char *wanted = endpoint_split(&url, djp__text(given->text));
    if (wanted == NULL && !endpoint_is_refused_in_dev(state, signal, &url, given)) {
        endpoint_take(state, signal, &url, given, protocol_given);
        return 1;
    }
    if (wanted != NULL) {
        endpoint_warn(state, given, wanted);
    }
    return 0;
}

static void
endpoint_set_default(djp__config_state *state, const endpoint_signal *signal)
{
    endpoint_url url;
    if (!endpoint_is_grpc(state, signal)) {
        endpoint_split(&url, djp__text("http://localhost:4318"));
        endpoint_write(state, signal, &url, 0, "default");
    }
}

void
djp__config_rule_endpoint(djp__config_state *state)
{
    djp__config_given given;
    size_t at = 0;
    int protocol_given = djp__config_read(state, DJP_SETTING_PROTOCOL) ||
                         endpoint_read_exporter_protocol(state, &endpoint_traces);
    while (djp__config_next(&given, state, DJP_SETTING_ENDPOINT, &at)) {
        if (endpoint_try(state, &endpoint_traces, &given, protocol_given)) {
            return;
        }
    }
    endpoint_set_default(state, &endpoint_traces);
}

/* The first valid protocol for metrics. */
static int
endpoint_read_metrics_protocol(djp__config_state *state)
{
    djp__config_given given;
    size_t at = 0;
    djp_config_warn warn = state->warn;
    int found = 0, taken = 0;
    while (!taken &&
           (found = djp__config_next_of_metrics(&given, state, DJP_SETTING_METRICS_PROTOCOL,
                                                DJP_SETTING_PROTOCOL, &at))) {
        state->warn = found == 2 ? NULL : warn;
        taken = djp__config_store(state, DJP_SETTING_METRICS_PROTOCOL, &given);
        state->warn = warn;
    }
    return taken || endpoint_read_exporter_protocol(state, &endpoint_metrics);
}

/* An endpoint for metrics makes OTLP their exporter, if none is named. */
static int
endpoint_chooses_otlp(const djp__config_state *state, int is_own)
{
    return is_own && strcmp(state->sources[DJP_SETTING_METRICS_EXPORTER], "default") == 0;
}

void
djp__config_rule_metrics_endpoint(djp__config_state *state)
{
    djp__config_given given;
    size_t at = 0;
    djp_config_warn warn = state->warn;
    int found, protocol_given = endpoint_read_metrics_protocol(state), taken = 0;
    while (!taken &&
           (found = djp__config_next_of_metrics(&given, state, DJP_SETTING_METRICS_ENDPOINT,
                                                DJP_SETTING_ENDPOINT, &at))) {
        int chooses = endpoint_chooses_otlp(state, found == 1);
        unsigned named = state->out->metrics_further_exporters | 1u << state->out->metrics_exporter;
        int is_used = chooses || (named & 1u << DJP_EXPORTER_OTLP) != 0;
        state->warn = found == 2 || !is_used ? NULL : warn;
        taken = endpoint_try(state, &endpoint_metrics, &given, protocol_given);
        if (taken && chooses) {
            djp__config_set_number(state, DJP_SETTING_METRICS_EXPORTER, DJP_EXPORTER_OTLP,
                                   given.name);
        }
        state->warn = warn;
    }
    if (!taken) {
        endpoint_set_default(state, &endpoint_metrics);
    }
}

int
djp__config_store_sampling_url(djp__config_state *state, const djp__config_given *given)
{
    endpoint_url url;
    const char *wanted = endpoint_split(&url, djp__text(given->text));
    if (wanted != NULL) {
        endpoint_warn(state, given, wanted);
        return 0;
    }
    if (url.port == ENDPOINT_SAMPLING_GRPC_PORT) {
        url.port = ENDPOINT_SAMPLING_PORT;
        url.path = url.query = (djp_text){"", 0};
        djp__config_warn(state, given,
                         "%s names the port of the gRPC form of remote sampling, which this SDK "
                         "does not speak. The same "
                         "host is asked by HTTP on port %d: name the server's HTTP address.",
                         given->name, url.port);
    }
    djp__buf text;
    djp__buf_init(&text, 0);
    djp__buf_text(&text, url.tls ? "https://" : "http://");
    djp__config_put_user(&text, url.user);
    djp__buf_append(&text, url.host.data, url.host.size);
    if (url.port != 0 || !url.has_scheme) {
        djp__buf_char(&text, ':');
        djp__buf_u64(&text, (uint64_t)(url.port != 0 ? url.port : ENDPOINT_SAMPLING_PORT));
    }
    djp__buf_append(&text, url.path.size > 1 ? url.path.data : "/sampling",
                    url.path.size > 1 ? url.path.size : 9);
    djp__buf_append(&text, url.query.data, url.query.size);
    state->failed |= text.failed;
    if (!text.failed) {
        djp__config_set_text(state, DJP_SETTING_REMOTE_SAMPLING_ENDPOINT,
                             (djp_text){text.data, text.size}, given->name);
    }
    djp__buf_fini(&text);
    return 1;
}
