"""Start and shutdown as Python sees them: options as text, messages once each, results of flush and
shutdown in every order, and that nothing raises into the application."""

import collections
import datetime
import enum
import io
import json
import logging
import os
import pathlib
import signal
import sys
import threading
import time

import djp_telemetry
import pytest
from djp_telemetry import _fork_exit, _loader, _runtime, start_span
from support import run_program, started_anew, take, telemetry

pytest.importorskip("djp_telemetry._native")


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    with started_anew(monkeypatch):
        yield


def test_a_start_is_told_once_in_one_line(caplog):
    with caplog.at_level(logging.INFO, "djp_telemetry"):
        with telemetry(sample_ratio=0.5, service_name="shop"):
            djp_telemetry.init_telemetry(enabled=True)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert lines == [
        "Telemetry is on (option enabled) for shop: spans to memory (option exporter), ratio 0.5 "
        "(option sample_ratio), besides errors and what takes more than 2 s."
    ]


def test_no_start_is_told_while_off_or_unwanted(caplog, monkeypatch):
    monkeypatch.setenv("OTEL_ENDPOINT", "http://far:4317")
    with caplog.at_level(logging.DEBUG, "djp_telemetry"):
        djp_telemetry.init_telemetry()
        with telemetry(log_level="warn"):
            pass
    assert not caplog.records


def test_an_option_that_raises_when_read(caplog):
    class Broken:
        def __str__(self):
            raise RuntimeError

    with caplog.at_level(logging.WARNING, "djp_telemetry"), telemetry(endpoint=Broken()):
        assert djp_telemetry.telemetry_status()["enabled"]
    assert "endpoint" in caplog.text


@pytest.mark.parametrize(
    "given, text",
    [
        (True, "true"),
        (False, "false"),
        (None, None),
        ("as it is", "as it is"),
        (0.25, "0.25"),
        (8, "8"),
        ({"a b": "c,d", "e": 1}, "a%20b=c%2Cd,e=1"),
        (["/a", "/b*"], "/a,/b*"),
        (datetime.timedelta(seconds=1.5), "1.5"),
        (pathlib.Path("/tmp/x"), "/tmp/x"),
        (djp_telemetry.SpanKind.SERVER, "2"),
    ],
)
def test_options_as_text(given, text):
    assert djp_telemetry._runtime.option_text(given) == text


def test_again_after_shutdown():
    for number in range(3):
        with telemetry(service_name=f"s{number}"):
            with start_span("s"):
                pass
            assert len(take()) == 1
        assert djp_telemetry.telemetry_status()["enabled"] is False
        assert djp_telemetry.telemetry_status()["spans"]["exported"] == 1


def test_everything_after_shutdown_is_a_no_op():
    with telemetry():
        span = start_span("open")
    assert djp_telemetry.shutdown() and djp_telemetry.flush()
    span.set_attribute("a", 1)
    span.end()
    assert start_span("late") is djp_telemetry.INVALID_SPAN
    assert djp_telemetry.get_tracer("t").start_span("late") is djp_telemetry.INVALID_SPAN


def test_flush_and_shutdown_tell_the_truth_about_a_dead_collector():
    djp_telemetry.init_telemetry(
        enabled=True,
        backend="otel",
        exporter="otlp",
        endpoint="http://127.0.0.1:9",
        sample_ratio=1.0,
        log_level="none",
    )
    with start_span("lost"):
        pass
    begin = time.monotonic()
    assert djp_telemetry.flush(0.3) is False
    assert djp_telemetry.shutdown() is False
    assert time.monotonic() - begin < 3
    assert sum(djp_telemetry.telemetry_status()["dropped"].values()) == 1


def test_the_seam_of_the_noop_backend(monkeypatch, caplog):
    with caplog.at_level(logging.INFO, "djp_telemetry"):
        djp_telemetry.init_noop_if_enabled()
        assert not caplog.records
        monkeypatch.setenv("TELEMETRY_ENABLED", "true")
        djp_telemetry.init_noop_if_enabled()
        djp_telemetry.init_noop_if_enabled()
    assert [record.getMessage() for record in caplog.records] == ["telemetry initialized (noop)"]


