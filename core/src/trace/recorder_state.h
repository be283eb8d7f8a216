/* The private structure of a recorder: options, ring, wake level, and counters in stripes with one
 * writer thread each, so that counting is a plain addition. */
#ifndef DJP_TRACE_RECORDER_STATE_H
#define DJP_TRACE_RECORDER_STATE_H

#include "base/atomic.h"
#include "base/thread.h"
#include "sampling/tail_rules.h"
#include "trace/recorder.h"
#include "trace/span_processor.h"
#include "sampling/head.h"
#include "sampling/tree.h"

/* Counters of spans exist once per sampling result (djp__local_trace.counter_set). */
typedef enum djp__count_place {
    DJP__COUNT_STARTED, /* without a parent; the others follow in the order of DJP_ORIGIN_* */
    DJP__COUNT_STARTED_LOCAL,
    DJP__COUNT_STARTED_REMOTE,
    DJP__COUNT_RELEASED,
    DJP__COUNT_WAITED, /* ended and put on a waiting list */
    DJP__COUNT_COMPLETED, /* taken off it, counted by outcome */
    DJP__COUNT_DECIDED, /* + DJP_REASON_* */
    DJP__COUNT_DROPPED = DJP__COUNT_DECIDED + DJP__REASONS, /* + DJP__DROP_* */
    DJP__COUNT_BUFFER_FULL = DJP__COUNT_DROPPED + DJP__DROPS,
    DJP__COUNT_TIMEOUT,
    DJP__COUNT_LATE_SAMPLED,
    DJP__COUNT_LATE_SAMPLED_PARTS,
    DJP__COUNT_ATTRIBUTES,
    DJP__COUNT_LAST
} djp__count_place;

/* Places of one sampling result, and where each begins. */
enum {
    DJP__COUNT_SET = 32,
    DJP__SET_DROP = DJP__OUTCOME_DROP * DJP__COUNT_SET,
    DJP__SET_RECORD = DJP__OUTCOME_RECORD_ONLY * DJP__COUNT_SET,
    DJP__SET_SAMPLE = DJP__OUTCOME_SAMPLE * DJP__COUNT_SET
};
#define DJP__COUNT_DROP(name) ((djp__count_place)(DJP__COUNT_DROPPED + DJP__DROP_##name))
_Static_assert((int)DJP__COUNT_LAST <= (int)DJP__COUNT_SET, "the counters fit into their set");

#define DJP__STRIPES 32u /* the first is shared by threads without a free one */
#define DJP__WAKE_NEVER UINT64_MAX

/* Bits of djp_recorder.state, the one place that defines whether recording is on: starts and ends
 * test these bits, worker and sender call djp__recorder_is_muted, and writers of operation logs
 * read the state that oplog/attach.c publishes. MUTED follows from OFF and from a policy that drops
 * all. */
enum {
    DJP__RECORDER_CLOSED = 1, /* final */
    DJP__RECORDER_OFF = 2,
    DJP__RECORDER_MUTED = 4,
    /* the next start calls options.wake, whatever the outcome of its span */
    DJP__RECORDER_FIRST = 8,
    DJP__RECORDER_NO_STARTS = DJP__RECORDER_CLOSED | DJP__RECORDER_OFF,
    DJP__RECORDER_NO_ENDS = DJP__RECORDER_CLOSED | DJP__RECORDER_OFF | DJP__RECORDER_MUTED
};

/* Bits of djp_recorder.begins: rare work at the start of a local trace. */
enum {
    DJP__BEGINS_RULED = 1, /* rules may allow it more time */
    DJP__BEGINS_PROCESSED = 2 /* span processors run for its spans */
};

/* Policies of a recorder, the first from its options; in the upper half only those of the scale are
 * added. */
#define DJP__POLICIES_MAX 2048u

/* The sampler tree of a recorder. A deciding thread increments readers before it loads the tree, so
 * a replaced tree may be freed when readers is 0. */
