"""SpanContext, TraceFlags and TraceState, with and without the core: numbers at their limits,
equality, copies and pickles, and contexts of other libraries."""

import copy
import pickle

import djp_telemetry
import pytest
from djp_telemetry import _loader, noop
from growth import gives_back, heap, new, references
from starve import starves_well
from support import take, telemetry

native = _loader.native or pytest.skip("without the core", allow_module_level=True)
BOTH = pytest.mark.parametrize("impl", [native, noop], ids=["native", "no-op"])
MOST, MOST_OF_SPAN = (1 << 128) - 1, (1 << 64) - 1


@BOTH
@pytest.mark.parametrize(
    ("trace_id", "span_id"),
    [
        (1, 1),
        (MOST, MOST_OF_SPAN),
        (1 << 127, 1 << 63),
        (int("0123456789abcdef" * 2, 16), int("fedcba9876543210", 16)),
        (0xA, 0xF0),
        (True, True),
    ],
)
def test_ids(impl, trace_id, span_id):
    context = impl.SpanContext(trace_id, span_id)
    assert (context.trace_id, context.span_id) == (trace_id, span_id) and context.is_valid
    assert type(context.trace_id) is int
    assert not context.is_remote and context.trace_flags == 0 and context.trace_state == {}
    named = impl.SpanContext(span_id=span_id, trace_id=trace_id, is_remote=True, trace_flags=1)
    assert (named.trace_id, named.is_remote, named.trace_flags) == (trace_id, True, 1)


@BOTH
@pytest.mark.parametrize(
    "ids",
    [
        (0, 0),
        (0, 1),
        (1, 0),
        (MOST + 1, 1),
        (1, MOST_OF_SPAN + 1),
        (-1, 1),
        (1, -1),
        ("1", 1),
        (1, None),
        (1.0, 1),
        (1 << 4000, 1),
    ],
)
def test_ids_that_are_not_valid(impl, ids):
    context = impl.SpanContext(*ids)
    assert not context.is_valid
    given = [item if type(item) is int and 0 <= item <= MOST else 0 for item in ids]
    if all(type(item) is int for item in ids) and 0 in given and given == list(ids):
        assert [context.trace_id, context.span_id] == given


def test_both_refuse_the_same_ids():
    for ids in ((MOST + 1, 1), (1, MOST_OF_SPAN + 1), (-1, 1), ("1", 1), (0, 7), (7, 0), (1, 2)):
        ours, theirs = native.SpanContext(*ids), noop.SpanContext(*ids)
        assert ours.is_valid == theirs.is_valid, ids


@BOTH
@pytest.mark.parametrize(
    ("given", "flags"),
    [(0, 0), (1, 1), (3, 3), (255, 255), (256, 0), (257, 1), (-1, 255), ("1", 0)],
)
def test_flags(impl, given, flags):
    found = impl.SpanContext(1, 2, False, given).trace_flags
    assert found == flags and type(found) is impl.TraceFlags
    assert found.sampled is bool(flags & 1) and type(found.sampled) is bool


@BOTH
def test_flags_by_themselves(impl):
    assert impl.TraceFlags(2).sampled is False and impl.TraceFlags(3).sampled is True
    assert impl.TraceFlags(5) + 1 == 6 and impl.TraceFlags() == 0


class Raising:
    def __bool__(self):
        raise RuntimeError

    def __getattr__(self, name):
        raise RuntimeError


def test_remote_is_a_truth():
    for given, remote in ((1, True), ("x", True), ([], False), (None, False), (Raising(), False)):
        assert native.SpanContext(1, 2, given).is_remote is remote


@BOTH
@pytest.mark.parametrize(
    ("given", "members"),
    [
        (None, {}),
        ("", {}),
        ("a=1", {"a": "1"}),
        ("b=2,a=1", {"b": "2", "a": "1"}),
        ("a=1=", {}),
        ("a==", {}),
        ("x" * 200 + "=" + "y" * 200, {"x" * 200: "y" * 200}),
        ("no member", {}),
        (7, {}),
    ],
)
def test_the_tracestate(impl, given, members):
    context = impl.SpanContext(1, 2, False, 0, given)
    assert context.trace_state == members and type(context.trace_state) is impl.TraceState
    assert list(context.trace_state) == list(members)
    again = impl.SpanContext(1, 2, trace_state=context.trace_state)
    assert again.trace_state == members and again == context
    context.trace_state["added"] = "x"
    assert context.trace_state == members


