"""Trace ids on log records: child loggers, late handlers, extra=, formats, queues, threads, other
libraries' hooks."""

import copy
import io
import logging
import logging.handlers
import pickle
import queue
import threading
import time

import djp_telemetry
import pytest
from djp_telemetry import log_correlation, start_span
from djp_telemetry.log_correlation import (
    TraceIdFilter,
    get_structured_log_context,
    install_trace_correlation,
)
from support import run_program, telemetry

FORMAT = "%(name)s [%(trace_id)s/%(span_id)s] %(message)s"


@pytest.fixture(autouse=True)
def correlation():
    with telemetry():
        install_trace_correlation()
        yield
    log_correlation.uninstall_trace_correlation()


class Lines(logging.StreamHandler):
    def __init__(self, style="%", fmt=FORMAT):
        super().__init__(io.StringIO())
        self.setFormatter(logging.Formatter(fmt, style=style))

    def handleError(self, record):
        raise AssertionError(f"a line was lost: {record.getMessage()}")

    @property
    def lines(self):
        return self.stream.getvalue().splitlines()


@pytest.fixture
def logged():
    """The handler of a logger without other handlers."""
    logger = logging.getLogger("correlated")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    handler = Lines()
    logger.addHandler(handler)
    yield logger, handler
    logger.handlers.clear()
    logger.filters.clear()


def tag(span):
    context = span.get_span_context()
    return f"[{context.trace_id:032x}/{context.span_id:016x}]"


def test_a_line_inside_and_outside_a_span(logged):
    logger, handler = logged
    logger.info("before")
    with start_span("s") as span:
        logger.info("inside")
    logger.info("after")
    assert handler.lines == [
        "correlated [/] before",
        f"correlated {tag(span)} inside",
        "correlated [/] after",
    ]


def test_child_loggers_and_late_handlers(logged):
    logger, _ = logged
    child = logging.getLogger("correlated.child.grandchild")
    late = Lines()
    logger.addHandler(late)
    with start_span("s") as span:
        child.warning("from a child")
    assert late.lines == [f"correlated.child.grandchild {tag(span)} from a child"]


def test_extra_with_the_same_keys(logged):
    logger, handler = logged
    with start_span("s") as span:
        logger.info("same", extra=get_structured_log_context())
        logger.info("other", extra={"trace_id": "mine", "span_id": "own"})
        logger.info("half", extra={"trace_id": "mine"})
    logger.info("none", extra=get_structured_log_context())
    context = span.get_span_context()
    assert handler.lines == [
        f"correlated {tag(span)} same",
        "correlated [mine/own] other",
        f"correlated [mine/{context.span_id:016x}] half",
        "correlated [/] none",
    ]


@pytest.mark.parametrize(
    "style, fmt",
    [("{", "[{trace_id}/{span_id}] {message}"), ("$", "[${trace_id}/$span_id] $message")],
)
def test_other_styles_of_formats(logged, style, fmt):
    logger, _ = logged
    handler = Lines(style, fmt)
    logger.addHandler(handler)
    with start_span("s") as span:
        logger.info("x")
    assert handler.lines == [f"{tag(span)} x"]


def test_ids_are_taken_when_the_record_is_made(logged):
    logger, direct = logged
    waiting = queue.Queue()
    logger.addHandler(logging.handlers.QueueHandler(waiting))
    with start_span("s") as span:
        logger.info("queued %d", 1)
    late = Lines()
    listener = logging.handlers.QueueListener(waiting, late)
    with start_span("another"):
        listener.start()
        listener.stop()
    assert late.lines == direct.lines == [f"correlated {tag(span)} queued 1"]


def test_records_survive_copies_and_pickles(logged):
    logger, _ = logged
    kept = []
    handler = logging.Handler()
    handler.emit = kept.append
    logger.addHandler(handler)
    with start_span("s") as span:
        logger.info("x")
    for record in (kept[0], copy.copy(kept[0]), pickle.loads(pickle.dumps(kept[0]))):
        assert type(record) is logging.LogRecord
        assert f"[{record.trace_id}/{record.span_id}]" == tag(span)
        assert logging.Formatter(FORMAT).format(record).endswith("x")


def test_other_threads_have_their_own_ids(logged):
    logger, handler = logged
    with start_span("main"):
        thread = threading.Thread(target=lambda: logger.info("elsewhere"))
        thread.start()
        thread.join()
    assert handler.lines == ["correlated [/] elsewhere"]


def test_the_filter_alone():
    record = logging.makeLogRecord({"msg": "x"})
    assert TraceIdFilter().filter(record) is True and record.trace_id == record.span_id == ""
    with start_span("s") as span:
        record = logging.makeLogRecord({"msg": "x"})
        assert TraceIdFilter().filter(record) is True
    assert f"[{record.trace_id}/{record.span_id}]" == tag(span)
    kept = logging.makeLogRecord({"msg": "x", "trace_id": "mine"})
    TraceIdFilter().filter(kept)
    assert kept.trace_id == "mine"


