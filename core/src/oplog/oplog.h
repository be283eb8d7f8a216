/* The reader of operation logs: what its files share. A log is replayed by one thread at a time,
 * under its mutex; its writer takes no lock at all. Lock order: the mutex of djp__oplogs, then a
 * log's mutex, then its link, then the locks of the instance.
 *
 *   state of a log   ATTACH      DETACH     FORKED
 *   DETACHED         ATTACHED    -          DETACHED
 *   ATTACHED         -           DETACHED   INHERITED
 *   INHERITED        ATTACHED    -          INHERITED
 *
 * Only what is written while a log is ATTACHED is recorded; of the rest symbols alone are kept.
 * FORKED: the process is a child, where the writer's half-written operations and open spans are the
 * parent's; INHERITED still files those spans, and frees them at the next attachment.
 *
 *   reader, as the writer sees it (DJP_OPLOG_ASLEEP)
 *   AWAKE    -> ASLEEP   the worker has nothing to do, sets the word, and looks at `published` once
 * more ASLEEP   -> AWAKE    the writer has published, finds the word, clears it and calls
 * djp_oplog_wake */
#ifndef DJP_OPLOG_OPLOG_H
#define DJP_OPLOG_OPLOG_H

#include "base/atomic.h"
#include "base/mem.h"
#include "base/ring.h"
#include "base/thread.h"
#include "djp/config.h"
#include "djp/http.h"
#include "djp/oplog.h"

typedef struct djp__oplog_symbol {
    char *text; /* owned; NULL: not defined */
    uint32_t size;
    djp_key key; /* 0: not interned yet */
    djp_scope scope; /* 0: not interned yet */
    uint16_t refused; /* 1: nor will be, because there are too many scopes */
} djp__oplog_symbol;

/* A local trace that the writer may still add to. */
typedef struct djp__oplog_trace {
    djp_span *root; /* a handle that keeps the local trace; NULL: a free place in the table */
    uint32_t number;
    uint32_t open; /* spans that have a slot */
    uint16_t retained; /* 1: in the list of those without open spans */
    uint16_t serial; /* tells it from one that has had its number */
} djp__oplog_trace;

typedef struct djp__oplog_span {
    djp_span *span; /* the local trace's root is owned by its trace, others by the slot */
    uint32_t number; /* of its local trace */
    uint8_t is_root;
    uint8_t in_trace; /* counted in its `open` */
    uint16_t serial; /* of the trace */
} djp__oplog_span;

typedef enum djp__oplog_state {
    DJP__OPLOG_DETACHED,
    DJP__OPLOG_ATTACHED,
    DJP__OPLOG_INHERITED,
    DJP__OPLOG_STATES
} djp__oplog_state;
typedef enum djp__oplog_event {
    DJP__OPLOG_ATTACH,
    DJP__OPLOG_DETACH,
    DJP__OPLOG_FORKED,
    DJP__OPLOG_EVENTS
} djp__oplog_event;

struct djp_oplog {
    DJP_ATOMIC(uint32_t) * control; /* the shared memory, owned */
    const uint64_t *ring; /* behind the control words */
    uint32_t units;
    DJP_ATOMIC(int) references;

    djp_mutex mutex; /* all below, but state and owner */
    uint32_t seen_lost[3]; /* the writer's loss counters at the last look */
    uint64_t damaged; /* operations that made no sense */
    uint64_t seen_damaged; /* of these, reported */
    djp__oplog_symbol *symbols; /* DJP_OPLOG_SYMBOLS */
    djp__oplog_span *spans; /* DJP_OPLOG_SLOTS; pages are touched only when used */
    uint32_t slot_end; /* behind the highest slot that was used since the attachment */
    djp__oplog_trace *traces; /* open addressing by number */
    uint32_t trace_places; /* a power of two */
    uint32_t trace_count;
    uint32_t retained[DJP_OPLOG_TRACES_KEPT]; /* numbers, oldest at retained_first */
    uint32_t retained_first, retained_count;
    uint16_t serial; /* of the latest trace */
    djp_http_server *server; /* of the SDK it is attached to */
    djp_recorder *recorder; /* borrowed from that; NULL: no traces */
    djp_arena arena; /* of the value being read */

    djp_mutex link; /* state and owner */
    djp__oplog_state state; /* written under both mutexes, read under either, as the next */
    struct djp__oplogs *owner; /* of an attached log */
    djp_oplog *next; /* in the owner's list, under its mutex */
};

/* One operation as it lies in the ring. */
typedef struct djp__oplog_operation {
    unsigned kind; /* djp_op */
    uint32_t word; /* word 1 */
    const unsigned char *data; /* payload */
    size_t size;
} djp__oplog_operation;

/* replay.c; the mutex is held. 0 when the operation made no sense. */
int djp__oplog_replay(djp_oplog *log, const djp__oplog_operation *operation);
#define djp__oplog_is_plain(kind) \
    ((kind)-DJP_OP_TEXT <= DJP_OP_FALSE - DJP_OP_TEXT || (kind) == DJP_OP_SYMBOL)
#define djp__oplog_is_end(kind) ((kind) == DJP_OP_END || (kind) == DJP_OP_HTTP_END)
/* Replays the plain attributes that stand at a position, as far as they are whole and before `end`;
 * returns the position of what comes then, of whatever kind. */
