"""Runs the test programs of a mutant: in a separate session, with a limit of time and memory."""

import os
import resource
import signal
import subprocess
import tempfile
import time


def _limited(bytes_of_memory):
    def limit():
        if bytes_of_memory:
            resource.setrlimit(resource.RLIMIT_AS, (bytes_of_memory, bytes_of_memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    return limit


def run(command, folder, seconds=120, memory=0, environment=None):
    """Runs it in a separate session and ends the whole session afterwards. Returns the exit status
    (None: timeout) and the output."""
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_limited(memory),
        )
        try:
            status = child.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()
        output.seek(0)
        return status, output.read().decode(errors="replace")


class Test:
    """One test program or file. Its time without a mutant limits its time with one."""

    def __init__(self, path, name, command, memory=0):
        self.path, self.name, self.command, self.memory = path, name, command, memory
        self.seconds = self.good = None

    def measure(self, folder, environment):
        """A test that fails without a mutant is not used."""
        start = time.monotonic()
        status, output = run(self.command, folder, 120, self.memory, environment)
        self.seconds = time.monotonic() - start
        if status != 0:
            print(f"left out, fails without a mutant: {self.name}\n{output[-400:]}", flush=True)
        return status == 0

    def notices(self, folder, environment):
        return run(self.command, folder, 10 + 4 * self.seconds, self.memory, environment)[0] != 0
