"""inject() and extract(): every form of carrier, the limits of what is read, carriers that fail or
change, and what is propagated while nothing is recorded."""

import gc
import random

import djp_telemetry
import pytest
from djp_telemetry import _loader, baggage, extract, get_current_span, inject, noop, start_span
from growth import gives_back, heap, new, references
from starve import starves_well
from support import take, telemetry

native = _loader.native or pytest.skip("without the core", allow_module_level=True)
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture(autouse=True)
def memory():
    with telemetry():
        yield


def test_inject_into_a_new_dict():
    assert inject() == {}
    with start_span("out") as span:
        headers = inject()
    context = span.get_span_context()
    assert (
        headers["traceparent"]
        == f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    )


def test_inject_into_every_carrier():
    class Headers(dict):
        pass

    class Own:
        def __init__(self):
            self.items = []

        def __setitem__(self, key, value):
            self.items.append((key, value))

    with start_span("out", parent=extract({"traceparent": PARENT, "tracestate": "a=1"})):
        expected = inject()
        given = {"other": "kept"}
        assert inject(given) is given and given == {"other": "kept", **expected}
        assert "a=1" in expected["tracestate"]
        assert inject(Headers()) == expected
        own = Own()
        assert dict(inject(own).items) == expected
        assert dict(inject([])) == expected
        raw = inject([(b"host", b"x")])
        assert raw[1] == (b"traceparent", expected["traceparent"].encode())
        calls = {}
        inject(calls, lambda carrier, key, value: carrier.__setitem__(key.upper(), value))
        assert calls == {key.upper(): value for key, value in expected.items()}

        class Setter:
            def set(self, carrier, key, value):
                carrier[key] = [value]

        assert inject({}, setter=Setter()) == {key: [value] for key, value in expected.items()}


@pytest.mark.parametrize("carrier", [1, "text", (), frozenset(), object()])
def test_carriers_that_cannot_be_written_come_back(carrier):
    with start_span("out"):
        assert inject(carrier) is carrier


def test_a_setter_that_raises():
    def put(carrier, key, value):
        raise RuntimeError

    with start_span("out"):
        assert inject({}, put) == {}


class Multi:
    def __init__(self, pairs):
        self.pairs = pairs

    def items(self):
        return iter(self.pairs)


class Getter:
    def get(self, carrier, key):
        return [carrier["x-" + key]] if "x-" + key in carrier else None


@pytest.mark.parametrize(
    "carrier, getter",
    [
        ({"traceparent": PARENT, "tracestate": "a=1,b=2"}, None),
        ({"Traceparent": PARENT, "TraceState": "a=1,b=2"}, None),
        ({"HTTP_TRACEPARENT": PARENT, "HTTP_TRACESTATE": "a=1,b=2"}, None),
        ({b"traceparent": PARENT.encode(), b"tracestate": b"a=1,b=2"}, None),
        ({"traceparent": [PARENT], "tracestate": ["a=1", "b=2"]}, None),
        ([("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")], None),
        ([(b"traceparent", PARENT.encode()), (b"tracestate", b"a=1,b=2")], None),
        (((b"TraceParent", PARENT.encode()), [b"tracestate", b"a=1,b=2"]), None),
        (Multi([("traceparent", PARENT), ("tracestate", "a=1,b=2")]), None),
        ({"x-traceparent": PARENT, "x-tracestate": "a=1,b=2"}, Getter()),
        (
            {"x-traceparent": PARENT, "x-tracestate": "a=1,b=2"},
            lambda carrier, key: carrier.get("x-" + key),
        ),
    ],
)
def test_extract_from_every_carrier(carrier, getter):
    context = extract(carrier, getter).get_span_context()
    assert (f"{context.trace_id:032x}", f"{context.span_id:016x}") == (TRACE, SPAN)
    assert (
        context.is_remote
        and context.trace_flags.sampled
        and context.trace_state == {"a": "1", "b": "2"}
    )


