/* Families: checks a definition, finds or creates its entry, and renders the HELP, TYPE and UNIT
 * lines once. A published entry does not change, so readers need no lock. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "metrics/native.h"
#include "metrics/gauge.h"
#include "metrics/metric_name.h"
#include "metrics/number.h"
#include "metrics/registry.h"
#include "metrics/builtin_table.h"
#include "metrics/text.h"

/* The list of HTTP servers with a bound at every objective: 0.3, 0.5, 2 and 5 seconds. */
static const double family_default_buckets[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.3,
                                                0.5,   0.75, 1.0,   2.0,  2.5,   5.0, 7.5,  10.0};

/* Readers may compare this many bounds past the end: they are +Inf. */
#define FAMILY_BOUNDS_PADDING 8u

static int
family_is_name_char(char c, int first, int colon)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':') ||
           (!first && c >= '0' && c <= '9');
}

static int
family_is_name(djp_text name, int colon)
{
    if (name.size == 0 || name.size > DJP_LABEL_SIZE_MAX) {
        return 0;
    }
    for (size_t i = 0; i < name.size; i++) {
        if (!family_is_name_char(name.data[i], i == 0, colon)) {
            return 0;
        }
    }
    return 1;
}

static int
family_check_labels(const djp_family_options *options)
{
    if (options->label_count > DJP_LABELS_MAX || (options->label_count > 0 && !options->labels)) {
        return DJP_EINVAL;
    }
    for (size_t i = 0; i < options->label_count; i++) {
        djp_text label = djp__text(options->labels[i]);
        if (!family_is_name(label, 0) || (label.size >= 2 && memcmp(label.data, "__", 2) == 0)) {
            return DJP_EINVAL;
        }
        if (options->type == DJP_HISTOGRAM && djp__text_equal(label, "le")) {
            return DJP_EINVAL;
        }
        for (size_t k = 0; k < i; k++) {
            if (djp__text_equal(label, options->labels[k])) {
                return DJP_EINVAL;
            }
        }
    }
    return 0;
}

static int
family_check_buckets(const djp_family_options *options)
{
    if (options->type != DJP_HISTOGRAM || options->buckets == NULL) {
        return 0;
    }
    if (options->bucket_count > DJP_BUCKETS_MAX) {
        return DJP_EINVAL;
    }
    for (size_t i = 0; i < options->bucket_count; i++) {
        int last = i + 1 == options->bucket_count;
        double bound = options->buckets[i];
        if (isnan(bound) || (isinf(bound) && !(last && bound > 0)) ||
            (i > 0 && bound <= options->buckets[i - 1])) {
            return DJP_EINVAL;
        }
    }
    return 0;
}

static int
family_check(const djp_family_options *options)
{
    if (!family_is_name(djp__text(options->name), 1)) {
        return DJP_EINVAL;
    }
    if (options->type == DJP_GAUGE && (unsigned)options->mode > DJP_GAUGE_OMIT) {
        return DJP_EINVAL;
    }
    return family_check_labels(options) < 0 || family_check_buckets(options) < 0 ? DJP_EINVAL : 0;
}

/* The suffixes of a family's sample names, the bare name first. */
static const char *const *
family_claims(unsigned type)
{
    static const char *const counter[] = {"", "_total", "_created", NULL};
    static const char *const gauge[] = {"", NULL};
    static const char *const histogram[] = {"", "_bucket", "_count", "_sum", "_created", NULL};
    return type == DJP_COUNTER ? counter : type == DJP_GAUGE ? gauge : histogram;
}

