/* An HTTPS receiver on the loopback interface, with a certificate of one of two authorities. */
#ifndef TESTS_C_TLS_SERVER_H
#define TESTS_C_TLS_SERVER_H

typedef struct tls_server tls_server;

/* authority: 'a' or 'b'. It requests a certificate of the client, but requires none. Fails the test
 * if it cannot start. */
tls_server *tls_server_new(char authority);
void tls_server_free(tls_server *server);
/* "https://127.0.0.1:PORT/v1/traces" */
const char *tls_server_url(const tls_server *server);
unsigned tls_server_requests(tls_server *server);
/* Requests on connections whose client has shown a certificate. */
unsigned tls_server_identified(tls_server *server);

#endif
