/* Families and series by number, and recording functions for calls that are not hot. An invalid
 * argument, such as a number of an earlier SDK, records nothing; only a rejected declaration
 * throws. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"

/* Returns the active SDK with a reference if metrics are on; else NULL. */
static djp_node_sdk *
metrics_sdk(void)
{
    djp_node_sdk *sdk = djp_node_sdk_acquire();
    if (sdk != NULL && sdk->registry == NULL) {
        djp_node_sdk_release(sdk);
        sdk = NULL;
    }
    return sdk;
}

/* ---- families ---- */

typedef struct metrics_definition {
    djp_node_text name, help, unit;
    djp_node_texts labels;
    const char **label_names;
    double *buckets;
    size_t bucket_count;
    djp_gauge_mode mode;
    djp_exponential exponential;
    int type;
    const char *wrong; /* message, or NULL */
} metrics_definition;

static void
metrics_read_buckets(metrics_definition *definition, napi_env env, napi_value value)
{
    napi_valuetype type = djp_node_type(env, value);
    bool is_array = false;
    uint32_t count = 0;
    if (definition->type != DJP_HISTOGRAM || type == napi_undefined || type == napi_null) {
        return;
    }
    if (!djp_node_ok(env, napi_is_array(env, value, &is_array)) || !is_array ||
        !djp_node_ok(env, napi_get_array_length(env, value, &count)) ||
        count > DJP_BUCKETS_MAX + 1) {
        definition->wrong = "buckets must be an array of at most 160 numbers";
        return;
    }
    definition->buckets = calloc((size_t)count + 1, sizeof(double));
    for (uint32_t i = 0; definition->buckets != NULL && i < count; i++) {
        napi_value item = NULL;
        if (!djp_node_ok(env, napi_get_element(env, value, i, &item))) {
            item = NULL;
        }
        double bound = djp_node_number(env, item, NAN);
        if (isnan(bound)) {
            definition->wrong = "every bucket must be a number";
        }
        if (bound != HUGE_VAL) { /* +Inf is implied */
            definition->buckets[definition->bucket_count++] = bound;
        }
    }
}

static void
metrics_read_aggregator(metrics_definition *definition, napi_env env, napi_value value)
{
    napi_valuetype type = djp_node_type(env, value);
    djp_node_text name;
    if (definition->type != DJP_GAUGE || type == napi_undefined || type == napi_null) {
        return;
    }
    if (!djp_node_text_get(&name, env, value) ||
        djp_gauge_aggregator_parse(&definition->mode, name.text) < 0) {
        definition->wrong = "the aggregator must be sum, first, min, max, average or omit";
    }
    djp_node_text_release(&name);
}

/* Anything but a boolean leaves it to the setting. */
static void
metrics_read_exponential(metrics_definition *definition, napi_env env, napi_value value)
{
    bool on = false;
    if (napi_get_value_bool(env, value, &on) == napi_ok) {
        definition->exponential = on ? DJP_EXPONENTIAL_ON : DJP_EXPONENTIAL_OFF;
    }
}

static void
metrics_read_labels(metrics_definition *definition, napi_env env, napi_value value)
{
    bool is_array = false;
    uint32_t count = 0;
    napi_valuetype type = djp_node_type(env, value);
    if (type == napi_undefined || type == napi_null) {
        return;
    }
    if (!djp_node_ok(env, napi_is_array(env, value, &is_array)) || !is_array ||
        !djp_node_ok(env, napi_get_array_length(env, value, &count)) ||
        !djp_node_texts_get(&definition->labels, env, value, DJP_LABELS_MAX + 1, 0) ||
        definition->labels.count != (count > DJP_LABELS_MAX ? DJP_LABELS_MAX + 1 : count)) {
        definition->wrong = "label names must be an array of strings";
        return;
    }
    definition->label_names = calloc(definition->labels.count + 1, sizeof(char *));
    for (size_t i = 0; definition->label_names != NULL && i < definition->labels.count; i++) {
        definition->label_names[i] = definition->labels.texts[i].data;
    }
}

static void
metrics_definition_release(metrics_definition *definition)
{
    djp_node_text_release(&definition->name);
    djp_node_text_release(&definition->help);
    djp_node_text_release(&definition->unit);
    djp_node_texts_release(&definition->labels);
    free(definition->label_names);
    free(definition->buckets);
}

