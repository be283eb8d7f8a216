"""The version: one number in the header of the core, the project and the package."""

import pathlib

import djp_telemetry
from djp_telemetry import _loader, _version


def test_the_version_is_the_same_everywhere():
    root = pathlib.Path(__file__).resolve().parents[2]
    header = (root / "core/include/djp/version.h").read_text()
    project = (root / "pyproject.toml").read_text()
    version = djp_telemetry.__version__
    assert f'#define DJP_VERSION "{version}"' in header and f'version = "{version}"' in project
    assert _loader.impl.__version__ == version
    assert _version.__version__ == version
