/* Negotiates and compresses an exposition, for the Prometheus endpoint and for expositions that an
 * application serves. */
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "djp/metrics.h"

/* Smaller texts are not compressed. */
#define PROMETHEUS_PACK_MIN 1024u

/* 1: the header lists gzip (or everything) without q=0. */
static int
prometheus_accepts_gzip(djp_text accept)
{
    djp_text rest = accept, part;
    int named = -1, any = 0;
    while (djp__text_split(&part, &rest, ',')) {
        djp_text name, parameters = part;
        if (!djp__text_split(&name, &parameters, ';')) {
            continue;
        }
        name = djp__text_trim(name);
        parameters = djp__text_trim(parameters);
        double quality = 1;
        if (parameters.size > 2 && (parameters.data[0] | 32) == 'q' && parameters.data[1] == '=' &&
            !djp__parse_double((djp_text){parameters.data + 2, parameters.size - 2}, &quality)) {
            quality = 0;
        }
        if (djp__text_equal_nocase(name, "gzip")) {
            named = quality > 0;
        } else if (djp__text_equal(name, "*")) {
            any = quality > 0;
        }
    }
    return named >= 0 ? named : any;
}

/* A compressed copy of the text in fresh memory, or NULL on failure. */
static char *
prometheus_gzip(const char *text, size_t size, size_t *out_size)
{
    z_stream stream;
    memset(&stream, 0, sizeof stream);
    if (deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return NULL;
    }
    size_t bound = deflateBound(&stream, (uLong)size);
    char *out = djp__alloc(bound);
    if (out != NULL) {
        stream.next_in = (Bytef *)(uintptr_t)text;
        stream.avail_in = (uInt)size;
        stream.next_out = (Bytef *)out;
        stream.avail_out = (uInt)bound;
        if (deflate(&stream, Z_FINISH) == Z_STREAM_END) {
            *out_size = stream.total_out;
        } else {
            djp__free(out);
            out = NULL;
        }
    }
    deflateEnd(&stream);
    return out;
}

int
djp_exposition_pack(char **text, size_t *size, djp_text accept_encoding)
{
    if (*size < PROMETHEUS_PACK_MIN || *size > UINT32_MAX / 2 ||
        !prometheus_accepts_gzip(accept_encoding)) {
        return 0;
    }
    char *packed = prometheus_gzip(*text, *size, size);
    if (packed != NULL) {
        djp_free(*text);
        *text = packed;
    }
    return packed != NULL;
}
