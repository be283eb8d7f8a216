/* The registry: creation, release, its lock with the repair after a killed owner, collectors, and
 * fork. Recording does not use it. */
#include "metrics/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "metrics/exemplar.h"
#include "metrics/fold.h"
#include "metrics/handle.h"
#include "metrics/runtime.h"
#include "metrics/segment_file.h"
#include "metrics/slot.h"

#define REGISTRY_BYTES (64u * 1024u * 1024u)
#define REGISTRY_CARDINALITY 2000u
#define REGISTRY_REUSE_NS 5000000000u
#define REGISTRY_PROCESSES 128u
#define REGISTRY_WRITERS 32u /* slots of private memory */
#define REGISTRY_LOCK_NS 1000000000u /* the most that a lock is waited for */
#define REGISTRY_FORK_NS 2000000000u /* a child waits that long for its parent */

/* The end of what the heap holds for a family: a process that died while it added a series leaves
 * memory behind that belongs to nothing. */
static uint32_t
registry_end_of(const djp_registry *registry, const djp__family_entry *family,
                djp__segment_header *header)
{
    const djp__segment *segment = &registry->segment;
    uint64_t table = djp__load_relaxed(&family->table);
    uint32_t end = family->end;
    if (table != 0) {
        uint32_t last = (uint32_t)(table >> 32) + (uint32_t)(sizeof(uint32_t) << (table & 31));
        end = last > end ? last : end;
    }
    const djp__series_entry *entry = djp__segment_at(segment, family->overflow);
    for (uint32_t next = family->first;; next = entry->next) {
        uint32_t exemplars = djp__load_relaxed(&entry->exemplars);
        uint32_t last = entry->text_at + entry->text_capacity;
        last = exemplars > last ? exemplars + djp__exemplar_size(family) : last;
        end = last > end ? last : end;
        last = entry->values_at + family->value_count * 8;
        header->value_top = last > header->value_top ? last : header->value_top;
        header->series_count =
            entry->index >= header->series_count ? entry->index + 1 : header->series_count;
        if (next == 0) {
            return end;
        }
        entry = djp__segment_at(segment, next);
    }
}

/* Counts again what the lists hold, and frees the rest. */
static void
registry_repair(djp_registry *registry)
{
    djp__segment_header *header = registry->segment.header;
    uint32_t at = djp__load_acquire(&header->family_first), count = 0;
    uint32_t end = djp__segment_heap_start(&registry->segment);
    djp__fold_complete(registry);
    header->value_top = 0;
    header->series_count = 0;
    while (at) {
        djp__family_entry *entry = djp__segment_at(&registry->segment, at);
        djp__series_repair(registry, entry);
        uint32_t family_end = registry_end_of(registry, entry, header);
        end = family_end > end ? family_end : end;
        header->family_last = at;
        count++;
        at = djp__load_acquire(&entry->next);
    }
    header->family_count = count;
    if (end < header->heap_top) {
        memset(registry->segment.base + end, 0, header->heap_top - end);
        header->heap_top = end;
    }
}

/* Waits once for a process that was stopped with the lock; after that the lock is only tried until
 * it is free again. */
static int
registry_lock_shared(djp_registry *registry)
{
    djp__segment *segment = &registry->segment;
    int result = djp__segment_lock_until(segment, 0);
    if (result < 0 && !djp__load_relaxed(&registry->is_stuck)) {
        result = djp__segment_lock_until(segment, djp__clock_monotonic() + REGISTRY_LOCK_NS);
    }
    if (djp__load_relaxed(&registry->is_stuck) != (result < 0)) {
        djp__store_relaxed(&registry->is_stuck, result < 0);
    }
    return result;
}

int
djp__registry_lock(djp_registry *registry)
{
    int result = djp__segment_is_shared(&registry->segment) ? registry_lock_shared(registry)
                                                            : djp__segment_lock(&registry->segment);
    if (result > 0) {
        registry_repair(registry);
    }
    return result >= 0;
}