def test_a_second_thread_gets_the_answer_of_the_shutdown_under_way():
    djp_telemetry.init_telemetry(
        enabled=True,
        backend="otel",
        exporter="otlp",
        endpoint="http://127.0.0.1:9",
        sample_ratio=1.0,
        log_level="none",
    )
    start_span("lost").end()
    answers = []
    first = threading.Thread(target=lambda: answers.append(djp_telemetry.shutdown(0.7)))
    first.start()
    while djp_telemetry._runtime._runtime.active:
        time.sleep(0.001)
    answers.append(djp_telemetry.shutdown(10))
    first.join(10)
    assert answers == [False, False]
    assert djp_telemetry.shutdown(1) is True


# ---- options -----------------------------------------------------------------------------------


class Backend(enum.Enum):
    HYBRID = "hybrid"
    MANY = ("a", "b")


class Text(str):
    pass


@pytest.mark.parametrize(
    ("given", "between", "text"),
    [
        (Backend.HYBRID, ",", "hybrid"),
        (Backend.MANY, ";", "a;b"),
        (1e300, ",", "1e+300"),
        (datetime.timedelta(minutes=1), ",", "60.0"),
        (collections.OrderedDict(a=1), ",", "a=1"),
        ({"a=b": "c,d&e/f"}, ",", "a%3Db=c%2Cd%26e%2Ff"),
        (("a", 1), ";", "a;1"),
        ([], ",", ""),
        (frozenset({"x"}), ",", "x"),
        ({"x"}, ",", "x"),
        (pathlib.PurePosixPath("/a/b"), ",", "/a/b"),
        (Text("sub"), ",", "sub"),
        (10**30, ",", "1" + "0" * 30),
        (None, ",", None),
        (1j, ",", "1j"),
    ],
)
def test_options_of_every_type(given, between, text):
    assert _runtime.option_text(given, between) == text


def test_rules_are_separated_by_semicolons():
    options = _runtime._options(
        {"tail_sampling_rules": ["a", "b"], "excluded_paths": ["a", "b"]}, None
    )
    assert options == {"tail_sampling_rules": "a;b", "excluded_paths": "a,b"}


def test_options_that_cannot_be_read_are_named():
    class Broken:
        def __str__(self):
            raise KeyError("x")

    told = []
    assert _runtime._options({"a": Broken(), "b": None, "c": 1}, told.append) == {"c": "1"}
    assert told == ["The option a could not be read (KeyError) and was ignored."]


@pytest.mark.parametrize(
    ("variables", "given", "expected"),
    [
        ({}, {}, False),
        ({}, {"enabled": True}, True),
        ({}, {"enabled": "yes"}, True),
        ({}, {"enabled": False}, False),
        ({"TELEMETRY_ENABLED": "true"}, {}, True),
        ({"TELEMETRY_ENABLED": "true"}, {"enabled": False}, False),
        ({"TELEMETRY_ENABLED": " ON "}, {}, True),
        ({"TELEMETRY_ENABLED": "2"}, {}, False),
        ({"ENABLE_OBSERVABILITY": "1"}, {}, True),
        ({"TELEMETRY_ENABLED": "false", "ENABLE_OBSERVABILITY": "1"}, {}, False),
        ({"DJP_TELEMETRY_ENABLED": "no", "TELEMETRY_ENABLED": "true"}, {}, False),
        ({"DJP_TELEMETRY_ENABLED": " TRUE "}, {}, True),
        ({"OTEL_SDK_DISABLED": "TRUE "}, {"enabled": True}, False),
        ({"OTEL_SDK_DISABLED": "1"}, {"enabled": True}, True),
        ({"OTEL_SDK_DISABLED": "true", "DJP_TELEMETRY_ENABLED": "on"}, {}, True),
    ],
)
def test_what_is_wanted_without_the_core(monkeypatch, variables, given, expected):
    for key, text in variables.items():
        monkeypatch.setenv(key, text)
    assert _runtime.wanted(given) is expected


