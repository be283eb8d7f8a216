/* The parts of a URL that are recorded: which texts are URLs, what is left out, and where it is
 * cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "instrument/http_url.h"

/* The memory behind the result is checked, too. */
static struct {
    djp__http_url url;
    char guard[8192];
} memory;
#define url memory.url

/* The text lies at the end of memory that holds nothing else, so that sanitizers see a byte read
 * too many. */
static djp_text
exact(const char *text)
{
    static char *copies[2];
    static int turn;
    size_t size = strlen(text);
    turn = !turn;
    free(copies[turn]);
    copies[turn] = malloc(size + 1);
    assert_non_null(copies[turn]);
    memcpy(copies[turn] + 1, text, size);
    return (djp_text){copies[turn] + 1, size};
}

static int
read_url(const char *text, const char *target)
{
    memset(memory.guard, 'g', sizeof memory.guard);
    int result = djp__http_url_read(&url, exact(text), exact(target));
    for (size_t i = 0; i < sizeof memory.guard; i++) {
        assert_int_equal(memory.guard[i], 'g');
    }
    return result;
}

static void
assert_text(djp_text text, const char *wanted)
{
    if (!djp__text_equal(text, wanted)) {
        fail_msg("%.*s, not %s", (int)text.size, text.data, wanted);
    }
}

static void
assert_url(const char *text, const char *wanted)
{
    assert_true(read_url(text, ""));
    assert_text(url.text, wanted);
}

static void
test_the_parts(void **state)
{
    (void)state;
    assert_true(read_url("HTTP://User@A.Host.Zone[@]^`{:8080/Path?A=b", ""));
    assert_text(url.scheme, "http");
    assert_text(url.host, "]^`{");
    assert_true(read_url("HTTP://User@A-Host.Zone:8080/Path?A=b", ""));
    assert_text(url.host, "a-host.zone");
    assert_int_equal(url.port, 8080);
    assert_text(url.text, "http://a-host.zone:8080/Path?A=REDACTED");
}

static void
test_ports(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
        unsigned port;
    } cases[] = {
        {"http://h", "http://h/", 80},
        {"http://h:", "http://h/", 80},
        {"http://h:80", "http://h/", 80},
        {"http://h:443", "http://h:443/", 443},
        {"https://h", "https://h/", 443},
        {"https://h:80", "https://h:80/", 80},
        {"https://h:443", "https://h/", 443},
        {"http://h:0", "http://h:0/", 0},
        {"http://h:65535", "http://h:65535/", 65535},
        {"http://h:0080", "http://h/", 80},
        {"ws://h", "ws://h/", 0},
        {"http://[::1]", "http://[::1]/", 80},
        {"http://[::1]:81", "http://[::1]:81/", 81},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_url(cases[i].text, cases[i].shown);
        assert_int_equal(url.port, cases[i].port);
    }
}

static void
test_texts_that_are_no_url(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "h",
                                        "/p",
                                        "//h/p",
                                        "http:",
                                        "http:/",
                                        "http:/h",
                                        "http://",
                                        "http:///p",
                                        "://h",
                                        "http//h",
                                        "?http://h",
                                        "/http://h",
                                        "#http://h",
                                        "http://@",
                                        "http://u@",
                                        "http://u:p@/",
                                        "http://h:65536",
                                        "http://[",
                                        "http://h:x",
                                        "http://:80",
                                        "http://h:8x",
                                        "http://u:p/w@h/",
                                        "http://u:p#w@h/"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        url.scheme = url.host = url.text = (djp_text){"left", 4};
        url.port = 1;
        if (read_url(texts[i], "")) {
            fail_msg("%s was read", texts[i]);
        }
        assert_int_equal(url.scheme.size + url.host.size + url.text.size, 0);
        assert_int_equal(url.port, 0);
    }
    assert_false(djp__http_url_read(&url, (djp_text){NULL, 0}, (djp_text){NULL, 0}));
    assert_false(djp__http_url_read(&url, (djp_text){NULL, 0}, exact("/p")));
}

static void
test_credentials_and_fragments_are_left_out(void **state)
{
    (void)state;
    assert_url("http://u@h/", "http://h/");
    assert_url("http://u:p@h/", "http://h/");
    assert_url("http://u:p@w@h/", "http://h/");
    assert_url("http://u:p@[::1]:1/", "http://[::1]:1/");
    assert_url("http://h/@p", "http://h/@p");
    assert_url("http://h#f", "http://h/");
    assert_url("http://h/#f?a=b", "http://h/");
    assert_url("http://h/?a=b#f", "http://h/?a=REDACTED");
    assert_url("http://h#@f", "http://h/");
}

static void
test_values_of_a_query_are_left_out(void **state)
{
    (void)state;
    assert_url("http://h?", "http://h/");
    assert_url("http://h/p?", "http://h/p");
    assert_url("http://h/?a", "http://h/?REDACTED");
    assert_url("http://h/?a=", "http://h/?a=REDACTED");
    assert_url("http://h/?=b", "http://h/?=REDACTED");
    assert_url("http://h/?=", "http://h/?=REDACTED");
    assert_url("http://h/?=&", "http://h/?=REDACTED&REDACTED");
    assert_url("http://h/?a=b=c", "http://h/?a=REDACTED");
    assert_url("http://h/?a=b&c=d&e", "http://h/?a=REDACTED&c=REDACTED&REDACTED");
    assert_url("http://h/?&", "http://h/?REDACTED&REDACTED");
    assert_url("http://h/?a=b?c=d/e", "http://h/?a=REDACTED");
    assert_url("http://h?a=http://u:p@x/", "http://h/?a=REDACTED");
}

