/* Parses instrumentation scopes of oplogs, which are the text of a symbol. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "oplog/oplog.h"

enum { OPLOG_SCOPE__ATTRIBUTES = 64 };

/* Splits off the next field; NULL after the last. */
static char *
scope_next(char **rest)
{
    char *field = *rest;
    if (field == NULL) {
        return NULL;
    }
    char *end = strchr(field, '\x1f');
    if (end != NULL) {
        *end = '\0';
    }
    *rest = end != NULL ? end + 1 : NULL;
    return field;
}

/* A value after the letter of its type; independent of the locale. */
static int
scope_value(djp_value *out, const char *field)
{
    const char *text = field + 1;
    uint64_t bits;
    switch (field[0]) {
    case 's':
        *out = (djp_value){.type = DJP_STRING, .as.text = djp_text_of(text)};
        return 1;
    case 'b':
        *out = (djp_value){.type = DJP_BOOL, .as.boolean = text[0] == '1'};
        return 1;
    case 'i':
        *out = (djp_value){.type = DJP_INT, .as.integer = (int64_t)strtoll(text, NULL, 10)};
        return 1;
    case 'd':
        *out = (djp_value){.type = DJP_DOUBLE};
        bits = strtoull(text, NULL, 16);
        memcpy(&out->as.real, &bits, sizeof out->as.real);
        return 1;
    default:
        return 0;
    }
}

djp_scope
djp__oplog_scope(const char *symbol, size_t size)
{
    djp_attribute attributes[OPLOG_SCOPE__ATTRIBUTES];
    size_t count = 0;
    char *text = djp__strndup(symbol, size);
    if (text == NULL) {
        return 0;
    }
    char *rest = text;
    const char *name = scope_next(&rest);
    const char *version = scope_next(&rest);
    const char *schema_url = scope_next(&rest);
    while (count < OPLOG_SCOPE__ATTRIBUTES && rest != NULL) {
        const char *key = scope_next(&rest), *value = scope_next(&rest);
        if (value && scope_value(&attributes[count].value, value)) {
            attributes[count++].key = djp_text_of(key);
        }
    }
    djp_scope scope = djp_scope_intern(name, version, schema_url, attributes, count);
    djp__free(text);
    return scope;
}
