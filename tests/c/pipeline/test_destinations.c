/* Spans with two destinations: each gets every span, with its own retries, losses and progress, and
 * neither waits for the other. */
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

#include "base/mem.h"
#include "export/encoder.h"

/* The sanitizers' own allocator takes no care of fork. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define FORKS_TESTED 0
#else
#define FORKS_TESTED 1
#endif

typedef struct two {
    djp_sdk *sdk;
    script_transport *first, *second;
    djp__pipeline *pipeline; /* of the second */
} two;

static void
two_add(two *self, djp__transport *transport, int form)
{
    djp__pipeline_options options = self->sdk->traces.options;
    options.form = form;
    options.target = "second";
    options.on_sent = NULL;
    self->pipeline = djp__calloc(1, sizeof *self->pipeline);
    assert_non_null(self->pipeline);
    djp__pipeline_init(self->pipeline, &djp__signal_traces, self->sdk, transport,
                       &self->sdk->worker, &self->sdk->diag, &options);
    djp__pipeline_join(&self->sdk->traces, self->pipeline);
    assert_int_equal(djp__sdk_add_pipeline(self->sdk, self->pipeline), 0);
}

static void
two_start(two *self, const djp_options *options, unsigned (*next)(void *, unsigned), void *user)
{
    self->first = script_new(NULL, NULL);
    self->second = script_new(next, user);
    self->sdk = helper_sdk(options, self->first);
    two_add(self, &self->second->base, DJP__ENCODE_PROTOBUF);
}

static void
two_end(two *self)
{
    djp_sdk_free(self->sdk);
    script_fini(self->first);
    script_fini(self->second);
}

static uint64_t
lost(const djp__pipeline *pipeline)
{
    uint64_t sum = 0;
    for (int i = 0; i < DJP__LOSS_COUNT; i++) {
        sum += djp__load_relaxed(&pipeline->stats.lost[i]);
    }
    return sum;
}

static uint64_t
exported(const djp__pipeline *pipeline)
{
    return djp__load_relaxed(&pipeline->stats.items_exported);
}

static unsigned
always(void *user, unsigned attempt)
{
    (void)attempt;
    return *(_Atomic unsigned *)user;
}

static void
each_destination_gets_every_span(void **state)
{
    (void)state;
    two two;
    djp_options options = helper_options();
    two_start(&two, &options, NULL, NULL);
    for (int i = 0; i < 10; i++) {
        helper_spans(two.sdk, "span", 100);
        assert_int_equal(djp_sdk_flush(two.sdk, PATIENCE), 0);
    }
    assert_int_equal(script_spans(two.first, NULL), 1000);
    assert_int_equal(script_spans(two.second, NULL), 1000);
    assert_int_equal(exported(&two.sdk->traces), 1000);
    assert_int_equal(exported(two.pipeline), 1000);
    /* One encoder has written for both. */
    assert_int_equal(two.first->stored_size, two.second->stored_size);
    assert_memory_equal(two.first->stored, two.second->stored, two.first->stored_size);
    two_end(&two);
}

static void
another_form_has_an_encoder(void **state)
{
    (void)state;
    two two;
    djp_options options = helper_options();
    two.first = script_new(NULL, NULL);
    two.second = script_new(NULL, NULL);
    two.sdk = helper_sdk(&options, two.first);
    two_add(&two, &two.second->base, DJP__ENCODE_JSON);
    helper_spans(two.sdk, "span", 7);
    assert_int_equal(djp_sdk_flush(two.sdk, PATIENCE), 0);
    assert_int_equal(script_spans(two.first, NULL), 7);
    assert_int_equal(two.second->stored[4], '{');
    assert_non_null(memmem(two.second->stored, two.second->stored_size, "\"name\":\"span\"", 13));
    assert_int_equal(exported(two.pipeline), 7);
    two_end(&two);
}

/* The first responds and the second does not: spans go on, and the second gets its share later. */
static void
one_that_is_down_delays_nothing(void **state)
{
    (void)state;
    two two;
    _Atomic unsigned action = SCRIPT_RETRY;
    djp_options options = helper_options();
    two_start(&two, &options, always, (void *)&action);
    two.second->retry_after_ns = 50 * MS;
    for (int i = 1; i <= 5; i++) {
        helper_spans(two.sdk, "span", 20);
        assert_int_equal(helper_wait_spans(two.first, (size_t)(20 * i), PATIENCE), 20 * i);
    }
    assert_true(two.second->attempts > 0);
    assert_int_equal(script_spans(two.second, NULL), 0);
    assert_int_equal(two.sdk->traces.stats.retries, 0);
    action = SCRIPT_ACCEPT;
    assert_int_equal(djp_sdk_flush(two.sdk, PATIENCE), 0);
    assert_int_equal(script_spans(two.second, NULL), 100);
    assert_int_equal(script_spans(two.first, NULL), 100);
    assert_int_equal(lost(&two.sdk->traces) + lost(two.pipeline), 0);
    two_end(&two);
}

