/* Authorities in PEM files. libcurl takes one file; more of them are put together in memory. */
#include "export/curl_trust.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

enum { CURL_TRUST_MAX = 16 << 20 };

/* Where systems keep theirs, for a libcurl that does not say. */
static const char *const curl_trust_systems[] = {"/etc/ssl/certs/ca-certificates.crt",
                                                 "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                                                 "/etc/ssl/cert.pem"};

static int
curl_trust_is_given(const char *path)
{
    return path && path[0];
}

/* Appends a regular file and a line end; 0 when it cannot be read or is too large. */
static int
curl_trust_append(djp_buf *out, const char *path)
{
    struct stat about;
    char block[8192];
    size_t before = out->size;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int good = fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    while (good) {
        ssize_t got = read(fd, block, sizeof block);
        good = got >= 0 && out->size + (size_t)got <= CURL_TRUST_MAX;
        if (got <= 0 || !good)
            break;
        djp__buf_append(out, block, (size_t)got);
    }
    if (fd >= 0)
        close(fd);
    djp__buf_char(out, '\n');
    return good && !out->failed && out->size > before + 1;
}

/* The file that libcurl would take by itself. */
static const char *
curl_trust_system(CURL *easy)
{
    const char *path = NULL;
#if LIBCURL_VERSION_NUM >= 0x075400
    if (curl_easy_getinfo(easy, CURLINFO_CAINFO, &path) == CURLE_OK && curl_trust_is_given(path))
        return path;
#else
    (void)easy;
#endif
    for (size_t i = 0; i < sizeof curl_trust_systems / sizeof curl_trust_systems[0]; i++) {
        path = curl_trust_systems[i];
        if (access(path, R_OK) == 0)
            return path;
    }
    return NULL;
}

CURLcode
djp__curl_trust(CURL *easy, const djp_options *options)
{
    int own = curl_trust_is_given(options->certificate);
    CURLcode code = own ? curl_easy_setopt(easy, CURLOPT_CAINFO, options->certificate) : CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x074d00
    if (code == CURLE_OK && curl_trust_is_given(options->extra_certificate)) {
        djp_buf all;
        djp__buf_init(&all, 0);
        const char *base = own ? options->certificate : curl_trust_system(easy);
        int based = !base || curl_trust_append(&all, base);
        if (based && curl_trust_append(&all, options->extra_certificate)) {
            struct curl_blob blob = {.data = all.data, .len = all.size, .flags = CURL_BLOB_COPY};
            code = curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
        }
        djp__buf_fini(&all);
    }
#endif
    return code;
}
