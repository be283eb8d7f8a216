"""The recorders (contract/record.toml, and the tables of core/src/instrument): their functions in
both languages and, for the tests, the recording that each call must make."""

import json

import text

PYTHON = "bindings/python/djp_telemetry/prom.py"
NODE = "bindings/node/lib/recorders.js"
VECTORS = "tests/vectors/contract_recorders.json"


def _check(contract):
    known = {metric["name"]: metric for metric in contract.metrics}
    for key, recorder in contract.record.items():
        for name, labels, *_ in recorder.get("metrics", []):
            if name not in known or len(labels) != len(known[name]["labels"]):
                raise SystemExit(
                    f"gen: {key}: the core has no metric {name} with {len(labels)} labels"
                )


def _value(word, spelling):
    """An argument, or a constant in quotes or digits. spelling: the language's form of names, and
    the status of an error."""
    name, status = spelling
    if word.startswith("'") or word.isdigit():
        return word
    return status if word == "status_code" else name(word)


def _generated(contract):
    return [key for key, recorder in contract.record.items() if recorder.get("body") != "hand"]


def python(contract, surface, lines_of):
    """The generated functions of prom.py. lines_of: makes the lines of a docstring."""
    spelling = (str, '_measured.status_code(status_code) or "other"')
    lines = []
    for key in _generated(contract):
        item = surface.items[key]
        lines += [f"def {item.name}{item.python}:", *lines_of(surface.python_doc(item), "    ")]
        for name, labels, value in contract.record[key]["metrics"]:
            listed = "".join(f"{_value(label, spelling)}, " for label in labels)
            lines.append(f'    _record("{name}", ({listed}), {_value(value, spelling)})')
        lines += ["", ""]
    return lines


def node(contract, surface):
    spelling = (text.camel, "statusCode(status) || 'other'")
    lines = []
    for key in _generated(contract):
        item = surface.items[key]
        names = [
            "status" if arg.arg == "status_code" else text.camel(arg.arg)
            for arg in item.parameters().args
        ]
        lines += [
            *text.jsdoc(surface.node_doc(item)),
            f"function {item.node_name}({', '.join(names)}) {{",
        ]
        for name, labels, value in contract.record[key]["metrics"]:
            listed = ", ".join(_value(label, spelling) for label in labels)
            lines.append(f"  record('{name}', [{listed}], {_value(value, spelling)});")
        lines += ["}", ""]
    return lines


# The argument of a recorder for a fact of an operation; the first two arguments name it.
FACTS = {
    "seconds": "duration_seconds",
    "error_type": "error_type",
    "status": "status_code",
    "one": "1",
}


def _operation(operation, arguments):
    """The span and the metrics of an operation of the core, in the form of record.toml."""
    words = {**FACTS, "first": arguments[0], "second": arguments[1]}
    rows = []
    for family, labels, value, of_failures in operation["metrics"]:
        names = [words[label] for label in labels]
        rows.append([family, names, words[value], *(names[-1:] if of_failures else [])])
    return {
        "metrics": rows,
        "span": {part: operation[part] for part in ("name", "kind", "attributes")},
    }


def _vector(contract, surface, key, recorder):
    arguments = [arg.arg for arg in surface.items[key].parameters().args]
    if "operation" in recorder:
        recorder = {**recorder, **_operation(contract.operations[recorder["operation"]], arguments)}
    return {"name": key, "arguments": arguments, **recorder}


def outputs(contract, surface, lines_of):
    _check(contract)
    vectors = [
        _vector(contract, surface, key, recorder)
        for key, recorder in contract.record.items()
        if "metrics" in recorder or "operation" in recorder
    ]
    kept = ("name", "arguments", "metrics", "span")
    vectors = [{part: vector[part] for part in kept if part in vector} for vector in vectors]
    units = {metric["name"]: metric["labels"] for metric in contract.metrics}
    return {
        PYTHON: text.expand(
            contract.read(PYTHON),
            {"recorders": lambda names, indent: python(contract, surface, lines_of)},
        ),
        NODE: text.expand(
            contract.read(NODE), {"recorders": lambda names, indent: node(contract, surface)}
        ),
        VECTORS: json.dumps({"recorders": vectors, "labels": units}, indent=1) + "\n",
    }
