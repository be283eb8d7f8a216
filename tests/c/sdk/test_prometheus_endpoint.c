/* The stand-alone listener of an SDK that runs already, and the compression that it shares with
 * scrapes of applications. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"
#include "djp/djp.h"

static const char *
no_variables(void *user, const char *name)
{
    (void)user;
    (void)name;
    return NULL;
}

static djp_sdk *
start(const char *backend)
{
    const djp_config_override overrides[] = {
        {"enabled", "true"}, {"backend", backend}, {"exporter", "memory"}};
    const djp_sdk_language language = {"test", "test", "1", 0};
    djp_options options;
    djp_sdk *sdk;
    assert_int_equal(
        djp_config_resolve(&options, no_variables, NULL, overrides, 3, "test", NULL, NULL), 0);
    options.log_level = 0;
    assert_int_equal(djp_sdk_new(&sdk, &options, &language, NULL, NULL), 0);
    djp_options_fini(&options);
    return sdk;
}

/* A bound socket on a free port, which the caller closes. */
static int
take_port(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static int
connects(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int good = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return good;
}

static void
opens_once_and_ends_with_the_sdk(void **state)
{
    (void)state;
    djp_sdk *sdk = start("prom");
    int port, other, fd = take_port(&port);
    assert_int_equal(djp_sdk_listen(sdk, "127.0.0.1", port), DJP_EIO);
    close(fd);
    assert_int_equal(djp_sdk_listen(sdk, "no such host.invalid", port), DJP_EINVAL);
    assert_int_equal(djp_sdk_listen(sdk, "127.0.0.1", port), 0);
    assert_true(connects(port));
    assert_int_equal(djp_sdk_listen(sdk, "127.0.0.1", port), 0);
    fd = take_port(&other);
    close(fd);
    assert_int_equal(djp_sdk_listen(sdk, "127.0.0.1", other), DJP_EEXIST);
    assert_int_equal(djp_sdk_shutdown(sdk, UINT64_C(1000000000)), 0);
    assert_false(connects(port));
    assert_int_equal(djp_sdk_listen(sdk, "127.0.0.1", port), DJP_ESHUTDOWN);
    djp_sdk_free(sdk);
}

static void
refuses_what_cannot_be(void **state)
{
    (void)state;
    djp_sdk *sdk = start("prom");
    assert_int_equal(djp_sdk_listen(sdk, NULL, 0), DJP_EINVAL);
    assert_int_equal(djp_sdk_listen(sdk, NULL, -1), DJP_EINVAL);
    assert_int_equal(djp_sdk_listen(sdk, NULL, 65536), DJP_EINVAL);
    djp_sdk_free(sdk);
    sdk = start("otel");
    assert_int_equal(djp_sdk_listen(sdk, NULL, 9464), DJP_EUNSUPPORTED);
    djp_sdk_free(sdk);
}

/* A text of that size, packed for that header: 1 and the text of before comes out again, or 0 and
 * nothing changed. */
static int
packs(size_t size, const char *accept)
{
    char *text = djp__alloc(size + 1);
    assert_non_null(text);
    memset(text, 'x', size);
    text[size] = '\0';
    size_t now = size;
    int packed =
        djp_exposition_pack(&text, &now, (djp_text){accept, accept != NULL ? strlen(accept) : 0});
    if (packed) {
        char *out = malloc(size + 1);
        z_stream stream = {.next_in = (Bytef *)text, .avail_in = (uInt)now};
        assert_non_null(out);
        stream.next_out = (Bytef *)out;
        stream.avail_out = (uInt)size + 1;
        assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
        assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
        assert_int_equal(stream.total_out, size);
        assert_true(now < size);
        inflateEnd(&stream);
        free(out);
    } else {
        assert_int_equal(now, size);
        assert_int_equal(text[size - 1], 'x');
    }
    djp_free(text);
    return packed;
}

static void
packs_for_who_takes_it(void **state)
{
    (void)state;
    assert_true(packs(5000, "gzip"));
    assert_true(packs(5000, "deflate, GZIP;q=0.3"));
    assert_true(packs(5000, "*"));
    assert_false(packs(5000, "*, gzip;q=0"));
    assert_false(packs(5000, "gzip;q=x"));
    assert_false(packs(5000, "br"));
    assert_false(packs(5000, ""));
    assert_false(packs(5000, NULL));
    assert_false(packs(100, "gzip")); /* not worth it */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_once_and_ends_with_the_sdk),
        cmocka_unit_test(refuses_what_cannot_be),
        cmocka_unit_test(packs_for_who_takes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