@pytest.mark.parametrize(
    ("variable", "given", "expected"),
    [
        (None, {}, True),
        (None, {"log_correlation": False}, False),
        (None, {"log_correlation": "no"}, False),
        ("off", {}, False),
        (" FALSE ", {}, False),
        ("0", {"log_correlation": True}, True),
        ("what", {}, True),
    ],
)
def test_correlation_without_the_core(monkeypatch, variable, given, expected):
    if variable is not None:
        monkeypatch.setenv("DJP_TELEMETRY_LOG_CORRELATION", variable)
    assert _runtime._correlates(given) is expected


# ---- messages ----------------------------------------------------------------------------------


def test_a_message_is_logged_once(caplog):
    for _ in range(3):
        _runtime.warn_once("100 % of it")
    assert [record.getMessage() for record in caplog.records] == ["100 % of it"]


class Failing(logging.Handler):
    def handle(self, record):
        raise RuntimeError("a handler of the application")


@pytest.fixture
def failing_handler():
    logger, handler = logging.getLogger("djp_telemetry"), Failing()
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)


def test_a_handler_that_raises_harms_nothing(failing_handler, monkeypatch):
    monkeypatch.setattr(logging.getLogger("djp_telemetry"), "level", logging.INFO)
    _runtime.warn_once("text")
    _runtime.warn_scopes_full("name")
    with telemetry(nonsense=1):
        assert start_span("s").is_recording()


def test_the_full_table_of_scopes_is_told_once(caplog):
    _runtime.warn_scopes_full("shop" * 100)
    _runtime.warn_scopes_full("other")
    (record,) = caplog.records
    assert "1,023 different tracers; spans of " + "shop" * 25 + " and" in record.getMessage()


@pytest.mark.parametrize(("level", "told"), [("info", 1), ("debug", 1), ("warn", 0), ("none", 0)])
def test_the_line_of_a_start_depends_on_the_level(caplog, level, told):
    with caplog.at_level(logging.INFO, "djp_telemetry"), telemetry(log_level=level):
        djp_telemetry.init_telemetry()
    assert sum("Telemetry is on" in record.getMessage() for record in caplog.records) == told


# ---- failures of the core ----------------------------------------------------------------------


class Broken(Exception):
    pass


def broken(*given):
    raise Broken("of the core")


@pytest.mark.parametrize(
    ("name", "call", "result", "message"),
    [
        ("sdk_flush", djp_telemetry.flush, False, "Telemetry could not be flushed: Broken: of"),
        ("sdk_stop", djp_telemetry.shutdown, False, "Telemetry did not end in order: Broken: of"),
        ("sdk_take_exported", djp_telemetry.take_exported, [], "The exported spans could not be"),
        (
            "sdk_set_enabled",
            lambda: djp_telemetry.set_enabled(True),
            False,
            "Telemetry could not be switched: Broken: of the core",
        ),
    ],
)
def test_an_exception_of_the_core_is_a_message(monkeypatch, caplog, name, call, result, message):
    class Core:
        def __getattr__(self, attribute):
            return broken if attribute == name else getattr(_loader.impl, attribute)

    with telemetry():
        with monkeypatch.context() as patch:
            patch.setattr(_runtime, "impl", Core())
            assert call() == result
        assert message in caplog.text
        _runtime._runtime.active = True  # what the failed shutdown left


def test_a_status_that_cannot_be_read(monkeypatch):
    whole = djp_telemetry.telemetry_status()

    class Core:
        sdk_status = staticmethod(broken)

    monkeypatch.setattr(_runtime, "impl", Core)
    status = djp_telemetry.telemetry_status()
    assert status["problem"] == "The status could not be read: Broken: of the core"
    assert status.keys() == whole.keys() and status["impl"] == "native"


