/* The two clocks. CLOCK_MONOTONIC is read through the TSC if the CPU reports it as invariant and
 * the kernel uses it as its clock source. Each refresh measures the relation again and publishes it
 * as one set of parameters under a sequence number, while readers use the other set. Readings do
 * not go back; a TSC that deviates from the kernel is disabled permanently. */
#include "base/clock.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/fork.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#define CLOCK__HAS_TSC 1
#else
#define CLOCK__HAS_TSC 0
#endif

/* minimum time between the two readings of the first rate */
#define CLOCK__CALIBRATION_NS 200000000ull
#define CLOCK__STALE_NS 2000000000ull /* a reader refreshes after this long */
#define CLOCK__STEER_NS 1000000000ull /* an error is corrected over this time */
#define CLOCK__WIDEST_TICKS 20000u /* a pair of readings further apart is too inaccurate */
#define CLOCK__STRAY_PPM 1000 /* beyond this the TSC is not used */

/* a wait that ended earlier than that, by this clock, makes it suspect */
#define CLOCK__TOLERANCE_NS 1000000ull

/* Unix minus monotonic time, 0 before the first refresh. Any thread, relaxed. */
static DJP__ATOMIC(int64_t) clock__anchor;
/* The refreshing thread: 0 or the fork generation of the owner, so that a lock inherited over fork
 * counts as free. acquire/release. */
static DJP__ATOMIC(uint32_t) clock__owner;

static uint64_t
clock_read(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#if CLOCK__HAS_TSC

/* ns = ns + (tsc - ticks) * rate / 2^32. Written by the owner while the other set is in use; all
 * stores release and all loads acquire, which keeps them in order without fences. */
typedef struct clock__set {
    DJP__ATOMIC(uint64_t) ticks;
    DJP__ATOMIC(uint64_t) ns;
    DJP__ATOMIC(uint64_t) rate;
    DJP__ATOMIC(uint64_t) stale_ticks; /* older than this: refresh */
} clock__set;

static _Alignas(64) clock__set clock__sets[2];
/* Its lowest bit selects the active set; 0: not calibrated. Written by the owner, release. */
static _Alignas(64) DJP__ATOMIC(uint32_t) clock__sequence;

/* The time of the next calibration attempt by a reader of the kernel's clock. Any thread,
 * relaxed. */
static DJP__ATOMIC(uint64_t) clock__calibrate_at;

enum { CLOCK__UNKNOWN, CLOCK__UNFIT, CLOCK__FIRST, CLOCK__RUNNING };

/* State of the owner of clock__owner. */
static struct {
    int state;
    uint64_t ticks; /* the last pair of readings */
    uint64_t ns;
} clock__notes;

/* The closest pair of readings of three tries; *width is its uncertainty in ticks. */
static void
clock_pair(uint64_t *ticks, uint64_t *ns, uint64_t *width)
{
    *width = UINT64_MAX;
    for (int i = 0; i < 3; i++) {
        uint64_t before = __rdtsc();
        uint64_t now = clock_read(CLOCK_MONOTONIC);
        uint64_t after = __rdtsc();
        if (after - before < *width) {
            *width = after - before;
            *ticks = before + (after - before) / 2;
            *ns = now;
        }
    }
}

static int
clock_tsc_is_fit(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(0x80000007u, &a, &b, &c, &d) || !(d & (1u << 8))) {
        return 0;
    }
    int file = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                    O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    char name[8] = {0};
    ssize_t size = read(file, name, sizeof name - 1);
    close(file);
    return size >= 3 && memcmp(name, "tsc", 3) == 0 && (name[3] == '\n' || name[3] == '\0');
}

static uint64_t
clock_convert(uint64_t ticks, uint64_t base_ticks, uint64_t base_ns, uint64_t rate)
{
    /* A core whose counter is slightly behind reads as the base. */
    uint64_t since = ticks > base_ticks ? ticks - base_ticks : 0;
    return base_ns + (uint64_t)(((unsigned __int128)since * rate) >> 32);
}

static void
clock_publish(uint64_t ticks, uint64_t ns, uint64_t rate)
{
    uint32_t next = djp__load_relaxed(&clock__sequence) + 1u;
    next += next == 0 ? 2u : 0u;
    clock__set *set = &clock__sets[next & 1u];
    djp__store_release(&set->ticks, ticks);
    djp__store_release(&set->ns, ns);
    djp__store_release(&set->rate, rate);
    djp__store_release(&set->stale_ticks,
                       (uint64_t)(((unsigned __int128)CLOCK__STALE_NS << 32) / rate));
    djp__store_release(&clock__sequence, next);
}

