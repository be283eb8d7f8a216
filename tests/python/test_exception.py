"""Exceptions on spans: what is recorded, which ones are no errors, and that the exception and
the program are not changed."""

import asyncio
import gc
import os
import sys
import traceback

import djp_telemetry
import pytest
from djp_telemetry import _exceptions, start_span
from growth import gives_back, new, references
from starve import starve
from support import attributes, take, telemetry

pytest.importorskip("djp_telemetry._native")


@pytest.fixture(autouse=True)
def memory():
    with telemetry():
        yield


def test_an_exception_passes_as_the_same_object_and_is_recorded():
    error = ValueError("no such order")
    with pytest.raises(ValueError) as caught:
        with start_span("failing"):
            raise error
    assert caught.value is error
    assert error.__context__ is None and error.__cause__ is None
    span = take().one("failing")
    assert (span.status.code, span.status.message) == (2, "ValueError: no such order")
    (event,) = span.events
    recorded = attributes(event.attributes)
    assert event.name == "exception"
    assert (
        recorded["exception.type"] == "ValueError"
        and recorded["exception.message"] == "no such order"
    )
    assert recorded["exception.stacktrace"].startswith("Traceback (most recent call last):")
    assert "raise error" in recorded["exception.stacktrace"]
    assert recorded["exception.stacktrace"].endswith("ValueError: no such order\n")


class ShopError(Exception):
    class Inner(Exception):
        pass


def test_the_type_of_an_exception_is_qualified():
    with pytest.raises(ShopError.Inner), start_span("failing"):
        raise ShopError.Inner
    span = take().one("failing")
    assert attributes(span.events[0].attributes)["exception.type"].endswith(
        "test_exception.ShopError.Inner"
    )
    assert span.status.message == "Inner"


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("broken")


def test_an_exception_that_cannot_be_worded():
    error = Mute()
    with pytest.raises(Mute) as caught, start_span("failing"):
        raise error
    assert caught.value is error
    assert take().one("failing").status.code == 2


def test_recursion_errors_are_bounded():
    def deeper():
        deeper()

    with pytest.raises(RecursionError), start_span("failing"):
        deeper()
    stack = attributes(take().one("failing").events[0].attributes)["exception.stacktrace"]
    assert len(stack) < 40_000


def test_long_messages_are_bounded():
    with pytest.raises(ValueError), start_span("failing"):
        raise ValueError("x" * 5_000_000)
    span = take().one("failing")
    assert span.status.code == 2


@pytest.mark.parametrize("code, failed", [(None, False), (0, False), (3, True), ("text", True)])
def test_leaving_the_program_in_order_is_no_error(code, failed):
    with pytest.raises(SystemExit), start_span("exit"):
        sys.exit(code)
    span = take().one("exit")
    assert (span.status.code, len(span.events)) == ((2, 1) if failed else (0, 0))


def test_cancellation_is_no_error():
    async def wait():
        with start_span("cancelled"):
            await asyncio.sleep(60)

    async def main():
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    span = take().one("cancelled")
    assert span.status.code == 0 and not span.events


class GivenUp(asyncio.CancelledError):
    """A cancellation of a library."""


class GreenletExit(BaseException):
    """As in greenlet, for gevent and eventlet."""


@pytest.mark.parametrize("kind", [GivenUp, GreenletExit])
def test_cancellation_of_other_libraries_is_no_error(kind):
    with pytest.raises(kind), start_span("cancelled"):
        raise kind
    span = take().one("cancelled")
    assert span.status.code == 0 and not span.events


