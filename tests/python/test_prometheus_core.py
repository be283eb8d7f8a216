"""The modules have the names that those of prometheus_client have."""

import importlib
import pkgutil

import prometheus_client
import pytest
from djp_telemetry import prometheus
from prometheus_support import pair

MODULES = [
    module.name[len("prometheus_client.") :]
    for module in pkgutil.walk_packages(prometheus_client.__path__, "prometheus_client.")
]
# Parts of a library that prometheus_client contains, and how it reads its lines.
NOT_HERE = {
    "decorator": {
        "ContextManager",
        "FunctionMaker",
        "append",
        "contextmanager",
        "decorate",
        "decorator",
        "dispatch_on",
        "get_init",
        "DEF",
        "POS",
        "EMPTY",
    },
    "parser": {"ESCAPE_SEQUENCES", "ESCAPING_RE", "HELP_ESCAPING_RE", "replace_escape_sequence"},
    "openmetrics.parser": {"ESCAPE_SEQUENCES", "ESCAPING_RE"},
    "metrics": {"F", "T"},
    "exposition": {"SNAPPY_AVAILABLE", "snappy"},
}


def public(module):
    """What a module defines, and its constants."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (getattr(value, "__module__", "") == module.__name__ or name.isupper())
        and name != "TYPE_CHECKING"
    }


def test_the_package_has_the_names():
    assert set(prometheus_client.__all__) <= set(prometheus.__all__)


@pytest.mark.parametrize("name", [n for n in MODULES if not n.startswith("twisted")])
def test_each_module_has_the_names(name):
    ours, theirs = pair(name)
    missing = {item for item in public(theirs) if not hasattr(ours, item)}
    assert missing <= NOT_HERE.get(name, set())


def test_twisted_is_left_out_without_it():
    if importlib.util.find_spec("twisted") is None:
        with pytest.raises(ImportError):
            importlib.import_module("djp_telemetry.prometheus.twisted")
    else:
        assert importlib.import_module("djp_telemetry.prometheus.twisted").MetricsResource
