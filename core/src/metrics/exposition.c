/* Writes every live series in one of the formats. Those of text and OpenMetrics 1.0 are here: they
 * copy the text rendered at a series' creation, and format only numbers. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "metrics/exposition.h"
#include "metrics/number.h"

#define EXPOSITION_EXEMPLAR_SIZE 256u
enum { EXPOSITION_SCHEMA_MAX = 8, EXPOSITION_SCHEMA_MIN = -4 };

typedef struct exposition {
    djp__buf *buf; /* borrowed */
    const djp_registry *registry;
    const djp__snapshot_family *family;
    int is_open; /* OpenMetrics */
    int alias; /* writing a gauge under its second name */
    djp_text name;
} exposition;

static char *
exposition_copy(char *end, const void *data, size_t size)
{
    memcpy(end, data, size);
    return end + size;
}

static char *
exposition_put(char *end, djp_text text)
{
    return exposition_copy(end, text.data, text.size);
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
exposition_end_line(const exposition *e, char *end, const djp__snapshot_point *point, uint32_t slot)
{
    djp__exemplar exemplar;
    if (e->is_open && djp__exemplar_load(&exemplar, e->registry, point->entry, slot)) {
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
    end = exposition_put(end, e->name);
    end = exposition_copy(end, suffix, strlen(suffix));
    if (labels.size > 0) {
        *end++ = '{';
        end = exposition_put(end, labels);
        *end++ = '}';
    }
    *end++ = ' ';
    return end;
}

static void
exposition_created(exposition *e, const djp__snapshot_point *point)
{
    if (!e->is_open || !e->registry->created) {
        return;
    }
    djp_text labels = djp__snapshot_escaped(e->family, point);
    char *end = djp__buf_reserve(e->buf, e->name.size + labels.size + 64);
    if (end != NULL) {
        end = exposition_prefix(e, end, "_created", labels);
        end = exposition_time(end, point->created_unix_ns);
        *end++ = '\n';
        e->buf->size = (size_t)(end - e->buf->data);
    }
}

static void
exposition_counter(exposition *e, const djp__snapshot_point *point)
{
    char *end = djp__buf_reserve(e->buf, point->rendered.size + DJP__NUMBER_SIZE +
                                             EXPOSITION_EXEMPLAR_SIZE);
    if (end == NULL) {
        return;
    }
    end = exposition_put(end, point->rendered);
    end += point->number == 0 ? djp__number_u64(end, point->whole)
                              : djp__number_double(end, (double)point->whole + point->number);
    end = exposition_end_line(e, end, point, 0);
    e->buf->size = (size_t)(end - e->buf->data);
    exposition_created(e, point);
}

/* `name{labels,pid="N"} ` */
static char *
exposition_process_prefix(const exposition *e, char *end, const djp__snapshot_point *point)
{
    djp_text labels = djp__snapshot_escaped(e->family, point);
    end = exposition_put(end, e->name);
    *end++ = '{';
    if (labels.size > 0) {
        end = exposition_put(end, labels);
        *end++ = ',';
    }
    end = exposition_copy(end, "pid=\"", 5);
    end += djp__number_u64(end, point->pid);
    return exposition_copy(end, "\"} ", 3);
}

static void
exposition_gauge(exposition *e, const djp__snapshot_point *point)
{
    char *end =
        djp__buf_reserve(e->buf, point->rendered.size + e->name.size + 2 * DJP__NUMBER_SIZE + 32);
    if (end == NULL) {
        return;
    }
    end = point->pid != 0 ? exposition_process_prefix(e, end, point)
          : e->alias      ? exposition_prefix(e, end, "", djp__snapshot_escaped(e->family, point))
                          : exposition_put(end, point->rendered);
    end += djp__number_double(end, point->number);
    *end++ = '\n';
    e->buf->size = (size_t)(end - e->buf->data);
}

/* In OpenMetrics, a histogram with negative observations has no sum and no count. */
static int
exposition_has_sum(const exposition *e, double sum)
{
    return !e->is_open || (sum >= 0 && (e->family->bucket_count == 0 || e->family->bounds[0] >= 0));
}

/* Formats the first line; the others copy its beginning, which all lines of the series share. */
static char *
exposition_buckets(exposition *e, char *end, const djp__snapshot_point *point)
{
    const char *first = end;
    uint64_t count = 0;
    end = exposition_put(end, e->name);
    end = exposition_copy(end, "_bucket{", 8);
    if (point->rendered.size > 0) {
        end = exposition_put(end, point->rendered);
        *end++ = ',';
    }
    size_t shared = (size_t)(end - first);
    for (uint32_t i = 0; i <= e->family->bucket_count; i++) {
        if (i > 0) {
            end = exposition_copy(end, first, shared);
        }
        count += point->buckets[i];
        djp__segment_text suffix = e->family->suffixes[i];
        end = exposition_copy(end, djp__segment_at(&e->registry->segment, suffix.at), suffix.size);
        end += djp__number_u64(end, count);
        end = exposition_end_line(e, end, point, i);
    }
    return end;
}

static void
exposition_histogram(exposition *e, const djp__snapshot_point *point)
{
    int has_exemplars = e->is_open && djp__load_relaxed(&point->entry->exemplars) != 0;
    size_t line = e->name.size + point->rendered.size + 64 + 2 * DJP__NUMBER_SIZE +
                  (has_exemplars ? EXPOSITION_EXEMPLAR_SIZE : 0);
    char *end = djp__buf_reserve(e->buf, line * (e->family->bucket_count + 3u));
    if (end == NULL) {
        return;
    }
    end = exposition_buckets(e, end, point);
    if (exposition_has_sum(e, point->number)) {
        end = exposition_prefix(e, end, "_sum", point->rendered);
        end += djp__number_double(end, point->number);
        *end++ = '\n';
        end = exposition_prefix(e, end, "_count", point->rendered);
        end += djp__number_u64(end, point->whole);
        *end++ = '\n';
    }
    e->buf->size = (size_t)(end - e->buf->data);
    exposition_created(e, point);
}

static void
exposition_point(void *user, const djp__snapshot *snapshot, const djp__snapshot_point *point)
{
    exposition *e = user;
    (void)snapshot;
    switch (e->family->type) {
    case DJP_COUNTER:
        exposition_counter(e, point);
        break;
    case DJP_GAUGE:
        exposition_gauge(e, point);
        break;
    case DJP_HISTOGRAM:
        exposition_histogram(e, point);
        break;
    }
}

/* The head rendered at the family's creation. */
static void
exposition_head(exposition *e, const djp__snapshot *snapshot, djp__segment_text head)
{
    djp_text text = djp__snapshot_text(snapshot, head);
    djp__buf_append(e->buf, text.data, text.size);
}

static void
exposition_text(djp__buf *out, djp__snapshot *snapshot, int is_open)
{
    exposition e = {.buf = out,
                    .registry = snapshot->registry,
                    .family = &snapshot->family,
                    .is_open = is_open,
                    .name = snapshot->family.name};
    exposition_head(&e, snapshot, e.family->entry->head[is_open]);
    djp__snapshot_points(snapshot, exposition_point, &e);
    if (e.family->alias.size > 0 && !is_open) {
        e.alias = 1;
        e.name = e.family->alias;
        exposition_head(&e, snapshot, e.family->entry->alias_head);
        djp__snapshot_points(snapshot, exposition_point, &e);
    }
}

static void
exposition_plain_family(djp__buf *out, djp__snapshot *snapshot, djp_exposition format)
{
    (void)format;
    exposition_text(out, snapshot, 0);
}

static void
exposition_open_family(djp__buf *out, djp__snapshot *snapshot, djp_exposition format)
{
    (void)format;
    exposition_text(out, snapshot, 1);
}

static void
exposition_put_target(djp__buf *out, const char *head, djp_text labels)
{
    djp__buf_text(out, head);
    djp__buf_text(out, "target_info{");
    djp__buf_append(out, labels.data, labels.size);
    djp__buf_text(out, "} 1\n");
}

static void
exposition_plain_target(djp__buf *out, djp_text labels)
{
    exposition_put_target(out, "# HELP target_info Target metadata\n# TYPE target_info gauge\n",
                          labels);
}

static void
exposition_open_target(djp__buf *out, djp_text labels)
{
    exposition_put_target(out, "# TYPE target info\n# HELP target Target metadata\n", labels);
}

static const djp__exposition_form exposition_plain = {exposition_plain_family,
                                                      exposition_plain_target, ""};
static const djp__exposition_form exposition_open = {exposition_open_family, exposition_open_target,
                                                     "# EOF\n"};

static const djp__exposition_form *
exposition_form(djp_exposition format)
{
    static const djp__exposition_form *const forms[] = {
        [DJP_TEXT_0_0_4] = &exposition_plain,
        [DJP_OPENMETRICS_1_0_0] = &exposition_open,
        [DJP_TEXT_1_0_0] = &exposition_plain,
        [DJP_PROTOBUF_DELIMITED] = &djp__exposition_protobuf,
        [DJP_OPENMETRICS_2_0_0] = &djp__exposition_openmetrics2,
        [DJP_OPENMETRICS_0_0_1] = &exposition_open,
    };
    unsigned number = (unsigned)format & DJP_EXPOSITION_FORMAT;
    return number < sizeof forms / sizeof forms[0] ? forms[number] : NULL;
}

/* target_info, unless the application has a family of that name. */
static void
exposition_target(djp__buf *out, djp_registry *registry, const djp__exposition_form *form)
{
    if (djp__family_find(registry, "target_info", 11) || djp__family_find(registry, "target", 6)) {
        return;
    }
    djp__mutex_lock(&registry->collect_mutex);
    if (registry->target.size > 0) {
        form->target(out, (djp_text){registry->target.data, registry->target.size});
    }
    djp__mutex_unlock(&registry->collect_mutex);
}

int
djp__exposition_native(djp__exponential *out, uint64_t *count, const djp__snapshot_point *point)
{
    *count = point->whole;
    if (point->exponential == NULL || point->exponential->scale < EXPOSITION_SCHEMA_MIN) {
        return 0;
    }
    *out = *point->exponential;
    if (out->scale > EXPOSITION_SCHEMA_MAX) {
        djp__exponential_downscale(out, (uint32_t)(out->scale - EXPOSITION_SCHEMA_MAX));
    }
    *count = djp__exponential_count(out);
    return 1;
}

int
djp_registry_expose(char **out, size_t *out_size, djp_registry *registry, djp_exposition format)
{
    const djp__exposition_form *form = exposition_form(format);
    if (out == NULL || out_size == NULL || registry == NULL || form == NULL) {
        return DJP_EINVAL;
    }
    *out = NULL;
    *out_size = 0;
    uint64_t start = registry->expositions != NULL ? djp__clock_monotonic() : 0;
    djp__snapshot snapshot;
    djp__snapshot_begin(&snapshot, registry);
    djp__buf buf;
    djp__buf_init(&buf, 0);
    /* Reserves the size of the last exposition and some more, to avoid copies. */
    uint64_t last = djp__load_relaxed(&registry->last_size);
    djp__buf_reserve(&buf, (size_t)(last + last / 8 + 1024));
    exposition_target(&buf, registry, form);
    while (djp__snapshot_next(&snapshot)) {
        form->family(&buf, &snapshot, format);
    }
    djp__buf_text(&buf, form->end);
    *out = djp__buf_take(&buf, out_size);
    if (!*out) {
        return DJP_ENOMEM;
    }
    djp__store_relaxed(&registry->last_size, *out_size);
    if (registry->expositions != NULL) {
        djp_histogram_observe(registry->expositions,
                              (double)(djp__clock_monotonic() - start) / 1e9);
    }
    return 0;
}

void
djp_free(char *text)
{
    djp__free(text);
}
