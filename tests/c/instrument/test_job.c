/* What is recorded of a job: the shared cases. */
#include "fixture.h"

static void
record(djp_operations *operations, const json *call, const json *named)
{
    djp_job job = {.queue = text_of(json_at(call, 1)),
                   .type = text_of(json_at(call, 2)),
                   .seconds = number_of(json_at(call, 3)),
                   .failed = is_failed(json_at(call, 4)),
                   .error_type = text_of(json_get(named, "error_type"))};
    djp_job_record(operations, &job, NULL, NULL);
}

static void
test_vectors(void **state)
{
    (void)state;
    check_recorder("record_job_span", 6, record);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
