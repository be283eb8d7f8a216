"""help() and inspect of the public names, and the type of the status. All are generated from
contract/."""

import importlib
import inspect
import json
import pathlib
import subprocess
import sys
import typing

import djp_telemetry
import pytest
from djp_telemetry import _loader, _noop_metrics, noop, status
from support import clean_environment, telemetry

MODULES = (
    "",
    ".baggage",
    ".metrics",
    ".prom",
    ".otel",
    ".sampling",
    ".log_correlation",
    ".noop",
    ".asgi",
)
SPECIAL = ("__enter__", "__exit__", "__aenter__", "__aexit__", "__call__")
METRICS = ("Counter", "Gauge", "Histogram")
native = _loader.native


def public_names():
    for suffix in MODULES:
        module = importlib.import_module("djp_telemetry" + suffix)
        for name in module.__all__:
            if callable(getattr(module, name)):
                yield pytest.param(getattr(module, name), id=f"{suffix[1:]}.{name}".lstrip("."))


def members(cls):
    return {
        name: part
        for name, part in vars(cls).items()
        if not name.startswith("_") or name in SPECIAL
    }


def parameters(function):
    found = inspect.signature(function).parameters.values()
    return [(part.name, part.kind, part.default) for part in found if part.name != "self"]


# ---- help and inspect --------------------------------------------------------------------------


@pytest.mark.parametrize("thing", public_names())
def test_a_public_name_has_documentation_and_a_signature(thing):
    assert thing.__doc__ and thing.__doc__ not in (object.__doc__, int.__doc__, dict.__doc__)
    if inspect.isclass(thing):
        for name, part in members(thing).items():
            if (
                name != "__call__"
                and not isinstance(part, int)
                and not inspect.ismemberdescriptor(part)
            ):
                assert inspect.getdoc(part), f"{thing.__name__}.{name} has no documentation"
            if inspect.isroutine(part):
                assert inspect.signature(part) is not None, name
    else:
        assert inspect.signature(thing) is not None


@pytest.mark.parametrize(
    "name",
    sorted(set(noop.__all__) - {"init_noop_if_enabled", "INVALID_SPAN"})
    + ["Tracer", "SpanStarter"],
)
def test_native_and_noop_have_the_same_signatures_and_documentation(name):
    ours, theirs = getattr(noop, name), getattr(native, name)
    compare(ours, theirs)


@pytest.mark.parametrize("name", METRICS)
def test_metric_types_of_native_and_noop_are_the_same(name):
    compare(getattr(_noop_metrics, name), getattr(native, name))


def compare(ours, theirs):
    if not inspect.isclass(ours):
        assert parameters(ours) == parameters(theirs)
        assert inspect.getdoc(ours) == inspect.getdoc(theirs) or ours.__name__ == "switch"
        return
    assert inspect.getdoc(ours) == inspect.getdoc(theirs)
    if theirs.__text_signature__:
        assert parameters(ours) == parameters(theirs)
    assert members(ours).keys() == members(theirs).keys()
    for name, part in members(theirs).items():
        assert name == "__call__" or inspect.getdoc(getattr(ours, name)) == inspect.getdoc(part), (
            name
        )
        if inspect.isroutine(part) and name != "__call__":
            assert parameters(getattr(ours, name)) == parameters(part), name


def test_help_shows_arguments_and_units():
    text = djp_telemetry.Span.end.__doc__
    assert text.startswith("Ends the span.") and "end_time: Nanoseconds since 1970" in text
    assert (
        str(inspect.signature(djp_telemetry.Span.set_status))
        == "(self, /, status, description=None)"
    )


def test_the_start_has_every_option_by_name():
    found = list(inspect.signature(djp_telemetry.init_telemetry).parameters)
    assert found == [*native.sdk_keywords(), "unknown"]
    lines = djp_telemetry.init_telemetry.__doc__
    assert all(f"- {name}: " in lines for name in native.sdk_keywords())


# ---- the type of the status --------------------------------------------------------------------


def unlike(value, kind, path="status"):
    """The parts of value that differ from its type, in both directions."""
    if isinstance(kind, typing._TypedDictMeta):
        if not isinstance(value, dict):
            return [f"{path}: {value!r}"]
        hints = typing.get_type_hints(kind)
        found = [f"{path}.{key}: missing" for key in hints.keys() - value.keys()]
        found += [f"{path}.{key}: unknown" for key in value.keys() - hints.keys()]
        for key in hints.keys() & value.keys():
            found += unlike(value[key], hints[key], f"{path}.{key}")
        return found
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Union:
        problems = [unlike(value, one, path) for one in args]
        return [] if [] in problems else max(problems, key=len)
    if origin is dict:
        if not isinstance(value, dict):
            return [f"{path}: {value!r}"]
        return [
            problem for key in value for problem in unlike(value[key], args[1], f"{path}.{key}")
        ]
    if origin is typing.Literal:
        return [] if value in args else [f"{path}: {value!r}"]
    if kind is float:
        return [] if type(value) in (int, float) else [f"{path}: {value!r}"]
    return [] if type(value) is kind else [f"{path}: {value!r}"]


