/* Configuration. One table defines how variables, aliases and conflicts resolve, the
 * same in every language. These functions do not read the environment: the language
 * binding passes a look-up function, and its programmatic options as text. */
#ifndef DJP_CONFIG_H
#define DJP_CONFIG_H

#include "djp/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the value of a variable, or NULL when it is unset. The result is borrowed
 * until the next call. */
typedef const char *(*djp_config_lookup)(void *user, const char *name);

/* One programmatic option: its keyword ("sample_ratio") and its value as text, in the
 * form that the variable uses. Both are borrowed. */
typedef struct djp_config_override {
    const char *keyword;
    const char *value; /* NULL: not given */
} djp_config_override;

/* Receives one English sentence per problem: the problem, its effect and the remedy.
 * message is borrowed for the call. */
typedef void (*djp_config_warn)(void *user, const char *message);

/* Spelling of option names in messages. */
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
    DJP_EXPORTER_MEMORY, /* in-process buffer for tests: djp_sdk_take_exported */
    DJP_EXPORTER_PROMETHEUS /* metrics only: scraped, nothing is sent */
} djp_exporter;
/* What the sums and histograms of an export are since. */
typedef enum djp_temporality {
    DJP_TEMPORALITY_CUMULATIVE, /* since the start */
    DJP_TEMPORALITY_DELTA, /* since the export before */
    DJP_TEMPORALITY_LOW_MEMORY /* as delta; the process metrics since the start */
} djp_temporality;
typedef enum djp_protocol {
    DJP_PROTOCOL_GRPC,
    DJP_PROTOCOL_HTTP_PROTOBUF,
    DJP_PROTOCOL_HTTP_JSON
} djp_protocol;
typedef enum djp_sampler_kind {
    DJP_SAMPLER_ALWAYS_ON,
    DJP_SAMPLER_ALWAYS_OFF,
    DJP_SAMPLER_RATIO,
    DJP_SAMPLER_TREE, /* defined by sampler_text */
    /* the ratio applies until a sampling server has responded */
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

/* The resolved settings. All text is NUL-terminated UTF-8, owned by the structure, and
 * not NULL unless noted. */
typedef struct djp_options {
    /* switch */
    int enabled;
    djp_backend backend;
    /* resource */
    char *service_name;
    char *service_namespace; /* "" when unset */
    char *service_version; /* "" when unset */
    /* deployment.environment.name as configured; "" when unset */
    char *environment;
    /* dev, staging, prod, or the configured name; the label env */
    char *environment_short;
    /* percent-encoded k=v,k=v; validated, each key once, without the four keys that
     * have a field above; "" when none */
    char *resource_attributes;
    /* traces */
    djp_exporter exporter; /* the first one; DJP_EXPORTER_OTLP if it is among several */
    /* others that get the same spans: bits 1 << djp_exporter */
    unsigned further_exporters;
    djp_sampler_kind sampler;
    /* for DJP_SAMPLER_TREE, in the syntax of djp_sampler_parse; else "" */
    char *sampler_text;
    int parent_based;
    double sample_ratio; /* 0 .. 1; an explicit 0 exports nothing */
    /* 1: the environment is not dev, and spans go to the console only because no
     * endpoint is set */
    int console_unasked;
    /* 1: the ratio was set; with a ratio of 0 nothing is exported */
    int sample_ratio_explicit;
    double canary_ratio; /* share of local traces recorded, 0 .. 1 */
    /* URL without the service name; used only with DJP_SAMPLER_JAEGER_REMOTE */
    char *sampling_endpoint;
    uint64_t sampling_interval_ns;
    char *overrides_file; /* "": no file is watched */
    /* the ratio is adjusted to meet these targets; 0: no target */
    uint64_t target_spans_per_second;
    uint64_t target_bytes_per_second;
    /* limit of sampled spans per second for the process; 0: none */
    uint64_t span_rate_limit;
    double budget_per_month; /* in the currency of the prices; 0: no budget */
    double price_per_gb, price_per_million_spans, price_per_thousand_series;
    char *budget_file; /* "": each process has a separate account */
    uint64_t slow_threshold_ns; /* 0: slow traces are not selected */
    int sample_errors;
    char *tail_sampling_rules; /* "" when none; in the syntax of djp_tail_rules_parse */
    /* OTLP for traces */
    djp_protocol protocol;
    char *endpoint; /* HTTP: complete URL with path; gRPC: scheme://host:port */
    /* percent-decoded "Name: value" lines joined by "\n"; secret, never logged */
    char *headers;
    uint64_t export_timeout_ns; /* of one export attempt; 0: none */
    int compress; /* 1: gzip */
    int insecure; /* as configured; already applied: endpoint always has a scheme */
    char *certificate; /* PEM path or "" */
    /* PEM path of additional authorities, or ""; NULL counts as "" */
    char *extra_certificate;
    char *client_key;
    char *client_certificate;
    /* for http:// endpoints; secret, may contain a password; NULL counts as "" */
    char *http_proxy;
    char *https_proxy; /* for https:// endpoints; the same */
    char *no_proxy; /* hosts reached without a proxy; loopback always is */
    char *file_path; /* file exporter; "" or "-": standard output */
    uint64_t max_request_bytes; /* default 64 MiB */
    uint64_t max_response_bytes; /* default 4 MiB */
    /* pipeline */
    uint64_t ring_bytes; /* power of two, 64 KiB .. 1 GiB */
    /* longest time that an ended span waits in the queue */
    uint64_t flush_interval_ns;
    uint64_t max_batch_spans; /* limit of spans per request */
    uint64_t export_concurrency; /* limit of concurrent OTLP requests */
    uint64_t shutdown_timeout_ns; /* used by exit hooks; default 1 s */
    /* memory for local traces that wait for their decision */
    uint64_t decision_buffer_bytes;
    /* longest wait for the end of a local root; 0: no limit */
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
    int prometheus_port; /* 0: the SDK opens no Prometheus endpoint */
    char *prometheus_host; /* default 127.0.0.1 */
    char *prometheus_token; /* "": the Prometheus endpoint needs no token */
    uint32_t cardinality_limit; /* series per family; default 2000 */
    char *shared_dir; /* "": metrics are not shared by a directory */
    int share_with_children; /* default 1 */
    int exemplar_filter; /* a djp_exemplar_filter of djp/metrics.h */
    int exponential_histograms; /* 1: histograms keep exponential buckets, too */
    int status_class; /* 1: 2xx, 4xx, 5xx instead of exact codes */
    int label_style_path; /* 1: labels method, path, status and service */
    int runtime_metrics; /* 1: event loop, heap and garbage collection */
    int sdk_metrics; /* 1: also export the SDK's metrics as otel.sdk.* */
    /* export of metrics; as the members for traces with the same names */
    djp_exporter metrics_exporter;
    unsigned metrics_further_exporters;
    uint64_t metrics_interval_ns; /* between two exports */
    djp_temporality metrics_temporality;
    djp_protocol metrics_protocol;
    char *metrics_endpoint;
    char *metrics_headers; /* secret */
    uint64_t metrics_timeout_ns;
    int metrics_compress;
    int metrics_insecure;
    char *metrics_certificate;
    char *metrics_client_key;
    char *metrics_client_certificate;
    char *metrics_file_path;
    /* instrumentation */
    djp_semconv semconv;
    /* auto: pretty when standard output is a terminal */
    djp_console_format console_format;
    char *excluded_paths; /* comma-separated exact paths, or prefixes ending in '*' */
    char *propagators; /* normalised, comma-separated: "tracecontext,baggage" */
    char *known_methods; /* comma-separated upper-case HTTP methods */
    /* baggage entries that become span attributes: comma-separated keys, or prefixes
     * ending in '*' */
    char *baggage_attributes;
    /* behaviour */
    int log_level; /* of the SDK's messages: 0 none, 1 error, 2 warn, 3 info, 4 debug */
    int handle_sigterm; /* flush on SIGTERM if the application has no handler */
    int log_correlation; /* init installs the log filter (otel and hybrid) */
    /* JSON text {"setting":{"value":..,"source":..},..}; secrets are replaced by
     * "[set]" */
    char *report_json;
    /* source of the endpoint: "OTEL_ENDPOINT", "option endpoint", "default" */
    char *endpoint_source;
    char *enabled_source; /* source of the setting enabled */
    /* one sentence: the active signals, their destination, the ratio and its reason; ""
     * when telemetry is off */
    char *summary;
} djp_options;

/* Input of a resolution, borrowed for the call. Zero is a valid value of each
 * member. */
typedef struct djp_config_request {
    djp_config_lookup lookup;
    void *lookup_user;
    /* Names of the variables that are set, to detect misspelled ones; NULL: no check.
     * Names that do not start with DJP_TELEMETRY_, OTEL_ or TELEMETRY_ may be left
     * out. */
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

/* Resolves all settings. An invalid value is not an error: it is replaced by the
 * default, with one warning. Returns 0, then the caller releases out with
 * djp_options_fini, or DJP_ENOMEM. Thread-safe if lookup is. */
int djp_config_resolve_request(djp_options *out, const djp_config_request *request);

/* djp_config_resolve_request with separate arguments; warn may be NULL. */
int djp_config_resolve(djp_options *out, djp_config_lookup lookup, void *lookup_user,
                       const djp_config_override *overrides, size_t override_count,
                       const char *default_service_name, djp_config_warn warn,
                       void *warn_user);
/* Frees the texts and zeroes the structure. Accepts NULL. */
void djp_options_fini(djp_options *options);
/* Copies all texts; the caller releases out with djp_options_fini. Returns 0, or
 * DJP_ENOMEM and zeroes out. */
int djp_options_copy(djp_options *out, const djp_options *from);

/* The valid keywords of overrides: a static array that ends with NULL. */
const char *const *djp_config_keywords(void);

#ifdef __cplusplus
}
#endif
#endif
