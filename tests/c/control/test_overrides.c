/* Switching a running SDK: by the program, by a file, by a target, and while other threads
 * record. */
#include "oplog_reader.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/overrides.h"
#include "trace/recorder_state.h"

static char folder[64], path[128];
static unsigned said; /* warnings and errors */
static char last[1024];

static void
note(void *user, int level, const char *message)
{
    (void)user;
    if (level <= DJP_LOG_WARN) {
        said++;
        snprintf(last, sizeof last, "%s", message);
    }
}

static void
open_sdk(unsigned (*next)(void *, unsigned))
{
    djp_sdk_language language = {"c", "test", "1", 0};
    transport = script_new(next, NULL);
    lent = 1;
    said = 0;
    assert_int_equal(
        djp__sdk_new_with_transport(&sdk, &options, &language, note, NULL, &transport->base), 0);
}

static void
write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int
begin_test(void **state)
{
    set_up(state);
    strcpy(folder, "/tmp/djp-switch-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/switch", folder);
    options.log_level = DJP_LOG_WARN;
    options.sampler = DJP_SAMPLER_RATIO;
    return 0;
}

static int
end_test(void **state)
{
    (void)state;
    unlink(path);
    rmdir(folder);
    djp_sdk_free(sdk);
    for (int i = 0; i < 60000 && !transport->freed; i++) {
        helper_sleep(MS);
    }
    script_fini(transport);
    lent = 0;
    return 0;
}

static double
sampling(const char *key)
{
    json *status = helper_status(sdk);
    const json *value = json_get(json_get(status, "sampling"), key);
    assert_non_null(value);
    double number = value->kind == JSON_BOOL ? value->boolean : value->number;
    json_free(status);
    return number;
}

static void
assert_set_by(const char *key, const char *who)
{
    json *status = helper_status(sdk);
    assert_string_equal(json_string(json_get(json_get(status, "sampling"), key), "?"), who);
    json_free(status);
}

static double
dropped_off(void)
{
    json *status = helper_status(sdk);
    double number = helper_number(status, "dropped", "switched_off");
    assert_true(helper_unaccounted(status) == 0);
    json_free(status);
    return number;
}

/* ---- the program ---- */

static void
test_off_and_on(void **state)
{
    (void)state;
    options.flush_interval_ns = 100 * SECOND;
    open_sdk(NULL);
    djp_span *open = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("open"), NULL);
    helper_spans(sdk, "waiting", 3);
    assert_int_equal(djp_sdk_set_enabled(sdk, 0), 0);
    assert_null(djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("none"), NULL));
    djp_span_end(open, 0);
    djp_span_release(open);
    assert_true(sampling("recording") == 0);
    assert_set_by("recording_set_by", "program");
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), DJP_EIO); /* three waited and are lost */
    assert_true(dropped_off() == 4);
    assert_int_equal(transport->attempts, 0);

    assert_int_equal(djp_sdk_set_enabled(sdk, 1), 0);
    helper_spans(sdk, "again", 5);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, NULL), 5);
    assert_true(dropped_off() == 4);
}

/* The first span after that wakes the worker, without a flush. */
static void
test_on_again_wakes(void **state)
{
    (void)state;
    open_sdk(NULL);
    helper_span(sdk, "first");
    assert_int_equal(helper_wait_spans(transport, 1, PATIENCE), 1);
    for (unsigned i = 0; i < 20; i++) {
        djp_sdk_set_enabled(sdk, 0);
        helper_spans(sdk, "none", 10);
        djp_sdk_set_enabled(sdk, 1);
        helper_span(sdk, "seen");
        assert_int_equal(helper_wait_spans(transport, i + 2, PATIENCE), i + 2);
    }
}

static unsigned
hang(void *user, unsigned attempt)
{
    (void)user;
    return attempt == 0 ? SCRIPT_HANG : SCRIPT_ACCEPT;
}

/* A request on its way is given up. */
static void
test_off_aborts_a_send(void **state)
{
    (void)state;
    options.export_timeout_ns = 0;
    open_sdk(hang);
    helper_spans(sdk, "stuck", 2);
    for (int i = 0; i < 60000 && !transport->inside; i++) {
        helper_sleep(MS);
    }
    assert_int_equal(transport->inside, 1);
    djp_sdk_set_enabled(sdk, 0);
    for (int i = 0; i < 60000 && transport->inside; i++) {
        helper_sleep(MS);
    }
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), DJP_EIO);
    assert_true(dropped_off() == 2);
    assert_int_equal(transport->attempts, 1);
}