static const char *
metrics_advice(int error)
{
    return error == DJP_EEXIST ? "Give it another name, or the same type, labels, buckets and "
                                 "aggregator."
           : error == DJP_EFULL
               ? "Declare fewer metrics."
               : "Give it a name of letters, digits and underscores, ascending buckets, labels of "
                 "different names, and none named le or beginning with two underscores.";
}

static napi_value
metrics_declare(napi_env env, const metrics_definition *definition)
{
    djp_node_sdk *sdk = metrics_sdk();
    djp_family *family = NULL;
    if (sdk == NULL) {
        return djp_node_double(env, 0);
    }
    djp_family_options options = {
        .type = (djp_metric_type)definition->type,
        .name = definition->name.text.data,
        .help = definition->help.text.data,
        .unit = definition->unit.text.data,
        .labels = definition->label_names,
        .label_count = definition->labels.count,
        .buckets = definition->buckets,
        .bucket_count = definition->bucket_count,
        .mode = definition->mode,
        .exponential = definition->exponential,
    };
    int error = djp_family_new(&family, sdk->registry, &options);
    if (error >= 0 && options.label_count == 0) {
        (void)djp_family_series(family, NULL); /* exposed from the start */
    }
    double number = error >= 0 ? djp_node_family_number(sdk, family) : 0;
    djp_node_sdk_release(sdk);
    if (error >= 0) {
        return djp_node_double(env, error > 0 ? -number : number);
    }
    djp_node_throw(env, "The metric '%.100s' was refused (%s). It records nothing. %s",
                   options.name, djp_error_text(error), metrics_advice(error));
    return NULL;
}

/* A NUL would cut a name, which could then be that of another metric. */
static int
metrics_has_nul(const metrics_definition *definition)
{
    int found = memchr(definition->name.text.data, '\0', definition->name.text.size) != NULL;
    for (size_t i = 0; i < definition->labels.count; i++) {
        found |= memchr(definition->labels.texts[i].data, '\0', definition->labels.texts[i].size) !=
                 NULL;
    }
    return found;
}

/* familyNew(type, name, help, unit, labelNames, buckets, aggregator, exponential): the number of a
 * family; negative for a documented one with other buckets, 0 while metrics are off. Throws if it
 * is rejected. */
static napi_value
metrics_family_new(napi_env env, napi_callback_info info)
{
    napi_value given[8], result = NULL;
    metrics_definition definition;
    if (!djp_node_arguments(env, info, given, 8)) {
        return NULL;
    }
    memset(&definition, 0, sizeof definition);
    definition.type = djp_node_int(env, given[0], 0);
    if (definition.type < DJP_COUNTER || definition.type > DJP_HISTOGRAM) {
        definition.wrong = "the type must be 1 (counter), 2 (gauge) or 3 (histogram)";
    }
    if (!djp_node_text_get(&definition.name, env, given[1])) {
        definition.wrong = "the name must be a string";
    }
    (void)djp_node_text_get(&definition.help, env, given[2]);
    (void)djp_node_text_get(&definition.unit, env, given[3]);
    metrics_read_labels(&definition, env, given[4]);
    metrics_read_buckets(&definition, env, given[5]);
    metrics_read_aggregator(&definition, env, given[6]);
    metrics_read_exponential(&definition, env, given[7]);
    if (definition.wrong == NULL && metrics_has_nul(&definition)) {
        definition.wrong = "names must not hold a NUL";
    }
    if (definition.wrong == NULL) {
        result = metrics_declare(env, &definition);
    } else {
        djp_node_throw(env, "The metric '%.100s' was refused: %s. It records nothing.",
                       definition.name.text.data, definition.wrong);
    }
    metrics_definition_release(&definition);
    return result;
}

/* standardFamily(name): the number of a documented family, or 0. */
static napi_value
metrics_standard_family(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    djp_node_text name;
    double number = 0;
    if (!djp_node_arguments(env, info, given, 1)) {
        return NULL;
    }
    djp_node_sdk *sdk = metrics_sdk();
    if (djp_node_text_get(&name, env, given[0]) && sdk != NULL && sdk->standard != NULL) {
        djp_family *family = djp_builtin_family(sdk->standard, name.text.data);
        number = djp_node_family_number(sdk, family);
    }
    djp_node_text_release(&name);
    djp_node_sdk_release(sdk);
    return djp_node_double(env, number);
}

