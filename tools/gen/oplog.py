"""The numbers that the core and JavaScript share: operation log, value types, kinds."""

import re

import text

HEADERS = tuple(f"core/include/djp/{name}.h" for name in ("oplog", "value", "span", "metrics"))
SOURCE = "oplog.h, value.h, span.h and metrics.h in core/include/djp"
OUTPUT = "bindings/node/lib/oplog_form.js"
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
GROUPS = (
    # name, description, enum ('' for numbers without a name), prefix of the C names
    ("WORD", "Control words of the operation log, by index.", "djp_oplog_word", "DJP_OPLOG_"),
    ("LOG", "Flags of the control word ACTIVE, and sizes.", "", "DJP_OPLOG_"),
    ("OP", "Kinds of operations.", "djp_op", "DJP_OP_"),
    ("START", "Flags of a START operation.", "", "DJP_OP_START_"),
    ("HTTP", "Flags of an HTTP_END operation.", "", "DJP_OP_HTTP_"),
    ("RESULT", "Flags of a RESULT operation.", "", "DJP_OP_RESULT_"),
    ("INSTRUMENT", "Instruments of START and RESULT.", "djp_instrument", "DJP_INSTRUMENT_"),
    ("NO", "Numbers that stand for none.", "", "DJP_OP_NO_"),
    ("VALUE", "Types of values.", "djp_value_type", "DJP_"),
    ("KIND", "Span kinds.", "djp_span_kind", "DJP_KIND_"),
    ("STATUS", "Status codes.", "djp_status_code", "DJP_STATUS_"),
    ("METRIC", "Types of metrics.", "djp_metric_type", "DJP_"),
)


def _numbers(source):
    """(enum, name, number) of each enumerator and each numeric define of a header."""
    for match in re.finditer(r"\benum(?: (\w+))? \{(.*?)\}", COMMENT.sub("", source), re.DOTALL):
        number = -1
        for part in match.group(2).split(","):
            name, _, value = (piece.strip() for piece in part.partition("="))
            if name:
                number = int(value, 0) if value else number + 1
                yield match.group(1) or "", name, number
    for name, value in re.findall(
        r"^#define (DJP_\w+) (0x[0-9a-f]+|\d+)u?\b", source, re.MULTILINE
    ):
        yield "", name, int(value, 0)


def _members(numbers, enum, prefix):
    found = [
        (name[len(prefix) :], number)
        for of, name, number in numbers
        if of == enum and name.startswith(prefix)
    ]
    found = [member for member in found if member[0] != "LAST"]
    if not found:
        raise SystemExit(f"gen: no header has {enum or prefix}")
    return found


def outputs(contract):
    numbers = [found for path in HEADERS for found in _numbers(contract.read(path))]
    lines = ["'use strict';", f"// Numbers of the core. {text.NOTICE.format(source=SOURCE)}", ""]
    for group, about, enum, prefix in GROUPS:
        members = [f"  {name}: {number}," for name, number in _members(numbers, enum, prefix)]
        lines += [f"/** {about} */", f"const {group} = {{", *members, "};", ""]
    lines.append(f"module.exports = {{ {', '.join(sorted(group for group, *_ in GROUPS))} }};")
    return {OUTPUT: "\n".join(lines) + "\n"}
