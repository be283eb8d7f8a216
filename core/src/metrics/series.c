/* Series: look-up without a lock; creation, removal and reuse under it; and the limits of a family.
 * Does not record values. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "metrics/exemplar.h"
#include "metrics/handle.h"
#include "metrics/stripe.h"
#include "metrics/table.h"
#include "metrics/text.h"

/* Limit of removed series checked for memory of a sufficient size. */
#define SERIES_REUSE_TRIES 16u

static djp__series_entry *
series_at(const djp_registry *registry, uint32_t at)
{
    return djp__segment_at(&registry->segment, at);
}

static uint32_t
series_offset(const djp_registry *registry, const djp__series_entry *entry)
{
    return (uint32_t)((const char *)entry - registry->segment.base);
}

static void
series_render_labels(djp__buf *out, const djp_family *family, const djp_text *values)
{
    const djp__segment *segment = &family->registry->segment;
    const djp__segment_text *labels = djp__segment_at(segment, family->entry->labels_at);
    for (uint32_t i = 0; i < family->entry->label_count; i++) {
        if (i > 0) {
            djp__buf_char(out, ',');
        }
        djp__buf_append(out, djp__segment_at(segment, labels[i].at), labels[i].size);
        djp__buf_text(out, "=\"");
        djp__text_escape(out, values[i], 1);
        djp__buf_char(out, '"');
    }
}

/* Counters and gauges: everything in front of the value. Histograms: the labels, without braces. */
static void
series_render(djp__buf *out, const djp_family *family, const djp__series_key *key)
{
    djp_text values[DJP_LABELS_MAX];
    const djp__family_entry *entry = family->entry;
    djp__series_key_values(values, entry->label_count, key);
    if (entry->type == DJP_HISTOGRAM) {
        series_render_labels(out, family, values);
        return;
    }
    djp__buf_text(out, family->name);
    if (entry->type == DJP_COUNTER) {
        djp__buf_text(out, "_total");
    }
    if (entry->label_count > 0) {
        djp__buf_char(out, '{');
        series_render_labels(out, family, values);
        djp__buf_char(out, '}');
    }
    djp__buf_char(out, ' ');
}

/* Writes key and text into an entry that is not live and has the room. */
static void
series_write(djp_registry *registry, djp__series_entry *entry, const djp__series_key *key,
             const djp__buf *text)
{
    DJP__ATOMIC(uint64_t) *words = djp__segment_at(&registry->segment, entry->key_at);
    for (uint32_t i = 0; i < key->count; i++) {
        djp__store_release(&words[i], key->words[i]);
    }
    djp__store_release(&entry->key_words, key->count);
    djp__store_release(&entry->hash, key->hash);
    if (text->size > 0) {
        memcpy(djp__segment_at(&registry->segment, entry->text_at), text->data, text->size);
    }
    entry->text_size = (uint32_t)text->size;
}

static uint32_t
series_allocate(djp_family *family, uint32_t key_words, size_t text_size)
{
    djp_registry *registry = family->registry;
    uint32_t key_capacity = (key_words + 3) & ~3u;
    size_t text_capacity = (text_size + 31) & ~(size_t)31;
    uint32_t values_at = djp__segment_alloc_values(&registry->segment, family->entry->value_count);
    if (!values_at) {
        return 0;
    }
    size_t key_at = (sizeof(djp__series_entry) + 7) & ~(size_t)7;
    uint32_t at = djp__segment_alloc(&registry->segment, key_at + key_capacity * 8 + text_capacity);
    if (!at) {
        return 0;
    }
    djp__series_entry *entry = series_at(registry, at);
    entry->index = registry->segment.header->series_count++;
    entry->key_at = at + (uint32_t)key_at;
    entry->key_capacity = key_capacity;
    entry->text_at = entry->key_at + key_capacity * 8;
    entry->text_capacity = (uint32_t)text_capacity;
    entry->values_at = values_at;
    return at;
}

static void
series_free_push(djp_registry *registry, djp__family_entry *family, uint32_t at)
{
    djp__series_entry *entry = series_at(registry, at);
    entry->free_next = 0;
    entry->in_free = 1;
    if (family->free_last) {
        series_at(registry, family->free_last)->free_next = at;
    } else {
        family->free_first = at;
    }
    family->free_last = at;
}

static uint32_t
series_free_pop(djp_registry *registry, djp__family_entry *family)
{
    uint32_t at = family->free_first;
    if (at) {
        djp__series_entry *entry = series_at(registry, at);
        family->free_first = entry->free_next;
        if (!family->free_first) {
            family->free_last = 0;
        }
        entry->in_free = 0;
    }
    return at;
}

/* A removed series that has rested long enough and has the room. Others go to the end of the
 * queue. */
