/* gzip of requests: one deflate stream, initialised once and reset for each body, because its 256
 * KiB of state cost more than compressing a small batch. Keeps no pointer into the input. */
#include "net/gzip.h"

#include <limits.h>
#include <zlib.h>

#include "base/mem.h"
#include "djp/error.h"

struct djp__gzip {
    z_stream stream;
};

enum {
    GZIP_LEVEL = 1,
    GZIP_WINDOW_BITS = 15 + 16 /* 16: a gzip header, not a zlib one */,
    GZIP_MEMORY = 8
};

static voidpf
gzip_alloc(voidpf opaque, uInt count, uInt size)
{
    (void)opaque;
    return djp__calloc(count, size);
}

static void
gzip_release(voidpf opaque, voidpf block)
{
    (void)opaque;
    djp__free(block);
}

int
djp__gzip_new(djp__gzip **out)
{
    djp__gzip *gzip = djp__calloc(1, sizeof *gzip);
    *out = NULL;
    if (gzip == NULL) {
        return DJP_ENOMEM;
    }
    gzip->stream.zalloc = gzip_alloc;
    gzip->stream.zfree = gzip_release;
    if (deflateInit2(&gzip->stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        djp__free(gzip);
        return DJP_ENOMEM;
    }
    *out = gzip;
    return 0;
}

void
djp__gzip_free(djp__gzip *gzip)
{
    if (gzip == NULL) {
        return;
    }
    deflateEnd(&gzip->stream);
    djp__free(gzip);
}

/* Passes the next part of the input to zlib, and as much of the reserved room as its 32-bit
 * counters hold. */
static int
gzip_step(z_stream *stream, djp__buf *out, const unsigned char **data, size_t *left)
{
    size_t room = out->capacity - out->size;
    uInt given = *left > UINT_MAX ? UINT_MAX : (uInt)*left;
    uInt space = room > UINT_MAX ? UINT_MAX : (uInt)room;
    stream->next_in = (z_const Bytef *)*data;
    stream->avail_in = given;
    stream->next_out = (Bytef *)out->data + out->size;
    stream->avail_out = space;
    int code = deflate(stream, given == *left ? Z_FINISH : Z_NO_FLUSH);
    *data += given - stream->avail_in;
    *left -= given - stream->avail_in;
    out->size += space - stream->avail_out;
    return code;
}

int
djp__gzip_compress(djp__gzip *gzip, djp__buf *out, const void *data, size_t size)
{
    const unsigned char *next = data;
    int code = Z_OK;
    if (deflateReset(&gzip->stream) != Z_OK) {
        return DJP_ENOMEM;
    }
    /* A quarter of the input is the usual result; more room is reserved only if needed. */
    size_t room = size / 4 + 256;
    while (code != Z_STREAM_END) {
        if (!djp__buf_reserve(out, room)) {
            return DJP_ENOMEM;
        }
        code = gzip_step(&gzip->stream, out, &next, &size);
        if (code != Z_OK && code != Z_BUF_ERROR && code != Z_STREAM_END) {
            return DJP_ENOMEM;
        }
        room = size / 2 + 4096;
    }
    return 0;
}
