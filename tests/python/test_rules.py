"""What OpenMetrics demands of a family, one breach at a time."""

import pytest
from djp_telemetry.prometheus.openmetrics.parser import text_string_to_metric_families

HISTOGRAM = '# TYPE h histogram\nh_bucket{le="1.0"} 1\nh_bucket{le="+Inf"} 2\nh_count 2\nh_sum 3\n'
BREACHES = {
    "no end": "a 1\n",
    "a blank line": "a 1\n\n# EOF\n",
    "text after the end": "a 1\n# EOF\nb 1\n",
    "twice": "a 1\nb 1\na 2\n# EOF\n",
    "a mixed group": '# TYPE a gauge\na{b="1"} 1\na{b="2"} 1\na{b="1"} 2\n# EOF\n',
    "one time only": "# TYPE a gauge\na 1 1\na 1\n# EOF\n",
    "back in time": "# TYPE a gauge\na 1 2\na 1 1\n# EOF\n",
    "no +Inf": HISTOGRAM.replace("+Inf", "2.0") + "# EOF\n",
    "another count": HISTOGRAM.replace("h_count 2", "h_count 3") + "# EOF\n",
    "falling buckets": HISTOGRAM.replace('"1.0"} 1', '"1.0"} 3') + "# EOF\n",
    "no sum": HISTOGRAM.replace("h_sum 3\n", "") + "# EOF\n",
    "no count": HISTOGRAM.replace("h_count 2\n", "") + "# EOF\n",
    "negative with sum": HISTOGRAM.replace('"1.0"', '"-1.0"') + "# EOF\n",
    "no le": HISTOGRAM.replace('{le="1.0"}', "") + "# EOF\n",
    "part of a count": HISTOGRAM.replace("h_count 2", "h_count 2.5") + "# EOF\n",
    "a negative counter": "# TYPE a counter\na_total -1\n# EOF\n",
    "NaN in a counter": "# TYPE a counter\na_total NaN\n# EOF\n",
    "an exemplar on a gauge": '# TYPE a gauge\na 1 # {b="c"} 1\n# EOF\n',
    "a state of 2": '# TYPE a stateset\na{a="b"} 2\n# EOF\n',
    "a state without label": "# TYPE a stateset\na 1\n# EOF\n",
    "an info of 2": "# TYPE a info\na_info 2\n# EOF\n",
    "a quantile of 2": '# TYPE a summary\na{quantile="2"} 1\n# EOF\n',
    "another unit": "# TYPE a gauge\n# UNIT a seconds\n# EOF\n",
    "a unit of an info": "# TYPE a_x info\n# UNIT a_x x\n# EOF\n",
    "an unknown type": "# TYPE a meh\n# EOF\n",
    "two types": "# TYPE a gauge\n# TYPE a gauge\n# EOF\n",
    "a late type": "a 1\n# TYPE a gauge\n# EOF\n",
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_is_refused(name):
    with pytest.raises(ValueError):
        list(text_string_to_metric_families(BREACHES[name]))


def test_the_histogram_without_a_breach_is_read():
    (family,) = text_string_to_metric_families(HISTOGRAM + "# EOF\n")
    assert len(family.samples) == 4
