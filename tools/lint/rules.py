"""rules.py [--shrink] [RULE...]: rules that parts of the tree still violate.

A rule is a module of this folder whose find() yields (key, amount, text): a violation, or its size.
The amounts of a key are summed and compared with tools/lint/left.json. A sum may fall and never
rise: if it exceeds the number in the file (0 without one), the run prints the texts of the key,
those of the newest files first, and fails. --shrink lowers the numbers in the file to the present
sums.
"""

import collections
import importlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
LEFT = HERE / "left.json"
ROOT = HERE.parents[1]
SHOWN = 12  # printed places of a key that had some before
RULES = ("calls", "complexity", "dialect", "pairs", "width", "words")


def measure(rule):
    sums, texts = collections.Counter(), collections.defaultdict(list)
    for key, amount, text in importlib.import_module(rule).find():
        sums[key] += amount
        texts[key].append(text)
    return sums, texts


def shrunk(allowed, sums):
    return {key: min(number, sums[key]) for key, number in allowed.items() if sums[key] > 0}


def newest_first(texts):
    """A new violation is most likely in a recently changed file."""

    def written(text):
        path = ROOT / text.split(":")[0]
        return path.stat().st_mtime if path.is_file() else 0

    return sorted(texts, key=written, reverse=True)


def problems(rule, allowed, sums, texts):
    for key in sorted(sums):
        if sums[key] > allowed.get(key, 0):
            shown = newest_first(texts[key])[:SHOWN] if key in allowed else texts[key]
            yield from shown
            if len(texts[key]) > 1 or key in allowed:
                limit = allowed.get(key, 0)
                yield f"{rule}: {key}: {sums[key]}, and tools/lint/left.json allows {limit}"


def main(arguments):
    shrink = "--shrink" in arguments
    chosen = [name for name in arguments if name != "--shrink"] or RULES
    left = json.loads(LEFT.read_text())
    bad = []
    for rule in chosen:
        sums, texts = measure(rule)
        allowed = left.get(rule, {})
        bad += problems(rule, allowed, sums, texts)
        if shrink:
            left[rule] = shrunk(allowed, sums)
    if shrink:
        LEFT.write_text(json.dumps(left, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    print(*bad, sep="\n", end="\n" if bad else "")
    return bool(bad)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    sys.exit(main(sys.argv[1:]))
