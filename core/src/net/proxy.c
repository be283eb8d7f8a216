/* Which hosts are reached without a proxy. */
#include "net/proxy.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

/* 1 for localhost, *.localhost, 127.0.0.0/8 and ::1 (with or without brackets). */
static int
proxy_is_loopback(const char *host)
{
    static const char suffix[] = ".localhost";
    char text[64];
    unsigned char address[16];
    size_t size = strlen(host);
    if (strcasecmp(host, "localhost") == 0) {
        return 1;
    }
    if (size >= sizeof suffix && strcasecmp(host + size - (sizeof suffix - 1), suffix) == 0) {
        return 1;
    }
    if (inet_pton(AF_INET, host, address) == 1) {
        return address[0] == 127;
    }
    if (size >= 2 && host[0] == '[' && host[size - 1] == ']') {
        host++;
        size -= 2;
    }
    if (size >= sizeof text) {
        return 0;
    }
    memcpy(text, host, size);
    text[size] = '\0';
    static const unsigned char loopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    return inet_pton(AF_INET6, text, address) == 1 &&
           memcmp(address, loopback, sizeof loopback) == 0;
}

/* Whether a host equals an entry or is a subdomain of it; a leading dot of the entry is ignored. */
static int
proxy_is_below(djp_text host, djp_text entry)
{
    if (entry.size > 0 && entry.data[0] == '.') {
        entry.data++;
        entry.size--;
    }
    size_t before = host.size - entry.size;
    return entry.size > 0 && entry.size <= host.size &&
           strncasecmp(host.data + before, entry.data, entry.size) == 0 &&
           (before == 0 || host.data[before - 1] == '.');
}

/* An entry host:port, which libcurl does not support. It handles the others. */
static int
proxy_is_excepted(djp_text entry, djp_text host, const char *port)
{
    size_t size = entry.size;
    while (size > 0 && entry.data[size - 1] >= '0' && entry.data[size - 1] <= '9') {
        size--;
    }
    if (size < 2 || size == entry.size || entry.data[size - 1] != ':' ||
        !djp__text_equal((djp_text){entry.data + size, entry.size - size}, port)) {
        return 0;
    }
    djp_text name = {entry.data, size - 1};
    int is_bare_ipv6 = memchr(name.data, ':', name.size) != NULL && name.data[0] != '[';
    return !is_bare_ipv6 && (djp__text_equal(name, "*") || proxy_is_below(host, name));
}

int
djp__proxy_is_direct(const char *list, const char *host, const char *port)
{
    if (proxy_is_loopback(host)) {
        return 1;
    }
    djp_text rest = djp__text(list), entry;
    while (djp__text_split(&entry, &rest, ',')) {
        if (proxy_is_excepted(djp__text_trim(entry), djp__text(host), port)) {
            return 1;
        }
    }
    return 0;
}
