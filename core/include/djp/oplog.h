/* The operation log (oplog). One writer appends small operations to memory that the
 * core owns; the core replays them as calls of djp/span.h and djp/http.h. It serves
 * language runtimes in which a call into C costs more than storing a whole operation.
 * The writer records without calling the core, without waiting, and without pointers.
 *
 * Memory: DJP_OPLOG_CONTROL_BYTES of control words, then a ring of 8-byte units, whose
 * number is a power of two. Numbers are little-endian (the machine's order), control
 * words have 32 bits. A position counts units from the start and wraps at 2^32; its
 * place in the ring is its remainder by the ring's size. An operation is contiguous: if
 * it does not fit before the end of the ring, the writer fills the rest with DJP_OP_PAD
 * and continues at the start.
 *
 * Order of stores: the writer stores operations, then DJP_OPLOG_PUBLISHED, then loads
 * DJP_OPLOG_ASLEEP (both sequentially consistent), and calls djp_oplog_wake if that is
 * not 0. The core stores DJP_OPLOG_CONSUMED with release order when units are free
 * again. */
#ifndef DJP_OPLOG_H
#define DJP_OPLOG_H

#include "djp/http.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct djp_oplog djp_oplog;

#define DJP_OPLOG_CONTROL_BYTES 256u
#define DJP_OPLOG_SLOTS 32768u /* open spans per writer */
/* names, keys and texts per writer; 0 is the empty text */
#define DJP_OPLOG_SYMBOLS 8192u
#define DJP_OPLOG_UNITS_MIN 1024u
#define DJP_OPLOG_UNITS_MAX 8388608u

/* Indexes of control words. C: written by the core. W: written by the writer. */
typedef enum djp_oplog_word {
    DJP_OPLOG_PUBLISHED = 0, /* W: end of the last complete operation */
    /* W: number of spans not recorded because the oplog was full */
    DJP_OPLOG_LOST_SPANS = 1,
    /* W: attributes, events and links lost for that reason, or because no form could
     * represent them */
    DJP_OPLOG_LOST_ATTRIBUTES = 2,
    /* W: requests whose metrics were lost for that reason */
    DJP_OPLOG_LOST_REQUESTS = 3,
    DJP_OPLOG_CONSUMED = 16, /* C: end of the replayed operations */
    /* C sets 1, W sets 0: the core does not read until djp_oplog_wake */
    DJP_OPLOG_ASLEEP = 17,
    DJP_OPLOG_ACTIVE = 32, /* C: the DJP_OPLOG_* flags below; 0: record nothing */
    /* C: counts changes of the sampling of roots; the writer then calls
     * djp_oplog_head */
    DJP_OPLOG_HEAD = 33,
    DJP_OPLOG_VALUE_LIMIT = 35, /* C: limit of one text in characters; -1: none */
    /* C: counts attachments; spans opened in another epoch are discarded */
    DJP_OPLOG_EPOCH = 36
} djp_oplog_word;

enum {
    DJP_OPLOG_TRACES = 1, /* spans are recorded */
    DJP_OPLOG_METRICS = 2, /* requests are counted */
    DJP_OPLOG_ALWAYS_ON = 4, /* every root is sampled, independent of the threshold */
    DJP_OPLOG_DROP_ALL = 8, /* nothing is exported: spans only carry context */
    /* no tail rules: the writer may omit spans that the head does not sample */
    DJP_OPLOG_HEAD_ONLY = 16,
    DJP_OPLOG_ASK =
        /* a sampler tree decides about roots: call djp_oplog_decide for each, with the
         * span's name */
    32,
    DJP_OPLOG_ASK_ATTRIBUTES = 64, /* ... and its first attributes */
    DJP_OPLOG_BAGGAGE = 128 /* each START carries the baggage of its parent context */
};

/* An operation: word 0 is `kind | payload bytes << 8`, word 1 depends on the kind, then
 * the payload, padded to a multiple of 8. "slot": 15-bit number of an open span, chosen
 * by the writer and free after its END. "symbol": number defined by an earlier DEFINE.
 * Ids are 32-bit numbers in the order of their digits, first digit highest. "mono":
 * CLOCK_MONOTONIC nanoseconds, 64 bits. Text is UTF-8; invalid bytes become U+FFFD. */
