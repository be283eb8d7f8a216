/* Creates and frees an SDK instance: reads the options and connects recorder, transport and
 * metrics. Opens no thread, socket or file before the first span, except a configured metrics
 * port, and the worker if metrics are pushed. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "djp/sampler.h"
#include "djp/version.h"
#include "metrics/runtime.h"
#include "oplog/oplog.h"
#include "sdk/sdk.h"
#include "sampling/head.h"

char *
djp__sdk_public_endpoint(const char *url)
{
    djp__buf out;
    djp__buf_init(&out, 0);
    const char *text = url != NULL ? url : "";
    const char *scheme = strstr(text, "://");
    const char *host = scheme != NULL ? scheme + 3 : text;
    const char *end = host + strcspn(host, "/?#");
    const char *at = NULL;
    for (const char *p = host; p < end; p++) {
        if (*p == '@') {
            at = p;
        }
    }
    djp__buf_append(&out, text, (size_t)(host - text));
    host = at != NULL ? at + 1 : host;
    djp__buf_append(&out, host, strcspn(host, "?#"));
    return djp__buf_take(&out, NULL);
}

static int
sdk_wants_traces(const djp_options *options)
{
    return options->enabled && options->exporter != DJP_EXPORTER_NONE &&
           (options->backend == DJP_BACKEND_OTEL || options->backend == DJP_BACKEND_HYBRID);
}

/* Nothing is exported: ids are generated only for logs and propagation. */
static int
sdk_drops_all(const djp_options *options)
{
    return (options->sampler == DJP_SAMPLER_ALWAYS_OFF && !options->parent_based) ||
           (options->sample_ratio_explicit && options->sample_ratio <= 0.0);
}

/* The overrides file or a sampling server may change it at run time. */
static int
sdk_is_switched(const djp_options *options)
{
    return options->sampler == DJP_SAMPLER_JAEGER_REMOTE ||
           (options->overrides_file && options->overrides_file[0]);
}

/* rules: room for DJP_TAIL_RULES_MAX, used as long as the result. */
static djp__recorder_options
sdk_recorder_options(djp_sdk *sdk, int drop_all, djp_tail_rule *rules)
{
    const djp_options *options = &sdk->options;
    int off = options->sampler == DJP_SAMPLER_ALWAYS_OFF;
    djp__recorder_options recorder;
    memset(&recorder, 0, sizeof recorder);
    recorder.ring_bytes = options->ring_bytes;
    recorder.decision_buffer_bytes = options->decision_buffer_bytes;
    recorder.drop_all = drop_all;
    recorder.always_on = options->sampler == DJP_SAMPLER_ALWAYS_ON;
    recorder.threshold = djp__threshold_of(off ? 0.0 : options->sample_ratio);
    recorder.canary = djp__threshold_of(options->canary_ratio);
    recorder.parent_based = options->parent_based;
    /* "always off" below a parent that is not sampled exports nothing, not even errors. */
    recorder.slow_threshold_ns = off ? 0 : options->slow_threshold_ns;
    recorder.sample_errors = !off && options->sample_errors;
    recorder.tell_errors = options->semconv != DJP_SEMCONV_STABLE;
    recorder.tail_sampling_rules = rules;
    recorder.tail_sampling_rule_count =
        off ? 0 : djp_tail_rules_parse(rules, djp__text(options->tail_sampling_rules), NULL, NULL);
    recorder.decision_wait_ns = options->decision_wait_ns;
    recorder.span_rate_limit = options->span_rate_limit;
    recorder.attribute_count_limit = options->attribute_count_limit;
    recorder.attribute_value_length_limit = options->attribute_value_length_limit;
    recorder.event_count_limit = options->event_count_limit;
    recorder.link_count_limit = options->link_count_limit;
    recorder.event_attribute_count_limit = options->event_attribute_count_limit;
    recorder.link_attribute_count_limit = options->link_attribute_count_limit;
    recorder.wake = drop_all && !sdk_is_switched(options) ? NULL : djp__sdk_wake;
    recorder.wake_user = sdk;
    /* the worker calls the server */
    recorder.wake_first = options->sampler == DJP_SAMPLER_JAEGER_REMOTE;
    return recorder;
}

static int
sdk_make_sampler(djp_sdk *sdk)
{
    djp_sampler *sampler;
    int result = djp_sampler_parse(&sampler, djp__text(sdk->options.sampler_text), NULL);
    return result == 0 ? djp__recorder_set_sampler(sdk->recorder, sampler) : result;
}