/* The same if the first is the one that is down. */
static void
the_first_may_be_down_too(void **state)
{
    (void)state;
    two two;
    _Atomic unsigned action = SCRIPT_RETRY;
    djp_options options = helper_options();
    two_start(&two, &options, NULL, NULL);
    two.first->next = always;
    two.first->user = (void *)&action;
    two.first->retry_after_ns = 50 * MS;
    helper_spans(two.sdk, "span", 20);
    assert_int_equal(helper_wait_spans(two.second, 20, PATIENCE), 20);
    assert_int_equal(script_spans(two.first, NULL), 0);
    action = SCRIPT_ACCEPT;
    assert_int_equal(djp_sdk_flush(two.sdk, PATIENCE), 0);
    assert_int_equal(script_spans(two.first, NULL), 20);
    two_end(&two);
}

static void
a_refusal_counts_for_one(void **state)
{
    (void)state;
    two two;
    _Atomic unsigned action = SCRIPT_REJECT;
    djp_options options = helper_options();
    two_start(&two, &options, always, (void *)&action);
    helper_spans(two.sdk, "span", 30);
    assert_int_equal(djp_sdk_flush(two.sdk, PATIENCE), DJP_EREJECTED);
    assert_int_equal(djp_sdk_flush(two.sdk, PATIENCE), 0); /* reported once */
    assert_int_equal(two.pipeline->stats.lost[DJP__LOSS_REJECTED], 30);
    assert_int_equal(exported(two.pipeline), 0);
    assert_int_equal(exported(&two.sdk->traces), 30);
    assert_int_equal(lost(&two.sdk->traces), 0);
    json *status = helper_status(two.sdk);
    const json *signals = json_get(status, "signals");
    assert_true(json_get(json_get(json_get(signals, "traces"), "books"), "exported")->number == 30);
    const json *further = json_get(signals, "traces.script");
    assert_non_null(further);
    assert_true(json_get(json_get(further, "dropped"), "rejected")->number == 30);
    assert_string_equal(json_string(json_get(further, "receiver"), ""), "second");
    json_free(status);
    two_end(&two);
}

/* ---- a destination that does not respond, and can be left ---- */

typedef struct silent {
    djp__transport base;
    djp__send_job job;
    int has_job;
    _Atomic int responds;
    _Atomic unsigned runs, done, freed, given_up;
} silent;

static void
silent_run(djp__transport *base, const djp__send_feed *feed)
{
    silent *self = (silent *)base;
    self->runs++;
    if (!self->has_job && !feed->next(feed->user, &self->job)) {
        return;
    }
    self->has_job = 1;
    for (;;) {
        djp__send_result result;
        memset(&result, 0, sizeof result);
        int wish = feed->poll(feed->user);
        if (self->responds || wish == DJP__SEND_GIVE_UP) {
            result.outcome = self->responds ? DJP__SENT : DJP__SEND_ABORTED;
            self->given_up += !self->responds;
            self->done++;
            self->has_job = 0;
            feed->done(feed->user, self->job.tag, &result);
            return;
        }
        helper_sleep(MS);
        if (wish == DJP__SEND_PAUSE) {
            return;
        }
    }
}

static void
silent_abandon(djp__transport *base)
{
    ((silent *)base)->has_job = 0;
}

static void
silent_free(djp__transport *base)
{
    ((silent *)base)->freed++;
}

static const djp__transport_ops silent_ops = {.name = "silent",
                                              .abandon = silent_abandon,
                                              .free = silent_free,
                                              .run = silent_run,
                                              .is_patient = 1};

static void
silent_start(two *self, silent *it, const djp_options *options)
{
    memset(it, 0, sizeof *it);
    it->base.ops = &silent_ops;
    self->first = script_new(NULL, NULL);
    self->sdk = helper_sdk(options, self->first);
    two_add(self, &it->base, DJP__ENCODE_PROTOBUF);
}

static void
silent_end(two *self, silent *it)
{
    djp_sdk_free(self->sdk);
    script_fini(self->first);
    for (uint64_t end = djp__clock_monotonic() + PATIENCE;
         !it->freed && djp__clock_monotonic() < end;) {
        helper_sleep(MS);
    }
    assert_int_equal(it->freed, 1);
    assert_int_equal(it->has_job, 0);
}

/* A request is in transit to one all the time, and the worker serves the other one. */
static void
one_that_does_not_respond_delays_nothing(void **state)
{
    (void)state;
    two two;
    silent silent;
    djp_options options = helper_options();
    silent_start(&two, &silent, &options);
    for (int i = 1; i <= 5; i++) {
        helper_spans(two.sdk, "span", 20);
        assert_int_equal(helper_wait_spans(two.first, (size_t)(20 * i), PATIENCE), 20 * i);
    }
    assert_true(silent.runs > 0);
    assert_int_equal(silent.done, 0);
    /* A flush waits for all of them. */
    assert_int_equal(djp_sdk_flush(two.sdk, 100 * MS), DJP_ETIMEOUT);
    assert_int_equal(exported(&two.sdk->traces), 100);
    silent.responds = 1;
    assert_int_equal(djp_sdk_flush(two.sdk, PATIENCE), 0);
    assert_int_equal(exported(two.pipeline), 100);
    silent_end(&two, &silent);
}

