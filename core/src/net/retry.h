/* Retry times of a failed request: exponential backoff with full jitter; a delay requested by the
 * receiver has priority. */
#ifndef DJP_NET_RETRY_H
#define DJP_NET_RETRY_H

#include <stdint.h>

/* Retry state of one request. */
typedef struct djp__retry {
    uint64_t deadline; /* absolute; no attempt starts after it */
    uint64_t next_ns; /* upper bound of the next delay */
    unsigned attempts;
} djp__retry;

/* timeout_ns 0: no deadline. */
void djp__retry_init(djp__retry *retry, uint64_t now, uint64_t timeout_ns);
/* Returns the delay before the next attempt, or UINT64_MAX to stop. random is uniform in
 * 0..2^64-1. */
uint64_t
djp__retry_delay(djp__retry *retry, uint64_t now, uint64_t retry_after_ns, uint64_t random);

#endif
