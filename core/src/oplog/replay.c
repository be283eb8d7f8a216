/* Replays operations as calls of the recording functions. The input comes from another language's
 * code: invalid bytes can at worst yield a wrong record. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "instrument/http_server.h"
#include "oplog/oplog.h"
#include "trace/recorder_state.h"

enum { REPLAY__START = 56, REPLAY__DECISION = 16, REPLAY__HTTP = 40 };

/* Rare cases, not inlined: they would make every replay save registers and clear a stack. */
#define REPLAY__RARE static __attribute__((noinline))

static uint32_t
replay_word(const unsigned char *data, size_t at)
{
    uint32_t word;
    memcpy(&word, data + at, sizeof word);
    return word;
}

static uint64_t
replay_long(const unsigned char *data, size_t at)
{
    uint64_t value;
    memcpy(&value, data + at, sizeof value);
    return value;
}

/* Reads ids from words, the highest digit of each in its highest bits; two at a time. */
static inline void
replay_id(uint8_t *out, const unsigned char *data, size_t pairs)
{
    for (size_t i = 0; i < pairs; i++) {
        uint64_t bytes = __builtin_bswap64(replay_long(data, 8 * i));
        bytes = bytes << 32 | bytes >> 32;
        memcpy(out + 8 * i, &bytes, sizeof bytes);
    }
}

/* Words {bytes, 0} and the text, padded to 8. */
static int
replay_sized(djp_text *out, const unsigned char **at, const unsigned char *end)
{
    if (end - *at < 8) {
        return 0;
    }
    size_t size = replay_word(*at, 0);
    *at += 8;
    if ((size_t)(end - *at) < size) {
        return 0;
    }
    *out = (djp_text){(const char *)*at, size};
    size_t padded = (size + 7) & ~(size_t)7;
    *at += padded < (size_t)(end - *at) ? padded : (size_t)(end - *at);
    return 1;
}

/* ---- symbols ---- */

static djp__oplog_symbol *
replay_symbol(djp_oplog *log, uint32_t number)
{
    static djp__oplog_symbol none;
    return number < DJP_OPLOG_SYMBOLS && log->symbols[number].text ? &log->symbols[number] : &none;
}

static inline djp_text
replay_text(djp_oplog *log, uint32_t number)
{
    if (__builtin_expect(number >= DJP_OPLOG_SYMBOLS || !log->symbols[number].text, 0)) {
        return (djp_text){"", 0};
    }
    return (djp_text){log->symbols[number].text, log->symbols[number].size};
}

REPLAY__RARE djp_key
replay_key_intern(djp_oplog *log, uint32_t number)
{
    djp__oplog_symbol *symbol = replay_symbol(log, number);
    if (symbol->key == 0 && symbol->size > 0) {
        symbol->key = djp_key_intern((djp_text){symbol->text, symbol->size});
    }
    return symbol->key;
}

static inline djp_key
replay_key(djp_oplog *log, uint32_t number)
{
    djp_key key = number < DJP_OPLOG_SYMBOLS ? log->symbols[number].key : 0;
    return __builtin_expect(key != 0, 1) ? key : replay_key_intern(log, number);
}

REPLAY__RARE djp_scope
replay_scope_intern(djp_oplog *log, uint32_t number)
{
    djp__oplog_symbol *symbol = replay_symbol(log, number);
    if (symbol->scope == 0 && symbol->size > 0 && !symbol->refused) {
        symbol->scope = djp__oplog_scope(symbol->text, symbol->size);
        symbol->refused = symbol->scope == 0;
        if (symbol->refused && log->owner) {
            djp__store_relaxed(&log->owner->scopes_full, 1); /* reported later, without a lock */
        }
    }
    return symbol->scope;
}

static inline djp_scope
replay_scope(djp_oplog *log, uint32_t number)
{
    djp_scope scope = number < DJP_OPLOG_SYMBOLS ? log->symbols[number].scope : 0;
    return scope != 0 || number == 0 ? scope : replay_scope_intern(log, number);
}

REPLAY__RARE int
replay_define(djp_oplog *log, const djp__oplog_operation *operation)
{
    djp__oplog_symbol *symbol = &log->symbols[operation->word % DJP_OPLOG_SYMBOLS];
    if (operation->word >= DJP_OPLOG_SYMBOLS || operation->word == 0 || symbol->text) {
        return 0;
    }
    symbol->text =
        operation->size > 0 ? djp__strndup((const char *)operation->data, operation->size) : NULL;
    symbol->size = symbol->text ? (uint32_t)operation->size : 0;
    return 1;
}

/* ---- start ---- */

