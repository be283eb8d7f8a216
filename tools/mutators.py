"""Makes the single mutants of one source text: C and JavaScript from their tokens, Python from its
syntax tree.

A mutant is one replacement in the text. It never changes the number of lines, so that line numbers
stay those of the source.
"""

import ast
import re
from typing import NamedTuple


class Mutant(NamedTuple):
    start: int
    end: int
    text: str
    kind: str

    def apply(self, source):
        return source[: self.start] + self.text + source[self.end :]

    def line(self, source):
        return source.count("\n", 0, self.start) + 1


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int
    function: bool  # inside a function's body
    opens: str  # of a brace: "block" or "value"


TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)"""
    r"""|(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)"""
    r"""|(?P<number>0[xX][0-9a-fA-F]+[uUlLn]*|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?[uUlLfn]*)"""
    r"""|(?P<name>[A-Za-z_$#][\w$]*)"""
    r"""|(?P<op>>>>=|\.\.\.|===|!==|<<=|>>=|>>>|\*\*|->|=>"""
    r"""|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||\?\?|[-+*/%&|^]=|[^\s\w])""",
    re.S,
)
DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w+)(?:\\\n|[^\n])*", re.M)
CONSTANT = re.compile(r"#[ \t]*define[ \t]+\w+[ \t]+\(?[ \t]*(\d+)[uUlL]*\b")
REGEX = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*")

EDGES = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "===": "!==",
    "!==": "===",
}
SWAPS = {
    "&&": "||",
    "||": "&&",
    "+=": "-=",
    "-=": "+=",
    "|=": "=",
    "&=": "=",
    "++": "--",
    "--": "++",
}
BINARY = {"+": "-", "-": "+", "&": "|", "<<": ">>", ">>": "<<"}
CONTROL = {
    *(
        "if",
        "for",
        "while",
        "switch",
        "do",
        "else",
        "case",
        "default",
        "return",
        "break",
        "continue",
        "goto",
    ),
    *("try", "catch", "finally", "throw", "function", "class", "async", "yield"),
}
DECLARING = {
    *(
        "const",
        "static",
        "struct",
        "enum",
        "union",
        "unsigned",
        "int",
        "char",
        "double",
        "size_t",
        "extern",
        "typedef",
    ),
    *("let", "var", "import", "export"),
}
# A mutant of these could end or delete more than its test.
DANGEROUS = re.compile(r"\b(?:kill|killpg|unlink|rmdir|rmtree|rmSync|system|execv\w*)\b")


def _blocks(before):
    return not before or before.text in {
        ")",
        "else",
        "do",
        ";",
        "{",
        "}",
        ":",
        "=>",
        "try",
        "finally",
    }


def tokens(source, c):
    """The tokens of a C or JavaScript text without comments; C directives are left out."""
    skipped = {m.start(): m.end() for m in DIRECTIVE.finditer(source)} if c else {}
    found, braces, position = [], [], 0
    while position < len(source):
        line_start = source.rfind("\n", 0, position) + 1
        if line_start in skipped and position < skipped[line_start]:
            position = skipped[line_start]
            continue
        before = found[-1] if found else None
        operand = before and (before.kind in {"number", "text"} or before.text in {")", "]", "}"})
        operand = operand or (before and before.kind == "name" and before.text not in CONTROL)
        match = None if c or operand or source[position] != "/" else REGEX.match(source, position)
        kind = "text" if match and not source.startswith(("//", "/*"), position) else None
        if kind is None:
            match = TOKEN.match(source, position)
            kind = match and match.lastgroup
        if match is None:
            position += 1
            continue
        position, text = match.end(), match.group()
        if kind == "comment":
            continue
        opens = ""
        if text == "{":
            opens = "block" if _blocks(before) else "value"
            function = bool(braces and braces[-1]) or (
                opens == "block" and bool(before) and before.text in {")", "=>"}
            )
            braces.append(function)
        found.append(
            Token(kind, text, match.start(), match.end(), bool(braces and braces[-1]), opens)
        )
        if text == "}" and braces:
            braces.pop()
    return found


OPEN, CLOSE = {"(", "[", "{"}, {")", "]", "}"}


def _end_of_statement(found, i):
    """Index of the semicolon that ends the statement that starts at token i, or None."""
    depth = 0
    for j in range(i, len(found)):
        depth += (found[j].text in OPEN) - (found[j].text in CLOSE)
        if depth < 0:
            return None
        if depth == 0 and found[j].text == ";":
            return j
    return None


def _is_declaration(found, i):
    first, second = found[i], found[i + 1]
    if first.text in DECLARING:
        return True
    return (
        first.kind == "name"
        and (second.kind == "name" or second.text == "*")
        and first.text not in {"await", "delete"}
    )


def _blank(source, start, end, text):
    return text + "\n" * source.count("\n", start, end)


