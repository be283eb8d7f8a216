"""Parents of every form: our own objects, those of other libraries and mappings with a span in
them; and Context, the pair of a span and baggage."""

import copy
import pickle

import djp_telemetry
import pytest
from djp_telemetry import Baggage, Context, Span, SpanContext, extract, get_tracer, start_span
from growth import gives_back, heap, new, references
from starve import starves_well
from support import take, telemetry

pytest.importorskip("djp_telemetry._native")
PARENT = f"00-{0xABC:032x}-{0xDEF:016x}-01"


@pytest.fixture(autouse=True)
def memory():
    with telemetry():
        yield


def ids(span):
    return span.get_span_context().span_id.to_bytes(8, "big")


def test_parents_of_every_form():
    with start_span("parent") as parent:
        pass
    remote = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=1, trace_state="k=v")
    carrier = {"traceparent": f"00-{0xABC:032x}-{0xDEF:016x}-01"}
    with start_span("around"):
        start_span("by span", parent=parent).end()
        start_span("by context", parent=parent.get_span_context()).end()
        start_span("by remote", parent=remote).end()
        start_span("by carrier", parent=djp_telemetry.extract(carrier)).end()
        start_span("root", parent=djp_telemetry.extract({})).end()
        start_span("by invalid", parent=SpanContext(0, 0)).end()
        start_span("by nonsense", parent=object()).end()
        start_span("by default", parent=None).end()
    spans = take()
    parent_id, around = ids(parent), spans.one("around")
    assert (
        spans.one("by span").parent_span_id == spans.one("by context").parent_span_id == parent_id
    )
    assert spans.one("by remote").trace_id == (0xABC).to_bytes(16, "big")
    assert "k=v" in spans.one("by remote").trace_state
    assert spans.one("by carrier").parent_span_id == (0xDEF).to_bytes(8, "big")
    assert spans.one("by default").parent_span_id == around.span_id
    for name in ("root", "by invalid", "by nonsense"):
        assert spans.one(name).parent_span_id == b"" and spans.one(name).trace_id != around.trace_id


def test_opentelemetry_contexts_are_parents():
    trace = pytest.importorskip("opentelemetry.trace")
    context = trace.SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=trace.TraceFlags(1))
    with_span = trace.set_span_in_context(trace.NonRecordingSpan(context))
    get_tracer("t").start_span("child", with_span).end()
    get_tracer("t").start_span("child2", context=with_span).end()
    assert [span.parent_span_id for span in take()] == [(0xDEF).to_bytes(8, "big")] * 2


class Told:
    """A span of another library."""

    def __init__(self, context):
        self.context = context

    def get_span_context(self):
        return self.context


class Raising:
    def get_span_context(self):
        raise RuntimeError

    @property
    def trace_id(self):
        raise RuntimeError


class Ids:
    """A span context of another library."""

    trace_id, span_id, trace_flags = 0xABC, 0xDEF, 1


def found(parent):
    """Trace id and parent id of a span with that parent."""
    start_span("child", parent=parent).end()
    span = take().one("child")
    return int.from_bytes(span.trace_id, "big"), int.from_bytes(span.parent_span_id, "big")


REMOTE = SpanContext(0xABC, 0xDEF, True, 1)
REMOTES = {
    "span context": lambda: REMOTE,
    "span": lambda: extract({"traceparent": PARENT}).span,
    "context": lambda: extract({"traceparent": PARENT}),
    "foreign span": lambda: Told(REMOTE),
    "foreign span and context": lambda: Told(Ids()),
    "foreign span with a span": lambda: Told(extract({"traceparent": PARENT}).span),
    "foreign context": Ids,
    "mapping with a span": lambda: {"span": extract({"traceparent": PARENT}).span},
    "mapping with a foreign span": lambda: {"other": 1, "span": Told(REMOTE), "more": 2},
    "mapping with a span context": lambda: {"x": None, "span": REMOTE},
    "mapping whose first is not valid": lambda: {"a": SpanContext(0, 0), "b": Told(Ids())},
}


@pytest.mark.parametrize("form", list(REMOTES))
def test_remote_parents(form):
    assert found(REMOTES[form]()) == (0xABC, 0xDEF)
    with start_span("around"):
        assert found(REMOTES[form]()) == (0xABC, 0xDEF)
    context = Context(REMOTES[form]())
    assert context.get_span_context().trace_id == 0xABC and found(context) == (0xABC, 0xDEF)


ROOTS = {
    "nothing in it": lambda: {},
    "headers": lambda: {"traceparent": PARENT},
    "a context without ids": lambda: SpanContext(0, 0),
    "a half context": lambda: SpanContext(5, 0),
    "an empty Context": Context,
    "one that raises": Raising,
    "a mapping with one that raises": lambda: {"span": Raising()},
    "foreign nothing": lambda: Told(None),
    "foreign text": lambda: Told("x"),
    "a list": lambda: [REMOTE],
    "a number": lambda: 7,
    "the span without ids": lambda: djp_telemetry.INVALID_SPAN,
    "baggage": lambda: Baggage("a=1"),
}


@pytest.mark.parametrize("form", list(ROOTS))
def test_parents_that_are_none_begin_a_trace(form):
    with start_span("around") as around:
        trace_id, parent_id = found(ROOTS[form]())
    assert parent_id == 0 and trace_id not in (0, around.context.trace_id)
    assert not Context(ROOTS[form]()).get_span_context().is_valid


