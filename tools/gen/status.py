"""The status (contract/status.toml, keys from core/src/sdk/status.c): types of both languages, the
status without the native core, and the table of the documentation."""

import json
import textwrap

import text

SOURCE = "contract/status.toml and core/src/sdk/status.c"
PYTHON = {"bool": "bool", "int": "int", "float": "float", "str": "str"}
NODE = {"bool": "boolean", "int": "number", "float": "number", "str": "string"}
OWN = ("impl", "impl_reason")  # added by the bindings


class Leaf:
    def __init__(self, kind, doc):
        kind, self.null = (kind[:-5], True) if kind.endswith("|null") else (kind, False)
        self.is_map = kind.startswith("{")
        kind = kind.strip("{}")
        self.words = kind[1:].split("|") if kind.startswith("=") else []
        self.kind = kind
        self.doc = doc

    def python(self):
        base = (
            f"Literal[{', '.join(json.dumps(word) for word in self.words)}]"
            if self.words
            else PYTHON[self.kind]
        )
        base = f"dict[str, {base}]" if self.is_map else base
        return f"Optional[{base}]" if self.null else base

    def node(self):
        base = " | ".join(f"'{word}'" for word in self.words) if self.words else NODE[self.kind]
        base = f"Record<string, {base}>" if self.is_map else base
        return f"{base} | null" if self.null else base


class Section:
    """A nested part of the status; each has a separate type in both languages. With `_each` it is
    a map, and the type is that of its values."""

    def __init__(self, name, described, found, path=()):
        self.path = path
        self.each = described.get("_each")
        self.type = "".join(part.title().replace("_", "") for part in path)
        self.type = (self.type.removesuffix("s") if self.each else self.type) + "Status"
        self.doc = described.get("_", "")
        self.null = described.get("_null", False)
        if self.each:
            found = next(iter(found.values()))
        keys = {key for key in described if not key.startswith("_")}
        here = keys if found is None else set(found)
        own = set(OWN) if not path else set()
        if keys - own != here - own:
            missing, unknown = sorted(here - keys), sorted(keys - here - own)
            where = ".".join(path) or "top"
            raise SystemExit(f"gen: status {where}: not described {missing}, not there {unknown}")
        order = [key for key in (found or described) if key in keys] + [
            key for key in OWN if key in own
        ]
        self.parts = {key: self._part(key, described[key], (found or {}).get(key)) for key in order}

    def _part(self, key, described, found):
        if isinstance(described, list):
            return Leaf(*described)
        return Section(key, described, found, (*self.path, key))

    def sections(self):
        for part in self.parts.values():
            if isinstance(part, Section):
                yield from part.sections()
        yield self

    def python(self):
        base = f"dict[str, {self.type}]" if self.each else self.type
        return f"Optional[{base}]" if self.null else base

    def node(self):
        base = f"Record<string, {self.type}>" if self.each else self.type
        return f"{base} | null" if self.null else base


def _setting(row):
    kind = {"bool": "bool", "word": "str", "text": "str"}.get(row["form"], "float")
    return Leaf(kind + "|null", row["doc"])


def _top(contract):
    described = dict(contract.status)
    settings = {row["name"]: {"_": row["doc"], "value": ["str", ""]} for row in contract.settings}
    found = dict(contract.status_off)
    if set(found["settings"]) != set(settings):
        raise SystemExit("gen: the settings of the status are not those of the table")
    about = described.pop("settings")["_"]
    found.pop("settings")
    return Section("", described, found), about


SETTING = (
    ("SwitchSetting", "bool", "A setting that is true or false."),
    ("NumberSetting", "float", "A setting that is a number."),
    ("TextSetting", "str", "A setting that is text."),
)


def _setting_type(row):
    return {"bool": "SwitchSetting", "word": "TextSetting", "text": "TextSetting"}.get(
        row["form"], "NumberSetting"
    )


VALUE = "The effective value; None for no limit and without the native core."
FROM = "The source of the value: an option, a variable or `default`."
ABOUT = "The state of the SDK, as `telemetry_status()` returns it. The keys are always the same."


