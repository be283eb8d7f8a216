"""init_telemetry() for the package's users. Its type, with every option by name, stands in _init.pyi."""

from ._runtime import init_telemetry

__all__ = ["init_telemetry"]
