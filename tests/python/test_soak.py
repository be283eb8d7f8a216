"""The soak for a few seconds; `make soak` runs it for ten minutes."""

import pathlib
import subprocess
import sys

import pytest
from support import clean_environment

pytest.importorskip("djp_telemetry._native")


@pytest.mark.slow
def test_a_short_soak():
    program = pathlib.Path(__file__).parents[1] / "soak.py"
    done = subprocess.run(
        [sys.executable, str(program), "--seconds", "10"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0 and done.stdout.endswith("passed\n"), done.stdout + done.stderr
