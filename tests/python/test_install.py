"""Installation where the native core cannot be built: the reason is correct and names the packages
to install, and the no-op is never taken from a cache in place of the core."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
from support import clean_environment

ROOT = pathlib.Path(__file__).parents[2]
PARTS = (
    "setup.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "MANIFEST.in",
    "core",
    "bindings/python",
    "middleware/asgi",
)

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="one version builds; the others are tried by make"
)


@pytest.fixture
def source(tmp_path):
    for part in PARTS:
        target = tmp_path / "source" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(
                ROOT / part, target, ignore=shutil.ignore_patterns("__pycache__", "*.so")
            )
        else:
            shutil.copy(ROOT / part, target)
    return tmp_path / "source"


def pip(source, *arguments, check=True, **environment):
    command = [
        sys.executable,
        "-m",
        "pip",
        *arguments,
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    done = subprocess.run(
        [*command, "--disable-pip-version-check", str(source)],
        env=clean_environment(PIP_CACHE_DIR=str(source.parent / "cache"), **environment),
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def reason_in(folder):
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            "import djp_telemetry as d; print(d.__impl__, d.__impl_reason__)",
        ],
        env=clean_environment(PYTHONPATH=str(folder)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def fake_compiler(folder, without):
    """A compiler for which one header does not exist."""
    script = folder / "cc"
    script.write_text(
        "#!/bin/sh\n"
        'for word in "$@"; do\n'
        f'[ "$word" != - ] || {{ if grep -q "{without}"; then exit 1; else exit 0; fi; }}\n'
        "done\nexit 1\n"
    )
    script.chmod(0o755)
    return str(script)


def test_without_a_compiler(source, tmp_path):
    pip(source, "install", "--target", str(tmp_path / "there"), CC="/nonexistent/cc")
    reason = reason_in(tmp_path / "there")
    assert "noop" in reason and "a C compiler" in reason and "/nonexistent/cc" in reason
    if shutil.which("apt-get"):
        assert "build-essential" in reason and "python3-dev" in reason


@pytest.mark.parametrize(
    "header, named, package",
    [
        ("Python.h", "the Python headers", "python3-dev"),
        ("microhttpd.h", "libmicrohttpd", "libmicrohttpd-dev"),
    ],
)
def test_without_a_header(source, tmp_path, header, named, package):
    compiler = fake_compiler(tmp_path, header)
    pip(source, "install", "--target", str(tmp_path / "there"), CC=compiler)
    reason = reason_in(tmp_path / "there")
    assert named in reason and "a C compiler" not in reason and "libcurl" not in reason
    if shutil.which("apt-get"):
        assert package in reason
    required = pip(
        source, "install", "--target", "x", check=False, CC=compiler, DJP_TELEMETRY_NATIVE="require"
    )
    assert required.returncode != 0 and named in required.stdout + required.stderr


@pytest.mark.parametrize(
    "environment", [{"CC": "/nonexistent/cc"}, {"DJP_TELEMETRY_NATIVE": "off"}]
)
def test_pip_never_takes_the_no_op_from_its_cache(source, tmp_path, environment):
    packaging = pytest.importorskip("packaging.tags")
    pip(source, "wheel", "-w", str(tmp_path / "wheels"), **environment)
    (wheel,) = (tmp_path / "wheels").iterdir()
    interpreter, abi, platform = wheel.stem.split("-")[2:]
    assert platform == "native_core_missing"
    assert packaging.Tag(interpreter, abi, platform) not in set(packaging.sys_tags())
    names = zipfile.ZipFile(wheel).namelist()
    assert "djp_telemetry/_native_missing.txt" in names and not any(
        name.endswith(".so") for name in names
    )


def test_no_reason_stays_in_a_package_that_has_the_core():
    import djp_telemetry

    folder = pathlib.Path(djp_telemetry.__file__).parent
    assert djp_telemetry.__impl__ == "native" and not (folder / "_native_missing.txt").exists()


def test_the_sources_compile_with_every_supported_version():
    """Macros of the interpreter's headers that are newer than 3.9 are not used."""
    young = re.compile(r"\bPy_(NO_INLINE|NewRefCast|Is|IsNone)\b")
    for path in (ROOT / "bindings/python/src").iterdir():
        assert not young.search(path.read_text()), path.name
    assert os.access(ROOT / "tools/python-versions.sh", os.X_OK)
