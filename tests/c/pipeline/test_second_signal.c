/* A signal beside traces: a row, a source and a transport give it separate batches, retry, flush,
 * shutdown, fork and accounting. */
#include "pipeline/helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "pipeline/pair.h"

/* The sanitizers' own allocator takes no care of fork. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define FORKS_TESTED 0
#else
#define FORKS_TESTED 1
#endif

/* How often the text stands in what a transport accepted. */
static unsigned
count_text(script_transport *transport, const char *text)
{
    unsigned count = 0;
    pthread_mutex_lock(&transport->mutex);
    const char *at = transport->stored, *end = at + transport->stored_size;
    while (at != NULL && (at = memmem(at, (size_t)(end - at), text, strlen(text)))) {
        count++;
        at += strlen(text);
    }
    pthread_mutex_unlock(&transport->mutex);
    return count;
}

static void
add_events(pair *self, const char *text, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        event_add(&self->events, text);
    }
}

static uint64_t
lost(const pair *self, djp__loss reason)
{
    return djp__load_relaxed(&self->events.pipeline->stats.lost[reason]);
}

static uint64_t
exported(const pair *self)
{
    return djp__load_relaxed(&self->events.pipeline->stats.items_exported);
}

static uint64_t
lost_in_all(const djp__pipeline *pipeline)
{
    uint64_t sum = 0;
    for (int i = 0; i < DJP__LOSS_COUNT; i++) {
        sum += djp__load_relaxed(&pipeline->stats.lost[i]);
    }
    return sum;
}

static void
events_arrive_next_to_spans(void **state)
{
    (void)state;
    pair pair;
    djp_options options = helper_options();
    pair_start(&pair, &options, NULL, NULL);
    for (int i = 0; i < 1000; i++) {
        helper_span(pair.sdk, "span");
        event_add(&pair.events, "event");
    }
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), 0);
    assert_int_equal(script_spans(pair.spans, NULL), 1000);
    assert_int_equal(count_text(pair.logs, "event"), 1000);
    assert_int_equal(exported(&pair), 1000);
    assert_int_equal(pair.sdk->traces.stats.items_exported, 1000);
    assert_int_equal(lost_in_all(pair.events.pipeline), 0);
    pair_end(&pair);
}

/* An event alone starts the worker, and is due after the interval. */
static void
an_event_needs_no_span(void **state)
{
    (void)state;
    pair pair;
    djp_options options = helper_options();
    pair_start(&pair, &options, NULL, NULL);
    event_add(&pair.events, "lonely");
    for (int i = 0; i < 60000 && count_text(pair.logs, "lonely") == 0; i++) {
        helper_sleep(MS);
    }
    assert_int_equal(count_text(pair.logs, "lonely"), 1);
    /* ... and an idle worker sleeps until the next one comes. */
    helper_sleep(100 * MS);
    event_add(&pair.events, "second");
    for (int i = 0; i < 60000 && count_text(pair.logs, "second") == 0; i++) {
        helper_sleep(MS);
    }
    assert_int_equal(count_text(pair.logs, "second"), 1);
    pair_end(&pair);
}

static unsigned
hang(void *user, unsigned attempt)
{
    (void)attempt;
    return *(_Atomic int *)user ? SCRIPT_HANG : SCRIPT_ACCEPT;
}

static void
a_flush_waits_for_every_signal(void **state)
{
    (void)state;
    pair pair;
    _Atomic int hangs = 1;
    djp_options options = helper_options();
    options.export_timeout_ns = SECOND;
    pair_start(&pair, &options, hang, (void *)&hangs);
    add_events(&pair, "late", 3);
    helper_spans(pair.sdk, "prompt", 5);
    assert_int_equal(djp_sdk_flush(pair.sdk, 300 * MS), DJP_ETIMEOUT);
    assert_int_equal(count_text(pair.logs, "late"), 0);
    hangs = 0;
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), 0);
    assert_int_equal(count_text(pair.logs, "late"), 3);
    assert_int_equal(script_spans(pair.spans, NULL), 5);
    pair_end(&pair);
}

static unsigned
fail_twice(void *user, unsigned attempt)
{
    (void)user;
    return attempt < 2 ? SCRIPT_RETRY : SCRIPT_ACCEPT;
}

