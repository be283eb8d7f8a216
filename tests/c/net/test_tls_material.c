/* The files of TLS as they are read: what is refused and in which words, what is left out, and what
 * counts as a change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "djp/error.h"
#include "net/tls_material.h"

enum { MOST = 16 << 20 };

static char folder[64], names[5][96];
static djp__destination destination;
static djp__tls_material material;
static char why[256];

static void
put(int which, const char *text, size_t size)
{
    FILE *file = fopen(names[which], "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fclose(file);
}

static int
set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/djp-tls-XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (int i = 0; i < 5; i++) {
        snprintf(names[i], sizeof names[i], "%s/%d", folder, i);
        put(i, names[i], strlen(names[i])); /* each file says its own name */
    }
    destination = (djp__destination){.certificate = names[0],
                                     .extra_certificate = names[1],
                                     .client_certificate = names[2],
                                     .client_key = names[3]};
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        unlink(names[i]);
        rmdir(names[i]);
    }
    return rmdir(folder);
}

static int
read_material(void)
{
    memset(why, 'x', sizeof why);
    return djp__tls_material_read(&material, &destination, why);
}

static void
holds(const djp__buf *buf, const char *text)
{
    assert_int_equal(buf->size, strlen(text));
    assert_memory_equal(buf->data, text, buf->size);
}

static void
each_file_has_its_place(void **state)
{
    (void)state;
    assert_int_equal(read_material(), 0);
    assert_string_equal(why, "");
    holds(&material.certificate, names[0]);
    holds(&material.extra_certificate, names[1]);
    holds(&material.client_certificate, names[2]);
    holds(&material.client_key, names[3]);
    djp__tls_material_fini(&material);
    assert_null(material.client_key.data);
    destination = (djp__destination){.certificate = "", .client_key = NULL};
    assert_int_equal(read_material(), 0);
    assert_int_equal(material.certificate.size + material.client_key.size, 0);
    djp__tls_material_fini(&material);
}

/* Larger than one read, and in one piece. */
static void
long_files_are_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = {8191, 8192, 8193, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *text = malloc(sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++) {
            text[k] = (char)('a' + k % 23);
        }
        put(0, text, sizes[i]);
        assert_int_equal(read_material(), 0);
        assert_int_equal(material.certificate.size, sizes[i]);
        assert_memory_equal(material.certificate.data, text, sizes[i]);
        djp__tls_material_fini(&material);
        free(text);
    }
}

static void
refused(int which, const char *what, const char *reason)
{
    char start[160];
    assert_int_equal(read_material(), DJP_EIO);
    snprintf(start, sizeof start, "cannot use the %s %s: ", what, names[which]);
    assert_int_equal(strncmp(why, start, strlen(start)), 0);
    assert_non_null(strstr(why, reason));
    djp__tls_material_fini(&material);
}

static void
bad_files_are_named(void **state)
{
    (void)state;
    static const struct {
        int which;
        const char *what;
    } cases[] = {{0, "certificate"}, {2, "client certificate"}, {3, "client key"}};
    for (size_t i = 0; i < 3; i++) {
        int which = cases[i].which;
        put(which, "", 0);
        refused(which, cases[i].what, "it is empty");
        unlink(names[which]);
        refused(which, cases[i].what, "No such file");
        assert_int_equal(mkdir(names[which], 0700), 0);
        refused(which, cases[i].what, "it is no regular file");
        rmdir(names[which]);
        assert_int_equal(mkfifo(names[which], 0600), 0); /* would wait for ever */
        refused(which, cases[i].what, "it is no regular file");
        unlink(names[which]);
        put(which, "good", 4);
    }
    assert_int_equal(truncate(names[0], MOST), 0);
    assert_int_equal(read_material(), 0);
    djp__tls_material_fini(&material);
    assert_int_equal(truncate(names[0], MOST + 1), 0);
    refused(0, "certificate", "it is too large");
}

/* More certificates are a help where they can be had, and no reason to fail. */
static void
a_bad_extra_file_is_left_out(void **state)
{
    (void)state;
    put(1, "", 0);
    assert_int_equal(read_material(), 0);
    assert_int_equal(material.extra_certificate.size, 0);
    djp__tls_material_fini(&material);
    assert_int_equal(truncate(names[1], MOST + 1), 0);
    assert_int_equal(read_material(), 0);
    assert_int_equal(material.extra_certificate.size, 0);
    assert_null(material.extra_certificate.data);
    assert_string_equal(why, "");
    djp__tls_material_fini(&material);
}

static void
encrypted_keys_are_refused(void **state)
{
    (void)state;
    static const char *const marks[] = {"-----BEGIN ENCRYPTED PRIVATE KEY-----",
                                        "x\nProc-Type: 4,ENCRYPTED\n"};
    for (size_t i = 0; i < 2; i++) {
        put(3, marks[i], strlen(marks[i]));
        refused(3, "client key", "it is encrypted");
        put(3, marks[i], strlen(marks[i]) - 8);
        put(0, marks[i], strlen(marks[i])); /* elsewhere it says nothing */
        assert_int_equal(read_material(), 0);
        djp__tls_material_fini(&material);
    }
}

static void
a_change_of_any_file_is_one(void **state)
{
    (void)state;
    djp__tls_material before;
    assert_int_equal(read_material(), 0);
    before = material;
    assert_int_equal(read_material(), 0);
    assert_true(djp__tls_material_equal(&before, &material));
    djp__tls_material_fini(&material);
    for (int which = 0; which < 4; which++) {
        char other[96];
        strcpy(other, names[which]);
        other[0] = '!'; /* the same length */
        put(which, other, strlen(other));
        assert_int_equal(read_material(), 0);
        assert_false(djp__tls_material_equal(&before, &material));
        djp__tls_material_fini(&material);
        put(which, names[which], strlen(names[which]) - 1);
        assert_int_equal(read_material(), 0);
        assert_false(djp__tls_material_equal(&before, &material));
        djp__tls_material_fini(&material);
        put(which, names[which], strlen(names[which]));
    }
    djp__tls_material_fini(&before);
    djp__tls_material none = {0};
    assert_true(djp__tls_material_equal(&none, &none));
}

static void
no_descriptor_is_left(void **state)
{
    (void)state;
    int before = dup(0);
    close(before);
    put(3, "-----BEGIN ENCRYPTED PRIVATE KEY-----", 37);
    put(1, "", 0);
    refused(3, "client key", "it is encrypted");
    unlink(names[2]);
    assert_int_equal(mkdir(names[2], 0700), 0);
    refused(2, "client certificate", "no regular file");
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ONE(each_file_has_its_place),    ONE(long_files_are_whole),
        ONE(bad_files_are_named),        ONE(a_bad_extra_file_is_left_out),
        ONE(encrypted_keys_are_refused), ONE(a_change_of_any_file_is_one),
        ONE(no_descriptor_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
