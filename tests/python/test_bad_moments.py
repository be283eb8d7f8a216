"""Objects that run code while they are read, and calls at unusual moments: from finalizers, signal
handlers and many threads, before the start, after the shutdown and between. Also run with
AddressSanitizer: most faults here are of memory."""

import builtins
import datetime
import gc
import signal
import threading
import time
import weakref

import djp_telemetry
import pytest
from djp_telemetry import INVALID_SPAN, SpanContext, metrics, otel, start_span
from djp_telemetry.metrics import Counter, Gauge, Histogram
from evil import ACTIONS, Acting, named_functions, restart
from support import attributes, take, telemetry

pytest.importorskip("djp_telemetry._native")


@pytest.fixture
def on():
    with telemetry(backend="hybrid"):
        yield
    assert djp_telemetry.get_current_span() is INVALID_SPAN


# ---- objects that act while they are read ------------------------------------------------------


@pytest.fixture(params=list(ACTIONS))
def action(request):
    """A collection looks only at objects of the test, or it would take most of the time."""
    gc.collect()
    gc.freeze()
    yield ACTIONS[request.param]
    gc.unfreeze()


def test_a_value_that_leaves_its_dict_while_it_is_read(on, monkeypatch):
    """And others take its place each time: the initial items are read, once."""
    values = {"moment": datetime.datetime(1999, 12, 31)}
    real, calls = builtins.__import__, []

    def act(*args, **kwargs):
        calls.append(1)
        del values[list(values)[0]]
        # the memory of the removed value
        taken = [datetime.datetime(2000, 1, 1, hour) for hour in range(24)]
        values[f"moment {len(calls)}"] = taken[len(calls) % 24]
        return real(*args, **kwargs)

    with start_span("read") as span:
        monkeypatch.setattr(builtins, "__import__", act)
        span.set_attributes(values)
        monkeypatch.undo()
    assert 1 <= len(calls) < 20
    assert attributes(take().one("read").attributes)["moment"] == "1999-12-31T00:00:00.000"


class ActingError(Exception):
    def __init__(self, act):
        super().__init__()
        self.act = act

    def __str__(self):
        self.act()
        return "acting"


def test_spans_of_objects_that_act(on, action):
    acting = Acting(action)
    tracer = djp_telemetry.get_tracer("t")
    for name in ("name", "attributes", "kind", "links", "start_time", "parent"):
        restart()
        with (
            start_span("outer"),
            tracer.start_as_current_span(**{"name": "s", name: acting}) as span,
        ):
            span.set_attribute("a", 1)
        start_span(**{"name": "s", name: acting}).end()
    restart()
    with start_span("s", links=[acting, (acting, acting)]) as span:
        span.set_attributes(acting)
        span.add_event("e", acting)
        span.add_link(acting)
        span.set_status(acting, acting)
        span.record_exception(ActingError(action), acting)
        djp_telemetry.inject(acting)
        djp_telemetry.inject({}, acting)
        djp_telemetry.extract(acting)
        djp_telemetry.extract({}, acting)
    with pytest.raises(ActingError):
        with start_span("s"):
            raise ActingError(action)
    djp_telemetry.flush(1)


def test_metrics_of_objects_that_act(on, action):
    acting = Acting(action)
    counter, gauge = Counter("acting_total", "a"), Gauge("acting", "a")
    histogram = Histogram("acting_seconds", "a", ["x"])
    for _ in range(3):
        restart()
        counter.inc(acting)
        counter.inc(acting, {"trace_id": acting})
        counter.inc(amount=acting)
        gauge.set(acting)
        gauge.inc(acting)
        gauge.dec(acting)
        histogram.labels(acting).observe(acting)
        histogram.labels("x").observe(acting)
        histogram.remove(acting)
        histogram.labels(x=acting).observe(1)
        with histogram.time() as timer:
            timer.labels(acting)
        gauge.set_function(acting)
        metrics.generate_metrics()
        Histogram("acting_buckets", "a", ["x"], buckets=acting)
        Counter("acting_labels_total", "a", acting).labels("a", "b").inc()
        otel.record_http_span(acting, acting, acting, acting)
        for function, count in named_functions():
            function(*[acting] * count)
    gauge.set_function(lambda: 0)


def test_a_counter_whose_telemetry_is_replaced_while_it_reads_the_amount(on):
    counter, histogram = Counter("moved_total", "m"), Histogram("moved_seconds", "m")

    class Amount:
        def __float__(self):
            for _ in range(3):
                restart()
                counter.inc(0)
                histogram.observe(0)
            gc.collect()
            return 1.0

    for _ in range(5):
        counter.inc(Amount())
        histogram.observe(Amount())


