/* A list of words: how it is read, and which texts are in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/words.h"
#include "djp/error.h"

static size_t
find(const djp__words *words, const char *text)
{
    return djp__words_find(words, djp__text(text));
}

static void
test_reading_a_list(void **state)
{
    (void)state;
    djp__words words;
    char list[] = "GET, POST ,,\tPUT,  ,QUERY";
    assert_int_equal(djp__words_init(&words, list), 0);
    memset(list, 'x', sizeof list - 1); /* it was copied */
    assert_int_equal(words.count, 4);
    static const char *const expected[] = {"GET", "POST", "PUT", "QUERY"};
    for (size_t i = 0; i < 4; i++) {
        assert_true(djp__text_equal(words.items[i].text, expected[i]));
        assert_int_equal(find(&words, expected[i]), i);
    }
    djp__words_fini(&words);
    assert_int_equal(find(&words, "GET"), 0); /* zeros: an empty list */
    djp__words_fini(&words);
    assert_int_equal(djp__words_init(&words, ""), 0);
    assert_int_equal(words.count, 0);
    assert_int_equal(find(&words, ""), 0);
    djp__words_fini(&words);
}

static void
test_what_is_not_in_the_list(void **state)
{
    (void)state;
    djp__words words;
    assert_int_equal(djp__words_init(&words, "GET,PATCH,A"), 0);
    static const char *const others[] = {"",        "get",   "GE", "GETT", "GEX", "PA",
                                         "PATCHES", "PXTCH", "B",  "AA",   NULL};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(find(&words, others[i]), 3);
    }
    djp__words_fini(&words);
}

/* Words at the length from which more than the two machine words count: each differs from the
 * others in one letter. */
static void
test_words_of_every_length(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 40; size++) {
        char list[64], other[64];
        djp__words words;
        memset(list, 'w', size);
        list[size] = '\0';
        assert_int_equal(djp__words_init(&words, list), 0);
        assert_int_equal(find(&words, list), 0);
        for (size_t i = 0; i < size; i++) {
            memcpy(other, list, size + 1);
            other[i] = 'x';
            assert_int_equal(find(&words, other), 1);
        }
        djp__words_fini(&words);
    }
}

static void
test_words_beyond_the_limit(void **state)
{
    (void)state;
    char list[1024] = "", word[16];
    djp__words words;
    for (int i = 0; i < DJP__WORDS_MAX + 2; i++) {
        snprintf(word, sizeof word, "%sW%d", i > 0 ? "," : "", i);
        strcat(list, word);
    }
    assert_int_equal(djp__words_init(&words, list), 0);
    assert_int_equal(words.count, DJP__WORDS_MAX);
    assert_int_equal(find(&words, "W31"), 31);
    assert_int_equal(find(&words, "W32"), DJP__WORDS_MAX);
    djp__words_fini(&words);
}

static void
test_without_memory(void **state)
{
    (void)state;
    djp__words words;
    djp__alloc_fail_after(1);
    assert_int_equal(djp__words_init(&words, "GET"), DJP_ENOMEM);
    djp__alloc_fail_after(0);
    assert_int_equal(words.count, 0);
    djp__words_fini(&words);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading_a_list),
        cmocka_unit_test(test_what_is_not_in_the_list),
        cmocka_unit_test(test_words_of_every_length),
        cmocka_unit_test(test_words_beyond_the_limit),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
