/* Where an OTLP exporter sends: the URL for libcurl, a form of it for messages, and the proxy on
 * the way. */
#ifndef DJP_NET_CURL_TARGET_H
#define DJP_NET_CURL_TARGET_H

#include "net/destination.h"

typedef struct djp__curl_target {
    char *url; /* complete, may hold user:password */
    char *shown; /* for messages: without user, password, query and fragment */
    char *unix_socket; /* path of "unix:" endpoints, or NULL */
    char *proxy; /* "" means none, whatever the environment says */
    char *no_proxy;
    int is_https;
} djp__curl_target;

/* Reads the endpoint, the protocol and the proxies of destination; copies. Proxy and no_proxy are
 * always set, so that libcurl never asks the environment: getenv beside a setenv of the host is not
 * safe. Loopback targets have no proxy. Returns 0, DJP_EINVAL for a URL that is not http or https,
 * or DJP_ENOMEM. The caller frees with _fini. */
int djp__curl_target_init(djp__curl_target *target, const djp__destination *destination);
void djp__curl_target_fini(djp__curl_target *target);
/* 1 for localhost, *.localhost, 127.0.0.0/8 and ::1 (with or without brackets). */
int djp__curl_host_is_loopback(const char *host);

#endif
