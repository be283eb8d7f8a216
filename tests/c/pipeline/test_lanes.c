/* A pipeline whose transport has several requests on their way: order, failures, the end and
 * forks. */
#include "pipeline/helper.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { LANES = 4, BATCH = 10 };

/* The sanitizers' own allocator takes no care of fork. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define FORKS_TESTED 0
#else
#define FORKS_TESTED 1
#endif

typedef struct lanes_job {
    djp__send_job job;
    unsigned action;
    uint64_t until;
    int busy;
} lanes_job;

typedef struct lanes_transport {
    /* its next() says what becomes of an attempt; inside counts those on their way */
    script_transport script;
    uint64_t (*delay)(void *user, unsigned attempt); /* how long an answer takes */
    lanes_job jobs[LANES];
    _Atomic unsigned most; /* on their way at once */
    unsigned awaited; /* nothing is answered before `most` was that */
} lanes_transport;

static int
lanes_fill(lanes_transport *lanes, const djp__send_feed *feed)
{
    int busy = 0;
    for (int i = 0; i < LANES; i++) {
        lanes_job *lane = &lanes->jobs[i];
        if (!lane->busy && feed->next(feed->user, &lane->job)) {
            unsigned attempt = lanes->script.attempts++;
            lane->busy = 1;
            lane->action = lanes->script.next ? lanes->script.next(lanes->script.user, attempt)
                                              : SCRIPT_ACCEPT;
            lane->until = djp__clock_monotonic() +
                          (lanes->delay ? lanes->delay(lanes->script.user, attempt) : 0);
            lanes->script.inside++;
            lanes->most = lanes->script.inside > lanes->most ? lanes->script.inside : lanes->most;
        }
        busy += lane->busy;
    }
    return busy;
}

static void
lanes_end(lanes_transport *lanes, lanes_job *lane, const djp__send_feed *feed, djp__outcome outcome)
{
    djp__send_result result;
    memset(&result, 0, sizeof result);
    strcpy(result.message, "as the script says");
    result.outcome = outcome;
    result.wire_bytes = lane->job.size;
    result.retry_after_ns = outcome == DJP__SEND_RETRY ? lanes->script.retry_after_ns : 0;
    if (outcome == DJP__SENT) {
        script_store(&lanes->script, lane->job.body, lane->job.size);
    }
    lane->busy = 0;
    lanes->script.inside--;
    feed->done(feed->user, lane->job.tag, &result);
}

static void
lanes_run(djp__transport *base, const djp__send_feed *feed)
{
    lanes_transport *lanes = (lanes_transport *)base;
    while (lanes_fill(lanes, feed) > 0) {
        int give_up = feed->poll(feed->user);
        for (int i = 0; i < LANES; i++) {
            lanes_job *lane = &lanes->jobs[i];
            uint64_t now = djp__clock_monotonic();
            if (lane->busy && (give_up || now >= lane->job.deadline)) {
                lanes_end(lanes, lane, feed, DJP__SEND_ABORTED);
            } else if (lane->busy && now >= lane->until && lanes->most >= lanes->awaited &&
                       lane->action != SCRIPT_HANG &&
                       !(lane->action == SCRIPT_HELD && lanes->script.held)) {
                lanes_end(lanes, lane, feed,
                          lane->action == SCRIPT_RETRY    ? DJP__SEND_RETRY
                          : lane->action == SCRIPT_REJECT ? DJP__SEND_REJECTED
                                                          : DJP__SENT);
            }
        }
        if (give_up) {
            return;
        }
        helper_sleep(MS);
    }
}

static void
lanes_abandon(djp__transport *base)
{
    lanes_transport *lanes = (lanes_transport *)base;
    script_abandon(base);
    memset(lanes->jobs, 0, sizeof lanes->jobs);
    lanes->most = 0;
}

static const djp__transport_ops lanes_ops = {
    "script", script_send, NULL, lanes_abandon, script_free, NULL, 0, 0, lanes_run};

static lanes_transport *
lanes_new(unsigned (*next)(void *, unsigned), uint64_t (*delay)(void *, unsigned), void *user)
{
    lanes_transport *lanes = calloc(1, sizeof *lanes);
    lanes->script.base.ops = &lanes_ops;
    pthread_mutex_init(&lanes->script.mutex, NULL);
    lanes->script.next = next;
    lanes->script.user = user;
    lanes->delay = delay;
    return lanes;
}

