/* The account of a month by simulation: costs, forecast, alarms, months that change, clocks that
 * jump, the file that is shared; and the controller that it steers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/ratio_controller.h"
#include "control/budget.h"
#include "control/budget_file.h"

#define SECOND 1000000000ull
#define DAY 86400.0
#define NOVEMBER 1793491200.0 /* 2026-11-01 00:00:00 UTC */

typedef struct world {
    djp__budget it;
    djp__budget_load load;
    double unix_seconds;
    uint64_t now;
} world;

static world
world_new(double budget, double unix_seconds)
{
    djp__budget_prices prices = {budget, 0.5, 2, 8};
    world w = {.unix_seconds = unix_seconds, .now = 5 * SECOND, .load = {.wanted = -1}};
    djp__budget_init(&w.it, &prices);
    djp__budget_step(&w.it, w.unix_seconds, w.now, &w.load);
    return w;
}

static void
pass(world *w, double seconds, double spans, double bytes)
{
    w->unix_seconds += seconds;
    w->now += (uint64_t)(seconds * 1e9);
    w->load.spans += (uint64_t)spans;
    w->load.bytes += (uint64_t)bytes;
    djp__budget_step(&w->it, w->unix_seconds, w->now, &w->load);
}

static djp__budget_view
look(const world *w)
{
    djp__budget_view view;
    djp__budget_look(&view, &w->it);
    return view;
}

static void
near(double got, double wanted, double part)
{
    if (!(fabs(got - wanted) <= part * fabs(wanted) + 1e-12)) {
        fail_msg("%.9g, not %.9g", got, wanted);
    }
}

static void
months_are_those_of_the_calendar(void **state)
{
    (void)state;
    assert_int_equal(djp__budget_month(0), 1970 * 12);
    assert_int_equal(djp__budget_month(NOVEMBER), 2026 * 12 + 10);
    assert_int_equal(djp__budget_month(NOVEMBER - 1), 2026 * 12 + 9);
    assert_true(djp__budget_month_begin(2026 * 12 + 10) == NOVEMBER);
    assert_true(djp__budget_month_begin(2024 * 12 + 2) == 1709251200.0); /* behind a 29 February */
    assert_true(djp__budget_month_begin(2000 * 12 + 2) - djp__budget_month_begin(2000 * 12 + 1) ==
                29 * DAY);
    assert_true(djp__budget_month_begin(2100 * 12 + 2) - djp__budget_month_begin(2100 * 12 + 1) ==
                28 * DAY);
    for (int month = 1970 * 12; month < 2200 * 12; month++) {
        assert_int_equal(djp__budget_month(djp__budget_month_begin(month)), month);
    }
    assert_int_equal(djp__budget_month(-5), 1970 * 12);
    assert_int_equal(djp__budget_month(NAN), 1970 * 12);
    djp__budget_month(1e300);
}

static void
costs_are_those_of_the_prices(void **state)
{
    (void)state;
    world w = world_new(100, NOVEMBER);
    w.load.series = 500;
    pass(&w, 1, 3e6, 4e9);
    near(look(&w).spent, 3 * 2 + 4 * 0.5 + 4.0 / (30 * DAY), 1e-9);
    pass(&w, DAY, 0, 0);
    near(w.it.total[2], 4.0 * (DAY + 1) / (30 * DAY), 1e-9);
    near(look(&w).allowance, 100, 1e-9);
    near(look(&w).used_ratio, look(&w).spent / 100, 1e-9);
}

/* A process that begins in the middle of a month has the part of the budget that is left of the
 * month. */
static void
a_part_of_the_month_has_a_part_of_the_budget(void **state)
{
    (void)state;
    world w = world_new(30, NOVEMBER + 20 * DAY);
    near(look(&w).allowance, 10, 1e-9);
    for (int i = 0; i < 24 * 60; i++) {
        pass(&w, 60, 0.25e6 / 24 / 60, 0); /* half a unit a day */
    }
    near(look(&w).forecast, 5, 0.01);
    near(look(&w).forecast_ratio, 0.5, 0.01);
    assert_true(look(&w).target_spans < 0);
}

