/* The exporters of spans: a transport and a pipeline for each that the settings name. The first
 * one, OTLP if it is among them, stands for traces in the counts of an instance. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "djp/version.h"
#include "sdk/sdk.h"

enum { SDK_EXPORTERS__BATCH_BYTES = 1 << 20, SDK_EXPORTERS__BATCH_LEAST = 64 << 10 };

/* ---- one exporter ---- */

djp__encoding
djp__exporter_form(djp_protocol protocol, djp_exporter exporter)
{
    if (exporter == DJP_EXPORTER_CONSOLE) {
        return DJP__ENCODE_CONSOLE;
    }
    int is_json = exporter == DJP_EXPORTER_FILE ||
                  (exporter == DJP_EXPORTER_OTLP && protocol == DJP_PROTOCOL_HTTP_JSON);
    return is_json ? DJP__ENCODE_JSON : DJP__ENCODE_PROTOBUF;
}

const char *
djp__exporter_kind(djp_protocol protocol, djp_exporter exporter)
{
    switch (exporter) {
    case DJP_EXPORTER_CONSOLE:
        return "console";
    case DJP_EXPORTER_FILE:
        return "file";
    case DJP_EXPORTER_MEMORY:
        return "memory";
    case DJP_EXPORTER_OTLP:
    case DJP_EXPORTER_NONE:
    case DJP_EXPORTER_PROMETHEUS:
        break;
    }
    return protocol == DJP_PROTOCOL_GRPC        ? "otlp_grpc"
           : protocol == DJP_PROTOCOL_HTTP_JSON ? "otlp_http_json"
                                                : "otlp_http";
}

int
djp__exporter_transport(djp__transport **out, djp_sdk *sdk, djp_exporter exporter,
                        const djp__destination *destination, const char *file_path)
{
    switch (exporter) {
    case DJP_EXPORTER_OTLP:
        return djp__transport_otlp_new(out, destination, "djp-telemetry-exporter-c/" DJP_VERSION,
                                       &sdk->diag);
    case DJP_EXPORTER_CONSOLE:
        return djp__transport_console_new(out);
    case DJP_EXPORTER_FILE:
        return djp__transport_file_new(out, file_path);
    case DJP_EXPORTER_MEMORY:
        return djp__transport_memory_new(out);
    case DJP_EXPORTER_NONE:
    case DJP_EXPORTER_PROMETHEUS:
        break;
    }
    return DJP_EINVAL;
}

static void
sdk_exporters_report_unasked(djp_sdk *sdk)
{
    if (sdk->options.console_unasked) {
        djp__diag(
            &sdk->diag, DJP_LOG_WARN,
            "No endpoint is set, so spans go to standard output, although the environment is "
            "%.40s. Set "
            "OTEL_EXPORTER_OTLP_ENDPOINT, or OTEL_TRACES_EXPORTER=console where that is meant.",
            sdk->options.environment ? sdk->options.environment : "not dev");
    }
}

static int
sdk_exporters_transport(djp__transport **out, djp_sdk *sdk, djp_exporter exporter)
{
    const djp__destination destination =
        djp__destination_of_traces(&sdk->options, &djp__signal_traces.route);
    if (exporter == DJP_EXPORTER_CONSOLE || exporter == DJP_EXPORTER_FILE) {
        sdk_exporters_report_unasked(sdk);
    }
    return djp__exporter_transport(out, sdk, exporter, &destination, sdk->options.file_path);
}

static uint64_t
sdk_exporters_batch_bytes(const djp_options *options)
{
    uint64_t quarter = options->ring_bytes / 4;
    uint64_t bytes = quarter > SDK_EXPORTERS__BATCH_LEAST ? quarter : SDK_EXPORTERS__BATCH_LEAST;
    bytes = bytes < SDK_EXPORTERS__BATCH_BYTES ? bytes : SDK_EXPORTERS__BATCH_BYTES;
    return bytes < options->max_request_bytes ? bytes : options->max_request_bytes;
}

