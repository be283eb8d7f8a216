"""The tables of the documents have a row for each reason of core/src/model/reasons.def, and no other.

The key is the document, the amount is 1 for each reason that is missing, is none, or has another adjusted count.
"""

import re

from tree import ROOT

ROWS = "core/src/model/reasons.def"
COUNTS = {"ONE": ("1",), "PARENT": ("the caller's",), "RATIO": ("1 / ratio", "1")}


def reasons():
    """(reasons, drops): word, stratum and status key of each reason; the status key of each drop."""
    text = (ROOT / ROWS).read_text()
    rows = re.findall(r'^DJP__REASON\((\w+), "(\w*)", (\w+), "(\w+)", "(\w+)"\)$', text, re.M)
    drops = re.findall(r'^DJP__DROP\(\w+, "(\w+)", \w+\)$', text, re.M)
    return [(word, stratum, key) for _, word, stratum, key, _ in rows], drops


def table(document, heading):
    """The cells of the rows of the first table under a heading."""
    text = (ROOT / document).read_text()
    part = text[text.index(f"\n{heading}\n") :]
    lines = re.search(r"\n\|.*?\n\| --- .*?\n((?:\|.*\n)+)", part).group(1).splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def find_sampling(rows):
    document, shown = "docs/sampling.md", {}
    for word, _, count, counter in table("docs/sampling.md", "## Why a trace was sampled"):
        shown[counter.strip("`")] = (re.match(r"`?(\w+)", word).group(1), count)
    for word, stratum, key in rows:
        if stratum == "DROPPED":
            continue
        cells = shown.pop(key, None)
        if cells is None or cells[0] != (word or "absent") or cells[1] not in COUNTS[stratum]:
            yield document, 1, f"{document}: the row of {key} is {cells}, which is not that of {ROWS}"
    for key in shown:
        yield document, 1, f"{document}: {key} is no reason of {ROWS}"


def find_keys(document, keys, shown):
    for key in keys:
        if key not in shown:
            yield document, 1, f"{document}: {key} of {ROWS} is missing"


def find():
    rows, drops = reasons()
    yield from find_sampling(rows)
    lost = [key for _, stratum, key in rows if stratum == "DROPPED" and key != "not_sampled"] + drops
    shown = " ".join(cells[0] for cells in table("docs/operations.md", "## Reasons of lost spans"))
    yield from find_keys("docs/operations.md", lost, re.findall(r"\w+", shown))
    sampled = [key for _, stratum, key in rows if stratum != "DROPPED"]
    yield from find_keys("docs/status.md", sampled, re.findall(r"\w+", (ROOT / "docs/status.md").read_text()))