/* The forking thread holds the lock during the fork, so that the child's copy of private memory,
 * and of the handles, is consistent. */
static void
registry_fork_prepare(void *user)
{
    djp_registry *registry = user;
    registry->fork_holds = djp__registry_lock(registry);
}

static void
registry_fork_parent(void *user)
{
    djp_registry *registry = user;
    if (registry->fork_holds) {
        djp__registry_unlock(registry);
    }
}

/* Folds what ended processes left, and takes a slot. The lock is held. */
static int
registry_join(djp_registry *registry)
{
    djp__fold_dead(registry);
    return djp__slot_claim(&registry->segment);
}

/* The parent releases the lock of shared memory as soon as its own hook runs. */
static void
registry_join_child(djp_registry *registry)
{
    djp__segment *segment = &registry->segment;
    djp__slot_discard(segment);
    int result = djp__segment_lock_until(segment, djp__clock_monotonic() + REGISTRY_FORK_NS);
    if (result >= 0) {
        if (result > 0) {
            registry_repair(registry);
        }
        result = registry_join(registry);
        djp__segment_unlock(segment);
    }
    if (result < 0) {
        registry->sharing_problem = "there is no free place for another process";
        /* Another process may have been adding to what was copied. */
        segment->header->damaged = djp__segment_detach(segment) == 0;
        djp__histogram_unlock_all(registry);
    }
}

static void
registry_fork_child(void *user)
{
    djp_registry *registry = user;
    if (!djp__segment_is_shared(&registry->segment)) {
        djp__segment_relock_child(&registry->segment);
        djp__histogram_unlock_all(registry);
    } else if (registry->has_writers) {
        djp__shards_detach_all(registry);
        djp__slot_discard(&registry->segment); /* the child executes another program */
    } else {
        djp__shards_detach_all(registry);
        registry_join_child(registry);
        djp__handle_rebind_all(registry);
    }
    /* A collector may have run in the parent: its thread does not exist in the child. */
    djp__mutex_init(&registry->collect_mutex);
}

/* Opens shared memory and takes a slot in it. Returns 0 or an error with sharing_problem. */
static int
registry_share(djp_registry *registry, const djp_registry_options *options, uint64_t bytes)
{
    djp__segment *segment = &registry->segment;
    int result;
    errno = 0;
    registry->sharing_problem = "there is no memory";
    if (options->sharing == DJP_SHARE_DIR && djp__segment_is_name(options->shared_dir)) {
        result = djp__segment_open(segment, &registry->sharing_problem, options->shared_dir);
    } else if (options->sharing == DJP_SHARE_DIR) {
        result = djp__segment_file_open(segment, &registry->sharing_problem, options->shared_dir,
                                        bytes, REGISTRY_PROCESSES);
    } else {
        result = djp__segment_new_shared(segment, bytes, REGISTRY_PROCESSES, registry->has_writers);
    }
    if (result == 0) {
        registry->sharing_problem = "there is no free place for another process";
        result = DJP_ETIMEOUT;
        if (djp__registry_lock(registry)) {
            result = registry_join(registry);
            djp__registry_unlock(registry);
        }
        djp__segment_file_ready(segment);
    }
    registry->sharing_error = errno;
    if (result == 0) {
        registry->sharing_problem = NULL;
        registry->sharing_error = 0;
    } else {
        djp__segment_fini(segment);
    }
    return result;
}

static int
registry_open_private(djp__segment *segment, uint64_t bytes, int writers)
{
    if (!writers || djp__segment_new_striped(segment, bytes, REGISTRY_WRITERS) < 0) {
        return djp__segment_new(segment, bytes, 1);
    }
    djp__slot_claim_alone(segment);
    return 0;
}

