/* Reads families and series for expositions. The lock is held for a few dozen series at a time, so
 * that a long exposition does not delay requests that add one. */
#include "metrics/snapshot.h"

#include "base/str.h"
#include "metrics/native.h"
#include "metrics/fold.h"
#include "metrics/gauge.h"
#include "metrics/handle.h"
#include "metrics/key.h"
#include "metrics/stripe.h"

enum { SNAPSHOT_BATCH = 128 };

void
djp__snapshot_begin(djp__snapshot *snapshot, djp_registry *registry)
{
    djp__registry_collect(registry);
    if (djp__segment_is_shared(&registry->segment)) {
        if (djp__registry_lock(registry)) {
            djp__fold_dead(registry);
            djp__registry_unlock(registry);
        }
    }
    snapshot->registry = registry;
    snapshot->is_own = 0;
    snapshot->next = djp__load_acquire(&registry->segment.header->family_first);
}

void
djp__snapshot_begin_own(djp__snapshot *snapshot, djp_registry *registry)
{
    djp__snapshot_begin(snapshot, registry);
    snapshot->is_own = 1;
}

int
djp__snapshot_next(djp__snapshot *snapshot)
{
    const djp__segment *segment = &snapshot->registry->segment;
    if (snapshot->next == 0) {
        return 0;
    }
    const djp__family_entry *entry = djp__segment_at(segment, snapshot->next);
    snapshot->next = djp__load_acquire(&entry->next);
    snapshot->family = (djp__snapshot_family){
        .entry = entry,
        .type = (djp_metric_type)entry->type,
        .mode = (djp_gauge_mode)entry->mode,
        .name = djp__snapshot_text(snapshot, entry->name),
        .help = djp__snapshot_text(snapshot, entry->help),
        .unit = djp__snapshot_text(snapshot, entry->unit),
        .alias = djp__snapshot_text(snapshot, entry->alias),
        .label_count = entry->label_count,
        .suffixes = djp__segment_at(segment, entry->suffixes_at),
        .bounds = djp__segment_at(segment, entry->bounds_at),
        .bucket_count = entry->bucket_count,
    };
    return 1;
}

djp_text
djp__snapshot_escaped(const djp__snapshot_family *family, const djp__snapshot_point *point)
{
    djp_text text = point->rendered;
    if (family->type == DJP_HISTOGRAM || family->label_count == 0) {
        return (djp_text){text.data, family->type == DJP_HISTOGRAM ? text.size : 0};
    }
    size_t name = family->name.size + (family->type == DJP_COUNTER ? sizeof "_total" - 1 : 0);
    return (djp_text){text.data + name + 1, text.size - name - 3};
}

/* Reads the words of a counter or histogram. */
static void
snapshot_sum(djp__snapshot *snapshot, const djp__series_entry *entry)
{
    const djp__family_entry *family = snapshot->family.entry;
    if (snapshot->is_own) {
        djp__stripe_sum_own(snapshot->words, snapshot->registry, family, entry);
    } else {
        djp__stripe_sum(snapshot->words, snapshot->registry, family, entry);
    }
}

static int
snapshot_read_gauge(double *out, const djp__snapshot *snapshot, const djp__series_entry *entry)
{
    djp__gauge_sample sample;
    if (!snapshot->is_own) {
        return djp__gauge_read(out, snapshot->registry, snapshot->family.entry, entry);
    }
    djp__gauge_sample_of(&sample, snapshot->registry, entry, snapshot->registry->segment.own);
    *out = sample.value;
    return sample.time_ns != 0;
}

/* 1: this process uses the series, so that a zero is its zero. */
static int
snapshot_has_handle(const djp__snapshot *snapshot, const djp__series_entry *entry)
{
    return djp__handle_get(snapshot->registry, entry, djp__load_relaxed(&entry->generation)) !=
           NULL;
}

static void
snapshot_read_exponential(djp__snapshot *snapshot, djp__snapshot_point *point)
{
    const djp_registry *registry = snapshot->registry;
    const djp__family_entry *family = snapshot->family.entry;
    uint32_t stripe, end = djp__family_stripes(&stripe, registry, family);
    if (snapshot->is_own) {
        stripe = registry->segment.own;
        end = stripe + 1;
    }
    djp__exponential_init(&snapshot->exponential);
    for (; stripe < end; stripe++) {
        djp__native_read(&snapshot->exponential,
                         djp__histogram_native(registry, family, point->entry, stripe));
    }
    point->exponential = &snapshot->exponential;
}

