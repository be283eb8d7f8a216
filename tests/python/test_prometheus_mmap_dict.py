"""A file of numbers by name."""

from djp_telemetry.prometheus.mmap_dict import MmapedDict, mmap_key


def test_numbers_are_there_after_the_file_is_opened_again(tmp_path):
    path = str(tmp_path / "x.db")
    numbers = MmapedDict(path)
    assert numbers.read_value("a") == (0, 0)
    for size in range(12):
        numbers.write_value("k" * size, size + 0.5, size)
    numbers.close()
    again = MmapedDict(path, read_mode=True)
    found = {key: (value, time) for key, value, time in again.read_all_values()}
    assert found == {"a": (0, 0), **{"k" * size: (size + 0.5, size) for size in range(12)}}
    again.close()
    entries = MmapedDict.read_all_values_from_file(path)
    assert {entry[0] for entry in entries} == set(found)


def test_an_empty_file_has_no_numbers(tmp_path):
    path = tmp_path / "x.db"
    path.write_bytes(b"")
    assert list(MmapedDict.read_all_values_from_file(str(path))) == []


def test_a_key_has_its_labels_in_order():
    assert (
        mmap_key("m", "n", ["b", "a"], ["1", "2"], "h") == '["m", "n", {"a": "2", "b": "1"}, "h"]'
    )
