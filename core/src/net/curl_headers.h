/* The request headers of an exporter as a libcurl list, and their secrets. */
#ifndef DJP_NET_CURL_HEADERS_H
#define DJP_NET_CURL_HEADERS_H

#include <curl/curl.h>
#include <stddef.h>

typedef struct djp__curl_headers {
    char *text; /* owned: all lines, NUL-separated */
    struct curl_slist *nodes; /* owned: one array, linked in order */
    size_t count;
    size_t ignored; /* lines that are malformed or reserved by the protocol */
} djp__curl_headers;

/* fixed: lines of the protocol, NULL-terminated, borrowed for the lifetime of the list. lines:
 * "Name: value" joined by "\n", copied. Malformed lines and those of the protocol are skipped and
 * counted. Returns 0 or DJP_ENOMEM. */
int djp__curl_headers_init(djp__curl_headers *headers, const char *const *fixed, const char *lines);
void djp__curl_headers_fini(djp__curl_headers *headers);
/* Overwrites with '*' each value of lines (6 bytes or more) that occurs in text: a response may
 * quote the request. */
void djp__curl_headers_hide(char *text, const char *lines);

#endif
