/* Turns a raw path into a label: segments that look like identifiers become placeholders. It is the
 * last resort without a route template; it handles whole segments only and cannot know every
 * scheme, so the cardinality limit applies too. */
#include <string.h>

#include "base/str.h"
#include "djp/metrics.h"

#define PATH_SEGMENTS_MAX 12u /* deeper paths end in "..." */
#define PATH_SEGMENT_MAX 64u
#define PATH_HEX_MIN 16u
#define PATH_MIXED_MIN 20u /* a word this long with digits is a token */
#define PATH_DIGITS_MAX 3u /* more digits make a number: order-12345 */

typedef struct path_shape {
    size_t digits, hex, letters, dashes, dots;
    /* characters not in route words: '@', '%', control and non-ASCII characters ... */
    int odd;
} path_shape;

static path_shape
path_look(djp_text segment)
{
    path_shape shape = {0};
    for (size_t i = 0; i < segment.size; i++) {
        char c = segment.data[i];
        int digit = c >= '0' && c <= '9';
        int letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        shape.digits += (size_t)digit;
        shape.letters += (size_t)letter;
        shape.hex += (size_t)(digit || (letter && (c | 32) <= 'f'));
        shape.dashes += c == '-';
        shape.dots += c == '.';
        shape.odd |= !digit && !letter && c != '-' && c != '_' && c != '.' && c != '~' && c != ':';
    }
    return shape;
}

static int
path_is_uuid(djp_text segment, const path_shape *shape)
{
    const char *d = segment.data;
    return segment.size == 36 && shape->hex == 32 && shape->dashes == 4 && d[8] == '-' &&
           d[13] == '-' && d[18] == '-' && d[23] == '-';
}

/* v1, v2.3 */
static int
path_is_version(djp_text segment, const path_shape *shape)
{
    return segment.size > 1 && segment.size <= 8 && (segment.data[0] | 32) == 'v' &&
           shape->letters == 1 && shape->digits > 0 &&
           shape->digits + shape->dots + 1 == segment.size && segment.data[1] != '.';
}

/* {id}, {name}, ...: templates and earlier results are unchanged, so normalising twice changes
 * nothing. */
static int
path_is_template(djp_text segment, const path_shape *shape)
{
    if (shape->dots == segment.size) {
        return 1;
    }
    return segment.size > 2 && shape->letters + 2 == segment.size && segment.data[0] == '{' &&
           segment.data[segment.size - 1] == '}';
}

/* The placeholder of a segment, or NULL if it is unchanged. */
static const char *
path_placeholder(djp_text segment)
{
    path_shape shape = path_look(segment);
    if (path_is_template(segment, &shape)) {
        return NULL;
    }
    if (segment.size > 7 && memcmp(segment.data, "tenant-", 7) == 0) {
        return "tenant-{id}";
    }
    if (segment.size > PATH_SEGMENT_MAX || shape.odd || shape.digits == segment.size ||
        path_is_uuid(segment, &shape)) {
        return "{id}";
    }
    if (shape.hex == segment.size && segment.size >= PATH_HEX_MIN) {
        return "{id}";
    }
    if (path_is_version(segment, &shape)) {
        return NULL;
    }
    if (shape.dots > 0) {
        return "{file}";
    }
    if (shape.digits > PATH_DIGITS_MAX || (shape.digits > 0 && segment.size >= PATH_MIXED_MIN)) {
        return "{id}";
    }
    return NULL;
}

typedef struct path_out {
    char *data;
    size_t size, capacity;
} path_out;

/* All or nothing, so that a short buffer has no partial placeholder. */
static int
path_put(path_out *out, const char *data, size_t size)
{
    if (size > out->capacity - out->size) {
        return 0;
    }
    memcpy(out->data + out->size, data, size);
    out->size += size;
    return 1;
}

/* One segment with its slash, or nothing. */
static int
path_put_segment(path_out *out, djp_text segment, int slash)
{
    size_t before = out->size;
    const char *placeholder = segment.size > 0 ? path_placeholder(segment) : NULL;
    djp_text text = placeholder != NULL ? djp__text(placeholder) : segment;
    if ((slash && !path_put(out, "/", 1)) ||
        (text.size > 0 && !path_put(out, text.data, text.size))) {
        out->size = before;
        return 0;
    }
    return 1;
}

size_t
djp_path_normalise(char *out, size_t out_size, djp_text path)
{
    if (out == NULL || out_size == 0) {
        return 0;
    }
    path_out result = {out, 0, out_size - 1};
    size_t start = 0, segments = 0;
    for (size_t i = 0; path.data && i <= path.size; i++) {
        int end = i == path.size || path.data[i] == '?' || path.data[i] == '#';
        if (!end && path.data[i] != '/') {
            continue;
        }
        if (segments == PATH_SEGMENTS_MAX) {
            path_put(&result, "/...", 4);
            break;
        }
        if (!path_put_segment(&result, (djp_text){path.data + start, i - start}, segments > 0)) {
            break;
        }
        segments++;
        start = i + 1;
        if (end) {
            break;
        }
    }
    out[result.size] = '\0';
    return result.size;
}
