"""The examples of the documents are programs: each Python block runs in a process of its own, and what it prints is what
its comments say."""

import ast
import pathlib
import re

import pytest
from support import run_program

pytest.importorskip("djp_telemetry._native")
ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples():
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = path.read_text() if path.exists() else ""
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            yield pytest.param(match.group(1), id=f"{path.name}:{line}")


def promised(source):
    """The comments behind print(): on its last line, or on a line of their own after it."""
    lines = source.splitlines()
    prints = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "print"
    ]
    for node in sorted(prints, key=lambda found: found.lineno):
        after = lines[node.end_lineno - 1][node.end_col_offset :].strip()
        below = lines[node.end_lineno].strip() if node.end_lineno < len(lines) else ""
        comment = after or below
        if comment.startswith("# "):
            yield comment[2:]


@pytest.mark.parametrize("source", examples())
def test_an_example(source, tmp_path):
    done = run_program(source, tmp_path, TELEMETRY_BACKEND="hybrid", OTEL_TRACES_EXPORTER="memory")
    printed = done.stdout.splitlines()
    missing = [text for text in promised(source) if text not in printed]
    assert not missing, f"promised {missing}, printed {printed}"
    assert "Traceback" not in done.stderr and "djp-telemetry:" not in done.stderr, done.stderr


def test_the_python_page_has_its_examples():
    text = (ROOT / "docs" / "python.md").read_text()
    blocks = BLOCK.findall(text)
    assert len(blocks) >= 8 and sum(len(list(promised(block))) for block in blocks) >= 15


def test_log_lines_of_the_example(tmp_path):
    text = (ROOT / "docs" / "python.md").read_text()
    (source,) = [block for block in BLOCK.findall(text) if "basicConfig" in block]
    printed = run_program(source, tmp_path, OTEL_TRACES_EXPORTER="memory").stdout.splitlines()
    assert printed[0] == "WARNING [] outside" and re.fullmatch(r"WARNING \[[0-9a-f]{32}\] inside", printed[1])