typedef struct oplog_start {
    djp__span_seed seed;
    djp_span_options options;
    djp_text name, state;
    uint32_t number, parent_flags;
    unsigned flags;
} oplog_start;

/* The optional data after the words of a start. */
REPLAY__RARE int
oplog_start_read_more(oplog_start *out, djp_oplog *log, const djp__oplog_operation *operation)
{
    size_t first = REPLAY__START + (out->seed.decided ? REPLAY__DECISION : 0);
    const unsigned char *at = operation->data + first, *end = operation->data + operation->size;
    if ((out->flags & DJP_OP_START_STATE && !replay_sized(&out->state, &at, end)) ||
        (out->flags & DJP_OP_START_NAME && !replay_sized(&out->name, &at, end))) {
        return 0;
    }
    if (out->flags & DJP_OP_START_TIME) {
        if (end - at < 8) {
            return 0;
        }
        out->options.start_unix_ns = replay_long(at, 0);
        at += 8;
    }
    if (out->flags & DJP_OP_START_BAGGAGE) {
        djp_text text;
        if (!replay_sized(&text, &at, end)) {
            return 0;
        }
        out->options.baggage = djp__oplog_baggage(log, text);
    }
    return 1;
}

/* The writer's decision about a local root. */
static inline int
replay_start_read_decision(oplog_start *out, const djp__oplog_operation *operation)
{
    if (operation->size < REPLAY__START + REPLAY__DECISION) {
        return 0;
    }
    out->seed.decided = 1;
    out->seed.decision.flag = (out->parent_flags >> DJP_OPLOG_DECISION_FLAG & 1u) != 0;
    out->seed.decision.outcome = (uint8_t)(out->parent_flags >> DJP_OPLOG_DECISION_OUTCOME & 3u);
    out->seed.decision.reason = (uint8_t)(out->parent_flags >> DJP_OPLOG_DECISION_REASON);
    out->seed.decision.threshold = replay_long(operation->data, REPLAY__START);
    out->seed.decision.recorded = replay_long(operation->data, REPLAY__START + 8);
    return 1;
}

static inline int
replay_start_read(oplog_start *out, djp_oplog *log, const djp__oplog_operation *operation)
{
    const unsigned char *data = operation->data;
    if (operation->size < REPLAY__START) {
        return 0;
    }
    out->flags = operation->word >> 24;
    out->seed.start_monotonic = replay_long(data, 0);
    replay_id(out->seed.trace_id, data + 8, 2);
    replay_id(out->seed.span_id, data + 24, 1);
    replay_id(out->seed.parent_id, data + 32, 1);
    out->name = replay_text(log, replay_word(data, 40));
    out->state = (djp_text){NULL, 0};
    out->options = (djp_span_options){.scope = replay_scope(log, replay_word(data, 44)),
                                      .kind = (uint8_t)(operation->word >> 16)};
    out->number = replay_word(data, 48);
    out->parent_flags = replay_word(data, 52);
    out->seed.decided = 0;
    if (out->flags & DJP_OP_START_ROOT && !replay_start_read_decision(out, operation)) {
        return 0;
    }
    const unsigned rare =
        DJP_OP_START_STATE | DJP_OP_START_NAME | DJP_OP_START_TIME | DJP_OP_START_BAGGAGE;
    int more = (out->flags & rare) != 0;
    return !more || oplog_start_read_more(out, log, operation);
}

/* The parent of a local root, as a context of another process or of an unknown local span; NULL if
 * none is valid. The caller releases its state. */
REPLAY__RARE const djp_span_context *
oplog_start_parent(djp_span_context *out, const oplog_start *start)
{
    memset(out, 0, sizeof *out);
    memcpy(out->trace_id, start->seed.trace_id, sizeof out->trace_id);
    memcpy(out->span_id, start->seed.parent_id, sizeof out->span_id);
    out->flags = (uint8_t)start->parent_flags;
    out->is_remote = (start->flags & DJP_OP_START_REMOTE) != 0;
    if (!djp_span_context_is_valid(out)) {
        return NULL;
    }
    djp_header field = start->state;
    djp_tracestate_parse(&out->state, &field, field.size > 0);
    return out;
}

/* The start created no span. */
REPLAY__RARE void
oplog_start_failed(djp_recorder *recorder)
{
    if ((djp__load_relaxed(&recorder->state) & ~DJP__RECORDER_FIRST) ==
        (DJP__RECORDER_OFF | DJP__RECORDER_MUTED)) {
        /* Started before the writer noticed that recording is off. */
        djp__count(recorder, DJP__COUNT_STARTED);
        djp__count(recorder, DJP__COUNT_RELEASED);
        djp__count(recorder, DJP__COUNT_DROP(SWITCHED_OFF));
    }
}