static void
alarms_are_told_once_each(void **state)
{
    (void)state;
    world w = world_new(10, NOVEMBER);
    int told[8], count = 0;
    for (int i = 0; i < 150 && count < 8; i++) {
        pass(&w, 60, 0.05e6, 0); /* a tenth of a unit */
        int alarm = djp__budget_alarm(&w.it);
        if (alarm) {
            told[count++] = alarm;
        }
    }
    assert_int_equal(count, 3);
    assert_true(told[0] == 50 && told[1] == 80 && told[2] == 100);
    /* Whoever jumps past several hears of the highest. */
    w = world_new(10, NOVEMBER);
    pass(&w, 60, 4.5e6, 0);
    assert_int_equal(djp__budget_alarm(&w.it), 80);
    assert_int_equal(djp__budget_alarm(&w.it), 0);
    w = world_new(0, NOVEMBER);
    pass(&w, 60, 4.5e9, 0);
    assert_int_equal(djp__budget_alarm(&w.it), 0); /* no budget, no alarm */
    assert_true(look(&w).target_spans < 0 && look(&w).spent > 0);
}

static void
a_new_month_begins_with_nothing(void **state)
{
    (void)state;
    world w = world_new(10, NOVEMBER + 29 * DAY);
    pass(&w, DAY - 10, 1e6, 0);
    assert_int_equal(djp__budget_alarm(&w.it), 100); /* 2 of a thirtieth of 10 */
    pass(&w, 20, 1e6, 0);
    near(look(&w).spent, 2, 1e-9);
    near(look(&w).allowance, 10, 1e-9);
    assert_int_equal(w.it.month, 2026 * 12 + 11);
    assert_int_equal(djp__budget_alarm(&w.it), 0);
    pass(&w, 20, 2e6, 0);
    assert_int_equal(djp__budget_alarm(&w.it), 50); /* again, in this month */
    near(w.it.total[1], 8, 1e-9); /* the counter goes on */
}

static void
a_clock_that_jumps_does_not_begin_a_month(void **state)
{
    (void)state;
    world w = world_new(10, NOVEMBER + 10);
    pass(&w, 60, 3e6, 0);
    assert_int_equal(djp__budget_alarm(&w.it), 50);
    w.unix_seconds = NOVEMBER - 100; /* back over the edge of the month */
    pass(&w, 1, 0, 0);
    assert_int_equal(w.it.month, 2026 * 12 + 10);
    near(look(&w).spent, 6, 1e-9);
    w.unix_seconds = NOVEMBER + 200;
    pass(&w, 1, 0, 0);
    near(look(&w).spent, 6, 1e-9);
    assert_int_equal(djp__budget_alarm(&w.it), 0);
    /* A clock that was ahead by months and is put right: the account moves with it, what was spent
     * stays. */
    w = world_new(10, NOVEMBER + 400 * DAY);
    pass(&w, 60, 3e6, 0);
    w.unix_seconds = NOVEMBER + DAY;
    pass(&w, 60, 0, 0);
    assert_int_equal(w.it.month, 2026 * 12 + 10);
    near(look(&w).spent, 6, 1e-9);
    /* Counts that begin again, and a monotonic clock that stands still. */
    w.load.spans = 0;
    djp__budget_step(&w.it, w.unix_seconds, w.now, &w.load);
    djp__budget_step(&w.it, w.unix_seconds, 1, &w.load);
    near(look(&w).spent, 6, 1e-9);
}

/* Within a day the time stands still until the clock is there again; from more than a day on the
 * clock was wrong before. */
