"""The public surface (contract/surface.toml) in the files of both languages: stubs, docstrings,
text signatures of the C extension, the repetitive parts of the no-op, TypeScript declarations and
the tables of docs/api.md."""

import ast
import re
import textwrap

import record
import text

SOURCE = "contract/surface.toml"
STUBS = ("bindings/python/djp_telemetry/_native.pyi", "bindings/python/djp_telemetry/metrics.pyi")
NOOPS = tuple(
    f"bindings/python/djp_telemetry/{name}.py"
    for name in ("_noop_context", "_noop_metrics", "noop")
)
TYPES = tuple(f"bindings/node/lib/{name}.d.ts" for name in ("index", "metrics", "sampling"))
DOCUMENTED = {  # Python files with generated docstrings, and the prefix of their names
    "bindings/python/djp_telemetry/_runtime.py": "",
    "bindings/python/djp_telemetry/_decorators.py": "",
    "bindings/python/djp_telemetry/outgoing.py": "",
    "bindings/python/djp_telemetry/noop.py": "",
    "bindings/python/djp_telemetry/_noop_context.py": "",
    "bindings/python/djp_telemetry/baggage.py": "baggage.",
    "bindings/python/djp_telemetry/metrics.py": "metrics.",
    "bindings/python/djp_telemetry/log_correlation.py": "log_correlation.",
    "bindings/python/djp_telemetry/sampling.py": "sampling.",
    "bindings/python/djp_telemetry/prom.py": "prom.",
    "bindings/python/djp_telemetry/otel.py": "otel.",
    "bindings/python/djp_telemetry/integrations/structlog.py": "integrations.structlog.",
    "middleware/asgi/_middleware.py": "asgi.",
    "middleware/asgi/_metrics_app.py": "asgi.",
    "middleware/asgi/_handled_exceptions.py": "asgi.",
}
DOC_WIDTH = 86
EDGE = "bindings/node/lib/noop_entry.js"
MODULE = "bindings/node/lib/index.mjs"
HEADER = "bindings/python/src/docs.h"


class Item:
    """One name of the surface. key is `function`, `module.function` or `Class.member`."""

    def __init__(self, key, data):
        self.key = key
        self.data = data
        self.owner, _, self.name = key.rpartition(".")
        self.is_class = data.get("py") == "class" or "js_head" in data
        self.is_member = self.owner.lstrip("_")[:1].isupper()
        self.property = data.get("property", False)
        self.python = data.get("py", "")
        node = data.get("js", [])
        self.node = [node] if isinstance(node, str) else node
        self.node_name = data.get("js_name", text.camel(self.name))
        self.args = data.get("args", {})

    def parameters(self):
        """The parameters of Python, as ast has them."""
        signature = self.data.get("constructor", self.python)
        return ast.parse(f"def f{signature}: ...").body[0].args

    def named(self, language):
        """The documented arguments of the language."""
        if language == "python":
            if self.property or not (self.python.startswith("(") or "constructor" in self.data):
                return {}
            found = self.parameters()
            names = [
                arg.arg
                for arg in (
                    *found.posonlyargs,
                    *found.args,
                    *found.kwonlyargs,
                    found.vararg,
                    found.kwarg,
                )
                if arg
            ]
        else:
            names = re.findall(r"(\w+)\??:", " ".join(self.node)) if not self.property else []
        spelled = {
            (text.camel(name) if language == "node" else name): doc
            for name, doc in self.args.items()
        }
        return {name: doc for name, doc in spelled.items() if name in names}


