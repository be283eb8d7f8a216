/* Shared by the parts of the status report. */
#ifndef DJP_SDK_STATUS_H
#define DJP_SDK_STATUS_H

#include "sdk/sdk.h"

/* Appends why exports fail; nothing if there is no problem. options: as resolved, also if telemetry
 * is off. */
void djp__status_problem(djp__buf *out, djp_sdk *sdk, const djp_options *options,
                         const djp__recorder_totals *counters);
/* Appends, if a ratio is the cause, that no span was sampled and which setting samples all. */
void djp__status_none_sampled(djp__buf *out, double ratio, const char *ratio_by,
                              const djp__recorder_totals *counters);
/* Returns how long the current attempt has waited for a response; 0 without one. */
double djp__status_attempt_seconds(const djp__pipeline *pipeline);

/* status_signals.c. Appends the section of all signals, the same fields for each. */
void djp__status_signals(djp__buf *out, djp_sdk *sdk);
/* Appends the books of a signal as an object. stats: of its pipeline, zeros without one. */
void djp__status_books(djp__buf *out, const djp__signal *signal, const void *source,
                       const djp__export_stats *stats);
/* Appends its losses by reason as an object. */
void djp__status_losses(djp__buf *out, const djp__signal *signal, const void *source,
                        const djp__export_stats *stats);

/* status.c. Append one member of an object, with the comma before it. */
void djp__status_key(djp__buf *out, const char *key);
void djp__status_text(djp__buf *out, const char *key, const char *value); /* NULL: "" */
void djp__status_number(djp__buf *out, const char *key, uint64_t value);
void djp__status_bool(djp__buf *out, const char *key, int value);
/* Unix time in seconds; null: never. */
void djp__status_time(djp__buf *out, const char *key, uint64_t unix_ns);
/* Opens an object; the caller appends the closing brace. */
void djp__status_open(djp__buf *out, const char *key);

#endif
