/* Prints expositions for the Python tests: `tool_exposition FORMAT [created]` writes a
 * registry that holds every kind of family, awkward labels and values, exemplars and the documented
 * families; `listen` serves it on a free port, which it prints, until standard input ends. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "djp/djp.h"
#include "export/prometheus_http.h"

#define TEXT(literal) ((djp_text){literal, sizeof literal - 1})

static djp_family *
tool_family(djp_registry *registry, djp_metric_type type, const char *name, const char *unit,
            const double *bounds, size_t count)
{
    static const char *const labels[] = {"one", "two"};
    djp_family *family = NULL;
    djp_family_options options = {
        .type = type,
        .name = name,
        .help = "Help with \"quotes\", a \\ and a\nline end",
        .unit = unit,
        .labels = labels,
        .label_count = 2,
        .buckets = bounds,
        .bucket_count = count,
    };
    if (djp_family_new(&family, registry, &options) < 0) {
        fprintf(stderr, "cannot make %s\n", name);
        exit(1);
    }
    return family;
}

static void
tool_awkward(djp_registry *registry)
{
    static const double negative[] = {-1, 0, 1e-9, 1e20};
    static const double values[] = {0,     -0.0,   0.1,    1.0 / 3,
                                    1e300, 5e-324, -12.75, 4503599627370497.5};
    const djp_text labels[][2] = {
        {TEXT("plain"), TEXT("")},
        {TEXT("quo\"te"), TEXT("back\\slash")},
        {TEXT("line\nend"), TEXT("tab\tcr\rbrace}{,=")},
        {TEXT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), TEXT("\xff\xed\xa0\x80")},
        {TEXT("# EOF"), TEXT("le=\"0.1\"")}};
    djp_family *counter = tool_family(registry, DJP_COUNTER, "awkward_total", "", NULL, 0);
    djp_family *gauge = tool_family(registry, DJP_GAUGE, "awkward_celsius", "celsius", NULL, 0);
    djp_family *histogram =
        tool_family(registry, DJP_HISTOGRAM, "awkward_seconds", "seconds", NULL, 0);
    djp_family *signedness =
        tool_family(registry, DJP_HISTOGRAM, "awkward_signed", "", negative, 4);
    djp_span_context context = {{0xab, 1}, {0xcd, 2}, DJP_FLAG_SAMPLED, 0, NULL};
    tool_family(registry, DJP_HISTOGRAM, "awkward_empty", "", NULL, 0);
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
            djp_counter_add_with_context(djp_family_series(counter, labels[i]), values[k],
                                         k % 2 ? &context : NULL);
            djp_histogram_observe_with_context(djp_family_series(histogram, labels[i]),
                                               fabs(values[k]), &context);
            djp_histogram_observe(djp_family_series(signedness, labels[i]), values[k]);
        }
        djp_gauge_set(djp_family_series(gauge, labels[i]), values[i]);
    }
    djp_gauge_set(djp_family_series(gauge, labels[0]), NAN);
    djp_gauge_set(djp_family_series(gauge, labels[1]), INFINITY);
    djp_gauge_set(djp_family_series(gauge, labels[2]), -INFINITY);
}

static void
tool_documented(djp_registry *registry)
{
    static const char *const names[] = {"queue_job_latency_seconds",
                                        "queue_depth_total",
                                        "queue_job_failures_total",
                                        "external_api_calls_total",
                                        "external_api_errors_total",
                                        "external_api_duration_seconds",
                                        "token_cost_usd",
                                        "workflow_cost_usd",
                                        "model_requests_total",
                                        "model_tokens_total",
                                        "model_cost_usd_total",
                                        "task_duration_seconds",
                                        "task_queue_depth",
                                        "gpu_utilization_percent"};
    static const djp_text labels[3] = {TEXT("a"), TEXT("b"), TEXT("c")};
    djp_builtin *standard;
    djp_span_context context = {{1}, {2}, DJP_FLAG_SAMPLED, 0, NULL};
    if (djp_builtin_new(&standard, registry, NULL) < 0) {
        exit(1);
    }
    for (int i = 0; i < 20; i++) {
        djp_builtin_http_request(standard, TEXT("GET"), TEXT("/orders/{id}"), i % 4 ? 200 : 503,
                                 (uint64_t)i * 123456789u, i * 500, &context);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        djp_series *series = djp_family_series(djp_builtin_family(standard, names[i]), labels);
        /* Two of the three do not fit the type and are dropped. */
        djp_counter_add(series, 1.5);
        djp_gauge_set(series, 2.5);
        djp_histogram_observe(series, 0.26);
    }
    djp_builtin_free(standard);
}

static int
tool_listen(djp_registry *registry)
{
    djp__diagnostics diag;
    djp__prometheus_http *listener;
    djp__diag_init(&diag, DJP_LOG_WARN, NULL, NULL);
    if (djp__prometheus_http_start(&listener, registry, NULL, 0, NULL, &diag) < 0) {
        return 1;
    }
    printf("%d\n", djp__prometheus_http_port(listener));
    fflush(stdout);
    while (getchar() != EOF) {
    }
    djp__prometheus_http_stop(listener);
    djp__diag_fini(&diag);
    return 0;
}

static djp_exposition
tool_format(const char *name)
{
    static const struct {
        const char *name;
        djp_exposition format;
    } formats[] = {{"text", DJP_TEXT_0_0_4},
                   {"text1", DJP_TEXT_1_0_0},
                   {"openmetrics", DJP_OPENMETRICS_1_0_0},
                   {"openmetrics2", DJP_OPENMETRICS_2_0_0},
                   {"protobuf", DJP_PROTOBUF_DELIMITED}};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(name, formats[i].name) == 0) {
            return formats[i].format;
        }
    }
    exit(2);
}

int
main(int count, char **arguments)
{
    djp_registry *registry;
    const char *command = count > 1 ? arguments[1] : "text";
    djp_registry_options options = {.created_samples = count > 2};
    if (djp_registry_new(&registry, &options) < 0 || djp_registry_add_process(registry) < 0) {
        return 1;
    }
    tool_awkward(registry);
    tool_documented(registry);
    int result = 0;
    if (strcmp(command, "listen") == 0) {
        result = tool_listen(registry);
    } else {
        char *text;
        size_t size;
        if (djp_registry_expose(&text, &size, registry, tool_format(command)) < 0) {
            return 1;
        }
        fwrite(text, 1, size, stdout);
        djp_free(text);
    }
    djp_registry_free(registry);
    return result;
}
