"""OTLP over gRPC: thousands of calls in a row, every status, restarts, ageing connections,
receivers that are not gRPC."""

from __future__ import annotations

import pytest
from fault_server import FaultServer
from send_otlp import Sender, send_once

pytest.importorskip("grpc")
from grpc_fault_server import GrpcFaultServer  # noqa: E402


def test_a_call_is_well_formed(tmp_path):
    body = tmp_path / "body"
    body.write_bytes(b"\x0a\x00" * 40)
    with GrpcFaultServer("ok") as server:
        result = send_once(
            server.url,
            "grpc",
            body=body,
            headers="Authorization: Bearer topsecretvalue\nX-Tenant: blue\nte: gzip",
        )
        call = server.calls[0]
    assert (result["outcome"], result["status"], result["wire_bytes"], result["message"]) == (
        "sent",
        0,
        85,
        "",
    )
    assert call.body == b"\x0a\x00" * 40
    assert (
        call.metadata["authorization"] == "Bearer topsecretvalue"
        and call.metadata["x-tenant"] == "blue"
    )
    assert call.metadata["user-agent"] == "djp-telemetry-test/1"
    assert call.seconds_left is not None and 4 < call.seconds_left <= 5


def test_compressed_messages_arrive_whole(tmp_path):
    body = tmp_path / "body"
    content = b"0123456789" * 200_000
    body.write_bytes(content)
    with (
        GrpcFaultServer("ok") as server,
        Sender(server.url, "grpc", body=body, compress=1) as sender,
    ):
        results = [sender.send() for _ in range(3)]
        assert [call.body == content for call in server.calls] == [True] * 3
    assert all(result["outcome"] == "sent" and result["wire_bytes"] < 30_000 for result in results)


def test_three_thousand_calls_in_a_row_on_one_connection():
    with GrpcFaultServer("ok") as server, Sender(server.url, "grpc") as sender:
        summary = sender.many(3000)
        assert summary["sent"] == 3000, summary
        assert len(server.calls) == 3000 and len({call.peer for call in server.calls}) == 1


STATUSES = {
    1: "retry",
    2: "rejected",
    3: "rejected",
    4: "retry",
    5: "rejected",
    6: "rejected",
    7: "rejected",
    8: "rejected",
    9: "rejected",
}
STATUSES.update(
    {
        10: "retry",
        11: "retry",
        12: "rejected",
        13: "rejected",
        14: "retry",
        15: "retry",
        16: "rejected",
    }
)


@pytest.mark.parametrize("code", STATUSES)
def test_each_status_has_its_outcome(code):
    with (
        GrpcFaultServer("ok", (code, "because: 100 % überall"), "ok") as server,
        Sender(server.url, "grpc") as sender,
    ):
        results = [sender.send() for _ in range(3)]
    assert [result["outcome"] for result in results] == ["sent", STATUSES[code], "sent"]
    assert results[1]["status"] == code and "because: 100 % überall" in results[1]["message"]


def test_retry_info_is_obeyed():
    script = [(14, "later", 3), (8, "quota", 1.5), (8, "quota"), (3, "bad", 7), (14, "now")]
    with GrpcFaultServer(*script) as server, Sender(server.url, "grpc") as sender:
        results = [sender.send() for _ in script]
    assert [result["outcome"] for result in results] == [
        "retry",
        "retry",
        "rejected",
        "rejected",
        "retry",
    ]
    assert [result["retry_after_ns"] for result in results] == [
        3_000_000_000,
        1_500_000_000,
        0,
        0,
        0,
    ]


def test_partial_success():
    with (
        GrpcFaultServer("partial", "warning", "bad_message", "ok") as server,
        Sender(server.url, "grpc") as sender,
    ):
        results = [sender.send() for _ in range(4)]
        errors = sender.close()
    assert [result["outcome"] for result in results] == ["sent", "sent", "rejected", "sent"]
    assert [result["rejected"] for result in results] == [9, 0, 0, 0]
    assert "too old" in errors


def test_a_silent_receiver_is_given_up_at_the_deadline():
    with (
        GrpcFaultServer("hang", "ok") as server,
        Sender(server.url, "grpc", timeout_ns=300_000_000) as sender,
    ):
        result = sender.send()
        assert (
            result["outcome"] in ("aborted", "retry") and result["us"] < 600_000
        )  # grpcio ends the call itself at the deadline
        assert sender.send()["outcome"] == "sent"
        server._stop.set()


