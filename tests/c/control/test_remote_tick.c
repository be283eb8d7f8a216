/* Questions to a sampling server step by step, with a client that answers when the test says so:
 * when it is asked and looked at, what its answers change, and what is said about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/remote_client.h"
#include "control/remote_strategy.h"

static int asked, given_up, left, abandoned, running;
static djp__strategy_response next_answer;

static void
fake_ask(djp__strategy_client *client)
{
    (void)client;
    asked++;
}

static int
fake_step(djp__strategy_client *client, djp__strategy_response *out)
{
    (void)client;
    memset(out, 0, sizeof *out);
    if (!running) {
        *out = next_answer;
    }
    return running;
}

static void
count_call(int *calls)
{
    ++*calls;
}

#define djp__strategy_client_ask(client) fake_ask(client)
#define djp__strategy_client_step(client, out) fake_step(client, out)
#define djp__strategy_client_give_up(client) count_call(&given_up)
#define djp__strategy_client_leave(client) count_call(&left)
#define djp__strategy_client_abandon(client) count_call(&abandoned)
#define djp__strategy_client_shown(client) "http://server/"
#define djp__strategy_client_free(client) ((void)(client))
#include "base/rand.h"
#define djp__rand64() ((uint64_t)1 << 63) /* the middle */
#include "base/rand.h"
#include "control/remote.c"

#include "span_reader.h"

#define SECOND 1000000000ull

static djp_options options;
static djp__diagnostics diag;
static djp__control_host host;
static djp__overrides overrides;
static djp__remote remote;
static char last[1024];
static int messages, last_level;

static void
note(void *user, int level, const char *message)
{
    (void)user;
    messages++;
    last_level = level;
    snprintf(last, sizeof last, "%s", message);
}

static void
changed(void *user)
{
    (void)user;
}

static int
set_up(void **state)
{
    (void)state;
    memset(&options, 0, sizeof options);
    memset(&overrides, 0, sizeof overrides);
    memset(&remote, 0, sizeof remote);
    options.enabled = 1;
    options.sample_ratio = 0.5;
    options.canary_ratio = 1;
    options.sampling_interval_ns = 60 * SECOND;
    options.overrides_file = "";
    djp__recorder_options recorder = span_reader_options();
    recorder.always_on = 0;
    recorder.threshold = 1ull << 55;
    host = (djp__control_host){.options = &options,
                               .diag = &diag,
                               .recorder = span_reader_recorder(&recorder),
                               .exports = 1,
                               .changed = changed};
    djp__mutex_init(&overrides.mutex);
    djp__mutex_init(&remote.mutex);
    if (djp__diag_init(&diag, DJP_LOG_DEBUG, note, NULL) != 0) {
        return 1;
    }
    djp__overrides_init(&overrides, &host);
    assert_int_equal(djp__remote_init(&remote, &host, &overrides), 0);
    assert_true(djp__remote_next(&remote) == UINT64_MAX); /* no one is asked yet */
    remote.client = (djp__strategy_client *)&remote;
    remote.next = 0;
    asked = given_up = left = abandoned = messages = 0;
    running = 1;
    memset(&next_answer, 0, sizeof next_answer);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    djp__recorder_free(host.recorder);
    djp__mutex_fini(&overrides.mutex);
    djp__mutex_fini(&remote.mutex);
    djp__diag_fini(&diag);
    return 0;
}

static void
answer_ratio(double ratio)
{
    running = 0;
    next_answer = (djp__strategy_response){.good = 1};
    next_answer.strategy.kind = DJP_STRATEGY_PROBABILITY;
    next_answer.strategy.probability = ratio;
}

static void
answer_failure(const char *message, uint64_t retry_after_ns)
{
    running = 0;
    next_answer = (djp__strategy_response){.retry_after_ns = retry_after_ns};
    strcpy(next_answer.message, message);
}

static double
ratio(void)
{
    djp__overrides_view view;
    djp__overrides_read(&view, &overrides);
    return view.ratio;
}

/* Looked for soon, then in growing steps up to twenty milliseconds, and not at all after five
 * seconds. */
static void
an_answer_is_looked_for_in_steps(void **state)
{
    (void)state;
    uint64_t now = 100 * SECOND;
    djp__remote_tick(&remote, now);
    assert_int_equal(asked, 1);
    assert_true(remote.next == now + 1000000);
    djp__remote_tick(&remote, now + 999999);
    assert_true(remote.next == now + 1000000);
    djp__remote_tick(&remote, now + 1000000);
    assert_true(remote.next == now + 2000000);
    djp__remote_tick(&remote, now + 7000000);
    assert_true(remote.next == now + 14000000);
    djp__remote_tick(&remote, now + 20000000);
    assert_true(remote.next == now + 40000000);
    djp__remote_tick(&remote, now + SECOND);
    assert_true(remote.next == now + SECOND + 20000000);
    djp__remote_tick(&remote, now + 5 * SECOND - 1);
    assert_int_equal(given_up, 0);
    djp__remote_tick(&remote, now + 5 * SECOND - 1 + 20000000);
    assert_int_equal(given_up, 1);
    assert_int_equal(asked, 1);
    assert_string_equal(remote.error, "it did not respond within 5 seconds");
    assert_int_equal(djp__load_relaxed(&remote.failures), 1);
    assert_false(remote.asking);
    /* The pause after a first failure: a second, in the middle of its spread. */
    assert_true(remote.next == now + 5 * SECOND - 1 + 20000000 + SECOND);
}

