/* The one native thread of a process: drains the ring, closes batches when they are due, sends, and sleeps as long as it can. It
 * never touches a language's interpreter, and an idle process does not wake it at all. */
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "oplog/oplog.h"
#include "pipeline/pipeline.h"

enum { WORKER__START_PAUSE_NS = 1000000000, WORKER__ANCHOR_NS = 1000000000, WORKER__UNCOMMITTED_NS = 1000000 };

void
djp__worker_notify(djp_sdk *sdk)
{
    djp__wake_notify(&sdk->wake);
    if (djp_load_acquire(&sdk->sending) && sdk->transport->ops->wake) {
        sdk->transport->ops->wake(sdk->transport);
    }
}

/* An interval of zero would make rounds without end. */
static uint64_t
worker_interval(const djp_sdk *sdk)
{
    uint64_t interval = sdk->options.flush_interval_ns;
    return interval > WORKER__UNCOMMITTED_NS ? interval : WORKER__UNCOMMITTED_NS;
}

/* Encoder and queue of this process: in a forked child what was inherited belongs to the parent and is only freed. */
static int
worker_adopt(djp_sdk *sdk)
{
    if (sdk->adopted && sdk->encoder) {
        return 1;
    }
    djp__encoder *encoder = NULL;
    if (djp__resource_encoder_new(&encoder, sdk) != 0) {
        return 0;
    }
    djp__mutex_lock(&sdk->work);
    if (!sdk->adopted) {
        djp__encoder_free(sdk->encoder);
        djp__queue_fini(&sdk->queue);
        sdk->adopted = 1;
    }
    sdk->encoder = encoder;
    djp__mutex_unlock(&sdk->work);
    djp__signals_adopt(sdk);
    return 1;
}

int
djp__worker_is_flushing(djp_sdk *sdk)
{
    uint64_t target = djp_load_acquire(&sdk->flush_target);
    if (target == 0) {
        return 0;
    }
    djp__mutex_lock(&sdk->state);
    int flushing = target > sdk->settled;
    djp__mutex_unlock(&sdk->state);
    return flushing;
}

/* Wrong bytes come from a defect of ours or from memory that somebody else wrote to: both want to be heard of. */
static void
worker_tell_damage(djp_sdk *sdk)
{
    uint64_t damage = djp_load_relaxed(&sdk->oplog_damage);
    if (damage != sdk->damage_told && djp__every_minute(&sdk->damage_warned)) {
        djp__diag(&sdk->diag, DJP_LOG_ERROR,
                  "%llu operations of a binding made no sense and are lost, with the spans they belonged to. Please "
                  "report this with the versions of the SDK and of the runtime.",
                  (unsigned long long)(damage - sdk->damage_told));
        sdk->damage_told = damage;
    }
}

/* Switched off: what is there is dropped, and operation logs are still read, because requests are counted. */
static void
worker_drop(djp_sdk *sdk, int moved, uint64_t now)
{
    if (djp_load_relaxed(&sdk->sending)) {
        return; /* what is on its way must be given up first: the next round drops */
    }
    djp__mutex_lock(&sdk->work);
    djp__collect_drop(sdk, DJP_LOSS_SWITCHED_OFF);
    djp__mutex_unlock(&sdk->work);
    djp__settle_if_empty(sdk);
    sdk->due = sdk->due > now ? sdk->due : 0;
    if (moved) {
        sdk->idle_rounds = 0;
        sdk->due = sdk->due == 0 ? now + worker_interval(sdk) : sdk->due;
    }
}

static void
worker_collect(djp_sdk *sdk, uint64_t now)
{
    int flushing = djp__worker_is_flushing(sdk);
    int logs = djp__oplogs_replay(sdk, !sdk->queue_blocked);
    sdk->oplogs_left = (logs & DJP_OPLOGS_LEFT) != 0;
    if (djp__recorder_is_muted(sdk->recorder)) {
        worker_drop(sdk, (logs & DJP_OPLOGS_MOVED) != 0, now);
        return;
    }
    djp__mutex_lock(&sdk->work);
    /* What a log held counts although nothing came of it: more follows soon, and must not wake us span by span. */
    if (djp__collect_drain(sdk, now) > 0 || (logs & DJP_OPLOGS_MOVED)) {
        sdk->active = 1;
        sdk->idle_rounds = 0;
        if (sdk->due == 0) {
            sdk->due = now + worker_interval(sdk);
        }
    }
    int due = sdk->due != 0 && now >= sdk->due;
    if (flushing || due) {
        int closed = djp__collect_close(sdk, now, 0);
        djp_store_relaxed(&sdk->stats.in_encoder, (uint64_t)djp__encoder_items(sdk->encoder));
        if (due) {
            sdk->due = sdk->active ? now + worker_interval(sdk) : 0;
            sdk->active = !closed;
        }
    }
    djp__mutex_unlock(&sdk->work);
    djp__settle_if_empty(sdk);
    worker_tell_damage(sdk);
    djp__oplog_tell_scopes(sdk);
}

