/* The account of a running SDK with the clocks in the test's hand: what is fed in, what is said
 * about it and how often, and when the file is looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static uint64_t mono_ns, unix_ns;
#define djp__clock_monotonic() mono_ns
#define djp__clock_realtime() unix_ns
static int nap(const struct timespec *pause);
#define nanosleep(pause, rest) nap(pause)
#include "control/account.c"
#undef djp__clock_monotonic
#undef djp__clock_realtime
#undef nanosleep

#define SECOND 1000000000ull
#define DAY (86400 * SECOND)
#define NOVEMBER (1793491200 * SECOND) /* 2026-11-01 00:00:00 UTC */

static djp_options options;
static djp__diagnostics diag;
static djp__control_exported exported;
static djp__control_host host;
static djp__account account;
static char folder[64], file[96], last[1024];
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
    assert_ptr_equal(user, &exported);
    *out = exported;
}

static int
set_up(void **state)
{
    (void)state;
    memset(&options, 0, sizeof options);
    memset(&account, 0, sizeof account);
    memset(&exported, 0, sizeof exported);
    options.enabled = 1;
    options.budget_file = file;
    host = (djp__control_host){
        .options = &options, .diag = &diag, .read = read_exported, .user = &exported};
    strcpy(folder, "/tmp/djp-account-XXXXXX");
    assert_non_null(mkdtemp(folder));
    file[0] = '\0';
    warnings = 0;
    last[0] = '\0';
    mono_ns = 100 * SECOND;
    unix_ns = NOVEMBER;
    djp__mutex_init(&account.mutex);
    return djp__diag_init(&diag, DJP_LOG_WARN, note, NULL);
}

static int
tear_down(void **state)
{
    static const char *const ends[] = {"/f", "/f.lock", "/f.new"};
    char name[128];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", folder, ends[i]);
        unlink(name);
        rmdir(name);
    }
    djp__mutex_fini(&account.mutex);
    djp__diag_fini(&diag);
    return rmdir(folder);
}

static void
with_file(void)
{
    snprintf(file, sizeof file, "%s/f", folder);
}

static void
pass(uint64_t seconds, uint64_t spans)
{
    mono_ns += seconds * SECOND;
    unix_ns += seconds * SECOND;
    exported.spans += spans;
}

static djp__budget_view
view_of(void)
{
    djp__budget_view view;
    djp__account_read(&account, &view, NULL);
    return view;
}

static void
it_is_on_where_something_has_a_price(void **state)
{
    (void)state;
    for (int which = 0; which < 4; which++) {
        for (int enabled = 0; enabled < 2; enabled++) {
            memset(&account.budget, 0, sizeof account.budget);
            options.enabled = enabled;
            options.price_per_gb = which == 1;
            options.price_per_million_spans = which == 2;
            options.price_per_thousand_series = which == 3;
            options.budget_per_month = 0;
            djp__account_init(&account, &host);
            assert_int_equal(account.on, which > 0 && enabled);
            assert_int_equal(warnings, 0);
        }
    }
    options = (djp_options){.enabled = 1, .budget_per_month = 5, .budget_file = file};
    djp__account_init(&account, &host);
    assert_false(account.on);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last, "no price is"));
    options.enabled = 0;
    djp__account_init(&account, &host);
    assert_int_equal(warnings, 1);
    options.enabled = 1;
    options.price_per_gb = 1;
    djp__account_init(&account, &host);
    assert_true(account.on);
    assert_int_equal(warnings, 1);
}

static void
what_is_off_does_nothing(void **state)
{
    (void)state;
    djp__account_init(&account, &host);
    pass(60, 1000000);
    djp__account_feed(&account);
    djp__account_step(&account);
    assert_true(djp__account_tick(&account, mono_ns, 5) == -1);
    assert_true(view_of().spent == 0 && account.wanted == -1);
    assert_true(djp__account_is_complete(&account));
    djp__account_end(&account);
}

/* One message reports each part, with what happens then. */
static void
each_part_is_reported_once(void **state)
{
    (void)state;
    options.price_per_million_spans = 1;
    options.budget_per_month = 10;
    djp__account_init(&account, &host);
    pass(10, 4900000);
    djp__account_step(&account);
    assert_int_equal(warnings, 0);
    pass(10, 100000);
    djp__account_feed(&account); /* counts, and says nothing */
    assert_int_equal(warnings, 0);
    assert_true(view_of().spent == 5);
    djp__account_step(&account);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(
        last,
        "50 % of the telemetry budget for 2026-11 is used up: 5.00 of 10.00, and 5.00 by the end"));
    assert_non_null(strstr(last, "No reduction is needed so far."));
    djp__account_step(&account);
    assert_int_equal(warnings, 1);
    pass(60, 3000000); /* a forecast is known by now */
    djp__account_step(&account);
    assert_int_equal(warnings, 2);
    assert_non_null(strstr(last, "80 %"));
    assert_non_null(strstr(last, "The ratio is not reduced."));
    account.steered = 1;
    pass(1, 3000000);
    djp__account_step(&account);
    assert_int_equal(warnings, 3);
    assert_non_null(strstr(last, "100 %"));
    assert_non_null(strstr(last, "The ratio is being reduced; errors are still exported."));
    pass(1, 3000000);
    djp__account_step(&account);
    assert_int_equal(warnings, 3);
}

