"""OTLP over HTTP with a faulty receiver: retries, refusals and messages."""

from __future__ import annotations

import gzip
import shutil
import socket
import subprocess
import time

import pytest
from fault_server import FaultServer
from send_otlp import Sender, send_once


def test_a_request_is_a_well_formed_post(tmp_path):
    body = tmp_path / "body"
    body.write_bytes(b"\x0a\x00" * 40)
    with FaultServer("ok") as server:
        result = send_once(
            server.url,
            body=body,
            headers="Authorization: Bearer topsecretvalue\nX-Empty:\nbroken line\n"
            "Content-Type: text/evil",
        )
        request = server.requests[0]
    assert (result["outcome"], result["status"], result["wire_bytes"], result["message"]) == (
        "sent",
        200,
        80,
        "",
    )
    assert (request.method, request.path, request.body) == ("POST", "/v1/traces", b"\x0a\x00" * 40)
    assert request.headers["content-type"] == "application/x-protobuf"
    assert request.headers["user-agent"] == "djp-telemetry-test/1"
    assert request.headers["authorization"] == "Bearer topsecretvalue"
    assert request.headers["x-empty"] == ""
    assert request.headers["accept-encoding"] == "gzip"
    assert (
        "expect" not in request.headers
        and "content-encoding" not in request.headers
        and "broken line" not in request.headers
    )


def test_json_has_its_own_type():
    with FaultServer("ok_json", "partial_json") as server, Sender(server.url, "json") as sender:
        assert sender.send()["outcome"] == "sent"
        second = sender.send()
        assert server.requests[0].headers["content-type"] == "application/json"
    assert (second["outcome"], second["rejected"]) == ("sent", 7) and "some" in second["message"]


