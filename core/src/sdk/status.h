/* Shared by the parts of the status report. */
#ifndef DJP_SDK_STATUS_H
#define DJP_SDK_STATUS_H

#include "sdk/sdk.h"

/* Appends why exports fail; nothing if there is no problem. options: as resolved, also if telemetry
 * is off. */
void djp__status_problem(djp__buf *out, djp_sdk *sdk, const djp_options *options,
                         const djp_recorder_counters *counters);
/* Appends, if a ratio is the cause, that no span was sampled and which setting samples all. */
void djp__status_none_sampled(djp__buf *out, double ratio, const char *ratio_by,
                              const djp_recorder_counters *counters);
/* Returns how long the current attempt has waited for a response; 0 without one. */
double djp__status_attempt_seconds(const djp_sdk *sdk);

#endif
