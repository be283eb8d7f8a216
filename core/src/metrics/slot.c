/* Who owns a slot. The mutex of a slot is held by the main thread if that thread claims it, since
 * it ends with the process; for another thread, which may end earlier, a thread of the SDK holds
 * it. */
#include "metrics/slot.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/thread.h"
#include "djp/error.h"

/* A thread that holds the mutex of a slot until it is asked to leave. */
typedef struct djp__slot_keeper {
    djp_mutex mutex;
    djp__cond changed;
    pthread_t thread;
    djp__segment_slot *slot;
    int result; /* 0: not yet known; 1: held; -1: refused */
    int leave;
} slot_keeper;

static djp__segment_slot *
slot_of(const djp__segment *segment, uint32_t stripe)
{
    return &segment->header->slots[stripe - 1];
}

/* Returns 1 if the calling thread now holds the mutex. */
static int
slot_try(djp__segment_slot *slot)
{
    int error = pthread_mutex_trylock(&slot->owner);
    if (error == EOWNERDEAD) {
        return pthread_mutex_consistent(&slot->owner) == 0;
    }
    if (error == ENOTRECOVERABLE || error == EINVAL) {
        /* A process ended between the two calls above, or the memory is damaged. */
        memset(&slot->owner, 0, sizeof slot->owner);
        return djp__segment_init_mutex(&slot->owner) == 0 &&
               pthread_mutex_trylock(&slot->owner) == 0;
    }
    return error == 0;
}

static void *
slot_keep(void *argument)
{
    slot_keeper *keeper = argument;
    djp__mutex_lock(&keeper->mutex);
    keeper->result = slot_try(keeper->slot) ? 1 : -1;
    djp__cond_broadcast(&keeper->changed);
    while (keeper->result > 0 && !keeper->leave) {
        djp__cond_wait(&keeper->changed, &keeper->mutex, UINT64_MAX);
    }
    if (keeper->result > 0) {
        pthread_mutex_unlock(&keeper->slot->owner);
    }
    djp__mutex_unlock(&keeper->mutex);
    return NULL;
}

static void
slot_keeper_free(slot_keeper *keeper)
{
    djp__cond_fini(&keeper->changed);
    djp__mutex_fini(&keeper->mutex);
    djp__free(keeper);
}

static void
slot_keeper_end(slot_keeper *keeper)
{
    djp__mutex_lock(&keeper->mutex);
    keeper->leave = 1;
    djp__cond_broadcast(&keeper->changed);
    djp__mutex_unlock(&keeper->mutex);
    pthread_join(keeper->thread, NULL);
    slot_keeper_free(keeper);
}

static slot_keeper *
slot_keeper_new(djp__segment_slot *slot)
{
    slot_keeper *keeper = djp__calloc(1, sizeof *keeper);
    if (keeper == NULL) {
        return NULL;
    }
    keeper->slot = slot;
    if (djp__mutex_init(&keeper->mutex) < 0) {
        djp__free(keeper);
        return NULL;
    }
    if (djp__cond_init(&keeper->changed) < 0) {
        djp__mutex_fini(&keeper->mutex);
        djp__free(keeper);
        return NULL;
    }
    return keeper;
}

/* Returns 1 if a new thread now holds the mutex. */
static int
slot_keeper_start(djp__segment *segment, djp__segment_slot *slot)
{
    slot_keeper *keeper = slot_keeper_new(slot);
    if (keeper == NULL) {
        return 0;
    }
    if (djp__thread_start(&keeper->thread, slot_keep, keeper, "djp-metrics") < 0) {
        slot_keeper_free(keeper);
        return 0;
    }
    djp__mutex_lock(&keeper->mutex);
    while (keeper->result == 0) {
        djp__cond_wait(&keeper->changed, &keeper->mutex, UINT64_MAX);
    }
    int held = keeper->result > 0;
    djp__mutex_unlock(&keeper->mutex);
    if (!held) {
        slot_keeper_end(keeper);
        return 0;
    }
    segment->keeper = keeper;
    return 1;
}

static int
slot_is_main_thread(void)
{
    return djp__thread_number() == getpid();
}

static int
slot_hold(djp__segment *segment, djp__segment_slot *slot)
{
    return slot_is_main_thread() ? slot_try(slot) : slot_keeper_start(segment, slot);
}

/* The number of this process: process ids are not unique among containers. */
static uint64_t
slot_process(void)
{
    static DJP__ATOMIC(uint64_t) number;
    static DJP__ATOMIC(uint32_t) pid;
    uint64_t found = djp__load_relaxed(&number);
    if (found == 0 || djp__load_acquire(&pid) != (uint32_t)getpid()) {
        found = djp__rand64() | 1;
        djp__store_relaxed(&number, found);
        djp__store_release(&pid, (uint32_t)getpid());
    }
    return found;
}

