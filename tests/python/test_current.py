"""The current span when spans are left in another order than they were entered: never one that was
left, always the nearest that is still entered. Spans entered in a generator are not visible
outside."""

import asyncio
import concurrent.futures
import contextvars
import gc
import threading
import weakref

import djp_telemetry
import pytest
from djp_telemetry import attach, baggage, detach, get_current_span, start_span, use_span
from support import take, telemetry


@pytest.fixture(autouse=True)
def memory():
    with telemetry():
        yield


def entered(name):
    span = start_span(name)
    span.__enter__()
    return span


def leave(span):
    span.__exit__(None, None, None)


def nobody():
    return not get_current_span().get_span_context().is_valid


def test_two_generators_that_are_zipped():
    def steps(name):
        with start_span(name):
            for n in range(3):
                yield n
                with start_span(f"{name} {n}"):
                    pass

    with start_span("root") as root:
        assert list(zip(steps("a"), steps("b"))) == [(0, 0), (1, 1), (2, 2)]
        gc.collect()
        assert get_current_span() is root
    assert nobody()
    assert {span.trace_id for span in take()} == {
        root.get_span_context().trace_id.to_bytes(16, "big")
    }


@pytest.mark.parametrize(
    "order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
)
def test_every_order_of_leaving(order):
    spans = [entered(f"s{n}") for n in range(3)]
    still = list(range(3))
    for n in order:
        leave(spans[n])
        still.remove(n)
        if still:
            assert get_current_span() is spans[max(still)]
    assert nobody()


def test_children_after_a_leave_out_of_order_have_a_parent_that_lives():
    first, second = entered("first"), entered("second")
    leave(first)
    with start_span("child"):
        pass
    leave(second)
    with start_span("later"):
        pass
    spans = take()
    assert spans.one("child").parent_span_id == spans.one("second").span_id
    assert spans.one("later").parent_span_id == b""


def test_attached_contexts_and_their_baggage():
    a = attach(baggage.set_baggage("who", "a"))
    b = attach(baggage.set_baggage("who", "b"))
    c = use_span(start_span("c"))
    c.__enter__()
    detach(a)
    assert baggage.get_baggage("who") == "b"
    detach(b)
    assert baggage.get_baggage("who") is None
    assert get_current_span().is_recording()
    c.__exit__(None, None, None)
    assert nobody() and baggage.get_all() == {}


def test_a_span_that_ended_without_being_left_does_not_stay():
    outer, inner = entered("outer"), entered("inner")
    inner.end()
    leave(outer)
    assert nobody()


def test_leaving_twice_and_entering_again():
    with start_span("root") as root:
        span = entered("span")
        leave(span)
        leave(span)
        assert get_current_span() is root
        with span:
            assert get_current_span() is span
        assert get_current_span() is root


def test_a_task_keeps_the_span_that_it_was_born_in():
    async def late(begin, names):
        await begin.wait()
        for name in names:
            with start_span(name):
                await asyncio.sleep(0)

    async def main():
        begin = asyncio.Event()
        with start_span("request"):
            task = asyncio.ensure_future(late(begin, ["one", "two"]))
            await asyncio.sleep(0)
        begin.set()
        await task

    asyncio.run(main())
    spans = take()
    assert {span.parent_span_id for span in (spans.one("one"), spans.one("two"))} == {
        spans.one("request").span_id
    }


def test_a_span_left_in_a_copy_of_its_context():
    def end_there(span):
        leave(span)
        return nobody()

    def main():
        span = entered("span")
        assert contextvars.copy_context().run(end_there, span)
        assert nobody()
        with span:  # entered again, it is current again
            assert get_current_span() is span
        assert nobody()

    contextvars.Context().run(main)


async def opened(name):
    with start_span(name):
        yield 1
        yield 2


@pytest.mark.parametrize("outer", [True, False])
def test_an_async_generator_that_another_task_closes(outer):
    async def main():
        for n in range(3):
            left = opened(f"left {n}")
            await left.__anext__()
            inner = entered("still here") if n == 1 else None
            await asyncio.create_task(left.aclose())
            with start_span(f"next {n}"):
                pass
            if inner is not None:
                assert get_current_span() is inner
                leave(inner)
        return get_current_span()

    async def around():
        with start_span("outer") as span:
            assert await main() is span

    asyncio.run(around()) if outer else asyncio.run(main())
    spans = take()
    root = spans.one("outer").span_id if outer else b""
    assert [spans.one(f"next {n}").parent_span_id for n in (0, 2)] == [root, root]
    assert spans.one("next 1").parent_span_id == spans.one("still here").span_id


def test_an_async_generator_that_the_collector_closes():
    async def main():
        async for _ in opened("left"):
            break
        gc.collect()
        await asyncio.sleep(0.01)  # the loop closes it in a separate task
        assert nobody()

    asyncio.run(main())
    assert take().one("left")


