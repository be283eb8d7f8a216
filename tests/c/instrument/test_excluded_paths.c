/* Excluded paths: whole ones and beginnings, and lists with odd entries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "instrument/excluded_paths.h"

static void
paths_and_beginnings(void **state)
{
    (void)state;
    static const struct {
        const char *list, *path;
        int excluded;
    } cases[] = {
        {"/health, /static/*", "/health", 1},
        {"/health, /static/*", "/static/", 1},
        {"/health, /static/*", "/static/a/b", 1},
        {"/health, /static/*", "/static", 0},
        {"/health, /static/*", "/healthy", 0},
        {"/health, /static/*", "/healt", 0},
        {"/health, /static/*", "/Health", 0},
        {"/health, /static/*", "", 0},
        {"*", "/any", 1},
        {"*", "", 1},
        {",, ,/a ,", "/a", 1},
        {",, ,/a ,", "", 0},
        {"/a*b", "/axb", 0}, /* only at the end */
        {"/a*b", "/a*b", 1},
        {"", "/a", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp_text path = {cases[i].path, strlen(cases[i].path)};
        if (djp__path_is_excluded(cases[i].list, path) != cases[i].excluded) {
            fail_msg("'%s' with '%s'", cases[i].path, cases[i].list);
        }
    }
    assert_false(djp__path_is_excluded("/health", (djp_text){NULL, 0}));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_and_beginnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
