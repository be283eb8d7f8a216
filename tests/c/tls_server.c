#include "tls_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <microhttpd.h>

#include "certificates.h"

struct tls_server {
    struct MHD_Daemon *daemon;
    char url[64];
    _Atomic unsigned requests, identified;
};

/* Of GnuTLS, which libmicrohttpd has loaded. */
typedef const void *get_peers(void *session, unsigned *count);

static int
is_identified(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    union {
        void *symbol;
        get_peers *call;
    } found = {dlsym(RTLD_DEFAULT, "gnutls_certificate_get_peers")};
    unsigned count = 0;
    assert_non_null(found.symbol);
    return info != NULL && found.call(info->tls_session, &count) != NULL && count > 0;
}

static enum MHD_Result
respond(void *user, struct MHD_Connection *connection, const char *url, const char *method,
        const char *version, const char *data, size_t *size, void **state)
{
    tls_server *server = user;
    (void)url;
    (void)method;
    (void)version;
    (void)data;
    if (*state == NULL) {
        *state = server;
        return MHD_YES;
    }
    if (*size > 0) {
        *size = 0;
        return MHD_YES;
    }
    server->requests++;
    server->identified += (unsigned)is_identified(connection);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

tls_server *
tls_server_new(char authority)
{
    tls_server *server = calloc(1, sizeof *server);
    assert_non_null(server);
    server->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL, respond, server,
        MHD_OPTION_HTTPS_MEM_CERT, authority == 'a' ? CERTIFICATE_SERVER_A : CERTIFICATE_SERVER_B,
        MHD_OPTION_HTTPS_MEM_KEY,
        authority == 'a' ? CERTIFICATE_SERVER_A_KEY : CERTIFICATE_SERVER_B_KEY,
        MHD_OPTION_HTTPS_MEM_TRUST, CERTIFICATE_AUTHORITY_A, MHD_OPTION_END);
    assert_non_null(server->daemon);
    int port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    snprintf(server->url, sizeof server->url, "https://127.0.0.1:%d/v1/traces", port);
    return server;
}

void
tls_server_free(tls_server *server)
{
    MHD_stop_daemon(server->daemon);
    free(server);
}

const char *
tls_server_url(const tls_server *server)
{
    return server->url;
}

unsigned
tls_server_requests(tls_server *server)
{
    return server->requests;
}

unsigned
tls_server_identified(tls_server *server)
{
    return server->identified;
}
