/* Parses sampling strategies and converts them to sampler trees. The input is untrusted: sizes,
 * counts and numbers are checked here. */
#include "control/remote_strategy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json_scan.h"
#include "base/map.h"
#include "base/str.h"
#include "djp/error.h"

enum {
    STRATEGY_NAME_MAX = 40,
    STRATEGY_UNSAID = -1,
    STRATEGY_PROBABILISTIC = 0,
    STRATEGY_RATE_LIMITING = 1
};

_Static_assert(2 * (DJP_STRATEGY_OPERATIONS_MAX + 1) + 2 <= (int)DJP_SAMPLER_NODES_MAX,
               "every strategy fits a tree");
_Static_assert(DJP_STRATEGY_OPERATION_MAX <= (int)DJP_SAMPLER_TEXT_MAX,
               "no name of an operation is cut");

typedef struct strategy_reader {
    djp__json_scan scan;
    djp__strategy *out;
    djp__map known; /* the operations by name */
    size_t capacity; /* of out->operations */
    double probability, rate; /* of the service */
    int has_probability, has_rate, has_operations;
    int type; /* strategyType */
    int code; /* DJP_EINVAL or DJP_ENOMEM once it has failed */
    char *error;
    size_t error_size;
} strategy_reader;

static int strategy_refuse(strategy_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The first error is reported. */
static int
strategy_refuse(strategy_reader *reader, const char *format, ...)
{
    if (reader->code == 0) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(reader->error, reader->error_size, format, arguments);
        va_end(arguments);
        reader->code = DJP_EINVAL;
    }
    return 0;
}

static int
strategy_no_memory(strategy_reader *reader)
{
    strategy_refuse(reader, "there was no memory for it");
    reader->code = DJP_ENOMEM;
    return 0;
}

static int
strategy_no_json(strategy_reader *reader)
{
    return strategy_refuse(reader, "it is not JSON");
}

/* Reads the value of the member `which` of an object's list. */
typedef int (*strategy_member)(strategy_reader *reader, int which, const char *name, void *user);

/* Walks an object and passes on the members in the list (NULL-terminated). null counts as absent,
 * other members are skipped, and a repeated one is an error, because it is ambiguous. */
static int
strategy_object(strategy_reader *reader, const char *const *names, strategy_member member,
                void *user)
{
    djp__json_scan *scan = &reader->scan;
    unsigned seen = 0;
    if (djp__json_scan_peek(scan) != '{') {
        return strategy_refuse(reader, "a JSON object is missing");
    }
    djp__json_scan_enter(scan, '{');
    while (djp__json_scan_next(scan, '}')) {
        char name[STRATEGY_NAME_MAX];
        size_t size;
        int which = 0;
        if (!djp__json_scan_name(scan, name, sizeof name, &size)) {
            break;
        }
        while (names[which] && !djp__text_equal((djp_text){name, size}, names[which])) {
            which++;
        }
        if (!names[which] || djp__json_scan_peek(scan) == 'n') {
            djp__json_scan_skip(scan);
            continue;
        }
        if (seen >> which & 1) {
            return strategy_refuse(reader, "%s is there twice", names[which]);
        }
        seen |= 1u << which;
        if (!member(reader, which, names[which], user)) {
            return 0;
        }
    }
    return !scan->failed || strategy_no_json(reader);
}

static int
strategy_number(strategy_reader *reader, const char *name, double most, double *out)
{
    char first = djp__json_scan_peek(&reader->scan);
    if ((first != '-' && (first < '0' || first > '9')) ||
        !djp__json_scan_number(&reader->scan, out) || !(*out >= 0 && *out <= most)) {
        return strategy_refuse(reader, "%s is not a number from 0 to %g", name, most);
    }
    return 1;
}

static int
strategy_take_share(strategy_reader *reader, int which, const char *name, void *user)
{
    (void)which;
    return strategy_number(reader, name, 1, user);
}