def test_a_killed_greenlet_is_no_error():
    greenlet = pytest.importorskip("greenlet")

    def work():
        with start_span("killed"):
            greenlet.getcurrent().parent.switch()

    working = greenlet.greenlet(work)
    working.switch()
    working.throw()  # GreenletExit
    assert working.dead and take().one("killed").status.code == 0


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups came with 3.11")
def test_groups_of_nothing_but_cancellation_are_no_errors():
    group = BaseExceptionGroup  # noqa: F821 (see above)
    cancelled = asyncio.CancelledError()
    for name, error, status in (
        (
            "cancelled",
            group("tasks", [cancelled, group("inner", [GreenletExit(), GeneratorExit()])]),
            0,
        ),
        ("failed too", group("tasks", [cancelled, ValueError("no")]), 2),
        ("interrupted", group("tasks", [cancelled, KeyboardInterrupt()]), 2),
    ):
        with pytest.raises(group), start_span(name):
            raise error
        span = take().one(name)
        assert (span.status.code, len(span.events)) == (status, status // 2), name
    deep = cancelled
    for _ in range(100):
        deep = group("deeper", [deep])
    with pytest.raises(group), start_span("deep"):
        raise deep
    assert take().one("deep").status.code == 2


def test_keyboard_interrupt_is_an_error():
    with pytest.raises(KeyboardInterrupt), start_span("stopped"):
        raise KeyboardInterrupt
    assert take().one("stopped").status.code == 2


def test_closing_a_generator_is_no_error():
    def numbers():
        with start_span("generator"):
            yield 1
            yield 2

    generator = numbers()
    assert next(generator) == 1
    generator.close()
    span = take().one("generator")
    assert span.status.code == 0 and not span.events


def test_traceback_formatting_does_not_touch_the_exception():
    try:
        with start_span("outer"):
            raise ValueError("x")
    except ValueError as error:
        frames = traceback.extract_tb(error.__traceback__)
        assert [frame.name for frame in frames] == [
            "test_traceback_formatting_does_not_touch_the_exception"
        ]


def recorded(error, **arguments):
    """The attributes of the event and the span's status, of an exception that leaves a block."""
    with pytest.raises(type(error)), start_span("failing"):
        raise error
    span = take().one("failing")
    kept = [attributes(event.attributes) for event in span.events]
    return kept, (span.status.code, span.status.message)


class Odd(ValueError):
    pass


class Renamed(Exception):
    pass


@pytest.mark.parametrize(
    ("module", "name", "expected"),
    [
        ("builtins", "Plain", "Plain"),
        ("shop", "Order.Gone", "shop.Order.Gone"),
        ("büro", "Fehler", "büro.Fehler"),
        (7, "Plain", "Plain"),
        (None, "Plain", "Plain"),
    ],
)
def test_the_name_of_a_class(module, name, expected):
    kind = type(name, (Exception,), {"__qualname__": name, "__module__": module})
    ((event,), _) = recorded(kind("m"))
    assert event["exception.type"] == expected


def test_a_class_whose_names_cannot_be_read():
    class Closed(type):
        def __getattribute__(cls, name):
            if name in ("__module__", "__qualname__"):
                raise RuntimeError
            return super().__getattribute__(name)

    Hidden = Closed("Hidden", (Exception,), {})  # noqa: N806
    ((event,), status) = recorded(Hidden("m"))
    assert event["exception.message"] == "m" and status == (2, "Hidden: m")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no"), "ValueError: no"),
        (ValueError(), "ValueError"),
        (ValueError(""), "ValueError"),
        (ValueError("é\ud800"), "ValueError: é\ufffd"),
        (Odd("x"), "Odd: x"),
        (Mute(), "Mute"),
        (KeyError("k"), "KeyError: 'k'"),
    ],
)
def test_the_message_of_the_status(error, message):
    (events, status) = recorded(error)
    assert status == (2, message)
    worded = "" if type(error) is Mute else message.partition(": ")[2]
    assert events[0].get("exception.message", "") == worded
    assert events[0]["exception.escaped"] is True


def test_the_members_of_an_event():
    ((event,), _) = recorded(ValueError("no"))
    assert set(event) == {
        "exception.type",
        "exception.message",
        "exception.stacktrace",
        "exception.escaped",
    }


@pytest.mark.parametrize("when", [None, 1_700_000_000_000_000_000, 1_700_000_000.5])
@pytest.mark.parametrize("escaped", [True, False])
def test_an_exception_with_a_time_has_the_same_form(when, escaped):
    error = ValueError("no")
    span = start_span("s")
    span.record_exception(error, {"a": 1, "b": [2], "bad": object(), 7: 8}, when, escaped)
    span.record_exception(error, None, when, escaped=escaped)
    span.record_exception(error, {}, timestamp=when)
    span.end()
    found = take().one("s")
    full, none, empty = [attributes(event.attributes) for event in found.events]
    assert (full.pop("a"), full.pop("b")) == (1, [2]) and full == none
    assert none["exception.type"] == "ValueError" and none["exception.message"] == "no"
    assert none["exception.stacktrace"] == "ValueError: no\n"
    assert none.get("exception.escaped", False) is escaped and "exception.escaped" not in empty
    assert {event.name for event in found.events} == {"exception"}
    if when is not None:
        assert {event.time_unix_nano for event in found.events} == {
            int(when * 1e9) if when < 1e12 else when
        }
    assert found.dropped_attributes_count == 2 and found.status.code == 0


class Truth:
    def __bool__(self):
        raise RuntimeError


def test_escaped_is_a_truth():
    span = start_span("s")
    for given in (1, "x", [], None, Truth()):
        span.record_exception(ValueError(), None, None, given)
    span.end()
    found = [attributes(event.attributes) for event in take().one("s").events]
    escaped = [one.get("exception.escaped", False) for one in found]
    assert escaped == [True, True, False, False, False]


@pytest.mark.parametrize("given", [None, "text", ValueError, 7, object()])
def test_what_is_no_exception_is_counted(given):
    span = start_span("s")
    span.record_exception(given)
    span.end()
    found = take().one("s")
    assert not found.events and found.dropped_attributes_count == 1