static void
test_targets(void **state)
{
    (void)state;
    static const struct {
        const char *text, *target, *shown;
    } cases[] = {
        {"http://h:81/old?a=b", "/new", "http://h:81/new"},
        {"http://h", "/p?a=b#f", "http://h/p?a=REDACTED"},
        {"http://h", "?a=b", "http://h/?a=REDACTED"},
        {"http://h", "#f", "http://h/"},
        {"http://h/old", "*", "http://h/"},
        {"http://h", "other:443", "http://h/"},
        {"http://h", "u:p@other:443", "http://h/"},
        {"http://h:81", "http://u:p@other/x", "http://other/x"},
        {"http://h:81", "https://other", "https://other/"},
        {"no url", "http://other", "http://other/"},
        {"http://h", "//other/x", "http://h//other/x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(read_url(cases[i].text, cases[i].target));
        assert_text(url.text, cases[i].shown);
    }
    assert_false(read_url("no url", "/p"));
    assert_false(read_url("http://h", "http://"));
}

/* A text that one character fills up to a size, and an end. Static. */
static const char *
long_text(const char *begin, char c, size_t size, const char *end)
{
    static char text[5000];
    size_t used = strlen(begin);
    memcpy(text, begin, used);
    memset(text + used, c, size - used);
    memcpy(text + size, end, strlen(end) + 1);
    return text;
}

static void
test_long_urls_are_cut(void **state)
{
    (void)state;
    for (size_t size = 2046; size <= 2050; size++) {
        assert_true(read_url(long_text("http://h/", 'p', size, ""), ""));
        assert_int_equal(url.text.size, size < 2048 ? size : 2048);
        assert_int_equal(url.text.data[url.text.size - 1], 'p');
    }
    /* not within a character */
    for (size_t before = 2044; before <= 2048; before++) {
        assert_true(read_url(long_text("http://h/", 'p', before, "\xe2\x82\xac/tail"), ""));
        assert_int_equal(url.text.size, before <= 2045 ? 2048 : before);
    }
    /* no value appears because its replacement was cut */
    assert_true(read_url(long_text("http://h/", 'p', 2040, "?a=secret&b=secret"), ""));
    assert_int_equal(url.text.size, 2048);
    assert_memory_equal(url.text.data + 2040, "?a=REDAC", 8);
    assert_true(read_url(long_text("http://h/?a=", 's', 4000, ""), ""));
    assert_text(url.text, "http://h/?a=REDACTED");
    assert_true(read_url(long_text("http://h/?", 's', 4000, ""), ""));
    assert_text(url.text, "http://h/?REDACTED");
    assert_true(read_url(long_text("http://h/?", '&', 4000, ""), ""));
    assert_int_equal(url.text.size, 2048);
}

static void
test_long_hosts_and_schemes_are_cut(void **state)
{
    (void)state;
    assert_true(read_url(long_text("http://", 'H', 7 + 300, ""), ""));
    assert_int_equal(url.host.size, 256);
    assert_int_equal(url.host.data[255], 'h');
    assert_true(read_url(long_text("", 's', 20, "://h"), ""));
    assert_int_equal(url.scheme.size, 16);
    assert_int_equal(url.port, 0);
}

/* Bytes of any kind, a NUL among them, are neither followed nor lead to a byte outside. */
static void
test_any_bytes(void **state)
{
    (void)state;
    char bytes[] = "http://h/p?a=b&c#d@[]:\x01\xff";
    size_t size = sizeof bytes - 1;
    for (size_t i = 0; i < size; i++) {
        for (int c = 0; c < 256; c++) {
            char *copy = malloc(size);
            assert_non_null(copy);
            memcpy(copy, bytes, size);
            copy[i] = (char)c;
            djp__http_url_read(&url, (djp_text){copy, size}, (djp_text){copy, i});
            assert_true(url.text.size <= 2048);
            free(copy);
        }
    }
    djp_text with_nul = {"http://h/a\0?b=secret", 20};
    assert_true(djp__http_url_read(&url, with_nul, (djp_text){NULL, 0}));
    assert_text(url.text, "http://h/a");
}

/* What follows a text in memory is not part of it. */
static void
test_the_end_of_a_text_is_its_size(void **state)
{
    static const char text[] = "http://h:1/a?b=1";
    (void)state;
    for (size_t size = 10; size <= 12; size++) {
        assert_true(djp__http_url_read(&url, (djp_text){text, size}, (djp_text){NULL, 0}));
        assert_int_equal(strncmp(url.text.data, "http://h:1", 10), 0);
        assert_null(memchr(url.text.data, '?', url.text.size));
        assert_null(memchr(url.text.data, 'b', url.text.size));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_parts),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_texts_that_are_no_url),
        cmocka_unit_test(test_credentials_and_fragments_are_left_out),
        cmocka_unit_test(test_values_of_a_query_are_left_out),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_long_urls_are_cut),
        cmocka_unit_test(test_long_hosts_and_schemes_are_cut),
        cmocka_unit_test(test_the_end_of_a_text_is_its_size),
        cmocka_unit_test(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