/* Registers the span processors of the settings. */
static int
sdk_add_processors(djp_sdk *sdk)
{
    const char *entries = sdk->options.baggage_attributes;
    return entries != NULL && entries[0] != '\0'
               ? djp__baggage_attributes_add(&sdk->baggage_attributes, sdk->recorder, entries)
               : 0;
}

const char *
djp__sdk_target(const djp_sdk *sdk)
{
    return sdk->endpoint && sdk->endpoint[0] ? sdk->endpoint : sdk->transport_name;
}

void
djp__sdk_wake(void *user)
{
    djp_sdk *self = user;
    if (self->traces.signal != NULL) {
        djp__pipeline_wake(&self->traces);
    } else {
        djp__worker_ensure(&self->worker);
    }
}

int
djp__sdk_add_pipeline(djp_sdk *sdk, djp__pipeline *pipeline)
{
    djp__pipeline **link = &sdk->pipelines;
    size_t count = 0;
    while (*link) {
        link = &(*link)->next;
        count++;
    }
    int result = count < DJP__PIPELINES_MAX ? 0 : DJP_EFULL;
    /* The first destination of a signal stands for it in the metrics. */
    if (result == 0 && sdk->registry != NULL && pipeline->first == pipeline) {
        result = djp__sdk_metrics_add_signal(sdk, pipeline->signal, pipeline->source, pipeline);
    }
    if (result != 0) {
        return result;
    }
    *link = pipeline;
    sdk->worker.shares_files |= pipeline->transport->ops->shares_files;
    djp__worker_add(&sdk->worker, &pipeline->batch_task);
    djp__worker_add(&sdk->worker, &pipeline->send_task);
    return 0;
}

/* Takes *transport if there is one and it is used. */
static int
sdk_make_traces(djp_sdk *sdk, djp__transport **transport)
{
    if (!sdk_wants_traces(&sdk->options)) {
        return 0;
    }
    int drop_all = sdk_drops_all(&sdk->options);
    djp_tail_rule rules[DJP_TAIL_RULES_MAX];
    djp__recorder_options options = sdk_recorder_options(sdk, drop_all, rules);
    int result = djp__recorder_new(&sdk->recorder, &options);
    if (result != 0 || (drop_all && !sdk_is_switched(&sdk->options))) {
        return result;
    }
    result = sdk_add_processors(sdk);
    if (result == 0 && sdk->options.sampler == DJP_SAMPLER_TREE) {
        result = sdk_make_sampler(sdk);
    }
    return result == 0 ? djp__sdk_exporters_make(sdk, transport) : result;
}

static void
sdk_family_taken(void *user, const char *name)
{
    djp_sdk *sdk = user;
    djp__diag(&sdk->diag, DJP_LOG_WARN,
              "The application declares a metric named '%s' with another type or other labels, so "
              "the SDK's own family of "
              "that name records nothing. Give the application's metric another name, or the "
              "documented labels.",
              name);
}

/* Memory that children cannot inherit has the effect of share_with_children false. */
static void
sdk_check_sharing(djp_sdk *sdk)
{
    const char *problem;
    int error;
    djp_registry_sharing(&problem, &error, sdk->registry);
    if (problem != NULL && sdk->options.shared_dir[0]) {
        djp__diag(&sdk->diag, DJP_LOG_WARN,
                  "The metrics are not shared through %.200s: %s (%s). This process counts for "
                  "itself. Name a directory of a local file system that this user may write.",
                  sdk->options.shared_dir, problem, strerror(error));
    }
}

static int
sdk_make_metrics(djp_sdk *sdk, const djp_sdk_language *language)
{
    const djp_options *options = &sdk->options;
    if (!options->enabled || !options->metrics_enabled) {
        return 0;
    }
    djp_registry_options registry;
    memset(&registry, 0, sizeof registry);
    registry.cardinality_limit = options->cardinality_limit;
    registry.sharing = options->shared_dir[0]         ? DJP_SHARE_DIR
                       : options->share_with_children ? DJP_SHARE_FORK
                                                      : DJP_SHARE_NONE;
    registry.shared_dir = options->shared_dir;
    registry.writers = language != NULL && language->has_shards;
    registry.exemplar_filter = (djp_exemplar_filter)options->exemplar_filter;
    registry.exponential_histograms = options->exponential_histograms;
    int result = djp_registry_new(&sdk->registry, &registry);
    if (result == 0) {
        sdk_check_sharing(sdk);
        result = djp_registry_add_process(sdk->registry);
    }
    if (result == 0 && options->runtime_metrics) {
        result = djp__runtime_add(sdk->registry);
    }
    if (result == 0) {
        djp_builtin_options standard = {options->status_class,
                                        options->label_style_path,
                                        options->service_name,
                                        options->known_methods,
                                        sdk_family_taken,
                                        sdk,
                                        options->semconv != DJP_SEMCONV_OLD};
        result = djp_builtin_new(&sdk->standard, sdk->registry, &standard);
    }
    if (result == 0) {
        result = djp__sdk_metrics_add(sdk);
    }
    /* a segment that is full before its first use is also out of memory */
    return result == 0 ? 0 : DJP_ENOMEM;
}

