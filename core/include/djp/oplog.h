/* The operation log: one writer appends small operations to memory that the core owns,
 * and the core's threads replay them as calls of djp/span.h and djp/http.h. It is for
 * languages in which a call into C costs more than the stores of a whole operation. The
 * writer never calls the core to record, never waits, and never sees a pointer.
 *
 * Memory: DJP_OPLOG_CONTROL_BYTES of control words, then a ring of a power of two of
 * 8-byte units. Numbers are little-endian (the machine's own order), control words are
 * 32 bits wide. Positions count units from the beginning and wrap at 2^32; the place of
 * a position is its remainder by the ring's size. An operation is stored whole: where
 * it does not fit before the end of the ring, the writer fills the rest with DJP_OP_PAD
 * and begins at the start.
 *
 * Order of stores: the writer fills in operations, then stores DJP_OPLOG_PUBLISHED
 * with release order, then loads DJP_OPLOG_ASLEEP (both sequentially consistent),
 * and calls djp_oplog_wake when it is not 0. The core stores DJP_OPLOG_CONSUMED with
 * release order when units may be written again. */
#ifndef DJP_OPLOG_H
#define DJP_OPLOG_H

#include "djp/http.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct djp_oplog djp_oplog;

#define DJP_OPLOG_CONTROL_BYTES 256u
#define DJP_OPLOG_SLOTS 32768u /* spans that one writer may have open */
/* names, keys and texts that one writer may define; 0 is the empty text */
#define DJP_OPLOG_SYMBOLS 8192u
#define DJP_OPLOG_UNITS_MIN 1024u
#define DJP_OPLOG_UNITS_MAX 8388608u

/* Control words by index. C: written by the core. W: written by the writer. */
typedef enum djp_oplog_word {
    DJP_OPLOG_PUBLISHED = 0, /* W: position behind the last complete operation */
    /* W: spans that were not recorded because the log was full; counts up */
    DJP_OPLOG_LOST_SPANS = 1,
    /* W: attributes, events and links lost with it, or that no form could hold */
    DJP_OPLOG_LOST_ATTRIBUTES = 2,
    DJP_OPLOG_LOST_REQUESTS = 3, /* W: requests whose metrics were lost with it */
    DJP_OPLOG_CONSUMED = 16, /* C: position before which everything was replayed */
    DJP_OPLOG_ASLEEP = 17, /* C sets 1, W sets 0: not read until djp_oplog_wake */
    DJP_OPLOG_ACTIVE = 32, /* C: DJP_OPLOG_* flags below; 0: record nothing */
    /* C: counts changes of how roots are decided: then the writer asks
     * djp_oplog_head again */
    DJP_OPLOG_HEAD = 33,
    DJP_OPLOG_VALUE_LIMIT = 35, /* C: characters of one text; -1: none */
    /* C: counts attachments; what was opened under another epoch is gone */
    DJP_OPLOG_EPOCH = 36
} djp_oplog_word;

enum {
    DJP_OPLOG_TRACES = 1, /* spans are recorded */
    DJP_OPLOG_METRICS = 2, /* requests are counted */
    DJP_OPLOG_ALWAYS_ON = 4, /* every root is sampled, whatever the threshold */
    DJP_OPLOG_DROP_ALL = 8, /* nothing leaves: spans only carry context */
    /* no tail rules: what the head does not sample need not be written */
    DJP_OPLOG_HEAD_ONLY = 16,
    DJP_OPLOG_ASK =
        /* a tree of samplers decides about roots: djp_oplog_decide is asked for
         * each, with the name of the span */
    32,
    DJP_OPLOG_ASK_ATTRIBUTES = 64 /* and with its first attributes */
};

/* An operation: word 0 is `kind | payload bytes << 8`, word 1 as said below, then
 * the payload, filled up to a multiple of 8. "slot": 15-bit number of an open span,
 * chosen by the writer and free again behind its END. "symbol": number defined
 * before by DEFINE. Ids are 32-bit numbers in the order of their digits, the first
 * digit being the highest. Times named "mono" are CLOCK_MONOTONIC nanoseconds, 64
 * bits. Text is UTF-8; invalid bytes become U+FFFD. */
