/* An OTLP transport, its receiver, and what it reports: for one test program; everything is
 * static. */
#ifndef TESTS_C_OTLP_SENDER_H
#define TESTS_C_OTLP_SENDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "export/otlp_lane.h"
#include "loopback.h"

#define MINUTE UINT64_C(60000000000)
#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define GRPC_METHOD "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

static loopback *receiver;
static djp__otlp_transport *transport; /* NULL: none is open */
static djp__destination destination; /* for the next transport */
static djp__diagnostics diagnostics;
static char last_warning[512];
static int warnings;
static char receiver_url[64];

static void
note_warning(void *user, int level, const char *message)
{
    (void)user;
    (void)level;
    warnings++;
    snprintf(last_warning, sizeof last_warning, "%s", message);
}

static int
begin_receiver(void **state)
{
    (void)state;
    receiver = loopback_new();
    warnings = 0;
    snprintf(receiver_url, sizeof receiver_url, "%s", loopback_url(receiver, "/v1/traces"));
    assert_int_equal(djp__diag_init(&diagnostics, DJP_LOG_WARN, note_warning, NULL), 0);
    destination = (djp__destination){.protocol = DJP_PROTOCOL_HTTP_PROTOBUF,
                                     .endpoint = receiver_url,
                                     .http_path = "/v1/traces",
                                     .grpc_method = GRPC_METHOD,
                                     .decode_partial = djp__response_partial};
    return 0;
}

static void
open_transport(void)
{
    djp__transport *base = NULL;
    assert_int_equal(djp__transport_otlp_new(&base, &destination, "agent/1", &diagnostics), 0);
    transport = (djp__otlp_transport *)base;
}

static void
close_transport(void)
{
    if (transport != NULL) {
        transport->base.ops->free(&transport->base);
        transport = NULL;
    }
}

static int
end_receiver(void **state)
{
    (void)state;
    close_transport();
    loopback_free(receiver);
    djp__diag_fini(&diagnostics);
    return 0;
}

static inline void
speak_grpc(void)
{
    snprintf(receiver_url, sizeof receiver_url, "%s", loopback_url(receiver, ""));
    destination.protocol = DJP_PROTOCOL_GRPC;
}

static const char *const grpc_headers[] = {":status", "200", "content-type", "application/grpc",
                                           NULL};
static const char *const grpc_good[] = {"grpc-status", "0", NULL};

static inline loopback_call
good_call(void)
{
    return (loopback_call){grpc_headers, "\0\0\0\0", 5, grpc_good, 0};
}

static djp__send_result
send_until(const void *body, size_t size, uint64_t deadline)
{
    djp__send_control control = {deadline, NULL, NULL};
    djp__send_result result;
    memset(&result, 0x55, sizeof result);
    transport->base.ops->send(&transport->base, body, size, &control, &result);
    return result;
}

static djp__send_result
send_text(const char *text)
{
    return send_until(text, strlen(text), djp__clock_monotonic() + MINUTE);
}

#define assert_sent(result)                             \
    do {                                                \
        if ((result).outcome != DJP__SENT) {            \
            fail_msg("not sent: %s", (result).message); \
        }                                               \
    } while (0)

static inline void
assert_failure(djp__outcome outcome, long status, const char *part)
{
    djp__send_result result = send_text("body");
    assert_int_equal(result.outcome, outcome);
    assert_int_equal(result.status, status);
    if (strstr(result.message, part) == NULL) {
        fail_msg("%s", result.message);
    }
}

#endif