static int
registry_open(djp_registry *registry, const djp_registry_options *options)
{
    uint64_t bytes = options && options->reserve_bytes ? options->reserve_bytes : REGISTRY_BYTES;
    registry->cardinality_limit =
        options && options->cardinality_limit ? options->cardinality_limit : REGISTRY_CARDINALITY;
    registry->created = options != NULL ? options->created_samples : 0;
    registry->exemplar_filter =
        options != NULL ? options->exemplar_filter : DJP_EXEMPLARS_TRACE_BASED;
    registry->exponential = options != NULL ? options->exponential_histograms : 0;
    registry->reuse_after_ns = REGISTRY_REUSE_NS;
    int shared = options != NULL && options->sharing != DJP_SHARE_NONE;
    registry->has_writers = options != NULL && options->writers;
    if ((!shared || registry_share(registry, options, bytes) < 0) &&
        registry_open_private(&registry->segment, bytes, registry->has_writers) < 0) {
        return DJP_ENOMEM;
    }
    registry->handle_capacity =
        (uint32_t)(registry->segment.heap_size / sizeof(djp__series_entry)) + 1;
    registry->handles = djp__calloc(registry->handle_capacity, sizeof *registry->handles);
    registry->families = djp__calloc(DJP__FAMILIES_MAX, sizeof *registry->families);
    return registry->handles && registry->families != NULL ? 0 : DJP_ENOMEM;
}

/* The numbers of this process remain in shared memory. */
static void
registry_leave(djp_registry *registry)
{
    if (registry->segment.base != NULL && djp__segment_is_shared(&registry->segment) &&
        registry->segment.own != 0) {
        if (djp__registry_lock(registry)) {
            djp__fold_stripe(registry, registry->segment.own);
            djp__slot_leave(&registry->segment);
            djp__registry_unlock(registry);
        } else {
            registry->segment.header_is_held = 1; /* the slot ends with the process */
        }
    }
}

static void
registry_close(djp_registry *registry)
{
    if (registry->families != NULL) {
        for (size_t i = 0; i < DJP__FAMILIES_MAX; i++) {
            djp__free(registry->families[i]);
        }
    }
    djp__handle_free_all(registry);
    registry_leave(registry);
    djp__free(registry->families);
    djp__free(registry->handles);
    djp__segment_fini(&registry->segment);
    djp__free(registry);
}

int
djp_registry_new(djp_registry **out, const djp_registry_options *options)
{
    if (out == NULL) {
        return DJP_EINVAL;
    }
    *out = NULL;
    djp_registry *registry = djp__calloc(1, sizeof *registry);
    if (registry == NULL) {
        return DJP_ENOMEM;
    }
    if (registry_open(registry, options) < 0 || djp__mutex_init(&registry->collect_mutex) < 0) {
        registry_close(registry);
        return DJP_ENOMEM;
    }
    registry->fork_hook = (djp__fork_hook){registry_fork_prepare, registry_fork_parent,
                                           registry_fork_child, registry, NULL};
    djp__fork_register(&registry->fork_hook);
    *out = registry;
    return 0;
}

djp_metrics_sharing
djp_registry_sharing(const char **problem, int *error, const djp_registry *registry)
{
    *problem = registry != NULL ? registry->sharing_problem : NULL;
    *error = registry != NULL ? registry->sharing_error : 0;
    return registry == NULL || registry->sharing_problem != NULL ? DJP_SHARE_NONE
           : registry->segment.kind == DJP__SEGMENT_NAMED        ? DJP_SHARE_DIR
           : registry->segment.kind == DJP__SEGMENT_INHERITED    ? DJP_SHARE_FORK
                                                                 : DJP_SHARE_NONE;
}

const char *
djp_registry_directory(const djp_registry *registry)
{
    return registry != NULL ? djp__segment_file_directory(&registry->segment) : "";
}

const char *
djp_registry_name(const djp_registry *registry, char *room, size_t size)
{
    char name[DJP__SEGMENT_NAME_SIZE] = "";
    const char *directory = djp_registry_directory(registry);
    if (registry == NULL || directory[0] != '\0') {
        return directory;
    }
    djp__segment_name(name, &registry->segment);
    snprintf(room, size, "%s", name);
    return room;
}