static void
a_clock_that_goes_back_stands_still_for_a_day(void **state)
{
    (void)state;
    const double begin = NOVEMBER + 10 * DAY;
    static const struct {
        double back;
        int stands;
    } cases[] = {{1, 1}, {3600, 1}, {DAY - 1, 1}, {DAY, 1}, {DAY + 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world w = world_new(10, begin);
        pass(&w, 7200, 1e6, 0);
        djp__budget_view before = look(&w);
        w.unix_seconds = begin + 7200 - cases[i].back;
        djp__budget_step(&w.it, w.unix_seconds, w.now, &w.load);
        assert_true(w.it.now == (cases[i].stands ? begin + 7200 : w.unix_seconds));
        assert_true(w.it.since == (cases[i].stands ? begin : w.unix_seconds));
        near(look(&w).spent, before.spent, 0);
        if (cases[i].stands) {
            near(look(&w).forecast, before.forecast, 0);
            near(look(&w).allowance, before.allowance, 0);
        }
        /* When the clock is there again, time goes on from where it stood. */
        pass(&w, cases[i].back + 60, 0, 0);
        assert_true(w.it.now == begin + 7260);
        near(look(&w).spent, before.spent, 0);
    }
}

static void
nothing_is_forecast_before_a_minute(void **state)
{
    (void)state;
    world w = world_new(10, NOVEMBER);
    pass(&w, 59, 1e6, 0);
    near(look(&w).forecast, 2, 0);
    assert_true(look(&w).target_spans < 0);
    pass(&w, 1, 0, 0);
    near(look(&w).forecast, 2 + 2.0 / 60 * (30 * DAY - 60), 1e-9);
    assert_true(look(&w).target_spans >= 0);
    near(look(&w).target_spans, 8 / (30 * DAY - 60) / 2e-6, 1e-9);
}

/* ---- reduction: the account and the controller together, a month in minutes ---- */

typedef struct traffic {
    double head; /* spans a second that a ratio of 1 would keep */
    double errors;
} traffic;

/* Runs `seconds` in steps of ten with the ratio that follows from it; returns the last ratio. */
static double
run(world *w, djp__ratio_controller *controller, djp__ratio_load *load, double configured,
    traffic now, double seconds)
{
    double ratio = controller->ratio;
    for (double passed = 0; passed < seconds; passed += 10) {
        double head = now.head * ratio * 10, other = now.errors * 10;
        load->head += (uint64_t)head;
        load->other += (uint64_t)other;
        load->failed += (uint64_t)other;
        load->ended += (uint64_t)((now.head + now.errors) * 10);
        w->load.wanted = djp__ratio_controller_expect(controller, configured);
        pass(w, 10, head + other, (head + other) * 400);
        double left = look(w).target_spans;
        djp__ratio_controller_set_target(controller, left >= 0 ? fmax(left, 1e-6) : 0, configured);
        ratio = djp__ratio_controller_step(controller, w->now, ratio, load);
        assert_true(ratio <= configured);
    }
    return ratio;
}

static void
the_ratio_is_lowered_until_the_month_fits(void **state)
{
    (void)state;
    const double configured = 0.5;
    world w = world_new(1000, NOVEMBER);
    djp__ratio_controller controller;
    djp__ratio_load load = {0, 0, 0, 0, 400};
    djp__ratio_controller_init(&controller, 0, 0, configured);
    traffic usual = {.head = 100, .errors = 5}, high = {.head = 1000, .errors = 5};
    /* 55 spans a second at 2.2 for a million: 314 a month. */
    assert_true(run(&w, &controller, &load, configured, usual, DAY) == configured);
    assert_true(look(&w).target_spans < 0);
    near(look(&w).forecast, 314, 0.02);
    /* Ten times as much would be 2,900. */
    double ratio = run(&w, &controller, &load, configured, high, DAY);
    assert_true(look(&w).target_spans >= 0);
    assert_true(ratio < 0.4 && ratio > 0.1);
    run(&w, &controller, &load, configured, high, 27.99 * DAY);
    near(look(&w).spent, 1000, 0.03);
    /* The next month begins with all of its budget, and less traffic needs no reduction. */
    ratio = run(&w, &controller, &load, configured, usual, DAY);
    assert_true(ratio == configured && look(&w).target_spans < 0);
}

/* Where errors alone cost more, they are kept all the same and nothing else is. */
static void
errors_are_never_reduced(void **state)
{
    (void)state;
    world w = world_new(10, NOVEMBER);
    djp__ratio_controller controller;
    djp__ratio_load load = {0, 0, 0, 0, 400};
    djp__ratio_controller_init(&controller, 0, 0, 0.1);
    traffic failing = {.head = 100, .errors = 50};
    run(&w, &controller, &load, 0.1, failing, 5 * DAY);
    assert_true(look(&w).used_ratio > 1 && look(&w).target_spans == 0);
    assert_int_equal(load.other, 50 * 5 * DAY);
    uint64_t spent_out = load.head;
    run(&w, &controller, &load, 0.1, failing, DAY);
    assert_true((double)(load.head - spent_out) <
                0.02 * 0.1 * failing.head * DAY); /* now and then one, to know of a change */
}

/* ---- the file ---- */

static char folder[64], path[128];

static int
begin_file(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/djp-budget-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/budget", folder);
    return 0;
}

static int
end_file(void **state)
{
    (void)state;
    char name[160];
    static const char *const ends[] = {"", ".lock", ".new"};
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
        rmdir(name);
    }
    return rmdir(folder);
}

