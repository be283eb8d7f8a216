/* The reader of an operation log: what its files share. A log is replayed by one thread at a time, under its mutex; its writer takes
 * no lock at all. Lock order: sdk->oplog_mutex, then a log's mutex, then its link, then the SDK's `state`. */
#ifndef DJP_OPLOG_OPLOG_H
#define DJP_OPLOG_OPLOG_H

#include "base/atomic.h"
#include "base/mem.h"
#include "base/thread.h"
#include "djp/oplog.h"

typedef struct djp_oplog_symbol {
    char *text; /* owned; NULL: not defined */
    uint32_t size;
    djp_key key; /* 0: not interned yet */
    djp_scope scope; /* 0: not interned yet */
    uint16_t refused; /* 1: nor will be, because there are too many scopes */
} djp_oplog_symbol;

/* A local trace that the writer may still add to. */
typedef struct djp_oplog_trace {
    djp_span *root; /* a handle that keeps the local trace; NULL: a free place in the table */
    uint32_t number;
    uint32_t open; /* spans that have a slot */
    uint16_t kept; /* 1: in the list of those without open spans */
    uint16_t serial; /* tells it from one that has had its number */
} djp_oplog_trace;

typedef struct djp_oplog_span {
    djp_span *span; /* the local trace's root is owned by its trace, others by the slot */
    uint32_t number; /* of its local trace */
    uint8_t is_root;
    uint8_t in_trace; /* counted in its `open` */
    uint16_t serial; /* of the trace */
} djp_oplog_span;

struct djp_oplog {
    DJP_ATOMIC(uint32_t) * control; /* the shared memory, owned */
    const uint64_t *ring; /* behind the control words */
    uint32_t units;
    DJP_ATOMIC(int) references;

    djp_mutex mutex; /* all below, but sdk */
    uint32_t seen_lost[3]; /* the writer's loss counters at the last look */
    uint64_t damaged; /* operations that made no sense */
    uint64_t seen_damaged; /* of these, reported */
    djp_oplog_symbol *symbols; /* DJP_OPLOG_SYMBOLS */
    djp_oplog_span *spans; /* DJP_OPLOG_SLOTS; pages are touched only when used */
    uint32_t slot_end; /* behind the highest slot that was used since the attachment */
    djp_oplog_trace *traces; /* open addressing by number */
    uint32_t trace_places; /* a power of two */
    uint32_t trace_count;
    uint32_t kept[DJP_OPLOG_TRACES_KEPT]; /* numbers, oldest at kept_first */
    uint32_t kept_first, kept_count;
    uint16_t serial; /* of the latest trace */
    djp_http_server *server; /* of the SDK it is attached to */
    djp_recorder *recorder; /* borrowed from that; NULL: no traces */
    djp_arena arena; /* of the value being read */

    djp_mutex link; /* sdk */
    djp_sdk *sdk; /* written under both mutexes, read under either */
    djp_oplog *next; /* in the SDK's list, under its oplog_mutex */
};

/* One operation as it lies in the ring. */
typedef struct djp_oplog_operation {
    unsigned kind; /* djp_op */
    uint32_t word; /* word 1 */
    const unsigned char *data; /* payload */
    size_t size;
} djp_oplog_operation;

/* oplog_replay.c; the mutex is held. 0 when the operation made no sense. */
int djp__oplog_replay(djp_oplog *log, const djp_oplog_operation *operation);
#define djp_oplog_is_plain(kind) ((kind)-DJP_OP_TEXT <= DJP_OP_FALSE - DJP_OP_TEXT || (kind) == DJP_OP_SYMBOL)
#define djp_oplog_is_end(kind) ((kind) == DJP_OP_END || (kind) == DJP_OP_HTTP_END)
/* Replays the plain attributes that stand at a position, as far as they are whole and before `end`; returns the position of what comes
 * then, of whatever kind. */
uint32_t djp__oplog_replay_attributes(djp_oplog *log, uint32_t position, uint32_t end);

/* oplog_spans.c; the mutex is held. */
djp_span *djp__oplog_span(const djp_oplog *log, uint32_t slot); /* NULL: not open */
/* Files a started span under its slot. is_root: it began local trace `number`. Takes the handle. */
void djp__oplog_open(djp_oplog *log, uint32_t slot, uint32_t number, djp_span *span, int is_root);
/* The handle below which a span of a local trace starts: of the span in that slot when it has the id, else of the root. NULL when the trace
 * is not known (any more). */
djp_span *djp__oplog_parent(djp_oplog *log, uint32_t number, uint32_t slot, const uint8_t span_id[8]);
/* Frees the slot of a span that has ended, or not: then it counts as never ended. */
void djp__oplog_close(djp_oplog *log, uint32_t slot, int ended);
void djp__oplog_close_all(djp_oplog *log);

/* oplog_value.c: reads one value at *at, which moves behind it; everything borrows from the log and its arena. 0: malformed. */
int djp__oplog_value(djp_value *out, djp_oplog *log, const unsigned char **at, const unsigned char *end);
/* The same for a map, as attributes, and for a string. */
int djp__oplog_attributes(const djp_attribute **out, size_t *count, djp_oplog *log, const unsigned char **at,
                          const unsigned char *end);
/* The same for a whole map, in an arena of the caller's. */
int djp__oplog_attributes_in(const djp_attribute **out, size_t *count, djp_arena *arena, const void *data, size_t size);
int djp__oplog_text(djp_text *out, const unsigned char **at, const unsigned char *end);

/* oplog_scope.c: the scope that the text of a symbol names; 0 when there is no room or memory for it. */
djp_scope djp__oplog_scope(const char *symbol, size_t size);
/* Says once that there was none. No lock is held. */
void djp__oplog_tell_scopes(djp_sdk *sdk);

enum { DJP_OPLOGS_LEFT = 1, DJP_OPLOGS_MOVED = 2 };
/* oplog.c, for the rest of the pipeline. Replays what all logs of sdk hold. Stops where the ring is half full when `gently`, and then
 * DJP_OPLOGS_LEFT is in the result; DJP_OPLOGS_MOVED when there was anything to replay. Neither `state` nor `work` is held. */
int djp__oplogs_replay(djp_sdk *sdk, int gently);
/* The same, waiting for the worker to make room until the deadline. 1: something is left. */
int djp__oplogs_settle(djp_sdk *sdk, uint64_t deadline);
/* The same for a look at the state or the metrics, which counts what was just recorded but waits only a moment for room. */
void djp__oplogs_catch_up(djp_sdk *sdk);
/* Asks all writers to wake the worker at their next span; 1 when something was published meanwhile. */
int djp__oplogs_sleep(djp_sdk *sdk);
void djp__oplogs_detach(djp_sdk *sdk);
/* Recording was switched, or roots are decided otherwise. Takes oplog_mutex. */
void djp__oplogs_tell(djp_sdk *sdk);
/* Around fork(2): no log is in the middle of anything, and the child has none. */
void djp__oplogs_fork_prepare(djp_sdk *sdk);
void djp__oplogs_fork_parent(djp_sdk *sdk);
void djp__oplogs_fork_child(djp_sdk *sdk);

#endif