static int
strategy_take_rate(strategy_reader *reader, int which, const char *name, void *user)
{
    (void)which;
    return strategy_number(reader, name, DJP__STRATEGY_RATE_MAX, user);
}

static int
strategy_read_probability(strategy_reader *reader, double *out)
{
    static const char *const names[] = {"samplingRate", NULL};
    *out = 0;
    return strategy_object(reader, names, strategy_take_share, out);
}

static int
strategy_read_rate(strategy_reader *reader, double *out)
{
    static const char *const names[] = {"maxTracesPerSecond", NULL};
    *out = 0;
    return strategy_object(reader, names, strategy_take_rate, out);
}

/* ---- operations ---- */

typedef struct strategy_item {
    /* a longer one is still longer than the limit after the cut */
    char name[DJP_STRATEGY_OPERATION_MAX + 4];
    size_t size;
    double probability;
} strategy_item;

static int
strategy_take_item(strategy_reader *reader, int which, const char *name, void *user)
{
    strategy_item *item = user;
    if (which == 1) {
        return strategy_read_probability(reader, &item->probability);
    }
    if (djp__json_scan_peek(&reader->scan) != '"') {
        return strategy_refuse(reader, "%s is not a text", name);
    }
    return djp__json_scan_string(&reader->scan, item->name, sizeof item->name, &item->size) ||
           strategy_no_json(reader);
}

static int
strategy_grow(strategy_reader *reader)
{
    djp__strategy *out = reader->out;
    size_t capacity = reader->capacity ? reader->capacity * 2 : 16;
    if (out->operation_count < reader->capacity) {
        return 1;
    }
    djp__strategy_operation *grown = djp__realloc(out->operations, capacity * sizeof *grown);
    if (grown == NULL) {
        return strategy_no_memory(reader);
    }
    out->operations = grown;
    reader->capacity = capacity;
    return 1;
}

/* A repeated name gets the later probability. */
static int
strategy_add(strategy_reader *reader, const strategy_item *item)
{
    djp__strategy *out = reader->out;
    char name[3 * sizeof item->name]; /* an invalid byte becomes three */
    size_t size = djp__utf8_repair(name, sizeof name, item->name, item->size, NULL);
    if (size > DJP_STRATEGY_OPERATION_MAX) {
        out->operations_left_out++;
        return 1;
    }
    uintptr_t known = (uintptr_t)djp__map_get(&reader->known, name, size);
    if (known) {
        out->operations[known - 1].probability = item->probability;
        return 1;
    }
    if (out->operation_count >= DJP_STRATEGY_OPERATIONS_MAX) {
        out->operations_left_out++;
        return 1;
    }
    char *copy = djp__arena_alloc(&out->names, size + 1);
    uintptr_t place = out->operation_count + 1;
    if (copy == NULL || djp__map_set(&reader->known, name, size, (void *)place) != 0 ||
        !strategy_grow(reader)) {
        return strategy_no_memory(reader);
    }
    memcpy(copy, name, size);
    copy[size] = '\0';
    out->operations[out->operation_count++] =
        (djp__strategy_operation){{copy, size}, item->probability};
    return 1;
}

static int
strategy_read_list(strategy_reader *reader)
{
    static const char *const names[] = {"operation", "probabilisticSampling", NULL};
    djp__json_scan *scan = &reader->scan;
    if (djp__json_scan_peek(scan) != '[') {
        return strategy_refuse(reader, "perOperationStrategies is not a list");
    }
    djp__json_scan_enter(scan, '[');
    while (djp__json_scan_next(scan, ']')) {
        strategy_item item;
        item.size = 0;
        item.probability = 0;
        if (!strategy_object(reader, names, strategy_take_item, &item) ||
            !strategy_add(reader, &item)) {
            return 0;
        }
    }
    return !scan->failed || strategy_no_json(reader);
}

