"""The files of the tree, for the rules of this folder."""

import functools
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
C, PYTHON, JAVASCRIPT = (".c", ".h"), (".py", ".pyi"), (".js", ".mjs", ".cjs", ".ts")


@functools.cache
def tracked():
    """Paths relative to the root of all tracked files that are written by hand."""
    names = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
    return tuple(
        path
        for path in (pathlib.Path(name) for name in names if name)
        if path.parts[:2] != ("core", "gen") and (ROOT / path).is_file()
    )


def files(*suffixes, under=()):
    return [
        path
        for path in tracked()
        if path.suffix in suffixes and (not under or any(str(path).startswith(start) for start in under))
    ]


@functools.cache
def text(path):
    return (ROOT / path).read_text(errors="replace")


def area(path):
    """The first two folders: the key of counts that a move inside them leaves as they are."""
    return "/".join(path.parts[:-1][:2]) or "."
