/* One OTLP request on a lane: its bytes and headers, the repetition on a new connection if a reused
 * one is dead, and the evaluation of the response. It does not wait, and writes no header or
 * password into a message. */
#include <string.h>

#include "base/clock.h"
#include "djp/error.h"
#include "export/otlp_lane.h"
#include "net/grpc_frame.h"
#include "net/outcome.h"

enum { OTLP_COMPRESS_MIN = 1024, OTLP_WIRE_KEEP = 4 * 1024 * 1024, OTLP_PROBE_NS = 1000000000 };

static int
otlp_is_grpc(const djp__otlp_transport *transport)
{
    return transport->destination.protocol == DJP_PROTOCOL_GRPC;
}

static void
otlp_on_header(void *user, const char *line, size_t size)
{
    djp__otlp_lane *lane = user;
    if (otlp_is_grpc(lane->transport)) {
        djp__grpc_head_line(&lane->grpc, line, size);
    } else {
        djp__http_head_line(&lane->http, line, size, djp__clock_realtime());
    }
}

/* Prepares the bytes for the wire: gzip if that is smaller, and the frame for gRPC. Returns 0 or
 * DJP_ENOMEM. */
static int
otlp_pack(djp__otlp_lane *lane, int *compressed)
{
    static const uint8_t no_frame[DJP__GRPC_FRAME_SIZE];
    const djp__otlp_transport *transport = lane->transport;
    const void *body = lane->job.body;
    size_t size = lane->job.size;
    djp__buf *wire = &lane->wire;
    size_t frame = otlp_is_grpc(transport) ? DJP__GRPC_FRAME_SIZE : 0;
    djp__buf_clear(wire);
    djp__buf_append(wire, no_frame, frame);
    *compressed = transport->gzip && size > OTLP_COMPRESS_MIN &&
                  djp__gzip_compress(transport->gzip, wire, body, size) == 0 &&
                  wire->size - frame < size;
    if (!*compressed) {
        if (frame == 0) {
            lane->exchange.body = body;
            lane->exchange.size = size;
            return 0;
        }
        djp__buf_clear(wire);
        djp__buf_append(wire, no_frame, frame);
        djp__buf_append(wire, body, size);
    }
    if (wire->failed || wire->size - frame > UINT32_MAX) {
        return DJP_ENOMEM;
    }
    if (frame) {
        djp__grpc_frame((uint8_t *)wire->data, *compressed, (uint32_t)(wire->size - frame));
    }
    lane->exchange.body = wire->data;
    lane->exchange.size = wire->size;
    return 0;
}

static void
otlp_set_headers(djp__otlp_lane *lane, int compressed)
{
    static char http_encoding[] = "Content-Encoding: gzip", grpc_encoding[] = "grpc-encoding: gzip";
    int is_grpc = otlp_is_grpc(lane->transport);
    struct curl_slist *list = lane->transport->headers.nodes;
    if (compressed) {
        lane->encoding_node = (struct curl_slist){is_grpc ? grpc_encoding : http_encoding, list};
        list = &lane->encoding_node;
    }
    if (is_grpc && lane->deadline != UINT64_MAX) {
        uint64_t now = djp__clock_monotonic();
        djp__grpc_timeout(lane->timeout, sizeof lane->timeout,
                          lane->deadline > now ? lane->deadline - now : 0);
        lane->timeout_node = (struct curl_slist){lane->timeout, list};
        list = &lane->timeout_node;
    }
    lane->exchange.headers = list;
}

/* libcurl 7.88 breaks the second request of a connection opened with prior knowledge. With "2TLS"
 * it finds such a connection, but would open a new one in HTTP/1.1: so it may not open any, and the
 * call is repeated with prior knowledge. */
static void
otlp_choose_version(djp__otlp_lane *lane)
{
    const djp__otlp_transport *transport = lane->transport;
    djp__curl_exchange *exchange = &lane->exchange;
    int repeated = lane->phase == DJP__OTLP_REPEATED;
    exchange->fresh = repeated;
    exchange->reuse_only = 0;
    if (!otlp_is_grpc(transport)) {
        exchange->http_version = CURL_HTTP_VERSION_1_1;
    } else if (transport->target.is_https) {
        exchange->http_version = CURL_HTTP_VERSION_2TLS;
    } else if (transport->breaks_reuse && lane->is_warm && !repeated) {
        exchange->http_version = CURL_HTTP_VERSION_2TLS;
        exchange->reuse_only = 1;
    } else {
        exchange->http_version = CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
        exchange->fresh = repeated || transport->breaks_reuse;
    }
}

static void
otlp_attempt(djp__otlp_lane *lane)
{
    static const djp__grpc_head no_head = DJP__GRPC_HEAD_INIT;
    memset(&lane->http, 0, sizeof lane->http);
    lane->grpc = no_head;
    otlp_choose_version(lane);
    djp__curl_session_begin(lane->transport->session, lane->number, &lane->exchange);
}