static djp_sdk *
lanes_sdk(lanes_transport *lanes, uint64_t timeout_ns)
{
    djp_options options = helper_options();
    options.max_batch_spans = BATCH;
    options.export_timeout_ns = timeout_ns;
    return helper_sdk(&options, &lanes->script);
}

static void
wait_for(const _Atomic unsigned *value, unsigned least)
{
    for (uint64_t deadline = djp__clock_monotonic() + PATIENCE; *value < least; helper_sleep(MS)) {
        assert_true(djp__clock_monotonic() < deadline);
    }
}

/* Everything arrived once, and the books say so. */
static void
finish_with(djp_sdk *sdk, lanes_transport *lanes, unsigned spans, unsigned retries)
{
    json *status = helper_status(sdk);
    assert_int_equal((int)helper_number(status, "books", "exported"), spans);
    assert_int_equal((int)helper_number(status, "books", "waiting"), 0);
    assert_int_equal((int)helper_number(status, "export", "retries"), retries);
    json_free(status);
    assert_int_equal(script_spans(&lanes->script, NULL), spans);
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    djp_sdk_free(sdk);
    assert_int_equal(lanes->script.inside, 0);
    script_fini(&lanes->script);
}

static uint64_t
slowly(void *user, unsigned attempt)
{
    (void)user;
    (void)attempt;
    return 30 * MS;
}

static void
test_a_slow_receiver_gets_several_at_once(void **state)
{
    (void)state;
    lanes_transport *lanes = lanes_new(NULL, slowly, NULL);
    lanes->awaited = LANES;
    djp_sdk *sdk = lanes_sdk(lanes, 60 * SECOND);
    helper_spans(sdk, "many", 40 * BATCH + 3);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(lanes->most, LANES);
    finish_with(sdk, lanes, 40 * BATCH + 3, 0);
}

static uint64_t
as_long_as_told(void *user, unsigned attempt)
{
    (void)attempt;
    return *(_Atomic int *)user ? SECOND : 0;
}

static void
test_a_batch_that_is_not_full_waits_for_its_turn(void **state)
{
    (void)state;
    _Atomic int slow = 1;
    lanes_transport *lanes = lanes_new(NULL, as_long_as_told, (void *)&slow);
    djp_sdk *sdk = lanes_sdk(lanes, 60 * SECOND);
    helper_span(sdk, "first");
    wait_for(&lanes->script.inside, 1);
    helper_span(sdk, "second");
    helper_sleep(100 * MS);
    assert_int_equal(lanes->most, 1);
    assert_int_equal(helper_wait_spans(&lanes->script, 2, PATIENCE), 2);
    assert_int_equal(lanes->most, 1);
    finish_with(sdk, lanes, 2, 0);
}

static void
test_a_flush_does_not_wait_for_its_turn(void **state)
{
    (void)state;
    lanes_transport *lanes = lanes_new(NULL, NULL, NULL);
    lanes->awaited = 2; /* the first is answered when the second is on its way, too */
    djp_sdk *sdk = lanes_sdk(lanes, 600 * SECOND);
    helper_span(sdk, "first");
    wait_for(&lanes->script.inside, 1);
    helper_span(sdk, "second");
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(lanes->most, 2);
    finish_with(sdk, lanes, 2, 0);
}

static unsigned
first_is_late(void *user, unsigned attempt)
{
    (void)user;
    return attempt == 0 ? SCRIPT_HELD : SCRIPT_ACCEPT;
}

static void
test_answers_in_another_order(void **state)
{
    (void)state;
    lanes_transport *lanes = lanes_new(first_is_late, NULL, NULL);
    lanes->script.held = 1;
    djp_sdk *sdk = lanes_sdk(lanes, 600 * SECOND);
    helper_spans(sdk, "order", 8 * BATCH);
    /* All but the oldest have arrived: a flush still waits for that one. */
    assert_int_equal(helper_wait_spans(&lanes->script, 7 * BATCH, PATIENCE), 7 * BATCH);
    assert_int_equal(djp_sdk_flush(sdk, 20 * MS), DJP_ETIMEOUT);
    json *status = helper_status(sdk);
    assert_int_equal((int)helper_number(status, "books", "waiting"), BATCH);
    json_free(status);
    lanes->script.held = 0;
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    finish_with(sdk, lanes, 8 * BATCH, 0);
}

static unsigned
third_fails(void *user, unsigned attempt)
{
    (void)user;
    return attempt == 2 ? SCRIPT_RETRY : SCRIPT_ACCEPT;
}

