/* The OTLP transport: one finished request to one receiver, as HTTP (protobuf or JSON) or as a gRPC call over HTTP/2. It sends
 * once (twice when a kept connection turns out to be dead) and says how that went; it never waits for another attempt, follows a
 * redirect or puts a header or a password into a message. */
#include <string.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/mem.h"
#include "djp/error.h"
#include "export/curl_global.h"
#include "export/curl_headers.h"
#include "export/curl_session.h"
#include "export/curl_target.h"
#include "export/grpc_answer.h"
#include "export/gzip.h"
#include "export/http_answer.h"
#include "export/transport_result.h"

enum { OTLP_COMPRESS_MIN = 1024, OTLP_WIRE_KEEP = 4 * 1024 * 1024, OTLP_SHOWN_MAX = 120 };

typedef struct otlp_transport {
    djp_transport base;
    const djp_options *options; /* borrowed */
    djp_diag *diag; /* borrowed */
    char *user_agent;
    djp_curl_target target;
    char shown[OTLP_SHOWN_MAX + 1];
    djp_curl_headers headers;
    djp_gzip *gzip; /* NULL without compression */
    djp_buf wire; /* frame and compressed bytes of the request that is being sent */
    djp_curl_session *session; /* the sending thread's */
    DJP_ATOMIC(pid_t) sender; /* the thread that has a session, for otlp_wake; 0: none. release/acquire */
    int breaks_reuse; /* see djp__curl_breaks_reuse; also learned when libcurl shows it */
    int has_arrived; /* the receiver has taken or refused a request in this protocol: it speaks it */
    int speaks_http; /* it answered a plain question in HTTP/1.1, and nothing in gRPC so far */
    DJP_ATOMIC(uint64_t) probed; /* djp__every_minute guard of that question */
    int has_failed; /* the last call did not reach the receiver */
    int is_warm; /* the last call left a connection that can be used again */
    int is_sending; /* written by the worker; read in a forked child, which has no worker */
    int told_ignored_headers;
    DJP_ATOMIC(uint64_t) warned; /* guard of the once-a-minute warning */
} otlp_transport;

/* One request on its way: what is sent, and the heads of the answer. */
typedef struct otlp_call {
    otlp_transport *transport;
    djp_curl_exchange exchange;
    struct curl_slist encoding_node;
    struct curl_slist timeout_node;
    char timeout[40];
    djp_http_head http;
    djp_grpc_head grpc;
} otlp_call;

static int
otlp_is_grpc(const otlp_transport *transport)
{
    return transport->options->protocol == DJP_PROTOCOL_GRPC;
}

static void
otlp_on_header(void *user, const char *line, size_t size)
{
    otlp_call *call = user;
    if (otlp_is_grpc(call->transport))
        djp__grpc_head_line(&call->grpc, line, size);
    else
        djp__http_head_line(&call->http, line, size, djp__clock_realtime());
}

/* The bytes for the wire: gzip when that makes them smaller, the frame for gRPC. Returns 0 or DJP_ENOMEM. */
static int
otlp_pack(otlp_transport *transport, otlp_call *call, const void *body, size_t size, int *compressed)
{
    static const uint8_t no_frame[DJP_GRPC_FRAME_SIZE];
    djp_buf *wire = &transport->wire;
    size_t frame = otlp_is_grpc(transport) ? DJP_GRPC_FRAME_SIZE : 0;
    djp__buf_clear(wire);
    djp__buf_append(wire, no_frame, frame);
    *compressed = transport->gzip && size > OTLP_COMPRESS_MIN &&
                  djp__gzip_compress(transport->gzip, wire, body, size) == 0 && wire->size - frame < size;
    if (!*compressed) {
        if (frame == 0) {
            call->exchange.body = body;
            call->exchange.size = size;
            return 0;
        }
        djp__buf_clear(wire);
        djp__buf_append(wire, no_frame, frame);
        djp__buf_append(wire, body, size);
    }
    if (wire->failed || wire->size - frame > UINT32_MAX)
        return DJP_ENOMEM;
    if (frame)
        djp__grpc_frame((uint8_t *)wire->data, *compressed, (uint32_t)(wire->size - frame));
    call->exchange.body = wire->data;
    call->exchange.size = wire->size;
    return 0;
}