def test_labels_that_are_cleared_while_they_are_read(on):
    counter = Counter("cleared_total", "c", ["a"])

    class Label:
        def __str__(self):
            counter.labels("x").inc()
            counter.clear()
            counter.remove("x")
            counter.labels("y").inc()
            return "label"

    class Odd(str):
        def __hash__(self):
            counter.clear()
            return 1

        def __eq__(self, other):
            counter.clear()
            return True

        __str__ = str.__repr__

    class Deceiver:
        def __str__(self):
            return Odd("odd")

    for _ in range(20):
        counter.labels("kept").inc()
        counter.labels(Label()).inc()
        counter.labels(Deceiver()).inc()
        counter.remove(Label())
        counter.remove(Deceiver())


def test_a_timer_whose_metric_changes_while_labels_are_read(on):
    timer = Histogram("shifting_seconds", "s", ["a"]).time()
    calls = []

    class Label:
        def __str__(self):
            if len(calls) < 5:
                calls.append(timer.labels("x"))
                gc.collect()
            return "label"

    with timer:
        timer.labels(Label())


def test_a_span_that_is_left_while_its_exception_is_read(on):
    class Leaving(Exception):
        span = None

        def __str__(self):
            self.span.__exit__(None, None, None)
            return "leaving"

    for _ in range(10):
        with start_span("outer"):
            with pytest.raises(Leaving):
                with start_span("s") as span:
                    error = Leaving()
                    error.span = span
                    raise error
            span.__exit__(Leaving, error, None)
    assert {span.name for span in take()} == {"outer", "s"}


def test_a_parent_that_nobody_else_holds(on):
    class Owner:
        def get_span_context(self):
            return start_span("made for the answer", {"a": "x" * 1000})

    class Emptier(Owner):
        def __init__(self, mapping):
            self.mapping = mapping

        def get_span_context(self):
            self.mapping.clear()
            gc.collect()

    for _ in range(50):
        start_span("child", parent=Owner()).end()
        mapping = {}
        mapping["a"], mapping["b"] = Emptier(mapping), start_span("parent", {"a": "x" * 1000})
        start_span("child of mapping", parent=mapping).end()
        with start_span("s") as span:
            span.add_link(Owner())
        djp_telemetry.Context(Owner())
        mapping["a"], mapping["b"] = Emptier(mapping), start_span("parent")
        djp_telemetry.Context(mapping)
    spans = {}
    for span in take():
        spans.setdefault(span.name, []).append(span)
    parents = {
        span.span_id for span in spans.get("made for the answer", []) + spans.get("parent", [])
    }
    assert all(span.parent_span_id in parents or not parents for span in spans["child"])


def test_containers_that_change_while_they_are_read(on):
    """Collection runs finalizers in the middle of conversions; they empty what is being read."""

    class Last:
        def __init__(self, target):
            self.target, self.itself = target, self

        def __del__(self):
            self.target.clear()

    gc.collect()
    before = gc.get_threshold()
    try:
        for index in range(200):
            target = ["\ud800" * 50 for _ in range(50)] + [[["\udfff"]]] * 20
            mapping = {f"\ud800{number}": "\udc00" * 20 for number in range(30)}
            gc.disable()
            Last(target)
            Last(mapping)
            gc.enable()
            gc.set_threshold(1 + index % 7)
            with start_span("s", {"v": target, "m": mapping}) as span:
                span.set_attributes(mapping)
                span.add_event("e", mapping)
                djp_telemetry.extract(mapping)
            gc.set_threshold(*before)
    finally:
        gc.set_threshold(*before)
        gc.enable()
    assert djp_telemetry.flush(5)


def test_numbers_that_act_behind_a_proxy(on):
    target = []

    class Index:
        def __index__(self):
            target.clear()
            gc.collect()
            return 1

        __float__ = __index__

    held = Index()
    for _ in range(20):
        target[:] = ["x" * 100, weakref.proxy(held), "y" * 100, "\ud800"] * 5
        with start_span("s", {"v": target, "w": weakref.proxy(held)}):
            pass


def test_a_trace_state_that_changes_while_it_is_written(on):
    class Word(str):
        def __str__(self):
            state.clear()
            gc.collect()
            return "word"

    state = SpanContext(1, 2, trace_state="a=b,c=d").trace_state
    for _ in range(20):
        state[Word("k")] = "".join(["v"] * 100)
        state["z"] = Word("v" * 100)
        state.to_header()
        djp_telemetry.SpanContext(1, 2, trace_state=state)


