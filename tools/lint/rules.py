"""rules.py [--shrink] [RULE...]: rules that the tree does not keep everywhere yet.

A rule is a module of this folder whose find() yields (key, amount, text): a breach, or the size of
one. The amounts of a key are summed and compared with tools/lint/left.json. A sum may fall and
never rises: above the number in the file (0 where it has none) the texts of the key are printed,
those of the newest files first, and the run fails. --shrink writes the sums of today where they are
lower.
"""

import collections
import importlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
LEFT = HERE / "left.json"
ROOT = HERE.parents[1]
SHOWN = 12  # places of a key that had some before
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
    """A breach that is new lies most likely in a file that was written last."""

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
                yield f"{rule}: {key}: {sums[key]}, and tools/lint/left.json allows {allowed.get(key, 0)}"


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
