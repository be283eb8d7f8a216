/* Tasks of an instance's worker other than batches and requests: parking for forks, clock, sampling
 * control, replay of operation logs, and the end of the process after a signal. */
#include <unistd.h>

#include "base/clock.h"
#include "oplog/oplog.h"
#include "sdk/sdk.h"

enum { TASKS__ANCHOR_NS = 1000000000 };

static void
tasks_park(void *user, uint64_t now)
{
    (void)now;
    djp__worker_park(&((djp_sdk *)user)->worker);
}

/* ---- the clock ---- */

static void
tasks_follow_clock(void *user, uint64_t now)
{
    djp__sdk_tasks *tasks = &((djp_sdk *)user)->tasks;
    if (now - tasks->anchor_refreshed >= TASKS__ANCHOR_NS) {
        tasks->anchor_refreshed = now;
        djp__clock_anchor_refresh();
    }
}

static void
tasks_enter_clock(void *user)
{
    ((djp_sdk *)user)->tasks.anchor_refreshed = 0;
}

/* ---- control ---- */

static void
tasks_control(void *user, uint64_t now)
{
    djp__control_tick(&((djp_sdk *)user)->control, now);
}

static uint64_t
tasks_control_due(void *user, uint64_t now)
{
    (void)now;
    return djp__control_next(&((djp_sdk *)user)->control);
}

static void
tasks_leave_control(void *user)
{
    djp__control *control = &((djp_sdk *)user)->control;
    djp__remote_stop(&control->remote);
    djp__account_end(&control->account);
}

/* ---- operation logs ---- */

/* Logs invalid bytes, which come from a defect of this library or from code that overwrote
 * memory. */
static void
tasks_report_damage(djp_sdk *sdk)
{
    uint64_t damage = djp__load_relaxed(&sdk->oplogs.damage);
    if (damage != sdk->tasks.damage_reported && djp__every_minute(&sdk->tasks.damage_warned)) {
        djp__diag(
            &sdk->diag, DJP_LOG_ERROR,
            "%llu operations of a binding were invalid and are lost, with their spans. Please "
            "report this with the versions of the SDK and of the runtime.",
            (unsigned long long)(damage - sdk->tasks.damage_reported));
        sdk->tasks.damage_reported = damage;
    }
}

static void
tasks_replay(void *user, uint64_t now)
{
    djp_sdk *sdk = user;
    int logs = djp__oplogs_replay(&sdk->oplogs, !sdk->traces.queue_blocked);
    sdk->tasks.oplogs_left = (logs & DJP__OPLOGS_LEFT) != 0;
    if ((logs & DJP__OPLOGS_MOVED) && sdk->traces.signal != NULL) {
        djp__pipeline_note_activity(&sdk->traces, now);
    }
    tasks_report_damage(sdk);
    djp__sdk_report_scopes(sdk);
}

/* Writers wake the worker only when spans do not keep it awake. */
static uint64_t
tasks_replay_due(void *user, uint64_t now)
{
    djp_sdk *sdk = user;
    if (sdk->tasks.oplogs_left) {
        return now;
    }
    /* Without spans to export, readers of metrics replay. */
    return sdk->traces.signal != NULL && djp__pipeline_is_idle(&sdk->traces) &&
                   djp__oplogs_request_wake(&sdk->oplogs)
               ? now
               : UINT64_MAX;
}

/* ---- end by a signal ---- */

/* All ended spans are sent within shutdown_timeout ... */
static void
tasks_begin_end(void *user, uint64_t now)
{
    djp_sdk *sdk = user;
    if (djp__load_acquire(&sdk->sigterm.signal) && sdk->worker.end_deadline == 0) {
        djp__oplogs_replay(&sdk->oplogs, 0);
        djp__sdk_collect_metrics(sdk);
        djp__flush_begin_end(&sdk->worker, sdk->pipelines,
                             djp__saturate(now, sdk->options.shutdown_timeout_ns));
    }
}

/* ... then the signal has its default effect. The first process of a container continues, with all
 * that still waits. */
static void
tasks_end(void *user, uint64_t now)
{
    djp_sdk *sdk = user;
    if (sdk->worker.end_deadline == 0 ||
        !djp__flush_end_is_over(&sdk->worker, sdk->pipelines, now)) {
        return;
    }
    djp__account_end(&sdk->control.account);
    if (getpid() != 1) {
        for (djp__pipeline *pipeline = sdk->pipelines; pipeline; pipeline = pipeline->next) {
            djp__pipeline_count_waiting(pipeline, DJP__LOSS_SHUTDOWN);
            djp__pipeline_report_lost(pipeline);
        }
    }
    sdk->worker.end_deadline = 0;
    djp__sigterm_end(sdk);
}

static uint64_t
tasks_end_due(void *user, uint64_t now)
{
    uint64_t deadline = ((djp_sdk *)user)->worker.end_deadline;
    (void)now;
    return deadline != 0 ? deadline : UINT64_MAX;
}

static void
tasks_enter_end(void *user)
{
    djp__sigterm_adopt(user);
}

void
djp__sdk_tasks_add(djp_sdk *sdk)
{
    djp__sdk_tasks *tasks = &sdk->tasks;
    const djp__task park = {.name = "park", .run = tasks_park};
    const djp__task clock = {
        .name = "clock", .run = tasks_follow_clock, .enter = tasks_enter_clock};
    const djp__task begin_end = {.name = "begin_end", .run = tasks_begin_end};
    const djp__task control = {.name = "control",
                               .run = tasks_control,
                               .next_due = tasks_control_due,
                               .leave = tasks_leave_control};
    const djp__task replay = {.name = "replay", .run = tasks_replay, .next_due = tasks_replay_due};
    const djp__task metrics = {.name = "metrics",
                               .run = djp__sdk_metrics_run,
                               .next_due = djp__sdk_metrics_due,
                               .enter = djp__sdk_metrics_enter};
    const djp__task end = {.name = "end",
                           .kind = DJP__TASK_BETWEEN,
                           .run = tasks_end,
                           .next_due = tasks_end_due,
                           .enter = tasks_enter_end};
    tasks->park = park;
    tasks->clock = clock;
    tasks->begin_end = begin_end;
    tasks->control = control;
    tasks->replay = replay;
    tasks->metrics = metrics;
    tasks->end = end;
    int has_traces = sdk->traces.signal != NULL;
    djp__task *const order[] = {&tasks->park,
                                &tasks->clock,
                                &tasks->begin_end,
                                &tasks->control,
                                &tasks->replay,
                                &tasks->metrics,
                                has_traces ? &sdk->traces.batch_task : NULL,
                                &tasks->end,
                                has_traces ? &sdk->traces.send_task : NULL};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (order[i] == NULL) {
            continue;
        }
        if (order[i]->user == NULL) {
            order[i]->user = sdk;
        }
        djp__worker_add(&sdk->worker, order[i]);
    }
}
