/* What the parts of the status report share. */
#ifndef DJP_SDK_STATUS_H
#define DJP_SDK_STATUS_H

#include "sdk/sdk.h"

/* Appends why nothing arrives, nothing when all is well. options: as they were resolved, also where
 * telemetry is off. */
void djp__status_problem(djp_buf *out, djp_sdk *sdk, const djp_options *options,
                         const djp_recorder_counters *counters);
/* Appends that no span was sampled and which setting samples all, where that is so by a ratio. */
void djp__status_none_sampled(djp_buf *out, double ratio, const char *ratio_by,
                              const djp_recorder_counters *counters);
/* How long the attempt that is on its way has been without a response; 0 when none is. */
double djp__status_attempt_seconds(const djp_sdk *sdk);

#endif
