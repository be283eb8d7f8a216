"""The examples of the documents are programs. Each Python block runs unchanged in a separate
process without any variable of telemetry, and prints the text in its comments. The service of the
README runs under the command below it."""

import ast
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from support import clean_environment

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
    """The comments after print(): on its last line, or on separate lines after it."""
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


def run_as_it_stands(source, folder):
    script = folder / "program.py"
    script.write_text(source)
    environment = clean_environment(PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("source", examples())
def test_an_example(source, tmp_path):
    done = run_as_it_stands(source, tmp_path)
    printed = done.stdout.splitlines()
    missing = [text for text in promised(source) if text not in printed]
    assert not missing, f"promised {missing}, printed {printed}"
    # An example with the default ratio may sample nothing, which is logged.
    lines = [line for line in done.stderr.splitlines() if "was sampled: the ratio is" not in line]
    assert not [line for line in lines if "Traceback" in line or "djp-telemetry:" in line], (
        done.stderr
    )


def test_the_python_page_has_its_examples():
    text = (ROOT / "docs" / "python.md").read_text()
    blocks = BLOCK.findall(text)
    assert len(blocks) >= 8 and sum(len(list(promised(block))) for block in blocks) >= 15


def test_log_lines_of_the_example(tmp_path):
    text = (ROOT / "docs" / "python.md").read_text()
    (source,) = [block for block in BLOCK.findall(text) if "basicConfig" in block]
    printed = run_as_it_stands(source, tmp_path).stdout.splitlines()
    assert printed[0] == "WARNING [] outside" and re.fullmatch(
        r"WARNING \[[0-9a-f]{32}\] inside", printed[1]
    )


def get(url, deadline):
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            assert time.monotonic() < deadline, f"nothing answers at {url}"
            time.sleep(0.1)


def test_the_service_of_the_readme_runs_under_its_command(tmp_path):
    pytest.importorskip("uvicorn")
    text = (ROOT / "README.md").read_text()
    (source, command) = re.search(
        r"```python\n(.*?)```\n```\n(.*? uvicorn app:app)\n```", text, re.DOTALL
    ).groups()
    (tmp_path / "app.py").write_text(source)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = dict(word.split("=", 1) for word in command.split()[:-2])
    environment = clean_environment(
        PYTHONPATH=os.pathsep.join(path for path in sys.path if path), **variables
    )
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)],
        env=environment,
        cwd=tmp_path,
    )
    try:
        deadline = time.monotonic() + 60
        assert json.loads(get(f"http://127.0.0.1:{port}/orders/7", deadline)) == {"order": 7}
        scrape = get(f"http://127.0.0.1:{port}/metrics", deadline)
        assert 'orders_total{kind="web"} 1' in scrape
        assert (
            'http_requests_total{method="GET",endpoint="/orders/{order_id}",status_code="200"} 1'
            in scrape
        )
    finally:
        server.terminate()
        server.wait(30)