static void
otlp_set_headers(otlp_transport *transport, otlp_call *call, int compressed, uint64_t deadline)
{
    static char http_encoding[] = "Content-Encoding: gzip", grpc_encoding[] = "grpc-encoding: gzip";
    struct curl_slist *list = transport->headers.nodes;
    if (compressed) {
        call->encoding_node = (struct curl_slist){otlp_is_grpc(transport) ? grpc_encoding : http_encoding, list};
        list = &call->encoding_node;
    }
    if (otlp_is_grpc(transport) && deadline != UINT64_MAX) {
        uint64_t now = djp__clock_monotonic();
        djp__grpc_timeout(call->timeout, sizeof call->timeout, deadline > now ? deadline - now : 0);
        call->timeout_node = (struct curl_slist){call->timeout, list};
        list = &call->timeout_node;
    }
    call->exchange.headers = list;
}

/* libcurl 7.88 breaks the second request of a connection that prior knowledge opened. There, "2TLS" finds the kept connection, and
 * would open one in HTTP/1.1 when there is none: so it may not open any, and the call is repeated with prior knowledge. */
static void
otlp_choose_version(otlp_transport *transport, djp_curl_exchange *exchange, int repeated)
{
    exchange->fresh = repeated;
    exchange->reuse_only = 0;
    if (!otlp_is_grpc(transport)) {
        exchange->http_version = CURL_HTTP_VERSION_1_1;
    } else if (transport->target.is_https) {
        exchange->http_version = CURL_HTTP_VERSION_2TLS;
    } else if (transport->breaks_reuse && transport->is_warm && !repeated) {
        exchange->http_version = CURL_HTTP_VERSION_2TLS;
        exchange->reuse_only = 1;
    } else {
        exchange->http_version = CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
        exchange->fresh = repeated || transport->breaks_reuse;
    }
}

static int
otlp_lost_connection(CURLcode code)
{
    return code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING || code == CURLE_HTTP2 ||
           code == CURLE_HTTP2_STREAM || code == CURLE_PARTIAL_FILE;
}

/* 1 when a kept connection was dead: the receiver has closed it, so that the request is sent again at once on a new one. */
static int
otlp_was_stale(otlp_transport *transport, const otlp_call *call)
{
    const djp_curl_exchange *exchange = &call->exchange;
    if (exchange->refused_socket)
        return 1;
    if (exchange->sockets > 0 || exchange->too_large)
        return 0;
    if (exchange->code == CURLE_HTTP2 && otlp_is_grpc(transport) && !transport->target.is_https)
        transport->breaks_reuse = 1;
    if (exchange->code != CURLE_OK)
        return exchange->head_bytes == 0 && otlp_lost_connection(exchange->code);
    return otlp_is_grpc(transport) && exchange->status == 200 && !call->grpc.has_status;
}

/* libcurl before 8.1 stops reading where a stream ends on a connection that got a GOAWAY, and so loses the trailers, at times the message,
 * too. It reports success only where the receiver ended the stream properly, and a receiver that refuses a unary call does so in the head
 * of the answer: so an answer with a good head was an acceptance. To take it for none would send every span of it twice. */
static void
otlp_complete_answer(djp_grpc_head *head, const djp_curl_exchange *exchange)
{
    if (exchange->code == CURLE_OK && exchange->status == 200 && head->is_grpc && !head->has_status &&
        djp__curl_loses_trailers()) {
        head->has_status = 1;
        head->status = 0;
        head->is_cut = 1;
    }
}

static djp_curl_run
otlp_exchange(otlp_transport *transport, djp_curl_session *session, otlp_call *call, const djp_send_control *control)
{
    static const djp_grpc_head no_head = DJP_GRPC_HEAD_INIT;
    djp_curl_run run = DJP_CURL_DONE;
    for (int repeated = 0; repeated < 2; repeated++) {
        memset(&call->http, 0, sizeof call->http);
        call->grpc = no_head;
        otlp_choose_version(transport, &call->exchange, repeated);
        run = djp__curl_session_run(session, &call->exchange, control);
        if (run == DJP_CURL_DONE && otlp_is_grpc(transport))
            otlp_complete_answer(&call->grpc, &call->exchange);
        if (run != DJP_CURL_DONE || !otlp_was_stale(transport, call))
            break;
    }
    transport->is_warm =
        run == DJP_CURL_DONE && call->exchange.code == CURLE_OK && call->grpc.has_status && !call->grpc.is_cut;
    return run;
}

