/* Copies baggage entries to span attributes. The attribute has the key and the decoded value of the
 * entry; entries that the setting does not name never reach a span. */
#include "instrument/baggage_attributes.h"

#include <string.h>

#include "base/atomic.h"
#include "base/mem.h"
#include "base/str.h"
#include "trace/span_processor.h"

struct djp__baggage_attributes {
    char *entries; /* owned; keys, and prefixes that end in '*', separated by commas */
    djp_baggage_source source; /* NULL: spans have only the baggage of their options */
    void *source_user;
    /* Keys that prefixes have matched; 0: a free place, or one that is being filled. Any thread,
     * release and acquire. */
    DJP__ATOMIC(djp_key) keys[DJP__BAGGAGE_KEYS_MAX];
    DJP__ATOMIC(uint32_t) key_count; /* places taken; any thread, relaxed */
};

typedef struct baggage_attributes_target {
    djp__baggage_attributes *copier;
    djp_span *span;
} baggage_attributes_target;

enum { BAGGAGE_ATTRIBUTES__NO, BAGGAGE_ATTRIBUTES__BY_KEY, BAGGAGE_ATTRIBUTES__BY_PREFIX };

static int
baggage_attributes_match(const djp__baggage_attributes *copier, djp_text key)
{
    djp_text rest = djp__text(copier->entries);
    djp_text part;
    int found = BAGGAGE_ATTRIBUTES__NO;
    while (found != BAGGAGE_ATTRIBUTES__BY_KEY && djp__text_split(&part, &rest, ',')) {
        int is_prefix = part.size > 0 && part.data[part.size - 1] == '*';
        part.size -= (size_t)is_prefix;
        if (djp__text_fits(key, part, is_prefix)) {
            found = is_prefix ? BAGGAGE_ATTRIBUTES__BY_PREFIX : BAGGAGE_ATTRIBUTES__BY_KEY;
        }
    }
    return found;
}

/* The interned key of an entry that a prefix matched; 0 if there are too many. Two threads may take
 * two places for one key. */
static djp_key
baggage_attributes_key(djp__baggage_attributes *copier, djp_text text)
{
    text.size = text.size < DJP_KEY_SIZE_LIMIT ? text.size : DJP_KEY_SIZE_LIMIT;
    for (uint32_t i = 0; i < DJP__BAGGAGE_KEYS_MAX; i++) {
        djp_key key = djp__load_acquire(&copier->keys[i]);
        djp_text known = djp_key_text(key); /* empty for a free place */
        if (known.size == text.size && memcmp(known.data, text.data, text.size) == 0) {
            return key;
        }
    }
    if (djp__load_relaxed(&copier->key_count) >= DJP__BAGGAGE_KEYS_MAX) {
        return 0;
    }
    uint32_t place = djp__add_relaxed(&copier->key_count, 1u);
    if (place >= DJP__BAGGAGE_KEYS_MAX) {
        return 0; /* another thread took the last one meanwhile */
    }
    djp_key key = djp_key_intern(text);
    djp__store_release(&copier->keys[place], key);
    return key;
}

static void
baggage_attributes_copy(void *argument, const djp_baggage *baggage)
{
    baggage_attributes_target *target = argument;
    djp_baggage_entry entry;
    for (size_t i = 0; djp_baggage_entry_at(&entry, baggage, i); i++) {
        int match = baggage_attributes_match(target->copier, entry.key);
        if (match != BAGGAGE_ATTRIBUTES__NO) {
            djp_key key = match == BAGGAGE_ATTRIBUTES__BY_KEY
                              ? djp_key_intern(entry.key)
                              : baggage_attributes_key(target->copier, entry.key);
            djp_span_set_string(target->span, key, entry.value);
        }
    }
}

static void
baggage_attributes_start(void *user, djp_span *span, const djp_span_options *options)
{
    djp__baggage_attributes *copier = user;
    baggage_attributes_target target = {copier, span};
    if (options->baggage != NULL) {
        baggage_attributes_copy(&target, options->baggage);
    } else if (copier->source != NULL) {
        copier->source(copier->source_user, baggage_attributes_copy, &target);
    }
}

static void
baggage_attributes_free(void *user)
{
    djp__baggage_attributes *copier = user;
    djp__free(copier->entries);
    djp__free(copier);
}

int
djp__baggage_attributes_add(djp__baggage_attributes **out, djp_recorder *recorder,
                            const char *entries)
{
    *out = NULL;
    djp__baggage_attributes *copier = djp__calloc(1, sizeof *copier);
    if (copier == NULL) {
        return DJP_ENOMEM;
    }
    copier->entries = djp__strdup(entries);
    const djp__span_processor processor = {.on_start = baggage_attributes_start,
                                           .free = baggage_attributes_free,
                                           .user = copier,
                                           .needs = DJP_NEEDS_BAGGAGE};
    int result =
        copier->entries != NULL ? djp__recorder_add_processor(recorder, &processor) : DJP_ENOMEM;
    if (result != 0) {
        baggage_attributes_free(copier);
        return result;
    }
    *out = copier;
    return 0;
}

void
djp__baggage_attributes_set_source(djp__baggage_attributes *copier, djp_baggage_source source,
                                   void *user)
{
    if (copier != NULL) {
        copier->source = source;
        copier->source_user = user;
    }
}
