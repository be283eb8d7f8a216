"""Values and objects that break their contracts, for the tests of bad input."""

import collections
import gc
import itertools
import math
import sys
import weakref

import djp_telemetry
from djp_telemetry import SpanContext, metrics, prom, start_span

HUGE = 10_000_000


def deep_list(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def own_list():
    value = [1]
    value.append(value)
    return value


def own_dict():
    value = {"a": 1}
    value["self"] = value
    value["list"] = [value, value]
    return value


class Raising:
    """Every special method and attribute raises."""

    def __getattribute__(self, name):
        raise RuntimeError(name)

    def _fail(self, *args, **kwargs):
        raise RuntimeError("raising")

    __str__ = __repr__ = __int__ = __float__ = __index__ = __bool__ = __iter__ = __len__ = (
        __getitem__
    ) = _fail
    __setitem__ = __call__ = __eq__ = __hash__ = __enter__ = __exit__ = __await__ = __next__ = (
        __contains__
    ) = _fail
    __lt__ = __gt__ = __add__ = __format__ = __fspath__ = __bytes__ = __instancecheck__ = _fail


class Endless:
    def __iter__(self):
        return iter(itertools.repeat("x", 2000))

    def __len__(self):
        return sys.maxsize

    def __getitem__(self, index):
        if isinstance(index, int) and index > 2000:
            raise IndexError
        return "x"


class LyingClass:
    @property
    def __class__(self):
        return str


class Text(str):
    """A str whose own methods raise."""

    def __eq__(self, other):
        raise RuntimeError("eq")

    def __hash__(self):
        raise RuntimeError("hash")

    __str__ = __len__ = __iter__ = __getitem__ = encode = lower = __eq__


class Number(int):
    def __index__(self):
        raise RuntimeError("index")

    __int__ = __float__ = __eq__ = __hash__ = __index__


class ListOfLies(list):
    def __len__(self):
        return 10**6

    def __iter__(self):
        raise RuntimeError("iter")

    __getitem__ = __iter__


class DictOfLies(dict):
    def keys(self):
        raise RuntimeError("keys")

    items = values = __iter__ = __getitem__ = __len__ = keys


HELD = Endless()

EVIL = {
    "none": lambda: None,
    "nan": lambda: math.nan,
    "minus_inf": lambda: -math.inf,
    "wide": lambda: 1 << 200,
    "wider": lambda: -(10**400),
    "minus_zero": lambda: -0.0,
    "complex": lambda: 1j,
    "huge_text": lambda: "x" * HUGE,
    "huge_wide_text": lambda: "\U0001f600" * (HUGE // 4),
    "huge_bytes": lambda: b"\xff" * HUGE,
    "surrogates": lambda: "\ud800\udfff" * 1000 + "a\0b",
    "nul": lambda: "\0" * 300,
    "bytearray": lambda: bytearray(b"abc"),
    "memoryview": lambda: memoryview(b"abc"),
    "deep": lambda: deep_list(5000),
    "own_list": own_list,
    "own_dict": own_dict,
    "wide_list": lambda: list(range(100_000)),
    "wide_dict": lambda: {f"k{number}": number for number in range(1000)},
    "set": lambda: {1, 2, 3},
    "generator": lambda: (number for number in range(3)),
    "range": lambda: range(10**9),
    "chain_map": lambda: collections.ChainMap({"a": 1}, {"b": own_list()}),
    "raising": Raising,
    "endless": Endless,
    "lying_class": LyingClass,
    "text": lambda: Text("content"),
    "number": lambda: Number(7),
    "list_of_lies": lambda: ListOfLies([1, 2]),
    "dict_of_lies": lambda: DictOfLies(a=1),
    "list_of_evil": lambda: [Raising(), Text("t"), "\ud800", None, own_dict()],
    "dict_of_evil": lambda: {
        "r": Raising(),
        "\ud800": "\udc00",
        1: 2,
        None: None,
        b"b": b"b",
        ("t",): 1,
    },
    "type": lambda: type,
    "class": lambda: Raising,
    "module": lambda: sys,
    "function": lambda: len,
    "exception": lambda: ValueError("x"),
    "span": lambda: start_span("as a value"),
    "context": lambda: SpanContext(1, 2),
    "not_implemented": lambda: NotImplemented,
    "ellipsis": lambda: ...,
    "endless_iterator": itertools.count,
    "proxy": lambda: weakref.proxy(HELD),
    "dead_proxy": lambda: weakref.proxy(Endless()),
}


def named_functions():
    """The functions of djp_telemetry.prom with the number of their arguments."""
    for name, function in vars(prom).items():
        code = getattr(function, "__code__", None)
        if not name.startswith("_") and code is not None and function.__module__ == prom.__name__:
            yield function, code.co_argcount


def restart():
    djp_telemetry.shutdown(1)
    djp_telemetry.init_telemetry(
        enabled=True,
        backend="hybrid",
        exporter="memory",
        sample_ratio=1.0,
        service_name="test",
        log_level="none",
    )


ACTIONS = {
    "shutdown": lambda: djp_telemetry.shutdown(0.2),
    "restart": restart,
    "flush": lambda: djp_telemetry.flush(1),
    "collect": gc.collect,
    "expose": metrics.generate_metrics,
    "status": djp_telemetry.telemetry_status,
}


class Acting:
    """Does something inside every method that the SDK may call."""

    def __init__(self, act):
        self.act = act

    def _text(self, *args):
        self.act()
        return "text"

    def _number(self, *args):
        self.act()
        return 1

    def _mapping(self, *args):
        self.act()
        return {"a": 1}.items()

    def _iterator(self, *args):
        self.act()
        return iter([("traceparent", "x"), self])

    __str__ = __repr__ = to_header = _text
    __int__ = __float__ = __index__ = __len__ = __hash__ = __bool__ = _number
    __iter__ = _iterator
    items = _mapping

    def __eq__(self, other):
        self.act()
        return False

    def __getitem__(self, key):
        self.act()
        if isinstance(key, int):
            raise IndexError
        return "value"

    def __setitem__(self, key, value):
        self.act()

    def __getattr__(self, name):
        self.__dict__["act"]()
        if name == "keys":
            return lambda: ["a", "b"]
        raise AttributeError(name)

    def __call__(self, *args):
        self.act()
        return 1
