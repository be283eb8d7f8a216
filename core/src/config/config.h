/* The table of settings and the state of one resolution. Only the table names variables; rules
 * refer to settings by id. Reading the environment and logging are functions of the caller. */
#ifndef DJP_CONFIG_CONFIG_H
#define DJP_CONFIG_CONFIG_H

#include "base/buf.h"
#include "base/mem.h"
#include "djp/config.h"

/* Id and option name, in the order of the report. */
#define DJP__SETTING_MAP(X)                                         \
    X(ENABLED, "enabled")                                           \
    X(BACKEND, "backend")                                           \
    X(SERVICE_NAME, "service_name")                                 \
    X(SERVICE_NAMESPACE, "service_namespace")                       \
    X(SERVICE_VERSION, "service_version")                           \
    X(ENVIRONMENT, "environment")                                   \
    X(RESOURCE_ATTRIBUTES, "resource_attributes")                   \
    X(EXPORTER, "exporter")                                         \
    X(SAMPLER, "sampler")                                           \
    X(PARENT_BASED, "parent_based")                                 \
    X(SAMPLE_RATIO, "sample_ratio")                                 \
    X(CANARY_RATIO, "canary_ratio")                                 \
    X(REMOTE_SAMPLING_ENDPOINT, "remote_sampling_endpoint")         \
    X(REMOTE_SAMPLING_INTERVAL, "remote_sampling_interval")         \
    X(OVERRIDES_FILE, "overrides_file")                             \
    X(TARGET_SPANS, "target_spans_per_second")                      \
    X(TARGET_BYTES, "target_bytes_per_second")                      \
    X(SPAN_RATE_LIMIT, "span_rate_limit")                           \
    X(BUDGET, "budget_per_month")                                   \
    X(PRICE_GB, "price_per_gb")                                     \
    X(PRICE_SPANS, "price_per_million_spans")                       \
    X(PRICE_SERIES, "price_per_thousand_series")                    \
    X(BUDGET_FILE, "budget_file")                                   \
    X(SLOW_THRESHOLD, "slow_threshold")                             \
    X(SAMPLE_ERRORS, "sample_errors")                               \
    X(TAIL_SAMPLING_RULES, "tail_sampling_rules")                   \
    X(ENDPOINT, "endpoint")                                         \
    X(PROTOCOL, "protocol")                                         \
    X(HEADERS, "headers")                                           \
    X(EXPORT_TIMEOUT, "export_timeout")                             \
    X(COMPRESSION, "compression")                                   \
    X(INSECURE, "insecure")                                         \
    X(CERTIFICATE, "certificate")                                   \
    X(EXTRA_CERTIFICATE, "extra_certificate")                       \
    X(CLIENT_KEY, "client_key")                                     \
    X(CLIENT_CERTIFICATE, "client_certificate")                     \
    X(HTTP_PROXY, "http_proxy")                                     \
    X(HTTPS_PROXY, "https_proxy")                                   \
    X(NO_PROXY, "no_proxy")                                         \
    X(FILE_PATH, "file_path")                                       \
    X(CONSOLE_FORMAT, "console_format")                             \
    X(MAX_REQUEST_BYTES, "max_request_bytes")                       \
    X(MAX_RESPONSE_BYTES, "max_response_bytes")                     \
    X(RING_BYTES, "ring_bytes")                                     \
    X(FLUSH_INTERVAL, "flush_interval")                             \
    X(MAX_BATCH_SPANS, "max_batch_spans")                           \
    X(EXPORT_CONCURRENCY, "export_concurrency")                     \
    X(SHUTDOWN_TIMEOUT, "shutdown_timeout")                         \
    X(DECISION_BUFFER_BYTES, "decision_buffer_bytes")               \
    X(DECISION_WAIT, "decision_wait")                               \
    X(ATTRIBUTE_COUNT_LIMIT, "attribute_count_limit")               \
    X(ATTRIBUTE_VALUE_LENGTH_LIMIT, "attribute_value_length_limit") \
    X(EVENT_COUNT_LIMIT, "event_count_limit")                       \
    X(LINK_COUNT_LIMIT, "link_count_limit")                         \
    X(EVENT_ATTRIBUTE_COUNT_LIMIT, "event_attribute_count_limit")   \
    X(LINK_ATTRIBUTE_COUNT_LIMIT, "link_attribute_count_limit")     \
    X(METRICS, "metrics_enabled")                                   \
    X(METRICS_EXPORTER, "metrics_exporter")                         \
    X(METRICS_INTERVAL, "metric_export_interval")                   \
    X(METRICS_TEMPORALITY, "metrics_temporality")                   \
    X(METRICS_ENDPOINT, "metrics_endpoint")                         \
    X(METRICS_PROTOCOL, "metrics_protocol")                         \
    X(METRICS_HEADERS, "metrics_headers")                           \
    X(METRICS_TIMEOUT, "metric_export_timeout")                     \
    X(METRICS_COMPRESSION, "metrics_compression")                   \
    X(METRICS_INSECURE, "metrics_insecure")                         \
    X(METRICS_CERTIFICATE, "metrics_certificate")                   \
    X(METRICS_CLIENT_KEY, "metrics_client_key")                     \
    X(METRICS_CLIENT_CERTIFICATE, "metrics_client_certificate")     \
    X(METRICS_FILE_PATH, "metrics_file_path")                       \
    X(PROMETHEUS_PORT, "prometheus_port")                           \
    X(PROMETHEUS_HOST, "prometheus_host")                           \
    X(PROMETHEUS_TOKEN, "prometheus_token")                         \
    X(CARDINALITY_LIMIT, "cardinality_limit")                       \
    X(SHARED_DIR, "shared_dir")                                     \
    X(SHARE_WITH_CHILDREN, "share_with_children")                   \
    X(HISTOGRAM_AGGREGATION, "histogram_aggregation")               \
    X(EXEMPLAR_FILTER, "exemplar_filter")                           \
    X(STATUS_CLASS, "status_class")                                 \
    X(LABEL_STYLE, "label_style")                                   \
    X(RUNTIME_METRICS, "runtime_metrics")                           \
    X(SDK_METRICS, "sdk_metrics")                                   \
    X(SEMCONV, "semconv")                                           \
    X(EXCLUDED_PATHS, "excluded_paths")                             \
    X(PROPAGATORS, "propagators")                                   \
    X(KNOWN_METHODS, "known_methods")                               \
    X(BAGGAGE_ATTRIBUTES, "baggage_attributes")                     \
    X(LOG_LEVEL, "log_level")                                       \
    X(HANDLE_SIGTERM, "handle_sigterm")                             \
    X(LOG_CORRELATION, "log_correlation")