static uint64_t
worker_quarter(const djp_sdk *sdk)
{
    return djp__ring_capacity(sdk->ring) / 4;
}

/* After a signal everything that had ended is sent within shutdown_timeout ... */
static void
worker_begin_terminate(djp_sdk *sdk, uint64_t now)
{
    if (!djp_load_acquire(&sdk->terminating) || sdk->terminate_deadline != 0) {
        return;
    }
    sdk->terminate_deadline = djp__saturate(now, sdk->options.shutdown_timeout_ns);
    djp__oplogs_replay(sdk, 0);
    sdk->terminate_target = djp__ring_written(sdk->ring);
    djp__mutex_lock(&sdk->state);
    if (sdk->terminate_target > djp_load_relaxed(&sdk->flush_target)) {
        djp_store_release(&sdk->flush_target, sdk->terminate_target);
    }
    djp__mutex_unlock(&sdk->state);
    djp_add_acq_rel(&sdk->hurry, 1u);
}

static void
worker_refresh_anchor(djp_sdk *sdk, uint64_t now)
{
    if (now - sdk->anchor_refreshed >= WORKER__ANCHOR_NS) {
        sdk->anchor_refreshed = now;
        djp__clock_anchor_refresh();
    }
}

/* Called by transports while they wait: recording must not stall behind a slow receiver. 1 aborts the send. */
static int
worker_poll(void *user)
{
    djp_sdk *sdk = user;
    if (djp_load_acquire(&sdk->fork_wanted)) {
        djp__sdk_fork_park(sdk);
    }
    uint64_t now = djp__clock_monotonic();
    worker_refresh_anchor(sdk, now);
    worker_begin_terminate(sdk, now);
    djp__control_tick(&sdk->control, now);
    if (djp__recorder_is_muted(sdk->recorder)) {
        return 1; /* the request that is being sent must not leave either */
    }
    worker_collect(sdk, now);
    if (!sdk->queue_blocked) {
        djp__recorder_arm(sdk->recorder, worker_quarter(sdk));
    }
    if (djp_load_acquire(&sdk->stop)) {
        return 1;
    }
    return sdk->terminate_deadline != 0 && now >= sdk->terminate_deadline;
}

static uint64_t
worker_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Asks the recorder for a wake-up at that many bytes, and looks once more: what came while nobody asked would wake nobody, and a
 * ring that is already full takes no record that could. Returns the latest time to look again. */
static uint64_t
worker_arm(djp_sdk *sdk, uint64_t bytes, uint64_t now)
{
    size_t size = 0;
    if (djp__recorder_is_muted(sdk->recorder)) {
        return UINT64_MAX; /* no span will come; whoever switches on wakes us */
    }
    djp__recorder_arm(sdk->recorder, bytes);
    if (djp__ring_used(sdk->ring) < (bytes > 0 ? bytes : 1)) {
        return UINT64_MAX;
    }
    /* A record that is reserved and not committed yet is worth a little patience. */
    return djp__ring_peek(sdk->ring, &size) ? now : now + WORKER__UNCOMMITTED_NS;
}

/* Sleeps until something is due, a quarter of the ring is in use, or, when nothing is known to wait, the next span comes. The extra
 * look an interval into the quiet finds what a recorder committed at the very moment of asking. */
static void
worker_sleep(djp_sdk *sdk, uint64_t deadline, uint64_t now)
{
    uint64_t interval = worker_interval(sdk);
    if (sdk->queue_blocked) {
        deadline = worker_earlier(deadline, now + interval);
    } else if (sdk->due != 0) {
        deadline = worker_earlier(deadline, worker_arm(sdk, worker_quarter(sdk), now));
        deadline = worker_earlier(deadline, sdk->due);
    } else {
        deadline = worker_earlier(deadline, worker_arm(sdk, 0, now));
        deadline = djp__oplogs_sleep(sdk) ? now : deadline;
        if (sdk->idle_rounds++ == 0) {
            deadline = worker_earlier(deadline, now + interval);
        }
    }
    if (djp_load_acquire(&sdk->flush_target) > djp__ring_consumed(sdk->ring) && !sdk->queue_blocked) {
        /* Somebody waits for a record that another thread has reserved and not committed yet. */
        deadline = worker_earlier(deadline, now + WORKER__UNCOMMITTED_NS);
    }
    if (sdk->terminate_deadline != 0) {
        deadline = worker_earlier(deadline, sdk->terminate_deadline);
    }
    deadline = worker_earlier(deadline, djp__control_next(&sdk->control));
    deadline = sdk->oplogs_left ? now : deadline;
    if (deadline > now) {
        djp__wake_wait(&sdk->wake, deadline);
    }
}

/* What the end of the process will lose. Nothing is freed: requests may be on their way. */
static void
worker_count_lost(djp_sdk *sdk)
{
    size_t size = 0;
    djp__mutex_lock(&sdk->work);
    uint64_t lost = djp_load_relaxed(&sdk->queue.spans) + (uint64_t)djp__encoder_items(sdk->encoder);
    while (djp__ring_peek(sdk->ring, &size)) {
        djp__ring_consume(sdk->ring);
        lost++;
    }
    djp__mutex_unlock(&sdk->work);
    djp__loss(sdk, DJP_LOSS_SHUTDOWN, lost, djp__ring_consumed(sdk->ring));
}

