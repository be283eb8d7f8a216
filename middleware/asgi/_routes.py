"""Route templates that are not directly in the scope: mounted applications, deployment prefixes,
old frameworks that do not set the route, and scopes that another middleware copied. If no template
is found, the result is None, never a raw path."""

from __future__ import annotations

import importlib
from typing import Any, Iterator, Optional

_CACHE = 1024
_DEPTH = 16
_TAIL = "/{path}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _flat(routes: Any) -> Iterator[Any]:
    """All routes, with those of lazily included routers and of host routes inserted."""
    for route in routes or ():
        contexts = getattr(route, "effective_route_contexts", None)
        if callable(contexts):
            for context in contexts():
                yield getattr(context, "starlette_route", None) or context
        elif hasattr(route, "host") and not hasattr(route, "path_format"):
            yield from _flat(getattr(route, "routes", None))
        else:
            yield route


def _is_mount(route: Any) -> bool:
    return hasattr(route, "routes") and hasattr(route, "app") and hasattr(route, "path_regex")


def _template(route: Any) -> Optional[str]:
    text = getattr(route, "path_format", None) or getattr(route, "path", None)
    return text if isinstance(text, str) else None


def _deployed(scope: Any, root_path: str) -> str:
    """The prefix of the deployed application. FastAPI may know it when the server does not."""
    base = scope.get("app_root_path")
    return (
        _text(base)
        if base is not None
        else _text(getattr(scope.get("app"), "root_path", None)) or root_path
    )


def _prefix(mount: Any) -> str:
    text = _template(mount) or ""
    return text[: -len(_TAIL)] if text.endswith(_TAIL) else text


def _walk(routes: Any, raw: str, depth: int = _DEPTH) -> Optional[tuple[str, Any, Any]]:
    """The mounts that consumed raw: (their joined templates, the last mount, its routes)."""
    for mount in _flat(routes):
        match = mount.path_regex.match(raw + "/") if _is_mount(mount) else None
        if match is None:
            continue
        rest = "/" + match.groupdict().get("path", "").rstrip("/")
        if rest == "/":
            return _prefix(mount), mount, getattr(mount, "routes", None)
        inner = (
            _walk(getattr(mount, "routes", None), rest, depth - 1)
            if depth > 0 and len(rest) < len(raw)
            else None
        )
        if inner is not None:
            return _prefix(mount) + inner[0], inner[1], inner[2]
    return None


def own_route(app: Any, scope: Any, path: str) -> bool:
    """Whether the application has a route with exactly this path."""
    try:
        app = scope.get("app") or app
        for _ in range(_DEPTH):
            if app is None:
                return False
            if type(app).__module__.startswith("django."):
                resolve = importlib.import_module("django.urls").resolve
                return "/" + str(resolve(path).route).strip("^$").lstrip("/") == path
            routes = getattr(app, "routes", None)
            if routes:
                return any(
                    (_prefix(route) if _is_mount(route) else _template(route)) == path
                    for route in _flat(routes)
                )
            app = getattr(app, "app", None) or getattr(app, "application", None)
    except Exception:  # no such route, or another version of the framework
        return False
    return False


class Routes:
    """The resolver of one middleware. Caches templates of mount prefixes, up to a limit."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._mounts: dict[str, Any] = {}

    def resolve(self, scope: Any, root_path: Any, path: Any) -> Optional[str]:
        """Returns the template of a finished request. root_path and path are those that the server
        set in the scope."""
        try:
            return self._resolve(scope, _text(root_path), _text(path))
        except Exception:
            return None

    def _resolve(self, scope: Any, root_path: str, path: str) -> Optional[str]:
        route, endpoint = scope.get("route"), scope.get("endpoint")
        if route is None and endpoint is None:
            if "router" in scope:
                return None  # a router received this scope and matched no route
            return self._search(scope, root_path)
        base = _deployed(scope, root_path).rstrip("/")
        mounted = _text(scope.get("root_path"))[len(base) :].rstrip("/")
        outer = getattr(scope.get("router"), "routes", None)
        prefix, mount, routes = self._mounted(outer, mounted) if mounted else ("", None, outer)
        local = self._local(scope, route, endpoint, mount, routes, path)
        return None if local is None else base + prefix + local

    def _mounted(self, routes: Any, raw: str) -> tuple[str, Any, Any]:
        found = self._mounts.get(raw)
        if found is None:
            found = _walk(routes, raw)
            if found is None:
                raise LookupError(raw)
            if len(self._mounts) >= _CACHE:
                self._mounts.clear()
            self._mounts[raw] = found
        return found

    def _local(
        self, scope: Any, route: Any, endpoint: Any, mount: Any, routes: Any, path: str
    ) -> Optional[str]:
        """Returns the template inside the innermost mount."""
        context = (scope.get("fastapi") or {}).get("effective_route_context")
        if context is not None and getattr(context, "original_route", None) is route:
            return _template(getattr(context, "starlette_route", None) or context)
        at_mount = (
            _is_mount(route)
            if route is not None
            else mount is not None and endpoint is getattr(mount, "app", None)
        )
        if at_mount:
            # The mounted application has routes and none matched, or it has none (static files).
            return None if routes else _TAIL
        if route is not None:
            return _template(route)
        return self._by_endpoint(routes, endpoint, path)

    def _by_endpoint(self, routes: Any, endpoint: Any, path: str) -> Optional[str]:
        found = [route for route in _flat(routes) if getattr(route, "endpoint", None) is endpoint]
        if len(found) > 1:  # one function behind several routes
            tails = ["/" + path.split("/", i)[-1] for i in range(1, path.count("/") + 1)]
            found = [route for tail in tails for route in found if route.path_regex.match(tail)]
        return _template(found[0]) if found else None

    def _search(self, scope: Any, root_path: str) -> Optional[str]:
        """Matches again, because a middleware inside this one passed a copy of the scope to the
        router."""
        app = scope.get("app") or self._app
        for _ in range(_DEPTH):
            if app is None or getattr(app, "routes", None):
                break
            app = getattr(app, "app", None)
        found = self._match(getattr(app, "routes", None), dict(scope), _DEPTH)
        return None if found is None else _deployed(scope, root_path).rstrip("/") + found

    def _match(self, routes: Any, scope: Any, depth: int) -> Optional[str]:
        partial = None
        for route in _flat(routes):
            if not hasattr(route, "matches"):
                continue
            match, child = route.matches(scope)
            if match.value == 0:
                continue
            if _is_mount(route) and match.value == 2:
                inner = getattr(route, "routes", None)
                local = (
                    self._match(inner, {**scope, **child}, depth - 1)
                    if inner and depth > 0
                    else None
                )
                local = _TAIL if not inner else local
                return None if local is None else _prefix(route) + local
            if match.value == 2:
                return _template(route)
            partial = partial or _template(route)
        return partial