def _python(contract, top, about):
    lines = [
        *text.docstring(f"The types of telemetry_status(). {text.NOTICE.format(source=SOURCE)}"),
        "",
        "from __future__ import annotations",
        "",
        "from typing import Literal, Optional, TypedDict",
        "",
    ]
    for name, kind, doc in SETTING:
        lines += ["", f"class {name}(TypedDict):", *text.docstring(doc, "    "), ""]
        lines += [*text.python_comment(VALUE, "    "), f"    value: Optional[{kind}]"]
        lines += [*text.python_comment(FROM, "    "), "    source: str", ""]
    lines += ["", "class SettingsStatus(TypedDict):", *text.docstring(about, "    "), ""]
    for row in contract.settings:
        lines += [
            *text.python_comment(row["doc"], "    "),
            f"    {row['name']}: {_setting_type(row)}",
        ]
    for section in top.sections():
        name = section.type if section.path else "TelemetryStatus"
        lines += [
            "",
            "",
            f"class {name}(TypedDict):",
            *text.docstring(section.each or section.doc or ABOUT, "    "),
            "",
        ]
        for key, part in section.parts.items():
            lines += [*text.python_comment(part.doc, "    "), f"    {key}: {part.python()}"]
        if not section.path:
            lines += [*text.python_comment(about, "    "), "    settings: SettingsStatus"]
    return "\n".join(lines) + "\n"


def _node(contract, top, about):
    names = {"telemetry_status": "telemetryStatus"}
    lines = ["// " + text.NOTICE.format(source=SOURCE), ""]
    for name, kind, doc in SETTING:
        lines += [*text.jsdoc(doc), f"export interface {name} {{"]
        lines += [
            *text.jsdoc(VALUE.replace("None", "null"), "  "),
            f"  value: {NODE[kind]} | null;",
        ]
        lines += [*text.jsdoc(FROM, "  "), "  source: string;", "}", ""]
    lines += [*text.jsdoc(about), "export interface SettingsStatus {"]
    for row in contract.settings:
        lines += [*text.jsdoc(row["doc"], "  "), f"  {row['name']}: {_setting_type(row)};"]
    lines += ["}", ""]
    for section in top.sections():
        name = section.type if section.path else "TelemetryStatus"
        doc = text.spelled(section.each or section.doc or ABOUT, names, "node")
        lines += [*text.jsdoc(doc), f"export interface {name} {{"]
        for key, part in section.parts.items():
            lines += [*text.jsdoc(part.doc, "  "), f"  {key}: {part.node()};"]
        if not section.path:
            lines += [*text.jsdoc(about, "  "), "  settings: SettingsStatus;"]
        lines += ["}", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _without_core(contract):
    """The status of both packages without the native core."""
    status = json.loads(json.dumps(contract.status_off))
    for name in status["settings"]:
        status["settings"][name] = {"value": None, "source": "not read"}
    status.update(
        enabled_by="not read", pid=0, service_name="", problem="The native core is missing."
    )
    return status


def _python_without_core(status):
    parts = textwrap.wrap(
        json.dumps(status, separators=(",", ":")), 90, break_on_hyphens=False, drop_whitespace=False
    )
    lines = "\n".join(f"    {part!r}" for part in parts)
    notice = text.NOTICE.format(source="core/src/sdk/status.c")
    about = "\n".join(text.docstring(f"The state without the native core. {notice}"))
    return f"{about}\n\nSTATUS = (\n{lines}\n)\n"


def _rows(section, prefix=""):
    for key, part in section.parts.items():
        if isinstance(part, Section):
            null = " or null" if part.null else ""
            kind = "map of sections" if part.each else "section"
            yield f"| `{prefix}{key}` | {kind}{null} | {part.doc} |"
            yield from _rows(part, f"{prefix}{key}.NAME." if part.each else f"{prefix}{key}.")
        else:
            kind = " or ".join(f"`{word}`" for word in part.words) or part.kind
            kind = f"map of {kind}" if part.is_map else kind
            yield f"| `{prefix}{key}` | {kind}{' or null' if part.null else ''} | {part.doc} |"


def _table(top, about):
    lines = ["| Key | Type | Meaning |", "| --- | --- | --- |", *_rows(top)]
    return [
        *lines,
        f"| `settings` | section | {about} Each has the effective `value` and its `source`; "
        "secrets are masked. |",
    ]


def outputs(contract):
    top, about = _top(contract)
    status = _without_core(contract)
    return {
        "bindings/python/djp_telemetry/status.py": _python(contract, top, about),
        "bindings/node/lib/status.d.ts": _node(contract, top, about),
        "bindings/python/djp_telemetry/_noop_status.py": _python_without_core(status),
        "bindings/node/lib/noop_status.json": json.dumps(status, indent=2) + "\n",
        "docs/status.md": text.expand(
            contract.read("docs/status.md"), {"status": lambda names, indent: _table(top, about)}
        ),
    }
