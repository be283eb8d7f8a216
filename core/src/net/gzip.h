/* gzip of requests with one reusable deflate stream. One per transport; not thread-safe. */
#ifndef DJP_NET_GZIP_H
#define DJP_NET_GZIP_H

#include "base/buf.h"

typedef struct djp__gzip djp__gzip;

int djp__gzip_new(djp__gzip **out); /* 0 or DJP_ENOMEM */
void djp__gzip_free(djp__gzip *gzip);
/* Appends the gzip form of data (borrowed) to out. Returns 0, or DJP_ENOMEM: then out may hold a
 * part, to be cleared. */
int djp__gzip_compress(djp__gzip *gzip, djp__buf *out, const void *data, size_t size);

#endif
