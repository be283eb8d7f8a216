/* Certificate authorities in PEM files. libcurl accepts one file; several are joined in memory. */
#include "net/curl_trust.h"

#include <unistd.h>

/* Usual places of the system's file, for a libcurl without a default. */
static const char *const curl_trust_systems[] = {"/etc/ssl/certs/ca-certificates.crt",
                                                 "/etc/pki/tls/certs/ca-bundle.crt",
                                                 "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

/* The first of the files that can be read; NULL if there is none. */
static const char *
curl_trust_first(const char *const *paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (paths[i] != NULL && access(paths[i], R_OK) == 0) {
            return paths[i];
        }
    }
    return NULL;
}

/* The file of the system: libcurl's default has priority. */
static const char *
curl_trust_system(CURL *easy)
{
    const char *path = NULL;
#if LIBCURL_VERSION_NUM >= 0x075400
    curl_easy_getinfo(easy, CURLINFO_CAINFO, &path);
#else
    (void)easy;
#endif
    path = curl_trust_first(&path, 1);
    return path != NULL ? path
                        : curl_trust_first(curl_trust_systems, sizeof curl_trust_systems /
                                                                   sizeof curl_trust_systems[0]);
}

int
djp__curl_trust_join(djp__buf *out, CURL *easy, const djp__tls_material *material)
{
    const djp__buf *own = &material->certificate, *extra = &material->extra_certificate;
    if (own->size == 0 && extra->size == 0) {
        return 0;
    }
    const char *system = own->size == 0 ? curl_trust_system(easy) : NULL;
    if (system != NULL && djp__tls_material_load(out, system) != NULL) {
        return 0;
    }
    djp__buf_append(out, own->data, own->size);
    djp__buf_char(out, '\n'); /* the last line of a file may have no end */
    djp__buf_append(out, extra->data, extra->size);
    return 1;
}

CURLcode
djp__curl_trust(CURL *easy, const djp__destination *destination, const djp__tls_material *material)
{
    CURLcode code = CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x074d00
    djp__buf all;
    (void)destination;
    djp__buf_init(&all, 0);
    if (djp__curl_trust_join(&all, easy, material)) {
        struct curl_blob blob = {.data = all.data, .len = all.size, .flags = CURL_BLOB_COPY};
        code =
            all.failed ? CURLE_OUT_OF_MEMORY : curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    }
    djp__buf_fini(&all);
#else
    if (material->certificate.size > 0) {
        code = curl_easy_setopt(easy, CURLOPT_CAINFO, destination->certificate);
    }
#endif
    return code;
}

static CURLcode
curl_trust_client(CURL *easy, CURLoption blob_option, CURLoption path_option, const djp__buf *pem,
                  const char *path)
{
    if (pem->size == 0) {
        return CURLE_OK;
    }
#if LIBCURL_VERSION_NUM >= 0x074700
    struct curl_blob blob = {.data = pem->data, .len = pem->size, .flags = CURL_BLOB_COPY};
    (void)path_option;
    (void)path;
    return curl_easy_setopt(easy, blob_option, &blob);
#else
    (void)blob_option;
    return curl_easy_setopt(easy, path_option, path);
#endif
}

CURLcode
djp__curl_identify(CURL *easy, const djp__destination *destination,
                   const djp__tls_material *material)
{
#if LIBCURL_VERSION_NUM < 0x074700
    enum { CURLOPT_SSLCERT_BLOB, CURLOPT_SSLKEY_BLOB };
#endif
    CURLcode code =
        curl_trust_client(easy, CURLOPT_SSLCERT_BLOB, CURLOPT_SSLCERT,
                          &material->client_certificate, destination->client_certificate);
    if (code == CURLE_OK) {
        code = curl_trust_client(easy, CURLOPT_SSLKEY_BLOB, CURLOPT_SSLKEY, &material->client_key,
                                 destination->client_key);
    }
    /* A wrong pass phrase is an error; without one, libcurl would prompt on the terminal. */
    if (code == CURLE_OK && material->client_key.size > 0) {
        code = curl_easy_setopt(easy, CURLOPT_KEYPASSWD, "");
    }
    return code;
}