static int
sdk_copy_language(djp_sdk *sdk, const djp_sdk_language *language)
{
    sdk->resource.language =
        djp__strdup(language && language->language != NULL ? language->language : "c");
    sdk->resource.runtime_name =
        djp__strdup(language && language->runtime_name != NULL ? language->runtime_name : "");
    sdk->resource.runtime_version =
        djp__strdup(language && language->runtime_version != NULL ? language->runtime_version : "");
    int is_otlp = sdk->options.exporter == DJP_EXPORTER_OTLP;
    sdk->endpoint = djp__sdk_public_endpoint(is_otlp ? sdk->options.endpoint : "");
    return sdk->resource.language && sdk->resource.runtime_name != NULL &&
                   sdk->resource.runtime_version != NULL && sdk->endpoint
               ? 0
               : DJP_ENOMEM;
}

static void
sdk_free_pipelines(djp_sdk *sdk)
{
    while (sdk->pipelines != NULL) {
        djp__pipeline *pipeline = sdk->pipelines;
        sdk->pipelines = pipeline->next;
        djp__pipeline_fini(pipeline);
        if (pipeline != &sdk->traces) {
            djp__free(pipeline);
        }
    }
}

static void
sdk_destroy(djp_sdk *sdk)
{
    djp__control_fini(&sdk->control);
    djp__recorder_free(sdk->recorder);
    sdk_free_pipelines(sdk);
    djp__http_client_free(sdk->http_client);
    djp__operations_free(sdk->operations);
    djp_builtin_free(sdk->standard);
    djp__sdk_metrics_end(sdk);
    djp_registry_free(sdk->registry);
    djp__worker_fini(&sdk->worker);
    djp__oplogs_fini(&sdk->oplogs);
    djp__diag_fini(&sdk->diag);
    djp_options_fini(&sdk->options);
    djp__free(sdk->resource.language);
    djp__free(sdk->resource.runtime_name);
    djp__free(sdk->resource.runtime_version);
    djp__free(sdk->endpoint);
    djp__free(sdk);
}

void
djp__sdk_ref(void *sdk)
{
    djp__add_acq_rel(&((djp_sdk *)sdk)->references, 1);
}

void
djp__sdk_unref(void *user)
{
    djp_sdk *sdk = user;
    if (djp__sub_acq_rel(&sdk->references, 1) == 1) {
        sdk_destroy(sdk);
    }
}

static djp_sdk *
sdk_alloc(void)
{
    djp_sdk *sdk = djp__calloc(1, sizeof *sdk);
    if (sdk == NULL) {
        return NULL;
    }
    sdk->references = 1;
    strcpy(sdk->transport_name, "none");
    djp__worker_init(&sdk->worker);
    sdk->worker.ref = djp__sdk_ref;
    sdk->worker.unref = djp__sdk_unref;
    sdk->worker.owner = sdk;
    djp__oplogs_init(&sdk->oplogs);
    djp__control_init(&sdk->control);
    return sdk;
}

/* Reads the options; creates recorder, transport and metrics. Takes *transport if it is used. */
static int
sdk_make(djp_sdk *sdk, const djp_options *options, const djp_sdk_language *language,
         djp__transport **transport)
{
    int result = djp_options_copy(&sdk->options, options);
    if (result == 0) {
        result = sdk_copy_language(sdk, language);
    }
    if (result == 0) {
        result = sdk_make_traces(sdk, transport);
    }
    if (result == 0) {
        result = sdk_make_metrics(sdk, language);
    }
    if (result == 0) {
        result = djp__sdk_metrics_exporters_make(sdk);
    }
    if (result == 0) {
        result =
            djp__http_client_new(&sdk->http_client, &sdk->options, sdk->recorder, sdk->standard);
    }
    if (result == 0) {
        result = djp__operations_new(&sdk->operations, &sdk->options, sdk->recorder, sdk->standard);
    }
    if (result == 0) {
        result = djp__sdk_prepare_control(sdk);
    }
    return result;
}

