"""One dialect in C, as CONTRIBUTING.md has it. The key is the rule, the amount is 1 for each place.

Comments and strings are left out. Whether a name is a pointer is read from the declarations of its
function and, for members, from those of all headers: a member that is a pointer in one struct and
none in another is left alone.
"""

import re

import words
from tree import C, files

DECLARED = re.compile(r"\b[A-Za-z_]\w*(?:\s+const)?\s+\*+(?:const )?(\w+)(?=\s*[,;=)\[])")
FIELD = re.compile(r"^\s+(?:[A-Za-z_][\w ]*?)\s+(\w+)(?:\[[^\]]*\])?(?: : \d+)?;", re.M)
POINTER_FIELD = re.compile(r"^\s+(?:[A-Za-z_][\w ]*?) \*+(?:const )?(\w+)(?:, \*+(\w+))*;", re.M)
FUNCTION = re.compile(r"^(?=\w[^\n;]*\n?[^\n;{}]*\([^;{}]*\)\n\{)", re.M)
CONTROL = re.compile(r"\b(if|for|while|switch)\b ?\(|\b(else|do)\b")
NAME = r"(?:\w+(?:->|\.))*\w+"
TESTED = re.compile(
    rf"!({NAME})(?![\w(\[.]|->)"
    rf"|(?:\b(?:if|while) \(|&& |\|\| )({NAME})(?=\)|\s*&&|\s*\|\||\s*\?)"
    rf"|(?:(?<![=!<>])= |return |\(|, )({NAME}) \?"
)
TYPE_WORDS = "void|char|short|int|long|float|double|unsigned|signed|struct|enum|union|const"
TYPE_NAMES = r"pthread_\w+_t\b|u?int\w+_t\b|s?size_t\b"
SIZEOF = re.compile(r"\bsizeof\((?!(?:" + TYPE_WORDS + r")\b|" + TYPE_NAMES + r")([^()]*)\)")
TYPEDEF = re.compile(r"^(?:typedef [^{;]*?|\} ?)\b(\w+);", re.M)
STATIC = re.compile(r"^static [^;=]*?\n(\w+)\(", re.M)
TYPE = re.compile(r"\b(?:struct|enum|union) (\w+) \{")
MACRO = re.compile(r"^#define (\w+)", re.M)


def closing(code, opening):
    """The index of the parenthesis that closes the one at opening."""
    depth = 0
    for place in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[place], 0)
        if depth == 0:
            return place
    return len(code)


def without_braces(code):
    plain = re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", words.blank_match, code, flags=re.M)
    for match in CONTROL.finditer(plain):
        end = match.end() if match.group(2) else closing(plain, match.end() - 1) + 1
        rest = plain[end : end + 200].lstrip()
        is_chain = match.group(2) == "else" and rest.startswith("if")
        is_end_of_do = match.group(1) == "while" and rest.startswith(";")
        if not (rest.startswith("{") or is_chain or is_end_of_do):
            yield match.start()


def pointer_members(sources):
    pointers, others = set(), set()
    for code in sources:
        pointers.update(name for match in POINTER_FIELD.findall(code) for name in match if name)
        others.update(FIELD.findall(code))
    return pointers - others


def hidden_null_tests(code, members):
    starts = [match.start() for match in FUNCTION.finditer(code)] + [len(code)]
    for start, end in zip(starts, starts[1:]):
        body = code[start:end]
        declared = set(DECLARED.findall(body))
        for match in TESTED.finditer(body):
            name = next(filter(None, match.groups()))
            last = re.split(r"->|\.", name)[-1]
            if (last in members) if last != name else (name in declared):
                yield start + match.start()


def wrong_sizeof(code, types):
    return (
        match.start() for match in SIZEOF.finditer(code) if match.group(1).rstrip(" *") not in types
    )


def wrong_statics(code, stem):
    parts = stem.split("_")
    for match in STATIC.finditer(code):
        name = match.group(1)
        if name.split("_")[0] not in parts or "__" in name:
            yield match.start(1)


def wrong_prefix(code, pattern, public=()):
    for match in pattern.finditer(code):
        name = match.group(1)
        is_internal = name.startswith(("djp__", "DJP__")) or name.endswith("_H")
        if not is_internal and name not in public:
            yield match.start(1)


def find():
    sources = {path: words.parts(path)["identifiers"] for path in files(*C)}
    members = pointer_members(sources.values())
    # the opaque types of the interface, which sources of the core define
    public = {
        name
        for path, code in sources.items()
        if str(path).startswith("core/include/")
        for name in TYPEDEF.findall(code)
    }
    types = {name for code in sources.values() for name in TYPEDEF.findall(code)}
    for path, code in sources.items():
        breaches = [
            ("braces", "a statement without braces", without_braces(code)),
            ("NULL", "a pointer is compared with NULL", hidden_null_tests(code, members)),
            ("sizeof", "parentheses of sizeof are for types", wrong_sizeof(code, types)),
        ]
        if str(path).startswith("core/src/") and path.suffix == ".c":
            text = f"a static function begins with the noun of its file ({path.stem}_), without __"
            breaches.append(("static", text, wrong_statics(code, path.stem)))
        elif str(path).startswith("core/src/"):
            breaches.append(("type", "a type is djp__", wrong_prefix(code, TYPE, public)))
            breaches.append(("macro", "a macro is DJP__", wrong_prefix(code, MACRO)))
        for rule, text, places in breaches:
            for place in places:
                yield rule, 1, f"{path}:{code.count(chr(10), 0, place) + 1}: {text}"
