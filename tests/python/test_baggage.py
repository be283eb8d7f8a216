"""Baggage, with and without the core: immutable objects, their limits, and the functions of
djp_telemetry.baggage."""

import copy
import pickle

import djp_telemetry
import pytest
from djp_telemetry import _loader, baggage, extract, inject, noop, start_span
from growth import gives_back, heap, new, references
from starve import starves_well

native = _loader.native or pytest.skip("without the core", allow_module_level=True)
BOTH = pytest.mark.parametrize("impl", [native, noop], ids=["native", "no-op"])
ENTRIES, BYTES = 180, 8192


@BOTH
def test_reading(impl):
    bag = impl.Baggage("b=2, a=one%20%C3%A9;p=1;q")
    assert bag.items() == {"b": "2", "a": "one é"} and list(bag.items()) == ["b", "a"]
    assert len(bag) == 2 and len(impl.Baggage()) == 0
    assert bag.get("a") == "one é" and bag.get(b"b" if impl is native else "b") == "2"
    for absent in ("c", "", "ab", "A", 7, None, "\ud800"):
        assert bag.get(absent) is None
    assert bag.to_header() == "b=2,a=one%20%C3%A9;p=1;q"
    assert repr(bag) == "<Baggage {'b': '2', 'a': 'one é'}>"
    bag.items()["c"] = "3"
    assert len(bag) == 2


@BOTH
@pytest.mark.parametrize(
    ("header", "entries"),
    [
        (None, {}),
        ("", {}),
        (b"a=1", {"a": "1"}),
        ("a=%FF", {"a": "\ufffd"}),
        (7, {}),
        ("a=1,a=2", {"a": "2"}),
        ("=1,b,c=3", {"c": "3"}),
    ],
)
def test_headers_of_every_type(impl, header, entries):
    assert impl.Baggage(header).items() == entries
    assert impl.Baggage(header=header).items() == entries
    assert impl.Baggage().items() == {}
    with pytest.raises(TypeError):
        impl.Baggage(header, 1)


@BOTH
def test_changes_make_new_objects(impl):
    first = impl.Baggage()
    second = first.set("a", "1")
    third = second.set("b", "é,;", "p=1")
    assert first.items() == {} and second.items() == {"a": "1"}
    assert third.items() == {"a": "1", "b": "é,;"} and "b=%C3%A9%2C%3B;p=1" in third.to_header()
    assert third.set(key="a", value="3", properties=None).items() == {"a": "3", "b": "é,;"}
    assert third.remove("a").items() == {"b": "é,;"} and third.remove("none").items() == (
        third.items()
    )
    assert first.remove("a").items() == {} and third.remove("b").remove("a").to_header() == ""
    for wrong in ("\ud800", "A"):
        assert third.remove(wrong).items() == third.items()


@BOTH
@pytest.mark.parametrize(
    "given",
    [
        ("", "v"),
        ("a b", "v"),
        ("k", 1),
        (None, "v"),
        ("k", None),
        ("k" * 9000, "v"),
        ("k", "v" * 9000),
        ("k", "v", "p q"),
    ],
)
def test_bad_entries_change_nothing(impl, given):
    bag = impl.Baggage("a=1")
    assert bag.set(*given) is bag


@BOTH
def test_the_number_of_entries_is_limited(impl):
    bag = impl.Baggage()
    for number in range(ENTRIES):
        bag = bag.set(f"k{number}", "v")
    assert len(bag) == ENTRIES
    assert bag.set("more", "v") is bag
    changed = bag.set("k0", "changed")
    assert len(changed) == ENTRIES and changed.get("k0") == "changed"
    header = ",".join(f"k{number}=v" for number in range(ENTRIES + 5))
    assert len(impl.Baggage(header)) == ENTRIES


@BOTH
def test_the_size_is_limited(impl):
    for size, fits in ((BYTES - 2, True), (BYTES - 1, False)):
        assert (len(impl.Baggage().set("k", "v" * size)) == 1) is fits
        assert (len(impl.Baggage("k=" + "v" * size)) == 1) is fits
    for size, fits in ((BYTES - 6, True), (BYTES - 5, False)):  # "a=", a comma and "b=v" beside it
        bag = impl.Baggage().set("a", "v" * size)
        assert len(bag) == 1 and len(bag.set("b", "v")) == (2 if fits else 1)
        assert len(impl.Baggage("a=" + "v" * size + ",b=v")) == (2 if fits else 1)


