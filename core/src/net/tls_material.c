/* Reads certificates and keys. It does not interpret TLS: it only detects the PEM labels of
 * encrypted data. */
#include "net/tls_material.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "djp/error.h"

enum { TLS_MATERIAL_MAX = 16 << 20 };

const char *
djp__tls_material_load(djp__buf *out, const char *path)
{
    struct stat about;
    char block[8192];
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return strerror(errno);
    }
    const char *wrong = NULL;
    if (fstat(fd, &about) != 0) {
        wrong = "it cannot be looked at";
    } else if (!S_ISREG(about.st_mode)) {
        wrong = "it is no regular file";
    }
    while (wrong == NULL && (got = read(fd, block, sizeof block)) > 0) {
        djp__buf_append(out, block, (size_t)got);
        if (out->failed || out->size > TLS_MATERIAL_MAX) {
            wrong = "it is too large";
        }
    }
    if (wrong == NULL && got < 0) {
        wrong = strerror(errno);
    }
    memset(block, 0, sizeof block);
    close(fd);
    return wrong != NULL ? wrong : out->size == 0 ? "it is empty" : NULL;
}

static int
tls_material_get(djp__buf *out, const char *path, const char *what, char why[256])
{
    djp__buf_init(out, 0);
    const char *wrong = path && path[0] ? djp__tls_material_load(out, path) : NULL;
    if (wrong == NULL) {
        return 0;
    }
    snprintf(why, 256, "cannot use the %s %.120s: %.80s", what, path, wrong);
    return DJP_EIO;
}

static int
tls_material_is_encrypted(const djp__buf *key)
{
    static const char *const marks[] = {"BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"};
    for (size_t i = 0; key->data && i < sizeof marks / sizeof marks[0]; i++) {
        if (memmem(key->data, key->size, marks[i], strlen(marks[i]))) {
            return 1;
        }
    }
    return 0;
}

int
djp__tls_material_read(djp__tls_material *material, const djp__destination *destination,
                       char why[256])
{
    char ignored[256];
    memset(material, 0, sizeof *material);
    why[0] = '\0';
    if (tls_material_get(&material->certificate, destination->certificate, "certificate", why) !=
            0 ||
        tls_material_get(&material->client_certificate, destination->client_certificate,
                         "client certificate", why) != 0 ||
        tls_material_get(&material->client_key, destination->client_key, "client key", why) != 0) {
        return DJP_EIO;
    }
    if (tls_material_get(&material->extra_certificate, destination->extra_certificate,
                         "certificate", ignored) != 0) {
        djp__buf_fini(&material->extra_certificate);
    }
    if (tls_material_is_encrypted(&material->client_key)) {
        snprintf(why, 256,
                 "cannot use the client key %.120s: it is encrypted, and the SDK cannot ask for "
                 "its pass phrase; "
                 "write it without one",
                 destination->client_key);
        return DJP_EIO;
    }
    return 0;
}

void
djp__tls_material_fini(djp__tls_material *material)
{
    if (material->client_key.data) {
        explicit_bzero(material->client_key.data, material->client_key.capacity);
    }
    djp__buf_fini(&material->certificate);
    djp__buf_fini(&material->extra_certificate);
    djp__buf_fini(&material->client_certificate);
    djp__buf_fini(&material->client_key);
}

static int
tls_material_same(const djp__buf *a, const djp__buf *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

int
djp__tls_material_equal(const djp__tls_material *a, const djp__tls_material *b)
{
    return tls_material_same(&a->certificate, &b->certificate) &&
           tls_material_same(&a->extra_certificate, &b->extra_certificate) &&
           tls_material_same(&a->client_certificate, &b->client_certificate) &&
           tls_material_same(&a->client_key, &b->client_key);
}