/* The kernel's clock is used from now on. */
static void
clock_give_up(void)
{
    clock__notes.state = CLOCK__UNFIT;
    djp__store_release(&clock__sequence, 0u);
}

/* 1: ticks cannot have been read after base; cores differ by far less. */
static int
clock_is_before(uint64_t ticks, uint64_t base)
{
    return ticks < base && base - ticks > CLOCK__WIDEST_TICKS;
}

/* New parameters that start at the current reading, or at the kernel's clock if that is ahead, and
 * reach the kernel's clock about a second later. */
static void
clock_steer(uint64_t ticks, uint64_t ns)
{
    const clock__set *old = &clock__sets[djp__load_relaxed(&clock__sequence) & 1u];
    uint64_t old_rate = djp__load_relaxed(&old->rate);
    uint64_t reading =
        clock_convert(ticks, djp__load_relaxed(&old->ticks), djp__load_relaxed(&old->ns), old_rate);
    uint64_t elapsed = ns - clock__notes.ns;
    int64_t error = (int64_t)(ns - reading);
    int64_t most = (int64_t)(elapsed / 1000000u * CLOCK__STRAY_PPM) + 10000;
    if (error > most || error < -most) {
        clock_give_up();
        return;
    }
    uint64_t rate = old_rate;
    if (elapsed >= CLOCK__CALIBRATION_NS) {
        rate = (uint64_t)(((unsigned __int128)elapsed << 32) / (ticks - clock__notes.ticks));
        clock__notes.ticks = ticks;
        clock__notes.ns = ns;
    }
    if (error > 0) {
        /* Behind: a step forward is allowed. */
        clock_publish(ticks, ns, rate);
        return;
    }
    /* Ahead: the clock runs slower for a while, by at most 500 parts per million. */
    int64_t bend = (int64_t)((__int128)rate * error / (int64_t)CLOCK__STEER_NS);
    int64_t limit = (int64_t)(rate / 2000u);
    bend = bend < -limit ? -limit : bend;
    clock_publish(ticks, reading + 1, (uint64_t)((int64_t)rate + bend));
}

/* A counter that was set back, as after a suspend, gives no rate. This test is certain for any
 * distance of the pair of readings. */
static int
clock_was_set_back(uint64_t ticks)
{
    uint64_t base = djp__load_relaxed(&clock__sets[djp__load_relaxed(&clock__sequence) & 1u].ticks);
    return ticks <= clock__notes.ticks ||
           (clock__notes.state == CLOCK__RUNNING && clock_is_before(ticks, base));
}

static void
clock_tsc_refresh(void)
{
    uint64_t ticks = 0, ns = 0, width = 0;
    if (clock__notes.state == CLOCK__UNKNOWN) {
        clock__notes.state = clock_tsc_is_fit() ? CLOCK__FIRST : CLOCK__UNFIT;
        if (clock__notes.state == CLOCK__FIRST) {
            clock_pair(&clock__notes.ticks, &clock__notes.ns, &width);
        }
        return;
    }
    if (clock__notes.state == CLOCK__UNFIT) {
        return;
    }
    clock_pair(&ticks, &ns, &width);
    if (clock_was_set_back(ticks)) {
        clock_give_up();
        return;
    }
    if (width > CLOCK__WIDEST_TICKS) {
        return; /* interrupted each time: no rate rather than a wrong one */
    }
    if (clock__notes.state == CLOCK__RUNNING) {
        clock_steer(ticks, ns);
    } else if (ns - clock__notes.ns >= CLOCK__CALIBRATION_NS) {
        uint64_t rate = (uint64_t)(((unsigned __int128)(ns - clock__notes.ns) << 32) /
                                   (ticks - clock__notes.ticks));
        /* Starts ahead by the uncertainty of the pair, so that no reading is before one of the
         * kernel. */
        clock_publish(ticks, ns + (uint64_t)(((unsigned __int128)width * rate) >> 32) + 1, rate);
        clock__notes.ticks = ticks;
        clock__notes.ns = ns;
        clock__notes.state = CLOCK__RUNNING;
    }
}

/* The kernel's clock, until the TSC is calibrated. A process that drops all spans has no worker
 * that refreshes, so readers calibrate, at most a few times a second. */
