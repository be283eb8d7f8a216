/* The step of the control plane on a recorder of the test: when there is one, what it steers by,
 * and when the worker must be awake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "control/plane.c"
#include "sampling/threshold.h"
#include "span_reader.h"

#define SECOND 1000000000ull

static djp_options options;
static djp__diagnostics diag;
static djp__control_exported exported;
static djp__control control;
static djp__control_host host;
static char last[1024];
static int warnings;

static void
note(void *user, int level, const char *message)
{
    (void)user;
    warnings += level == DJP_LOG_WARN;
    snprintf(last, sizeof last, "%s", message);
}

static void
read_exported(djp__control_exported *out, void *user)
{
    (void)user;
    *out = exported;
}

static void
changed(void *user)
{
    (void)user;
}

static int
set_up(void **state)
{
    (void)state;
    memset(&options, 0, sizeof options);
    memset(&control, 0, sizeof control);
    memset(&exported, 0, sizeof exported);
    options.enabled = 1;
    options.sampler = DJP_SAMPLER_RATIO;
    options.sample_ratio = 0.5;
    options.canary_ratio = 1;
    options.overrides_file = "";
    options.budget_file = "";
    djp__recorder_options recorder = span_reader_options();
    recorder.always_on = 0;
    recorder.threshold = djp__threshold_of(0.5);
    host = (djp__control_host){.options = &options,
                               .diag = &diag,
                               .recorder = span_reader_recorder(&recorder),
                               .exports = 1,
                               .read = read_exported,
                               .changed = changed};
    warnings = 0;
    djp__control_init(&control);
    return djp__diag_init(&diag, DJP_LOG_WARN, note, NULL);
}

static void
start(void)
{
    assert_int_equal(djp__control_prepare(&control, &host), 0);
    djp__control_start(&control);
}

static int
tear_down(void **state)
{
    (void)state;
    djp__recorder_free(host.recorder);
    djp__control_fini(&control);
    djp__diag_fini(&diag);
    return 0;
}

static double
ratio(void)
{
    djp__overrides_view view;
    djp__overrides_read(&view, &control.overrides);
    return view.ratio;
}

static const char *
ratio_by(void)
{
    djp__overrides_view view;
    djp__overrides_read(&view, &control.overrides);
    return view.ratio_by;
}

/* So many roots end. */
static void
record(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        djp_span *span = djp_span_start(host.recorder, (djp_text){"s", 1}, NULL);
        djp_span_end(span, 0);
        djp_span_release(span);
    }
    span_reader_drain(host.recorder);
}

static void
without_a_target_there_is_no_step(void **state)
{
    (void)state;
    start();
    assert_true(djp__control_next(&control) == UINT64_MAX);
    djp__control_tick(&control, SECOND);
    assert_true(djp__control_next(&control) == UINT64_MAX);
    assert_true(ratio() == 0.5);
    assert_false(control.steers || control.targeted);
}

