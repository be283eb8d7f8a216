/* The OTLP transport with a receiver of this process: requests, several at once, pauses and ends,
 * and its creation. */
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

/* ---- requests ---- */

static void
a_request_may_be_as_large_as_the_limit(void **state)
{
    static char body[5000];
    (void)state;
    destination.max_request_bytes = 4096;
    open_transport();
    assert_sent(send_until(body, 4096, djp__clock_monotonic() + MINUTE));
    djp__send_result result = send_until(body, 4097, djp__clock_monotonic() + MINUTE);
    assert_int_equal(result.outcome, DJP__SEND_REJECTED);
    assert_string_equal(result.message,
                        "a request of 4097 bytes is over the limit of 4096 and was not sent");
    assert_int_equal(result.wire_bytes, 0);
    assert_int_equal(loopback_requests(receiver), 1);
    close_transport();
    destination.max_request_bytes = 0; /* no limit */
    open_transport();
    assert_sent(send_until(body, sizeof body, djp__clock_monotonic() + MINUTE));
}

static void
a_passed_deadline_sends_nothing(void **state)
{
    (void)state;
    open_transport();
    djp__send_result result = send_until("body", 4, djp__clock_monotonic());
    assert_int_equal(result.outcome, DJP__SEND_ABORTED);
    assert_non_null(strstr(result.message, "the time limit passed before the request was sent"));
    assert_non_null(strstr(result.message, receiver_url));
    assert_int_equal(loopback_requests(receiver), 0);
    assert_null(transport->session);
}

static void
long_addresses_are_cut_in_messages(void **state)
{
    char address[300];
    (void)state;
    snprintf(address, sizeof address, "http://127.0.0.1:%d/", loopback_port(receiver));
    size_t size = strlen(address);
    for (size_t total = DJP__OTLP_SHOWN_MAX - 1; total <= DJP__OTLP_SHOWN_MAX + 1; total++) {
        memset(address + size, 'p', total - size);
        address[total] = '\0';
        destination.endpoint = address;
        open_transport();
        djp__send_result result = send_until("body", 4, 0);
        size_t shown = strspn(result.message + size, "p") + size;
        assert_int_equal(shown, total < DJP__OTLP_SHOWN_MAX ? total : DJP__OTLP_SHOWN_MAX);
        close_transport();
    }
}

static void
bad_headers_are_reported_once(void **state)
{
    (void)state;
    destination.headers = "no colon\nContent-Length: 3\nX: 1";
    open_transport();
    assert_int_equal(warnings, 0); /* not before something is sent */
    assert_sent(send_text("body"));
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last_warning, "2 of the configured OTLP headers are malformed"));
    transport->base.ops->leave(&transport->base);
    assert_sent(send_text("body"));
    assert_int_equal(warnings, 1);
    close_transport();
    destination.headers = "X: 1";
    open_transport();
    assert_sent(send_text("body"));
    assert_int_equal(warnings, 1);
}

static void
the_user_agent_has_a_default(void **state)
{
    djp__transport *base;
    (void)state;
    assert_int_equal(djp__transport_otlp_new(&base, &destination, NULL, &diagnostics), 0);
    transport = (djp__otlp_transport *)base;
    assert_sent(send_text("body"));
    char *request = loopback_last(receiver, NULL);
    assert_non_null(strstr(request, "\r\nUser-Agent: djp-telemetry-exporter-c\r\n"));
    free(request);
}

/* ---- several at once ---- */

static int
release_when_three_are_there(feed *self)
{
    if (loopback_requests(receiver) >= 3) {
        assert_int_equal(self->given, 3); /* no more than there are lanes */
        assert_int_equal(transport->busy, 3);
        assert_int_equal(transport->is_sending, 1);
        self->poll = NULL;
        loopback_act(receiver, LOOPBACK_REPLY);
    }
    return DJP__SEND_GO_ON;
}

static void
lanes_send_at_the_same_time(void **state)
{
    (void)state;
    destination.concurrency = 3;
    open_transport();
    loopback_act(receiver, LOOPBACK_HOLD);
    feed *self = feed_of(20);
    self->poll = release_when_three_are_there;
    run(self);
    assert_null(self->poll);
    assert_all_done(self, DJP__SENT);
    assert_int_equal(loopback_requests(receiver), 20);
    assert_int_equal(loopback_connections(receiver), 3);
}