@pytest.mark.parametrize(
    "carrier",
    [
        None,
        {},
        [],
        1,
        "text",
        object(),
        {"traceparent": None},
        {"traceparent": 1},
        {"traceparent": ""},
        {"traceparent": "00-" + "0" * 32 + "-" + SPAN + "-01"},
        {"traceparent": "\ud800"},
        {"traceparent": [None, 1]},
        [("traceparent",), 1, None, ("traceparent", PARENT, "x")],
        {1: PARENT},
    ],
)
def test_carriers_without_a_parent(carrier):
    context = extract(carrier)
    assert not context.get_span_context().is_valid and context.span is djp_telemetry.INVALID_SPAN
    with start_span("root", parent=context):
        pass
    assert take().one("root").parent_span_id == b""


def test_a_carrier_that_raises():
    class Broken:
        def items(self):
            raise RuntimeError

    def getter(carrier, key):
        raise RuntimeError

    assert not extract(Broken()).get_span_context().is_valid
    assert not extract({}, getter).get_span_context().is_valid


def test_a_trace_goes_through_two_services():
    with start_span("client") as client:
        headers = inject()
    with start_span("server", parent=extract(headers), kind="server"):
        onward = inject()
    assert onward["traceparent"][3:35] == headers["traceparent"][3:35] and onward != headers
    spans = take()
    assert spans.one("server").parent_span_id == client.get_span_context().span_id.to_bytes(
        8, "big"
    )


def test_attaching_a_context_brings_its_span_and_its_baggage():
    token = djp_telemetry.attach(extract({"traceparent": PARENT, "baggage": "a=1"}))
    with start_span("inside"):
        assert baggage.get_all() == {"a": "1"}
    djp_telemetry.detach(token)
    djp_telemetry.detach(token)
    djp_telemetry.detach(None)
    assert get_current_span() is djp_telemetry.INVALID_SPAN and baggage.get_all() == {}
    assert take().one("inside").parent_span_id.hex() == SPAN


def test_propagators_are_configured():
    djp_telemetry.shutdown(1)
    djp_telemetry.init_telemetry(
        enabled=True, backend="otel", exporter="memory", service_name="test", propagators="baggage"
    )
    token = djp_telemetry.attach(extract({"traceparent": PARENT, "baggage": "a=1"}))
    with start_span("s"):
        assert inject() == {"baggage": "a=1"}
    djp_telemetry.detach(token)


def test_context_goes_through_when_telemetry_is_off():
    djp_telemetry.shutdown(1)
    with start_span("off", parent=extract({"traceparent": PARENT, "tracestate": "a=1"})) as span:
        assert not span.is_recording()
        with start_span("child"):
            assert inject() == {"traceparent": PARENT, "tracestate": "a=1"}


def test_current_context():
    with start_span("now") as span:
        context = djp_telemetry.get_current_context()
    assert context.span is span and get_current_span(context) is span
    own = span.context
    assert (
        inject({}, context=context)["traceparent"]
        == f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"
    )


def test_span_context_of_the_wire_is_kept_exactly():
    remote = djp_telemetry.SpanContext(int(TRACE, 16), int(SPAN, 16), True, 1, "a=1")
    with djp_telemetry.use_span(remote):
        assert inject() == {"traceparent": PARENT, "tracestate": "a=1"}


# ---- limits ------------------------------------------------------------------------------------

BOTH = pytest.mark.parametrize("impl", [native, noop], ids=["native", "no-op"])


@BOTH
def test_repeated_fields(impl):
    """Several traceparents are no parent; other fields are joined, at most 32 values of each."""
    assert not impl.extract([("traceparent", PARENT)] * 2).get_span_context().is_valid
    assert not impl.extract({"traceparent": [PARENT, PARENT]}).get_span_context().is_valid
    states = [("tracestate", f"k{i}=v") for i in range(32)]
    found = impl.extract([("traceparent", PARENT), *states]).get_span_context()
    assert list(found.trace_state) == [f"k{i}" for i in range(32)]
    entries = [("baggage", f"k{i}=v") for i in range(40)]
    assert list(impl.extract(entries).baggage.items()) == [f"k{i}" for i in range(32)]
    values = [f"k{i}=v" for i in range(40)]
    assert list(impl.extract({"baggage": values}).baggage.items()) == [f"k{i}" for i in range(32)]
    assert list(
        impl.extract({"baggage": [*values[:31], 7, None, *values[31:]]}).baggage.items()
    ) == [f"k{i}" for i in range(32)]


