/* The transports of files and of the console, while another transport is due: a request that waits
 * for its reader is left in transit and continued later, with no byte lost or written twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "export/transport.h"

enum { LARGE = 400000 };

typedef struct feed {
    djp__send_feed calls;
    const char *bodies[4];
    size_t sizes[4];
    unsigned next, given, done;
    int wish; /* the result of polls */
    unsigned polls;
    djp__send_result result;
    void *tag;
} feed;

static int
feed_poll(void *user)
{
    feed *it = user;
    it->polls++;
    return it->wish;
}

static int
feed_next(void *user, djp__send_job *job)
{
    feed *it = user;
    if (it->next == it->given) {
        return 0;
    }
    *job = (djp__send_job){it->bodies[it->next], it->sizes[it->next], UINT64_MAX,
                           (void *)(uintptr_t)(it->next + 1)};
    it->next++;
    return 1;
}

static void
feed_done(void *user, void *tag, const djp__send_result *result)
{
    feed *it = user;
    it->done++;
    it->tag = tag;
    it->result = *result;
}

static void
feed_add(feed *it, const char *body, size_t size)
{
    it->calls = (djp__send_feed){feed_poll, feed_next, feed_done, it};
    it->bodies[it->given] = body;
    it->sizes[it->given++] = size;
}

static void
run(djp__transport *transport, feed *it)
{
    transport->ops->run(transport, &it->calls);
}

static char large[LARGE];

/* Lines of 100 bytes, each with its number. */
static int
set_up(void **state)
{
    (void)state;
    for (int i = 0; i < LARGE / 100; i++) {
        memset(large + 100 * i, 'x', 99);
        int size = snprintf(large + 100 * i, 100, "%d", i);
        large[100 * i + size] = ' ';
        large[100 * i + 99] = '\n';
    }
    return 0;
}

