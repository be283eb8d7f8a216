/* The target of an OTLP exporter: the URL for libcurl, its form for messages, and the proxy. */
#ifndef DJP_NET_CURL_TARGET_H
#define DJP_NET_CURL_TARGET_H

#include "net/destination.h"

typedef struct djp__curl_target {
    char *url; /* complete, may hold user:password */
    char *shown; /* for messages: without user, password, query and fragment */
    char *unix_socket; /* path of "unix:" endpoints, or NULL */
    char *proxy; /* "": none, whatever the environment */
    char *no_proxy;
    int is_https;
} djp__curl_target;

/* Reads the endpoint, the protocol and the proxies of destination; copies. Proxy and no_proxy are
 * always set, so that libcurl does not read the environment: getenv during a setenv of the host is
 * not safe. Loopback targets have no proxy. Returns 0, DJP_EINVAL for a URL that is not http or
 * https, or DJP_ENOMEM. The caller releases target with _fini. */
int djp__curl_target_init(djp__curl_target *target, const djp__destination *destination);
void djp__curl_target_fini(djp__curl_target *target);

#endif