/* A span whose name and kind the core sets. */
static djp_span *
replay_start_named(djp_oplog *log, oplog_start *start, int is_root)
{
    if (start->options.kind & DJP_OPLOG_INSTRUMENT && log->owner != NULL) {
        return djp__oplog_start_instrument(log, start->options.kind & ~DJP_OPLOG_INSTRUMENT,
                                           start->name, &start->options, &start->seed);
    }
    if (start->flags & DJP_OP_START_HTTP && is_root) {
        djp_http_type type =
            start->flags & DJP_OP_START_WEBSOCKET ? DJP_HTTP_WEBSOCKET : DJP_HTTP_REQUEST;
        return djp__http_server_start_as(log->server, type, &start->options, &start->seed);
    }
    return djp__span_start_as(log->recorder, start->name.data, start->name.size, &start->options,
                              &start->seed);
}

static int
replay_start(djp_oplog *log, const djp__oplog_operation *operation)
{
    oplog_start start;
    djp_span_context parent;
    uint64_t parent_id;
    uint32_t slot = operation->word & 0x7fffu;
    if (slot == DJP_OP_NO_SLOT || !replay_start_read(&start, log, operation)) {
        return 0;
    }
    if (__builtin_expect(log->spans[slot].span != NULL, 0)) {
        djp__oplog_close(log, slot, 0); /* the writer reuses the slot of an old span */
    }
    if (!log->recorder) {
        return 1;
    }
    int is_root = (start.flags & DJP_OP_START_ROOT) != 0;
    if (!is_root) {
        uint32_t parent_slot = (start.parent_flags >> 16) - 1;
        start.options.parent =
            djp__oplog_parent(log, start.number, parent_slot, start.seed.parent_id);
        is_root = start.options.parent == NULL;
    }
    memcpy(&parent_id, start.seed.parent_id, sizeof parent_id);
    if (is_root && parent_id != 0) {
        start.options.remote = oplog_start_parent(&parent, &start);
    }
    const uint32_t named = DJP_OP_START_HTTP << 24 | DJP_OPLOG_INSTRUMENT << 16;
    djp_span *span = __builtin_expect((operation->word & named) != 0, 0)
                         ? replay_start_named(log, &start, is_root)
                         : djp__span_start_as(log->recorder, start.name.data, start.name.size,
                                              &start.options, &start.seed);
    if (start.options.remote) {
        djp_tracestate_unref(parent.state);
    }
    if (__builtin_expect(span != NULL, 1)) {
        djp__oplog_open(log, slot, start.number, span, is_root);
    } else {
        oplog_start_failed(log->recorder);
    }
    return 1;
}

/* ---- attributes ---- */

static inline void
replay_number(djp_span *span, djp_key key, double real)
{
    /* A language with one number type means an integer by a whole number. */
    if (real >= -9007199254740992.0 && real <= 9007199254740992.0 &&
        (double)(int64_t)real == real) {
        djp_span_set_int(span, key, (int64_t)real);
    } else {
        djp_span_set_double(span, key, real);
    }
}

REPLAY__RARE int
replay_value(djp_oplog *log, djp_span *span, djp_key key, const djp__oplog_operation *operation)
{
    djp_value value;
    const unsigned char *at = operation->data;
    if (!djp__oplog_value(&value, log, &at, at + operation->size)) {
        djp_span_drop_attribute(span); /* malformed, or more items than one value may have */
        return 1;
    }
    djp_span_set_value(span, key, &value);
    return 1;
}

/* A plain attribute. 0: invalid operation. */
static inline int
replay_plain(djp_oplog *log, djp_span *span, uint32_t word, unsigned kind, djp_text payload)
{
    double real;
    const unsigned char *data = (const unsigned char *)payload.data;
    djp_key key = replay_key(log, word >> 16);
    if (kind == DJP_OP_TRUE || kind == DJP_OP_FALSE) {
        djp_span_set_bool(span, key, kind == DJP_OP_TRUE);
        return 1;
    }
    if (kind != DJP_OP_TEXT && payload.size < sizeof real) {
        return 0;
    }
    if (kind == DJP_OP_NUMBER) {
        memcpy(&real, data, sizeof real);
        replay_number(span, key, real);
    } else if (kind == DJP_OP_INTEGER) {
        djp_span_set_int(span, key, (int64_t)replay_long(data, 0));
    } else {
        djp_text text = kind == DJP_OP_TEXT ? payload : replay_text(log, replay_word(data, 0));
        djp_span_set_string(span, key, text);
    }
    return 1;
}

