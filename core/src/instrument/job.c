/* Jobs: what is recorded of one. */
#include "instrument/operation.h"

const djp__operation djp__operation_job = {
    .name = "job.run",
    .kind = DJP_KIND_INTERNAL,
    .failure = "Job failed",
    .other = "_OTHER",
    .attributes = {{"queue.name", DJP__FACT_FIRST, 0},
                   {"job.type", DJP__FACT_SECOND, 0},
                   {"job.duration_seconds", DJP__FACT_SECONDS, 0},
                   {"job.success", DJP__FACT_SUCCESS, 0},
                   {"error.type", DJP__FACT_ERROR_TYPE, 0}},
    .metrics = {{"queue_job_latency_seconds", {DJP__FACT_SECOND}, DJP__FACT_SECONDS, 0},
                {"queue_job_failures_total", {DJP__FACT_ERROR_TYPE}, DJP__FACT_ONE, 1}},
};

void
djp_job_record(djp_operations *operations, const djp_job *job, djp_span *parent,
               const djp_span_context *remote)
{
    djp__operation_facts facts = {.first = job->queue,
                                  .second = job->type,
                                  .seconds = job->seconds,
                                  .failed = job->failed,
                                  .error_type = job->error_type};
    djp__operation_record(operations, DJP__OPERATION_JOB, &facts, parent, remote);
}
