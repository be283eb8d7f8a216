"""Mutation testing: changes one place of a source at a time, runs the tests that touch it, and
prints the changes that no test detected.

    tools/mutants.py core/src/metrics/shard.c --seconds 300
    tools/mutants.py core/src/control --seconds 900 --seed 7
    tools/mutants.py bindings/python/djp_telemetry/_values.py
    tools/mutants.py bindings/python/src/value.c

A mutant is one small change: the edge of a comparison, an inverted condition, a dropped statement
(a call, an assignment, an unlock, a free), half of a condition, a constant off by one, a returned
value, break and continue, && and ||, a flag. Mutants that do not compile or give the same object
code do not count. The places are picked at random; the seed is printed and repeats the order.

C (core/src): the tests named after the source, those that use its symbols and those of its layer,
fastest first. Python and JavaScript: the tests that name the module. C of the Python extension and
of the Node addon: the tests named after the source or its first word, and those that call its
functions directly. Surviving mutants run through all other tests of the language if time is left.
The first failure kills a mutant.

All work happens in a copy of the tree in the folder for temporary files, which is removed at the
end and at Ctrl-C. Python and Node use the extension and the addon that are already built, except
for mutants of these; `make mutants F=...` builds them first.
"""

import argparse
import importlib.util
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time

import mutators
from mutant_tests import Test, run

ROOT = pathlib.Path(__file__).resolve().parents[1]
FLAGS = (
    "-std=c11 -D_GNU_SOURCE -w -fno-strict-aliasing -fPIC -fno-semantic-interposition "
    "-Icore/include -Icore/src -Icore -Itests/c"
)
LIBS = "-lcurl -lprotobuf-c -lz -lmicrohttpd -lpthread -lm"
SANITIZERS = {
    "": "-O1",
    "asan": "-O1 -fno-omit-frame-pointer -fsanitize=address,undefined "
    "-fno-sanitize-recover=undefined",
    "tsan": "-O1 -fno-omit-frame-pointer -fsanitize=thread",
}
MEMORY = 4 << 30
PACKAGE = {"bindings/python/djp_telemetry": "", "middleware/asgi": "asgi"}
EXTENSION = "bindings/python/src"
EXTENSION_FLAGS = (
    "-std=c11 -O1 -D_GNU_SOURCE -w -fPIC -fvisibility=hidden -fno-strict-aliasing "
    f"-Icore/include -Icore/src -Icore -I{EXTENSION} -I{sysconfig.get_path('include')}"
)
ADDON = "bindings/node/src"
ADDON_FLAGS = (
    "-std=c11 -O1 -DNAPI_VERSION=8 -D_GNU_SOURCE -w -fPIC -fvisibility=hidden "
    "-fno-strict-aliasing -Icore/include -Icore/src -Icore"
)
FUNCTION_NAME = r'\{"(\w+)",'  # of a table of functions for the language
SHARE_OF_NEAR_TESTS = 0.75


class Ended(Exception):
    """The time is over."""


def copy_tree(target):
    names = subprocess.check_output(
        ["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"], cwd=ROOT, text=True
    )
    for name in filter(None, names.split("\0")):
        source, copy = ROOT / name, target / name
        if source.is_file() and not source.is_symlink():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)