uint32_t
djp__oplog_replay_attributes(djp_oplog *log, uint32_t position, uint32_t end)
{
    const uint64_t *ring = log->ring;
    uint32_t size_of_ring = log->units;
    while (position != end) {
        uint32_t place = position & (size_of_ring - 1);
        uint64_t head = ring[place];
        unsigned kind = (unsigned)head & 0xffu;
        uint32_t size = (uint32_t)head >> 8, word = (uint32_t)(head >> 32);
        uint32_t units = 1 + (size + 7) / 8;
        if (!djp__oplog_is_plain(kind) || units > end - position || units > size_of_ring - place) {
            break;
        }
        djp_span *span = djp__oplog_span_at(log, word & 0x7fffu);
        djp_text payload = {(const char *)&ring[place + 1], size};
        if (span != NULL && !replay_plain(log, span, word, kind, payload)) {
            log->damaged++;
        }
        position += units;
    }
    return position;
}

REPLAY__RARE int
replay_keyed(djp_oplog *log, djp_span *span, const djp__oplog_operation *operation)
{
    const djp_attribute *items;
    size_t count;
    const unsigned char *at = operation->data;
    if (!djp__oplog_attributes(&items, &count, log, &at, at + operation->size)) {
        djp_span_drop_attribute(span); /* malformed, or more items than one value may have */
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        djp_span_set_value(span, djp_key_intern(items[i].key), &items[i].value);
    }
    return 1;
}

/* ---- events, links, exceptions ---- */

REPLAY__RARE int
replay_event(djp_oplog *log, djp_span *span, const djp__oplog_operation *operation)
{
    const djp_attribute *items;
    size_t count;
    djp_text name;
    const unsigned char *at = operation->data + 16, *end = operation->data + operation->size;
    if (operation->size < 16 || !djp__oplog_text(&name, &at, end) ||
        !djp__oplog_attributes(&items, &count, log, &at, end)) {
        djp_span_drop_attribute(span);
        return 1;
    }
    uint64_t time = replay_long(operation->data, 0);
    time = time ? time : djp__span_unix_time(span, replay_long(operation->data, 8));
    djp_span_add_event(span, name, time, items, count);
    return 1;
}

REPLAY__RARE int
replay_exception(djp_oplog *log, djp_span *span, const djp__oplog_operation *operation)
{
    const djp_attribute *items;
    size_t count;
    djp__exception exception = {.escaped = (int)(operation->word >> 16 & 1u)};
    const unsigned char *at = operation->data + 8, *end = operation->data + operation->size;
    if (operation->size < 8 || !djp__oplog_text(&exception.type, &at, end) ||
        !djp__oplog_text(&exception.message, &at, end) ||
        !djp__oplog_text(&exception.stacktrace, &at, end) ||
        !djp__oplog_attributes(&items, &count, log, &at, end)) {
        djp_span_drop_attribute(span);
        return 1;
    }
    uint64_t time = djp__span_unix_time(span, replay_long(operation->data, 0));
    djp__span_record_exception_at(span, time, &exception, items, count);
    return 1;
}

REPLAY__RARE int
replay_link(djp_oplog *log, djp_span *span, const djp__oplog_operation *operation)
{
    const djp_attribute *items;
    size_t count;
    djp_text state;
    djp_span_context context;
    const unsigned char *at = operation->data + 32, *end = operation->data + operation->size;
    if (operation->size < 32 || !djp__oplog_text(&state, &at, end) ||
        !djp__oplog_attributes(&items, &count, log, &at, end)) {
        djp_span_drop_attribute(span);
        return 1;
    }
    replay_id(context.trace_id, operation->data, 2);
    replay_id(context.span_id, operation->data + 16, 1);
    context.flags = (uint8_t)replay_word(operation->data, 24);
    context.is_remote = (replay_word(operation->data, 24) & 0x200u) != 0;
    djp_tracestate_parse(&context.state, &state, state.size > 0);
    djp_span_add_link(span, &context, items, count);
    djp_span_context_clear(&context);
    return 1;
}

/* ---- end ---- */

static int
replay_end(djp_oplog *log, djp_span *span, const djp__oplog_operation *operation)
{
    if (operation->size >= 16 && replay_long(operation->data, 8) != 0) {
        djp_span_end(span, replay_long(operation->data, 8));
    } else if (operation->size >= 8) {
        djp__span_end_at(span, replay_long(operation->data, 0));
    } else {
        return 0;
    }
    djp__oplog_close(log, operation->word & 0x7fffu, 1);
    return 1;
}