typedef enum djp_op {
    DJP_OP_PAD = 0,
    DJP_OP_DEFINE = 1, /* word 1: symbol; payload: text. Define a symbol once */
    /* word 1: slot | kind (djp_span_kind, or DJP_OPLOG_INSTRUMENT | djp_instrument) <<
     * 16 | DJP_OP_START_* << 24. Payload: mono,
     * trace id (16), span id (8), parent id (8; 0: none), then words: name symbol;
     * scope symbol (its text is fields separated by U+001F: name, version, schema URL,
     * then key and value of each attribute; a value follows a letter: s text, b 0 or 1,
     * i decimal integer, d the 16 hexadecimal digits of a double; trailing fields are
     * optional); local trace number; parent's flags | outcome and reason of the
     * decision (DJP_OPLOG_DECISION_*, for a local root) or (parent's slot + 1) << 16
     * (for other spans; 0, or a slot now used by another span: the parent ended). Then
     * with START_ROOT the decision's `threshold` and `recorded` (64 bits each), with
     * START_STATE the parent's tracestate as words {bytes, 0} + text padded to 8, with
     * START_NAME the name in the same form, with START_TIME the explicit start in Unix
     * nanoseconds (64 bits), with START_BAGGAGE the text of a baggage header in the
     * form of the name. */
    DJP_OP_START = 2,
    DJP_OP_TEXT = 3, /* word 1: slot | key symbol << 16; payload: text */
    /* word 1 as TEXT; payload: double. Whole numbers up to 2^53 become integers */
    DJP_OP_NUMBER = 4,
    DJP_OP_INTEGER = 5, /* word 1 as TEXT; payload: int64 */
    DJP_OP_TRUE = 6, /* word 1 as TEXT */
    DJP_OP_FALSE = 7, /* word 1 as TEXT */
    DJP_OP_VALUE = 8, /* word 1 as TEXT; payload: one value in the form below */
    /* word 1: slot; payload: a map value, one attribute per entry */
    DJP_OP_KEYED = 9,
    /* word 1: slot | count << 16: attributes without a representation */
    DJP_OP_DROP = 10,
    DJP_OP_RENAME = 11, /* word 1: slot; payload: text */
    DJP_OP_STATUS = 12, /* word 1: slot | djp_status_code << 16; payload: description */
    /* word 1: slot; payload: Unix nanoseconds or 0 (64 bits), mono (64 bits, for 0),
     * a string value (name), a map value */
    DJP_OP_EVENT = 13,
    /* word 1: slot | escaped << 16; payload: mono, three string values (type,
     * message, stack), a map value */
    DJP_OP_EXCEPTION = 14,
    /* word 1: slot; payload: trace id, span id, words {flags, 0} (0x200: remote), a
     * string value (tracestate), a map value */
    DJP_OP_LINK = 15,
    /* word 1: slot; payload: mono, or mono and explicit end in Unix nanoseconds */
    DJP_OP_END = 16,
    /* word 1: slot, or DJP_OP_NO_SLOT if only metrics are on; ends the span. Payload:
     * start mono, end mono, request bytes (double, -1: unknown), words: status |
     * DJP_OP_HTTP_* << 16, method symbol | route symbol << 16, scheme symbol | version
     * symbol << 16, error type symbol. With HTTP_ROUTE the route follows as words
     * {bytes, 0} + text, instead of the symbol. */
    DJP_OP_HTTP_END = 17,
    /* word 1 as TEXT; payload: words {symbol, 0}; the value is the symbol's text */
    DJP_OP_SYMBOL = 18,
    DJP_OP_LONG = 19, /* word 1: slot; djp_span_set_long_lived */
    /* word 1: slot, or DJP_OP_NO_SLOT if only metrics are on, | djp_instrument << 16;
     * ends the span. Payload: start mono, end mono, seconds (double), words: status |
     * resend count << 16, DJP_OP_RESULT_* flags; then texts as words {bytes, 0} + text
     * padded to 8, of which the last ones may be missing */
    DJP_OP_RESULT = 20,
    DJP_OP_LAST
} djp_op;

enum {
    DJP_OP_START_STATE = 1,
    DJP_OP_START_NAME = 2,
    DJP_OP_START_TIME = 4,
    DJP_OP_START_REMOTE = 8,
    DJP_OP_START_HTTP = 16,
    DJP_OP_START_ROOT = 32,
    DJP_OP_START_WEBSOCKET = 64,
    DJP_OP_START_BAGGAGE = 128
};
enum {
    DJP_OP_HTTP_FAILED = 1,
    DJP_OP_HTTP_DISCONNECTED = 2,
    DJP_OP_HTTP_WEBSOCKET = 4,
    DJP_OP_HTTP_ROUTE = 8
};
enum { DJP_OP_RESULT_FAILED = 1, DJP_OP_RESULT_CANCELLED = 2 };
#define DJP_OP_NO_SLOT 0x7fffu

/* Spans whose name and kind the core sets, in place of the kind of a START, and in a
 * RESULT. The texts of a RESULT are, in this order: */
typedef enum djp_instrument {
    /* method, URL, target, protocol version, error type, error message; the name of the
     * START is the method */
    DJP_INSTRUMENT_HTTP_CLIENT = 1,
    DJP_INSTRUMENT_JOB = 2, /* queue, type, error type */
    DJP_INSTRUMENT_EXTERNAL = 3, /* service, operation */
    DJP_INSTRUMENT_REQUEST = 4 /* method, route */
} djp_instrument;
#define DJP_OPLOG_INSTRUMENT 0x80u
#define DJP_OPLOG_TEXTS 6u

/* Values: a djp_value_type byte, then: EMPTY nothing; BOOL a byte; INT and DOUBLE 8
 * bytes; STRING and BYTES a 32-bit size and the bytes; ARRAY a 32-bit count and the
 * values; MAP a 32-bit count and for each entry a 32-bit key size, the key, a value.
 * Not aligned. */