#define OTLP_SPEAKS_HTTP "this port speaks HTTP: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
#define OTLP_SPEAKS_GRPC "this port seems to speak gRPC: set OTEL_EXPORTER_OTLP_PROTOCOL=grpc"

static void
otlp_ignore_header(void *user, const char *line, size_t size)
{
    (void)user;
    (void)line;
    (void)size;
}

/* A receiver of HTTP meets the first bytes of HTTP/2 with silence, an error or anything, so it is asked in its own language, once a
 * minute, as long as nothing has ever arrived by gRPC. */
static void
otlp_probe(otlp_transport *transport, djp_curl_session *session, const otlp_call *call, const djp_send_control *control)
{
    enum { PROBE_NS = 1000000000 };
    const djp_curl_exchange *failed = &call->exchange;
    if (!otlp_is_grpc(transport) || transport->has_arrived || failed->code == CURLE_OK || failed->head_bytes > 0 ||
        !otlp_lost_connection(failed->code) || !djp__every_minute(&transport->probed))
        return;
    djp_curl_exchange probe;
    memset(&probe, 0, sizeof probe);
    probe.is_get = 1;
    probe.fresh = 1;
    probe.http_version = CURL_HTTP_VERSION_1_1;
    probe.on_header = otlp_ignore_header;
    djp__buf_init(&probe.answer, 0);
    uint64_t limit = djp__clock_monotonic() + PROBE_NS;
    djp_send_control bounded = {limit < control->deadline ? limit : control->deadline, control->poll, control->user};
    djp_curl_run run = djp__curl_session_run(session, &probe, &bounded);
    transport->speaks_http = run == DJP_CURL_DONE && probe.code == CURLE_OK && probe.status > 0;
    djp__buf_fini(&probe.answer);
}

/* What the other protocol's receiver looks like from here; NULL: not like that. */
static const char *
otlp_other_protocol(const otlp_transport *transport, const djp_curl_exchange *exchange)
{
    if (otlp_is_grpc(transport))
        return transport->speaks_http ? OTLP_SPEAKS_HTTP : NULL;
    if (exchange->code == CURLE_UNSUPPORTED_PROTOCOL || strstr(exchange->error, "no application protocol"))
        return OTLP_SPEAKS_GRPC;
    return NULL;
}

static void
otlp_judge_connection(const otlp_transport *transport, const djp_curl_exchange *exchange, djp_send_result *result)
{
    const char *other = otlp_other_protocol(transport, exchange);
    djp__send_result_set(result, DJP_SEND_RETRY, other ? "%s: %s; %s" : "%s: %s", transport->shown, exchange->error,
                         other);
}

/* libcurl's error as an outcome. Only what another attempt cannot change is final. */
static void
otlp_judge_failure(otlp_transport *transport, const otlp_call *call, djp_send_result *result)
{
    const djp_curl_exchange *exchange = &call->exchange;
    const char *shown = transport->shown;
    result->status = otlp_is_grpc(transport) ? 0 : exchange->status;
    if (exchange->too_large)
        djp__send_result_set(result, DJP_SEND_REJECTED, "%s gave an answer larger than the limit of %llu bytes", shown,
                             (unsigned long long)transport->options->max_response_bytes);
    else if (exchange->code == CURLE_BAD_CONTENT_ENCODING)
        djp__send_result_set(result, DJP_SEND_REJECTED, "%s gave an answer that cannot be decompressed", shown);
    else
        otlp_judge_connection(transport, exchange, result);
}

static void
otlp_judge(otlp_transport *transport, const otlp_call *call, djp_curl_run run, djp_send_result *result)
{
    const djp_curl_exchange *exchange = &call->exchange;
    djp_text body = {exchange->answer.data, exchange->answer.size};
    if (run == DJP_CURL_ABORTED)
        djp__send_result_set(result, DJP_SEND_ABORTED, "%s: given up before the answer came", transport->shown);
    else if (run == DJP_CURL_TIMED_OUT)
        djp__send_result_set(result, DJP_SEND_ABORTED, "%s: no answer within the time limit", transport->shown);
    else if (exchange->code != CURLE_OK)
        otlp_judge_failure(transport, call, result);
    else if (otlp_is_grpc(transport))
        djp__grpc_answer(result, &call->grpc, exchange->status, body, transport->shown);
    else
        djp__http_answer(result, &call->http, exchange->status, body, transport->shown);
    if (result->message[0])
        djp__curl_headers_hide(result->message, transport->options->headers);
    if (result->outcome == DJP_SENT && result->message[0] && djp__every_minute(&transport->warned))
        djp__diag(transport->diag, DJP_LOG_WARN, "%s", result->message);
}

