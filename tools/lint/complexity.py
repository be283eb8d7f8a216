"""The complexity of a function in C is at most 15: 1, and 1 for each branch, loop, case, && and ||.

lizard counts it. The key is the function's name, the amount is its complexity. ruff checks Python,
eslint checks JavaScript.
"""

import lizard
from tree import ROOT, C, files, text

LIMIT = 15


def find():
    for path in files(*C):
        for function in lizard.analyze_file.analyze_source_code(
            str(ROOT / path), text(path)
        ).function_list:
            number = function.cyclomatic_complexity
            if number > LIMIT:
                place = f"{path}:{function.start_line}"
                yield (
                    function.name,
                    number,
                    f"{place}: {function.name} has a complexity of {number}, the limit is {LIMIT}",
                )