/* The back-off is the receiver's that failed: spans go on. */
static void
a_receiver_that_fails_is_asked_again(void **state)
{
    (void)state;
    pair pair;
    djp_options options = helper_options();
    pair_start(&pair, &options, fail_twice, NULL);
    pair.logs->retry_after_ns = 300 * MS;
    uint64_t begun = djp__clock_monotonic();
    add_events(&pair, "again", 4);
    for (int i = 0; i < 60000 && pair.logs->attempts == 0; i++) {
        helper_sleep(MS);
    }
    helper_spans(pair.sdk, "meanwhile", 2);
    assert_int_equal(helper_wait_spans(pair.spans, 2, PATIENCE), 2);
    for (int i = 0; i < 60000 && count_text(pair.logs, "again") == 0; i++) {
        helper_sleep(MS);
    }
    assert_true(djp__clock_monotonic() - begun >= 600 * MS);
    assert_int_equal(count_text(pair.logs, "again"), 4);
    assert_int_equal(pair.events.pipeline->stats.retries, 2);
    assert_int_equal(pair.sdk->traces.stats.retries, 0);
    pair_end(&pair);
}

static unsigned
reject(void *user, unsigned attempt)
{
    (void)user;
    (void)attempt;
    return SCRIPT_REJECT;
}

static void
a_loss_counts_for_its_signal(void **state)
{
    (void)state;
    pair pair;
    djp_options options = helper_options();
    options.flush_interval_ns = 60 * SECOND; /* one batch, however slow this thread is */
    pair_start(&pair, &options, reject, NULL);
    add_events(&pair, "refused", 7);
    helper_spans(pair.sdk, "taken", 5);
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), DJP_EREJECTED);
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), 0); /* it was reported once */
    assert_int_equal(lost(&pair, DJP__LOSS_REJECTED), 7);
    assert_int_equal(exported(&pair), 0);
    assert_int_equal(lost_in_all(&pair.sdk->traces), 0);
    assert_int_equal(pair.sdk->traces.stats.items_exported, 5);
    json_free(helper_status(pair.sdk)); /* the books of spans know nothing of events */
    pair_end(&pair);
    /* The worker reports a loss after it has answered the flush, and has ended here. */
    assert_non_null(
        strstr(last_message, "7 events were not delivered to the receiver of events (rejected)"));
}

static void
what_cannot_be_sent_is_counted(void **state)
{
    (void)state;
    pair pair;
    djp_options options = helper_options();
    pair_start(&pair, &options, NULL, NULL);
    event_record *damaged = djp__ring_reserve(pair.events.ring, sizeof *damaged);
    damaged->size = EVENT_TEXT_MAX + 1;
    djp__ring_commit(pair.events.ring, damaged);
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), DJP_EIO);
    assert_int_equal(lost(&pair, DJP__LOSS_DAMAGED), 1);
    add_events(&pair, "good", 1);
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), 0);
    /* An event that found no room is a loss, too. */
    djp__add_relaxed(&pair.events.refused, 1);
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), DJP_EIO);
    pair_end(&pair);
}

static void
a_signal_is_muted_alone(void **state)
{
    (void)state;
    pair pair;
    djp_options options = helper_options();
    pair_start(&pair, &options, NULL, NULL);
    djp__store_release(&pair.events.is_muted, 1);
    add_events(&pair, "quiet", 6);
    helper_spans(pair.sdk, "heard", 2);
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), DJP_EIO);
    assert_int_equal(lost(&pair, DJP__LOSS_SWITCHED_OFF), 6);
    assert_int_equal(script_spans(pair.spans, NULL), 2);
    assert_int_equal(count_text(pair.logs, "quiet"), 0);
    djp__store_release(&pair.events.is_muted, 0);
    add_events(&pair, "loud", 1);
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), 0);
    assert_int_equal(count_text(pair.logs, "loud"), 1);
    pair_end(&pair);
}

static void
shutdown_keeps_its_deadline(void **state)
{
    (void)state;
    pair pair;
    _Atomic int hangs = 1;
    djp_options options = helper_options();
    options.export_timeout_ns = 600 * SECOND;
    pair_start(&pair, &options, hang, (void *)&hangs);
    helper_spans(pair.sdk, "first", 4);
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), 0);
    add_events(&pair, "never", 9);
    uint64_t begun = djp__clock_monotonic();
    assert_int_equal(djp_sdk_shutdown(pair.sdk, SECOND), DJP_ETIMEOUT);
    assert_true(djp__clock_monotonic() - begun < PATIENCE);
    int is_left_behind = djp__worker_is_running(&pair.sdk->worker);
    json_free(helper_status_at_rest(pair.sdk));
    assert_int_equal(lost(&pair, DJP__LOSS_SHUTDOWN), 9);
    assert_int_equal(lost_in_all(&pair.sdk->traces), 0);
    assert_true(is_left_behind || strstr(last_message, "9 events were still waiting for the "
                                                       "receiver of events at the end") != NULL);
    event_add(&pair.events, "afterwards");
    assert_int_equal(pair.events.refused, 1);
    pair_end(&pair);
}

