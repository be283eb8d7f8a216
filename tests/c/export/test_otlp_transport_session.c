/* The session of an OTLP transport: at a fork, when other code takes its descriptors, when it is
 * woken, and at its end. */
#include "otlp_feed.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "base/mem.h"
#include "base/thread.h"
#include "djp/error.h"
#include "heap.h"

/* ---- the session ---- */

static int
descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

/* Waits until the receiver, whose descriptors are among them, has closed its own. */
static void
assert_descriptors_become(int wanted)
{
    loopback_hang_up(receiver);
    for (int i = 0; i < 60000 && descriptors() > wanted; i++) {
        poll(NULL, 0, 1);
    }
    assert_true(descriptors() <= wanted);
}

static void
descriptors_end_with_leave_and_free(void **state)
{
    (void)state;
    open_transport();
    int before = descriptors();
    assert_sent(send_text("body"));
    assert_true(descriptors() > before);
    transport->base.ops->leave(&transport->base);
    assert_null(transport->session);
    assert_descriptors_become(before);
    assert_sent(send_text("body")); /* it may begin again */
    close_transport();
    assert_descriptors_become(before);
}

/* The socket of the transport's connection to the receiver; -1: there is none. */
static int
socket_of_transport(void)
{
    for (int fd = 0; fd < 256; fd++) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == loopback_port(receiver)) {
            return fd;
        }
    }
    return -1;
}

/* Other code closes a descriptor that is not its own, and gets its number: the transport opens a
 * new session and leaves the number alone. */