int
djp__otlp_lane_begin(djp__otlp_lane *lane, const djp__send_job *job, djp__send_result *result)
{
    int compressed;
    lane->job = *job;
    lane->deadline = job->deadline;
    memset(&lane->exchange, 0, sizeof lane->exchange);
    lane->exchange.on_header = otlp_on_header;
    lane->exchange.user = lane;
    djp__buf_init(&lane->exchange.response, 0);
    if (otlp_pack(lane, &compressed) != 0) {
        djp__buf_fini(&lane->wire);
        djp__send_result_set(result, DJP__SEND_RETRY, "out of memory for a request of %zu bytes",
                             job->size);
        return 0;
    }
    otlp_set_headers(lane, compressed);
    lane->phase = DJP__OTLP_FIRST;
    otlp_attempt(lane);
    return 1;
}

static int
otlp_lost_connection(CURLcode code)
{
    return code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
           code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM || code == CURLE_PARTIAL_FILE;
}

/* 1: the receiver had closed a reused connection; the request is sent again at once on a new
 * one. */
static int
otlp_was_stale(djp__otlp_lane *lane)
{
    djp__otlp_transport *transport = lane->transport;
    const djp__curl_exchange *exchange = &lane->exchange;
    if (exchange->refused_socket) {
        return 1;
    }
    if (exchange->sockets > 0 || exchange->too_large) {
        return 0;
    }
    if (exchange->code == CURLE_HTTP2 && otlp_is_grpc(transport) && !transport->target.is_https) {
        transport->breaks_reuse = 1;
    }
    if (exchange->code != CURLE_OK) {
        return exchange->head_bytes == 0 && otlp_lost_connection(exchange->code);
    }
    return otlp_is_grpc(transport) && exchange->status == 200 && !lane->grpc.has_status;
}

/* libcurl before 8.1 stops reading at the end of a stream on a connection with a GOAWAY, and loses
 * the trailers, sometimes the message too. It reports success only if the receiver ended the stream
 * properly, and a receiver rejects a unary call in the head of the response: so a response with a
 * good head was an acceptance. Otherwise every span of it would be sent twice. */
