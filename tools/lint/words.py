"""Words of our own that have a term in the field: the term is used instead.

A row of WORDS is a name, the term to use, a pattern, and the place where the pattern is searched.
Identifiers are a source without comments and strings, and the path of the file; prose is documents
and comments. A review that finds a new name adds it here. CHANGELOG.md contains old names and is
left out. The key is the name, the amount is 1 for each line.
"""

import re

from tree import JAVASCRIPT, PYTHON, C, files, text


def segment(*words):
    """A pattern for a part of an identifier: saw fits last_saw and sawIt, but not sawtooth."""
    parts = "|".join(f"{word}|{word.capitalize()}" for word in words)
    before = "(?:(?<![A-Za-z0-9])|(?<=[a-z0-9])(?=[A-Z]))"
    return rf"{before}(?:{parts})(?![a-z0-9])"


def exactly(*names):
    return r"\b(?:" + "|".join(names) + r")\b"


SERVER = r"(?:server|collector|Collector|backend|receiver)"
KEPT = r"\b(?:traces?|spans?)\b[^.]{0,20}\bkept\b|\bkept (?:traces?|spans?)\b"
ANSWERS = rf"\b{SERVER}(?:'s)? answers?\b|\banswers? of (?:a|the) {SERVER}"
WORDS = (
    ("keep rules", "tail-sampling rules", r"(?i)keep[ _-]?rules?", "all"),
    ("kept", "sampled", r"\b\w+_kept\b|\bkept_\w+|[a-z]Kept\b|\bkept[A-Z]\w*", "source"),
    ("kept traces", "sampled", KEPT, "prose"),
    ("pending_age", "decision_wait", r"(?i)pending_?age\b", "all"),
    ("pending_bytes", "decision_buffer", r"(?i)pending_?bytes\b", "all"),
    (
        "stands for itself",
        "has the adjusted count 1",
        r"(?i)(?<!characters )(?<!words )\bstands? for (?:itself|themselves)",
        "all",
    ),
    ("weight", "adjusted count", r"(?i)\bweight(?:s|ed)?\b", "shipped"),
    ("rescued", "late_sampled", r"(?i)(?<![a-z])rescued?(?![a-z])", "all"),
    ("decided_early", "decided_on_buffer_full", r"(?i)decided_?early", "all"),
    ("decided_by_age", "decided_on_timeout", r"(?i)decided_?by_?age", "all"),
    ("rule_kinds_shared", "rule_table_full", r"(?i)rule_?kinds_?shared", "all"),
    ("rule_looks_skipped", "rule_checks_skipped", r"(?i)rule_?looks_?skipped", "all"),
    ("routes_shared", "routes_merged", r"(?i)routes_?shared", "all"),
    ("dropped.memory", "encode_no_memory", r"\bdropped[._]memory\b", "all"),
    ("dropped.no_memory", "span_no_memory", r"\bdropped[._]no_memory\b|\"no_memory\"", "all"),
    ("switch file", "overrides file", r"(?i)\bswitch[ _-]?file", "all"),
    ("toggle", "override", r"(?i)toggle", "code"),
    ("said", "reported", segment("said", "saw", "told"), "source"),
    ("aim", "target", segment("aim"), "source"),
    ("mute", "muted", segment("mute"), "source"),
    ("answer", "response", r"(?i)answer", "source"),
    ("answer of a server", "response", ANSWERS, "prose"),
    ("identity", "resource", r"\bidentity_\w+|\bdjp__identity\w*", "source"),
    ("resource_items", "resource", r"(?i)resource_items", "all"),
    ("collect", "batch", r"\b(?:djp__)?collect_\w+", "pipeline"),
    ("cell", "bound instrument, shard", segment("cell", "cells"), "source"),
    ("standard metrics", "built-in instruments", r"(?i)\bstandard[ _]metrics?\b", "all"),
    ("scrape listener", "Prometheus endpoint", r"(?i)\bscrape[ _]listener|\bscrape__?\w+", "core"),
    ("the scrape listener", "Prometheus endpoint", r"(?i)\bscrape listener", "prose"),
    ("self_otel, self_metrics", "sdk_metrics", r"(?i)self_?(?:otel|metrics)\b", "all"),
    ("log", "oplog", exactly(r"djp_logs?_\w+", r"djp__logs?_\w+", "djp_log"), "code"),
    ("holder", "instance", segment("holder", "holders"), "source"),
    ("finish", "shutdown", r"\bfinish_\w+", "node"),
    ("familiar", "hot string", segment("familiar"), "code"),
    ("stranger", "unknown parent", segment("stranger", "strangers"), "code"),
    ("outside", "not recorded", segment("outside"), "core"),
    ("asked", "request", segment("asked"), "source"),
    ("found", "reply", r"\bfound_\w+|\w+_found\b", "oplog"),
    ("knock", "try_start", segment("knock", "knocked"), "source"),
    ("poke", "notify", segment("poke", "poked"), "source"),
    ("hurry", "flush_requested", segment("hurry"), "source"),
    ("settle", "complete", segment("settle", "settled"), "core"),
    ("hold", "ref", r"\b\w+_hold\b", "trace"),
    ("bury", "retire", segment("bury", "buried"), "source"),
    ("forget", "discard", segment("forget", "forgot", "forgotten"), "source"),
    ("bank", "counter set", segment("bank", "banks"), "source"),
    ("gate", "state", segment("gate", "gates"), "source"),
    ("arm", "set wake level", segment("arm", "armed"), "core"),
    ("djp_kind", "djp_span_kind", exactly("djp_kind"), "code"),
    ("djp_status", "djp_status_code", exactly("djp_status"), "code"),
    ("djp_type", "djp_value_type", exactly("djp_type"), "code"),
    ("*_in", "*_with_context", r"\bdjp_(?!_)\w+_in\b", "code"),
    ("djp_text_free", "djp_free", exactly("djp_text_free"), "code"),
    ("besides", "and, also", r"\b[Bb]esides\b", "prose"),
    ("nobody", "no one, or the agent", r"\b[Nn]obody\b", "prose"),
    ("of its own", "its own, separate", r"\bof (?:its|their|our) own\b", "prose"),
    ("be told", "is notified, receives", r"\b(?:be|is|are|was|were) told\b", "prose"),
)
# Place -> starts of paths, and which part of a file: whole, identifiers or prose.
SOURCE = ("core/", "bindings/", "middleware/")
PLACES = {
    "all": (("",), "whole"),
    "shipped": ((*SOURCE, "docs/", "README", "examples/"), "whole"),
    "prose": (("",), "prose"),
    "code": ((*SOURCE, "tests/", "examples/"), "identifiers"),
    "source": (SOURCE, "identifiers"),
    "core": (("core/",), "identifiers"),
    "trace": (("core/src/trace/",), "identifiers"),
    "pipeline": (("core/src/pipeline/", "core/src/sdk/", "core/src/trace/"), "identifiers"),
    "oplog": (("core/include/djp/oplog.h", "core/src/oplog/"), "identifiers"),
    "node": (("bindings/node/src/",), "identifiers"),
}
SKIPPED = ("tools/lint/", "CHANGELOG.md", "package-lock.json", "tools/mutants")
DOCSTRING = r"\"\"\".*?\"\"\""
STRING = r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`"
HASH_COMMENT = r"(?<![\w\"'$])#[^\n]*"
COMMENT = r"/\*.*?\*/|//[^\n]*"
HASH = re.compile("|".join((DOCSTRING, HASH_COMMENT, STRING)), re.S)
SLASH = re.compile("|".join((COMMENT, STRING)), re.S)


def blank_match(match):
    return blank(match.group())


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def parts(path):
    """The whole text, its identifiers and its prose; the rest is blank, so lines keep numbers."""
    whole = text(path)
    if path.suffix == ".md":
        return {"whole": whole, "identifiers": "", "prose": whole}
    code, prose, end = [], [], 0
    for match in (HASH if path.suffix in (*PYTHON, ".sh") else SLASH).finditer(whole):
        between, piece = whole[end : match.start()], match.group()
        is_prose = piece.startswith(('"""', "#", "/*", "//"))
        code += [between, blank(piece)]
        prose += [blank(between), piece if is_prose else blank(piece)]
        end = match.end()
    code.append(whole[end:])
    return {"whole": whole, "identifiers": "".join(code), "prose": "".join(prose)}


def lines(pattern, part):
    return {part.count("\n", 0, match.start()) + 1 for match in pattern.finditer(part)}


def find():
    rows = [(name, use, re.compile(pattern), *PLACES[place]) for name, use, pattern, place in WORDS]
    for path in files(*C, *PYTHON, *JAVASCRIPT, ".sh", ".md", ".json", ".proto"):
        if str(path).startswith(SKIPPED):
            continue
        have = parts(path)
        for name, use, pattern, starts, part in rows:
            if not str(path).startswith(starts):
                continue
            hint = f"'{name}' is '{use}' in the field"
            if part != "prose" and pattern.search(str(path)):
                yield name, 1, f"{path}:1: {hint} (the file's name)"
            for line in sorted(lines(pattern, have[part])):
                yield name, 1, f"{path}:{line}: {hint}"
