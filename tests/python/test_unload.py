"""The native part stays in memory once it is loaded: it contains its thread's code and the hooks of
ending threads."""

import subprocess
import sys

CODE = """
import _ctypes, glob, importlib.util
folder = importlib.util.find_spec("djp_telemetry").submodule_search_locations[0]
path = glob.glob(folder + "/_native*.so")[0]
_ctypes.dlclose(_ctypes.dlopen(path, 2))
print(path in open("/proc/self/maps").read())
"""


def test_the_library_is_never_unloaded():
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "True"
