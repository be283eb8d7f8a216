/* Spans whose ids were given away as a span context: a start below that context joins their local
 * trace, so that an error of the child samples the whole. A table of fixed size in which new spans
 * replace the oldest; only djp_span_share adds entries. */
#include <string.h>

#include "base/fork.h"
#include "base/mem.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"
#include "model/tables.h"

enum { SHARED__WAYS = 4, SHARED__SETS = 512, SHARED__ENTRIES = SHARED__WAYS * SHARED__SETS };

/* Entries are numbered from 1; 0 is none. */
typedef struct shared__entry {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    djp__local_trace *local; /* NULL: free. It removes its entries before it ends */
    uint32_t before, behind; /* in the list of its local trace */
    uint64_t age;
} shared__entry;

static shared__entry *shared__table; /* created by the first share; under the tables lock */
static uint64_t shared__clock; /* under the tables lock */

static shared__entry *
shared_at(uint32_t number)
{
    return &shared__table[number - 1];
}

/* The first entry of the set that a span id belongs to. */
static shared__entry *
shared_set(const uint8_t span_id[8])
{
    uint64_t word;
    memcpy(&word, span_id, sizeof word);
    return &shared__table[(word * 0x9e3779b97f4a7c15ull >> 55) % SHARED__SETS * SHARED__WAYS];
}

static void
shared_remove(shared__entry *entry)
{
    if (entry->before) {
        shared_at(entry->before)->behind = entry->behind;
    } else {
        djp__store_release(&entry->local->shared, entry->behind);
    }
    if (entry->behind) {
        shared_at(entry->behind)->before = entry->before;
    }
    memset(entry, 0, sizeof *entry);
}

static shared__entry *
shared_find(const uint8_t trace_id[16], const uint8_t span_id[8])
{
    shared__entry *set = shared_set(span_id);
    for (unsigned i = 0; i < SHARED__WAYS; i++) {
        if (set[i].local && memcmp(set[i].span_id, span_id, 8) == 0 &&
            memcmp(set[i].trace_id, trace_id, 16) == 0) {
            return &set[i];
        }
    }
    return NULL;
}

/* A free place in the set, or the oldest one's. */
static shared__entry *
shared_place(const uint8_t span_id[8])
{
    shared__entry *set = shared_set(span_id), *oldest = set;
    for (unsigned i = 1; i < SHARED__WAYS; i++) {
        oldest = set[i].age < oldest->age ? &set[i] : oldest;
    }
    if (oldest->local) {
        shared_remove(oldest);
    }
    return oldest;
}

static void
shared_enter(djp__local_trace *local, const djp__span_record *identity)
{
    shared__entry *entry = shared_place(identity->span_id);
    memcpy(entry->trace_id, identity->trace_id, sizeof entry->trace_id);
    memcpy(entry->span_id, identity->span_id, sizeof entry->span_id);
    entry->local = local;
    entry->age = ++shared__clock;
    uint32_t number = (uint32_t)(entry - shared__table) + 1;
    entry->behind = djp__load_relaxed(&local->shared);
    if (entry->behind) {
        shared_at(entry->behind)->before = number;
    }
    djp__store_release(&local->shared, number);
}

void
djp_span_share(djp_span *span)
{
    if (span == NULL || djp__local_is_silent(span->local) ||
        djp__load_relaxed(&span->marks) & DJP_MARK_SHARED ||
        span->local->generation != djp__fork_generation()) {
        return;
    }
    djp__tables_lock();
    if (shared__table == NULL) {
        shared__table = djp__calloc(SHARED__ENTRIES, sizeof *shared__table);
    }
    const djp__span_record *identity = djp__span_identity(span);
    if (shared__table != NULL && !shared_find(identity->trace_id, identity->span_id)) {
        shared_enter(span->local, identity);
    }
    djp__store_release(&span->marks, (uint8_t)(djp__load_relaxed(&span->marks) | DJP_MARK_SHARED));
    djp__tables_unlock();
}

void
djp__shared_discard_all(djp__local_trace *local)
{
    djp__tables_lock();
    for (uint32_t number; (number = djp__load_relaxed(&local->shared)) != 0;) {
        shared_remove(shared_at(number));
    }
    djp__tables_unlock();
}

/* Adds a block to a local trace, unless its last block is leaving or it belongs to another
 * process. */
static djp__local_trace *
shared_ref(const djp_span *span, const djp_span_context *parent)
{
    shared__entry *entry = shared__table ? shared_find(parent->trace_id, parent->span_id) : NULL;
    djp__local_trace *local = entry != NULL ? entry->local : NULL;
    if (local == NULL || local->generation != djp__fork_generation() ||
        local->root->recorder != span->recorder) {
        return NULL;
    }
    uint32_t refs = djp__load_relaxed(&local->refs);
    while (refs != 0) {
        if (djp__cas_weak_acq_rel(&local->refs, &refs, refs + 1)) {
            return local;
        }
    }
    return NULL;
}

int
djp__shared_join(djp_span *span, const djp_span_context *parent)
{
    djp__tables_lock();
    djp__local_trace *local = shared_ref(span, parent);
    djp__tables_unlock();
    if (local == NULL) {
        return 0;
    }
    uintptr_t word = djp__load_acquire(&local->state_word);
    if (djp__trace_is_over(word) && djp__late_is_wanted(span->recorder, word)) {
        djp__late_begin(span, local);
        djp__local_trace_leave(local);
    } else {
        span->local = local;
    }
    return 1;
}
