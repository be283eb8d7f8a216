/* The exposition: every live series as Prometheus text 0.0.4 or OpenMetrics 1.0. It copies what was rendered when the series
 * was made and formats only numbers. The lock is held for a few dozen series at a time, so that a long scrape never keeps a
 * request from adding one. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "metrics/exemplar.h"
#include "metrics/number.h"

#define EXPOSITION_BATCH 128u
#define EXPOSITION_EXEMPLAR_SIZE 256u

typedef struct exposition {
    djp_buf buf;
    const djp_registry *registry;
    const djp__family_entry *family;
    djp_exposition format;
    int alias; /* writing a gauge under its second name */
    djp_text name;
    const djp__segment_text *suffixes;
} exposition;

static char *
exposition_copy(char *end, const void *data, size_t size)
{
    memcpy(end, data, size);
    return end + size;
}

static char *
exposition_at(const exposition *e, char *end, djp__segment_text text)
{
    return exposition_copy(end, djp__segment_at(&e->registry->segment, text.at), text.size);
}

static char *
exposition_hex(char *end, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *end++ = digits[bytes[i] >> 4];
        *end++ = digits[bytes[i] & 15];
    }
    return end;
}

/* Unix time in seconds with milliseconds. */
static char *
exposition_time(char *end, uint64_t unix_ns)
{
    end += djp__number_u64(end, unix_ns / 1000000000u);
    uint32_t ms = (uint32_t)(unix_ns / 1000000u % 1000u);
    *end++ = '.';
    *end++ = (char)('0' + ms / 100);
    *end++ = (char)('0' + ms / 10 % 10);
    *end++ = (char)('0' + ms % 10);
    return end;
}

/* Ends a line, with the slot's exemplar in OpenMetrics. */
static char *
exposition_end_line(const exposition *e, char *end, const djp__series_entry *entry, uint32_t slot)
{
    djp__exemplar exemplar;
    if (e->format == DJP_OPENMETRICS_1_0_0 && djp__exemplar_load(&exemplar, e->registry, entry, slot)) {
        end = exposition_copy(end, " # {trace_id=\"", 14);
        end = exposition_hex(end, exemplar.trace_id, sizeof exemplar.trace_id);
        end = exposition_copy(end, "\",span_id=\"", 11);
        end = exposition_hex(end, exemplar.span_id, sizeof exemplar.span_id);
        end = exposition_copy(end, "\"} ", 3);
        end += djp__number_double(end, exemplar.value);
        *end++ = ' ';
        end = exposition_time(end, exemplar.unix_ns);
    }
    *end++ = '\n';
    return end;
}

/* `name<suffix>{labels} `, for samples whose prefix is not ready. labels without braces. */
static char *
exposition_prefix(const exposition *e, char *end, const char *suffix, djp_text labels)
{
    end = exposition_copy(end, e->name.data, e->name.size);
    end = exposition_copy(end, suffix, strlen(suffix));
    if (labels.size > 0) {
        *end++ = '{';
        end = exposition_copy(end, labels.data, labels.size);
        *end++ = '}';
    }
    *end++ = ' ';
    return end;
}

static void
exposition_created(exposition *e, const djp__series_entry *entry, djp_text labels)
{
    if (e->format != DJP_OPENMETRICS_1_0_0 || !e->registry->created) {
        return;
    }
    char *end = djp__buf_reserve(&e->buf, e->name.size + labels.size + 64);
    if (end) {
        end = exposition_prefix(e, end, "_created", labels);
        end = exposition_time(end, entry->created_unix_ns);
        *end++ = '\n';
        e->buf.size = (size_t)(end - e->buf.data);
    }
}

/* The part between the braces of a ready prefix `name{labels} `. */
static djp_text
exposition_labels(const exposition *e, const djp__series_entry *entry, size_t name_size)
{
    const char *text = djp__segment_at(&e->registry->segment, entry->text_at);
    if (e->family->label_count == 0) {
        return (djp_text){text, 0};
    }
    return (djp_text){text + name_size + 1, entry->text_size - name_size - 3};
}