static void
otlp_complete_response(djp__grpc_head *head, const djp__curl_exchange *exchange)
{
    if (exchange->code == CURLE_OK && exchange->status == 200 && head->is_grpc &&
        !head->has_status && djp__curl_loses_trailers()) {
        head->has_status = 1;
        head->status = 0;
        head->is_cut = 1;
    }
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

/* An HTTP receiver responds to HTTP/2 bytes with silence, an error or arbitrary data: a plain
 * HTTP/1.1 request tests for one, at most once a minute, while no gRPC call has succeeded. */
static int
otlp_must_probe(djp__otlp_lane *lane)
{
    const djp__curl_exchange *failed = &lane->exchange;
    return otlp_is_grpc(lane->transport) && !lane->transport->has_arrived &&
           failed->code != CURLE_OK && failed->head_bytes == 0 &&
           otlp_lost_connection(failed->code) && djp__every_minute(&lane->transport->probed);
}

static void
otlp_begin_probe(djp__otlp_lane *lane)
{
    djp__curl_exchange *probe = &lane->probe;
    uint64_t limit = djp__clock_monotonic() + OTLP_PROBE_NS;
    memset(probe, 0, sizeof *probe);
    probe->is_get = 1;
    probe->fresh = 1;
    probe->http_version = CURL_HTTP_VERSION_1_1;
    probe->on_header = otlp_ignore_header;
    djp__buf_init(&probe->response, 0);
    lane->phase = DJP__OTLP_PROBING;
    lane->deadline = limit < lane->job.deadline ? limit : lane->job.deadline;
    djp__curl_session_begin(lane->transport->session, lane->number, probe);
}

static void
otlp_end_probe(djp__otlp_lane *lane, djp__otlp_ending ending)
{
    const djp__curl_exchange *probe = &lane->probe;
    lane->transport->speaks_http =
        ending == DJP__OTLP_DONE && probe->code == CURLE_OK && probe->status > 0;
    djp__buf_fini(&lane->probe.response);
}

/* The sign of a receiver of the other protocol; NULL: none. */
static const char *
otlp_other_protocol(const djp__otlp_transport *transport, const djp__curl_exchange *exchange)
{
    if (otlp_is_grpc(transport)) {
        return transport->speaks_http ? OTLP_SPEAKS_HTTP : NULL;
    }
    if (exchange->code == CURLE_UNSUPPORTED_PROTOCOL ||
        strstr(exchange->error, "no application protocol")) {
        return OTLP_SPEAKS_GRPC;
    }
    return NULL;
}

static void
otlp_judge_connection(const djp__otlp_transport *transport, const djp__curl_exchange *exchange,
                      djp__send_result *result)
{
    const char *other = otlp_other_protocol(transport, exchange);
    djp__send_result_set(result, DJP__SEND_RETRY, other != NULL ? "%s: %s; %s" : "%s: %s",
                         transport->shown, exchange->error, other);
}

/* Maps libcurl's error to an outcome. Final only if another attempt cannot succeed. */
static void
otlp_judge_failure(const djp__otlp_lane *lane, djp__send_result *result)
{
    const djp__otlp_transport *transport = lane->transport;
    const djp__curl_exchange *exchange = &lane->exchange;
    const char *shown = transport->shown;
    result->status = otlp_is_grpc(transport) ? 0 : exchange->status;
    if (exchange->too_large) {
        djp__send_result_set(result, DJP__SEND_REJECTED,
                             "%s gave a response larger than the limit of %llu bytes", shown,
                             (unsigned long long)transport->destination.max_response_bytes);
    } else if (exchange->code == CURLE_BAD_CONTENT_ENCODING) {
        djp__send_result_set(result, DJP__SEND_REJECTED,
                             "%s gave a response that cannot be decompressed", shown);
    } else {
        otlp_judge_connection(transport, exchange, result);
    }
}

static void
otlp_judge(const djp__otlp_lane *lane, djp__otlp_ending ending, djp__send_result *result)
{
    djp__otlp_transport *transport = lane->transport;
    const djp__curl_exchange *exchange = &lane->exchange;
    djp_text body = {exchange->response.data, exchange->response.size};
    if (ending == DJP__OTLP_ABORTED) {
        djp__send_result_set(result, DJP__SEND_ABORTED, "%s: given up before the response came",
                             transport->shown);
    } else if (ending == DJP__OTLP_TIMED_OUT) {
        djp__send_result_set(result, DJP__SEND_ABORTED, "%s: no response within the time limit",
                             transport->shown);
    } else if (exchange->code != CURLE_OK) {
        otlp_judge_failure(lane, result);
    } else if (otlp_is_grpc(transport)) {
        djp__grpc_response(result, &lane->grpc, exchange->status, body, transport->shown,
                           transport->destination.decode_partial);
    } else {
        djp__http_response(result, &lane->http, exchange->status, body, transport->shown,
                           transport->destination.decode_partial);
    }
    if (result->message[0]) {
        djp__curl_headers_hide(result->message, transport->destination.headers);
    }
    if (result->outcome == DJP__SENT && result->message[0] &&
        djp__every_minute(&transport->warned)) {
        djp__diag(transport->diag, DJP_LOG_WARN, "%s", result->message);
    }
}

/* Updates the state of receiver and connection from one exchange. */
static void
otlp_learn(djp__otlp_lane *lane, djp__otlp_ending ending)
{
    djp__otlp_transport *transport = lane->transport;
    int is_good = ending == DJP__OTLP_DONE && lane->exchange.code == CURLE_OK;
    lane->is_warm = is_good && lane->grpc.has_status && !lane->grpc.is_cut;
    transport->has_failed = ending == DJP__OTLP_DONE && !is_good;
    if (ending == DJP__OTLP_DONE && (otlp_is_grpc(transport) ? lane->grpc.has_status : is_good)) {
        transport->has_arrived = 1;
        transport->speaks_http = 0;
    }
}

/* 1: the request continues, on a new connection or with a probe that explains its failure. */
static int
otlp_goes_on(djp__otlp_lane *lane)
{
    if (lane->phase == DJP__OTLP_PROBING) {
        return 0;
    }
    if (otlp_is_grpc(lane->transport)) {
        otlp_complete_response(&lane->grpc, &lane->exchange);
    }
    if (lane->phase == DJP__OTLP_FIRST && otlp_was_stale(lane)) {
        lane->phase = DJP__OTLP_REPEATED;
        otlp_attempt(lane);
        return 1;
    }
    if (otlp_must_probe(lane)) {
        otlp_begin_probe(lane);
        return 1;
    }
    return 0;
}

int
djp__otlp_lane_end(djp__otlp_lane *lane, djp__otlp_ending ending, djp__send_result *result)
{
    djp__curl_session_end(lane->transport->session, lane->number);
    if (ending == DJP__OTLP_DONE && otlp_goes_on(lane)) {
        return 0;
    }
    if (lane->phase == DJP__OTLP_PROBING) {
        otlp_end_probe(lane, ending);
        ending = DJP__OTLP_DONE; /* the request had ended before */
    }
    memset(result, 0, sizeof *result);
    result->wire_bytes = lane->exchange.size;
    otlp_judge(lane, ending, result);
    otlp_learn(lane, ending);
    lane->phase = DJP__OTLP_IDLE;
    djp__buf_fini(&lane->exchange.response);
    if (lane->wire.capacity > OTLP_WIRE_KEEP / lane->transport->lane_count) {
        djp__buf_fini(&lane->wire);
    }
    return 1;
}

void
djp__otlp_lane_discard(djp__otlp_lane *lane)
{
    if (lane->phase != DJP__OTLP_IDLE) {
        djp__buf_init(&lane->exchange.response, 0);
    }
    djp__buf_init(&lane->wire, 0);
    lane->phase = DJP__OTLP_IDLE;
    lane->is_warm = 0;
}