/* ---- transports that have several requests on their way ---- */

typedef struct slow_transport {
    script_transport script;
    djp__send_job jobs[2];
    int busy[2];
    _Atomic int answers; /* 0: it keeps everything waiting */
    _Atomic unsigned pauses; /* how often it was left with requests on their way */
} slow_transport;

static int
slow_fill(slow_transport *self, const djp__send_feed *feed)
{
    int busy = 0;
    for (int i = 0; i < 2; i++) {
        if (!self->busy[i] && feed->next(feed->user, &self->jobs[i])) {
            self->busy[i] = 1;
            self->script.attempts++;
        }
        busy += self->busy[i];
    }
    return busy;
}

static void
slow_end(slow_transport *self, const djp__send_feed *feed, int i, djp__outcome outcome)
{
    djp__send_result result;
    memset(&result, 0, sizeof result);
    result.outcome = outcome;
    if (outcome == DJP__SENT) {
        script_store(&self->script, self->jobs[i].body, self->jobs[i].size);
    }
    self->busy[i] = 0;
    feed->done(feed->user, self->jobs[i].tag, &result);
}

static void
slow_run(djp__transport *base, const djp__send_feed *feed)
{
    slow_transport *self = (slow_transport *)base;
    while (slow_fill(self, feed) > 0) {
        int wish = feed->poll(feed->user);
        for (int i = 0; i < 2; i++) {
            if (self->busy[i] && (wish == DJP__SEND_GIVE_UP || self->answers)) {
                slow_end(self, feed, i, wish == DJP__SEND_GIVE_UP ? DJP__SEND_ABORTED : DJP__SENT);
            }
        }
        helper_sleep(MS);
        if (wish != DJP__SEND_GO_ON) {
            self->pauses += wish == DJP__SEND_PAUSE;
            return;
        }
    }
}

static void
slow_abandon(djp__transport *base)
{
    slow_transport *self = (slow_transport *)base;
    script_abandon(base);
    self->busy[0] = self->busy[1] = 0;
}

static const djp__transport_ops slow_ops = {.name = "slow",
                                            .send = script_send,
                                            .abandon = slow_abandon,
                                            .free = script_free,
                                            .run = slow_run};

static slow_transport *
slow_new(void)
{
    slow_transport *self = calloc(1, sizeof *self);
    self->script.base.ops = &slow_ops;
    pthread_mutex_init(&self->script.mutex, NULL);
    return self;
}

static void
slow_pair_start(pair *self, slow_transport **spans, slow_transport **logs)
{
    djp_options options = helper_options();
    *spans = slow_new();
    *logs = slow_new();
    self->spans = &(*spans)->script;
    self->logs = &(*logs)->script;
    self->sdk = helper_sdk(&options, self->spans);
    assert_int_equal(events_start(&self->events, self->sdk, &self->logs->base, 1 << 16), 0);
}

/* A request that hangs in one transport holds up no other, whichever of them is first. */
static void
a_silent_receiver_holds_up_no_other(void **state)
{
    (void)state;
    for (int events_hang = 0; events_hang < 2; events_hang++) {
        pair pair;
        slow_transport *spans, *logs;
        slow_pair_start(&pair, &spans, &logs);
        slow_transport *silent = events_hang ? logs : spans;
        spans->answers = events_hang;
        logs->answers = !events_hang;
        for (int i = 0; i < 20; i++) {
            helper_span(pair.sdk, "span");
            event_add(&pair.events, "event");
            helper_sleep(5 * MS);
        }
        for (int i = 0; i < 60000 && (events_hang ? script_spans(pair.spans, NULL)
                                                  : count_text(pair.logs, "event")) < 20;
             i++) {
            helper_sleep(MS);
        }
        assert_int_equal(script_spans(pair.spans, NULL), events_hang ? 20 : 0);
        assert_int_equal(count_text(pair.logs, "event"), events_hang ? 0 : 20);
        assert_true(silent->pauses > 0);
        silent->answers = 1;
        assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), 0);
        assert_int_equal(script_spans(pair.spans, NULL), 20);
        assert_int_equal(count_text(pair.logs, "event"), 20);
        assert_int_equal(lost_in_all(pair.events.pipeline) + lost_in_all(&pair.sdk->traces), 0);
        pair_end(&pair);
    }
}