static void
end_with_error(djp_span *span)
{
    djp_span_set_status(span, DJP_STATUS_ERROR, DJP_TEXT(""));
    djp_span_end(span, 0);
    djp_span_release(span);
}

/* An explicit 0 is as when it was configured: ids, and nothing leaves, errors neither. */
static void
test_ratio_zero(void **state)
{
    (void)state;
    open_sdk(NULL);
    djp_span *before = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("before"), NULL);
    assert_int_equal(djp_sdk_set_sample_ratio(sdk, 0), 0);
    djp_span *after = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("after"), NULL);
    assert_non_null(after);
    djp_span_context context;
    djp_span_get_context(&context, after);
    assert_true(djp_span_context_is_valid(&context));
    assert_int_equal(context.flags & DJP_FLAG_SAMPLED, 0);
    end_with_error(before);
    end_with_error(after);
    djp_sdk_flush(sdk, PATIENCE);
    assert_int_equal(transport->attempts, 0);
    assert_true(dropped_off() == 1);
    assert_true(sampling("ratio") == 0);
    assert_int_equal(djp_sdk_set_sample_ratio(sdk, -1), 0);
    assert_true(sampling("ratio") == 1);
    assert_set_by("ratio_set_by", "configuration");
    end_with_error(djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("back"), NULL));
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, "back"), 1);
}