# ---- moments -----------------------------------------------------------------------------------


def use_everything():
    with (
        start_span("s", {"a": 1}) as span,
        djp_telemetry.get_tracer("t").start_as_current_span("c"),
    ):
        span.set_attribute("b", 2)
        span.add_event("e")
        djp_telemetry.extract(djp_telemetry.inject())
    Counter("moments_total", "m", ["a"]).labels("x").inc()
    Histogram("moments_seconds", "m").observe(1)
    metrics.generate_metrics()
    djp_telemetry.telemetry_status()
    djp_telemetry.get_current_trace_id()


def test_before_between_and_after():
    djp_telemetry.shutdown(1)
    use_everything()
    assert djp_telemetry.flush(1) and djp_telemetry.shutdown(1)
    with telemetry(backend="hybrid"):
        use_everything()
        span = start_span("kept")
        ended = start_span("ended")
        ended.end()
        entered = start_span("entered").__enter__()
    for old in (span, ended, entered):
        old.set_attribute("late", [1, {"a": "b"}])
        old.add_event("late")
        old.record_exception(ValueError("late"))
        old.add_link(old.context)
        old.update_name("late")
        old.set_status("error")
        start_span("child", parent=old).end()
        old.end()
        old.end()
        assert not old.is_recording()
    entered.__exit__(None, None, None)
    with telemetry(backend="hybrid"):
        for old in (span, ended):
            with old:
                start_span("below").end()
            old.set_attribute("late", 1)
        assert djp_telemetry.telemetry_status()["spans"]["started"] == 2
        use_everything()
    use_everything()


def test_beginning_and_ending_many_times():
    counter = Counter("cycles_total", "c")
    for number in range(150):
        with telemetry(backend="hybrid"):
            counter.inc()
            with start_span("s"):
                pass
            if number % 3:
                assert djp_telemetry.flush(5)
    assert threading.active_count() < 50


def test_signal_handlers_that_record(on):
    """Python runs its handlers between two instructions, including those of the package's Python
    code."""
    calls, over = [], []

    def handler(number, frame):
        use_everything()
        djp_telemetry.flush(0.01)
        if len(calls) % 10 == 9:
            restart()
        calls.append(number)
        if not over:  # at the end, or a slow machine would do nothing but handle signals
            signal.setitimer(signal.ITIMER_REAL, 0.001)

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    try:
        end = time.monotonic() + 2
        while time.monotonic() < end or len(calls) < 6:
            use_everything()
            restart()
    finally:
        over.append(True)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_finalizers_that_record(on):
    class Late:
        def __init__(self):
            self.itself, self.span = self, start_span("held")

        def __del__(self):
            use_everything()
            self.span.end()

    before = gc.get_threshold()
    gc.set_threshold(5)
    try:
        for _ in range(300):
            Late()
            use_everything()
    finally:
        gc.set_threshold(*before)
        gc.collect()
    assert djp_telemetry.flush(10)


def test_threads_hammer_while_telemetry_ends_and_begins():
    stop, problems = threading.Event(), []
    counter, histogram = Counter("hammer_total", "h", ["a"]), Histogram("hammer_seconds", "h")
    gauge = Gauge("hammer", "h")
    shared = start_span("shared")

    def guarded(function):
        def run():
            try:
                while not stop.is_set():
                    function()
            except BaseException as error:
                problems.append(error)

        return run

    def count():
        for number in range(50):
            counter.labels(str(number % 7)).inc()
            histogram.observe(number)
            Gauge("hammer_short_lived", "h").set(number)

    def change():
        counter.clear()
        counter.remove("1")
        gauge.set_function(lambda: 1)
        metrics.generate_metrics()

    def share():
        shared.set_attribute("a", [1, "\ud800"])
        with djp_telemetry.use_span(shared):
            djp_telemetry.inject()

    threads = [
        threading.Thread(target=guarded(task))
        for task in (use_everything, count, count, change, share)
    ]
    for thread in threads:
        thread.start()
    for _ in range(60):
        with telemetry(backend="hybrid"):
            shared = start_span("shared")
            time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert not problems


def test_one_span_entered_and_left_by_many_threads(on):
    class Slow(Exception):
        def __str__(self):
            time.sleep(0)
            return "slow"

    def work(span):
        try:
            with span:
                raise Slow
        except Slow:
            pass

    for _ in range(30):
        span = start_span("shared")
        threads = [threading.Thread(target=work, args=(span,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert djp_telemetry.flush(5)