/* ---- series ---- */

/* Reads the label values of a family; 0 if their number is wrong. Release in any case. */
static int
metrics_values(djp_node_texts *out, napi_env env, const djp_family *family, napi_value value)
{
    bool is_array = false;
    uint32_t count = 0;
    *out = (djp_node_texts){NULL, NULL, 0};
    if (family == NULL) {
        return 0;
    }
    if (djp_family_label_count(family) == 0) {
        return 1;
    }
    return djp_node_ok(env, napi_is_array(env, value, &is_array)) && is_array &&
           djp_node_ok(env, napi_get_array_length(env, value, &count)) &&
           count == djp_family_label_count(family) && djp_node_texts_get(out, env, value, count, 1);
}

/* seriesOf(family, values): the number of the series, created at first use; 0 for an invalid family
 * or number of values. */
static napi_value
metrics_series_of(napi_env env, napi_callback_info info)
{
    napi_value given[2];
    djp_node_texts values;
    double number = 0;
    if (!djp_node_arguments(env, info, given, 2)) {
        return NULL;
    }
    djp_node_sdk *sdk = metrics_sdk();
    djp_family *family = djp_node_family_at(sdk, djp_node_number(env, given[0], 0));
    if (metrics_values(&values, env, family, given[1])) {
        number = djp_node_series_number(sdk, djp_family_series(family, values.texts));
    }
    djp_node_texts_release(&values);
    djp_node_sdk_release(sdk);
    return djp_node_double(env, number);
}

/* familyRemove(family, values): whether the series existed. */
static napi_value
metrics_family_remove(napi_env env, napi_callback_info info)
{
    napi_value given[2];
    djp_node_texts values;
    int removed = 0;
    if (!djp_node_arguments(env, info, given, 2)) {
        return NULL;
    }
    djp_node_sdk *sdk = metrics_sdk();
    djp_family *family = djp_node_family_at(sdk, djp_node_number(env, given[0], 0));
    if (metrics_values(&values, env, family, given[1])) {
        removed = djp_family_remove(family, values.texts);
    }
    djp_node_texts_release(&values);
    djp_node_sdk_release(sdk);
    return djp_node_boolean(env, removed);
}

/* familyClear(family) */
static napi_value
metrics_family_clear(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    if (!djp_node_arguments(env, info, given, 1)) {
        return NULL;
    }
    djp_node_sdk *sdk = metrics_sdk();
    djp_family *family = djp_node_family_at(sdk, djp_node_number(env, given[0], 0));
    if (family != NULL) {
        djp_family_clear(family);
    }
    djp_node_sdk_release(sdk);
    return NULL;
}

typedef enum metrics_call {
    METRICS_ADD,
    METRICS_SET,
    METRICS_GAUGE_ADD,
    METRICS_NOW,
    METRICS_OBSERVE,
    METRICS_VALUE,
    METRICS_COUNT,
    METRICS_IS_OVERFLOW
} metrics_call;

static double
metrics_apply(djp_series *series, metrics_call call, double value, const djp_span_context *context)
{
    switch (call) {
    case METRICS_ADD:
        djp_counter_add_with_context(series, value, context);
        break;
    case METRICS_SET:
        djp_gauge_set(series, value);
        break;
    case METRICS_GAUGE_ADD:
        djp_gauge_add(series, value);
        break;
    case METRICS_NOW:
        djp_gauge_set_to_now(series);
        break;
    case METRICS_OBSERVE:
        djp_histogram_observe_with_context(series, value, context);
        break;
    case METRICS_VALUE:
        return djp_series_value(series);
    case METRICS_COUNT:
        return (double)djp_series_count(series);
    case METRICS_IS_OVERFLOW:
        return djp_series_is_overflow(series);
    }
    return 0;
}

