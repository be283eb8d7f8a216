/* Time. Durations come from CLOCK_MONOTONIC (read through the TSC if it is invariant and the
 * kernel's clock source), wall time from an anchor added to it, so that a step of the wall clock
 * does not change a duration. */
#ifndef DJP_BASE_CLOCK_H
#define DJP_BASE_CLOCK_H

#include <stdint.h>

#define djp__saturate(a, b) ((a) > UINT64_MAX - (b) ? UINT64_MAX : (a) + (b))

/* Returns nanoseconds of CLOCK_MONOTONIC, within a microsecond of the kernel's value. About 10 or
 * 27 ns per call. Any thread. */
uint64_t djp__clock_monotonic(void);
/* Unix time in nanoseconds from CLOCK_REALTIME. */
uint64_t djp__clock_realtime(void);
/* Returns the difference of Unix time and a monotonic reading, as of the last
 * djp__clock_anchor_refresh. One relaxed load. */
int64_t djp__clock_anchor(void);
/* Called after the kernel waited until a time of this clock: recalibrates if the clock is far from
 * it, so that a stopped clock cannot prolong waits. Any thread. */
void djp__clock_reached(uint64_t deadline);
/* Reads both clocks again; the worker calls it about once a second. Any thread. */
void djp__clock_anchor_refresh(void);

#endif
