/* The client of a sampling server: one GET at a time, in steps that do not wait. It follows no
 * redirect and reads no more than its limit. */
#include "control/remote_client.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "djp/error.h"
#include "export/destination.h"
#include "net/curl_global.h"
#include "net/curl_headers.h"
#include "net/curl_session.h"
#include "net/curl_target.h"
#include "net/http_response.h"
#include "net/outcome.h"

struct djp__strategy_client {
    djp__destination destination; /* the one of spans with another endpoint; borrowed texts */
    char *user_agent;
    djp__curl_target target;
    djp__curl_headers headers;
    djp__curl_session *session; /* NULL before the first request */
    djp__curl_exchange exchange;
    djp__http_head head; /* of the response */
    int asking;
    char failure[128]; /* why the request could not be sent; "" if it was */
};

static void
remote_client_on_header(void *user, const char *line, size_t size)
{
    djp__strategy_client *client = user;
    djp__http_head_line(&client->head, line, size, djp__clock_realtime());
}

/* Scheme and host of a URL, without the port. */
static void
remote_client_split(djp_text *scheme, djp_text *host, const char *url)
{
    const char *colon = url != NULL ? strstr(url, "://") : NULL;
    *scheme = *host = (djp_text){"", 0};
    if (colon == NULL) {
        return;
    }
    const char *at = colon + 3, *end = at + strcspn(at, "/?#");
    const char *user = memrchr(at, '@', (size_t)(end - at));
    at = user != NULL ? user + 1 : at;
    const char *closed = memchr(at, ']', (size_t)(end - at));
    const char *from = closed != NULL ? closed : at;
    const char *port = memchr(from, ':', (size_t)(end - from));
    *scheme = (djp_text){url, (size_t)(colon - url)};
    *host = (djp_text){at, (size_t)((port != NULL ? port : end) - at)};
}

static int
remote_client_same(djp_text a, djp_text b)
{
    return a.size > 0 && a.size == b.size && strncasecmp(a.data, b.data, a.size) == 0;
}

/* 1: the exporter sends its credentials to that host over that scheme too. */
static int
remote_client_trusts(const djp_options *options)
{
    djp_text scheme, host, own_scheme, own_host;
    remote_client_split(&scheme, &host, options->sampling_endpoint);
    remote_client_split(&own_scheme, &own_host, options->endpoint);
    return options->exporter == DJP_EXPORTER_OTLP && remote_client_same(scheme, own_scheme) &&
           remote_client_same(host, own_host);
}

/* The address with the name of the service. */
static char *
remote_client_url(const djp_options *options)
{
    djp__buf url;
    const char *base = options->sampling_endpoint;
    djp__buf_init(&url, 0);
    djp__buf_text(&url, base);
    djp__buf_text(&url, strchr(base, '?') ? "&service=" : "?service=");
    djp__percent_encode(&url, djp__text(options->service_name), "");
    char *text = djp__buf_take(&url, NULL);
    djp__buf_fini(&url);
    return text;
}

static int
remote_client_init(djp__strategy_client *client, const djp_options *options, const char *user_agent)
{
    static const char *const fixed[] = {"Accept: application/json", NULL};
    static const djp__route none = {"", "", NULL};
    if (options->sampling_endpoint == NULL || options->service_name == NULL) {
        return DJP_EINVAL;
    }
    char *url = remote_client_url(options);
    client->destination = djp__destination_of_traces(options, &none);
    client->destination.endpoint = url;
    client->destination.protocol = DJP_PROTOCOL_HTTP_JSON;
    client->destination.max_response_bytes = DJP_STRATEGY_RESPONSE_MAX;
    client->destination.headers = remote_client_trusts(options) ? options->headers : NULL;
    client->user_agent = djp__strdup(user_agent);
    int code = url && client->user_agent != NULL
                   ? djp__curl_target_init(&client->target, &client->destination)
                   : DJP_ENOMEM;
    client->destination.endpoint = NULL;
    djp__free(url);
    if (code == 0) {
        code = djp__curl_headers_init(&client->headers, fixed, client->destination.headers);
    }
    return code == 0 ? djp__curl_start() : code;
}

int
djp__strategy_client_new(djp__strategy_client **out, const djp_options *options,
                         const char *user_agent)
{
    *out = NULL;
    djp__strategy_client *client = djp__calloc(1, sizeof *client);
    if (client == NULL) {
        return DJP_ENOMEM;
    }
    djp__buf_init(&client->exchange.response, 0);
    int code = remote_client_init(client, options, user_agent);
    if (code != 0) {
        djp__strategy_client_free(client);
        return code;
    }
    *out = client;
    return 0;
}

void
djp__strategy_client_free(djp__strategy_client *client)
{
    if (client == NULL) {
        return;
    }
    djp__strategy_client_leave(client);
    djp__buf_fini(&client->exchange.response);
    djp__curl_headers_fini(&client->headers);
    djp__curl_target_fini(&client->target);
    djp__free(client->user_agent);
    djp__free(client);
}

