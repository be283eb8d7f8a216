/* Formats numbers for Prometheus, fast enough for many thousand series. */
#ifndef DJP_METRICS_NUMBER_H
#define DJP_METRICS_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#define DJP__NUMBER_SIZE 40u /* size of the buffer for each function below */

/* Each returns the number of characters written; no NUL. */
size_t djp__number_u64(char *out, uint64_t value);
/* the shortest that reads back equal; NaN, +Inf, -Inf */
size_t djp__number_double(char *out, double value);
/* as in le labels: always with a point or an exponent */
size_t djp__number_le(char *out, double value);

#endif
