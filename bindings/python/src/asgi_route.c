/* The route template of a finished request, from the data of the framework in the scope. The usual
 * cases (one router, no mounts) take a few look-ups here; mounted applications and older frameworks
 * are resolved in Python. The result is never a raw path. */
#include "asgi_types.h"

/* An attribute that holds a non-empty str, a new reference, or NULL. */
static PyObject *
route_text(PyObject *object, PyObject *name)
{
    PyObject *text = PyObject_GetAttr(object, name);
    if (text != NULL && PyUnicode_Check(text) && PyUnicode_GET_LENGTH(text) > 0) {
        return text;
    }
    PyErr_Clear();
    Py_XDECREF(text);
    return NULL;
}

static PyObject *
route_called(PyObject *function, PyObject *const *args, size_t count)
{
    PyObject *text = PyObject_Vectorcall(function, args, count, NULL);
    if (text != NULL && PyUnicode_Check(text) && PyUnicode_GET_LENGTH(text) > 0) {
        return text;
    }
    PyErr_Clear();
    Py_XDECREF(text);
    return NULL;
}

/* Newer FastAPI stores the full template of an included router's route beside the route. */
static PyObject *
route_included(djp_py_asgi_state *asgi, PyObject *scope, PyObject *route)
{
    /* its keys may run code */
    PyObject *own = Py_XNewRef(djp_py_asgi_get(scope, asgi->words.fastapi));
    PyObject *context = own != NULL && PyDict_Check(own)
                            ? Py_XNewRef(djp_py_asgi_get(own, asgi->words.effective_route))
                            : NULL;
    Py_XDECREF(own);
    if (context == NULL || context == Py_None) {
        Py_XDECREF(context);
        return route_text(route, asgi->words.path_format);
    }
    PyObject *inner = PyObject_GetAttr(context, asgi->words.starlette_route);
    PyErr_Clear();
    PyObject *text =
        inner != NULL && inner != Py_None ? route_text(inner, asgi->words.path_format) : NULL;
    Py_XDECREF(inner);
    if (text == NULL) {
        text = route_text(context, asgi->words.path_format);
    }
    Py_DECREF(context);
    return text;
}

/* 1 without mounts and deployment prefix: the route's template is complete. */
static int
route_is_plain(djp_py_exchange *exchange, PyObject *root_path)
{
    if (root_path == NULL) {
        return exchange->root_path == NULL;
    }
    return root_path == exchange->root_path && PyUnicode_Check(root_path) &&
           PyUnicode_GET_LENGTH(root_path) == 0;
}

PyObject *
djp_py_asgi_route(djp_py_exchange *exchange)
{
    djp_py_asgi_state *asgi = exchange->state->asgi;
    djp_py_asgi_app *app = exchange->app;
    PyObject *scope = exchange->scope;
    PyObject *text = NULL;
    if (app->route != Py_None && (text = route_called(app->route, &scope, 1)) != NULL) {
        return text;
    }
    /* the following calls may run other code */
    PyObject *route = Py_XNewRef(djp_py_asgi_get(scope, asgi->words.route));
    if (route != NULL && route_is_plain(exchange, djp_py_asgi_get(scope, asgi->words.root_path))) {
        text = route_included(asgi, scope, route);
    }
    Py_XDECREF(route);
    if (text != NULL) {
        return text;
    }
    text = djp_py_asgi_get(scope, asgi->words.scope_route);
    if (text == NULL) {
        text = djp_py_asgi_get(scope, asgi->words.path_template);
    }
    if (text != NULL && PyUnicode_Check(text) && PyUnicode_GET_LENGTH(text) > 0) {
        return Py_NewRef(text);
    }
    if (app->resolve == Py_None) {
        return NULL;
    }
    PyObject *args[3] = {scope, exchange->root_path != NULL ? exchange->root_path : Py_None,
                         exchange->path != NULL ? exchange->path : Py_None};
    return route_called(app->resolve, args, 3);
}
