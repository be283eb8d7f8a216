/* Records operations that have ended, as their tables say. */
#include "instrument/operation.h"

#include <math.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "instrument/http_common.h"
#include "metrics/builtin.h"

enum { OPERATION_ERROR = 500, OPERATION_DIGITS = 24 };
#define OPERATION_SECONDS_MAX 1e9

struct djp_operations {
    djp_recorder *recorder; /* borrowed; NULL: traces are off */
    djp_builtin *standard; /* borrowed; NULL: metrics are off */
    djp_semconv semconv;
    djp__words methods; /* the known ones */
    djp_key keys[DJP__OPERATIONS][DJP__OPERATION_ATTRIBUTES];
    size_t families[DJP__OPERATIONS][DJP__OPERATION_METRICS]; /* indexes of the built-in table */
};

const djp__operation *
djp__operation_at(djp__operation_type type)
{
    static const djp__operation *const all[DJP__OPERATIONS] = {
        [DJP__OPERATION_JOB] = &djp__operation_job,
        [DJP__OPERATION_EXTERNAL] = &djp__operation_external,
        [DJP__OPERATION_REQUEST] = &djp__operation_request};
    return all[type];
}

static void
operation_intern(djp_operations *operations, djp__operation_type type)
{
    const djp__operation *operation = djp__operation_at(type);
    for (size_t i = 0; i < DJP__OPERATION_ATTRIBUTES && operation->attributes[i].key; i++) {
        operations->keys[type][i] = djp_key_intern(djp_text_of(operation->attributes[i].key));
    }
    for (size_t i = 0; i < DJP__OPERATION_METRICS && operation->metrics[i].family; i++) {
        operations->families[type][i] = djp__builtin_find(operation->metrics[i].family);
    }
}

int
djp__operations_new(djp_operations **out, const djp_options *options, djp_recorder *recorder,
                    djp_builtin *standard)
{
    *out = NULL;
    djp_operations *operations = djp__calloc(1, sizeof *operations);
    if (operations == NULL || djp__words_init(&operations->methods, options->known_methods) != 0) {
        djp__free(operations);
        return DJP_ENOMEM;
    }
    operations->recorder = recorder;
    operations->standard = standard;
    operations->semconv = options->semconv;
    for (int type = 0; type < DJP__OPERATIONS; type++) {
        operation_intern(operations, (djp__operation_type)type);
    }
    *out = operations;
    return 0;
}

void
djp__operations_free(djp_operations *operations)
{
    if (operations != NULL) {
        djp__words_fini(&operations->methods);
        djp__free(operations);
    }
}

/* ---- facts ---- */

static int
operation_knows_seconds(const djp__operation_facts *facts)
{
    return isfinite(facts->seconds) && facts->seconds >= 0;
}

static int
operation_knows_status(const djp__operation_facts *facts)
{
    return facts->status >= 100 && facts->status <= 599;
}

static uint64_t
operation_duration(const djp__operation_facts *facts)
{
    return operation_knows_seconds(facts) && facts->seconds < OPERATION_SECONDS_MAX
               ? (uint64_t)(facts->seconds * 1e9)
               : 0;
}

/* The facts as they are recorded: a method that is known, and the failure of a request. */
static djp__operation_facts
operation_facts(const djp_operations *operations, djp__operation_type type,
                const djp__operation_facts *given)
{
    djp__operation_facts facts = *given;
    if (djp__operation_at(type)->is_request) {
        facts.first = djp__http_method(&operations->methods, facts.first);
        facts.failed = operation_knows_status(&facts) && facts.status >= OPERATION_ERROR;
    }
    return facts;
}