static void
the_number_of_lanes_has_limits(void **state)
{
    static const unsigned cases[][2] = {{0, 1}, {1, 1}, {2, 2}, {15, 15}, {16, 16}, {17, 16}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        destination.concurrency = cases[i][0];
        open_transport();
        assert_int_equal(transport->lane_count, cases[i][1]);
        for (unsigned k = 0; k < transport->lane_count; k++) {
            assert_int_equal(transport->lanes[k].number, k);
            assert_ptr_equal(transport->lanes[k].transport, transport);
        }
        close_transport();
    }
}

static void
a_paused_run_leaves_its_requests_in_transit(void **state)
{
    (void)state;
    destination.concurrency = 2;
    open_transport();
    loopback_act(receiver, LOOPBACK_HOLD);
    feed *self = feed_of(5);
    self->poll = pause_when_two_are_there;
    run(self);
    assert_int_equal(transport->busy, 2);
    assert_int_equal(transport->is_sending, 1); /* a child must discard them */
    assert_int_equal(self->done_count, 0);
    self->poll = NULL;
    loopback_act(receiver, LOOPBACK_REPLY);
    run(self);
    assert_all_done(self, DJP__SENT);
    assert_int_equal(loopback_requests(receiver), 5); /* none was sent again */
}

static int
give_up_when_two_are_there(feed *self)
{
    (void)self;
    return loopback_requests(receiver) == 2 ? DJP__SEND_GIVE_UP : DJP__SEND_GO_ON;
}

static void
all_lanes_are_given_up_together(void **state)
{
    (void)state;
    destination.concurrency = 2;
    open_transport();
    loopback_act(receiver, LOOPBACK_SILENCE);
    feed *self = feed_of(2);
    self->poll = give_up_when_two_are_there;
    run(self);
    assert_all_done(self, DJP__SEND_ABORTED);
    self = feed_of(5); /* what has not begun is not taken */
    self->poll = give_up_when_two_are_there;
    loopback_hang_up(receiver);
    self->poll = NULL;
    loopback_act(receiver, LOOPBACK_REPLY);
    run(self);
    assert_all_done(self, DJP__SENT);
}

/* The deadline of one lane ends that one alone. */
static void
each_request_has_its_deadline(void **state)
{
    (void)state;
    destination.concurrency = 2;
    open_transport();
    loopback_act(receiver, LOOPBACK_SILENCE);
    feed *self = feed_of(2);
    self->jobs[0].deadline = djp__clock_monotonic() + 50000000;
    self->jobs[1].deadline = djp__clock_monotonic() + 150000000;
    run(self);
    assert_all_done(self, DJP__SEND_ABORTED);
    assert_non_null(strstr(self->results[0].message, "no response within the time limit"));
    self = feed_of(3);
    self->jobs[1].deadline = 0; /* ended before it began */
    loopback_act(receiver, LOOPBACK_REPLY);
    run(self);
    assert_int_equal(self->results[0].outcome, DJP__SENT);
    assert_int_equal(self->results[1].outcome, DJP__SEND_ABORTED);
    assert_int_equal(self->results[2].outcome, DJP__SENT);
}

/* A poll between two responses may be saved, but not all of them. */
static void
the_sources_are_drained_while_it_waits(void **state)
{
    (void)state;
    open_transport();
    loopback_act(receiver, LOOPBACK_SILENCE);
    feed *self = feed_of(1);
    self->jobs[0].deadline = djp__clock_monotonic() + 200000000;
    run(self);
    assert_true(self->polls >= 2);
    assert_all_done(self, DJP__SEND_ABORTED);
}

static void
nothing_to_send_opens_nothing(void **state)
{
    (void)state;
    open_transport();
    run(feed_of(0));
    assert_int_equal(one_feed.polls, 0);
    assert_null(transport->session);
    assert_int_equal(loopback_connections(receiver), 0);
}

/* ---- creation ---- */

