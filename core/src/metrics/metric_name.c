/* Translates names, units and label names by the OpenTelemetry specification "Prometheus and
 * OpenMetrics Compatibility": invalid characters become underscores, a sequence of them one; the
 * unit becomes a word at the end of the name; braces in a unit are annotations. */
#include "metrics/metric_name.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "djp/error.h"

/* limit of a given unit in bytes, by the instrument specification */
#define METRIC_NAME_UNIT_MAX 63u
#define METRIC_NAME_UNIT_SIZE 160u /* of a translated unit */

typedef struct metric_name_word {
    const char *unit, *word;
} metric_name_word;

static const metric_name_word metric_name_units[] = {
    {"d", "days"},          {"h", "hours"},         {"min", "minutes"},    {"s", "seconds"},
    {"ms", "milliseconds"}, {"us", "microseconds"}, {"ns", "nanoseconds"}, {"By", "bytes"},
    {"KiBy", "kibibytes"},  {"MiBy", "mebibytes"},  {"GiBy", "gibibytes"}, {"TiBy", "tibibytes"},
    {"KBy", "kilobytes"},   {"kBy", "kilobytes"},   {"MBy", "megabytes"},  {"GBy", "gigabytes"},
    {"TBy", "terabytes"},   {"m", "meters"},        {"V", "volts"},        {"A", "amperes"},
    {"J", "joules"},        {"W", "watts"},         {"g", "grams"},        {"Cel", "celsius"},
    {"Hz", "hertz"},        {"%", "percent"},       {NULL, NULL}};
static const metric_name_word metric_name_per[] = {
    {"s", "second"}, {"m", "minute"}, {"min", "minute"}, {"h", "hour"}, {"d", "day"},
    {"w", "week"},   {"mo", "month"}, {"y", "year"},     {NULL, NULL}};

static int
metric_name_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int
metric_name_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Writes a name at `out`, which has room for the text and one byte more, and returns its size. */
static size_t
metric_name_put(char *out, djp_text text, int colon)
{
    size_t size = 0;
    int gap = 0;
    if (text.size > 0 && metric_name_is_digit(text.data[0])) {
        out[size++] = '_';
    }
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        int valid =
            metric_name_is_letter(c) || metric_name_is_digit(c) || c == '_' || (colon && c == ':');
        if (valid) {
            out[size++] = c;
        } else if (!gap) {
            out[size++] = '_';
        }
        gap = !valid;
    }
    return size;
}

/* A name without letters and digits would collide with every other one. */
static int
metric_name_says_something(djp_text name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (metric_name_is_letter(name.data[i]) || metric_name_is_digit(name.data[i]) ||
            name.data[i] == '_' || name.data[i] == ':') {
            return 1;
        }
    }
    return 0;
}

static djp_text
metric_name_word_of(const metric_name_word *words, djp_text unit)
{
    for (; words->unit; words++) {
        if (djp__text_equal(unit, words->unit)) {
            return djp__text(words->word);
        }
    }
    return unit;
}

/* The unit without its annotations in braces. */
static djp_text
metric_name_without_remarks(char *out, djp_text unit)
{
    size_t size = 0;
    int depth = 0;
    for (size_t i = 0; i < unit.size; i++) {
        depth += unit.data[i] == '{';
        if (depth == 0) {
            out[size++] = unit.data[i];
        }
        depth -= depth > 0 && unit.data[i] == '}';
    }
    return djp__text_trim((djp_text){out, size});
}

/* One part of a unit as a word, without underscores at its ends. */
static size_t
metric_name_put_part(char *out, const metric_name_word *words, djp_text part)
{
    char plain[METRIC_NAME_UNIT_SIZE];
    size_t size = metric_name_put(plain, metric_name_word_of(words, djp__text_trim(part)), 0),
           from = 0;
    while (from < size && plain[from] == '_') {
        from++;
    }
    while (size > from && plain[size - 1] == '_') {
        size--;
    }
    memcpy(out, plain + from, size - from);
    return size - from;
}

/* The unit as a word, or nothing. The unit 1 means a ratio only for a gauge: a counter of it counts
 * things. */
