"""References and memory: every path of every kind of value into spans, events, links, contexts,
baggage and label values frees all its references. Each round uses new objects, so that a leaked
reference is memory that grows."""

import datetime
import enum
import gc
import itertools
import os
import sys
import tracemalloc
import types
import uuid
from collections import OrderedDict, UserDict, deque

import djp_telemetry
import pytest
from djp_telemetry import Baggage, Context, SpanContext, StatusCode, extract, inject, start_span
from djp_telemetry.metrics import Counter, Gauge, Histogram
from growth import LEAST, ROUNDS, growth, new, references, repeat, traced
from support import telemetry

native = pytest.importorskip("djp_telemetry._native")

LARGE = {"long list": 10, "endless": 20, "nested": 30}  # rounds of values that take their time
_number = itertools.count()


@pytest.fixture(autouse=True, scope="module")
def on():
    with telemetry(backend="hybrid", exporter="file", file_path=os.devnull):
        assert start_span("recorded").is_recording()
        tracemalloc.start()
        try:
            yield
        finally:
            tracemalloc.stop()


class Text(str):
    pass


class Number(int):
    pass


class Colour(enum.Enum):
    RED = "rouge €"


class Mapping:
    """A mapping that is not a dict. A failing one raises at its second key."""

    def __init__(self, fails=""):
        self.fails = fails

    def keys(self):
        if self.fails == "keys":
            raise RuntimeError
        yield new("first")
        if self.fails == "iteration":
            raise RuntimeError
        yield new("second")

    def __getitem__(self, key):
        if self.fails == "item" and key.startswith("second"):
            raise RuntimeError
        return new("value €")


class Unprintable:
    def __str__(self):
        raise RuntimeError

    __repr__ = __str__


def endless():
    own = [new("x")]
    own.append(own)
    return own


def deep():
    value = [new("x")]
    for _ in range(60):
        value = [value, {new("k€"): new("v€")}]
    return value


VALUES = {
    "ascii": lambda: new("plain"),
    "long ascii": lambda: new("a" * 9000),
    "latin": lambda: new("é" * 20),
    "long latin": lambda: new("é" * 5000),
    "at the limit of cached text": lambda: new("é" * 4095),
    "wide": lambda: new("€" * 20),
    "long wide": lambda: new("😀" * 5000),
    "lone surrogate": lambda: new("a\ud800b"),
    "long with a lone surrogate": lambda: new("é\udfff" * 3000),
    "text of a subclass": lambda: Text(new("é")),
    "integer": lambda: 1 << 40 | next(_number),
    "integer beyond 64 bits": lambda: (1 << 70) + next(_number),
    "negative integer beyond 64 bits": lambda: -(1 << 70) - next(_number),
    "integer beyond a double": lambda: 10**400 + next(_number),
    "integer of a subclass": lambda: Number(1 << 70),
    "float": lambda: next(_number) / 7,
    "bytes": lambda: new("b").encode() * 300,
    "bytearray": lambda: bytearray(300),
    "list": lambda: [new("é" * 5000), new("a\ud800"), 1 << 70, None, 1.5 + next(_number)],
    "tuple": lambda: (new("€"), (new("é" * 5000), [new("x")])),
    "empty": lambda: [[], {}, (), "", b""],
    "nested": deep,
    "endless": endless,
    "long list": lambda: [new("x")] * 20001,
    "list with what has no counterpart": lambda: [new("é" * 5000), object(), new("x")],
    "dict": lambda: {
        new("é" * 5000): new("v"),
        new("k\ud800"): 1 << 70,
        new("n"): {new("€"): [new("€")]},
    },
    "dict with keys that are no text": lambda: {7: new("x"), None: 1, (new("a"),): [new("é")]},
    "dict with what has no counterpart": lambda: {
        new("k"): object(),
        new("é" * 5000): new("é" * 5000),
    },
    "dict of a subclass": lambda: OrderedDict([(new("k"), new("é" * 5000))]),
    "user dict": lambda: UserDict({new("k"): new("é" * 5000), new("l"): 1 << 70}),
    "mapping proxy": lambda: types.MappingProxyType({new("k"): new("é" * 5000)}),
    "mapping": Mapping,
    "mapping without keys": lambda: Mapping("keys"),
    "mapping whose keys fail": lambda: Mapping("iteration"),
    "mapping whose items fail": lambda: Mapping("item"),
    "generator": lambda: (new("x") for _ in range(3)),
    "set": lambda: {new("é"), new("x")},
    "deque": lambda: deque([new("é" * 5000)]),
    "range": lambda: range(1000, 1010),
    "moment": lambda: datetime.datetime.now(datetime.timezone.utc),
    "duration": lambda: datetime.timedelta(seconds=next(_number)),
    "uuid": uuid.uuid4,
    "enumeration": lambda: Colour.RED,
    "complex": lambda: complex(1, next(_number)),
    "object": object,
    "unprintable": Unprintable,
    "exception": lambda: ValueError(new("é" * 5000)),
    "none": lambda: None,
}

