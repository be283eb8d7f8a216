/* The status has one row for each signal, from the table of the signal. */
#include "pipeline/pair.h"

static const json *
row_of(const json *status, const char *signal)
{
    const json *row = json_get(json_get(status, "signals"), signal);
    if (row == NULL) {
        fail_msg("the status has no signal %s", signal);
    }
    return row;
}

static double
number(const json *row, const char *key)
{
    const json *value = json_get(row, key);
    if (value == NULL || value->kind != JSON_NUMBER) {
        fail_msg("the signal has no number %s", key);
    }
    return json_number(value, -1);
}

static void
assert_balance(const json *row)
{
    const json *books = json_get(row, "books");
    assert_true(number(books, "started") ==
                number(books, "live") + number(books, "not_sampled") + number(books, "exported") +
                    number(books, "dropped") + number(books, "waiting"));
}

static unsigned
retry_then_reject(void *user, unsigned attempt)
{
    (void)user;
    return attempt == 0 ? SCRIPT_RETRY : attempt == 1 ? SCRIPT_ACCEPT : SCRIPT_REJECT;
}

static void
test_each_signal_has_a_row(void **state)
{
    (void)state;
    pair pair;
    djp_options options = helper_options();
    options.flush_interval_ns = 100 * SECOND;
    pair_start(&pair, &options, retry_then_reject, NULL);
    for (int i = 0; i < 6; i++) {
        event_add(&pair.events, "good");
    }
    helper_spans(pair.sdk, "span", 2);
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), 0);
    for (int i = 0; i < 4; i++) {
        event_add(&pair.events, "bad");
    }
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), DJP_EREJECTED);
    djp__add_relaxed(&pair.events.refused, 3u);
    event_add(&pair.events, "waiting");
    json *status = helper_status(pair.sdk);
    const json *logs = row_of(status, "logs"), *books = json_get(logs, "books");
    assert_string_equal(json_string(json_get(logs, "item_name"), ""), "events");
    assert_string_equal(json_string(json_get(logs, "transport"), ""), "script");
    assert_string_equal(json_string(json_get(logs, "receiver"), ""), "the receiver of events");
    assert_true(number(books, "started") == 14);
    assert_true(number(books, "exported") == 6);
    assert_true(number(books, "dropped") == 7);
    assert_true(number(books, "waiting") == 1);
    assert_balance(logs);
    const json *dropped = json_get(logs, "dropped");
    assert_true(number(dropped, "rejected") == 4);
    assert_true(number(dropped, "refused") == 3);
    assert_true(number(dropped, "timeout") == 0);
    assert_null(json_get(dropped, "ring_full")); /* a reason of spans */
    assert_true(number(logs, "ring_bytes") + number(logs, "batch_items") > 0);
    assert_true(number(logs, "attempts") == 3);
    assert_true(number(logs, "retries") == 1);
    assert_true(number(logs, "requests_ok") == 1);
    assert_true(number(logs, "requests_failed") == 1);
    assert_true(number(logs, "wire_bytes") > 0);
    assert_true(number(logs, "last_success") > 1e9);
    assert_true(number(logs, "last_error_time") > 1e9);
    assert_string_equal(json_string(json_get(logs, "last_error"), ""), "as the script says");

    const json *traces = row_of(status, "traces");
    assert_string_equal(json_string(json_get(traces, "item_name"), ""), "spans");
    assert_true(number(json_get(traces, "books"), "exported") == 2);
    assert_true(number(traces, "retries") == 0);
    assert_true(json_is_null(json_get(traces, "last_error_time")));
    assert_balance(traces);
    json_free(status);
    pair_end(&pair);
}

/* A request that waits is in the row of its signal, and its error is that of its receiver. */
static unsigned
hang(void *user, unsigned attempt)
{
    (void)attempt;
    return *(_Atomic int *)user ? SCRIPT_HANG : SCRIPT_ACCEPT;
}

static void
test_a_queue_belongs_to_its_signal(void **state)
{
    (void)state;
    pair pair;
    _Atomic int hangs = 1;
    djp_options options = helper_options();
    options.export_timeout_ns = SECOND; /* the attempt that hangs is repeated after it */
    pair_start(&pair, &options, hang, (void *)&hangs);
    for (int i = 0; i < 5; i++) {
        event_add(&pair.events, "held");
    }
    double items = 0;
    for (int i = 0; i < 60000 && items < 5; i++) {
        json *status = helper_status(pair.sdk);
        const json *logs = row_of(status, "logs");
        items = number(logs, "queue_items");
        assert_true(number(row_of(status, "traces"), "queue_items") == 0);
        if (items == 5) {
            assert_true(number(logs, "queue_requests") >= 1);
            assert_true(number(logs, "queue_bytes") >= 5 * 4);
            assert_true(number(json_get(logs, "books"), "waiting") == 5);
        }
        json_free(status);
        helper_sleep(MS);
    }
    assert_true(items == 5);
    hangs = 0;
    assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), 0);
    pair_end(&pair);
}

/* The section of spans and the row of traces are the same counts. */
static void
test_traces_are_a_signal(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "span", 9);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    json *status = helper_status(sdk);
    const json *traces = row_of(status, "traces");
    static const char *const books[] = {"started",  "live",    "not_sampled",
                                        "exported", "dropped", "waiting"};
    for (size_t i = 0; i < sizeof books / sizeof books[0]; i++) {
        assert_true(number(json_get(traces, "books"), books[i]) ==
                    helper_number(status, "books", books[i]));
    }
    const json *dropped = json_get(status, "dropped");
    assert_int_equal(json_count(json_get(traces, "dropped")), json_count(dropped));
    for (size_t i = 0; i < json_count(dropped); i++) {
        assert_non_null(json_get(json_get(traces, "dropped"), dropped->keys[i]));
    }
    assert_true(number(traces, "attempts") == helper_number(status, "export", "attempts"));
    json_free(status);
    djp_sdk_free(sdk);
    script_fini(transport);
}

/* A signal that is not exported has a row of zeros. */
static void
test_off(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.backend = DJP_BACKEND_PROM;
    djp_sdk *sdk = NULL;
    assert_int_equal(djp_sdk_new(&sdk, &options, NULL, NULL, NULL), 0);
    json *status = helper_status(sdk);
    const json *traces = row_of(status, "traces");
    assert_int_equal(json_count(json_get(status, "signals")), 1);
    assert_string_equal(json_string(json_get(traces, "transport"), ""), "none");
    assert_string_equal(json_string(json_get(traces, "receiver"), "?"), "");
    assert_true(number(json_get(traces, "books"), "started") == 0);
    assert_true(number(json_get(traces, "dropped"), "ring_full") == 0);
    assert_true(json_is_null(json_get(traces, "last_success")));
    json_free(status);
    djp_sdk_free(sdk);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_signal_has_a_row),
        cmocka_unit_test(test_a_queue_belongs_to_its_signal),
        cmocka_unit_test(test_traces_are_a_signal),
        cmocka_unit_test(test_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