@BOTH
def test_the_header_of_a_tracestate(impl):
    state = impl.TraceState({"a": "1", "b": 2})
    assert state.to_header() == "a=1,b=2" and impl.TraceState().to_header() == ""
    assert impl.TraceState([("c", "3")]).to_header() == "c=3"


class Clearing:
    """A key whose text empties its dict."""

    def __init__(self, state):
        self.state = state

    def __str__(self):
        self.state.clear()
        return "k"


def test_a_tracestate_that_changes_while_it_is_read():
    state = native.TraceState()
    for _ in range(3):
        state[Clearing(state)] = new("v" * 100)
    assert state.to_header().startswith("k=v")
    failing = native.TraceState({"a": "1"})
    failing["b"] = Broken()
    with pytest.raises(ValueError):
        failing.to_header()
    assert not native.SpanContext(1, 2, trace_state=failing).trace_state


class Broken:
    def __str__(self):
        raise ValueError("no text")


@BOTH
def test_equality_and_hashes(impl):
    def context(trace_id=1, span_id=2, is_remote=False, flags=1, state="a=1"):
        return impl.SpanContext(trace_id, span_id, is_remote, flags, state)

    assert context() == context() and hash(context()) == hash(context())
    assert not context() != context()  # noqa: SIM202
    others = [
        context(trace_id=3),
        context(span_id=3),
        context(is_remote=True),
        context(flags=0),
        context(state=None),
        context(state="a=2"),
        context(state="a=1,b=2"),
        context(trace_id=1 << 127 | 1),
        context(span_id=1 << 63 | 2),
    ]
    for other in others:
        assert context() != other and not context() == other  # noqa: SIM201
    assert context(state=None) == context(state=None)
    for other in (7, None, "x"):
        assert context() != other and not context() == other  # noqa: SIM201
    assert len({context(), context(), *others}) == len(others) + 1
    with pytest.raises(TypeError):
        context() < context()  # noqa: B015


def test_a_hash_that_would_be_an_error():
    for span_id in (MOST_OF_SPAN, MOST_OF_SPAN - 1, 1, 0):
        assert isinstance(hash(native.SpanContext(1, span_id)), int)
    assert len({hash(native.SpanContext(1, span_id)) for span_id in range(1, 100)}) == 99


@BOTH
def test_the_form(impl):
    context = impl.SpanContext(0xAB, 0xCD, True, 3)
    assert repr(context) == (
        f"SpanContext(trace_id=0x{'0' * 30}ab, span_id=0x{'0' * 14}cd, "
        "trace_flags=3, is_remote=True)"
    )
    assert repr(impl.SpanContext(1, 2)).endswith("trace_flags=0, is_remote=False)")


@BOTH
@pytest.mark.parametrize("state", [None, "a=1,b=2"])
@pytest.mark.parametrize("remote", [True, False])
def test_copies_and_pickles(impl, state, remote):
    context = impl.SpanContext(MOST - 5, MOST_OF_SPAN - 7, remote, 3, state)
    assert copy.copy(context) is context and copy.deepcopy(context) is context
    kind, arguments = context.__reduce__()
    assert kind is impl.SpanContext
    assert arguments == (MOST - 5, MOST_OF_SPAN - 7, remote, 3, state)
    if impl is native:
        again = pickle.loads(pickle.dumps(context))
        assert again == context and type(again) is impl.SpanContext


def test_wrong_arguments():
    for wrong in (
        lambda: native.SpanContext(),
        lambda: native.SpanContext(1),
        lambda: native.SpanContext(1, 2, 3, 4, 5, 6),
        lambda: native.SpanContext(1, 2, unknown=3),
        lambda: native.SpanContext(1, 2, trace_id=3),
    ):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(AttributeError):
        native.SpanContext(1, 2).trace_id = 3


def test_made_without_the_fast_call():
    """type.__call__ takes another way than the call of the type."""
    for make in (
        lambda *given, **named: type.__call__(native.SpanContext, *given, **named),
        lambda *given, **named: native.SpanContext.__new__(native.SpanContext, *given, **named),
    ):
        context = make(5, 6, True, 1, "a=1")
        assert context == native.SpanContext(5, 6, True, 1, "a=1")
        assert make(5, 6) == native.SpanContext(5, 6)
        assert make(5, span_id=6, trace_state="a=1").trace_state == {"a": "1"}
        with pytest.raises(TypeError):
            make(5)
        with pytest.raises(TypeError):
            make(1, 2, 3, 4, 5, 6)


class Foreign:
    """A span context of another library; members that are not given are missing."""

    def __init__(self, **members):
        self.__dict__.update(members)


