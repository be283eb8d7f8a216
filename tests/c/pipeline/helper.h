/* What the tests of the pipeline share: options without a file or a network, a transport that
 * follows a script and keeps what it accepted, and readers of what came out. */
#ifndef TESTS_C_PIPELINE_HELPER_H
#define TESTS_C_PIPELINE_HELPER_H

#include <pthread.h>
#include <stdint.h>

#include "base/clock.h"
#include "djp/sdk.h"
#include "json.h"
#include "sdk/sdk.h"

#define MS 1000000ull
#define SECOND 1000000000ull
/* For a call that is to succeed: longer than it takes on the most loaded machine. */
#define PATIENCE (60 * SECOND)

enum script {
    SCRIPT_ACCEPT,
    SCRIPT_RETRY,
    SCRIPT_REJECT,
    SCRIPT_PARTIAL, /* accepts, turns down one span */
    SCRIPT_HANG, /* polls until it must abort */
    SCRIPT_SLOW, /* accepts after script_transport.slow_ns of polling */
    SCRIPT_HELD, /* polls, and accepts when script_transport.held is 0 */
    SCRIPT_STUCK /* sleeps slow_ns and as long as it is held, without polling */
};

typedef struct script_transport {
    djp__transport base;
    pthread_mutex_t mutex; /* guards stored */
    char *stored; /* [u32 size][bytes]... of accepted requests */
    size_t stored_size;
    /* what to do with attempt n (from 0); NULL: accept all */
    unsigned (*next)(void *user, unsigned attempt);
    void *user;
    /* requests that hold this text are to be repeated, whatever next says; NULL: none */
    const char *refuses;
    uint64_t slow_ns;
    uint64_t retry_after_ns;
    _Atomic int held; /* 1: SCRIPT_HELD and SCRIPT_STUCK stay */
    _Atomic unsigned attempts;
    _Atomic unsigned inside; /* sends under way */
    _Atomic unsigned overlaps; /* must stay 0: one send at a time */
    _Atomic unsigned abandoned;
    _Atomic unsigned freed;
} script_transport;

script_transport *script_new(unsigned (*next)(void *, unsigned), void *user);
/* Its operations, and what they consist of, for transports that differ from it in one of them. */
void script_send(djp__transport *base, const void *body, size_t size,
                 const djp__send_control *control, djp__send_result *result);
void script_abandon(djp__transport *base);
void script_free(djp__transport *base);
/* Keeps a request as one that was accepted. */
void script_store(script_transport *transport, const void *body, size_t size);
/* Polls until that time of the monotonic clock. Returns 1 then, and 0 when the sender gives up
 * before. */
int script_wait(const djp__send_control *control, uint64_t until);

/* Settings for tests: always on, hybrid without metrics, 1 MiB of ring, a flush interval of 20 ms.
 * Static text: not for fini. */
djp_options helper_options(void);
/* An SDK that sends through the script. Fails the test when it cannot be made. */
djp_sdk *helper_sdk(const djp_options *options, script_transport *transport);
/* Starts and ends one span of that name. */
void helper_span(djp_sdk *sdk, const char *name);
void helper_spans(djp_sdk *sdk, const char *name, unsigned count);
void helper_sleep(uint64_t ns);
/* Waits up to a deadline for the transport to have accepted that many spans; returns how many it
 * has. */
size_t helper_wait_spans(script_transport *transport, size_t count, uint64_t timeout_ns);

/* Readers of [u32 size][request]...: both fail the test on bytes that do not decode. */
size_t helper_count(const char *stored, size_t size, const char *name_prefix);
/* Calls see for every span. */
typedef void (*helper_see)(void *user, const char *name, const uint8_t *trace_id,
                           const uint8_t *span_id);
void helper_each(const char *stored, size_t size, helper_see see, void *user);
/* A resource attribute of the first request as text, or NULL. The caller frees. */
char *helper_resource(const char *stored, size_t size, const char *key);

/* Frees what the test kept of the transport, once the last user of the SDK, which may be its
 * worker, has given it back. */
void script_fini(script_transport *transport);
size_t script_spans(script_transport *transport, const char *name_prefix);

/* The status as parsed JSON; the caller frees with json_free. */
json *helper_status(djp_sdk *sdk);
/* The same once the worker has ended: the end of an SDK leaves a busy one behind at its deadline,
 * and it counts until then. */
json *helper_status_at_rest(djp_sdk *sdk);
/* What the budget file at that path says was spent; below 0: there is none that says so. */
double helper_budget_spent(const char *path);
/* Fails the test when the books of spans do not balance; helper_status does it itself. */
void helper_books(const json *status);
/* For tests that put records of spans that were not started into the ring. */
json *helper_status_unchecked(djp_sdk *sdk);
double helper_number(const json *status, const char *group, const char *key);
/* started - (exported + every drop + not sampled + live + waiting): 0 when nothing was lost without
 * being counted. */
double helper_unaccounted(const json *status);

#endif
