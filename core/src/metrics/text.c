/* Escapes of the exposition formats: no label value can break a line. */
#include "metrics/text.h"

#include <string.h>

#include "base/str.h"

static void
text_escape_valid(djp__buf *out, djp_text text, int quote)
{
    size_t start = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        const char *form = c == '\\' ? "\\\\" : c == '\n' ? "\\n" : NULL;
        if (c == '"' && quote) {
            form = "\\\"";
        }
        if (form != NULL) {
            djp__buf_append(out, text.data + start, i - start);
            djp__buf_text(out, form);
            start = i + 1;
        }
    }
    djp__buf_append(out, text.data + start, text.size - start);
}

void
djp__text_escape(djp__buf *out, djp_text text, int quote)
{
    if (djp__utf8_valid(text.data, text.size)) {
        text_escape_valid(out, text, quote);
        return;
    }
    /* Repaired text is at most three times as long: one replacement character per invalid byte. */
    djp__buf repaired;
    djp__buf_init(&repaired, 0);
    char *end = djp__buf_reserve(&repaired, text.size * 3);
    if (end != NULL) {
        size_t size = djp__utf8_repair(end, text.size * 3, text.data, text.size, NULL);
        text_escape_valid(out, (djp_text){end, size}, quote);
    } else {
        out->failed = 1;
    }
    djp__buf_fini(&repaired);
}

int
djp__text_next_label(djp_text *name, djp__buf *value, djp_text *labels)
{
    const char *at = labels->data, *end = at + labels->size;
    const char *equals = labels->size > 0 ? memchr(at, '=', labels->size) : NULL;
    if (equals == NULL || end - equals < 3 || equals[1] != '"') {
        return 0;
    }
    *name = (djp_text){at, (size_t)(equals - at)};
    djp__buf_clear(value);
    for (at = equals + 2; at < end && *at != '"'; at++) {
        char c = *at;
        if (c == '\\' && at + 1 < end) {
            c = *++at;
            c = c == 'n' ? '\n' : c;
        }
        djp__buf_char(value, c);
    }
    at += at < end;
    at += at < end && *at == ',';
    *labels = (djp_text){at, (size_t)(end - at)};
    return 1;
}
