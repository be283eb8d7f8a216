"""The tables of reasons in the documents: rows from core/src/model/reasons.def, texts from
contract/reasons.toml and contract/status.toml."""

import re

import text

ROWS = "core/src/model/reasons.def"
SAMPLING = "docs/sampling.md"
OPERATIONS = "docs/operations.md"
COUNTS = {"ONE": "1", "PARENT": "the caller's", "RATIO": "1 / ratio"}


def _rows(contract):
    """(word, stratum, key) of each reason that samples, in order."""
    found = re.findall(r'^DJP__REASON\(\w+, "(\w*)", (\w+), "(\w+)"', contract.read(ROWS), re.M)
    rows = [row for row in found if row[1] != "DROPPED"]
    keys = {key for _, _, key in rows}
    if keys != set(contract.reasons):
        raise SystemExit(f"gen: contract/reasons.toml and {ROWS}: {keys ^ set(contract.reasons)}")
    return rows


def _sampled(contract):
    lines = [
        "| `sampling.reason` | The local trace was sampled because | Adjusted count | Counter |",
        "| --- | --- | --- | --- |",
    ]
    for word, stratum, key in _rows(contract):
        reason = contract.reasons[key]
        shown = ", ".join(f"`{one}`" for one in (word, reason.get("word")) if one) or "absent"
        count = reason.get("count", COUNTS[stratum])
        lines.append(f"| {shown} | {reason['because']} | {count} | `{key}` |")
    return lines


def _dropped(contract):
    lines = ["| Reason | Meaning |", "| --- | --- |"]
    described = contract.status["dropped"]
    return lines + [f"| `{key}` | {described[key][1]} |" for key in contract.status_off["dropped"]]


def outputs(contract):
    return {
        SAMPLING: text.expand(
            contract.read(SAMPLING), {"reasons": lambda names, indent: _sampled(contract)}
        ),
        OPERATIONS: text.expand(
            contract.read(OPERATIONS), {"dropped": lambda names, indent: _dropped(contract)}
        ),
    }