/* Arguments: (series, value, words of a span context for an exemplar). `call` is the operation. */
static double
metrics_series_call(napi_env env, napi_callback_info info, metrics_call call)
{
    napi_value given[3];
    djp_span_context context;
    double result = 0;
    if (!djp_node_arguments(env, info, given, 3)) {
        return 0;
    }
    double value = djp_node_number(env, given[1], NAN);
    if (call < METRICS_VALUE && call != METRICS_NOW &&
        djp_node_type(env, given[1]) != napi_number) {
        return 0;
    }
    const int32_t *words = djp_node_words(env, given[2], 7);
    int traced = words != NULL && djp_node_context_from_words(&context, words);
    djp_node_sdk *sdk = metrics_sdk();
    djp_series *series = djp_node_series_at(sdk, djp_node_number(env, given[0], 0));
    if (series != NULL) {
        result = metrics_apply(series, call, value, traced ? &context : NULL);
    }
    djp_node_sdk_release(sdk);
    return result;
}

#define METRICS_RECORDS(function, call)                               \
    static napi_value function(napi_env env, napi_callback_info info) \
    {                                                                 \
        (void)metrics_series_call(env, info, call);                   \
        return NULL;                                                  \
    }
#define METRICS_READS(function, call)                                      \
    static napi_value function(napi_env env, napi_callback_info info)      \
    {                                                                      \
        return djp_node_double(env, metrics_series_call(env, info, call)); \
    }
METRICS_RECORDS(metrics_series_add, METRICS_ADD)
METRICS_RECORDS(metrics_gauge_set, METRICS_SET)
METRICS_RECORDS(metrics_gauge_add, METRICS_GAUGE_ADD)
METRICS_RECORDS(metrics_gauge_set_to_now, METRICS_NOW)
METRICS_RECORDS(metrics_observe, METRICS_OBSERVE)
METRICS_READS(metrics_series_value, METRICS_VALUE)
METRICS_READS(metrics_series_count, METRICS_COUNT)

static napi_value
metrics_series_is_overflow(napi_env env, napi_callback_info info)
{
    return djp_node_boolean(env, metrics_series_call(env, info, METRICS_IS_OVERFLOW) > 0);
}

/* recordStandard(name, labels, value, words): records in a documented family; whether it was
 * accepted. */
static napi_value
metrics_record_standard(napi_env env, napi_callback_info info)
{
    napi_value given[4];
    djp_node_text name;
    djp_node_texts labels = {NULL, NULL, 0};
    djp_span_context context;
    bool is_array = false;
    uint32_t count = 0;
    int taken = 0;
    if (!djp_node_arguments(env, info, given, 4)) {
        return NULL;
    }
    double value = djp_node_number(env, given[2], NAN);
    const int32_t *words = djp_node_words(env, given[3], 7);
    int traced = words != NULL && djp_node_context_from_words(&context, words);
    int listed = djp_node_ok(env, napi_is_array(env, given[1], &is_array)) && is_array &&
                 djp_node_ok(env, napi_get_array_length(env, given[1], &count)) &&
                 count <= DJP_LABELS_MAX &&
                 (count == 0 || djp_node_texts_get(&labels, env, given[1], count, 1));
    djp_node_sdk *sdk = metrics_sdk();
    if (djp_node_text_get(&name, env, given[0]) && listed && sdk != NULL) {
        taken = djp_builtin_record(sdk->standard, name.text.data, labels.texts, count, value,
                                   traced ? &context : NULL) == 0;
    }
    djp_node_text_release(&name);
    djp_node_texts_release(&labels);
    djp_node_sdk_release(sdk);
    return djp_node_boolean(env, taken);
}

void
djp_node_metrics_exports(napi_env env, napi_value exports)
{
    static const djp_node_function functions[] = {
        {"familyNew", metrics_family_new},
        {"standardFamily", metrics_standard_family},
        {"recordStandard", metrics_record_standard},
        {"familyRemove", metrics_family_remove},
        {"familyClear", metrics_family_clear},
        {"seriesOf", metrics_series_of},
        {"seriesAdd", metrics_series_add},
        {"gaugeSet", metrics_gauge_set},
        {"gaugeAdd", metrics_gauge_add},
        {"gaugeSetToNow", metrics_gauge_set_to_now},
        {"observe", metrics_observe},
        {"seriesValue", metrics_series_value},
        {"seriesCount", metrics_series_count},
        {"seriesIsOverflow", metrics_series_is_overflow},
    };
    DJP_NODE_FUNCTIONS(env, exports, functions);
}
