/* Hosts without a proxy: those of the loopback interface, and exceptions with a port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/proxy.h"

static void
loopback_is_direct(void **state)
{
    (void)state;
    static const char *const yes[] = {"localhost", "LocalHost",         "a.localhost",
                                      "127.0.0.1", "127.9.8.7",         "::1",
                                      "[::1]",     "[0:0:0:0:0:0:0:1]", NULL};
    static const char *const no[] = {
        "",      "localhos", ".localhost", "localhost.example", "128.0.0.1", "10.0.0.1",
        "[::2]", "[",        "[]",         "127.0.0.1.example", NULL};
    for (size_t i = 0; yes[i] != NULL; i++) {
        assert_true(djp__proxy_is_direct(NULL, yes[i], "4318"));
    }
    for (size_t i = 0; no[i] != NULL; i++) {
        assert_false(djp__proxy_is_direct(NULL, no[i], "4318"));
    }
}

static void
exceptions_have_a_port(void **state)
{
    (void)state;
    static const struct {
        const char *host, *port, *list;
        int direct;
    } cases[] = {
        {"far", "4318", "other, far:4318", 1},
        {"FAR", "4318", "far:4318", 1},
        {"far", "4318", "far:4317", 0},
        {"far", "80", "far:80", 1},
        {"a.far", "4318", "far:4318", 1},
        {"a.far", "4318", ".far:4318", 1},
        {"afar", "4318", "far:4318", 0},
        {"far", "4318", "afar:4318", 0},
        {"far", "4318", "*:4318", 1},
        {"[fe80::1]", "4318", "[fe80::1]:4318", 1},
        {"[fe80::4318]", "4318", "fe80::4318", 0}, /* an address, which libcurl knows */
        {"far", "4318", ":4318,far:,4318", 0},
        {"far", "4318", "far", 0}, /* libcurl's */
        {"far", "4318", "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (djp__proxy_is_direct(cases[i].list, cases[i].host, cases[i].port) != cases[i].direct) {
            fail_msg("%s:%s with %s", cases[i].host, cases[i].port, cases[i].list);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_direct),
        cmocka_unit_test(exceptions_have_a_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