/* ... and then the signal does what it would have done. The first process of a container goes on, with all that still waits. */
static void
worker_end_terminate(djp_sdk *sdk, uint64_t now)
{
    djp__mutex_lock(&sdk->state);
    int done = sdk->settled >= sdk->terminate_target || now >= sdk->terminate_deadline;
    djp__mutex_unlock(&sdk->state);
    if (!done) {
        return;
    }
    djp__account_end(&sdk->control.account);
    if (getpid() != 1) {
        worker_count_lost(sdk);
        djp__tell_lost(sdk);
    }
    sdk->terminate_deadline = 0;
    djp__signals_end(sdk);
}

static void
worker_round(djp_sdk *sdk)
{
    uint64_t now = djp__clock_monotonic();
    if (!worker_adopt(sdk)) {
        djp__wake_wait(&sdk->wake, now + WORKER__START_PAUSE_NS);
        return;
    }
    worker_refresh_anchor(sdk, now);
    worker_begin_terminate(sdk, now);
    djp__control_tick(&sdk->control, now);
    worker_collect(sdk, now);
    if (sdk->terminate_deadline != 0) {
        worker_end_terminate(sdk, now);
    }
    uint64_t next = djp__sender_step(sdk, now, worker_poll);
    if (next != 0 && !djp_load_acquire(&sdk->stop)) {
        worker_sleep(sdk, next, now);
    }
}

static void *
worker_main(void *argument)
{
    djp_sdk *sdk = argument;
    if (!sdk->transport->ops->shares_files) {
        djp__files_part();
    }
    while (!djp_load_acquire(&sdk->stop)) {
        worker_round(sdk);
    }
    djp__remote_stop(&sdk->control.remote);
    djp__mutex_lock(&sdk->work);
    djp__collect_discard(sdk, DJP_LOSS_SHUTDOWN);
    djp__mutex_unlock(&sdk->work);
    djp__account_end(&sdk->control.account);
    if (sdk->transport->ops->leave) {
        sdk->transport->ops->leave(sdk->transport);
    }
    djp__mutex_lock(&sdk->state);
    djp_store_release(&sdk->running, 0);
    djp__cond_broadcast(&sdk->changed);
    djp__mutex_unlock(&sdk->state);
    djp__sdk_unref(sdk);
    return NULL;
}

/* Notes of the thread before, which may have been the parent's. */
static void
worker_reset(djp_sdk *sdk)
{
    sdk->due = 0;
    sdk->active = 0;
    sdk->idle_rounds = 0;
    sdk->anchor_refreshed = 0;
    sdk->terminate_deadline = 0;
    sdk->failing_since = 0;
    sdk->hold_until = 0;
    sdk->single_until = 0;
    sdk->wants_one = 0;
    djp__retry_init(&sdk->backoff, 0, 0);
    sdk->worker_pid = getpid();
}

int
djp__worker_start_locked(djp_sdk *sdk)
{
    if (djp_load_relaxed(&sdk->running)) {
        return 0;
    }
    uint64_t now = djp__clock_monotonic();
    if (now < sdk->start_not_before) {
        return DJP_ETHREAD;
    }
    sdk->start_not_before = now + WORKER__START_PAUSE_NS;
    worker_reset(sdk);
    djp_add_acq_rel(&sdk->references, 1);
    djp_store_release(&sdk->running, 1);
    if (djp__thread_start(&sdk->thread, worker_main, sdk, "djp-telemetry") != 0) {
        djp_store_release(&sdk->running, 0);
        djp_sub_acq_rel(&sdk->references, 1);
        djp_add_relaxed(&sdk->stats.worker_start_failures, 1);
        return DJP_ETHREAD;
    }
    sdk->thread_joinable = 1;
    sdk->start_not_before = 0;
    djp_add_relaxed(&sdk->stats.worker_starts, 1);
    return 0;
}

void
djp__worker_wake(void *user)
{
    djp_sdk *sdk = user;
    if (djp_load_acquire(&sdk->running)) {
        djp__worker_notify(sdk);
        return;
    }
    djp__mutex_lock(&sdk->state);
    int failed = sdk->phase == DJP_PHASE_OPEN && djp__worker_start_locked(sdk) != 0;
    djp__mutex_unlock(&sdk->state);
    if (!failed) {
        return;
    }
    /* Tried again when an eighth more of the ring is in use, but not more than once a second. */
    uint64_t capacity = djp__ring_capacity(sdk->ring);
    djp__recorder_arm(sdk->recorder, worker_earlier(djp__ring_used(sdk->ring) + capacity / 8, capacity / 2));
    if (djp__every_minute(&sdk->start_warned)) {
        djp__diag(
            &sdk->diag, DJP_LOG_ERROR,
            "The export thread could not be started. Spans wait in memory and are lost when it is full; raise the "
            "process's limit of threads.");
    }
}
