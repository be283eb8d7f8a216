/* The generator against the published numbers of xoshiro256++ and splitmix64, and when it seeds.
 * Compiled in, so that its state is the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int refused; /* 1: the kernel gives nothing, 2: half of it, 3: zeros */

#include <sys/random.h>

static ssize_t
getrandom_maybe(void *out, size_t size, unsigned flags)
{
    if (refused == 1) {
        return -1;
    }
    if (refused == 3) {
        memset(out, 0, size);
        return (ssize_t)size;
    }
    ssize_t got = getrandom(out, size, flags);
    return refused == 2 ? got / 2 : got;
}

#define getrandom(out, size, flags) getrandom_maybe(out, size, flags)
#include "base/rand.c"
#undef getrandom

static void
set_state(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    djp__fork_watch();
    rand__local = (rand__state){{a, b, c, d}, djp__fork_generation()};
}

static void
numbers_are_those_of_the_algorithm(void **state)
{
    (void)state;
    static const uint64_t expected[] = {41943041ull,
                                        58720359ull,
                                        3588806011781223ull,
                                        3591011842654386ull,
                                        9228616714210784205ull,
                                        9973669472204895162ull,
                                        14011001112246962877ull,
                                        12406186145184390807ull,
                                        15849039046786891736ull,
                                        10450023813501588000ull};
    set_state(1, 2, 3, 4);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true(djp__rand64() == expected[i]);
    }
    uint64_t state64 = 1234567; /* splitmix64 */
    assert_true(rand_splitmix(&state64) == 6457827717110365317ull);
    assert_true(rand_splitmix(&state64) == 3203168211198807973ull);
    assert_true(rand_splitmix(&state64) == 9817491932198370423ull);
}

static void
ids_are_never_zero(void **state)
{
    (void)state;
    static const uint8_t zero[16];
    uint8_t trace[16], span[8];
    /* From zeros alone come zeros; one bit comes to the output after some steps only. */
    set_state(0, 1, 0, 0);
    djp__rand_trace_id(trace);
    assert_memory_not_equal(trace, zero, 16);
    set_state(0, 1, 0, 0);
    djp__rand_span_id(span);
    assert_memory_not_equal(span, zero, 8);
    set_state(1, 2, 3, 4);
    uint64_t words[2];
    djp__rand_trace_id(trace);
    memcpy(words, trace, 16);
    assert_true(words[0] == 41943041 && words[1] == 58720359);
    djp__rand_span_id(span);
    memcpy(words, span, 8);
    assert_true(words[0] == 3588806011781223);
}

/* A seed of the kernel, or one made up where there is none: never zeros, and never the same
 * twice. */
static void
seeds_differ(void **state)
{
    (void)state;
    for (refused = 0; refused <= 3; refused++) {
        uint64_t seen[32];
        for (int i = 0; i < 32; i++) {
            rand__local.generation = 0;
            seen[i] = djp__rand64();
            assert_true((rand__local.word[0] | rand__local.word[1] | rand__local.word[2] |
                         rand__local.word[3]) != 0);
            assert_int_equal(rand__local.generation, djp__fork_generation());
            for (int k = 0; k < i; k++) {
                assert_true(seen[i] != seen[k]);
            }
        }
    }
    refused = 0;
    /* Seeded, it is not seeded again. */
    set_state(1, 2, 3, 4);
    assert_true(djp__rand64() == 41943041);
}

/* Each bit is set in about half of the numbers. */
static void
bits_are_balanced(void **state)
{
    (void)state;
    int set[64] = {0};
    set_state(11, 22, 33, 44);
    for (int i = 0; i < 10000; i++) {
        uint64_t word = djp__rand64();
        for (int bit = 0; bit < 64; bit++) {
            set[bit] += word >> bit & 1;
        }
    }
    for (int bit = 0; bit < 64; bit++) {
        assert_in_range(set[bit], 4700, 5300);
    }
}

enum { DRAWS = 20000 };

static void *
draw(void *out)
{
    uint64_t *numbers = out;
    for (int i = 0; i < DRAWS; i++) {
        djp__rand_span_id((uint8_t *)&numbers[i]);
    }
    return NULL;
}

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void
a_forked_child_draws_other_numbers(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    (void)djp__rand64();
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t drawn[4];
        for (int i = 0; i < 4; i++) {
            drawn[i] = djp__rand64();
        }
        _exit(write(pipes[1], drawn, sizeof drawn) == (ssize_t)sizeof drawn ? 0 : 1);
    }
    uint64_t theirs[4], ours[4];
    for (int i = 0; i < 4; i++) {
        ours[i] = djp__rand64();
    }
    assert_int_equal(read(pipes[0], theirs, sizeof theirs), sizeof theirs);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 4; k++) {
            assert_true(ours[i] != theirs[k]);
        }
    }
    close(pipes[0]);
    close(pipes[1]);
}

static void
threads_draw_different_ids(void **state)
{
    (void)state;
    static uint64_t numbers[3 * DRAWS];
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            djp__thread_start(&threads[i], draw, numbers + i * DRAWS, "a-name-longer-than-fifteen"),
            0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    qsort(numbers, 3 * DRAWS, sizeof numbers[0], compare);
    uint64_t ones = 0;
    for (int i = 0; i < 3 * DRAWS; i++) {
        assert_true(numbers[i] != 0 && (i == 0 || numbers[i] != numbers[i - 1]));
        ones += (uint64_t)__builtin_popcountll(numbers[i]);
    }
    assert_true(ones > 3 * DRAWS * 31ull && ones < 3 * DRAWS * 33ull);
    uint8_t trace_id[16];
    djp__rand_trace_id(trace_id);
    assert_memory_not_equal(trace_id, "\0\0\0\0\0\0\0\0", 8);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_the_algorithm),
        cmocka_unit_test(ids_are_never_zero),
        cmocka_unit_test(seeds_differ),
        cmocka_unit_test(bits_are_balanced),
        cmocka_unit_test(a_forked_child_draws_other_numbers),
        cmocka_unit_test(threads_draw_different_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