counter = Counter("leaks", "c", ["a"])
pair = Gauge("leaks_pair", "g", ["a", "b"])
histogram = Histogram("leaks_seconds", "h", ["a"])
LINK = SpanContext(1, 1)


def labelled(value):
    counter.labels(value).inc()
    counter.labels(a=value).inc()
    pair.labels(value, value).set(1)
    histogram.labels(value).observe(1)
    counter.remove(value)
    for metric in (counter, pair, histogram):
        metric.clear()


def propagated(value):
    with djp_telemetry.attach(
        extract({"traceparent": value, "tracestate": value, "baggage": value})
    ):
        inject({})
    extract(value)
    extract([(value, value)])
    inject(value)


def requested(value):
    call = native._http_call(value, value)
    call.respond(value, value, value)
    call.end(value, value)
    call.end()


def as_baggage(value):
    bag = Baggage(value).set("k", "v", None)
    if isinstance(value, str):
        bag = bag.set("key", value, value).set(value, "v")
        bag.get(value)
        bag.remove(value)
    Context(None, bag).baggage.items()
    repr(bag)
    hash(bag)
    assert bag == Baggage(bag.to_header())


def options(value):
    with start_span("n", {"k": value}, links=[LINK, value]):
        pass
    with start_span(value if isinstance(value, str) else "n", value):
        pass


def failed(value):
    try:
        with start_span("n"):
            raise ValueError(value)
    except ValueError:
        pass


SPAN_PATHS = {
    "set_attribute": lambda span, value: span.set_attribute("k", value),
    "key": lambda span, value: span.set_attribute(value, 1),
    "set_attributes": lambda span, value: span.set_attributes({"k": value, "l": value}),
    "set_attributes of it": lambda span, value: span.set_attributes(value),
    "event": lambda span, value: span.add_event("e", {"k": value}),
    "event of it": lambda span, value: span.add_event("e", value),
    "link": lambda span, value: span.add_link(LINK, {"k": value}),
    "link of it": lambda span, value: span.add_link(LINK, value),
    "link to it": lambda span, value: span.add_link(value),
    "exception": lambda span, value: span.record_exception(ValueError(value), {"k": value}),
    "exception of it": lambda span, value: span.record_exception(value),
}
TEXT_PATHS = {
    "event's name": lambda span, value: span.add_event(value),
    "name": lambda span, value: span.update_name(value),
    "status": lambda span, value: span.set_status(StatusCode.ERROR, value),
}
PATHS = {
    "labels": labelled,
    "propagation": propagated,
    "baggage": as_baggage,
    "start": options,
    "raised": failed,
    "request": requested,
}


def on_span(path):
    def call(value):
        span = start_span("leak")
        try:
            path(span, value)
        except TypeError:  # a name that is no text
            pass
        finally:
            span.end()

    return call


ALL = {**{name: on_span(path) for name, path in {**SPAN_PATHS, **TEXT_PATHS}.items()}, **PATHS}


@pytest.mark.parametrize("kind", list(VALUES))
def test_values_are_given_back(kind):
    make = VALUES[kind]
    found = {}
    for name, path in ALL.items():
        if name in TEXT_PATHS and not isinstance(make(), str):
            continue
        grown = growth(lambda path=path: path(make()), LARGE.get(kind, ROUNDS))
        if grown >= LEAST:
            found[name] = grown
    assert not found, f"bytes kept by each call: {found}"


def test_a_leak_would_be_seen():
    kept = []
    assert growth(lambda: kept.append(1 << 40 | next(_number))) >= LEAST