@BOTH
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("traceparent", True),
        ("TRACEPARENT", True),
        ("tRaCePaReNt", True),
        ("HTTP_TRACEPARENT", True),
        ("HTTP_traceparent", True),
        (b"HTTP_TRACEPARENT", True),
        ("HTTP_HTTP_TRACEPARENT", False),
        ("HTTP_", False),
        ("traceparents", False),
        ("raceparent", False),
        ("xtraceparent", False),
        ("", False),
        (7, False),
        (None, False),
        ("tracepar\u00e9nt", False),
    ],
)
def test_names_of_the_field(impl, name, read):
    for carrier in ({name: PARENT}, [(name, PARENT)], ([name, PARENT],)):
        assert impl.extract(carrier).get_span_context().is_valid is read
    assert impl.extract({name: PARENT, 7: 8, "baggage": "a=1"}).baggage.items() == {"a": "1"}


@BOTH
def test_pairs_of_another_form_are_left_out(impl):
    for odd in ((), ("traceparent",), ("traceparent", PARENT, 1), None, 7, "traceparent", {}):
        found = impl.extract([odd, ("baggage", "a=1"), odd])
        assert not found.get_span_context().is_valid and found.baggage.get("a") == "1"


@BOTH
def test_a_getter_is_called_once_for_each_field(impl):
    calls = []

    def get(carrier, name):
        calls.append((carrier, name))
        return {"traceparent": PARENT.encode(), "baggage": ("a=1", b"b=2")}.get(name)

    found = impl.extract("carrier", get)
    assert calls == [("carrier", name) for name in ("traceparent", "tracestate", "baggage")]
    assert found.get_span_context().is_valid and found.baggage.items() == {"a": "1", "b": "2"}


def test_a_getter_that_fails_for_one_field():
    def get(carrier, name):
        if name == "tracestate":
            raise RuntimeError
        return {"traceparent": PARENT, "baggage": "a=1"}[name]

    found = native.extract({}, get)
    assert found.get_span_context().is_valid and found.baggage.items() == {"a": "1"}
    assert not native.extract({}, 7).get_span_context().is_valid


def endless():
    while True:
        yield ("x", "y")


def test_a_mapping_without_end_is_read_in_part():
    class Endless:
        def __init__(self, before):
            self.before = before

        def items(self):
            for _ in range(self.before):
                yield ("x", "y")
            yield ("traceparent", PARENT)
            yield from endless()

    assert native.extract(Endless(19_999)).get_span_context().is_valid
    assert not native.extract(Endless(20_000)).get_span_context().is_valid


class Acting:
    """A value whose comparison and whose text are code of the program."""

    def __init__(self, act):
        self.act = act

    def __eq__(self, other):
        self.act()
        return False

    __hash__ = object.__hash__

    def __str__(self):
        self.act()
        return "x"


def test_a_carrier_that_changes_while_it_is_read():
    carrier = {}
    for i in range(100):
        carrier[Acting(carrier.clear)] = Acting(gc.collect)
        carrier[f"n{i}"] = "v"
    carrier["traceparent"] = PARENT
    assert extract(carrier).get_span_context().is_valid and len(carrier) == 201


# ---- inject ------------------------------------------------------------------------------------


@BOTH
def test_what_is_written_in_which_order(impl):
    context = impl.extract({"traceparent": PARENT, "tracestate": "a=1", "baggage": "b=2"})
    whole = {"traceparent": PARENT, "tracestate": "a=1", "baggage": "b=2"}
    assert list(impl.inject(context=context).items()) == list(whole.items())
    assert impl.inject(None, None, context) == whole
    assert impl.inject({}, None, context.span) == {"traceparent": PARENT, "tracestate": "a=1"}
    only = impl.Context(None, context.baggage)
    assert impl.inject(context=only) == {"baggage": "b=2"}
    plain = impl.extract({"traceparent": PARENT})
    assert impl.inject(context=plain) == {"traceparent": PARENT}
    assert impl.inject(context=impl.Context()) == {} == impl.inject(context=7)