/* Each root carries the ratio by which it was decided, whatever holds when it ends. */
static void
test_adjusted_counts(void **state)
{
    (void)state;
    static const struct {
        double ratio;
        const char *name, *state;
    } steps[] = {{1, "all", "ot=th:0"},
                 {0.5, "half", "ot=th:8"},
                 {0.25, "quarter", "ot=th:c"},
                 {0.5, "again", "ot=th:8"}};
    open_sdk(NULL);
    djp_span *open[4] = {NULL};
    for (size_t i = 0; i < 4; i++) {
        djp_span_context context;
        assert_int_equal(djp_sdk_set_sample_ratio(sdk, steps[i].ratio), 0);
        for (int tries = 0; tries < 1000; tries++) {
            open[i] = djp_span_start(djp_sdk_recorder(sdk), djp_text_of(steps[i].name), NULL);
            djp_span_get_context(&context, open[i]);
            if (context.flags & DJP_FLAG_SAMPLED) {
                break;
            }
            djp_span_end(open[i], 0);
            djp_span_release(open[i]);
        }
        djp_text text = djp_tracestate_text(context.state);
        if (text.size != strlen(steps[i].state) ||
            memcmp(text.data, steps[i].state, text.size) != 0) {
            fail_msg("step %zu: %.*s", i, (int)text.size, text.data);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        djp_span_end(open[i], 0);
        djp_span_release(open[i]);
    }
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    for (size_t i = 0; i < 4; i++) {
        char part[64];
        snprintf(part, sizeof part, "state=%s ", steps[i].state);
        assert_has(reader_line(transport, steps[i].name), part);
    }
}

/* ---- the file ---- */

static uint64_t look_at;

/* There is no worker yet: the test is it, a second at a time. */
static void
look(void)
{
    look_at += SECOND;
    djp__overrides_look(&sdk->control.overrides, look_at);
}

static void
test_file(void **state)
{
    (void)state;
    options.overrides_file = path;
    options.sample_ratio = 0.5;
    open_sdk(NULL);
    look_at = djp__clock_monotonic();
    look();
    assert_true(sampling("recording") == 1 && sampling("ratio") == 0.5);
    write_file("off\n");
    djp__overrides_look(&sdk->control.overrides, look_at + SECOND / 2);
    assert_true(sampling("recording") == 1); /* not before it is time */
    look();
    assert_true(sampling("recording") == 0);
    assert_set_by("recording_set_by", "overrides_file");
    /* operators have the last word */
    assert_int_equal(djp_sdk_set_enabled(sdk, 1), DJP_EUNSUPPORTED);
    write_file("ratio=0.1\n");
    look();
    assert_true(sampling("recording") == 1 && sampling("ratio") == 0.1);
    assert_int_equal(djp_sdk_set_sample_ratio(sdk, 0.7), DJP_EUNSUPPORTED);
    write_file("ratio=0.2\n"); /* the same size, at once */
    look();
    assert_true(sampling("ratio") == 0.2);
    assert_int_equal(said, 0);
    write_file("ratio=2\n");
    look();
    look();
    assert_true(sampling("ratio") == 0.2);
    assert_int_equal(said, 1);
    assert_non_null(strstr(last, "Line 1 of the overrides file"));
    unlink(path);
    look();
    assert_true(sampling("ratio") == 0.7);
    assert_set_by("ratio_set_by", "program");
    djp_sdk_set_sample_ratio(sdk, -1);
    assert_true(sampling("ratio") == 0.5);
}

/* A link that is pointed elsewhere, as orchestrators do; and what is no file. */
static void
test_other_files(void **state)
{
    (void)state;
    char other[160], link_path[160];
    snprintf(other, sizeof other, "%s/other", folder);
    snprintf(link_path, sizeof link_path, "%s/link", folder);
    options.overrides_file = link_path;
    write_file("ratio=0.1\n");
    assert_int_equal(symlink(path, link_path), 0);
    open_sdk(NULL);
    look_at = djp__clock_monotonic();
    assert_true(sampling("ratio") == 0.1); /* read before the first span */
    FILE *file = fopen(other, "w");
    fputs("ratio=0.3\n", file);
    fclose(file);
    unlink(link_path);
    assert_int_equal(symlink(other, link_path), 0);
    look();
    assert_true(sampling("ratio") == 0.3);
    unlink(link_path);
    assert_int_equal(mkfifo(link_path, 0600), 0);
    look();
    unlink(link_path);
    assert_int_equal(mkdir(link_path, 0700), 0);
    look();
    look();
    assert_true(sampling("ratio") == 0.3);
    assert_in_range(said, 1, 2);
    rmdir(link_path);
    file = fopen(link_path, "w");
    for (int i = 0; i < 2000; i++) {
        fputs("off\n", file);
    }
    fclose(file);
    look();
    assert_true(sampling("recording") == 1);
    unlink(link_path);
    said = 0;
    /* its content cannot be known: that is not "no file" */
    assert_int_equal(symlink(link_path, link_path), 0);
    look();
    look();
    assert_true(sampling("ratio") == 0.3);
    assert_int_equal(said, 1);
    unlink(link_path);
    look();
    assert_set_by("ratio_set_by", "configuration");
    unlink(other);
}

/* With the worker, from off at the start; a configured 0 is no obstacle when a file is watched. */
static void
test_file_with_worker(void **state)
{
    (void)state;
    options.overrides_file = path;
    options.sample_ratio = 0;
    options.sample_ratio_explicit = 1;
    write_file("off\n");
    open_sdk(NULL);
    assert_null(djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("none"), NULL));
    write_file("on\nratio=1\n");
    uint64_t deadline = djp__clock_monotonic() + PATIENCE;
    while (script_spans(transport, NULL) == 0 && djp__clock_monotonic() < deadline) {
        helper_span(sdk, "seen");
        helper_sleep(10 * MS);
    }
    assert_true(script_spans(transport, NULL) > 0);
    unlink(path);
    while (sampling("ratio") != 0 && djp__clock_monotonic() < deadline) {
        helper_sleep(10 * MS);
    }
    djp_sdk_flush(sdk, PATIENCE);
    unsigned attempts = transport->attempts;
    helper_spans(sdk, "none", 10);
    djp_sdk_flush(sdk, PATIENCE);
    assert_int_equal(transport->attempts, attempts);
}

/* ---- a target ---- */

static void
until_ratio(double low, double high, unsigned spans)
{
    uint64_t deadline = djp__clock_monotonic() + 60 * SECOND;
    double ratio = sampling("ratio");
    while ((ratio < low || ratio > high) && djp__clock_monotonic() < deadline) {
        helper_spans(sdk, "load", spans);
        helper_sleep(MS);
        ratio = sampling("ratio");
    }
    assert_true(ratio >= low && ratio <= high);
}