static uint64_t
clock_read_and_calibrate(void)
{
    uint64_t now = clock_read(CLOCK_MONOTONIC);
    if (now >= djp__load_relaxed(&clock__calibrate_at)) {
        djp__store_relaxed(&clock__calibrate_at,
                           now + CLOCK__CALIBRATION_NS + CLOCK__CALIBRATION_NS / 8);
        djp__clock_anchor_refresh();
    }
    return now;
}

/* The slow path: parameters that change meanwhile or are too old. */
static __attribute__((noinline)) uint64_t
clock_read_slowly(void)
{
    int refreshed = 0;
    for (;;) {
        uint32_t sequence = djp__load_acquire(&clock__sequence);
        if (sequence == 0) {
            return clock_read_and_calibrate();
        }
        const clock__set *set = &clock__sets[sequence & 1u];
        uint64_t base_ticks = djp__load_acquire(&set->ticks);
        uint64_t base_ns = djp__load_acquire(&set->ns);
        uint64_t rate = djp__load_acquire(&set->rate);
        uint64_t stale = djp__load_acquire(&set->stale_ticks);
        uint64_t ticks = __rdtsc();
        if (djp__load_relaxed(&clock__sequence) != sequence) {
            continue; /* refreshed meanwhile, or the TSC was disabled */
        }
        /* Also if the counter was set back: the difference is huge then. */
        if (ticks - base_ticks > stale && !refreshed &&
            (ticks > base_ticks || clock_is_before(ticks, base_ticks))) {
            refreshed = 1;
            djp__clock_anchor_refresh();
            continue;
        }
        return clock_convert(ticks, base_ticks, base_ns, rate);
    }
}

uint64_t
djp__clock_monotonic(void)
{
    uint32_t sequence = djp__load_acquire(&clock__sequence);
    const clock__set *set = &clock__sets[sequence & 1u];
    uint64_t base_ticks = djp__load_acquire(&set->ticks);
    uint64_t base_ns = djp__load_acquire(&set->ns);
    uint64_t rate = djp__load_acquire(&set->rate);
    uint64_t stale = djp__load_acquire(&set->stale_ticks);
    uint64_t ticks = __rdtsc();
    if (__builtin_expect(sequence == 0 || djp__load_relaxed(&clock__sequence) != sequence ||
                             ticks - base_ticks > stale,
                         0)) {
        return clock_read_slowly();
    }
    return clock_convert(ticks, base_ticks, base_ns, rate);
}

#else

static void
clock_tsc_refresh(void)
{
}

uint64_t
djp__clock_monotonic(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

#endif

uint64_t
djp__clock_realtime(void)
{
    return clock_read(CLOCK_REALTIME);
}

int64_t
djp__clock_anchor(void)
{
    int64_t anchor = djp__load_relaxed(&clock__anchor);
    if (__builtin_expect(anchor == 0, 0)) {
        djp__clock_anchor_refresh();
        anchor = djp__load_relaxed(&clock__anchor);
    }
    return anchor;
}

/* The middle of two monotonic readings around the wall clock, the closest of three tries. */
static int64_t
clock_measure_anchor(void)
{
    int64_t anchor = 0;
    uint64_t narrowest = UINT64_MAX;
    for (int i = 0; i < 3; i++) {
        uint64_t before = clock_read(CLOCK_MONOTONIC);
        uint64_t wall = clock_read(CLOCK_REALTIME);
        uint64_t after = clock_read(CLOCK_MONOTONIC);
        if (after - before < narrowest) {
            narrowest = after - before;
            anchor = (int64_t)(wall - (before + (after - before) / 2));
        }
    }
    return anchor ? anchor : 1;
}

void
djp__clock_anchor_refresh(void)
{
    djp__store_relaxed(&clock__anchor, clock_measure_anchor());
    djp__fork_watch();
    uint32_t generation = djp__fork_generation();
    uint32_t owner = djp__load_relaxed(&clock__owner);
    if (owner == generation || !djp__cas_strong_acq_rel(&clock__owner, &owner, generation)) {
        return; /* another thread refreshes */
    }
    clock_tsc_refresh();
    djp__store_release(&clock__owner, 0u);
}

void
djp__clock_reached(uint64_t deadline)
{
    if (djp__clock_monotonic() + CLOCK__TOLERANCE_NS < deadline) {
        djp__clock_anchor_refresh();
    }
}
