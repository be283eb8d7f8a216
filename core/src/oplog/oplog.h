/* The reader of operation logs (oplogs). One thread at a time replays an oplog, under its mutex;
 * its writer takes no lock. Lock order: the mutex of djp__oplogs, an oplog's mutex, its link, then
 * the locks of the instance.
 *
 *   state       ATTACH      DETACH     FORKED
 *   DETACHED    ATTACHED    -          DETACHED
 *   ATTACHED    -           DETACHED   INHERITED
 *   INHERITED   ATTACHED    -          INHERITED
 *
 * Operations are recorded only while an oplog is ATTACHED; otherwise only its symbols are read.
 * FORKED: in a child process, incomplete operations and open spans of the writer belong to the
 * parent. INHERITED: the oplog still has those spans, and frees them at the next attachment.
 *
 * The reader, as the writer sees it (DJP_OPLOG_ASLEEP):
 *
 *   AWAKE -> ASLEEP   the idle worker sets the word, and checks `published` once more
 *   ASLEEP -> AWAKE   the writer, after publishing, clears the word and calls djp_oplog_wake */
#ifndef DJP_OPLOG_OPLOG_H
#define DJP_OPLOG_OPLOG_H

#include "base/atomic.h"
#include "base/mem.h"
#include "base/ring.h"
#include "base/thread.h"
#include "djp/config.h"
#include "djp/http.h"
#include "djp/oplog.h"
#include "instrument/http_client.h"
#include "instrument/operation.h"

typedef struct djp__oplog_symbol {
    char *text; /* owned; NULL: not defined */
    uint32_t size;
    djp_key key; /* 0: not interned yet */
    djp_scope scope; /* 0: not interned yet */
    uint16_t refused; /* 1: the scope table is full */
} djp__oplog_symbol;

/* A local trace that the writer may still add to. */
typedef struct djp__oplog_trace {
    djp_span *root; /* a handle that keeps the local trace; NULL: a free place */
    uint32_t number;
    uint32_t open; /* spans that have a slot */
    uint16_t retained; /* 1: in the list of traces without open spans */
    uint16_t serial; /* distinguishes traces with the same number */
} djp__oplog_trace;

