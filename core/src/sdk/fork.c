/* fork(2) for an instance. The forking thread waits, for a limited time, until the worker is
 * outside a library call, so that the child inherits consistent structures. The child only resets
 * them: thread, connection and waiting items belong to the parent. */
#include "oplog/oplog.h"
#include "sdk/sdk.h"

static void
fork_sdk_prepare(void *user)
{
    djp_sdk *sdk = user;
    djp__worker_fork_prepare(&sdk->worker);
    djp__oplogs_fork_prepare(&sdk->oplogs);
    for (djp__pipeline *pipeline = sdk->pipelines; pipeline; pipeline = pipeline->next) {
        djp__mutex_lock(&pipeline->work);
    }
    djp__mutex_lock(&sdk->worker.mutex);
    djp__control_fork_prepare(&sdk->control);
    djp__mutex_lock(&sdk->diag.mutex);
}

static void
fork_sdk_unlock_pipelines(djp_sdk *sdk)
{
    djp__mutex_unlock(&sdk->worker.mutex);
    for (djp__pipeline *pipeline = sdk->pipelines; pipeline; pipeline = pipeline->next) {
        djp__mutex_unlock(&pipeline->work);
    }
}

static void
fork_sdk_parent(void *user)
{
    djp_sdk *sdk = user;
    djp__mutex_unlock(&sdk->diag.mutex);
    djp__control_fork_parent(&sdk->control);
    djp__worker_fork_parent(&sdk->worker);
    fork_sdk_unlock_pipelines(sdk);
    djp__oplogs_fork_parent(&sdk->oplogs);
}

/* No allocation, and no system call but the ring's, so that a child that ends or calls exec at once
 * costs little. The child's worker replaces encoders, queues and the wake-up when it starts. */
static void
fork_sdk_child(void *user)
{
    djp_sdk *sdk = user;
    for (djp__pipeline *pipeline = sdk->pipelines; pipeline; pipeline = pipeline->next) {
        djp__pipeline_fork_child(pipeline);
    }
    djp__worker_fork_child(&sdk->worker);
    djp__store_relaxed(&sdk->references, 1);
    djp__store_relaxed(&sdk->sigterm.signal, 0);
    djp__store_relaxed(&sdk->sigterm.timer_ready, 0);
    if (sdk->worker.phase == DJP__PHASE_CLOSING) {
        sdk->worker.phase = DJP__PHASE_CLOSED; /* the closing thread does not exist in the child */
        djp__sigterm_disown(sdk);
    }
    if (sdk->recorder) {
        djp__recorder_fork_child(sdk->recorder);
    }
    djp__mutex_unlock(&sdk->diag.mutex);
    djp__control_fork_child(&sdk->control);
    fork_sdk_unlock_pipelines(sdk);
    djp__oplogs_fork_child(&sdk->oplogs);
}

void
djp__sdk_fork_init(djp_sdk *sdk)
{
    sdk->fork_hook = (djp__fork_hook){fork_sdk_prepare, fork_sdk_parent, fork_sdk_child, sdk, NULL};
    djp__fork_register(&sdk->fork_hook);
}
