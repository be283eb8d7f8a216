/* Operation logs: their memory, who replays them and when. The reader never waits for the writer and never trusts what it wrote. */
#include "oplog/oplog.h"

#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "metrics/registry.h"
#include "sdk/sdk.h"
#include "trace/recorder_state.h"
#include "sampling/head.h"

/* Units replayed in one go: how long a writer that helps itself may have to wait; of these, how many before it is told of the room;
 * and how many a writer replays that has no worker to wake. */
enum { OPLOG__SLICE = 4096, OPLOG__STEP = 512, OPLOG__ALONE = 1024 };
enum {
    OPLOG__ROOM_PAUSE_NS = 2000000,
    OPLOG__CATCH_UP_NS = 50000000,
    OPLOG__ARENA_BYTES = 1 << 20,
    OPLOG__YIELDS = 50
};
#define OPLOG__SYMBOLS_BYTES (DJP_OPLOG_SYMBOLS * sizeof(djp_oplog_symbol))
#define OPLOG__SPANS_BYTES (DJP_OPLOG_SLOTS * sizeof(djp_oplog_span))

/* ---- memory ---- */

int
djp_oplog_new(djp_oplog **out, size_t units)
{
    *out = NULL;
    if (units < DJP_OPLOG_UNITS_MIN || units > DJP_OPLOG_UNITS_MAX || (units & (units - 1)) != 0) {
        return DJP_EINVAL;
    }
    djp_oplog *log = djp__calloc(1, sizeof *log);
    if (!log) {
        return DJP_ENOMEM;
    }
    djp__mutex_init(&log->mutex);
    djp__mutex_init(&log->link);
    djp__arena_init(&log->arena, OPLOG__ARENA_BYTES);
    djp_store_relaxed(&log->references, 1);
    log->units = (uint32_t)units;
    log->control = djp__pages_new(djp_oplog_size(log));
    log->symbols = djp__pages_new(OPLOG__SYMBOLS_BYTES);
    log->spans = djp__pages_new(OPLOG__SPANS_BYTES);
    if (!log->control || !log->symbols || !log->spans) {
        djp_oplog_unref(log);
        return DJP_ENOMEM;
    }
    log->ring = (const uint64_t *)(const void *)((const char *)log->control + DJP_OPLOG_CONTROL_BYTES);
    *out = log;
    return 0;
}

void *
djp_oplog_memory(djp_oplog *log)
{
    return log->control;
}

size_t
djp_oplog_size(const djp_oplog *log)
{
    return DJP_OPLOG_CONTROL_BYTES + (size_t)log->units * 8;
}

djp_oplog *
djp_oplog_ref(djp_oplog *log)
{
    djp_add_acq_rel(&log->references, 1);
    return log;
}

void
djp_oplog_unref(djp_oplog *log)
{
    if (!log || djp_sub_acq_rel(&log->references, 1) != 1) {
        return;
    }
    for (uint32_t i = 0; log->symbols && i < DJP_OPLOG_SYMBOLS; i++) {
        djp__free(log->symbols[i].text);
    }
    djp__pages_free(log->symbols, OPLOG__SYMBOLS_BYTES);
    djp__pages_free(log->spans, OPLOG__SPANS_BYTES);
    djp__pages_free(log->control, djp_oplog_size(log));
    djp__free(log->traces);
    djp__arena_fini(&log->arena);
    djp__mutex_fini(&log->link);
    djp__mutex_fini(&log->mutex);
    djp__free(log);
}

/* ---- replay ---- */

static uint32_t
oplog_published(const djp_oplog *log)
{
    return djp_load_acquire(&log->control[DJP_OPLOG_PUBLISHED]);
}

static uint32_t
oplog_consumed(const djp_oplog *log)
{
    return djp_load_relaxed(&log->control[DJP_OPLOG_CONSUMED]);
}