int
djp__sdk_new_with_transport(djp_sdk **out, const djp_options *options,
                            const djp_sdk_language *language, djp_sdk_log log, void *log_user,
                            djp__transport *transport)
{
    if (out != NULL) {
        *out = NULL;
    }
    djp_sdk *sdk = sdk_alloc();
    int result = DJP_ENOMEM;
    if (sdk != NULL) {
        djp__diag_init(&sdk->diag, options != NULL ? options->log_level : DJP_LOG_WARN, log,
                       log_user);
        result = out && options != NULL ? sdk_make(sdk, options, language, &transport) : DJP_EINVAL;
    }
    if (transport != NULL) {
        transport->ops->free(transport);
    }
    if (result != 0) {
        if (sdk != NULL) {
            sdk_destroy(sdk);
        }
        return result;
    }
    djp__sdk_oplogs_init(sdk);
    djp__control_start(&sdk->control);
    if (sdk->registry && options->prometheus_port > 0) {
        /* Last, because an exposition reads all of the above. A port in use does not disable the
         * rest; the endpoint has logged it. */
        djp__prometheus_http_start(&sdk->listener, sdk->registry, options->prometheus_host,
                                   options->prometheus_port, options->prometheus_token, &sdk->diag);
    }
    djp__sdk_fork_init(sdk);
    djp_sdk_take_signals(sdk);
    djp_sdk_start_metrics(sdk);
    *out = sdk;
    return 0;
}

int
djp_sdk_start_metrics(djp_sdk *sdk)
{
    return sdk != NULL && sdk->metric_export.pipeline != NULL ? djp__worker_ensure(&sdk->worker)
                                                              : 0;
}

int
djp_sdk_new(djp_sdk **out, const djp_options *options, const djp_sdk_language *language,
            djp_sdk_log log, void *log_user)
{
    return djp__sdk_new_with_transport(out, options, language, log, log_user, NULL);
}

void
djp_sdk_free(djp_sdk *sdk)
{
    if (sdk == NULL) {
        return;
    }
    djp_sdk_shutdown(sdk, 0);
    djp__oplogs_detach(&sdk->oplogs);
    djp__fork_unregister(&sdk->fork_hook);
    djp__registry_end_name(sdk->registry);
    djp__sdk_unref(sdk);
}

djp_recorder *
djp_sdk_recorder(djp_sdk *sdk)
{
    return sdk != NULL ? sdk->recorder : NULL;
}

djp_registry *
djp_sdk_registry(djp_sdk *sdk)
{
    return sdk != NULL ? sdk->registry : NULL;
}

djp_builtin *
djp_sdk_builtin(djp_sdk *sdk)
{
    return sdk != NULL ? sdk->standard : NULL;
}

djp_http_client *
djp_sdk_http_client(djp_sdk *sdk)
{
    return sdk != NULL ? sdk->http_client : NULL;
}

void
djp_sdk_set_baggage_source(djp_sdk *sdk, djp_baggage_source source, void *user)
{
    if (sdk != NULL) {
        djp__baggage_attributes_set_source(sdk->baggage_attributes, source, user);
    }
}

djp_operations *
djp_sdk_operations(djp_sdk *sdk)
{
    return sdk != NULL ? sdk->operations : NULL;
}

const djp_options *
djp_sdk_options(const djp_sdk *sdk)
{
    return sdk != NULL ? &sdk->options : NULL;
}

int
djp_sdk_take_exported(char **out, size_t *out_size, djp_sdk *sdk)
{
    if (out == NULL || out_size == NULL || sdk == NULL) {
        return DJP_EINVAL;
    }
    *out = NULL;
    *out_size = 0;
    djp__buf taken;
    djp__buf_init(&taken, 0);
    int result = DJP_EUNSUPPORTED;
    djp__pipeline *pipeline = sdk->pipelines;
    while (pipeline != NULL && (pipeline->signal != &djp__signal_traces ||
                                !djp__transport_memory_take(pipeline->transport, &taken))) {
        pipeline = pipeline->next;
    }
    if (pipeline != NULL) {
        if (taken.size == 0 && !taken.failed) {
            djp__buf_reserve(&taken, 1);
        }
        *out = djp__buf_take(&taken, out_size);
        result = *out ? 0 : DJP_ENOMEM;
    }
    djp__buf_fini(&taken);
    return result;
}
