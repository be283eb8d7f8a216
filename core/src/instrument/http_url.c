/* Reads a URL for spans of clients. Only what may be recorded leaves this file. */
#include "instrument/http_url.h"

#include "base/str.h"

/* ---- the parts ---- */

/* Texts within the URL; path begins with '/' or is empty, query has no '?'. */
typedef struct http_url_parts {
    djp_text scheme, host, port, path, query;
} http_url_parts;

/* Returns the text before the first of some characters, and moves rest to that character. */
static djp_text
http_url_until(djp_text *rest, const char *ends)
{
    djp_text part = {rest->data, 0};
    while (part.size < rest->size && strchr(ends, rest->data[part.size]) == NULL) {
        part.size++;
    }
    *rest = (djp_text){rest->data + part.size, rest->size - part.size};
    return part;
}

static djp_text
http_url_after(djp_text text, size_t count)
{
    return (djp_text){text.data + count, text.size - count};
}

/* Reads "scheme://" and removes it from rest; 0: the text does not begin so. */
static int
http_url_scheme(djp_text *scheme, djp_text *rest)
{
    djp_text after = *rest;
    if (after.size == 0) {
        return 0;
    }
    *scheme = http_url_until(&after, ":/?#");
    if (scheme->size == 0 || after.size < 3 || memcmp(after.data, "://", 3) != 0) {
        return 0;
    }
    *rest = http_url_after(after, 3);
    return 1;
}

/* The address without credentials. A host with colons is in brackets. */
static void
http_url_authority(http_url_parts *out, djp_text address)
{
    for (size_t i = address.size; i > 0; i--) {
        if (address.data[i - 1] == '@') {
            address = http_url_after(address, i);
            break;
        }
    }
    if (address.size > 0 && address.data[0] == '[') {
        out->host = http_url_until(&address, "]");
        out->host = http_url_after(out->host, 1);
    } else {
        out->host = http_url_until(&address, ":");
    }
    (void)http_url_until(&address, ":");
    out->port = address.size > 0 ? http_url_after(address, 1) : address;
}

/* 0: there is no absolute URL. */
static int
http_url_split(http_url_parts *out, djp_text url, djp_text target)
{
    djp_text scheme, rest = target.size > 0 ? target : url;
    int is_absolute = http_url_scheme(&scheme, &rest);
    if (is_absolute) {
        out->scheme = scheme;
        http_url_authority(out, http_url_until(&rest, "/?#"));
    } else {
        djp_text base = url;
        if (!http_url_scheme(&out->scheme, &base)) {
            return 0;
        }
        http_url_authority(out, http_url_until(&base, "/?#"));
    }
    /* "*" and the address of CONNECT are not below the host */
    if (rest.size > 0 && strchr("/?#", rest.data[0]) == NULL) {
        rest.size = 0;
    }
    out->path = http_url_until(&rest, "?#");
    out->query = rest;
    if (rest.size > 0 && rest.data[0] == '?') {
        rest = http_url_after(rest, 1);
        out->query = http_url_until(&rest, "#");
    } else {
        out->query.size = 0;
    }
    return out->host.size > 0;
}

/* The port that a URL of the scheme need not name; 0: unknown. */
static unsigned
http_url_usual_port(djp_text scheme)
{
    if (djp__text_equal_nocase(scheme, "https")) {
        return 443;
    }
    return djp__text_equal_nocase(scheme, "http") ? 80 : 0;
}

/* 0: text that is no port, such as the rest of a password with a '/'. */
static int
http_url_port(unsigned *out, const http_url_parts *parts)
{
    uint64_t port;
    *out = http_url_usual_port(parts->scheme);
    if (parts->port.size == 0) {
        return 1;
    }
    if (!djp__parse_u64(parts->port, &port) || port > 65535) {
        return 0;
    }
    *out = (unsigned)port;
    return 1;
}

/* ---- the recorded form ---- */

static djp_text
http_url_lower(char *room, size_t most, djp_text text)
{
    size_t size = djp__utf8_cut(text.data, text.size, most);
    for (size_t i = 0; i < size; i++) {
        char c = text.data[i];
        room[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    return (djp_text){room, size};
}

/* Appends to the URL, which may become one byte too long: a sign that it was cut. */
static void
http_url_add(djp__http_url *out, djp_text text)
{
    size_t room = sizeof out->text_room - out->text.size;
    size_t size = text.size < room ? text.size : room;
    memcpy(out->text_room + out->text.size, size > 0 ? text.data : "", size);
    out->text.size += size;
}

/* Names of the query without their values. */
static void
http_url_add_query(djp__http_url *out, djp_text query)
{
    djp_text part;
    const char *separator = "?";
    while (djp__text_split(&part, &query, '&') && out->text.size < sizeof out->text_room) {
        const char *equals = part.size > 0 ? memchr(part.data, '=', part.size) : NULL;
        http_url_add(out, djp__text(separator));
        if (equals != NULL) {
            http_url_add(out, (djp_text){part.data, (size_t)(equals - part.data) + 1});
        }
        http_url_add(out, DJP_TEXT("REDACTED"));
        separator = "&";
    }
}

static void
http_url_write(djp__http_url *out, const http_url_parts *parts)
{
    char room[24];
    int has_colon = memchr(out->host.data, ':', out->host.size) != NULL;
    http_url_add(out, out->scheme);
    http_url_add(out, djp__text(has_colon ? "://[" : "://"));
    http_url_add(out, out->host);
    http_url_add(out, djp__text(has_colon ? "]" : ""));
    if (out->port != http_url_usual_port(parts->scheme)) {
        http_url_add(out, djp__text(":"));
        http_url_add(out, djp__digits(room, out->port));
    }
    http_url_add(out, parts->path.size > 0 ? parts->path : djp__text("/"));
    if (parts->query.size > 0) {
        http_url_add_query(out, parts->query);
    }
    out->text.size = djp__utf8_cut(out->text_room, out->text.size, DJP__HTTP_URL_MAX);
}

int
djp__http_url_read(djp__http_url *out, djp_text url, djp_text target)
{
    http_url_parts parts;
    unsigned port;
    out->scheme = out->host = out->text = (djp_text){"", 0};
    out->port = 0;
    if (!http_url_split(&parts, url, target) || !http_url_port(&port, &parts)) {
        return 0;
    }
    out->scheme = http_url_lower(out->scheme_room, sizeof out->scheme_room, parts.scheme);
    out->host = http_url_lower(out->host_room, sizeof out->host_room, parts.host);
    out->port = port;
    out->text.data = out->text_room;
    http_url_write(out, &parts);
    return 1;
}
