"""Which names are valid, and how others are escaped."""

import pytest
from prometheus_support import outcome, pair


@pytest.mark.parametrize("legacy", [True, False])
def test_names(legacy):
    modules = pair("validation")
    calls = ("_validate_metric_name", "_validate_labelname", "_validate_metric_label_name_token")
    try:
        for module in modules:
            (module.enable_legacy_validation if legacy else module.disable_legacy_validation)()
        for call in calls:
            for name in ("a", "a:b", "a.b", "0", "__a", "é", '"a.b"', "a b"):
                got = [outcome(lambda m=m, c=call, n=name: getattr(m, c)(n)) for m in modules]
                assert got[0] == got[1], (call, name)
    finally:
        for module in modules:
            module.disable_legacy_validation()


@pytest.mark.parametrize("scheme", ["allow-utf-8", "underscores", "dots", "values", "other"])
def test_escaping(scheme):
    ours, theirs = pair("openmetrics.exposition")
    for name in ("a", "a_b", "a.b", "0a", "é:x", "", 'q"\\\n', "\ud800"):
        for call in ("escape_metric_name", "escape_label_name"):
            assert getattr(ours, call)(name, scheme) == getattr(theirs, call)(name, scheme)