static void
exposition_counter(exposition *e, const djp__series_entry *entry)
{
    char *end = djp__buf_reserve(&e->buf, entry->text_size + DJP__NUMBER_SIZE + EXPOSITION_EXEMPLAR_SIZE);
    if (!end) {
        return;
    }
    end = exposition_at(e, end, (djp__segment_text){entry->text_at, entry->text_size});
    uint64_t whole = djp__series_cell(e->registry, entry, 0);
    double rest = djp__series_cell_double(e->registry, entry, 1);
    end += rest == 0 ? djp__number_u64(end, whole) : djp__number_double(end, (double)whole + rest);
    end = exposition_end_line(e, end, entry, 0);
    e->buf.size = (size_t)(end - e->buf.data);
    exposition_created(e, entry, exposition_labels(e, entry, e->name.size + 6));
}

static void
exposition_gauge(exposition *e, const djp__series_entry *entry)
{
    char *end = djp__buf_reserve(&e->buf, entry->text_size + e->name.size + DJP__NUMBER_SIZE + 8);
    if (!end) {
        return;
    }
    if (e->alias) {
        end = exposition_prefix(e, end, "", exposition_labels(e, entry, e->family->name.size));
    } else {
        end = exposition_at(e, end, (djp__segment_text){entry->text_at, entry->text_size});
    }
    end += djp__number_double(end, djp__series_cell_double(e->registry, entry, 0));
    *end++ = '\n';
    e->buf.size = (size_t)(end - e->buf.data);
}

/* OpenMetrics has no sum, and then no count, where observations may be negative. */
static int
exposition_has_sum(const exposition *e, double sum)
{
    const double *bounds = djp__segment_at(&e->registry->segment, e->family->bounds_at);
    return e->format == DJP_TEXT_0_0_4 || (sum >= 0 && (e->family->bucket_count == 0 || bounds[0] >= 0));
}

/* The first line is put together; the others copy its beginning, which all lines of the series share. */
static char *
exposition_buckets(exposition *e, char *end, const djp__series_entry *entry, djp_text labels, uint64_t *count)
{
    const char *first = end;
    end = exposition_copy(end, e->name.data, e->name.size);
    end = exposition_copy(end, "_bucket{", 8);
    if (labels.size > 0) {
        end = exposition_copy(end, labels.data, labels.size);
        *end++ = ',';
    }
    size_t shared = (size_t)(end - first);
    for (uint32_t i = 0; i <= e->family->bucket_count; i++) {
        if (i > 0) {
            end = exposition_copy(end, first, shared);
        }
        *count += djp__series_cell(e->registry, entry, 1 + i);
        end = exposition_at(e, end, e->suffixes[i]);
        end += djp__number_u64(end, *count);
        end = exposition_end_line(e, end, entry, i);
    }
    return end;
}

static void
exposition_histogram(exposition *e, const djp__series_entry *entry)
{
    djp_text labels = {djp__segment_at(&e->registry->segment, entry->text_at), entry->text_size};
    size_t exemplar =
        e->format == DJP_OPENMETRICS_1_0_0 && djp_load_relaxed(&entry->exemplars) ? EXPOSITION_EXEMPLAR_SIZE : 0;
    size_t line = e->name.size + labels.size + 64 + 2 * DJP__NUMBER_SIZE + exemplar;
    char *end = djp__buf_reserve(&e->buf, line * (e->family->bucket_count + 3u));
    if (!end) {
        return;
    }
    uint64_t count = 0;
    double sum = djp__series_cell_double(e->registry, entry, 0);
    end = exposition_buckets(e, end, entry, labels, &count);
    if (exposition_has_sum(e, sum)) {
        end = exposition_prefix(e, end, "_sum", labels);
        end += djp__number_double(end, sum);
        *end++ = '\n';
        end = exposition_prefix(e, end, "_count", labels);
        end += djp__number_u64(end, count);
        *end++ = '\n';
    }
    e->buf.size = (size_t)(end - e->buf.data);
    exposition_created(e, entry, labels);
}

static void
exposition_series(exposition *e, const djp__series_entry *entry)
{
    if (!(djp_load_relaxed(&entry->generation) & 1)) {
        return;
    }
    switch (e->family->type) {
    case DJP_COUNTER:
        exposition_counter(e, entry);
        break;
    case DJP_GAUGE:
        exposition_gauge(e, entry);
        break;
    default:
        exposition_histogram(e, entry);
        break;
    }
}

