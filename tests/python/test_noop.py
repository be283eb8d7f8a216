"""Without the native core: the same surface, no exception, one warning with the reason."""

import inspect
import pathlib
import subprocess
import sys
import textwrap

import djp_telemetry
import pytest
from djp_telemetry import _loader, noop
from support import clean_environment

native = _loader.native

# Names of one side only: constructors of the interpreter and what metrics and ASGI bring (their own
# tests compare those).
NAMES = [
    name
    for name in vars(noop)
    if not name.startswith("_")
    and name
    not in (
        "annotations",
        "init_noop_if_enabled",
        "Any",
        "Callable",
        "Iterator",
        "Mapping",
        "MutableMapping",
        "Optional",
    )
]


def parameters(function):
    return [
        (parameter.name, parameter.kind, parameter.default)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "self"
    ]


def surface(cls):
    special = ("__enter__", "__exit__", "__aenter__", "__aexit__", "__len__")
    return {item for item in vars(cls) if not item.startswith("_") or item in special}


@pytest.mark.parametrize("name", NAMES)
def test_the_native_core_has_every_name_with_the_same_signature(name):
    ours, theirs = getattr(noop, name), getattr(native, name)
    if inspect.isclass(ours):
        public = surface(ours)
        assert public == surface(theirs)
        for item in public:
            if inspect.isroutine(getattr(theirs, item)):
                assert parameters(getattr(ours, item)) == parameters(getattr(theirs, item)), item
    elif inspect.isroutine(ours):
        assert parameters(ours) == parameters(theirs)


def test_the_noop_has_every_name_of_the_package():
    for name in djp_telemetry.__all__:
        if hasattr(native, name):
            assert hasattr(noop, name), name


def run(source, **environment):
    paths = ":".join(path for path in sys.path if path)
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        env=clean_environment(PYTHONPATH=paths, **environment),
        capture_output=True,
        text=True,
        timeout=60,
    )


EVERYTHING = """
import asyncio, djp_telemetry as d
from djp_telemetry import baggage, log_correlation, noop, otel
d.init_telemetry()
d.init_telemetry(enabled=True)
assert d.__impl__ == "noop", d.__impl__
status = d.telemetry_status()
assert status["enabled"] is False and status["impl"] == "noop", status
assert REASON in status["impl_reason"], status
with d.start_span("a", {"b": 1}, kind="server") as span:
    span.set_attribute("a", 1); span.set_attributes({}); span.add_event("e"); span.add_link(None)
    span.record_exception(ValueError()); span.set_status("error", "x"); span.update_name("b")
    assert not span.is_recording() and not span.get_span_context().is_valid
    assert d.get_current_span().get_span_context().trace_id == 0
    span.end()
try:
    with d.start_span("x"):
        raise KeyError("same")
except KeyError as error:
    assert error.args == ("same",)
tracer = d.get_tracer("t")
@tracer.start_as_current_span("f")
def f(a): return a
@d.traced
async def g(a):
    async with d.start_span("h"): return a
@d.traced("gen")
def h(): yield 1
assert f(1) == 1 and asyncio.run(g(2)) == 2 and list(h()) == [1]
with d.use_span(span), tracer.start_as_current_span("z"): pass
assert d.inject({"a": "b"}) == {"a": "b"} and d.inject() == {}
assert not d.extract({"traceparent": "x"}).get_span_context().is_valid
d.detach(d.attach(d.extract({})))
assert baggage.get_all(baggage.set_baggage("a", "b")) == {"a": "b"}
otel.record_job_span("a", "b", 1.0); assert otel.get_current_trace_id() == ""
log_correlation.install_trace_correlation()
import logging
logging.basicConfig(format="[%(trace_id)s] %(message)s", force=True)
logging.getLogger("x").warning("line")
assert d.flush() and d.shutdown() is True
noop.init_noop_if_enabled()
"""


def test_switched_off_by_variable():
    done = run("REASON = 'DJP_TELEMETRY_NATIVE=off'\n" + EVERYTHING, DJP_TELEMETRY_NATIVE="off")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("nothing is recorded") == 1 and "[] line" in done.stderr


def test_a_missing_core():
    source = (
        "import sys; sys.modules['djp_telemetry._native'] = None\nREASON = 'could not be loaded'\n"
        + EVERYTHING
    )
    done = run(source)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("nothing is recorded") == 1


def cut(part):
    data = pathlib.Path(native.__file__).read_bytes() if native else b""
    return data[: int(part * len(data))]


@pytest.mark.parametrize(
    "content",
    [b"", b"not a library", b"\x7fELF" + b"\0" * 200, cut(0.002), cut(0.01), cut(0.05), cut(0.1)],
    ids=["empty", "text", "zeros", "cut 0.2%", "cut 1%", "cut 5%", "cut 10%"],
)
def test_a_damaged_core(tmp_path, content):
    import shutil

    source = pathlib.Path(djp_telemetry.__file__).parent
    shutil.copytree(
        source, tmp_path / "djp_telemetry", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    (tmp_path / "djp_telemetry" / pathlib.Path(native.__file__).name).write_bytes(content)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nREASON = 'could not be loaded'\n"
        + EVERYTHING
    )
    done = run(program)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("nothing is recorded") == 1


def test_a_core_of_another_version():
    source = """
    import sys, types
    foreign = types.ModuleType("djp_telemetry._native")
    foreign.__version__ = "0.0.0"
    import importlib.machinery, importlib.util
    sys.modules["djp_telemetry._native"] = foreign
    import djp_telemetry
    assert djp_telemetry.__impl__ == "noop" and "0.0.0" in djp_telemetry.__impl_reason__
    """
    done = run(source)
    assert done.returncode == 0, done.stderr


def test_off_is_silent():
    done = run(
        "import djp_telemetry as d; d.init_telemetry(); d.start_span('a').end()",
        DJP_TELEMETRY_NATIVE="off",
    )
    assert done.returncode == 0 and done.stderr == ""


def test_importing_starts_nothing_and_is_cheap():
    source = """
    import os, sys, time
    before = set(os.listdir("/proc/self/task")), set(os.listdir("/proc/self/fd"))
    begin = time.process_time()
    import djp_telemetry
    took = time.process_time() - begin
    assert (set(os.listdir("/proc/self/task")), set(os.listdir("/proc/self/fd"))) == before
    assert "asyncio" not in sys.modules and "multiprocessing" not in sys.modules
    print(took)
    """
    done = run(source)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1.0


def test_a_misspelled_option_is_named_without_the_core():
    source = (
        "import djp_telemetry as d; d.init_telemetry(enabled=True, sample_rate=1, sample_ratio=1)"
    )
    lines = run(source, DJP_TELEMETRY_NATIVE="off").stderr.splitlines()
    assert len(lines) == 2 and any('no option "sample_rate"' in line for line in lines), lines
