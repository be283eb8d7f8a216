/* The process families against what the system says elsewhere. */
#include "metrics_fixture.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
value_of(djp_registry *registry, const char *name)
{
    char *text = fixture_expose(registry, DJP_TEXT_0_0_4), line[96];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(text, line);
    assert_non_null(at);
    double value = strtod(at + strlen(line), NULL);
    djp_free(text);
    return value;
}

static void
values_agree_with_the_system(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    assert_int_equal(djp_registry_add_process(r), 0);
    assert_int_equal(djp_registry_add_process(r), 0);
    assert_int_equal(djp_registry_add_process(NULL), DJP_EINVAL);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur != RLIM_INFINITY) {
        assert_true(value_of(r, "process_max_fds") == (double)limit.rlim_cur);
    }
    assert_true(value_of(r, "process_threads") >= 1);
    assert_true(value_of(r, "process_resident_memory_bytes") > 100000);
    assert_true(value_of(r, "process_virtual_memory_bytes") >
                value_of(r, "process_resident_memory_bytes"));
    assert_true(fabs(value_of(r, "process_start_time_seconds") - (double)time(NULL)) < 300);
    double open_before = value_of(r, "process_open_fds");
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_true(value_of(r, "process_open_fds") == open_before + 2);
    close(fds[0]);
    close(fds[1]);
    assert_true(value_of(r, "process_open_fds") == open_before);
    djp_registry_free(r);
}

static void
processor_time_only_grows(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    assert_int_equal(djp_registry_add_process(r), 0);
    double before = value_of(r, "process_cpu_seconds_total");
    clock_t until = clock() + CLOCKS_PER_SEC / 5;
    while (clock() < until) {
    }
    double after = value_of(r, "process_cpu_seconds_total");
    assert_true(after - before > 0.1 && after - before < 2);
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_agree_with_the_system),
        cmocka_unit_test(processor_time_only_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