/* Sets the state and what belongs to it. */
static void
slot_set(djp__segment_slot *slot, djp__slot_state state)
{
    slot->pid = (uint32_t)getpid();
    slot->port = 0;
    slot->process = slot_process();
    djp__store_release(&slot->state, state);
}

static void
slot_count(djp__segment *segment, uint32_t stripe)
{
    djp__segment_header *header = segment->header;
    if (djp__load_relaxed(&header->stripes_top) <= stripe) {
        djp__store_relaxed(&header->stripes_top, stripe + 1);
    }
    header->used_unix_ns = djp__clock_realtime();
}

/* The slot that this process left, and whose mutex a thread of it still holds; else the first free
 * one; 0 without either. */
static uint32_t
slot_find(const djp__segment *segment)
{
    uint32_t free = 0;
    for (uint32_t stripe = 1; stripe < segment->stripes; stripe++) {
        djp__slot_state state = djp__slot_state_of(segment, stripe);
        if (state == DJP__SLOT_LEFT && slot_of(segment, stripe)->process == slot_process()) {
            return stripe;
        }
        if (state == DJP__SLOT_FREE && free == 0) {
            free = stripe;
        }
    }
    return free;
}

/* Takes a slot that slot_find chose. Returns 1, 0 if another has its mutex, or an error. */
static int
slot_take(djp__segment *segment, uint32_t stripe)
{
    djp__segment_slot *slot = slot_of(segment, stripe);
    int is_left = djp__load_relaxed(&slot->state) == DJP__SLOT_LEFT;
    if (djp__segment_commit_stripe(segment, stripe) < 0) {
        return DJP_EFULL;
    }
    if (!is_left && !slot_hold(segment, slot)) {
        return 0;
    }
    slot_set(slot, DJP__SLOT_USED);
    slot_count(segment, stripe);
    segment->header->joined += !is_left;
    segment->own = stripe;
    segment->header_is_held |= is_left;
    return 1;
}

int
djp__slot_claim(djp__segment *segment)
{
    uint32_t first = slot_find(segment);
    int taken = 0;
    for (uint32_t stripe = first; first != 0 && stripe < segment->stripes && taken == 0; stripe++) {
        if (stripe == first || djp__slot_state_of(segment, stripe) == DJP__SLOT_FREE) {
            taken = slot_take(segment, stripe);
        }
    }
    return taken > 0 ? 0 : DJP_EFULL;
}

void
djp__slot_claim_alone(djp__segment *segment)
{
    slot_set(slot_of(segment, 1), DJP__SLOT_USED);
    slot_count(segment, 1);
    segment->header->joined++;
    segment->own = 1;
}

static int
slot_is_writer(uint32_t state)
{
    return state == DJP__SLOT_WRITER || state == DJP__SLOT_WRITER_LEFT;
}

/* The slot that this thread left, or where another writer stopped; else the first free one; 0
 * without either. */
static uint32_t
slot_find_writer(const djp__segment *segment)
{
    uint32_t free = 0, thread = (uint32_t)djp__thread_number();
    for (uint32_t stripe = 1; stripe < segment->stripes; stripe++) {
        const djp__segment_slot *slot = slot_of(segment, stripe);
        djp__slot_state state = djp__slot_state_of(segment, stripe);
        if (state == DJP__SLOT_WRITER_LEFT && slot->process == slot_process() &&
            (slot->thread == thread || slot->thread == 0)) {
            return stripe;
        }
        if (state == DJP__SLOT_FREE && free == 0) {
            free = stripe;
        }
    }
    return free;
}

uint32_t
djp__slot_claim_writer(djp__segment *segment, int exemplars)
{
    uint32_t stripe = segment->own != 0 ? slot_find_writer(segment) : 0;
    if (stripe == 0 || djp__segment_commit_stripe(segment, stripe) < 0) {
        return 0;
    }
    djp__segment_slot *slot = slot_of(segment, stripe);
    slot->process_stripe = segment->own;
    slot->thread = (uint32_t)djp__thread_number();
    slot->exemplars = exemplars != 0;
    slot_set(slot, DJP__SLOT_WRITER);
    slot_count(segment, stripe);
    return stripe;
}

void
djp__slot_leave_writer(djp__segment *segment, uint32_t stripe, int is_over)
{
    if (is_over) {
        slot_of(segment, stripe)->thread = 0;
    }
    djp__store_release(&slot_of(segment, stripe)->state, DJP__SLOT_WRITER_LEFT);
}

