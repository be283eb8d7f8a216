"""What builds on prometheus_client works on djp_telemetry.prometheus."""

import pytest
from support import run_program

pytest.importorskip("djp_telemetry._native")
BEGIN = """
import re
from djp_telemetry import init_telemetry, prometheus
prometheus.install()
init_telemetry(enabled=True, backend="prom", exporter="none")
"""
END = """
types = re.findall(r"^# TYPE (\\S+)", page, re.MULTILINE)
assert len(types) == len(set(types)), types
assert "djp_telemetry_metric_recordings_total" in types
found = [line for line in page.splitlines() if re.match(WANTED, line)]
assert found and all(float(line.split()[-1]) == 3 for line in found), page
print("ok")
"""
FASTAPI = """
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_fastapi_instrumentator import Instrumentator
app = FastAPI()
app.get("/orders/{number}")(lambda number: number)
Instrumentator().instrument(app).expose(app)
client = TestClient(app)
for _ in range(3):
    assert client.get("/orders/1").status_code == 200
page = client.get("/metrics").text
WANTED = r'http_request(s_total|_duration_seconds_count)\\{.*handler="/orders/'
"""
STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette_exporter import PrometheusMiddleware, handle_metrics
routes = [
    Route("/orders", lambda request: PlainTextResponse("x")), Route("/metrics", handle_metrics)]
app = Starlette(routes=routes)
app.add_middleware(PrometheusMiddleware)
client = TestClient(app)
for _ in range(3):
    assert client.get("/orders").status_code == 200
page = client.get("/metrics").text
WANTED = r'starlette_request(s_total|_duration_seconds_count)\\{.*path="/orders"'
"""
DJANGO = """
import sys, types
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import include, path
MIDDLEWARE = "django_prometheus.middleware.Prometheus{}Middleware"
settings.configure(
    ROOT_URLCONF="urls", SECRET_KEY="x", ALLOWED_HOSTS=["*"], PROMETHEUS_EXPORT_MIGRATIONS=False,
    INSTALLED_APPS=["django_prometheus"],
    MIDDLEWARE=[MIDDLEWARE.format("Before"), MIDDLEWARE.format("After")])
sys.modules["urls"] = urls = types.ModuleType("urls")
django.setup()
urls.urlpatterns = [
    path("orders", lambda request: HttpResponse("x")), path("", include("django_prometheus.urls"))]
from django.test import Client
client = Client()
for _ in range(3):
    assert client.get("/orders").status_code == 200
page = client.get("/metrics").content.decode()
WANTED = r'django_http_responses_total_by_status_total\\{status="200"\\}'
"""
FLASK = """
from flask import Flask
from prometheus_flask_exporter import PrometheusMetrics
app = Flask("orders")
PrometheusMetrics(app)
app.route("/orders")(lambda: "x")
client = app.test_client()
for _ in range(3):
    assert client.get("/orders").status_code == 200
page = client.get("/metrics").get_data(as_text=True)
WANTED = r'flask_http_request_(total\\{|duration_seconds_count\\{.*path="/orders")'
"""
PROGRAMS = {
    "prometheus_fastapi_instrumentator": FASTAPI,
    "starlette_exporter": STARLETTE,
    "django_prometheus": DJANGO,
    "prometheus_flask_exporter": FLASK,
}


@pytest.mark.parametrize("package", PROGRAMS)
def test_a_package_counts_requests(package, tmp_path):
    pytest.importorskip(package)
    assert run_program(BEGIN + PROGRAMS[package] + END, tmp_path).stdout == "ok\n"
