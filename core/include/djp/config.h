/* Configuration: one table resolves every variable, alias and conflict the same way
 * in every language. Nothing here reads the environment: the binding hands in a
 * look-up function and its programmatic options as text. */
#ifndef DJP_CONFIG_H
#define DJP_CONFIG_H

#include "djp/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the variable's value (borrowed until the next call) or NULL when unset. */
typedef const char *(*djp_config_lookup)(void *user, const char *name);

/* One programmatic option under its keyword ("sample_ratio"), as text in the form
 * the variable would have. Both borrowed. */
typedef struct djp_config_override {
    const char *keyword;
    const char *value; /* NULL: not given */
} djp_config_override;

/* Gets one complete English sentence per problem: what was wrong, the effect, what
 * to do. Borrowed for the call. */
typedef void (*djp_config_warn)(void *user, const char *message);

/* How the reader of messages writes the names of options. */
typedef enum djp_letter_case { DJP_SNAKE_CASE, DJP_CAMEL_CASE } djp_letter_case;

typedef enum djp_backend {
    DJP_BACKEND_NOOP,
    DJP_BACKEND_PROM,
    DJP_BACKEND_OTEL,
    DJP_BACKEND_HYBRID
} djp_backend;
typedef enum djp_exporter {
    DJP_EXPORTER_NONE,
    DJP_EXPORTER_CONSOLE,
    DJP_EXPORTER_OTLP,
    DJP_EXPORTER_FILE, /* OTLP JSON lines */
    DJP_EXPORTER_MEMORY /* kept in the process, for tests: djp_sdk_take_exported */
} djp_exporter;
typedef enum djp_protocol {
    DJP_PROTOCOL_GRPC,
    DJP_PROTOCOL_HTTP_PROTOBUF,
    DJP_PROTOCOL_HTTP_JSON
} djp_protocol;
typedef enum djp_sampler_kind {
    DJP_SAMPLER_ALWAYS_ON,
    DJP_SAMPLER_ALWAYS_OFF,
    DJP_SAMPLER_RATIO,
    DJP_SAMPLER_TREE, /* sampler_text says how */
    /* the ratio counts until a sampling server has answered */
    DJP_SAMPLER_JAEGER_REMOTE
} djp_sampler_kind;
typedef enum djp_console_format {
    DJP_CONSOLE_AUTO,
    DJP_CONSOLE_JSON,
    DJP_CONSOLE_PRETTY
} djp_console_format;
typedef enum djp_semconv {
    DJP_SEMCONV_OLD,
    DJP_SEMCONV_STABLE,
    DJP_SEMCONV_BOTH
} djp_semconv;

/* The resolved settings. All text is owned by the structure, never NULL unless said
 * so, UTF-8, NUL-terminated. */
