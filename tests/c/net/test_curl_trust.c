/* Whom a connection trusts and as whom it comes, against HTTPS servers of two authorities. The
 * source is part of this program, for the choice among the files of a system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "certificates.h"
#include "heap.h"
#include "net/curl_trust.c"
#include "tls_server.h"

static tls_server *server_a, *server_b;

static int
begin_servers(void **state)
{
    (void)state;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    server_a = tls_server_new('a');
    server_b = tls_server_new('b');
    return 0;
}

static int
end_servers(void **state)
{
    (void)state;
    tls_server_free(server_a);
    tls_server_free(server_b);
    return 0;
}

static void
put(djp__buf *buf, const char *text)
{
    djp__buf_init(buf, 0);
    djp__buf_text(buf, text);
}

static djp__tls_material
material_of(const char *certificate, const char *extra, const char *client, const char *key)
{
    djp__tls_material material;
    put(&material.certificate, certificate);
    put(&material.extra_certificate, extra);
    put(&material.client_certificate, client);
    put(&material.client_key, key);
    return material;
}

/* The result of a request with that material. */
static CURLcode
visit(tls_server *server, djp__tls_material material)
{
    static const djp__destination destination;
    CURL *easy = curl_easy_init();
    assert_non_null(easy);
    curl_easy_setopt(easy, CURLOPT_URL, tls_server_url(server));
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    assert_int_equal(djp__curl_trust(easy, &destination, &material), CURLE_OK);
    CURLcode code = djp__curl_identify(easy, &destination, &material);
    djp__tls_material_fini(&material); /* libcurl has its own copies */
    if (code == CURLE_OK) {
        code = curl_easy_perform(easy);
    }
    curl_easy_cleanup(easy);
    return code;
}

#define NOT_TRUSTED CURLE_PEER_FAILED_VERIFICATION

static void
only_the_given_authorities_are_trusted(void **state)
{
    (void)state;
    assert_int_equal(visit(server_a, material_of("", "", "", "")), NOT_TRUSTED);
    assert_int_equal(visit(server_a, material_of(CERTIFICATE_AUTHORITY_A, "", "", "")), CURLE_OK);
    assert_int_equal(visit(server_b, material_of(CERTIFICATE_AUTHORITY_A, "", "", "")),
                     NOT_TRUSTED);
    assert_int_equal(visit(server_b, material_of(CERTIFICATE_AUTHORITY_B, "", "", "")), CURLE_OK);
}

static void
extra_authorities_are_trusted_too(void **state)
{
    char cut[2048];
    (void)state;
    assert_int_equal(visit(server_a, material_of("", CERTIFICATE_AUTHORITY_A, "", "")), CURLE_OK);
    assert_int_equal(visit(server_b, material_of("", CERTIFICATE_AUTHORITY_A, "", "")),
                     NOT_TRUSTED);
    /* Both, although the first file does not end its last line. */
    snprintf(cut, sizeof cut, "%s", CERTIFICATE_AUTHORITY_A);
    cut[strlen(cut) - 1] = '\0';
    assert_int_equal(visit(server_a, material_of(cut, CERTIFICATE_AUTHORITY_B, "", "")), CURLE_OK);
    assert_int_equal(visit(server_b, material_of(cut, CERTIFICATE_AUTHORITY_B, "", "")), CURLE_OK);
}

/* The bytes that libcurl gets: those of the file, or of the system's file if none is given, then
 * the extra ones. */
static void
the_authorities_of_the_system_stay_beside_extra_ones(void **state)
{
    (void)state;
    const char *path = NULL;
    CURL *easy = curl_easy_init();
    djp__buf system, joined;
    djp__tls_material material = material_of("", "extra", "", "");
    djp__buf_init(&system, 0);
    djp__buf_init(&joined, 0);
    curl_easy_getinfo(easy, CURLINFO_CAINFO, &path);
    if (path == NULL || djp__tls_material_load(&system, path) != NULL) {
        djp__buf_fini(&system);
        djp__tls_material_fini(&material);
        curl_easy_cleanup(easy);
        skip(); /* a system without authorities */
    }
    assert_int_equal(djp__curl_trust_join(&joined, easy, &material), 1);
    assert_int_equal(joined.size, system.size + strlen("\nextra"));
    assert_memory_equal(joined.data, system.data, system.size);
    assert_memory_equal(joined.data + system.size, "\nextra", strlen("\nextra"));
    djp__tls_material_fini(&material);
    material = material_of("own", "extra", "", "");
    djp__buf_clear(&joined);
    assert_int_equal(djp__curl_trust_join(&joined, easy, &material), 1);
    assert_int_equal(joined.size, strlen("own\nextra"));
    assert_memory_equal(joined.data, "own\nextra", joined.size);
    djp__tls_material_fini(&material);
    material = material_of("", "", "", "");
    djp__buf_clear(&joined);
    assert_int_equal(djp__curl_trust_join(&joined, easy, &material), 0);
    assert_int_equal(joined.size, 0);
    djp__tls_material_fini(&material);
    djp__buf_fini(&system);
    djp__buf_fini(&joined);
    curl_easy_cleanup(easy);
}

