"""Builds the native extension; everything else about the distribution is in pyproject.toml.

DJP_TELEMETRY_NATIVE=auto (default): build it if the machine can, else install the no-op package and say so.
DJP_TELEMETRY_NATIVE=require: a failing build fails the installation.
DJP_TELEMETRY_NATIVE=off: install the no-op package only.
"""

import glob
import os
import shlex
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

MODE = os.environ.get("DJP_TELEMETRY_NATIVE", "auto").strip().lower()
LIBRARIES = {"libcurl": "curl", "libprotobuf-c": "protobuf-c", "zlib": "z", "libmicrohttpd": "microhttpd"}


def pkg_config(option):
    try:
        out = subprocess.check_output(["pkg-config", option, *LIBRARIES], stderr=subprocess.DEVNULL)
        return shlex.split(out.decode())
    except (OSError, subprocess.CalledProcessError):
        return []


def extension():
    includes = [flag[2:] for flag in pkg_config("--cflags") if flag.startswith("-I")]
    link = [flag for flag in pkg_config("--libs") if flag.startswith("-L")]
    # Threads call back into the library when they end, so that it must never be unloaded under them.
    hide = [] if sys.platform == "darwin" else ["-Wl,--exclude-libs,ALL", "-Wl,-z,nodelete"]
    return Extension(
        "djp_telemetry._native",
        sources=["core/src/djp.c"] + sorted(glob.glob("core/gen/*.c")) + sorted(glob.glob("bindings/python/src/*.c")),
        depends=glob.glob("core/**/*.[ch]", recursive=True) + glob.glob("bindings/python/src/*.h"),
        include_dirs=["core/include", "core/src", "core", "bindings/python/src", *includes],
        libraries=list(LIBRARIES.values()),
        # -fno-plt: a request calls the interpreter about a hundred times, each time without a second jump.
        extra_compile_args=[
            "-std=c11",
            "-O2",
            "-D_GNU_SOURCE",
            "-fvisibility=hidden",
            "-fno-plt",
            "-fno-strict-aliasing",
        ]
        + shlex.split(os.environ.get("DJP_TELEMETRY_CFLAGS", "")),
        extra_link_args=link + hide + shlex.split(os.environ.get("DJP_TELEMETRY_LDFLAGS", "")),
        optional=MODE != "require",
    )


class build_native(build_ext):
    """build_ext that explains what a missing native part means."""

    def build_extension(self, ext):
        try:
            super().build_extension(ext)
        except Exception as error:
            if MODE == "require":
                raise
            print(
                f"djp-telemetry: the native core could not be built ({error}); the package will install as a no-op. "
                "Install a C compiler, the Python headers, and the development packages of "
                "libcurl, protobuf-c, zlib and libmicrohttpd, then install again.",
                file=sys.stderr,
            )


setup(ext_modules=[] if MODE == "off" else [extension()], cmdclass={"build_ext": build_native})
