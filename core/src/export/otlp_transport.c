/* The OTLP transport: sends requests to one receiver over HTTP (protobuf or JSON) or as gRPC calls
 * over HTTP/2, several at once. It sends each request once (twice if a reused connection is dead)
 * and returns the result; it does not retry or follow redirects. */
#include <string.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/mem.h"
#include "djp/error.h"
#include "export/otlp_lane.h"
#include "net/outcome.h"

/* New certificates, and descriptors closed by other code, require a new session ... */
static int
otlp_must_retire(const djp__otlp_transport *transport, int failed)
{
    djp__curl_session *session = transport->session;
    return djp__curl_session_is_robbed(session) ||
           djp__curl_session_is_outdated(session, &transport->target, &transport->destination,
                                         failed);
}

/* ... when no lane uses the old one: nothing begins until then. */
static int
otlp_may_begin(djp__otlp_transport *transport)
{
    if (transport->busy == transport->lane_count) {
        return 0;
    }
    if (transport->busy > 0 && !transport->is_retiring) {
        transport->is_retiring = otlp_must_retire(transport, 0);
    }
    return !transport->is_retiring || transport->busy == 0;
}

static void
otlp_retire_session(djp__otlp_transport *transport)
{
    if (djp__curl_session_is_robbed(transport->session)) {
        djp__curl_session_abandon(transport->session);
    } else {
        djp__curl_session_free(transport->session);
    }
    transport->session = NULL;
}

/* Creates the session if there is none; 0 and a result on failure. */
static int
otlp_open_session(djp__otlp_transport *transport, djp__send_result *result)
{
    char why[256];
    if (transport->session != NULL && transport->busy == 0 &&
        (transport->is_retiring || otlp_must_retire(transport, transport->has_failed))) {
        otlp_retire_session(transport);
    }
    transport->is_retiring = 0;
    if (transport->session != NULL) {
        return 1;
    }
    if (!transport->reported_ignored_headers && transport->headers.ignored > 0) {
        djp__diag(transport->diag, DJP_LOG_WARN,
                  "%zu of the configured OTLP headers are malformed or belong to the protocol; "
                  "they are not sent.",
                  transport->headers.ignored);
    }
    transport->reported_ignored_headers = 1;
    if (djp__curl_session_new(&transport->session, &transport->target, &transport->destination,
                              transport->user_agent, why) != 0) {
        djp__send_result_set(result, DJP__SEND_RETRY, "%s: %.200s", transport->shown, why);
        return 0;
    }
    for (unsigned i = 0; i < transport->lane_count; i++) {
        transport->lanes[i].is_warm = 0;
    }
    if (djp__files_are_parted()) { /* an SDK thread, with all signals blocked */
        djp__store_release(&transport->sender, djp__thread_number());
    }
    return 1;
}

/* 0 and a result: the job ended before it began. */
static int
otlp_begin(djp__otlp_transport *transport, const djp__send_job *job, djp__send_result *result)
{
    uint64_t most = transport->destination.max_request_bytes;
    memset(result, 0, sizeof *result);
    if (most && job->size > most) {
        djp__send_result_set(result, DJP__SEND_REJECTED,
                             "a request of %zu bytes is over the limit of %llu and was not sent",
                             job->size, (unsigned long long)most);
        return 0;
    }
    if (djp__clock_monotonic() >= job->deadline) {
        djp__send_result_set(result, DJP__SEND_ABORTED,
                             "%s: the time limit passed before the request was sent",
                             transport->shown);
        return 0;
    }
    djp__otlp_lane *lane = transport->lanes;
    while (lane->phase != DJP__OTLP_IDLE) {
        lane++;
    }
    if (!otlp_open_session(transport, result) || !djp__otlp_lane_begin(lane, job, result)) {
        return 0;
    }
    transport->busy++;
    return 1;
}

/* Starts jobs of the feed while there are idle lanes. */
static void
otlp_fill(djp__otlp_transport *transport, const djp__send_feed *feed)
{
    djp__send_job job;
    djp__send_result result;
    while (otlp_may_begin(transport) && feed->next(feed->user, &job)) {
        if (!otlp_begin(transport, &job, &result)) {
            feed->done(feed->user, job.tag, &result);
        }
    }
}

/* Reports the tag last: the receiver of it may free the body. */
static void
otlp_end(djp__otlp_lane *lane, djp__otlp_ending ending, const djp__send_feed *feed)
{
    djp__send_result result;
    if (!djp__otlp_lane_end(lane, ending, &result)) {
        return;
    }
    lane->transport->busy--;
    feed->done(feed->user, lane->job.tag, &result);
}

