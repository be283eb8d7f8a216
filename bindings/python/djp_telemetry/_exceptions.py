"""The text of an exception with its traceback, limited in size. The native core calls this when a
span records an exception."""

from __future__ import annotations

import traceback

FRAMES = 64
CHARACTERS = 32768


def format_exception(error: BaseException) -> str:
    """Formats the innermost frames of error and of its causes. Too long a text loses its beginning,
    because the end names the error."""
    try:
        lines = traceback.format_exception(type(error), error, error.__traceback__, limit=-FRAMES)
        text = "".join(lines)
    except Exception as problem:  # a broken __str__ or __cause__ of the application
        text = f"(the traceback could not be formatted: {type(problem).__name__})"
    if len(text) > CHARACTERS:
        text = "...\n" + text[-CHARACTERS:]
    return text
