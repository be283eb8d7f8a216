/* Reads a snapshot of this process's values and writes each family as records. For deltas it keeps
 * the values of the collection before, by series. */
#include "metrics/reader.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "metrics/convention.h"

enum { READER_RECORD_BYTES = 256 << 10 }; /* a record that is longer ends */

/* The values of one series at the collection before. */
struct djp__reader_state {
    uint32_t generation;
    uint32_t bucket_count; /* with +Inf; 0: no histogram of explicit buckets */
    uint64_t whole;
    double number;
    djp__exponential *exponential; /* owned; NULL: no exponential histogram */
    uint64_t buckets[];
};

/* Buckets of one point. */
typedef struct reader_buckets {
    const uint64_t *explicit; /* NULL: no histogram */
    djp__exponential *exponential; /* NULL: none */
    uint64_t changes[DJP_BUCKETS_MAX + 1];
    djp__exponential copy;
} reader_buckets;

/* One collection. */
typedef struct reader_pass {
    djp__metric_reader *reader;
    djp__metric_give give;
    void *user;
    uint64_t unix_ns;
    djp__buf out; /* the record; empty: none is begun */
    djp__buf points; /* the offset of each of its points */
    uint32_t point_count;
    uint64_t lost;
    djp__metric_record head;
    reader_buckets buckets; /* of the current point */
} reader_pass;

/* ---- writing ---- */

/* Aligns the end to eight bytes; returns it as an offset. */
static uint32_t
reader_align(djp__buf *out)
{
    static const char zeros[8];
    djp__buf_append(out, zeros, (8 - out->size % 8) % 8);
    return (uint32_t)out->size;
}

/* Appends an aligned array. */
static uint32_t
reader_put(djp__buf *out, const void *data, size_t size)
{
    uint32_t at = reader_align(out);
    djp__buf_append(out, data, size);
    return at;
}

static djp__metric_text
reader_put_text(djp__buf *out, djp_text text)
{
    djp__metric_text put = {(uint32_t)out->size, (uint32_t)text.size};
    djp__buf_append(out, text.data, text.size);
    return put;
}

static djp__point_kind
reader_kind(const djp__snapshot_family *family)
{
    switch (family->type) {
    case DJP_COUNTER:
        return DJP__POINT_SUM;
    case DJP_HISTOGRAM:
        return family->entry->is_exponential ? DJP__POINT_EXPONENTIAL : DJP__POINT_HISTOGRAM;
    case DJP_GAUGE:
        break;
    }
    /* What adds up over processes is a sum that may fall (an UpDownCounter). */
    int adds_up = family->mode == DJP_GAUGE_SUM || family->mode == DJP_GAUGE_LIVESUM;
    return adds_up ? DJP__POINT_SUM : DJP__POINT_GAUGE;
}

static djp__temporality
reader_temporality(const reader_pass *pass, const djp__snapshot_family *family)
{
    djp__temporality_preference preference = pass->reader->preference;
    int is_counted_elsewhere = family->entry->per_process;
    if (family->type == DJP_GAUGE) {
        return reader_kind(family) == DJP__POINT_SUM ? DJP__TEMPORALITY_CUMULATIVE
                                                     : DJP__TEMPORALITY_NONE;
    }
    return preference == DJP__PREFER_CUMULATIVE ||
                   (preference == DJP__PREFER_LOW_MEMORY && is_counted_elsewhere)
               ? DJP__TEMPORALITY_CUMULATIVE
               : DJP__TEMPORALITY_DELTA;
}

static void
reader_put_labels(reader_pass *pass, const djp__snapshot *snapshot, int is_convention)
{
    djp_text names[DJP_LABELS_MAX];
    djp__metric_label labels[DJP_LABELS_MAX];
    size_t count = snapshot->family.label_count;
    djp__snapshot_labels(names, snapshot);
    for (size_t i = 0; i < count; i++) {
        int is_integer = 0;
        djp_text key = is_convention ? djp__convention_label(names[i], &is_integer) : names[i];
        labels[i] = (djp__metric_label){reader_put_text(&pass->out, key), (uint32_t)is_integer};
    }
    pass->head.label_count = (uint32_t)count;
    pass->head.labels_at = reader_put(&pass->out, labels, count * sizeof labels[0]);
}

