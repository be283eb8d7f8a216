/* The oplogs of one instance: attachment, replay, and fork. */
#include <string.h>

#include "instrument/http_server.h"
#include "oplog/oplog.h"
#include "trace/recorder_state.h"

/* Units per replay slice, which limits the wait of a writer that drains by itself; and units that a
 * writer replays without a worker. */
enum { OPLOG_ATTACH__SLICE = 4096, OPLOG_ATTACH__ALONE = 1024 };

int
djp__oplog_next(djp__oplog_state state, djp__oplog_event event)
{
    enum { DETACHED = DJP__OPLOG_DETACHED, ATTACHED, INHERITED, NONE = -1 };
    static const signed char next[DJP__OPLOG_STATES][DJP__OPLOG_EVENTS] = {
        /*              ATTACH    DETACH    FORKED */
        /* DETACHED */ {ATTACHED, NONE, DETACHED},
        /* ATTACHED */ {NONE, DETACHED, INHERITED},
        /* INHERITED */ {ATTACHED, NONE, INHERITED},
    };
    return next[state][event];
}

/* The oplog's link is held. Returns 0 for an event without a table entry. */
static int
attach_take(djp_oplog *log, djp__oplog_event event, djp__oplogs *owner)
{
    int next = djp__oplog_next(log->state, event);
    if (next < 0) {
        return 0;
    }
    log->state = (djp__oplog_state)next;
    log->owner = owner;
    return 1;
}

void
djp__oplogs_init(djp__oplogs *oplogs)
{
    memset(oplogs, 0, sizeof *oplogs);
    djp__mutex_init(&oplogs->mutex);
}

void
djp__oplogs_fini(djp__oplogs *oplogs)
{
    djp__mutex_fini(&oplogs->mutex);
}

/* ---- replay ---- */

/* Replays one oplog in slices, so that a writer that drains by itself does not wait long.
 * DJP__OPLOGS_*. */
static int
attach_replay(const djp__oplogs *oplogs, djp_oplog *log, int gently)
{
    /* Later operations belong to the next round: a fast writer must not keep its reader for
     * ever. */
    uint32_t end = djp__oplog_published(log);
    const djp_ring *ring = gently ? oplogs->host.ring : NULL;
    int over = 0, full = 0, moved = 0;
    while (!over && !full) {
        djp__mutex_lock(&log->mutex);
        over = (int32_t)(end - djp__oplog_consumed(log)) <= 0;
        full = !over && djp__oplog_is_half_full(ring);
        if (!over && !full) {
            djp__oplog_replay_until(log, end, OPLOG_ATTACH__SLICE, ring);
            moved = DJP__OPLOGS_MOVED;
        }
        if (over) {
            djp__oplog_take_losses(log);
        }
        djp__mutex_unlock(&log->mutex);
    }
    return moved | (full ? DJP__OPLOGS_LEFT : 0);
}

int
djp__oplogs_replay(djp__oplogs *oplogs, int gently)
{
    int result = 0;
    djp__mutex_lock(&oplogs->mutex);
    for (djp_oplog *log = oplogs->first; log; log = log->next) {
        result |= attach_replay(oplogs, log, gently);
    }
    djp__mutex_unlock(&oplogs->mutex);
    return result;
}

int
djp__oplogs_request_wake(djp__oplogs *oplogs)
{
    int awake = 0;
    djp__mutex_lock(&oplogs->mutex);
    for (djp_oplog *log = oplogs->first; log; log = log->next) {
        djp__store_seq_cst(&log->control[DJP_OPLOG_ASLEEP], 1u);
        awake |= djp__load_seq_cst(&log->control[DJP_OPLOG_PUBLISHED]) != djp__oplog_consumed(log);
    }
    djp__mutex_unlock(&oplogs->mutex);
    return awake;
}