static int
family_claims_meet(djp_text a, unsigned a_type, djp_text b, unsigned b_type)
{
    for (const char *const *x = family_claims(a_type); *x; x++) {
        size_t x_size = strlen(*x);
        for (const char *const *y = family_claims(b_type); *y; y++) {
            size_t y_size = strlen(*y);
            if (a.size + x_size != b.size + y_size) {
                continue;
            }
            /* One name is a prefix of the other; the rest must be the suffix. */
            djp_text longer = a.size > b.size ? a : b, shorter = a.size > b.size ? b : a;
            const char *suffix = a.size > b.size ? *y : *x, *rest = a.size > b.size ? *x : *y;
            size_t gap = longer.size - shorter.size;
            if (memcmp(longer.data, shorter.data, shorter.size) == 0 &&
                memcmp(longer.data + shorter.size, suffix, gap) == 0 &&
                memcmp(suffix + gap, rest, strlen(rest)) == 0) {
                return 1;
            }
        }
    }
    return 0;
}

static djp_text
family_text(const djp_registry *registry, djp__segment_text text)
{
    return (djp_text){djp__segment_at(&registry->segment, text.at), text.size};
}

static int
family_same_text(const djp_registry *registry, djp__segment_text stored, djp_text given)
{
    djp_text text = family_text(registry, stored);
    return text.size == given.size &&
           (given.size == 0 || memcmp(text.data, given.data, given.size) == 0);
}

static void
family_buckets(const djp_family_options *options, const double **bounds, size_t *count)
{
    *bounds = options->buckets;
    *count = options->bucket_count;
    if (options->type != DJP_HISTOGRAM) {
        *count = 0;
    } else if (options->buckets == NULL) {
        *bounds = family_default_buckets;
        *count = sizeof family_default_buckets / sizeof family_default_buckets[0];
    } else if (*count > 0 && isinf(options->buckets[*count - 1])) {
        (*count)--;
    }
}

static int
family_same_buckets(const djp_registry *registry, const djp__family_entry *entry,
                    const djp_family_options *options)
{
    const double *bounds;
    size_t count;
    family_buckets(options, &bounds, &count);
    return entry->bucket_count == count &&
           (count == 0 || memcmp(djp__segment_at(&registry->segment, entry->bounds_at), bounds,
                                 count * sizeof *bounds) == 0);
}

/* Help and unit are not compared: declarations with different help mean the same family, and the
 * unit is part of the name. */
static int
family_same_labels(const djp_registry *registry, const djp__family_entry *entry,
                   const djp_family_options *options)
{
    if (entry->type != options->type || entry->label_count != options->label_count) {
        return 0;
    }
    const djp__segment_text *labels = djp__segment_at(&registry->segment, entry->labels_at);
    for (size_t i = 0; i < options->label_count; i++) {
        if (!family_same_text(registry, labels[i], djp__text(options->labels[i]))) {
            return 0;
        }
    }
    return 1;
}

void
djp__family_head(djp__buf *out, const djp_family_options *options, djp_text name,
                 djp_exposition format)
{
    static const char *const types[] = {"", "counter", "gauge", "histogram"};
    const char *suffix = options->type == DJP_COUNTER && format == DJP_TEXT_0_0_4 ? "_total" : "";
    djp_text help = djp__text(options->help);
    djp__buf_text(out, "# HELP ");
    djp__buf_append(out, name.data, name.size);
    djp__buf_text(out, suffix);
    djp__buf_char(out, ' ');
    djp__text_escape(out, help, format != DJP_TEXT_0_0_4);
    djp__buf_text(out, "\n# TYPE ");
    djp__buf_append(out, name.data, name.size);
    djp__buf_text(out, suffix);
    djp__buf_char(out, ' ');
    djp__buf_text(out, types[options->type]);
    djp__buf_char(out, '\n');
    if (format != DJP_TEXT_0_0_4 && options->unit && options->unit[0]) {
        djp__buf_text(out, "# UNIT ");
        djp__buf_append(out, name.data, name.size);
        djp__buf_char(out, ' ');
        djp__buf_text(out, options->unit);
        djp__buf_char(out, '\n');
    }
}

/* A draft of a family: all texts in one buffer, with offsets relative to it until it has a
 * place. */
typedef struct family_draft {
    djp__buf texts;
    djp__segment_text labels[DJP_LABELS_MAX];
    djp__segment_text suffixes[DJP_BUCKETS_MAX + 1];
} family_draft;