typedef enum djp__setting {
#define DJP__SETTING_ENUM(id, name) DJP_SETTING_##id,
    DJP__SETTING_MAP(DJP__SETTING_ENUM)
#undef DJP__SETTING_ENUM
        DJP_SETTINGS
} djp__setting;

/* The syntax of a source's text. The form of a row is that of its option and defines the type of
 * its field. */
typedef enum djp__form {
    DJP_FORM_BOOL, /* int; 1 true yes on, 0 false no off, any case */
    DJP_FORM_TRUE, /* int; true or false, any case; other text counts as false, with a warning */
    DJP_FORM_SECONDS, /* uint64_t nanoseconds */
    DJP_FORM_MILLISECONDS, /* the same from milliseconds */
    DJP_FORM_COUNT, /* uint32_t; a maximum of UINT32_MAX means no limit */
    DJP_FORM_PORT, /* int, 0 .. 65535 */
    DJP_FORM_SIZE, /* uint64_t */
    DJP_FORM_SPANS, /* uint64_t bytes for that many spans of DJP_CONFIG_SPAN_BYTES */
    DJP_FORM_RATIO, /* double */
    DJP_FORM_WORD, /* int */
    DJP_FORM_TEXT, /* char * */
    DJP_FORM_ATTRIBUTE /* text: an attribute of OTEL_RESOURCE_ATTRIBUTES */
} djp__form;

#define DJP__CONFIG_OWN_PREFIX "DJP_TELEMETRY_"

enum {
    DJP__EXPORTERS = DJP_EXPORTER_PROMETHEUS + 1,
    DJP_CONFIG_SPAN_BYTES = 1024,
    DJP_CONFIG_SOURCES_MAX = 7,
    DJP_CONFIG_VALUE_MAX = 32768,
    DJP_CONFIG_NAME_MAX = 96
};

typedef struct djp__config_source {
    const char *variable; /* NULL ends the list */
    djp__form form;
} djp__config_source;

typedef struct djp__config_word {
    /* NULL ends the list; the report shows the first word of a value */
    const char *text;
    int value;
} djp__config_word;