@pytest.mark.parametrize(
    ("kind", "orderly"),
    [
        (asyncio.CancelledError, True),
        (GivenUp, True),
        (GreenletExit, True),
        (type("Cancelled", (BaseException,), {}), True),
        (type("MyCancelled", (BaseException,), {}), False),
        (type("Cancelled", (Exception,), {}), False),
        (type("CancelledError", (ValueError,), {}), False),
        (GeneratorExit, True),
        (type("Closing", (GeneratorExit,), {}), True),
        (KeyboardInterrupt, False),
        (SystemExit, True),
        (BaseException, False),
    ],
)
def test_which_exceptions_are_no_errors(kind, orderly):
    events, status = recorded(kind())
    assert (len(events), status[0]) == ((0, 0) if orderly else (1, 2))


@pytest.mark.parametrize(
    ("code", "orderly"),
    [(None, True), (0, True), (False, True), (1, False), (-1, False), (True, False), ("", False)],
)
def test_codes_of_an_exit(code, orderly):
    events, status = recorded(SystemExit(code))
    assert (len(events), status[0]) == ((0, 0) if orderly else (1, 2))


def test_an_exit_whose_code_cannot_be_read():
    class Closed(SystemExit):
        @property
        def code(self):
            raise RuntimeError

    assert recorded(Closed(0))[1][0] == 2


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups came with 3.11")
@pytest.mark.parametrize(("levels", "orderly"), [(1, True), (8, True), (9, False)])
def test_nested_groups_are_looked_at_to_a_depth(levels, orderly):
    error = asyncio.CancelledError()
    for _ in range(levels):
        error = BaseExceptionGroup("group", [error])  # noqa: F821
    assert (recorded(error)[1][0] == 0) is orderly


def test_things_that_resemble_a_group():
    for members in ((), [asyncio.CancelledError()], None, 7, (7,)):
        kind = type("MyExceptionGroup", (BaseException,), {"exceptions": members})
        if members != (7,):
            assert recorded(kind())[1][0] == 2, members
    kind = type("MyExceptionGroup", (BaseException,), {"exceptions": (GeneratorExit(),)})
    assert recorded(kind())[1][0] == 0
    kind = type("Exceptions", (BaseException,), {"exceptions": (GeneratorExit(),)})
    assert recorded(kind())[1][0] == 2
    kind = type("MyExceptionGroup", (BaseException,), {})
    assert recorded(kind())[1][0] == 2


class Leaving(Exception):
    """Its text is code of the program that leaves and ends the span."""

    def __init__(self, span):
        self.span = span

    def __str__(self):
        self.span.end()
        djp_telemetry.shutdown(1)
        gc.collect()
        return "left"


def test_an_exception_whose_text_ends_telemetry():
    span = start_span("s")
    with pytest.raises(Leaving), span:
        raise Leaving(span)
    assert djp_telemetry.get_current_span() is djp_telemetry.INVALID_SPAN


def test_an_exception_that_is_being_handled_stays():
    with start_span("s") as span:
        try:
            raise KeyError("handled")
        except KeyError as error:
            span.record_exception(Mute())
            span.record_exception(ValueError("other"), {"k": object()})
            assert sys.exc_info()[1] is error


def test_exceptions_on_a_span_that_ended_are_not_read():
    span = start_span("s")
    span.end()
    read = []

    class Read(Exception):
        def __str__(self):
            read.append(self)
            return ""

    span.record_exception(Read())
    with pytest.raises(Read), djp_telemetry.use_span(span):
        raise Read
    with pytest.raises(Read), djp_telemetry.use_span(djp_telemetry.INVALID_SPAN):
        raise Read
    djp_telemetry.INVALID_SPAN.record_exception(Read())
    assert read == []


def raised():
    error = ValueError(new("é" * 5000 + "\ud800"))
    for failing in (error, Mute(), SystemExit(new("x")), asyncio.CancelledError(new("x"))):
        try:
            with start_span("s"):
                raise failing
        except BaseException as caught:
            caught.__traceback__ = None
    span = start_span("s")
    span.record_exception(error, {"k": new("é" * 5000), "bad": REFUSED}, 1_700_000_000.5, True)
    span.record_exception(error, {"k": [new("\ud800")]})
    span.end()
    if sys.version_info >= (3, 11):
        try:
            with start_span("s"):
                raise BaseExceptionGroup("g", [GreenletExit(new("x"))])  # noqa: F821
        except BaseException as caught:
            caught.__traceback__ = None


REFUSED = object()


def test_exceptions_are_given_back():
    with telemetry(exporter="file", file_path=os.devnull):
        raised()
        assert (
            references(raised, _exceptions, ValueError, Mute, REFUSED, None, rounds=40) == [0] * 5
        )
        assert gives_back(raised, 20)


def test_exceptions_without_memory():
    span, error = start_span("s"), ValueError("é" * 5000)
    assert starve(lambda: span.record_exception(error, {"k": "\ud800"}, 1_700_000_000.5))
    assert starve(lambda: span.record_exception(error, {"k": "\ud800"}))
    assert starve(lambda: span.__exit__(ValueError, error, None), 120)
