/* What is recorded of a call of another service: the shared cases. */
#include "fixture.h"

static void
record(djp_operations *operations, const json *call, const json *named)
{
    djp_external_call ended = {
        .service = text_of(json_at(call, 1)),
        .operation = text_of(json_at(call, 2)),
        .seconds = number_of(json_at(call, 3)),
        .failed = is_failed(json_at(call, 4)),
        .status = (int)json_number(json_get(named, "status_code"), 0),
    };
    djp_external_call_record(operations, &ended, NULL, NULL);
}

static void
test_vectors(void **state)
{
    (void)state;
    check_recorder("record_external_api_span", 5, record);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