static void
put(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void
the_sum_survives_a_restart(void **state)
{
    (void)state;
    world first = world_new(10, NOVEMBER + 3 * DAY);
    pass(&first, 60, 2e6, 0);
    assert_int_equal(djp__budget_file_merge(path, &first.it), DJP_BUDGET_MERGED);
    pass(&first, 60, 1e6, 0);
    assert_int_equal(djp__budget_file_merge(path, &first.it), DJP_BUDGET_MERGED);
    /* nothing is added twice */
    assert_int_equal(djp__budget_file_merge(path, &first.it), DJP_BUDGET_MERGED);
    near(look(&first).spent, 6, 1e-9);
    world second = world_new(10, NOVEMBER + 10 * DAY);
    assert_int_equal(djp__budget_file_merge(path, &second.it), DJP_BUDGET_MERGED);
    near(look(&second).spent, 6, 1e-6);
    near(look(&second).allowance, 9, 1e-6); /* since the third day */
    assert_int_equal(djp__budget_alarm(&second.it), 50);
    /* The next month is a new account, whatever the file says. */
    world third = world_new(10, NOVEMBER + 31 * DAY);
    assert_int_equal(djp__budget_file_merge(path, &third.it), DJP_BUDGET_MERGED);
    near(look(&third).spent, 0, 0);
    /* And a clock that is behind leaves it alone. */
    assert_int_equal(djp__budget_file_merge(path, &second.it), DJP_BUDGET_MERGED);
    assert_int_equal(djp__budget_file_merge(path, &third.it), DJP_BUDGET_MERGED);
    near(look(&third).spent, 0, 0);
}

/* Some host's clock was years ahead for a moment. No process waits until then; one that just
 * started may be the one that is wrong. */
static void
a_file_from_far_ahead_is_given_up(void **state)
{
    (void)state;
    static const char ahead[] = "djp-telemetry budget 1 2038-01 since=2145916800 spent=7\n";
    world w = world_new(10, NOVEMBER);
    pass(&w, 60, 1e6, 0);
    put(ahead);
    assert_int_equal(djp__budget_file_merge(path, &w.it), DJP_BUDGET_MERGED);
    near(w.it.unshared, 2, 1e-9);
    pass(&w, 3600, 1e6, 0);
    assert_int_equal(djp__budget_file_merge(path, &w.it), DJP_BUDGET_DAMAGED);
    near(w.it.unshared, 0, 0);
    world other = world_new(10, NOVEMBER);
    assert_int_equal(djp__budget_file_merge(path, &other.it), DJP_BUDGET_MERGED);
    near(look(&other).spent, 4, 1e-6);
    /* the next month may come in a minute */
    put("djp-telemetry budget 1 2026-12 since=1796083200 spent=7\n");
    pass(&w, 3600, 1e6, 0);
    assert_int_equal(djp__budget_file_merge(path, &w.it), DJP_BUDGET_MERGED);
    near(w.it.unshared, 2, 1e-9);
}

static void
processes_share_a_sum(void **state)
{
    (void)state;
    world all[5];
    for (int i = 0; i < 5; i++) {
        all[i] = world_new(10, NOVEMBER);
    }
    for (int turn = 0; turn < 20; turn++) {
        for (int i = 0; i < 5; i++) {
            pass(&all[i], 30, 1e4 * (i + 1), 0);
            assert_int_equal(djp__budget_file_merge(path, &all[i].it), DJP_BUDGET_MERGED);
        }
    }
    djp__budget_file_merge(path, &all[0].it);
    near(look(&all[0]).spent, 20 * 15 * 1e4 * 2 / 1e6, 1e-6);
    near(look(&all[4]).spent, 20 * 15 * 1e4 * 2 / 1e6, 1e-6);
}

/* Each steers as if what is left were its own, so that they spend it early; but they do not spend
 * more. */
static void
together_they_spend_no_more_than_there_is(void **state)
{
    (void)state;
    enum { PROCESSES = 8 };
    static world all[PROCESSES];
    djp__ratio_controller controller[PROCESSES];
    djp__ratio_load loads[PROCESSES];
    traffic each = {.head = 350, .errors = 0.2}; /* all of the budget */
    for (int i = 0; i < PROCESSES; i++) {
        all[i] = world_new(1000, NOVEMBER);
        loads[i] = (djp__ratio_load){.span_bytes = 400};
        djp__ratio_controller_init(&controller[i], 0, 0, 0.5);
    }
    for (int hour = 0; hour < 30 * 24 - 1; hour++) {
        for (int i = 0; i < PROCESSES; i++) {
            run(&all[i], &controller[i], &loads[i], 0.5, each, 3600);
            assert_int_equal(djp__budget_file_merge(path, &all[i].it), DJP_BUDGET_MERGED);
        }
    }
    near(look(&all[PROCESSES - 1]).spent, 1000, 0.03);
}

static void
what_is_not_understood_is_begun_anew(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "x",
        "djp-telemetry budget 1 ",
        "djp-telemetry budget 1 2026-11 since=1 spent=1",
        "djp-telemetry budget 1 2026-13 since=1 spent=1\n",
        "djp-telemetry budget 1 2026-11 since=1 spent=-1\n",
        "djp-telemetry budget 1 2026-11 since=1 spent=nan\n",
        "djp-telemetry budget 1 2026-11 since=x spent=1\n",
        "djp-telemetry budget 2 2026-11 since=1 spent=1\n",
        "djp-telemetry budget 1 99999999999999999999-11 since=1 spent=1\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        world w = world_new(10, NOVEMBER);
        pass(&w, 1, 1e6, 0);
        put(bad[i]);
        if (djp__budget_file_merge(path, &w.it) != DJP_BUDGET_DAMAGED) {
            fail_msg("case %zu", i);
        }
        near(look(&w).spent, 2, 1e-6);
        assert_int_equal(djp__budget_file_merge(path, &w.it), DJP_BUDGET_MERGED);
        near(look(&w).spent, 2, 1e-6);
    }
    put("djp-telemetry budget 1 2026-11 since=1793491200 spent=3.5\n");
    world w = world_new(10, NOVEMBER);
    assert_int_equal(djp__budget_file_merge(path, &w.it), DJP_BUDGET_MERGED);
    near(look(&w).spent, 3.5, 1e-9);
}