@BOTH
@pytest.mark.parametrize("setter", [True, False])
def test_a_carrier_that_fails_gets_no_more(impl, setter):
    """What comes after the first failure is not written, so that no half context is sent."""
    context = impl.extract({"traceparent": PARENT, "tracestate": "a=1", "baggage": "b=2"})
    for good in range(4):
        calls = []

        def put(carrier, name, value, calls=calls, good=good):
            calls.append(name)
            if len(calls) > good:
                raise RuntimeError

        class Carrier:
            __setitem__ = put

        carrier = Carrier()
        assert impl.inject(carrier, put if setter else None, context) is carrier
        assert calls == ["traceparent", "tracestate", "baggage"][: good + 1]


@BOTH
@pytest.mark.parametrize(
    ("before", "kind"),
    [
        ([], str),
        ([("host", "x")], str),
        ([["host", "x"]], str),
        ([(b"host", b"x")], bytes),
        ([[b"host", b"x"]], bytes),
        ([()], str),
        ([[]], str),
        ([7], str),
        (["text"], str),
        ([b"text"], bytes),
    ],
)
def test_pairs_are_appended_in_the_type_of_the_first(impl, before, kind):
    carrier = list(before)
    context = impl.extract({"traceparent": PARENT, "baggage": "b=2"})
    if impl is noop and before == [b"text"]:
        kind = str  # the first is no pair
    assert impl.inject(carrier, context=context) is carrier and carrier[: len(before)] == before
    added = carrier[len(before) :]
    assert [type(item) for pair in added for item in pair] == [kind] * 4
    assert added[1] == (("baggage", "b=2") if kind is str else (b"baggage", b"b=2"))


def test_the_current_span_and_baggage_are_written():
    with start_span("current"), djp_telemetry.attach(extract({"baggage": "a=1"})):
        pass
    context = djp_telemetry.Context(None, djp_telemetry.Baggage("a=1"))
    with djp_telemetry.attach(context), start_span("current") as span:
        sent = inject()
        other = inject(context=start_span("other"))
    assert sent["traceparent"][36:52] == f"{span.context.span_id:016x}" and sent["baggage"] == "a=1"
    assert other["traceparent"] != sent["traceparent"] and other["baggage"] == "a=1"


@pytest.mark.parametrize(
    ("propagators", "fields"),
    [
        ("tracecontext,baggage", ["traceparent", "tracestate", "baggage"]),
        ("tracecontext", ["traceparent", "tracestate"]),
        ("baggage", ["baggage"]),
        ("none", []),
    ],
)
def test_the_configured_propagators(propagators, fields):
    headers = {"traceparent": PARENT, "tracestate": "a=1", "baggage": "b=2"}
    received = extract(headers)
    with telemetry(propagators=propagators):
        assert list(inject(context=received)) == fields
        found = extract(headers)
        assert found.get_span_context().is_valid is ("traceparent" in fields)
        assert len(found.baggage) == ("baggage" in fields)
    assert list(inject(context=received)) == list(headers)


def test_wrong_arguments():
    for wrong in (
        lambda: native.extract(),
        lambda: native.extract({}, None, 3),
        lambda: native.inject({}, None, None, 4),
        lambda: native.inject(unknown=1),
        lambda: native.extract(carrier={}, getter=None, other=1),
    ):
        with pytest.raises(TypeError):
            wrong()
    assert native.extract(carrier={}, getter=None) and native.inject(carrier={}, setter=None) == {}


# ---- memory ------------------------------------------------------------------------------------


def propagated():
    parent = f"00-{TRACE}-{SPAN}-0{new('')}"
    state = new("a=1,b=\u00e9")
    for value in (state, state.encode(), [state, "\ud800" + state, 7], "\ud800" + state * 900):
        carrier = {"traceparent": parent, "tracestate": value, "baggage": value, Broken(): value}
        context = native.extract(carrier)
        native.extract(list(carrier.items()))
        native.extract(carrier, lambda own, name: own.get(name))
        native.extract(carrier, Getting())
        native.extract(Items(carrier))
        native.extract(Items(None))
        native.inject([], context=context)
        native.inject([(b"x", b"y")], context=context)
        native.inject({}, lambda own, name, text: own.update({name: text}), context)
        native.inject({}, Getting(), context)
        native.inject(7, context=context)
        native.inject({}, Broken(), context)
    with djp_telemetry.attach(native.extract({"traceparent": parent, "baggage": "a=1"})):
        native.inject()


