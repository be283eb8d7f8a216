/* Whose signature on a collector's certificate counts. */
#ifndef DJP_NET_CURL_TRUST_H
#define DJP_NET_CURL_TRUST_H

#include <curl/curl.h>

#include "net/destination.h"
#include "net/tls_material.h"

/* The authorities of destination->certificate, or else of the system, and those of
 * destination->extra_certificate besides. Never waits for a file that is none. An extra file that
 * cannot be read leaves the others alone: then the connection says what it lacks. */
CURLcode
djp__curl_trust(CURL *easy, const djp__destination *destination, const djp__tls_material *material);
/* Our own certificate and key, for mutual TLS. libcurl copies what it needs. */
CURLcode djp__curl_identify(CURL *easy, const djp__destination *destination,
                            const djp__tls_material *material);

#endif
