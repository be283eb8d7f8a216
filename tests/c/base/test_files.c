/* Descriptors under hostile hands: a thread's own table, standard streams that were given away, and
 * streams that no process reads. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/files.h"
#include "base/thread.h"

typedef struct parted {
    djp__wake go;
    djp__wake done;
    DJP__ATOMIC(int) parted;
    int opened; /* the number of the thread's file, in its own table */
    djp__file_id id;
    int still_ours;
    int host_file; /* a descriptor of the process that the thread must not have */
    int sees_host;
} parted;

static void *
open_and_wait(void *user)
{
    parted *p = user;
    djp__file_id host;
    p->parted = djp__files_part();
    p->sees_host = djp__file_id_get(&host, p->host_file);
    p->opened = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    djp__file_id_get(&p->id, p->opened);
    djp__wake_notify(&p->done);
    djp__wake_wait(&p->go, UINT64_MAX);
    p->still_ours = djp__file_is(&p->id, p->opened);
    return NULL;
}

static void
a_thread_with_its_own_table_shares_nothing(void **state)
{
    (void)state;
    parted p;
    pthread_t thread;
    int ends[2];
    memset(&p, 0, sizeof p);
    djp__wake_init(&p.go);
    djp__wake_init(&p.done);
    assert_int_equal(pipe(ends), 0);
    p.host_file = ends[1];
    assert_int_equal(djp__thread_start(&thread, open_and_wait, &p, "parted"), 0);
    assert_int_equal(djp__wake_wait(&p.done, UINT64_MAX), 1);
    if (!p.parted) {
        djp__wake_notify(&p.go);
        pthread_join(thread, NULL);
        skip();
    }
    assert_false(p.sees_host);
    assert_in_range(p.opened, 3, 100);
    djp__file_id id;
    assert_false(djp__file_id_get(&id, p.opened) && id.inode == p.id.inode &&
                 id.device == p.id.device);
    for (int fd = 3; fd < 100; fd++) {
        if (fd != ends[0]) {
            close(fd);
        }
    }
    /* The thread holds no copy of the writing end: the reader sees that it was closed. */
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    assert_false(djp__files_are_parted());
    djp__wake_notify(&p.go);
    pthread_join(thread, NULL);
    assert_true(p.still_ours);
}

/* ---- standard error ---- */

typedef struct lines {
    djp__diagnostics diag;
    int part; /* say it from a thread with its own table */
} lines;

static void *
say(void *user)
{
    lines *l = user;
    if (l->part) {
        djp__files_part();
    }
    djp__diag(&l->diag, DJP_LOG_WARN, "a word");
    return NULL;
}

/* Runs in a child, whose standard error may be spoiled; what it returns is the exit status. */
static int
in_child(int (*run)(int part), int part)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        _exit(run(part));
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void
say_from_thread(lines *l)
{
    pthread_t thread;
    djp__thread_start(&thread, say, l, "say");
    pthread_join(thread, NULL);
}

static int
full_stream(int part, int ends[2])
{
    static char block[4096];
    char text[65536];
    lines l = {.part = part};
    dup2(ends[1], STDERR_FILENO);
    djp__diag_init(&l.diag, DJP_LOG_WARN, NULL, NULL);
    say_from_thread(&l);
    ssize_t size = read(ends[0], text, sizeof text);
    if (size <= 0 || !memmem(text, (size_t)size, "warning: a word\n", 16)) {
        return 2;
    }
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    while (write(ends[1], block, sizeof block) > 0) {
        continue;
    }
    while (write(ends[1], block, 1) > 0) {
        continue;
    }
    fcntl(ends[1], F_SETFL, 0); /* shared with STDERR_FILENO: whoever writes there waits */
    say_from_thread(&l); /* does not hang */
    if (fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK) {
        return 3; /* the host's stream is as it was */
    }
    close(ends[0]);
    say_from_thread(&l); /* and SIGPIPE ends no process */
    return strcmp(l.diag.last_error, "a word") == 0 ? 0 : 4;
}

static int
full_pipe(int part)
{
    int ends[2];
    signal(SIGPIPE, SIG_DFL);
    return pipe(ends) == 0 ? full_stream(part, ends) : 1;
}

