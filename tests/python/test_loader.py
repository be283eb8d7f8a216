"""Loading the native core: what is missing, damaged, switched off or of another version leaves the
no-op with the reason, and importing never fails."""

import os
import pathlib
import struct
import sys
import types

import djp_telemetry
import pytest
from djp_telemetry import _loader, _version, noop

native = _loader.native or pytest.skip("without the core", allow_module_level=True)


def elf(segments, entries=None, entry_size=56, offset=64):
    """A 64-bit little-endian ELF file with program headers of (type, offset, size)."""
    count = len(segments) if entries is None else entries
    head = b"\x7fELF\x02\x01" + b"\0" * 10 + b"\0" * 16 + struct.pack("<Q", offset) + b"\0" * 16
    head += struct.pack("<H", count) + b"\0" * 6
    body = b"".join(
        struct.pack("<IIQQQQQQ", kind, 0, start, 0, 0, size, 0, 0) for kind, start, size in segments
    )
    return head + b"\0" * (offset - 64) + body


LOADED, NOTE = 1, 4
WHOLE = len(elf([(LOADED, 0, 0)]))


@pytest.mark.parametrize(
    ("content", "cut"),
    [
        (b"", False),
        (b"not a library", False),
        (elf([(LOADED, 0, WHOLE)]), False),
        (elf([(LOADED, 0, WHOLE + 1)]), True),
        (elf([(LOADED, WHOLE, 0)]), False),
        (elf([(LOADED, WHOLE, 1)]), True),
        (elf([(LOADED, 100, WHOLE - 100)]), False),
        (elf([(LOADED, 100, WHOLE - 99)]), True),
        (elf([(NOTE, 0, 10**6)]), False),
        (elf([(NOTE, 0, 10**6), (LOADED, 10**6, 1)]), True),
        (elf([(LOADED, 0, 1), (LOADED, 10**6, 1)]), True),
        (elf([(LOADED, 0, 1)], entries=2), True),
        (elf([(LOADED, 0, 1)])[:-1], True),
        (elf([(LOADED, 0, 1)], offset=100), False),
        (elf([(LOADED, 0, 1)], offset=100)[:-1], True),
        (elf([]), False),
        (elf([], entries=300), True),
        (elf([(LOADED, 0, 1 << 40)]), True),
        (elf([(LOADED, 1 << 33, 1)]), True),
        (elf([(LOADED, 0, 10**6)])[:63], False),
        (b"\x7fELF\x01" + elf([(LOADED, 0, 10**6)])[5:], False),
        (b"\x7fELF\x02\x02" + elf([(LOADED, 0, 10**6)])[6:], False),
        (b"\x7fELG" + elf([(LOADED, 0, 10**6)])[4:], False),
    ],
)
def test_a_file_that_was_cut_short(tmp_path, content, cut):
    path = tmp_path / "library.so"
    path.write_bytes(content)
    assert _loader._cut_short(str(path)) is cut


def test_the_installed_core_is_whole():
    assert _loader._cut_short(native.__file__) is False
    assert _loader.name == "native" and _loader.reason == "" and _loader.impl is native
    assert djp_telemetry.__impl__ == "native" and djp_telemetry.__impl_reason__ == ""


def test_each_place_where_the_installed_core_is_cut(tmp_path):
    data = pathlib.Path(native.__file__).read_bytes()
    for part in (0.01, 0.05, 0.1):
        path = tmp_path / "library.so"
        path.write_bytes(data[: int(len(data) * part)])
        assert _loader._cut_short(str(path)) is True


@pytest.fixture
def fresh(monkeypatch):
    """As before the first import of the core."""
    monkeypatch.delitem(sys.modules, "djp_telemetry._native")
    monkeypatch.delattr(djp_telemetry, "_native", raising=False)


@pytest.mark.parametrize(
    ("text", "off"),
    [
        ("off", True),
        (" OFF ", True),
        ("0", True),
        ("False", True),
        ("no", True),
        ("", False),
        ("on", False),
        ("1", False),
    ],
)
def test_the_variable(monkeypatch, text, off):
    monkeypatch.setenv("DJP_TELEMETRY_NATIVE", text)
    expected = (None, "DJP_TELEMETRY_NATIVE=off") if off else (native, "")
    assert _loader._load() == expected


def test_another_version(monkeypatch):
    other = types.ModuleType("djp_telemetry._native")
    other.__version__ = "9.9.9"
    monkeypatch.setitem(sys.modules, "djp_telemetry._native", other)
    monkeypatch.setattr(djp_telemetry, "_native", other)
    assert _loader._load() == (
        None,
        f"the native core is version 9.9.9, the package {_version.__version__}",
    )


def test_a_core_that_is_loaded_already_is_not_looked_at(monkeypatch):
    monkeypatch.setattr(_loader, "__file__", "/nowhere/_loader.py")
    assert _loader._check() is None


def test_a_missing_core(monkeypatch, tmp_path, fresh):
    monkeypatch.setattr(_loader, "__file__", str(tmp_path / "_loader.py"))
    assert _loader._check() is None  # the import itself fails
    (tmp_path / "_native_missing.txt").write_text("it could not be built: é is missing\n", "utf-8")
    with pytest.raises(ImportError, match="^it could not be built: é is missing$"):
        _loader._check()
    assert _loader._load() == (
        None,
        "the native core could not be loaded: it could not be built: é is missing",
    )


def test_a_core_that_was_cut(monkeypatch, tmp_path, fresh):
    monkeypatch.setattr(_loader, "__file__", str(tmp_path / "_loader.py"))
    name = pathlib.Path(native.__file__).name
    (tmp_path / name).write_bytes(elf([(LOADED, 0, 10**6)]))
    found, reason = _loader._load()
    assert found is None
    assert reason == (
        f"the native core could not be loaded: {tmp_path / name} is not complete; "
        "install djp-telemetry again"
    )


@pytest.mark.parametrize(
    ("error", "prefix"), [(ImportError, ""), (OSError, "OSError: "), (SystemError, "SystemError: ")]
)
def test_the_reason_names_the_kind_of_error(monkeypatch, error, prefix):
    def fails():
        raise error("what happened")

    monkeypatch.setattr(_loader, "_check", fails)
    assert _loader._load() == (
        None,
        f"the native core could not be loaded: {prefix}what happened",
    )


def test_modules_that_the_core_imports_are_named_for_freezers():
    """Programs that freeze a package read the imports of its source."""
    constants = _loader._named_by_the_core.__code__.co_consts
    sources = pathlib.Path(__file__).parents[2] / "bindings/python/src"
    imported = set()
    for source in sources.glob("*.c"):
        for part in source.read_text().split('PyImport_ImportModule("djp_telemetry.')[1:]:
            imported.add(part.split('"')[0])
    assert imported - {"_runtime"} == {
        name for names in constants if type(names) is tuple for name in names
    }
    assert os.path.exists(noop.__file__)
