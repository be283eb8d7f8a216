/* The transports that stay on the machine: files with rotation, pipes without a reader, standard
 * output, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "djp/error.h"
#include "export/shared_pipe.h"
#include "export/transport.h"

#define MILLISECOND UINT64_C(1000000)

typedef struct scene {
    char folder[64];
    char path[128];
    const char *target; /* what the transport is made with */
    djp__transport *transport;
    djp__send_result result;
} scene;

static int
set_up(void **state)
{
    scene *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return -1;
    }
    snprintf(s->folder, sizeof s->folder, "/tmp/djp-test-XXXXXX");
    if (!mkdtemp(s->folder)) {
        return -1;
    }
    snprintf(s->path, sizeof s->path, "%s/spans.jsonl", s->folder);
    s->target = s->path;
    *state = s;
    return 0;
}

static int
tear_down(void **state)
{
    scene *s = *state;
    char other[160];
    if (s->transport) {
        s->transport->ops->free(s->transport);
    }
    unlink(s->path);
    snprintf(other, sizeof other, "%s.1", s->path);
    unlink(other);
    rmdir(s->folder);
    free(s);
    return 0;
}

static djp__outcome
send_bytes(scene *s, const void *data, size_t size, uint64_t timeout_ns)
{
    djp__send_control control = {timeout_ns ? djp__clock_monotonic() + timeout_ns : UINT64_MAX,
                                 NULL, NULL};
    s->transport->ops->send(s->transport, data, size, &control, &s->result);
    return s->result.outcome;
}

static djp__outcome
send_text(scene *s, const char *text)
{
    return send_bytes(s, text, strlen(text), 60000 * MILLISECOND);
}

static void
assert_file(const char *path, const char *expected)
{
    char content[4096];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(content, 1, sizeof content - 1, file);
    fclose(file);
    content[size] = '\0';
    assert_string_equal(content, expected);
}

static void
lines_are_appended(void **state)
{
    scene *s = *state;
    assert_int_equal(djp__transport_file_new(&s->transport, s->target), 0);
    assert_string_equal(s->transport->ops->name, "file");
    assert_int_equal(access(s->path, F_OK), -1); /* nothing is opened before something is sent */
    assert_int_equal(send_text(s, "{\"a\":1}"), DJP__SENT);
    assert_int_equal(s->result.wire_bytes, 8);
    assert_int_equal(send_text(s, "{\"b\":2}"), DJP__SENT);
    assert_file(s->path, "{\"a\":1}\n{\"b\":2}\n");
    struct stat facts;
    assert_int_equal(stat(s->path, &facts), 0);
    assert_int_equal(facts.st_mode & 07, 0);
}

/* Names below /dev may be links: /dev/stdout is one. */
static void
a_link_below_dev_is_followed(void **state)
{
    scene *s = *state;
    char text[16] = "";
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    snprintf(s->path, sizeof s->path, "/dev/fd/%d", ends[1]);
    assert_int_equal(djp__transport_file_new(&s->transport, s->target), 0);
    assert_int_equal(send_text(s, "one"), DJP__SENT);
    assert_int_equal(read(ends[0], text, sizeof text), 4);
    assert_string_equal(text, "one\n");
    close(ends[0]);
    close(ends[1]);
}

static void
a_rotated_file_is_left_and_a_new_one_begun(void **state)
{
    scene *s = *state;
    char rotated[160];
    const struct timespec pause = {1, 50000000};
    snprintf(rotated, sizeof rotated, "%s.1", s->path);
    assert_int_equal(djp__transport_file_new(&s->transport, s->target), 0);
    assert_int_equal(send_text(s, "one"), DJP__SENT);
    assert_int_equal(rename(s->path, rotated), 0);
    nanosleep(&pause, NULL);
    assert_int_equal(send_text(s, "two"), DJP__SENT);
    assert_file(rotated, "one\n");
    assert_file(s->path, "two\n");
    assert_int_equal(unlink(s->path), 0);
    nanosleep(&pause, NULL);
    assert_int_equal(send_text(s, "three"), DJP__SENT);
    assert_file(s->path, "three\n");
}

static void
what_cannot_be_written_may_be_tried_again(void **state)
{
    scene *s = *state;
    char bad[160];
    snprintf(bad, sizeof bad, "%s/no/such/folder", s->folder);
    s->target = bad;
    assert_int_equal(djp__transport_file_new(&s->transport, s->target), 0);
    assert_int_equal(send_text(s, "x"), DJP__SEND_RETRY);
    assert_non_null(strstr(s->result.message, "no/such/folder"));
    assert_non_null(strstr(s->result.message, "No such file"));
    s->transport->ops->free(s->transport);
    s->target = "/dev/full";
    assert_int_equal(djp__transport_file_new(&s->transport, s->target), 0);
    assert_int_equal(send_text(s, "x"), DJP__SEND_RETRY);
    assert_non_null(strstr(s->result.message, "space"));
}