/* Ends lanes with a response or a passed deadline, or all; returns their number. */
static unsigned
otlp_harvest(djp__otlp_transport *transport, const djp__send_feed *feed, int give_up)
{
    uint64_t now = djp__clock_monotonic();
    unsigned busy = transport->busy;
    for (unsigned i = 0; i < transport->lane_count && transport->busy > 0; i++) {
        djp__otlp_lane *lane = &transport->lanes[i];
        if (lane->phase == DJP__OTLP_IDLE) {
            continue;
        }
        if (djp__curl_session_is_done(transport->session, i)) {
            otlp_end(lane, DJP__OTLP_DONE, feed);
        }
        if (lane->phase != DJP__OTLP_IDLE && give_up) {
            otlp_end(lane, DJP__OTLP_ABORTED, feed);
        } else if (lane->phase != DJP__OTLP_IDLE && now >= lane->deadline) {
            otlp_end(lane, DJP__OTLP_TIMED_OUT, feed);
        }
    }
    return busy - transport->busy;
}

static uint64_t
otlp_next_deadline(const djp__otlp_transport *transport)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < transport->lane_count; i++) {
        const djp__otlp_lane *lane = &transport->lanes[i];
        if (lane->phase != DJP__OTLP_IDLE && lane->deadline < next) {
            next = lane->deadline;
        }
    }
    return next;
}

static void
otlp_run(djp__transport *base, const djp__send_feed *feed)
{
    djp__otlp_transport *transport = (djp__otlp_transport *)base;
    djp__sigpipe guard;
    djp__sigpipe_block(&guard);
    transport->is_sending = 1;
    for (;;) {
        otlp_fill(transport, feed);
        if (transport->busy == 0) {
            break;
        }
        djp__curl_session_step(transport->session);
        unsigned ended = otlp_harvest(transport, feed, 0);
        int wish = transport->busy > 0 || ended == 0 ? feed->poll(feed->user) : DJP__SEND_GO_ON;
        if (wish == DJP__SEND_GIVE_UP) {
            otlp_harvest(transport, feed, 1);
            break;
        }
        if (ended == 0) {
            djp__curl_session_wait(transport->session, otlp_next_deadline(transport));
        }
        if (wish == DJP__SEND_PAUSE) {
            break;
        }
    }
    transport->is_sending = transport->busy > 0;
    djp__sigpipe_restore(&guard);
}

/* A feed of one job. */
typedef struct otlp_single {
    const djp__send_control *control;
    djp__send_job job;
    int given;
    djp__send_result *result;
} otlp_single;

static int
otlp_single_poll(void *user)
{
    const djp__send_control *control = ((otlp_single *)user)->control;
    return control->poll && control->poll(control->user);
}

static int
otlp_single_next(void *user, djp__send_job *job)
{
    otlp_single *single = user;
    *job = single->job;
    return !single->given++;
}

static void
otlp_single_done(void *user, void *tag, const djp__send_result *result)
{
    (void)tag;
    *((otlp_single *)user)->result = *result;
}

static void
otlp_send(djp__transport *base, const void *body, size_t size, const djp__send_control *control,
          djp__send_result *result)
{
    otlp_single single = {control, {body, size, control->deadline, NULL}, 0, result};
    const djp__send_feed feed = {otlp_single_poll, otlp_single_next, otlp_single_done, &single};
    otlp_run(base, &feed);
}

static void
otlp_wake(djp__transport *base)
{
    pid_t sender = djp__load_acquire(&((djp__otlp_transport *)base)->sender);
    if (sender) {
        djp__thread_notify(sender);
    }
}

static void
otlp_abandon(djp__transport *base)
{
    djp__otlp_transport *transport = (djp__otlp_transport *)base;
    djp__curl_session *session = transport->session;
    djp__store_release(&transport->sender, 0);
    for (unsigned i = 0; i < transport->lane_count; i++) {
        transport->lanes[i].is_warm = 0;
        if (transport->is_sending) {
            djp__otlp_lane_discard(&transport->lanes[i]);
        }
    }
    transport->busy = 0;
    transport->is_sending = 0;
    transport->is_retiring = 0;
    transport->session = NULL;
    if (session != NULL) {
        djp__curl_session_abandon(session);
    }
}

static void
otlp_drop_session(djp__otlp_transport *transport)
{
    djp__sigpipe guard;
    djp__store_release(&transport->sender, 0);
    djp__sigpipe_block(&guard); /* closing TLS may write to a closed connection */
    djp__curl_session_free(transport->session);
    djp__sigpipe_restore(&guard);
    transport->session = NULL;
}