/* Small budgets are shown with more digits. */
static void
digits_of_small_budgets(void **state)
{
    static const struct {
        double budget;
        const char *text;
    } cases[] = {{0.5, "of 0.500000,"}, {1, "of 1.00,"}, {2, "of 2.00,"}};
    for (size_t i = 0; i < 3; i++) {
        if (i > 0) {
            tear_down(state);
            set_up(state);
        }
        options.price_per_million_spans = 1;
        options.budget_per_month = cases[i].budget;
        djp__account_init(&account, &host);
        pass(10, (uint64_t)(cases[i].budget * 1e6));
        djp__account_step(&account);
        assert_int_equal(warnings, 1);
        assert_non_null(strstr(last, cases[i].text));
    }
}

static int
file_exists(void)
{
    return access(file, F_OK) == 0;
}

/* At the start, then every thirty seconds. */
static void
the_file_is_looked_at_now_and_then(void **state)
{
    (void)state;
    with_file();
    options.price_per_million_spans = 1;
    djp__account_init(&account, &host);
    assert_true(file_exists());
    assert_true(account.file_next == mono_ns + 30 * SECOND);
    pass(1, 1000000);
    uint64_t start = mono_ns - SECOND;
    djp__account_tick(&account, start + 30 * SECOND - 1, 7);
    assert_true(account.wanted == 7);
    assert_false(djp__account_is_complete(&account));
    assert_true(account.budget.unshared == 1);
    djp__account_tick(&account, start + 30 * SECOND, 7);
    assert_true(djp__account_is_complete(&account));
    assert_true(account.file_next == start + 60 * SECOND);
    assert_true(view_of().spent == 1);
    assert_int_equal(warnings, 0);
}

/* The look at the file at the start says nothing about the traffic. */
static void
a_start_knows_nothing_of_the_traffic(void **state)
{
    (void)state;
    with_file();
    options.price_per_million_spans = 1;
    account.wanted = 5;
    djp__account_init(&account, &host);
    assert_true(file_exists() && account.wanted == -1);
}

static void
series_of_metrics_cost_by_the_month(void **state)
{
    (void)state;
    djp_family *family = NULL;
    djp_family_options gauge = {
        .type = DJP_GAUGE, .name = "g", .labels = (const char *const[]){"a"}, .label_count = 1};
    assert_int_equal(djp_registry_new(&host.registry, NULL), 0);
    assert_int_equal(djp_family_new(&family, host.registry, &gauge), 0);
    for (int i = 0; i < 100; i++) {
        char value[16];
        djp_text text = {value, (size_t)snprintf(value, sizeof value, "%d", i)};
        djp_gauge_set(djp_family_series(family, &text), i);
    }
    options.price_per_thousand_series = 300; /* 30 a month for a hundred: one a day */
    djp__account_init(&account, &host);
    pass(86400, 0);
    djp__account_feed(&account);
    assert_true(view_of().spent > 0.999 && view_of().spent < 1.001);
    djp_registry_free(host.registry);
}

static void
without_a_file_everything_is_settled(void **state)
{
    (void)state;
    options.price_per_million_spans = 1;
    djp__account_init(&account, &host);
    assert_true(account.file_next == UINT64_MAX);
    pass(1, 1000000);
    djp__account_step(&account);
    assert_true(account.budget.unshared == 1);
    assert_true(djp__account_is_complete(&account));
    options.budget_file = NULL;
    djp__account_init(&account, &host);
    assert_true(account.file_next == UINT64_MAX);
}

static int
hold_lock(void)
{
    char name[128];
    snprintf(name, sizeof name, "%s.lock", file);
    int holder = open(name, O_RDWR | O_CREAT, 0600);
    assert_int_equal(flock(holder, LOCK_EX), 0);
    return holder;
}

static int naps_to_unlock, lent_lock = -1;

/* Time passes, and after some naps the other process is done with the file. */
static int
nap(const struct timespec *pause)
{
    mono_ns += (uint64_t)pause->tv_nsec;
    if (lent_lock >= 0 && --naps_to_unlock == 0) {
        close(lent_lock);
        lent_lock = -1;
    }
    return 0;
}

/* A file that another process is at is tried again after a second, without a word; at the end for a
 * twentieth of one. */
