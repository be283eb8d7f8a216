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

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "djp/error.h"
#include "heap.h"
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
    memset(&material, 0x55, sizeof material); /* it needs no particular contents */
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

/* A name may have one letter, and a file one byte. */
static void
short_names_and_files_count(void **state)
{
    djp__tls_material other;
    (void)state;
    assert_int_equal(chdir(folder), 0);
    put(0, "a", 1);
    destination = (djp__destination){.certificate = "0"};
    assert_int_equal(read_material(), 0);
    holds(&material.certificate, "a");
    put(0, "b", 1);
    assert_int_equal(djp__tls_material_read(&other, &destination, why), 0);
    assert_int_equal(djp__tls_material_equal(&material, &other), 0);
    djp__tls_material_fini(&material);
    djp__tls_material_fini(&other);
    assert_int_equal(chdir("/"), 0);
}

/* Without memory no part of a file is taken for the whole. */
static void
lack_of_memory_is_an_error(void **state)
{
    char *text = calloc(1, 100000);
    (void)state;
    memset(text, 'k', 100000);
    put(3, text, 100000);
    for (long n = 1;; n++) {
        djp__alloc_fail_once(n);
        int code = read_material();
        djp__alloc_fail_after(0);
        int is_whole = code == 0 && material.client_key.size == 100000 &&
                       material.certificate.size == strlen(names[0]) &&
                       material.extra_certificate.size == strlen(names[1]);
        int is_without_extra = code == 0 && material.extra_certificate.data == NULL;
        djp__tls_material_fini(&material);
        assert_true(is_whole || is_without_extra || code == DJP_EIO);
        if (is_whole) {
            assert_true(n > 4);
            break;
        }
    }
    free(text);
}

static void
read_and_release(void)
{
    assert_int_equal(read_material(), 0);
    djp__tls_material_fini(&material);
    destination.client_key = "/nowhere";
    assert_int_equal(read_material(), DJP_EIO);
    djp__tls_material_fini(&material);
    destination.client_key = names[3];
}

static void
no_memory_stays(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(read_and_release, 20), 0);
}

/* Whether a text is in the heap of this process, looked at from outside, so that freed memory may
 * be read, too. The text is given with its letters one too high, so that it is nowhere else. */
static int
heap_contains(const char *shifted)
{
    char text[64], line[256];
    unsigned long from, to;
    int found = 0;
    size_t size = strlen(shifted);
    for (size_t i = 0; i < size; i++) {
        text[i] = (char)(shifted[i] - 1);
    }
    FILE *maps = fopen("/proc/self/maps", "r");
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    while (fgets(line, sizeof line, maps) != NULL) {
        if (strstr(line, "[heap]") == NULL || sscanf(line, "%lx-%lx", &from, &to) != 2) {
            continue;
        }
        char *copy =
            mmap(NULL, to - from, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ssize_t got = pread(memory, copy, to - from, (off_t)from);
        found |= got > 0 && memmem(copy, (size_t)got, text, size) != NULL;
        memset(copy, 0, to - from);
        munmap(copy, to - from);
    }
    fclose(maps);
    close(memory);
    return found;
}

/* The key is wiped before its memory goes back. */
static void
no_key_stays_in_memory(void **state)
{
    static const char shifted[] = "B!lfz!uibu!jt!opxifsf!fmtf";
    char text[sizeof shifted];
    (void)state;
    for (size_t i = 0; i < sizeof shifted - 1; i++) {
        text[i] = (char)(shifted[i] - 1);
    }
    int file = open(names[3], O_WRONLY | O_TRUNC | O_CLOEXEC);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(write(file, text, sizeof shifted - 1), sizeof shifted - 1);
    }
    close(file);
    assert_int_equal(read_material(), 0);
    if (!heap_contains(shifted)) {
        djp__tls_material_fini(&material);
        skip(); /* another allocator, that of a sanitizer */
    }
    djp__tls_material_fini(&material);
    assert_false(heap_contains(shifted));
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ONE(each_file_has_its_place),    ONE(long_files_are_whole),
        ONE(bad_files_are_named),        ONE(a_bad_extra_file_is_left_out),
        ONE(encrypted_keys_are_refused), ONE(a_change_of_any_file_is_one),
        ONE(no_descriptor_is_left),      ONE(short_names_and_files_count),
        ONE(lack_of_memory_is_an_error), ONE(no_memory_stays),
        ONE(no_key_stays_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
