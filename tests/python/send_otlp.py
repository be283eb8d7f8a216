"""Drives the C program tool_send_otlp, which sends through the core's own transport."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DJP_BUILD", ROOT / "build"))


def program() -> str:
    path = BUILD / "c" / "tool_send_otlp"
    if not path.exists():
        if "DJP_BUILD" in os.environ:
            pytest.fail(f"{path} was not built: run make tools-c")
        pytest.skip(f"{path} was not built: run make tools-c")
    return str(path)


class Sender:
    """One running program with one transport; every command returns its result line."""

    def __init__(
        self,
        endpoint: str,
        protocol: str = "http",
        environment: dict[str, str] | None = None,
        **options: object,
    ):
        arguments = [
            f"endpoint={endpoint}",
            f"protocol={protocol}",
            *(f"{name}={value}" for name, value in options.items()),
        ]
        clean = {
            name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
        }
        self.process = subprocess.Popen(
            [program(), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**clean, **(environment or {})},
        )

    def _line(self, seconds: float = 30) -> dict:
        assert self.process.stdout
        # A timer instead of select(), which misses a line that arrived together with the previous
        # one.
        alarm = threading.Timer(seconds, self.process.kill)
        alarm.start()
        try:
            line = self.process.stdout.readline()
        finally:
            alarm.cancel()
        if not line:
            said = self.process.stderr.read() if self.process.stderr else ""
            raise AssertionError(f"the program ended: {self.process.wait(5)} {said}")
        return json.loads(line)

    def command(self, text: str, seconds: float = 30) -> dict:
        assert self.process.stdin
        # A program that refuses its endpoint has its last line written and may be gone already.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
        return self._line(seconds)

    def send(self) -> dict:
        return self.command("send")

    def many(self, count: int, seconds: float = 120) -> dict:
        return self.command(f"many {count}", seconds)

    def in_child(self) -> list[dict]:
        return [self.command("fork"), self._line()]

    def close(self) -> str:
        """Ends the program and returns its standard error; its exit must be clean."""
        _, errors = self.process.communicate(timeout=20)
        assert self.process.returncode == 0, errors
        return errors

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.process.kill()
            self.process.communicate(timeout=20)


def send_once(endpoint: str, protocol: str = "http", **options: object) -> dict:
    with Sender(endpoint, protocol, **options) as sender:
        return sender.send()
