"""The text of an exception with its traceback, within limits, whatever the exception does."""

import pytest
from djp_telemetry import _exceptions

FRAMES, CHARACTERS = 64, 32768


def caught(function, *given):
    try:
        function(*given)
    except BaseException as error:
        return error


def fails(message="no"):
    raise ValueError(message)


def test_the_text_is_that_of_the_interpreter():
    text = _exceptions.format_exception(caught(fails))
    assert text.startswith("Traceback (most recent call last):\n") and "in fails\n" in text
    assert text.endswith("ValueError: no\n") and text.count("  File ") == 2


def test_causes_and_contexts():
    def chained():
        try:
            fails("first")
        except ValueError as error:
            raise KeyError("second") from error

    text = _exceptions.format_exception(caught(chained))
    assert text.index("ValueError: first") < text.index("direct cause") < text.index("KeyError")


def test_an_exception_that_was_never_raised():
    assert _exceptions.format_exception(ValueError("no")) == "ValueError: no\n"


def test_the_innermost_frames_are_kept():
    calls = {number: None for number in range(FRAMES + 10)}
    for number in calls:
        inner = calls[number - 1] if number else fails
        names = {"inner": inner}
        exec(compile(f"def call{number}(): inner()", f"file{number}.py", "exec"), names)
        calls[number] = names[f"call{number}"]
    text = _exceptions.format_exception(caught(calls[FRAMES + 9]))
    assert text.count("  File ") == FRAMES and "in fails" in text
    assert f"in call{FRAMES - 2}\n" in text and f"in call{FRAMES - 1}\n" not in text


@pytest.mark.parametrize("beyond", [0, 1, 100_000])
def test_a_long_text_loses_its_beginning(beyond):
    frame = len("ValueError: \n")
    text = _exceptions.format_exception(ValueError("a" * (CHARACTERS - frame + beyond)))
    if not beyond:
        assert len(text) == CHARACTERS and text.startswith("ValueError: a")
    else:
        assert len(text) == CHARACTERS + 4 and text.startswith("...\n") and text.endswith("a\n")


class Broken(Exception):
    @property
    def __cause__(self):
        raise RuntimeError("broken")


def test_an_exception_that_cannot_be_formatted():
    text = _exceptions.format_exception(caught(lambda: (_ for _ in ()).throw(Broken())))
    assert text == "(the traceback could not be formatted: RuntimeError)"