/* What the writer counted as lost since the last look becomes ours to report. */
static void
oplog_take_losses(djp_oplog *log)
{
    uint64_t fresh[3];
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t now = djp_load_relaxed(&log->control[DJP_OPLOG_LOST_SPANS + i]);
        fresh[i] = now - log->seen_lost[i];
        log->seen_lost[i] = now;
    }
    if (log->sdk && log->damaged != log->seen_damaged) {
        djp_add_relaxed(&log->sdk->oplog_damage, log->damaged - log->seen_damaged);
        log->seen_damaged = log->damaged;
    }
    if (log->recorder && (fresh[0] | fresh[1]) != 0) {
        djp__count_add(log->recorder, DJP_COUNT_LOG_FULL, fresh[0]);
        djp__count_add(log->recorder, DJP_COUNT_ATTRIBUTES, fresh[1]);
    }
    if (log->sdk && log->sdk->registry && fresh[2] > 0) {
        djp_add_relaxed(&log->sdk->registry->dropped, fresh[2]);
    }
}

/* The operation at a position; 0 when it cannot be one. */
static int
oplog_read(djp_oplog_operation *out, const djp_oplog *log, uint32_t position, uint32_t left)
{
    uint32_t place = position & (log->units - 1);
    uint64_t head = log->ring[place];
    out->kind = (unsigned)(head & 0xffu);
    out->size = (uint32_t)head >> 8;
    out->word = (uint32_t)(head >> 32);
    out->data = (const unsigned char *)&log->ring[place + 1];
    size_t units = 1 + (out->size + 7) / 8;
    return units <= left && units <= log->units - place;
}

static int
oplog_ring_is_half_full(const djp_ring *ring)
{
    return ring && djp__ring_used(ring) > djp__ring_capacity(ring) / 2;
}

/* Replays until `end`, until the budget is used up or, given a ring, until an end of a span finds that half full; the mutex is held. */
static void
oplog_replay_until(djp_oplog *log, uint32_t end, uint32_t budget, const djp_ring *ring)
{
    uint32_t position = oplog_consumed(log), begin = position, told = position;
    if (end - position > log->units) {
        position = end; /* nothing in between can be trusted */
        log->damaged++;
    }
    while (position != end && position - begin < budget) {
        djp_oplog_operation operation;
        if (djp_oplog_is_plain((unsigned)log->ring[position & (log->units - 1)] & 0xffu)) {
            uint32_t stop = end - position < OPLOG__STEP ? end : position + OPLOG__STEP;
            if ((position = djp__oplog_replay_attributes(log, position, stop)) == end) {
                break;
            }
        }
        if (!oplog_read(&operation, log, position, end - position)) {
            log->damaged++;
            position = end;
            break;
        }
        log->damaged += !djp__oplog_replay(log, &operation);
        position += 1 + ((uint32_t)operation.size + 7) / 8;
        if (djp_oplog_is_end(operation.kind) && oplog_ring_is_half_full(ring)) {
            break;
        }
        if (position - told >= OPLOG__STEP) {
            told = position;
            djp_store_release(&log->control[DJP_OPLOG_CONSUMED], position);
        }
    }
    djp_store_release(&log->control[DJP_OPLOG_CONSUMED], position);
}

/* One log of sdk, in slices, so that a writer that wants to help itself does not wait long. DJP_OPLOGS_*. */
static int
oplog_replay_one(djp_sdk *sdk, djp_oplog *log, int gently)
{
    /* What comes meanwhile is for the next time: a fast writer must not keep its reader for ever. */
    uint32_t end = oplog_published(log);
    const djp_ring *ring = gently && sdk->pipelines ? djp__recorder_ring(sdk->recorder) : NULL;
    int over = 0, full = 0, moved = 0;
    while (!over && !full) {
        djp__mutex_lock(&log->mutex);
        over = (int32_t)(end - oplog_consumed(log)) <= 0;
        full = !over && oplog_ring_is_half_full(ring);
        if (!over && !full) {
            oplog_replay_until(log, end, OPLOG__SLICE, ring);
            over = oplog_consumed(log) == end;
            moved = DJP_OPLOGS_MOVED;
        }
        if (over) {
            oplog_take_losses(log);
        }
        djp__mutex_unlock(&log->mutex);
    }
    return moved | (full ? DJP_OPLOGS_LEFT : 0);
}

int
djp__oplogs_replay(djp_sdk *sdk, int gently)
{
    int result = 0;
    djp__mutex_lock(&sdk->oplog_mutex);
    for (djp_oplog *log = sdk->oplogs; log; log = log->next) {
        result |= oplog_replay_one(sdk, log, gently);
    }
    djp__mutex_unlock(&sdk->oplog_mutex);
    return result;
}