static void
an_answer_holds_until_the_next(void **state)
{
    (void)state;
    answer_ratio(0.25);
    djp__remote_tick(&remote, SECOND);
    assert_true(ratio() == 0.25);
    assert_true(remote.next == 61 * SECOND);
    assert_int_equal(djp__load_relaxed(&remote.requests), 1);
    assert_int_equal(djp__load_relaxed(&remote.responses), 1);
    assert_true(djp__load_relaxed(&remote.last_success_unix_ns) > 0);
    assert_string_equal(remote.strategy, "probability 0.25");
    djp__remote_tick(&remote, 61 * SECOND - 1);
    assert_int_equal(asked, 1);
    answer_ratio(0.75);
    djp__remote_tick(&remote, 61 * SECOND);
    assert_int_equal(asked, 2);
    assert_true(ratio() == 0.75);
}

/* The first answer is worth a line, others where they differ one for developers; failures one a
 * minute until it answers again. */
static void
what_is_said(void **state)
{
    (void)state;
    uint64_t now = SECOND;
    answer_ratio(0.25);
    djp__remote_tick(&remote, now);
    assert_int_equal(last_level, DJP_LOG_INFO);
    assert_string_equal(last, "The sampling server http://server/ says: probability 0.25.");
    messages = 0;
    djp__remote_tick(&remote, now = remote.next);
    assert_int_equal(messages, 0); /* the same again */
    answer_ratio(0.5);
    djp__remote_tick(&remote, now = remote.next);
    assert_int_equal(last_level, DJP_LOG_DEBUG);
    assert_string_equal(last, "The sampling server http://server/ says: probability 0.5.");
    messages = 0;
    answer_failure("it broke", 0);
    for (int i = 0; i < 3; i++) {
        djp__remote_tick(&remote, now = remote.next);
    }
    assert_int_equal(messages, 1);
    assert_int_equal(last_level, DJP_LOG_WARN);
    assert_non_null(strstr(last, "gave no strategy: it broke."));
    assert_true(ratio() == 0.5); /* the previous overrides stay in force */
    assert_int_equal(djp__load_relaxed(&remote.failures), 3);
    assert_int_equal(djp__load_relaxed(&remote.consecutive_failures), 3);
    answer_ratio(0.5);
    djp__remote_tick(&remote, now = remote.next);
    assert_non_null(strstr(last, "responds again: probability 0.5."));
    assert_int_equal(djp__load_relaxed(&remote.consecutive_failures), 0);
    assert_int_equal(djp__load_relaxed(&remote.failures), 3);
    messages = 0;
    answer_failure("it broke again", 0);
    djp__remote_tick(&remote, now = remote.next);
    assert_int_equal(messages, 0); /* within the minute */
    djp__store_relaxed(&remote.warned_at, (uint64_t)0);
    djp__remote_tick(&remote, now = remote.next);
    assert_int_equal(messages, 1);
}

static void
the_wish_of_a_server_counts(void **state)
{
    (void)state;
    answer_failure("busy", 100 * SECOND);
    djp__remote_tick(&remote, SECOND);
    assert_true(remote.next == SECOND + 100 * SECOND + 5 * SECOND);
}

static void
a_forked_child_asks_for_itself(void **state)
{
    (void)state;
    answer_failure("it broke", 0);
    djp__remote_tick(&remote, SECOND);
    answer_ratio(0.25);
    djp__remote_tick(&remote, remote.next);
    running = 1;
    djp__remote_tick(&remote, remote.next);
    assert_true(remote.asking);
    djp__remote_fork_child(&remote);
    assert_int_equal(abandoned, 1);
    assert_true(remote.next == 0 && !remote.asking && !remote.warned && remote.error[0] == '\0');
    assert_int_equal(djp__load_relaxed(&remote.requests) + djp__load_relaxed(&remote.responses), 0);
    assert_int_equal(
        djp__load_relaxed(&remote.failures) + djp__load_relaxed(&remote.consecutive_failures), 0);
    assert_true(djp__load_relaxed(&remote.warned_at) == 0);
    /* what the parent was given still holds */
    assert_string_equal(remote.strategy, "probability 0.25");
    djp__remote_stop(&remote);
    assert_int_equal(left, 1);
    remote.client = NULL;
    djp__remote_fork_child(&remote);
    djp__remote_stop(&remote);
    djp__remote_tick(&remote, 100 * SECOND);
    assert_int_equal(abandoned + left, 2);
    assert_true(remote.next == 0);
}

static void
the_status_has_it_all(void **state)
{
    djp__buf out;
    (void)state;
    djp__buf_init(&out, 0);
    djp__remote_status(&out, &remote);
    djp__buf_char(&out, '\0');
    assert_string_equal(
        out.data, "{\"endpoint\":\"http://server/"
                  "\",\"strategy\":\"\",\"requests\":0,\"responses\":0,\"failures\":0,"
                  "\"consecutive_failures\":0,\"last_success\":null,\"last_success_age\":null,"
                  "\"last_error\":\"\"}");
    answer_failure("a \"b\"", 0);
    djp__remote_tick(&remote, SECOND);
    djp__store_relaxed(&remote.last_success_unix_ns, (uint64_t)1700000000123456789ull);
    djp__buf_clear(&out);
    djp__remote_status(&out, &remote);
    djp__buf_char(&out, '\0');
    assert_non_null(
        strstr(out.data, "\"requests\":1,\"responses\":0,\"failures\":1,\"consecutive_failures\":1,"
                         "\"last_success\":1700000000.123,\"last_success_age\":"));
    assert_non_null(strstr(out.data, "\"last_error\":\"a \\\"b\\\"\"}"));
    djp__buf_fini(&out);
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ONE(an_answer_is_looked_for_in_steps),
        ONE(an_answer_holds_until_the_next),
        ONE(what_is_said),
        ONE(the_wish_of_a_server_counts),
        ONE(a_forked_child_asks_for_itself),
        ONE(the_status_has_it_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