REPLAY__RARE int
replay_http_end(djp_oplog *log, djp_span *span, const djp__oplog_operation *operation)
{
    const unsigned char *data = operation->data;
    if (operation->size < REPLAY__HTTP) {
        return 0;
    }
    if (!log->owner) {
        return 1; /* not attached: before an attachment, or in a child of an attached parent */
    }
    double bytes;
    memcpy(&bytes, data + 16, sizeof bytes);
    uint32_t status = replay_word(data, 24), names = replay_word(data, 28);
    uint32_t protocol = replay_word(data, 32);
    unsigned flags = status >> 16;
    djp_http_result result = {
        .type = flags & DJP_OP_HTTP_WEBSOCKET ? DJP_HTTP_WEBSOCKET : DJP_HTTP_REQUEST,
        .method = replay_text(log, names & 0xffffu),
        .route = replay_text(log, names >> 16),
        .scheme = replay_text(log, protocol & 0xffffu),
        .version = replay_text(log, protocol >> 16),
        .error_type = replay_text(log, replay_word(data, 36)),
        .status = (int)(status & 0xffffu),
        .failed = (flags & DJP_OP_HTTP_FAILED) != 0,
        .disconnected = (flags & DJP_OP_HTTP_DISCONNECTED) != 0,
        .request_bytes = bytes >= 0 && bytes < 9e15 ? (int64_t)bytes : -1,
        .start_ns = replay_long(data, 0),
        .end_ns = replay_long(data, 8),
    };
    const unsigned char *at = data + REPLAY__HTTP;
    if (flags & DJP_OP_HTTP_ROUTE && !replay_sized(&result.route, &at, data + operation->size)) {
        return 0;
    }
    djp_http_server_end(log->server, span, &result);
    if (span != NULL) {
        djp__oplog_close(log, operation->word & 0x7fffu, 1);
    }
    return 1;
}

/* Operations that change the span and always succeed; 0 for any other one. */
static int
replay_change(djp_span *span, const djp__oplog_operation *operation)
{
    djp_text text = {(const char *)operation->data, operation->size};
    switch (operation->kind) {
    case DJP_OP_LONG:
        djp_span_set_long_lived(span);
        return 1;
    case DJP_OP_DROP:
        for (uint32_t i = 0; i < operation->word >> 16; i++) {
            djp_span_drop_attribute(span);
        }
        return 1;
    case DJP_OP_RENAME:
        djp_span_update_name(span, text);
        return 1;
    case DJP_OP_STATUS:
        djp_span_set_status(span, (djp_status_code)(operation->word >> 16 & 3u), text);
        return 1;
    default:
        return 0;
    }
}

static int
replay_span(djp_oplog *log, djp_span *span, const djp__oplog_operation *operation)
{
    const char *text = (const char *)operation->data;
    switch (operation->kind) {
    case DJP_OP_KEYED:
        return replay_keyed(log, span, operation);
    case DJP_OP_EVENT:
        return replay_event(log, span, operation);
    case DJP_OP_EXCEPTION:
        return replay_exception(log, span, operation);
    case DJP_OP_LINK:
        return replay_link(log, span, operation);
    case DJP_OP_END:
        return replay_end(log, span, operation);
    case DJP_OP_VALUE:
        return replay_value(log, span, replay_key(log, operation->word >> 16), operation);
    case DJP_OP_TEXT:
    case DJP_OP_NUMBER:
    case DJP_OP_INTEGER:
    case DJP_OP_TRUE:
    case DJP_OP_FALSE:
    case DJP_OP_SYMBOL:
        return replay_plain(log, span, operation->word, operation->kind,
                            (djp_text){text, operation->size});
    default:
        return replay_change(span, operation);
    }
}

int
djp__oplog_replay(djp_oplog *log, const djp__oplog_operation *operation)
{
    switch (operation->kind) {
    case DJP_OP_PAD:
        return 1;
    case DJP_OP_DEFINE:
        return replay_define(log, operation);
    case DJP_OP_START:
        return replay_start(log, operation);
    default:
        break;
    }
    djp_span *span = djp__oplog_span_at(log, operation->word & 0x7fffu);
    if (operation->kind == DJP_OP_HTTP_END) {
        return replay_http_end(log, span, operation);
    }
    if (operation->kind == DJP_OP_RESULT) {
        return djp__oplog_result(log, span, operation);
    }
    /* An operation on an unknown span is valid: the span may have been refused, or belong to an
     * ended SDK. */
    return span != NULL ? replay_span(log, span, operation) : operation->kind < DJP_OP_LAST;
}
