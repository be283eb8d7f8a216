/* Whether a recorder records, as bits of one word, and how starts and commits wake the reader of
 * its ring. */
#include "trace/recorder_state.h"

void
djp__recorder_set_off(djp_recorder *recorder, int off)
{
    int muted = off || djp__load_relaxed(&recorder->policy)->drop_all;
    int bits = (off ? DJP__RECORDER_OFF : 0) | (muted ? DJP__RECORDER_MUTED : 0);
    if ((djp__load_relaxed(&recorder->state) & (DJP__RECORDER_OFF | DJP__RECORDER_MUTED)) == bits) {
        return;
    }
    djp__or_seq_cst(&recorder->state, bits);
    djp__and_seq_cst(&recorder->state, bits | DJP__RECORDER_CLOSED | DJP__RECORDER_FIRST);
    if (bits == 0) {
        /* a reader that slept while recording was off wakes at the next span */
        djp__recorder_set_wake_level(recorder, 0);
    }
}

int
djp__recorder_is_muted(const djp_recorder *recorder)
{
    return (djp__load_acquire(&recorder->state) & DJP__RECORDER_MUTED) != 0;
}

void
djp__recorder_set_wake_level(djp_recorder *recorder, uint64_t used_bytes)
{
    djp__swap_seq_cst(&recorder->wake_level, used_bytes);
}

void
djp__recorder_wake(djp_recorder *recorder)
{
    /* Announced before the check, so that a thread that closes the recorder either is seen here or
     * waits. */
    djp__add_seq_cst(&recorder->waking, 1);
    if (!(djp__load_seq_cst(&recorder->state) & DJP__RECORDER_CLOSED)) {
        recorder->options.wake(recorder->options.wake_user);
    }
    djp__sub_acq_rel(&recorder->waking, 1);
}

void
djp__recorder_notify(djp_recorder *recorder)
{
    uint64_t level = 0;
    if (recorder != NULL && djp__load_relaxed(&recorder->wake_level) == 0 &&
        recorder->options.wake &&
        djp__cas_strong_acq_rel(&recorder->wake_level, &level, DJP__WAKE_NEVER)) {
        djp__recorder_wake(recorder);
    }
}

int
djp__recorder_try_start(djp_recorder *recorder)
{
    if (recorder == NULL) {
        return 0;
    }
    if (djp__load_relaxed(&recorder->state) & DJP__RECORDER_FIRST) {
        djp__and_seq_cst(&recorder->state, ~DJP__RECORDER_FIRST);
        djp__recorder_wake(recorder);
    }
    if (djp__load_relaxed(&recorder->state) & DJP__RECORDER_NO_STARTS) {
        djp__recorder_notify(recorder);
        return 0;
    }
    return 1;
}

void
djp__recorder_close(djp_recorder *recorder)
{
    djp__or_seq_cst(&recorder->state, DJP__RECORDER_CLOSED);
}
