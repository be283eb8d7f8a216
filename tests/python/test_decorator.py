"""Signatures of decorated functions."""

import functools

from djp_telemetry.prometheus.decorator import decorate_with, getargspec


def test_the_signature_is_that_of_the_function_inside():
    class Manager:
        def __enter__(self):
            entered.append(self)

        def __exit__(self, *exception):
            return None

    def add(a, b=1, *c, **d):
        return a + b

    entered = []
    decorated = decorate_with(functools.wraps(add)(lambda *args: add(*args)), Manager)
    assert decorated(1) == decorated(0, 2) == 2
    assert len(set(entered)) == 2
    assert getargspec(decorated) == (["a", "b"], "c", "d", (1,))
