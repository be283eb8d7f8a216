"""A source file has a test file of its name: core/src/base/ring.c has tests/c/base/test_ring.c.

In the bindings and the middleware the leading underscore falls away, and the name of the folder may
stand before it: middleware/asgi/_routes.py has tests/python/test_routes.py or test_asgi_routes.py,
middleware/express/index.js has tests/node/test_express.js. The key is the first two folders of the
source, the amount is 1 for each file without a test.
"""

from tree import area, files

# Folder of sources -> folder of tests; the suffix of a test.
HOMES = (
    ("bindings/python/djp_telemetry/", ".py", "tests/python", ".py"),
    ("bindings/python/src/", ".c", "tests/python", ".py"),
    ("middleware/asgi/", ".py", "tests/python", ".py"),
    ("bindings/node/lib/", ".js", "tests/node", ".js"),
    ("bindings/node/src/", ".c", "tests/node", ".js"),
    ("middleware/", ".js", "tests/node", ".js"),
)


def core():
    tests = {str(path) for path in files(".c", under=("tests/c/",))}
    for path in files(".c", under=("core/src/",)):
        wanted = f"tests/c/{path.parent.name}/test_{path.name}"
        if len(path.parts) == 4 and wanted not in tests:
            yield path, wanted


def names(path):
    stem = path.stem.lstrip("_")
    folder = path.parent.name
    return [f"test_{folder}"] if stem == "index" else [f"test_{stem}", f"test_{folder}_{stem}"]


def others():
    for start, suffix, tests, test_suffix in HOMES:
        present = {path.stem for path in files(test_suffix, under=(tests + "/",))}
        for path in files(suffix, under=(start,)):
            if path.stem != "__init__" and not present.intersection(names(path)):
                yield path, f"{tests}/{names(path)[0]}{test_suffix}"


def find():
    for path, wanted in [*core(), *others()]:
        yield area(path), 1, f"{path}: there is no {wanted}"
