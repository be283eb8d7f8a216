"""pick-tests.py c|py|js NAME: prints the test files that `make check`, `make py` and `make js` are
to run, one a line.

NAME is the start of a test's name (`ring` is test_ring and test_ring_race), with its folder where
two have the same (`base/ring`), a folder (`base/`), or the path of a source of the core
(`core/src/base/ring.c`). Without a match it lists the names that are near, and fails.
"""

import difflib
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
KINDS = {
    "c": ("check", "ring", "tests/c", "*/test_*.c"),
    "py": ("py", "span", "tests/python", "test_*.py"),
    "js": ("js", "span", "tests/node", "test_*.js"),
}


def tests(folder, pattern):
    """Name -> path; the name of tests/c/base/test_ring.c is base/ring."""
    found = {}
    for path in sorted((ROOT / folder).glob(pattern)):
        relative = path.relative_to(ROOT / folder)
        found[str(relative.with_name(relative.stem[len("test_") :]))] = path
    return found


def plain(asked):
    """The test name of a path of a source or test."""
    for start in ("core/src/", "tests/c/", "tests/python/", "tests/node/"):
        if asked.startswith(start):
            asked = asked[len(start) :]
    asked = asked.replace("test_", "", 1)
    for end in (".c", ".h", ".py", ".js"):
        if asked.endswith(end):
            asked = asked[: -len(end)]
    return asked


def matches(asked, names):
    return [
        name for name in names if name.startswith(asked) or name.split("/")[-1].startswith(asked)
    ]


def near(asked, names):
    word = asked.split("/")[-1]
    short = {}
    for name in names:
        short.setdefault(name.split("/")[-1], []).append(name)
    likely = difflib.get_close_matches(word, short, n=6, cutoff=0.6)
    likely = [full for name in likely for full in short[name]]
    return sorted(set(likely) | {name for name in names if word and word in name})[:12]


def main(kind, asked):
    target, example, folder, pattern = KINDS[kind]
    known = tests(folder, pattern)
    if not asked:
        print(f"make {target}: name a test, as in `make {target} T={example}`", file=sys.stderr)
        return 2
    found = matches(plain(asked), known)
    if not found:
        print(
            f"make {target}: no test in {folder} has a name that starts with '{asked}'",
            file=sys.stderr,
        )
        close = near(plain(asked), known)
        print(f"near: {' '.join(close)}" if close else f"`ls {folder}` lists them", file=sys.stderr)
        return 2
    print(*(known[name].relative_to(ROOT) for name in found), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:] + ["", ""])[:2]))
