/* Calls of other services: what is recorded of one. */
#include "instrument/operation.h"

const djp__operation djp__operation_external = {
    .name = "external.api.call",
    .kind = DJP_KIND_CLIENT,
    .failure = "External API call failed",
    .other = "other",
    .attributes = {{"external.service", DJP__FACT_FIRST, 0},
                   {"external.operation", DJP__FACT_SECOND, 0},
                   {"external.duration_seconds", DJP__FACT_SECONDS, 0},
                   {"external.success", DJP__FACT_SUCCESS, 0},
                   {"http.status_code", DJP__FACT_STATUS, 0}},
    .metrics =
        {{"external_api_calls_total", {DJP__FACT_FIRST, DJP__FACT_SECOND}, DJP__FACT_ONE, 0},
         {"external_api_duration_seconds",
          {DJP__FACT_FIRST, DJP__FACT_SECOND},
          DJP__FACT_SECONDS,
          0},
         {"external_api_errors_total", {DJP__FACT_FIRST, DJP__FACT_STATUS}, DJP__FACT_ONE, 1}},
};

void
djp_external_call_record(djp_operations *operations, const djp_external_call *call,
                         djp_span *parent, const djp_span_context *remote)
{
    djp__operation_facts facts = {.first = call->service,
                                  .second = call->operation,
                                  .seconds = call->seconds,
                                  .failed = call->failed,
                                  .status = call->status};
    djp__operation_record(operations, DJP__OPERATION_EXTERNAL, &facts, parent, remote);
}