/* More than its queue holds: the oldest give way, and the other one has everything. */
static void
a_silent_one_loses_its_oldest(void **state)
{
    (void)state;
    two two;
    silent silent;
    djp_options options = helper_options();
    options.ring_bytes = 1 << 16;
    silent_start(&two, &silent, &options);
    unsigned sent = 0;
    for (uint64_t end = djp__clock_monotonic() + PATIENCE;
         two.pipeline->stats.lost[DJP__LOSS_QUEUE_FULL] == 0 && djp__clock_monotonic() < end;) {
        helper_spans(two.sdk, "span", 50);
        sent += 50;
        assert_int_equal(helper_wait_spans(two.first, sent, PATIENCE), sent);
    }
    assert_true(two.pipeline->stats.lost[DJP__LOSS_QUEUE_FULL] > 0);
    silent.responds = 1;
    djp_sdk_flush(two.sdk, PATIENCE); /* reports the loss */
    assert_int_equal(exported(two.pipeline) + lost(two.pipeline), sent);
    assert_int_equal(exported(&two.sdk->traces), sent);
    assert_int_equal(lost(&two.sdk->traces), 0);
    json *status = helper_status(two.sdk); /* the books of spans are those of the first */
    assert_true(json_get(json_get(status, "books"), "exported")->number == sent);
    json_free(status);
    silent_end(&two, &silent);
}

static void
shutdown_ends_in_time_and_counts_for_each(void **state)
{
    (void)state;
    two two;
    silent silent;
    djp_options options = helper_options();
    silent_start(&two, &silent, &options);
    helper_spans(two.sdk, "span", 25);
    assert_int_equal(djp_sdk_shutdown(two.sdk, 200 * MS), DJP_ETIMEOUT);
    json *status = helper_status_at_rest(two.sdk);
    assert_int_equal(script_spans(two.first, NULL), 25);
    assert_int_equal(exported(&two.sdk->traces), 25);
    assert_int_equal(lost(&two.sdk->traces), 0);
    assert_int_equal(two.pipeline->stats.lost[DJP__LOSS_SHUTDOWN], 25);
    assert_int_equal(silent.given_up, 1);
    json_free(status);
    silent_end(&two, &silent);
}

/* ---- fork ---- */

static void
a_child_has_both_destinations(void **state)
{
    (void)state;
    if (!FORKS_TESTED) {
        return;
    }
    two two;
    djp_options options = helper_options();
    two_start(&two, &options, NULL, NULL);
    helper_spans(two.sdk, "parent", 10);
    assert_int_equal(djp_sdk_flush(two.sdk, PATIENCE), 0);
    helper_spans(two.sdk, "parent", 5); /* may wait in the parent */
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        helper_spans(two.sdk, "child", 7);
        int flushed = djp_sdk_flush(two.sdk, PATIENCE);
        size_t first = script_spans(two.first, "child"), second = script_spans(two.second, "child");
        int parents = script_spans(two.first, "parent") + script_spans(two.second, "parent") > 0;
        _exit(flushed == 0 && first == 7 && second == 7 && !parents &&
                      exported(two.pipeline) == 7 && two.second->abandoned == 1
                  ? 0
                  : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(djp_sdk_flush(two.sdk, PATIENCE), 0);
    assert_int_equal(script_spans(two.first, NULL), 15);
    assert_int_equal(script_spans(two.second, NULL), 15);
    two_end(&two);
}

/* Forks while requests are in transit to both. */
static void
forks_lose_nothing_of_the_parent(void **state)
{
    (void)state;
    if (!FORKS_TESTED) {
        return;
    }
    two two;
    djp_options options = helper_options();
    two_start(&two, &options, NULL, NULL);
    for (int i = 0; i < 10; i++) {
        helper_spans(two.sdk, "span", 200);
        pid_t pid = fork();
        if (pid == 0) {
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
    assert_int_equal(djp_sdk_flush(two.sdk, PATIENCE), 0);
    assert_int_equal(script_spans(two.first, NULL), 2000);
    assert_int_equal(script_spans(two.second, NULL), 2000);
    two_end(&two);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_destination_gets_every_span),
        cmocka_unit_test(another_form_has_an_encoder),
        cmocka_unit_test(one_that_is_down_delays_nothing),
        cmocka_unit_test(the_first_may_be_down_too),
        cmocka_unit_test(a_refusal_counts_for_one),
        cmocka_unit_test(one_that_does_not_respond_delays_nothing),
        cmocka_unit_test(a_silent_one_loses_its_oldest),
        cmocka_unit_test(shutdown_ends_in_time_and_counts_for_each),
        cmocka_unit_test(a_child_has_both_destinations),
        cmocka_unit_test(forks_lose_nothing_of_the_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