class Surface:
    def __init__(self, tables):
        self.items = {key: Item(key, data) for key, data in tables.items()}
        self.names = {}
        for item in self.items.values():
            if item.node:
                self.names.setdefault(item.name, item.node_name)
        self.names.update({"None": "null", "True": "true", "False": "false"})

    def members(self, name):
        base = self.items[name].data.get("extends")
        own = [item for item in self.items.values() if item.owner == name]
        return ([item for item in self.items.values() if item.owner == base] if base else []) + own

    def sentences(self, item, language):
        """The documentation without arguments and result."""
        doc = item.data["doc"]
        more = item.data.get("py_doc" if language == "python" else "js_doc")
        return self.spell(f"{doc} {more}" if more else doc, language)

    def spell(self, doc, language):
        if language == "python":
            return doc
        doc = text.spelled(doc, self.names, "node")
        return re.sub(r"\b(None|True|False)\b", lambda match: self.names[match.group(0)], doc)

    def returns(self, item, language):
        return self.spell(item.data.get("returns", ""), language)

    def python_doc(self, item):
        parts = [self.sentences(item, "python")]
        args = item.named("python")
        if args:
            parts.append("Args:\n" + "\n".join(f"  {name}: {doc}" for name, doc in args.items()))
        if self.returns(item, "python"):
            parts.append("Returns:\n  " + self.returns(item, "python"))
        return "\n\n".join(parts)

    def node_doc(self, item):
        lines = [self.sentences(item, "node")]
        lines += [
            f"@param {name} {self.spell(doc, 'node')}" for name, doc in item.named("node").items()
        ]
        if self.returns(item, "node"):
            lines.append(f"@returns {self.returns(item, 'node')}")
        return "\n".join(lines)


# ---- Python ------------------------------------------------------------------------------------


def _python_lines(doc, indent):
    """Formats documentation as the lines of a docstring, with a fixed width. Arguments are indented
    by four."""
    out = []
    for line in doc.split("\n"):
        extra = "    " if line.startswith("  ") else ""
        filled = text.fill(line.strip(), extra, DOC_WIDTH)
        if re.match(r"  \w+: ", line) and len(filled) > 1:
            filled = [
                filled[0],
                *text.fill(" ".join(part.strip() for part in filled[1:]), extra * 2, DOC_WIDTH),
            ]
        out += filled or [""]
    out = [indent + line if line else "" for line in out]
    out[0] = f'{indent}"""' + out[0].lstrip()
    if len(out) == 1 and len(out[0]) + 3 <= text.WIDTH and not out[0].endswith('"'):
        return [out[0] + '"""']
    return [*out, f'{indent}"""']


def _stub_function(surface, item, indent, owner):
    signatures = item.data.get("py_overloads", [item.python])
    lines = []
    for place, signature in enumerate(signatures):
        if len(signatures) > 1:
            lines.append(f"{indent}@overload")
        head = f"{indent}def {item.name}{signature.replace('SELF', owner)}:"
        if place == 0:
            lines += [head, *_python_lines(surface.python_doc(item), indent + "    ")]
        else:
            lines.append(f"{head} ...")
    return lines


def _stub_class(surface, item):
    lines = [f"{item.data['c_head']}:", *_python_lines(surface.python_doc(item), "    ")]
    if "constructor" in item.data:
        inner = item.data["constructor"][1:]
        lines.append(f"    def __new__(cls, {inner} -> {item.name}: ...")
    for member in surface.members(item.name):
        if not member.python:
            continue
        if member.property:
            lines += ["    @property", f"    def {member.name}(self) -> {member.python}:"]
            lines += _python_lines(surface.python_doc(member), "        ")
        else:
            lines += _stub_function(surface, member, "    ", item.name)
    return [*lines, ""]


def _stub(surface, names, indent):
    lines = []
    for name in names:
        item = surface.items[name]
        lines += (
            _stub_class(surface, item)
            if item.is_class
            else _stub_function(surface, item, indent, "")
        )
    return lines


def _bare(arguments, first):
    """Parameters without annotations. first: the name in place of self or the module."""
    for arg in (
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ):
        if arg is not None:
            arg.annotation = None
    listed = ast.unparse(arguments)
    if listed == "self" or listed.startswith("self,"):
        listed = listed[len("self") :].lstrip(", ")
    if not first:
        return listed
    return ", ".join(part for part in (first, listed if listed else "/") if part)


def _literal(doc):
    """The literals of a text, one or more for each line."""
    lines = []
    for line in doc.split("\n"):
        parts = textwrap.wrap(line, 84, drop_whitespace=False, break_on_hyphens=False) or [""]
        parts = [part.replace("\\", "\\\\").replace('"', '\\"') for part in parts]
        lines += [f'"{part}"' for part in parts[:-1]] + [f'"{parts[-1]}\\n"']
    lines[-1] = lines[-1][:-3] + '"'
    return lines


