"""Checks sizes: hand-written files up to 600 lines, functions up to 60 (at most 2 % up to 120, none above), and the project's own wording rules."""

import ast
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE_LIMIT, FUNCTION_LIMIT, FUNCTION_MAX, SHARE = 600, 60, 120, 0.02
SUFFIXES = {".c", ".h", ".py", ".pyi", ".js", ".mjs", ".cjs", ".ts", ".sh"}


def tracked():
    names = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split("\n")
    return [ROOT / n for n in names if n and (ROOT / n).is_file()]


def c_functions(text):
    """Yields (name, lines) of definitions in our layout: the name in column 0, the braces in column 0."""
    lines = text.split("\n")
    for i, line in enumerate(lines):
        match = re.match(r"^(\w+)\(", line)
        if not match:
            continue
        opening = next((j for j in range(i, min(i + 15, len(lines))) if lines[j].startswith("{")), None)
        if opening is None or any(lines[j].rstrip().endswith(";") for j in range(i, opening)):
            continue
        closing = next((j for j in range(opening, len(lines)) if lines[j].startswith("}")), None)
        if closing is not None:
            yield match.group(1), closing - opening - 1


JS_FUNCTION = re.compile(
    r"^( *)(?:.*\bfunction\b\s*\*?\s*(\w*).*|(?:export )?(?:const|let) (\w+) = .*=>|(?:(?:async|static|get|set) )*[*#]?(\w+)\(.*\)|.*=>) \{$"
)
JS_STATEMENTS = {"if", "for", "while", "switch", "catch", "with"}


def js_functions(text):
    """Yields (name, lines) of functions in the formatter's layout: the closing brace has the indentation of the first line."""
    lines = text.split("\n")
    for i, line in enumerate(lines):
        match = JS_FUNCTION.match(line)
        name = match and (match.group(2) or match.group(3) or match.group(4) or "anonymous")
        if not match or name in JS_STATEMENTS:
            continue
        closing = next((j for j in range(i, len(lines)) if lines[j].startswith(match.group(1) + "}")), None)
        if closing is not None:
            yield name, closing - i - 1


def py_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.end_lineno - node.lineno


FINDERS = {".c": c_functions, ".h": c_functions, ".py": py_functions}
FINDERS.update({".js": js_functions, ".mjs": js_functions, ".cjs": js_functions, ".ts": js_functions})


def main():
    problems, total, long_ones = [], 0, []
    for path in tracked():
        name = path.relative_to(ROOT)
        if path.suffix not in SUFFIXES or name.parts[:2] == ("core", "gen"):
            continue
        text = path.read_text(errors="replace")
        count = text.count("\n")
        if count > FILE_LIMIT:
            problems.append(f"{name}: {count} lines, the limit is {FILE_LIMIT}")
        finder = FINDERS.get(path.suffix)
        for function, lines in finder(text) if finder else ():
            total += 1
            if lines > FUNCTION_MAX:
                problems.append(f"{name}: {function} has {lines} lines, the limit is {FUNCTION_MAX}")
            elif lines > FUNCTION_LIMIT:
                long_ones.append(f"{name}: {function} has {lines} lines")
    if total and len(long_ones) / total > SHARE:
        problems += [
            f"{len(long_ones)} of {total} functions pass {FUNCTION_LIMIT} lines, more than {SHARE:.0%}:",
            *long_ones,
        ]
    for path in tracked():
        name = path.relative_to(ROOT)
        if path.suffix in {".png", ".gz", ".bin"} or name.parts[0] == "tools":
            continue
        for number, line in enumerate(path.read_text(errors="replace").split("\n"), 1):
            if re.search(r'"resolved": "http|index-url|GOPROXY=http', line):
                problems.append(f"{name}:{number}: names a package registry")
    version = re.search(r'DJP_VERSION "([^"]+)"', (ROOT / "core/include/djp/version.h").read_text()).group(1)
    if f'version = "{version}"' not in (ROOT / "pyproject.toml").read_text():
        problems.append("pyproject.toml: the version differs from core/include/djp/version.h")
    for name in ("package.json", "package-lock.json"):
        if f'"version": "{version}"' not in (ROOT / name).read_text()[:200]:
            problems.append(f"{name}: the version differs from core/include/djp/version.h")
    print(*problems, sep="\n", end="\n" if problems else "")
    return bool(problems)


sys.exit(main())
