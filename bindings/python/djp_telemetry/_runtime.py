"""Start and shutdown: converts options to text for the core's table of settings, sets the exit and
fork hooks of Python and returns the status. Nothing here raises into the application. Modules are
imported at the top: if a process forks while another thread imports a module, the module stays
locked in the child."""

from __future__ import annotations

import atexit
import functools
import io
import json
import logging
import os
import signal
import stat
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional, cast

from . import _fork_exit, _loader, _runtime_metrics
from ._loader import impl
from ._version import __version__
from .log_correlation import install_trace_correlation

if TYPE_CHECKING:
    from .status import TelemetryStatus

log = logging.getLogger("djp_telemetry")

_TRUE = ("1", "true", "yes", "on")
_INFO = 3  # a value of the setting log_level
_LONGEST_LINE = 1024 * 1024  # bytes: a pipe is enlarged for longer lines of spans up to here
_FALSE = ("0", "false", "no", "off")


class _Runtime:
    """The active state of this process. Changed only under the lock."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.active = False
        self.is_interim = False  # started by begin_sharing(); the next init() replaces it
        self.ending: Optional[threading.Event] = None  # set when the running shutdown is over
        self.ending_thread = 0
        self.delivered = True  # the result of that shutdown
        self.given: dict[str, str] = {}  # options of the latest start
        self.settings: dict[str, Any] = {}
        self.last_status = ""  # JSON, so that every caller gets an own copy
        self.summary = ""  # of a start that is not logged yet
        self.reported: set[str] = set()
        self.hooked = False


_runtime = _Runtime()


def warn_once(message: str) -> None:
    try:
        if message not in _runtime.reported:
            _runtime.reported.add(message)
            log.warning("%s", message)
    except Exception:  # a log filter or handler of the application
        return


def warn_scopes_full(name: str) -> None:
    """Called by the core when the table of scopes is full and spans lose the name of their
    tracer."""
    if "scopes" not in _runtime.reported:
        _runtime.reported.add("scopes")
        try:
            text = (
                "The process has used 1,023 different tracers; spans of %.100s and of further "
                "tracers lose their name."
            )
            log.warning(text, name)
        except Exception:  # a log filter or handler of the application
            return


# ---- options -----------------------------------------------------------------------------------


def _pairs(mapping: Mapping[Any, Any]) -> str:
    from urllib.parse import quote

    return ",".join(
        f"{quote(str(key), safe='')}={quote(str(value), safe='')}" for key, value in mapping.items()
    )


# Types whose module is looked up only if it is loaded.
_FORMS: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("enum", "Enum", lambda value: value.value),
    ("datetime", "timedelta", lambda value: value.total_seconds()),
)


def option_text(value: Any, between: str = ",") -> Optional[str]:
    """Converts an option to the form of its variable; None if it was not given or is empty.
    between: the separator of list items in that variable."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if type(value) in (int, float):
        return str(value)
    for name, kind, convert in _FORMS:
        module = sys.modules.get(name)
        if module is not None and isinstance(value, getattr(module, kind)):
            return option_text(convert(value), between)
    if isinstance(value, Mapping):
        return _pairs(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return between.join(str(item) for item in value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    return str(value)


def _options(given: Mapping[str, Any], warn: Callable[[str], None]) -> dict[str, str]:
    options = {}
    for key, value in given.items():
        try:
            text = option_text(value, ";" if key == "tail_sampling_rules" else ",")
        except Exception as error:
            warn(f"The option {key} could not be read ({type(error).__name__}) and was ignored.")
            continue
        if text is not None:
            options[key] = text  # the core warns about an unknown name and suggests the nearest one
    return options


def wanted(given: Mapping[str, Any]) -> bool:
    """Whether the options and the environment enable telemetry. Used only for messages without the
    core; with it the core decides."""
    own = os.environ.get("DJP_TELEMETRY_ENABLED", "").strip().lower()
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" and own not in _TRUE:
        return False
    enabled = given.get("enabled")
    if enabled is None:
        enabled = (
            own
            or os.environ.get("TELEMETRY_ENABLED")
            or os.environ.get("ENABLE_OBSERVABILITY")
            or ""
        )
    return str(enabled).strip().lower() in _TRUE


def _correlates(given: Mapping[str, Any]) -> bool:
    """Whether log records get trace ids. Used only without the core; with it the core decides."""
    setting = given.get("log_correlation")
    if setting is None:
        setting = os.environ.get("DJP_TELEMETRY_LOG_CORRELATION")
    return setting is None or str(setting).strip().lower() not in _FALSE


# ---- begin and end -----------------------------------------------------------------------------


def init(given: Mapping[str, Any]) -> None:
    """Starts telemetry as the options and the environment configure it; None is an option that was
    not given. See init_telemetry()."""
    messages: list[str] = []  # logged last: these lines need the fields that log correlation adds
    try:
        with _runtime.lock:
            if _runtime.active and _runtime.is_interim:
                impl.sdk_stop(0)
                _runtime.active = False
            _runtime.is_interim = False
            if not _runtime.active and _start(given, messages.append):
                install_trace_correlation()
    except Exception as error:
        messages.append(
            f"Telemetry could not be started and stays off: {type(error).__name__}: {error}"
        )
    for message in messages:
        warn_once(message)
    _tell_start()


def begin_sharing() -> None:
    """Records metrics, and nothing else, in the directory that the environment names, until init()
    is called. For metrics of djp_telemetry.prometheus in a service that never calls it."""
    with _runtime.lock:
        if _runtime.active or _runtime.ending is not None or _loader.native is None:
            return
        _runtime.is_interim = True
        options = {"enabled": True, "backend": "prom", "prometheus_port": 0}
        hooks = {"log_correlation": False, "handle_sigterm": False, "log_level": "error"}
        _start({**options, **hooks}, warn_once)


def _tell_start() -> None:
    """Logs one line per start: the enabled signals, the destination, the ratio and its source."""
    summary, _runtime.summary = _runtime.summary, ""
    try:
        if summary and _runtime.settings.get("log_level", 0) >= _INFO:
            log.info("%s", summary)
    except Exception:  # a log filter or handler of the application
        return


def _start(given: Mapping[str, Any], warn: Callable[[str], None]) -> bool:
    """Returns whether log records get trace ids. While telemetry is off the ids are empty, because
    a format with %(trace_id)s loses every line without the field."""
    if _loader.native is None:
        if wanted(given):
            warn(f"Telemetry is enabled, but nothing is recorded: {_loader.reason}.")
        _runtime.settings = impl.sdk_start(_options(given, warn), os.environ, _program(), warn)
        return _correlates(given)
    _runtime.given = _options(given, warn)
    _runtime.settings = impl.sdk_start(_runtime.given, os.environ, _program(), warn)
    _runtime.active = impl.sdk_status() is not None
    _runtime.last_status = ""
    _runtime_metrics.begin(_runtime.settings if _runtime.active else {})
    if _runtime.active:
        _runtime.summary = _runtime.settings["summary"]
        if _runtime.settings["on_stdout"]:
            _keep_lines_whole()
        try:
            _set_hooks()
        except Exception as error:
            warn(
                f"Telemetry is on, but the last spans may be lost at exit: "
                f"{type(error).__name__}: {error}"
            )
    return bool(_runtime.settings["log_correlation"])


def _keep_lines_whole() -> None:
    """Flushes standard output after each line. The console exporter writes to the same pipe as
    print(). A buffered part of a line would be completed later, with spans in its middle."""
    stream = sys.stdout
    try:
        if (
            isinstance(stream, io.TextIOWrapper)
            and stream.fileno() == 1
            and stat.S_ISFIFO(os.fstat(1).st_mode)
        ):
            # a text longer than this is written before print() adds the line end
            stream._CHUNK_SIZE = _LONGEST_LINE  # type: ignore[attr-defined]
            stream.reconfigure(line_buffering=True, write_through=False)
    except (AttributeError, OSError, ValueError):  # closed, or without a file descriptor
        return


def _program() -> str:
    """The service name if none is configured."""
    return f"unknown_service:{os.path.basename(sys.executable or '') or 'python'}"


def shutdown(timeout: Optional[float] = None) -> bool:
    """Exports what waits and ends telemetry. Later calls of the package are no-ops until it
    is started again. A second call during a shutdown waits for it and returns the same
    result. Never fails.

    Args:
        timeout: Time limit in seconds; the setting shutdown_timeout by default.

    Returns:
        True if the receiver accepted everything within the time limit.
    """
    return _shutdown(timeout, _wait)


def _shutdown(timeout: Optional[float], wait: Callable[[Callable[[Any], Any], Any], Any]) -> bool:
    try:
        with _runtime.lock:
            ours, ending = _runtime.active, _runtime.ending
            if not ours and ending is None:
                return True
            limit = _runtime.settings["shutdown_timeout"] if timeout is None else timeout
            if ours:
                _runtime.active = False
                ending = _runtime.ending = threading.Event()
                _runtime.ending_thread = threading.get_ident()
            elif _runtime.ending_thread == threading.get_ident():
                # a signal handler or a finalizer inside the shutdown itself: waiting would deadlock
                return False
        if not ours:
            return ending is not None and ending.wait(limit) and _runtime.delivered
    except Exception as error:
        warn_once(f"Telemetry did not end in order: {type(error).__name__}: {error}")
        return False
    delivered = False
    try:
        delivered = _stop(limit, wait)
    except Exception as error:
        warn_once(f"Telemetry did not end in order: {type(error).__name__}: {error}")
    finally:
        _runtime.delivered = delivered
        _runtime.ending = None
        if ending is not None:
            ending.set()
    return delivered


def _wait(call: Callable[[Any], Any], argument: Any) -> Any:
    """Calls a function of the core that may block. Under gevent it runs in the thread pool of the
    hub, because a thread that blocks in the core stops every greenlet."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("time"):
        return call(argument)
    gevent: Any = sys.modules["gevent"]
    hub = gevent.get_hub()
    if gevent.getcurrent() is hub:  # the hub must not wait for itself
        return call(argument)
    return hub.threadpool.apply(call, (argument,))


def _stop(limit: Any, wait: Callable[[Callable[[Any], Any], Any], Any]) -> bool:
    _runtime_metrics.end()
    result = wait(impl.sdk_stop, limit)
    if result is None:
        return True
    delivered, status = result
    _runtime.last_status = status or ""
    return bool(delivered)


def flush(timeout: Optional[float] = None) -> bool:
    """Exports all spans that have ended. Never fails.

    Args:
        timeout: Time limit in seconds; 10 by default.

    Returns:
        True if the receiver accepted all of them within the time limit.
    """
    try:
        return bool(_wait(impl.sdk_flush, 10.0 if timeout is None else timeout))
    except Exception as error:
        warn_once(f"Telemetry could not be flushed: {type(error).__name__}: {error}")
        return False


def take_exported(timeout: float = 10.0) -> list[dict[str, Any]]:
    """Flushes and removes all spans from the exporter memory. For tests. Each span is a dict
    with the members of docs/console-format.md, in the order of their ends; values keep
    their Python types. Empty with another exporter. Never raises.

    Args:
        timeout: Time limit of the flush in seconds.
    """
    try:
        flush(timeout)
        data = impl.sdk_take_exported()
        if data:
            from ._exported import spans_of

            return spans_of(data)
    except Exception as error:
        warn_once(f"The exported spans could not be read: {type(error).__name__}: {error}")
    return []


def set_enabled(enabled: bool) -> bool:
    """Turns the recording of spans off or on without a restart. While it is off, spans are
    no-ops and no span leaves the process, including those that wait. Metrics are not
    affected.

    Args:
        enabled: Whether to record.

    Returns:
        True if this is now in effect; False if telemetry is not started or the overrides
        file decides otherwise.
    """
    try:
        return bool(impl.sdk_set_enabled(bool(enabled)))
    except Exception as error:
        warn_once(f"Telemetry could not be switched: {type(error).__name__}: {error}")
        return False


def _change_ratio(
    name: str, ratio: Optional[float], change: Callable[[Optional[float]], bool]
) -> bool:
    try:
        return bool(change(ratio))
    except (TypeError, ValueError, OverflowError):
        warn_once(
            f"The {name} was not changed: it must be a number from 0 to 1, or None for the "
            "configured one"
        )
    except Exception as error:
        warn_once(f"The {name} could not be changed: {type(error).__name__}: {error}")
    return False


def set_sample_ratio(ratio: Optional[float]) -> bool:
    """Changes the share of traces that are sampled by chance. With 0 nothing is exported,
    not even errors. An invalid value changes nothing and logs a warning.

    Args:
        ratio: 0 to 1; None restores the configured ratio.

    Returns:
        True if this is now in effect, as for `set_enabled`.
    """
    return _change_ratio("ratio", ratio, impl.sdk_set_sample_ratio)


def set_canary_ratio(ratio: Optional[float]) -> bool:
    """Changes the share of traces that are recorded at all. Nothing is exported of the
    others, not even errors. An invalid value changes nothing and logs a warning.

    Args:
        ratio: 0 to 1; None restores the configured ratio.

    Returns:
        True if this is now in effect, as for `set_enabled`.
    """
    return _change_ratio("canary ratio", ratio, impl.sdk_set_canary_ratio)


def telemetry_status() -> TelemetryStatus:
    """Returns the state of the SDK: what is on, each setting with its source, counts of
    exported and lost spans by reason, and in `problem` why nothing arrives. The keys are
    always the same; docs/status.md lists them. Never fails.
    """
    status: dict[str, Any] = {}
    try:
        text = impl.sdk_status()
        if text:
            status = json.loads(text)
        elif _runtime.last_status:
            status = json.loads(_runtime.last_status)
        else:
            status = json.loads(_off_status())
    except Exception as error:
        from ._noop_status import STATUS

        status = {
            **json.loads(STATUS),
            "problem": f"The status could not be read: {type(error).__name__}: {error}",
        }
    if _loader.native is None:
        status["problem"], status["pid"] = f"Nothing is recorded: {_loader.reason}.", os.getpid()
    status["impl"] = _loader.name
    status["impl_reason"] = _loader.reason
    status["version"] = __version__
    return cast("TelemetryStatus", status)


def _off_status() -> str:
    """The state that the last start without telemetry left or, before any start, the state that the
    variables configure."""
    return str(impl.sdk_resolve(_runtime.given, os.environ, _program(), lambda _: None)["status"])


def settings() -> Mapping[str, Any]:
    """The effective settings that the binding needs; empty before the first init_telemetry()."""
    return _runtime.settings


def announce_noop() -> None:
    if wanted({}) and "noop" not in _runtime.reported:
        _runtime.reported.add("noop")
        log.info("telemetry initialized (noop)")


# ---- exit and fork -----------------------------------------------------------------------------


def _at_exit() -> None:
    """Shuts down at the end of the process, when other threads have ended or are about to end."""
    _shutdown(None, lambda call, argument: call(argument))


def _watch_signals() -> None:
    """Lets the core export the remaining spans on SIGTERM and similar signals without a handler.
    uvicorn, asyncio and others install handlers for a while and then restore the default action;
    the core handles the signal again after that. Otherwise the last spans would be lost."""
    set_plainly = signal.signal
    if hasattr(set_plainly, "_djp_telemetry"):
        return

    @functools.wraps(set_plainly)
    def set_handler(signalnum: Any, handler: Any) -> Any:
        before = set_plainly(signalnum, handler)
        if isinstance(handler, int) and handler == signal.SIG_DFL:
            impl.sdk_take_signals()
        return before

    set_handler._djp_telemetry = True  # type: ignore[attr-defined]
    signal.signal = set_handler


def _after_fork_in_child() -> None:
    _runtime.lock = threading.RLock()
    _runtime.ending = None  # the thread that ran the shutdown does not exist in this process
    _fork_exit.after_fork(_runtime.active)
    if _runtime.active:
        _runtime_metrics.describe()
        impl.sdk_start_metrics()  # a child may record no span, which would start the export


def _set_hooks() -> None:
    _fork_exit.set_end(_at_exit)
    _watch_signals()
    process = sys.modules.get("multiprocessing.process")
    parent = getattr(process, "parent_process", None)
    if parent is not None and parent() is not None:
        _fork_exit.finalize()
    if not _runtime.hooked:
        _runtime.hooked = True
        atexit.register(_at_exit)


# Registered at import: a process may fork while another thread is inside the first
# init_telemetry().
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
