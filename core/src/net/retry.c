/* Retry times: exponential backoff with full jitter; a delay requested by the receiver has
 * priority. A pure function of its inputs, without clock, random numbers or waits. */
#include "net/retry.h"

#define RETRY_SECOND UINT64_C(1000000000)
#define RETRY_FIRST RETRY_SECOND
#define RETRY_CAP (30 * RETRY_SECOND)

void
djp__retry_init(djp__retry *retry, uint64_t now, uint64_t timeout_ns)
{
    retry->deadline =
        timeout_ns == 0 || timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
    retry->next_ns = RETRY_FIRST;
    retry->attempts = 0;
}

static uint64_t
retry_fraction(uint64_t bound, uint64_t random)
{
    return (uint64_t)((double)(random >> 11) * 0x1p-53 * (double)bound);
}

static uint64_t
retry_grow(uint64_t base)
{
    uint64_t doubled = base > RETRY_CAP / 2 ? RETRY_CAP : base * 2;
    return doubled > base ? doubled : base; /* a requested delay above the cap is kept */
}

uint64_t
djp__retry_delay(djp__retry *retry, uint64_t now, uint64_t retry_after_ns, uint64_t random)
{
    uint64_t delay;
    if (retry_after_ns != 0) {
        /* Not earlier than requested, and up to a tenth later, so that clients rejected together do
         * not return together. */
        uint64_t spread = retry_fraction(retry_after_ns / 10, random);
        delay = retry_after_ns > UINT64_MAX - spread ? UINT64_MAX : retry_after_ns + spread;
        retry->next_ns = retry_grow(retry_after_ns);
    } else {
        delay = retry_fraction(retry->next_ns, random);
        retry->next_ns = retry_grow(retry->next_ns);
    }
    retry->attempts++;
    if (now >= retry->deadline || delay >= retry->deadline - now) {
        return UINT64_MAX;
    }
    return delay;
}