static void
otlp_leave(djp__transport *base)
{
    if (!djp__curl_is_over()) { /* the process ends, and no thread waits for this one */
        otlp_drop_session((djp__otlp_transport *)base);
    }
}

static void
otlp_free(djp__transport *base)
{
    djp__otlp_transport *transport = (djp__otlp_transport *)base;
    if (transport == NULL) {
        return;
    }
    otlp_drop_session(transport);
    djp__curl_target_fini(&transport->target);
    djp__curl_headers_fini(&transport->headers);
    djp__gzip_free(transport->gzip);
    for (unsigned i = 0; transport->lanes && i < transport->lane_count; i++) {
        djp__buf_fini(&transport->lanes[i].wire);
    }
    djp__free(transport->lanes);
    djp__free(transport->user_agent);
    djp__free(transport);
}

static const djp__transport_ops otlp_http_ops = {
    "otlp_http", otlp_send, otlp_wake, otlp_abandon, otlp_free, otlp_leave, 0, 0, otlp_run};
static const djp__transport_ops otlp_grpc_ops = {
    "otlp_grpc", otlp_send, otlp_wake, otlp_abandon, otlp_free, otlp_leave, 0, 0, otlp_run};

static const char *const *
otlp_fixed_headers(djp_protocol protocol)
{
    /* A name without a value removes a header that libcurl sends by default. */
    static const char *const grpc[] = {"Content-Type: application/grpc", "TE: trailers",
                                       "Expect:", "Accept:", NULL};
    static const char *const protobuf[] = {"Content-Type: application/x-protobuf", "Expect:", NULL};
    static const char *const json[] = {"Content-Type: application/json", "Expect:", NULL};
    return protocol == DJP_PROTOCOL_GRPC        ? grpc
           : protocol == DJP_PROTOCOL_HTTP_JSON ? json
                                                : protobuf;
}

static int
otlp_init_lanes(djp__otlp_transport *transport, unsigned wanted)
{
    transport->lane_count = wanted < 1                     ? 1
                            : wanted < DJP__CURL_LANES_MAX ? wanted
                                                           : DJP__CURL_LANES_MAX;
    transport->lanes = djp__calloc(transport->lane_count, sizeof *transport->lanes);
    for (unsigned i = 0; transport->lanes && i < transport->lane_count; i++) {
        transport->lanes[i].transport = transport;
        transport->lanes[i].number = i;
        djp__buf_init(&transport->lanes[i].wire, 0);
    }
    return transport->lanes ? 0 : DJP_ENOMEM;
}

static int
otlp_init(djp__otlp_transport *transport, const djp__destination *destination,
          const char *user_agent)
{
    int code = djp__curl_target_init(&transport->target, destination);
    if (code != 0) {
        return code;
    }
    size_t shown_size = strlen(transport->target.shown);
    memcpy(transport->shown, transport->target.shown,
           shown_size < DJP__OTLP_SHOWN_MAX ? shown_size : DJP__OTLP_SHOWN_MAX);
    code = djp__curl_headers_init(&transport->headers, otlp_fixed_headers(destination->protocol),
                                  destination->headers);
    if (code == 0) {
        code = otlp_init_lanes(transport, destination->concurrency);
    }
    if (code == 0 && destination->compress) {
        code = djp__gzip_new(&transport->gzip);
    }
    transport->user_agent =
        djp__strdup(user_agent != NULL ? user_agent : "djp-telemetry-exporter-c");
    if (code == 0 && transport->user_agent == NULL) {
        code = DJP_ENOMEM;
    }
    if (code == 0) {
        code = djp__curl_start();
    }
    transport->breaks_reuse = djp__curl_breaks_reuse();
    return code;
}

int
djp__transport_otlp_new(djp__transport **out, const djp__destination *destination,
                        const char *user_agent, djp__diagnostics *diag)
{
    *out = NULL;
    djp__otlp_transport *transport = djp__calloc(1, sizeof *transport);
    if (transport == NULL) {
        return DJP_ENOMEM;
    }
    transport->base.ops =
        destination->protocol == DJP_PROTOCOL_GRPC ? &otlp_grpc_ops : &otlp_http_ops;
    transport->destination = *destination;
    transport->diag = diag;
    int code = otlp_init(transport, destination, user_agent);
    if (code != 0) {
        otlp_free(&transport->base);
        return code;
    }
    *out = &transport->base;
    return 0;
}
