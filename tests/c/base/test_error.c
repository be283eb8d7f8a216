/* The texts of the error codes, which messages of both languages show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "djp/error.h"

static void
every_code_has_a_text_of_its_meaning(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *text;
    } codes[] = {
        {DJP_OK, "success"},
        {DJP_ENOMEM, "out of memory"},
        {DJP_EINVAL, "invalid argument"},
        {DJP_ETIMEOUT, "deadline passed"},
        {DJP_ESHUTDOWN, "already shut down"},
        {DJP_EFULL, "no room left"},
        {DJP_EIO, "input or output failed"},
        {DJP_EPROTO, "malformed data"},
        {DJP_EUNSUPPORTED, "not supported here"},
        {DJP_EEXIST, "exists with another definition"},
        {DJP_ETHREAD, "could not start a thread"},
        {DJP_EREJECTED, "refused by the receiver"},
        {DJP_ERETRY, "failed for now, may be retried"},
    };
    size_t count = sizeof codes / sizeof codes[0];
    assert_int_equal(count, -DJP_ERROR_LAST);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(codes[i].code, -(int)i); /* bindings know the numbers */
        assert_string_equal(djp_error_text(codes[i].code), codes[i].text);
    }
}

static void
other_numbers_are_unknown(void **state)
{
    (void)state;
    static const int others[] = {1, 12345, DJP_ERROR_LAST, DJP_ERROR_LAST - 1, INT32_MIN};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_string_equal(djp_error_text(others[i]), "unknown error");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_text_of_its_meaning),
        cmocka_unit_test(other_numbers_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
