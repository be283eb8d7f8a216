/* The table of settings: one row for each, with its option, variables in order of precedence, default and meaning. Every language
 * and the document of the configuration follow it; no variable is named anywhere else. */
#include "config/config.h"

#include <stddef.h>

static const char *const table_names[] = {
#define TABLE_NAME(id, name) name,
    DJP_SETTING_MAP(TABLE_NAME)
#undef TABLE_NAME
        NULL};

static const djp_config_word table_backends[] = {{"noop", DJP_BACKEND_NOOP},       {"prom", DJP_BACKEND_PROM},
                                                 {"prometheus", DJP_BACKEND_PROM}, {"otel", DJP_BACKEND_OTEL},
                                                 {"hybrid", DJP_BACKEND_HYBRID},   {NULL, 0}};
static const djp_config_word table_exporters[] = {{"otlp", DJP_EXPORTER_OTLP},     {"console", DJP_EXPORTER_CONSOLE},
                                                  {"none", DJP_EXPORTER_NONE},     {"file", DJP_EXPORTER_FILE},
                                                  {"memory", DJP_EXPORTER_MEMORY}, {NULL, 0}};
static const djp_config_word table_samplers[] = {{"always_on", DJP_SAMPLER_ALWAYS_ON},
                                                 {"always_off", DJP_SAMPLER_ALWAYS_OFF},
                                                 {"traceidratio", DJP_SAMPLER_RATIO},
                                                 {"jaeger_remote", DJP_SAMPLER_JAEGER_REMOTE},
                                                 {NULL, 0}};
static const djp_config_word table_protocols[] = {{"grpc", DJP_PROTOCOL_GRPC},
                                                  {"http/protobuf", DJP_PROTOCOL_HTTP_PROTOBUF},
                                                  {"http/json", DJP_PROTOCOL_HTTP_JSON},
                                                  {"http", DJP_PROTOCOL_HTTP_PROTOBUF},
                                                  {NULL, 0}};
static const djp_config_word table_compressions[] = {{"none", 0}, {"gzip", 1}, {NULL, 0}};
static const djp_config_word table_statuses[] = {{"code", 0}, {"class", 1}, {"false", 0}, {"true", 1},  {"no", 0},
                                                 {"yes", 1},  {"0", 0},     {"1", 1},     {"exact", 0}, {NULL, 0}};
static const djp_config_word table_label_styles[] = {{"endpoint", 0}, {"path", 1}, {NULL, 0}};
static const djp_config_word table_sdk_metrics[] = {{"basic", 0}, {"otel", 1}, {NULL, 0}};
static const djp_config_word table_console_formats[] = {
    {"auto", DJP_CONSOLE_AUTO}, {"json", DJP_CONSOLE_JSON}, {"pretty", DJP_CONSOLE_PRETTY}, {NULL, 0}};
static const djp_config_word table_semconvs[] = {{"old", DJP_SEMCONV_OLD},     {"stable", DJP_SEMCONV_STABLE},
                                                 {"both", DJP_SEMCONV_BOTH},   {"http/dup", DJP_SEMCONV_BOTH},
                                                 {"http", DJP_SEMCONV_STABLE}, {NULL, 0}};
static const djp_config_word table_log_levels[] = {{"none", 0},  {"error", 1}, {"warn", 2},    {"info", 3},
                                                   {"debug", 4}, {"off", 0},   {"warning", 2}, {"fatal", 1},
                                                   {"trace", 4}, {NULL, 0}};

#define TABLE_FIELD(name) .offset = offsetof(djp_options, name)
#define TABLE_TEXT(name) TABLE_FIELD(name), .form = DJP_FORM_TEXT
#define TABLE_WORD(name, list) TABLE_FIELD(name), .form = DJP_FORM_WORD, .words = (list)
#define TABLE_BOOL(name) TABLE_FIELD(name), .form = DJP_FORM_BOOL
#define TABLE_RANGE(low, high) .minimum = (low), .maximum = (high)
#define TABLE_LIMIT(name) TABLE_FIELD(name), .form = DJP_FORM_COUNT, TABLE_RANGE(0, UINT32_MAX), .standard = "128"
#define TABLE_YEAR 31536000.0
#define TABLE_GIB 1073741824.0

