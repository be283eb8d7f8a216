"""The table of settings (core/src/config/table.c) in the documents and types of both languages."""

import text

SOURCE = "core/src/config/table.c"
NO_LIMIT = "4294967295"

PYTHON_TYPES = {
    "bool": "Optional[bool]",
    "seconds": "_Seconds",
    "real": "Optional[float]",
    "port": "Optional[int]",
}
PYTHON_TEXTS = {
    "file": "_FilePath",
    "list": "_TextList",
    "pairs": "_Pairs",
    "sampler": "Union[str, Sampler, None]",
}
NODE_TEXTS = {
    "file": "string | URL",
    "list": "TextList",
    "pairs": "Pairs",
    "headers": "Pairs | Headers",
    "URL": "string | URL",
    "sampler": "string | Sampler",
}


def _words(row):
    return [word["text"] for word in row["words"] if not word["alias"]]


def _number(value):
    whole = int(value)
    return f"{whole:,}" if whole == value else f"{value:g}"


def _range(row):
    """The range of a number, '' for other values."""
    if row["form"] not in ("seconds", "count", "port", "size", "real") or row["maximum"] == 0:
        return ""
    top = "" if row["maximum"] >= 4294967295 and row["form"] == "count" else _number(row["maximum"])
    low = _number(row["minimum"])
    return f"{low} to {top}" if top else f"{low} or more"


def _default(row):
    return "" if row["default"] == NO_LIMIT else row["default"]


def values(row):
    """The accepted values, with the unit of a number."""
    if row["form"] == "bool":
        return "true, false"
    if row["form"] == "word" and row["unit"] != "sampler":
        return ", ".join(_words(row))
    unit = row["unit"] or {"seconds": "seconds", "port": "port"}.get(row["form"], "")
    limits = _range(row)
    if limits:
        return f"{unit}, {limits}" if unit else limits
    return {
        "": "text",
        "file": "file",
        "list": "list",
        "pairs": "key=value pairs",
        "sampler": "sampler",
    }.get(unit, unit)


def comment(row):
    """The comment above an option in the types."""
    default = _default(row)
    parts = [row["doc"]]
    if row["form"] not in ("bool", "text") and row["unit"] != "sampler":
        parts.append(f"Values: {values(row)}.")
    if default != "":
        parts.append(f"Default: {default}.")
    return " ".join(parts)


def _table(rows):
    lines = [
        "| Option | Variables; the first one that is set counts | Default | Values | Meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        variables = ", ".join(f"`{name}`" for name in row["variables"])
        default = f"`{_default(row)}`" if _default(row) else ""
        lines.append(
            f"| `{row['name']}` | {variables} | {default} | {values(row)} | {row['doc']} |"
        )
    return lines


def _python_type(row):
    if row["unit"] in PYTHON_TEXTS:
        return PYTHON_TEXTS[row["unit"]]
    if row["unit"] == "headers":
        return "_Pairs"
    if row["form"] == "word":
        words = ", ".join(f'"{word}"' for word in _words(row))
        return f"Union[Literal[{words}], str, None]"
    if row["form"] in ("count", "size"):
        return "Optional[float]" if row["unit"].endswith("per second") else "Optional[int]"
    return PYTHON_TYPES.get(row["form"], "Optional[str]")


def _node_type(row):
    if row["unit"] in NODE_TEXTS:
        return NODE_TEXTS[row["unit"]]
    if row["form"] == "bool":
        return "boolean | string"
    if row["form"] == "word":
        return " | ".join(f"'{word}'" for word in _words(row)) + " | (string & {})"
    return "string" if row["form"] == "text" else "number | string"


ABOUT = (
    "Starts telemetry as the options and the environment configure it. An option takes precedence "
    "over its variables. A call while telemetry is active changes nothing; after `shutdown()` it "
    "starts again.\n\n"
    "Raises nothing for a value: an invalid one is replaced by its default, with a warning in the "
    "logger `djp_telemetry`. An option that does not exist is ignored with a warning. None stands "
    "for an option that is not given. Durations are in seconds or a timedelta."
)


def _parameters(rows, annotated, indent):
    lines = []
    for row in rows:
        if annotated:
            lines += text.python_comment(comment(row), indent)
        lines.append(f"{indent}{row['name']}: {_python_type(row)} = None,")
    return lines


def _python_stub(rows):
    lines = [
        "# " + text.NOTICE.format(source=SOURCE),
        "from datetime import timedelta",
        "from os import PathLike",
        "from typing import Any, Iterable, Literal, Mapping, Optional, Union",
        "",
        "from .sampling import Sampler",
        "",
        '__all__ = ["init_telemetry"]',
        "",
        "_Seconds = Union[float, timedelta, None]",
        "_FilePath = Union[str, PathLike[str], None]",
        "_TextList = Union[str, Iterable[str], None]",
        "_Pairs = Union[str, Mapping[str, Any], None]",
        "",
        "def init_telemetry(",
        "    *,",
        *_parameters(rows, True, "    "),
        ") -> None:",
        *text.docstring(ABOUT, "    "),
    ]
    return "\n".join(lines) + "\n"


def _python_module(rows):
    options = [f"- {row['name']}: {comment(row)}" for row in rows]
    about = ABOUT + "\n\n" + "\n".join(options)
    lines = [
        *text.docstring(
            "init_telemetry(), with every option by its name. " + text.NOTICE.format(source=SOURCE)
        ),
        "",
        "from __future__ import annotations",
        "",
        "from typing import Any",
        "",
        "from . import _runtime",
        "",
        '__all__ = ["init_telemetry"]',
        "",
        "",
        "def init_telemetry(",
        "    *,",
        *[f"    {row['name']}: Any = None," for row in rows],
        "    **unknown: Any,",
        ") -> None:",
        *text.docstring(about, "    "),
        "    given = dict(locals())",
        '    given.update(given.pop("unknown"))',
        "    _runtime.init(given)",
    ]
    return "\n".join(lines) + "\n"


def _node_types(rows):
    lines = [
        "// " + text.NOTICE.format(source=SOURCE),
        "",
        "import type { Sampler } from './sampling';",
        "",
        "type TextList = string | readonly string[];",
        "type Pairs =",
        "  | string",
        "  | Record<string, string | number | boolean>",
        "  | ReadonlyMap<string, string | number | boolean>;",
        "",
        *text.jsdoc(
            "The options of init(), in camelCase or snake_case. Durations are in seconds. Each "
            "option takes precedence over its variables; an invalid value is replaced by the "
            "default with a warning. docs/configuration.md has the same table with the variables."
        ),
        "export interface TelemetryOptions {",
    ]
    for row in rows:
        lines += text.jsdoc(comment(row), "  ")
        lines.append(f"  {text.camel(row['name'])}?: {_node_type(row)};")
    for row in rows:
        if text.camel(row["name"]) != row["name"]:
            name = text.camel(row["name"])
            lines += text.jsdoc(f"The same as `{name}`. {comment(row)}", "  ")
            lines.append(f"  {row['name']}?: TelemetryOptions['{name}'];")
    return "\n".join([*lines, "}"]) + "\n"


def outputs(contract):
    rows = contract.settings
    page = contract.read("docs/configuration.md")
    return {
        "docs/configuration.md": text.expand(
            page, {"settings": lambda names, indent: _table(rows)}
        ),
        "bindings/python/djp_telemetry/_init.pyi": _python_stub(rows),
        "bindings/python/djp_telemetry/_init.py": _python_module(rows),
        "bindings/node/lib/settings.d.ts": _node_types(rows),
    }