static void
the_first_readable_file_of_a_system_is_used(void **state)
{
    static const char *const paths[] = {NULL, "/nowhere/ca.pem", "/dev/null", "/dev/zero"};
    (void)state;
    assert_string_equal(curl_trust_first(paths, 4), "/dev/null");
    assert_string_equal(curl_trust_first(paths, 3), "/dev/null");
    assert_null(curl_trust_first(paths, 2));
    assert_null(curl_trust_first(paths, 0));
}

/* If the system's file cannot be used, libcurl's own default stays. */
static void
an_unusable_file_of_the_system_changes_nothing(void **state)
{
    djp__buf joined;
    djp__tls_material material = material_of("", "extra", "", "");
    CURL *easy = curl_easy_init();
    (void)state;
    djp__buf_init(&joined, 0);
    if (curl_trust_system(easy) == NULL) {
        djp__tls_material_fini(&material);
        curl_easy_cleanup(easy);
        skip();
    }
    djp__alloc_fail_after(1); /* it cannot be read */
    int is_joined = djp__curl_trust_join(&joined, easy, &material);
    djp__alloc_fail_after(0);
    assert_int_equal(is_joined, 0);
    djp__buf_fini(&joined);
    djp__tls_material_fini(&material);
    curl_easy_cleanup(easy);
}

static void
a_client_shows_its_certificate_if_it_has_one(void **state)
{
    (void)state;
    unsigned before = tls_server_identified(server_a);
    assert_int_equal(visit(server_a, material_of(CERTIFICATE_AUTHORITY_A, "", "", "")), CURLE_OK);
    assert_int_equal(tls_server_identified(server_a), before);
    assert_int_equal(visit(server_a, material_of(CERTIFICATE_AUTHORITY_A, "", CERTIFICATE_CLIENT,
                                                 CERTIFICATE_CLIENT_KEY)),
                     CURLE_OK);
    assert_int_equal(tls_server_identified(server_a), before + 1);
}

static void
a_wrong_certificate_or_key_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(visit(server_a, material_of(CERTIFICATE_AUTHORITY_A, "", "nonsense",
                                                 CERTIFICATE_CLIENT_KEY)),
                     CURLE_SSL_CERTPROBLEM);
    assert_int_equal(visit(server_a, material_of(CERTIFICATE_AUTHORITY_A, "", CERTIFICATE_CLIENT,
                                                 CERTIFICATE_SERVER_B_KEY)),
                     CURLE_SSL_CERTPROBLEM);
}

static void
join_and_release(void)
{
    CURL *easy = curl_easy_init();
    static const djp__destination destination;
    djp__tls_material material =
        material_of("own", "extra", CERTIFICATE_CLIENT, CERTIFICATE_CLIENT_KEY);
    assert_int_equal(djp__curl_trust(easy, &destination, &material), CURLE_OK);
    assert_int_equal(djp__curl_identify(easy, &destination, &material), CURLE_OK);
    for (int n = 1; n <= 2; n++) {
        djp__alloc_fail_once(n);
        CURLcode code = djp__curl_trust(easy, &destination, &material);
        djp__alloc_fail_after(0);
        assert_int_equal(code, CURLE_OUT_OF_MEMORY);
        if (n == 1) {
            material.extra_certificate.size = 5000; /* the next time the buffer grows twice */
            djp__buf_reserve(&material.extra_certificate, 5000);
            memset(material.extra_certificate.data, 'x', 5000);
        }
    }
    djp__tls_material_fini(&material);
    curl_easy_cleanup(easy);
}

static void
no_memory_stays_and_lack_of_it_is_reported(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(join_and_release, 20), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_given_authorities_are_trusted),
        cmocka_unit_test(extra_authorities_are_trusted_too),
        cmocka_unit_test(the_authorities_of_the_system_stay_beside_extra_ones),
        cmocka_unit_test(the_first_readable_file_of_a_system_is_used),
        cmocka_unit_test(an_unusable_file_of_the_system_changes_nothing),
        cmocka_unit_test(a_client_shows_its_certificate_if_it_has_one),
        cmocka_unit_test(a_wrong_certificate_or_key_is_an_error),
        cmocka_unit_test(no_memory_stays_and_lack_of_it_is_reported),
    };
    return cmocka_run_group_tests(tests, begin_servers, end_servers);
}