static void
what_makes_it_steer(void **state)
{
    static const struct {
        uint64_t spans, bytes;
        double budget, price;
        djp_sampler_kind sampler;
        double ratio;
        int exports, steers, targeted, steps, warns;
    } cases[] = {
        {1, 0, 0, 0, DJP_SAMPLER_RATIO, 0.5, 1, 1, 1, 1, 0},
        {0, 1, 0, 0, DJP_SAMPLER_RATIO, 0.5, 1, 1, 1, 1, 0},
        {0, 0, 5, 1, DJP_SAMPLER_RATIO, 0.5, 1, 1, 0, 1, 0},
        {0, 0, 0, 1, DJP_SAMPLER_RATIO, 0.5, 1, 0, 0, 1, 0},
        {0, 0, 5, 0, DJP_SAMPLER_RATIO, 0.5, 1, 0, 0, 0, 1},
        {1, 0, 0, 0, DJP_SAMPLER_TREE, 0.5, 1, 0, 0, 0, 1},
        {0, 0, 5, 1, DJP_SAMPLER_TREE, 0.5, 1, 0, 0, 1, 1},
        {1, 0, 0, 0, DJP_SAMPLER_RATIO, 0, 1, 0, 0, 0, 0},
        {1, 0, 0, 0, DJP_SAMPLER_RATIO, 0.5, 0, 0, 0, 0, 0},
        {0, 0, 0, 1, DJP_SAMPLER_RATIO, 0.5, 0, 0, 0, 0, 0},
        {1, 0, 0, 0, DJP_SAMPLER_ALWAYS_ON, 1, 1, 1, 1, 1, 0},
        {0, 0, 0, 0, DJP_SAMPLER_TREE, 0.5, 1, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (i > 0) {
            tear_down(state);
            set_up(state);
        }
        options.target_spans_per_second = cases[i].spans;
        options.target_bytes_per_second = cases[i].bytes;
        options.budget_per_month = cases[i].budget;
        options.price_per_gb = cases[i].price;
        options.sampler = cases[i].sampler;
        options.sample_ratio = cases[i].ratio;
        host.exports = cases[i].exports;
        start();
        if (control.steers != cases[i].steers || control.targeted != cases[i].targeted ||
            control.account.steered != cases[i].steers || (control.next == 0) != cases[i].steps ||
            warnings != cases[i].warns) {
            fail_msg("case %zu: %d %d %d %d", i, control.steers, control.targeted,
                     control.next == 0, warnings);
        }
    }
}

/* Once a second, and not at all while nothing ends and nothing is reduced. */
static void
steps_are_a_second_apart(void **state)
{
    (void)state;
    options.target_spans_per_second = 1000000;
    start();
    assert_true(djp__control_next(&control) == 0);
    djp__control_tick(&control, 10 * SECOND);
    assert_true(control.next == 11 * SECOND);
    /* the ratio may still rise to its ceiling */
    assert_true(djp__control_next(&control) == 11 * SECOND);
    record(10);
    djp__control_tick(&control, 11 * SECOND - 1);
    assert_true(control.next == 11 * SECOND);
    djp__control_tick(&control, 11 * SECOND);
    assert_true(ratio() == 1);
    assert_string_equal(ratio_by(), "target");
    assert_true(djp__control_next(&control) == 12 * SECOND);
    djp__control_tick(&control, 12 * SECOND); /* nothing ended since */
    assert_true(control.idle);
    assert_true(djp__control_next(&control) == UINT64_MAX);
    record(1);
    djp__control_tick(&control, 20 * SECOND);
    assert_false(control.idle);
    assert_true(djp__control_next(&control) == 21 * SECOND);
}

/* A target is met by the ratio; the sampled spans of both kinds count. */
static void
a_target_lowers_the_ratio(void **state)
{
    (void)state;
    options.target_spans_per_second = 10;
    start();
    djp__control_tick(&control, SECOND);
    for (uint64_t second = 2; second < 12; second++) {
        record(1000);
        djp__control_tick(&control, second * SECOND);
    }
    assert_true(ratio() < 0.02 && ratio() > 0.004);
    assert_string_equal(ratio_by(), "target");
}

static void
bytes_are_those_of_the_wire(void **state)
{
    (void)state;
    options.target_bytes_per_second = 1000;
    start();
    /* 100 a span: ten spans a second */
    exported = (djp__control_exported){.spans = 100, .bytes = 10000};
    djp__control_tick(&control, SECOND);
    for (uint64_t second = 2; second < 12; second++) {
        record(1000);
        djp__control_tick(&control, second * SECOND);
    }
    assert_true(control.controller.last.span_bytes == 100);
    assert_true(ratio() < 0.02 && ratio() > 0.004);
}

/* Before anything was exported, records in the ring are about as long. */
static void
before_an_export_the_ring_tells_the_size(void **state)
{
    (void)state;
    options.target_bytes_per_second = 1000;
    start();
    djp__control_tick(&control, SECOND);
    assert_true(control.controller.last.span_bytes == 0);
    record(1000);
    djp__control_tick(&control, 2 * SECOND);
    assert_true(control.controller.last.span_bytes > 50 &&
                control.controller.last.span_bytes < 1000);
    assert_true(control.controller.last.head > 400 && control.controller.last.head < 600);
    assert_true(control.controller.last.other == 0);
    double alike = control.controller.last.span_bytes;
    for (int i = 0; i < 1000; i++) { /* sampled for another reason: they count as much */
        djp_span *span = djp_span_start(host.recorder, (djp_text){"s", 1}, NULL);
        djp_span_set_status(span, DJP_STATUS_ERROR, (djp_text){NULL, 0});
        djp_span_end(span, 0);
        djp_span_release(span);
    }
    span_reader_drain(host.recorder);
    djp__control_tick(&control, 3 * SECOND);
    assert_int_equal(control.controller.last.other, 1000);
    assert_int_equal(control.controller.last.failed, 1000);
    assert_true(control.controller.last.span_bytes > 0.8 * alike &&
                control.controller.last.span_bytes < 1.2 * alike);
}

/* A budget that has nothing left keeps next to nothing, and never raises the ratio above the
 * configured one. */
static void
a_budget_lowers_and_never_raises(void **state)
{
    (void)state;
    options.budget_per_month = 1e-3;
    options.price_per_million_spans = 1e6; /* one a span */
    start();
    djp__control_tick(&control, SECOND);
    record(100);
    djp__control_tick(&control, 2 * SECOND);
    assert_true(ratio() == 0.5); /* too early to know */
    assert_string_equal(ratio_by(), "configuration");
    control.account.budget.learned = 100;
    exported.spans = 1000;
    for (uint64_t second = 3; second < 30; second++) {
        record(100);
        exported.spans += 50;
        djp__control_tick(&control, second * SECOND);
    }
    assert_true(ratio() < 0.01);
    assert_string_equal(ratio_by(), "budget");
    /* reduced: it must be awake to end that */
    assert_true(djp__control_next(&control) != UINT64_MAX);
}

/* A target of bytes alone is none of spans: the account is still given the load without a
 * reduction. */
static void
the_account_is_given_the_wanted_load(void **state)
{
    (void)state;
    options.target_bytes_per_second = 1000000000;
    options.budget_per_month = 1e6;
    options.price_per_million_spans = 1;
    start();
    djp__control_tick(&control, SECOND);
    for (uint64_t second = 2; second < 8; second++) {
        record(100);
        exported.spans += 100;
        djp__control_tick(&control, second * SECOND);
    }
    double wanted = plane_wanted(&control);
    assert_true(wanted > 50 && wanted < 200);
    options.target_spans_per_second = 20;
    assert_true(plane_wanted(&control) == 20);
    options.target_spans_per_second = 1000;
    assert_true(plane_wanted(&control) == wanted);
    control.targeted = 0; /* the configured ratio is the highest one */
    assert_true(fabs(plane_wanted(&control) - wanted / 2) < wanted / 100);
}

static void
a_forked_child_may_use_its_locks(void **state)
{
    (void)state;
    start();
    djp__control_fork_prepare(&control);
    djp__control_fork_parent(&control);
    djp__control_fork_prepare(&control);
    djp__control_fork_child(&control);
    assert_true(ratio() == 0.5); /* would hang */
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ONE(without_a_target_there_is_no_step), ONE(what_makes_it_steer),
        ONE(steps_are_a_second_apart),          ONE(a_target_lowers_the_ratio),
        ONE(bytes_are_those_of_the_wire),       ONE(before_an_export_the_ring_tells_the_size),
        ONE(a_budget_lowers_and_never_raises),  ONE(the_account_is_given_the_wanted_load),
        ONE(a_forked_child_may_use_its_locks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