typedef enum djp_op {
    DJP_OP_PAD = 0,
    DJP_OP_DEFINE = 1, /* word 1: symbol; payload: text. A symbol is defined once */
    /* word 1: slot | kind (djp_span_kind) << 16 | DJP_OP_START_* << 24. Payload:
     * mono, trace id (16), span id (8), parent id (8; 0: none), then words: name
     * symbol, scope symbol (its text is fields with U+001F between them: name,
     * version, schema URL, then key and value of each attribute in turn, the value
     * behind a letter: s text, b 0 or 1, i decimal integer, d the 16 hexadecimal
     * digits of a double; fields at the end may be left out), local trace number,
     * parent's flags | outcome and reason of the decision (DJP_OPLOG_DECISION_*, for
     * a local root) or (parent's slot + 1) << 16 (for others; 0, or a slot that
     * another span has now: an ended one); behind these with START_ROOT the
     * decision's thresholds `threshold` and `recorded` (64 bits each), with
     * START_STATE the parent's tracestate as words {bytes, 0} + text filled up to 8,
     * then with START_NAME the name the same way, then with START_TIME the explicit
     * start, Unix nanoseconds (64 bits). */
    DJP_OP_START = 2,
    DJP_OP_TEXT = 3, /* word 1: slot | key symbol << 16; payload: text */
    /* word 1 as TEXT; payload: double. Whole numbers up to 2^53 become integers */
    DJP_OP_NUMBER = 4,
    DJP_OP_INTEGER = 5, /* word 1 as TEXT; payload: int64 */
    DJP_OP_TRUE = 6, /* word 1 as TEXT */
    DJP_OP_FALSE = 7, /* word 1 as TEXT */
    DJP_OP_VALUE = 8, /* word 1 as TEXT; payload: one value in the form below */
    /* word 1: slot; payload: a map value: each entry is an attribute */
    DJP_OP_KEYED = 9,
    /* word 1: slot | count << 16: attributes that no form could hold */
    DJP_OP_DROP = 10,
    DJP_OP_RENAME = 11, /* word 1: slot; payload: text */
    DJP_OP_STATUS = 12, /* word 1: slot | djp_status_code << 16; payload: description */
    /* word 1: slot; payload: Unix nanoseconds or 0 (64 bits), mono (64 bits, for 0),
     * a string value (name), a map value */
    DJP_OP_EVENT = 13,
    /* word 1: slot | escaped << 16; payload: mono, three string values (type,
     * message, stack), a map value */
    DJP_OP_EXCEPTION = 14,
    /* word 1: slot; payload: trace id, span id, words {flags, 0} (0x200: of a remote
     * span), a string value (tracestate), a map value */
    DJP_OP_LINK = 15,
    /* word 1: slot; payload: mono, or mono and explicit end in Unix nanoseconds */
    DJP_OP_END = 16,
    /* word 1: slot, or DJP_OP_NO_SLOT when only metrics are on; ends the span.
     * Payload: start mono, end mono, request bytes (double, -1: unknown), words:
     * status | DJP_OP_HTTP_* << 16, method symbol | route symbol << 16, scheme
     * symbol | version symbol << 16, error type symbol; with HTTP_ROUTE the route
     * follows as words {bytes, 0} + text (in place of the symbol). */
    DJP_OP_HTTP_END = 17,
    /* word 1 as TEXT; payload: words {symbol, 0}: the attribute's value is its text */
    DJP_OP_SYMBOL = 18,
    DJP_OP_LONG = 19, /* word 1: slot; djp_span_set_long_lived */
    DJP_OP_LAST
} djp_op;

enum {
    DJP_OP_START_STATE = 1,
    DJP_OP_START_NAME = 2,
    DJP_OP_START_TIME = 4,
    DJP_OP_START_REMOTE = 8,
    DJP_OP_START_HTTP = 16,
    DJP_OP_START_ROOT = 32,
    DJP_OP_START_WEBSOCKET = 64
};
enum {
    DJP_OP_HTTP_FAILED = 1,
    DJP_OP_HTTP_DISCONNECTED = 2,
    DJP_OP_HTTP_WEBSOCKET = 4,
    DJP_OP_HTTP_ROUTE = 8
};
#define DJP_OP_NO_SLOT 0x7fffu

/* Values: a byte djp_value_type, then: EMPTY nothing; BOOL a byte; INT and DOUBLE 8
 * bytes; STRING and BYTES a 32-bit size and the bytes; ARRAY a 32-bit count and the
 * values; MAP a 32-bit count and for each entry a 32-bit key size, the key, a value.
 * Not aligned. */

/* START_HTTP: the span of an HTTP server's request; its name, kind and scope are the
 * core's. START_ROOT begins local trace `number`, which the writer counts up; the
 * parent id and flags are then those of the remote parent (START_REMOTE) or of a
 * span that this process no longer knows. Other spans name the local trace they
 * belong to; when the core has forgotten it (it keeps the latest
 * DJP_OPLOG_TRACES_KEPT ended ones), they become local roots under their parent id. */
