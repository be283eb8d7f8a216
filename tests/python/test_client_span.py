"""The error with which an outgoing request ends: its class or code, its message, and which errors
are the caller's own cancellation."""

import asyncio
import concurrent.futures
import errno
import sys

import pytest
from djp_telemetry import _client_span
from support import attributes, take, telemetry

pytest.importorskip("djp_telemetry._native")


class Timeout(BaseException):
    """As gevent and eventlet have it."""


class Late(Timeout):
    """A class below it."""


class Odd(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def caused(error, cause):
    error.__cause__ = cause
    return error


def during(error, context):
    error.__context__ = context
    return error


def because(error, reason):
    error.reason = reason
    return error


def ring():
    """Errors that are each other's cause."""
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    return first


REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
DEEP = REFUSED
for depth in range(9):
    DEEP = caused(ValueError(depth), DEEP)


@pytest.mark.parametrize(
    "error, kind",
    [
        (REFUSED, "ECONNREFUSED"),
        (OSError("without a number"), "OSError"),
        (OSError(0, "zero"), "OSError"),
        (OSError(99999, "unknown"), "OSError"),
        (ValueError("x"), "ValueError"),
        (caused(ValueError("x"), REFUSED), "ECONNREFUSED"),
        (during(ValueError("x"), REFUSED), "ECONNREFUSED"),
        (because(ValueError("x"), REFUSED), "ECONNREFUSED"),
        (because(ValueError("x"), "a text"), "ValueError"),
        (caused(during(ValueError("x"), REFUSED), TypeError("y")), "ValueError"),
        (DEEP, "ECONNREFUSED"),
        (caused(ValueError("x"), DEEP), "ValueError"),
        (ring(), "ValueError"),
        (TimeoutError("late"), "TimeoutError"),
        (Timeout("late"), "Timeout"),
        (Late("late"), "Late"),
    ],
    ids=str,
)
def test_the_type_of_an_error(error, kind):
    with telemetry():
        call = _client_span.start("GET", "http://example.com/")
        _client_span.end(call, error)
        (span,) = take()
    assert attributes(span.attributes)["error.type"] == kind
    assert (span.status.code, span.status.message) == (2, str(error))
    assert [event.name for event in span.events] == ["exception"]


@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError(),
        concurrent.futures.CancelledError(),
        GeneratorExit(),
        KeyboardInterrupt(),
        SystemExit(1),
    ],
    ids=repr,
)
def test_a_cancelled_request_is_no_error(error):
    with telemetry():
        call = _client_span.start("GET", "http://example.com/")
        call.respond(200)
        _client_span.end(call, error)
        (span,) = take()
    assert span.status.code == 0 and not span.events
    assert "error.type" not in attributes(span.attributes)


def test_the_message_is_bounded_and_need_not_exist():
    with telemetry():
        for error in (ValueError("x" * 5000), Odd()):
            _client_span.end(_client_span.start("GET", "http://example.com/"), error)
        long, odd = take()
    assert long.status.message == "x" * 1000
    assert (odd.status.code, odd.status.message) == (2, "")
    assert attributes(odd.attributes)["error.type"] == "Odd"


def test_without_an_error_and_without_a_span():
    with telemetry():
        _client_span.end(_client_span.start("GET", "http://example.com/"), None)
        (span,) = take()
    assert span.status.code == 0
    with telemetry(backend="prom"):
        _client_span.end(_client_span.start("GET", "http://example.com/"), ValueError("x"))
    assert _client_span.start("GET", "http://example.com/") is None


def test_the_end_of_the_program_is_no_error(monkeypatch):
    with telemetry():
        call = _client_span.start("GET", "http://example.com/")
        monkeypatch.setattr(sys, "is_finalizing", lambda: True)
        _client_span.end(call, ValueError("x"))
        monkeypatch.undo()
        (span,) = take()
    assert span.status.code == 0 and not span.events