static djp_curl_session *
otlp_session(otlp_transport *transport, djp_send_result *result)
{
    djp_curl_session *session = transport->session;
    char why[256];
    if (session && djp__curl_session_is_robbed(session)) {
        djp__curl_session_abandon(session);
        transport->session = NULL;
    } else if (session &&
               djp__curl_session_is_outdated(session, &transport->target, transport->options, transport->has_failed)) {
        djp__curl_session_free(session);
        transport->session = NULL;
    }
    if (transport->session)
        return session;
    if (!transport->told_ignored_headers && transport->headers.ignored > 0)
        djp__diag(transport->diag, DJP_LOG_WARN,
                  "%zu of the configured OTLP headers are malformed or belong to the protocol; they are not sent.",
                  transport->headers.ignored);
    transport->told_ignored_headers = 1;
    if (djp__curl_session_new(&session, &transport->target, transport->options, transport->user_agent, why) != 0) {
        djp__send_result_set(result, DJP_SEND_RETRY, "%s: %.200s", transport->shown, why);
        return NULL;
    }
    transport->is_warm = 0;
    transport->session = session;
    if (djp__files_are_parted()) /* one of ours, with all signals blocked */
        djp_store_release(&transport->sender, djp__thread_number());
    return session;
}

static void
otlp_send_guarded(otlp_transport *transport, const void *body, size_t size, const djp_send_control *control,
                  djp_send_result *result)
{
    otlp_call call;
    int compressed;
    djp_curl_session *session = otlp_session(transport, result);
    if (!session)
        return;
    memset(&call, 0, sizeof call);
    call.transport = transport;
    call.exchange.on_header = otlp_on_header;
    call.exchange.user = &call;
    djp__buf_init(&call.exchange.answer, 0);
    if (otlp_pack(transport, &call, body, size, &compressed) != 0) {
        djp__send_result_set(result, DJP_SEND_RETRY, "out of memory for a request of %zu bytes", size);
        return;
    }
    otlp_set_headers(transport, &call, compressed, control->deadline);
    result->wire_bytes = call.exchange.size;
    djp_curl_run run = otlp_exchange(transport, session, &call, control);
    if (run == DJP_CURL_DONE)
        otlp_probe(transport, session, &call, control);
    otlp_judge(transport, &call, run, result);
    if (run == DJP_CURL_DONE && (otlp_is_grpc(transport) ? call.grpc.has_status : call.exchange.code == CURLE_OK)) {
        transport->has_arrived = 1;
        transport->speaks_http = 0;
    }
    transport->has_failed = run == DJP_CURL_DONE && call.exchange.code != CURLE_OK;
    djp__buf_fini(&call.exchange.answer);
    if (transport->wire.capacity > OTLP_WIRE_KEEP)
        djp__buf_fini(&transport->wire);
}

static void
otlp_send(djp_transport *base, const void *body, size_t size, const djp_send_control *control, djp_send_result *result)
{
    otlp_transport *transport = (otlp_transport *)base;
    djp_sigpipe guard;
    memset(result, 0, sizeof *result);
    if (transport->options->max_request_bytes && size > transport->options->max_request_bytes) {
        djp__send_result_set(result, DJP_SEND_REJECTED,
                             "a request of %zu bytes is over the limit of %llu and was not sent", size,
                             (unsigned long long)transport->options->max_request_bytes);
        return;
    }
    if (djp__clock_monotonic() >= control->deadline) {
        djp__send_result_set(result, DJP_SEND_ABORTED, "%s: the time limit passed before the request was sent",
                             transport->shown);
        return;
    }
    djp__sigpipe_block(&guard);
    transport->is_sending = 1;
    otlp_send_guarded(transport, body, size, control, result);
    transport->is_sending = 0;
    djp__sigpipe_restore(&guard);
}

