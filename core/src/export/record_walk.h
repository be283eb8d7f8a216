/* Reads the items of one record: bounds first, then offsets. Each encoding starts here, so that a
 * damaged record is rejected in one place. Writes no output and does not change the record. */
#ifndef DJP_EXPORT_RECORD_WALK_H
#define DJP_EXPORT_RECORD_WALK_H

#include "djp/error.h"
#include "model/record.h"

enum { DJP__KEY_TAIL = 48 };

/* The data of one interned key for encoders, in one cache line. */
typedef struct djp__key_slot {
    uint32_t stamp; /* generation of the last list in which the key was seen */
    uint32_t size; /* of the encoded key */
    const uint8_t *encoded; /* borrowed from the key table, static */
    uint8_t tail[DJP__KEY_TAIL]; /* encoded, at the end of the array, when it fits */
} djp__key_slot;

/* One list of item offsets on the walk's stack. */
typedef struct djp__walk_list {
    size_t first;
    size_t count;
} djp__walk_list;

/* Zero-initialise with djp__walk_init. Offsets count from base. error is sticky until the next
 * begin. */
typedef struct djp__walk {
    const char *base;
    uint32_t end; /* readable bytes from base */
    int error; /* 0, DJP_EPROTO or DJP_ENOMEM */
    uint32_t *offsets; /* stack of item offsets */
    size_t top;
    size_t capacity;
    uint32_t *others; /* offsets of the record's events and links, in order */
    size_t other_count;
    size_t other_capacity;
    size_t attributes; /* of the record, its events and links, with repeated keys */
    djp__key_slot *slots; /* indexed by djp_key */
    uint32_t slot_room;
    uint32_t keys; /* slots 1 .. keys are filled */
    uint32_t key_max; /* largest encoded key among them */
    uint32_t generation;
    /* of "sampling.reason"; 0 if the key table is full, so no record has it */
    djp_key reason_key;
    djp_text *set; /* open-addressing set of map keys */
    size_t set_capacity;
} djp__walk;

void djp__walk_init(djp__walk *walk);
void djp__walk_fini(djp__walk *walk);

/* Starts on bytes of another kind (the resource): size bytes at base, 8-byte aligned. Borrows
 * base. */
void djp__walk_begin(djp__walk *walk, const void *base, size_t size);
/* Checks the record, collects its attributes into *attributes and its events and links into
 * walk->others. Borrows the record until the next begin. Returns 0, DJP_EPROTO or DJP_ENOMEM. */
int djp__walk_span(djp__walk *walk, djp__walk_list *attributes, const djp__span_record *record);

/* Checks the attribute items between two offsets of a record of another signal, as djp__walk_span
 * does, and loads their keys. Returns 0, DJP_EPROTO or DJP_ENOMEM. */
int djp__walk_keys(djp__walk *walk, uint32_t from, uint32_t to);
/* Returns the attribute items between two offsets, whose keys djp__walk_span or djp__walk_keys has
 * checked. If they are damaged, sets walk->error and returns an empty list. */
djp__walk_list djp__walk_attributes(djp__walk *walk, uint32_t from, uint32_t to);
/* Drops all but the last item of each key from a list of attributes, in the same order. */
djp__walk_list djp__walk_unique(djp__walk *walk, djp__walk_list list);
/* The elements of an array payload. */
djp__walk_list djp__walk_array(djp__walk *walk, const djp__item *item);
/* The ITEM_KEYs of a map payload, each followed by its value; the last of equal keys only. */
djp__walk_list djp__walk_map(djp__walk *walk, uint32_t from, uint32_t to);
/* Releases a list; lists are released in the reverse order of their creation. */
static inline void
djp__walk_drop(djp__walk *walk, djp__walk_list list)
{
    walk->top = list.first;
}

/* An event or link taken apart; all pointers into the record. */
typedef struct djp__walk_event {
    djp__event_head head;
    djp_text name;
    uint32_t from, to; /* its attribute items */
} djp__walk_event;
typedef struct djp__walk_link {
    djp__link_head head;
    djp_text state;
    uint32_t from, to;
} djp__walk_link;
/* Return 1, or 0 when the item is damaged. */
int djp__walk_read_event(djp__walk_event *out, const djp__walk *walk, uint32_t at);
int djp__walk_read_link(djp__walk_link *out, const djp__walk *walk, uint32_t at);

/* 1 when the payload is large enough for its type. */
static inline int
djp__walk_scalar_ok(const djp__item *item)
{
    uint32_t type = djp__item_type(item);
    return (type != DJP_BOOL && type != DJP_INT && type != DJP_DOUBLE) || djp__item_size(item) == 8;
}

static inline const djp__item *
djp__walk_item(const djp__walk *walk, uint32_t at)
{
    return (const djp__item *)(const void *)(walk->base + at);
}

static inline uint32_t
djp__walk_payload_at(const djp__walk *walk, const djp__item *item)
{
    return (uint32_t)((const char *)djp__item_payload(item) - walk->base);
}

/* Starts a list of unique keys. */
uint32_t djp__walk_next_generation(djp__walk *walk);
/* The slot of a key that djp__walk_span has seen. */
static inline djp__key_slot *
djp__walk_slot(djp__walk *walk, const djp__item *item)
{
    return &walk->slots[item->key];
}

/* Text of a record's header field; {NULL, 0} for none. Checked by djp__walk_span. */
static inline djp_text
djp__walk_text(const djp__span_record *record, uint32_t at, uint32_t size)
{
    djp_text text = {size != 0 ? (const char *)record + at : NULL, size};
    return text;
}

/* 1: the local root has a sampling reason to export, and the user set no attribute of that name.
 * *text is static. */
int djp__walk_reason(djp_text *text, const djp__walk *walk, const djp__span_record *record,
                     djp__walk_list attributes);
#define DJP__REASON_KEY "sampling.reason"

#endif
