/* The exponential buckets of one series in one stripe: 64-bit words behind its explicit buckets.
 * Two halves of counts take turns: a change of scale or range writes the other half and then
 * switches to it with one store, so that a process that dies at any instruction leaves one half
 * whole. A reader in another process needs no lock. */
#ifndef DJP_METRICS_NATIVE_H
#define DJP_METRICS_NATIVE_H

#include "base/atomic.h"
#include "metrics/exponential.h"

/* state, zeros, then for each half its shape, its offsets and its counts. Zeroed words are an empty
 * histogram */
#define DJP__NATIVE_SIZE (2u + DJP__EXPONENTIAL_BUCKETS)
#define DJP__NATIVE_WORDS (2u + 2u * DJP__NATIVE_SIZE)

/* Records a finite value. Returns 0 if another thread holds the buckets for too long: nothing is
 * recorded. */
int djp__native_record(DJP__ATOMIC(uint64_t) * words, double value);
/* Adds the observations to out. */
void djp__native_read(djp__exponential *out, DJP__ATOMIC(uint64_t) * words);
/* The words of a histogram, for memory that no thread records in meanwhile. */
void djp__native_write(uint64_t words[DJP__NATIVE_WORDS], const djp__exponential *histogram);
/* In a forked child with a copy of the memory: the thread that held the buckets does not exist. */
void djp__native_unlock(DJP__ATOMIC(uint64_t) * words);

#endif