typedef struct djp__tree_slot {
    /* owned; written under the tables lock, sequentially consistent */
    DJP__ATOMIC(djp_sampler *) tree;
    DJP__ATOMIC(uint32_t) readers; /* any thread, sequentially consistent */
    djp_sampler *retired; /* owned, linked by next; under the tables lock */
    unsigned retired_count;
    djp__policy policy; /* selects the tree; constant */
} djp__tree_slot;

typedef struct djp__stripe {
    /* Written by the owner with plain additions (release); the first stripe by any thread,
     * atomically. */
    _Alignas(64) DJP__ATOMIC(uint64_t) value[DJP__OUTCOMES * DJP__COUNT_SET];
    DJP__ATOMIC(uint64_t) owner; /* a thread's token or 0; acquire-release */
} djp__stripe;

/* Attribute keys of failed spans (span_error.c). */
typedef struct djp__error_keys {
    djp_key error, type, message, exception_type, exception_message;
} djp__error_keys;
void djp__error_keys_init(djp__error_keys *out);

struct djp_recorder {
    djp__recorder_options options;
    DJP__ATOMIC(const djp__policy *) policy; /* active; written under the tables lock, release */
    djp__policy first; /* of the options */
    /* of later policies and of the tree; written under the tables lock, relaxed */
    DJP__ATOMIC(uint64_t) canary;
    djp_ring *ring;
    uint32_t record_max; /* in bytes; at most a quarter of the ring */
    uint8_t tail_rules; /* 1: errors, slowness or rules may sample a trace that the head drops */
    uint8_t tail_counter_set; /* for traces that the head drops */
    /* unique number of this recorder in this process; changed in a forked child */
    uint64_t serial;
    /* DJP__RECORDER_*; any thread; relaxed, sequentially consistent against `waking` */
    DJP__ATOMIC(int) state;
    DJP__ATOMIC(int) waking; /* threads inside options.wake; any thread, sequentially consistent */
    djp_recorder *next; /* in the list of all recorders, under the tables lock */
    int parked; /* freed by its owner while spans live; under the tables lock */
    void *memory; /* the allocated block */
    uint64_t decision_wait_ns; /* INT64_MAX for no limit */
    djp__tail_rules *rules; /* owned; NULL without rules */
    struct djp__rate_limit *limit; /* owned; NULL without one */
    uint8_t begins; /* DJP__BEGINS_*; constant once a span has started */
    djp_key route_key, late_key;
    djp__error_keys error_keys;
    /* Bytes at which wake is called; DJP__WAKE_NEVER: disabled. Any thread, sequentially
     * consistent. */
    _Alignas(64) DJP__ATOMIC(uint64_t) wake_level;
    _Alignas(64) DJP__ATOMIC(uint64_t) decision_buffer_bytes; /* any thread, relaxed */
    /* spans of the parent process not released yet; any thread, relaxed */
    DJP__ATOMIC(uint64_t) inherited;
    djp__stripe stripes[DJP__STRIPES];
    /* all but the first; owned as long as the recorder, because local traces borrow from them.
     * Under the tables lock */
    djp__policy *policies[DJP__POLICIES_MAX];
    uint32_t policy_count; /* with the first; under the tables lock */
    /* applies without a ratio: &first or that of the slot; under the tables lock */
    const djp__policy *configured;
    /* 1: a ratio is set and replaces `configured`; under the tables lock */
    int by_ratio;
    /* DJP_NEEDS_* of active policy and processors; written under the tables lock, relaxed */
    DJP__ATOMIC(uint32_t) needs;
    djp__tree_slot slot;
    /* both constant once a span has started */
    djp__span_processor processors[DJP__SPAN_PROCESSORS_MAX];
    uint32_t processor_count;
};

