/* Certificate authorities in PEM files. libcurl accepts one file; several are joined in memory. */
#include "net/curl_trust.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

enum { CURL_TRUST_MAX = 16 << 20 };

/* Usual places of the system's file, for a libcurl without a default. */
static const char *const curl_trust_systems[] = {"/etc/ssl/certs/ca-certificates.crt",
                                                 "/etc/pki/tls/certs/ca-bundle.crt",
                                                 "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

static int
curl_trust_is_given(const char *path)
{
    return path && path[0];
}

/* Appends a regular file and a line end; 0 if it is unreadable or too large. */
static int
curl_trust_append(djp__buf *out, const char *path)
{
    struct stat about;
    char block[8192];
    size_t before = out->size;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int good = fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    while (good) {
        ssize_t got = read(fd, block, sizeof block);
        good = got >= 0 && out->size + (size_t)got <= CURL_TRUST_MAX;
        if (got <= 0 || !good) {
            break;
        }
        djp__buf_append(out, block, (size_t)got);
    }
    if (fd >= 0) {
        close(fd);
    }
    djp__buf_char(out, '\n');
    return good && !out->failed && out->size > before + 1;
}

/* The file that libcurl uses by default. */
static const char *
curl_trust_system(CURL *easy)
{
    const char *path = NULL;
#if LIBCURL_VERSION_NUM >= 0x075400
    if (curl_easy_getinfo(easy, CURLINFO_CAINFO, &path) == CURLE_OK && curl_trust_is_given(path)) {
        return path;
    }
#else
    (void)easy;
#endif
    for (size_t i = 0; i < sizeof curl_trust_systems / sizeof curl_trust_systems[0]; i++) {
        path = curl_trust_systems[i];
        if (access(path, R_OK) == 0) {
            return path;
        }
    }
    return NULL;
}

CURLcode
djp__curl_trust(CURL *easy, const djp__destination *destination, const djp__tls_material *material)
{
    CURLcode code = CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x074d00
    const djp__buf *own = &material->certificate, *extra = &material->extra_certificate;
    djp__buf all;
    (void)destination;
    if (own->size == 0 && extra->size == 0) {
        return CURLE_OK;
    }
    djp__buf_init(&all, 0);
    const char *base = own->size == 0 ? curl_trust_system(easy) : NULL;
    djp__buf_append(&all, own->data, own->size);
    djp__buf_char(&all, '\n');
    if (base == NULL || curl_trust_append(&all, base)) {
        djp__buf_append(&all, extra->data, extra->size);
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
