"""compile_commands.py CC FLAGS TEST_FLAGS NODE: prints the compilation database of the core, its
tests and the bindings, for clangd and other tools.

FLAGS are those that the Makefile compiles the core with, TEST_FLAGS those of tests, fuzz targets
and benchmarks. `make compile_commands.json` calls it; the interpreter that runs it is the one whose
headers the Python binding is shown with.
"""

import json
import pathlib
import shlex
import sys
import sysconfig

ROOT = pathlib.Path(__file__).resolve().parents[1]


def node_headers(node):
    """The folder of node_api.h: beside the program, else one fetched by node-gyp; None if there is
    neither."""
    beside = pathlib.Path(node).resolve().parents[1] / "include/node"
    fetched = sorted(pathlib.Path.home().glob(".cache/node-gyp/*/include/node"))
    return next(
        (folder for folder in [beside, *reversed(fetched)] if (folder / "node_api.h").exists()),
        None,
    )


def entries(cc, flags, test_flags, node):
    python = [f"-I{sysconfig.get_path('include')}", "-Ibindings/python/src"]
    napi = node_headers(node) if node else None
    groups = [
        (["core/src/*.c", "core/src/*/*.c", "core/gen/*.c"], flags),
        (
            ["tests/c/*.c", "tests/c/*/*.c", "tests/fuzz/*.c", "bench/*.c"],
            [*test_flags, "-Itests/c"],
        ),
        (["bindings/python/src/*.c"], [*flags, *python]),
        (["bindings/node/src/*.c"], [*flags, "-DNAPI_VERSION=8", *([f"-I{napi}"] if napi else [])]),
    ]
    for patterns, options in groups:
        for path in sorted(path for pattern in patterns for path in ROOT.glob(pattern)):
            name = str(path.relative_to(ROOT))
            yield {"directory": str(ROOT), "file": name, "arguments": [*cc, *options, "-c", name]}


if __name__ == "__main__":
    cc, flags, test_flags, node = (sys.argv[1:] + ["", "", "", ""])[:4]
    found = entries(shlex.split(cc), shlex.split(flags), shlex.split(test_flags), node)
    print(json.dumps(list(found), indent=1))
