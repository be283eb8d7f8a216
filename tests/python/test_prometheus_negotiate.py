"""Which exposition a client gets."""

import prometheus_client
import pytest
from djp_telemetry.prometheus import _negotiate
from djp_telemetry.prometheus.exposition import choose_encoder, gzip_accepted

OPENMETRICS = "application/openmetrics-text"


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "*/*",
        "text/plain",
        "text/plain;version=0.0.4",
        "text/plain; version=1.0.0; escaping=values",
        OPENMETRICS,
        f"{OPENMETRICS};version=0.0.1",
        f"{OPENMETRICS};version=1.0.0;escaping=allow-utf-8",
        f"{OPENMETRICS};version=1.0.0;escaping=none",
        f"{OPENMETRICS};version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    ],
)
def test_a_header_in_order_of_preference_is_read_as_before(accept):
    assert choose_encoder(accept)[1] == prometheus_client.exposition.choose_encoder(accept)[1]


@pytest.mark.parametrize(
    ("accept", "is_openmetrics"),
    [
        (f"{OPENMETRICS};version=1.0.0;q=0.2,text/plain;q=0.9", False),
        (f"text/plain;q=0.2,{OPENMETRICS};version=1.0.0;q=0.9", True),
        (f"{OPENMETRICS};q=0,text/plain", False),
        (f"{OPENMETRICS};q=0", False),
        (f"{OPENMETRICS};q=x,text/plain;q=0.1", False),
        (f"{OPENMETRICS};version=x;q=1,text/plain;q=0.1", False),
    ],
)
def test_the_quality_decides(accept, is_openmetrics):
    assert _negotiate.choose(accept)[0] is is_openmetrics
    assert choose_encoder(accept)[1].startswith(OPENMETRICS) is is_openmetrics


def test_only_known_versions_are_named():
    assert "version=2.0.0" in choose_encoder(f"{OPENMETRICS};version=7.1")[1]
    assert "version=1.0.0" in choose_encoder("text/plain;version=3.0.0")[1]


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (None, False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=0, *", False),
        ("br", False),
        ("*", True),
        ("gzip;q=0, *", False),
        ("*", True),
    ],
)
def test_gzip(header, accepted):
    assert gzip_accepted(header) is accepted