@pytest.mark.parametrize("wrap", [Told, lambda span: span, Context, lambda span: {"s": span}])
def test_local_parents(wrap):
    with start_span("parent") as parent:
        pass
    trace_id, parent_id = found(wrap(parent))
    assert (trace_id, parent_id) == (parent.context.trace_id, parent.context.span_id)


def test_a_context_keeps_the_span():
    with start_span("s") as span:
        own = djp_telemetry.get_current_context()
        for made in (Context(span), Context(own), Context(Context(own)), Context(Told(span))):
            assert made.span is span and made.get_span_context() is span.get_span_context()
    remote = extract({"traceparent": PARENT, "baggage": "a=1"})
    assert Context(remote).span is remote.span and len(Context(remote).baggage) == 0


def test_a_span_of_an_sdk_that_ended_is_a_remote_parent():
    old = start_span("old")
    ids = old.context.trace_id, old.context.span_id
    with telemetry():
        for parent in (old, Context(old), Told(old), {"s": old}):
            assert found(parent) == ids
        with djp_telemetry.use_span(old):
            start_span("below").end()
            below = take().one("below")
        assert int.from_bytes(below.parent_span_id, "big") == ids[1]


def test_parents_while_telemetry_is_off():
    """What came is sent on: a span under a named parent carries its ids."""
    local = start_span("local")
    djp_telemetry.shutdown(1)
    for form, make in REMOTES.items():
        span = start_span("off", parent=make())
        assert (span.context.trace_id, span.is_recording()) == (0xABC, False), form
        assert djp_telemetry.inject(context=span)["traceparent"] == PARENT
    assert start_span("off", parent=local).context.span_id == local.context.span_id
    for form, make in ROOTS.items():
        assert start_span("off", parent=make()) is djp_telemetry.INVALID_SPAN, form
    assert start_span("off", parent=None) is djp_telemetry.INVALID_SPAN


def test_parts_of_a_context():
    bag = Baggage("a=1")
    context = Context(REMOTE, bag)
    assert context.baggage is bag and type(context.span) is Span
    assert context.get_span_context() == REMOTE and not context.span.is_recording()
    assert Context(span=REMOTE, baggage=bag).baggage is bag
    for nothing in (None, "a=1", {"a": "1"}, REMOTE):
        empty = Context(REMOTE, nothing).baggage
        assert type(empty) is Baggage and len(empty) == 0
    assert len(Context(REMOTE, Baggage()).baggage) == 0
    for wrong in (lambda: Context(1, 2, 3), lambda: Context(other=1)):
        with pytest.raises(TypeError):
            wrong()
    for name in ("span", "baggage"):
        with pytest.raises(AttributeError):
            setattr(context, name, None)


def test_the_form_of_a_context():
    assert repr(Context(REMOTE, Baggage("a=1"))) == (
        f"Context(span={Context(REMOTE).span!r}, baggage=<Baggage {{'a': '1'}}>)"
    )
    assert repr(Context()).endswith("baggage=None)")


def test_copies_and_pickles():
    context = Context(REMOTE, Baggage("a=1"))
    assert copy.copy(context) is context and copy.deepcopy(context) is context
    assert context.__reduce__() == (Context, (REMOTE, context.baggage))
    assert Context().__reduce__() == (Context, (SpanContext(0, 0), None))
    again = pickle.loads(pickle.dumps(context))
    assert again.get_span_context() == REMOTE and again.baggage == context.baggage
    with start_span("s") as span:
        again = pickle.loads(pickle.dumps(Context(span)))
    assert again.get_span_context() == span.get_span_context() and not again.span.is_recording()


class Growing(dict):
    """A mapping whose values change it while they are read."""

    class Value:
        def __init__(self, owner):
            self.owner = owner

        def get_span_context(self):
            self.owner.clear()
            self.owner.update({new(f"k{n}"): n for n in range(100)})

    def __init__(self):
        super().__init__({n: Growing.Value(self) for n in range(5)})


def test_a_mapping_that_changes_while_it_is_read():
    mapping = Growing()
    mapping["span"] = REMOTE
    assert found(mapping) == (0xABC, 0xDEF) and len(mapping) == 100


def contexts():
    span = start_span("s")
    for parent in (
        span,
        Context(span, Baggage(new("a=" + "x" * 300))),
        Told(Ids()),
        Told(SpanContext(5, 6, True, 1, new("a=" + "x" * 300))),
        {"a": 1, "b": Told(span)},
        {"a": Raising()},
        Growing(),
        Raising(),
    ):
        context = Context(parent, Baggage("a=1"))
        start_span("n", parent=parent).end()
        (
            repr(context),
            context.__reduce__(),
            context.get_span_context(),
            context.baggage,
            Context(parent).baggage,
        )
    span.end()


def test_contexts_are_given_back():
    djp_telemetry.set_enabled(False)
    kinds = Context, Baggage, SpanContext, djp_telemetry.INVALID_SPAN, None, REMOTE
    for off in (False, True):
        if off:
            djp_telemetry.shutdown(1)
        assert gives_back(contexts, 50)
        assert heap() is None or gives_back(contexts, 50, measure=heap)
        assert references(contexts, *kinds) == [0] * 6


def test_contexts_without_memory():
    foreign, mapping = Told(Ids()), {"a": Told(Ids())}
    context = Context(REMOTE, Baggage("a=1"))
    for call in (
        lambda: Context(REMOTE),
        lambda: Context(foreign),
        lambda: Context(mapping),
        lambda: Context().baggage,
        lambda: repr(context),
        context.__reduce__,
        context.get_span_context,
        lambda: start_span("n", parent=foreign),
    ):
        assert starves_well(call)
