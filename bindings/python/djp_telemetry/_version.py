"""The version of the package; a test compares it with the one place that holds it,
core/include/djp/version.h."""

__version__ = "0.1.0"