def _docstring_text(surface, item):
    """The docstring at run time, without quotes."""
    lines = _python_lines(surface.python_doc(item), "")
    lines[0] = lines[0][3:]
    if lines[-1] == '"""':
        return "\n".join(lines[:-1])
    return "\n".join(lines)[:-3]


def _header(surface, native):
    lines = [
        "/* The docstrings of the extension, with the signatures that inspect reads.",
        f" * {text.NOTICE.format(source=SOURCE)} */",
        "#ifndef DJP_PY_DOCS_H",
        "#define DJP_PY_DOCS_H",
        "",
        "/* clang-format off */",
    ]
    for item in surface.items.values():
        if not item.python or not (
            item.key in native or item.owner in native or item.owner == "Metric"
        ):
            continue  # written in Python
        head = ""
        if "constructor" in item.data:
            head = f"{item.name}({_bare(item.parameters(), '')})\n--\n\n"
        elif item.python.startswith("("):
            first = "$self" if item.is_member else "$module"
            head = f"{item.name}({_bare(item.parameters(), first)})\n--\n\n"
        macro = "DJP_PY_DOC_" + item.key.upper().replace(".", "_")
        body = _literal(head + _docstring_text(surface, item))
        lines.append(f"#define {macro} \\")
        lines += [f"    {line} \\" for line in body[:-1]] + [f"    {body[-1]}"]
    return "\n".join([*lines, "/* clang-format on */", "", "#endif", ""])


def _noop(surface, names, indent):
    """Methods and functions that return a constant."""
    lines = []
    for name in names:
        item = surface.items[name]
        found = (
            [member for member in surface.members(name) if member.python]
            if item.is_class
            else [item]
        )
        for one in found:
            if "noop" not in one.data:
                continue
            if one.property:
                head = [f"{indent}@property", f"{indent}def {one.name}(self) -> Any:"]
            else:
                arguments = one.parameters()
                for arg in (
                    *arguments.posonlyargs,
                    *arguments.args,
                    *arguments.kwonlyargs,
                    arguments.vararg,
                    arguments.kwarg,
                ):
                    if arg is not None and arg.arg != "self":
                        arg.annotation = ast.Name("Any")
                head = [f"{indent}def {one.name}({ast.unparse(arguments)}) -> Any:"]
            doc = _python_lines(surface.python_doc(one), indent + "    ")
            lines += [*head, *doc, f"{indent}    return {one.data['noop']}", ""]
    return lines


def _noop_classes(surface, names, indent):
    """The complete metric types of the no-op."""
    lines = []
    for name in names:
        item = surface.items[name]
        arguments = item.parameters()
        for arg in arguments.args:
            arg.annotation = ast.Name("Any")
        lines += [
            "",
            f"class {name}(_Metric):",
            *_python_lines(surface.python_doc(item), "    "),
            "",
        ]
        lines += [
            "    __slots__ = ()",
            "",
            f"    def __init__(self, {ast.unparse(arguments)}) -> None:",
        ]
        lines += ["        super().__init__(name, labelnames)", ""]
        lines += _noop(surface, [name], "    ")
    return lines


def _compare(item, node):
    """Fails if a handwritten function has other parameters than the contract."""
    if isinstance(node, ast.ClassDef) or item.property or node.decorator_list:
        return
    theirs, ours = (
        re.sub(r"^/(, )?", "", _bare(found, "")) for found in (node.args, item.parameters())
    )
    if theirs != ours:
        raise SystemExit(f"gen: {item.key}: the contract has ({ours}), the function ({theirs})")


