/* Time. Durations come from CLOCK_MONOTONIC (read through the TSC where it is invariant and the
 * kernel's own clock source), wall time from an anchor added to it, so that a step of the wall
 * clock never bends a duration. */
#ifndef DJP_BASE_CLOCK_H
#define DJP_BASE_CLOCK_H

#include <stdint.h>

#define djp__saturate(a, b) ((a) > UINT64_MAX - (b) ? UINT64_MAX : (a) + (b))

/* Nanoseconds of CLOCK_MONOTONIC, to within a microsecond of the kernel's value. Any thread. About
 * 10 or 27 ns a call. */
uint64_t djp__clock_monotonic(void);
/* Unix time in nanoseconds from CLOCK_REALTIME. */
uint64_t djp__clock_realtime(void);
/* What to add to a monotonic reading to get Unix time. Refreshed by djp__clock_anchor_refresh. One
 * relaxed load. */
int64_t djp__clock_anchor(void);
/* The kernel has waited for a time that was taken from this clock: a clock that is far from it now
 * is measured again, so that no wait goes on because the clock stands still. Any thread. */
void djp__clock_reached(uint64_t deadline);
/* Re-reads both clocks; the worker calls it about once a second. Any thread. */
void djp__clock_anchor_refresh(void);

#endif
