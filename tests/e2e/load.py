"""Many requests at once against a service, and what must be true of the spans that it exported. The
service's answers say under which trace id it worked, so that the ratio's choice is known one by one
and not only on average."""

from __future__ import annotations

import asyncio
import math
import random
import time

TWO_56 = 1 << 56
FAILING = ("raise", "child", "status")


class Request:
    """One request: what it asks for, and what its client saw."""

    def __init__(self, n: int, kind: str, tasks: int):
        self.n, self.kind, self.tasks = n, kind, tasks
        self.status, self.trace_id, self.seconds = 0, "", 0.0

    def path(self) -> str:
        return f"/work/{self.n}/{self.kind}/{self.tasks}"


def mixture(count: int, seed: int) -> list[Request]:
    """Requests in random order: 1 % fail, 0.5 % are slow."""
    source = random.Random(seed)
    failing, slow = count // 100, count // 200
    kinds = [FAILING[i % len(FAILING)] for i in range(failing)] + ["slow"] * slow
    kinds += ["ok"] * (count - len(kinds))
    source.shuffle(kinds)
    return [Request(n, kind, source.randint(1, 3)) for n, kind in enumerate(kinds)]


async def answer(reader: asyncio.StreamReader, request: Request) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    request.status, request.trace_id = int(head[0].split()[1]), headers.get("x-trace-id", "")
    await reader.readexactly(int(headers["content-length"]))


async def client(port: int, waiting: list[Request]) -> None:
    """One connection, one request after the other; a new connection after an error of the server,
    which may end the old one."""
    writer = None
    while waiting:
        request = waiting.pop()
        if writer is None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.monotonic()
        writer.write(f"GET {request.path()} HTTP/1.1\r\nHost: load\r\n\r\n".encode())
        await asyncio.wait_for(answer(reader, request), 30)
        request.seconds = time.monotonic() - began
        if request.status == 500:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()


def drive(port: int, requests: list[Request], connections: int = 24) -> None:
    async def all_of_them() -> None:
        waiting = requests[::-1]
        await asyncio.gather(*(client(port, waiting) for _ in range(connections)))

    asyncio.run(all_of_them())


def bounds(count: int, chance: float, alarm: float = 1e-7) -> tuple[int, int]:
    """Between which a binomial variable lies, except with a probability below `alarm` on either
    side."""

    def probability(k: int) -> float:
        ways = math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
        return math.exp(ways + k * math.log(chance) + (count - k) * math.log1p(-chance))

    middle = int(count * chance)
    low = middle
    while low > 0 and probability(low) > alarm / 100:
        low -= 1
    high = middle
    while high < count and probability(high) > alarm / 100:
        high += 1
    assert sum(probability(k) for k in range(low, high + 1)) > 1 - 2 * alarm
    return low, high


def plain(span: dict) -> dict:
    """The attributes of a span in OTLP JSON; whole numbers as such."""
    out = {}
    for pair in span.get("attributes", []):
        ((kind, value),) = pair["value"].items()
        out[pair["key"]] = int(value) if kind == "intValue" else value
    return out


def threshold(span: dict) -> int:
    """The span's th of its tracestate, which is all that a root without a caller has there."""
    state = span["traceState"]
    assert state.startswith("ot=th:"), state
    return int(state[len("ot=th:") :].ljust(14, "0"), 16)


def weight(span: dict) -> float:
    return TWO_56 / (TWO_56 - threshold(span))


def randomness(trace_id: str) -> int:
    return int(trace_id[-14:], 16)


class Kept:
    """The local trace of one request as it arrived."""

    def __init__(self, spans: list[dict]):
        self.spans = spans
        (self.root,) = [span for span in spans if not span.get("parentSpanId")]
        self.attributes = plain(self.root)
        self.n, self.reason = self.attributes["n"], self.attributes["sampling.reason"]
        self.seconds = (
            int(self.root["endTimeUnixNano"]) - int(self.root["startTimeUnixNano"])
        ) / 1e9
        self.weight = weight(self.root)

    def check(self, request: Request, threads: bool) -> None:
        """Whole, of this request alone, hanging together, and all spans of one weight."""
        names = ["load", "load.cache", *["task"] * request.tasks]
        names += ["late"] * (request.n % 7 == 0) + ["thread"] * (threads and request.n % 11 == 0)
        below = [span for span in self.spans if span is not self.root]
        assert sorted(span["name"] for span in below) == sorted(names), (request.n, request.kind)
        assert {plain(span)["n"] for span in self.spans} == {request.n}
        by_id = {span["spanId"]: span["name"] for span in self.spans}
        for span in below:
            above = "load" if span["name"] == "load.cache" else self.root["name"]
            assert by_id[span["parentSpanId"]] == above
        assert {threshold(span) for span in self.spans} == {threshold(self.root)}


def local_traces(spans: list[dict]) -> dict[int, Kept]:
    """By request. Nothing may have come twice, and no two local traces may be of one request."""
    ids = [(span["traceId"], span["spanId"]) for span in spans]
    assert len(set(ids)) == len(ids), "a span came twice"
    grouped: dict[str, list[dict]] = {}
    for span in spans:
        grouped.setdefault(span["traceId"], []).append(span)
    kept = [Kept(group) for group in grouped.values()]
    found = {trace.n: trace for trace in kept}
    assert len(found) == len(kept)
    return found
