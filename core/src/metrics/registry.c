/* The registry: creation, release, its lock with the repair after a killed owner, collectors, and
 * fork. Recording does not use it. */
#include "metrics/registry.h"

#include <string.h>

#include "base/mem.h"
#include "metrics/handle.h"

#define REGISTRY_BYTES (64u * 1024u * 1024u)
#define REGISTRY_CARDINALITY 2000u
#define REGISTRY_REUSE_NS 5000000000u

void
djp__registry_lock(djp_registry *registry)
{
    if (!djp__segment_lock(&registry->segment)) {
        return;
    }
    djp__segment_header *header = registry->segment.header;
    uint32_t at = djp__load_acquire(&header->family_first), count = 0;
    while (at) {
        djp__family_entry *entry = djp__segment_at(&registry->segment, at);
        djp__series_repair(registry, entry);
        header->family_last = at;
        count++;
        at = djp__load_acquire(&entry->next);
    }
    header->family_count = count;
}

/* The forking thread holds the lock during the fork, so that the child's copy is consistent. */
static void
registry_fork_prepare(void *user)
{
    djp__registry_lock(user);
}

static void
registry_fork_parent(void *user)
{
    djp_registry *registry = user;
    djp__registry_unlock(registry);
}

static void
registry_fork_child(void *user)
{
    djp_registry *registry = user;
    djp__segment_relock_child(&registry->segment);
    /* A collector may have run in the parent: its thread does not exist in the child. */
    djp__mutex_init(&registry->collect_mutex);
}

static int
registry_open(djp_registry *registry, const djp_registry_options *options)
{
    uint64_t bytes = options && options->reserve_bytes ? options->reserve_bytes : REGISTRY_BYTES;
    registry->cardinality_limit =
        options && options->cardinality_limit ? options->cardinality_limit : REGISTRY_CARDINALITY;
    registry->created = options != NULL ? options->created_samples : 0;
    registry->reuse_after_ns = REGISTRY_REUSE_NS;
    if (djp__segment_new(&registry->segment, bytes, 1) < 0) {
        return DJP_ENOMEM;
    }
    registry->handle_capacity =
        (uint32_t)(registry->segment.header->heap_size / sizeof(djp__series_entry)) + 1;
    registry->handles = djp__calloc(registry->handle_capacity, sizeof *registry->handles);
    registry->families = djp__calloc(DJP__FAMILIES_MAX, sizeof *registry->families);
    return registry->handles && registry->families != NULL ? 0 : DJP_ENOMEM;
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
    djp__shards_fold_all(registry);
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

void
djp__registry_counters(djp__registry_totals *out, djp_registry *registry)
{
    memset(out, 0, sizeof *out);
    out->dropped = djp__load_relaxed(&registry->dropped);
    out->overflowed = djp__load_relaxed(&registry->overflowed);
    out->refused = djp__load_relaxed(&registry->refused);
    djp__registry_lock(registry);
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
    djp__registry_unlock(registry);
}

void
djp_registry_add_dropped(djp_registry *registry, uint64_t recordings)
{
    if (registry != NULL) {
        djp__add_relaxed(&registry->dropped, recordings);
    }
}
