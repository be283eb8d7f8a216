/* The rules that HTTP servers and clients share: known methods, the words for all others, and
 * attributes without a value, which are left out. */
#ifndef DJP_INSTRUMENT_HTTP_COMMON_H
#define DJP_INSTRUMENT_HTTP_COMMON_H

#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "base/words.h"
#include "djp/key.h"
#include "djp/span.h"

enum { DJP__HTTP_ORIGINAL_MAX = 32 };

/* Returns the method if it is known, else the constant for all others. Borrows from methods. */
static inline djp_text
djp__http_method(const djp__words *methods, djp_text method)
{
    size_t found = djp__words_find(methods, method);
    return found < methods->count ? methods->items[found].text : (djp_text){"_OTHER", 6};
}

/* 1: the result of djp__http_method is the constant. */
static inline int
djp__http_is_other(djp_text method)
{
    return method.size > 0 && method.data[0] == '_';
}

/* Returns the method as the first word of a span's name. */
static inline djp_text
djp__http_verb(djp_text method)
{
    return djp__http_is_other(method) ? (djp_text){"HTTP", 4} : method;
}

/* 1: a method that is not known may be recorded as it is: it is short and consists of letters. */
static inline int
djp__http_is_token(djp_text method)
{
    size_t at = 0;
    while (at < method.size &&
           ((method.data[at] >= 'A' && method.data[at] <= 'Z') ||
            (method.data[at] >= 'a' && method.data[at] <= 'z') || method.data[at] == '-')) {
        at++;
    }
    return at == method.size && method.size <= DJP__HTTP_ORIGINAL_MAX;
}

/* "HTTP/1.1" and "1.1" are 1.1; "2.0" is 2. */
static inline djp_text
djp__http_version(djp_text version)
{
    if (djp__text_fits(version, DJP_TEXT("HTTP/"), 1)) {
        version = (djp_text){version.data + 5, version.size - 5};
    }
    if (version.size == 3 && version.data[0] >= '2' && memcmp(version.data + 1, ".0", 2) == 0) {
        version.size = 1;
    }
    return version;
}

static inline djp_key
djp__http_key(const char *name)
{
    return djp_key_intern(djp_text_of(name));
}

static inline void
djp__http_set_text(djp_span *span, djp_key key, djp_text text)
{
    if (text.size > 0) {
        djp_span_set_string(span, key, text);
    }
}

static inline void
djp__http_set_number(djp_span *span, djp_key key, int64_t number)
{
    if (number > 0) {
        djp_span_set_int(span, key, number);
    }
}

#endif
