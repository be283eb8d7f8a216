"""The scripts that run the check: each failing test is named at the end with its output, one that
fails beside others runs again alone, and a report of a sanitizer or a crash stands."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.timeout(300)
ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
ALWAYS = "echo 'the expected word is missing'; exit 1"
ONCE = "[ -e $0.ran ] || { touch $0.ran; echo 'late by a second'; exit 1; }"
REPORT = "echo '==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x6020'; exit 1"
UNSTEADY = "==== unsteady: failed beside others, passed alone"


def program(folder, name, body):
    """A test program, which counts its runs in the file NAME.runs."""
    path = folder / name
    path.write_text(f"#!/bin/bash\necho run >> $0.runs\n{body}\n")
    path.chmod(0o755)
    return f"./{name}"


def runs(folder, name):
    return len((folder / f"{name}.runs").read_text().splitlines())


def run(folder, *command, **variables):
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("DJP_", "MAKE", "NODE"))
    }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**environment, "JOBS": "2", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    )
    return done.returncode, done.stdout


def run_programs(folder, **bodies):
    programs = [program(folder, name, body) for name, body in bodies.items()]
    return run(folder, TOOLS / "run-tests.sh", *programs)


def test_a_program_that_always_fails_is_named_with_its_message(tmp_path):
    code, out = run_programs(tmp_path, good="true", bad=ALWAYS)
    assert code == 1
    assert "1 passed, 1 failed" in out
    end = out[out.index("==== failing tests: 1") :]
    assert "---- ./bad (failed alone, too)\nthe expected word is missing\nexit 1\n" in end
    assert runs(tmp_path, "good") == 1 and runs(tmp_path, "bad") == 2


def test_a_program_that_runs_alone_is_not_run_again(tmp_path):
    code, out = run_programs(tmp_path, bad=ALWAYS)
    assert code == 1 and "the expected word is missing" in out
    assert runs(tmp_path, "bad") == 1


def test_up_to_two_programs_may_be_unsteady(tmp_path):
    code, out = run_programs(tmp_path, good="true", first=ONCE, second=ONCE)
    assert code == 0
    end = out[out.index(UNSTEADY) :]
    assert "---- ./first\nlate by a second\n" in end and "---- ./second\n" in end
    assert "failing tests" not in out


def test_three_unsteady_programs_are_a_failure(tmp_path):
    code, out = run_programs(tmp_path, first=ONCE, second=ONCE, third=ONCE)
    assert code == 1
    assert out.count("late by a second") == 3 and UNSTEADY in out


@pytest.mark.parametrize(
    "body, why",
    [
        (REPORT, "a report of a sanitizer"),
        (f"({REPORT}); exit 0", "a report of a sanitizer"),  # of a child of the program
        ("echo 'a.c:7:9: runtime error: signed integer overflow'; exit 1", "a report of"),
        ("kill -SEGV $$", "ended by signal 11"),
        ("echo 'Test failed with exception: Segmentation fault(11)'; exit 1", "a crash"),
    ],
)
def test_a_report_or_a_crash_stands(tmp_path, body, why):
    once = f"[ ! -e $0.ran ] || exit 0; touch $0.ran; {body}"
    code, out = run_programs(tmp_path, good="true", bad=once)
    assert code == 1
    assert f"---- ./bad ({why}" in out[out.index("==== failing tests: 1") :]
    assert runs(tmp_path, "bad") == 1


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="no valgrind")
def test_a_report_of_valgrind_stands(tmp_path):
    (tmp_path / "tools").mkdir()
    shutil.copy2(TOOLS / "valgrind.supp", tmp_path / "tools")
    program(tmp_path, "good", "true")
    program(tmp_path, "bad", "exit 99")
    code, out = run(tmp_path, TOOLS / "run-tests.sh", "--valgrind", "./good", "./bad")
    assert code == 1 and "---- ./bad (a report of valgrind)" in out
    assert runs(tmp_path, "bad") == 1


PARTS = f"""
fine:
\t@{TOOLS}/run-tests.sh ./good ./steady
unsteady:
\t@{TOOLS}/run-tests.sh ./good ./once
bad:
\t@{TOOLS}/run-tests.sh ./good ./always
other:
\t@echo "a tool is missing"; false
leaves:
\t@setsid sleep 987 >/dev/null 2>&1 & sleep 0.2
hangs:
\t@setsid sleep 986 & sleep 985
"""


def run_parts(folder, *parts, **variables):
    for name, body in (("good", "true"), ("steady", "true"), ("once", ONCE), ("always", ALWAYS)):
        program(folder, name, body)
    (folder / "Makefile").write_text(PARTS)
    return run(folder, TOOLS / "run-parts.sh", 2, *parts, **variables)


def test_the_end_of_a_run_of_parts_says_why_it_failed(tmp_path):
    code, out = run_parts(tmp_path, "fine", "unsteady", "bad", "other")
    assert code == 1
    end = out[out.index("4 parts in ") :]
    assert "==== failing tests: 2" in end
    assert "---- bad: ./always (failed alone, too)\nthe expected word is missing\n" in end
    assert "---- other: the whole part (it names no test)\na tool is missing\n" in end
    assert end.index("failing tests") < end.index(UNSTEADY)
    assert "---- unsteady: ./once\nlate by a second\n" in end
    assert "ok   " not in out and "2 passed, 0 failed" in out  # passing programs are only counted


def test_a_run_of_parts_with_an_unsteady_test_is_green(tmp_path):
    code, out = run_parts(tmp_path, "fine", "unsteady")
    assert code == 0
    assert "---- unsteady: ./once\nlate by a second\n" in out[out.index(UNSTEADY) :]


def running(argument):
    lines = subprocess.run(["ps", "-eo", "args"], stdout=subprocess.PIPE, text=True).stdout
    return [line for line in lines.splitlines() if line == f"sleep {argument}"]


def test_a_process_that_outlives_its_part_is_named_and_ended(tmp_path):
    code, out = run_parts(tmp_path, "fine", "leaves")
    assert code == 0
    assert re.search(r"^left behind by leaves: \d+ sleep 987 *$", out, re.M)
    assert "left behind by fine" not in out and not running(987)


def test_a_part_that_hangs_is_ended_and_named(tmp_path):
    code, out = run_parts(tmp_path, "hangs", "fine", PART_SECONDS="4")
    assert code == 1
    end = out[out.index("==== failing tests: 1") :]
    assert "---- hangs: the whole part (not done in time)\nhangs: not done after 4 s" in end
    assert re.search(r"\d+ sleep 985", end) and re.search(r"\d+ sleep 986", end)
    assert not running(985) and not running(986)


def test_a_process_of_a_test_of_pytest_does_not_hold_the_run(tmp_path):
    left = "import subprocess\n\ndef test_it(capfd):\n    with capfd.disabled():\n"
    left += "        subprocess.Popen(['sleep', '20'])\n"
    (tmp_path / "test_one.py").write_text(left)
    started = time.monotonic()
    code, out = run(tmp_path, TOOLS / "py-test.sh", sys.executable, "-q", DJP_PART="some")
    assert code == 0 and "1 passed" in out
    assert running(20) and time.monotonic() - started < 20


def test_what_is_shown_at_the_end_is_bounded(tmp_path):
    long = "for i in {1..100}; do echo line $i; done; exit 1"
    code, out = run_programs(tmp_path, **{f"bad{i}": long for i in range(130)})
    end = out[out.index("==== failing tests: 130") :].splitlines()
    assert code == 1
    assert 100 < len(end) <= 200 and end[-1].startswith("... and ")


PYTEST = """
import os, pathlib

