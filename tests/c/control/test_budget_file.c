/* The file of the budget: what counts as one, what happens to its lock when a child is forked
 * meanwhile, and that no link leads the account to a file of somebody else. Compiled in, so that a
 * fork can come at the worst moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

static void (*locked)(void);

static int
flock_and_tell(int file, int operation)
{
    int result = flock(file, operation);
    void (*tell)(void) = locked;
    if (result == 0 && (operation & LOCK_EX) && tell) {
        locked = NULL;
        tell();
    }
    return result;
}

#define flock(file, operation) flock_and_tell(file, operation)
#include "control/budget_file.c"
#undef flock

#define NOVEMBER 1793491200.0 /* 2026-11-01 00:00:00 UTC */
#define MONTH (2026 * 12 + 10)

static char folder[64], path[128];

static int
begin(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/djp-budget-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/budget", folder);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    static const char *const names[] = {"budget", "budget.lock", "budget.new", "victim"};
    char name[160];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        unlink(name);
    }
    return rmdir(folder);
}

/* An account of November that spent so much and ran so long. */
static djp__budget
account_of(double spent, double learned)
{
    djp__budget_prices prices = {10, 0, 1, 0};
    djp__budget account;
    djp__budget_init(&account, &prices);
    account.month = MONTH;
    account.since = account.now = NOVEMBER + 100;
    account.spent = account.unshared = spent;
    account.learned = learned;
    return account;
}

