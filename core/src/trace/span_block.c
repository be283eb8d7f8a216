/* Allocates span blocks: a short list of idle ones per thread before the allocator. Also observes
 * the end of a thread, to return its blocks and counter stripes. */
#include "trace/span_block.h"

#include <pthread.h>

#include "base/mem.h"
#include "trace/recorder_state.h"

/* Under AddressSanitizer no block is reused, so that it detects a use after release. */
#if defined(__SANITIZE_ADDRESS__)
#define BLOCK__IDLE_MAX 0
#else
#define BLOCK__IDLE_MAX 64
#endif

DJP__THREAD_LOCAL djp__thread_state djp__thread;

static pthread_once_t block__once = PTHREAD_ONCE_INIT;
static pthread_key_t block__key;
static int block__key_made; /* written inside block__once */
/* The last token given out; any thread, relaxed. */
static DJP__ATOMIC(uint64_t) block__last_token;

static void
block_thread_ends(void *argument)
{
    (void)argument;
    djp__thread_state *thread = &djp__thread;
    djp__span_block_trim();
    djp__recorder_leave(thread->token);
    /* Other destructors of this thread may still record: they register again. */
    thread->registered = 0;
    thread->serial = 0;
    thread->stripe = NULL;
    thread->shared = 0;
}

static void
block_make_key(void)
{
    block__key_made = pthread_key_create(&block__key, block_thread_ends) == 0;
}

void
djp__thread_register(djp__thread_state *thread)
{
    pthread_once(&block__once, block_make_key);
    thread->registered = 1;
    if (thread->token == 0) {
        thread->token = djp__add_relaxed(&block__last_token, 1) + 1;
    }
    if (block__key_made) {
        pthread_setspecific(block__key, thread);
    }
}

djp_span *
djp__span_block_take(void)
{
    djp__thread_state *thread = &djp__thread;
    djp_span *span = thread->blocks;
    if (__builtin_expect(span != NULL, 1)) {
        thread->blocks = span->next;
        thread->block_count--;
        return span;
    }
    return djp__alloc(sizeof *span);
}

void
djp__span_block_give(djp_span *span)
{
    djp__thread_state *thread = &djp__thread;
    if (__builtin_expect((int)thread->block_count >= BLOCK__IDLE_MAX, 0)) {
        djp__free(span);
        return;
    }
    if (__builtin_expect(!thread->registered, 0)) {
        djp__thread_register(thread);
    }
    span->next = thread->blocks;
    thread->blocks = span;
    thread->block_count++;
}

void
djp__span_block_trim(void)
{
    djp__thread_state *thread = &djp__thread;
    while (thread->blocks != NULL) {
        djp_span *span = thread->blocks;
        thread->blocks = span->next;
        djp__free(span);
    }
    thread->block_count = 0;
}