def test_the_pipeline_can_abort_a_call():
    with (
        GrpcFaultServer("ok", "hang", "ok") as server,
        Sender(server.url, "grpc", abort_ns=100_000_000) as sender,
    ):
        assert sender.send()["outcome"] == "sent"
        assert sender.send()["outcome"] == "aborted"
        assert sender.send()["outcome"] == "sent"
        server._stop.set()


@pytest.mark.parametrize("grace", [0, 1])
def test_a_restarted_receiver_is_found_again_by_the_next_call(grace):
    server = GrpcFaultServer("ok")
    with Sender(server.url, "grpc") as sender:
        for _ in range(4):
            assert sender.many(5)["sent"] == 5
            server.stop(grace)
            result = sender.send()
            assert (result["outcome"], result["status"]) == ("retry", 0)
            server = GrpcFaultServer("ok", port=server.port)
            assert sender.many(5)["sent"] == 5
    server.stop()


def test_connections_that_the_receiver_ages_out_lose_nothing():
    with GrpcFaultServer(
        "ok", max_connection_age_ms=50, max_connection_age_grace_ms=5000
    ) as server:
        with Sender(server.url, "grpc") as sender:
            summary = sender.many(3000)
        assert summary["sent"] == 3000, summary
        assert len({call.peer for call in server.calls}) > 1


@pytest.mark.parametrize("behaviour", ["garbage", "close", "reset", "ok", "404", "hang"])
def test_receivers_that_do_not_speak_http2(behaviour):
    with FaultServer(behaviour) as server:
        with Sender(f"http://127.0.0.1:{server.port}", "grpc", timeout_ns=300_000_000) as sender:
            results = [sender.send() for _ in range(2)]
    for result in results:
        assert result["outcome"] == ("aborted" if behaviour == "hang" else "retry"), result
        assert result["us"] < 600_000


def test_nobody_listens():
    result = send_once("http://127.0.0.1:1", "grpc")
    assert (result["outcome"], result["status"]) == ("retry", 0)


def test_a_forked_child_has_its_own_connection_and_leaves_the_parents_alone():
    with GrpcFaultServer("ok") as server, Sender(server.url, "grpc") as sender:
        assert sender.many(3)["sent"] == 3
        for _ in range(3):
            assert [result["outcome"] for result in sender.in_child()] == ["sent", "sent"]
            assert sender.many(20)["sent"] == 20
        peers = [call.peer for call in server.calls]
    assert len(set(peers)) == 4 and len(set(peers[:3] + peers[5:25])) == 1


def test_large_requests_pass_flow_control(tmp_path):
    body = tmp_path / "body"
    body.write_bytes(bytes(range(256)) * 40_000)
    with GrpcFaultServer("ok") as server, Sender(server.url, "grpc", body=body) as sender:
        assert [sender.send()["outcome"] for _ in range(3)] == ["sent"] * 3
        assert [len(call.body) for call in server.calls] == [10_240_000] * 3


@pytest.mark.parametrize("behaviour", ["ok", "404"])
def test_a_receiver_of_http_is_named(behaviour):
    with (
        FaultServer(behaviour) as server,
        Sender(f"http://127.0.0.1:{server.port}", "grpc") as sender,
    ):
        for _ in range(2):
            message = sender.send()["message"]
            assert "this port speaks HTTP: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in message


@pytest.mark.parametrize("behaviour", ["garbage", "close", "reset"])
def test_what_speaks_no_http_is_not_called_http(behaviour):
    with (
        FaultServer(behaviour) as server,
        Sender(f"http://127.0.0.1:{server.port}", "grpc") as sender,
    ):
        assert "speaks HTTP" not in sender.send()["message"]


def test_a_receiver_of_grpc_that_fails_later_is_not_called_http():
    """Another program may listen on the port for a moment. After a successful gRPC response the SDK
    does not report a wrong protocol."""
    server = GrpcFaultServer("ok")
    with Sender(server.url, "grpc") as sender:
        assert sender.send()["outcome"] == "sent"
        server.stop()
        with FaultServer("ok", port=server.port):
            assert "speaks HTTP" not in sender.send()["message"]


@pytest.mark.parametrize("protocol", ["http", "json"])
def test_a_receiver_of_grpc_is_named_to_http(protocol):
    with GrpcFaultServer("ok") as server:
        result = send_once(server.url + "/v1/traces", protocol)
    assert (
        result["outcome"] == "retry" and "set OTEL_EXPORTER_OTLP_PROTOCOL=grpc" in result["message"]
    ), result