def test_filters_of_loggers_see_the_ids(logged):
    logger, _ = logged
    seen = []
    logger.addFilter(lambda record: seen.append(record.trace_id) or True)
    with start_span("s") as span:
        logger.info("x")
    assert seen == [f"{span.get_span_context().trace_id:032x}"]


def test_installing_twice_adds_one_filter():
    log_correlation.uninstall_trace_correlation()
    root, before = logging.getLogger(), list(logging.getLogger().filters)
    install_trace_correlation()
    install_trace_correlation()
    added = [item for item in root.filters if item not in before]
    assert len(added) == 1 and isinstance(added[0], TraceIdFilter)
    log_correlation.uninstall_trace_correlation()
    assert list(root.filters) == before


def test_uninstalling_restores_logging():
    log_correlation.uninstall_trace_correlation()
    original = logging.Logger.handle
    install_trace_correlation()
    assert logging.Logger.handle is not original
    log_correlation.uninstall_trace_correlation()
    assert logging.Logger.handle is original


def test_a_hook_on_top_of_ours_goes_on_working(logged):
    logger, handler = logged
    ours, seen = logging.Logger.handle, []

    def theirs(self, record):
        seen.append(record.getMessage())
        return ours(self, record)

    logging.Logger.handle = theirs
    try:
        log_correlation.uninstall_trace_correlation()
        install_trace_correlation()
        with start_span("s") as span:
            logger.info("x")
    finally:
        logging.Logger.handle = ours
    assert seen == ["x"] and handler.lines == [f"correlated {tag(span)} x"]


def test_another_record_factory_is_left_alone(logged):
    logger, handler = logged
    before = logging.getLogRecordFactory()

    def factory(*args, **kwargs):
        record = before(*args, **kwargs)
        record.custom = 1
        return record

    logging.setLogRecordFactory(factory)
    try:
        with start_span("s") as span:
            logger.info("x", extra=get_structured_log_context())
    finally:
        logging.setLogRecordFactory(before)
    assert handler.lines == [f"correlated {tag(span)} x"]


def test_formats_go_on_working_after_shutdown(logged):
    logger, handler = logged
    djp_telemetry.shutdown(1)
    logger.info("late")
    assert handler.lines == ["correlated [/] late"]


@pytest.mark.parametrize("backend", ["otel", "hybrid", "prom", "noop"])
def test_init_installs_it(backend):
    log_correlation.uninstall_trace_correlation()
    with telemetry(backend=backend):
        assert any(isinstance(item, TraceIdFilter) for item in logging.getLogger().filters)


LINES = """
import logging, sys
logging.basicConfig(format="%(levelname)s [%(trace_id)s/%(span_id)s] %(message)s")
import djp_telemetry
djp_telemetry.init_telemetry()
with djp_telemetry.start_span("s"):
    logging.getLogger("a.b").error("of a child")
logging.error("of the root")
"""


@pytest.mark.parametrize(
    "environment, warnings",
    [
        ({"TELEMETRY_ENABLED": ""}, 0),
        ({"OTEL_SDK_DISABLED": "true"}, 1),
        ({"TELEMETRY_BACKEND": ""}, 1),
        ({"OTEL_TRACES_EXPORTER": "none"}, 0),
        ({"OTEL_TRACE_SAMPLE": "many", "TELEMETRY_BACKEND": "prom"}, 1),
        ({"TELEMETRY_ENABLED": "", "DJP_TELEMETRY_NATIVE": "off"}, 0),
        ({"DJP_TELEMETRY_NATIVE": "off"}, 1),
    ],
)
def test_no_line_is_lost_while_nothing_is_recorded(environment, warnings, tmp_path):
    """A format with the field, set before telemetry starts, loses neither the lines of the
    application nor the package's warnings."""
    lines = run_program(LINES, tmp_path, **environment).stderr.splitlines()
    assert len(lines) == 2 + warnings, lines
    assert all(line.startswith("WARNING [/] ") for line in lines[:warnings])
    said = [line.partition("] ")[2] for line in lines[warnings:]]
    assert said == ["of a child", "of the root"] and lines[-1] == "ERROR [/] of the root"


@pytest.mark.parametrize("native", ["", "off"])
def test_lines_are_left_alone_on_request(native, tmp_path):
    environment = {
        "DJP_TELEMETRY_LOG_CORRELATION": "false",
        "DJP_TELEMETRY_NATIVE": native,
        "TELEMETRY_ENABLED": "",
    }
    done = run_program(LINES, tmp_path, **environment)
    assert "Formatting field not found" in done.stderr


