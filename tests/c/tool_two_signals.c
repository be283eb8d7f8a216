/* Sends spans and events, the second signal of the tests, from one instance to a receiver:
 *   tool_two_signals http|grpc|json SPANS-ENDPOINT EVENTS-ENDPOINT
 * Prints what became of them as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "djp/djp.h"
#include "events_signal.h"

enum { TOOL_SPANS = 30, TOOL_EVENTS = 100 };
#define TOOL_SECOND UINT64_C(1000000000)

static const char *
tool_no_variables(void *user, const char *name)
{
    (void)user;
    (void)name;
    return NULL;
}

static djp_sdk *
tool_sdk(const char *protocol, const char *endpoint)
{
    const djp_config_override overrides[] = {
        {"enabled", "true"},     {"backend", "otel"},         {"exporter", "otlp"},
        {"protocol", protocol},  {"endpoint", endpoint},      {"sample_ratio", "1"},
        {"service_name", "two"}, {"compression", "none"},     {"handle_sigterm", "false"},
        {"flush_interval", "5"}, {"shutdown_timeout", "0.5"},
    };
    djp_options options;
    djp_sdk *sdk = NULL;
    size_t count = sizeof overrides / sizeof overrides[0];
    int code =
        djp_config_resolve(&options, tool_no_variables, NULL, overrides, count, "tool", NULL, NULL);
    if (code == 0) {
        code = djp_sdk_new(&sdk, &options, NULL, NULL, NULL);
        djp_options_fini(&options);
    }
    if (code != 0) {
        fprintf(stderr, "no SDK: %d\n", code);
        exit(1);
    }
    return sdk;
}

static void
tool_print(const char *name, const djp__pipeline *pipeline, const char *end)
{
    const djp__export_stats *stats = &pipeline->stats;
    printf("\"%s\":{\"exported\":%" PRIu64 ",\"rejected\":%" PRIu64 ",\"retries\":%" PRIu64
           ",\"transport\":\"%s\"}%s",
           name, djp__load_relaxed(&stats->items_exported),
           djp__load_relaxed(&stats->lost[DJP__LOSS_REJECTED]), djp__load_relaxed(&stats->retries),
           pipeline->transport->ops->name, end);
}

int
main(int argc, char **argv)
{
    events events;
    djp__transport *transport;
    if (argc != 5) {
        fprintf(stderr, "usage: %s http|grpc|json spans-endpoint events-endpoint seconds\n",
                argv[0]);
        return 2;
    }
    const char *protocol = strcmp(argv[1], "grpc") == 0   ? "grpc"
                           : strcmp(argv[1], "json") == 0 ? "http/json"
                                                          : "http/protobuf";
    djp_sdk *sdk = tool_sdk(protocol, argv[2]);
    djp__destination destination =
        djp__destination_of_traces(djp_sdk_options(sdk), &events_signal.route);
    destination.endpoint = argv[3];
    destination.headers = "x-signal: events"; /* a destination has its own headers */
    destination.compress = 1;
    if (djp__transport_otlp_new(&transport, &destination, "djp-telemetry-test/1", &sdk->diag) !=
            0 ||
        events_start(&events, sdk, transport, 1 << 16) != 0) {
        return 1;
    }
    for (int i = 0; i < TOOL_SPANS; i++) {
        djp_span *span = djp_span_start(djp_sdk_recorder(sdk), (djp_text){"span", 4}, NULL);
        djp_span_end(span, 0);
        djp_span_release(span);
    }
    for (int i = 0; i < TOOL_EVENTS; i++) {
        event_add(&events, "something happened");
    }
    int flushed = djp_sdk_flush(sdk, strtoull(argv[4], NULL, 10) * TOOL_SECOND);
    printf("{\"flush\":%d,", flushed);
    tool_print("spans", &sdk->traces, ",");
    tool_print("events", events.pipeline, "}\n");
    djp_sdk_free(sdk);
    djp__ring_free(events.ring);
    return 0;
}