static void
test_one_of_several_fails(void **state)
{
    (void)state;
    lanes_transport *lanes = lanes_new(third_fails, slowly, NULL);
    djp_sdk *sdk = lanes_sdk(lanes, 60 * SECOND);
    helper_spans(sdk, "fails", 12 * BATCH);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    finish_with(sdk, lanes, 12 * BATCH, 1);
}

static unsigned
first_hangs(void *user, unsigned attempt)
{
    (void)user;
    return attempt == 0 ? SCRIPT_HANG : SCRIPT_ACCEPT;
}

static void
test_one_of_several_hangs(void **state)
{
    (void)state;
    lanes_transport *lanes = lanes_new(first_hangs, NULL, NULL);
    djp_sdk *sdk = lanes_sdk(lanes, 5 * SECOND);
    helper_spans(sdk, "hangs", 12 * BATCH);
    assert_int_equal(helper_wait_spans(&lanes->script, 11 * BATCH, PATIENCE), 11 * BATCH);
    helper_sleep(100 * MS);
    assert_int_equal(lanes->script.inside, 1);
    /* The status tells of the oldest attempt, however many answers came since. */
    json *status = helper_status(sdk);
    assert_true(helper_number(status, "export", "attempt_seconds") >= 0.1);
    json_free(status);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    finish_with(sdk, lanes, 12 * BATCH, 1);
}

static void
test_no_answer_in_time_means_one_at_a_time(void **state)
{
    (void)state;
    lanes_transport *lanes = lanes_new(first_hangs, slowly, NULL);
    lanes->awaited = LANES;
    djp_sdk *sdk = lanes_sdk(lanes, 3 * SECOND);
    helper_spans(sdk, "first", 4 * BATCH);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(lanes->most, LANES);
    lanes->awaited = lanes->most = 0;
    helper_spans(sdk, "then", 8 * BATCH);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(lanes->most, 1);
    finish_with(sdk, lanes, 12 * BATCH, 1);
}

typedef struct pause_script {
    lanes_transport *lanes;
    _Atomic unsigned probes; /* attempts after the failures until the first success ended */
    _Atomic unsigned overlapped; /* of these, with another on its way */
    _Atomic uint64_t failed, probed;
} pause_script;

static unsigned
first_four_ask_to_wait(void *user, unsigned attempt)
{
    pause_script *script = user;
    if (attempt < LANES) {
        script->failed = djp__clock_monotonic();
        return SCRIPT_RETRY;
    }
    if (attempt == LANES) {
        script->probed = djp__clock_monotonic();
        script->overlapped = script->lanes->script.inside;
    }
    if (script_spans(&script->lanes->script, NULL) == 0) {
        script->probes++;
    }
    return SCRIPT_ACCEPT;
}

static uint64_t
probe_is_slow(void *user, unsigned attempt)
{
    (void)user;
    return attempt == LANES ? 100 * MS : 0;
}

static void
test_after_a_failure_one_request_probes(void **state)
{
    (void)state;
    pause_script script = {NULL, 0, 0, 0, 0};
    lanes_transport *lanes = lanes_new(first_four_ask_to_wait, probe_is_slow, &script);
    script.lanes = lanes;
    lanes->script.retry_after_ns = 300 * MS;
    djp_sdk *sdk = lanes_sdk(lanes, 60 * SECOND);
    helper_spans(sdk, "pause", 12 * BATCH);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script.probes, 1);
    assert_int_equal(script.overlapped, 0);
    assert_true(script.probed - script.failed >= 250 * MS);
    finish_with(sdk, lanes, 12 * BATCH, LANES);
}

static uint64_t
failure_is_early(void *user, unsigned attempt)
{
    (void)user;
    return attempt < LANES && attempt > 0 ? 50 * MS : 0;
}

static unsigned
first_asks_to_wait(void *user, unsigned attempt)
{
    pause_script *script = user;
    if (attempt == 0) {
        script->failed = djp__clock_monotonic();
        return SCRIPT_RETRY;
    }
    if (attempt == LANES) {
        script->probed = djp__clock_monotonic();
    }
    return SCRIPT_ACCEPT;
}

static void
test_a_success_that_was_on_its_way_ends_no_pause(void **state)
{
    (void)state;
    pause_script script = {NULL, 0, 0, 0, 0};
    lanes_transport *lanes = lanes_new(first_asks_to_wait, failure_is_early, &script);
    lanes->script.retry_after_ns = 400 * MS;
    djp_sdk *sdk = lanes_sdk(lanes, 60 * SECOND);
    helper_spans(sdk, "early", 12 * BATCH);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_true(script.probed - script.failed >= 350 * MS);
    finish_with(sdk, lanes, 12 * BATCH, 1);
}

