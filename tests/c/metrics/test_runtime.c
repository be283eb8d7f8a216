/* The families of the language runtimes: names, values, and several processes. */
#include "metrics_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#include "metrics/runtime.h"

static djp_registry *
runtime_registry(djp_metrics_sharing sharing)
{
    djp_registry *registry = NULL;
    djp_registry_options options = DJP_REGISTRY_OPTIONS_INIT;
    options.sharing = sharing;
    assert_int_equal(djp_registry_new(&registry, &options), 0);
    assert_int_equal(djp__runtime_add(registry), 0);
    assert_int_equal(djp__runtime_add(registry), 0);
    return registry;
}

static int
record(djp_registry *registry, const char *name, const char *label, double value)
{
    djp_text text = {label, label != NULL ? strlen(label) : 0};
    return djp_runtime_record(registry, name, &text, label != NULL, value);
}

static void
each_type_is_recorded(void **state)
{
    (void)state;
    djp_registry *r = runtime_registry(DJP_SHARE_NONE);
    fixture_assert_hides(r, DJP_TEXT_0_0_4, "nodejs_");
    assert_int_equal(record(r, "nodejs_heap_size_used_bytes", NULL, 7), 0);
    assert_int_equal(record(r, "nodejs_heap_size_used_bytes", NULL, 5), 0);
    assert_int_equal(record(r, "nodejs_gc_duration_seconds", "minor", 0.002), 0);
    assert_int_equal(record(r, "python_gc_collections", "0", 1), 0);
    assert_int_equal(record(r, "python_gc_collections", "0", 2), 0);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "\nnodejs_heap_size_used_bytes 5\n");
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "# TYPE nodejs_gc_duration_seconds histogram\n");
    fixture_assert_shows(r, DJP_TEXT_0_0_4,
                         "\nnodejs_gc_duration_seconds_bucket{kind=\"minor\",le=\"0.001\"} 0\n"
                         "nodejs_gc_duration_seconds_bucket{kind=\"minor\",le=\"0.01\"} 1\n");
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "\npython_gc_collections_total{generation=\"0\"} 3\n");
    djp_registry_free(r);
}

static void
what_does_not_fit_is_counted(void **state)
{
    (void)state;
    djp_registry *r = runtime_registry(DJP_SHARE_NONE), *off = fixture_registry(0, 0);
    fixture_family(r, DJP_COUNTER, "nodejs_external_memory_bytes", 0);
    assert_int_equal(record(r, "nodejs_external_memory_bytes", NULL, 1), DJP_EINVAL);
    assert_int_equal(record(r, "nodejs_unknown", NULL, 1), DJP_EINVAL);
    assert_int_equal(record(r, NULL, NULL, 1), DJP_EINVAL);
    assert_int_equal(record(r, "nodejs_heap_size_used_bytes", "label", 1), DJP_EINVAL);
    assert_int_equal(record(r, "python_gc_collections", NULL, 1), DJP_EINVAL);
    assert_int_equal(fixture_counters(r).dropped, 5);
    /* off: nothing, silently */
    assert_int_equal(record(off, "nodejs_heap_size_used_bytes", NULL, 1), 0);
    assert_int_equal(record(NULL, "nodejs_heap_size_used_bytes", NULL, 1), 0);
    assert_int_equal(fixture_counters(off).dropped, 0);
    fixture_assert_hides(off, DJP_TEXT_0_0_4, "nodejs_");
    djp_registry_free(off);
    djp_registry_free(r);
}

static void
a_reading_is_noted_once(void **state)
{
    (void)state;
    djp_registry *r = runtime_registry(DJP_SHARE_NONE), *off = fixture_registry(0, 0);
    assert_int_equal(djp_runtime_was_read(r), 0);
    djp_free(fixture_expose(r, DJP_TEXT_0_0_4));
    djp_free(fixture_expose(off, DJP_TEXT_0_0_4));
    assert_int_equal(djp_runtime_was_read(r), 1);
    assert_int_equal(djp_runtime_was_read(r), 0);
    assert_int_equal(djp_runtime_was_read(off), 0);
    assert_int_equal(djp_runtime_was_read(NULL), 0);
    djp_registry_free(off);
    djp_registry_free(r);
}

/* Bytes and counts are those of the service, event loops are those of each process, and the
 * values of a process that has ended are gone while what it counted stays. */
static void
several_processes_are_shown(void **state)
{
    (void)state;
    djp_registry *r = runtime_registry(DJP_SHARE_FORK);
    int ready[2], leave[2];
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(leave), 0);
    record(r, "nodejs_heap_size_used_bytes", NULL, 5);
    record(r, "nodejs_eventloop_lag_p99_seconds", NULL, 0.5);
    record(r, "python_gc_collections", "2", 1);
    pid_t child = fork();
    if (child == 0) {
        record(r, "nodejs_heap_size_used_bytes", NULL, 7);
        record(r, "nodejs_eventloop_lag_p99_seconds", NULL, 0.25);
        record(r, "python_gc_collections", "2", 3);
        close(leave[1]);
        _exit(write(ready[1], &byte, 1) == 1 && read(leave[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(leave[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    char line[96];
    snprintf(line, sizeof line, "\nnodejs_eventloop_lag_p99_seconds{pid=\"%d\"} 0.25\n",
             (int)child);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, line);
    snprintf(line, sizeof line, "\nnodejs_eventloop_lag_p99_seconds{pid=\"%d\"} 0.5\n",
             (int)getpid());
    fixture_assert_shows(r, DJP_TEXT_0_0_4, line);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "\nnodejs_heap_size_used_bytes 12\n");
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "\npython_gc_collections_total{generation=\"2\"} 4\n");
    close(leave[1]);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "\nnodejs_heap_size_used_bytes 5\n");
    fixture_assert_hides(r, DJP_TEXT_0_0_4, "lag_p99_seconds 0.25\n");
    fixture_assert_shows(r, DJP_TEXT_0_0_4, "\npython_gc_collections_total{generation=\"2\"} 4\n");
    close(ready[0]);
    close(ready[1]);
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_is_recorded),
        cmocka_unit_test(what_does_not_fit_is_counted),
        cmocka_unit_test(a_reading_is_noted_once),
        cmocka_unit_test(several_processes_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
