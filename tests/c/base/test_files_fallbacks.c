/* Descriptor tables and standard error on kernels that refuse some system calls. The source is
 * compiled in with hooks. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static long hooked_syscall(long number, ...);
static int hooked_access(const char *path, int mode);
static int hooked_unshare(int flags);
static int hooked_open(const char *path, int flags, ...);
#define syscall hooked_syscall
#define access hooked_access
#define unshare hooked_unshare
#define open hooked_open
#include "base/files.c"
#undef syscall
#undef access
#undef unshare
#undef open

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

static struct {
    int close_range, pidfd_open, pidfd_getfd, access, unshare, null, again;
} refused;

static long
hooked_syscall(long number, ...)
{
    va_list list;
    va_start(list, number);
    long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
    va_end(list);
    if ((number == SYS_close_range && refused.close_range) ||
        (number == SYS_pidfd_open && refused.pidfd_open) ||
        (number == SYS_pidfd_getfd && refused.pidfd_getfd)) {
        errno = ENOSYS;
        return -1;
    }
    return number == SYS_pidfd_open    ? syscall(number, (int)a, (unsigned)b)
           : number == SYS_pidfd_getfd ? syscall(number, (int)a, (int)b, (unsigned)c)
                                       : syscall(number, (unsigned)a, (unsigned)b, (unsigned)c);
}

static int
hooked_access(const char *path, int mode)
{
    return refused.access ? -1 : access(path, mode);
}

static int
hooked_unshare(int flags)
{
    return refused.unshare ? -1 : unshare(flags);
}

static int
hooked_open(const char *path, int flags, ...)
{
    int is_refused = (refused.null && strcmp(path, "/dev/null") == 0) ||
                     (refused.again && strcmp(path, "/proc/self/fd/2") == 0);
    return is_refused ? -1 : open(path, flags, 0600);
}

/* Runs in a child, which may be spoiled; 0 is success. */
static int
in_child(int (*run)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        _exit(run());
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int pipe_ends[2]; /* of the process */

static int
is_null(int fd)
{
    struct stat facts, null;
    return fstat(fd, &facts) == 0 && stat("/dev/null", &null) == 0 &&
           facts.st_rdev == null.st_rdev && S_ISCHR(facts.st_mode);
}

/* What is wrong with the table that it got; 0: nothing. */
static void *
part(void *unused)
{
    (void)unused;
    if (!djp__files_part()) {
        return (void *)1;
    }
    if (!djp__files_are_parted()) {
        return (void *)2;
    }
    if (fcntl(pipe_ends[0], F_GETFD) >= 0 || fcntl(pipe_ends[1], F_GETFD) >= 0) {
        return (void *)3;
    }
    for (int fd = FILES__FIRST; fd < 3; fd++) {
        int is_socket;
        socklen_t size = sizeof is_socket;
        if (refused.null ? getsockopt(fd, SOL_SOCKET, SO_TYPE, &is_socket, &size) != 0
                         : !is_null(fd)) {
            return (void *)4;
        }
    }
    for (int fd = 3; fd < 100; fd++) { /* also none that it used itself */
        if (fcntl(fd, F_GETFD) >= 0) {
            return (void *)5;
        }
    }
    return NULL;
}

static int
in_thread(void *(*run)(void *))
{
    pthread_t thread;
    void *result = NULL;
    return pthread_create(&thread, NULL, run, NULL) == 0 && pthread_join(thread, &result) == 0
               ? (int)(intptr_t)result
               : 99;
}

static int
part_and_look(void)
{
    if (pipe(pipe_ends) != 0) {
        return 90;
    }
    int result = in_thread(part);
    /* The table of the process is as it was. */
    int is_kept = fcntl(pipe_ends[0], F_GETFD) >= 0 && fcntl(pipe_ends[1], F_GETFD) >= 0 &&
                  fcntl(STDERR_FILENO, F_GETFD) >= 0;
    return result ? result : is_kept && !djp__files_are_parted() ? 0 : 91;
}

static int
can_part(void)
{
#if defined(__SANITIZE_THREAD__)
    return 0;
#endif
    memset(&refused, 0, sizeof refused);
    return in_child(part_and_look) != 1;
}

static void
a_table_is_separate_without_close_range(void **state)
{
    (void)state;
    if (!can_part()) {
        skip();
    }
    assert_int_equal(in_child(part_and_look), 0);
    refused.close_range = 1;
    assert_int_equal(in_child(part_and_look), 0);
    refused.null = 1;
    assert_int_equal(in_child(part_and_look), 0);
    refused.null = 0;
    refused.unshare = 1;
    assert_int_equal(in_child(part_and_look), 1);
    refused.unshare = 0;
    refused.access = 1; /* the descriptors could not be found */
    assert_int_equal(in_child(part_and_look), 1);
}

/* ---- standard error ---- */

static djp__file_id at_start;

static void *
part_and_write(void *unused)
{
    (void)unused;
    if (!djp__files_part()) {
        return (void *)1;
    }
    errno = EDOM;
    djp__standard_error_write(&at_start, "line\n", 5);
    if (errno != EDOM) {
        return (void *)2;
    }
    for (int fd = 3; fd < 100; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            return (void *)3; /* left open */
        }
    }
    return NULL;
}

