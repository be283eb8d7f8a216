"""links.py [PAGE...]: checks the documents. Each relative link names a file of the tree, each
#anchor a heading of its page, and each path in backticks that has a folder and a suffix of
SUFFIXES ends the path of a tracked file."""

import collections
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2`*~* *$", re.M | re.S)
SPAN = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)")
LINK = re.compile(
    r"\]\(\s*<?([^\s()<>]+)>?(?:\s+[\"'][^)]*)?\s*\)|^ *\[[^\]]+\]:\s*<?(\S+?)>?\s*$", re.M
)
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)? *$", re.M)
ID = re.compile(r"<a +(?:id|name)=\"([^\"]+)\"")
SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.I)
SUFFIXES = (".c", ".h", ".def", ".py", ".pyi", ".js", ".mjs", ".ts", ".json", ".md", ".sh", ".toml")
PATH = re.compile(r"(?<![\w./:@{},*-])[\w.-]+(?:/[\w.-]+)+(?![\w/*{<])")
UNCHECKED_PATHS = ("CHANGELOG.md",)  # it names old files


def listed():
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(command, cwd=ROOT, text=True).split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def slug(heading):
    """The anchor that GitHub gives a heading."""
    shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")


def anchors(text):
    seen, found = collections.Counter(), set(ID.findall(text))
    for heading in HEADING.findall(FENCE.sub(blank, text)):
        name = slug(heading)
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


def link_problem(page, target):
    """Why a target of a link is wrong; None if it is good."""
    path, _, anchor = target.partition("#")
    if SCHEME.match(target):
        return None
    there = (page.parent / path).resolve() if path else page
    if not there.exists():
        return f"no file {path}"
    if anchor and (there.suffix != ".md" or anchor not in anchors(there.read_text())):
        return f"no heading #{anchor} in {there.relative_to(ROOT)}"
    return None


def page_problems(name, ends):
    page = ROOT / name
    prose = FENCE.sub(blank, page.read_text())

    def place(match):
        return f"{name}:{prose.count(chr(10), 0, match.start()) + 1}"

    for match in LINK.finditer(SPAN.sub(blank, prose)):
        problem = link_problem(page, match[1] or match[2])
        if problem:
            yield f"{place(match)}: {problem}"
    for match in () if name in UNCHECKED_PATHS else SPAN.finditer(prose):
        for path in PATH.findall(match[2]):
            if path.endswith(SUFFIXES) and path not in ends:
                yield f"{place(match)}: no file of the tree ends in {path}"


def main(arguments):
    names = listed()
    parts = [pathlib.PurePosixPath(name).parts for name in names]
    ends = {"/".join(path[i:]) for path in parts for i in range(len(path))}
    pages = arguments or [name for name in names if name.endswith(".md")]
    problems = [line for name in pages for line in page_problems(name, ends)]
    print(*problems, sep="\n", end="\n" if problems else "")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
