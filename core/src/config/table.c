/* The table of settings: one row each, with option, variables in order of precedence, default and
 * meaning. The source of the settings in every language and of their documentation; variables are
 * named only here. */
#include "config/config.h"

#include <stddef.h>

static const char *const table_names[] = {
#define TABLE_NAME(id, name) name,
    DJP__SETTING_MAP(TABLE_NAME)
#undef TABLE_NAME
        NULL};

static const djp__config_word table_backends[] = {
    {"noop", DJP_BACKEND_NOOP}, {"prom", DJP_BACKEND_PROM},     {"prometheus", DJP_BACKEND_PROM},
    {"otel", DJP_BACKEND_OTEL}, {"hybrid", DJP_BACKEND_HYBRID}, {NULL, 0}};
static const djp__config_word table_exporters[] = {
    {"otlp", DJP_EXPORTER_OTLP}, {"console", DJP_EXPORTER_CONSOLE}, {"none", DJP_EXPORTER_NONE},
    {"file", DJP_EXPORTER_FILE}, {"memory", DJP_EXPORTER_MEMORY},   {NULL, 0}};
static const djp__config_word table_metrics_exporters[] = {{"otlp", DJP_EXPORTER_OTLP},
                                                           {"console", DJP_EXPORTER_CONSOLE},
                                                           {"file", DJP_EXPORTER_FILE},
                                                           {"none", DJP_EXPORTER_NONE},
                                                           {"prometheus", DJP_EXPORTER_PROMETHEUS},
                                                           {NULL, 0}};
static const djp__config_word table_temporalities[] = {{"cumulative", DJP_TEMPORALITY_CUMULATIVE},
                                                       {"delta", DJP_TEMPORALITY_DELTA},
                                                       {"lowmemory", DJP_TEMPORALITY_LOW_MEMORY},
                                                       {NULL, 0}};
static const djp__config_word table_samplers[] = {{"always_on", DJP_SAMPLER_ALWAYS_ON},
                                                  {"always_off", DJP_SAMPLER_ALWAYS_OFF},
                                                  {"traceidratio", DJP_SAMPLER_RATIO},
                                                  {"jaeger_remote", DJP_SAMPLER_JAEGER_REMOTE},
                                                  {NULL, 0}};
static const djp__config_word table_protocols[] = {{"grpc", DJP_PROTOCOL_GRPC},
                                                   {"http/protobuf", DJP_PROTOCOL_HTTP_PROTOBUF},
                                                   {"http/json", DJP_PROTOCOL_HTTP_JSON},
                                                   {"http", DJP_PROTOCOL_HTTP_PROTOBUF},
                                                   {NULL, 0}};
static const djp__config_word table_compressions[] = {{"none", 0}, {"gzip", 1}, {NULL, 0}};
static const djp__config_word table_statuses[] = {
    {"code", 0}, {"class", 1}, {"false", 0}, {"true", 1},  {"no", 0},
    {"yes", 1},  {"0", 0},     {"1", 1},     {"exact", 0}, {NULL, 0}};
static const djp__config_word table_label_styles[] = {{"endpoint", 0}, {"path", 1}, {NULL, 0}};
static const djp__config_word table_aggregations[] = {
    {"explicit_bucket_histogram", 0}, {"base2_exponential_bucket_histogram", 1}, {NULL, 0}};
static const djp__config_word table_exemplar_filters[] = {
    {"trace_based", 0}, {"always_on", 1}, {"always_off", 2}, {NULL, 0}};
static const djp__config_word table_sdk_metrics[] = {{"basic", 0}, {"otel", 1}, {NULL, 0}};
static const djp__config_word table_console_formats[] = {{"auto", DJP_CONSOLE_AUTO},
                                                         {"json", DJP_CONSOLE_JSON},
                                                         {"pretty", DJP_CONSOLE_PRETTY},
                                                         {NULL, 0}};
static const djp__config_word table_semconvs[] = {
    {"old", DJP_SEMCONV_OLD},       {"stable", DJP_SEMCONV_STABLE}, {"both", DJP_SEMCONV_BOTH},
    {"http/dup", DJP_SEMCONV_BOTH}, {"http", DJP_SEMCONV_STABLE},   {NULL, 0}};
static const djp__config_word table_log_levels[] = {
    {"none", 0}, {"error", 1},   {"warn", 2},  {"info", 3},  {"debug", 4},
    {"off", 0},  {"warning", 2}, {"fatal", 1}, {"trace", 4}, {NULL, 0}};

#define TABLE_FIELD(name) .offset = offsetof(djp_options, name)
#define TABLE_TEXT(name) TABLE_FIELD(name), .form = DJP_FORM_TEXT
#define TABLE_WORD(name, list) TABLE_FIELD(name), .form = DJP_FORM_WORD, .words = (list)
#define TABLE_BOOL(name) TABLE_FIELD(name), .form = DJP_FORM_BOOL
#define TABLE_RANGE(low, high) .minimum = (low), .maximum = (high)
#define TABLE_LIMIT(name) \
    TABLE_FIELD(name), .form = DJP_FORM_COUNT, TABLE_RANGE(0, UINT32_MAX), .standard = "128"
#define TABLE_YEAR 31536000.0
#define TABLE_GIB 1073741824.0