static void
bad_destinations_are_refused(void **state)
{
    djp__transport *base = NULL;
    (void)state;
    destination.endpoint = "ftp://x";
    assert_int_equal(djp__transport_otlp_new(&base, &destination, "a", &diagnostics), DJP_EINVAL);
    assert_null(base);
    destination.endpoint = NULL;
    assert_int_equal(djp__transport_otlp_new(&base, &destination, "a", &diagnostics), DJP_EINVAL);
}

static void
a_protocol_has_its_name(void **state)
{
    (void)state;
    open_transport();
    assert_string_equal(transport->base.ops->name, "otlp_http");
    assert_int_equal(transport->base.ops->is_patient + transport->base.ops->shares_files, 0);
    close_transport();
    destination.protocol = DJP_PROTOCOL_GRPC;
    open_transport();
    assert_string_equal(transport->base.ops->name, "otlp_grpc");
    transport->base.ops->free(NULL);
}

static void
create_in_vain(void)
{
    djp__transport *base = NULL;
    int code = DJP_ENOMEM;
    long needed = 1;
    for (; code != 0; needed++) {
        djp__alloc_fail_after(needed);
        code = djp__transport_otlp_new(&base, &destination, "agent/1", &diagnostics);
        djp__alloc_fail_after(0);
        assert_true(code == 0 ? base != NULL : code == DJP_ENOMEM && base == NULL);
    }
    assert_true(needed > 9);
    base->ops->free(base);
    for (long n = 1; n < needed - 1; n++) {
        djp__alloc_fail_once(n);
        code = djp__transport_otlp_new(&base, &destination, "agent/1", &diagnostics);
        djp__alloc_fail_after(0);
        assert_int_equal(code, DJP_ENOMEM);
    }
}

static void
each_allocation_may_fail(void **state)
{
    (void)state;
    destination = (djp__destination){.protocol = DJP_PROTOCOL_GRPC,
                                     .endpoint = "https://user:pw@gateway/otlp/",
                                     .grpc_method = GRPC_METHOD,
                                     .headers = "a: b",
                                     .compress = 1};
    assert_int_equal(heap_growth(create_in_vain, 10), 0);
}

/* A session that cannot be opened: the request may be repeated, and the reason is shown. */
static void
a_session_that_cannot_be_opened_is_reported(void **state)
{
    (void)state;
    open_transport();
    djp__alloc_fail_after(1);
    djp__send_result result = send_text("body");
    djp__alloc_fail_after(0);
    assert_int_equal(result.outcome, DJP__SEND_RETRY);
    assert_non_null(strstr(result.message, "libcurl could not be set up"));
    assert_int_equal(transport->busy, 0);
    close_transport();
    destination.endpoint = "https://127.0.0.1:1/x";
    destination.certificate = "/nowhere/ca.pem";
    open_transport();
    result = send_text("body");
    assert_int_equal(result.outcome, DJP__SEND_RETRY);
    assert_non_null(strstr(result.message, "cannot use the certificate /nowhere/ca.pem"));
}

static void
send_and_leave(void)
{
    assert_sent(send_text("body"));
    transport->base.ops->leave(&transport->base);
}

static void
no_memory_stays(void **state)
{
    (void)state;
    open_transport();
    assert_int_equal(heap_growth(send_and_leave, 40) / 1024, 0); /* the receiver allocates, too */
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, begin_receiver, end_receiver)
    const struct CMUnitTest tests[] = {
        /* Before there is another thread, which would allocate, too. */
        cmocka_unit_test(each_allocation_may_fail),
        ONE(a_request_may_be_as_large_as_the_limit),
        ONE(a_passed_deadline_sends_nothing),
        ONE(long_addresses_are_cut_in_messages),
        ONE(bad_headers_are_reported_once),
        ONE(the_user_agent_has_a_default),
        ONE(lanes_send_at_the_same_time),
        ONE(the_number_of_lanes_has_limits),
        ONE(a_paused_run_leaves_its_requests_in_transit),
        ONE(all_lanes_are_given_up_together),
        ONE(each_request_has_its_deadline),
        ONE(the_sources_are_drained_while_it_waits),
        ONE(nothing_to_send_opens_nothing),
        ONE(bad_destinations_are_refused),
        ONE(a_protocol_has_its_name),
        ONE(a_session_that_cannot_be_opened_is_reported),
        ONE(no_memory_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