class Broken:
    def __str__(self):
        raise RuntimeError

    __call__ = set = __str__


class Getting:
    def get(self, carrier, name):
        return [new(carrier["traceparent"]), 7]

    def set(self, carrier, name, value):
        carrier[name] = new(value)


class Items:
    def __init__(self, pairs):
        self.pairs = pairs

    def items(self):
        yield from self.pairs.items()


def test_propagation_is_given_back():
    djp_telemetry.shutdown(1)
    assert gives_back(propagated, 20)
    assert heap() is None or gives_back(propagated, 20, measure=heap)
    kinds = type(native.Context()), native.Baggage, native.INVALID_SPAN
    assert references(propagated, *kinds, None, rounds=20) == [0] * 4


def test_propagation_without_memory():
    djp_telemetry.shutdown(1)
    headers = {"traceparent": PARENT, "tracestate": "a=1", "baggage": "b=%C3%A9"}
    pairs = list(headers.items())
    context = native.extract(headers)
    for call in (
        lambda: native.extract(headers),
        lambda: native.extract(pairs),
        lambda: native.extract(headers, dict.get),
        lambda: native.extract(Items(headers)),
        lambda: native.inject({}, None, context),
        lambda: native.inject([], None, context),
        lambda: native.inject({}, dict.__setitem__, context),
        native.inject,
    ):
        assert starves_well(call)


# ---- both parsers are one ----------------------------------------------------------------------

PIECES = {
    "traceparent": [PARENT, "00", "-", TRACE, SPAN, "01", "ff", "03", "0" * 32, "0" * 16, "x", " "],
    "tracestate": [
        "a=1",
        ",",
        "k" * 300,
        "=",
        "v" * 129,
        " ",
        "\t",
        "A",
        "@",
        "b=2",
        "\u00e9",
        "~",
    ],
    "baggage": ["a=1", ",", ";", "=", "k" * 90, "%41", "%", "%zz", " ", "\u00e9", '"', "b=2;p=1"],
}


def random_field(source, name):
    pieces = PIECES[name]
    text = "".join(source.choice(pieces) for _ in range(source.randrange(1, 14)))
    return text * source.choice([1, 1, 1, 2, 9, 40])


@pytest.mark.parametrize("name", list(PIECES))
def test_both_parsers_read_alike(name):
    source = random.Random(name)
    for number in range(3000):
        fields = [(name, random_field(source, name)) for _ in range(source.choice([1, 1, 1, 2, 3]))]
        if name == "tracestate":
            fields.append(("traceparent", PARENT))
        ours, theirs = native.extract(fields), noop.extract(fields)
        mine, own = ours.get_span_context(), theirs.get_span_context()
        assert (mine.trace_id, mine.span_id) == (own.trace_id, own.span_id), fields
        assert int(mine.trace_flags) == int(own.trace_flags), fields
        assert mine.trace_state.to_header() == own.trace_state.to_header(), fields
        assert ours.baggage.to_header() == theirs.baggage.to_header(), fields
        assert ours.baggage.items() == theirs.baggage.items(), fields
        assert native.inject([], context=ours) == noop.inject([], context=theirs), number


def test_both_kinds_of_baggage_change_alike():
    source = random.Random(7)
    texts = [
        "a",
        "b",
        "c" * 4000,
        "",
        "a b",
        "\u00e9",
        "%41",
        "v,;=",
        "p=1",
        "p",
        "p=a b",
        "x" * 90,
    ]
    ours, theirs = native.Baggage(), noop.Baggage()
    for _ in range(3000):
        key, value, properties = (source.choice(texts) for _ in range(3))
        if source.random() < 0.2:
            ours, theirs = ours.remove(key), theirs.remove(key)
        else:
            ours, theirs = (bag.set(key, value, properties) for bag in (ours, theirs))
        assert ours.to_header() == theirs.to_header() and len(ours) == len(theirs)