static int
strategy_take_default(strategy_reader *reader, int which, const char *name, void *user)
{
    djp__strategy *out = user;
    switch (which) {
    case 0:
        return strategy_number(reader, name, 1, &out->probability);
    case 1:
        return strategy_number(reader, name, DJP__STRATEGY_RATE_MAX, &out->lower_bound);
    case 2:
        return strategy_number(reader, name, DJP__STRATEGY_RATE_MAX, &out->upper_bound);
    default:
        return strategy_read_list(reader);
    }
}

static int
strategy_read_operations(strategy_reader *reader)
{
    static const char *const names[] = {
        "defaultSamplingProbability", "defaultLowerBoundTracesPerSecond",
        "defaultUpperBoundTracesPerSecond", "perOperationStrategies", NULL};
    return strategy_object(reader, names, strategy_take_default, reader->out);
}

/* ---- responses ---- */

/* A word, or the enumeration's number, which some servers send. */
static int
strategy_read_type(strategy_reader *reader)
{
    char word[STRATEGY_NAME_MAX];
    size_t size;
    double number = -1;
    if (djp__json_scan_peek(&reader->scan) != '"') {
        djp__json_scan_number(&reader->scan, &number);
    } else if (djp__json_scan_string(&reader->scan, word, sizeof word, &size)) {
        djp_text text = {word, size};
        number = djp__text_equal(text, "PROBABILISTIC")   ? STRATEGY_PROBABILISTIC
                 : djp__text_equal(text, "RATE_LIMITING") ? STRATEGY_RATE_LIMITING
                                                          : -1;
    }
    if (number != STRATEGY_PROBABILISTIC && number != STRATEGY_RATE_LIMITING) {
        return strategy_refuse(reader, "strategyType is neither PROBABILISTIC nor RATE_LIMITING");
    }
    reader->type = (int)number;
    return 1;
}

static int
strategy_take_part(strategy_reader *reader, int which, const char *name, void *user)
{
    (void)name;
    (void)user;
    switch (which) {
    case 0:
        return strategy_read_type(reader);
    case 1:
        reader->has_probability = 1;
        return strategy_read_probability(reader, &reader->probability);
    case 2:
        reader->has_rate = 1;
        return strategy_read_rate(reader, &reader->rate);
    default:
        reader->has_operations = 1;
        return strategy_read_operations(reader);
    }
}

/* Selects the part to use: the operations, else the part present; the type decides only between the
 * other two. */
static int
strategy_choose(strategy_reader *reader)
{
    djp__strategy *out = reader->out;
    if (reader->has_operations) {
        int plain = out->operation_count == 0 && out->lower_bound <= 0 && out->upper_bound <= 0;
        out->kind = plain ? DJP_STRATEGY_PROBABILITY : DJP_STRATEGY_OPERATIONS;
    } else if (reader->has_rate &&
               (!reader->has_probability || reader->type == STRATEGY_RATE_LIMITING)) {
        out->kind = DJP_STRATEGY_RATE;
        out->rate = reader->rate;
    } else if (reader->has_probability) {
        out->kind = DJP_STRATEGY_PROBABILITY;
        out->probability = reader->probability;
    } else {
        return strategy_refuse(reader, "there is no strategy in it");
    }
    return 1;
}

int
djp__strategy_parse(djp__strategy *out, const char *data, size_t size, char *error,
                    size_t error_size)
{
    static const char *const names[] = {"strategyType", "probabilisticSampling",
                                        "rateLimitingSampling", "operationSampling", NULL};
    strategy_reader reader;
    memset(out, 0, sizeof *out);
    memset(&reader, 0, sizeof reader);
    reader.out = out;
    reader.type = STRATEGY_UNSAID;
    reader.error = error;
    reader.error_size = error_size;
    djp__arena_init(&out->names, 0);
    djp__map_init(&reader.known);
    djp__json_scan_init(&reader.scan, data, size);
    if (strategy_object(&reader, names, strategy_take_part, NULL)) {
        if (!djp__json_scan_end(&reader.scan)) {
            strategy_no_json(&reader);
        } else {
            strategy_choose(&reader);
        }
    }
    djp__map_fini(&reader.known);
    if (reader.code != 0) {
        djp__strategy_fini(out);
    }
    return reader.code;
}