typedef struct djp_options {
    /* switch */
    int enabled;
    djp_backend backend;
    /* resource */
    char *service_name;
    char *service_namespace; /* "" when unset */
    char *service_version; /* "" when unset */
    /* the user's own word: deployment.environment.name; "" when unset */
    char *environment;
    char *environment_short; /* dev, staging, prod, or the user's word: env */
    /* percent-encoded k=v,k=v, valid, each key once, without the four keys that have
     * a field above; "" when none */
    char *resource_attributes;
    /* traces */
    djp_exporter exporter;
    djp_sampler_kind sampler;
    /* of DJP_SAMPLER_TREE, as djp_sampler_parse reads it; else "" */
    char *sampler_text;
    int parent_based;
    double sample_ratio; /* 0..1; explicit 0 means that nothing leaves the process */
    /* 1: an environment other than dev, and spans go to the console only because no
     * endpoint is set */
    int console_unasked;
    int sample_ratio_explicit; /* 1 with a ratio of 0: nothing leaves the process */
    double canary_ratio; /* part of the local traces that is recorded at all */
    /* complete URL but for the service; in use with DJP_SAMPLER_JAEGER_REMOTE only */
    char *sampling_endpoint;
    uint64_t sampling_interval_ns;
    char *overrides_file; /* "": none is watched */
    /* the ratio is steered towards these; 0: no such target */
    uint64_t target_spans_per_second;
    uint64_t target_bytes_per_second;
    /* most spans a second that the process keeps; 0: no limit */
    uint64_t span_rate_limit;
    double budget_per_month; /* in the unit of the prices; 0: no budget */
    double price_per_gb, price_per_million_spans, price_per_thousand_series;
    char *budget_file; /* "": every process has its own account */
    uint64_t slow_threshold_ns; /* 0: the slow rule is off */
    int sample_errors;
    char *tail_sampling_rules; /* "" when none; as djp_tail_rules_parse reads it */
    /* OTLP for traces */
    djp_protocol protocol;
    char *endpoint; /* complete URL for HTTP (with path), scheme://host:port for gRPC */
    /* percent-decoded "Name: value" lines joined by "\n"; secret, never logged */
    char *headers;
    uint64_t export_timeout_ns; /* one attempt of an export; 0: no limit */
    int compress; /* 1: gzip */
    int insecure; /* as given; already applied: endpoint always has a scheme */
    char *certificate; /* PEM path or "" */
    /* PEM path of more authorities, or ""; NULL counts as "" */
    char *extra_certificate;
    char *client_key;
    char *client_certificate;
    /* for http:// endpoints; secret, may hold a password; NULL counts as "" */
    char *http_proxy;
    char *https_proxy; /* for https:// endpoints; the same */
    char *no_proxy; /* hosts that are reached without one; loopback always is */
    char *file_path; /* file exporter; "" or "-" is standard output */
    uint64_t max_request_bytes; /* 64 MiB */
    uint64_t max_response_bytes; /* 4 MiB */
    /* pipeline */
    uint64_t ring_bytes; /* power of two, 64 KiB .. 1 GiB */
    /* how long an ended span waits at most before it is sent */
    uint64_t flush_interval_ns;
    uint64_t max_batch_spans; /* spans in one request at most */
    uint64_t export_concurrency; /* OTLP requests on their way at once, at most */
    uint64_t shutdown_timeout_ns; /* used by exit hooks; 1 s by default */
    /* memory for local traces that are not decided yet */
    uint64_t decision_buffer_bytes;
    /* a root that is open for longer is not waited for; 0: no limit */
    uint64_t decision_wait_ns;
    /* span limits; UINT32_MAX means no limit */
    uint32_t attribute_count_limit;
    uint32_t attribute_value_length_limit; /* characters for text, bytes for bytes */
    uint32_t event_count_limit;
    uint32_t link_count_limit;
    uint32_t event_attribute_count_limit;
    uint32_t link_attribute_count_limit;
    /* metrics */
    int metrics_enabled;
    int prometheus_port; /* 0: no listener of our own */
    char *prometheus_host; /* 127.0.0.1 by default */
    uint32_t cardinality_limit; /* series per family, 2000 */
    int status_class; /* C12: 1 = 2xx, 4xx, 5xx instead of exact codes */
    int label_style_path; /* C11: 1 = method, path, status with service */
    int sdk_metrics; /* 1: the SDK's own numbers as otel.sdk.*, too */
    /* instrumentation */
    djp_semconv semconv;
    /* auto: pretty where standard output is a terminal */
    djp_console_format console_format;
    char *excluded_paths; /* comma list of exact paths or prefixes ending in '*' */
    char *propagators; /* normalised comma list: "tracecontext,baggage" */
    char *known_methods; /* comma list of upper-case HTTP methods */
    /* behaviour */
    int log_level; /* own messages: 0 none, 1 error, 2 warn, 3 info, 4 debug */
    int handle_sigterm; /* flush on SIGTERM when nobody else handles it */
    int log_correlation; /* install the log filter in init (otel and hybrid) */
    /* {"setting":{"value":..,"source":..},..} as JSON text; secrets are replaced by
     * "[set]" */
    char *report_json;
    /* who gave the endpoint: "OTEL_ENDPOINT", "option endpoint", "default" */
    char *endpoint_source;
    char *enabled_source; /* who switched telemetry on or off */
    /* one sentence: what is on, where it goes, at what ratio and why; "" while
     * nothing is on */
    char *summary;
} djp_options;

/* What a resolution starts from. All is borrowed for the call; zeros are good
 * everywhere. */
typedef struct djp_config_request {
    djp_config_lookup lookup;
    void *lookup_user;
    /* Names of the variables that are set, so that misspelled ones are noticed;
     * NULL: nobody looks. Others than DJP_TELEMETRY_, OTEL_ and TELEMETRY_ may be
     * left out. */
    const char *const *variables;
    size_t variable_count;
    const djp_config_override *overrides;
    size_t override_count;
    const char *default_service_name;
    djp_letter_case spelling;
    djp_config_warn warn;
    void *warn_user;
} djp_config_request;
#define DJP_CONFIG_REQUEST_INIT \
    {                           \
        0                       \
    }

/* Resolves all settings. Returns DJP_ENOMEM or 0; on 0 the caller frees out with
 * djp_options_fini. Bad values never fail: default plus one warning each.
 * Thread-safe when look-up is. */
int djp_config_resolve_request(djp_options *out, const djp_config_request *request);

/* The same with single arguments. Never fails on bad values: default plus one
 * warning each. Returns DJP_ENOMEM or 0; on 0 the caller frees out with
 * djp_options_fini. warn may be NULL. Thread-safe when look-up is. */
int djp_config_resolve(djp_options *out, djp_config_lookup lookup, void *lookup_user,
                       const djp_config_override *overrides, size_t override_count,
                       const char *default_service_name, djp_config_warn warn,
                       void *warn_user);
void djp_options_fini(djp_options *options);
int djp_options_copy(djp_options *out, const djp_options *from);

/* The keywords that overrides may use, a NULL-terminated static array. */
const char *const *djp_config_keywords(void);

#ifdef __cplusplus
}
#endif
#endif