typedef struct djp__config_row {
    size_t offset; /* of the field in djp_options */
    djp__form form;
    int ruled; /* 1: a rule reads it; 0: the first valid source applies */
    int secret; /* 1: never shown */
    double minimum; /* for numbers, in the unit of the option */
    double maximum;
    const djp__config_word *words;
    const char *standard; /* the default, in the form of the option */
    const char *attributes; /* comma-separated resource attributes that also set it; NULL: none */
    /* of a number; of a text its kind: file, list, pairs, headers, URL or sampler; NULL: none */
    const char *unit;
    const char *doc;
    /* in order of precedence, below this SDK's variable */
    djp__config_source sources[DJP_CONFIG_SOURCES_MAX];
} djp__config_row;

extern const djp__config_row djp__config_table[DJP_SETTINGS];
const char *djp__config_name(djp__setting setting); /* the option */
/* The SDK's variable of a setting: DJP_TELEMETRY_ and the option in capitals. */
void djp__config_own_name(char out[DJP_CONFIG_NAME_MAX], djp__setting setting);

typedef struct djp__config_attribute {
    djp_text key; /* both decoded, in the arena */
    djp_text value;
} djp__config_attribute;

typedef struct djp__config_attributes {
    djp__config_attribute *items; /* in the arena */
    size_t count;
} djp__config_attributes;

/* The parsed text of a sampler. */
typedef struct djp__config_sampler {
    int is_ratio; /* 1: only a ratio, with or without a parent */
    int parent_based; /* 1: the parent's decision has priority */
    double ratio;
    char *text; /* in canonical form; owned by the caller */
    size_t error_at; /* of an invalid text: the position, and the expected token */
    const char *expected;
} djp__config_sampler;

/* Parsers of texts whose grammar belongs to sampling. */
typedef struct djp__config_parsers {
    /* Returns 0, or DJP_EINVAL with error_at and expected, or DJP_ENOMEM; text is NULL then. Fills
     * out in every case. */
    int (*sampler)(djp__config_sampler *out, djp_text text);
    /* Returns the number of valid rules, and calls bad for each other one with its text and the
     * reason, as the end of a sentence. */
    size_t (*tail_rules)(djp_text text, void (*bad)(void *user, djp_text rule, const char *why),
                         void *user);
} djp__config_parsers;

/* As djp_config_resolve_request; borrows parsers. */
int djp__config_resolve(djp_options *out, const djp_config_request *request,
                        const djp__config_parsers *parsers);

typedef struct djp__config_state {
    djp_options *out;
    const djp__config_parsers *parsers;
    djp_config_lookup lookup;
    void *lookup_user;
    const djp_config_override *overrides;
    size_t override_count;
    const char *const *variables; /* names of the environment; NULL: not checked */
    size_t variable_count;
    const char *default_service_name;
    djp_letter_case spelling;
    djp_config_warn warn;
    void *warn_user;
    djp__arena arena; /* texts of sources */
    int failed; /* 1: out of memory */
    int quiet; /* 1: telemetry is off: warn only of invalid options */
    /* source of each effective value: static or in the arena */
    const char *sources[DJP_SETTINGS];
    djp__config_attributes option_attributes;
    djp__config_attributes own_attributes;
    djp__config_attributes variable_attributes;
} djp__config_state;

/* Sources of a value, in order of precedence. The SDK's own come first: OpenTelemetry's do not
 * override them. */
enum {
    DJP_GIVEN_OPTION,
    DJP_GIVEN_OPTION_ATTRIBUTE, /* in the option resource_attributes */
    DJP_GIVEN_OWN, /* the setting's own variable */
    DJP_GIVEN_OWN_ATTRIBUTE, /* in the variable DJP_TELEMETRY_RESOURCE_ATTRIBUTES */
    DJP_GIVEN_SOURCE /* source i of the row is DJP_GIVEN_SOURCE + i */
};

/* One source that is set. */
typedef struct djp__config_given {
    const char *text; /* trimmed, valid UTF-8, never empty, ends in NUL; in the arena */
    const char *name; /* "OTEL_SERVICE_NAME" or "option service_name" */
    djp__form form;
    size_t index; /* DJP_GIVEN_* */
    int option; /* 1 for the first two */
} djp__config_given;

typedef struct djp__config_value {
    int integer; /* BOOL, TRUE, PORT, WORD */
    uint64_t number; /* SECONDS, MILLISECONDS, COUNT, SIZE, SPANS */
    double real; /* RATIO */
} djp__config_value;