static djp__segment_text
family_put(family_draft *draft, djp_text text)
{
    djp__segment_text result = {(uint32_t)draft->texts.size, (uint32_t)text.size};
    djp__buf_append(&draft->texts, text.data, text.size);
    djp__buf_char(&draft->texts, '\0');
    return result;
}

static djp__segment_text
family_put_head(family_draft *draft, const djp_family_options *options, djp_text name,
                djp_exposition format)
{
    djp__segment_text result = {(uint32_t)draft->texts.size, 0};
    djp__family_head(&draft->texts, options, name, format);
    result.size = (uint32_t)(draft->texts.size - result.at);
    return result;
}

static void
family_put_suffixes(family_draft *draft, const double *bounds, size_t count)
{
    for (size_t i = 0; i <= count; i++) {
        draft->suffixes[i].at = (uint32_t)draft->texts.size;
        char number[DJP__NUMBER_SIZE];
        djp__buf_text(&draft->texts, "le=\"");
        djp__buf_append(&draft->texts, number,
                        djp__number_le(number, i < count ? bounds[i] : INFINITY));
        djp__buf_text(&draft->texts, "\"} ");
        draft->suffixes[i].size = (uint32_t)draft->texts.size - draft->suffixes[i].at;
    }
}

static void
family_move(djp__segment_text *text, uint32_t by)
{
    text->at += by;
}

/* Copies entry, bounds, label names, suffixes and texts into one block of the segment. Returns its
 * offset or 0. */
static uint32_t
family_store(djp_registry *registry, family_draft *draft, djp__family_entry *entry,
             const double *bounds)
{
    size_t count = entry->bucket_count;
    size_t bounds_at = (sizeof *entry + 7) & ~(size_t)7;
    size_t labels_at = bounds_at + (count + FAMILY_BOUNDS_PADDING) * sizeof(double);
    size_t suffixes_at = labels_at + entry->label_count * sizeof(djp__segment_text);
    size_t texts_at = suffixes_at + (count + 1) * sizeof(djp__segment_text);
    if (draft->texts.failed) {
        return 0;
    }
    uint32_t at = djp__segment_alloc(&registry->segment, texts_at + draft->texts.size);
    if (!at) {
        return 0;
    }
    char *block = djp__segment_at(&registry->segment, at);
    uint32_t shift = at + (uint32_t)texts_at;
    djp__segment_text *texts[] = {&entry->name,      &entry->help,    &entry->unit,
                                  &entry->alias,     &entry->head[0], &entry->head[1],
                                  &entry->alias_head};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        family_move(texts[i], shift);
    }
    for (size_t i = 0; i < entry->label_count; i++) {
        family_move(&draft->labels[i], shift);
    }
    for (size_t i = 0; i <= count; i++) {
        family_move(&draft->suffixes[i], shift);
    }
    entry->bounds_at = at + (uint32_t)bounds_at;
    entry->labels_at = at + (uint32_t)labels_at;
    entry->suffixes_at = at + (uint32_t)suffixes_at;
    entry->end = at + (uint32_t)(texts_at + draft->texts.size);
    double *stored = (double *)(void *)(block + bounds_at);
    for (size_t i = 0; i < count + FAMILY_BOUNDS_PADDING; i++) {
        stored[i] = i < count ? bounds[i] : INFINITY;
    }
    memcpy(block + labels_at, draft->labels, entry->label_count * sizeof(djp__segment_text));
    memcpy(block + suffixes_at, draft->suffixes, (count + 1) * sizeof(djp__segment_text));
    memcpy(block + texts_at, draft->texts.data, draft->texts.size);
    memcpy(block, entry, sizeof *entry);
    return at;
}

static uint8_t
family_is_exponential(const djp_registry *registry, const djp_family_options *options)
{
    return options->type == DJP_HISTOGRAM &&
           (options->exponential == DJP_EXPONENTIAL_ON ||
            (options->exponential == DJP_EXPONENTIAL_DEFAULT && registry->exponential));
}

