/* The clock: it tracks the kernel's to a microsecond, never goes back while it is refreshed under
 * readers, and its anchor gives wall time. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include <cmocka.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/thread.h"

static uint64_t
kernel(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
nap(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* How far the reading lies outside the kernel's readings around it; the best of some tries, so that
 * a preemption between the readings does not count. */
static uint64_t
distance(void)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 20; i++) {
        uint64_t before = kernel(CLOCK_MONOTONIC);
        uint64_t ours = djp__clock_monotonic();
        uint64_t after = kernel(CLOCK_MONOTONIC);
        uint64_t off = ours < before ? before - ours : ours > after ? ours - after : 0;
        best = off < best ? off : best;
    }
    return best;
}

/* 1: that long after a refresh the clock is as near as that. A refresh that is interrupted between
 * its readings is a few microseconds off, and those after it take a second to correct that. */
static int
tracks(long ms, uint64_t nearest)
{
    uint64_t off = UINT64_MAX;
    for (int i = 0; i < 60 && off > nearest; i++) {
        djp__clock_anchor_refresh();
        nap(ms);
        off = distance();
    }
    return off <= nearest;
}

static void
tracks_the_kernel(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        assert_true(tracks(i < 4 ? 120 : 300, 1000));
    }
}

static DJP__ATOMIC(int) stop;

static void *
read_until_stopped(void *backward)
{
    uint64_t last = 0;
    while (!djp__load_relaxed(&stop)) {
        uint64_t now = djp__clock_monotonic();
        if (now < last) {
            ++*(int *)backward;
        }
        last = now;
    }
    return NULL;
}

static void
never_goes_back_under_refresh(void **state)
{
    (void)state;
    pthread_t threads[2];
    int backward[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_until_stopped, &backward[i]), 0);
    }
    for (int i = 0; i < 3000; i++) {
        djp__clock_anchor_refresh();
        if (i % 100 == 0) {
            nap(15);
        }
    }
    djp__store_relaxed(&stop, 1);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(backward[i], 0);
    }
    assert_true(tracks(100, 1500));
}

static void
anchor_gives_wall_time(void **state)
{
    (void)state;
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 20; i++) {
        uint64_t ours = djp__clock_monotonic() + (uint64_t)djp__clock_anchor();
        uint64_t wall = djp__clock_realtime();
        uint64_t off = wall > ours ? wall - ours : ours - wall;
        best = off < best ? off : best;
    }
    assert_true(best < 200000);
    assert_true(djp__clock_realtime() > 1600000000ull * 1000000000ull);
}

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* What is taken off the time-stamp counter, for everybody but the kernel's own code. */
static volatile uint64_t set_back_by;

static void
answer_rdtsc(int signal_number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    uint64_t at = (uint64_t)registers[REG_RIP], kernels = getauxval(AT_SYSINFO_EHDR);
    const uint8_t *code = (const uint8_t *)at;
    int is_rdtscp = code[0] == 0x0f && code[1] == 0x01 && code[2] == 0xf9;
    (void)info;
    prctl(PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0);
    if (!is_rdtscp && !(code[0] == 0x0f && code[1] == 0x31)) {
        signal(signal_number, SIG_DFL); /* another fault */
        return;
    }
    uint64_t ticks = __rdtsc() - (at - kernels < 65536 ? 0 : set_back_by);
    registers[REG_RAX] = (greg_t)(ticks & 0xffffffffu);
    registers[REG_RDX] = (greg_t)(ticks >> 32);
    registers[REG_RCX] = is_rdtscp ? 0 : registers[REG_RCX];
    registers[REG_RIP] += is_rdtscp ? 3 : 2;
    prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
}

/* A suspend sets the counter to about zero; a step of half a second is smaller than what a refresh
 * leaves behind. */
static void
goes_on_when_the_counter_was_set_back(uint64_t by)
{
    struct sigaction action = {.sa_sigaction = answer_rdtsc, .sa_flags = SA_SIGINFO};
    djp__clock_anchor_refresh();
    nap(300);
    djp__clock_anchor_refresh();
    nap(300);
    djp__clock_anchor_refresh();
    set_back_by = 0;
    sigaction(SIGSEGV, &action, NULL);
    if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) != 0) {
        _exit(77);
    }
    uint64_t before = djp__clock_monotonic();
    set_back_by = by;
    int good = 1;
    for (int i = 0; i < 5; i++) {
        uint64_t start = djp__clock_monotonic();
        nap(100);
        good = good && djp__clock_monotonic() - start >= 90000000u;
    }
    uint64_t after = djp__clock_monotonic();
    prctl(PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0);
    _exit(good && after - before >= 450000000u && tracks(1, 1500) ? 0 : 1);
}

static void
goes_on_after_a_suspend(void **state)
{
    (void)state;
    const uint64_t steps[] = {__rdtsc() - 1000, 3000000000000u};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            alarm(120);
            goes_on_when_the_counter_was_set_back(steps[i]);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
            skip();
        }
        assert_int_equal(status, 0);
    }
}
#else
static void
goes_on_after_a_suspend(void **state)
{
    (void)state;
}
#endif

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_after_a_suspend),
        cmocka_unit_test(tracks_the_kernel),
        cmocka_unit_test(never_goes_back_under_refresh),
        cmocka_unit_test(anchor_gives_wall_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