static void
put(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void
holds(const char *name, const char *text)
{
    char got[600] = "";
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    got[fread(got, 1, sizeof got - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(got, text);
}

/* ---- the lock ---- */

static pid_t child;

/* A child that has the parent's descriptors and lives on. */
static void
fork_child(void)
{
    child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
}

static void
a_child_that_was_forked_with_the_lock_does_not_keep_it(void **state)
{
    (void)state;
    djp__budget account = account_of(1, 0);
    locked = fork_child;
    assert_int_equal(djp__budget_file_merge(path, &account), DJP_BUDGET_MERGED);
    assert_null(locked);
    assert_true(child > 0);
    djp__budget_merged next = djp__budget_file_merge(path, &account);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(next, DJP_BUDGET_MERGED);
}

/* No descriptor stays open, whatever became of it. */
static void
no_descriptor_stays_open(void **state)
{
    (void)state;
    int before = dup(0);
    close(before);
    djp__budget account = account_of(1, 0);
    assert_int_equal(djp__budget_file_merge(path, &account), DJP_BUDGET_MERGED);
    put(path, "damaged");
    assert_int_equal(djp__budget_file_merge(path, &account), DJP_BUDGET_DAMAGED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(djp__budget_file_merge(path, &account), DJP_BUDGET_UNUSABLE);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(rmdir(path), 0);
    char lock[160];
    snprintf(lock, sizeof lock, "%s.lock", path);
    int holder = open(lock, O_RDWR);
    assert_int_equal(flock(holder, LOCK_EX), 0);
    assert_int_equal(djp__budget_file_merge(path, &account), DJP_BUDGET_BUSY);
    close(holder);
    int after = dup(0);
    close(after);
    assert_int_equal(after, before);
}

/* ---- names that lead elsewhere ---- */

static void
a_link_is_no_budget_file(void **state)
{
    (void)state;
    static const char text[] = "djp-telemetry budget 1 2026-11 since=1793491200 spent=5\n";
    char victim[160], target[160];
    snprintf(victim, sizeof victim, "%s/victim", folder);
    put(victim, text);
    for (int kind = 0; kind < 3; kind++) {
        djp__budget account = account_of(1, 0);
        int planted = kind == 0   ? symlink(victim, path)
                      : kind == 1 ? symlink("/nowhere/at/all", path)
                                  : link(victim, path);
        assert_int_equal(planted, 0);
        assert_int_equal(djp__budget_file_merge(path, &account), DJP_BUDGET_UNUSABLE);
        assert_int_equal(errno, kind == 2 ? EMLINK : ELOOP);
        assert_true(account.spent == 1 && account.unshared == 1);
        assert_true((readlink(path, target, sizeof target) > 0) == (kind < 2));
        holds(victim, text);
        unlink(path);
    }
}

/* ---- what the file says ---- */

/* Returns what became of a file of that text; *spent is the account's afterwards, which had spent
 * 1. */
static djp__budget_merged
merge_with(const char *text, double *spent)
{
    djp__budget account = account_of(1, 0);
    put(path, text);
    djp__budget_merged merged = djp__budget_file_merge(path, &account);
    *spent = account.spent;
    return merged;
}

static void
numbers_have_their_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *rest;
        djp__budget_merged merged;
        double spent;
    } cases[] = {
        {"2026-11 since=1793491200 spent=3.5", DJP_BUDGET_MERGED, 4.5},
        {"2026-11 since=0 spent=0", DJP_BUDGET_MERGED, 1},
        {"2026-11 since=0 spent=999999999999999", DJP_BUDGET_MERGED, 1e15},
        {"2026-11 since=0 spent=1000000000000000", DJP_BUDGET_DAMAGED, 1},
        {"2026-11 since=999999999999 spent=1", DJP_BUDGET_MERGED, 2},
        {"2026-11 since=1000000000000 spent=1", DJP_BUDGET_DAMAGED, 1},
        {"2026-11 since=-1 spent=1", DJP_BUDGET_DAMAGED, 1},
        {"2026-11 since=1 spent=-1", DJP_BUDGET_DAMAGED, 1},
        {"2026-01 since=1 spent=7", DJP_BUDGET_MERGED, 1}, /* an older month */
        {"2026-00 since=1 spent=7", DJP_BUDGET_DAMAGED, 1},
        {"2026-12 since=1 spent=7", DJP_BUDGET_MERGED, 1}, /* a younger one is left alone */
        {"2026-13 since=1 spent=7", DJP_BUDGET_DAMAGED, 1},
        {"1000000-01 since=1 spent=7", DJP_BUDGET_MERGED, 1},
        {"1000001-01 since=1 spent=7", DJP_BUDGET_DAMAGED, 1},
        {"2026-11 since= spent=7", DJP_BUDGET_DAMAGED, 1},
        {"2026-11 since=1 spent=", DJP_BUDGET_DAMAGED, 1},
        {"2026-11 xince=1 spent=1", DJP_BUDGET_DAMAGED, 1},
        {"2026-11 since=1 xpent=1", DJP_BUDGET_DAMAGED, 1},
        {"2026-11 since=1", DJP_BUDGET_DAMAGED, 1},
        {"2026-11", DJP_BUDGET_DAMAGED, 1},
        {"2026", DJP_BUDGET_DAMAGED, 1},
        {"2026-x since=1 spent=1", DJP_BUDGET_DAMAGED, 1},
        {"x-11 since=1 spent=1", DJP_BUDGET_DAMAGED, 1},
        {"2026-11 since=1 spent=x", DJP_BUDGET_DAMAGED, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[200];
        double spent;
        snprintf(text, sizeof text, BUDGET_FILE__HEAD "%s\n", cases[i].rest);
        if (merge_with(text, &spent) != cases[i].merged || spent != cases[i].spent) {
            fail_msg("%s: spent %g", cases[i].rest, spent);
        }
    }
}

/* Zeros in front of a number, up to the longest text. */
static void
the_longest_text(void **state)
{
    (void)state;
    static const char head[] = BUDGET_FILE__HEAD "2026-11 since=1 spent=";
    for (size_t size = BUDGET_FILE__MAX - 1; size <= BUDGET_FILE__MAX + 1; size++) {
        char text[300];
        double spent;
        memset(text, '0', size);
        memcpy(text, head, strlen(head));
        memcpy(text + size - 2, "3\n", 3);
        djp__budget_merged merged = merge_with(text, &spent);
        assert_int_equal(merged, size <= BUDGET_FILE__MAX ? DJP_BUDGET_MERGED : DJP_BUDGET_DAMAGED);
        assert_true(spent == (size <= BUDGET_FILE__MAX ? 4 : 1));
    }
}

static void
the_text_is_written_as_documented(void **state)
{
    (void)state;
    djp__budget account = account_of(1.25, 0);
    assert_int_equal(djp__budget_file_merge(path, &account), DJP_BUDGET_MERGED);
    holds(path, "djp-telemetry budget 1 2026-11 since=1793491300 spent=1.250000000\n");
    assert_true(account.unshared == 0);
    account.month = 2027 * 12;
    assert_int_equal(djp__budget_file_merge(path, &account), DJP_BUDGET_MERGED);
    holds(path, "djp-telemetry budget 1 2027-01 since=1793491300 spent=1.250000000\n");
    account.month = -1; /* nothing is known yet */
    assert_int_equal(djp__budget_file_merge(path, &account), DJP_BUDGET_UNUSABLE);
}

/* From an hour of running on, and from the month after the next on, the file is the one that is
 * wrong. */
static void
a_file_from_ahead(void **state)
{
    (void)state;
    static const struct {
        const char *month;
        double learned;
        djp__budget_merged merged;
    } cases[] = {
        {"2026-12", 3599, DJP_BUDGET_MERGED},  {"2026-12", 3600, DJP_BUDGET_MERGED},
        {"2026-12", 9e9, DJP_BUDGET_MERGED},   {"2027-01", 3599, DJP_BUDGET_MERGED},
        {"2027-01", 3600, DJP_BUDGET_DAMAGED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__budget account = account_of(1, cases[i].learned);
        char text[200];
        snprintf(text, sizeof text, BUDGET_FILE__HEAD "%s since=1 spent=7\n", cases[i].month);
        put(path, text);
        assert_int_equal(djp__budget_file_merge(path, &account), cases[i].merged);
        int given_up = cases[i].merged == DJP_BUDGET_DAMAGED;
        assert_true(account.unshared == (given_up ? 0 : 1));
        if (given_up) {
            holds(path, BUDGET_FILE__HEAD "2026-11 since=1793491300 spent=1.000000000\n");
        } else {
            holds(path, text);
        }
    }
}

/* What cannot be written changes nothing in the account. */
static void
a_folder_that_cannot_be_written(void **state)
{
    (void)state;
    char name[160];
    djp__budget account = account_of(1, 0);
    put(path, BUDGET_FILE__HEAD "2026-11 since=1 spent=7\n");
    snprintf(name, sizeof name, "%s.new", path);
    assert_int_equal(mkdir(name, 0700), 0);
    assert_int_equal(djp__budget_file_merge(path, &account), DJP_BUDGET_UNUSABLE);
    assert_true(account.spent == 1 && account.unshared == 1 && account.since == NOVEMBER + 100);
    assert_int_equal(rmdir(name), 0);
    assert_int_equal(djp__budget_file_merge(path, &account), DJP_BUDGET_MERGED);
    assert_true(account.spent == 8 && account.unshared == 0 && account.since == NOVEMBER);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_child_that_was_forked_with_the_lock_does_not_keep_it,
                                        begin, end),
        cmocka_unit_test_setup_teardown(no_descriptor_stays_open, begin, end),
        cmocka_unit_test_setup_teardown(a_link_is_no_budget_file, begin, end),
        cmocka_unit_test_setup_teardown(numbers_have_their_ranges, begin, end),
        cmocka_unit_test_setup_teardown(the_longest_text, begin, end),
        cmocka_unit_test_setup_teardown(the_text_is_written_as_documented, begin, end),
        cmocka_unit_test_setup_teardown(a_file_from_ahead, begin, end),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_written, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