def now():
    return unlike(djp_telemetry.telemetry_status(), status.TelemetryStatus)


def test_the_comparison_notices_both_directions():
    whole = djp_telemetry.telemetry_status()
    assert unlike({**whole, "more": 1}, status.TelemetryStatus) == ["status.more: unknown"]
    del whole["books"]["live"]
    whole["ring"]["used_bytes"] = "many"
    whole["signals"]["traces"]["dropped"]["rejected"] = None
    found = sorted(unlike(whole, status.TelemetryStatus))
    assert found == [
        "status.books.live: missing",
        "status.ring.used_bytes: 'many'",
        "status.signals.traces.dropped.rejected: None",
    ]


def test_a_status_belongs_to_its_caller():
    with telemetry(backend="otel"):
        pass
    for _ in range(2):
        last = djp_telemetry.telemetry_status()
        assert last["books"].pop("live") == 0 and last["shut_down"]


def test_the_status_before_the_start_and_off():
    assert now() == []
    djp_telemetry.init_telemetry(enabled=False, attribute_count_limit=3)
    assert now() == []


@pytest.mark.parametrize("backend", ["noop", "prom", "otel", "hybrid"])
def test_the_status_in_each_backend(backend):
    with telemetry(backend=backend):
        with djp_telemetry.start_span("a"):
            assert now() == []
        djp_telemetry.flush(5)
        assert now() == []
        assert djp_telemetry.telemetry_status()["backend"] == backend
    assert now() == []


@pytest.mark.parametrize(
    "options",
    [
        {"sampler": "jaeger_remote", "remote_sampling_endpoint": "http://127.0.0.1:9/"},
        {"sampler": "rule_based(root => drop)"},
        {"span_rate_limit": 1, "budget_per_month": 1, "target_spans_per_second": 1},
        {"exporter": "otlp", "endpoint": "http://127.0.0.1:9/v1/traces", "export_timeout": 0.05},
    ],
    ids=["remote", "tree", "limits", "failing"],
)
def test_the_status_of_other_settings(options):
    with telemetry(**options):
        with djp_telemetry.start_span("a"):
            pass
        djp_telemetry.flush(0.2)
        assert now() == []
    assert now() == []


def test_the_status_without_the_core():
    program = (
        "import djp_telemetry, json; djp_telemetry.init_telemetry(); "
        "print(json.dumps(djp_telemetry.telemetry_status()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=clean_environment(
            PYTHONPATH=":".join(path for path in sys.path if path), DJP_TELEMETRY_NATIVE="off"
        ),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["impl"] == "noop" and unlike(found, status.TelemetryStatus) == []


# ---- what recorders record ---------------------------------------------------------------------

RECORDERS = json.loads(
    (pathlib.Path(__file__).parents[1] / "vectors" / "contract_recorders.json").read_text()
)
GIVEN = {
    "method": "GET",
    "status_code": 503,
    "duration_seconds": 0.25,
    "success": False,
    "error_type": "Late",
}
NUMBERS = {
    "request_size_bytes",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "usd",
    "depth",
    "percent",
}


def given(name):
    return GIVEN.get(name, 7 if name in NUMBERS else f"a-{name}")


def label(word):
    """A label value as the exposition shows it."""
    return word[1:-1] if word.startswith("'") else str(given(word))


@pytest.mark.parametrize("recorder", RECORDERS["recorders"], ids=lambda one: one["name"])
def test_a_recorder_records_what_the_contract_says(recorder):
    module, _, name = recorder["name"].partition(".")
    function = getattr(importlib.import_module(f"djp_telemetry.{module}"), name)
    arguments = {part: given(part) for part in inspect.signature(function).parameters}
    with telemetry(backend="hybrid", sample_ratio=1):
        function(**arguments)
        text = djp_telemetry.prom.generate_metrics_text()
        spans = djp_telemetry.take_exported()
    for metric, labels, *_ in recorder["metrics"]:
        names = RECORDERS["labels"][metric]
        shown = ",".join(f'{key}="{label(word)}"' for key, word in zip(names, labels))
        count = metric + ("_count" if metric.endswith(("_seconds", "_bytes")) else "")
        assert f"{count}{{{shown}}} " in text if shown else f"{count} " in text, (metric, shown)
    if "span" in recorder:
        (span,) = spans
        assert (span["name"], span["kind"].lower()) == (
            recorder["span"]["name"],
            recorder["span"]["kind"],
        )
        of_core = ("error", "error.message", "sampling.reason", "sampling.weight")
        found = {key for key in span["attributes"] if key not in of_core}
        assert found == set(recorder["span"]["attributes"])