def test_a_generator_that_another_thread_closes():
    def steps():
        with start_span("step"), use_span(start_span("used")):
            yield

    def main():
        steps_of_main = steps()
        next(steps_of_main)
        thread = threading.Thread(target=steps_of_main.close)
        thread.start()
        thread.join()
        assert nobody()

    contextvars.Context().run(main)


def test_a_context_that_is_detached_elsewhere():
    def main():
        with start_span("root") as root:
            token = attach(baggage.set_baggage("tenant", "a"))
            assert baggage.get_all() == {"tenant": "a"}
            contextvars.copy_context().run(detach, token)
            assert get_current_span() is root and baggage.get_all() == {}

    contextvars.Context().run(main)


def test_contexts_of_spans_left_elsewhere_are_freed():
    def once():
        span = entered("span")
        contextvars.copy_context().run(leave, span)
        return weakref.ref(span)

    assert nobody()
    references = [contextvars.Context().run(once) for _ in range(3)]
    references += [once() for _ in range(100)]
    assert nobody()
    gc.collect()
    assert [reference() for reference in references] == [None] * 103


def test_a_detached_span_stays_open():
    with start_span("root") as root:
        span = entered("span")
        detach(span)
        assert get_current_span() is root and span.is_recording()
        span.end()


def test_decorated_generators_keep_their_own_spans_current():
    @djp_telemetry.traced("steps")
    def steps(name):
        for n in range(2):
            with start_span(f"{name} {n}") as span:
                yield n
                assert get_current_span() is span
                with start_span(f"{name} inside {n}"):
                    pass

    with start_span("root") as root:
        for _ in zip(steps("a"), steps("b")):
            assert get_current_span() is root
    spans = take()
    for name in ("a", "b"):
        assert spans.one(f"{name} inside 0").parent_span_id == spans.one(f"{name} 0").span_id
        assert spans.one(f"{name} 1").parent_span_id == spans.one(f"{name} 0").parent_span_id


def test_many_spans_in_one_chain():
    spans = [entered("deep") for _ in range(3000)]
    for span in spans:
        leave(span)
    assert nobody()


def test_spans_that_lie_above_one_another():
    """Left in one context and entered again in another, each of two spans is beneath the other."""
    below = entered("below")
    other = contextvars.copy_context()
    above = other.run(entered, "above")
    detach(below)

    def enter_again():
        below.__enter__()
        below.end()
        detach(above)
        assert nobody()
        leave(below)
        assert nobody()

    other.run(enter_again)
    leave(above)
    assert nobody()


def test_more_spans_that_lie_above_one_another():
    spans = [entered("s0")]
    other = contextvars.copy_context()
    spans += other.run(lambda: [entered("s1"), entered("s2")])
    detach(spans[0])

    def enter_again():
        spans[0].__enter__()
        top = entered("top")
        for span in spans:
            span.end()
        detach(spans[2])
        top.end()
        detach(spans[1])
        leave(spans[0])
        leave(top)

    other.run(enter_again)
    assert nobody()


# ---- threads and tasks --------------------------------------------------------------------------


def test_threads_begin_empty_unless_the_context_is_copied():
    seen = []
    with start_span("main") as span:
        thread = threading.Thread(target=lambda: seen.append(get_current_span()))
        thread.start()
        thread.join()
        copied = contextvars.copy_context()
        thread = threading.Thread(
            target=lambda: copied.run(lambda: seen.append(get_current_span()))
        )
        thread.start()
        thread.join()
    assert seen == [djp_telemetry.INVALID_SPAN, span]


def test_to_thread_carries_the_span():
    def work():
        with start_span("in thread"):
            return get_current_span()

    async def main():
        with start_span("main"):
            await asyncio.to_thread(work)

    asyncio.run(main())
    spans = take()
    assert spans.one("in thread").parent_span_id == spans.one("main").span_id


def test_spans_of_one_trace_in_many_threads():
    with start_span("root") as root, concurrent.futures.ThreadPoolExecutor(8) as pool:

        def work(number):
            with start_span("work", {"n": number}, parent=root):
                return number

        assert list(pool.map(work, range(200))) == list(range(200))
    spans = take()
    assert len(spans) == 201 and len({span.span_id for span in spans}) == 201
    assert {span.trace_id for span in spans} == {spans.one("root").trace_id}


def test_leaving_in_another_context_changes_nothing_there():
    span = start_span("elsewhere")
    contextvars.copy_context().run(span.__enter__)
    with start_span("here") as here:
        span.__exit__(None, None, None)
        assert get_current_span() is here
    assert len(take()) == 2


def test_an_async_generator_that_is_collected_elsewhere():
    async def stream():
        with start_span("stream"):
            yield 1
            yield 2

    async def main():
        generator = stream()
        assert await generator.asend(None) == 1
        await asyncio.create_task(generator.aclose())

    asyncio.run(main())
    assert take().one("stream").status.code == 0