def _loop_heads(found):
    """Indexes of the tokens between the parentheses of a for."""
    inside, depth = set(), 0
    for i, token in enumerate(found):
        if depth or (token.text == "(" and i and found[i - 1].text == "for"):
            depth += (token.text == "(") - (token.text == ")")
            inside.add(i)
    return inside


def _statements(source, found):
    """Statements that may be dropped: calls, assignments, increments; and jumps."""
    loops = _loop_heads(found)
    for i, token in enumerate(found[:-1]):
        if i in loops:
            continue
        before = found[i - 1] if i else None
        opened = before and (
            before.text in {";", "}"} or (before.text == "{" and before.opens == "block")
        )
        labelled = before and before.text == ":" and "\n" in source[before.end : token.start]
        if not token.function or not (opened or labelled):
            continue
        end = _end_of_statement(found, i)
        if end is None or end == i:
            continue
        start, stop = token.start, found[end].end
        if token.text == "break":
            yield Mutant(start, stop, ";", "dropped break")
        elif token.text == "continue":
            yield Mutant(start, stop, "break;", "break for continue")
        elif token.text == "return" and end > i + 1:
            yield from _returned(source, found, i, end)
        elif (
            token.text not in CONTROL
            and not _is_declaration(found, i)
            and source[start : start + 6] != "(void)"
        ):
            yield Mutant(start, stop, _blank(source, start, stop, ";"), "dropped statement")


def _returned(source, found, i, end):
    start, stop = found[i + 1].start, found[end].start
    value = source[start:stop]
    if value not in {"NULL", "undefined", "null"}:
        other = {"0": "1", "true": "false", "false": "true"}.get(value, "0")
        yield Mutant(start, stop, _blank(source, start, stop, other), "returned value")


def _operand(found, i, step):
    """The bounds of the operand left (step -1) or right (step 1) of the logical operator at token
    i."""
    into, out = (CLOSE, OPEN) if step < 0 else (OPEN, CLOSE)
    stops = {",", ";", "=", "return", "&&", "||", "?", ":", "=>", "{", "}"}
    depth, j = 0, i + step
    while 0 <= j < len(found):
        text = found[j].text
        if depth == 0 and (text in stops or text in out):
            break
        depth += (text in into) - (text in out)
        j += step
    first, last = (j + 1, i - 1) if step < 0 else (i + 1, j - 1)
    return (found[first].start, found[last].end) if first <= last else None


def _operators(source, found):
    for i, token in enumerate(found):
        before = found[i - 1] if i else None
        if not token.function or token.kind != "op" or not before:
            continue
        text = token.text
        operand = before.kind in {"number", "text", "name"} or before.text in {")", "]"}
        if text in EDGES:
            yield Mutant(token.start, token.end, EDGES[text], "comparison")
        elif text in SWAPS:
            yield Mutant(token.start, token.end, SWAPS[text], "operator")
        elif text in BINARY and operand and before.text not in CONTROL:
            yield Mutant(token.start, token.end, BINARY[text], "operator")
        elif text == "|" and re.fullmatch(r"[A-Z][A-Z0-9_]+", found[i + 1].text):
            yield Mutant(token.start, found[i + 1].end, "", "dropped flag")
        if text in {"&&", "||"}:
            for bounds in (_operand(found, i, -1), _operand(found, i, 1)):
                if bounds:
                    other = {"&&": "1", "||": "0"}[text]
                    yield Mutant(*bounds, _blank(source, *bounds, other), "dropped condition")


def _conditions(found):
    for i, token in enumerate(found[:-1]):
        if not token.function or token.text != "if" or found[i + 1].text != "(":
            continue
        depth = 0
        for j in range(i + 1, len(found)):
            depth += (found[j].text == "(") - (found[j].text == ")")
            if depth == 0:
                yield (found[i + 1].start, found[j].end)
                break


def _numbers(source, found, c):
    places = [(t.start, t.end) for t in found if t.kind == "number"]
    places += [m.span(1) for m in CONSTANT.finditer(source)] if c else []
    for start, end in places:
        match = re.fullmatch(r"(0[xX][0-9a-fA-F]+|\d+)([uUlLn]*)", source[start:end])
        if not match:
            continue
        value = (
            int(match.group(1), 0)
            if not re.match(r"0\d", match.group(1))
            else int(match.group(1), 8)
        )
        # 2 instead of 1 is no change where 1 means true.
        for other in {0: (1,), 1: (0,)}.get(value, (value + 1, value - 1)):
            yield Mutant(start, end, f"{other}{match.group(2)}", "constant")