class Objects:
    """Objects of C sources in the folder out of a tree."""

    def __init__(self, tree, flags):
        self.tree, self.cc, self.flags = tree, os.environ.get("CC", "cc").split(), flags
        self.originals = {}
        (tree / "out").mkdir()

    def name(self, path):
        return str(path.relative_to(self.tree))

    def object(self, path):
        return "out/" + self.name(path).replace("/", "_")[:-2] + ".o"

    def command(self, path):
        return [*self.cc, *self.flags, "-MMD", "-c", self.name(path), "-o", self.object(path)]

    def compile(self, paths):
        waiting, running = list(paths), []
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                running.append(
                    (waiting[0], subprocess.Popen(self.command(waiting.pop(0)), cwd=self.tree))
                )
            path, child = running.pop(0)
            if child.wait() != 0:
                raise SystemExit(f"{self.name(path)} does not compile without a mutant")

    def link(self, paths, target, *options):
        parts = ["-shared", *options, *map(self.object, paths), *LIBS.split(), "-o", target]
        return run([*self.cc, *self.flags, *parts], self.tree)[0] == 0

    def change(self, source):
        """Builds a mutant. Returns the reason if it does not count, else None."""
        target = self.tree / self.object(source)
        before = self.originals.setdefault(target, target.read_bytes())
        if run(self.command(source), self.tree)[0] != 0:
            return "do not compile"
        return "have the same object code" if target.read_bytes() == before else None

    def restore(self, source):
        """Returns whether there was a mutant."""
        target = self.tree / self.object(source)
        if target in self.originals:
            target.write_bytes(self.originals[target])
        return target in self.originals


class Core(Objects):
    """Sources of the core. Each mutant is compiled alone and linked with the other objects into the
    library that the test programs load."""

    def __init__(self, tree, sanitizer):
        super().__init__(tree, [*FLAGS.split(), *SANITIZERS[sanitizer].split()])
        self.environment = {
            **os.environ,
            "LD_LIBRARY_PATH": str(tree / "out"),
            "DJP_TEST_SHORT": "1",
        }
        sources = [
            p for folder in ("core/src/*/*.c", "core/gen/*.c") for p in sorted(tree.glob(folder))
        ]
        helpers = [
            p
            for p in sorted(tree.glob("tests/c/**/*.c"))
            if not p.name.startswith(("test_", "tool_"))
        ]
        self.sources = sources
        self.compile([*sources, *helpers])
        run(["ar", "rcs", "out/libhelpers.a", *map(self.object, helpers)], tree)
        if not self._link():
            raise SystemExit("the core does not link without a mutant")
        self.stale = False
        memory = 0 if sanitizer else MEMORY
        paths = sorted(tree.glob("tests/c/*/test_*.c"))
        self.tests = [Test(p, self.name(p), ["./" + self._program(p)], memory) for p in paths]

    def _program(self, path):
        """Some tests read the name of their own program."""
        return f"out/{path.parent.name}/{path.stem}"

    def _link(self):
        return self.link(self.sources, "out/libmutant.so")

    def _link_test(self, path):
        (self.tree / self._program(path)).parent.mkdir(exist_ok=True)
        parts = [
            self.object(path),
            "out/libhelpers.a",
            "-Lout",
            "-lmutant",
            *LIBS.split(),
            "-lcmocka",
        ]
        return run([*self.cc, *self.flags, *parts, "-o", self._program(path)], self.tree)[0] == 0

    def build(self, test):
        if self.stale:
            self.stale = not self._link()
        self.compile([test.path])
        return self._link_test(test.path)

    def tests_of(self, source):
        """The tests that touch a source, and the others."""
        output = subprocess.check_output(["nm", self.object(source)], cwd=self.tree, text=True)
        rows = [line.split() for line in output.splitlines()]
        names = [row[-1] for row in rows if len(row) > 1 and row[-2] in "TDBRC"]
        words = "|".join([re.escape(f"{source.parent.name}/{source.name}"), *names])
        touches = re.compile(rf"\b(?:{words})\b")
        near = [
            t
            for t in self.tests
            if t.path.parent.name == source.parent.name or touches.search(t.path.read_text())
        ]
        return near, [t for t in self.tests if t not in near]

    def order(self, source, tests):
        return sorted(tests, key=lambda t: (t.path.stem != f"test_{source.stem}", t.seconds))

    def _including(self, source):
        """The tests that include this source in their unit."""
        for test in self.tests:
            if (
                test.good
                and self.name(source)
                in (self.tree / self.object(test.path)).with_suffix(".d").read_text().split()
            ):
                yield test

    def prepare(self, source):
        """Builds the source. Returns the reason if the mutant does not count, else None."""
        reason = self.change(source)
        if reason:
            return reason
        for test in self._including(source):
            run(self.command(test.path), self.tree)
            self._link_test(test.path)
        return None if self._link() else "do not compile"

    def restore(self, source):
        """Restores the source. The library is rebuilt when it is needed."""
        self.stale |= super().restore(source)
        for test in self._including(source):
            self.compile([test.path])
            self._link_test(test.path)


