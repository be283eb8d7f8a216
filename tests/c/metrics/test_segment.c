/* The segment: its two allocators end where they should, and a lock holder that dies is noticed. */
#include "metrics_fixture.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"
#include "metrics/segment.h"

static void
both_allocators_end_without_overlap(void **state)
{
    (void)state;
    djp__segment segment;
    assert_int_equal(djp__segment_new(&segment, 0, 2), 0);
    const djp__segment_header *header = segment.header;
    assert_int_equal(segment.size, (size_t)header->heap_size + 2 * (size_t)header->stripe_size);
    uint32_t last = 0, at;
    while ((at = djp__segment_alloc(&segment, 100)) != 0) {
        assert_int_equal(at % 64, 0);
        assert_true(at >= last + 100 || last == 0);
        memset(djp__segment_at(&segment, at), 0xee, 100);
        last = at;
    }
    assert_true(last + 100 <= header->heap_size);
    assert_int_equal(djp__segment_alloc(&segment, SIZE_MAX), 0);
    uint32_t cell_last = 0;
    while ((at = djp__segment_alloc_values(&segment, 5)) != 0) {
        assert_int_equal(at % 8, 0);
        assert_int_equal(at / 64, (at + 39) / 64);
        for (uint32_t stripe = 0; stripe < 2; stripe++) {
            for (int i = 0; i < 5; i++) {
                assert_int_equal(djp__load_relaxed(&djp__segment_values(&segment, stripe, at)[i]),
                                 0);
                djp__store_relaxed(&djp__segment_values(&segment, stripe, at)[i], UINT64_MAX);
            }
        }
        cell_last = at;
    }
    assert_true(cell_last + 40 <= header->stripe_size);
    djp__segment_fini(&segment);
    djp__segment_fini(&segment);
}

static void *
die_holding_the_lock(void *argument)
{
    djp__segment_lock(argument);
    return NULL;
}

static void
a_dead_holder_is_noticed_once(void **state)
{
    (void)state;
    djp__segment segment;
    pthread_t thread;
    assert_int_equal(djp__segment_new(&segment, 0, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, die_holding_the_lock, &segment), 0);
    pthread_join(thread, NULL);
    assert_false(djp__segment_trylock(&segment));
    assert_false(djp__segment_trylock(&segment));
    assert_true(djp__segment_lock(&segment));
    djp__segment_unlock(&segment);
    assert_false(djp__segment_lock(&segment));
    djp__segment_unlock(&segment);
    assert_true(djp__segment_trylock(&segment));
    djp__segment_unlock(&segment);
    djp__segment_fini(&segment);
}

/* To the last byte, and not one more; blocks begin on lines, values of up to eight cells do not
 * cross one. */
static void
both_allocators_reach_their_end(void **state)
{
    (void)state;
    djp__segment segment;
    assert_int_equal(djp__segment_new(&segment, 0, 1), 0);
    djp__segment_header *header = segment.header;
    assert_int_equal(header->heap_size, DJP__SEGMENT_SIZE_MIN / 2);
    assert_int_equal(header->stripe_size, DJP__SEGMENT_SIZE_MIN / 2);
    uint32_t first = djp__segment_alloc(&segment, 1), second = djp__segment_alloc(&segment, 64);
    assert_int_equal(first, (sizeof *header + 63) & ~(size_t)63);
    assert_int_equal(second, first + 64);
    uint32_t third = djp__segment_alloc(&segment, 0);
    assert_int_equal(third, second + 64);
    size_t left = header->heap_size - third;
    assert_int_equal(djp__segment_alloc(&segment, left + 1), 0);
    assert_int_equal(djp__segment_alloc(&segment, left), third);
    assert_int_equal(header->heap_top, header->heap_size);
    assert_int_equal(djp__segment_alloc(&segment, 1), 0);
    assert_int_equal(djp__segment_alloc_values(&segment, 1), 64);
    assert_int_equal(djp__segment_alloc_values(&segment, 7), 72); /* fills the line */
    assert_int_equal(djp__segment_alloc_values(&segment, 2), 128);
    assert_int_equal(djp__segment_alloc_values(&segment, 8), 192); /* would cross */
    assert_int_equal(djp__segment_alloc_values(&segment, 6), 256);
    assert_int_equal(djp__segment_alloc_values(&segment, 9), 304); /* crosses one anyhow */
    assert_int_equal(djp__segment_alloc_values(&segment, 1), 376);
    left = (header->stripe_size - header->value_top) / 8;
    assert_int_equal(djp__segment_alloc_values(&segment, left + 1), 0);
    assert_int_equal(djp__segment_alloc_values(&segment, left), 384);
    assert_int_equal(header->value_top, header->stripe_size);
    assert_int_equal(djp__segment_alloc_values(&segment, 1), 0);
    djp__segment_fini(&segment);
    assert_null(segment.base);
}