def _documented(surface, source, prefix):
    """Replaces the docstrings of the surface's functions and classes in source."""
    lines = source.split("\n")
    changes = []

    def visit(nodes, owner):
        for node in nodes:
            if isinstance(node, ast.ClassDef):
                visit(node.body, node.name + ".")
            elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            key = f"{owner or prefix}{node.name}"
            item = surface.items.get(key)
            if (
                item is None
                or not item.python
                or (prefix and not owner and item.owner + "." != prefix)
            ):
                continue
            first = node.body[0]
            _compare(item, node)
            value = getattr(first, "value", None)
            if isinstance(value, ast.Constant) and value.value is Ellipsis:
                continue  # an overload
            indent = " " * first.col_offset
            doc = _python_lines(surface.python_doc(item), indent)
            has = ast.get_docstring(node, clean=False) is not None
            start = first.lineno - 1
            for decorator in getattr(first, "decorator_list", []):
                start = min(start, decorator.lineno - 1)
            changes.append((start, first.end_lineno if has else start, doc))

    visit(ast.parse(source).body, "")
    for start, end, doc in sorted(changes, reverse=True, key=lambda change: change[0]):
        lines[start:end] = doc
    return "\n".join(lines)


# ---- Node --------------------------------------------------------------------------------------


def _declaration(surface, item, indent):
    lines = text.jsdoc(surface.node_doc(item), indent)
    if item.property:
        return [*lines, f"{indent}{item.node[0]};"]
    head = (
        f"{indent}{item.node_name}"
        if item.is_member
        else f"{indent}export function {item.node_name}"
    )
    return [*lines, *(f"{head}{signature};" for signature in item.node)]


def _types(surface, names, indent):
    lines = []
    for name in names:
        item = surface.items[name]
        if not item.is_class:
            lines += [*_declaration(surface, item, indent), ""]
            continue
        doc = surface.sentences(item, "node")
        lines += [*text.jsdoc(doc), f"{item.data['js_head']} {{"]
        if "js_first" in item.data:
            lines.append(f"  {item.data['js_first']}")
        own = [member for member in surface.items.values() if member.owner == name and member.node]
        for member in own:
            lines += _declaration(surface, member, "  ")
        lines += ["}", ""]
    return lines[:-1]


def _chained(surface, name):
    """Methods that return the object itself."""
    return [
        item.node_name
        for item in surface.items.values()
        if item.owner == name and item.node and item.node[0].endswith(": this")
    ]


def _edge_member(item):
    """A member of a metric type that records nothing."""
    name, declared = item.node_name, item.node[0]
    if item.property:
        kind = declared.partition(": ")[2]
        constant = {"string": "''", "number": "0"}.get(kind, "[]")
        return [f"  get {name}() {{", f"    return {constant};", "  }"]
    if declared.endswith("): this"):
        return [f"  {name}() {{", "    return this;", "  }"]
    if declared.endswith("): void"):
        return [f"  {name}() {{}}"]
    return [f"  {name}() {{", "    return nothing;", "  }"]


def _edge_classes(surface, names):
    lines = []
    for name in names:
        base = surface.items[name].data.get("extends")
        lines += [f"class {name}{f' extends {base}' if base else ''} {{"]
        for item in surface.items.values():
            if item.owner == name and item.node and item.node_name != "constructor":
                lines += _edge_member(item)
        lines += ["}", ""]
    return lines


def _edge(contract, surface):
    recorders = sorted(
        surface.items[key].node_name for key in contract.record if surface.items[key].node
    )
    kinds = {
        "edge_chained": lambda names, indent: [f"const CHAINED = {_chained(surface, names[0])!r};"],
        "edge_classes": lambda names, indent: _edge_classes(surface, names),
        "edge_recorders": lambda names, indent: [f"{indent}{name}: nothing," for name in recorders],
    }
    return text.expand(contract.read(EDGE), kinds)


def _exports(contract, surface, types):
    """The names of the ES module: those that the types declare as values."""
    keys = [key for path in TYPES[:2] for key in text.marked(types[path], "surface")]
    items = [surface.items[key] for key in keys]
    names = [
        item.node_name
        for item in items
        if not item.is_class or " class " in item.data["js_head"].replace(" abstract", "  ")
    ]
    names = [name for name in names if name != "Metric"]
    constants = re.findall(r"^export declare const (\w+)", types[TYPES[0]], re.MULTILINE)
    lines = ["export const {", *(f"  {name}," for name in [*names, *constants]), "} = telemetry;"]
    return text.expand(contract.read(MODULE), {"exports": lambda names, indent: lines})


