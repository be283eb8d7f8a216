/* One sentence for the start-up log: the active signals, their destination, the ratio and its
 * source. Like the report, it contains no secrets. */
#include "config/config.h"

#include "base/str.h"

#include <string.h>

static void
summary_source(djp__buf *out, const djp__config_state *state, djp__setting setting)
{
    djp__buf_printf(out, " (%s)", state->sources[setting]);
}

static void
summary_one_target(djp__buf *out, const djp__config_state *state, djp_exporter exporter)
{
    const djp_options *options = state->out;
    switch (exporter) {
    case DJP_EXPORTER_OTLP:
        djp__buf_text(out, "to ");
        djp__config_show_endpoint(out, options->endpoint);
        djp__buf_printf(
            out, " by %s",
            djp__config_word_of(&djp__config_table[DJP_SETTING_PROTOCOL], (int)options->protocol));
        summary_source(out, state, DJP_SETTING_ENDPOINT);
        return;
    case DJP_EXPORTER_CONSOLE:
        djp__buf_text(out, "to the console");
        break;
    case DJP_EXPORTER_FILE:
        djp__buf_text(out, "to ");
        djp__buf_text(out, *options->file_path == '\0' || strcmp(options->file_path, "-") == 0
                               ? "standard output"
                               : options->file_path);
        break;
    case DJP_EXPORTER_MEMORY:
        djp__buf_text(out, "to memory");
        break;
    case DJP_EXPORTER_NONE:
    case DJP_EXPORTER_PROMETHEUS:
        djp__buf_text(out, "nowhere");
        break;
    }
    summary_source(out, state, DJP_SETTING_EXPORTER);
}

static void
summary_target(djp__buf *out, const djp__config_state *state)
{
    const djp_options *options = state->out;
    summary_one_target(out, state, options->exporter);
    for (int i = 0; i < DJP__EXPORTERS; i++) {
        if (options->further_exporters >> i & 1u) {
            djp__buf_text(out, " and ");
            summary_one_target(out, state, (djp_exporter)i);
        }
    }
}

static void
summary_kept_besides(djp__buf *out, const djp_options *options)
{
    const char *between = ", besides ";
    if (options->sample_errors) {
        djp__buf_printf(out, "%serrors", between);
        between = " and ";
    }
    if (options->slow_threshold_ns > 0) {
        djp__buf_printf(out, "%swhat takes more than %.6g s", between,
                        (double)options->slow_threshold_ns / 1e9);
    }
}

static void
summary_sampling(djp__buf *out, const djp__config_state *state)
{
    const djp_options *options = state->out;
    switch (options->sampler) {
    case DJP_SAMPLER_TREE:
        djp__buf_text(out, ", by a tree of samplers");
        summary_source(out, state, DJP_SETTING_SAMPLER);
        break;
    case DJP_SAMPLER_JAEGER_REMOTE:
        djp__buf_printf(out, ", by a sampling server, ratio %.6g until it has responded",
                        options->sample_ratio);
        summary_source(out, state, DJP_SETTING_SAMPLER);
        break;
    default:
        djp__buf_printf(out, ", ratio %.6g", options->sample_ratio);
        summary_source(out, state, DJP_SETTING_SAMPLE_RATIO);
        break;
    }
    if (options->canary_ratio < 1) {
        djp__buf_printf(out, " of a canary of %.6g", options->canary_ratio);
        summary_source(out, state, DJP_SETTING_CANARY_RATIO);
    }
    int nothing = options->sample_ratio_explicit && options->sample_ratio == 0;
    if (nothing) {
        djp__buf_text(out, ", so nothing is exported");
    } else if (options->sample_ratio < 1) {
        summary_kept_besides(out, options);
    }
}

static void
summary_metrics(djp__buf *out, const djp__config_state *state)
{
    const djp_options *options = state->out;
    unsigned exporters = options->metrics_further_exporters | 1u << options->metrics_exporter;
    djp__buf_text(out, "metrics ");
    if (exporters & 1u << DJP_EXPORTER_OTLP) {
        djp__buf_text(out, "to ");
        djp__config_show_endpoint(out, options->metrics_endpoint);
        summary_source(out, state, DJP_SETTING_METRICS_EXPORTER);
        djp__buf_text(out, " and ");
    }
    djp__buf_text(out, "for scraping");
    if (options->prometheus_port > 0) {
        const char *host = options->prometheus_host;
        int is_bare_ipv6 = strchr(host, ':') != NULL && host[0] != '[';
        djp__buf_printf(out, " at http://%s%s%s:%d/metrics", is_bare_ipv6 ? "[" : "", host,
                        is_bare_ipv6 ? "]" : "", options->prometheus_port);
        summary_source(out, state, DJP_SETTING_PROMETHEUS_PORT);
    }
}

static void
summary_write(djp__buf *out, const djp__config_state *state)
{
    const djp_options *options = state->out;
    int traces = options->backend == DJP_BACKEND_OTEL || options->backend == DJP_BACKEND_HYBRID;
    if (!options->enabled || options->backend == DJP_BACKEND_NOOP) {
        return;
    }
    djp__buf_text(out, "Telemetry is on");
    summary_source(out, state, DJP_SETTING_ENABLED);
    djp__buf_printf(out, " for %.200s", options->service_name);
    if (*options->environment != '\0') {
        djp__buf_printf(out, " in %.100s", options->environment);
        summary_source(out, state, DJP_SETTING_ENVIRONMENT);
    }
    djp__buf_text(out, ": ");
    if (traces) {
        djp__buf_text(out, "spans ");
        summary_target(out, state);
        if (options->exporter != DJP_EXPORTER_NONE) {
            summary_sampling(out, state);
        }
    }
    if (options->metrics_enabled) {
        djp__buf_text(out, traces ? "; " : "");
        summary_metrics(out, state);
    }
    djp__buf_text(out, traces || options->metrics_enabled ? "." : "nothing is recorded.");
}

void
djp__config_summary(djp__config_state *state)
{
    djp__buf text;
    djp__buf_init(&text, 0);
    summary_write(&text, state);
    for (size_t i = 0; i < text.size; i++) {
        text.data[i] =
            (unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f ? '?' : text.data[i];
    }
    state->out->summary = djp__buf_take(&text, NULL);
    state->out->endpoint_source = djp__strdup(state->sources[DJP_SETTING_ENDPOINT]);
    state->out->enabled_source = djp__strdup(state->sources[DJP_SETTING_ENABLED]);
    state->failed |= state->out->summary == NULL || state->out->endpoint_source == NULL ||
                     state->out->enabled_source == NULL;
}