/* Load lowers the ratio, quiet raises it, and what somebody says comes first. */
static void
test_target(void **state)
{
    (void)state;
    options.target_spans_per_second = 10;
    options.slow_threshold_ns = 0;
    open_sdk(NULL);
    until_ratio(0, 0.1, 20);
    assert_set_by("ratio_set_by", "target");
    assert_int_equal(djp_sdk_set_sample_ratio(sdk, 0.7), 0);
    assert_true(sampling("ratio") == 0.7);
    assert_set_by("ratio_set_by", "program");
    assert_int_equal(djp_sdk_set_sample_ratio(sdk, -1), 0);
    assert_set_by("ratio_set_by", "target");
    until_ratio(1, 1, 0);
    assert_true(dropped_off() == 0);
}

/* ---- bounds and threads ---- */

/* Ratios and canaries together are more than there are policies; what stops everything works all
 * the same. */
static void
test_off_works_when_policies_are_used_up(void **state)
{
    (void)state;
    open_sdk(NULL);
    djp_recorder *recorder = djp_sdk_recorder(sdk);
    for (unsigned canary = 1; canary <= 200; canary++) {
        djp__recorder_set_canary(recorder, canary / 200.0);
        for (unsigned i = 1; i <= 60; i++) {
            djp__recorder_set_ratio(recorder, canary / 200.0 / (i + 1));
        }
    }
    assert_true(recorder->policy_count >= DJP__POLICIES_MAX - 2);
    assert_int_equal(djp_sdk_set_canary_ratio(sdk, 0.123), DJP_EUNSUPPORTED);
    assert_int_equal(djp_sdk_set_enabled(sdk, 0), 0);
    assert_true(sampling("recording") == 0);
    assert_int_equal(djp_sdk_set_enabled(sdk, 1), 0);
    assert_int_equal(djp_sdk_set_sample_ratio(sdk, 0), 0);
    assert_true(sampling("ratio") == 0);
    helper_span(sdk, "nothing");
    assert_true(djp__ring_used(djp__recorder_ring(sdk->recorder)) == 0);
}

static DJP__ATOMIC(int) over;

static void *
record(void *user)
{
    (void)user;
    while (!djp__load_relaxed(&over)) {
        djp_span *root = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("root"), NULL);
        djp_span_options below = {.parent = root};
        djp_span *child =
            root != NULL ? djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("child"), &below) : NULL;
        djp_span_context context = {0};
        djp_span_get_context(&context, root);
        djp_span_end(child, 0);
        djp_span_release(child);
        djp_span_end(root, 0);
        djp_span_release(root);
    }
    return NULL;
}

/* Every local trace is whole or gone, and every span is accounted for, while ratio and switch
 * change all the time. */
static void
test_threads(void **state)
{
    (void)state;
    options.ring_bytes = 16 << 20;
    options.sample_errors = 1;
    open_sdk(NULL);
    pthread_t threads[3];
    djp__store_relaxed(&over, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, record, NULL), 0);
    }
    for (unsigned i = 0; i < 400; i++) {
        djp_sdk_set_sample_ratio(sdk, i % 7 == 0 ? 0 : 1.0 / (1 + i % 50));
        djp_sdk_set_enabled(sdk, i % 5 != 0);
        helper_sleep(MS / 2);
    }
    djp_sdk_set_enabled(sdk, 1);
    djp_sdk_set_sample_ratio(sdk, 1);
    djp__store_relaxed(&over, 1);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    djp_sdk_flush(sdk, 20 * SECOND);
    json *status = helper_status(sdk);
    assert_true(helper_number(status, "spans", "started") > 0);
    assert_true(helper_unaccounted(status) == 0);
    json_free(status);
}

int
main(void)
{
#define SWITCH_TEST(name) cmocka_unit_test_setup_teardown(name, begin_test, end_test)
    const struct CMUnitTest tests[] = {
        SWITCH_TEST(test_off_and_on),
        SWITCH_TEST(test_on_again_wakes),
        SWITCH_TEST(test_off_aborts_a_send),
        SWITCH_TEST(test_ratio_zero),
        SWITCH_TEST(test_adjusted_counts),
        SWITCH_TEST(test_file),
        SWITCH_TEST(test_other_files),
        SWITCH_TEST(test_file_with_worker),
        SWITCH_TEST(test_off_works_when_policies_are_used_up),
        SWITCH_TEST(test_threads),
        SWITCH_TEST(test_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
