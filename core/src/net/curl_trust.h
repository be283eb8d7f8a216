/* The certificate authorities for a Collector's certificate. */
#ifndef DJP_NET_CURL_TRUST_H
#define DJP_NET_CURL_TRUST_H

#include <curl/curl.h>

#include "net/destination.h"
#include "net/tls_material.h"

/* Sets the authorities of destination->certificate, or else of the system, and those of
 * destination->extra_certificate. Does not block on a path that is not a regular file. An
 * unreadable extra file is ignored; a connection that needs it then reports the missing
 * authority. */
CURLcode
djp__curl_trust(CURL *easy, const djp__destination *destination, const djp__tls_material *material);
/* Appends these authorities to out. Returns 0 if libcurl's default is to stay: no file is set, or
 * that of the system cannot be read. */
int djp__curl_trust_join(djp__buf *out, CURL *easy, const djp__tls_material *material);
/* Sets the client certificate and key, for mutual TLS. libcurl copies them. */
CURLcode djp__curl_identify(CURL *easy, const djp__destination *destination,
                            const djp__tls_material *material);

#endif