/* The exponential buckets first: what is recorded meanwhile is in the explicit ones at least. */
static void
snapshot_read_histogram(djp__snapshot *snapshot, djp__snapshot_point *point)
{
    if (snapshot->family.entry->is_exponential) {
        snapshot_read_exponential(snapshot, point);
    }
    snapshot_sum(snapshot, point->entry);
    djp__stripe_request(&snapshot->registry->segment, snapshot->family.entry, point->entry);
    point->number = djp__bits_to_double(snapshot->words[0]);
    point->buckets = &snapshot->words[1];
    for (uint32_t i = 0; i <= snapshot->family.bucket_count; i++) {
        point->whole += point->buckets[i];
    }
}

/* Returns 0 if the series has no point. */
static int
snapshot_read(djp__snapshot *snapshot, djp__snapshot_point *point, const djp__series_entry *entry)
{
    point->entry = entry;
    point->rendered =
        djp__snapshot_text(snapshot, (djp__segment_text){entry->text_at, entry->text_size});
    point->created_unix_ns = entry->created_unix_ns;
    point->whole = 0;
    point->buckets = NULL;
    point->exponential = NULL;
    point->pid = 0;
    switch (snapshot->family.type) {
    case DJP_COUNTER:
        snapshot_sum(snapshot, entry);
        point->whole = snapshot->words[0];
        point->number = djp__bits_to_double(snapshot->words[1]);
        break;
    case DJP_GAUGE:
        return snapshot_read_gauge(&point->number, snapshot, entry);
    case DJP_HISTOGRAM:
        snapshot_read_histogram(snapshot, point);
        break;
    }
    return !snapshot->is_own || point->whole != 0 || point->number != 0 ||
           snapshot_has_handle(snapshot, entry);
}

/* 1: the family shows a point for each process, so that its series keep their labels when a second
 * process sets them. */
static int
snapshot_is_apart(const djp__snapshot *snapshot)
{
    const djp__segment *segment = &snapshot->registry->segment;
    return !snapshot->is_own && snapshot->family.type == DJP_GAUGE &&
           djp__gauge_is_apart(snapshot->family.mode) && !snapshot->family.entry->per_process &&
           (segment->kind == DJP__SEGMENT_NAMED ||
            (segment->kind == DJP__SEGMENT_INHERITED && segment->header->joined > 1));
}

static void
snapshot_visit_processes(djp__snapshot *snapshot, djp__snapshot_point *point,
                         djp__snapshot_visit visit, void *user)
{
    const djp_registry *registry = snapshot->registry;
    uint32_t end = djp__segment_stripes_in_use(&registry->segment);
    for (uint32_t stripe = 1; stripe < end; stripe++) {
        djp__gauge_sample sample;
        djp__gauge_sample_of(&sample, registry, point->entry, stripe);
        if (sample.time_ns != 0) {
            point->number = sample.value;
            point->pid = registry->segment.header->slots[stripe - 1].pid;
            visit(user, snapshot, point);
        }
    }
}

/* The order of creation is constant and entries stay in it, so it can be resumed between
 * batches. */
void
djp__snapshot_points(djp__snapshot *snapshot, djp__snapshot_visit visit, void *user)
{
    djp_registry *registry = snapshot->registry;
    uint32_t left = SNAPSHOT_BATCH;
    int is_apart = snapshot_is_apart(snapshot);
    int is_held = djp__registry_lock(registry);
    for (uint32_t at = snapshot->family.entry->first; at != 0;) {
        const djp__series_entry *entry = djp__segment_at(&registry->segment, at);
        if (djp__load_relaxed(&entry->generation) & 1) {
            djp__snapshot_point point;
            int has_point = snapshot_read(snapshot, &point, entry);
            if (is_apart) {
                snapshot_visit_processes(snapshot, &point, visit, user);
            } else if (has_point ||
                       (!snapshot->is_own && !djp__segment_is_shared(&registry->segment))) {
                visit(user, snapshot, &point);
            }
        }
        at = entry->next;
        if (--left == 0 && at != 0 && is_held) {
            left = SNAPSHOT_BATCH;
            djp__registry_unlock(registry);
            is_held = djp__registry_lock(registry);
        }
    }
    if (is_held) {
        djp__registry_unlock(registry);
    }
}

void
djp__snapshot_labels(djp_text *names, const djp__snapshot *snapshot)
{
    const djp__segment_text *labels =
        djp__segment_at(&snapshot->registry->segment, snapshot->family.entry->labels_at);
    for (size_t i = 0; i < snapshot->family.label_count; i++) {
        names[i] = djp__snapshot_text(snapshot, labels[i]);
    }
}

void
djp__snapshot_values(djp_text *values, const djp__snapshot *snapshot,
                     const djp__snapshot_point *point)
{
    /* The segment's lock keeps the key constant. */
    const void *words = djp__segment_at(&snapshot->registry->segment, point->entry->key_at);
    djp__series_key_split(values, snapshot->family.label_count, words,
                          djp__load_relaxed(&point->entry->key_words));
}