static unsigned
all_hang(void *user, unsigned attempt)
{
    (void)user;
    (void)attempt;
    return SCRIPT_HANG;
}

static void
test_the_end_gives_up_all_of_them(void **state)
{
    (void)state;
    lanes_transport *lanes = lanes_new(all_hang, NULL, NULL);
    djp_sdk *sdk = lanes_sdk(lanes, 600 * SECOND);
    helper_spans(sdk, "end", 12 * BATCH);
    wait_for(&lanes->script.inside, LANES);
    uint64_t start = djp__clock_monotonic();
    assert_int_equal(djp_sdk_shutdown(sdk, 300 * MS), DJP_ETIMEOUT);
    assert_true(djp__clock_monotonic() - start < PATIENCE);
    json *status = helper_status_at_rest(sdk);
    assert_int_equal((int)helper_number(status, "dropped", "shutdown"), 12 * BATCH);
    assert_int_equal(lanes->script.attempts, LANES);
    json_free(status);
    djp_sdk_free(sdk);
    script_fini(&lanes->script);
}

static void
test_switching_off_gives_up_all_of_them(void **state)
{
    (void)state;
    lanes_transport *lanes = lanes_new(all_hang, NULL, NULL);
    djp_sdk *sdk = lanes_sdk(lanes, 60 * SECOND);
    helper_spans(sdk, "off", 12 * BATCH);
    wait_for(&lanes->script.inside, LANES);
    assert_int_equal(djp_sdk_set_enabled(sdk, 0), 0);
    for (uint64_t deadline = djp__clock_monotonic() + PATIENCE;; helper_sleep(MS)) {
        json *status = helper_status(sdk);
        int done = helper_number(status, "dropped", "switched_off") == 12 * BATCH;
        json_free(status);
        if (done) {
            break;
        }
        assert_true(djp__clock_monotonic() < deadline);
    }
    djp_sdk_free(sdk);
    assert_int_equal(lanes->script.inside, 0);
    script_fini(&lanes->script);
}

static void
child_goes_on(djp_sdk *sdk, lanes_transport *lanes)
{
    helper_spans(sdk, "child", 3 * BATCH);
    int good = djp_sdk_flush(sdk, PATIENCE) == 0 &&
               script_spans(&lanes->script, NULL) == 3 * BATCH &&
               script_spans(&lanes->script, "child") == 3 * BATCH;
    json *status = helper_status(sdk);
    good = good && helper_unaccounted(status) == 0 &&
           helper_number(status, "books", "exported") == 3 * BATCH;
    _exit(good ? 0 : 1);
}

static void
test_a_child_forgets_all_of_them(void **state)
{
    (void)state;
    _Atomic int slow = 1;
    if (!FORKS_TESTED) {
        skip();
    }
    lanes_transport *lanes = lanes_new(NULL, as_long_as_told, (void *)&slow);
    djp_sdk *sdk = lanes_sdk(lanes, 60 * SECOND);
    helper_spans(sdk, "parent", 6 * BATCH);
    wait_for(&lanes->script.inside, LANES);
    pid_t pid = fork();
    if (pid == 0) {
        slow = 0;
        alarm(200);
        child_goes_on(sdk, lanes);
    }
    int ended = -1;
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), 0);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(&lanes->script, "child"), 0);
    finish_with(sdk, lanes, 6 * BATCH, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slow_receiver_gets_several_at_once),
        cmocka_unit_test(test_a_batch_that_is_not_full_waits_for_its_turn),
        cmocka_unit_test(test_a_flush_does_not_wait_for_its_turn),
        cmocka_unit_test(test_answers_in_another_order),
        cmocka_unit_test(test_one_of_several_fails),
        cmocka_unit_test(test_one_of_several_hangs),
        cmocka_unit_test(test_no_answer_in_time_means_one_at_a_time),
        cmocka_unit_test(test_after_a_failure_one_request_probes),
        cmocka_unit_test(test_a_success_that_was_on_its_way_ends_no_pause),
        cmocka_unit_test(test_the_end_gives_up_all_of_them),
        cmocka_unit_test(test_switching_off_gives_up_all_of_them),
        cmocka_unit_test(test_a_child_forgets_all_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
