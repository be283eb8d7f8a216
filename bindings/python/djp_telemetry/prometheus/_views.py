"""The numbers of a metric as the objects `_value`, `_sum`, `_count` and `_buckets`."""

from __future__ import annotations

from typing import Any


class View:
    """An attribute that is made when it is read. One of the instance comes first.

    Args:
        make: Returns the value for an object.
    """

    def __init__(self, make: Any) -> None:
        self._make = make

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        if not instance._is_observable():
            # As if a metric without label values had no numbers.
            raise AttributeError(f"{instance} has no numbers without label values")
        return self._make(instance)


class Number:
    """The number of a counter or gauge.

    Args:
        metric: The metric.
    """

    _multiprocess = False

    def __init__(self, metric: Any) -> None:
        self._metric = metric

    @property
    def _value(self) -> Any:
        return self.get()

    def get(self) -> Any:
        """The number. With shared metrics that of all processes."""
        return self._metric._read()

    def inc(self, amount: float) -> None:
        """Adds an amount.

        Args:
            amount: The amount.
        """
        self._metric.inc(amount)

    def set(self, value: float, timestamp: Any = None) -> None:
        """Replaces the number.

        Args:
            value: The number.
            timestamp: Ignored.
        """
        self._metric._replace(value)

    def get_exemplar(self) -> Any:
        """The exemplar."""
        return (self._metric._exemplars or {}).get(0)

    def set_exemplar(self, exemplar: Any) -> None:
        """Replaces the exemplar.

        Args:
            exemplar: The exemplar.
        """
        self._metric._keep_exemplar(0, exemplar)


class Sum(Number):
    """The sum of a histogram or summary."""

    def get(self) -> Any:
        """The sum."""
        return self._metric._read()[0]


class Count(Number):
    """The number of observations."""

    def get(self) -> Any:
        """The number of observations."""
        return float(sum(self._metric._read()[1]))


class Bucket(Number):
    """The observations of one bucket, without those of lower ones.

    Args:
        metric: The metric.
        index: Index of the bucket.
    """

    def __init__(self, metric: Any, index: int) -> None:
        super().__init__(metric)
        self._index = index

    def get(self) -> Any:
        """The number of observations."""
        return float(self._metric._read()[1][self._index])

    def get_exemplar(self) -> Any:
        """The exemplar."""
        return (self._metric._exemplars or {}).get(self._index)
