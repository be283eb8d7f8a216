"""Span kinds and status codes with the numbers of OTLP."""

from __future__ import annotations

import enum
from typing import Optional


class SpanKind(enum.IntEnum):
    """The role of a span in a call."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class StatusCode(enum.IntEnum):
    """The result of an operation; OK is final."""

    UNSET = 0
    OK = 1
    ERROR = 2


class Status:
    """A status code with a description, for Span.set_status()."""

    __slots__ = ("status_code", "description")

    def __init__(
        self, status_code: StatusCode = StatusCode.UNSET, description: Optional[str] = None
    ) -> None:
        self.status_code = status_code
        self.description = description

    def __repr__(self) -> str:
        return f"Status({self.status_code!r}, {self.description!r})"
