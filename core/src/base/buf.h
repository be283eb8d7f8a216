/* A growable byte buffer with a sticky error: after a failed growth every later append is ignored
 * and `failed` stays 1, so writers check once at the end. */
#ifndef DJP_BASE_BUF_H
#define DJP_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

typedef struct djp__buf {
    char *data; /* owned; NULL while empty */
    size_t size;
    size_t capacity;
    size_t limit; /* limit in bytes; 0: none */
    int failed;
} djp__buf;

void djp__buf_init(djp__buf *buf, size_t limit);
void djp__buf_fini(djp__buf *buf);
void djp__buf_clear(djp__buf *buf); /* size 0, failed 0, keeps memory */
/* room for size more bytes at the returned end, or NULL */
char *djp__buf_reserve(djp__buf *buf, size_t size);
void djp__buf_append(djp__buf *buf, const void *data, size_t size);
void djp__buf_text(djp__buf *buf, const char *text); /* NUL-terminated text without its NUL */
void djp__buf_char(djp__buf *buf, char c);
void djp__buf_u64(djp__buf *buf, uint64_t value); /* decimal */
void djp__buf_i64(djp__buf *buf, int64_t value);
/* shortest form that parses back equal; NaN, +Inf, -Inf */
void djp__buf_double(djp__buf *buf, double value);
void djp__buf_hex(djp__buf *buf, const void *data, size_t size); /* lower case */
/* quoted JSON string; invalid UTF-8 as U+FFFD */
void djp__buf_json(djp__buf *buf, const char *text, size_t size);
void djp__buf_printf(djp__buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* transfers the memory, NUL-terminated; NULL when failed */
char *djp__buf_take(djp__buf *buf, size_t *size);

#endif