def test_good():
    pass

def test_once():
    ran = pathlib.Path("once.ran")
    if not ran.exists():
        ran.touch()
        print("printed before")
        assert "late" == "in time"

def test_always():
    assert NAME == 2

def test_crash():
    if os.environ.get("CRASH"):
        os.abort()
"""


@pytest.mark.parametrize("crash", [False, True])
def test_a_failing_test_of_pytest_runs_again_alone(tmp_path, crash):
    shutil.copy2(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_one.py").write_text(PYTEST.replace("NAME", "2"))
    (tmp_path / "test_other.py").write_text("def test_good():\n    pass\n")
    command = (TOOLS / "py-test.sh", sys.executable, "-q", "-n", "2", "--dist", "loadfile")
    code, out = run(tmp_path, *command, **({"CRASH": "1"} if crash else {}))
    assert code == crash
    assert "---- test_one.py::test_once\n" in out[out.index(UNSTEADY) :]
    assert "printed before" in out[out.index(UNSTEADY) :]
    if crash:
        assert "---- test_one.py::test_crash (a crash)" in out


def test_a_test_of_pytest_that_always_fails_is_named(tmp_path):
    shutil.copy2(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_one.py").write_text(PYTEST.replace("NAME", "1"))
    code, out = run(tmp_path, TOOLS / "py-test.sh", sys.executable, "-q")
    assert code == 1
    end = out[out.index("==== failing tests: 1") :]
    assert "---- test_one.py::test_always (failed alone, too)" in end and "assert 1 == 2" in end


def test_reports_in_files_are_a_failure(tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "test_one.py").write_text(
        "import pathlib\n\n\ndef test_it():\n"
        "    pathlib.Path('reports/asan.7').write_text('ERROR: AddressSanitizer: leak\\n')\n"
    )
    command = (TOOLS / "py-test.sh", sys.executable, "-q")
    code, out = run(tmp_path, *command, DJP_REPORTS=str(tmp_path / "reports"))
    assert code == 1 and "---- asan.7 (a report of a sanitizer)" in out


NODE = """
const test = require('node:test');
const fs = require('node:fs');
test('good', () => {});
test('once', () => {
  if (fs.existsSync('once.ran')) return;
  fs.writeFileSync('once.ran', '');
  console.log('printed before');
  throw new Error('late by a second');
});
"""


@pytest.mark.skipif("DJP_NODE" not in os.environ, reason="no Node")
def test_a_failing_file_of_node_runs_again_alone(tmp_path):
    node = os.environ["DJP_NODE"]
    (tmp_path / "test_one.js").write_text(NODE)
    (tmp_path / "test_other.js").write_text(NODE.replace("once.ran", "other.ran"))
    (tmp_path / "test_third.js").write_text("process.abort();\n")
    command = (TOOLS / "node-test.sh", node)
    code, out = run(tmp_path, *command, NODE_TESTS="test_one.js test_other.js")
    assert code == 0
    assert "FAIL test_one.js: once" in out and "passed 2 failed 2 skipped 0" in out
    end = out[out.index(UNSTEADY) :]
    assert "---- test_one.js\n" in end and "printed before" in end and "late by a second" in end
    code, out = run(tmp_path, *command, NODE_TESTS="test_one.js test_third.js")
    assert code == 1
    assert "---- test_third.js (a crash)" in out and UNSTEADY not in out