/* Standard error is a pipe, and then perhaps another one. Returns what was written. */
static int
write_to_pipe(int is_other)
{
    int ends[2], others[2];
    char text[16] = "";
    if (pipe(ends) != 0 || pipe(others) != 0) {
        return 90;
    }
    dup2(ends[1], STDERR_FILENO);
    djp__file_id_get(&at_start, STDERR_FILENO);
    if (is_other) {
        dup2(others[1], STDERR_FILENO);
    }
    int result = in_thread(part_and_write);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    fcntl(others[0], F_SETFL, O_NONBLOCK);
    ssize_t own = read(ends[0], text, sizeof text), other = read(others[0], text, sizeof text);
    return result ? result : is_other ? 10 * (own > 0 || other > 0) : own == 5 ? 0 : 11;
}

static int
write_to_own_pipe(void)
{
    return write_to_pipe(0);
}

static int
write_to_other_pipe(void)
{
    return write_to_pipe(1);
}

/* A thread with its own table reaches the standard error of the process, by a copy or by opening
 * it again, and never another file that got its number. */
static void
standard_error_is_reached_without_pidfds(void **state)
{
    (void)state;
    if (!can_part()) {
        skip();
    }
    for (int i = 0; i < 3; i++) {
        refused.pidfd_open = i == 1;
        refused.pidfd_getfd = i == 2;
        assert_int_equal(in_child(write_to_own_pipe), 0);
        assert_int_equal(in_child(write_to_other_pipe), 0);
    }
}

/* A pipe that cannot be opened again; with or without room, or without a reader. */
static int
write_to_a_pipe_at_hand(void)
{
    static char block[4096];
    char text[16];
    int ends[2];
    signal(SIGPIPE, SIG_DFL);
    if (pipe(ends) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
        return 90;
    }
    dup2(ends[1], STDERR_FILENO);
    djp__file_id_get(&at_start, STDERR_FILENO);
    djp__standard_error_write(&at_start, "line\n", 5);
    if (read(ends[0], text, sizeof text) != 5 || memcmp(text, "line\n", 5) != 0) {
        return 1;
    }
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    while (write(ends[1], block, sizeof block) > 0) {
        continue;
    }
    fcntl(ends[1], F_SETFL, 0);
    djp__standard_error_write(&at_start, "line\n", 5); /* does not wait */
    close(ends[0]);
    djp__standard_error_write(&at_start, "line\n", 5); /* and ends no process */
    return 0;
}

static void
a_pipe_is_written_to_if_it_has_room(void **state)
{
    (void)state;
    memset(&refused, 0, sizeof refused);
    refused.again = 1;
    assert_int_equal(in_child(write_to_a_pipe_at_hand), 0);
    refused.again = 0;
    assert_int_equal(in_child(write_to_a_pipe_at_hand), 0);
}

/* ---- identity ---- */

static void
a_file_is_known_by_all_its_numbers(void **state)
{
    (void)state;
    djp__file_id id = {1, 2, 3, 4}, same = {1, 2, 3, 4}, other[4];
    assert_true(files_same(&id, &same));
    for (int i = 0; i < 4; i++) {
        other[i] = id;
    }
    other[0].device++;
    other[1].special++;
    other[2].inode++;
    other[3].kind++;
    for (int i = 0; i < 4; i++) {
        assert_false(files_same(&id, &other[i]));
    }
    memset(&id, 0x55, sizeof id);
    assert_false(djp__file_id_get(&id, -1));
    assert_int_equal(id.device | id.special | id.inode | id.kind, 0);
    memset(&id, 0x55, sizeof id);
    assert_false(djp__file_id_get(&id, 100000));
    assert_int_equal(id.device | id.special | id.inode | id.kind, 0);
    assert_false(djp__file_is(&id, 100000));
    int input = dup(0), null = open("/dev/null", O_RDONLY);
    assert_int_equal(dup2(null, 0), 0);
    assert_true(djp__file_id_get(&id, 0));
    assert_true(djp__file_is(&id, null));
    close(null);
    if (input >= 0) {
        dup2(input, 0);
        close(input);
    } else {
        close(0);
    }
    djp__files_inherit(1);
    assert_true(djp__files_are_parted());
    djp__files_inherit(0);
    assert_false(djp__files_are_parted());
}

/* A stream that was opened later is written to if it is a terminal or device, or appends. */
static void
only_some_streams_are_safe(void **state)
{
    (void)state;
    char path[] = "/tmp/djp-fallback-XXXXXX";
    djp__file_id none = {0}, own;
    int fd = mkstemp(path), ends[2];
    assert_true(fd >= 0);
    assert_int_equal(pipe(ends), 0);
    assert_false(djp__standard_is_safe(&none, fd));
    djp__file_id_get(&own, fd);
    assert_true(djp__standard_is_safe(&own, fd));
    assert_false(djp__standard_is_safe(&own, -1));
    int appended = open(path, O_WRONLY | O_APPEND), null = open("/dev/null", O_WRONLY);
    assert_true(djp__standard_is_safe(&none, appended));
    assert_true(djp__standard_is_safe(&none, null));
    assert_false(djp__standard_is_safe(&none, ends[1]));
    assert_int_equal(fcntl(ends[1], F_SETFL, O_APPEND), 0);
    assert_false(djp__standard_is_safe(&none, ends[1])); /* no file */
    int open_ones[] = {fd, appended, null, ends[0], ends[1]};
    for (int i = 0; i < 5; i++) {
        close(open_ones[i]);
    }
    unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_separate_without_close_range),
        cmocka_unit_test(standard_error_is_reached_without_pidfds),
        cmocka_unit_test(a_pipe_is_written_to_if_it_has_room),
        cmocka_unit_test(a_file_is_known_by_all_its_numbers),
        cmocka_unit_test(only_some_streams_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
