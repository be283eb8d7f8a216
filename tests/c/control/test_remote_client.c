/* The client of a sampling server: to whom credentials go, which address is asked, what stands in a
 * request, and what an answer is taken for. Compiled in, so that answers can be put in its hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/remote_client.c"
#include "loopback.h"

static djp_options
options_of(const char *sampling, const char *endpoint)
{
    djp_options options = {.exporter = DJP_EXPORTER_OTLP,
                           .sampling_endpoint = (char *)(uintptr_t)sampling,
                           .endpoint = (char *)(uintptr_t)endpoint,
                           .service_name = (char *)(uintptr_t) "a shop",
                           .headers = (char *)(uintptr_t) "Authorization: secret-token"};
    return options;
}

/* Same scheme and same host, whatever the port, the path and the case. */
static void
credentials_stay_with_their_host(void **state)
{
    static const struct {
        const char *sampling, *endpoint;
        int trusted;
    } cases[] = {
        {"http://a/", "http://a/", 1},
        {"http://a:5778/sampling", "http://a:4318/v1/traces", 1},
        {"HTTP://A/", "http://a", 1},
        {"http://a", "http://a?x", 1},
        {"http://a#y", "http://a", 1},
        {"http://u:p@a:1/", "http://a/", 1},
        {"http://u@v@a/", "http://a/", 1},
        {"http://[::1]:5778/", "http://[::1]:4318", 1},
        {"http://[::1]", "http://[::1]:4318", 1},
        {"https://a/", "http://a/", 0},
        {"http://a/", "http://b/", 0},
        {"http://a/", "http://ab/", 0},
        {"http://ab/", "http://a/", 0},
        {"http://a/", "http://x/@a", 0},
        {"http://x/@a", "http://a/", 0},
        {"http://x?@a", "http://a/", 0},
        {"http://[::1]:1", "http://[::2]:1", 0},
        {"a", "a", 0},
        {"http://", "http://", 0},
        {"://a", "://a", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp_options options = options_of(cases[i].sampling, cases[i].endpoint);
        if (remote_client_trusts(&options) != cases[i].trusted) {
            fail_msg("%s and %s", cases[i].sampling, cases[i].endpoint);
        }
        options.exporter = DJP_EXPORTER_FILE; /* its endpoint is never asked */
        assert_false(remote_client_trusts(&options));
        options.exporter = DJP_EXPORTER_OTLP;
        options.endpoint = NULL;
        assert_false(remote_client_trusts(&options));
    }
}

static djp__strategy_client *
client_of(const char *sampling, const char *endpoint)
{
    djp_options options = options_of(sampling, endpoint);
    djp__strategy_client *client = NULL;
    assert_int_equal(djp__strategy_client_new(&client, &options, "agent"), 0);
    return client;
}

static void
the_address_has_the_name_of_the_service(void **state)
{
    (void)state;
    djp__strategy_client *client = client_of("http://a:1/sampling", "http://b/");
    assert_string_equal(client->target.url, "http://a:1/sampling?service=a%20shop");
    assert_string_equal(djp__strategy_client_shown(client), "http://a:1/sampling");
    assert_int_equal(client->headers.count, 1);
    djp__strategy_client_free(client);
    client = client_of("http://u:p@a:1/sampling?x=1", "http://a/");
    assert_string_equal(client->target.url, "http://u:p@a:1/sampling?x=1&service=a%20shop");
    assert_string_equal(djp__strategy_client_shown(client), "http://a:1/sampling");
    assert_int_equal(client->headers.count, 2);
    assert_string_equal(client->headers.nodes[1].data, "Authorization: secret-token");
    djp__strategy_client_free(client);
    djp_options options = options_of("http://a", "http://a");
    options.service_name = NULL;
    assert_int_equal(djp__strategy_client_new(&client, &options, "agent"), DJP_EINVAL);
    assert_null(client);
    options = options_of(NULL, "http://a");
    assert_int_equal(djp__strategy_client_new(&client, &options, "agent"), DJP_EINVAL);
    djp__strategy_client_free(NULL);
}

static void
no_memory_leaves_no_client(void **state)
{
    (void)state;
    djp__strategy_client *client = client_of("http://a", "http://a"); /* what a process does once */
    djp__strategy_client_free(client);
    djp_options options = options_of("http://a", "http://a");
    long n = 0;
    int result;
    do {
        client = (djp__strategy_client *)1;
        djp__alloc_fail_after(++n);
        result = djp__strategy_client_new(&client, &options, "agent");
        djp__alloc_fail_after(0);
        assert_true((client == NULL) == (result != 0));
    } while (result != 0 && n < 100);
    assert_true(n > 3 && n < 100);
    djp__strategy_client_free(client);
}

/* An answer as it came from the network. */
static djp__strategy_response
judged(djp__strategy_client *client, long status, const char *type, const char *body)
{
    djp__strategy_response answer;
    memset(&answer, 0, sizeof answer);
    memset(&client->head, 0, sizeof client->head);
    client->exchange.code = CURLE_OK;
    client->exchange.status = status;
    client->head.retry_after_ns = 7;
    strcpy(client->head.content_type, type);
    djp__buf_clear(&client->exchange.response);
    djp__buf_text(&client->exchange.response, body);
    remote_client_judge(client, &answer);
    if (answer.good) {
        djp__strategy_fini(&answer.strategy);
    }
    return answer;
}

static void
answers_are_judged(void **state)
{
    static const char good[] =
        "{\"strategyType\":\"PROBABILISTIC\",\"probabilisticSampling\":{\"samplingRate\":0.5}}";
    (void)state;
    djp__strategy_client *client = client_of("http://a", "http://a");
    for (long status = 198; status <= 302; status++) {
        djp__strategy_response answer = judged(client, status, "", good);
        assert_int_equal(answer.good, status >= 200 && status < 300);
        assert_int_equal(answer.retry_after_ns, answer.good ? 0 : 7);
        assert_int_equal(strstr(answer.message, "redirect") != NULL, status >= 300);
    }
    djp__strategy_response answer = judged(client, 399, "text/plain", "words");
    assert_string_equal(answer.message, "it responded 399, a redirect, which is not followed");
    answer = judged(client, 400, "text/plain", "words");
    assert_string_equal(answer.message, "it responded 400: words");
    answer = judged(client, 400, "text/html", "words");
    assert_string_equal(answer.message, "it responded 400");
    answer = judged(client, 503, "text/plain", "");
    assert_string_equal(answer.message, "it responded 503");
    char long_words[120];
    memset(long_words, 'w', sizeof long_words);
    long_words[119] = '\0';
    answer = judged(client, 503, "text/plain", long_words);
    assert_int_equal(strlen(answer.message), strlen("it responded 503: ") + 100);
    answer = judged(client, 200, "", "{");
    assert_int_equal(strncmp(answer.message, "its response is refused: ", 23), 0);
    answer = judged(client, 200, "", "");
    assert_false(answer.good);
    /* What was sent may come back, and is hidden. */
    answer = judged(client, 401, "text/plain", "no secret-token here");
    assert_string_equal(answer.message, "it responded 401: no ************ here");
    client->exchange.too_large = 1;
    answer = judged(client, 200, "", good);
    assert_string_equal(answer.message, "its response is larger than 1048576 bytes");
    assert_false(answer.good);
    client->exchange.too_large = 0;
    strcpy(client->failure, "no session");
    answer = judged(client, 200, "", good);
    assert_string_equal(answer.message, "no session");
    djp__strategy_client_free(client);
}

/* Steps until the response is there. */
static djp__strategy_response
asked(djp__strategy_client *client)
{
    djp__strategy_response response;
    uint64_t deadline = djp__clock_monotonic() + 60ull * 1000000000;
    djp__strategy_client_ask(client);
    while (djp__strategy_client_step(client, &response)) {
        assert_true(djp__clock_monotonic() < deadline);
        djp__curl_session_wait(client->session, deadline);
    }
    assert_false(client->asking);
    return response;
}

static void
a_request_has_its_headers(void **state)
{
    (void)state;
    loopback *server = loopback_new();
    char url[64], other[64];
    snprintf(url, sizeof url, "%s", loopback_url(server, "/sampling"));
    snprintf(other, sizeof other, "http://elsewhere:%d/", loopback_port(server));
    loopback_respond(server, "HTTP/1.1 200 OK\r\n", 3);
    for (int trusted = 0; trusted < 2; trusted++) {
        djp__strategy_client *client = client_of(url, trusted ? url : other);
        djp__strategy_response response = asked(client);
        assert_false(response.good);
        assert_non_null(strstr(response.message, "its response is refused"));
        assert_null(client->exchange.response.data); /* its memory is not kept */
        char *request = loopback_last(server, NULL);
        assert_int_equal(strncmp(request, "GET /sampling?service=a%20shop HTTP/1.1\r\n", 41), 0);
        assert_non_null(strstr(request, "\r\nAccept: application/json\r\n"));
        assert_non_null(strstr(request, "\r\nUser-Agent: agent\r\n"));
        assert_int_equal(strstr(request, "secret-token") != NULL, trusted);
        free(request);
        djp__strategy_client_free(client);
    }
    loopback_respond(server, "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n", 0);
    djp__strategy_client *client = client_of(url, url);
    djp__strategy_response response = asked(client);
    assert_string_equal(response.message, "it responded 503");
    assert_int_equal(response.retry_after_ns, 7ull * 1000000000);
    loopback_free(server); /* the next one cannot be sent */
    response = asked(client);
    assert_false(response.good);
    assert_int_equal(response.retry_after_ns, 0);
    assert_int_not_equal(response.message[0], '\0');
    djp__strategy_client_free(client);
}

static void
a_forked_child_begins_without_a_question(void **state)
{
    (void)state;
    djp__strategy_client *client = client_of("http://127.0.0.1:9", "http://a");
    djp__strategy_client_ask(client);
    assert_true(client->asking && client->session != NULL);
    djp__strategy_client_abandon(client);
    assert_false(client->asking || client->session != NULL);
    assert_null(client->exchange.response.data);
    djp__strategy_client_ask(client);
    djp__strategy_client_give_up(client);
    assert_false(client->asking);
    djp__strategy_client_give_up(client); /* once is enough */
    djp__strategy_client_free(client);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_stay_with_their_host),
        cmocka_unit_test(the_address_has_the_name_of_the_service),
        cmocka_unit_test(no_memory_leaves_no_client),
        cmocka_unit_test(answers_are_judged),
        cmocka_unit_test(a_request_has_its_headers),
        cmocka_unit_test(a_forked_child_begins_without_a_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
