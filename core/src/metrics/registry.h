/* Shared by the metrics files: the entries in the segment (offsets only) and this process's handles
 * to them. Entries change under the segment's lock; readers without it validate the data. */
#ifndef DJP_METRICS_REGISTRY_H
#define DJP_METRICS_REGISTRY_H

#include "base/buf.h"
#include "base/fork.h"
#include "base/thread.h"
#include "djp/error.h"
#include "djp/metrics.h"
#include "metrics/segment.h"

#define DJP__FAMILIES_MAX 1024u
#define DJP__COLLECTORS_MAX 16u
#define DJP__OVERFLOW "__overflow__"

/* A text in the segment. */
typedef struct djp__segment_text {
    uint32_t at;
    uint32_t size;
} djp__segment_text;

/* A family, in the segment. Constant once published, except the last part. */
typedef struct djp__family_entry {
    DJP__ATOMIC(uint32_t) next; /* offset of the next family; release */
    uint32_t index;
    uint8_t type; /* djp_metric_type */
    uint8_t label_count;
    uint16_t bucket_count; /* without +Inf */
    uint8_t mode; /* djp_gauge_mode; 0 for others */
    uint8_t per_process; /* shows the values of the reading process only */
    uint8_t is_exponential; /* a histogram that keeps exponential buckets, too (native.h) */
    uint32_t value_count; /* 64-bit words of one series in one stripe */
    uint32_t limit; /* limit of live series, without the overflow series */
    uint32_t bounds_at; /* doubles */
    uint32_t labels_at; /* djp__segment_text of each label name */
    uint32_t suffixes_at; /* histograms: djp__segment_text of `le="..."} ` for each bucket */
    djp__segment_text name, help, unit;
    djp__segment_text alias; /* gauges: a second name, only in text 0.0.4; size 0: none */
    djp__segment_text head[2]; /* HELP, TYPE and UNIT lines by djp_exposition */
    djp__segment_text alias_head;
    /* the prepared overflow series, or the only series of a family without labels */
    uint32_t overflow;
    uint32_t end; /* of the family's own memory in the heap */
    /* Changed under the lock. */
    DJP__ATOMIC(uint64_t) table; /* offset << 32 | log2 of the places; release */
    DJP__ATOMIC(uint32_t) version; /* odd while the table is rebuilt; release */
    DJP__ATOMIC(uint32_t) live; /* relaxed */
    uint32_t used; /* used places of the table, including dead series and removed marks */
    uint32_t first, last; /* all series in order of creation */
    uint32_t free_first, free_last; /* removed series, oldest first */
} djp__family_entry;

/* A series, in the segment, followed by its key and text. */
typedef struct djp__series_entry {
    DJP__ATOMIC(uint32_t) generation; /* odd: live. Written under the lock, release */
    uint32_t index;
    /* with key: written under the lock, release, while generation is even */
    DJP__ATOMIC(uint64_t) hash;
    /* words of DJP__ATOMIC(uint64_t): each label value and 0xff, zeros to the end */
    uint32_t key_at;
    DJP__ATOMIC(uint32_t) key_words;
    uint32_t key_capacity; /* words */
    uint32_t values_at; /* offset inside a stripe */
    DJP__ATOMIC(uint32_t) exemplars; /* offset of the exemplar slots or 0; release */
    uint32_t is_overflow;
    /* Read and written under the lock only. */
    uint32_t text_at; /* counters and gauges: `name{labels} `; histograms: `labels` */
    uint32_t text_size, text_capacity;
    uint32_t next; /* order of creation */
    uint32_t free_next;
    uint32_t in_free; /* 1 while in the family's list of removed series */
    uint32_t linked; /* 1 once in the order of creation and in the table */
    uint64_t created_unix_ns;
    uint64_t died_ns; /* monotonic */
} djp__series_entry;

struct djp_family {
    djp_registry *registry;
    djp__family_entry *entry;
    const double *bounds;
    const char *name; /* in the segment, ends in NUL */
};

/* This process's handle of a series. Constant once published, until its reuse long after the series
 * died. */
struct djp_series {
    djp__series_entry *entry;
    /* own stripe: counter {whole, double}, gauge (gauge.h), histogram {sum, buckets..., native.h}
     */
    DJP__ATOMIC(uint64_t) * values;
    const double *bounds;
    djp_family *family;
    DJP__ATOMIC(uint32_t) generation; /* of the entry when the handle was made */
    uint16_t bucket_count;
    uint8_t type;
    /* a gauge whose recordings read the clock, or a histogram that keeps exponential buckets */
    uint8_t is_special;
    djp_series *next_dead;
};

typedef void (*djp__collect)(void *user);

typedef struct djp__series_block djp__series_block;
typedef struct djp__process djp__process;
typedef struct djp__runtime djp__runtime;

