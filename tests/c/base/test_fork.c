/* The fork hooks by themselves: order, generation, and registering under pthread_once. */
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/thread.h"

static char calls[32];
static size_t call_count;

static void
note(char what, void *user)
{
    if (call_count + 2 < sizeof calls) {
        calls[call_count++] = what;
        calls[call_count++] = *(const char *)user;
    }
}

static void
note_prepare(void *user)
{
    note('p', user);
}

static void
note_parent(void *user)
{
    note('a', user);
}

static void
note_child(void *user)
{
    note('c', user);
}

static char first_name = '1', second_name = '2';
static djp__fork_hook first = {note_prepare, note_parent, note_child, &first_name, NULL};
static djp__fork_hook second = {note_prepare, note_parent, note_child, &second_name, NULL};

/* Forks and checks in both processes what ran. */
/* A hook may leave out any of its functions. */
static djp__fork_hook empty = {NULL, NULL, NULL, NULL, NULL};

static void
fork_and_expect(const char *in_parent, const char *in_child)
{
    memset(calls, 0, sizeof calls);
    call_count = 0;
    uint32_t generation = djp__fork_generation();
    pid_t pid = fork();
    if (pid == 0) {
        _exit(strcmp(calls, in_child) == 0 && djp__fork_generation() == generation + 1 ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_string_equal(calls, in_parent);
    assert_int_equal(djp__fork_generation(), generation);
}

static void
prepare_runs_newest_first_the_rest_oldest_first(void **state)
{
    (void)state;
    djp__fork_register(&first);
    djp__fork_register(&empty);
    djp__fork_register(&second);
    fork_and_expect("p2p1a1a2", "p2p1c1c2");
    djp__fork_unregister(&empty);
    djp__fork_unregister(&first);
    fork_and_expect("p2a2", "p2c2");
    djp__fork_unregister(&second);
    djp__fork_unregister(&second);
    fork_and_expect("", "");
}

/* As in a child that was forked while another thread was in the middle of its pthread_once. */
static void
registering_twice_is_once(void **state)
{
    (void)state;
    djp__fork_register(&first);
    djp__fork_register(&second);
    djp__fork_register(&first);
    fork_and_expect("p2p1a1a2", "p2p1c1c2");
    djp__fork_unregister(&second);
    djp__fork_unregister(&first);
    fork_and_expect("", "");
}

static DJP__ATOMIC(int) reading, read_enough;

static int
read_slowly(struct dl_phdr_info *module, size_t size, void *user)
{
    (void)module;
    (void)size;
    (void)user;
    djp__store_release(&reading, 1);
    for (int i = 0; i < 6000 && !djp__load_acquire(&read_enough); i++) {
        poll(NULL, 0, 10);
    }
    return 1;
}

static void *
read_the_loaders_list(void *unused)
{
    dl_iterate_phdr(read_slowly, NULL);
    return unused;
}

static void *
do_nothing(void *unused)
{
    return unused;
}

/* Whoever reads the loader's list holds its lock, in a child for ever. */
static void
a_thread_starts_while_another_reads_the_loaders_list(void **state)
{
    (void)state;
    pthread_t reader, started;
    assert_int_equal(pthread_create(&reader, NULL, read_the_loaders_list, NULL), 0);
    while (!djp__load_acquire(&reading)) {
        poll(NULL, 0, 1);
    }
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        _exit(djp__thread_start(&started, do_nothing, NULL, "child") == 0 ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(djp__thread_start(&started, do_nothing, NULL, "parent"), 0);
    pthread_join(started, NULL);
    djp__store_release(&read_enough, 1);
    pthread_join(reader, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prepare_runs_newest_first_the_rest_oldest_first),
        cmocka_unit_test(registering_twice_is_once),
        cmocka_unit_test(a_thread_starts_while_another_reads_the_loaders_list),
    };
    alarm(200);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
