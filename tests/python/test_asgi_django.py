"""Django behind the middleware: route templates of its resolver, and exceptions that it answers."""

import asgi_driver as driver
import pytest
from asgi_applications import endpoint_of
from djp_telemetry.asgi import TelemetryMiddleware

pytest.importorskip("djp_telemetry._native")


DJANGO = """
import asyncio, django, json, sys
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", LOGGING_CONFIG=None)
class Boom(Exception): pass
def fails(request, n):
    raise Boom("no")
async def fails_async(request, n):
    raise Boom("no")
urlpatterns = [path("fails/<int:n>", fails), path("async/<int:n>", fails_async)]
from django.core.asgi import get_asgi_application
sys.path.insert(0, TESTS)
import asgi_driver as driver
from djp_telemetry.asgi import TelemetryMiddleware
app = TelemetryMiddleware(get_asgi_application())
with driver.telemetry():
    for where in ("/fails/1", "/async/1", "/nowhere"):
        driver.request(app, where)
    for span, attributes in driver.server_spans():
        print(json.dumps([attributes.get("http.route"), attributes["http.status_code"],
                          span.status.code,
                          [driver.attributes(e)["exception.type"] for e in span.events]]))
"""


def test_exceptions_that_django_answers(tmp_path):
    import json
    import pathlib

    import support

    pytest.importorskip("django")
    source = DJANGO.replace("TESTS", repr(str(pathlib.Path(__file__).parent)))
    done = support.run_program(source, tmp_path)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found == [
        ["/fails/<int:n>", 500, 2, ["__main__.Boom"]],
        ["/async/<int:n>", 500, 2, ["__main__.Boom"]],
        [None, 404, 0, []],
    ]


@pytest.fixture
def on():
    with driver.telemetry():
        yield


def test_route_templates(on):
    django = pytest.importorskip("django")
    import sys
    import types

    from django.conf import settings

    if not settings.configured:
        settings.configure(
            ROOT_URLCONF="djp_test_urls", ALLOWED_HOSTS=["*"], SECRET_KEY="x", DATABASES={}
        )
        django.setup()
    from django.http import HttpResponse
    from django.urls import include, path, re_path

    def view(request, **kwargs):
        return HttpResponse("ok")

    urls = types.ModuleType("djp_test_urls")
    urls.urlpatterns = [
        path("orders/<int:order>/", view),
        path("api/", include([path("users/<str:name>", view)])),
        re_path(r"^old/(?P<year>[0-9]{4})/$", view),
    ]
    sys.modules["djp_test_urls"] = urls
    from django.core.asgi import get_asgi_application

    app = TelemetryMiddleware(get_asgi_application())
    host = {"headers": [("host", b"localhost")]}
    assert endpoint_of(app, "/orders/7/", **host) == ("/orders/<int:order>/", 200)
    assert endpoint_of(app, "/api/users/ann", **host) == ("/api/users/<str:name>", 200)
    assert endpoint_of(app, "/old/1999/", **host) == ("/old/(?P<year>[0-9]{4})/", 200)
    assert endpoint_of(app, "/none/", **host) == ("unmatched", 404)