/* All series of a family. The order of creation never changes and entries never leave it, so that it can be left and entered
 * again between two batches. */
static void
exposition_walk(exposition *e, djp_registry *registry)
{
    uint32_t left = EXPOSITION_BATCH;
    djp__registry_lock(registry);
    for (uint32_t at = e->family->first; at;) {
        const djp__series_entry *entry = djp__segment_at(&registry->segment, at);
        exposition_series(e, entry);
        at = entry->next;
        if (--left == 0 && at) {
            left = EXPOSITION_BATCH;
            djp__registry_unlock(registry);
            djp__registry_lock(registry);
        }
    }
    djp__registry_unlock(registry);
}

static void
exposition_text(exposition *e, djp__segment_text text)
{
    djp__buf_append(&e->buf, djp__segment_at(&e->registry->segment, text.at), text.size);
}

static void
exposition_family(exposition *e, djp_registry *registry, const djp__family_entry *family)
{
    e->family = family;
    e->alias = 0;
    e->suffixes = djp__segment_at(&registry->segment, family->suffixes_at);
    e->name = (djp_text){djp__segment_at(&registry->segment, family->name.at), family->name.size};
    exposition_text(e, family->head[e->format]);
    exposition_walk(e, registry);
    if (family->alias.size > 0 && e->format == DJP_TEXT_0_0_4) {
        e->alias = 1;
        e->name = (djp_text){djp__segment_at(&registry->segment, family->alias.at), family->alias.size};
        exposition_text(e, family->alias_head);
        exposition_walk(e, registry);
    }
}

/* Who this is. An application that has a family of that name speaks for itself. */
static void
exposition_target(exposition *e, djp_registry *registry)
{
    static const char *const heads[] = {"# HELP target_info Target metadata\n# TYPE target_info gauge\n",
                                        "# TYPE target info\n# HELP target Target metadata\n"};
    if (djp__family_find(registry, "target_info", 11) || djp__family_find(registry, "target", 6)) {
        return;
    }
    djp__mutex_lock(&registry->collect_mutex);
    if (registry->target.size > 0) {
        djp__buf_text(&e->buf, heads[e->format]);
        djp__buf_text(&e->buf, "target_info{");
        djp__buf_append(&e->buf, registry->target.data, registry->target.size);
        djp__buf_text(&e->buf, "} 1\n");
    }
    djp__mutex_unlock(&registry->collect_mutex);
}

int
djp_registry_expose(char **out, size_t *out_size, djp_registry *registry, djp_exposition format)
{
    if (!out || !out_size || !registry || (format != DJP_TEXT_0_0_4 && format != DJP_OPENMETRICS_1_0_0)) {
        return DJP_EINVAL;
    }
    *out = NULL;
    *out_size = 0;
    uint64_t start = registry->expositions ? djp__clock_monotonic() : 0;
    djp__registry_collect(registry);
    exposition e;
    memset(&e, 0, sizeof e);
    e.registry = registry;
    e.format = format;
    djp__buf_init(&e.buf, 0);
    /* Room for what the last scrape needed and some more: no copy while growing. */
    uint64_t last = djp_load_relaxed(&registry->last_size);
    djp__buf_reserve(&e.buf, (size_t)(last + last / 8 + 1024));
    exposition_target(&e, registry);
    uint32_t at = djp_load_acquire(&registry->segment.header->family_first);
    while (at) {
        const djp__family_entry *family = djp__segment_at(&registry->segment, at);
        exposition_family(&e, registry, family);
        at = djp_load_acquire(&family->next);
    }
    if (format == DJP_OPENMETRICS_1_0_0) {
        djp__buf_text(&e.buf, "# EOF\n");
    }
    *out = djp__buf_take(&e.buf, out_size);
    if (!*out) {
        return DJP_ENOMEM;
    }
    djp_store_relaxed(&registry->last_size, *out_size);
    if (registry->expositions) {
        djp_histogram_observe(registry->expositions, (double)(djp__clock_monotonic() - start) / 1e9);
    }
    return 0;
}

void
djp_free(char *text)
{
    djp__free(text);
}