static void
nobody_waits_for_the_file(void **state)
{
    (void)state;
    char lock[160];
    snprintf(lock, sizeof lock, "%s.lock", path);
    world w = world_new(10, NOVEMBER);
    pass(&w, 1, 1e6, 0);
    FILE *holder = fopen(lock, "w");
    assert_int_equal(flock(fileno(holder), LOCK_EX), 0);
    assert_int_equal(djp__budget_file_merge(path, &w.it), DJP_BUDGET_BUSY);
    fclose(holder);
    assert_int_equal(djp__budget_file_merge(path, &w.it), DJP_BUDGET_MERGED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* would hang whoever waits */
    pass(&w, 1, 1e6, 0);
    assert_int_equal(djp__budget_file_merge(path, &w.it), DJP_BUDGET_UNUSABLE);
    near(w.it.unshared, 2, 1e-9);
    near(look(&w).spent, 4, 1e-9);
    assert_int_equal(djp__budget_file_merge("/nowhere/at/all", &w.it), DJP_BUDGET_UNUSABLE);
}

/* Somebody planted a name beside the file that leads to a file of somebody else. */
static void
planted_names_are_refused(void **state)
{
    (void)state;
    static const char *const ends[] = {".new", ".lock"};
    char name[160], victim[160], content[8] = "";
    snprintf(victim, sizeof victim, "%s/victim", folder);
    FILE *file = fopen(victim, "w");
    fputs("mine", file);
    fclose(file);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        for (int kind = 0; kind < 4; kind++) {
            world w = world_new(10, NOVEMBER);
            pass(&w, 1, 1e6, 0);
            unlink(name);
            int planted = kind == 0   ? link(victim, name)
                          : kind == 1 ? symlink(victim, name)
                          : kind == 2 ? mkfifo(name, 0600)
                                      : mkdir(name, 0700);
            assert_int_equal(planted, 0);
            assert_int_equal(djp__budget_file_merge(path, &w.it), DJP_BUDGET_UNUSABLE);
            near(w.it.unshared, 2, 1e-9);
            assert_int_equal(access(name, F_OK), 0);
            rmdir(name);
            unlink(name);
        }
    }
    file = fopen(victim, "r");
    assert_int_equal(fread(content, 1, sizeof content, file), 4);
    fclose(file);
    assert_memory_equal(content, "mine", 4);
    unlink(victim);
    /* What a process of ours left when it died is no obstacle. */
    snprintf(name, sizeof name, "%s.new", path);
    fclose(fopen(name, "w"));
    world w = world_new(10, NOVEMBER);
    pass(&w, 1, 1e6, 0);
    assert_int_equal(djp__budget_file_merge(path, &w.it), DJP_BUDGET_MERGED);
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(months_are_those_of_the_calendar),
        cmocka_unit_test(costs_are_those_of_the_prices),
        cmocka_unit_test(a_part_of_the_month_has_a_part_of_the_budget),
        cmocka_unit_test(alarms_are_told_once_each),
        cmocka_unit_test(a_new_month_begins_with_nothing),
        cmocka_unit_test(a_clock_that_jumps_does_not_begin_a_month),
        cmocka_unit_test(a_clock_that_goes_back_stands_still_for_a_day),
        cmocka_unit_test(nothing_is_forecast_before_a_minute),
        cmocka_unit_test(the_ratio_is_lowered_until_the_month_fits),
        cmocka_unit_test(errors_are_never_reduced),
        cmocka_unit_test_setup_teardown(the_sum_survives_a_restart, begin_file, end_file),
        cmocka_unit_test_setup_teardown(processes_share_a_sum, begin_file, end_file),
        cmocka_unit_test_setup_teardown(together_they_spend_no_more_than_there_is, begin_file,
                                        end_file),
        cmocka_unit_test_setup_teardown(a_file_from_far_ahead_is_given_up, begin_file, end_file),
        cmocka_unit_test_setup_teardown(what_is_not_understood_is_begun_anew, begin_file, end_file),
        cmocka_unit_test_setup_teardown(planted_names_are_refused, begin_file, end_file),
        cmocka_unit_test_setup_teardown(nobody_waits_for_the_file, begin_file, end_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
