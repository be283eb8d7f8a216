"""The tables of other telemetry in a process, from contract/other_agents.toml."""

import re

import text

PYTHON = "bindings/python/djp_telemetry/_other_agents.py"
NODE = "bindings/node/lib/other_agents.js"
DOCUMENTS = ("docs/python.md", "docs/node.md")
KINDS = ("user_agents", "headers", "paths", "protobuf_paths")


def _rows(contract, kind):
    """(name of the agent, value) of each entry, in order."""
    for agent in contract.other_agents["agent"]:
        unknown = set(agent) - {"name", *KINDS}
        if unknown:
            raise SystemExit(f"gen: contract/other_agents.toml: {agent['name']}: {unknown}")
        for value in agent.get(kind, ()):
            re.compile(value)
            yield agent["name"], value


def _python(contract):
    for kind in KINDS:
        yield f"_{kind.upper()} = ("
        yield from (f'    r"{value}",  # {name}' for name, value in _rows(contract, kind))
        yield ")"


def _node(contract):
    for kind in KINDS:
        yield f"const {kind.upper()} = ["
        for name, value in _rows(contract, kind):
            quoted = value.replace("\\", "\\\\")
            yield f"  '{quoted}', // {name}"
        yield "];"


def _names(contract):
    names = [agent["name"] for agent in contract.other_agents["agent"]]
    return text.fill(f"{', '.join(names[:-1])} and {names[-1]}.", "", 128)


def outputs(contract):
    def expanded(path, kind, lines):
        return text.expand(contract.read(path), {kind: lambda names, indent: list(lines(contract))})

    found = {path: expanded(path, "agents", _names) for path in DOCUMENTS}
    found[PYTHON] = expanded(PYTHON, "agents", _python)
    found[NODE] = expanded(NODE, "agents", _node)
    return found