static void
a_busy_file_is_tried_again_soon(void **state)
{
    (void)state;
    with_file();
    options.price_per_million_spans = 1;
    int holder = hold_lock();
    djp__account_init(&account, &host);
    assert_true(account.file_next == mono_ns + SECOND);
    assert_int_equal(warnings, 0);
    pass(1, 1000000);
    uint64_t before = mono_ns;
    djp__account_end(&account);
    assert_in_range(mono_ns - before, SECOND / 20, SECOND / 20 + 2000000);
    assert_true(account.budget.unshared == 1);
    lent_lock = holder;
    naps_to_unlock = 5;
    before = mono_ns;
    djp__account_end(&account);
    assert_in_range(mono_ns - before, 1, SECOND / 20 - 1);
    assert_int_equal(lent_lock, -1);
    assert_true(account.budget.unshared == 0);
    assert_int_equal(warnings, 0);
}

/* What other processes spent is taken over; what was spent meanwhile is not lost and not counted
 * twice. */
static void
sums_are_shared(void **state)
{
    (void)state;
    with_file();
    options.price_per_million_spans = 1;
    options.budget_per_month = 100;
    djp__account_init(&account, &host);
    FILE *other = fopen(file, "w");
    fputs("djp-telemetry budget 1 2026-11 since=1793491200 spent=40\n", other);
    fclose(other);
    pass(30, 5000000);
    djp__account_step(&account);
    assert_true(view_of().spent == 5);
    djp__account_tick(&account, mono_ns, -1);
    assert_true(view_of().spent == 45);
    assert_true(account.budget.unshared == 0);
    pass(30, 1000000);
    djp__account_tick(&account, mono_ns, -1); /* the file first, then what came since */
    assert_true(view_of().spent == 46 && account.budget.unshared == 1);
    djp__account_end(&account);
    assert_true(view_of().spent == 46 && account.budget.unshared == 0);
}

static void
a_bad_file_is_told_of_once(void **state)
{
    (void)state;
    with_file();
    options.price_per_million_spans = 1;
    assert_int_equal(mkdir(file, 0700), 0);
    djp__account_init(&account, &host);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last, "cannot be used"));
    assert_non_null(strstr(last, file));
    for (int i = 0; i < 3; i++) {
        pass(30, 1);
        djp__account_tick(&account, mono_ns, -1);
    }
    assert_int_equal(warnings, 1);
    assert_int_equal(rmdir(file), 0);
    account.file_warned = 0;
    FILE *damaged = fopen(file, "w");
    fputs("x\n", damaged);
    fclose(damaged);
    pass(30, 1);
    djp__account_tick(&account, mono_ns, -1);
    assert_int_equal(warnings, 2);
    assert_non_null(strstr(last, "was not understood"));
}

static void
a_forked_child_begins_anew(void **state)
{
    (void)state;
    with_file();
    options.price_per_million_spans = 3;
    djp__account_init(&account, &host);
    pass(1, 1000000);
    djp__account_tick(&account, mono_ns, 9);
    djp__account_fork_child(&account);
    assert_true(account.wanted == -1 && account.file_next == 0 && account.budget.spent == 0);
    assert_true(account.budget.prices.per_million_spans == 3 && account.budget.month == -1);
    account.file_next = UINT64_MAX;
    djp__account_fork_child(&account);
    assert_true(account.file_next == UINT64_MAX);
}

static void
the_status_says_it_all(void **state)
{
    djp__buf out;
    (void)state;
    options.price_per_million_spans = 2;
    options.price_per_gb = 4;
    options.budget_per_month = 10;
    djp__account_init(&account, &host);
    exported.bytes = 500000000;
    pass(30, 500000);
    djp__buf_init(&out, 0);
    djp__account_status(&out, &account);
    djp__buf_char(&out, '\0');
    assert_string_equal(
        out.data,
        "{\"allowance\":10,\"spent\":3,\"forecast\":3,\"used_ratio\":0.3,\"forecast_ratio\":0.3,"
        "\"cost_bytes\":2,\"cost_spans\":1,\"cost_series\":0,\"target_spans_per_second\":null}");
    pass(30, 500000);
    djp__buf_clear(&out);
    djp__account_status(&out, &account);
    djp__buf_char(&out, '\0');
    assert_non_null(strstr(out.data, "\"spent\":4,"));
    assert_null(strstr(out.data, "null"));
    djp__buf_fini(&out);
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ONE(it_is_on_where_something_has_a_price),
        ONE(what_is_off_does_nothing),
        ONE(each_part_is_reported_once),
        ONE(digits_of_small_budgets),
        ONE(the_file_is_looked_at_now_and_then),
        ONE(a_start_knows_nothing_of_the_traffic),
        ONE(series_of_metrics_cost_by_the_month),
        ONE(without_a_file_everything_is_settled),
        ONE(a_busy_file_is_tried_again_soon),
        ONE(sums_are_shared),
        ONE(a_bad_file_is_told_of_once),
        ONE(a_forked_child_begins_anew),
        ONE(the_status_says_it_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