@BOTH
def test_equality_and_hashes(impl):
    bag = impl.Baggage("a=1,b=2")
    assert bag == impl.Baggage("a=1, b=2") and hash(bag) == hash(impl.Baggage("a=1,b=2"))
    assert bag == impl.Baggage("a=1,b=2") and impl.Baggage() == impl.Baggage("")
    for other in (
        impl.Baggage("b=2,a=1"),
        impl.Baggage("a=1,b=3"),
        impl.Baggage(),
        "a=1,b=2",
        None,
    ):
        assert bag != other and not bag == other  # noqa: SIM201
    with pytest.raises(TypeError):
        bag < bag  # noqa: B015
    assert len({bag, impl.Baggage("a=1,b=2"), impl.Baggage()}) == 2


@BOTH
def test_copies_and_pickles(impl):
    bag = impl.Baggage("a=1;p=2,b=%C3%A9")
    assert copy.copy(bag) is bag and copy.deepcopy(bag) is bag
    assert bag.__reduce__() == (impl.Baggage, ("a=1;p=2,b=%C3%A9",))
    if impl is native:
        again = pickle.loads(pickle.dumps(bag))
        assert again == bag and again.to_header() == bag.to_header()


def test_wrong_arguments():
    bag = native.Baggage()
    for wrong in (
        lambda: bag.set("a"),
        lambda: bag.set(),
        lambda: bag.set("a", "b", "c", "d"),
        lambda: bag.set("a", "b", other=1),
        lambda: bag.get(),
        lambda: bag.remove(),
        lambda: native.Baggage(other="x"),
    ):
        with pytest.raises(TypeError):
            wrong()


# ---- djp_telemetry.baggage ---------------------------------------------------------------------


@pytest.fixture
def empty():
    djp_telemetry.shutdown(1)


def test_the_functions(empty):
    assert baggage.get_baggage("user") is None and baggage.get_all() == {}
    context = baggage.set_baggage("user", "grüße, you")
    context = baggage.set_baggage("plan", "pro", context)
    assert baggage.get_all() == {}
    token = baggage.attach(context)
    try:
        assert baggage.get_baggage("user") == "grüße, you"
        assert baggage.get_baggage("user", baggage.clear()) is None
        headers = inject()
        assert headers["baggage"].split(",")[-1].strip() == "plan=pro"
        other = extract(headers)
        assert baggage.get_all(other) == {"user": "grüße, you", "plan": "pro"}
        assert baggage.get_all(baggage.remove_baggage("user", other)) == {"plan": "pro"}
        assert baggage.get_all(baggage.remove_baggage("user")) == {"plan": "pro"}
        assert baggage.get_all(baggage.clear()) == {}
        with start_span("keeps baggage"):
            assert baggage.get_baggage("plan") == "pro"
    finally:
        baggage.detach(token)
    assert baggage.get_all() == {}


def test_a_change_keeps_the_span(empty):
    context = extract({"traceparent": f"00-{5:032x}-{6:016x}-01", "baggage": "a=1"})
    for changed in (
        baggage.set_baggage("b", "2", context),
        baggage.remove_baggage("a", context),
        baggage.clear(context),
    ):
        assert changed.span is context.span and changed.baggage != context.baggage


@pytest.mark.parametrize("given", [("", "v"), ("a b", "v"), ("k", 1), (None, "v"), ("k", None)])
def test_bad_baggage_changes_nothing(empty, given):
    assert baggage.get_all(baggage.set_baggage(*given)) == {}


# ---- memory ------------------------------------------------------------------------------------


def changed():
    bag = native.Baggage(new("a=" + "x" * 300)).set(new("k"), new("é" * 300), new("p=" + "1" * 300))
    bag.set("b", "\ud800" + new("x")).remove(new("k")).remove("b").get("a")
    bag.set(new("k"), 7), bag.set("a b", new("v" * 300)), bag.get("\ud800"), bag.remove("\ud800")
    repr(bag), hash(bag), bag == native.Baggage(), bag.items(), bag.__reduce__(), bag.to_header()
    native.Baggage("\ud800"), native.Baggage(b"a=1")


def test_baggage_is_given_back():
    assert gives_back(changed)
    assert heap() is None or gives_back(changed, measure=heap)
    assert references(changed, native.Baggage, None) == [0, 0]


def test_baggage_without_memory():
    bag = native.Baggage("a=1,b=%C3%A9")
    for call in (
        lambda: native.Baggage("a=1"),
        lambda: bag.set("k", "é" * 9),
        lambda: bag.remove("a"),
        lambda: bag.get("b"),
        bag.items,
        bag.to_header,
        bag.__reduce__,
        lambda: repr(bag),
        lambda: hash(bag),
    ):
        assert starves_well(call)
