"""The extension as a module: several instances, their end, and what importing leaves alone."""

import gc
import importlib.machinery
import importlib.util
import weakref

import djp_telemetry
import pytest
from djp_telemetry import _loader
from growth import gives_back

native = _loader.native or pytest.skip("without the core", allow_module_level=True)
NAME = "djp_telemetry._native"


def another():
    """A second instance of the extension, with separate types and state."""
    loader = importlib.machinery.ExtensionFileLoader(NAME, native.__file__)
    spec = importlib.util.spec_from_loader(NAME, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def types_of(module):
    return {name: kind for name, kind in vars(module).items() if isinstance(kind, type)}


def use(module):
    """Objects of each part of the module."""
    context = module.extract({"traceparent": f"00-{5:032x}-{6:016x}-01", "baggage": "a=1"})
    with module.use_span(context), module.attach(context):
        module.inject()
    module.get_tracer("t", "1").start_as_current_span("s")
    counter = module.Counter("c", "d", ["a"])
    counter.labels("x").inc()
    gauge = module.Gauge("g")  # a function of a gauge is kept, with the module
    with module.Histogram("h").time():
        pass
    module._metrics_expose(None, None)
    app = module.AsgiApp()
    app._setup(lambda *given: None, None, None, None, (), None, None, None)
    return [context, counter, gauge, app, context.span]


def test_a_second_instance_is_separate():
    module = another()
    assert module is not native and module.__version__ == native.__version__
    own, ours = types_of(module), types_of(native)
    assert own.keys() == ours.keys() and all(own[name] is not ours[name] for name in own)
    assert module.INVALID_SPAN is not native.INVALID_SPAN
    assert type(module.INVALID_SPAN) is module.Span and not module.INVALID_SPAN.is_recording()
    context = module.SpanContext(5, 6)
    assert native.start_span("s", parent=context) is native.INVALID_SPAN or (
        native.start_span("s", parent=context).get_span_context().span_id == 6
    )
    assert module.Context(native.SpanContext(5, 6)).get_span_context().span_id == 6


@pytest.mark.parametrize("used", [False, True])
def test_an_instance_that_is_dropped_frees_its_types(used):
    module = another()
    objects = use(module) if used else []
    seen = [weakref.ref(kind) for kind in types_of(module).values()]
    assert len(seen) >= 14
    del objects, module
    for _ in range(3):
        gc.collect()
    assert [one() for one in seen if one() is not None] == []


def test_objects_outlive_their_module():
    module = another()
    context, counter, gauge, app, span = use(module)
    del module
    gc.collect()
    assert context.get_span_context().span_id == 6 and span.get_span_context().is_valid
    counter.labels("y").inc()
    gauge.set(3)
    assert counter.value == gauge.value == 0 and repr(app)
    assert context.baggage.set("b", "2").items() == {"a": "1", "b": "2"}
    with span:
        span.set_attribute("k", 1)


def test_an_instance_with_an_sdk_that_is_dropped():
    module = another()
    settings = module.sdk_start(
        {"enabled": "true", "backend": "hybrid", "exporter": "memory", "sample_ratio": "1"},
        {},
        "s",
        lambda message: None,
    )
    assert settings["enabled"] is True
    span = module.start_span("open", {"a": 1})
    counter = module.Counter("c_total")
    counter.inc()
    seen = weakref.ref(module.Span)
    assert span.is_recording() and counter.value == 1
    assert module.sdk_stop(5) is not None  # an active SDK keeps its module
    del span, counter, module
    for _ in range(3):
        gc.collect()
    assert seen() is None


def test_dropping_an_instance_gives_back_its_memory():
    def call():
        module = another()
        objects = use(module)
        del objects, module
        gc.collect()

    call()
    gc.collect()
    gc.freeze()  # what other tests hold makes each collection of this one slow
    try:
        assert gives_back(call, 20)
    finally:
        gc.unfreeze()


def test_the_collector_sees_what_the_module_references():
    referents = gc.get_referents(native)
    own = {kind.__name__ for kind in types_of(native).values()}
    state = {item.__name__ for item in referents if isinstance(item, type)}
    assert own - {"Instrument"} <= state  # that one is in the module's dictionary only
    assert any(item is native.INVALID_SPAN for item in referents)


def test_names_of_the_module():
    assert native.__name__ == NAME and "native core" in native.__doc__
    assert native.__version__ == djp_telemetry.__version__
    for name in ("Span", "SpanContext", "Baggage", "Context", "Tracer", "Counter", "AsgiApp"):
        assert isinstance(getattr(native, name), type)
    assert native.Counter.__name__ == "Counter" and native.Span.__name__ == "Span"
