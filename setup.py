"""Builds the native extension; everything else about the distribution is in pyproject.toml.

DJP_TELEMETRY_NATIVE=auto (default): builds it if the machine can, else installs the no-op package
with the reason. DJP_TELEMETRY_NATIVE=require: a failed build fails the installation.
DJP_TELEMETRY_NATIVE=off: installs the no-op package only.

pip must never install a cached wheel without the native core in place of one with it. pip installs
a wheel that it has just built whatever its tag is, but takes from its cache only wheels with a tag
of the interpreter. So the no-op gets a tag that fits no interpreter when pip builds it.
"""

import glob
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # before setuptools 70.1
    from wheel.bdist_wheel import bdist_wheel

MODE = os.environ.get("DJP_TELEMETRY_NATIVE", "auto").strip().lower()
# The same as in binding.gyp.
HARDENING = ["-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"]
LIBRARIES = {
    "libcurl": "curl",
    "libprotobuf-c": "protobuf-c",
    "zlib": "z",
    "libmicrohttpd": "microhttpd",
}
REASON_FILE = os.path.join("djp_telemetry", "_native_missing.txt")
BUILT_BY_PIP = "PIP_BUILD_TRACKER" in os.environ or "PIP_REQ_TRACKER" in os.environ

# Requirements of a build: a line of C that includes the header, and its packages for apt, dnf and
# apk.
NEEDS = {
    "the C library's headers": ("#include <stdlib.h>", "build-essential", "gcc", "build-base"),
    "the Python headers": ("#include <Python.h>", "python3-dev", "python3-devel", "python3-dev"),
    "libcurl": ("#include <curl/curl.h>", "libcurl4-openssl-dev", "libcurl-devel", "curl-dev"),
    "protobuf-c": (
        "#include <protobuf-c/protobuf-c.h>",
        "libprotobuf-c-dev",
        "protobuf-c-devel",
        "protobuf-c-dev",
    ),
    "zlib": ("#include <zlib.h>", "zlib1g-dev", "zlib-devel", "zlib-dev"),
    "libmicrohttpd": (
        "#include <microhttpd.h>",
        "libmicrohttpd-dev",
        "libmicrohttpd-devel",
        "libmicrohttpd-dev",
    ),
}
INSTALLERS = (("apt-get", "apt-get install", 1), ("dnf", "dnf install", 2), ("apk", "apk add", 3))


def pkg_config(option):
    found = []
    for library in LIBRARIES:  # one by one, so that a missing one does not hide the others
        try:
            out = subprocess.check_output(
                ["pkg-config", option, library], stderr=subprocess.DEVNULL
            )
            found += shlex.split(out.decode())
        except (OSError, subprocess.CalledProcessError):
            continue
    return list(dict.fromkeys(found))


def includes():
    return [flag[2:] for flag in pkg_config("--cflags") if flag.startswith("-I")]


def extension():
    link = [flag for flag in pkg_config("--libs") if flag.startswith("-L")]
    # Threads call back into the library when they end, so it must never be unloaded.
    hide = (
        []
        if sys.platform == "darwin"
        else ["-Wl,--exclude-libs,ALL", "-Wl,-z,nodelete", "-Wl,-z,relro,-z,now"]
    )
    return Extension(
        "djp_telemetry._native",
        sources=["core/src/djp.c"]
        + sorted(glob.glob("core/gen/*.c"))
        + sorted(glob.glob("bindings/python/src/*.c")),
        depends=glob.glob("core/**/*.[ch]", recursive=True) + glob.glob("bindings/python/src/*.h"),
        include_dirs=["core/include", "core/src", "core", "bindings/python/src", *includes()],
        libraries=list(LIBRARIES.values()),
        # -fno-plt: a request calls the interpreter about a hundred times; each call saves a jump.
        extra_compile_args=[
            "-std=c11",
            "-O2",
            "-D_GNU_SOURCE",
            "-fvisibility=hidden",
            "-fno-plt",
            "-fno-strict-aliasing",
            *HARDENING,
        ]
        + shlex.split(os.environ.get("DJP_TELEMETRY_CFLAGS", "")),
        extra_link_args=link + hide + shlex.split(os.environ.get("DJP_TELEMETRY_LDFLAGS", "")),
        optional=MODE != "require",
    )