/* Parses a text in a form, within the row's range. Returns 0 if it is invalid; 2 if it counts as
 * false and 3 if it is cut to the maximum, both with a warning. */
int djp__config_parse(djp__config_value *out, const djp__config_row *row, djp__form form,
                      djp_text text);
/* The expected value, for a message: "a number from 0 to 1". */
void djp__config_expectation(djp__buf *out, const djp__config_row *row, djp__form form);
/* Returns the word of a value. */
const char *djp__config_word_of(const djp__config_row *row, int value);

/* Sets out to the next source of the setting that is set, starting with *at = 0. Returns 0 after
 * the last. */
int djp__config_next(djp__config_given *out, djp__config_state *state, djp__setting setting,
                     size_t *at);
/* The same for a setting of metrics: then the sources of the general setting, except those that are
 * for traces only. Returns 2 for one of these, of which the general setting has warned. */
int djp__config_next_of_metrics(djp__config_given *out, djp__config_state *state,
                                djp__setting setting, djp__setting general, size_t *at);
/* Parses a text in that form into the field of the setting. Returns 0 after a warning for an
 * invalid value. */
int
djp__config_store(djp__config_state *state, djp__setting setting, const djp__config_given *given);
/* Reads the first valid source, or leaves the default. Returns 1 if a source applied. */
int djp__config_read(djp__config_state *state, djp__setting setting);
/* Copies text into a text field. source is borrowed as long as state exists. */
void djp__config_set_text(djp__config_state *state, djp__setting setting, djp_text text,
                          const char *source);
void djp__config_set_number(djp__config_state *state, djp__setting setting, int value,
                            const char *source); /* bool, word */
/* into the arena; "" on failure */
const char *djp__config_copy(djp__config_state *state, djp_text text);
/* Passes one sentence to the caller. given is the source concerned, or NULL. */
void djp__config_warn(djp__config_state *state, const djp__config_given *given, const char *format,
                      ...) __attribute__((format(printf, 3, 4)));
/* The usual warning for an invalid value. */
void djp__config_warn_value(djp__config_state *state, const djp__config_given *given,
                            const char *expectation);

/* The option's name in the caller's spelling. */
void djp__config_option_name(char out[DJP_CONFIG_NAME_MAX], const djp__config_state *state,
                             djp__setting setting);
/* Warn of names without effect: options that do not exist; variables that are not supported or do
 * not exist. */
void djp__config_check_options(djp__config_state *state);
void djp__config_check_variables(djp__config_state *state);

/* The rules, called in this order after all defaults are set. */
void djp__config_rule_enabled(djp__config_state *state);
void djp__config_rule_resource(djp__config_state *state);
void djp__config_rule_backend(djp__config_state *state);
void djp__config_rule_endpoint(djp__config_state *state);
void djp__config_rule_exporter(djp__config_state *state);
void djp__config_rule_headers(djp__config_state *state);
void djp__config_rule_proxies(djp__config_state *state);
void djp__config_rule_timeout(djp__config_state *state);
void djp__config_rule_sampler(djp__config_state *state);
/* Stores the completed address of a sampling server; 0 after a warning if it is invalid. */
int djp__config_store_sampling_url(djp__config_state *state, const djp__config_given *given);
/* Returns the protocol in an exporter's name, such as otlp_proto_http of other SDKs; -1: none. */
int djp__config_otlp_protocol(djp_text word);
/* Reads the settings of the sampler jaeger_remote (on), or warns that they have no effect. Returns
 * 1 if there was a ratio. */
int djp__config_remote_sampling(djp__config_state *state, int on);
/* Metrics: whether there are any, and their export. */
void djp__config_rule_metrics(djp__config_state *state);
void djp__config_rule_metrics_exporter(djp__config_state *state);
void djp__config_rule_metrics_endpoint(djp__config_state *state);
void djp__config_rule_metrics_headers(djp__config_state *state);
void djp__config_rule_lists(djp__config_state *state);
void djp__config_rule_tail_sampling(djp__config_state *state);

/* Fills out->report_json. */
void djp__config_report(djp__config_state *state);
/* Writes an endpoint without its user part and query. */
void djp__config_show_endpoint(djp__buf *out, const char *endpoint);
/* Fills out->summary and out->endpoint_source. */
void djp__config_summary(djp__config_state *state);
/* Appends the encoded user part of an address, which ends in '@'. */
void djp__config_put_user(djp__buf *out, djp_text user);

#endif