static size_t
metric_name_put_unit(char out[METRIC_NAME_UNIT_SIZE], djp_text given, djp_metric_type type)
{
    char plain[METRIC_NAME_UNIT_MAX + 1];
    if (given.size > METRIC_NAME_UNIT_MAX) {
        return 0;
    }
    djp_text unit = metric_name_without_remarks(plain, given), rest = unit, part;
    if (djp__text_equal(unit, "1")) {
        memcpy(out, "ratio", 5);
        return type == DJP_GAUGE ? 5 : 0;
    }
    size_t size =
        djp__text_split(&part, &rest, '/') ? metric_name_put_part(out, metric_name_units, part) : 0;
    if (rest.size > 0) {
        char per[METRIC_NAME_UNIT_SIZE];
        size_t more = metric_name_put_part(per, metric_name_per, rest);
        if (more > 0 && size + more + 5 < METRIC_NAME_UNIT_SIZE) {
            memcpy(out + size, size > 0 ? "_per_" : "per_", 5);
            size += size > 0 ? 5 : 4;
            memcpy(out + size, per, more);
            size += more;
        }
    }
    return size;
}

static int
metric_name_ends_with(const char *name, size_t size, const char *end, size_t end_size)
{
    return size > end_size && memcmp(name + size - end_size, end, end_size) == 0;
}

/* The name with its unit at the end, without a counter's "_total", as in djp_family_options.
 * Returns its size. */
static size_t
metric_name_put_name(char *out, djp_text name, djp_text unit, djp_metric_type type)
{
    size_t size = metric_name_put(out, name, 1);
    if (type == DJP_COUNTER && metric_name_ends_with(out, size, "_total", 6)) {
        size -= 6;
    }
    if (unit.size > 0 && !(metric_name_ends_with(out, size, unit.data, unit.size) &&
                           out[size - unit.size - 1] == '_')) {
        out[size++] = '_';
        memcpy(out + size, unit.data, unit.size);
        size += unit.size;
    }
    return size;
}

static int
metric_name_check(const djp_family_options *given, djp_text name)
{
    if (given->type < DJP_COUNTER || given->type > DJP_HISTOGRAM ||
        given->label_count > DJP_LABELS_MAX || (given->label_count > 0 && !given->labels) ||
        name.size > DJP_LABEL_SIZE_MAX || !metric_name_says_something(name)) {
        return DJP_EINVAL;
    }
    for (size_t i = 0; i < given->label_count; i++) {
        if (!given->labels[i] || strlen(given->labels[i]) > DJP_LABEL_SIZE_MAX ||
            !metric_name_says_something(djp__text(given->labels[i]))) {
            return DJP_EINVAL;
        }
    }
    return 0;
}

int
djp__metric_name_init(djp__metric_name *out, const djp_family_options *given)
{
    memset(out, 0, sizeof *out);
    if (given == NULL) {
        return DJP_EINVAL;
    }
    out->options = *given;
    djp_text name = djp__text(given->name);
    if (metric_name_check(given, name) < 0) {
        return DJP_EINVAL;
    }
    char unit[METRIC_NAME_UNIT_SIZE];
    size_t unit_size = metric_name_put_unit(unit, djp__text(given->unit), given->type);
    size_t room = name.size + 2 * unit_size + 4;
    for (size_t i = 0; i < given->label_count; i++) {
        room += strlen(given->labels[i]) + 2;
    }
    char *at = out->texts = djp__alloc(room);
    if (at == NULL) {
        return DJP_ENOMEM;
    }
    out->options.unit = at;
    memcpy(at, unit, unit_size);
    at[unit_size] = '\0';
    at += unit_size + 1;
    out->options.name = at;
    at += metric_name_put_name(at, name, (djp_text){unit, unit_size}, given->type);
    *at++ = '\0';
    for (size_t i = 0; i < given->label_count; i++) {
        out->labels[i] = at;
        at += metric_name_put(at, djp__text(given->labels[i]), 0);
        *at++ = '\0';
    }
    out->options.labels = out->labels;
    return 0;
}

void
djp__metric_name_fini(djp__metric_name *name)
{
    djp__free(name->texts);
    name->texts = NULL;
}

size_t
djp__metric_name_label(char *out, djp_text key)
{
    size_t size = metric_name_put(out, key, 0), from = 0;
    while (from + 1 < size && out[from] == '_' && out[from + 1] == '_') {
        from++; /* two leading ones are reserved by Prometheus */
    }
    memmove(out, out + from, size - from);
    return size - from;
}