uint32_t djp__oplog_replay_attributes(djp_oplog *log, uint32_t position, uint32_t end);

/* spans.c; the mutex is held. */
djp_span *djp__oplog_span_at(const djp_oplog *log, uint32_t slot); /* NULL: not open */
/* Registers a started span in its slot. is_root: it began local trace `number`. Takes the
 * handle. */
void djp__oplog_open(djp_oplog *log, uint32_t slot, uint32_t number, djp_span *span, int is_root);
/* The handle below which a span of a local trace starts: of the span in that slot when it has the
 * id, else of the root. NULL when the trace is not known (any more). */
djp_span *
djp__oplog_parent(djp_oplog *log, uint32_t number, uint32_t slot, const uint8_t span_id[8]);
/* Frees the slot of a span that has ended, or not: then it counts as never ended. */
void djp__oplog_close(djp_oplog *log, uint32_t slot, int ended);
void djp__oplog_close_all(djp_oplog *log);

/* value.c: reads one value at *at, which moves behind it; everything borrows from the log and its
 * arena. 0: malformed. */
int djp__oplog_value(djp_value *out, djp_oplog *log, const unsigned char **at,
                     const unsigned char *end);
/* The same for a map, as attributes, and for a string. */
int djp__oplog_attributes(const djp_attribute **out, size_t *count, djp_oplog *log,
                          const unsigned char **at, const unsigned char *end);
/* The same for a whole map, in an arena of the caller's. */
int djp__oplog_attributes_in(const djp_attribute **out, size_t *count, djp_arena *arena,
                             const void *data, size_t size);
int djp__oplog_text(djp_text *out, const unsigned char **at, const unsigned char *end);

/* scope.c: the scope that the text of a symbol names; 0 when there is no room or memory for it. */
djp_scope djp__oplog_scope(const char *symbol, size_t size);

/* ring.c. Positions of the writer and of the reader; the reader's is the replaying thread's. */
uint32_t djp__oplog_published(const djp_oplog *log);
uint32_t djp__oplog_consumed(const djp_oplog *log);
int djp__oplog_is_half_full(const djp_ring *ring); /* of spans; 0 for NULL */
/* Replays until `end`, until the budget of units is used up or, given a ring, until an end of a
 * span finds that half full; the mutex is held, as below. */
void djp__oplog_replay_until(djp_oplog *log, uint32_t end, uint32_t budget, const djp_ring *ring);
/* Reports what the writer counted as lost since the last look. */
void djp__oplog_take_losses(djp_oplog *log);

/* What the logs of an instance see of it. Borrowed; constant while a log is attached. */
typedef struct djp__oplog_host {
    const djp_options *options;
    djp_recorder *recorder; /* NULL: traces are off */
    djp_registry *registry; /* NULL: metrics are off, as the next */
    djp_builtin *standard;
    const djp_ring *ring; /* of spans; NULL: there is no worker, because nothing can leave */
    void (*ref)(void *user); /* keeps the instance */
    void (*unref)(void *user);
    int (*is_open)(void *user); /* 0: shutdown has begun */
    int (*wake)(void *user); /* starts or wakes the worker; 1 when there is one now */
    void *user;
} djp__oplog_host;

/* attach.c: the logs of one instance. */
typedef struct djp__oplogs {
    djp__oplog_host host;
    djp_mutex mutex; /* first, taken before all other locks of an instance */
    djp_oplog *first; /* attached ones, a reference each */
    DJP_ATOMIC(uint64_t) damage; /* operations that made no sense; any thread, relaxed */
    /* 1: a log named a scope that found no room; any thread, relaxed */
    DJP_ATOMIC(int) scopes_full;
} djp__oplogs;

/* The state after an event; -1 where the table has none. */
int djp__oplog_next(djp__oplog_state state, djp__oplog_event event);
void djp__oplogs_init(djp__oplogs *oplogs); /* then set host */
void djp__oplogs_fini(djp__oplogs *oplogs); /* none is attached */
/* 0, DJP_ESHUTDOWN, DJP_EEXIST or DJP_ENOMEM. */
int djp__oplogs_attach(djp__oplogs *oplogs, djp_oplog *log);
void djp__oplogs_detach(djp__oplogs *oplogs); /* all of them */
enum { DJP__OPLOGS_LEFT = 1, DJP__OPLOGS_MOVED = 2 };
/* Replays what all logs hold. Stops where the ring is half full when `gently`, and then
 * DJP__OPLOGS_LEFT is in the result; DJP__OPLOGS_MOVED when there was anything to replay. */
int djp__oplogs_replay(djp__oplogs *oplogs, int gently);
/* Asks all writers to wake the worker at their next span; 1 when something was published
 * meanwhile. */
int djp__oplogs_request_wake(djp__oplogs *oplogs);
/* Recording was switched, or roots are decided otherwise. */
void djp__oplogs_notify_writers(djp__oplogs *oplogs);
/* Around fork(2): no log is in the middle of anything, and the child has none. */
void djp__oplogs_fork_prepare(djp__oplogs *oplogs);
void djp__oplogs_fork_parent(djp__oplogs *oplogs);
void djp__oplogs_fork_child(djp__oplogs *oplogs);

#endif
