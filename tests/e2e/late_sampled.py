"""Run as a program by test_late_sampled.py: `late_sampled.py COUNT` records so many local traces of
two spans at the ratio of the environment, of which every tenth fails, and says how many of its
spans left."""

import json
import sys

import djp_telemetry as djp


def main():
    djp.init_telemetry(
        enabled=True, backend="otel", service_name="late_sampled", flush_interval=0.1
    )
    for n in range(int(sys.argv[1])):
        with djp.start_span("root", {"n": n}), djp.start_span("child", {"n": n}) as child:
            if n % 10 == 0:
                child.set_status("error", "no answer")
    ok = djp.flush(20)
    json.dump({"flushed": ok, "status": djp.telemetry_status()}, sys.stdout)


main()