@pytest.mark.parametrize("size, compressed", [(1024, False), (1025, True), (3_000_000, True)])
def test_only_large_bodies_are_compressed(tmp_path, size, compressed):
    body = tmp_path / "body"
    content = (b"0123456789" * (size // 10 + 1))[:size]
    body.write_bytes(content)
    with FaultServer("ok") as server, Sender(server.url, body=body, compress=1) as sender:
        results = [sender.send(), sender.send()]
        requests = server.requests
    for result, request in zip(results, requests):
        assert result["outcome"] == "sent" and result["wire_bytes"] == len(request.body)
        assert request.headers.get("content-encoding") == ("gzip" if compressed else None)
        assert (gzip.decompress(request.body) if compressed else request.body) == content
        assert (len(request.body) < size / 5) == compressed


def test_one_connection_serves_many_requests():
    with FaultServer("ok") as server, Sender(server.url) as sender:
        assert sender.many(500)["sent"] == 500
        assert server.connections == 1 and len(server.requests) == 500


@pytest.mark.parametrize("behaviour", ["ok_then_close", "ok_and_close_quietly"])
def test_a_connection_that_the_receiver_closes_costs_nothing(behaviour):
    with FaultServer(behaviour) as server, Sender(server.url) as sender:
        assert [sender.send()["outcome"] for _ in range(20)] == ["sent"] * 20
        assert server.connections == 20


OUTCOMES = {
    "ok": "sent",
    "ok_text": "sent",
    "ok_no_type": "sent",
    "bad_protobuf": "rejected",
    "web_page": "rejected",
    "400": "rejected",
    "404": "rejected",
    "413": "rejected",
    "500": "rejected",
    "501": "rejected",
    "302": "rejected",
    "huge": "rejected",
    "bomb": "rejected",
    "bad_gzip": "rejected",
    "endless_headers": "rejected",
    "endless_interim": "rejected",
    "429": "retry",
    "502": "retry",
    "503": "retry",
    "503_date": "retry",
    "503_bad_date": "retry",
    "504": "retry",
    "close": "retry",
    "reset": "retry",
    "reset_in_answer": "retry",
    "cut_answer": "retry",
    "garbage": "retry",
}


@pytest.mark.parametrize("behaviour", OUTCOMES)
def test_each_fault_has_its_outcome_and_the_next_request_is_unharmed(behaviour):
    with (
        FaultServer("ok", behaviour, "ok") as server,
        Sender(server.url, max_response=1 << 20) as sender,
    ):
        assert sender.send()["outcome"] == "sent"
        # A persistent connection that ends without a response is retried at once on a new one,
        # where "ok" responds.
        result = sender.send()
        expected = "sent" if behaviour in ("close", "reset") else OUTCOMES[behaviour]
        assert result["outcome"] == expected, result
        assert sender.send()["outcome"] == "sent"
    if expected != "sent":
        assert server.url in result["message"]


@pytest.mark.parametrize("behaviour", OUTCOMES)
def test_each_fault_on_a_first_connection(behaviour):
    with FaultServer(behaviour) as server:
        result = send_once(server.url, max_response=1 << 20)
    assert result["outcome"] == OUTCOMES[behaviour], result
    assert result["us"] < 3_000_000


def test_retry_after_in_both_forms():
    with (
        FaultServer("429", "503_date", "503_bad_date", "503") as server,
        Sender(server.url) as sender,
    ):
        waits = [sender.send()["retry_after_ns"] for _ in range(4)]
    assert waits[0] == 2_000_000_000
    assert 27e9 < waits[1] <= 31e9
    assert waits[2:] == [0, 0]


def test_the_receivers_words_reach_the_message_and_our_secrets_do_not():
    with FaultServer("400", "404", "302", "401_echo") as server:
        url = server.url.replace("http://", "http://user:hunter22@") + "?token=verysecret"
        with Sender(url, headers="Authorization: Bearer topsecretvalue") as sender:
            results = [sender.send() for _ in range(4)]
            errors = ""
        assert server.requests[0].path == "/v1/traces?token=verysecret"
    assert (
        "bad spans" in results[0]["message"]
        and "nothing here" in results[1]["message"]
        and "redirect" in results[2]["message"]
    )
    for result in results:
        for secret in ("hunter22", "user:", "verysecret", "topsecretvalue"):
            assert secret not in result["message"] + errors


def test_partial_success_counts_and_warns_once_a_minute():
    with (
        FaultServer("partial", "ok_gzip", "warning", "warning") as server,
        Sender(server.url) as sender,
    ):
        results = [sender.send() for _ in range(4)]
        errors = sender.close()
    assert [result["outcome"] for result in results] == ["sent"] * 4
    assert [result["rejected"] for result in results] == [5, 3, 0, 0]
    assert "half of them" in results[0]["message"] and "old schema" in results[2]["message"]
    assert errors.count("half of them") == 1 and "old schema" not in errors


@pytest.mark.parametrize("behaviour", ["hang", "drip"])
def test_a_silent_receiver_is_given_up_at_the_deadline(behaviour):
    with (
        FaultServer(behaviour, "ok") as server,
        Sender(server.url, timeout_ns=300_000_000) as sender,
    ):
        result = sender.send()
        assert result["outcome"] == "aborted" and "time limit" in result["message"]
        assert 290_000 < result["us"] < 600_000
        assert result["polls"] >= 10
        assert sender.send()["outcome"] == "sent"


def test_the_pipeline_can_abort_a_wait():
    with FaultServer("hang", "ok") as server, Sender(server.url, abort_ns=100_000_000) as sender:
        result = sender.send()
        assert result["outcome"] == "aborted" and 100_000 <= result["us"] < 300_000


def test_a_wake_up_ends_a_wait_early():
    with FaultServer("hang") as server, Sender(server.url, timeout_ns=300_000_000) as sender:
        assert sender.command("wake")["polls"] > 100


def test_nobody_listens():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with Sender(f"http://127.0.0.1:{port}/v1/traces", timeout_ns=2_000_000_000) as sender:
            result = sender.send()
            assert (result["outcome"], result["status"]) == ("retry", 0) and result["us"] < 500_000
            with FaultServer("ok", port=0) as server:
                assert server.port != port
            assert sender.send()["outcome"] == "retry"


def test_retries_end_in_success_or_at_the_deadline():
    with FaultServer("429_fast", "ok") as server, Sender(server.url) as sender:
        result = sender.command("retry")
        assert (result["outcome"], result["attempts"]) == ("sent", 2)
    with FaultServer("503") as server, Sender(server.url, timeout_ns=1_500_000_000) as sender:
        result = sender.command("retry")
        assert result["outcome"] == "retry" and result["attempts"] >= 1 and result["us"] < 1_600_000


def test_requests_over_the_limit_are_not_sent(tmp_path):
    body = tmp_path / "body"
    body.write_bytes(b"x" * 5000)
    with FaultServer("ok") as server:
        result = send_once(server.url, body=body, max_request=4999, compress=1)
        assert (
            result["outcome"] == "rejected"
            and "limit" in result["message"]
            and server.requests == []
        )


def test_a_forked_child_has_its_own_connection_and_leaves_the_parents_alone():
    with FaultServer("ok") as server, Sender(server.url) as sender:
        assert sender.send()["outcome"] == "sent"
        assert [result["outcome"] for result in sender.in_child()] == ["sent", "sent"]
        assert sender.many(20)["sent"] == 20
        connections = [request.connection for request in server.requests]
    assert connections == [1, 2, 2] + [1] * 20


@pytest.mark.parametrize(
    "endpoint",
    [
        "ftp://127.0.0.1/x",
        "http://",
        "not a url at all",
        "http://127.0.0.1:99999/v1/traces",
        "file:///etc/passwd",
        "",
    ],
)
def test_endpoints_that_cannot_work_are_refused_at_once(endpoint):
    assert send_once(endpoint)["outcome"] == "invalid"


def test_unix_socket(tmp_path):
    path = str(tmp_path / "otlp.sock")
    with FaultServer("ok", unix=path) as server:
        assert send_once(f"unix://{path}")["outcome"] == "sent"
        assert server.requests[0].path == "/v1/traces"


def test_proxies_are_used_except_for_loopback():
    far = "http://collector.invalid:4318/v1/traces"
    with FaultServer("ok") as proxy, FaultServer("ok") as server:
        address = f"http://proxyuser:proxypass@127.0.0.1:{proxy.port}"
        assert send_once(far, http_proxy=address)["outcome"] == "sent"
        assert proxy.requests[0].path == far and "proxy-authorization" in proxy.requests[0].headers
        assert send_once(server.url, http_proxy=address)["outcome"] == "sent"
        result = send_once(far, http_proxy=address, no_proxy="collector.invalid")
        assert result["outcome"] == "retry" and "proxypass" not in result["message"]
        with Sender(far, environment={"http_proxy": address}) as sender:
            assert (
                sender.send()["outcome"] == "retry"
            )  # the environment is read by the configuration, not by the transport
        assert len(proxy.requests) == 1 and len(server.requests) == 1


def test_a_stuck_name_server_holds_up_neither_the_deadline_nor_the_end(tmp_path):
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler is here")
    source, library = tmp_path / "stuck.c", tmp_path / "stuck.so"
    source.write_text(
        "#include <unistd.h>\n"
        "int getaddrinfo(void *a, void *b, void *c, void *d) { sleep(20); return -3; }\n"
    )
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-w", "-fno-builtin", "-o", str(library), str(source)],
        check=True,
    )
    with Sender(
        "http://collector.invalid:4318/v1/traces",
        environment={"LD_PRELOAD": str(library), "ASAN_OPTIONS": "verify_asan_link_order=0"},
        timeout_ns=200_000_000,
    ) as sender:
        for _ in range(2):
            result = sender.send()
            assert result["outcome"] == "aborted" and result["us"] < 500_000, result
        began = time.monotonic()
        sender.close()
        assert time.monotonic() - began < 2
