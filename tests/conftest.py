"""Keeps each test that failed for tools/py-test.sh: a file in the folder DJP_PYTEST_FAILURES with
the test's id in the first line, then what it printed and its error."""

import os
import pathlib

# Not for the processes of pytest-xdist, nor for what tests start.
FOLDER = os.environ.pop("DJP_PYTEST_FAILURES", None)


def pytest_terminal_summary(terminalreporter):
    if FOLDER is None:
        return
    stats = terminalreporter.stats
    for number, report in enumerate(stats.get("failed", []) + stats.get("error", [])):
        parts = [report.nodeid]
        parts += [f"---- {title}\n{text.rstrip()}" for title, text in report.sections]
        parts.append(report.longreprtext.rstrip())
        pathlib.Path(FOLDER, str(number)).write_text("\n".join(parts) + "\n")
