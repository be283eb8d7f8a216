/* The core exactly as a release compiles it, one unit, and what a count of instructions also
 * needs: a clock that always takes the path of a calibrated counter and never refreshes, and ids
 * that are the same in every run. */
#include "djp.c"

void instructions_settle(void);

void
instructions_settle(void)
{
#if CLOCK__HAS_TSC
    /* A thousand times slower than the real one, so that no interval of the core passes while it is
     * counted. */
    clock__set *set = &clock__sets[1];
    clock__notes.state = CLOCK__UNFIT;
    djp__store_release(&set->ticks, __rdtsc());
    djp__store_release(&set->ns, clock_read(CLOCK_MONOTONIC));
    djp__store_release(&set->rate, (1ull << 32) / 3000u);
    djp__store_release(&set->stale_ticks, UINT64_MAX);
    djp__store_release(&clock__sequence, 1u);
#endif
    (void)djp__rand64();
    for (uint64_t i = 0; i < 4; i++) {
        rand__local.word[i] = 0x9e3779b97f4a7c15ull * (i + 1);
    }
}