/* Data of one thread: idle blocks, and the stripe of the recorder it used last. */
typedef struct djp__thread_state {
    djp_span *blocks;
    uint32_t block_count;
    uint32_t registered; /* 1: the thread's end is observed */
    /* of the recorder of that stripe; 0 if it is the shared one, and initially */
    uint64_t serial;
    djp__stripe *stripe;
    uint64_t shared; /* serial of the recorder whose shared stripe the thread counts in */
    uint64_t token; /* unique number of this thread */
    uint32_t is_processing; /* 1: inside a span processor */
} djp__thread_state;

extern DJP__THREAD_LOCAL djp__thread_state djp__thread;

/* Observes the end of the thread, to return its blocks and stripes. */
void djp__thread_register(djp__thread_state *thread);
/* Counts for a thread without a stripe in this recorder, after trying to claim one. */
void djp__count_unclaimed(djp_recorder *recorder, uint32_t which, uint64_t n);
/* Releases the stripes of a thread that ends. */
void djp__recorder_leave(uint64_t token);

static inline void
djp__count_add(djp_recorder *recorder, uint32_t which, uint64_t n)
{
    djp__thread_state *thread = &djp__thread;
    if (__builtin_expect(thread->serial != recorder->serial, 0)) {
        djp__count_unclaimed(recorder, which, n);
        return;
    }
    DJP__ATOMIC(uint64_t) *value = &thread->stripe->value[which];
    djp__store_release(value, djp__load_relaxed(value) + n);
}

#define djp__count(recorder, which) djp__count_add((recorder), (uint32_t)(which), 1)
/* The same under the sampling result of a local trace. */
#define djp__count_in(recorder, local, which) \
    djp__count_add((recorder), (uint32_t)(which) + (local)->counter_set, 1)

/* root_policy.c: activates the policy of the options; frees all. */
void djp__policies_init(djp_recorder *recorder);
void djp__policies_free(djp_recorder *recorder);
/* The active policy. */
static inline const djp__policy *
djp__recorder_policy(const djp_recorder *recorder)
{
    return djp__load_acquire(&recorder->policy);
}

/* recorder_state.c: sets whether recording is off, and the bits that follow from that and from the
 * active policy. Under the tables lock. */
void djp__recorder_set_off(djp_recorder *recorder, int off);
/* tree_slot.c: activates a policy. Under the tables lock. */
void djp__policy_put(djp_recorder *recorder, const djp__policy *policy);
/* root_policy.c: the policy without a ratio, with the active canary; NULL without memory. Under the
 * tables lock. */
const djp__policy *djp__policy_configured(djp_recorder *recorder);
/* Decides by the sampler tree. Borrows all. */
void djp__policy_decide_by_tree(djp__head *out, djp_recorder *recorder, djp__sampler_input *input);
void djp__tree_slot_fini(djp__tree_slot *slot);

/* span_processor.c */
unsigned djp__span_processors_need(const djp_recorder *recorder);
void djp__span_processors_free(djp_recorder *recorder);

/* A start that records nothing: wakes a reader that waits for the next span, because only the
 * worker can turn recording on again. Accepts NULL. */
void djp__recorder_notify(djp_recorder *recorder);
/* Called by a start while recording is not on: 1 if it may proceed. Accepts NULL. */
int djp__recorder_try_start(djp_recorder *recorder);
/* Calls options.wake unless the recorder is closed. */
void djp__recorder_wake(djp_recorder *recorder);

/* Called after a commit. The caller of wake disables the level. */
static inline void
djp__recorder_committed(djp_recorder *recorder)
{
    uint64_t level = djp__load_seq_cst(&recorder->wake_level);
    if (__builtin_expect(level != DJP__WAKE_NEVER, 0) && djp__ring_used(recorder->ring) >= level &&
        djp__swap_seq_cst(&recorder->wake_level, DJP__WAKE_NEVER) != DJP__WAKE_NEVER &&
        recorder->options.wake) {
        djp__recorder_wake(recorder);
    }
}

#endif
