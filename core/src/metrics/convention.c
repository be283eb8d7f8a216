/* Tables from the names of Prometheus to those of OTLP. A unit in words becomes its UCUM code. */
#include "metrics/convention.h"

#include "base/str.h"

typedef struct convention_row {
    const char *name, *convention, *unit;
} convention_row;

static const convention_row convention_families[] = {
    {"http_server_request_duration_seconds", "http.server.request.duration", "s"},
    {"http_server_active_requests", "http.server.active_requests", "{request}"},
    {"http_server_request_body_size_bytes", "http.server.request.body.size", "By"},
    {"http_server_response_body_size_bytes", "http.server.response.body.size", "By"},
    {"http_client_request_duration_seconds", "http.client.request.duration", "s"},
    {"otel_sdk_span_started", "otel.sdk.span.started", "{span}"},
    {"otel_sdk_span_live", "otel.sdk.span.live", "{span}"},
    {"otel_sdk_processor_span_queue_size", "otel.sdk.processor.span.queue.size", "{span}"},
    {"otel_sdk_processor_span_queue_capacity", "otel.sdk.processor.span.queue.capacity", "{span}"},
    {"otel_sdk_processor_span_processed", "otel.sdk.processor.span.processed", "{span}"},
    {"otel_sdk_exporter_span_inflight", "otel.sdk.exporter.span.inflight", "{span}"},
    {"otel_sdk_exporter_span_exported", "otel.sdk.exporter.span.exported", "{span}"},
    {"otel_sdk_exporter_metric_data_point_inflight", "otel.sdk.exporter.metric_data_point.inflight",
     "{data_point}"},
    {"otel_sdk_exporter_metric_data_point_exported", "otel.sdk.exporter.metric_data_point.exported",
     "{data_point}"},
    {"otel_sdk_exporter_operation_duration_seconds", "otel.sdk.exporter.operation.duration", "s"},
    {"otel_sdk_metric_reader_collection_duration_seconds",
     "otel.sdk.metric_reader.collection.duration", "s"},
    {"nodejs_eventloop_lag_min_seconds", "nodejs.eventloop.delay.min", "s"},
    {"nodejs_eventloop_lag_max_seconds", "nodejs.eventloop.delay.max", "s"},
    {"nodejs_eventloop_lag_mean_seconds", "nodejs.eventloop.delay.mean", "s"},
    {"nodejs_eventloop_lag_stddev_seconds", "nodejs.eventloop.delay.stddev", "s"},
    {"nodejs_eventloop_lag_p50_seconds", "nodejs.eventloop.delay.p50", "s"},
    {"nodejs_eventloop_lag_p90_seconds", "nodejs.eventloop.delay.p90", "s"},
    {"nodejs_eventloop_lag_p99_seconds", "nodejs.eventloop.delay.p99", "s"},
    {"nodejs_eventloop_utilization_ratio", "nodejs.eventloop.utilization", "1"},
    {"nodejs_gc_duration_seconds", "v8js.gc.duration", "s"},
    {"nodejs_heap_space_size_total_bytes", "v8js.memory.heap.limit", "By"},
    {"nodejs_heap_space_size_used_bytes", "v8js.memory.heap.used", "By"},
    {"nodejs_heap_space_size_available_bytes", "v8js.memory.heap.space.available_size", "By"},
    {"python_gc_collections", "cpython.gc.collections", "{collection}"},
    {"python_gc_objects_collected", "cpython.gc.collected_objects", "{object}"},
    {"python_gc_objects_uncollectable", "cpython.gc.uncollectable_objects", "{object}"},
};

static const struct {
    const char *label, *key;
    int is_integer;
} convention_labels[] = {
    {"error_type", "error.type", 0},
    {"generation", "cpython.gc.generation", 1},
    {"http_request_method", "http.request.method", 0},
    {"http_response_status_code", "http.response.status_code", 1},
    {"http_route", "http.route", 0},
    {"kind", "v8js.gc.type", 0},
    {"network_protocol_name", "network.protocol.name", 0},
    {"network_protocol_version", "network.protocol.version", 0},
    {"otel_component_name", "otel.component.name", 0},
    {"otel_component_type", "otel.component.type", 0},
    {"otel_span_parent_origin", "otel.span.parent.origin", 0},
    {"otel_span_sampling_result", "otel.span.sampling_result", 0},
    {"server_address", "server.address", 0},
    {"server_port", "server.port", 1},
    {"space", "v8js.heap.space.name", 0},
    {"url_scheme", "url.scheme", 0},
    {"url_template", "url.template", 0},
};

static const struct {
    const char *word, *code;
} convention_units[] = {
    {"seconds", "s"},     {"milliseconds", "ms"}, {"microseconds", "us"}, {"nanoseconds", "ns"},
    {"minutes", "min"},   {"hours", "h"},         {"days", "d"},          {"bytes", "By"},
    {"kilobytes", "kBy"}, {"megabytes", "MBy"},   {"kibibytes", "KiBy"},  {"mebibytes", "MiBy"},
    {"ratio", "1"},       {"percent", "%"},       {"celsius", "Cel"},     {"meters", "m"},
    {"joules", "J"},      {"volts", "V"},         {"amperes", "A"},       {"watts", "W"},
    {"grams", "g"},       {"hertz", "Hz"},
};

#define CONVENTION_COUNT(table) (sizeof table / sizeof table[0])

djp__convention
djp__convention_of(djp_text name, djp_text unit)
{
    for (size_t i = 0; i < CONVENTION_COUNT(convention_families); i++) {
        const convention_row *row = &convention_families[i];
        if (djp__text_equal(name, row->name)) {
            return (djp__convention){djp__text(row->convention), djp__text(row->unit), 1};
        }
    }
    for (size_t i = 0; i < CONVENTION_COUNT(convention_units); i++) {
        if (djp__text_equal(unit, convention_units[i].word)) {
            return (djp__convention){name, djp__text(convention_units[i].code), 0};
        }
    }
    return (djp__convention){name, unit, 0};
}

djp_text
djp__convention_label(djp_text label, int *is_integer)
{
    *is_integer = 0;
    for (size_t i = 0; i < CONVENTION_COUNT(convention_labels); i++) {
        if (djp__text_equal(label, convention_labels[i].label)) {
            *is_integer = convention_labels[i].is_integer;
            return djp__text(convention_labels[i].key);
        }
    }
    return label;
}