int
djp__oplogs_settle(djp_sdk *sdk, uint64_t deadline)
{
    while (djp__oplogs_replay(sdk, 1) & DJP_OPLOGS_LEFT) {
        uint64_t now = djp__clock_monotonic();
        if (now >= deadline || !sdk->pipelines) {
            return 1;
        }
        djp__sdk_wake(sdk);
        if (!djp__worker_is_running(&sdk->worker)) {
            return 1; /* no thread could be had: nobody will make room */
        }
        djp__mutex_lock(&sdk->worker.mutex);
        djp__cond_wait(&sdk->worker.changed, &sdk->worker.mutex, now + OPLOG__ROOM_PAUSE_NS);
        djp__mutex_unlock(&sdk->worker.mutex);
    }
    return 0;
}

void
djp__oplogs_catch_up(djp_sdk *sdk)
{
    djp__oplogs_settle(sdk, djp__clock_monotonic() + OPLOG__CATCH_UP_NS);
}

int
djp__oplogs_sleep(djp_sdk *sdk)
{
    int awake = 0;
    djp__mutex_lock(&sdk->oplog_mutex);
    for (djp_oplog *log = sdk->oplogs; log; log = log->next) {
        djp_store_seq_cst(&log->control[DJP_OPLOG_ASLEEP], 1u);
        awake |= djp_load_seq_cst(&log->control[DJP_OPLOG_PUBLISHED]) != oplog_consumed(log);
    }
    djp__mutex_unlock(&sdk->oplog_mutex);
    return awake;
}

/* The SDK that a log is attached to, with a reference, or NULL. */
static djp_sdk *
oplog_take_sdk(djp_oplog *log)
{
    djp__mutex_lock(&log->link);
    djp_sdk *sdk = log->sdk;
    if (sdk) {
        djp_add_acq_rel(&sdk->references, 1);
    }
    djp__mutex_unlock(&log->link);
    return sdk;
}

void
djp_oplog_wake(djp_oplog *log)
{
    djp_sdk *sdk = oplog_take_sdk(log);
    if (!sdk) {
        return;
    }
    /* Without the link: starting a thread takes long, and a failure to do so is told to the host. */
    if (!sdk->pipelines) {
        djp_oplog_drain(log, OPLOG__ALONE); /* metrics only: there is no worker */
    } else {
        djp__sdk_wake(sdk);
        if (!djp__worker_is_running(&sdk->worker)) {
            djp_store_seq_cst(&log->control[DJP_OPLOG_ASLEEP], 1u); /* no thread could be had: asked for again */
        }
    }
    djp__sdk_unref(sdk);
}

int
djp_oplog_drain(djp_oplog *log, size_t units)
{
    uint32_t before = oplog_consumed(log);
    uint32_t budget = units > 0 && units < UINT32_MAX ? (uint32_t)units : UINT32_MAX;
    for (int i = 0; i < OPLOG__YIELDS; i++) {
        if (pthread_mutex_trylock(&log->mutex) == 0) {
            oplog_replay_until(log, oplog_published(log), budget, NULL);
            oplog_take_losses(log);
            djp__mutex_unlock(&log->mutex);
            break;
        }
        sched_yield(); /* whoever holds it does the same work, a slice at a time */
        if (djp_load_acquire(&log->control[DJP_OPLOG_CONSUMED]) != before) {
            break;
        }
    }
    return djp_load_acquire(&log->control[DJP_OPLOG_CONSUMED]) != before;
}

/* ---- attachment ---- */

static uint32_t
oplog_active(const djp_sdk *sdk)
{
    uint32_t active = sdk->standard ? DJP_OPLOG_METRICS : 0;
    if (sdk->recorder) {
        const djp__policy *policy = djp__recorder_policy(sdk->recorder);
        active |= djp_load_relaxed(&sdk->recorder->gate) & DJP_GATE_NO_STARTS ? 0 : DJP_OPLOG_TRACES;
        active |= policy->always_on ? DJP_OPLOG_ALWAYS_ON : 0;
        active |= policy->drop_all ? DJP_OPLOG_DROP_ALL : 0;
        active |= policy->tree ? DJP_OPLOG_ASK : 0;
        active |= djp_recorder_needs(sdk->recorder) & DJP_NEEDS_ATTRIBUTES ? DJP_OPLOG_ASK_ATTRIBUTES : 0;
        active |= sdk->recorder->tail_rules ? 0 : DJP_OPLOG_HEAD_ONLY;
    }
    return active;
}