def compiler():
    return shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")


def finds(line):
    """Whether the preprocessor accepts a line. Only the Python.h of the interpreter counts."""
    folders = [sysconfig.get_path("include"), sysconfig.get_path("platinclude"), *includes()]
    command = [*compiler(), "-E", "-x", "c", *[f"-I{folder}" for folder in folders], "-"]
    try:
        done = subprocess.run(
            command, input=line.encode(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return done.returncode == 0
    except OSError:
        return False


def why(error):
    """The cause of a failed build in one or two sentences, with the packages to install."""
    if shutil.which(compiler()[0]) is None:
        missing = [f"a C compiler ({compiler()[0]} was not found)"]
        packages = [NEEDS["the C library's headers"], *[need for need in list(NEEDS.values())[1:]]]
    else:
        missing = [name for name, need in NEEDS.items() if not finds(need[0])]
        packages = [NEEDS[name] for name in missing]
    if not missing:
        return (
            f"the compiler failed ({' '.join(str(error).split())[:500]}); install with "
            "DJP_TELEMETRY_NATIVE=require -v to see its output"
        )
    is_one = len(missing) == 1 and not missing[0].endswith("headers")
    text = f"{', '.join(missing)} {'is' if is_one else 'are'} missing"
    for program, command, column in INSTALLERS:
        if shutil.which(program) is not None:
            return (
                f"{text}: {command} {' '.join(need[column] for need in packages)}, "
                "then install again without pip's cache"
            )
    return f"{text}: install the packages of your system for them, then install again"


def keep_reason(folder, reason):
    path = os.path.join(folder, REASON_FILE)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(reason + "\n")


class build_package(build_py):
    """build_py that writes the reason into a package that is a no-op by request, and removes an old
    reason from any other."""

    def run(self):
        super().run()
        path = os.path.join(self.build_lib, REASON_FILE)
        if MODE == "off":
            keep_reason(self.build_lib, "it was installed with DJP_TELEMETRY_NATIVE=off")
        elif os.path.exists(path):
            os.remove(path)


class build_native(build_ext):
    """build_ext that reports missing requirements: on standard error, and in the package as the
    reason of the no-op."""

    def build_extension(self, ext):
        try:
            super().build_extension(ext)
        except Exception as error:
            reason = why(error)
            print(f"djp-telemetry: the native core could not be built: {reason}.", file=sys.stderr)
            if MODE == "require":
                raise
            print("djp-telemetry: the package is installed as a no-op.", file=sys.stderr)
            keep_reason(self.build_lib, f"it could not be built at installation: {reason}")


class wheel(bdist_wheel):
    """bdist_wheel with a tag that depends on whether the native core is inside."""

    def native(self):
        folder = self.get_finalized_command("build").build_lib
        return bool(glob.glob(os.path.join(glob.escape(folder), "djp_telemetry", "_native*.so")))

    def get_tag(self):
        return super().get_tag() if self.native() else ("py3", "none", "any")

    def run(self):
        super().run()
        if self.native() or not BUILT_BY_PIP:
            return
        files = self.distribution.dist_files
        for at, (command, version, path) in enumerate(files):
            if path.endswith("-py3-none-any.whl"):
                renamed = path[: -len("any.whl")] + "native_core_missing.whl"
                os.replace(path, renamed)
                files[at] = (command, version, renamed)


setup(
    ext_modules=[] if MODE == "off" else [extension()],
    cmdclass={"build_ext": build_native, "build_py": build_package, "bdist_wheel": wheel},
)