/* What is on its way when the worker ends is taken back before it is counted as lost. */
static void
shutdown_takes_back_what_is_on_its_way(void **state)
{
    (void)state;
    pair pair;
    slow_transport *spans, *logs;
    slow_pair_start(&pair, &spans, &logs);
    add_events(&pair, "event", 3);
    helper_spans(pair.sdk, "span", 2);
    assert_int_equal(djp_sdk_shutdown(pair.sdk, 300 * MS), DJP_ETIMEOUT);
    json_free(helper_status_at_rest(pair.sdk));
    assert_int_equal(lost(&pair, DJP__LOSS_SHUTDOWN), 3);
    assert_int_equal(pair.sdk->traces.stats.lost[DJP__LOSS_SHUTDOWN], 2);
    assert_int_equal(spans->busy[0] + spans->busy[1] + logs->busy[0] + logs->busy[1], 0);
    pair_end(&pair);
}

/* ---- fork ---- */

/* In the child: 0 when it sends exactly its own. */
static int
child_of(pair *self)
{
    event_add(&self->events, "child");
    helper_spans(self->sdk, "child", 3);
    int result = djp_sdk_flush(self->sdk, PATIENCE);
    if (result != 0) {
        return 2;
    }
    if (count_text(self->logs, "child") != 1 || count_text(self->logs, "parent") != 0) {
        return 3;
    }
    if (script_spans(self->spans, "child") != 3 || exported(self) != 1 ||
        self->sdk->traces.stats.items_exported != 3) {
        return 4;
    }
    return self->logs->abandoned == 1 && self->spans->abandoned == 1 ? 0 : 5;
}

static void
a_forked_child_has_pipelines_of_its_own(void **state)
{
    (void)state;
    pair pair;
    djp_options options = helper_options();
    if (!FORKS_TESTED) {
        return;
    }
    pair_start(&pair, &options, NULL, NULL);
    add_events(&pair, "parent", 2);
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), 0);
    add_events(&pair, "parent", 3); /* wait in the ring, or on their way */
    pid_t child = fork();
    if (child == 0) {
        _exit(child_of(&pair));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), 0);
    assert_int_equal(count_text(pair.logs, "parent"), 5);
    assert_int_equal(count_text(pair.logs, "child"), 0);
    pair_end(&pair);
}

/* The fork meets requests on their way in both transports, one of which is paused. */
static void
a_fork_meets_requests_on_their_way(void **state)
{
    (void)state;
    pair pair;
    slow_transport *spans, *logs;
    if (!FORKS_TESTED) {
        return;
    }
    slow_pair_start(&pair, &spans, &logs);
    add_events(&pair, "parent", 2);
    helper_spans(pair.sdk, "parent", 2);
    for (int i = 0; i < 60000 && (spans->pauses == 0 || logs->pauses == 0); i++) {
        helper_sleep(MS);
    }
    pid_t child = fork();
    if (child == 0) {
        spans->answers = logs->answers = 1;
        _exit(child_of(&pair));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    spans->answers = logs->answers = 1;
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), 0);
    assert_int_equal(count_text(pair.logs, "parent"), 2);
    assert_int_equal(script_spans(pair.spans, "parent"), 2);
    pair_end(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_arrive_next_to_spans),
        cmocka_unit_test(an_event_needs_no_span),
        cmocka_unit_test(a_flush_waits_for_every_signal),
        cmocka_unit_test(a_receiver_that_fails_is_asked_again),
        cmocka_unit_test(a_loss_counts_for_its_signal),
        cmocka_unit_test(what_cannot_be_sent_is_counted),
        cmocka_unit_test(a_signal_is_muted_alone),
        cmocka_unit_test(shutdown_keeps_its_deadline),
        cmocka_unit_test(a_silent_receiver_holds_up_no_other),
        cmocka_unit_test(shutdown_takes_back_what_is_on_its_way),
        cmocka_unit_test(a_forked_child_has_pipelines_of_its_own),
        cmocka_unit_test(a_fork_meets_requests_on_their_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