static void
sizes_are_clamped(void **state)
{
    static const struct {
        uint64_t bytes;
        uint32_t half;
    } cases[] = {{0, 32768},
                 {DJP__SEGMENT_SIZE_MIN - 1, 32768},
                 {DJP__SEGMENT_SIZE_MIN, 32768},
                 {DJP__SEGMENT_SIZE_MIN + 8191, 32768},
                 {DJP__SEGMENT_SIZE_MIN + 8192, 36864},
                 {DJP__SEGMENT_SIZE_MAX, 1u << 30},
                 {DJP__SEGMENT_SIZE_MAX + 1ull, 1u << 30},
                 {UINT64_MAX, 1u << 30}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__segment segment;
        assert_int_equal(djp__segment_new(&segment, cases[i].bytes, 1), 0);
        assert_int_equal(segment.header->heap_size, cases[i].half);
        assert_int_equal(segment.size, 2 * (size_t)cases[i].half);
        djp__segment_fini(&segment);
    }
    djp__segment a, b;
    assert_int_equal(djp__segment_new(&a, 0, 3), 0);
    assert_int_equal(djp__segment_new(&b, 0, 1), 0);
    assert_int_equal(a.size, 4 * 32768);
    assert_int_equal(a.header->stripes, 3);
    assert_true(a.header->seed != b.header->seed);
    djp__segment_fini(&a);
    djp__segment_fini(&b);
}

static void *
try_lock(void *argument)
{
    djp__segment *segment = argument;
    int got = djp__segment_trylock(segment);
    if (got) {
        djp__segment_unlock(segment);
    }
    return got ? segment : NULL;
}

static int
another_gets_it(djp__segment *segment)
{
    pthread_t thread;
    void *got = NULL;
    assert_int_equal(pthread_create(&thread, NULL, try_lock, segment), 0);
    pthread_join(thread, &got);
    return got != NULL;
}

static void
one_holder_at_a_time(void **state)
{
    (void)state;
    djp__segment segment;
    assert_int_equal(djp__segment_new(&segment, 0, 1), 0);
    assert_true(another_gets_it(&segment));
    assert_false(djp__segment_lock(&segment));
    assert_false(another_gets_it(&segment));
    djp__segment_unlock(&segment);
    assert_true(another_gets_it(&segment));
    assert_true(djp__segment_trylock(&segment));
    assert_false(another_gets_it(&segment));
    djp__segment_relock_child(&segment); /* whoever held it, it is free now */
    assert_true(another_gets_it(&segment));
    djp__segment_fini(&segment);
}

/* In a child, so that the limit is the test's own. */
static void
no_address_space_is_said(void **state)
{
    (void)state;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {256u << 20, 256u << 20};
        djp__segment segment;
        setrlimit(RLIMIT_AS, &limit);
        int result = djp__segment_new(&segment, 1u << 30, 1);
        _exit(result == DJP_ENOMEM && !segment.base ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
#endif
}

/* Memory that another process opens by its name, and names that are not of such memory. */
static void
a_name_ends_before_the_memory(void **state)
{
    (void)state;
    djp__segment segment;
    char name[DJP__SEGMENT_NAME_SIZE];
    assert_int_equal(djp__segment_new_shared(&segment, 1 << 20, 4, 1), 0);
    int fd = segment.fd;
    assert_true(fcntl(fd, F_GETFD) >= 0);
    djp__segment_close(&segment);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    djp__segment_name(name, &segment);
    assert_string_equal(name, "");
    djp__store_relaxed(djp__segment_values(&segment, 2, 64), 7);
    assert_int_equal(djp__load_relaxed(djp__segment_values(&segment, 2, 64)), 7);
    int null = open("/dev/null", O_RDWR), other = dup2(null, fd);
    djp__segment_close(&segment);
    djp__segment_fini(&segment);
    assert_true(fcntl(other, F_GETFD) >= 0);
    close(other);
    if (null != other) {
        close(null);
    }
}

static void
open_memory_has_a_name(void **state)
{
    (void)state;
    djp__segment segment, other;
    char name[DJP__SEGMENT_NAME_SIZE], closed[DJP__SEGMENT_NAME_SIZE];
    const char *why = NULL;
    assert_int_equal(djp__segment_new_shared(&segment, 1 << 20, 4, 1), 0);
    djp__segment_name(name, &segment);
    assert_true(djp__segment_is_name(name));
    pid_t child = fork();
    if (child == 0) {
        int bad = djp__segment_open(&other, &why, name) != 0 || other.stripes != 5 ||
                  other.header->seed != segment.header->seed;
        djp__store_relaxed(djp__segment_values(&other, 2, 64), 7);
        djp__segment_fini(&other);
        _exit(bad);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(djp__load_relaxed(djp__segment_values(&segment, 2, 64)), 7);
    /* a program closed the descriptor, and has another file there */
    int fd = segment.fd, null = open("/dev/null", O_RDWR);
    assert_int_equal(dup2(null, fd), fd);
    djp__segment_name(closed, &segment);
    assert_string_equal(closed, "");
    assert_int_equal(djp__segment_open(&other, &why, name), DJP_EIO);
    assert_non_null(why);
    djp__segment_fini(&segment);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    close(fd);
    close(null);
    assert_int_equal(djp__segment_open(&other, &why, "/proc/1/fd/1000000"), DJP_EIO);
    static const char *const others[] = {"", "/tmp", "/proc/1/fd/", "/proc/1/fd/2/x",
                                         "/proc/self/fd/3"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(djp__segment_is_name(others[i]));
    }
    assert_int_equal(djp__segment_new_shared(&segment, 1 << 20, 4, 0), 0);
    djp__segment_name(name, &segment);
    assert_string_equal(name, "");
    djp__segment_fini(&segment);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_allocators_end_without_overlap),
        cmocka_unit_test(a_dead_holder_is_noticed_once),
        cmocka_unit_test(both_allocators_reach_their_end),
        cmocka_unit_test(sizes_are_clamped),
        cmocka_unit_test(one_holder_at_a_time),
        cmocka_unit_test(no_address_space_is_said),
        cmocka_unit_test(open_memory_has_a_name),
        cmocka_unit_test(a_name_ends_before_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