void
djp__strategy_client_leave(djp__strategy_client *client)
{
    djp__sigpipe guard;
    djp__sigpipe_block(&guard); /* closing TLS may write to a closed connection */
    djp__strategy_client_give_up(client);
    djp__curl_session_free(client->session);
    client->session = NULL;
    djp__sigpipe_restore(&guard);
}

const char *
djp__strategy_client_shown(const djp__strategy_client *client)
{
    return client->target.shown;
}

void
djp__strategy_client_ask(djp__strategy_client *client)
{
    djp__curl_exchange *exchange = &client->exchange;
    memset(&client->head, 0, sizeof client->head);
    client->failure[0] = '\0';
    client->asking = 1;
    if (client->session != NULL && djp__curl_session_is_robbed(client->session)) {
        djp__curl_session_abandon(client->session);
        client->session = NULL;
    }
    if (client->session == NULL) {
        char why[256];
        if (djp__curl_session_new(&client->session, &client->target, &client->destination,
                                  client->user_agent, why) != 0) {
            snprintf(client->failure, sizeof client->failure, "%.*s",
                     (int)sizeof client->failure - 1, why);
            return;
        }
    }
    exchange->is_get = 1;
    exchange->headers = client->headers.nodes;
    exchange->http_version = CURL_HTTP_VERSION_1_1;
    exchange->on_header = remote_client_on_header;
    exchange->user = client;
    djp__curl_session_begin(client->session, 0, exchange);
}

/* The server's error message, if it is text. */
static void
remote_client_reason(djp__strategy_client *client, djp__strategy_response *out)
{
    djp__send_result result;
    char words[128] = "";
    const djp__buf *response = &client->exchange.response;
    long status = client->exchange.status;
    if (status >= 300 && status < 400) {
        snprintf(words, sizeof words, ", a redirect, which is not followed");
    } else if (strcmp(client->head.content_type, "text/plain") == 0 && response->size > 0) {
        int size = response->size < 100 ? (int)response->size : 100;
        snprintf(words, sizeof words, ": %.*s", size, response->data);
    }
    djp__send_result_set(&result, DJP__SEND_RETRY, "it responded %ld%s", status, words);
    memcpy(out->message, result.message, sizeof out->message);
    out->retry_after_ns = client->head.retry_after_ns;
}

static void
remote_client_judge(djp__strategy_client *client, djp__strategy_response *out)
{
    djp__curl_exchange *exchange = &client->exchange;
    const char *body = exchange->response.data ? exchange->response.data : "";
    char why[128];
    if (client->failure[0]) {
        snprintf(out->message, sizeof out->message, "%s", client->failure);
    } else if (exchange->too_large) {
        snprintf(out->message, sizeof out->message, "its response is larger than %d bytes",
                 DJP_STRATEGY_RESPONSE_MAX);
    } else if (exchange->code != CURLE_OK) {
        snprintf(out->message, sizeof out->message, "%s", exchange->error);
    } else if (exchange->status < 200 || exchange->status >= 300) {
        remote_client_reason(client, out);
    } else if (djp__strategy_parse(&out->strategy, body, exchange->response.size, why,
                                   sizeof why) != 0) {
        snprintf(out->message, sizeof out->message, "its response is refused: %s", why);
    } else {
        out->good = 1;
    }
    if (client->destination.headers) {
        djp__curl_headers_hide(out->message, client->destination.headers);
    }
}

int
djp__strategy_client_step(djp__strategy_client *client, djp__strategy_response *out)
{
    djp__sigpipe guard;
    int running = 0, began = !client->failure[0];
    memset(out, 0, sizeof *out);
    if (began) {
        djp__sigpipe_block(&guard);
        running = djp__curl_session_step(client->session);
        if (!running) {
            djp__curl_session_end(client->session, 0);
        }
        djp__sigpipe_restore(&guard);
    }
    if (!running) {
        client->asking = 0;
        remote_client_judge(client, out);
        djp__buf_fini(&client->exchange.response); /* a large buffer is not reused */
    }
    return running;
}

void
djp__strategy_client_give_up(djp__strategy_client *client)
{
    if (client->asking && !client->failure[0]) {
        djp__curl_session_end(client->session, 0);
        djp__buf_fini(&client->exchange.response);
    }
    client->asking = 0;
}

void
djp__strategy_client_abandon(djp__strategy_client *client)
{
    djp__curl_session *session = client->session;
    client->session = NULL;
    client->asking = 0;
    client->failure[0] = '\0';
    /* the fork may have interrupted its growth: discarded without a free */
    djp__buf_init(&client->exchange.response, 0);
    if (session != NULL) {
        djp__curl_session_abandon(session);
    }
}