static uint32_t
family_write(djp_registry *registry, const djp_family_options *options, djp_text name,
             const char *alias)
{
    family_draft draft;
    djp__family_entry entry;
    const double *bounds;
    size_t count;
    memset(&draft, 0, sizeof draft);
    memset(&entry, 0, sizeof entry);
    family_buckets(options, &bounds, &count);
    djp__buf_init(&draft.texts, 1u << 24);
    entry.index = registry->segment.header->family_count;
    entry.type = (uint8_t)options->type;
    entry.per_process = options->per_process != 0;
    entry.mode = (uint8_t)(options->type == DJP_GAUGE ? options->mode : 0);
    entry.label_count = (uint8_t)options->label_count;
    entry.bucket_count = (uint16_t)count;
    entry.value_count = options->type == DJP_COUNTER ? 2
                        : options->type == DJP_GAUGE ? DJP__GAUGE_WORDS
                                                     : (uint32_t)count + 2;
    entry.is_exponential = family_is_exponential(registry, options);
    entry.value_count += entry.is_exponential ? DJP__NATIVE_WORDS : 0;
    entry.limit = registry->cardinality_limit;
    entry.name = family_put(&draft, name);
    entry.help = family_put(&draft, djp__text(options->help));
    entry.unit = family_put(&draft, djp__text(options->unit));
    entry.alias = family_put(&draft, djp__text(alias));
    entry.head[0] = family_put_head(&draft, options, name, DJP_TEXT_0_0_4);
    entry.head[1] = family_put_head(&draft, options, name, DJP_OPENMETRICS_1_0_0);
    if (alias != NULL) {
        entry.alias_head = family_put_head(&draft, options, djp__text(alias), DJP_TEXT_0_0_4);
    }
    for (size_t i = 0; i < options->label_count; i++) {
        draft.labels[i] = family_put(&draft, djp__text(options->labels[i]));
    }
    family_put_suffixes(&draft, bounds, count);
    uint32_t at = family_store(registry, &draft, &entry, bounds);
    djp__buf_fini(&draft.texts);
    return at;
}

/* This process's handle of an entry; created here if another process created the family. Lock
 * held. */
static djp_family *
family_handle(djp_registry *registry, djp__family_entry *entry)
{
    djp_family *family = registry->families[entry->index % DJP__FAMILIES_MAX];
    if (family == NULL) {
        family = djp__calloc(1, sizeof *family);
        if (family != NULL) {
            family->registry = registry;
            family->entry = entry;
            family->bounds = djp__segment_at(&registry->segment, entry->bounds_at);
            family->name = djp__segment_at(&registry->segment, entry->name.at);
            registry->families[entry->index % DJP__FAMILIES_MAX] = family;
        }
    }
    return family;
}

static djp__family_entry *
family_next(const djp_registry *registry, const DJP__ATOMIC(uint32_t) * link)
{
    uint32_t at = djp__load_acquire(link);
    return at ? djp__segment_at(&registry->segment, at) : NULL;
}

/* The entry of a name, or one with the same sample names. */
static djp__family_entry *
family_search(const djp_registry *registry, djp_text name, unsigned type, int *clash)
{
    *clash = 0;
    for (djp__family_entry *e = family_next(registry, &registry->segment.header->family_first); e;
         e = family_next(registry, &e->next)) {
        if (family_same_text(registry, e->name, name)) {
            return e;
        }
        if (family_claims_meet(family_text(registry, e->name), e->type, name, type) ||
            (e->alias.size > 0 &&
             family_claims_meet(family_text(registry, e->alias), e->type, name, type))) {
            *clash = 1;
        }
    }
    return NULL;
}

/* Skips a second name that an earlier family uses. */
static const char *
family_free_alias(const djp_registry *registry, const char *alias, unsigned type)
{
    int clash = 0;
    return alias && !family_search(registry, djp__text(alias), type, &clash) && !clash ? alias
                                                                                       : NULL;
}

