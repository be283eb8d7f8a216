"""subject.py FILE | --range A..B: a commit subject is `area: do what`, at most 72 characters.

FILE is the argument of a commit-msg hook; --range checks the commits of a branch. The word after
the area must be in verbs.txt: add the verb that you need, in the form after "this commit will".
"""

import pathlib
import re
import subprocess
import sys

LIMIT = 72
SUBJECT = re.compile(r"[a-z][\w.-]*(?:, [a-z][\w.-]*)*: (\S+) .*[^.\s]")
VERBS = pathlib.Path(__file__).with_name("verbs.txt").read_text().split()


def problem(subject):
    """The problem with a subject, or None."""
    if subject.startswith(("Merge ", "Revert ", "fixup! ", "squash! ")):
        return None
    if len(subject) > LIMIT:
        return f"{len(subject)} characters, the limit is {LIMIT}"
    match = SUBJECT.fullmatch(subject)
    if match is None:
        return "not `area: do what` without a full stop, such as `ring: refuse a record of size 0`"
    if match.group(1) not in VERBS:
        return f"'{match.group(1)}' is no imperative of tools/lint/verbs.txt"
    return None


def subjects(arguments):
    if arguments[0] == "--range":
        command = ["git", "log", "--no-merges", "--format=%s", arguments[1]]
        return subprocess.check_output(command, text=True).splitlines()
    return pathlib.Path(arguments[0]).read_text().splitlines()[:1]


def main(arguments):
    if not arguments:
        print(__doc__)
        return 2
    bad = [
        f"{subject}\n    {problem(subject)}" for subject in subjects(arguments) if problem(subject)
    ]
    print(*bad, sep="\n", end="\n" if bad else "")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