/* Returns the owner of an oplog, with a reference to its instance, or NULL. */
static djp__oplogs *
attach_ref_owner(djp_oplog *log)
{
    djp__mutex_lock(&log->link);
    djp__oplogs *owner = log->owner;
    if (owner != NULL) {
        owner->host.ref(owner->host.user);
    }
    djp__mutex_unlock(&log->link);
    return owner;
}

void
djp_oplog_wake(djp_oplog *log)
{
    djp__oplogs *owner = attach_ref_owner(log);
    if (owner == NULL) {
        return;
    }
    /* Without the link lock: starting a thread takes long, and a failure is reported to the
     * host. */
    if (owner->host.ring == NULL) {
        djp_oplog_drain(log, OPLOG_ATTACH__ALONE); /* metrics only: there is no worker */
    } else if (!owner->host.wake(owner->host.user)) {
        /* the thread could not start: request it again */
        djp__store_seq_cst(&log->control[DJP_OPLOG_ASLEEP], 1u);
    }
    owner->host.unref(owner->host.user);
}

/* ---- attachment ---- */

static uint32_t
attach_active(const djp__oplog_host *host)
{
    uint32_t active = host->standard ? DJP_OPLOG_METRICS : 0;
    if (host->recorder) {
        const djp__policy *policy = djp__recorder_policy(host->recorder);
        active |= djp__load_relaxed(&host->recorder->state) & DJP__RECORDER_NO_STARTS
                      ? 0
                      : DJP_OPLOG_TRACES;
        active |= policy->always_on ? DJP_OPLOG_ALWAYS_ON : 0;
        active |= policy->drop_all ? DJP_OPLOG_DROP_ALL : 0;
        active |= policy->tree ? DJP_OPLOG_ASK : 0;
        active |= djp_recorder_needs(host->recorder) & DJP_NEEDS_ATTRIBUTES
                      ? DJP_OPLOG_ASK_ATTRIBUTES
                      : 0;
        active |= djp_recorder_needs(host->recorder) & DJP_NEEDS_BAGGAGE ? DJP_OPLOG_BAGGAGE : 0;
        active |= host->recorder->tail_rules ? 0 : DJP_OPLOG_HEAD_ONLY;
    }
    return active;
}

static void
attach_notify(djp_oplog *log, const djp__oplog_host *host)
{
    djp__add_acq_rel(&log->control[DJP_OPLOG_HEAD], 1u);
    djp__store_release(&log->control[DJP_OPLOG_ACTIVE], attach_active(host));
}

void
djp__oplogs_notify_writers(djp__oplogs *oplogs)
{
    djp__mutex_lock(&oplogs->mutex);
    for (djp_oplog *log = oplogs->first; log; log = log->next) {
        attach_notify(log, &oplogs->host);
    }
    djp__mutex_unlock(&oplogs->mutex);
}

/* The mutexes of list and oplog are held, and the instance is open: its end will find the oplog in
 * the list. */
static int
attach_locked(djp__oplogs *oplogs, djp_oplog *log)
{
    const djp__oplog_host *host = &oplogs->host;
    if (djp__oplog_next(log->state, DJP__OPLOG_ATTACH) < 0) {
        return DJP_EEXIST;
    }
    if (log->server != NULL) { /* left by a fork from the parent's attachment */
        djp__oplog_close_all(log);
        djp_http_server_free(log->server);
    }
    int result = djp__http_server_new(&log->server, host->options, host->recorder, host->standard);
    if (result != 0) {
        return result;
    }
    /* Earlier operations are skipped, except symbols, which the writer will not define again. */
    djp__oplog_replay_until(log, djp__oplog_published(log), UINT32_MAX, NULL);
    djp__mutex_lock(&log->link);
    attach_take(log, DJP__OPLOG_ATTACH, oplogs);
    djp__mutex_unlock(&log->link);
    log->recorder = host->recorder;
    for (uint32_t i = 0; i < 3; i++) {
        log->seen_lost[i] = djp__load_relaxed(&log->control[DJP_OPLOG_LOST_SPANS + i]);
    }
    uint32_t limit = host->options->attribute_value_length_limit;
    djp__store_relaxed(&log->control[DJP_OPLOG_VALUE_LIMIT],
                       limit > INT32_MAX ? UINT32_MAX : limit);
    djp__store_relaxed(&log->control[DJP_OPLOG_ASLEEP], host->ring != NULL ? 1u : 0u);
    djp__add_acq_rel(&log->control[DJP_OPLOG_EPOCH], 1u);
    attach_notify(log, host);
    log->next = oplogs->first;
    oplogs->first = djp_oplog_ref(log);
    return 0;
}