/* Begins the record of a family. */
static void
reader_open(reader_pass *pass, const djp__snapshot *snapshot)
{
    const djp__snapshot_family *family = &snapshot->family;
    djp__convention convention = djp__convention_of(family->name, family->unit);
    memset(&pass->head, 0, sizeof pass->head);
    djp__buf_append(&pass->out, &pass->head, sizeof pass->head);
    pass->head.kind = (uint8_t)reader_kind(family);
    pass->head.temporality = (uint8_t)reader_temporality(pass, family);
    pass->head.is_monotonic = family->type == DJP_COUNTER;
    pass->head.name = reader_put_text(&pass->out, convention.name);
    pass->head.description = reader_put_text(&pass->out, family->help);
    pass->head.unit = reader_put_text(&pass->out, convention.unit);
    reader_put_labels(pass, snapshot, convention.has_labels);
    if (pass->head.kind == DJP__POINT_HISTOGRAM) {
        pass->head.bound_count = (uint32_t)family->bucket_count;
        pass->head.bounds_at =
            reader_put(&pass->out, family->bounds, family->bucket_count * sizeof family->bounds[0]);
    }
    pass->point_count = 0;
}

/* Ends the record and gives it away. */
static void
reader_close(reader_pass *pass)
{
    if (pass->point_count > 0 && !pass->points.failed) {
        pass->head.point_count = pass->point_count;
        pass->head.points_at = reader_put(&pass->out, pass->points.data, pass->points.size);
        pass->head.size = (uint32_t)pass->out.size;
    }
    pass->out.failed |= pass->points.failed;
    if (pass->point_count > 0 && !pass->out.failed) {
        memcpy(pass->out.data, &pass->head, sizeof pass->head);
    }
    char *record = pass->point_count > 0 ? djp__buf_take(&pass->out, NULL) : NULL;
    if (record != NULL) {
        pass->give(pass->user, (djp__metric_record *)(void *)record);
    } else {
        pass->lost += pass->point_count;
    }
    djp__buf_fini(&pass->out);
    djp__buf_init(&pass->out, 0);
    djp__buf_clear(&pass->points);
    pass->point_count = 0;
}

/* ---- deltas ---- */

static void
reader_state_free(djp__reader_state *state)
{
    if (state != NULL) {
        djp__free(state->exponential);
        djp__free(state);
    }
}

/* With zeros; NULL without memory. */
static djp__reader_state *
reader_state_new(const djp__snapshot *snapshot, uint32_t generation)
{
    djp__point_kind kind = reader_kind(&snapshot->family);
    uint32_t buckets =
        kind == DJP__POINT_HISTOGRAM ? (uint32_t)snapshot->family.bucket_count + 1 : 0;
    djp__reader_state *state = djp__calloc(1, sizeof *state + buckets * sizeof(uint64_t));
    if (state == NULL) {
        return NULL;
    }
    state->generation = generation;
    state->bucket_count = buckets;
    if (kind == DJP__POINT_EXPONENTIAL) {
        state->exponential = djp__alloc(sizeof *state->exponential);
        if (state->exponential == NULL) {
            djp__free(state);
            return NULL;
        }
        djp__exponential_init(state->exponential);
    }
    return state;
}

/* Returns the state of a series, created at its first collection (*is_new); NULL without memory. */
static djp__reader_state *
reader_state_of(djp__metric_reader *reader, const djp__snapshot *snapshot,
                const djp__snapshot_point *point, int *is_new)
{
    uint32_t generation = djp__load_relaxed(&point->entry->generation);
    if (reader->states == NULL) {
        reader->states = djp__calloc(reader->registry->handle_capacity, sizeof *reader->states);
    }
    if (reader->states == NULL || point->entry->index >= reader->registry->handle_capacity) {
        return NULL;
    }
    djp__reader_state **place = &reader->states[point->entry->index];
    *is_new = *place == NULL || (*place)->generation != generation;
    if (*is_new) {
        reader_state_free(*place);
        *place = reader_state_new(snapshot, generation);
    }
    return *place;
}

static uint64_t
reader_start_of(const reader_pass *pass, const djp__snapshot_point *point)
{
    uint64_t joined = pass->reader->joined_unix_ns;
    uint64_t start = point->created_unix_ns > joined ? point->created_unix_ns : joined;
    return start < pass->unix_ns ? start : pass->unix_ns;
}

