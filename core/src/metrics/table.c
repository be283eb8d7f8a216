/* The look-up table of a family. A place holds 0 (never used), 1 (removed) or the offset of a
 * series entry; only the lock's owner writes it. A rebuild in place may briefly hide entries from
 * look-ups, but shows no wrong ones. */
#include "metrics/table.h"

#define TABLE_FREE 0u
#define TABLE_REMOVED 1u
#define TABLE_LOG2_MIN 4u

typedef struct table_view {
    DJP__ATOMIC(uint32_t) * places;
    uint32_t mask;
} table_view;

static int
table_open(table_view *out, const djp_registry *registry, const djp__family_entry *family)
{
    uint64_t table = djp__load_acquire(&family->table);
    if (!table) {
        return 0;
    }
    out->places = djp__segment_at(&registry->segment, (uint32_t)(table >> 32));
    out->mask = (1u << (table & 31)) - 1;
    return 1;
}

djp__series_entry *
djp__table_find(uint32_t *generation, const djp_family *family, const djp__series_key *key)
{
    const djp_registry *registry = family->registry;
    table_view table;
    if (!table_open(&table, registry, family->entry)) {
        return NULL;
    }
    uint32_t place = (uint32_t)key->hash & table.mask;
    for (uint32_t i = 0; i <= table.mask; i++, place = (place + 1) & table.mask) {
        uint32_t at = djp__load_acquire(&table.places[place]);
        if (at == TABLE_FREE) {
            return NULL;
        }
        if (at == TABLE_REMOVED) {
            continue;
        }
        djp__series_entry *entry = djp__segment_at(&registry->segment, at);
        uint32_t seen = djp__load_acquire(&entry->generation);
        if ((seen & 1) && djp__series_key_matches(key, &registry->segment, entry) &&
            djp__load_relaxed(&entry->generation) == seen) {
            *generation = seen;
            return entry;
        }
    }
    return NULL;
}

djp__series_entry *
djp__table_find_any(const djp_family *family, const djp__series_key *key)
{
    const djp_registry *registry = family->registry;
    table_view table;
    if (!table_open(&table, registry, family->entry)) {
        return NULL;
    }
    uint32_t place = (uint32_t)key->hash & table.mask;
    for (uint32_t i = 0; i <= table.mask; i++, place = (place + 1) & table.mask) {
        uint32_t at = djp__load_relaxed(&table.places[place]);
        if (at == TABLE_FREE) {
            return NULL;
        }
        if (at != TABLE_REMOVED) {
            djp__series_entry *entry = djp__segment_at(&registry->segment, at);
            if (djp__series_key_matches(key, &registry->segment, entry)) {
                return entry;
            }
        }
    }
    return NULL;
}

void
djp__table_insert(djp_registry *registry, djp__family_entry *family, uint32_t at)
{
    table_view table;
    if (!table_open(&table, registry, family)) {
        return;
    }
    const djp__series_entry *entry = djp__segment_at(&registry->segment, at);
    uint32_t place = (uint32_t)djp__load_relaxed(&entry->hash) & table.mask;
    for (uint32_t i = 0; i <= table.mask; i++, place = (place + 1) & table.mask) {
        uint32_t old = djp__load_relaxed(&table.places[place]);
        if (old == TABLE_FREE || old == TABLE_REMOVED) {
            family->used += old == TABLE_FREE;
            djp__store_release(&table.places[place], at);
            return;
        }
    }
}

void
djp__table_remove(djp_registry *registry, djp__family_entry *family, uint32_t at)
{
    table_view table;
    if (!table_open(&table, registry, family)) {
        return;
    }
    const djp__series_entry *entry = djp__segment_at(&registry->segment, at);
    uint32_t place = (uint32_t)djp__load_relaxed(&entry->hash) & table.mask;
    for (uint32_t i = 0; i <= table.mask; i++, place = (place + 1) & table.mask) {
        uint32_t old = djp__load_relaxed(&table.places[place]);
        if (old == at) {
            djp__store_release(&table.places[place], TABLE_REMOVED);
            return;
        }
        if (old == TABLE_FREE) {
            return;
        }
    }
}

static void
table_fill(djp_registry *registry, djp__family_entry *family)
{
    family->used = 0;
    for (uint32_t at = family->first; at;) {
        const djp__series_entry *entry = djp__segment_at(&registry->segment, at);
        djp__table_insert(registry, family, at);
        at = entry->next;
    }
}

void
djp__table_rebuild(djp_registry *registry, djp__family_entry *family)
{
    table_view table;
    if (!table_open(&table, registry, family)) {
        return;
    }
    djp__store_release(&family->version, djp__load_relaxed(&family->version) | 1);
    for (uint32_t i = 0; i <= table.mask; i++) {
        djp__store_release(&table.places[i], TABLE_FREE);
    }
    table_fill(registry, family);
    djp__store_release(&family->version, djp__load_relaxed(&family->version) + 1);
}

static int
table_grow(djp_registry *registry, djp__family_entry *family, uint32_t log2)
{
    uint32_t at = djp__segment_alloc(&registry->segment, sizeof(uint32_t) << log2);
    if (!at) {
        return DJP_EFULL;
    }
    djp__store_release(&family->version, djp__load_relaxed(&family->version) | 1);
    djp__store_release(&family->table, (uint64_t)at << 32 | log2);
    table_fill(registry, family);
    djp__store_release(&family->version, djp__load_relaxed(&family->version) + 1);
    return 0;
}

int
djp__table_reserve(djp_registry *registry, djp__family_entry *family)
{
    uint64_t table = djp__load_relaxed(&family->table);
    uint32_t log2 = table ? (uint32_t)(table & 31) : 0;
    uint32_t capacity = table ? 1u << log2 : 0;
    if ((uint64_t)(family->used + 1) * 4 <= (uint64_t)capacity * 3) {
        return 0;
    }
    uint32_t count = 1;
    for (uint32_t at = family->first; at;) {
        count++;
        at = ((const djp__series_entry *)djp__segment_at(&registry->segment, at))->next;
    }
    if (table && (uint64_t)count * 2 <= capacity) {
        djp__table_rebuild(registry, family);
        return 0;
    }
    if (table_grow(registry, family, table ? log2 + 1 : TABLE_LOG2_MIN) == 0) {
        return 0;
    }
    return table && count < capacity ? 0 : DJP_EFULL;
}
