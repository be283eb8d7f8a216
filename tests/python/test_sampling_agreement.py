"""A million trace ids: Python, Node and C take the same head decision for each of them, at every
ratio.

Every language gets the same file of ids from a seeded generator. Python decides in extract() and
start_span(); Node in the addon, in the JavaScript that begins roots and below a remote parent; C in
a tool around the core's function."""

import json
import math
import os
import pathlib
import random
import shutil
import subprocess

import djp_telemetry
import pytest
from djp_telemetry import _loader
from support import clean_environment

pytest.importorskip("djp_telemetry._native")

COUNT = 1_000_000
RATIOS = [0.5, 0.1, 0.02, 0.01, 1e-6]
ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = pathlib.Path(os.environ.get("DJP_BUILD", ROOT / "build")) / "c" / "tool_sampling"
ADDON = ROOT / "build" / "Release" / "djp_telemetry.node"
ALWAYS = "f" * 32  # the id that every ratio except 0 samples
STEP = 100_000


def missing(what):
    # Where the builds are prerequisites, the absence of one is a failure.
    (pytest.fail if "DJP_BUILD" in os.environ else pytest.skip)(f"{what} is missing")


def begin(ratio):
    djp_telemetry.shutdown(5)
    djp_telemetry.init_telemetry(
        enabled=True,
        backend="otel",
        exporter="memory",
        sampler="traceidratio",
        sample_ratio=ratio,
        slow_threshold=0,
    )


def below(trace_id):
    parent = djp_telemetry.extract({"traceparent": f"00-{trace_id}-00f067aa0ba902b7-00"})
    return djp_telemetry.start_span("decided", parent=parent)


def threshold(ratio):
    """As it is propagated: "ot=th:" with up to 14 hexadecimal digits, most significant first."""
    begin(ratio)
    with below(ALWAYS):
        state = djp_telemetry.inject({})["tracestate"]
    djp_telemetry.shutdown(5)
    assert state.startswith("ot=th:")
    digits = state[len("ot=th:") :]
    return int(digits.ljust(14, "0"), 16)


@pytest.fixture(scope="module")
def ids(tmp_path_factory):
    """A file of ids: random ones, and for every ratio those right at its threshold."""
    source = random.Random(20240229)
    path = tmp_path_factory.mktemp("sampling") / "ids"
    edges = [b"\x01" * 9 + bytes(7), b"\x01" * 9 + b"\xff" * 7]
    for ratio in RATIOS:
        at = threshold(ratio)
        edges += [source.randbytes(9) + (at + step).to_bytes(7, "big") for step in (-1, 0, 1)]
    path.write_bytes(b"".join(edges) + source.randbytes(16 * (COUNT - len(edges))))
    return path


def decide_in_python(data, ratio):
    begin(ratio)
    digits, out = data.hex(), bytearray(COUNT)
    for i in range(COUNT):
        span = below(digits[32 * i : 32 * i + 32])
        out[i] = span.get_span_context().trace_flags & 1
        span.end()
        if i % STEP == 0:
            _loader.impl.sdk_take_exported()
    djp_telemetry.shutdown(5)
    return bytes(out)


def decide_in_c(ids, out, ratio):
    if not TOOL.exists():
        missing(TOOL)
    subprocess.run([str(TOOL), str(ids), str(out), str(ratio)], check=True, timeout=60)
    return out.read_bytes()


def start_node(ids, out, ratio):
    node = os.environ.get("DJP_NODE") or shutil.which("node")
    if node is None or not ADDON.exists():
        missing("Node with the addon (make node-native)")
    command = [node, str(ROOT / "tests/node/sampling.js"), str(ids), str(out), str(ratio)]
    return subprocess.Popen(command, env=clean_environment(), stdout=subprocess.PIPE, text=True)


def expected(data, ratio):
    at = threshold(ratio)
    assert abs((2**56 - at) / 2**56 / ratio - 1) < 1e-3, "the threshold belongs to the ratio"
    return bytes(int.from_bytes(data[i + 9 : i + 16], "big") >= at for i in range(0, len(data), 16))


def difference(a, b, data):
    """The first ids with different decisions, readable."""
    where = [i for i in range(COUNT) if a[i] != b[i]]
    return f"{len(where)} differ: " + ", ".join(data[16 * i : 16 * i + 16].hex() for i in where[:3])


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("ratio", RATIOS)
def test_python_node_and_c_decide_alike_for_a_million_ids(ids, tmp_path, ratio):
    data = ids.read_bytes()
    node = start_node(ids, tmp_path / "node", ratio)
    try:
        python = decide_in_python(data, ratio)
        answer = node.communicate(timeout=200)[0]
        assert node.returncode == 0
    finally:
        node.kill()
        node.wait()
    decided = {
        "python": python,
        "c": decide_in_c(ids, tmp_path / "c", ratio),
        **{
            f"node.{part}": (tmp_path / f"node.{part}").read_bytes()
            for part in ("core", "root", "below")
        },
    }
    right = expected(data, ratio)
    for name, decisions in decided.items():
        assert decisions == right, f"{name}: {difference(decisions, right, data)}"
    kept = right.count(1)
    # The core's replay of JavaScript's operation log decides again, with the same result.
    assert json.loads(answer) == {"kept": kept, "dropped": COUNT - kept, "oplog_full": 0}
    assert abs(kept - COUNT * ratio) <= 5 * math.sqrt(COUNT * ratio * (1 - ratio)) + 3 * len(RATIOS)