int
djp__oplogs_attach(djp__oplogs *oplogs, djp_oplog *log)
{
    djp__mutex_lock(&oplogs->mutex);
    djp__mutex_lock(&log->mutex);
    int result =
        oplogs->host.is_open(oplogs->host.user) ? attach_locked(oplogs, log) : DJP_ESHUTDOWN;
    djp__mutex_unlock(&log->mutex);
    djp__mutex_unlock(&oplogs->mutex);
    return result;
}

/* The oplog is out of the list; the list's mutex is held. Releases the list's reference. */
static void
attach_release(djp_oplog *log)
{
    djp__mutex_lock(&log->mutex);
    djp__store_release(&log->control[DJP_OPLOG_ACTIVE], 0u);
    djp__oplog_replay_until(log, djp__oplog_published(log), UINT32_MAX, NULL);
    djp__oplog_take_losses(log);
    djp__oplog_close_all(log);
    djp__oplog_baggage_discard(log);
    log->recorder = NULL;
    djp__mutex_lock(&log->link);
    attach_take(log, DJP__OPLOG_DETACH, NULL);
    djp__mutex_unlock(&log->link);
    djp_http_server_free(log->server); /* last: decisions use it while there is an owner */
    log->server = NULL;
    djp__mutex_unlock(&log->mutex);
    djp_oplog_unref(log);
}

void
djp_oplog_detach(djp_oplog *log)
{
    djp__oplogs *owner = log != NULL ? attach_ref_owner(log) : NULL;
    if (owner == NULL) {
        return;
    }
    djp__mutex_lock(&owner->mutex);
    djp_oplog **link = &owner->first;
    while (*link && *link != log) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = log->next;
        attach_release(log);
    }
    djp__mutex_unlock(&owner->mutex);
    owner->host.unref(owner->host.user);
}

void
djp__oplogs_detach(djp__oplogs *oplogs)
{
    djp__mutex_lock(&oplogs->mutex);
    while (oplogs->first) {
        djp_oplog *log = oplogs->first;
        oplogs->first = log->next;
        attach_release(log);
    }
    djp__mutex_unlock(&oplogs->mutex);
}

/* ---- fork ---- */

void
djp__oplogs_fork_prepare(djp__oplogs *oplogs)
{
    djp__mutex_lock(&oplogs->mutex);
    for (djp_oplog *log = oplogs->first; log; log = log->next) {
        djp__mutex_lock(&log->mutex);
        djp__mutex_lock(&log->link);
    }
}

void
djp__oplogs_fork_parent(djp__oplogs *oplogs)
{
    for (djp_oplog *log = oplogs->first; log; log = log->next) {
        djp__mutex_unlock(&log->link);
        djp__mutex_unlock(&log->mutex);
    }
    djp__mutex_unlock(&oplogs->mutex);
}

void
djp__oplogs_fork_child(djp__oplogs *oplogs)
{
    for (djp_oplog *log = oplogs->first; log; log = log->next) {
        /* Incomplete operations and open spans of its writer belong to the parent; the memory
         * remains, and a thread may still store to it. */
        djp__store_relaxed(&log->control[DJP_OPLOG_ACTIVE], 0u);
        log->recorder = NULL;
        attach_take(log, DJP__OPLOG_FORKED, NULL);
        djp__mutex_unlock(&log->link);
        djp__mutex_unlock(&log->mutex);
    }
    oplogs->first = NULL;
    djp__mutex_unlock(&oplogs->mutex);
}
