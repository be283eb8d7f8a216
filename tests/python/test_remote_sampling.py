"""Remote sampling with a server of the test: every kind of strategy, changes while running, and all
faults between."""

import json
import time

import djp_telemetry as d
import pytest
from sampling_server import SamplingServer, operations, probability, rate, until
from support import run_program, take, telemetry

FAST = 0.1


def sampling():
    return d.telemetry_status()["sampling"]


def remote():
    return sampling()["remote"]


def record(name, count=1):
    for _ in range(count):
        with d.start_span(name):
            pass


def following(server, **options):
    settings = {
        "sampler": "jaeger_remote",
        "remote_sampling_endpoint": server.endpoint,
        "sample_ratio": 1,
    }
    return telemetry(
        **{**settings, "remote_sampling_interval": FAST, "slow_threshold": 0, **options}
    )


def follow(server, answer):
    """Sends another response, and waits until a later request has applied it."""
    server.answer = answer
    asked = remote()["requests"]
    until(lambda: remote()["responses"] > 0 and remote()["requests"] > asked + 1)


def kept(name, count=1000):
    """How many of so many roots were sampled."""
    take()
    record(name, count)
    return len(take())


def test_nothing_is_asked_before_the_first_span():
    with SamplingServer(probability(0.5)) as server, following(server):
        time.sleep(0.3)
        assert server.requests == []
        assert remote() == {
            "endpoint": server.endpoint + "/sampling",
            "strategy": "",
            "requests": 0,
            "responses": 0,
            "failures": 0,
            "consecutive_failures": 0,
            "last_success": None,
            "last_success_age": None,
            "last_error": "",
        }
        record("first")
        until(lambda: sampling()["ratio_set_by"] == "remote")
        assert sampling()["ratio"] == 0.5
        assert remote()["last_success_age"] >= 0
        assert server.requests[0].startswith("GET /sampling?service=test HTTP/1.1\r\n")


def test_strategies_change_while_running():
    with SamplingServer(probability(1)) as server, following(server):
        record("first")
        follow(server, probability(0.25))
        assert remote()["strategy"] == "probability 0.25"
        assert 150 < kept("any") < 350
        follow(server, operations(0, all=1, some=0.5))
        assert remote()["strategy"] == "2 operations, others probability 0"
        assert sampling()["ratio"] is None and sampling()["ratio_set_by"] == "remote"
        assert kept("all") == 1000 and kept("none") == 0
        assert 400 < kept("some") < 600
        follow(server, rate(5))
        assert remote()["strategy"] == "at most 5 traces a second"
        assert 1 <= kept("any") < 500
        follow(server, operations(0, 0.001, seldom=0))
        assert kept("seldom") == 1 and kept("seldom") == 0
        follow(server, probability(1))
        assert sampling()["ratio"] == 1
        assert kept("any") == 1000


def test_rates_go_on_while_the_same_strategy_is_repeated():
    with SamplingServer(operations(0, 0.001, seldom=0)) as server, following(server):
        record("first")
        follow(server, operations(0, 0.001, seldom=0))
        kept("seldom", 10)
        for _ in range(3):
            follow(server, operations(0, 0.001, seldom=0))
            assert kept("seldom", 10) == 0


def test_errors_are_kept_whatever_a_strategy_says():
    with SamplingServer(operations(0, other=1)) as server, following(server):
        record("first")
        follow(server, operations(0, other=1))
        take()
        with pytest.raises(ValueError), d.start_span("failing"):
            raise ValueError
        record("dull")
        assert [span.name for span in take()] == ["failing"]


@pytest.mark.parametrize("nothing", [probability(0), rate(0), operations(0, a=0)])
def test_a_strategy_of_nothing_lets_nothing_out(nothing):
    with SamplingServer(nothing) as server, following(server):
        record("first")
        follow(server, nothing)
        assert (sampling()["ratio"], sampling()["ratio_set_by"]) == (0, "remote")
        with pytest.raises(ValueError), d.start_span("failing"):
            raise ValueError
        follow(server, probability(1))
        d.flush(10)  # returns False: spans that waited when the strategy came were dropped
        record("seen")
        assert "failing" not in [span.name for span in take()]