static void
a_stolen_descriptor_costs_one_session(void **state)
{
    int pipe_ends[2];
    (void)state;
    open_transport();
    assert_sent(send_text("body"));
    int stolen = socket_of_transport();
    assert_true(stolen >= 0);
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(dup2(pipe_ends[1], stolen), stolen);
    djp__curl_session *old = transport->session;
    assert_sent(send_text("body"));
    assert_ptr_not_equal(transport->session, old);
    assert_int_equal(loopback_requests(receiver), 2);
    close_transport();
    assert_int_equal(write(stolen, "x", 1), 1); /* still a pipe */
    close(stolen);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static int
steal_when_one_is_there(feed *self)
{
    if (loopback_requests(receiver) == 1 && self->given == 1) {
        int stolen = socket_of_transport(), null = open("/dev/null", O_RDWR);
        dup2(null, stolen);
        close(null);
        loopback_act(receiver, LOOPBACK_REPLY);
        self->count = 3; /* more to send, which waits for a new session */
        for (size_t i = 0; i < 3; i++) {
            self->jobs[i] =
                (djp__send_job){"body", 4, djp__clock_monotonic() + MINUTE, &self->done[i]};
        }
    }
    return DJP__SEND_GO_ON;
}

static void
a_descriptor_stolen_in_transit_ends_the_request(void **state)
{
    (void)state;
    destination.concurrency = 2;
    open_transport();
    loopback_act(receiver, LOOPBACK_SILENCE);
    feed *self = feed_of(1);
    self->poll = steal_when_one_is_there;
    run(self);
    assert_int_equal(self->results[0].outcome, DJP__SEND_RETRY);
    assert_non_null(strstr(self->results[0].message, "the program closed the connection"));
    assert_int_equal(self->results[1].outcome, DJP__SENT);
    assert_int_equal(self->results[2].outcome, DJP__SENT);
    assert_int_equal(self->done_count, 3);
}

static void
warm_lanes_are_cold_in_a_new_session(void **state)
{
    loopback_call call = good_call();
    (void)state;
    loopback_respond_call(receiver, &call);
    speak_grpc();
    destination.concurrency = 2;
    open_transport();
    assert_sent(send_text("body"));
    transport->lanes[1].is_warm = 1;
    transport->base.ops->leave(&transport->base);
    assert_sent(send_text("body"));
    assert_int_equal(transport->lanes[0].is_warm, 1); /* again */
    assert_int_equal(transport->lanes[1].is_warm, 0);
}

/* ---- fork ---- */

static void
a_child_discards_the_session_and_sends_anew(void **state)
{
    (void)state;
    destination.concurrency = 2;
    open_transport();
    loopback_act(receiver, LOOPBACK_HOLD);
    feed *self = feed_of(3);
    self->poll = pause_when_two_are_there;
    run(self); /* two requests are in transit */
    int socket_before = socket_of_transport();
    assert_true(socket_before >= 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        transport->base.ops->abandon(&transport->base);
        int good = transport->session == NULL && transport->busy == 0 &&
                   transport->is_sending == 0 && transport->lanes[0].phase == DJP__OTLP_IDLE &&
                   transport->lanes[1].phase == DJP__OTLP_IDLE &&
                   djp__load_acquire(&transport->sender) == 0;
        good = good && fcntl(socket_before, F_GETFD) < 0; /* closed here, without a word */
        _exit(good ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* The parent's requests go on. */
    self->poll = NULL;
    loopback_act(receiver, LOOPBACK_REPLY);
    run(self);
    assert_all_done(self, DJP__SENT);
    assert_int_equal(loopback_requests(receiver), 3);
    assert_int_equal(loopback_connections(receiver), 2);
}

static void
an_idle_transport_may_be_abandoned(void **state)
{
    (void)state;
    open_transport();
    transport->base.ops->abandon(&transport->base); /* without a session */
    assert_sent(send_text("body"));
    transport->lanes[0].is_warm = 1;
    transport->is_retiring = 1;
    djp__buf_text(&transport->lanes[0].wire, "kept");
    transport->base.ops->abandon(&transport->base);
    assert_null(transport->session);
    assert_int_equal(transport->lanes[0].is_warm, 0);
    assert_int_equal(transport->is_retiring, 0);
    assert_non_null(transport->lanes[0].wire.data); /* not torn: nothing was being sent */
    assert_sent(send_text("body"));
    assert_int_equal(loopback_connections(receiver), 2);
}

/* ---- wake ---- */

static _Atomic int is_polled;

static int
note_poll(feed *self)
{
    (void)self;
    is_polled++;
    return loopback_requests(receiver) > 1 ? DJP__SEND_GIVE_UP : DJP__SEND_GO_ON;
}

/* As the worker: descriptors apart, all signals blocked. */
static void *
send_in_a_thread_of_the_sdk(void *unused)
{
    sigset_t all;
    (void)unused;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    djp__files_part();
    feed *self = feed_of(1);
    self->poll = note_poll;
    run(self);
    int is_right = (djp__load_acquire(&transport->sender) != 0) == djp__files_are_parted();
    transport->base.ops->leave(&transport->base);
    int is_forgotten = djp__load_acquire(&transport->sender) == 0;
    return (void *)(intptr_t)(is_right && is_forgotten);
}

static void
a_wait_in_a_thread_of_the_sdk_can_be_ended(void **state)
{
    pthread_t thread;
    void *good = NULL;
    (void)state;
    open_transport();
    transport->base.ops->wake(&transport->base); /* no one to wake */
    loopback_act(receiver, LOOPBACK_HOLD);
    assert_int_equal(pthread_create(&thread, NULL, send_in_a_thread_of_the_sdk, NULL), 0);
    loopback_wait_requests(receiver, 1);
    for (int i = 0; i < 100; i++) {
        transport->base.ops->wake(&transport->base);
    }
    loopback_act(receiver, LOOPBACK_REPLY);
    assert_int_equal(pthread_join(thread, &good), 0);
    assert_non_null(good);
    assert_int_equal(one_feed.results[0].outcome, DJP__SENT);
    transport->base.ops->wake(&transport->base);
}

static void
sends_in_threads_of_the_program_know_no_sender(void **state)
{
    (void)state;
    open_transport();
    assert_sent(send_text("body"));
    assert_int_equal(djp__load_acquire(&transport->sender), 0);
}

/* ---- SIGPIPE ---- */

static void
a_broken_connection_raises_no_signal(void **state)
{
    sigset_t pending;
    (void)state;
    signal(SIGPIPE, SIG_DFL); /* would end the program */
    open_transport();
    for (int i = 0; i < 3; i++) {
        assert_sent(send_text("body"));
        loopback_hang_up(receiver);
    }
    close_transport();
    sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, begin_receiver, end_receiver)
    const struct CMUnitTest tests[] = {
        ONE(descriptors_end_with_leave_and_free),
        ONE(a_stolen_descriptor_costs_one_session),
        ONE(a_descriptor_stolen_in_transit_ends_the_request),
        ONE(warm_lanes_are_cold_in_a_new_session),
        ONE(a_child_discards_the_session_and_sends_anew),
        ONE(an_idle_transport_may_be_abandoned),
        ONE(a_wait_in_a_thread_of_the_sdk_can_be_ended),
        ONE(sends_in_threads_of_the_program_know_no_sender),
        ONE(a_broken_connection_raises_no_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
