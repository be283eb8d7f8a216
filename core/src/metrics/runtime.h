/* The metrics of the language runtime, as a part of a registry. */
#ifndef DJP_METRICS_RUNTIME_H
#define DJP_METRICS_RUNTIME_H

#include "metrics/registry.h"

/* Lets djp_runtime_record record. 0, DJP_ENOMEM or DJP_EFULL. */
int djp__runtime_add(djp_registry *registry);
void djp__runtime_free(djp__runtime *runtime);

#endif
