/* Reads JSON from outside in one walk: the caller asks for what it expects, everything else is
 * skipped. Keeps no tree, allocates nothing, nests to a fixed depth. The first thing that is not
 * JSON fails the whole scan, and every later call says no. */
#ifndef DJP_BASE_JSON_SCAN_H
#define DJP_BASE_JSON_SCAN_H

#include <stddef.h>

typedef struct djp_json_scan {
    const char *at; /* borrowed, as end */
    const char *end;
    int depth;
    int first; /* 1: nothing of the innermost container was read yet */
    int failed;
} djp_json_scan;

void djp__json_scan_init(djp_json_scan *scan, const char *data, size_t size);
/* The first character of the next value, '\0' when there is none: '{' '[' '"' 't' 'f' 'n', else a
 * number or rubbish. */
char djp__json_scan_peek(djp_json_scan *scan);
/* Steps into the object or array that comes next. 0 when something else comes: that is not JSON as
 * the caller wants it. */
int djp__json_scan_enter(djp_json_scan *scan, char open);
/* 1 when the container has another item, which comes next; at its end steps out of it and returns
 * 0. close: '}' or ']'. */
int djp__json_scan_next(djp_json_scan *scan, char close);
/* The name of a member, with its colon. Of name and string: the text as far as it fits, cut behind
 * a whole escape; *size is what was stored. 0 on failure. */
int djp__json_scan_name(djp_json_scan *scan, char *out, size_t out_size, size_t *size);
int djp__json_scan_string(djp_json_scan *scan, char *out, size_t out_size, size_t *size);
/* A number; one beyond the range of a double is a failure. */
int djp__json_scan_number(djp_json_scan *scan, double *out);
/* Any value. 0 on failure. */
int djp__json_scan_skip(djp_json_scan *scan);
/* 1 when the text ends here and all of it was JSON. */
int djp__json_scan_end(djp_json_scan *scan);

#endif
