/* The parts of a URL that spans record: no credentials, no fragment, and of a query the names
 * only. */
#ifndef DJP_INSTRUMENT_HTTP_URL_H
#define DJP_INSTRUMENT_HTTP_URL_H

#include "djp/value.h"

enum { DJP__HTTP_URL_MAX = 2048 };

/* The texts borrow from the structure, which must not be copied. */
typedef struct djp__http_url {
    djp_text scheme, host; /* lower case; an IPv6 address is without brackets */
    djp_text text; /* the URL, at most DJP__HTTP_URL_MAX bytes */
    unsigned port; /* 0: unknown */
    char scheme_room[16], host_room[256], text_room[DJP__HTTP_URL_MAX + 1];
} djp__http_url;

/* Reads an absolute URL. target is empty, or replaces its path and query: "/path?query", or an
 * absolute URL, which replaces all of it. Returns 0 and empties out for any other text. */
int djp__http_url_read(djp__http_url *out, djp_text url, djp_text target);

#endif
