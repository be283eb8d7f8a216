"""Checks that the headers in core/include/djp are the public set: bindings include no other headers
of the core, djp.h includes all of them, lines fit into 88 columns, and an option struct has an INIT
macro."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PUBLIC = ROOT / "core/include/djp"
WIDTH = 88
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
ROOMS = {path.name for path in (ROOT / "core/src").iterdir() if path.is_dir()} | {"gen"}


def binding_problems():
    for path in sorted((ROOT / "bindings").glob("*/src/*.[ch]")):
        for target in INCLUDE.findall(path.read_text()):
            if target.split("/")[0] in ROOMS:
                yield f"{path.relative_to(ROOT)}: includes {target}, which is no public header"


def reachable():
    seen, waiting = set(), ["djp.h"]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += [
                target.split("/", 1)[1] for target in INCLUDE.findall((PUBLIC / name).read_text())
            ]
    return seen


def header_problems():
    reached = reachable()
    for path in sorted(PUBLIC.glob("*.h")):
        name, text = path.relative_to(ROOT), path.read_text()
        if path.name not in reached:
            yield f"{name}: djp.h does not include it"
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > WIDTH:
                yield f"{name}:{number}: {len(line)} columns, at most {WIDTH}"
        for struct in re.findall(
            r"^typedef struct (djp_\w+_options|djp_config_request|djp_http_\w+) \{", text, re.M
        ):
            if f"#define {struct.upper()}_INIT" not in text:
                yield f"{name}: struct {struct} has no {struct.upper()}_INIT"


problems = [*binding_problems(), *header_problems()]
print(*problems, sep="\n", end="\n" if problems else "")
sys.exit(bool(problems))