static int
family_create(djp_family **out, djp_registry *registry, const djp_family_options *options,
              djp_text name, const char *alias)
{
    djp__segment_header *header = registry->segment.header;
    if (header->family_count >= DJP__FAMILIES_MAX) {
        return DJP_EFULL;
    }
    uint32_t at =
        family_write(registry, options, name, family_free_alias(registry, alias, options->type));
    if (!at) {
        return DJP_EFULL;
    }
    djp__family_entry *entry = djp__segment_at(&registry->segment, at);
    djp_family *family = family_handle(registry, entry);
    if (family == NULL) {
        return DJP_ENOMEM;
    }
    entry->overflow = djp__series_prepare(family);
    if (!entry->overflow) {
        registry->families[entry->index] = NULL;
        djp__free(family);
        return DJP_EFULL;
    }
    header->family_count++;
    DJP__ATOMIC(uint32_t) *link = &header->family_first;
    if (header->family_last) {
        link =
            &((djp__family_entry *)djp__segment_at(&registry->segment, header->family_last))->next;
    }
    djp__store_release(link, at);
    header->family_last = at;
    *out = family;
    return 0;
}

/* Finds or creates the family of normalised options. A documented family is shared by its name and
 * labels: the declaration of a service and that of the SDK are one family, with the buckets of the
 * first. */
static int
family_get(djp_family **out, djp_registry *registry, const djp_family_options *options,
           const djp__builtin_definition *documented)
{
    djp_text name = djp__text(options->name);
    const char *alias = documented != NULL ? documented->alias : NULL;
    int clash, result = 0;
    if (!djp__registry_lock(registry)) {
        return DJP_EFULL;
    }
    djp__family_entry *entry = family_search(registry, name, options->type, &clash);
    if (entry == NULL) {
        result = clash ? DJP_EEXIST : family_create(out, registry, options, name, alias);
    } else if (!family_same_labels(registry, entry, options)) {
        result = DJP_EEXIST;
    } else {
        int is_mode_free = documented != NULL || options->type != DJP_GAUGE;
        int same = family_same_buckets(registry, entry, options) &&
                   (is_mode_free || entry->mode == options->mode);
        *out = same || documented != NULL ? family_handle(registry, entry) : NULL;
        result = *out ? !same : same || documented != NULL ? DJP_ENOMEM : DJP_EEXIST;
    }
    djp__registry_unlock(registry);
    return result;
}

int
djp_family_new(djp_family **out, djp_registry *registry, const djp_family_options *options)
{
    if (out == NULL || registry == NULL) {
        return DJP_EINVAL;
    }
    *out = NULL;
    djp__metric_name named;
    int result = djp__metric_name_init(&named, options);
    if (result == 0) {
        djp_family_options *spelled = &named.options;
        const djp__builtin_definition *documented = djp__builtin_documented(spelled);
        if (documented != NULL) {
            spelled->name = documented->alias && strcmp(spelled->name, documented->alias) == 0
                                ? documented->name
                                : spelled->name;
            spelled->unit = documented->unit;
            spelled->bucket_count =
                spelled->buckets ? spelled->bucket_count : documented->bucket_count;
            spelled->buckets = spelled->buckets != NULL ? spelled->buckets : documented->buckets;
        }
        result =
            family_check(spelled) < 0 ? DJP_EINVAL : family_get(out, registry, spelled, documented);
    }
    djp__metric_name_fini(&named);
    return result;
}

djp_family *
djp__family_find(djp_registry *registry, const char *name, size_t size)
{
    int clash;
    djp_text wanted = {name, size};
    if (!djp__registry_lock(registry)) {
        return NULL;
    }
    djp__family_entry *entry = family_search(registry, wanted, DJP_GAUGE, &clash);
    djp_family *family = entry != NULL ? family_handle(registry, entry) : NULL;
    djp__registry_unlock(registry);
    return family;
}

size_t
djp_family_label_count(const djp_family *family)
{
    return family != NULL ? family->entry->label_count : 0;
}

const char *
djp_family_name(const djp_family *family)
{
    return family != NULL ? family->name : "";
}
