"""Paths as labels, by the shared vectors and at the limits of rules, with and without the core."""

import json
import pathlib
import random

import pytest
from djp_telemetry import _loader, _paths

native = _loader.native or pytest.skip("without the core", allow_module_level=True)
VECTORS = pathlib.Path(__file__).parent.parent / "vectors" / "normalise.json"


@pytest.mark.parametrize("item", json.loads(VECTORS.read_text()), ids=lambda item: item["path"])
def test_paths_as_labels(item):
    assert native._path_normalise(item["path"]) == item["label"]
    assert _paths.normalise(item["path"]) == item["label"]  # without the core


def test_a_path_that_was_normalised_stays():
    for path in (
        "/" + "a" * 64,
        "/...",
        "/v1.",
        "/V123456789",
        "/a.b/c",
        "/123e4567e89b12d3",
        "/x" * 30,
        "/ä?b/c",
        "/v",
        "/1.5",
    ):
        once = native._path_normalise(path)
        assert _paths.normalise(path) == once and native._path_normalise(once) == once, path


@pytest.mark.parametrize(
    ("segment", "label"),
    [
        ("z" * 64, "z" * 64),
        ("z" * 65, "{id}"),
        ("123", "{id}"),
        ("a123", "a123"),
        ("a1234", "{id}"),
        ("z" * 18 + "1", "z" * 18 + "1"),
        ("z" * 19 + "1", "{id}"),
        ("0123456789abcdef", "{id}"),
        ("abcdefabcdefabc", "abcdefabcdefabc"),
        ("abcdefabcdefabcd", "{id}"),
        ("ABCDEFABCDEFABCD", "{id}"),
        ("123e4567-e89b-12d3-a456-426614174000", "{id}"),
        ("v1", "v1"),
        ("V12.34.5", "V12.34.5"),
        ("v12.34.56", "{file}"),
        ("v", "v"),
        ("vx", "vx"),
        ("a.b", "{file}"),
        (".", "."),
        ("...", "..."),
        ("{id}", "{id}"),
        ("{name}", "{name}"),
        ("{}", "{id}"),
        ("{a1}", "{id}"),
        ("tenant-", "tenant-"),
        ("tenant-x", "tenant-{id}"),
        ("a b", "{id}"),
        ("é", "{id}"),
        ("a_b-c~d:e", "a_b-c~d:e"),
        ("", ""),
    ],
)
def test_segments(segment, label):
    for normalise in (native._path_normalise, _paths.normalise):
        assert normalise(f"/x/{segment}/y") == f"/x/{label}/y"


def test_the_number_of_segments():
    for count, label in ((11, "/a" * 11), (12, "/a" * 11 + "/..."), (30, "/a" * 11 + "/...")):
        for normalise in (native._path_normalise, _paths.normalise):
            assert normalise("/a" * count) == label


def test_queries_and_fragments_are_removed():
    for normalise in (native._path_normalise, _paths.normalise):
        assert [normalise(path) for path in ("/a?b=/c", "/a#b/c", "?a", "", "/a?b#c")] == [
            "/a",
            "/a",
            "",
            "",
            "/a",
        ]


def test_both_normalise_random_paths_alike():
    source = random.Random(5)
    pieces = [
        "/",
        "a",
        "1",
        "f",
        ".",
        "-",
        "v",
        "{",
        "}",
        "id",
        "tenant-",
        "12",
        "é",
        " ",
        "?",
        "Z_",
    ]
    for _ in range(5000):
        path = "".join(source.choice(pieces) for _ in range(source.randrange(0, 40)))
        assert native._path_normalise(path) == _paths.normalise(path), path