static void
otlp_wake(djp_transport *base)
{
    pid_t sender = djp_load_acquire(&((otlp_transport *)base)->sender);
    if (sender)
        djp__thread_poke(sender);
}

static void
otlp_abandon(djp_transport *base)
{
    otlp_transport *transport = (otlp_transport *)base;
    djp_curl_session *session = transport->session;
    djp_store_release(&transport->sender, 0);
    if (transport->is_sending) {
        djp__buf_init(&transport->wire, 0); /* the fork may have met it half grown: forgotten as it is */
        transport->is_sending = 0;
    }
    if (!session)
        return;
    transport->session = NULL;
    djp__curl_session_abandon(session);
    transport->is_warm = 0;
}

static void
otlp_drop_session(otlp_transport *transport)
{
    djp_sigpipe guard;
    djp_store_release(&transport->sender, 0);
    djp__sigpipe_block(&guard); /* a TLS goodbye may meet a closed connection */
    djp__curl_session_free(transport->session);
    djp__sigpipe_restore(&guard);
    transport->session = NULL;
}

static void
otlp_leave(djp_transport *base)
{
    if (!djp__curl_is_over()) /* the process ends, and nobody waits for this thread */
        otlp_drop_session((otlp_transport *)base);
}

static void
otlp_free(djp_transport *base)
{
    otlp_transport *transport = (otlp_transport *)base;
    if (!transport)
        return;
    otlp_drop_session(transport);
    djp__curl_target_fini(&transport->target);
    djp__curl_headers_fini(&transport->headers);
    djp__gzip_free(transport->gzip);
    djp__buf_fini(&transport->wire);
    djp__free(transport->user_agent);
    djp__free(transport);
}

static const djp_transport_ops otlp_http_ops = {"otlp_http", otlp_send,  otlp_wake, otlp_abandon,
                                                otlp_free,   otlp_leave, 0,         0};
static const djp_transport_ops otlp_grpc_ops = {"otlp_grpc", otlp_send,  otlp_wake, otlp_abandon,
                                                otlp_free,   otlp_leave, 0,         0};

static const char *const *
otlp_fixed_headers(djp_protocol protocol)
{
    /* A name without a value removes what libcurl would send by itself. */
    static const char *const grpc[] = {"Content-Type: application/grpc", "TE: trailers", "Expect:", "Accept:", NULL};
    static const char *const protobuf[] = {"Content-Type: application/x-protobuf", "Expect:", NULL};
    static const char *const json[] = {"Content-Type: application/json", "Expect:", NULL};
    return protocol == DJP_PROTOCOL_GRPC ? grpc : protocol == DJP_PROTOCOL_HTTP_JSON ? json : protobuf;
}

static int
otlp_init(otlp_transport *transport, const djp_options *options, const char *user_agent)
{
    int code = djp__curl_target_init(&transport->target, options);
    if (code != 0)
        return code;
    size_t shown_size = strlen(transport->target.shown);
    memcpy(transport->shown, transport->target.shown, shown_size < OTLP_SHOWN_MAX ? shown_size : OTLP_SHOWN_MAX);
    code = djp__curl_headers_init(&transport->headers, otlp_fixed_headers(options->protocol), options->headers);
    if (code == 0 && options->compress)
        code = djp__gzip_new(&transport->gzip);
    transport->user_agent = djp__strdup(user_agent ? user_agent : "djp-telemetry-exporter-c");
    if (code == 0 && !transport->user_agent)
        code = DJP_ENOMEM;
    if (code == 0)
        code = djp__curl_start();
    transport->breaks_reuse = djp__curl_breaks_reuse();
    return code;
}

int
djp__transport_otlp_new(djp_transport **out, const djp_options *options, const char *user_agent, djp_diag *diag)
{
    *out = NULL;
    otlp_transport *transport = djp__calloc(1, sizeof *transport);
    if (!transport)
        return DJP_ENOMEM;
    transport->base.ops = options->protocol == DJP_PROTOCOL_GRPC ? &otlp_grpc_ops : &otlp_http_ops;
    transport->options = options;
    transport->diag = diag;
    djp__buf_init(&transport->wire, 0);
    int code = otlp_init(transport, options, user_agent);
    if (code != 0) {
        otlp_free(&transport->base);
        return code;
    }
    *out = &transport->base;
    return 0;
}