/* A fact as the value of an attribute; an empty one is left out. */
static djp_value
operation_value(const djp__operation_facts *facts, djp__fact fact)
{
    djp_value value = {.type = DJP_EMPTY};
    if (fact == DJP__FACT_FIRST || fact == DJP__FACT_SECOND) {
        value.type = DJP_STRING;
        value.as.text = fact == DJP__FACT_FIRST ? facts->first : facts->second;
    } else if (fact == DJP__FACT_SECONDS && operation_knows_seconds(facts)) {
        value = (djp_value){.type = DJP_DOUBLE, .as.real = facts->seconds};
    } else if (fact == DJP__FACT_SUCCESS) {
        value = (djp_value){.type = DJP_BOOL, .as.boolean = !facts->failed};
    } else if (fact == DJP__FACT_ERROR_TYPE && facts->failed && facts->error_type.size > 0) {
        value = (djp_value){.type = DJP_STRING, .as.text = facts->error_type};
    } else if (fact == DJP__FACT_STATUS && operation_knows_status(facts)) {
        value = (djp_value){.type = DJP_INT, .as.integer = facts->status};
    }
    return value;
}

/* A fact as a label. */
static djp_text
operation_label(char room[OPERATION_DIGITS], const djp__operation *operation,
                const djp__operation_facts *facts, djp__fact fact)
{
    switch (fact) {
    case DJP__FACT_FIRST:
        return facts->first;
    case DJP__FACT_SECOND:
        return facts->second;
    case DJP__FACT_STATUS:
        return operation_knows_status(facts) ? djp__digits(room, facts->status)
                                             : djp__text(operation->other);
    default:
        return facts->error_type.size > 0 ? facts->error_type : djp__text(operation->other);
    }
}

/* ---- span ---- */

/* The attributes of an operation with their keys; those without a value are left out. */
static size_t
operation_attributes(djp_key keys[DJP__OPERATION_ATTRIBUTES],
                     djp_value values[DJP__OPERATION_ATTRIBUTES], const djp_operations *operations,
                     djp__operation_type type, const djp__operation_facts *facts)
{
    const djp__operation *operation = djp__operation_at(type);
    size_t count = 0;
    for (size_t i = 0; i < DJP__OPERATION_ATTRIBUTES && operation->attributes[i].key; i++) {
        unsigned conventions = operation->attributes[i].semconv;
        djp_value value = operation_value(facts, operation->attributes[i].fact);
        if (value.type != DJP_EMPTY &&
            (conventions == 0 || (conventions >> operations->semconv & 1u) != 0)) {
            keys[count] = operations->keys[type][i];
            values[count++] = value;
        }
    }
    return count;
}

size_t
djp__operation_sampling(djp_attribute out[DJP__OPERATION_ATTRIBUTES],
                        const djp_operations *operations, djp__operation_type type,
                        const djp__operation_facts *given)
{
    djp_key keys[DJP__OPERATION_ATTRIBUTES];
    djp_value values[DJP__OPERATION_ATTRIBUTES];
    djp__operation_facts facts = operation_facts(operations, type, given);
    size_t count = operation_attributes(keys, values, operations, type, &facts);
    for (size_t i = 0; i < count; i++) {
        out[i] = (djp_attribute){djp_key_text(keys[i]), values[i]};
    }
    return count;
}

djp_span *
djp__operation_start_as(djp_operations *operations, djp__operation_type type,
                        const djp_span_options *options, const djp__span_seed *seed)
{
    const djp__operation *operation = djp__operation_at(type);
    djp_text name = djp__text(operation->name);
    djp_span_options own = *options;
    own.kind = (uint8_t)operation->kind;
    return djp__span_start_as(operations->recorder, name.data, name.size, &own, seed);
}

static void
operation_finish_span(const djp_operations *operations, djp__operation_type type, djp_span *span,
                      const djp__operation_facts *facts)
{
    djp_key keys[DJP__OPERATION_ATTRIBUTES];
    djp_value values[DJP__OPERATION_ATTRIBUTES];
    size_t count = operation_attributes(keys, values, operations, type, facts);
    for (size_t i = 0; i < count; i++) {
        djp_span_set_value(span, keys[i], &values[i]);
    }
    if (facts->failed) {
        djp_span_set_status(span, DJP_STATUS_ERROR, djp__text(djp__operation_at(type)->failure));
    }
}

