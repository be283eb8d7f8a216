/* The PEM files of TLS, read outside libcurl: a file that blocks or needs a pass phrase must not do
 * so inside libcurl. */
#ifndef DJP_NET_TLS_MATERIAL_H
#define DJP_NET_TLS_MATERIAL_H

#include "base/buf.h"
#include "net/destination.h"

typedef struct djp__tls_material {
    djp__buf certificate; /* authorities; each empty if no file is set */
    djp__buf extra_certificate; /* additional ones; also empty if the file is unreadable */
    djp__buf client_certificate;
    djp__buf client_key; /* wiped by _fini */
} djp__tls_material;

/* Reads the files of destination. Only regular files are read, so that a pipe or a device does not
 * block; a dead mount can block the caller, which must hold no lock. Returns 0, or DJP_EIO with the
 * reason in why, which contains the file name but no contents. Call _fini in both cases. */
int djp__tls_material_read(djp__tls_material *material, const djp__destination *destination,
                           char why[256]);
/* Appends a regular file of at most 16 MiB to out. Returns NULL, or the error. */
const char *djp__tls_material_load(djp__buf *out, const char *path);
void djp__tls_material_fini(djp__tls_material *material);
int djp__tls_material_equal(const djp__tls_material *a, const djp__tls_material *b);

#endif