class Scripts:
    """Python and JavaScript: the mutant is a file of the copy, the tests are files that name the
    module."""

    def __init__(self, tree, suffix):
        self.tree, self.python = tree, suffix == ".py"
        self.environment = {
            **os.environ,
            "DJP_BUILD": os.environ.get("DJP_BUILD", str(ROOT / "build")),
        }
        if (ROOT / "node_modules").exists():
            (tree / "node_modules").symlink_to(ROOT / "node_modules")
        if (ROOT / "build" / "Release").exists():
            left_out = shutil.ignore_patterns("obj*", ".deps")
            shutil.copytree(ROOT / "build" / "Release", tree / "build" / "Release", ignore=left_out)
        if self.python:
            self._site()
        pattern = "tests/python/test_*.py" if self.python else "tests/node/test_*.js"
        memory = MEMORY if self.python else 0
        paths = sorted(tree.glob(pattern))
        self.tests = [
            Test(p, str(p.relative_to(tree)), self._command(str(p.relative_to(tree))), memory)
            for p in paths
        ]

    def _site(self):
        site = self.tree / "site" / "djp_telemetry"
        found = importlib.util.find_spec("djp_telemetry")
        if found is None:
            raise SystemExit(
                "the package is not installed for this interpreter: make .venv/.native"
            )
        shutil.copytree(
            pathlib.Path(found.origin).parent, site, ignore=shutil.ignore_patterns("__pycache__")
        )
        for folder, place in PACKAGE.items():
            shutil.copytree(self.tree / folder, site / place, dirs_exist_ok=True)
        self.environment.update(PYTHONPATH=str(site.parent), PYTHONDONTWRITEBYTECODE="1")

    def _command(self, name):
        if self.python:
            return [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not e2e", name]
        return [os.environ.get("NODE", "node"), "--test", name]

    def build(self, test):
        return True

    def tests_of(self, source):
        stem = self._stem(source)
        near = [
            t
            for t in self.tests
            if stem in t.path.stem or re.search(rf"\b_?{re.escape(stem)}\b", t.path.read_text())
        ]
        return near, [t for t in self.tests if t not in near]

    def _stem(self, source):
        stem = source.stem.strip("_")
        return source.parent.name if stem in {"index", "init"} else stem

    def order(self, source, tests):
        stem = self._stem(source)
        return sorted(tests, key=lambda t: (stem not in t.path.stem, t.seconds))

    def prepare(self, source):
        if self.python:
            try:
                compile(source.read_text(), source.name, "exec")
            except (SyntaxError, ValueError):
                return "do not compile"
        elif run([os.environ.get("NODE", "node"), "--check", str(source)], self.tree)[0] != 0:
            return "do not compile"
        self.restore(source)
        return None

    def restore(self, source):
        name = source.relative_to(self.tree)
        for folder, place in PACKAGE.items() if self.python else ():
            if name.is_relative_to(folder):
                shutil.copy2(
                    source, self.tree / "site" / "djp_telemetry" / place / name.relative_to(folder)
                )


class Native(Scripts):
    """C sources of a binding. Each mutant is compiled alone and linked with the other objects into
    the library that the tests of the copy load."""

    def __init__(self, tree, suffix, folder, flags):
        super().__init__(tree, suffix)
        self.objects = Objects(tree, flags.split())
        self.sources = [
            tree / "core/src/djp.c",
            *sorted(tree.glob("core/gen/*.c")),
            *sorted((tree / folder).glob("*.c")),
        ]
        self.objects.compile(self.sources)
        if not self._link():
            raise SystemExit("the binding does not link without a mutant")

    def _link(self):
        return self.objects.link(self.sources, str(self._library()), "-Wl,-z,nodelete")

    def tests_of(self, source):
        words = {source.stem, source.stem.split("_")[0]}
        calls = re.compile(
            rf"\bnative\.(?:{'|'.join(re.findall(FUNCTION_NAME, source.read_text())) or '-'})\b"
        )
        near = [
            t
            for t in self.tests
            if any(word in t.path.stem for word in words) or calls.search(t.path.read_text())
        ]
        near = near or super().tests_of(source)[0]
        return near, [t for t in self.tests if t not in near]

    def prepare(self, source):
        reason = self.objects.change(source)
        return reason or (None if self._link() else "do not compile")

    def restore(self, source):
        if self.objects.restore(source):
            self._link()


class Extension(Native):
    def __init__(self, tree):
        super().__init__(tree, ".py", EXTENSION, EXTENSION_FLAGS)

    def _library(self):
        (module,) = (self.tree / "site" / "djp_telemetry").glob("_native*.so")
        return module


class Addon(Native):
    def __init__(self, tree):
        node = os.environ.get("NODE", "node")
        path = subprocess.check_output([node, "-p", "process.execPath"], text=True).strip()
        headers = pathlib.Path(path).parents[1] / "include" / "node"
        super().__init__(tree, ".js", ADDON, f"{ADDON_FLAGS} -I{headers}")

    def _library(self):
        return self.tree / "build" / "Release" / "djp_telemetry.node"


class Work:
    """The mutants of some sources, their results, and the time left."""

    def __init__(self, kind, tree, sources, options):
        self.kind, self.tree, self.options = kind, tree, options
        self.killed, self.survived, self.uncounted = 0, [], {}
        self.texts = {source: source.read_text() for source in sources}
        self.tests = {source: kind.tests_of(source) for source in sources}
        self.mutants = [
            (source, m)
            for source in sources
            for m in mutators.mutants(self.texts[source], source.suffix)
        ]
        if options.lines:
            first, last = options.lines
            self.mutants = [
                (s, m) for s, m in self.mutants if first <= m.line(self.texts[s]) <= last
            ]
        random.Random(options.seed).shuffle(self.mutants)
        self.end = time.monotonic() + options.seconds * (1 if options.near else SHARE_OF_NEAR_TESTS)

    def _ready(self, source, tests):
        """The tests that pass without a mutant, in order. The time of a first run does not
        count."""
        for test in tests:
            if test.good is None:
                self._still_time()
                start = time.monotonic()
                test.good = self.kind.build(test) and test.measure(self.tree, self.kind.environment)
                self.end += time.monotonic() - start
        return self.kind.order(source, [t for t in tests if t.good])

    def _still_time(self):
        if time.monotonic() > self.end:
            raise Ended

    def _try_one(self, source, mutant, tests):
        """Applies a mutant and runs tests. Returns True for killed, False for survived, or the
        reason why it does not count."""
        tests = self._ready(source, tests)
        try:
            source.write_text(mutant.apply(self.texts[source]))
            reason = self.kind.prepare(source)
            if reason:
                return reason
            for test in tests:
                self._still_time()
                if test.notices(self.tree, self.kind.environment):
                    if self.options.verbose:
                        self.show(f"killed by {test.name}:", source, mutant)
                    return True
            return False
        finally:
            source.write_text(self.texts[source])
            self.kind.restore(source)

    def first_look(self):
        """Runs the tests that touch the source."""
        for source, mutant in self.mutants[: self.options.count]:
            self._still_time()
            result = self._try_one(source, mutant, self.tests[source][0])
            if result is True:
                self.killed += 1
            elif result is False:
                self.survived.append((source, mutant))
            else:
                self.uncounted[result] = self.uncounted.get(result, 0) + 1

    def second_look(self):
        """Runs the other tests of the language on mutants that survived."""
        self.end = time.monotonic() + self.options.seconds * (1 - SHARE_OF_NEAR_TESTS)
        for source, mutant in list(self.survived):
            if self._try_one(source, mutant, self.tests[source][1]) is True:
                self.survived.remove((source, mutant))
                self.killed += 1

    def run(self):
        looks = [self.first_look] if self.options.near else [self.first_look, self.second_look]
        for look in looks:
            try:
                look()
            except Ended:
                pass
            except KeyboardInterrupt:
                print("interrupted")
                return

    def show(self, title, source, mutant):
        text, line = self.texts[source], mutant.line(self.texts[source])
        last = text.count("\n", 0, mutant.end) + 1
        old, new = (
            text.split("\n")[line - 1 : last],
            mutant.apply(text).split("\n")[line - 1 : last],
        )
        print(f"{title} {source.relative_to(self.tree)}:{line} {mutant.kind}")
        print(*("  - " + part.strip() for part in old), sep="\n")
        print(*("  + " + part.strip() for part in new if part.strip()), sep="\n", flush=True)

    def report(self):
        for source, mutant in sorted(self.survived):
            self.show("survived", source, mutant)
        counted = self.killed + len(self.survived)
        share = f"{100 * self.killed / counted:.0f} %" if counted else "no score"
        left_out = "".join(f"; {n} {reason}" for reason, n in sorted(self.uncounted.items()))
        print(f"killed {self.killed} of {counted} ({share}){left_out}")
        tried = counted + sum(self.uncounted.values())
        print(f"tried {tried} of {len(self.mutants)}, seed {self.options.seed}")


def options_of(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", nargs="+", help="files, or folders with sources of one language")
    parser.add_argument(
        "--seconds",
        type=float,
        default=300,
        help="the time for mutants, without the first build (300)",
    )
    parser.add_argument("--seed", type=int, default=None, help="repeats an order")
    parser.add_argument("--count", type=int, default=None, help="at most so many mutants")
    parser.add_argument(
        "--lines",
        type=lambda t: tuple(int(n) for n in t.split("-")),
        help="FIRST-LAST: only these lines",
    )
    parser.add_argument(
        "--sanitizer", choices=sorted(SANITIZERS), default="", help="builds C with that sanitizer"
    )
    parser.add_argument(
        "--near", action="store_true", help="only the tests that touch the source, no second look"
    )
    parser.add_argument(
        "--verbose", action="store_true", help="also prints what was killed, and by what"
    )
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 31)
    return options


def sources_of(names, tree):
    found = []
    for name in names:
        path = tree / pathlib.Path(name).resolve().relative_to(ROOT)
        found += (
            sorted(p for p in path.iterdir() if p.suffix in {".c", ".py", ".js"})
            if path.is_dir()
            else [path]
        )
    missing = [str(p) for p in found if not p.is_file()]
    if missing or len({p.suffix for p in found}) != 1:
        raise SystemExit(f"not there: {missing}" if missing else "name sources of one language")
    return found


def kind_of(source, tree, sanitizer):
    if source.suffix != ".c":
        return Scripts(tree, source.suffix)
    if source.is_relative_to(tree / EXTENSION):
        return Extension(tree)
    if source.is_relative_to(tree / ADDON):
        return Addon(tree)
    return Core(tree, sanitizer)


def main(arguments=None):
    options = options_of(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="djp-mutants-") as folder:
        tree = pathlib.Path(folder)
        copy_tree(tree)
        sources = sources_of(options.source, tree)
        kind = kind_of(sources[0], tree, options.sanitizer)
        work = Work(kind, tree, sources, options)
        work.run()
        work.report()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
