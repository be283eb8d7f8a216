"""Checks that includes follow the layers, that atomics and allocation stay in their files, and that
statics of the core are unique."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALLOWED = {
    "base": set(),
    "config": {"base"},
    "model": {"base"},
    "sampling": {"base", "config", "model"},
    "trace": {"base", "model", "sampling"},
    "metrics": {"base"},
    "net": {"base", "config"},
    "export": {"base", "config", "model", "metrics", "net"},
    "instrument": {"base", "model", "trace", "metrics"},
    "control": {"base", "config", "model", "sampling", "trace", "metrics", "net", "export"},
    "pipeline": {"base", "config", "net", "export"},
    "oplog": {"base", "model", "sampling", "trace", "metrics", "instrument"},
}
ALLOWED["sdk"] = set(ALLOWED)
# Includes that violate the layers today; the list only shrinks.
LEFT: dict[tuple[str, str], int] = {}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def core_problems():
    left = dict(LEFT)
    for path in sorted((ROOT / "core/src").glob("*/*.[ch]")):
        layer, text = path.parent.name, path.read_text()
        name = path.relative_to(ROOT)
        for target in INCLUDE.findall(text):
            top = target.split("/")[0]
            if top in ALLOWED and top != layer and top not in ALLOWED[layer]:
                left[layer, top] = left.get((layer, top), 0) - 1
                if left[layer, top] < 0:
                    yield f"{name}: layer {layer} must not include {target}"
            if top in ("bindings", "middleware"):
                yield f"{name}: the core must not include {target}"
        if name.name != "atomic.h" and re.search(
            r"\batomic_\w+\(|<stdatomic\.h>|\b_Atomic\b", text
        ):
            yield f"{name}: atomics only through base/atomic.h"
        if layer != "base" and re.search(
            r"(?<![\w.>])(malloc|calloc|realloc|strdup|strndup)\s*\(", text
        ):
            yield f"{name}: memory only through base/mem.h"
        if re.search(r"\bgetenv\s*\(", text):
            yield f"{name}: the core never reads the environment"


def unity_problems():
    unity = (ROOT / "core/src/djp.c").read_text()
    listed = set(INCLUDE.findall(unity))
    seen = {}
    for path in sorted((ROOT / "core/src").glob("*/*.c")):
        relative = str(path.relative_to(ROOT / "core/src"))
        if relative not in listed:
            yield f"core/src/djp.c: does not include {relative}"
        for name in re.findall(r"^static [^;=]*?\n(\w+)\(", path.read_text(), re.M):
            if name in seen and seen[name] != relative:
                yield f"{relative}: static {name} is also in {seen[name]}"
            seen[name] = relative


def main():
    problems = [*core_problems(), *unity_problems()]
    print(*problems, sep="\n", end="\n" if problems else "")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