static void
oplog_tell_writer(djp_oplog *log, const djp_sdk *sdk)
{
    uint32_t limit = sdk->options.attribute_value_length_limit;
    djp_store_relaxed(&log->control[DJP_OPLOG_VALUE_LIMIT], limit > INT32_MAX ? UINT32_MAX : limit);
    djp_store_relaxed(&log->control[DJP_OPLOG_ASLEEP], sdk->pipelines ? 1u : 0u);
    djp_add_acq_rel(&log->control[DJP_OPLOG_EPOCH], 1u);
    djp_add_acq_rel(&log->control[DJP_OPLOG_HEAD], 1u);
    djp_store_release(&log->control[DJP_OPLOG_ACTIVE], oplog_active(sdk));
}

void
djp__oplogs_tell(djp_sdk *sdk)
{
    djp__mutex_lock(&sdk->oplog_mutex);
    for (djp_oplog *log = sdk->oplogs; log; log = log->next) {
        djp_add_acq_rel(&log->control[DJP_OPLOG_HEAD], 1u);
        djp_store_release(&log->control[DJP_OPLOG_ACTIVE], oplog_active(sdk));
    }
    djp__mutex_unlock(&sdk->oplog_mutex);
}

/* Under oplog_mutex: the SDK is open, so that its end will find the log in the list. */
static int
oplog_attach_locked(djp_oplog *log, djp_sdk *sdk)
{
    djp__mutex_lock(&sdk->worker.mutex);
    int open = sdk->worker.phase == DJP__PHASE_OPEN;
    djp__mutex_unlock(&sdk->worker.mutex);
    if (!open) {
        return DJP_ESHUTDOWN;
    }
    if (log->sdk) {
        return DJP_EEXIST;
    }
    if (log->server) { /* what a fork left of the parent's attachment */
        djp__oplog_close_all(log);
        djp_http_server_free(log->server);
    }
    int result = djp_http_server_new(&log->server, sdk);
    if (result != 0) {
        return result;
    }
    /* What was written for nobody stays unheard, but for the symbols, which the writer will not define again. */
    oplog_replay_until(log, oplog_published(log), UINT32_MAX, NULL);
    djp__mutex_lock(&log->link);
    log->sdk = sdk;
    djp__mutex_unlock(&log->link);
    log->recorder = sdk->recorder;
    for (uint32_t i = 0; i < 3; i++) {
        log->seen_lost[i] = djp_load_relaxed(&log->control[DJP_OPLOG_LOST_SPANS + i]);
    }
    oplog_tell_writer(log, sdk);
    log->next = sdk->oplogs;
    sdk->oplogs = djp_oplog_ref(log);
    return 0;
}

int
djp_oplog_attach(djp_oplog *log, djp_sdk *sdk)
{
    if (!log || !sdk) {
        return DJP_EINVAL;
    }
    djp__mutex_lock(&sdk->oplog_mutex);
    djp__mutex_lock(&log->mutex);
    int result = oplog_attach_locked(log, sdk);
    djp__mutex_unlock(&log->mutex);
    djp__mutex_unlock(&sdk->oplog_mutex);
    return result;
}

/* The log is out of the list, or about to be; its mutex is held. */
static void
oplog_let_go(djp_oplog *log)
{
    djp_store_release(&log->control[DJP_OPLOG_ACTIVE], 0u);
    oplog_replay_until(log, oplog_published(log), UINT32_MAX, NULL);
    oplog_take_losses(log);
    djp__oplog_close_all(log);
    log->recorder = NULL;
    djp__mutex_lock(&log->link);
    log->sdk = NULL;
    djp__mutex_unlock(&log->link);
    djp_http_server_free(log->server); /* only now: decisions look at it while there is an SDK */
    log->server = NULL;
}

