"""The line logged at the end of a process of which no span was sampled."""

import pytest
from support import run_program

PROGRAM = """
import djp_telemetry
djp_telemetry.init_telemetry()
for _ in range(3):
    with djp_telemetry.start_span("work") as span:
        if {failing}:
            span.set_status("error")
"""


@pytest.mark.parametrize("ratio", ["0.000001", "1"])
@pytest.mark.parametrize("failing", [False, True])
def test_a_process_that_kept_no_span_says_which_setting_keeps_all(tmp_path, ratio, failing):
    done = run_program(PROGRAM.format(failing=failing), tmp_path, DJP_TELEMETRY_SAMPLE_RATIO=ratio)
    lines = [line for line in done.stderr.splitlines() if "was sampled" in line]
    assert len(lines) == (ratio != "1" and not failing), done.stderr
    for line in lines:
        assert (
            "None of 3 ended spans was sampled: the ratio is 1e-06" in line
            and "sample_ratio 1 samples all" in line
        )


def test_a_forked_child_says_nothing(tmp_path):
    done = run_program(
        """
        import os
        import djp_telemetry
        djp_telemetry.init_telemetry()
        if os.fork() == 0:
            djp_telemetry.start_span("child").end()
            djp_telemetry.shutdown(5)
            os._exit(0)
        os.wait()
        """,
        tmp_path,
        DJP_TELEMETRY_SAMPLE_RATIO="0.000001",
    )
    assert "was sampled" not in done.stderr
