"""Starts real backend programs on free loopback ports for one test, and ends exactly those. Never
downloads or builds anything."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

INFRA = pathlib.Path(os.environ.get("DJP_INFRA", pathlib.Path.home() / ".cache/djp-infra")) / "bin"


def find(*names: str) -> str:
    """Path of the first program that exists, on PATH or in DJP_INFRA/bin; skips, or fails where
    skipping is not allowed."""
    for name in names:
        path = shutil.which(name) or (str(INFRA / name) if (INFRA / name).exists() else None)
        if path:
            return path
    if os.environ.get("DJP_E2E_REQUIRED"):
        pytest.fail(f"{names[0]} is required here and was not found on PATH or in {INFRA}")
    pytest.skip(f"{names[0]} is not on PATH and not in {INFRA}")


def find_optional(name: str) -> str:
    """A program that takes long to build: without it the test is skipped everywhere."""
    path = shutil.which(name) or (str(INFRA / name) if (INFRA / name).exists() else None)
    return path or pytest.skip(f"{name} is not on PATH and not in {INFRA}")


def find_collector(*components: str) -> str:
    """A Collector with these components compiled in; distributions differ."""
    names = ("otelcol-djp", "otelcol-contrib", "otelcol")
    first = find(*names)
    if not components:
        return first
    for folder in [*os.environ.get("PATH", "").split(os.pathsep), str(INFRA)]:
        for name in names:
            path = shutil.which(name, path=folder)
            if path:
                has = subprocess.run(
                    [path, "components"], capture_output=True, text=True, timeout=20
                ).stdout
                if all(f"- name: {component}\n" in has for component in components):
                    return path
    pytest.skip(f"no Collector with {', '.join(components)} on PATH or in {INFRA}")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_for(what, seconds: float = 20.0, message: str = "it did not happen"):
    """Calls what() until it returns something true; any exception means "not yet"."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            value = what()
            if value:
                return value
        except Exception as error:  # noqa: BLE001
            last = error
        time.sleep(0.1)
    raise AssertionError(f"{message} ({last})")


def get_json(url: str, **params):
    query = "?" + urllib.parse.urlencode(params) if params else ""
    with urllib.request.urlopen(url + query, timeout=5) as answer:
        return json.load(answer)


class Program:
    """One running program; its output goes to a log file in the folder."""

    def __init__(
        self,
        name: str,
        command: list[str],
        folder: pathlib.Path,
        ready,
        env: dict[str, str] | None = None,
    ):
        self.name, self.command, self.folder, self.ready, self.env = (
            name,
            command,
            folder,
            ready,
            env,
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        environment = {**os.environ, **(self.env or {})}
        with open(self.folder / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=environment)
        wait_for(
            self.ready, 40, f"{self.name} did not start, see {self.folder / (self.name + '.log')}"
        )

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)


