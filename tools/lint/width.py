"""Code and comments are at most 100 columns wide, public headers 88; documents are not wrapped.

The key is the first two folders of a path, the amount is 1 for each line.
"""

from tree import JAVASCRIPT, PYTHON, C, area, files, text

LIMIT, HEADER_LIMIT = 100, 88


def find():
    for path in files(*C, *PYTHON, *JAVASCRIPT, ".sh"):
        limit = HEADER_LIMIT if str(path).startswith("core/include/") else LIMIT
        for number, line in enumerate(text(path).split("\n"), 1):
            if len(line) > limit:
                yield area(path), 1, f"{path}:{number}: {len(line)} columns, the limit is {limit}"