const djp__config_row djp__config_table[DJP_SETTINGS] = {
    [DJP_SETTING_ENABLED] =
        {TABLE_BOOL(enabled), .ruled = 1, .standard = "false",
         .doc = "Main switch. `OTEL_SDK_DISABLED=true` takes precedence over everything except "
                "`DJP_TELEMETRY_ENABLED=true`, also over the option. `OTEL_SDK_DISABLED` and "
                "`ENABLE_OBSERVABILITY` "
                "are on for `true` only; the others also accept `1`, `yes` and `on`.",
         .sources = {{"OTEL_SDK_DISABLED", DJP_FORM_TRUE},
                     {"TELEMETRY_ENABLED", DJP_FORM_BOOL},
                     {"ENABLE_OBSERVABILITY", DJP_FORM_TRUE}}},
    [DJP_SETTING_BACKEND] = {TABLE_WORD(backend, table_backends), .ruled = 1, .standard = "noop",
                             .doc = "Which signals are recorded: prom records metrics, otel "
                                    "records traces, hybrid records both, noop "
                                    "records nothing. Without a value: hybrid if the option "
                                    "`enabled` or `ENABLE_OBSERVABILITY` enabled "
                                    "telemetry; noop, with a warning, if `TELEMETRY_ENABLED` did.",
                             .sources = {{"TELEMETRY_BACKEND", DJP_FORM_WORD}}},
    [DJP_SETTING_SERVICE_NAME] = {TABLE_TEXT(service_name), .ruled = 1,
                                  .standard = "unknown_service", .attributes = "service.name",
                                  .doc = "Resource attribute service.name. The default is followed "
                                         "by a colon and the name of the program.",
                                  .sources = {{"OTEL_SERVICE_NAME", DJP_FORM_TEXT},
                                              {"OTEL_RESOURCE_ATTRIBUTES", DJP_FORM_ATTRIBUTE},
                                              {"SERVICE_NAME", DJP_FORM_TEXT}}},
    [DJP_SETTING_SERVICE_NAMESPACE] = {TABLE_TEXT(service_namespace), .ruled = 1, .standard = "",
                                       .attributes = "service.namespace,app",
                                       .doc = "Resource attribute service.namespace.",
                                       .sources = {{"OTEL_RESOURCE_ATTRIBUTES",
                                                    DJP_FORM_ATTRIBUTE}}},
    [DJP_SETTING_SERVICE_VERSION] = {TABLE_TEXT(service_version), .ruled = 1, .standard = "",
                                     .attributes = "service.version,version",
                                     .doc = "Resource attribute service.version.",
                                     .sources = {{"OTEL_RESOURCE_ATTRIBUTES", DJP_FORM_ATTRIBUTE}}},
    [DJP_SETTING_ENVIRONMENT] = {TABLE_TEXT(environment), .ruled = 1, .standard = "",
                                 .attributes =
                                     "deployment.environment.name,deployment.environment,env",
                                 .doc = "Resource attribute deployment.environment.name; `env` "
                                        "holds its short form. The words prod, dev and "
                                        "staging and their synonyms choose the default of "
                                        "`sample_ratio`; with dev, spans are not sent to "
                                        "another host unless the endpoint is set for this SDK.",
                                 .sources = {{"OTEL_RESOURCE_ATTRIBUTES", DJP_FORM_ATTRIBUTE},
                                             {"ENVIRONMENT", DJP_FORM_TEXT},
                                             {"ENV", DJP_FORM_TEXT},
                                             {"NODE_ENV", DJP_FORM_TEXT},
                                             {"RAILWAY_ENVIRONMENT", DJP_FORM_TEXT}}},
    [DJP_SETTING_RESOURCE_ATTRIBUTES] =
        {TABLE_TEXT(resource_attributes), .ruled = 1, .standard = "", .unit = "pairs",
         .doc = "Additional resource attributes in the form key=value,key=value, percent-encoded "
                "(W3C Baggage). A "
                "malformed member is ignored. The option takes precedence key by key.",
         .sources = {{"OTEL_RESOURCE_ATTRIBUTES", DJP_FORM_TEXT}}},
    [DJP_SETTING_EXPORTER] =
        {TABLE_WORD(exporter, table_exporters), .ruled = 1, .standard = "console",
         .doc = "Destination of spans: otlp, console (standard output), none, "
                "file (OTLP JSON lines) or memory (for "
                "tests); or several, separated by commas, which all get "
                "each span. otlp_proto_grpc and otlp_proto_http mean otlp with "
                "that protocol. Without a value: otlp if an "
                "endpoint is set, otherwise console. `OTEL_EXPORTER=otlp` "
                "without an endpoint means console.",
         .sources = {{"OTEL_TRACES_EXPORTER", DJP_FORM_WORD}, {"OTEL_EXPORTER", DJP_FORM_WORD}}},
    [DJP_SETTING_SAMPLER] =
        {TABLE_WORD(sampler, table_samplers), .ruled = 1, .standard = "traceidratio",
         .unit = "sampler",
         .doc = "always_on, always_off, traceidratio or jaeger_remote (docs/remote-sampling.md), "
                "each also with the "
                "prefix parentbased_; or a tree of samplers in the grammar of docs/samplers.md.",
         .sources = {{"OTEL_TRACES_SAMPLER", DJP_FORM_WORD}}},
    [DJP_SETTING_PARENT_BASED] = {TABLE_BOOL(parent_based), .ruled = 1, .standard = "true",
                                  .doc = "A span with a remote parent follows the sampled flag of "
                                         "that parent (W3C Trace Context).",
                                  .sources = {{"DJP_TELEMETRY_SAMPLER", DJP_FORM_WORD},
                                              {"OTEL_TRACES_SAMPLER", DJP_FORM_WORD}}},
    [DJP_SETTING_SAMPLE_RATIO] =
        {TABLE_FIELD(sample_ratio), .form = DJP_FORM_RATIO, .ruled = 1, TABLE_RANGE(0, 1),
         .standard = "0.02",
         .doc = "Share of traces that are sampled by chance. Traces with errors and slow traces "
                "are sampled in addition, except with an explicit 0, which exports nothing. "
                "Without a value the environment decides: dev 1, staging 1, prod 0.02.",
         .sources = {{"OTEL_TRACES_SAMPLER_ARG", DJP_FORM_RATIO},
                     {"OTEL_TRACE_SAMPLE", DJP_FORM_RATIO},
                     {"TRACES_SAMPLE_RATE", DJP_FORM_RATIO}}},
    [DJP_SETTING_CANARY_RATIO] =
        {TABLE_FIELD(canary_ratio), .form = DJP_FORM_RATIO, TABLE_RANGE(0, 1), .standard = "1",
         .doc = "Share of traces recorded, the same traces in every service. Nothing is "
                "exported of the others, not even errors. See docs/rate-and-budget.md."},
    [DJP_SETTING_REMOTE_SAMPLING_ENDPOINT] =
        {TABLE_TEXT(sampling_endpoint), .ruled = 1, .standard = "http://localhost:5778/sampling",
         .unit = "URL",
         .doc = "URL of a server of the Jaeger remote sampling protocol over HTTP, used by the "
                "sampler jaeger_remote. "
                "A URL without a path gets /sampling. In `OTEL_TRACES_SAMPLER_ARG`: endpoint=URL.",
         .sources = {{"OTEL_TRACES_SAMPLER_ARG", DJP_FORM_TEXT}}},
    [DJP_SETTING_REMOTE_SAMPLING_INTERVAL] =
        {TABLE_FIELD(sampling_interval_ns), .form = DJP_FORM_SECONDS, .ruled = 1,
         TABLE_RANGE(0.1, 86400), .standard = "60",
         .doc = "Time between two requests to that server, varied by up to a tenth. "
                "In `OTEL_TRACES_SAMPLER_ARG`: pollingIntervalMs=MILLISECONDS.",
         .sources = {{"OTEL_TRACES_SAMPLER_ARG", DJP_FORM_MILLISECONDS}}},
    [DJP_SETTING_OVERRIDES_FILE] =
        {TABLE_TEXT(overrides_file), .standard = "", .unit = "file",
         .doc = "File that overrides settings of a running process, read once a second. Lines: "
                "`on`, `off`, `ratio=0.1`, `canary=0.5`. See docs/rate-and-budget.md."},
    [DJP_SETTING_TARGET_SPANS] =
        {TABLE_FIELD(target_spans_per_second), .form = DJP_FORM_SIZE, TABLE_RANGE(0, 1e9),
         .standard = "0", .unit = "spans per second",
         .doc = "Export rate to which the ratio is adjusted, starting from `sample_ratio`. 0: "
                "the ratio is not adjusted. See docs/rate-and-budget.md."},
    [DJP_SETTING_TARGET_BYTES] =
        {TABLE_FIELD(target_bytes_per_second), .form = DJP_FORM_SIZE, TABLE_RANGE(0, 1e12),
         .standard = "0", .unit = "bytes per second",
         .doc = "Export rate in bytes after compression to which the ratio is adjusted. If "
                "both targets are set, the stricter one applies. 0: none."},
    [DJP_SETTING_SPAN_RATE_LIMIT] =
        {TABLE_FIELD(span_rate_limit), .form = DJP_FORM_SIZE, TABLE_RANGE(0, 1e9), .standard = "0",
         .unit = "spans per second",
         .doc = "Limit of exported spans per second, errors included, shared fairly "
                "between routes. 0: no limit. See docs/rate-and-budget.md."},
    [DJP_SETTING_BUDGET] = {TABLE_FIELD(budget_per_month), .form = DJP_FORM_RATIO,
                            TABLE_RANGE(0, 1e12), .standard = "0", .unit = "currency units",
                            .doc = "Budget of a calendar month (UTC), in the unit of the prices. A "
                                   "warning is logged at 50, 80 and 100 %; "
                                   "the ratio is lowered while the forecast exceeds the budget. 0: "
                                   "no budget. See docs/rate-and-budget.md."},
    [DJP_SETTING_PRICE_GB] = {TABLE_FIELD(price_per_gb), .form = DJP_FORM_RATIO,
                              TABLE_RANGE(0, 1e12), .standard = "0", .unit = "currency units",
                              .doc = "Price of 10^9 exported bytes."},
    [DJP_SETTING_PRICE_SPANS] = {TABLE_FIELD(price_per_million_spans), .form = DJP_FORM_RATIO,
                                 TABLE_RANGE(0, 1e12), .standard = "0", .unit = "currency units",
                                 .doc = "Price of 1,000,000 exported spans."},
    [DJP_SETTING_PRICE_SERIES] = {TABLE_FIELD(price_per_thousand_series), .form = DJP_FORM_RATIO,
                                  TABLE_RANGE(0, 1e12), .standard = "0", .unit = "currency units",
                                  .doc = "Price of 1,000 metric series for a month."},
    [DJP_SETTING_BUDGET_FILE] =
        {TABLE_TEXT(budget_file), .standard = "", .unit = "file",
         .doc = "File that keeps the cost of the month over restarts and for all processes of "
                "a host. Without a value each process has a separate account."},
    [DJP_SETTING_SLOW_THRESHOLD] = {TABLE_FIELD(slow_threshold_ns), .form = DJP_FORM_SECONDS,
                                    TABLE_RANGE(0, TABLE_YEAR), .standard = "2",
                                    .doc = "Duration of a local trace above which it is sampled "
                                           "regardless of the ratio. 0: off."},
    [DJP_SETTING_SAMPLE_ERRORS] =
        {TABLE_BOOL(sample_errors), .standard = "true",
         .doc = "Local traces with an error are sampled regardless of the ratio."},
    [DJP_SETTING_TAIL_SAMPLING_RULES] =
        {TABLE_TEXT(tail_sampling_rules), .ruled = 1, .standard = "", .unit = "list",
         .doc = "Rules that sample additional local traces regardless of the ratio, "
                "separated by `;`. The grammar is in docs/sampling.md."},
    [DJP_SETTING_ENDPOINT] = {TABLE_TEXT(endpoint), .ruled = 1, .standard = "http://localhost:4317",
                              .unit = "URL",
                              .doc = "URL of the OTLP receiver; for gRPC also host:port. "
                                     "`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is used "
                                     "unchanged; for HTTP the others get the path /v1/traces. In "
                                     "the environment dev only the option and "
                                     "`DJP_TELEMETRY_ENDPOINT` may name another host. A Jaeger "
                                     "Thrift URL is replaced by OTLP on the same "
                                     "host, with a warning.",
                              .sources = {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", DJP_FORM_TEXT},
                                          {"OTEL_EXPORTER_OTLP_ENDPOINT", DJP_FORM_TEXT},
                                          {"OTEL_ENDPOINT", DJP_FORM_TEXT},
                                          {"OTEL_EXPORTER_ENDPOINT", DJP_FORM_TEXT},
                                          {"JAEGER_ENDPOINT", DJP_FORM_TEXT}}},
    [DJP_SETTING_PROTOCOL] = {TABLE_WORD(protocol, table_protocols), .ruled = 1, .standard = "grpc",
                              .doc = "OTLP protocol. Without a value: http/protobuf for an "
                                     "endpoint with a path or port 4318, otherwise grpc.",
                              .sources = {{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", DJP_FORM_WORD},
                                          {"OTEL_EXPORTER_OTLP_PROTOCOL", DJP_FORM_WORD}}},
    [DJP_SETTING_HEADERS] =
        {TABLE_TEXT(headers), .ruled = 1, .secret = 1, .standard = "", .unit = "headers",
         .doc = "Headers of export requests in the form name=value,name=value, percent-encoded "
                "(W3C Baggage). The status and messages never show the values.",
         .sources = {{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", DJP_FORM_TEXT},
                     {"OTEL_EXPORTER_OTLP_HEADERS", DJP_FORM_TEXT}}},
    [DJP_SETTING_EXPORT_TIMEOUT] =
        {TABLE_FIELD(export_timeout_ns), .form = DJP_FORM_SECONDS, TABLE_RANGE(0, TABLE_YEAR),
         .standard = "10",
         .doc = "Time limit of one export attempt. The option is in seconds, the OTEL "
                "variables are in milliseconds. 0: no limit.",
         .sources = {{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", DJP_FORM_MILLISECONDS},
                     {"OTEL_EXPORTER_OTLP_TIMEOUT", DJP_FORM_MILLISECONDS},
                     {"OTEL_BSP_EXPORT_TIMEOUT", DJP_FORM_MILLISECONDS}}},
    [DJP_SETTING_COMPRESSION] = {TABLE_WORD(compress, table_compressions), .standard = "none",
                                 .doc = "Compression of export requests.",
                                 .sources = {{"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
                                              DJP_FORM_WORD},
                                             {"OTEL_EXPORTER_OTLP_COMPRESSION", DJP_FORM_WORD}}},
    [DJP_SETTING_INSECURE] =
        {TABLE_BOOL(insecure), .standard = "false",
         .doc = "Plain text for a gRPC endpoint without a scheme. A scheme takes precedence.",
         .sources = {{"OTEL_EXPORTER_OTLP_TRACES_INSECURE", DJP_FORM_TRUE},
                     {"OTEL_EXPORTER_OTLP_INSECURE", DJP_FORM_TRUE}}},
    [DJP_SETTING_CERTIFICATE] = {TABLE_TEXT(certificate), .standard = "", .unit = "file",
                                 .doc = "PEM file of the certificate authorities that are trusted "
                                        "instead of those of the system.",
                                 .sources = {{"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
                                              DJP_FORM_TEXT},
                                             {"OTEL_EXPORTER_OTLP_CERTIFICATE", DJP_FORM_TEXT},
                                             {"SSL_CERT_FILE", DJP_FORM_TEXT}}},
    [DJP_SETTING_EXTRA_CERTIFICATE] =
        {TABLE_TEXT(extra_certificate), .standard = "", .unit = "file",
         .doc = "PEM file of certificate authorities that are trusted in addition to "
                "`certificate` or those of the system.",
         .sources = {{"NODE_EXTRA_CA_CERTS", DJP_FORM_TEXT}}},
    [DJP_SETTING_CLIENT_KEY] = {TABLE_TEXT(client_key), .standard = "", .unit = "file",
                                .doc = "PEM file of the client key for mutual TLS.",
                                .sources = {{"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", DJP_FORM_TEXT},
                                            {"OTEL_EXPORTER_OTLP_CLIENT_KEY", DJP_FORM_TEXT}}},
    [DJP_SETTING_CLIENT_CERTIFICATE] =
        {TABLE_TEXT(client_certificate), .standard = "", .unit = "file",
         .doc = "PEM file of the client certificate for mutual TLS.",
         .sources = {{"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", DJP_FORM_TEXT},
                     {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", DJP_FORM_TEXT}}},
    [DJP_SETTING_HTTP_PROXY] =
        {TABLE_TEXT(http_proxy), .secret = 1, .standard = "", .unit = "URL",
         .doc = "Proxy for http:// endpoints. The status and messages never show it. HTTP_PROXY "
                "in capitals is not read, because a CGI client can set it.",
         .sources = {{"http_proxy", DJP_FORM_TEXT},
                     {"all_proxy", DJP_FORM_TEXT},
                     {"ALL_PROXY", DJP_FORM_TEXT}}},
    [DJP_SETTING_HTTPS_PROXY] =
        {TABLE_TEXT(https_proxy), .secret = 1, .standard = "", .unit = "URL",
         .doc = "Proxy for https:// endpoints. The status and messages never show it.",
         .sources = {{"https_proxy", DJP_FORM_TEXT},
                     {"HTTPS_PROXY", DJP_FORM_TEXT},
                     {"all_proxy", DJP_FORM_TEXT},
                     {"ALL_PROXY", DJP_FORM_TEXT}}},
    [DJP_SETTING_NO_PROXY] =
        {TABLE_TEXT(no_proxy), .standard = "", .unit = "list",
         .doc = "Hosts, optionally with :port, that are connected without a proxy, separated by "
                "commas. Loopback addresses never use a proxy.",
         .sources = {{"no_proxy", DJP_FORM_TEXT}, {"NO_PROXY", DJP_FORM_TEXT}}},
    [DJP_SETTING_FILE_PATH] =
        {TABLE_TEXT(file_path), .standard = "", .unit = "file",
         .doc = "File of the exporter file. An empty text or - means standard output."},
    [DJP_SETTING_CONSOLE_FORMAT] = {TABLE_WORD(console_format, table_console_formats),
                                    .standard = "auto",
                                    .doc =
                                        "Format of spans on the console: json (one line per span), "
                                        "pretty (one tree per local trace), or auto: "
                                        "pretty if standard output is a terminal, otherwise json."},
    [DJP_SETTING_MAX_REQUEST_BYTES] = {TABLE_FIELD(max_request_bytes), .form = DJP_FORM_SIZE,
                                       TABLE_RANGE(4096, TABLE_GIB), .standard = "67108864",
                                       .unit = "bytes",
                                       .doc = "Largest export request before compression. The "
                                              "spans of a larger one are dropped and counted."},
    [DJP_SETTING_MAX_RESPONSE_BYTES] =
        {TABLE_FIELD(max_response_bytes), .form = DJP_FORM_SIZE, TABLE_RANGE(1024, TABLE_GIB),
         .standard = "4194304", .unit = "bytes",
         .doc = "Largest response after decompression. A larger one is a failure."},
    [DJP_SETTING_RING_BYTES] =
        {TABLE_FIELD(ring_bytes), .form = DJP_FORM_SIZE,
         TABLE_RANGE(65536, TABLE_GIB), .standard = "4194304", .unit = "bytes",
         .doc = "Memory for ended spans that wait to be exported, rounded up to a power of two. "
                "`OTEL_BSP_MAX_QUEUE_SIZE` is in spans, 1 KiB each.",
         .sources = {{"OTEL_BSP_MAX_QUEUE_SIZE", DJP_FORM_SPANS}}},
    [DJP_SETTING_FLUSH_INTERVAL] =
        {TABLE_FIELD(flush_interval_ns), .form = DJP_FORM_SECONDS, TABLE_RANGE(0, TABLE_YEAR),
         .standard = "5",
         .doc = "Longest time that an ended span waits before it is exported. "
                "`OTEL_BSP_SCHEDULE_DELAY` is in milliseconds.",
         .sources = {{"OTEL_BSP_SCHEDULE_DELAY", DJP_FORM_MILLISECONDS}}},
    [DJP_SETTING_MAX_BATCH_SPANS] = {TABLE_FIELD(max_batch_spans), .form = DJP_FORM_SIZE,
                                     TABLE_RANGE(1, 1000000), .standard = "512", .unit = "spans",
                                     .doc = "Most spans in one export request.",
                                     .sources = {{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
                                                  DJP_FORM_SIZE}}},
    [DJP_SETTING_EXPORT_CONCURRENCY] =
        {TABLE_FIELD(export_concurrency), .form = DJP_FORM_SIZE, TABLE_RANGE(1, 16),
         .standard = "4", .unit = "requests",
         .doc = "Most OTLP requests in flight at the same time. An additional connection "
                "is used only while the others are busy and full batches wait."},
    [DJP_SETTING_SHUTDOWN_TIMEOUT] =
        {TABLE_FIELD(shutdown_timeout_ns), .form = DJP_FORM_SECONDS, TABLE_RANGE(0, TABLE_YEAR),
         .standard = "1", .doc = "Time that the end of the process waits for the last export."},
    [DJP_SETTING_DECISION_BUFFER_BYTES] =
        {TABLE_FIELD(decision_buffer_bytes), .form = DJP_FORM_SIZE, TABLE_RANGE(65536, TABLE_GIB),
         .standard = "8388608", .unit = "bytes",
         .doc = "Memory for local traces that wait for their sampling decision. Above it, the "
                "ratio decides immediately."},
    [DJP_SETTING_DECISION_WAIT] = {TABLE_FIELD(decision_wait_ns), .form = DJP_FORM_SECONDS,
                                   TABLE_RANGE(0, TABLE_YEAR), .standard = "60",
                                   .doc = "Time after which a local trace is decided although its "
                                          "root span is still open. 0: no limit."},
    [DJP_SETTING_ATTRIBUTE_COUNT_LIMIT] =
        {TABLE_LIMIT(attribute_count_limit), .unit = "attributes",
         .doc = "Most attributes of a span.",
         .sources = {{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", DJP_FORM_COUNT},
                     {"OTEL_ATTRIBUTE_COUNT_LIMIT", DJP_FORM_COUNT}}},
    [DJP_SETTING_ATTRIBUTE_VALUE_LENGTH_LIMIT] =
        {TABLE_FIELD(attribute_value_length_limit), .form = DJP_FORM_COUNT,
         TABLE_RANGE(0, UINT32_MAX), .standard = "4294967295", .unit = "characters",
         .doc = "Most characters of a text value, most bytes of a bytes value. Without a value "
                "there is no limit "
                "except that of a span, 1 MiB, at which a text is cut.",
         .sources = {{"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", DJP_FORM_COUNT},
                     {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", DJP_FORM_COUNT}}},
    [DJP_SETTING_EVENT_COUNT_LIMIT] = {TABLE_LIMIT(event_count_limit), .unit = "events",
                                       .doc = "Most events of a span.",
                                       .sources = {{"OTEL_SPAN_EVENT_COUNT_LIMIT",
                                                    DJP_FORM_COUNT}}},
    [DJP_SETTING_LINK_COUNT_LIMIT] = {TABLE_LIMIT(link_count_limit), .unit = "links",
                                      .doc = "Most links of a span.",
                                      .sources = {{"OTEL_SPAN_LINK_COUNT_LIMIT", DJP_FORM_COUNT}}},
    [DJP_SETTING_EVENT_ATTRIBUTE_COUNT_LIMIT] = {TABLE_LIMIT(event_attribute_count_limit),
                                                 .unit = "attributes",
                                                 .doc = "Most attributes of an event.",
                                                 .sources = {{"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
                                                              DJP_FORM_COUNT}}},
    [DJP_SETTING_LINK_ATTRIBUTE_COUNT_LIMIT] = {TABLE_LIMIT(link_attribute_count_limit),
                                                .unit = "attributes",
                                                .doc = "Most attributes of a link.",
                                                .sources = {{"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
                                                             DJP_FORM_COUNT}}},
    [DJP_SETTING_METRICS] = {TABLE_BOOL(metrics_enabled), .ruled = 1, .standard = "true",
                             .doc = "Records metrics if the backend is prom or hybrid. Without a "
                                    "value: not if `metrics_exporter` is none."},
    [DJP_SETTING_METRICS_EXPORTER] =
        {TABLE_WORD(metrics_exporter, table_metrics_exporters), .ruled = 1,
         .standard = "prometheus",
         .doc = "Destination of metrics: otlp, console (standard output), file (OTLP JSON lines), "
                "prometheus (they are scraped, and nothing is sent) or none; or several, separated "
                "by commas. Metrics can be scraped with each of them but none. "
                "Without a value: otlp if `metrics_endpoint` is set, otherwise prometheus.",
         .sources = {{"OTEL_METRICS_EXPORTER", DJP_FORM_WORD}}},
    [DJP_SETTING_METRICS_INTERVAL] =
        {TABLE_FIELD(metrics_interval_ns), .form = DJP_FORM_SECONDS, TABLE_RANGE(0.1, TABLE_YEAR),
         .standard = "60",
         .doc = "Time between two exports of metrics. The OTEL variable is in milliseconds.",
         .sources = {{"OTEL_METRIC_EXPORT_INTERVAL", DJP_FORM_MILLISECONDS}}},
    [DJP_SETTING_METRICS_TEMPORALITY] =
        {TABLE_WORD(metrics_temporality, table_temporalities), .standard = "cumulative",
         .doc = "What exported counters and histograms are since: cumulative (the start), delta "
                "(the export before) or lowmemory (delta, but the metrics of the process are "
                "cumulative).",
         .sources = {{"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", DJP_FORM_WORD}}},
    [DJP_SETTING_METRICS_ENDPOINT] =
        {TABLE_TEXT(metrics_endpoint), .ruled = 1, .standard = "http://localhost:4317",
         .unit = "URL",
         .doc = "As `endpoint`, for metrics; for HTTP it gets the path /v1/metrics. Without a "
                "value: that of `endpoint`, except from variables for traces.",
         .sources = {{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", DJP_FORM_TEXT}}},
    [DJP_SETTING_METRICS_PROTOCOL] = {TABLE_WORD(metrics_protocol, table_protocols), .ruled = 1,
                                      .standard = "grpc", .doc = "As `protocol`, for metrics.",
                                      .sources = {{"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
                                                   DJP_FORM_WORD}}},
    [DJP_SETTING_METRICS_HEADERS] =
        {TABLE_TEXT(metrics_headers), .ruled = 1, .secret = 1, .standard = "", .unit = "headers",
         .doc = "As `headers`, for metrics. A value replaces all of `headers`.",
         .sources = {{"OTEL_EXPORTER_OTLP_METRICS_HEADERS", DJP_FORM_TEXT}}},
    [DJP_SETTING_METRICS_TIMEOUT] =
        {TABLE_FIELD(metrics_timeout_ns), .form = DJP_FORM_SECONDS,
         .ruled = 1, TABLE_RANGE(0, TABLE_YEAR), .standard = "10",
         .doc = "As `export_timeout`, for metrics.",
         .sources = {{"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", DJP_FORM_MILLISECONDS},
                     {"OTEL_METRIC_EXPORT_TIMEOUT", DJP_FORM_MILLISECONDS}}},
    [DJP_SETTING_METRICS_COMPRESSION] = {TABLE_WORD(metrics_compress, table_compressions),
                                         .ruled = 1, .standard = "none",
                                         .doc = "As `compression`, for metrics.",
                                         .sources = {{"OTEL_EXPORTER_OTLP_METRICS_COMPRESSION",
                                                      DJP_FORM_WORD}}},
    [DJP_SETTING_METRICS_INSECURE] = {TABLE_BOOL(metrics_insecure), .ruled = 1, .standard = "false",
                                      .doc = "As `insecure`, for metrics.",
                                      .sources = {{"OTEL_EXPORTER_OTLP_METRICS_INSECURE",
                                                   DJP_FORM_TRUE}}},
    [DJP_SETTING_METRICS_CERTIFICATE] = {TABLE_TEXT(metrics_certificate), .ruled = 1,
                                         .standard = "", .unit = "file",
                                         .doc = "As `certificate`, for metrics.",
                                         .sources = {{"OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE",
                                                      DJP_FORM_TEXT}}},
    [DJP_SETTING_METRICS_CLIENT_KEY] = {TABLE_TEXT(metrics_client_key), .ruled = 1, .standard = "",
                                        .unit = "file", .doc = "As `client_key`, for metrics.",
                                        .sources = {{"OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY",
                                                     DJP_FORM_TEXT}}},
    [DJP_SETTING_METRICS_CLIENT_CERTIFICATE] =
        {TABLE_TEXT(metrics_client_certificate), .ruled = 1, .standard = "", .unit = "file",
         .doc = "As `client_certificate`, for metrics.",
         .sources = {{"OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", DJP_FORM_TEXT}}},
    [DJP_SETTING_METRICS_FILE_PATH] = {TABLE_TEXT(metrics_file_path), .standard = "",
                                       .unit = "file",
                                       .doc =
                                           "As `file_path`, for metrics. A file holds one signal."},
    [DJP_SETTING_PROMETHEUS_PORT] =
        {TABLE_FIELD(prometheus_port), .form = DJP_FORM_PORT, TABLE_RANGE(0, 65535),
         .standard = "0",
         .doc = "Port of the Prometheus endpoint, which serves /metrics. 0: no endpoint. "
                "If `OTEL_METRICS_EXPORTER` names prometheus and no port is set: 9464.",
         .sources = {{"OTEL_EXPORTER_PROMETHEUS_PORT", DJP_FORM_PORT},
                     {"PROM_EXPORT_PORT", DJP_FORM_PORT}}},
    [DJP_SETTING_PROMETHEUS_HOST] = {TABLE_TEXT(prometheus_host), .standard = "127.0.0.1",
                                     .doc = "Address of the Prometheus endpoint.",
                                     .sources = {{"OTEL_EXPORTER_PROMETHEUS_HOST", DJP_FORM_TEXT}}},
    [DJP_SETTING_PROMETHEUS_TOKEN] =
        {TABLE_TEXT(prometheus_token), .secret = 1, .standard = "", .unit = "token",
         .doc = "Bearer token that a request of the Prometheus endpoint needs; 401 without it. "
                "Empty: none is needed."},
    [DJP_SETTING_CARDINALITY_LIMIT] =
        {TABLE_FIELD(cardinality_limit), .form = DJP_FORM_COUNT, TABLE_RANGE(1, 1000000),
         .standard = "2000", .unit = "series",
         .doc = "Most series of one metric. Further label sets share one overflow series."},
    [DJP_SETTING_SHARED_DIR] =
        {TABLE_TEXT(shared_dir), .standard = "", .unit = "directory",
         .doc = "Directory through which all processes of a service share their metrics, so that a "
                "scrape of any of them shows the numbers of all. It is created if it does not "
                "exist; a local file system, best one in memory. See docs/metrics.md.",
         .sources = {{"PROMETHEUS_MULTIPROC_DIR", DJP_FORM_TEXT},
                     {"prometheus_multiproc_dir", DJP_FORM_TEXT}}},
    [DJP_SETTING_SHARE_WITH_CHILDREN] =
        {TABLE_BOOL(share_with_children), .standard = "true",
         .doc = "Processes forked from this one, and workers of a Node cluster, record into the "
                "same metrics. false: each has its own. Without effect if `shared_dir` is set."},
    [DJP_SETTING_HISTOGRAM_AGGREGATION] =
        {TABLE_WORD(exponential_histograms, table_aggregations),
         .standard = "explicit_bucket_histogram",
         .doc = "Buckets of histograms: explicit_bucket_histogram, or "
                "base2_exponential_bucket_histogram to keep exponential buckets beside the "
                "explicit ones. A declaration with `exponential` decides for its histogram.",
         .sources = {{"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", DJP_FORM_WORD}}},
    [DJP_SETTING_EXEMPLAR_FILTER] =
        {TABLE_WORD(exemplar_filter, table_exemplar_filters), .standard = "trace_based",
         .doc = "Recordings that may become exemplars: trace_based (inside sampled spans), "
                "always_on (inside any span) or always_off.",
         .sources = {{"OTEL_METRICS_EXEMPLAR_FILTER", DJP_FORM_WORD}}},
    [DJP_SETTING_STATUS_CLASS] = {TABLE_WORD(status_class, table_statuses), .standard = "code",
                                  .doc =
                                      "Status label of HTTP metrics: code (404) or class (4xx)."},
    [DJP_SETTING_LABEL_STYLE] =
        {TABLE_WORD(label_style_path, table_label_styles), .standard = "endpoint",
         .doc = "Labels of HTTP metrics: endpoint (method, endpoint, status_code) or path "
                "(service, method, path, status)."},
    [DJP_SETTING_RUNTIME_METRICS] =
        {TABLE_BOOL(runtime_metrics), .standard = "false",
         .doc = "Metrics of the language runtime: event loop, heap and garbage collection "
                "(docs/metrics.md)."},
    [DJP_SETTING_SDK_METRICS] =
        {TABLE_WORD(sdk_metrics, table_sdk_metrics), .standard = "basic",
         .doc = "Metrics of the SDK about itself: basic, or otel to add the otel.sdk.* names "
                "of the OpenTelemetry semantic conventions."},
    [DJP_SETTING_SEMCONV] =
        {TABLE_WORD(semconv, table_semconvs), .ruled = 1, .standard = "old",
         .doc = "Names of HTTP attributes and metrics: old (the documented ones), stable (those of "
                "the OpenTelemetry semantic conventions) or both. In the variable, "
                "http means stable and http/dup means both; other words of its list are ignored.",
         .sources = {{"OTEL_SEMCONV_STABILITY_OPT_IN", DJP_FORM_TEXT}}},
    [DJP_SETTING_EXCLUDED_PATHS] = {TABLE_TEXT(excluded_paths), .ruled = 1, .standard = "",
                                    .unit = "list",
                                    .doc = "Request paths that are not recorded, separated by "
                                           "commas: exact, or a prefix followed by *."},
    [DJP_SETTING_PROPAGATORS] =
        {TABLE_TEXT(propagators), .ruled = 1, .standard = "tracecontext,baggage", .unit = "list",
         .doc = "Header formats that are extracted and injected: tracecontext (W3C Trace "
                "Context), baggage (W3C Baggage), none.",
         .sources = {{"OTEL_PROPAGATORS", DJP_FORM_TEXT}}},
    [DJP_SETTING_KNOWN_METHODS] =
        {TABLE_TEXT(known_methods), .ruled = 1,
         .standard = "CONNECT,DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT,QUERY,TRACE", .unit = "list",
         .doc = "HTTP methods that keep their name in metrics and spans, compared with case. "
                "Other methods are recorded as _OTHER.",
         .sources = {{"OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", DJP_FORM_TEXT}}},
    [DJP_SETTING_BAGGAGE_ATTRIBUTES] =
        {TABLE_TEXT(baggage_attributes), .ruled = 1, .standard = "", .unit = "list",
         .doc = "Entries of the baggage (W3C Baggage) that each span gets as attributes, separated "
                "by commas: keys, or prefixes followed by *. Whoever calls the service chooses "
                "the baggage of its requests."},
    [DJP_SETTING_LOG_LEVEL] = {TABLE_WORD(log_level, table_log_levels), .standard = "info",
                               .doc =
                                   "Least severe messages of the SDK about itself that are logged.",
                               .sources = {{"OTEL_LOG_LEVEL", DJP_FORM_WORD}}},
    [DJP_SETTING_HANDLE_SIGTERM] =
        {TABLE_BOOL(handle_sigterm), .standard = "true",
         .doc = "Exports what waits when SIGTERM, SIGINT, SIGHUP or SIGUSR2 arrives and the "
                "program has no handler for it."},
    [DJP_SETTING_LOG_CORRELATION] = {TABLE_BOOL(log_correlation), .standard = "true",
                                     .doc = "Adds the trace id and span id to log records."},
};

const char *
djp__config_name(djp__setting setting)
{
    return table_names[setting];
}

const char *const *
djp_config_keywords(void)
{
    return table_names;
}
