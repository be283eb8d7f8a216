/* The private parts of the encoder: signals, forms, groups by scope, and the state of the batch. A
 * signal knows its fields and no form; a form knows its envelope and no signal. */
#ifndef DJP_EXPORT_ENCODER_PARTS_H
#define DJP_EXPORT_ENCODER_PARTS_H

#include "export/encoder.h"
#include "export/record_walk.h"

/* One record in the encoder. Its texts remain until the next record. */
typedef struct djp__encode_item {
    const void *record;
    djp__walk_list attributes; /* of the top level */
    djp_text made; /* a text that the signal made, such as the tracestate of a span; may be empty */
    djp_text own; /* value of an SDK attribute; empty: none */
} djp__encode_item;

/* The records of one scope. Created when the scope is first seen, kept for the encoder's lifetime;
 * scopes do not change. */
typedef struct djp__encode_group {
    size_t items; /* in this batch; 0: none */
    djp__buf head; /* encoded scope, everything before the items */
    djp__buf tail; /* encoded schema URL, everything after them */
    char *block; /* protobuf: filled from its end downwards, the latest item lowest */
    size_t capacity;
    size_t used;
    djp__buf text; /* JSON: the items, comma-separated */
} djp__encode_group;

/* An output form. Each function returns 0, DJP_ENOMEM or DJP_EPROTO. */
typedef struct djp__encode_form {
    /* Encodes attributes in item form; out is empty. */
    int (*resource)(djp__encoder *encoder, djp__buf *out, const djp__buf *items);
    int (*scope)(djp__encoder *encoder, djp__encode_group *group, const djp__scope_entry *scope,
                 const djp__buf *items);
    /* Adds the record that the signal has read; its size in *added. */
    int (*add)(djp__encoder *encoder, djp__encode_group *group, const djp__encode_item *item,
               size_t *added);
    int (*finish)(djp__encoder *encoder, djp__buf *out);
} djp__encode_form;

struct djp__encode_signal {
    /* Members of OTLP JSON; the field numbers around the items are the same for all signals. */
    const char *resource_list, *scope_list, *item_list;
    djp_scope (*scope)(const void *record); /* as in the record; checked by the encoder */
    /* Checks item->record and fills in the rest of item. Returns 0, DJP_EPROTO or DJP_ENOMEM. */
    int (*read)(djp__encode_item *item, djp__encoder *encoder);
    /* its maximum size in protobuf */
    size_t (*bound)(const djp__walk *walk, const djp__encode_item *item);
    /* Encode the record's fields, without an envelope, one function per emitter (export/emit.h).
     * They set walk->error. */
    char *(*protobuf)(char *at, djp__walk *walk, const djp__encode_item *item);
    djp__buf *(*json)(djp__buf *out, djp__walk *walk, const djp__encode_item *item);
    djp__buf *(*console)(djp__buf *out, djp__walk *walk, const djp__encode_item *item);
    const djp__encode_form *pretty; /* a readable form; NULL: console lines */
};

struct djp__encoder {
    const djp__encode_signal *signal;
    const djp__encode_form *form;
    djp__encode_rewrite rewrite;
    void *rewrite_user;
    djp__walk walk;
    djp__buf resource; /* encoded resource */
    djp__buf attributes; /* scratch: attributes in item form */
    djp__buf scratch; /* scratch of one encoding */
    djp__buf made; /* the signal's scratch: the text made for the current record */
    uint64_t made_of; /* if reusable: the number whose text is in `made` */
    int made_is_reusable;
    size_t items, bytes;
    djp__encode_group *groups[DJP_SCOPE_LIMIT + 1]; /* by scope */
    djp_scope order[DJP_SCOPE_LIMIT + 1]; /* scopes of this batch by first arrival */
    size_t order_count;
    djp__buf lines; /* console: the batch */
};

extern const djp__encode_form djp__encode_protobuf;
extern const djp__encode_form djp__encode_json;
extern const djp__encode_form djp__encode_console;
extern const djp__encode_form djp__encode_pretty; /* of spans */

/* Resource and scope in every form (otlp_scope.c): the message with its tag or name, or nothing if
 * OTLP omits it. The attributes lie in items, which the walk has begun. Space for protobuf:
 * djp__otlp_scope_bound. */
typedef struct djp__otlp_scope {
    djp_text name, version;
    uint32_t from, to; /* its attributes in the walk */
} djp__otlp_scope;
size_t djp__otlp_scope_bound(const djp__otlp_scope *scope);
char *djp__protobuf_resource(char *at, djp__walk *walk, const djp__otlp_scope *scope);
char *djp__protobuf_scope(char *at, djp__walk *walk, const djp__otlp_scope *scope);
djp__buf *djp__otlp_json_resource(djp__buf *out, djp__walk *walk, const djp__otlp_scope *scope);
djp__buf *djp__otlp_json_scope(djp__buf *out, djp__walk *walk, const djp__otlp_scope *scope);
djp__buf *djp__console_resource(djp__buf *out, djp__walk *walk, const djp__otlp_scope *scope);
djp__buf *djp__console_scope(djp__buf *out, djp__walk *walk, const djp__otlp_scope *scope);
/* The parts of a scope entry whose attributes are in items; entry NULL: a resource. */
djp__otlp_scope djp__otlp_scope_of(const djp__scope_entry *entry, const djp__buf *items);

/* The error of a damaged record or a failed allocation; 0: none. */
static inline int
djp__encode_result(const djp__encoder *encoder, const djp__buf *out)
{
    return encoder->walk.error != 0 ? encoder->walk.error : out->failed ? DJP_ENOMEM : 0;
}

/* Ends the adding of an item whose text begins at `before` in out: its size, or an error, after
 * which out is as it was before. */
static inline int
djp__encode_added(const djp__encoder *encoder, djp__buf *out, size_t before, size_t *added)
{
    int rc = djp__encode_result(encoder, out);
    if (rc != 0) {
        out->size = before;
        out->failed = 0;
        return rc;
    }
    *added = out->size - before;
    return 0;
}

#endif