#define DJP_OPLOG_TRACES_KEPT 512u

/* Allocates a log for one writer. units: a power of two within the limits above.
 * Returns 0, DJP_EINVAL or DJP_ENOMEM. The caller holds one reference. */
int djp_oplog_new(djp_oplog **out, size_t units);
/* The shared memory: control words, then the ring. Borrowed from the log. */
void *djp_oplog_memory(djp_oplog *log);
size_t djp_oplog_size(const djp_oplog *log); /* bytes, control words included */
djp_oplog *djp_oplog_ref(djp_oplog *log);
/* the memory goes with the last reference. Accepts NULL */
void djp_oplog_unref(djp_oplog *log);

/* From now on sdk replays the log: its worker, djp_sdk_flush, djp_sdk_shutdown,
 * djp_sdk_status_json and every scrape do. sdk holds a reference. A log is attached
 * to one SDK at a time; shutting down or freeing the SDK detaches it. 0,
 * DJP_ESHUTDOWN, DJP_EEXIST or DJP_ENOMEM. */
int djp_oplog_attach(djp_oplog *log, djp_sdk *sdk);
/* Replays what was published and lets go; open spans count as never ended. Any
 * thread; the writer may go on writing, unheard. */
void djp_oplog_detach(djp_oplog *log);
/* The writer published and found DJP_OPLOG_ASLEEP, or passed a quarter of the ring:
 * starts or wakes the worker. Any thread. */
void djp_oplog_wake(djp_oplog *log);
/* Replays at most `units` here and now (0: all that is published), unless another
 * thread does so. Returns 1 when units were freed. For a writer that finds no room.
 * Any thread. */
int djp_oplog_drain(djp_oplog *log, size_t units);
/* The head decision about a local root, which its START carries: the replay does not
 * decide again. In START: flag, outcome and reason in one word, then threshold and
 * recorded. */
typedef struct djp_oplog_decision {
    uint8_t flag; /* 1: the W3C flag to propagate says sampled */
    /* 0: nothing of the local trace is recorded, so that nothing need be written;
     * 1: recorded; 2: sampled */
    uint8_t outcome;
    uint8_t reason; /* a number that only the core knows; 0 unless sampled */
    uint64_t threshold; /* 56 bits; 2^56 and above: none is exported */
    uint64_t recorded; /* 56 bits: where the randomness is below, nothing is recorded */
} djp_oplog_decision;
/* Shifts in the word that also holds the parent's flags. */
#define DJP_OPLOG_DECISION_OUTCOME 8
#define DJP_OPLOG_DECISION_FLAG 10
#define DJP_OPLOG_DECISION_REASON 16

/* How roots without a parent are decided now: sampled iff the last 56 bits of the
 * trace id >= threshold (2^56: never), and not recorded iff they are <
 * sampled.recorded. */
typedef struct djp_oplog_roots {
    uint64_t threshold;
    djp_oplog_decision sampled, unsampled; /* for START */
    /* that sampled roots propagate: a counted reference that the caller owns, or
     * NULL */
    djp_tracestate *state;
} djp_oplog_roots;
void djp_oplog_head(djp_oplog_roots *out, djp_oplog *log);
/* Fills words with random numbers for ids, none of them 0. Any thread; no system
 * call after the first. */
void djp_oplog_random(uint32_t *words, size_t count);
/* A local root that is about to begin. Everything is borrowed. */
typedef struct djp_oplog_root {
    const djp_span_context *parent; /* NULL: none */
    const uint8_t *trace_id; /* 16 bytes, for a root without a parent */
    djp_text name;
    unsigned kind; /* djp_span_kind; 0: internal */
    /* 1: a request, 2: a websocket of djp/http.h; then request holds what is known
     * of it */
    int http;
    djp_http_request request;
    /* a map value in the form above; malformed ones count as none */
    const void *attributes;
    size_t attributes_size;
} djp_oplog_root;

typedef struct djp_oplog_reply {
    djp_oplog_decision decision;
    /* to propagate: a counted reference that the caller owns, or NULL */
    djp_tracestate *state;
    /* payload of a KEYED operation with attributes to add, which the caller frees with
     * djp_free; or NULL */
    unsigned char *keyed;
    size_t keyed_size;
} djp_oplog_reply;
/* Takes the head decision about a local root, for the flags and the tracestate to
 * propagate, and for START: rate limits count a root once. */
void djp_oplog_decide(djp_oplog_reply *out, djp_oplog *log, const djp_oplog_root *root);

#ifdef __cplusplus
}
#endif
#endif
