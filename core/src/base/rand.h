/* Random ids: one xoshiro256++ generator per thread, seeded from getrandom(2) and reseeded in a
 * forked child. */
#ifndef DJP_BASE_RAND_H
#define DJP_BASE_RAND_H

#include <stdint.h>

uint64_t djp__rand64(void); /* any thread, about 4 ns, no system call after the first */
void djp__rand_trace_id(uint8_t out[16]); /* never all zero */
void djp__rand_span_id(uint8_t out[8]); /* never all zero */

#endif