def contexts():
    span = start_span("n")
    with djp_telemetry.use_span(span):
        context = djp_telemetry.get_current_context()
        token = djp_telemetry.attach(context)
        djp_telemetry.detach(token)
        djp_telemetry.get_current_span()
        djp_telemetry.get_current_trace_id()
    state = extract(
        {"traceparent": f"00-{1:032x}-{1:016x}-01", "tracestate": "a=1", "baggage": "b=2"}
    )
    with djp_telemetry.attach(state), start_span("child", parent=state) as child:
        for one in (child.get_span_context(), state.get_span_context(), SpanContext(1, 2, 1)):
            (
                repr(one),
                hash(one),
                one == SpanContext(1, 2, 1),
                one.trace_state.to_header(),
                one.trace_flags.sampled,
            )
        inject([])
        inject({}, lambda carrier, key, value: carrier.update({key: value}))
    span.end()


@djp_telemetry.get_tracer("leaks", "1").start_as_current_span("c")
def decorated():
    return new("x")


@djp_telemetry.traced("d")
def generator():
    yield new("x")


def tracers():
    tracer = djp_telemetry.get_tracer("leaks", "1")
    with tracer.start_as_current_span("a", attributes={"k": new("é" * 5000)}):
        tracer.start_span("b").end()

    decorated()
    list(generator())


TYPES = [
    type(djp_telemetry.INVALID_SPAN),
    Baggage,
    Context,
    SpanContext,
    djp_telemetry.TraceFlags,
    djp_telemetry.TraceState,
    djp_telemetry.Tracer,
    Counter,
    Gauge,
    Histogram,
]


def metrics():
    labels = new("é" * 3000)
    for metric, record in ((Counter, "inc"), (Gauge, "inc")):
        made = metric("leaks_made", "m", ["a"])
        getattr(made.labels(labels), record)()
    with Histogram("leaks_timed_seconds", "m").time():
        pass
    for metric in (counter, pair, histogram):
        metric.clear()


@pytest.mark.parametrize("call", [contexts, tracers, metrics])
def test_objects_are_given_back(call):
    assert growth(call) < LEAST


def test_modules_that_help_have_no_references_too_many():
    def call():
        with start_span("n") as span:
            span.set_attribute("k", uuid.uuid4())
            span.add_event("e", {"k": object()})
            span.record_exception(ValueError("x"))

    repeat(call, 10)
    modules = [module for name, module in sys.modules.items() if name.startswith("djp_telemetry.")]
    added = references(call, *modules)
    assert not any(added), [m.__name__ for m, n in zip(modules, added) if n]


def test_parents_of_every_form_are_given_back():
    class Told:
        """A span of another library, whose ids come from its methods."""

        def __init__(self):
            self.text = new("x" * 500)

        def get_span_context(self):
            return SpanContext(int("1" + self.text[-1]), 7, 1)

    def call():
        span = start_span(new("p" * 500))
        for parent in (
            span,
            Context(span),
            Told(),
            SpanContext(3, 4),
            extract({"traceparent": f"00-{5:032x}-{6:016x}-01"}),
            None,
            object(),
        ):
            start_span("n", parent=parent).end()
            start_span("n", links=[parent]).end()
        span.end()

    assert growth(call) < LEAST


def out_of_order():
    outer, inner = start_span("outer"), start_span("inner")
    for span in (outer, inner):
        span.__enter__()
    for span in (outer, inner):
        span.__exit__(None, None, None)


def converted():
    with start_span("n") as span:
        span.set_attribute("k", uuid.UUID(int=1))


@pytest.mark.parametrize("call", [lambda: failed("text"), out_of_order, converted])
def test_names_are_not_new_at_each_call(call):
    """The interpreter's cache of attributes keeps each name that it sees, until it is full."""
    sys._clear_type_cache()
    repeat(call, 10)
    gc.collect()
    before = traced()
    repeat(call, ROUNDS)
    gc.collect()
    assert traced() - before < LEAST * ROUNDS


@pytest.mark.parametrize("call", [contexts, tracers, metrics])
def test_types_have_no_references_too_many(call):
    added = references(call, *TYPES)
    assert not any(added), [kind.__name__ for kind, n in zip(TYPES, added) if n]