class Jaeger(Program):
    """Jaeger in memory; with strategies (the content of its file of sampling strategies) it also
    serves remote sampling."""

    def __init__(self, folder: pathlib.Path, strategies: dict | None = None):
        program = find("jaeger")
        self.grpc, self.http, self.query, query_grpc, health = (free_port() for _ in range(5))
        self.strategies = folder / "strategies.json"
        config = {
            "service": {
                "extensions": ["jaeger_storage", "jaeger_query", "healthcheckv2"],
                "pipelines": {
                    "traces": {
                        "receivers": ["otlp"],
                        "processors": ["batch"],
                        "exporters": ["jaeger_storage_exporter"],
                    }
                },
                "telemetry": {"metrics": {"level": "none"}},
            },
            "extensions": {
                "healthcheckv2": {"use_v2": True, "http": {"endpoint": f"127.0.0.1:{health}"}},
                "jaeger_storage": {"backends": {"mem": {"memory": {"max_traces": 10000}}}},
                "jaeger_query": {
                    "storage": {"traces": "mem"},
                    "http": {"endpoint": f"127.0.0.1:{self.query}"},
                    "grpc": {"endpoint": f"127.0.0.1:{query_grpc}"},
                },
            },
            "receivers": {
                "otlp": {
                    "protocols": {
                        "grpc": {"endpoint": f"127.0.0.1:{self.grpc}"},
                        "http": {"endpoint": f"127.0.0.1:{self.http}"},
                    }
                }
            },
            "processors": {"batch": {"timeout": "100ms"}},
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "mem"}},
        }
        if strategies:
            self.sampling = free_port()
            self.write_strategies(strategies)
            config["service"]["extensions"].append("remote_sampling")
            config["extensions"]["remote_sampling"] = {
                "file": {"path": str(self.strategies), "reload_interval": "200ms"},
                "http": {"endpoint": f"127.0.0.1:{self.sampling}"},
                "grpc": {"endpoint": f"127.0.0.1:{free_port()}"},
            }
        (folder / "jaeger.yaml").write_text(json.dumps(config))
        command = [program, "--config", str(folder / "jaeger.yaml")]
        super().__init__(
            "jaeger",
            command,
            folder,
            lambda: get_json(self.url("services")) is not None,
            {"OTEL_TRACES_SAMPLER": "always_off"},
        )

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.query}/api/{path}"

    def write_strategies(self, strategies: dict) -> None:
        """Replaces the file in one step, so that no half of it is ever read."""
        part = self.strategies.with_suffix(".part")
        part.write_text(json.dumps(strategies))
        part.replace(self.strategies)

    def trace(self, trace_id: str, spans: int):
        def ready():
            data = get_json(self.url(f"traces/{trace_id}"))["data"]
            return data[0] if data and len(data[0]["spans"]) >= spans else None

        return wait_for(ready, 20, f"trace {trace_id} with {spans} spans is not in Jaeger")


class Collector(Program):
    """A Collector that writes every received span to a file and passes it on to Jaeger when one is
    given.

    `branches` are further ways of the same spans, each through its own processors into its own
    file; `connectors` make metrics of them, into metrics.jsonl. Received metrics are written to
    pushed.jsonl."""

    def __init__(
        self,
        folder: pathlib.Path,
        jaeger: Jaeger | None = None,
        receiver: dict | None = None,
        branches: dict[str, dict[str, dict]] | None = None,
        connectors: dict[str, dict] | None = None,
    ):
        branches, connectors = branches or {}, connectors or {}
        program = find_collector(
            *sorted({name for branch in branches.values() for name in branch}), *connectors
        )
        self.grpc, self.http, self.health = free_port(), free_port(), free_port()
        file = folder / "otlp.jsonl"
        exporters: dict = {"file": {"path": str(file), "flush_interval": "100ms", "append": True}}
        if jaeger:
            exporters["otlp_grpc/jaeger"] = {
                "endpoint": f"127.0.0.1:{jaeger.grpc}",
                "tls": {"insecure": True},
            }
        config: dict = {
            "receivers": {
                "otlp": {
                    "protocols": {
                        "grpc": {"endpoint": f"127.0.0.1:{self.grpc}", **(receiver or {})},
                        "http": {"endpoint": f"127.0.0.1:{self.http}"},
                    }
                }
            },
            "exporters": exporters,
            "extensions": {"health_check": {"endpoint": f"127.0.0.1:{self.health}"}},
            "service": {
                "extensions": ["health_check"],
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": list(exporters)}},
            },
        }
        exporters["file/pushed"] = {
            "path": str(folder / "pushed.jsonl"),
            "flush_interval": "100ms",
        }
        config["service"]["pipelines"]["metrics/pushed"] = {
            "receivers": ["otlp"],
            "exporters": ["file/pushed"],
        }
        self.add_branches(config, folder, branches, connectors)
        (folder / "collector.yaml").write_text(json.dumps(config))
        super().__init__(
            "collector",
            [program, "--config", str(folder / "collector.yaml")],
            folder,
            self.is_healthy,
        )

    @staticmethod
    def add_branches(config: dict, folder: pathlib.Path, branches: dict, connectors: dict) -> None:
        exporters, pipelines = config["exporters"], config["service"]["pipelines"]
        for branch, processors in branches.items():
            own = {f"{name}/{branch}": given for name, given in processors.items()}
            config.setdefault("processors", {}).update(own)
            exporters[f"file/{branch}"] = {
                "path": str(folder / f"{branch}.jsonl"),
                "flush_interval": "100ms",
            }
            pipelines[f"traces/{branch}"] = {
                "receivers": ["otlp"],
                "processors": list(own),
                "exporters": [f"file/{branch}"],
            }
        if connectors:
            config["connectors"] = connectors
            exporters["file/metrics"] = {
                "path": str(folder / "metrics.jsonl"),
                "flush_interval": "100ms",
            }
            pipelines["traces"]["exporters"] += list(connectors)
            pipelines["metrics"] = {"receivers": list(connectors), "exporters": ["file/metrics"]}

    def is_healthy(self) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health}/", timeout=2) as answer:
            return bool(answer.status == 200)

    def spans(self, branch: str = "otlp"):
        """Every span in the file with its resource and scope: [(resource attributes, scope,
        span)]."""
        found, file = [], self.folder / f"{branch}.jsonl"
        for line in file.read_text().splitlines() if file.exists() else []:
            for resource in json.loads(line).get("resourceSpans", []):
                for scope in resource["scopeSpans"]:
                    found += [
                        (resource["resource"].get("attributes", []), scope.get("scope", {}), s)
                        for s in scope["spans"]
                    ]
        return found

    def metrics(self, name: str = "metrics"):
        """Every metric in the file of the connectors' metrics, or of those pushed, in order."""
        return [metric for _, metric in self.metrics_with_resources(name)]

    def metrics_with_resources(self, name: str):
        file = self.folder / f"{name}.jsonl"
        return [
            (resource["resource"].get("attributes", []), metric)
            for line in (file.read_text().splitlines() if file.exists() else [])
            for resource in json.loads(line).get("resourceMetrics", [])
            for scope in resource["scopeMetrics"]
            for metric in scope["metrics"]
        ]

    def wait_spans(self, count: int, seconds: float = 20.0):
        return wait_for(
            lambda: (lambda s: s if len(s) >= count else None)(self.spans()),
            seconds,
            f"fewer than {count} spans arrived",
        )