void
djp__strategy_fini(djp__strategy *strategy)
{
    djp__free(strategy->operations);
    djp__arena_fini(&strategy->names);
    memset(strategy, 0, sizeof *strategy);
}

static void
strategy_write(djp__buf *out, const char *before, double number, const char *behind)
{
    djp__buf_text(out, before);
    djp__buf_double(out, number);
    djp__buf_text(out, behind);
}

void
djp__strategy_describe(djp__buf *out, const djp__strategy *strategy)
{
    if (strategy->kind == DJP_STRATEGY_RATE) {
        strategy_write(out, "at most ", strategy->rate, " traces a second");
        return;
    }
    if (strategy->kind == DJP_STRATEGY_OPERATIONS) {
        djp__buf_printf(out, "%zu operations, others ", strategy->operation_count);
    }
    strategy_write(out, "probability ", strategy->probability, "");
    if (strategy->lower_bound > 0) {
        strategy_write(out, ", at least ", strategy->lower_bound, " traces a second of each");
    }
    if (strategy->upper_bound > 0) {
        strategy_write(out, ", at most ", strategy->upper_bound, " of each");
    }
    if (strategy->operations_left_out > 0) {
        djp__buf_printf(out, "; %zu operations left out", strategy->operations_left_out);
    }
}

/* ---- trees ---- */

int
djp__strategy_is_off(const djp__strategy *strategy)
{
    if (strategy->kind == DJP_STRATEGY_RATE) {
        return strategy->rate <= 0;
    }
    int off = strategy->probability <= 0 && strategy->lower_bound <= 0;
    for (size_t i = 0; off && i < strategy->operation_count; i++) {
        off = strategy->operations[i].probability <= 0;
    }
    return off;
}

static djp_sampler *
strategy_leaf(const djp__strategy *strategy, double probability)
{
    djp_sampler *leaf = djp_sampler_probability(probability);
    return strategy->lower_bound > 0 ? djp_sampler_at_least(strategy->lower_bound, leaf) : leaf;
}

static djp_sampler *
strategy_operations(const djp__strategy *strategy)
{
    djp_sampler *rules = djp_sampler_rule_based();
    int result = rules != NULL ? 0 : -1;
    for (size_t i = 0; result == 0 && i < strategy->operation_count; i++) {
        const djp__strategy_operation *operation = &strategy->operations[i];
        djp_sampler_term term = {.test = DJP_SAMPLER_NAME, .pattern = operation->name};
        result =
            djp_sampler_add_rule(rules, &term, 1, strategy_leaf(strategy, operation->probability));
    }
    if (result == 0) {
        result =
            djp_sampler_add_rule(rules, NULL, 0, strategy_leaf(strategy, strategy->probability));
    }
    if (result != 0) {
        djp_sampler_free(rules);
        return NULL;
    }
    return rules;
}

djp_sampler *
djp__strategy_tree(const djp__strategy *strategy, int parent_based)
{
    djp_sampler *tree;
    if (djp__strategy_is_off(strategy)) {
        tree = djp_sampler_always_off();
    } else if (strategy->kind == DJP_STRATEGY_RATE) {
        tree = djp_sampler_rate_limited(strategy->rate);
    } else if (strategy->kind == DJP_STRATEGY_OPERATIONS) {
        tree = strategy_operations(strategy);
    } else {
        tree = strategy_leaf(strategy, strategy->probability);
    }
    return tree && parent_based ? djp_sampler_parent_threshold(tree) : tree;
}
