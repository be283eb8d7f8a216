/* Parses untrusted JSON in one pass: the caller reads the expected values and skips the rest. It
 * builds no tree, allocates nothing, and limits the depth. The first error fails the whole scan,
 * and every later call returns 0. */
#ifndef DJP_BASE_JSON_SCAN_H
#define DJP_BASE_JSON_SCAN_H

#include <stddef.h>

typedef struct djp__json_scan {
    const char *at; /* borrowed, as end */
    const char *end;
    int depth;
    int first; /* 1: nothing of the innermost container has been read */
    int failed;
} djp__json_scan;

void djp__json_scan_init(djp__json_scan *scan, const char *data, size_t size);
/* Returns the first character of the next value: '{' '[' '"' 't' 'f' 'n', otherwise a number or
 * invalid; '\0' if there is none. */
char djp__json_scan_peek(djp__json_scan *scan);
/* Enters the next value, an object or array. 0 for another value, which is an error. */
int djp__json_scan_enter(djp__json_scan *scan, char open);
/* 1: the container has another item, which is next; at its end leaves it and returns 0. close: '}'
 * or ']'. */
int djp__json_scan_next(djp__json_scan *scan, char close);
/* Reads the name of a member with its colon. name and string store the text as far as it fits, cut
 * after a whole escape; *size is the stored size. 0 on failure. */
int djp__json_scan_name(djp__json_scan *scan, char *out, size_t out_size, size_t *size);
int djp__json_scan_string(djp__json_scan *scan, char *out, size_t out_size, size_t *size);
/* Reads a number; one beyond the range of a double is an error. */
int djp__json_scan_number(djp__json_scan *scan, double *out);
/* Skips any value. 0 on failure. */
int djp__json_scan_skip(djp__json_scan *scan);
/* 1: the text ends here and was valid JSON. */
int djp__json_scan_end(djp__json_scan *scan);

#endif