/* Takes the transport. */
static void
sdk_exporters_init(djp__pipeline *out, djp_sdk *sdk, djp__transport *transport,
                   djp_exporter exporter, const char *target)
{
    const djp_options *options = &sdk->options;
    const djp__pipeline_options limits = {
        .queue_bytes = options->ring_bytes,
        .batch_bytes = sdk_exporters_batch_bytes(options),
        .batch_items = options->max_batch_spans,
        .max_request_bytes = options->max_request_bytes,
        .flush_interval_ns = options->flush_interval_ns,
        .export_timeout_ns = options->export_timeout_ns,
        .form = (int)djp__exporter_form(options->protocol, exporter),
        .target = target,
        .exporter = djp__exporter_kind(options->protocol, exporter),
    };
    djp__pipeline_init(out, &djp__signal_traces, sdk, transport, &sdk->worker, &sdk->diag, &limits);
    sdk->worker.shares_files |= transport->ops->shares_files;
}

/* ---- all of them ---- */

/* Takes the transport. */
static void
sdk_exporters_begin(djp_sdk *sdk, djp__transport *transport, djp_exporter exporter)
{
    strncpy(sdk->transport_name, transport->ops->name, sizeof sdk->transport_name - 1);
    if (exporter != DJP_EXPORTER_OTLP) {
        sdk->endpoint[0] = '\0'; /* of an OTLP exporter that cannot be used */
    }
    sdk_exporters_init(&sdk->traces, sdk, transport, exporter, djp__sdk_target(sdk));
    sdk->pipelines = &sdk->traces;
    djp__sdk_tasks_add(sdk);
    djp__recorder_set_wake_level(sdk->recorder, 0);
}

/* Takes the transport, also on failure. */
static int
sdk_exporters_continue(djp_sdk *sdk, djp__transport *transport, djp_exporter exporter)
{
    djp__pipeline *pipeline = djp__calloc(1, sizeof *pipeline);
    if (pipeline == NULL) {
        transport->ops->free(transport);
        return DJP_ENOMEM;
    }
    sdk_exporters_init(pipeline, sdk, transport, exporter, transport->ops->name);
    djp__pipeline_join(&sdk->traces, pipeline);
    return djp__sdk_add_pipeline(sdk, pipeline);
}

/* Adds one exporter. An OTLP address that cannot be used is passed over: *is_bad is set. */
static int
sdk_exporters_add(djp_sdk *sdk, djp__transport **given, djp_exporter exporter, int *is_bad)
{
    djp__transport *transport = *given;
    *given = NULL;
    int result = transport != NULL ? 0 : sdk_exporters_transport(&transport, sdk, exporter);
    if (result == DJP_EINVAL && exporter == DJP_EXPORTER_OTLP) {
        *is_bad = 1;
        return 0;
    }
    if (result == 0 && sdk->pipelines == NULL) {
        sdk_exporters_begin(sdk, transport, exporter);
    } else if (result == 0) {
        result = sdk_exporters_continue(sdk, transport, exporter);
    }
    return result;
}

/* An invalid address disables traces only, and only if spans have no other exporter. */
static void
sdk_exporters_report_bad(djp_sdk *sdk)
{
    const char *source = sdk->options.endpoint_source;
    source = source != NULL && *source != '\0' ? source : "endpoint";
    if (sdk->pipelines != NULL) {
        djp__diag(&sdk->diag, DJP_LOG_WARN,
                  "No span is sent by OTLP, because the address in %s cannot be used. The other "
                  "exporters go on: correct it.",
                  source);
        return;
    }
    djp__diag(
        &sdk->diag, DJP_LOG_WARN,
        "No span is recorded, because the address in %s cannot be used. Metrics go on: correct it.",
        source);
    djp__recorder_free(sdk->recorder);
    sdk->recorder = NULL;
    sdk->baggage_attributes = NULL;
}

int
djp__sdk_exporters_make(djp_sdk *sdk, djp__transport **transport)
{
    const djp_options *options = &sdk->options;
    int is_bad = 0, result = sdk_exporters_add(sdk, transport, options->exporter, &is_bad);
    for (int i = DJP_EXPORTER_CONSOLE; result == 0 && i <= DJP_EXPORTER_MEMORY; i++) {
        if ((options->further_exporters >> i & 1u) != 0 && i != (int)options->exporter) {
            result = sdk_exporters_add(sdk, transport, (djp_exporter)i, &is_bad);
        }
    }
    if (result == 0 && is_bad) {
        sdk_exporters_report_bad(sdk);
    }
    return result;
}