def test_init_can_be_told_not_to():
    log_correlation.uninstall_trace_correlation()
    with telemetry(log_correlation=False):
        assert not any(isinstance(item, TraceIdFilter) for item in logging.getLogger().filters)


def test_structured_context():
    assert get_structured_log_context() == {}
    with start_span("s") as span:
        context = span.get_span_context()
        assert get_structured_log_context() == {
            "trace_id": f"{context.trace_id:032x}",
            "span_id": f"{context.span_id:016x}",
        }


def test_the_cost_of_a_record(logged):
    logger, _ = logged
    logger.handlers = [logging.NullHandler()]

    def best():
        times = []
        for _ in range(30):
            begin = time.perf_counter()
            for _ in range(200):
                logger.info("x")
            times.append((time.perf_counter() - begin) / 200)
        return min(times)

    with start_span("s"):
        log_correlation.uninstall_trace_correlation()
        without = best()
        install_trace_correlation()
        extra = best() - without
    assert extra < 3e-6, f"{extra * 1e9:.0f} ns a record"


class OwnHandle(logging.Logger):
    def handle(self, record):
        if not self.disabled:
            self.callHandlers(record)


class OwnCalls(logging.Logger):
    def handle(self, record):
        for handler in self.handlers:
            handler.handle(record)


class Direct(logging.Logger):
    def handle(self, record):
        for handler in self.handlers:
            handler.emit(record)


@pytest.mark.parametrize("kind", [OwnHandle, OwnCalls, Direct])
def test_logger_classes_with_ways_of_their_own(kind):
    logger, handler = kind("own"), Lines()
    logger.addHandler(handler)
    with start_span("s") as span:
        logger.warning("x")
        logger.warning("y", extra={"trace_id": "mine", "span_id": "own"})
    assert handler.lines == [f"own {tag(span)} x", "own [mine/own] y"]


def test_records_made_by_hand():
    handler = Lines()
    with start_span("s") as span:
        record = logging.makeLogRecord({"name": "made", "msg": "x", "levelno": 30})
        handler.handle(record)
        assert (
            handler.formatter.format(logging.makeLogRecord({"name": "n", "msg": "y"}))
            == f"n {tag(span)} y"
        )
    assert handler.lines == [f"made {tag(span)} x"]


def test_absl():
    absl = pytest.importorskip("absl.logging")
    handler = Lines("%", "[%(trace_id)s/%(span_id)s] %(message)s")
    logger = absl.get_absl_logger()
    logger.addHandler(handler)
    try:
        with start_span("s") as span:
            absl.warning("through absl")
    finally:
        logger.removeHandler(handler)
    assert handler.lines == [f"{tag(span)} through absl"]


def test_record_factories():
    class Record(logging.LogRecord):
        pass

    before = logging.getLogRecordFactory()
    logger, handler = logging.getLogger("factory"), Lines()
    logger.propagate = False
    logger.addHandler(handler)
    logging.setLogRecordFactory(Record)
    try:
        with start_span("s") as span:
            logger.warning("x")
    finally:
        logging.setLogRecordFactory(before)
        logger.handlers.clear()
    assert handler.lines == [f"factory {tag(span)} x"]


CONFIGURATION = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"trace": {"()": "djp_telemetry.log_correlation.TraceIdFilter"}},
    "formatters": {"line": {"format": "[%(trace_id)s] %(name)s: %(message)s"}},
    "handlers": {
        "out": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["trace"]}
    },
    "root": {"handlers": ["out"], "level": "INFO"},
    "loggers": {"uvicorn": {"handlers": ["out"], "level": "INFO", "propagate": False}},
}


def test_a_supervisor_that_never_starts_telemetry(tmp_path):
    """uvicorn's parent of several workers configures logging and never imports the application."""
    import json
    import signal
    import socket
    import subprocess
    import sys

    from support import clean_environment

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    (tmp_path / "log.json").write_text(json.dumps(CONFIGURATION))
    (tmp_path / "served.py").write_text(
        "import djp_telemetry\ndjp_telemetry.init_telemetry()\n"
        "async def app(scope, receive, send):\n    raise RuntimeError\n"
    )
    command = [sys.executable, "-m", "uvicorn", "served:app", "--workers", "2", "--port", port]
    path = ":".join(str(part) for part in [tmp_path, *sys.path] if part)
    with subprocess.Popen(
        [*command, "--log-config", "log.json"],
        cwd=tmp_path,
        env=clean_environment(PYTHONPATH=path),
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        seen = []
        for line in server.stderr:
            seen.append(line)
            if sum("Started server process" in item for item in seen) == 2:
                server.send_signal(signal.SIGTERM)
        server.wait(60)
    text = "".join(seen)
    assert "[] uvicorn.error: Started parent process" in text and "Logging error" not in text, text
