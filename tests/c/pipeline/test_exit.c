/* The end of a process that did not wait for its telemetry: exit(3) while the worker is inside
 * libcurl or the TLS library, with and without a shutdown before it, must neither crash nor
 * hang. */
#include "pipeline/helper.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SYSTEM_CERTIFICATES "/etc/ssl/certs/ca-certificates.crt"

static char endpoint[64];
static char certificates[] = "/tmp/djp-exit-XXXXXX";

/* A file of certificates that takes the TLS library a while to read. */
static int
make_certificates(void)
{
    static char block[1 << 20];
    FILE *in = fopen(SYSTEM_CERTIFICATES, "r");
    int fd = mkstemp(certificates);
    size_t size = in != NULL ? fread(block, 1, sizeof block, in) : 0;
    int made = fd >= 0 && size > 0;
    for (int i = 0; made && i < 8; i++) {
        made = write(fd, block, size) == (ssize_t)size;
    }
    if (in != NULL) {
        fclose(in);
    }
    if (fd >= 0) {
        close(fd);
    }
    return made;
}

static int
listen_and_say_nothing(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 64) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        return -1;
    }
    snprintf(endpoint, sizeof endpoint, "https://127.0.0.1:%d/v1/traces", ntohs(address.sin_port));
    return fd;
}

/* A child that ends while its worker is inside OpenSSL leaves what OpenSSL was making: no leak of
 * ours, and a matter of timing. Only the sanitizer calls it, by this name. */
static int ends_early;
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int
__lsan_is_turned_off(void)
{
    return ends_early;
}

/* After the exit handlers of everybody who came later. */
static djp_sdk *freed_late;

static void
free_late(void)
{
    djp_sdk_free(freed_late);
}

static void
child(int ending, uint64_t after_ns)
{
    djp_options options = helper_options();
    options.exporter = DJP_EXPORTER_OTLP;
    options.endpoint = endpoint;
    options.certificate = certificates;
    alarm(200);
    ends_early = 1;
    if (ending == 2) {
        atexit(free_late);
    }
    djp_sdk *sdk = helper_sdk(&options, NULL);
    helper_spans(sdk, "short-lived", 10);
    djp_sdk_flush(sdk, after_ns);
    if (ending == 1) {
        djp_sdk_shutdown(sdk, MS);
    }
    freed_late = sdk;
    exit(0);
}

static void
an_early_end_is_a_clean_end(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            child(i % 3, (uint64_t)(20 + 40 * i) * MS);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0) {
            fail_msg("exit %d of kind %d: status 0x%x", i, i % 3, (unsigned)status);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_early_end_is_a_clean_end),
    };
    int listener = listen_and_say_nothing();
    if (listener < 0 || !make_certificates()) {
        printf("left out: no certificates in %s\n", SYSTEM_CERTIFICATES);
        return 0;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    close(listener);
    unlink(certificates);
    return failed;
}
