/* The user part of addresses: which characters are encoded, which stay, and that nothing else of a
 * proxy's address changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "settings_fixture.h"

static void
assert_put(const char *user, size_t size, const char *wanted)
{
    djp__buf out;
    djp__buf_init(&out, 0);
    djp__buf_text(&out, ">");
    djp__config_put_user(&out, (djp_text){user, size});
    djp__buf_char(&out, '\0');
    assert_string_equal(out.data, wanted);
    djp__buf_fini(&out);
}

static void
characters_that_end_a_user_part_are_encoded(void **state)
{
    static const char *const cases[][2] = {
        {"", ">"},
        {"@", ">@"}, /* the end of the part itself */
        {"me@", ">me@"},
        {"me:p@ss@", ">me:p%40ss@"},
        {"@@", ">%40@"},
        {"a[b]c@", ">a%5Bb%5Dc@"},
        {"[@", ">%5B@"},
        {"]@", ">%5D@"},
        {"a/b?c#d!~@", ">a/b?c#d!~@"},
        {"p%40ss@", ">p%40ss@"}, /* encoded already */
        {"%0F%af%9A@", ">%0F%af%9A@"},
        {"%g0@", ">%25g0@"},
        {"%0g@", ">%250g@"},
        {"%@", ">%25@"},
        {"%4@", ">%254@"},
        {"%%41@", ">%25%41@"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_put(cases[i][0], strlen(cases[i][0]), cases[i][1]);
    }
}

/* Only the given bytes count, not those behind them. */
static void
an_encoded_character_lies_within_the_part(void **state)
{
    (void)state;
    assert_put("a%41", 4, ">a%41");
    assert_put("a%41", 3, ">a%254");
    assert_put("a%41", 2, ">a%25");
    assert_put("%\0"
               "1",
               3, ">%25");
    assert_put("%4\0", 3, ">%254");
}

static void
assert_proxy(const char *given, const char *wanted)
{
    settings got;
    settings_resolve(&got, PAIRS("http_proxy", given), ON("https_proxy", given));
    assert_string_equal(got.options.http_proxy, wanted);
    assert_string_equal(got.options.https_proxy, wanted);
    assert_string_equal(settings_source(&got, "http_proxy"), "http_proxy");
    assert_string_equal(settings_source(&got, "https_proxy"), "option https_proxy");
    settings_assert_warnings(&got, 0);
    settings_fini(&got);
}

static void
only_the_user_part_of_a_proxy_is_encoded(void **state)
{
    (void)state;
    assert_proxy("http://proxy:3128", "http://proxy:3128");
    assert_proxy("http://[::1]:3128/%", "http://[::1]:3128/%"); /* no user */
    assert_proxy("http://me:p@ss@proxy:3128", "http://me:p%40ss@proxy:3128");
    assert_proxy("me:p@ss@proxy:3128", "me:p%40ss@proxy:3128");
    assert_proxy("%me@proxy", "%25me@proxy");
    assert_proxy("http://%me@[::1]:3128", "http://%25me@[::1]:3128");
    assert_proxy("socks[://me:p@ss@proxy", "socks[://me:p%40ss@proxy");
}

static void
lack_of_memory_is_reported(void **state)
{
    (void)state;
    settings_without_memory(PAIRS("http_proxy", "http://me:p@ss@proxy:3128"), ONLY_ON);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_that_end_a_user_part_are_encoded),
        cmocka_unit_test(an_encoded_character_lies_within_the_part),
        cmocka_unit_test(only_the_user_part_of_a_proxy_is_encoded),
        cmocka_unit_test(lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
