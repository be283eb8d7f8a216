"""The contents of the memory exporter as dicts with the members of console lines
(docs/console-format.md), for tests of applications. Decodes the OTLP messages of the core field by
field."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta, timezone
from typing import Any, Iterator, Union

_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_CODES = ("UNSET", "OK", "ERROR")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_VARINT, _FIXED64, _BYTES = 0, 1, 2


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """Number and value of each field. The value is an int for a varint, otherwise the bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        value: Union[int, memoryview]
        if kind == _VARINT:
            value, at = _varint(data, at)
        elif kind == _BYTES:
            size, at = _varint(data, at)
            value = data[at : at + size]
            at += size
        else:
            size = 8 if kind == _FIXED64 else 4
            value = int.from_bytes(data[at : at + size], "little")
            at += size
        yield tag >> 3, value


def _text(data: memoryview) -> str:
    return bytes(data).decode("utf-8", "replace")


def _value(data: memoryview) -> Any:
    for number, value in _fields(data):
        if number == 1:
            return _text(value)
        if number == 2:
            return bool(value)
        if number == 3:
            return value - (1 << 64) if value >> 63 else value
        if number == 4:
            return struct.unpack("<d", struct.pack("<Q", value))[0]
        if number == 5:
            return [_value(item) for _, item in _fields(value)]
        if number == 6:
            return dict(_attribute(item) for _, item in _fields(value))
        if number == 7:
            return bytes(value)
    return None


def _attribute(data: memoryview) -> tuple[str, Any]:
    key, value = "", None
    for number, part in _fields(data):
        if number == 1:
            key = _text(part)
        elif number == 2:
            value = _value(part)
    return key, value


def _time(nanoseconds: int) -> str:
    return (_EPOCH + timedelta(microseconds=nanoseconds // 1000)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _event(data: memoryview) -> dict[str, Any]:
    event: dict[str, Any] = {"name": "", "time": "", "attributes": {}}
    for number, value in _fields(data):
        if number == 1:
            event["time"] = _time(value)
        elif number == 2:
            event["name"] = _text(value)
        elif number == 3:
            event["attributes"].update((_attribute(value),))
        elif number == 4 and value:
            event["dropped_attributes"] = value
    return event


def _link(data: memoryview) -> dict[str, Any]:
    link: dict[str, Any] = {"trace_id": "", "span_id": "", "attributes": {}}
    for number, value in _fields(data):
        if number in (1, 2):
            link["trace_id" if number == 1 else "span_id"] = value.hex()
        elif number == 3 and len(value):
            link["trace_state"] = _text(value)
        elif number == 4:
            link["attributes"].update((_attribute(value),))
        elif number == 5 and value:
            link["dropped_attributes"] = value
    return link


def _status(data: memoryview) -> dict[str, Any]:
    status: dict[str, Any] = {"code": "UNSET"}
    for number, value in _fields(data):
        if number == 2 and len(value):
            status["message"] = _text(value)
        elif number == 3:
            status["code"] = _CODES[value]
    return status


_DROPPED = {10: "dropped_attributes", 12: "dropped_events", 14: "dropped_links"}


def _span(data: memoryview, scope: dict[str, Any], resource: dict[str, Any]) -> dict[str, Any]:
    span: dict[str, Any] = {
        "name": "",
        "trace_id": "",
        "span_id": "",
        "parent_id": None,
        "kind": "INTERNAL",
    }
    start = end = 0
    attributes: dict[str, Any] = {}
    events: list[Any] = []
    links: list[Any] = []
    more: dict[str, Any] = {
        "status": {"code": "UNSET"},
        "attributes": attributes,
        "events": events,
        "links": links,
    }
    for number, value in _fields(data):
        if number in (1, 2):
            span["trace_id" if number == 1 else "span_id"] = value.hex()
        elif number == 3 and len(value):
            span["trace_state"] = _text(value)
        elif number == 4:
            span["parent_id"] = value.hex() or None
        elif number == 5:
            span["name"] = _text(value)
        elif number == 6:
            span["kind"] = _KINDS[value]
        elif number == 7:
            start = value
        elif number == 8:
            end = value
        elif number == 9:
            attributes.update((_attribute(value),))
        elif number == 11:
            events.append(_event(value))
        elif number == 13:
            links.append(_link(value))
        elif number == 15:
            more["status"] = _status(value)
        elif number in _DROPPED and value:
            more[_DROPPED[number]] = value
    span.update(start=_time(start), end=_time(end), duration_ms=max(end - start, 0) // 1000 / 1000)
    span.update(more, scope=scope, resource=resource)
    return span


def _scope(data: memoryview) -> dict[str, Any]:
    scope: dict[str, Any] = {"name": ""}
    for number, value in _fields(data):
        if number == 1:
            scope["name"] = _text(value)
        elif number == 2 and len(value):
            scope["version"] = _text(value)
        elif number == 3:
            scope.setdefault("attributes", {}).update((_attribute(value),))
    return scope


def _parts(data: memoryview, wanted: int) -> list[memoryview]:
    return [value for number, value in _fields(data) if number == wanted]


def spans_of(data: bytes) -> list[dict[str, Any]]:
    """The spans in the export requests of the memory exporter; each request follows its size."""
    spans: list[dict[str, Any]] = []
    view, at = memoryview(data), 0
    while at + 4 <= len(view):
        size = int.from_bytes(view[at : at + 4], "little")
        request = view[at + 4 : at + 4 + size]
        at += 4 + size
        for resource_spans in _parts(request, 1):
            resource = dict(
                _attribute(item) for part in _parts(resource_spans, 1) for item in _parts(part, 1)
            )
            for scope_spans in _parts(resource_spans, 2):
                scopes = _parts(scope_spans, 1)
                scope = _scope(scopes[0]) if scopes else {"name": ""}
                spans.extend(_span(item, scope, resource) for item in _parts(scope_spans, 2))
    return spans