void
djp__registry_end_name(djp_registry *registry)
{
    if (registry != NULL) {
        djp__segment_close(&registry->segment);
    }
}

void
djp_registry_free(djp_registry *registry)
{
    if (registry == NULL) {
        return;
    }
    djp__fork_unregister(&registry->fork_hook);
    djp__shards_detach_all(registry);
    djp__mutex_fini(&registry->collect_mutex);
    djp__buf_fini(&registry->target);
    djp__process_free(registry->process);
    djp__runtime_free(registry->runtime);
    registry_close(registry);
}

int
djp__registry_on_collect(djp_registry *registry, djp__collect collect, void *user)
{
    int result = DJP_EFULL;
    djp__mutex_lock(&registry->collect_mutex);
    if (registry->collector_count < DJP__COLLECTORS_MAX) {
        registry->collectors[registry->collector_count].collect = collect;
        registry->collectors[registry->collector_count].user = user;
        registry->collector_count++;
        result = 0;
    }
    djp__mutex_unlock(&registry->collect_mutex);
    return result;
}

void
djp__registry_off_collect(djp_registry *registry, djp__collect collect, void *user)
{
    djp__mutex_lock(&registry->collect_mutex);
    for (size_t i = 0; i < registry->collector_count; i++) {
        if (registry->collectors[i].collect == collect && registry->collectors[i].user == user) {
            registry->collector_count--;
            memmove(&registry->collectors[i], &registry->collectors[i + 1],
                    (registry->collector_count - i) * sizeof registry->collectors[0]);
            break;
        }
    }
    djp__mutex_unlock(&registry->collect_mutex);
}

void
djp__registry_collect(djp_registry *registry)
{
    djp__mutex_lock(&registry->collect_mutex);
    for (size_t i = 0; i < registry->collector_count; i++) {
        registry->collectors[i].collect(registry->collectors[i].user);
    }
    djp__mutex_unlock(&registry->collect_mutex);
}

void
djp__registry_set_target(djp_registry *registry, djp__buf *labels)
{
    djp__buf before = registry->target;
    registry->target = *labels;
    djp__buf_init(labels, 0);
    djp__buf_fini(&before);
}

int
djp__registry_note_port(djp_registry *registry, int port)
{
    int found = 0;
    if (djp__segment_is_shared(&registry->segment) && djp__registry_lock(registry)) {
        found = djp__slot_note_port(&registry->segment, (uint32_t)port);
        djp__registry_unlock(registry);
    }
    return found;
}

void
djp__registry_counters(djp__registry_totals *out, djp_registry *registry)
{
    memset(out, 0, sizeof *out);
    out->dropped = djp__load_relaxed(&registry->dropped);
    out->overflowed = djp__load_relaxed(&registry->overflowed);
    out->refused = djp__load_relaxed(&registry->refused);
    int is_held = djp__registry_lock(registry);
    const djp__segment_header *header = registry->segment.header;
    out->families = header->family_count;
    out->segment_bytes = (uint64_t)header->heap_top + header->value_top;
    uint32_t at = djp__load_acquire(&header->family_first);
    while (at) {
        djp__family_entry *entry = djp__segment_at(&registry->segment, at);
        const djp__series_entry *overflow = djp__segment_at(&registry->segment, entry->overflow);
        out->series +=
            djp__load_relaxed(&entry->live) + (djp__load_relaxed(&overflow->generation) & 1);
        at = djp__load_acquire(&entry->next);
    }
    out->folded = header->folded;
    out->is_stuck = !is_held;
    if (is_held) {
        djp__slot_totals slots;
        djp__slot_count_all(&slots, &registry->segment);
        out->processes = slots.processes;
        out->writers = slots.writers;
        out->damaged = slots.damaged;
        djp__registry_unlock(registry);
    }
}

void
djp_registry_add_dropped(djp_registry *registry, uint64_t recordings)
{
    if (registry != NULL) {
        djp__add_relaxed(&registry->dropped, recordings);
    }
}