static int
stop_at_once(void *user)
{
    ++*(int *)user;
    return 1;
}

/* A named pipe: no reader, a reader that does not read, a reader that goes away. */
static void
a_blocked_pipe_ends_at_the_deadline(void **state)
{
    scene *s = *state;
    static char large[300000];
    memset(large, 'x', sizeof large);
    assert_int_equal(mkfifo(s->path, 0600), 0);
    assert_int_equal(djp__transport_file_new(&s->transport, s->target), 0);
    assert_int_equal(send_text(s, "x"), DJP__SEND_RETRY);
    int reader = open(s->path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    uint64_t began = djp__clock_monotonic();
    assert_int_equal(send_bytes(s, large, sizeof large, 100 * MILLISECOND), DJP__SEND_ABORTED);
    uint64_t took = djp__clock_monotonic() - began;
    assert_in_range(took, 99 * MILLISECOND, 60000 * MILLISECOND);
    assert_in_range(s->result.wire_bytes, 1, sizeof large - 1);
    int polls = 0;
    djp__send_control control = {UINT64_MAX, stop_at_once, &polls};
    s->transport->ops->send(s->transport, large, sizeof large, &control, &s->result);
    assert_int_equal(s->result.outcome, DJP__SEND_ABORTED);
    assert_int_equal(polls, 1);
    /* Once it is read again, the half line ends before the next one begins. */
    char part[65536];
    ssize_t size, total = 0;
    while ((size = read(reader, part, sizeof part)) > 0) {
        total += size;
    }
    assert_true(total > 0);
    assert_int_equal(send_text(s, "next"), DJP__SENT);
    assert_int_equal(read(reader, part, sizeof part), 6);
    assert_memory_equal(part, "\nnext\n", 6);
    close(reader);
    /* and no SIGPIPE, whose default would end this test */
    assert_int_equal(send_text(s, "gone"), DJP__SEND_RETRY);
    sigset_t pending;
    assert_int_equal(sigpending(&pending), 0);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
}

typedef struct swapped {
    int saved;
    int reader;
    int writer;
} swapped;

/* Puts something else in place of standard output. */
static void
swap_stdout(swapped *w, int reader, int writer)
{
    fflush(stdout);
    w->saved = dup(STDOUT_FILENO);
    w->reader = reader;
    w->writer = writer;
    dup2(writer, STDOUT_FILENO);
}

static void
restore_stdout(const swapped *w)
{
    dup2(w->saved, STDOUT_FILENO);
    close(w->saved);
    close(w->writer);
}

static void
console_on(scene *s, swapped *w, int reader, int writer)
{
    static char large[300000];
    char part[65536];
    ssize_t size;
    swap_stdout(w, reader, writer);
    int code = djp__transport_console_new(&s->transport);
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    djp__outcome small = send_text(s, "{}\n");
    uint64_t began = djp__clock_monotonic();
    djp__outcome blocked = send_bytes(s, large, sizeof large, 100 * MILLISECOND);
    uint64_t took = djp__clock_monotonic() - began;
    int flags_after = fcntl(STDOUT_FILENO, F_GETFL);
    restore_stdout(w);
    assert_int_equal(code, 0);
    assert_int_equal(small, DJP__SENT);
    assert_int_equal(blocked, DJP__SEND_ABORTED);
    assert_in_range(took, 99 * MILLISECOND, 60000 * MILLISECOND);
    assert_int_equal(flags, flags_after);
    fcntl(reader, F_SETFL, O_NONBLOCK);
    size = read(reader, part, 3);
    assert_int_equal(size, 3);
    assert_memory_equal(part, "{}\n", 3);
    close(reader);
}

static void
the_console_never_blocks_on_a_pipe(void **state)
{
    scene *s = *state;
    int ends[2];
    swapped w;
    assert_int_equal(pipe(ends), 0);
    console_on(s, &w, ends[0], ends[1]);
}

static void
the_console_never_blocks_on_a_socket(void **state)
{
    scene *s = *state;
    int ends[2];
    swapped w;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    console_on(s, &w, ends[0], ends[1]);
}

static void
a_closed_standard_output_refuses_for_good(void **state)
{
    scene *s = *state;
    int ends[2];
    swapped w;
    s->target = "-";
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    swap_stdout(&w, -1, ends[1]);
    int code = djp__transport_file_new(&s->transport, s->target);
    djp__outcome broken = send_text(s, "x");
    restore_stdout(&w);
    assert_int_equal(code, 0);
    assert_int_equal(broken, DJP__SEND_REJECTED);
    assert_non_null(strstr(s->result.message, "standard output"));
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    close(STDOUT_FILENO);
    djp__outcome closed = send_text(s, "x");
    dup2(saved, STDOUT_FILENO);
    close(saved);
    assert_int_equal(closed, DJP__SEND_REJECTED);
}

static void
standard_output_as_a_file_gets_lines(void **state)
{
    scene *s = *state;
    swapped w;
    char path[128];
    snprintf(path, sizeof path, "%s", s->path);
    s->target = "";
    swap_stdout(&w, -1, open(path, O_CREAT | O_WRONLY, 0600));
    int code = djp__transport_file_new(&s->transport, s->target);
    djp__outcome first = send_text(s, "{}");
    ssize_t host = write(STDOUT_FILENO, "host\n", 5);
    djp__outcome second = send_text(s, "{}");
    restore_stdout(&w);
    assert_int_equal(code, 0);
    assert_int_equal(host, 5);
    assert_int_equal(first, DJP__SENT);
    assert_int_equal(second, DJP__SENT);
    assert_file(path, "{}\nhost\n{}\n");
}

static void
two_processes_append_whole_lines(void **state)
{
    scene *s = *state;
    char line[201];
    assert_int_equal(djp__transport_file_new(&s->transport, s->target), 0);
    memset(line, 'p', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    assert_int_equal(send_text(s, line), DJP__SENT);
    pid_t pid = fork();
    if (pid == 0) {
        s->transport->ops->abandon(s->transport);
        memset(line, 'c', sizeof line - 1);
        for (int i = 0; i < 200; i++) {
            if (send_text(s, line) != DJP__SENT) {
                _exit(1);
            }
        }
        _exit(0);
    }
    for (int i = 0; i < 200; i++) {
        assert_int_equal(send_text(s, line), DJP__SENT);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    FILE *file = fopen(s->path, "rb");
    char read_line[512];
    int lines = 0;
    assert_non_null(file);
    while (fgets(read_line, sizeof read_line, file)) {
        assert_int_equal(strlen(read_line), sizeof line);
        assert_int_equal(strspn(read_line, (char[]){read_line[0], '\0'}), sizeof line - 1);
        lines++;
    }
    fclose(file);
    assert_int_equal(lines, 401);
}

static void
memory_keeps_and_gives(void **state)
{
    scene *s = *state;
    djp__buf out;
    djp__buf_init(&out, 0);
    assert_int_equal(djp__transport_memory_new(&s->transport), 0);
    assert_int_equal(djp__transport_memory_take(s->transport, &out), 1);
    assert_int_equal(out.size, 0);
    assert_int_equal(send_text(s, "abc"), DJP__SENT);
    assert_int_equal(send_text(s, ""), DJP__SENT);
    assert_int_equal(djp__transport_memory_take(s->transport, &out), 1);
    assert_int_equal(out.size, 11);
    assert_memory_equal(out.data, "\3\0\0\0abc\0\0\0\0", 11);
    djp__buf_clear(&out);
    assert_int_equal(djp__transport_memory_take(s->transport, &out), 1);
    assert_int_equal(out.size, 0);
    assert_int_equal(djp__transport_memory_take(NULL, &out), 0);
    djp__transport *file;
    assert_int_equal(djp__transport_file_new(&file, s->target), 0);
    assert_int_equal(djp__transport_memory_take(file, &out), 0);
    file->ops->free(file);
    djp__buf_fini(&out);
}

static void
memory_is_bounded(void **state)
{
    scene *s = *state;
    const size_t size = 10 << 20;
    char *data = calloc(1, size);
    djp__buf out;
    djp__buf_init(&out, 0);
    assert_non_null(data);
    assert_int_equal(djp__transport_memory_new(&s->transport), 0);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(send_bytes(s, data, size, 0), DJP__SENT);
    }
    assert_int_equal(send_bytes(s, data, size, 0), DJP__SEND_REJECTED);
    assert_true(s->result.message[0]);
    assert_int_equal(djp__transport_memory_take(s->transport, &out), 1);
    assert_int_equal(out.size, 6 * (size + 4));
    djp__buf_fini(&out);
    djp__alloc_fail_after(1);
    djp__outcome without_memory = send_bytes(s, data, size * 7, 0);
    djp__alloc_fail_after(0);
    assert_int_equal(without_memory, DJP__SEND_REJECTED);
    s->transport->ops->abandon(s->transport);
    assert_int_equal(send_text(s, "again"), DJP__SENT);
    free(data);
}

static void
out_of_memory_at_creation(void **state)
{
    scene *s = *state;
    djp__alloc_fail_after(1);
    int file = djp__transport_file_new(&s->transport, s->target);
    int memory = djp__transport_memory_new(&s->transport);
    djp__alloc_fail_after(0);
    assert_int_equal(file, DJP_ENOMEM);
    assert_int_equal(memory, DJP_ENOMEM);
    assert_null(s->transport);
}

#define SCENE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Somebody planted what would make us write into another file. */
static void
a_planted_name_is_refused(void **state)
{
    scene *s = *state;
    char victim[160];
    snprintf(victim, sizeof victim, "%s.1", s->path);
    int file = open(victim, O_CREAT | O_WRONLY, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, "mine\n", 5), 5);
    close(file);
    assert_int_equal(djp__transport_file_new(&s->transport, s->target), 0);
    assert_int_equal(symlink(victim, s->path), 0);
    assert_int_equal(send_text(s, "x"), DJP__SEND_RETRY);
    assert_non_null(strstr(s->result.message, "symbolic link"));
    unlink(s->path);
    assert_int_equal(link(victim, s->path), 0);
    assert_int_equal(send_text(s, "x"), DJP__SEND_RETRY);
    assert_non_null(strstr(s->result.message, "hard link"));
    unlink(s->path);
    assert_int_equal(mkdir(s->path, 0700), 0);
    assert_int_equal(send_text(s, "x"), DJP__SEND_RETRY);
    rmdir(s->path);
    assert_file(victim, "mine\n");
    assert_int_equal(send_text(s, "x"), DJP__SENT);
    assert_file(s->path, "x\n");
}

/* The program closes our descriptor, and its next file gets the number. */
static void
a_number_that_was_given_away_is_left_alone(void **state)
{
    scene *s = *state;
    char other[160], path[160];
    snprintf(path, sizeof path, "%s", s->path);
    snprintf(other, sizeof other, "%s.1", s->path);
    int next = open("/dev/null", O_RDONLY);
    close(next); /* the number that the transport will get */
    assert_int_equal(djp__transport_file_new(&s->transport, s->target), 0);
    assert_int_equal(send_text(s, "one"), DJP__SENT);
    close(next);
    int own = open(other, O_CREAT | O_RDWR, 0600);
    assert_int_equal(own, next);
    assert_int_equal(send_text(s, "two"), DJP__SENT);
    s->transport->ops->free(s->transport);
    s->transport = NULL;
    assert_int_equal(write(own, "own\n", 4), 4);
    close(own);
    assert_file(other, "own\n");
    assert_file(path, "one\ntwo\n");
}

/* The program closes standard output, and its next file gets the number. */
static void
standard_output_that_became_a_file_is_left_alone(void **state)
{
    scene *s = *state;
    char other[160];
    snprintf(other, sizeof other, "%s.1", s->path);
    assert_int_equal(djp__transport_console_new(&s->transport), 0);
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    close(STDOUT_FILENO);
    int own = open(other, O_CREAT | O_RDWR, 0600);
    djp__outcome outcome = send_text(s, "{}\n");
    dup2(saved, STDOUT_FILENO);
    close(saved);
    assert_int_equal(own, STDOUT_FILENO);
    assert_int_equal(outcome, DJP__SEND_REJECTED);
    assert_non_null(strstr(s->result.message, "another file"));
    assert_file(other, "");
    assert_int_equal(send_text(s, "{}\n"), DJP__SENT);
}

static int
count_look(void *user)
{
    ++*(unsigned *)user;
    return 0;
}

/* Each look is a round of the worker: a reader that has stopped, such as a pager, must not keep it
 * busy. */
static void
a_pipe_that_nobody_reads_is_looked_at_now_and_then(void **state)
{
    (void)state;
    int ends[2];
    unsigned looks = 0;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    djp__send_control control = {djp__clock_monotonic() + 600000000u, count_look, &looks};
    djp__pipe_writers writers = {0};
    assert_int_equal(djp__shared_pipe_wait(ends[1], &writers, &control, 0), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_in_range(looks, 1, 100);
    close(ends[0]);
    close(ends[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(lines_are_appended),
        SCENE(a_planted_name_is_refused),
        SCENE(a_number_that_was_given_away_is_left_alone),
        SCENE(standard_output_that_became_a_file_is_left_alone),
        SCENE(a_link_below_dev_is_followed),
        SCENE(a_rotated_file_is_left_and_a_new_one_begun),
        SCENE(what_cannot_be_written_may_be_tried_again),
        SCENE(a_blocked_pipe_ends_at_the_deadline),
        SCENE(the_console_never_blocks_on_a_pipe),
        SCENE(the_console_never_blocks_on_a_socket),
        cmocka_unit_test(a_pipe_that_nobody_reads_is_looked_at_now_and_then),
        SCENE(a_closed_standard_output_refuses_for_good),
        SCENE(standard_output_as_a_file_gets_lines),
        SCENE(two_processes_append_whole_lines),
        SCENE(memory_keeps_and_gives),
        SCENE(memory_is_bounded),
        SCENE(out_of_memory_at_creation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
