/* One xoshiro256++ generator (Blackman and Vigna) per thread, seeded from getrandom(2). A forked
 * child has another fork generation and reseeds, so that it repeats no id of the parent. */
#include "base/rand.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/fork.h"
#include "base/thread.h"

typedef struct rand__state {
    uint64_t word[4];
    uint32_t generation; /* of the seed; 0: not seeded */
} rand__state;

static DJP__THREAD_LOCAL rand__state rand__local;

static uint64_t
rand_splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/* For kernels without getrandom: time, process, thread and stack address, mixed by splitmix. */
static void
rand_weak_seed(uint64_t word[4])
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t state = (uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec;
    state ^= (uint64_t)getpid() << 40;
    state ^= (uint64_t)(uintptr_t)&rand__local;
    clock_gettime(CLOCK_MONOTONIC, &now);
    state ^= (uint64_t)now.tv_nsec << 20;
    for (int i = 0; i < 4; i++) {
        word[i] = rand_splitmix(&state);
    }
}

static __attribute__((noinline, cold)) void
rand_seed(rand__state *state)
{
    djp__fork_watch();
    uint64_t word[4] = {0, 0, 0, 0};
    ssize_t got = getrandom(word, sizeof word, GRND_NONBLOCK);
    if (got != (ssize_t)sizeof word || (word[0] | word[1] | word[2] | word[3]) == 0) {
        rand_weak_seed(word);
    }
    memcpy(state->word, word, sizeof word);
    state->generation = djp__fork_generation();
}

static uint64_t
rand_rotate(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

static inline uint64_t
rand_next(void)
{
    rand__state *state = &rand__local;
    if (__builtin_expect(state->generation != djp__fork_generation(), 0)) {
        rand_seed(state);
    }
    uint64_t *s = state->word;
    uint64_t result = rand_rotate(s[0] + s[3], 23) + s[0];
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rand_rotate(s[3], 45);
    return result;
}

uint64_t
djp__rand64(void)
{
    return rand_next();
}

void
djp__rand_trace_id(uint8_t out[16])
{
    uint64_t word[2];
    do {
        word[0] = rand_next();
        word[1] = rand_next();
    } while ((word[0] | word[1]) == 0);
    memcpy(out, word, sizeof word);
}

void
djp__rand_span_id(uint8_t out[8])
{
    uint64_t word;
    do {
        word = rand_next();
    } while (word == 0);
    memcpy(out, &word, sizeof word);
}