# ---- documents ---------------------------------------------------------------------------------


def _shown(item, language):
    """How a reader calls it."""
    if language == "python":
        owner = f"{item.owner}." if item.owner else ""
        if item.property or item.is_class:
            return f"{owner}{item.name}"
        listed = re.sub(r"^/$|^/, |, /", "", _bare(item.parameters(), ""))
        return f"{owner}{item.name}({listed})"
    owner = f"{item.owner}." if item.owner else ""
    if item.property or item.is_class:
        return f"{owner}{item.node_name}"
    if item.node_name == "constructor":
        return f"new {item.owner}(...)"
    listed = re.findall(r"[(,]\s*(?:\.\.\.)?(\w+)\??:", re.sub(r"^<.*?>(?=\()", "", item.node[-1]))
    return f"{owner}{item.node_name}({', '.join(dict.fromkeys(listed))})"


def _table(surface, language, wanted):
    lines = ["| Name | Meaning |", "| --- | --- |"]
    for item in wanted:
        doc = surface.sentences(item, language)
        args = "".join(
            f" `{name}`: {surface.spell(about, language)}"
            for name, about in item.named(language).items()
        )
        result = surface.returns(item, language)
        lines.append(
            f"| `{_shown(item, language)}` | {doc}{args}{' Returns: ' + result if result else ''} |"
        )
    return lines


def _page(surface):
    lines = [
        "# API",
        "",
        f"<!-- {text.NOTICE.format(source='contract/surface.toml and contract/record.toml')} -->",
        "",
        "All public names with their arguments. [python.md](python.md) and [node.md](node.md)",
        "introduce them with examples; [configuration.md](configuration.md) has the options of the",
        "start, [status.md](status.md) the keys of the status.",
    ]
    for language, title in (("python", "Python"), ("node", "Node")):
        lines += ["", f"## {title}"]
        shown = [
            item
            for item in surface.items.values()
            if (item.python if language == "python" else item.node)
        ]
        groups = {}
        for item in shown:
            if item.owner.startswith("_") or item.name.startswith("_"):
                continue
            of_package = language == "node" and item.owner in ("prom", "otel")
            groups.setdefault("" if of_package else item.owner, []).append(item)
        plain = [item for item in groups.pop("", []) if not item.is_class]
        lines += ["", "### Functions of the package", "", *_table(surface, language, plain)]
        for owner, items in groups.items():
            about = surface.items.get(owner)
            heading = f"Module `{owner}`" if about is None else f"`{owner}`"
            lines += ["", f"### {heading}", ""]
            if about is not None:
                lines += [surface.sentences(about, language), ""]
            lines += _table(surface, language, items)
    return "\n".join(lines) + "\n"


def outputs(contract):
    surface = Surface({**contract.surface, **contract.record})
    found = {}
    for path in STUBS:
        found[path] = text.expand(
            contract.read(path), {"surface": lambda names, indent: _stub(surface, names, indent)}
        )
    for path in NOOPS:
        kinds = {
            "noop": lambda names, indent: _noop(surface, names, indent),
            "noop_classes": lambda names, indent: _noop_classes(surface, names, indent),
        }
        found[path] = text.expand(contract.read(path), kinds)
    for path in TYPES:
        found[path] = text.expand(
            contract.read(path), {"surface": lambda names, indent: _types(surface, names, indent)}
        )
    found[EDGE] = _edge(contract, surface)
    found[MODULE] = _exports(contract, surface, found)
    found.update(record.outputs(contract, surface, _python_lines))
    for path, prefix in DOCUMENTED.items():
        found[path] = _documented(surface, found.get(path, contract.read(path)), prefix)
    marks = re.findall(r"# gen:begin surface (.*)", "\n".join(found[path] for path in STUBS))
    found[HEADER] = _header(
        surface, {key for key in " ".join(marks).split() if not key.startswith("metrics.")}
    )
    found["docs/api.md"] = _page(surface)
    return found