def test_below_a_caller_a_strategy_of_nothing_leaves_the_callers_traces():
    with (
        SamplingServer(probability(0)) as server,
        following(server, sampler="parentbased_jaeger_remote"),
    ):
        record("first")
        follow(server, probability(0))
        take()
        parent = d.extract({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
        with d.start_span("child", parent=parent):
            pass
        record("own")
        assert [span.name for span in take()] == ["child"]


def test_a_configured_zero_holds_until_the_server_answers(monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "initialSamplingRate=0")
    with SamplingServer(probability(1)) as server:
        server.status = "503 Busy"
        with following(server, sample_ratio=None):
            record("before")
            until(lambda: remote()["failures"] > 0)
            assert sampling()["ratio"] == 0
            server.status = "200 OK"
            until(lambda: record("after") or sampling()["ratio"] == 1)
            d.flush(10)
            record("seen")
            assert {span.name for span in take()} <= {"after", "seen"}


def test_who_has_the_last_word(tmp_path):
    switch = tmp_path / "switch"
    with (
        SamplingServer(operations(0.5, x=1)) as server,
        following(server, overrides_file=str(switch)),
    ):
        record("first")
        follow(server, operations(0.5, x=1))
        assert d.set_sample_ratio(0.25)
        follow(server, operations(0.1, x=1))
        assert (sampling()["ratio"], sampling()["ratio_set_by"]) == (0.25, "program")
        switch.write_text("ratio=0.75\n")
        until(lambda: sampling()["ratio_set_by"] == "overrides_file")
        switch.unlink()
        until(lambda: sampling()["ratio_set_by"] == "program")
        assert d.set_sample_ratio(None)
        assert (sampling()["ratio"], sampling()["ratio_set_by"]) == (None, "remote")
        assert kept("x") == 1000


FAULTS = {
    "404 Not Found": (b"no such service", "it responded 404: no such service"),
    "500 Oh": (probability(1), "it responded 500"),
    "302 Found": (probability(1), "it responded 302, a redirect, which is not followed"),
}


@pytest.mark.parametrize("status", FAULTS)
def test_a_refusal_changes_nothing(status, capfd):
    with SamplingServer(probability(0.5)) as server, following(server):
        record("first")
        until(lambda: sampling()["ratio_set_by"] == "remote")
        server.extra = f"Location: {server.endpoint}/elsewhere\r\n"
        server.status = status
        server.answer, message = FAULTS[status]
        until(lambda: remote()["consecutive_failures"] > 1)
        assert remote()["last_error"] == message
        assert (sampling()["ratio"], sampling()["ratio_set_by"]) == (0.5, "remote")
        assert not any("elsewhere" in request for request in server.requests)
        server.status = "200 OK"
        server.answer = probability(0.5)
        until(lambda: remote()["consecutive_failures"] == 0)
        told = capfd.readouterr().err
        assert told.count("gave no strategy") == 1 and told.count("responds again") == 1


NO_RATE = "its response is refused: samplingRate is not a number from 0 to 1"
BODIES = {
    b"": "its response is refused: a JSON object is missing",
    b"<html>": "its response is refused: a JSON object is missing",
    b'{"probabilisticSampling":{"samplingRate":NaN}}': NO_RATE,
    b'{"probabilisticSampling":{"samplingRate":1.01}}': NO_RATE,
    b'{"probabilisticSampling":{"samplingRate":1}': "its response is refused: it is not JSON",
    b"[" * 100000: "its response is refused: a JSON object is missing",
    b'{"a":' + b"[" * 100000: "its response is refused: it is not JSON",
    b" " * (2 << 20): "its response is larger than 1048576 bytes",
}


@pytest.mark.parametrize("body", BODIES, ids=lambda body: f"{len(body)} {body[:12]!r}")
def test_what_is_not_understood_changes_nothing(body):
    with SamplingServer(probability(0.5)) as server, following(server):
        record("first")
        until(lambda: sampling()["ratio_set_by"] == "remote")
        server.answer = body
        until(lambda: remote()["failures"] > 0)
        assert remote()["last_error"] == BODIES[body]
        assert (sampling()["ratio"], sampling()["ratio_set_by"]) == (0.5, "remote")


def test_ten_thousand_operations():
    many = operations(0, **{f"op{i}": 1 for i in range(10000)})
    with SamplingServer(many) as server, following(server):
        record("first")
        until(lambda: remote()["strategy"])
        assert (
            remote()["strategy"]
            == "2000 operations, others probability 0; 8000 operations left out"
        )
        assert kept("op0", 10) == 10 and kept("op1999", 10) == 10 and kept("op2000", 10) == 0


def hang(connection):
    connection.recv(1)  # until the other side disconnects


def drip(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


@pytest.mark.parametrize("slowness", [hang, drip])
def test_a_question_that_hangs_holds_up_nothing(slowness):
    with (
        SamplingServer(probability(0.5)) as server,
        following(server, sample_ratio=1, flush_interval=0.05),
    ):
        server.answer = slowness
        record("first")
        until(lambda: server.requests)
        began = time.monotonic()
        for number in range(20):
            record(f"span {number}")
            assert len(take()) >= 1
        assert remote()["failures"] == 0, "the question was over before the exports were"
        took = time.monotonic() - began
        server.answer = probability(0.5)  # of the next request
        until(lambda: remote()["failures"] == 1)
        assert took < time.monotonic() - began
        assert remote()["last_error"] == "it did not respond within 5 seconds"
        until(lambda: server.closed > 0)
        until(lambda: sampling()["ratio"] == 0.5)


@pytest.mark.parametrize("slowness", [hang, drip])
def test_a_question_that_hangs_does_not_hold_up_the_end(slowness):
    with SamplingServer(slowness) as server, following(server):
        record("first")
        until(lambda: server.requests)
        assert d.shutdown(30)
        assert d.telemetry_status().get("sampling", {}).get("remote", {}).get("failures", 0) == 0
        until(lambda: server.closed > 0)


def test_a_server_that_dies_and_comes_back(capfd):
    with SamplingServer(probability(0.5)) as server, following(server):
        record("first")
        until(lambda: sampling()["ratio_set_by"] == "remote")
        server.stop()
        until(lambda: remote()["failures"] > 1)
        assert sampling()["ratio"] == 0.5
        server.answer = probability(0.125)
        server.start()
        until(lambda: sampling()["ratio"] == 0.125)
        told = capfd.readouterr().err
        assert told.count("gave no strategy") == 1
        assert told.count("responds again: probability 0.125") == 1


def test_a_server_that_asks_for_patience():
    with SamplingServer(probability(0.5)) as server, following(server):
        server.status, server.extra = "503 Busy", "Retry-After: 3600\r\n"
        record("first")
        until(lambda: remote()["failures"] == 1)
        server.status = "200 OK"
        time.sleep(1)
        assert remote()["requests"] == 1


@pytest.mark.parametrize("host, sent", [("127.0.0.1", True), ("localhost", False)])
def test_credentials_go_to_the_exporters_own_host_only(host, sent):
    with SamplingServer(probability(0.5)) as server:
        options = {
            "exporter": "otlp",
            "endpoint": f"http://{host}:9",
            "protocol": "http/protobuf",
            "headers": "authorization=Bearer%20secret-of-the-exporter",
            "export_timeout": 0.1,
        }
        with following(server, **options):
            record("first")
            until(lambda: remote()["responses"] > 0)
            assert ("secret-of-the-exporter" in server.requests[0]) == sent


def test_credentials_in_the_address_are_sent_and_not_shown(capfd):
    with SamplingServer(b"no") as server:
        address = (
            server.endpoint.replace("//", "//me:secret-word@") + "/api/sampling?tenant=hidden-word"
        )
        with following(server, remote_sampling_endpoint=address, service_name="a b&c=d"):
            record("first")
            until(lambda: remote()["failures"] > 0)
            assert server.requests[0].startswith(
                "GET /api/sampling?tenant=hidden-word&service=a%20b%26c%3Dd HTTP/1.1"
            )
            assert "\r\nAuthorization: Basic " in server.requests[0]
            told = json.dumps(d.telemetry_status()) + capfd.readouterr().err
            assert "secret-word" not in told and "hidden-word" not in told


FORKED = """
    import json, os, sys, time
    import djp_telemetry as d

    def report(who):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with d.start_span(who):
                pass
            now = d.telemetry_status()["sampling"]
            if now["remote"]["responses"] > 2 and now["ratio"] == 0.25:
                requests = now["remote"]["requests"]
                told = {"who": who, "ratio": now["ratio"], "requests": requests}
                print(json.dumps(told), flush=True)
                return
            time.sleep(0.01)

    d.init_telemetry()
    report("parent before")
    child = os.fork()
    if child == 0:
        now = d.telemetry_status()["sampling"]
        assert now["ratio"] == 0.25 and now["remote"]["requests"] == 0, now
        assert now["remote"]["strategy"], now
        report("child")
        d.shutdown(10)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    report("parent after")
    d.shutdown(10)
"""


@pytest.mark.parametrize("answers", ["quickly", "slowly"])
def test_a_forked_child_asks_on_its_own(tmp_path, answers):
    def slowly(connection):
        time.sleep(0.05)
        body = json.dumps(probability(0.25)).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with SamplingServer(probability(0.25) if answers == "quickly" else slowly) as server:
        done = run_program(
            FORKED,
            tmp_path,
            OTEL_TRACES_SAMPLER="jaeger_remote",
            OTEL_TRACES_SAMPLER_ARG=f"endpoint={server.endpoint},pollingIntervalMs=100,"
            "initialSamplingRate=1",
            OTEL_TRACE_SAMPLE="",
            DJP_TELEMETRY_FILE_PATH=str(tmp_path / "spans.jsonl"),
        )
        reports = [json.loads(line) for line in done.stdout.splitlines()]
        assert [one["who"] for one in reports] == ["parent before", "child", "parent after"], (
            done.stderr
        )
        assert "warning" not in done.stderr


BUSY = """
    import os, threading, time
    import djp_telemetry as d

    d.init_telemetry()
    stop = False

    def work():
        while not stop:
            with d.start_span("work"):
                pass
            time.sleep(0.001)

    thread = threading.Thread(target=work)
    thread.start()
    for number in range(40):
        child = os.fork()
        if child == 0:
            with d.start_span("child"):
                pass
            deadline = time.monotonic() + 30
            while number % 2 and d.telemetry_status()["sampling"]["remote"]["responses"] == 0:
                assert time.monotonic() < deadline
                time.sleep(0.001)
            d.shutdown(10)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    stop = True
    thread.join()
    sampling = d.telemetry_status()["sampling"]
    assert sampling["remote"]["failures"] == 0, sampling
    d.shutdown(10)
"""


def test_forks_in_the_middle_of_questions(tmp_path):
    with SamplingServer(operations(0.5, work=1)) as server:
        run_program(
            BUSY,
            tmp_path,
            OTEL_TRACES_SAMPLER="parentbased_jaeger_remote",
            OTEL_TRACES_SAMPLER_ARG=f"endpoint={server.endpoint},pollingIntervalMs=100",
            OTEL_TRACE_SAMPLE="",
            DJP_TELEMETRY_FILE_PATH=str(tmp_path / "spans.jsonl"),
        )
        assert len(server.requests) > 20


def test_a_process_that_ends_while_a_question_hangs(tmp_path):
    source = """
        import djp_telemetry as d
        d.init_telemetry()
        with d.start_span("only"):
            pass
    """
    with SamplingServer(hang) as server:
        done = run_program(
            source,
            tmp_path,
            timeout=60,
            OTEL_TRACES_SAMPLER="jaeger_remote",
            OTEL_TRACES_SAMPLER_ARG=f"endpoint={server.endpoint},initialSamplingRate=1",
            DJP_TELEMETRY_FILE_PATH=str(tmp_path / "spans.jsonl"),
            OTEL_TRACE_SAMPLE="",
        )
        assert '"only"' in (tmp_path / "spans.jsonl").read_text(), done.stderr