void
djp_oplog_detach(djp_oplog *log)
{
    if (!log) {
        return;
    }
    djp_sdk *sdk = oplog_take_sdk(log);
    if (!sdk) {
        return;
    }
    djp__mutex_lock(&sdk->oplog_mutex);
    djp_oplog **link = &sdk->oplogs;
    while (*link && *link != log) {
        link = &(*link)->next;
    }
    int found = *link == log;
    if (found) {
        *link = log->next;
        djp__mutex_lock(&log->mutex);
        oplog_let_go(log);
        djp__mutex_unlock(&log->mutex);
    }
    djp__mutex_unlock(&sdk->oplog_mutex);
    djp__sdk_unref(sdk);
    if (found) {
        djp_oplog_unref(log);
    }
}

void
djp__oplogs_detach(djp_sdk *sdk)
{
    djp__mutex_lock(&sdk->oplog_mutex);
    while (sdk->oplogs) {
        djp_oplog *log = sdk->oplogs;
        sdk->oplogs = log->next;
        djp__mutex_lock(&log->mutex);
        oplog_let_go(log);
        djp__mutex_unlock(&log->mutex);
        djp_oplog_unref(log);
    }
    djp__mutex_unlock(&sdk->oplog_mutex);
}

/* ---- fork ---- */

void
djp__oplogs_fork_prepare(djp_sdk *sdk)
{
    djp__mutex_lock(&sdk->oplog_mutex);
    for (djp_oplog *log = sdk->oplogs; log; log = log->next) {
        djp__mutex_lock(&log->mutex);
        djp__mutex_lock(&log->link);
    }
}

void
djp__oplogs_fork_parent(djp_sdk *sdk)
{
    for (djp_oplog *log = sdk->oplogs; log; log = log->next) {
        djp__mutex_unlock(&log->link);
        djp__mutex_unlock(&log->mutex);
    }
    djp__mutex_unlock(&sdk->oplog_mutex);
}

void
djp__oplogs_fork_child(djp_sdk *sdk)
{
    for (djp_oplog *log = sdk->oplogs; log; log = log->next) {
        /* Its writer's half-written operations and open spans are the parent's; the memory stays, somebody may still store to it. */
        djp_store_relaxed(&log->control[DJP_OPLOG_ACTIVE], 0u);
        log->recorder = NULL;
        log->sdk = NULL;
        djp__mutex_unlock(&log->link);
        djp__mutex_unlock(&log->mutex);
    }
    sdk->oplogs = NULL;
    djp__mutex_unlock(&sdk->oplog_mutex);
}

/* ---- for writers ---- */

void
djp_oplog_random(uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t word = 0;
        while (word == 0) {
            word = (uint32_t)(djp__rand64() >> 32);
        }
        words[i] = word;
    }
}

/* What the policy in force says about roots without a parent, as two decisions. A tree is asked for each root instead. */
static void
oplog_read_policy(djp_oplog_roots *out, const djp_recorder *recorder)
{
    const djp__policy *policy = djp__recorder_policy(recorder);
    uint64_t threshold = policy->always_on ? 0 : policy->threshold;
    uint64_t recorded = policy->tree ? djp_load_relaxed(&recorder->canary) : policy->recorded;
    out->threshold = policy->drop_all || policy->tree ? DJP_THRESHOLD_NEVER : threshold;
    out->unsampled.outcome = policy->drop_all ? DJP__OUTCOME_DROP : DJP__OUTCOME_RECORD_ONLY;
    out->unsampled.recorded = policy->drop_all ? 0 : recorded;
    out->sampled = (djp_oplog_decision){1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO, threshold, recorded};
    if (policy->always_on) {
        out->sampled.reason = DJP_REASON_ALWAYS;
        out->sampled.threshold = DJP_THRESHOLD_NEVER;
    }
    out->state = policy->root_state ? djp_tracestate_ref(policy->root_state) : NULL;
}

void
djp_oplog_head(djp_oplog_roots *out, djp_oplog *log)
{
    memset(out, 0, sizeof *out);
    out->threshold = out->sampled.threshold = out->unsampled.threshold = DJP_THRESHOLD_NEVER;
    djp__mutex_lock(&log->link);
    if (log->sdk && log->sdk->recorder) {
        oplog_read_policy(out, log->sdk->recorder);
    }
    djp__mutex_unlock(&log->link);
}
