/* Request headers: which lines are sent, in which form, and that no secret of them stays in a
 * message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "djp/error.h"
#include "net/curl_headers.h"

static const char *const none[] = {NULL};

/* All lines that are sent, joined. */
static const char *
sent(const char *lines, size_t *ignored)
{
    static char text[1024];
    djp__curl_headers headers;
    assert_int_equal(djp__curl_headers_init(&headers, none, lines), 0);
    size_t seen = 0, size = 0;
    text[0] = '\0';
    for (struct curl_slist *node = headers.count ? headers.nodes : NULL; node;
         node = node->next, seen++) {
        size_t add = strlen(node->data);
        memcpy(text + size, node->data, add + 1);
        size += add;
        memcpy(text + size, "|", 2);
        size++;
    }
    assert_int_equal(seen, headers.count);
    *ignored = headers.ignored;
    djp__curl_headers_fini(&headers);
    return text;
}

static void
lines_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *sent;
        size_t ignored;
    } cases[] = {
        {"", "", 0},
        {NULL, "", 0},
        {"a: b", "a: b|", 0},
        {"a: b\n", "a: b|", 0},
        {"a:b\n\n \nc: d", "a: b|c: d|", 0},
        {"  a  :  b c  ", "a: b c|", 0},
        {"a:", "a;|", 0},
        {"a", "", 1},
        {":b", "", 1},
        {" : b", "", 1},
        {"a b: c", "", 1},
        {"!#$%&'*+-.^_`|~: x", "!#$%&'*+-.^_`|~: x|", 0},
        {"09azAZ: x", "09azAZ: x|", 0},
        {"a/: x\na:: x\na@: x\na[: x\na{: x", "a: : x|", 4},
        {"a: b\tc", "a: b\tc|", 0},
        {"a: b\x1f"
         "c",
         "", 1},
        {"a: b\x7f"
         "c",
         "", 1},
        {"a: b\rc", "", 1},
        {"a: \x80\xff", "a: \x80\xff|", 0},
        {"Content-Type: x\ncontent-length: 1\nTE: x\nAccept-Encoding: x\ncontent-typ: x",
         "content-typ: x|", 4},
        {"transfer-encoding: x\nexpect: x\nconnection: x\nupgrade: x\nhttp2-settings: x", "", 5},
        {"grpc-timeout: x\ngrpc-encoding: x\ngrpc-accept-encoding: x\ncontent-encoding: x\ngrpc-x: "
         "y",
         "grpc-x: y|", 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t ignored = 99;
        assert_string_equal(sent(cases[i].lines, &ignored), cases[i].sent);
        assert_int_equal(ignored, cases[i].ignored);
    }
}

static void
the_protocol_s_own_come_first(void **state)
{
    (void)state;
    static const char *const fixed[] = {"Content-Type: x", "TE: trailers", NULL};
    djp__curl_headers headers;
    assert_int_equal(djp__curl_headers_init(&headers, fixed, "a: b\nbad\nc: d"), 0);
    assert_int_equal(headers.count, 4);
    assert_ptr_equal(headers.nodes[0].data, fixed[0]);
    assert_ptr_equal(headers.nodes[1].data, fixed[1]);
    assert_string_equal(headers.nodes[2].data, "a: b");
    assert_string_equal(headers.nodes[3].data, "c: d");
    assert_ptr_equal(headers.nodes[2].next, &headers.nodes[3]);
    assert_null(headers.nodes[3].next);
    djp__curl_headers_fini(&headers);
    assert_int_equal(djp__curl_headers_init(&headers, fixed, NULL), 0);
    assert_int_equal(headers.count, 2);
    djp__curl_headers_fini(&headers);
}

static void
no_memory(void **state)
{
    (void)state;
    for (long n = 1; n <= 3; n++) {
        djp__curl_headers headers;
        djp__alloc_fail_after(n);
        int result = djp__curl_headers_init(&headers, none, "a: b");
        djp__alloc_fail_after(0);
        assert_int_equal(result, n <= 2 ? DJP_ENOMEM : 0);
        assert_int_equal(headers.count, n <= 2 ? 0 : 1);
        djp__curl_headers_fini(&headers);
    }
}

static void
hidden(const char *lines, const char *message, const char *want)
{
    char text[256];
    strcpy(text, message);
    djp__curl_headers_hide(text, lines);
    assert_string_equal(text, want);
}

/* From six bytes on: shorter values occur in messages by chance. */
static void
secrets_are_hidden_from_six_bytes_on(void **state)
{
    (void)state;
    hidden("key: abcde", "it said abcde", "it said abcde");
    hidden("key: abcdef", "it said abcdef", "it said ******");
    hidden("key: abcdefg", "it said abcdefg", "it said *******");
    hidden("key: abcdef", "abcdef", "******");
    hidden("key: abcdef", "abcdefabcdef abcdef.", "************ ******.");
    hidden("key: abcdef", "abcdeabcdef", "abcde******");
    hidden("key: abcdef", "ABCDEF abcde", "ABCDEF abcde");
    hidden("key: abcdef", "", "");
    hidden("", "abcdef", "abcdef");
}

static void
every_word_of_every_line_is_a_secret(void **state)
{
    (void)state;
    hidden("Authorization: Bearer tokens", "got tokens here", "got ****** here");
    hidden("Authorization: Bearer tokens", "got Bearer tokens", "got *************");
    hidden("Authorization: Bearer tokens", "Bearer only", "****** only");
    hidden("a: first1\nb: second\nc: third3", "first1 second third3", "****** ****** ******");
    hidden("bad\na: secret", "a secret of bad", "a ****** of bad");
    hidden("content-type: secret", "a secret", "a secret"); /* not sent, so it cannot come back */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_checked),
        cmocka_unit_test(the_protocol_s_own_come_first),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(secrets_are_hidden_from_six_bytes_on),
        cmocka_unit_test(every_word_of_every_line_is_a_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
