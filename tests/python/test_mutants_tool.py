"""The mutation runner: in a tiny tree a mutant that a test detects, one that no test detects, and
the files that remain."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))
import mutators  # noqa: E402

SOURCE = """
int tiny_larger(int a, int b);

int
tiny_larger(int a, int b)
{
    return a > b;
}
"""
TEST = """
int tiny_larger(int a, int b);

int
main(void)
{
    return !(tiny_larger(2, 1) && !tiny_larger(1, 2));
}
"""
SLOW = TEST.replace("return", "while (!tiny_larger(2, 1)) {\n    }\n    return")


@pytest.fixture
def tree(tmp_path):
    """A tree with one source and one test. The test looks at both sides of the edge, but not at the
    edge."""
    root = tmp_path / "tree"
    for name, text in (("core/src/base/tiny.c", SOURCE), ("tests/c/base/test_tiny.c", TEST)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "tools").mkdir()
    for name in ("mutants.py", "mutators.py", "mutant_tests.py"):
        shutil.copy2(TOOLS / name, root / "tools")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


def command(root, *arguments, source="core/src/base/tiny.c"):
    return [sys.executable, str(root / "tools/mutants.py"), source, *arguments]


def run(root, temporary, *arguments, **source):
    temporary.mkdir(exist_ok=True)
    return subprocess.run(
        command(root, *arguments, **source),
        capture_output=True,
        text=True,
        timeout=100,
        cwd=root,
        env=environment(temporary),
    )


def environment(temporary):
    return {**os.environ, "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}


def test_survivors_and_kills(tree, tmp_path):
    got = run(tree, tmp_path / "temporary", "--seed", "5", "--verbose")
    assert got.returncode == 0, got.stderr
    assert (
        "survived core/src/base/tiny.c:7 comparison\n  - return a > b;\n  + return a >= b;\n"
        in got.stdout
    )
    assert (
        "killed by tests/c/base/test_tiny.c: core/src/base/tiny.c:7 returned value\n" in got.stdout
    )
    assert "killed 1 of 2 (50 %)" in got.stdout and "seed 5" in got.stdout
    assert (tree / "core/src/base/tiny.c").read_text() == SOURCE
    assert list((tmp_path / "temporary").iterdir()) == []


EXTENSION = SOURCE.replace("int tiny", '__attribute__((visibility("default"))) int tiny', 1)
EXTENSION_TEST = """
import ctypes
import importlib.util
import pathlib

def test_larger():
    folder = pathlib.Path(importlib.util.find_spec("djp_telemetry").origin).parent
    (path,) = folder.glob("_native*.so")
    library = ctypes.CDLL(str(path))
    assert library.tiny_larger(2, 1) and not library.tiny_larger(1, 2)
"""


def test_mutants_of_the_extension(tree, tmp_path):
    """The tests load the extension that was built with the mutant, not the installed one."""
    source = "bindings/python/src/tiny.c"
    for folder in ("core/gen", "bindings/python/djp_telemetry", "middleware/asgi"):
        (tree / folder).mkdir(parents=True)
        (tree / folder / "empty").touch()
    for name, text in (
        ("core/src/djp.c", ""),
        (source, EXTENSION),
        ("tests/python/test_tiny.py", EXTENSION_TEST),
    ):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    got = run(tree, tmp_path / "temporary", "--seed", "5", "--verbose", source=source)
    assert got.returncode == 0, got.stderr
    assert f"survived {source}:7 comparison\n  - return a > b;\n  + return a >= b;" in got.stdout
    assert f"killed by tests/python/test_tiny.py: {source}:7 returned value" in got.stdout
    assert "killed 1 of 2 (50 %)" in got.stdout


def test_the_seed_repeats(tree, tmp_path):
    first, second = (
        run(tree, tmp_path / "temporary", "--seed", "9", "--verbose") for _ in range(2)
    )
    assert first.stdout == second.stdout


def test_object_code_that_is_the_same_does_not_count(tree, tmp_path):
    (tree / "core/src/base/tiny.c").write_text(
        SOURCE.replace("return a > b;", "if (0) {\n        a = 7;\n    }\n    return a > b;")
    )
    got = run(tree, tmp_path / "temporary", "--lines", "8-8")
    assert "have the same object code" in got.stdout and "killed 0 of 0" in got.stdout


def test_an_interrupt_leaves_nothing(tree, tmp_path):
    """The mutant of the returned value never ends; the interrupt comes while it runs."""
    (tree / "tests/c/base/test_tiny.c").write_text(SLOW)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    child = subprocess.Popen(
        command(tree, "--seed", "1"),
        stdout=subprocess.PIPE,
        text=True,
        cwd=tree,
        env=environment(temporary),
    )
    deadline = time.monotonic() + 60
    while not list(temporary.glob("djp-mutants-*/**/test_tiny")):
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    output, _ = child.communicate(timeout=60)
    assert "seed 1" in output
    assert list(temporary.iterdir()) == []
    assert (tree / "core/src/base/tiny.c").read_text() == SOURCE


def texts(source, suffix):
    return {m.apply(source) for m in mutators.mutants(source, suffix)}


def test_mutants_of_c():
    source = (
        "int\nf(int a)\n{\n    if (a >= 3 && g(a)) {\n        h(a);\n    }\n"
        "    return open(x, O_A | O_B);\n}\n"
    )
    made = texts(source, ".c")
    for old, new in (
        (">=", ">"),
        ("3", "4"),
        ("3", "2"),
        ("&&", "||"),
        ("g(a)", "1"),
        ("a >= 3", "1"),
        ("(a >= 3 && g(a))", "(!(a >= 3 && g(a)))"),
        ("h(a);", ";"),
        (" | O_B", " "),
        ("open(x, O_A | O_B)", "0"),
    ):
        assert source.replace(old, new, 1) in made, (old, new)


def test_a_loop_keeps_its_condition():
    source = "int\nf(int a)\n{\n    for (int i = 0; i < a; i++) {\n    }\n    return a;\n}\n"
    assert source.replace("i < a;", ";") not in texts(source, ".c")


def test_mutants_of_javascript():
    source = (
        "function f(a) {\n  if (a === /x;/.exec('b')) {\n    g({ a: 1 });\n  }\n  return true;\n}\n"
    )
    made = texts(source, ".js")
    for old, new in (("===", "!=="), ("g({ a: 1 });", ";"), ("true", "false"), ("1", "0")):
        assert source.replace(old, new, 1) in made, (old, new)


def test_mutants_of_python():
    source = (
        "def f(a):\n    with a.lock:\n        if a > 3 and b:\n"
        "            g(\n                a)\n        return a\n"
    )
    made = texts(source, ".py")
    for old, new in (
        ("with a.lock:", "if True:"),
        (">", ">="),
        ("and", "or"),
        ("a > 3 and b", "(not (a > 3 and b))"),
        ("a > 3", "True"),
        ("g(\n                a)", "pass\n"),
        ("return a", "return (None)"),
    ):
        assert source.replace(old, new, 1) in made, (old, new)
    for text in made:
        compile(text, "f", "exec")


def test_no_mutant_kills_or_deletes():
    assert mutators.mutants("void\nf(void)\n{\n    kill(pid, 9);\n}\n", ".c") == []
