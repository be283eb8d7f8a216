"""The MetricFamily message of Prometheus, decoded by the official protobuf library from a
description of its public fields."""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

U64, I64, DOUBLE, S32, S64, U32, STRING, ENUM = 4, 3, 1, 17, 18, 13, 9, 14
MESSAGES = {
    "Timestamp": [(1, "seconds", I64), (2, "nanos", 5)],
    "LabelPair": [(1, "name", STRING), (2, "value", STRING)],
    "Exemplar": [(1, "label", "LabelPair*"), (2, "value", DOUBLE), (3, "timestamp", "Timestamp")],
    "Gauge": [(1, "value", DOUBLE)],
    "Counter": [(1, "value", DOUBLE), (2, "exemplar", "Exemplar"), (3, "created", "Timestamp")],
    "Quantile": [(1, "quantile", DOUBLE), (2, "value", DOUBLE)],
    "Summary": [
        (1, "sample_count", U64),
        (2, "sample_sum", DOUBLE),
        (3, "quantile", "Quantile*"),
        (4, "created", "Timestamp"),
    ],
    "Bucket": [
        (1, "cumulative_count", U64),
        (2, "upper_bound", DOUBLE),
        (3, "exemplar", "Exemplar"),
    ],
    "BucketSpan": [(1, "offset", S32), (2, "length", U32)],
    "Histogram": [
        (1, "sample_count", U64),
        (2, "sample_sum", DOUBLE),
        (3, "bucket", "Bucket*"),
        (5, "schema", S32),
        (6, "zero_threshold", DOUBLE),
        (7, "zero_count", U64),
        (9, "negative_span", "BucketSpan*"),
        (10, "negative_delta", (S64,)),
        (12, "positive_span", "BucketSpan*"),
        (13, "positive_delta", (S64,)),
        (15, "created", "Timestamp"),
        (16, "exemplars", "Exemplar*"),
    ],
    "Metric": [
        (1, "label", "LabelPair*"),
        (2, "gauge", "Gauge"),
        (3, "counter", "Counter"),
        (4, "summary", "Summary"),
        (7, "histogram", "Histogram"),
    ],
    "MetricFamily": [
        (1, "name", STRING),
        (2, "help", STRING),
        (3, "type", 5),
        (4, "metric", "Metric*"),
        (5, "unit", STRING),
    ],
}
COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM = range(5)


def _message_class():
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/metric_family.proto", package="io.prometheus.client", syntax="proto2"
    )
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            repeated = isinstance(kind, tuple) or (isinstance(kind, str) and kind.endswith("*"))
            added = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if isinstance(kind, str):
                added.type = 11
                added.type_name = ".io.prometheus.client." + kind.rstrip("*")
            else:
                added.type = kind[0] if isinstance(kind, tuple) else kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName("io.prometheus.client.MetricFamily")
    return message_factory.GetMessageClass(found)


MetricFamily = _message_class()


def decode(body: bytes) -> list:
    """The families of delimited messages; fails for bytes that are none or unknown fields."""
    families, at = [], 0
    while at < len(body):
        size = shift = 0
        while True:
            byte = body[at]
            at += 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        assert at + size <= len(body)
        family = MetricFamily.FromString(body[at : at + size])
        assert family.SerializeToString() and family.ByteSize() == size
        families.append(family)
        at += size
    return families


def samples(families: list) -> dict:
    """The samples by name and labels, named as in text."""
    found: dict = {}

    def put(name: str, labels: dict, value: float) -> None:
        key = name, tuple(sorted(labels.items()))
        assert key not in found, key
        found[key] = repr(float(value))

    for family in families:
        for metric in family.metric:
            labels = {pair.name: pair.value for pair in metric.label}
            if family.type == COUNTER:
                put(family.name, labels, metric.counter.value)
            elif family.type == GAUGE:
                put(family.name, labels, metric.gauge.value)
            elif family.type == SUMMARY:
                put(family.name + "_count", labels, metric.summary.sample_count)
                put(family.name + "_sum", labels, metric.summary.sample_sum)
            else:
                for bucket in metric.histogram.bucket:
                    bound = bucket.upper_bound
                    text = "+Inf" if bound == float("inf") else repr(bound)
                    put(family.name + "_bucket", {**labels, "le": text}, bucket.cumulative_count)
                put(family.name + "_count", labels, metric.histogram.sample_count)
                put(family.name + "_sum", labels, metric.histogram.sample_sum)
    return found


def buckets(spans, deltas) -> dict[int, int]:
    """The counts of a native histogram's side by index."""
    found, index, count, at = {}, 0, 0, 0
    for number, span in enumerate(spans):
        assert number == 0 or span.offset >= 0
        index += span.offset
        for _ in range(span.length):
            count += deltas[at]
            assert count >= 0
            found[index] = count
            index, at = index + 1, at + 1
    assert at == len(deltas)
    return found
