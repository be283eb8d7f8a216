/* The bytes of an ended span as they lie in the ring: position-independent, readable by the worker
 * thread without any other structure but the interned keys and scopes. Writer: trace/span.c.
 * Readers: export/.
 *
 * A record is a djp__span_record followed by items up to record->size. Every item starts on an
 * 8-byte border with a djp__item head; its payload follows, padded with zero or stale bytes to 8.
 * Readers skip items of kinds that they do not know. */
#ifndef DJP_MODEL_RECORD_H
#define DJP_MODEL_RECORD_H

#include "djp/key.h"
#include "model/reason.h"

enum { DJP_RECORD_SPAN = 1 };

enum {
    /* text that the header refers to by offset: name, status description, tracestate */
    DJP_ITEM_TEXT = 0,
    DJP_ITEM_ATTRIBUTE = 1, /* key = djp_key (0 for array elements and for values after an
                               ITEM_KEY), type = djp_value_type */
    DJP_ITEM_KEY = 2, /* text of the key of the next ITEM_ATTRIBUTE: only inside maps */
    DJP_ITEM_EVENT = 3, /* payload: djp__event_head, name padded to 8, attribute items */
    DJP_ITEM_LINK = 4 /* payload: djp__link_head, tracestate padded to 8, attribute items */
};

typedef struct djp__item {
    uint32_t key;
    /* bits 0-23 payload bytes without padding, 24-27 djp_value_type, 28-31 item kind */
    uint32_t head;
} djp__item;

#define DJP__ITEM_SIZE_MAX 0xffffffu
#define djp__item_size(item) ((item)->head & DJP__ITEM_SIZE_MAX)
#define djp__item_type(item) (((item)->head >> 24) & 15u)
#define djp__item_kind(item) ((item)->head >> 28)
#define djp__item_head(kind, type, size) \
    (((uint32_t)(kind) << 28) | ((uint32_t)(type) << 24) | (uint32_t)(size))
#define djp__pad8(size) (((size) + 7u) & ~(size_t)7u)
#define djp__item_payload(item) ((const void *)((const char *)(item) + sizeof(djp__item)))
#define djp__item_next(item)                                        \
    ((const djp__item *)((const char *)(item) + sizeof(djp__item) + \
                         djp__pad8(djp__item_size(item))))

/* Payload of ITEM_ATTRIBUTE by type: BOOL and INT int64_t; DOUBLE double; STRING valid UTF-8; BYTES
 * raw; EMPTY nothing; ARRAY attribute items with key 0; MAP pairs of ITEM_KEY and ITEM_ATTRIBUTE.
 * Nesting is at most DJP_VALUE_DEPTH_MAX. The same top-level key may occur several times in a
 * record: the last one counts. */

typedef struct djp__event_head {
    uint64_t time_unix_ns;
    uint32_t name_size;
    uint32_t dropped_attributes;
} djp__event_head;

typedef struct djp__link_head {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint32_t flags; /* as in OTLP Span.Link.flags: W3C flags, 0x100 and perhaps 0x200 */
    uint32_t state_size;
    uint32_t dropped_attributes;
    uint32_t unused;
} djp__link_head;

#define DJP__THRESHOLD_NONE UINT64_MAX

/* LATE: sampled by a tail reason, after the end of its local trace. */
enum { DJP_ROOT_NOT = 0, DJP_ROOT_OF_TRACE = 1, DJP_ROOT_LATE = 2 };

typedef struct djp__span_record {
    uint32_t size; /* whole record, multiple of 8 */
    uint8_t type; /* DJP_RECORD_SPAN */
    uint8_t kind;
    uint8_t status;
    uint8_t trace_flags; /* W3C flags as sent downstream: the head decision */
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t parent_id[8]; /* zeros: no parent */
    uint64_t start_unix_ns;
    uint64_t end_unix_ns;
    /* 56-bit sampling threshold for "ot=th:", DJP__THRESHOLD_NONE: write none, remove a stale one
     */
    uint64_t threshold;
    uint8_t parent_remote; /* 1: OTLP flag 0x200 */
    uint8_t local_root; /* DJP_ROOT_*: carries sampling.reason */
    uint8_t reason; /* DJP_REASON_* */
    uint8_t reason_label; /* of a named rule, or 0 */
    djp_scope scope;
    uint16_t attribute_items; /* top-level ITEM_ATTRIBUTEs in the record, repeated keys included */
    uint32_t name_at; /* byte offsets from the record's start; 0: none */
    uint32_t name_size;
    uint32_t status_at;
    uint32_t status_size;
    uint32_t state_at; /* incoming tracestate, exported with "ot=th:" merged in */
    uint32_t state_size;
    uint32_t dropped_attributes;
    uint32_t dropped_events;
    uint32_t dropped_links;
    uint16_t event_items;
    uint16_t link_items;
} djp__span_record;

#define djp__record_first(record) \
    ((const djp__item *)((const char *)(record) + sizeof(djp__span_record)))
#define djp__record_end(record) ((const djp__item *)((const char *)(record) + (record)->size))

/* Size limit of a record: data that does not fit is dropped and counted on the span. */
#define DJP__RECORD_SIZE_MAX (1u << 20)

/* The interned tables for readers (model/key.c). All static, lock-free. */
typedef struct djp__key_entry {
    const char *text; /* NUL-terminated */
    uint32_t size;
    uint32_t encoded_size;
    const uint8_t *encoded; /* protobuf KeyValue.key field: 0x0a, varint size, text */
    /* class of its values, for a stage that rewrites them (djp__encoder_set_rewrite); 0: any */
    uint8_t class;
} djp__key_entry;
const djp__key_entry *djp__key_entry_of(djp_key key); /* never NULL: an empty key for unknown ids */
uint32_t djp__key_count(void); /* ids 1 .. count are in use */

typedef struct djp__scope_entry {
    char *name; /* owned by the table, never NULL */
    char *version; /* "" when none */
    char *schema_url; /* "" when none */
    const djp_attribute *attributes; /* deep copy, keys unique, last value won */
    size_t attribute_count;
} djp__scope_entry;
const djp__scope_entry *djp__scope_entry_of(djp_scope scope);
/* How often the full table refused a scope in this process; its spans have none. */
uint32_t djp__scopes_refused(void);

#endif