static uint32_t
series_reuse(djp_family *family, uint32_t key_words, size_t text_size)
{
    djp_registry *registry = family->registry;
    uint64_t now = djp__clock_monotonic();
    for (uint32_t i = 0; i < SERIES_REUSE_TRIES; i++) {
        uint32_t at = series_free_pop(registry, family->entry);
        if (!at) {
            return 0;
        }
        djp__series_entry *entry = series_at(registry, at);
        if (djp__load_relaxed(&entry->generation) & 1) {
            continue; /* it was created again under its old labels */
        }
        if (now - entry->died_ns >= registry->reuse_after_ns && entry->key_capacity >= key_words &&
            entry->text_capacity >= text_size) {
            djp__table_remove(registry, family->entry, at);
            return at;
        }
        series_free_push(registry, family->entry, at);
    }
    return 0;
}

/* Makes a written entry visible, with all values zero. */
static int
series_publish(djp_family *family, djp__series_entry *entry)
{
    djp_registry *registry = family->registry;
    djp__family_entry *owner = family->entry;
    uint32_t at = series_offset(registry, entry);
    if (!entry->linked && djp__table_reserve(registry, owner) < 0) {
        return DJP_EFULL;
    }
    djp__stripe_reset(&registry->segment, owner, entry);
    djp__exemplar_clear(registry, owner, entry);
    entry->created_unix_ns = djp__clock_realtime();
    if (!entry->linked) {
        entry->linked = 1;
        if (owner->last) {
            series_at(registry, owner->last)->next = at;
        } else {
            owner->first = at;
        }
        owner->last = at;
        djp__table_insert(registry, owner, at);
    }
    if (!entry->is_overflow) {
        djp__add_relaxed(&owner->live, 1);
    }
    djp__store_release(&entry->generation, djp__load_relaxed(&entry->generation) + 1);
    return 0;
}

void
djp__series_kill(djp_family *family, djp__series_entry *entry)
{
    djp__store_release(&entry->generation, djp__load_relaxed(&entry->generation) + 1);
    djp__stripe_remove(&family->registry->segment, family->entry, entry);
    if (entry->is_overflow) {
        return;
    }
    entry->died_ns = djp__clock_monotonic();
    djp__sub_relaxed(&family->entry->live, 1);
    if (!entry->in_free) {
        series_free_push(family->registry, family->entry, series_offset(family->registry, entry));
    }
}

uint32_t
djp__series_prepare(djp_family *family)
{
    djp__series_key key;
    djp__buf text;
    uint32_t at = 0;
    if (djp__series_key_overflow(&key, family) < 0) {
        return 0;
    }
    djp__buf_init(&text, 0);
    series_render(&text, family, &key);
    if (!text.failed) {
        at = series_allocate(family, key.count, text.size);
    }
    if (at) {
        djp__series_entry *entry = series_at(family->registry, at);
        entry->is_overflow = 1;
        series_write(family->registry, entry, &key, &text);
    }
    djp__buf_fini(&text);
    djp__series_key_fini(&key);
    return at;
}

/* Memory for a new series: reused or new. The table has room. */
static djp__series_entry *
series_place(djp_family *family, const djp__series_key *key, const djp__buf *text)
{
    djp_registry *registry = family->registry;
    uint32_t at = series_reuse(family, key->count, text->size);
    if (at) {
        series_write(registry, series_at(registry, at), key, text);
        djp__table_insert(registry, family->entry, at);
        return series_at(registry, at);
    }
    at = series_allocate(family, key->count, text->size);
    if (!at) {
        return NULL;
    }
    series_write(registry, series_at(registry, at), key, text);
    return series_at(registry, at);
}

/* Creates a live series for the key; NULL if nothing is left. */
static djp__series_entry *
series_create(djp_family *family, const djp__series_key *key)
{
    djp__series_entry *entry = NULL;
    djp__buf text;
    if (djp__table_reserve(family->registry, family->entry) < 0) {
        return NULL;
    }
    djp__buf_init(&text, 0);
    series_render(&text, family, key);
    if (!text.failed) {
        entry = series_place(family, key, &text);
    }
    djp__buf_fini(&text);
    return entry && series_publish(family, entry) == 0 ? entry : NULL;
}

static djp__series_entry *
series_overflow(djp_family *family)
{
    djp__series_entry *entry = series_at(family->registry, family->entry->overflow);
    if (!(djp__load_relaxed(&entry->generation) & 1) && series_publish(family, entry) < 0) {
        return NULL;
    }
    return entry;
}