/* START_HTTP: the span of an HTTP server request; the core sets name, kind and scope.
 * START_ROOT begins local trace `number`, a counter of the writer; parent id and flags
 * are then those of the remote parent (START_REMOTE), or of a local span that is no
 * longer known. Other spans give the number of their local trace. The core knows the
 * open ones and the latest DJP_OPLOG_TRACES_KEPT ended ones; a span of an older one
 * becomes a local root under its parent id. */
#define DJP_OPLOG_TRACES_KEPT 512u

/* Allocates an oplog for one writer. units: a power of two within the limits above. The
 * caller holds one reference. Returns 0, DJP_EINVAL or DJP_ENOMEM. */
int djp_oplog_new(djp_oplog **out, size_t units);
/* Returns the shared memory: control words, then the ring. Borrows from log. */
void *djp_oplog_memory(djp_oplog *log);
size_t djp_oplog_size(const djp_oplog *log); /* in bytes, with control words */
/* Takes another reference and returns log. */
djp_oplog *djp_oplog_ref(djp_oplog *log);
/* The last release frees the memory. Accepts NULL. */
void djp_oplog_unref(djp_oplog *log);

/* Attaches log to sdk, which then replays it in its worker, djp_sdk_flush,
 * djp_sdk_shutdown, djp_sdk_status_json and each exposition. sdk takes another
 * reference. An oplog is attached to one SDK at a time; shutdown or free of the SDK
 * detaches it. Returns 0, DJP_ESHUTDOWN, DJP_EEXIST or DJP_ENOMEM. */
int djp_oplog_attach(djp_oplog *log, djp_sdk *sdk);
/* Replays all published operations and detaches; open spans count as never ended, and
 * later operations have no effect. Any thread. */
void djp_oplog_detach(djp_oplog *log);
/* Starts or wakes the worker. Call it after publishing if DJP_OPLOG_ASLEEP is set, or
 * after each quarter of the ring. Any thread. */
void djp_oplog_wake(djp_oplog *log);
/* Replays at most `units` (0: all published) in the calling thread, unless another
 * thread replays. For a writer without room. Returns 1 if units were freed. Any
 * thread. */
int djp_oplog_drain(djp_oplog *log, size_t units);
/* The head decision about a local root. START carries it, and the replay does not
 * decide again: flag, outcome and reason in one word, then threshold and recorded. */
typedef struct djp_oplog_decision {
    uint8_t flag; /* 1: propagate the W3C sampled flag */
    /* 0: not recorded, the writer may omit the local trace; 1: recorded; 2: sampled */
    uint8_t outcome;
    uint8_t reason; /* internal to the core; 0 unless sampled */
    uint64_t threshold; /* 56 bits; 2^56 and above: export nothing */
    uint64_t recorded; /* 56 bits; below this randomness: record nothing */
} djp_oplog_decision;
/* Shifts in the word with the parent's flags. */
#define DJP_OPLOG_DECISION_OUTCOME 8
#define DJP_OPLOG_DECISION_FLAG 10
#define DJP_OPLOG_DECISION_REASON 16

/* The sampling of roots without a parent: sampled if the last 56 bits of the trace id
 * >= threshold (2^56: never), not recorded if they are < sampled.recorded. */
typedef struct djp_oplog_roots {
    uint64_t threshold;
    djp_oplog_decision sampled, unsampled; /* for START */
    /* tracestate of sampled roots: a counted reference that the caller owns, or NULL */
    djp_tracestate *state;
} djp_oplog_roots;
/* Fills out with the current sampling of roots. Any thread. */
void djp_oplog_head(djp_oplog_roots *out, djp_oplog *log);
/* Fills words with random numbers for ids, none of them 0. No system call after the
 * first call. Any thread. */
void djp_oplog_random(uint32_t *words, size_t count);
/* A local root before its start. All pointers are borrowed. */
typedef struct djp_oplog_root {
    const djp_span_context *parent; /* NULL: none */
    const uint8_t *trace_id; /* 16 bytes; used without a parent */
    djp_text name;
    /* djp_span_kind; 0: internal; or DJP_OPLOG_INSTRUMENT | djp_instrument */
    unsigned kind;
    /* 1: an HTTP request, 2: a websocket (djp/http.h); request then holds its known
     * data */
    int http;
    djp_http_request request;
    /* a map value in the form above, or, of an instrument, the payload of its RESULT; a
     * malformed one is ignored */
    const void *attributes;
    size_t attributes_size;
} djp_oplog_root;

typedef struct djp_oplog_reply {
    djp_oplog_decision decision;
    /* to propagate; a counted reference that the caller owns, or NULL */
    djp_tracestate *state;
    /* payload of a KEYED operation with attributes to add, or NULL; the caller frees it
     * with djp_free */
    unsigned char *keyed;
    size_t keyed_size;
} djp_oplog_reply;
/* Makes the head decision about a local root, for START and for the flags and the
 * tracestate to propagate. Call it once per root: rate limits count each call. */
void djp_oplog_decide(djp_oplog_reply *out, djp_oplog *log, const djp_oplog_root *root);

#ifdef __cplusplus
}
#endif
#endif