class Tempo(Program):
    """A Tempo of one process; what it took in is in a block, and so in its search, a few seconds
    later."""

    def __init__(self, folder: pathlib.Path):
        program = find_optional("tempo")
        self.grpc, self.query, internal = (free_port() for _ in range(3))
        config = {
            "server": {
                "http_listen_address": "127.0.0.1",
                "http_listen_port": self.query,
                "grpc_listen_address": "127.0.0.1",
                "grpc_listen_port": internal,
                "log_level": "warn",
            },
            "distributor": {
                "receivers": {
                    "otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{self.grpc}"}}}
                },
            },
            "ingester": {
                "trace_idle_period": "1s",
                "max_block_duration": "3s",
                "flush_check_period": "1s",
                "lifecycler": {
                    "address": "127.0.0.1",
                    "ring": {"kvstore": {"store": "inmemory"}, "replication_factor": 1},
                },
            },
            "memberlist": {"bind_addr": ["127.0.0.1"], "bind_port": free_port()},
            "storage": {
                "trace": {
                    "backend": "local",
                    "local": {"path": str(folder / "tempo/blocks")},
                    "wal": {"path": str(folder / "tempo/wal")},
                }
            },
            "usage_report": {"reporting_enabled": False},
        }
        (folder / "tempo.yaml").write_text(json.dumps(config))
        super().__init__(
            "tempo", [program, f"-config.file={folder / 'tempo.yaml'}"], folder, self.is_ready
        )

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.query}/{path}"

    def is_ready(self) -> bool:
        with urllib.request.urlopen(self.url("ready"), timeout=2) as answer:
            return bool(answer.status == 200)


class Prometheus(Program):
    def __init__(self, folder: pathlib.Path, target_port: int, extra: tuple[str, ...] = ()):
        program = find("prometheus")
        self.port = free_port()
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "900ms"},
            "scrape_configs": [
                {
                    "job_name": "service",
                    "static_configs": [{"targets": [f"127.0.0.1:{target_port}"]}],
                }
            ],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))
        command = [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            *extra,
        ]
        super().__init__(
            "prometheus",
            command,
            folder,
            lambda: get_json(self.url("status/buildinfo"))["status"] == "success",
        )

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1/{path}"

    def query(self, expression: str):
        return get_json(self.url("query"), query=expression)["data"]["result"]

    def target(self):
        targets = get_json(self.url("targets"))["data"]["activeTargets"]
        return targets[0] if targets else None