static uint64_t
reader_rise(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

/* Lowers the counts of one side by those before, of the same scale. */
static int
reader_subtract_side(djp__exponential_side *now, const djp__exponential_side *before)
{
    int changed = 0;
    for (uint32_t i = 0; i < now->size; i++) {
        int64_t at = (int64_t)now->offset + i - before->offset;
        int was_there = at >= 0 && at < (int64_t)before->size;
        now->counts[i] = reader_rise(now->counts[i], was_there ? before->counts[at] : 0);
        changed |= now->counts[i] != 0;
    }
    return changed;
}

/* Turns *now into the observations since *before, which becomes what it was. The scale of a series
 * only falls. */
static int
reader_subtract_exponential(djp__exponential *now, djp__exponential *before)
{
    djp__exponential all = *now;
    if (before->scale > now->scale) {
        djp__exponential_downscale(before, (uint32_t)(before->scale - now->scale));
    }
    now->zero_count = reader_rise(now->zero_count, before->zero_count);
    int changed = now->zero_count != 0;
    changed |= reader_subtract_side(&now->positive, &before->positive);
    changed |= reader_subtract_side(&now->negative, &before->negative);
    *before = all;
    return changed;
}

/* The rise of explicit buckets and of their number. */
static int
reader_subtract_buckets(djp__metric_point *out, reader_buckets *buckets, djp__reader_state *state,
                        const djp__snapshot_point *point)
{
    for (uint32_t i = 0; i < state->bucket_count; i++) {
        buckets->changes[i] = reader_rise(point->buckets[i], state->buckets[i]);
        state->buckets[i] = point->buckets[i];
    }
    if (state->bucket_count > 0) {
        buckets->explicit = buckets->changes;
    }
    out->count = reader_rise(point->whole, state->whole);
    state->whole = point->whole;
    return out->count != 0;
}

/* Turns the values of `out`, with these buckets, into those since the collection before. Returns 0
 * if there are none, or without memory. */
static int
reader_subtract(reader_pass *pass, djp__metric_point *out, reader_buckets *buckets,
                const djp__snapshot *snapshot, const djp__snapshot_point *point)
{
    int is_new = 0;
    djp__reader_state *state = reader_state_of(pass->reader, snapshot, point, &is_new);
    if (state == NULL) {
        pass->lost++;
        return 0;
    }
    if (!is_new && pass->reader->last_unix_ns > out->start_unix_ns) {
        out->start_unix_ns = pass->reader->last_unix_ns;
    }
    /* The wall clock may have been set back. */
    out->start_unix_ns = out->start_unix_ns < pass->unix_ns ? out->start_unix_ns : pass->unix_ns;
    double number = point->number - state->number;
    int changed = reader_subtract_buckets(out, buckets, state, point) || number != 0;
    out->number = snapshot->family.type == DJP_HISTOGRAM ? number : (double)out->count + number;
    state->number = point->number;
    if (state->exponential != NULL) {
        changed = reader_subtract_exponential(buckets->exponential, state->exponential);
    }
    return changed;
}

/* ---- points ---- */

/* Those that were stored since the collection before, of buckets that count something. */
static void
reader_put_exemplars(reader_pass *pass, djp__metric_point *out, const djp__snapshot *snapshot,
                     const djp__snapshot_point *point, const uint64_t *buckets)
{
    djp__exemplar exemplar;
    size_t slots = snapshot->family.type == DJP_HISTOGRAM ? snapshot->family.bucket_count + 1
                   : snapshot->family.type == DJP_COUNTER ? 1
                                                          : 0;
    out->exemplars_at = reader_align(&pass->out);
    for (uint32_t i = 0; i < slots; i++) {
        if ((buckets == NULL || buckets[i] != 0) &&
            djp__exemplar_load(&exemplar, snapshot->registry, point->entry, i) &&
            exemplar.unix_ns >= pass->reader->last_unix_ns) {
            djp__buf_append(&pass->out, &exemplar, sizeof exemplar);
            out->exemplar_count++;
        }
    }
}

static void
reader_put_values(reader_pass *pass, djp__metric_point *out, const djp__snapshot *snapshot,
                  const djp__snapshot_point *point)
{
    djp_text values[DJP_LABELS_MAX];
    djp__metric_text put[DJP_LABELS_MAX];
    size_t count = snapshot->family.label_count;
    djp__snapshot_values(values, snapshot, point);
    for (size_t i = 0; i < count; i++) {
        put[i] = reader_put_text(&pass->out, values[i]);
    }
    out->values_at = reader_put(&pass->out, put, count * sizeof put[0]);
    out->is_overflow = point->entry->is_overflow && count > 0;
}

static djp__metric_side
reader_put_side(djp__buf *out, const djp__exponential_side *side)
{
    return (djp__metric_side){side->offset, side->size,
                              reader_put(out, side->counts, side->size * sizeof side->counts[0])};
}

static void
reader_put_exponential(djp__buf *out, djp__metric_point *point, const djp__exponential *from)
{
    djp__metric_exponential put;
    memset(&put, 0, sizeof put);
    put.zero_count = from->zero_count;
    put.scale = from->scale;
    put.positive = reader_put_side(out, &from->positive);
    put.negative = reader_put_side(out, &from->negative);
    point->buckets_at = reader_put(out, &put, sizeof put);
    point->count = djp__exponential_count(from);
}

/* Writes one point. */
static void
reader_put_point(reader_pass *pass, djp__metric_point *out, const reader_buckets *buckets,
                 const djp__snapshot *snapshot, const djp__snapshot_point *point)
{
    if (pass->out.size == 0) {
        reader_open(pass, snapshot);
    }
    uint32_t at = reader_align(&pass->out);
    djp__buf_append(&pass->out, out, sizeof *out);
    reader_put_values(pass, out, snapshot, point);
    if (buckets->exponential != NULL) {
        reader_put_exponential(&pass->out, out, buckets->exponential);
    } else if (buckets->explicit != NULL) {
        out->buckets_at =
            reader_put(&pass->out, buckets->explicit,
                       (snapshot->family.bucket_count + 1) * sizeof buckets->explicit[0]);
    }
    reader_put_exemplars(pass, out, snapshot, point, buckets->explicit);
    if (!pass->out.failed) {
        memcpy(pass->out.data + at, out, sizeof *out);
    }
    djp__buf_append(&pass->points, &at, sizeof at);
    pass->point_count++;
    if (pass->out.size > READER_RECORD_BYTES) {
        reader_close(pass);
    }
}

/* The sum of a histogram is given where no observation can be negative, so that it never falls. */
static int
reader_has_sum(const djp__snapshot_family *family, double sum)
{
    return sum >= 0 && (family->bucket_count == 0 || family->bounds[0] >= 0);
}

static void
reader_visit(void *user, const djp__snapshot *snapshot, const djp__snapshot_point *point)
{
    reader_pass *pass = user;
    const djp__snapshot_family *family = &snapshot->family;
    reader_buckets *buckets = &pass->buckets;
    djp__temporality temporality = reader_temporality(pass, family);
    djp__metric_point out;
    memset(&out, 0, sizeof out);
    buckets->explicit = point->buckets;
    buckets->exponential = NULL;
    if (point->exponential != NULL) {
        buckets->copy = *point->exponential;
        buckets->exponential = &buckets->copy;
    }
    out.unix_ns = pass->unix_ns;
    out.start_unix_ns = temporality == DJP__TEMPORALITY_NONE ? 0 : reader_start_of(pass, point);
    out.count = point->whole;
    out.number = family->type == DJP_COUNTER ? (double)point->whole + point->number : point->number;
    if (temporality == DJP__TEMPORALITY_DELTA &&
        !reader_subtract(pass, &out, buckets, snapshot, point)) {
        return;
    }
    out.has_sum = (uint32_t)(family->type == DJP_HISTOGRAM && reader_has_sum(family, out.number));
    reader_put_point(pass, &out, buckets, snapshot, point);
}

/* ---- the reader ---- */

void
djp__metric_reader_init(djp__metric_reader *reader, djp_registry *registry,
                        djp__temporality_preference preference)
{
    memset(reader, 0, sizeof *reader);
    reader->registry = registry;
    reader->preference = preference;
    reader->joined_unix_ns = djp__clock_realtime();
}

static void
reader_discard_states(djp__metric_reader *reader)
{
    for (uint32_t i = 0; reader->states != NULL && i < reader->registry->handle_capacity; i++) {
        reader_state_free(reader->states[i]);
        reader->states[i] = NULL;
    }
}

void
djp__metric_reader_fini(djp__metric_reader *reader)
{
    reader_discard_states(reader);
    djp__free(reader->states);
    reader->states = NULL;
}

void
djp__metric_reader_fork_child(djp__metric_reader *reader)
{
    /* With private memory the child continues with a copy of the parent's values. */
    if (reader->registry != NULL && djp__segment_is_shared(&reader->registry->segment)) {
        reader->is_forked = 1;
        reader->joined_unix_ns = djp__clock_realtime();
        reader->last_unix_ns = reader->joined_unix_ns;
    }
}

uint64_t
djp__metric_reader_collect(djp__metric_reader *reader, djp__metric_give give, void *user)
{
    reader_pass pass = {.reader = reader, .give = give, .user = user};
    djp__snapshot snapshot;
    if (reader->is_forked) {
        reader_discard_states(reader);
        reader->is_forked = 0;
    }
    djp__buf_init(&pass.out, 0);
    djp__buf_init(&pass.points, 0);
    djp__snapshot_begin_own(&snapshot, reader->registry);
    pass.unix_ns = djp__clock_realtime();
    while (djp__snapshot_next(&snapshot)) {
        djp__snapshot_points(&snapshot, reader_visit, &pass);
        reader_close(&pass);
    }
    djp__buf_fini(&pass.points);
    djp__buf_fini(&pass.out);
    reader->last_unix_ns = pass.unix_ns;
    return pass.lost;
}