static int
full_socket(int part)
{
    int ends[2];
    signal(SIGPIPE, SIG_DFL);
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 ? full_stream(part, ends) : 1;
}

static void
a_full_standard_error_holds_nobody_up(void **state)
{
    (void)state;
    assert_int_equal(in_child(full_pipe, 0), 0);
    assert_int_equal(in_child(full_pipe, 1), 0);
    assert_int_equal(in_child(full_socket, 0), 0);
    assert_int_equal(in_child(full_socket, 1), 0);
}

/* The shared position of a redirected stream is kept: what the host writes afterwards comes after
 * our line. */
static int
file_stream(int part)
{
    char path[] = "/tmp/djp-files-XXXXXX", text[256] = "";
    int file = mkstemp(path);
    lines l = {.part = part};
    unlink(path);
    dup2(file, STDERR_FILENO);
    djp__diag_init(&l.diag, DJP_LOG_WARN, NULL, NULL);
    if (write(STDERR_FILENO, "before\n", 7) != 7) {
        return 1;
    }
    say_from_thread(&l);
    if (write(STDERR_FILENO, "after\n", 6) != 6 || pread(file, text, sizeof text - 1, 0) <= 0) {
        return 1;
    }
    return strcmp(text, "before\ndjp-telemetry: warning: a word\nafter\n") == 0 ? 0 : 2;
}

/* The program closed standard error, and another of its files got the number. */
static int
stolen_stream(int part)
{
    char path[] = "/tmp/djp-files-XXXXXX";
    lines l = {.part = part};
    struct stat facts;
    djp__diag_init(&l.diag, DJP_LOG_WARN, NULL, NULL);
    close(STDERR_FILENO);
    int file = mkstemp(path);
    unlink(path);
    if (file != STDERR_FILENO) {
        return 1;
    }
    say_from_thread(&l);
    return fstat(file, &facts) == 0 && facts.st_size == 0 ? 0 : 2;
}

static void
a_line_on_standard_error_is_written_where_it_belongs(void **state)
{
    (void)state;
    assert_int_equal(in_child(file_stream, 0), 0);
    assert_int_equal(in_child(file_stream, 1), 0);
    assert_int_equal(in_child(stolen_stream, 0), 0);
    assert_int_equal(in_child(stolen_stream, 1), 0);
}

/* Of all that a path may name, only a regular file with one name opens, and no kind blocks. */
static void
only_a_regular_file_with_one_name_opens(void **state)
{
    (void)state;
    char dir[] = "/tmp/djp-files-XXXXXX", path[64], other[64];
    struct stat facts;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/file", dir);
    snprintf(other, sizeof other, "%s/other", dir);
    assert_int_equal(djp__file_open_regular(&facts, path, O_RDONLY), -1);
    assert_int_equal(errno, ENOENT);
    int fd = djp__file_open_regular(&facts, path, O_RDWR | O_CREAT);
    assert_true(fd >= 0);
    assert_int_equal(facts.st_mode & 0777 & ~0600, 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    assert_int_equal(symlink(path, other), 0);
    assert_int_equal(djp__file_open_regular(&facts, other, O_RDONLY), -1);
    assert_int_equal(errno, ELOOP);
    unlink(other);
    assert_int_equal(link(path, other), 0);
    assert_int_equal(djp__file_open_regular(&facts, path, O_RDONLY), -1);
    assert_int_equal(errno, EMLINK);
    unlink(other);
    assert_int_equal(mkfifo(other, 0600), 0);
    assert_int_equal(djp__file_open_regular(&facts, other, O_RDONLY), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(djp__file_open_regular(&facts, dir, O_RDONLY), -1);
    assert_int_equal(errno, EINVAL);
    unlink(other);
    unlink(path);
    rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_with_its_own_table_shares_nothing),
        cmocka_unit_test(a_full_standard_error_holds_nobody_up),
        cmocka_unit_test(a_line_on_standard_error_is_written_where_it_belongs),
        cmocka_unit_test(only_a_regular_file_with_one_name_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