const djp_config_row djp__config_table[DJP_SETTINGS] = {
    [DJP_SETTING_ENABLED] =
        {TABLE_BOOL(enabled), .ruled = 1, .standard = "false",
         .doc =
             "Main switch. `OTEL_SDK_DISABLED=true` beats everything but `DJP_TELEMETRY_ENABLED=true`, the option "
             "included. It and `ENABLE_OBSERVABILITY` are on for true only, the others for 1, true, yes and on, too.",
         .sources = {{"OTEL_SDK_DISABLED", DJP_FORM_TRUE},
                     {"TELEMETRY_ENABLED", DJP_FORM_BOOL},
                     {"ENABLE_OBSERVABILITY", DJP_FORM_TRUE}}},
    [DJP_SETTING_BACKEND] = {TABLE_WORD(backend, table_backends), .ruled = 1, .standard = "noop",
                             .doc = "noop, prom (metrics), otel (traces) or hybrid (both). Not given: hybrid when the "
                                    "option `enabled` or `ENABLE_OBSERVABILITY` switched on, noop with a warning when "
                                    "`TELEMETRY_ENABLED` did.",
                             .sources = {{"TELEMETRY_BACKEND", DJP_FORM_WORD}}},
    [DJP_SETTING_SERVICE_NAME] = {TABLE_TEXT(service_name), .ruled = 1, .standard = "unknown_service",
                                  .attributes = "service.name",
                                  .doc = "service.name of the resource. The default also names the program.",
                                  .sources = {{"OTEL_SERVICE_NAME", DJP_FORM_TEXT},
                                              {"OTEL_RESOURCE_ATTRIBUTES", DJP_FORM_ATTRIBUTE},
                                              {"SERVICE_NAME", DJP_FORM_TEXT}}},
    [DJP_SETTING_SERVICE_NAMESPACE] = {TABLE_TEXT(service_namespace), .ruled = 1, .standard = "",
                                       .attributes = "service.namespace,app",
                                       .doc = "service.namespace of the resource.",
                                       .sources = {{"OTEL_RESOURCE_ATTRIBUTES", DJP_FORM_ATTRIBUTE}}},
    [DJP_SETTING_SERVICE_VERSION] = {TABLE_TEXT(service_version), .ruled = 1, .standard = "",
                                     .attributes = "service.version,version", .doc = "service.version of the resource.",
                                     .sources = {{"OTEL_RESOURCE_ATTRIBUTES", DJP_FORM_ATTRIBUTE}}},
    [DJP_SETTING_ENVIRONMENT] = {TABLE_TEXT(environment), .ruled = 1, .standard = "",
                                 .attributes = "deployment.environment.name,deployment.environment,env",
                                 .doc = "deployment.environment.name of the resource, in your own word, and env in its "
                                        "short form. prod, dev and staging (and their synonyms) choose the default "
                                        "sample ratio, and dev keeps spans on this machine.",
                                 .sources = {{"OTEL_RESOURCE_ATTRIBUTES", DJP_FORM_ATTRIBUTE},
                                             {"ENVIRONMENT", DJP_FORM_TEXT},
                                             {"ENV", DJP_FORM_TEXT},
                                             {"NODE_ENV", DJP_FORM_TEXT},
                                             {"RAILWAY_ENVIRONMENT", DJP_FORM_TEXT}}},
    [DJP_SETTING_RESOURCE_ATTRIBUTES] = {TABLE_TEXT(resource_attributes), .ruled = 1, .standard = "",
                                         .doc = "More resource attributes: key=value,key=value, percent-encoded. A "
                                                "malformed member is left out. The option wins key by key.",
                                         .sources = {{"OTEL_RESOURCE_ATTRIBUTES", DJP_FORM_TEXT}}},
    [DJP_SETTING_EXPORTER] = {TABLE_WORD(exporter, table_exporters), .ruled = 1, .standard = "console",
                              .doc = "Where spans go: otlp, console, none, file (OTLP JSON lines) or memory (tests); "
                                     "otlp_proto_grpc and otlp_proto_http are otlp with its protocol. "
                                     "Not given: otlp when an endpoint is set, else console. `OTEL_EXPORTER=otlp` "
                                     "without an endpoint means console.",
                              .sources = {{"OTEL_TRACES_EXPORTER", DJP_FORM_WORD}, {"OTEL_EXPORTER", DJP_FORM_WORD}}},
    [DJP_SETTING_SAMPLER] = {TABLE_WORD(sampler, table_samplers), .ruled = 1, .standard = "traceidratio",
                             .doc = "always_on, always_off, traceidratio or jaeger_remote (docs/remote-sampling.md), "
                                    "each also with the prefix parentbased_; or a tree of "
                                    "samplers as in docs/samplers.md.",
                             .sources = {{"OTEL_TRACES_SAMPLER", DJP_FORM_WORD}}},
    [DJP_SETTING_PARENT_BASED] = {TABLE_BOOL(parent_based), .ruled = 1, .standard = "true",
                                  .doc = "A caller's sampled flag decides for our part of its trace.",
                                  .sources = {{"DJP_TELEMETRY_SAMPLER", DJP_FORM_WORD},
                                              {"OTEL_TRACES_SAMPLER", DJP_FORM_WORD}}},
    [DJP_SETTING_SAMPLE_RATIO] =
        {TABLE_FIELD(sample_ratio), .form = DJP_FORM_RATIO, .ruled = 1, TABLE_RANGE(0, 1), .standard = "0.02",
         .doc = "Part of the traces that is kept, 0 to 1. Errors and slow traces are kept besides, "
                "except with an explicit 0: then nothing leaves the process. Where the "
                "environment is set and no ratio is: dev 1, staging 1, prod 0.02.",
         .sources = {{"OTEL_TRACES_SAMPLER_ARG", DJP_FORM_RATIO},
                     {"OTEL_TRACE_SAMPLE", DJP_FORM_RATIO},
                     {"TRACES_SAMPLE_RATE", DJP_FORM_RATIO}}},
    [DJP_SETTING_CANARY_RATIO] = {TABLE_FIELD(canary_ratio), .form = DJP_FORM_RATIO, TABLE_RANGE(0, 1), .standard = "1",
                                  .doc =
                                      "Part of the traces that is recorded at all, 0 to 1, the same in every service: "
                                      "nothing is kept of the others, not even errors. See "
                                      "docs/rate-and-budget.md."},
    [DJP_SETTING_REMOTE_SAMPLING_ENDPOINT] =
        {TABLE_TEXT(sampling_endpoint), .ruled = 1, .standard = "http://localhost:5778/sampling",
         .doc = "Server of Jaeger's remote sampling protocol over HTTP, asked with the sampler jaeger_remote. Without "
                "a path it gets /sampling. In `OTEL_TRACES_SAMPLER_ARG`: endpoint=URL.",
         .sources = {{"OTEL_TRACES_SAMPLER_ARG", DJP_FORM_TEXT}}},
    [DJP_SETTING_REMOTE_SAMPLING_INTERVAL] = {TABLE_FIELD(sampling_interval_ns), .form = DJP_FORM_SECONDS, .ruled = 1,
                                              TABLE_RANGE(0.1, 86400), .standard = "60",
                                              .doc =
                                                  "How often it is asked, in seconds; up to a tenth earlier or later. "
                                                  "In `OTEL_TRACES_SAMPLER_ARG`: pollingIntervalMs=MILLISECONDS.",
                                              .sources = {{"OTEL_TRACES_SAMPLER_ARG", DJP_FORM_MILLISECONDS}}},
    [DJP_SETTING_OVERRIDES_FILE] =
        {TABLE_TEXT(overrides_file), .standard = "",
         .doc = "File that switches a running process: lines `on`, `off`, `ratio=0.1`, `canary=0.5`. Looked at "
                "once a second; see docs/rate-and-budget.md."},
    [DJP_SETTING_TARGET_SPANS] = {TABLE_FIELD(target_spans_per_second), .form = DJP_FORM_SIZE, TABLE_RANGE(0, 1e9),
                                  .standard = "0",
                                  .doc =
                                      "Spans a second that the process exports: the ratio is steered towards it, from "
                                      "`sample_ratio`. 0: the ratio stays. See docs/rate-and-budget.md."},
    [DJP_SETTING_TARGET_BYTES] = {TABLE_FIELD(target_bytes_per_second), .form = DJP_FORM_SIZE, TABLE_RANGE(0, 1e12),
                                  .standard = "0",
                                  .doc = "The same in bytes on the wire. With both, the smaller one counts."},
    [DJP_SETTING_SPAN_RATE_LIMIT] = {TABLE_FIELD(span_rate_limit), .form = DJP_FORM_SIZE, TABLE_RANGE(0, 1e9),
                                     .standard = "0",
                                     .doc = "Most spans a second that the process exports, errors included, in fair "
                                            "shares of the routes. 0: no limit. See docs/rate-and-budget.md."},
    [DJP_SETTING_BUDGET] =
        {TABLE_FIELD(budget_per_month), .form = DJP_FORM_RATIO, TABLE_RANGE(0, 1e12), .standard = "0",
         .doc = "What telemetry may cost in a calendar month (UTC), in the unit of the prices: "
                "warnings at 50, 80 and 100 %, and the ratio is lowered where the forecast is higher. "
                "0: no budget. See docs/rate-and-budget.md."},
    [DJP_SETTING_PRICE_GB] = {TABLE_FIELD(price_per_gb), .form = DJP_FORM_RATIO, TABLE_RANGE(0, 1e12), .standard = "0",
                              .doc = "Price of 10^9 exported bytes."},
    [DJP_SETTING_PRICE_SPANS] = {TABLE_FIELD(price_per_million_spans), .form = DJP_FORM_RATIO, TABLE_RANGE(0, 1e12),
                                 .standard = "0", .doc = "Price of 1,000,000 exported spans."},
    [DJP_SETTING_PRICE_SERIES] = {TABLE_FIELD(price_per_thousand_series), .form = DJP_FORM_RATIO, TABLE_RANGE(0, 1e12),
                                  .standard = "0", .doc = "Price of 1,000 metric series for a month."},
    [DJP_SETTING_BUDGET_FILE] = {TABLE_TEXT(budget_file), .standard = "",
                                 .doc = "File in which the sum of the month survives restarts and is shared by the "
                                        "processes of a host. Not given: each process has an account of its own."},
    [DJP_SETTING_SLOW_THRESHOLD] = {TABLE_FIELD(slow_threshold_ns), .form = DJP_FORM_SECONDS,
                                    TABLE_RANGE(0, TABLE_YEAR), .standard = "2",
                                    .doc =
                                        "A local trace that takes longer is kept whatever the ratio. Seconds; 0: off."},
    [DJP_SETTING_SAMPLE_ERRORS] = {TABLE_BOOL(sample_errors), .standard = "true",
                                   .doc = "A local trace with an error is kept whatever the ratio."},
    [DJP_SETTING_TAIL_SAMPLING_RULES] =
        {TABLE_TEXT(tail_sampling_rules), .ruled = 1, .standard = "",
         .doc = "More local traces that are kept whatever the ratio: rules separated by `;`, see "
                "`docs/sampling.md`."},
    [DJP_SETTING_ENDPOINT] =
        {TABLE_TEXT(endpoint), .ruled = 1, .standard = "http://localhost:4317",
         .doc = "Collector. `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is used as it is, the others get "
                "/v1/traces for HTTP. host:port is good for gRPC. In the environment dev only the option and "
                "`DJP_TELEMETRY_ENDPOINT` may name another machine. A Jaeger Thrift URL is rewritten to "
                "OTLP on the same host, with a warning.",
         .sources = {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", DJP_FORM_TEXT},
                     {"OTEL_EXPORTER_OTLP_ENDPOINT", DJP_FORM_TEXT},
                     {"OTEL_ENDPOINT", DJP_FORM_TEXT},
                     {"OTEL_EXPORTER_ENDPOINT", DJP_FORM_TEXT},
                     {"JAEGER_ENDPOINT", DJP_FORM_TEXT}}},
    [DJP_SETTING_PROTOCOL] = {TABLE_WORD(protocol, table_protocols), .ruled = 1, .standard = "grpc",
                              .doc = "grpc, http/protobuf or http/json. Not given: HTTP for an endpoint with a path or "
                                     "port 4318, else gRPC.",
                              .sources = {{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", DJP_FORM_WORD},
                                          {"OTEL_EXPORTER_OTLP_PROTOCOL", DJP_FORM_WORD}}},
    [DJP_SETTING_HEADERS] = {TABLE_TEXT(headers), .ruled = 1, .secret = 1, .standard = "",
                             .doc = "Request headers: name=value,name=value, percent-encoded. Never shown.",
                             .sources = {{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", DJP_FORM_TEXT},
                                         {"OTEL_EXPORTER_OTLP_HEADERS", DJP_FORM_TEXT}}},
    [DJP_SETTING_EXPORT_TIMEOUT] = {TABLE_FIELD(export_timeout_ns), .form = DJP_FORM_SECONDS,
                                    TABLE_RANGE(0, TABLE_YEAR), .standard = "10",
                                    .doc = "One attempt of an export. The option is in seconds, the variables are in "
                                           "milliseconds; 0: no limit.",
                                    .sources = {{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", DJP_FORM_MILLISECONDS},
                                                {"OTEL_EXPORTER_OTLP_TIMEOUT", DJP_FORM_MILLISECONDS},
                                                {"OTEL_BSP_EXPORT_TIMEOUT", DJP_FORM_MILLISECONDS}}},
    [DJP_SETTING_COMPRESSION] = {TABLE_WORD(compress, table_compressions), .standard = "none", .doc = "none or gzip.",
                                 .sources = {{"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", DJP_FORM_WORD},
                                             {"OTEL_EXPORTER_OTLP_COMPRESSION", DJP_FORM_WORD}}},
    [DJP_SETTING_INSECURE] = {TABLE_BOOL(insecure), .standard = "false",
                              .doc = "Plain text for a gRPC endpoint without a scheme. A scheme beats it.",
                              .sources = {{"OTEL_EXPORTER_OTLP_TRACES_INSECURE", DJP_FORM_TRUE},
                                          {"OTEL_EXPORTER_OTLP_INSECURE", DJP_FORM_TRUE}}},
    [DJP_SETTING_CERTIFICATE] = {TABLE_TEXT(certificate), .standard = "",
                                 .doc = "PEM file of the authorities that may sign the collector's certificate, in "
                                        "place of the system's.",
                                 .sources = {{"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", DJP_FORM_TEXT},
                                             {"OTEL_EXPORTER_OTLP_CERTIFICATE", DJP_FORM_TEXT},
                                             {"SSL_CERT_FILE", DJP_FORM_TEXT}}},
    [DJP_SETTING_EXTRA_CERTIFICATE] = {TABLE_TEXT(extra_certificate), .standard = "",
                                       .doc = "PEM file of more authorities, besides those of `certificate` or the "
                                              "system.",
                                       .sources = {{"NODE_EXTRA_CA_CERTS", DJP_FORM_TEXT}}},
    [DJP_SETTING_CLIENT_KEY] = {TABLE_TEXT(client_key), .standard = "", .doc = "PEM file of our key, for mutual TLS.",
                                .sources = {{"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", DJP_FORM_TEXT},
                                            {"OTEL_EXPORTER_OTLP_CLIENT_KEY", DJP_FORM_TEXT}}},
    [DJP_SETTING_CLIENT_CERTIFICATE] = {TABLE_TEXT(client_certificate), .standard = "",
                                        .doc = "PEM file of our certificate, for mutual TLS.",
                                        .sources = {{"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", DJP_FORM_TEXT},
                                                    {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", DJP_FORM_TEXT}}},
    [DJP_SETTING_HTTP_PROXY] =
        {TABLE_TEXT(http_proxy), .secret = 1, .standard = "",
         .doc =
             "Proxy for http:// endpoints. Never shown. (HTTP_PROXY in capitals is not read, because a CGI client can "
             "set it.)",
         .sources = {{"http_proxy", DJP_FORM_TEXT}, {"all_proxy", DJP_FORM_TEXT}, {"ALL_PROXY", DJP_FORM_TEXT}}},
    [DJP_SETTING_HTTPS_PROXY] = {TABLE_TEXT(https_proxy), .secret = 1, .standard = "",
                                 .doc = "Proxy for https:// endpoints. Never shown.",
                                 .sources = {{"https_proxy", DJP_FORM_TEXT},
                                             {"HTTPS_PROXY", DJP_FORM_TEXT},
                                             {"all_proxy", DJP_FORM_TEXT},
                                             {"ALL_PROXY", DJP_FORM_TEXT}}},
    [DJP_SETTING_NO_PROXY] =
        {TABLE_TEXT(no_proxy), .standard = "",
         .doc = "Hosts, or host:port, that are reached without a proxy: comma list. Loopback always is.",
         .sources = {{"no_proxy", DJP_FORM_TEXT}, {"NO_PROXY", DJP_FORM_TEXT}}},
    [DJP_SETTING_FILE_PATH] = {TABLE_TEXT(file_path), .standard = "",
                               .doc = "File of the file exporter; empty or - is standard output."},
    [DJP_SETTING_CONSOLE_FORMAT] =
        {TABLE_WORD(console_format, table_console_formats), .standard = "auto",
         .doc = "Form of spans on the console: json (a line for each), pretty (a tree for each local trace), or auto: "
                "pretty where standard output is a terminal."},
    [DJP_SETTING_MAX_REQUEST_BYTES] = {TABLE_FIELD(max_request_bytes), .form = DJP_FORM_SIZE,
                                       TABLE_RANGE(4096, TABLE_GIB), .standard = "67108864",
                                       .doc = "A larger request, uncompressed, is not sent but counted."},
    [DJP_SETTING_MAX_RESPONSE_BYTES] = {TABLE_FIELD(max_response_bytes), .form = DJP_FORM_SIZE,
                                        TABLE_RANGE(1024, TABLE_GIB), .standard = "4194304",
                                        .doc = "A larger response, decompressed, is a failure."},
    [DJP_SETTING_RING_BYTES] = {TABLE_FIELD(ring_bytes), .form = DJP_FORM_SIZE, TABLE_RANGE(65536, TABLE_GIB),
                                .standard = "4194304",
                                .doc = "Memory for ended spans that wait; rounded up to a power of two. "
                                       "`OTEL_BSP_MAX_QUEUE_SIZE` counts 1 KiB a span.",
                                .sources = {{"OTEL_BSP_MAX_QUEUE_SIZE", DJP_FORM_SPANS}}},
    [DJP_SETTING_FLUSH_INTERVAL] = {TABLE_FIELD(flush_interval_ns), .form = DJP_FORM_SECONDS,
                                    TABLE_RANGE(0, TABLE_YEAR), .standard = "5",
                                    .doc =
                                        "How long an ended span waits at most. The OTEL variable is in milliseconds, "
                                        "the others are in seconds.",
                                    .sources = {{"OTEL_BSP_SCHEDULE_DELAY", DJP_FORM_MILLISECONDS}}},
    [DJP_SETTING_MAX_BATCH_SPANS] = {TABLE_FIELD(max_batch_spans), .form = DJP_FORM_SIZE, TABLE_RANGE(1, 1000000),
                                     .standard = "512", .doc = "Most spans in one request.",
                                     .sources = {{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", DJP_FORM_SIZE}}},
    [DJP_SETTING_EXPORT_CONCURRENCY] =
        {TABLE_FIELD(export_concurrency), .form = DJP_FORM_SIZE, TABLE_RANGE(1, 16), .standard = "4",
         .doc = "Most OTLP requests on their way at once, 1 to 16. A further connection is used "
                "only while the others are busy and full batches wait."},
    [DJP_SETTING_SHUTDOWN_TIMEOUT] = {TABLE_FIELD(shutdown_timeout_ns), .form = DJP_FORM_SECONDS,
                                      TABLE_RANGE(0, TABLE_YEAR), .standard = "1",
                                      .doc = "How long the end of the process waits for the last export, in seconds."},
    [DJP_SETTING_DECISION_BUFFER_BYTES] =
        {TABLE_FIELD(decision_buffer_bytes), .form = DJP_FORM_SIZE, TABLE_RANGE(65536, TABLE_GIB),
         .standard = "8388608",
         .doc = "Memory for local traces that are not decided yet; above it the ratio decides "
                "at once."},
    [DJP_SETTING_DECISION_WAIT] = {TABLE_FIELD(decision_wait_ns), .form = DJP_FORM_SECONDS, TABLE_RANGE(0, TABLE_YEAR),
                                   .standard = "60",
                                   .doc =
                                       "A local trace whose root is open for longer is decided without waiting for its "
                                       "end. Seconds; 0: no limit."},
    [DJP_SETTING_ATTRIBUTE_COUNT_LIMIT] = {TABLE_LIMIT(attribute_count_limit), .doc = "Attributes of a span.",
                                           .sources = {{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", DJP_FORM_COUNT},
                                                       {"OTEL_ATTRIBUTE_COUNT_LIMIT", DJP_FORM_COUNT}}},
    [DJP_SETTING_ATTRIBUTE_VALUE_LENGTH_LIMIT] =
        {TABLE_FIELD(attribute_value_length_limit), .form = DJP_FORM_COUNT, TABLE_RANGE(0, UINT32_MAX),
         .standard = "4294967295",
         .doc = "Characters of a text value, bytes of a bytes value. Default: no limit but that of a span, 1 MiB, "
                "where a text that does not fit is cut.",
         .sources = {{"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", DJP_FORM_COUNT},
                     {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", DJP_FORM_COUNT}}},
    [DJP_SETTING_EVENT_COUNT_LIMIT] = {TABLE_LIMIT(event_count_limit), .doc = "Events of a span.",
                                       .sources = {{"OTEL_SPAN_EVENT_COUNT_LIMIT", DJP_FORM_COUNT}}},
    [DJP_SETTING_LINK_COUNT_LIMIT] = {TABLE_LIMIT(link_count_limit), .doc = "Links of a span.",
                                      .sources = {{"OTEL_SPAN_LINK_COUNT_LIMIT", DJP_FORM_COUNT}}},
    [DJP_SETTING_EVENT_ATTRIBUTE_COUNT_LIMIT] = {TABLE_LIMIT(event_attribute_count_limit),
                                                 .doc = "Attributes of an event.",
                                                 .sources = {{"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", DJP_FORM_COUNT}}},
    [DJP_SETTING_LINK_ATTRIBUTE_COUNT_LIMIT] = {TABLE_LIMIT(link_attribute_count_limit), .doc = "Attributes of a link.",
                                                .sources = {{"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", DJP_FORM_COUNT}}},
    [DJP_SETTING_METRICS] = {TABLE_BOOL(metrics_enabled), .ruled = 1, .standard = "true",
                             .doc = "Metrics, where the backend is prom or hybrid. `OTEL_METRICS_EXPORTER`: none or "
                                    "prometheus.",
                             .sources = {{"OTEL_METRICS_EXPORTER", DJP_FORM_WORD}}},
    [DJP_SETTING_PROMETHEUS_PORT] = {TABLE_FIELD(prometheus_port), .form = DJP_FORM_PORT, TABLE_RANGE(0, 65535),
                                     .standard = "0", .doc = "Port of a listener of our own for /metrics; 0: none.",
                                     .sources = {{"OTEL_EXPORTER_PROMETHEUS_PORT", DJP_FORM_PORT},
                                                 {"PROM_EXPORT_PORT", DJP_FORM_PORT}}},
    [DJP_SETTING_PROMETHEUS_HOST] = {TABLE_TEXT(prometheus_host), .standard = "127.0.0.1",
                                     .doc = "Address of that listener.",
                                     .sources = {{"OTEL_EXPORTER_PROMETHEUS_HOST", DJP_FORM_TEXT}}},
    [DJP_SETTING_CARDINALITY_LIMIT] = {TABLE_FIELD(cardinality_limit), .form = DJP_FORM_COUNT, TABLE_RANGE(1, 1000000),
                                       .standard = "2000", .doc = "Series of one metric; the rest shares one more."},
    [DJP_SETTING_STATUS_CLASS] = {TABLE_WORD(status_class, table_statuses), .standard = "code",
                                  .doc = "Status label of HTTP metrics: code (404) or class (4xx)."},
    [DJP_SETTING_LABEL_STYLE] =
        {TABLE_WORD(label_style_path, table_label_styles), .standard = "endpoint",
         .doc = "Labels of HTTP metrics: endpoint (method, endpoint, status_code) or path (service, "
                "method, path, status)."},
    [DJP_SETTING_SDK_METRICS] = {TABLE_WORD(sdk_metrics, table_sdk_metrics), .standard = "basic",
                                 .doc = "The SDK's own metrics: basic, or otel for the otel.sdk.* names as well."},
    [DJP_SETTING_SEMCONV] = {TABLE_WORD(semconv, table_semconvs), .ruled = 1, .standard = "old",
                             .doc =
                                 "HTTP attribute names: old, stable or both. The variable: http is stable, http/dup is "
                                 "both; other words of its list are ignored.",
                             .sources = {{"OTEL_SEMCONV_STABILITY_OPT_IN", DJP_FORM_TEXT}}},
    [DJP_SETTING_EXCLUDED_PATHS] = {TABLE_TEXT(excluded_paths), .ruled = 1, .standard = "",
                                    .doc = "Request paths that are not measured: comma list, exact or ending in *."},
    [DJP_SETTING_PROPAGATORS] = {TABLE_TEXT(propagators), .ruled = 1, .standard = "tracecontext,baggage",
                                 .doc = "Header formats that are read and written: tracecontext, baggage, none.",
                                 .sources = {{"OTEL_PROPAGATORS", DJP_FORM_TEXT}}},
    [DJP_SETTING_KNOWN_METHODS] =
        {TABLE_TEXT(known_methods), .ruled = 1,
         .standard = "CONNECT,DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT,QUERY,TRACE",
         .doc = "HTTP methods that keep their name in metrics and spans, in the case in which they are sent.",
         .sources = {{"OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", DJP_FORM_TEXT}}},
    [DJP_SETTING_LOG_LEVEL] = {TABLE_WORD(log_level, table_log_levels), .standard = "info",
                               .doc = "The SDK's own messages: none, error, warn, info or debug.",
                               .sources = {{"OTEL_LOG_LEVEL", DJP_FORM_WORD}}},
    [DJP_SETTING_HANDLE_SIGTERM] = {TABLE_BOOL(handle_sigterm), .standard = "true",
                                    .doc =
                                        "Flush on SIGTERM, SIGINT, SIGHUP and SIGUSR2 when nobody else handles them."},
    [DJP_SETTING_LOG_CORRELATION] = {TABLE_BOOL(log_correlation), .standard = "true",
                                     .doc = "Put the trace id on log records."},
};

const char *
djp__config_name(djp_setting setting)
{
    return table_names[setting];
}

const char *const *
djp_config_keywords(void)
{
    return table_names;
}