struct djp_registry {
    djp__segment segment;
    const char *sharing_problem; /* why the memory is not shared as asked, static; NULL: it is */
    int sharing_error; /* errno of that, or 0 */
    uint32_t cardinality_limit;
    int created; /* show _created in OpenMetrics */
    djp_exemplar_filter exemplar_filter;
    int exponential; /* histograms keep exponential buckets unless their declaration forbids it */
    uint64_t reuse_after_ns; /* rest of a removed series' memory before reuse */
    uint32_t handle_capacity;
    DJP__ATOMIC(djp_series *) * handles; /* by series index; written under the lock, release */
    djp_family **families; /* by family index; under the lock */
    djp__series_block *blocks; /* owned memory of the handles */
    djp_series *dead_first, *dead_last;
    uint32_t dead_count;
    djp_mutex collect_mutex; /* collectors run one at a time; guards the list */
    struct {
        djp__collect collect;
        void *user;
    } collectors[DJP__COLLECTORS_MAX];
    size_t collector_count;
    djp__buf target; /* labels of target_info, without braces; under collect_mutex */
    struct djp_shard *shards; /* of writers, under collect_mutex; borrowed */
    djp__process *process; /* owned, or NULL */
    djp__runtime *runtime; /* owned, or NULL: its metrics are off */
    djp__fork_hook fork_hook;
    DJP__ATOMIC(uint64_t) dropped; /* invalid recordings, or ones after removal; relaxed */
    DJP__ATOMIC(uint64_t) overflowed; /* look-ups that returned an overflow series; relaxed */
    /* look-ups refused by a full segment or without memory; relaxed */
    DJP__ATOMIC(uint64_t) refused;
    DJP__ATOMIC(uint32_t) is_stuck; /* 1: the lock was not free in time; relaxed */
    int fork_holds; /* the forking thread holds the lock */
    int has_writers; /* of a language that does not run in a forked child */
    djp_series *expositions; /* the duration of expositions; NULL or set before the first */
    DJP__ATOMIC(uint64_t) last_size; /* of the last exposition, to reserve for the next; relaxed */
};

typedef struct djp__registry_totals {
    uint64_t dropped, overflowed, refused;
    uint64_t families, series;
    uint64_t segment_bytes; /* heap and values in use */
    uint32_t processes, writers, folded, damaged; /* of all that share the memory */
    int is_stuck; /* 1: a stopped process holds the lock */
} djp__registry_totals;
void djp__registry_counters(djp__registry_totals *out, djp_registry *registry);

/* collect is called before every exposition, outside all locks but that of collectors; it may
 * record and add series, but not call djp_registry_expose. user is borrowed until the registry is
 * freed. 0 or DJP_EFULL. */
int djp__registry_on_collect(djp_registry *registry, djp__collect collect, void *user);
/* Removes a collector and waits until it does not run. */
void djp__registry_off_collect(djp_registry *registry, djp__collect collect, void *user);
void djp__registry_collect(djp_registry *registry);
/* The resource as labels without braces, shown as target_info before all families. Takes labels,
 * and frees the previous ones. From a collector only. */
void djp__registry_set_target(djp_registry *registry, djp__buf *labels);

/* Locks the segment, and repairs it if the last owner died. Returns 0 if it is not held: another
 * process was stopped while it held it. Then what reads may go on without it, since live series and
 * the order of all series do not change for seconds, and what writes gives up. */
int djp__registry_lock(djp_registry *registry);
#define djp__registry_unlock(registry) djp__segment_unlock(&(registry)->segment)

/* Other processes can no longer open the memory by its name: before the last reference, which may
 * end on a thread without the descriptors of the process. */
void djp__registry_end_name(djp_registry *registry);

/* Notes the port of the Prometheus endpoint, or 0. Returns 1 if another process that shares the
 * memory has noted the same one, so that it has the endpoint or waits for it. */
int djp__registry_note_port(djp_registry *registry, int port);

djp_family *djp__family_find(djp_registry *registry, const char *name, size_t size);
/* Writes HELP, TYPE and UNIT lines. */
void djp__family_head(djp__buf *out, const djp_family_options *options, djp_text name,
                      djp_exposition format);

/* series.c, with the lock held: prepare writes the overflow or only series, not yet live (0 when
 * full); the others repair the family's lists and table, and end a series. */
uint32_t djp__series_prepare(djp_family *family);
void djp__series_repair(djp_registry *registry, djp__family_entry *entry);
void djp__series_kill(djp_family *family, djp__series_entry *entry);

/* The exponential buckets of a series in a stripe; of a family that keeps them. */
DJP__ATOMIC(uint64_t) * djp__histogram_native(const djp_registry *registry,
                                              const djp__family_entry *family,
                                              const djp__series_entry *entry, uint32_t stripe);
/* In a forked child with a copy of the memory. */
void djp__histogram_unlock_all(djp_registry *registry);
/* Adds an exemplar to the bucket of value, without an observation. context may be NULL. */
void djp__histogram_exemplar(djp_series *series, double value, const djp_span_context *context);
/* shard.c: at the end of the registry, and in a forked child. */
void djp__shards_detach_all(djp_registry *registry);

/* Sets a counter that is counted elsewhere (processor time). */
void djp__counter_set(djp_series *series, double value);
/* The stripes that count for a family: [first, return value). */
static inline uint32_t
djp__family_stripes(uint32_t *first, const djp_registry *registry, const djp__family_entry *family)
{
    *first = family->per_process ? registry->segment.own : 0;
    return family->per_process ? *first + 1 : djp__segment_stripes_in_use(&registry->segment);
}
/* Words of a series in a stripe, without those of exponential buckets behind them. */
static inline uint32_t
djp__family_explicit_words(const djp__family_entry *family)
{
    return family->is_exponential ? family->bucket_count + 2u : family->value_count;
}
void djp__process_free(djp__process *process);

/* 1 while the handle's series exists. */
static inline int
djp__series_is_live(const djp_series *series)
{
    return djp__load_relaxed(&series->entry->generation) == djp__load_relaxed(&series->generation);
}

static inline void
djp__series_drop(const djp_series *series)
{
    djp__add_relaxed(&series->family->registry->dropped, 1);
}

/* Doubles are stored as their bits. */
static inline double
djp__bits_to_double(uint64_t bits)
{
    double value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint64_t
djp__double_to_bits(double value)
{
    uint64_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline void
djp__value_add_double(DJP__ATOMIC(uint64_t) * value, double amount)
{
    uint64_t old = djp__load_relaxed(value);
    while (!djp__cas_weak_relaxed(value, &old,
                                  djp__double_to_bits(djp__bits_to_double(old) + amount))) {
    }
}

#endif
