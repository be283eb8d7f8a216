"""The telemetry budget, end to end: cost of exported data, warnings, the lowered ratio, and the
shared file."""

import json
import os
import re
import subprocess
import sys
import textwrap
import time

import djp_telemetry as d
from djp_telemetry.metrics import Counter, generate_metrics_text
from support import clean_environment, take, telemetry

LIMIT = 60


def spans(count):
    for _ in range(count):
        with d.start_span("work"):
            pass


def budget():
    return d.telemetry_status()["budget"]


def test_costs_are_told():
    with telemetry(
        backend="hybrid", sample_ratio=1, price_per_million_spans=1000, price_per_gb=1000
    ):
        spans(100)
        take()
        found = budget()
        assert (
            abs(found["cost_spans"] - 0.1) < 1e-9
            and found["cost_bytes"] > 0
            and found["cost_series"] == 0
        )
        assert (
            found["used_ratio"] == 0
            and found["allowance"] == 0
            and found["target_spans_per_second"] is None
        )
        text = generate_metrics_text()
        assert 'djp_telemetry_cost_total{source="spans"} 0.1' in text
        assert "djp_telemetry_budget_used_ratio 0" in text


def test_nothing_is_told_without_prices():
    with telemetry(backend="hybrid", sample_ratio=1):
        Counter("something", "Something").inc()
        assert "djp_telemetry_cost" not in generate_metrics_text()
        assert budget()["spent"] == 0


PROGRAM = """
    import json, sys, time
    import djp_telemetry as d

    d.init_telemetry()
    for line in sys.stdin:
        for _ in range(int(line)):
            with d.start_span("work"):
                pass
        d.flush(10)
        time.sleep(1.2)
        print(json.dumps(d.telemetry_status()["budget"]), flush=True)
    d.shutdown(10)
"""


def run(tmp_path, lines, **variables):
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    environment = clean_environment(
        TELEMETRY_ENABLED="true",
        TELEMETRY_BACKEND="otel",
        OTEL_TRACE_SAMPLE="1.0",
        OTEL_TRACES_EXPORTER="file",
        DJP_TELEMETRY_FILE_PATH=str(tmp_path / "spans.jsonl"),
        PYTHONPATH=os.pathsep.join(path for path in sys.path if path),
        **{"DJP_TELEMETRY_PRICE_PER_MILLION_SPANS": "1000000", **variables},
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        env=environment,
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def share_of_month():
    """The remaining part of the month, about: a process has that part of the budget."""
    now = time.gmtime()
    return (31 - now.tm_mday + 1) / 31


def test_warnings_come_once_each(tmp_path):
    month = 100 / share_of_month() * 3
    answers, said = run(tmp_path, [0, 400, 10], DJP_TELEMETRY_BUDGET_PER_MONTH=str(month))
    assert [round(answer["spent"]) for answer in answers] == [0, 400, 410]
    assert (
        said.count("100 % of the telemetry budget") == 1
        and said.count("of the telemetry budget for") == 1
    )
    assert "sample_ratio" in said and "The ratio is not reduced." in said


def test_a_warning_shows_small_amounts(tmp_path):
    _, said = run(
        tmp_path,
        [10],
        DJP_TELEMETRY_BUDGET_PER_MONTH="0.00001",
        DJP_TELEMETRY_PRICE_PER_MILLION_SPANS="1",
    )
    # A process that starts late in a month may spend only the rest of the month's part.
    assert re.search(r"is used up: 0\.000010 of 0\.0000(10|0\d)", said), said


def test_a_file_is_shared_over_restarts(tmp_path):
    file = tmp_path / "budget"
    variables = {
        "DJP_TELEMETRY_BUDGET_FILE": str(file),
        "DJP_TELEMETRY_BUDGET_PER_MONTH": "1000000",
    }
    run(tmp_path, [30], **variables)
    answers, said = run(tmp_path, [0, 20], **variables)
    assert [round(answer["spent"]) for answer in answers] == [30, 50] and said == ""
    assert round(answers[-1]["cost_spans"]) == 20
    assert "spent=50." in file.read_text()
    file.write_text("what?")
    answers, said = run(tmp_path, [7], **variables)
    assert round(answers[-1]["spent"]) == 7 and said.count("was not understood") == 1
    variables["DJP_TELEMETRY_BUDGET_FILE"] = str(tmp_path / "nowhere" / "budget")
    answers, said = run(tmp_path, [5], **variables)
    assert round(answers[-1]["spent"]) == 5 and said.count("cannot be used") == 1


def test_a_budget_without_prices_is_told(tmp_path):
    _, said = run(
        tmp_path,
        [1],
        DJP_TELEMETRY_BUDGET_PER_MONTH="10",
        DJP_TELEMETRY_PRICE_PER_MILLION_SPANS="0",
    )
    assert said.count("no price is") == 1


def test_a_forked_child_has_its_own_account():
    with telemetry(sample_ratio=1, price_per_million_spans=1000000):
        spans(10)
        take()
        assert round(budget()["spent"]) == 10
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                spans(3)
                take()
                os.write(write, str(round(budget()["spent"])).encode())
            finally:
                os._exit(0)
        os.close(write)
        assert os.waitpid(child, 0)[1] == 0
        assert os.read(read, 100) == b"3"
        os.close(read)
        assert round(budget()["spent"]) == 10