def of_tokens(source, c):
    found = tokens(source, c)
    made = [*_statements(source, found), *_operators(source, found), *_numbers(source, found, c)]
    for start, end in _conditions(found):
        made.append(Mutant(start, end, f"(!{source[start:end]})", "inverted condition"))
    if not c:
        words = {"true": "false", "false": "true"}
        made += [
            Mutant(t.start, t.end, words[t.text], "constant")
            for t in found
            if t.function and t.text in words
        ]
    return made


# ---- Python ------------------------------------------------------------------------------------

PY_EDGES = {
    "Lt": "<=",
    "LtE": "<",
    "Gt": ">=",
    "GtE": ">",
    "Eq": "!=",
    "NotEq": "==",
    "Is": "is not",
    "IsNot": "is",
}
PY_EDGES.update({"In": "not in", "NotIn": "in"})
PY_ARITHMETIC = {"Add": "-", "Sub": "+", "Mult": "+", "BitOr": "&", "BitAnd": "|", "FloorDiv": "*"}


class _Places:
    """Converts the byte columns of the syntax tree to offsets in the text."""

    def __init__(self, source):
        self.lines = source.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)

    def at(self, line, column):
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def of(self, node):
        return self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset)


def _py_between(source, places, left, right, text, kind):
    """Replaces the operator between two nodes; brackets and comments around it stay."""
    start, end = places.of(left)[1], places.of(right)[0]
    match = re.search(
        r"[^\s()\\]+(?: +(?:not|in)\b)?",
        re.sub(r"#[^\n]*", lambda m: " " * len(m.group()), source[start:end]),
    )
    if match:
        yield Mutant(start + match.start(), start + match.end(), text, kind)


def _py_expression(source, places, node):
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        text = PY_EDGES[type(node.ops[0]).__name__]
        yield from _py_between(source, places, node.left, node.comparators[0], text, "comparison")
    elif isinstance(node, ast.BoolOp):
        text = "or" if isinstance(node.op, ast.And) else "and"
        yield from _py_between(source, places, node.values[0], node.values[1], text, "operator")
        neutral = "True" if isinstance(node.op, ast.And) else "False"
        for value in node.values:
            yield _py_value(source, places, value, neutral, "dropped condition")
    elif isinstance(node, ast.BinOp) and type(node.op).__name__ in PY_ARITHMETIC:
        yield from _py_between(
            source, places, node.left, node.right, PY_ARITHMETIC[type(node.op).__name__], "operator"
        )
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield _py_value(source, places, node, str(not node.value), "constant")
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield _py_value(source, places, node, str(node.value + 1), "constant")
        if node.value > 0:
            yield _py_value(source, places, node, str(node.value - 1), "constant")


def _py_value(source, places, node, text, kind):
    start, end = places.of(node)
    lines = source.count("\n", start, end)
    return Mutant(start, end, f"({text}" + "\n" * lines + ")" if lines else text, kind)


def _py_statement(source, places, node):
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        start, end = places.of(node.test)
        if not isinstance(node, ast.While):
            yield Mutant(start, end, f"(not ({source[start:end]}))", "inverted condition")
    elif isinstance(node, ast.Return) and node.value is not None:
        text = f"not ({source[slice(*places.of(node.value))]})" if _is_truth(node.value) else "None"
        yield Mutant(*places.of(node.value), f"({text})", "returned value")
    elif isinstance(node, (ast.Break, ast.Continue)):
        yield Mutant(*places.of(node), "pass" if isinstance(node, ast.Break) else "break", "jump")
    elif isinstance(node, (ast.Assign, ast.AugAssign, ast.Delete)) or (
        isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.Await))
    ):
        start, end = places.of(node)
        yield Mutant(start, end, _blank(source, start, end, "pass"), "dropped statement")
    elif (
        isinstance(node, ast.With) and len(node.items) == 1 and node.items[0].optional_vars is None
    ):
        start, end = (
            places.at(node.lineno, node.col_offset),
            places.of(node.items[0].context_expr)[1],
        )
        yield Mutant(start, end, _blank(source, start, end, "if True"), "missing lock")


def _is_truth(node):
    return isinstance(node, (ast.Compare, ast.BoolOp)) or (
        isinstance(node, ast.Constant) and type(node.value) is bool
    )


def of_python(source):
    places, made = _Places(source), []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.expr):
            made += _py_expression(source, places, node)
        if isinstance(node, (ast.stmt, ast.IfExp)):
            made += _py_statement(source, places, node)
    return made


def mutants(source, suffix):
    """All mutants of a text of that kind (".c", ".py", ".js", ".mjs"), in the order of their
    places, without duplicates."""
    made = of_python(source) if suffix == ".py" else of_tokens(source, suffix in {".c", ".h"})
    lines = source.split("\n")
    kept = {
        (m.start, m.end, m.text): m
        for m in made
        if source[m.start : m.end] != m.text and not DANGEROUS.search(lines[m.line(source) - 1])
    }
    return [kept[key] for key in sorted(kept)]
