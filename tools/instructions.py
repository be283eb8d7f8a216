"""make instructions: counts the instructions of the hot path under valgrind and fails where one
grew by more than 10 %.

    instructions.py check|record FOLDER [PYTHON]

FOLDER holds the program `instructions` that make built; PYTHON, optional, is an interpreter with
the package installed. Counts depend on the compiler: with another than the recorded one they are
printed and not compared. Instruction counts are the same in every run and on a loaded machine;
times are not.
"""

import json
import os
import pathlib
import platform
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECORDED = ROOT / "tests" / "instructions.json"
GROWTH = 1.10
DEADLINE = 240
PYTHON_SPANS = 2000
PYTHON_CASE = "Python: with start_span + 5 attributes, in the extension"


def clean_environment():
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "TELEMETRY_", "DJP_"))}
    return {**env, "PYTHONHASHSEED": "0"}


def callgrind(folder, *arguments):
    """Runs a program. Returns its standard output and the counts of its first thread, oldest
    first."""
    tool = [
        "valgrind",
        "-q",
        "--tool=callgrind",
        "--separate-threads=yes",
        f"--callgrind-out-file={folder}/count",
    ]
    done = subprocess.run(
        [*tool, *arguments],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    if done.returncode != 0:
        sys.exit(f"instructions: {' '.join(arguments)} failed\n{done.stdout}{done.stderr}")
    return done.stdout, sorted(pathlib.Path(folder).glob("count*-01"))


def count_core(program):
    with tempfile.TemporaryDirectory() as folder:
        out, dumps = callgrind(folder, "--instr-atstart=no", program)
        times, counts = int(re.search(r"^times (\d+)$", out, re.M).group(1)), {}
        for text in (dump.read_text() for dump in dumps):
            name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.M)
            if name:
                counts[name.group(1)] = (
                    int(re.search(r"^totals: (\d+)$", text, re.M).group(1)) / times
                )
        return counts


def own_cost(dump, library):
    """Counts the instructions executed in one library. The line after `calls=` holds the cost of
    the called function and is not counted."""
    names, here, called, total = {}, False, False, 0
    for line in dump.read_text().splitlines():
        match = re.match(r"(c?ob)=\((\d+)\)(?: (.*))?$", line)
        if match:
            if match.group(3):
                names[match.group(2)] = match.group(3)
            if match.group(1) == "ob":
                here = library in names[match.group(2)]
        elif line.startswith("calls="):
            called = True
        elif re.match(r"[-+*\d]", line):
            total += int(line.split()[1]) if here and not called else 0
            called = False
    return total


def count_python(python):
    """A longer run minus a shorter one, so that import and start-up do not count."""
    costs = []
    for spans in (0, PYTHON_SPANS):
        with tempfile.TemporaryDirectory() as folder:
            _, dumps = callgrind(
                folder, python, str(ROOT / "bench" / "instructions_python.py"), str(spans)
            )
            costs.append(own_cost(dumps[0], "/djp_telemetry/_native."))
    return {PYTHON_CASE: (costs[1] - costs[0]) / PYTHON_SPANS}


def surroundings(python):
    version = subprocess.check_output(
        [*shlex.split(os.environ.get("CC", "cc")), "--version"], text=True
    ).splitlines()[0]
    found = {
        "machine": platform.machine(),
        "compiler": version.partition(" ")[2],
    }  # the first word is the program's name
    if python:
        code = (
            "import platform, sysconfig;"
            "print(platform.python_version(), sysconfig.get_config_var('OPT'))"
        )
        found["python"] = subprocess.check_output([python, "-c", code], text=True).strip()
    return found


def judge(counts, recorded, here):
    bad = []
    for name, count in counts.items():
        before = recorded["instructions"].get(name)
        differing = [
            key
            for key in here
            if (key != "python" or name == PYTHON_CASE) and here[key] != recorded[key]
        ]
        verdict = "ok"
        if differing:
            verdict = "not judged: recorded with " + ", ".join(recorded[key] for key in differing)
        elif before is None:
            verdict = "NEW"
            bad.append(name)
        elif count > before * GROWTH:
            verdict = "GREW"
            bad.append(name)
        elif count < before / GROWTH:
            verdict = "fewer: worth recording"
        change = f"{100 * (count / before - 1):+6.1f} %" if before else ""
        print(f"{name:<58} {count:8.1f} {change:>9}  {verdict}")
    same = all(here[key] == recorded[key] for key in here)
    expected = [
        name for name in recorded["instructions"] if name != PYTHON_CASE or "python" in here
    ]
    missing = [name for name in expected if same and name not in counts]
    for name in missing:
        print(f"{name:<58} recorded, and not counted any more")
    if bad or missing:
        print(
            "instructions: more than 10 % above tests/instructions.json, or not as listed there. "
            "Where the change is meant: make instructions-record"
        )
        return 1
    return 0


def main():
    verb, folder, python = sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None
    counts = count_core(str(pathlib.Path(folder) / "instructions"))
    if python:
        counts.update(count_python(python))
    here = surroundings(python)
    if verb == "record":
        figures = {name: round(count, 1) for name, count in counts.items()}
        RECORDED.write_text(json.dumps({**here, "instructions": figures}, indent=2) + "\n")
    return judge(counts, json.loads(RECORDED.read_text()), here)


sys.exit(main())