/* ---- metrics ---- */

static void
operation_record_metrics(const djp_operations *operations, djp__operation_type type,
                         const djp__operation_facts *facts, const djp_span_context *context)
{
    const djp__operation *operation = djp__operation_at(type);
    for (size_t i = 0; i < DJP__OPERATION_METRICS && operation->metrics[i].family; i++) {
        if (operation->metrics[i].of_failures && !facts->failed) {
            continue;
        }
        char rooms[DJP__OPERATION_LABELS][OPERATION_DIGITS];
        djp_text labels[DJP__OPERATION_LABELS];
        size_t count = 0;
        for (; count < DJP__OPERATION_LABELS && operation->metrics[i].labels[count]; count++) {
            labels[count] = operation_label(rooms[count], operation, facts,
                                            operation->metrics[i].labels[count]);
        }
        double value = operation->metrics[i].value == DJP__FACT_ONE ? 1 : facts->seconds;
        djp__builtin_record_at(operations->standard, operations->families[type][i], labels, count,
                               value, context, 0);
    }
    if (operation->is_request) {
        uint64_t duration = facts->seconds < OPERATION_SECONDS_MAX && operation_knows_seconds(facts)
                                ? operation_duration(facts)
                                : DJP_DURATION_UNKNOWN;
        djp_builtin_http_request(operations->standard, facts->first, facts->second, facts->status,
                                 duration, -1, context);
    }
}

/* ---- one operation ---- */

/* end_unix_ns 0: at end_ns of the monotonic clock. */
static void
operation_end(djp_operations *operations, djp__operation_type type, djp_span *span,
              const djp__operation_facts *given, uint64_t end_unix_ns, uint64_t end_ns)
{
    djp__operation_facts facts = operation_facts(operations, type, given);
    djp_span_context context = {.state = NULL};
    if (span != NULL) {
        operation_finish_span(operations, type, span, &facts);
        djp_span_get_context(&context, span);
        djp_span_end(span, end_unix_ns != 0 ? end_unix_ns : djp__span_unix_time(span, end_ns));
        /* A failure may have changed the decision that was made at the start. */
        context.flags |= djp__span_is_sampled(span) ? DJP_FLAG_SAMPLED : 0;
    }
    if (operations->standard != NULL) {
        operation_record_metrics(operations, type, &facts, span != NULL ? &context : NULL);
    }
}

void
djp__operation_end(djp_operations *operations, djp__operation_type type, djp_span *span,
                   const djp__operation_facts *facts, uint64_t end_ns)
{
    operation_end(operations, type, span, facts, 0, end_ns);
}

void
djp__operation_record(djp_operations *operations, djp__operation_type type,
                      const djp__operation_facts *facts, djp_span *parent,
                      const djp_span_context *remote)
{
    const djp__operation *operation = djp__operation_at(type);
    uint64_t end = djp__clock_monotonic() + (uint64_t)djp__clock_anchor();
    uint64_t duration = operation_duration(facts);
    djp_span *span = NULL;
    if (operations->recorder != NULL) {
        djp_attribute attributes[DJP__OPERATION_ATTRIBUTES];
        djp_span_options options = {.kind = (uint8_t)operation->kind,
                                    .parent = parent,
                                    .remote = remote,
                                    .start_unix_ns = duration < end ? end - duration : 1,
                                    .sampling_attributes = attributes};
        if (parent == NULL &&
            (djp_recorder_needs(operations->recorder) & DJP_NEEDS_ATTRIBUTES) != 0) {
            options.sampling_attribute_count =
                djp__operation_sampling(attributes, operations, type, facts);
        }
        span = djp_span_start(operations->recorder, djp__text(operation->name), &options);
    }
    operation_end(operations, type, span, facts, end, 0);
    djp_span_release(span);
}