def test_a_start_that_fails(monkeypatch, caplog):
    class Core:
        sdk_start = staticmethod(broken)

    with monkeypatch.context() as patch:
        patch.setattr(_runtime, "impl", Core)
        djp_telemetry.init_telemetry(enabled=True)
    assert "could not be started and stays off: Broken: of the core" in caplog.text
    assert not _runtime._runtime.active
    with telemetry():
        assert start_span("s").is_recording()


def test_hooks_that_fail_cost_a_message(monkeypatch, caplog):
    monkeypatch.setattr(_runtime, "_set_hooks", broken)
    with telemetry():
        assert start_span("s").is_recording()
    assert "the last spans may be lost at exit: Broken: of the core" in caplog.text


@pytest.mark.parametrize(
    ("change", "name"),
    [(djp_telemetry.set_sample_ratio, "ratio"), (djp_telemetry.set_canary_ratio, "canary ratio")],
)
def test_ratios(change, name, caplog):
    assert change(0.5) is False  # telemetry is off
    with telemetry():
        for good in (0, 1, 0.5, True, None):
            assert change(good) is True
        assert not caplog.records
        for wrong in (-0.1, 1.1, float("nan"), "text", 10**400, object()):
            assert change(wrong) is False
        assert [record.getMessage() for record in caplog.records] == [
            f"The {name} was not changed: it must be a number from 0 to 1, or None for the "
            "configured one"
        ]


# ---- shutdown ----------------------------------------------------------------------------------


class Slow:
    """The core, with an end that waits for an event of the test."""

    def __init__(self, delivered=True):
        self.entered, self.go, self.delivered = threading.Event(), threading.Event(), delivered

    def __getattr__(self, name):
        return getattr(_loader.impl, name)

    def sdk_stop(self, limit):
        self.entered.set()
        assert self.go.wait(30)
        result = _loader.impl.sdk_stop(limit)
        return result and (self.delivered, result[1])


@pytest.mark.parametrize("delivered", [True, False])
def test_a_second_shutdown_waits_for_the_first(monkeypatch, delivered):
    slow, results = Slow(delivered), []
    with telemetry():
        monkeypatch.setattr(_runtime, "impl", slow)
        first = threading.Thread(target=lambda: results.append(djp_telemetry.shutdown(5)))
        first.start()
        assert slow.entered.wait(30)
        assert djp_telemetry.shutdown(0) is False  # its time is over before the first one ends
        second = threading.Thread(target=lambda: results.append(djp_telemetry.shutdown(30)))
        second.start()
        slow.go.set()
        first.join(30), second.join(30)
        monkeypatch.undo()
    assert results == [delivered, delivered]
    assert djp_telemetry.shutdown(1) is True and _runtime._runtime.ending is None


def test_a_shutdown_inside_the_shutdown_does_not_wait(monkeypatch):
    """As from a signal handler that runs in the thread of the shutdown."""
    inside = []

    class Core(Slow):
        def sdk_stop(self, limit):
            inside.append(djp_telemetry.shutdown(30))
            return _loader.impl.sdk_stop(limit)

    with telemetry():
        monkeypatch.setattr(_runtime, "impl", Core())
        assert djp_telemetry.shutdown(5) is True
        monkeypatch.undo()
    assert inside == [False]


def test_a_child_does_not_wait_for_the_shutdown_of_its_parent():
    """The thread that ran it does not exist in the child."""
    runtime = _runtime._runtime
    lock, runtime.ending = runtime.lock, threading.Event()
    _runtime._after_fork_in_child()
    assert runtime.ending is None and runtime.lock is not lock
    assert djp_telemetry.shutdown(30) is True
    _fork_exit._forked = False
    os._exit = _fork_exit._os_exit


