"""The shared objects of both builds are bound at load, have no writable relocations or executable
stack, and check their buffers."""

import os
import pathlib
import shutil
import subprocess

import pytest
from djp_telemetry import _loader

ADDON = pathlib.Path(os.environ.get("DJP_BUILD", "build")) / "Release" / "djp_telemetry.node"


def elf(option, path):
    return subprocess.run(
        ["readelf", "-W", option, path], check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.skipif(not shutil.which("readelf"), reason="needs readelf")
@pytest.mark.parametrize("which", ["python", "node"])
def test_the_build_is_hardened(which):
    path = pathlib.Path(_loader.native.__file__) if which == "python" else ADDON
    if not path.exists() or "asan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("no such build here")
    headers, dynamic, symbols = elf("-l", path), elf("-d", path), elf("--dyn-syms", path)
    assert "GNU_RELRO" in headers
    stack = next(line for line in headers.splitlines() if "GNU_STACK" in line)
    assert " RWE " not in stack
    assert "BIND_NOW" in dynamic or "NOW" in dynamic.split("FLAGS_1", 1)[-1].splitlines()[0]
    assert "TEXTREL" not in dynamic
    assert "__stack_chk_fail" in symbols
    assert "__memcpy_chk" in symbols or "__snprintf_chk" in symbols or "__vsnprintf_chk" in symbols
