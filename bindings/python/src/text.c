/* Text between Python and the core. Compact ASCII strings, the usual case, are read in place. No
 * string raises: a lone surrogate becomes U+FFFD. */
#include "binding.h"

#include <string.h>

/* Longer non-ASCII strings, in characters, are encoded into a temporary, so that Python's object
 * does not keep a second copy. */
#define TEXT_CACHE_LIMIT 4096

/* Replaces each encoded surrogate by U+FFFD, which has as many bytes. bytes has no other owner. */
static void
text_replace_surrogates(PyObject *bytes)
{
    unsigned char *at = (unsigned char *)PyBytes_AS_STRING(bytes),
                  *end = at + PyBytes_GET_SIZE(bytes);
    while ((at = memchr(at, 0xed, (size_t)(end - at))) != NULL) {
        if (end - at >= 3 && at[1] >= 0xa0) {
            memcpy(at, "\xef\xbf\xbd", 3);
        }
        at++;
    }
}

/* Tested first, because the exception of a failed encoding allocates, which may collect garbage. */
static int
text_has_surrogates(PyObject *object)
{
    Py_ssize_t size = PyUnicode_GET_LENGTH(object);
    int kind = PyUnicode_KIND(object);
    const void *data = PyUnicode_DATA(object);
    for (Py_ssize_t i = 0; kind != PyUnicode_1BYTE_KIND && i < size; i++) {
        if (Py_UNICODE_IS_SURROGATE(PyUnicode_READ(kind, data, i))) {
            return 1;
        }
    }
    return 0;
}

static int
text_encode(djp_py_text *out, PyObject *object)
{
    if (PyUnicode_GetLength(object) <= TEXT_CACHE_LIMIT && !text_has_surrogates(object)) {
        Py_ssize_t size = 0;
        const char *data = PyUnicode_AsUTF8AndSize(object, &size);
        if (data != NULL) {
            out->text = (djp_text){data, (size_t)size};
            return 1;
        }
        PyErr_Clear();
    }
    out->owner = PyUnicode_AsEncodedString(object, "utf-8", "surrogatepass");
    if (out->owner == NULL) {
        PyErr_Clear();
        return 0;
    }
    text_replace_surrogates(out->owner);
    out->text = (djp_text){PyBytes_AS_STRING(out->owner), (size_t)PyBytes_GET_SIZE(out->owner)};
    return 1;
}

int
djp_py_text_get(djp_py_text *out, PyObject *object)
{
    out->owner = NULL;
    out->text = (djp_text){"", 0};
    if (object == NULL) {
        return 0;
    }
    if (PyUnicode_Check(object)) {
        if (PyUnicode_IS_COMPACT_ASCII(object)) {
            out->text = (djp_text){(const char *)PyUnicode_1BYTE_DATA(object),
                                   (size_t)PyUnicode_GET_LENGTH(object)};
            return 1;
        }
        return text_encode(out, object);
    }
    if (PyBytes_Check(object)) {
        out->text = (djp_text){PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object)};
        return 1;
    }
    return 0;
}

size_t
djp_py_texts_get(djp_py_text *out, djp_text *texts, PyObject *tuple)
{
    size_t count = (size_t)PyTuple_GET_SIZE(tuple);
    count = count < DJP_LABELS_MAX ? count : DJP_LABELS_MAX;
    for (size_t i = 0; i < count; i++) {
        djp_py_text_get(&out[i], PyTuple_GET_ITEM(tuple, (Py_ssize_t)i));
        texts[i] = out[i].text;
    }
    return count;
}

void
djp_py_texts_release(djp_py_text *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        djp_py_text_release(&out[i]);
    }
}

PyObject *
djp_py_text_object(djp_text text)
{
    return PyUnicode_DecodeUTF8(text.data == NULL ? "" : text.data, (Py_ssize_t)text.size,
                                "replace");
}

PyObject *
djp_py_get_attribute(PyObject *object, const char *name)
{
    PyObject *word = PyUnicode_InternFromString(name);
    PyObject *value = word == NULL ? NULL : PyObject_GetAttr(object, word);
    Py_XDECREF(word);
    return value;
}