def test_the_time_limit_of_the_setting():
    asked = []

    def wait(call, limit):
        asked.append(limit)
        return call(limit)

    for given, expected in ((None, 2.5), (7, 7), (0, 0)):
        with telemetry(shutdown_timeout=2.5):
            assert _runtime._shutdown(given, wait) is True
        assert asked.pop() == expected and not asked
    assert _runtime._shutdown(None, wait) is True and not asked


def test_flush_without_a_time_limit_takes_ten_seconds(monkeypatch):
    asked = []

    class Core:
        @staticmethod
        def sdk_flush(limit):
            asked.append(limit)
            return 1

    monkeypatch.setattr(_runtime, "impl", Core)
    assert djp_telemetry.flush() is True and djp_telemetry.flush(0) is True
    assert djp_telemetry.flush(timeout=3) is True and asked == [10.0, 0, 3]


# ---- hooks -------------------------------------------------------------------------------------


def test_a_default_action_that_is_restored_is_taken_again(monkeypatch):
    taken = []

    class Core:
        @staticmethod
        def sdk_take_signals():
            taken.append(1)

    before = signal.getsignal(signal.SIGUSR2)
    with telemetry():
        pass
    assert signal.signal._djp_telemetry
    monkeypatch.setattr(_runtime, "impl", Core)
    try:
        assert signal.signal(signal.SIGUSR2, signal.SIG_IGN) == before and not taken
        signal.signal(signal.SIGUSR2, lambda *_: None)
        assert not taken
        signal.signal(signal.SIGUSR2, signal.SIG_DFL)
        assert taken == [1]
    finally:
        signal.signal(signal.SIGUSR2, before)


class Pipe(io.TextIOWrapper):
    """Standard output into a pipe."""

    def __init__(self, number):
        self.number, self.changed = number, []
        super().__init__(io.BytesIO())

    def fileno(self):
        if self.number is None:
            raise OSError
        return self.number

    def reconfigure(self, **options):
        self.changed.append(options)


@pytest.mark.parametrize(
    ("number", "fifo", "whole"),
    [(1, True, True), (1, False, False), (2, True, False), (None, True, False)],
)
def test_lines_stay_whole_in_a_pipe_only(monkeypatch, number, fifo, whole):
    stream = Pipe(number)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(
        _runtime.os, "fstat", lambda fd: os.stat_result([0o010600 if fifo else 0o100600] + [0] * 9)
    )
    _runtime._keep_lines_whole()
    assert stream.changed == ([{"line_buffering": True, "write_through": False}] if whole else [])


def test_other_streams_are_left_alone(monkeypatch):
    for stream in (None, io.StringIO(), object()):
        monkeypatch.setattr(sys, "stdout", stream)
        _runtime._keep_lines_whole()


def test_the_name_of_the_program(monkeypatch):
    for executable, name in (("/a/b/python3", "python3"), ("", "python"), (None, "python")):
        monkeypatch.setattr(sys, "executable", executable)
        assert _runtime._program() == f"unknown_service:{name}"


def test_the_status_after_a_start_that_was_not_wanted():
    djp_telemetry.init_telemetry(enabled=False, service_name="given")
    assert djp_telemetry.telemetry_status()["service_name"] == "given"
    with telemetry(service_name="running"):
        pass
    assert djp_telemetry.telemetry_status()["service_name"] == "running"
    djp_telemetry.init_telemetry(enabled=False, service_name="later")
    status = djp_telemetry.telemetry_status()
    assert (status["service_name"], status["enabled"]) == ("later", False)
    assert json.dumps(status)


def test_the_end_of_a_program_exports_what_waits(tmp_path):
    run_program(
        """
        import os, djp_telemetry as d
        d.init_telemetry(file_path=os.environ["SPANS"], flush_interval=3600)
        for _ in range(2):
            d.init_telemetry()
        d.start_span("last").end()
        """,
        tmp_path,
    )
    assert (tmp_path / "spans.jsonl").read_text().count('"last"') == 1
