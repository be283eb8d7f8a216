"""Writes the state that both packages tell without the native core: the keys of the core's own report, of an instance
that is off, with settings that nobody has read. Run it where the report has changed; tests compare the keys."""

import json
import pathlib
import textwrap

from djp_telemetry import _loader

ROOT = pathlib.Path(__file__).parent.parent
HEAD = '"""The state without the native core, written by tools/noop_status.py."""\n\n'


def state():
    status = json.loads(_loader.native.sdk_resolve({}, {}, "", lambda _: None)["status"])
    for name in status["settings"]:
        status["settings"][name] = {"value": None, "source": "not read"}
    status.update(enabled_by="not read", pid=0, service_name="", problem="The native core is missing.")
    return status


def main():
    status = state()
    text = json.dumps(status, separators=(",", ":"))
    parts = textwrap.wrap(text, 110, break_on_hyphens=False, drop_whitespace=False)
    lines = "\n".join(f"    {part!r}" for part in parts)
    python = ROOT / "bindings/python/djp_telemetry/_noop_status.py"
    python.write_text(f"{HEAD}STATUS = (\n{lines}\n)\n")
    (ROOT / "bindings/node/lib/noop_status.json").write_text(json.dumps(status, indent=2) + "\n")


if __name__ == "__main__":
    main()
