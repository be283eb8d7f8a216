/* The encoder as its parts see it: groups by scope, the state of the batch, and one table of functions for each encoding. */
#ifndef DJP_EXPORT_ENCODE_INTERNAL_H
#define DJP_EXPORT_ENCODE_INTERNAL_H

#include "export/encode.h"
#include "export/encode_walk.h"

/* The spans of one scope. Made when the scope is first seen, kept for the encoder's life; scopes never change. */
typedef struct djp__encode_group {
    size_t spans; /* in this batch; 0: the scope is not in it */
    djp_buf head; /* encoded scope, everything before the spans */
    djp_buf tail; /* encoded schema URL, everything after the spans */
    char *block; /* protobuf: spans fill it from its end downwards, the newest lowest */
    size_t capacity;
    size_t used;
    djp_buf text; /* JSON: the spans, comma-separated */
} djp__encode_group;

typedef struct djp__encode_ops {
    /* Encodes attributes in item form; replaces out. */
    int (*resource)(djp__encoder *encoder, djp_buf *out, const djp_buf *items);
    int (*scope)(djp__encoder *encoder, djp__encode_group *group, const djp_scope_entry *scope, const djp_buf *items);
    /* Adds the span that the walk is on; returns its size through *added. */
    int (*add)(djp__encoder *encoder, djp__encode_group *group, const djp_span_record *record,
               djp__walk_list attributes, djp_text state, size_t *added);
    int (*finish)(djp__encoder *encoder, djp_buf *out);
} djp__encode_ops;

struct djp__encoder {
    const djp__encode_ops *ops;
    djp__walk walk;
    djp_buf resource; /* encoded resource */
    djp_buf items; /* scratch: attributes as items */
    djp_buf state; /* scratch: tracestate of the current span */
    djp_buf scratch; /* scratch of one encoding */
    uint64_t state_threshold; /* when cached: state holds the text for this threshold and no incoming state */
    int state_cached;
    size_t spans, bytes;
    djp__encode_group *groups[DJP_SCOPE_LIMIT + 1]; /* by scope */
    djp_scope order[DJP_SCOPE_LIMIT + 1]; /* scopes of this batch by first arrival */
    size_t order_count;
    djp_buf lines; /* console: the batch */
};

extern const djp__encode_ops djp__encode_protobuf;
extern const djp__encode_ops djp__encode_json;
extern const djp__encode_ops djp__encode_console;
extern const djp__encode_ops djp__encode_pretty;

#endif
