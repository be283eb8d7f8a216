/* Request headers of the protocol and of the user, checked so that no line can inject another. The
 * values are secrets and appear in no message. */
#include "net/curl_headers.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "djp/error.h"

static const char *const curl_headers_reserved[] = {"content-type",
                                                    "content-encoding",
                                                    "content-length",
                                                    "transfer-encoding",
                                                    "te",
                                                    "expect",
                                                    "connection",
                                                    "upgrade",
                                                    "http2-settings",
                                                    "grpc-timeout",
                                                    "grpc-encoding",
                                                    "grpc-accept-encoding",
                                                    "accept-encoding",
                                                    NULL};

static int
curl_headers_is_name(djp_text name)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        int is_alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_alnum && (c == '\0' || !strchr(others, c))) {
            return 0;
        }
    }
    return name.size > 0;
}

/* Splits one line. Returns 1 when it may be sent. */
static int
curl_headers_parse(djp_text *name, djp_text *value, djp_text line)
{
    const char *colon = line.size ? memchr(line.data, ':', line.size) : NULL;
    if (colon == NULL) {
        return 0;
    }
    *name = djp__text_trim((djp_text){line.data, (size_t)(colon - line.data)});
    *value = djp__text_trim((djp_text){colon + 1, line.size - (size_t)(colon + 1 - line.data)});
    for (size_t i = 0; i < value->size; i++) {
        if (((unsigned char)value->data[i] < 0x20 && value->data[i] != '\t') ||
            value->data[i] == 0x7f) {
            return 0;
        }
    }
    for (size_t i = 0; curl_headers_reserved[i]; i++) {
        if (djp__text_equal_nocase(*name, curl_headers_reserved[i])) {
            return 0;
        }
    }
    return curl_headers_is_name(*name);
}

static char *
curl_headers_write(char *end, djp_text name, djp_text value)
{
    memcpy(end, name.data, name.size);
    end += name.size;
    if (value.size == 0) {
        *end++ = ';'; /* libcurl's form of an empty value; otherwise it removes the header */
    } else {
        *end++ = ':';
        *end++ = ' ';
        memcpy(end, value.data, value.size);
        end += value.size;
    }
    *end++ = '\0';
    return end;
}

static void
curl_headers_link(djp__curl_headers *headers, const char *line)
{
    struct curl_slist *node = &headers->nodes[headers->count];
    node->data = (char *)(uintptr_t)line; /* libcurl's type has no const; it only reads */
    node->next = NULL;
    if (headers->count > 0) {
        headers->nodes[headers->count - 1].next = node;
    }
    headers->count++;
}

int
djp__curl_headers_init(djp__curl_headers *headers, const char *const *fixed, const char *lines)
{
    size_t most = 0, size = lines != NULL ? strlen(lines) : 0;
    memset(headers, 0, sizeof *headers);
    while (fixed[most]) {
        most++;
    }
    for (size_t i = 0; i < size; i++) {
        most += lines[i] == '\n';
    }
    most++;
    /* A line grows by at most its blank and its NUL. */
    headers->text = djp__alloc(size + 2 * most + 1);
    headers->nodes = djp__calloc(most, sizeof *headers->nodes);
    if (!headers->text || !headers->nodes) {
        djp__curl_headers_fini(headers);
        return DJP_ENOMEM;
    }
    for (size_t i = 0; fixed[i]; i++) {
        curl_headers_link(headers, fixed[i]);
    }
    djp_text rest = {lines, size}, line, name, value;
    char *end = headers->text;
    while (djp__text_split(&line, &rest, '\n')) {
        if (djp__text_trim(line).size == 0) {
            continue;
        }
        if (!curl_headers_parse(&name, &value, line)) {
            headers->ignored++;
            continue;
        }
        curl_headers_link(headers, end);
        end = curl_headers_write(end, name, value);
    }
    return 0;
}

void
djp__curl_headers_fini(djp__curl_headers *headers)
{
    djp__free(headers->text);
    djp__free(headers->nodes);
    memset(headers, 0, sizeof *headers);
}

static void
curl_headers_hide_one(char *text, djp_text secret)
{
    char *found = text;
    size_t left = strlen(text);
    while (secret.size >= 6 && (found = memmem(found, left, secret.data, secret.size)) != NULL) {
        memset(found, '*', secret.size);
        found += secret.size;
        left = strlen(found);
    }
}

void
djp__curl_headers_hide(char *text, const char *lines)
{
    djp_text rest = djp__text(lines), line, name, value, word;
    while (djp__text_split(&line, &rest, '\n')) {
        if (!curl_headers_parse(&name, &value, line)) {
            continue;
        }
        curl_headers_hide_one(text, value);
        /* "Bearer abc": the second word is a secret too. */
        while (djp__text_split(&word, &value, ' ')) {
            curl_headers_hide_one(text, word);
        }
    }
}