PARENTS = [
    (
        {"trace_id": 5, "span_id": 6, "trace_flags": 1, "trace_state": "a=1", "is_remote": True},
        (5, 6, 1, {"a": "1"}),
    ),
    ({"trace_id": 5, "span_id": 6, "trace_flags": 1, "trace_state": None}, (5, 6, 1, {})),
    ({"trace_id": 5, "span_id": 6, "trace_flags": 257}, (5, 6, 1, {})),
    ({"trace_id": 5, "span_id": 6}, (5, 6, 0, {})),
    ({"trace_id": 5, "span_id": 6, "trace_flags": "x", "trace_state": 7}, (5, 6, 0, {})),
    ({"trace_id": 5, "span_id": 0}, None),
    ({"trace_id": 0, "span_id": 6}, None),
    ({"trace_id": "5", "span_id": 6}, None),
    ({"trace_id": 5, "span_id": 1 << 64}, None),
    ({"trace_id": 5}, None),
    ({"span_id": 5}, None),
    ({}, None),
]


@BOTH
@pytest.mark.parametrize(("members", "expected"), PARENTS)
def test_contexts_of_other_libraries(impl, members, expected):
    """As a parent, while nothing is recorded: what came is sent on."""
    djp_telemetry.shutdown(1)
    found = impl.Context(Foreign(**members)).get_span_context()
    if expected is None:
        assert not found.is_valid
    else:
        assert (found.trace_id, found.span_id, found.trace_flags, found.trace_state) == expected
        assert found.is_remote == members.get("is_remote", False)


def test_a_member_that_raises():
    djp_telemetry.shutdown(1)
    assert not native.Context(Raising()).get_span_context().is_valid
    odd = Foreign(trace_id=5, span_id=6, trace_flags=1, trace_state=Broken(), is_remote=Raising())
    assert native.Context(odd).get_span_context() == native.SpanContext(5, 6, False, 1)


def test_the_context_of_a_span_is_that_on_the_wire():
    with telemetry(), djp_telemetry.start_span("s") as span:
        context = span.get_span_context()
        assert context is span.get_span_context() is span.context
        assert context.is_valid and not context.is_remote and context.trace_flags.sampled
    recorded = take() or []
    assert recorded == []  # telemetry has ended: nothing is in memory
    with telemetry():
        with djp_telemetry.start_span("s") as span:
            context = span.get_span_context()
        (recorded,) = take()
    assert recorded.span_id == context.span_id.to_bytes(8, "big")
    assert recorded.trace_id == context.trace_id.to_bytes(16, "big")


def made():
    context = native.SpanContext(MOST, MOST_OF_SPAN, True, 1, new("a=1,b=" + "x" * 200))
    repr(context), hash(context), context == native.SpanContext(1, 2), context.__reduce__()
    (
        context.trace_id,
        context.span_id,
        context.trace_state.to_header(),
        context.trace_flags.sampled,
    )
    native.SpanContext(1 << 200, "x", Raising(), "x", Broken())
    native.SpanContext(1, 2, trace_state=native.TraceState({"a": new("é" * 300)}))
    type.__call__(native.SpanContext, 1, 2, trace_state=new("a=" + "y" * 200))
    native.Context(Foreign(trace_id=1 << 100, span_id=1 << 60, trace_flags=1, trace_state="a=1"))
    native.Context(Foreign(trace_id=1 << 100, span_id=1 << 90))
    state = native.TraceState({new("k" * 300): Broken()})
    with pytest.raises(ValueError):
        state.to_header()


def test_contexts_are_given_back():
    djp_telemetry.shutdown(1)
    assert gives_back(made)
    assert heap() is None or gives_back(made, measure=heap)
    kinds = native.SpanContext, native.TraceFlags, native.TraceState
    assert references(made, *kinds, None, True) == [0] * 5


def test_contexts_without_memory():
    full = native.SpanContext(MOST, MOST_OF_SPAN, True, 1, "a=1,b=2")
    state = full.trace_state
    foreign = Foreign(trace_id=1 << 100, span_id=1 << 60, trace_flags=1, trace_state="a=1")
    for call in (
        lambda: native.SpanContext(MOST, MOST_OF_SPAN, True, 1, "a=1"),
        lambda: full.trace_id,
        lambda: full.trace_state,
        lambda: full.trace_flags,
        lambda: repr(full),
        full.__reduce__,
        state.to_header,
        lambda: native.Context(foreign),
    ):
        assert starves_well(call)
