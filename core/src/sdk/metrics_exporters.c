/* The exporters of metrics: a transport and a pipeline for each that the settings name. The first
 * one stands for metrics in the counts of an instance. */
#include <string.h>

#include "base/mem.h"
#include "sdk/sdk.h"

/* Bytes of a request: receivers of gRPC accept 4 MiB without a setting of theirs. */
enum { METRICS_EXPORTERS__BATCH_BYTES = 1 << 20 };

/* Takes the transport. */
static void
metrics_exporters_init(djp__pipeline *out, djp_sdk *sdk, djp__transport *transport,
                       djp_exporter exporter)
{
    const djp_options *options = &sdk->options;
    djp_protocol protocol = options->metrics_protocol;
    uint64_t bytes = options->max_request_bytes;
    int is_otlp = exporter == DJP_EXPORTER_OTLP;
    const djp__pipeline_options limits = {
        .queue_bytes = options->ring_bytes,
        .batch_bytes =
            bytes < METRICS_EXPORTERS__BATCH_BYTES ? bytes : METRICS_EXPORTERS__BATCH_BYTES,
        .batch_items = UINT64_MAX,
        .max_request_bytes = bytes,
        .flush_interval_ns = 0, /* at once after a collection */
        .export_timeout_ns = options->metrics_timeout_ns,
        .form = (int)djp__exporter_form(protocol, exporter),
        .target = is_otlp ? sdk->metric_export.endpoint : transport->ops->name,
        .exporter = djp__exporter_kind(protocol, exporter),
    };
    djp__pipeline_init(out, &djp__metrics_signal, sdk, transport, &sdk->worker, &sdk->diag,
                       &limits);
}

/* Takes the transport, also on failure. */
static int
metrics_exporters_add(djp_sdk *sdk, djp__transport *transport, djp_exporter exporter)
{
    djp__metric_export *self = &sdk->metric_export;
    djp__pipeline *pipeline = djp__calloc(1, sizeof *pipeline);
    if (pipeline == NULL) {
        transport->ops->free(transport);
        return DJP_ENOMEM;
    }
    if (sdk->worker.tasks == NULL) {
        djp__sdk_tasks_add(sdk);
    }
    metrics_exporters_init(pipeline, sdk, transport, exporter);
    if (self->pipeline != NULL) {
        djp__pipeline_join(self->pipeline, pipeline);
    }
    int result = djp__sdk_add_pipeline(sdk, pipeline);
    if (result != 0) {
        djp__pipeline_fini(pipeline);
        djp__free(pipeline);
    } else if (self->pipeline == NULL) {
        self->pipeline = pipeline;
    }
    return result;
}

static int
metrics_exporters_make(djp_sdk *sdk, djp_exporter exporter)
{
    djp__transport *transport = NULL;
    const djp__destination destination =
        djp__destination_of_metrics(&sdk->options, &djp__metrics_signal.route);
    int result = djp__exporter_transport(&transport, sdk, exporter, &destination,
                                         sdk->options.metrics_file_path);
    if (result == DJP_EINVAL && exporter == DJP_EXPORTER_OTLP) {
        djp__diag(&sdk->diag, DJP_LOG_WARN,
                  "No metric is sent by OTLP, because the address or a file of its TLS settings "
                  "cannot be used. Metrics can be scraped: correct metrics_endpoint or endpoint.");
        return 0;
    }
    return result == 0 ? metrics_exporters_add(sdk, transport, exporter) : result;
}

int
djp__sdk_metrics_exporters_make(djp_sdk *sdk)
{
    static const djp_exporter order[] = {DJP_EXPORTER_OTLP, DJP_EXPORTER_CONSOLE,
                                         DJP_EXPORTER_FILE};
    static const djp__temporality_preference preferences[] = {
        [DJP_TEMPORALITY_CUMULATIVE] = DJP__PREFER_CUMULATIVE,
        [DJP_TEMPORALITY_DELTA] = DJP__PREFER_DELTA,
        [DJP_TEMPORALITY_LOW_MEMORY] = DJP__PREFER_LOW_MEMORY,
    };
    const djp_options *options = &sdk->options;
    djp__metric_export *self = &sdk->metric_export;
    unsigned named = options->metrics_further_exporters | 1u << options->metrics_exporter;
    int result = 0;
    if (sdk->registry == NULL) {
        return 0;
    }
    self->endpoint = djp__sdk_public_endpoint(options->metrics_endpoint);
    if (self->endpoint == NULL || djp__mutex_init(&self->collecting) != 0) {
        return DJP_ENOMEM;
    }
    djp__metric_reader_init(&self->reader, sdk->registry,
                            preferences[options->metrics_temporality]);
    for (size_t i = 0; result == 0 && i < sizeof order / sizeof order[0]; i++) {
        if (named >> order[i] & 1u) {
            result = metrics_exporters_make(sdk, order[i]);
        }
    }
    return result;
}
