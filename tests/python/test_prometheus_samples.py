"""Times of samples."""

from prometheus_support import outcome, pair


def test_times():
    for arguments in ((1, 5), (-1, 5), (1, -1), (1, 1e9), (1.5, 2)):
        got = [
            outcome(lambda m=m, a=arguments: (str(m.Timestamp(*a)), float(m.Timestamp(*a))))
            for m in pair("samples")
        ]
        assert got[0] == got[1]
    ours, _ = pair("samples")
    assert ours.Timestamp(1, 1) < ours.Timestamp(1, 2) < ours.Timestamp(2, 0)
    assert ours.Timestamp(2, 0) > ours.Timestamp(1, 2) != ours.Timestamp(1, 3)
