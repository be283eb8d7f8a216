"""Keeps each test that failed for tools/py-test.sh: a file in the folder DJP_PYTEST_FAILURES with
the test's id in the first line, then what it printed and its error."""

import logging
import os
import pathlib

import pytest

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


@pytest.fixture(autouse=True)
def log_levels_of_a_new_process():
    """A test that lowers a level of logging does not change what later ones capture."""
    levels = {logging.getLogger(): logging.WARNING, logging.getLogger("djp_telemetry"): 0}
    for logger, level in levels.items():
        logger.setLevel(level)
    yield
