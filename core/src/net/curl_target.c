/* The address of an OTLP receiver: parsed once, shown without credentials, with its proxy. Does not
 * connect. */
#include "net/curl_target.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "djp/error.h"
#include "net/proxy.h"

static int
curl_target_set_proxy(djp__curl_target *target, const djp__destination *destination,
                      const char *host, const char *port)
{
    const char *proxy = target->is_https ? destination->https_proxy : destination->http_proxy;
    int direct = target->unix_socket || djp__proxy_is_direct(destination->no_proxy, host, port);
    target->proxy = djp__strdup(direct || proxy == NULL ? "" : proxy);
    target->no_proxy = djp__strdup(direct                  ? "*"
                                   : destination->no_proxy ? destination->no_proxy
                                                           : "");
    return target->proxy && target->no_proxy != NULL ? 0 : DJP_ENOMEM;
}

/* Two texts joined, each of them may be NULL; NULL without memory. */
static char *
curl_target_join(const char *first, const char *second)
{
    first = first != NULL ? first : "";
    second = second != NULL ? second : "";
    size_t first_size = strlen(first), second_size = strlen(second);
    char *whole = djp__alloc(first_size + second_size + 1);
    if (whole != NULL) {
        memcpy(whole, first, first_size);
        memcpy(whole + first_size, second, second_size + 1);
    }
    return whole;
}

/* The endpoint as a URL: adds a missing scheme, and a path for Unix sockets. */
static char *
curl_target_complete(djp__curl_target *target, const djp__destination *destination)
{
    const char *endpoint = destination->endpoint;
    int is_grpc = destination->protocol == DJP_PROTOCOL_GRPC;
    if (strncmp(endpoint, "unix:", 5) == 0) {
        endpoint += strncmp(endpoint, "unix://", 7) == 0 ? 7 : 5;
        target->unix_socket = djp__strdup(endpoint);
        return target->unix_socket != NULL
                   ? curl_target_join("http://localhost", is_grpc ? NULL : destination->http_path)
                   : NULL;
    }
    if (strstr(endpoint, "://")) {
        return djp__strdup(endpoint);
    }
    return curl_target_join(is_grpc && !destination->insecure ? "https://" : "http://", endpoint);
}

static int
curl_target_part(char **out, CURLU *url, CURLUPart part)
{
    char *text = NULL;
    *out = NULL;
    CURLUcode code = curl_url_get(url, part, &text, 0);
    if (code == CURLUE_OK) {
        *out = djp__strdup(text);
        curl_free(text);
    }
    return *out ? 0 : code == CURLUE_OUT_OF_MEMORY || code == CURLUE_OK ? DJP_ENOMEM : DJP_EINVAL;
}

/* gRPC: appends the method to the path that a gateway may require. */
static int
curl_target_add_method(CURLU *url, const char *method)
{
    char *path = NULL;
    int code = curl_target_part(&path, url, CURLUPART_PATH);
    if (code != 0) {
        return code;
    }
    for (size_t size = strlen(path); size > 0 && path[size - 1] == '/'; size--) {
        path[size - 1] = '\0';
    }
    char *whole = curl_target_join(path, method);
    code = whole && curl_url_set(url, CURLUPART_PATH, whole, 0) == CURLUE_OK ? 0 : DJP_ENOMEM;
    djp__free(whole);
    djp__free(path);
    return code;
}

/* The address for messages, taken before the gRPC method is appended. */
static int
curl_target_show(djp__curl_target *target, CURLU *url)
{
    static const CURLUPart hidden[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS,
                                       CURLUPART_QUERY, CURLUPART_FRAGMENT};
    CURLU *copy = curl_url_dup(url);
    if (copy == NULL) {
        return DJP_ENOMEM;
    }
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        curl_url_set(copy, hidden[i], NULL, 0);
    }
    int code = curl_target_part(&target->shown, copy, CURLUPART_URL);
    curl_url_cleanup(copy);
    return code;
}

static int
curl_target_parse(djp__curl_target *target, CURLU *url, const char *text,
                  const djp__destination *destination)
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    int code = DJP_EINVAL;
    if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
        (code = curl_target_part(&scheme, url, CURLUPART_SCHEME)) != 0) {
        goto done;
    }
    target->is_https = strcasecmp(scheme, "https") == 0;
    code = DJP_EINVAL;
    if (!target->is_https && strcasecmp(scheme, "http") != 0) {
        goto done;
    }
    if ((code = curl_target_part(&host, url, CURLUPART_HOST)) != 0) {
        goto done;
    }
    if ((code = curl_target_show(target, url)) != 0) {
        goto done;
    }
    if (destination->protocol == DJP_PROTOCOL_GRPC &&
        (code = curl_target_add_method(url, destination->grpc_method)) != 0) {
        goto done;
    }
    if ((code = curl_target_part(&target->url, url, CURLUPART_URL)) != 0) {
        goto done;
    }
    if (curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        code = curl_target_set_proxy(target, destination, host, port);
    } else {
        code = DJP_ENOMEM;
    }
    curl_free(port);
done:
    djp__free(scheme);
    djp__free(host);
    return code;
}

int
djp__curl_target_init(djp__curl_target *target, const djp__destination *destination)
{
    memset(target, 0, sizeof *target);
    if (!destination->endpoint) {
        return DJP_EINVAL;
    }
    char *text = curl_target_complete(target, destination);
    CURLU *url = curl_url();
    int code = text && url != NULL ? curl_target_parse(target, url, text, destination) : DJP_ENOMEM;
    curl_url_cleanup(url);
    djp__free(text);
    if (code != 0) {
        djp__curl_target_fini(target);
    }
    return code;
}

void
djp__curl_target_fini(djp__curl_target *target)
{
    djp__free(target->url);
    djp__free(target->shown);
    djp__free(target->unix_socket);
    djp__free(target->proxy);
    djp__free(target->no_proxy);
    memset(target, 0, sizeof *target);
}