static int
slot_has_writers(const djp__segment *segment)
{
    for (uint32_t stripe = 1; stripe < segment->stripes; stripe++) {
        if (slot_is_writer(djp__slot_state_of(segment, stripe)) &&
            slot_of(segment, stripe)->process == slot_process()) {
            return 1;
        }
    }
    return 0;
}

void
djp__slot_discard(djp__segment *segment)
{
    djp__free(segment->keeper); /* that thread does not exist here */
    segment->keeper = NULL;
    segment->header_is_held = 0;
    segment->own = 0;
}

void
djp__slot_leave(djp__segment *segment)
{
    if (segment->own == 0) {
        return;
    }
    djp__segment_slot *slot = slot_of(segment, segment->own);
    segment->header->used_unix_ns = djp__clock_realtime();
    segment->own = 0;
    if (slot_has_writers(segment)) {
        segment->keeper = NULL; /* it holds the mutex until the process ends */
        segment->header_is_held = 1;
        slot_set(slot, DJP__SLOT_LEFT);
        return;
    }
    if (segment->keeper != NULL) {
        slot_keeper_end(segment->keeper);
        segment->keeper = NULL;
    } else if (!slot_is_main_thread() || segment->header_is_held) {
        /* Only the thread that locked a mutex may unlock it. */
        segment->header_is_held = 1;
        slot_set(slot, DJP__SLOT_LEFT);
        return;
    } else {
        pthread_mutex_unlock(&slot->owner);
    }
    djp__store_release(&slot->state, DJP__SLOT_FREE);
}

/* A writer ends with its process: with the slot of that one, or at the next owner of it. */
static int
slot_writer_is_dead(djp__segment *segment, const djp__segment_slot *writer)
{
    uint32_t stripe = writer->process_stripe;
    if (stripe == 0 || stripe >= segment->stripes) {
        return 1;
    }
    const djp__segment_slot *slot = slot_of(segment, stripe);
    uint32_t state = djp__load_relaxed(&slot->state);
    return slot->process != writer->process ||
           (state != DJP__SLOT_USED && state != DJP__SLOT_LEFT) ||
           djp__slot_is_dead(segment, stripe);
}

int
djp__slot_is_dead(djp__segment *segment, uint32_t stripe)
{
    djp__segment_slot *slot = slot_of(segment, stripe);
    uint32_t state = djp__load_relaxed(&slot->state);
    if (slot_is_writer(state)) {
        return slot_writer_is_dead(segment, slot);
    }
    if (stripe == segment->own || (state != DJP__SLOT_USED && state != DJP__SLOT_LEFT)) {
        return 0;
    }
    if (!slot_try(slot)) {
        return 0;
    }
    pthread_mutex_unlock(&slot->owner);
    return 1;
}

void
djp__slot_free(djp__segment *segment, uint32_t stripe)
{
    djp__store_release(&slot_of(segment, stripe)->state, DJP__SLOT_FREE);
}

int
djp__slot_anyone(djp__segment *segment)
{
    for (uint32_t stripe = 1; stripe < segment->stripes; stripe++) {
        if (djp__slot_state_of(segment, stripe) != DJP__SLOT_FREE &&
            !djp__slot_is_dead(segment, stripe)) {
            return 1;
        }
    }
    return 0;
}

int
djp__slot_note_port(djp__segment *segment, uint32_t port)
{
    int found = 0;
    for (uint32_t stripe = 1; stripe < segment->stripes && port != 0 && !found; stripe++) {
        found = stripe != segment->own && slot_of(segment, stripe)->port == port &&
                djp__slot_state_of(segment, stripe) == DJP__SLOT_USED &&
                !djp__slot_is_dead(segment, stripe);
    }
    if (segment->own != 0) {
        slot_of(segment, segment->own)->port = port;
    }
    return found;
}

void
djp__slot_count_all(djp__slot_totals *out, djp__segment *segment)
{
    *out = (djp__slot_totals){0, 0, 0};
    for (uint32_t stripe = 1; segment->is_striped && stripe < segment->stripes; stripe++) {
        djp__slot_state state = djp__slot_state_of(segment, stripe);
        if (state == DJP__SLOT_FREE || djp__slot_is_dead(segment, stripe)) {
            continue;
        }
        out->processes += state == DJP__SLOT_USED;
        out->writers += state == DJP__SLOT_WRITER;
        out->damaged += state > DJP__SLOT_WRITER_LEFT;
    }
}
