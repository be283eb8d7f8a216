"""Fixtures of the end-to-end tests: each backend is started for the test that asks for it."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import backends  # noqa: E402


@pytest.fixture
def jaeger(tmp_path):
    program = backends.Jaeger(tmp_path)
    yield program
    program.stop()


@pytest.fixture
def collector(tmp_path):
    program = backends.Collector(tmp_path)
    yield program
    program.stop()


@pytest.fixture
def collector_and_jaeger(tmp_path, jaeger):
    program = backends.Collector(tmp_path, jaeger)
    yield program, jaeger
    program.stop()