static void
set_nonblock(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* Reads what is there; appends it to `got`. */
static void
drain(int reader, char *got, size_t *size, size_t limit)
{
    ssize_t part;
    while ((part = read(reader, got + *size, limit - *size)) > 0) {
        *size += (size_t)part;
    }
}

/* Runs until the request is done, and reads meanwhile. Returns the number of pauses. */
static unsigned
finish(djp__transport *transport, feed *it, int reader, char *got, size_t *size, size_t limit)
{
    unsigned pauses = 0, wanted = it->done + 1;
    for (uint64_t end = djp__clock_monotonic() + 60000000000u;
         it->done < wanted && djp__clock_monotonic() < end;) {
        run(transport, it);
        pauses += it->done < wanted;
        drain(reader, got, size, limit);
    }
    assert_int_equal(it->done, wanted);
    drain(reader, got, size, limit);
    return pauses;
}

static void
a_full_pipe_pauses_and_is_continued(void **state)
{
    (void)state;
    char folder[] = "/tmp/djp-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    djp__transport *transport;
    assert_int_equal(djp__transport_file_new(&transport, path), 0);
    feed it = {.wish = DJP__SEND_PAUSE};
    feed_add(&it, large, LARGE);
    feed_add(&it, "second", 6);
    run(transport, &it);
    assert_int_equal(it.done, 0);
    assert_int_equal(it.next, 1); /* one at a time */
    unsigned polls = it.polls;
    assert_in_range(polls, 1, 2);
    run(transport, &it); /* still full: returns after a short wait */
    assert_int_equal(it.done, 0);
    assert_int_equal(it.polls, polls + 1);
    char *got = malloc(LARGE + 100);
    size_t size = 0;
    assert_true(finish(transport, &it, reader, got, &size, LARGE + 100) > 0);
    assert_int_equal(it.result.outcome, DJP__SENT);
    assert_int_equal(it.result.wire_bytes, LARGE + 1);
    assert_int_equal((uintptr_t)it.tag, 1);
    assert_int_equal(size, LARGE + 1);
    assert_memory_equal(got, large, LARGE);
    size = 0;
    finish(transport, &it, reader, got, &size, LARGE + 100);
    assert_int_equal(size, 7);
    assert_memory_equal(got, "second\n", 7);
    run(transport, &it); /* nothing is left */
    assert_int_equal(it.done, 2);
    transport->ops->free(transport);
    close(reader);
    free(got);
    unlink(path);
    rmdir(folder);
}

/* A console whose standard output is one of two ends, and a feed of the large body. */
typedef struct piped {
    djp__transport *transport;
    feed it;
    int ends[2], saved;
    char *got; /* read from the other end */
    size_t size, limit;
} piped;

/* `kind` is pipe(2) or its like. The writer stands in for standard output until piped_restore. */
static void
piped_open(piped *out, int (*kind)(int ends[2]), size_t limit)
{
    memset(out, 0, sizeof *out);
    assert_int_equal(kind(out->ends), 0);
    set_nonblock(out->ends[0]);
    out->limit = limit;
    out->got = malloc(limit);
    out->it.wish = DJP__SEND_PAUSE;
    feed_add(&out->it, large, LARGE);
    fflush(stdout);
    out->saved = dup(STDOUT_FILENO);
    dup2(out->ends[1], STDOUT_FILENO);
    if (djp__transport_console_new(&out->transport) != 0) {
        abort();
    }
}

static void
piped_drain(piped *console)
{
    drain(console->ends[0], console->got, &console->size, console->limit);
}

static unsigned
piped_finish(piped *console)
{
    return finish(console->transport, &console->it, console->ends[0], console->got, &console->size,
                  console->limit);
}

static void
piped_restore(piped *console)
{
    dup2(console->saved, STDOUT_FILENO);
    close(console->saved);
}

static void
piped_close(piped *console)
{
    console->transport->ops->free(console->transport);
    close(console->ends[0]);
    close(console->ends[1]);
    free(console->got);
}

static int
socket_pair(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}

/* On a shared pipe each piece goes into an empty pipe, also after a pause: lines of the program
 * that come between stay whole. */
static void
the_console_keeps_lines_whole_over_pauses(void **state)
{
    (void)state;
    piped console;
    piped_open(&console, pipe, LARGE + 100000);
    unsigned pauses = 0, hosts = 0;
    for (uint64_t end = djp__clock_monotonic() + 60000000000u;
         console.it.done == 0 && djp__clock_monotonic() < end;) {
        run(console.transport, &console.it);
        pauses++;
        if (hosts < 100) {
            hosts += write(STDOUT_FILENO, "host\n", 5) == 5;
            run(console.transport, &console.it); /* finds data, and pauses */
        }
        piped_drain(&console);
    }
    piped_drain(&console);
    piped_restore(&console);
    assert_int_equal(console.it.result.outcome, DJP__SENT);
    assert_true(pauses > 1);
    assert_int_equal(console.size, LARGE + 5 * hosts);
    unsigned line = 0;
    for (char *at = console.got; at < console.got + console.size;
         at = (char *)memchr(at, '\n', LARGE) + 1) {
        if (memcmp(at, "host\n", 5) != 0) {
            assert_memory_equal(at, large + 100 * line, 100);
            line++;
        }
    }
    assert_int_equal(line, LARGE / 100);
    piped_close(&console);
}

static void
a_socket_is_continued(void **state)
{
    (void)state;
    piped console;
    piped_open(&console, socket_pair, LARGE + 1);
    unsigned pauses = piped_finish(&console);
    piped_restore(&console);
    assert_true(pauses > 0);
    assert_int_equal(console.size, LARGE);
    assert_memory_equal(console.got, large, LARGE);
    piped_close(&console);
}

/* A paused request can be given up; the next one begins on a new line. */
static void
a_paused_request_can_be_given_up(void **state)
{
    (void)state;
    piped console;
    piped_open(&console, socket_pair, LARGE + 100);
    run(console.transport, &console.it);
    unsigned before = console.it.done;
    console.it.wish = DJP__SEND_GIVE_UP;
    run(console.transport, &console.it);
    djp__send_result result = console.it.result;
    piped_drain(&console);
    feed_add(&console.it, "{}\n", 3);
    piped_finish(&console);
    piped_restore(&console);
    assert_int_equal(before, 0);
    assert_int_equal(result.outcome, DJP__SEND_ABORTED);
    assert_in_range(result.wire_bytes, 1, LARGE - 1);
    assert_int_equal(console.size, result.wire_bytes + 4);
    assert_memory_equal(console.got + result.wire_bytes, "\n{}\n", 4);
    piped_close(&console);
}

/* A child of a fork forgets the request that its parent is writing. */
static void
a_child_begins_with_no_request(void **state)
{
    (void)state;
    piped console;
    piped_open(&console, socket_pair, LARGE + 100);
    run(console.transport, &console.it);
    console.transport->ops->abandon(console.transport);
    run(console.transport, &console.it); /* has nothing to send */
    unsigned done = console.it.done;
    piped_drain(&console);
    console.size = 0;
    feed_add(&console.it, "{}\n", 3);
    piped_finish(&console);
    piped_restore(&console);
    assert_int_equal(done, 0);
    assert_int_equal(console.size, 3);
    assert_memory_equal(console.got, "{}\n", 3);
    piped_close(&console);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_pipe_pauses_and_is_continued),
        cmocka_unit_test(the_console_keeps_lines_whole_over_pauses),
        cmocka_unit_test(a_socket_is_continued),
        cmocka_unit_test(a_paused_request_can_be_given_up),
        cmocka_unit_test(a_child_begins_with_no_request),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