/* Sets *refused if there was no room or memory and the overflow takes the place. Lock held. */
static djp__series_entry *
series_find_or_create(int *refused, djp_family *family, const djp__series_key *key)
{
    djp_registry *registry = family->registry;
    djp__series_entry *overflow = series_at(registry, family->entry->overflow);
    if (djp__series_key_matches(key, &registry->segment, overflow)) {
        return series_overflow(family);
    }
    djp__series_entry *entry = djp__table_find_any(family, key);
    if (entry != NULL && (djp__load_relaxed(&entry->generation) & 1)) {
        return entry;
    }
    if (djp__load_relaxed(&family->entry->live) >= family->entry->limit) {
        djp__add_relaxed(&registry->overflowed, 1);
        return series_overflow(family);
    }
    if (entry != NULL) {
        return series_publish(family, entry) == 0 ? entry : NULL;
    }
    entry = series_create(family, key);
    *refused = entry == NULL;
    return entry != NULL ? entry : series_overflow(family);
}

static djp_series *
series_get_locked(djp_family *family, const djp__series_key *key)
{
    djp_series *series = NULL;
    int refused = 0;
    if (djp__registry_lock(family->registry)) {
        djp__series_entry *entry = series_find_or_create(&refused, family, key);
        if (entry != NULL) {
            series = djp__handle_make(family, entry);
        }
        djp__registry_unlock(family->registry);
    }
    if (series == NULL || refused) {
        djp__add_relaxed(&family->registry->refused, 1); /* a look-up counts once */
    }
    return series;
}

/* For a miss without a rebuild, in a full family: the overflow series, without a lock. */
static djp_series *
series_get_overflow(djp_family *family, uint32_t version)
{
    const djp__family_entry *owner = family->entry;
    if ((version & 1) || djp__load_relaxed(&owner->live) < owner->limit ||
        djp__load_acquire(&owner->version) != version) {
        return NULL;
    }
    const djp__series_entry *entry = series_at(family->registry, owner->overflow);
    uint32_t generation = djp__load_acquire(&entry->generation);
    djp_series *series =
        generation & 1 ? djp__handle_get(family->registry, entry, generation) : NULL;
    if (series != NULL) {
        djp__add_relaxed(&family->registry->overflowed, 1);
    }
    return series;
}

static djp_series *
series_get(djp_family *family, const djp__series_key *key)
{
    uint32_t generation, version = djp__load_acquire(&family->entry->version);
    const djp__series_entry *entry = djp__table_find(&generation, family, key);
    djp_series *series = entry != NULL ? djp__handle_get(family->registry, entry, generation)
                                       : series_get_overflow(family, version);
    return series != NULL ? series : series_get_locked(family, key);
}

djp_series *
djp_family_series(djp_family *family, const djp_text *values)
{
    djp__series_key key;
    if (family == NULL || (values == NULL && family->entry->label_count > 0)) {
        return NULL;
    }
    if (djp__series_key_build(&key, family, values) < 0) {
        djp__add_relaxed(&family->registry->refused, 1);
        return NULL;
    }
    djp_series *series = series_get(family, &key);
    djp__series_key_fini(&key);
    return series;
}

int
djp_family_remove(djp_family *family, const djp_text *values)
{
    djp__series_key key;
    if (family == NULL || (values == NULL && family->entry->label_count > 0) ||
        djp__series_key_build(&key, family, values) < 0) {
        return 0;
    }
    int found = 0;
    if (djp__registry_lock(family->registry)) {
        djp__series_entry *entry = djp__table_find_any(family, &key);
        found = entry && (djp__load_relaxed(&entry->generation) & 1);
        if (found) {
            djp__series_kill(family, entry);
        }
        djp__registry_unlock(family->registry);
    }
    djp__series_key_fini(&key);
    return found;
}

void
djp_family_clear(djp_family *family)
{
    if (family == NULL || !djp__registry_lock(family->registry)) {
        return;
    }
    for (uint32_t at = family->entry->first; at;) {
        djp__series_entry *entry = series_at(family->registry, at);
        if (djp__load_relaxed(&entry->generation) & 1) {
            djp__series_kill(family, entry);
        }
        at = entry->next;
    }
    djp__registry_unlock(family->registry);
}

void
djp__series_repair(djp_registry *registry, djp__family_entry *entry)
{
    uint32_t live = 0;
    entry->last = 0;
    entry->free_first = entry->free_last = 0;
    for (uint32_t at = entry->first; at;) {
        djp__series_entry *series = series_at(registry, at);
        int alive = djp__load_relaxed(&series->generation) & 1;
        series->in_free = 0;
        series->linked = 1;
        if (!series->is_overflow) {
            live += (uint32_t)alive;
            if (!alive) {
                series_free_push(registry, entry, at);
            }
        }
        entry->last = at;
        at = series->next;
    }
    djp__store_relaxed(&entry->live, live);
    djp__table_rebuild(registry, entry);
}