typedef struct djp__oplog_span {
    djp_span *span; /* a local root is owned by its trace, others by the slot */
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
    DJP__ATOMIC(uint32_t) * control; /* the shared memory, owned */
    const uint64_t *ring; /* after the control words */
    uint32_t units;
    DJP__ATOMIC(int) references;

    djp_mutex mutex; /* guards all below except state and owner */
    uint32_t seen_lost[3]; /* the writer's loss counters at the last check */
    uint64_t damaged; /* invalid operations */
    uint64_t seen_damaged; /* of these, reported */
    djp__oplog_symbol *symbols; /* DJP_OPLOG_SYMBOLS */
    djp__oplog_span *spans; /* DJP_OPLOG_SLOTS; pages are touched only when used */
    uint32_t slot_end; /* end of the slots used since the attachment */
    djp__oplog_trace *traces; /* open addressing by number */
    uint32_t trace_places; /* a power of two */
    uint32_t trace_count;
    uint32_t retained[DJP_OPLOG_TRACES_KEPT]; /* numbers, oldest at retained_first */
    uint32_t retained_first, retained_count;
    uint16_t serial; /* of the latest trace */
    djp_http_server *server; /* of the SDK it is attached to */
    djp_recorder *recorder; /* borrowed from that; NULL: no traces */
    djp__arena arena; /* of the value being read */
    /* The last baggage and its list, which is NULL for an empty one; owned. No text: none yet. */
    char *baggage_text;
    size_t baggage_size;
    djp_baggage *baggage;

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

/* replay.c; the mutex is held. 0: invalid operation. */
int djp__oplog_replay(djp_oplog *log, const djp__oplog_operation *operation);
#define djp__oplog_is_plain(kind) \
    ((kind)-DJP_OP_TEXT <= DJP_OP_FALSE - DJP_OP_TEXT || (kind) == DJP_OP_SYMBOL)
#define djp__oplog_is_end(kind) \
    ((kind) == DJP_OP_END || (kind) == DJP_OP_HTTP_END || (kind) == DJP_OP_RESULT)
/* Replays complete plain attributes at a position, before `end`; returns the position after
 * them. */
uint32_t djp__oplog_replay_attributes(djp_oplog *log, uint32_t position, uint32_t end);

/* spans.c; the mutex is held. */
djp_span *djp__oplog_span_at(const djp_oplog *log, uint32_t slot); /* NULL: not open */
/* Registers a started span in its slot. is_root: it began local trace `number`. Takes the
 * handle. */
void djp__oplog_open(djp_oplog *log, uint32_t slot, uint32_t number, djp_span *span, int is_root);
/* Returns the parent handle for a span of a local trace: that of the slot if it has the id, else
 * the root. NULL if the trace is unknown. */
djp_span *
djp__oplog_parent(djp_oplog *log, uint32_t number, uint32_t slot, const uint8_t span_id[8]);
/* Frees the slot of a span; one that has not ended counts as never ended. */
void djp__oplog_close(djp_oplog *log, uint32_t slot, int ended);
void djp__oplog_close_all(djp_oplog *log);

/* value.c: reads one value at *at and advances it; everything borrows from the oplog and its arena.
 * 0: malformed. */
int djp__oplog_value(djp_value *out, djp_oplog *log, const unsigned char **at,
                     const unsigned char *end);
/* The same for a map, as attributes, and for a string. */
int djp__oplog_attributes(const djp_attribute **out, size_t *count, djp_oplog *log,
                          const unsigned char **at, const unsigned char *end);
/* The same for a whole map, in the caller's arena. */
int djp__oplog_attributes_in(const djp_attribute **out, size_t *count, djp__arena *arena,
                             const void *data, size_t size);
int djp__oplog_text(djp_text *out, const unsigned char **at, const unsigned char *end);

/* baggage.c: the list in the text of a baggage header, valid until the next call; NULL for an empty
 * one and without memory. The mutex is held. */
const djp_baggage *djp__oplog_baggage(djp_oplog *log, djp_text text);
void djp__oplog_baggage_discard(djp_oplog *log);

/* scope.c: returns the scope in the text of a symbol; 0 without room or memory. */
djp_scope djp__oplog_scope(const char *symbol, size_t size);

/* ring.c. Positions of the writer and of the reader, which is the replaying thread's. */
uint32_t djp__oplog_published(const djp_oplog *log);
uint32_t djp__oplog_consumed(const djp_oplog *log);
int djp__oplog_is_half_full(const djp_ring *ring); /* of spans; 0 for NULL */
/* Replays until `end`, or until the budget of units is used up, or, with a ring, until the end of a
 * span finds it half full; the mutex is held, as below. */
void djp__oplog_replay_until(djp_oplog *log, uint32_t end, uint32_t budget, const djp_ring *ring);
/* Reports the writer's losses since the last check. */
void djp__oplog_take_losses(djp_oplog *log);

/* The instance as its oplogs use it. Borrowed; constant while an oplog is attached. */
typedef struct djp__oplog_host {
    const djp_options *options;
    djp_recorder *recorder; /* NULL: traces are off */
    djp_registry *registry; /* NULL: metrics are off, as the next */
    djp_builtin *standard;
    djp_http_client *http_client;
    djp_operations *operations;
    const djp_ring *ring; /* of spans; NULL: there is no worker, because nothing is exported */
    void (*ref)(void *user); /* takes a reference */
    void (*unref)(void *user);
    int (*is_open)(void *user); /* 0: shutdown has begun */
    int (*wake)(void *user); /* starts or wakes the worker; 1: it runs */
    void *user;
} djp__oplog_host;

/* result.c; the mutex is held. Starts the span of an instrument (without DJP_OPLOG_INSTRUMENT) in
 * an attached oplog. */
djp_span *djp__oplog_start_instrument(djp_oplog *log, unsigned instrument, djp_text name,
                                      const djp_span_options *options, const djp__span_seed *seed);
/* Replays a RESULT; span may be NULL. 0: invalid operation. */
int djp__oplog_result(djp_oplog *log, djp_span *span, const djp__oplog_operation *operation);
/* Input of samplers about the root of an instrument; must not be copied. */
typedef struct djp__oplog_sampling {
    djp_text name;
    unsigned kind;
    djp_attribute attributes[DJP__HTTP_CLIENT_ATTRIBUTES];
    size_t count;
    djp__http_client_request request;
} djp__oplog_sampling;
void djp__oplog_sampling_fill(djp__oplog_sampling *out, const djp__oplog_host *host,
                              const djp_oplog_root *root);

/* attach.c: the oplogs of one instance. */
typedef struct djp__oplogs {
    djp__oplog_host host;
    djp_mutex mutex; /* first, taken before all other locks of an instance */
    djp_oplog *first; /* attached oplogs, with a reference each */
    DJP__ATOMIC(uint64_t) damage; /* invalid operations; any thread, relaxed */
    /* 1: the scope table refused a scope; any thread, relaxed */
    DJP__ATOMIC(int) scopes_full;
} djp__oplogs;

/* Returns the state after an event; -1 without a table entry. */
int djp__oplog_next(djp__oplog_state state, djp__oplog_event event);
void djp__oplogs_init(djp__oplogs *oplogs); /* then set host */
void djp__oplogs_fini(djp__oplogs *oplogs); /* none is attached */
/* 0, DJP_ESHUTDOWN, DJP_EEXIST or DJP_ENOMEM. */
int djp__oplogs_attach(djp__oplogs *oplogs, djp_oplog *log);
void djp__oplogs_detach(djp__oplogs *oplogs); /* all of them */
enum { DJP__OPLOGS_LEFT = 1, DJP__OPLOGS_MOVED = 2 };
/* Replays all oplogs. With `gently`, stops when the ring is half full and returns DJP__OPLOGS_LEFT;
 * DJP__OPLOGS_MOVED: operations were replayed. */
int djp__oplogs_replay(djp__oplogs *oplogs, int gently);
/* Requests all writers to wake the worker at their next span; 1: operations were published
 * meanwhile. */
int djp__oplogs_request_wake(djp__oplogs *oplogs);
/* Recording or the policy for roots has changed. */
void djp__oplogs_notify_writers(djp__oplogs *oplogs);
/* For fork(2): locks all oplogs; the child detaches them. */
void djp__oplogs_fork_prepare(djp__oplogs *oplogs);
void djp__oplogs_fork_parent(djp__oplogs *oplogs);
void djp__oplogs_fork_child(djp__oplogs *oplogs);

#endif
