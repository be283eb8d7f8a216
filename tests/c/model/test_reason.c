/* The table of reasons: its order, its words, and the labels of rules with a name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "lock_guard.h"
#include "model/reason.h"

static const char *
word_of(uint8_t reason)
{
    return djp__reason_text(reason, 0).data;
}

static void
test_words(void **state)
{
    (void)state;
    static const char *const words[] = {"",       "error", "slow", "rule", "slowest", "rare",
                                        "parent", "ratio", "",     "",     ""};
    assert_int_equal(sizeof words / sizeof words[0], DJP__REASONS);
    for (uint8_t reason = 0; reason < DJP__REASONS; reason++) {
        assert_string_equal(word_of(reason), words[reason]);
    }
    assert_string_equal(word_of(DJP__REASONS), ""); /* a record of another version */
    assert_string_equal(word_of(255), "");
}

/* A key names one row alone: two with the same would be one number in the status. */
static void
test_keys_are_unique(void **state)
{
    (void)state;
    const char *keys[DJP__REASONS + DJP__DROPS];
    size_t count = 0;
    for (size_t i = 0; i < DJP__REASONS; i++) {
        keys[count++] = djp__reasons[i].key;
    }
    for (size_t i = 0; i < DJP__DROPS; i++) {
        keys[count++] = djp__drops[i].key;
    }
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(keys[i]) > 0);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(keys[i], keys[k]);
        }
    }
}

/* A sampled reason has the key sampled_LABEL, which is the word where one is written. */
static void
test_keys_follow_labels(void **state)
{
    (void)state;
    for (size_t i = 0; i < DJP__REASONS; i++) {
        const djp__reason_row *row = &djp__reasons[i];
        if (row->stratum == DJP__STRATUM_DROPPED) {
            assert_string_equal(row->word, "");
            continue;
        }
        assert_memory_equal(row->key, "sampled_", 8);
        assert_string_equal(row->key + 8, row->label);
        assert_true(row->word[0] == '\0' || strcmp(row->word, row->label) == 0);
    }
}

static void
test_labels_are_the_same_for_the_same_name(void **state)
{
    (void)state;
    uint8_t label = djp__reason_label(djp__text("checkout"));
    assert_int_not_equal(label, 0);
    assert_int_equal(djp__reason_label(djp__text("checkout")), label);
    assert_int_not_equal(djp__reason_label(djp__text("checkout2")), label);
    assert_string_equal(djp__reason_text(DJP_REASON_RULE, label).data, "rule:checkout");
    assert_int_equal(djp__reason_label(djp__text("")), 0);
}

/* The name and its prefix take 64 bytes at most. */
static void
test_long_names_have_no_label(void **state)
{
    (void)state;
    char name[64];
    memset(name, 'n', sizeof name);
    for (size_t size = 57; size <= 62; size++) {
        uint8_t label = djp__reason_label((djp_text){name, size});
        assert_int_equal(label != 0, size <= 59);
        djp_text text = djp__reason_text(DJP_REASON_RULE, label);
        assert_int_equal(text.size, size <= 59 ? 5 + size : 4);
    }
}

/* What has no label has the word of its reason. */
static void
test_unknown_labels_are_words(void **state)
{
    (void)state;
    assert_string_equal(djp__reason_text(DJP_REASON_RULE, 255).data, "rule");
    assert_string_equal(djp__reason_text(DJP_REASON_SLOW, 254).data, "slow");
    uint8_t label = djp__reason_label(djp__text("next")), after;
    assert_string_equal(djp__reason_text(DJP_REASON_RULE, (uint8_t)(label + 1)).data, "rule");
    djp__alloc_fail_after(1); /* without its key there is none, and no number is used up */
    assert_int_equal(djp__reason_label(djp__text("lost")), 0);
    djp__alloc_fail_after(0);
    after = djp__reason_label(djp__text("after"));
    assert_int_equal(after, label + 1);
}

static void
make_a_label(void)
{
    djp__reason_label(djp__text("guarded"));
}

static void
test_labels_are_made_under_the_lock(void **state)
{
    (void)state;
    djp__reason_label(djp__text("guarded")); /* its key is known from here on */
    assert_true(waits_for(NULL, make_a_label));
}

static void
test_labels_run_out_without_harm(void **state)
{
    (void)state;
    char name[24];
    int refused = 0;
    uint8_t used = djp__reason_label(djp__text("one more")), highest = 0;
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "label%d", i);
        uint8_t label = djp__reason_label(djp__text(name));
        djp_text text = djp__reason_text(DJP_REASON_RULE, label);
        assert_true(label == 0 ? djp__text_equal(text, "rule") : strcmp(text.data + 5, name) == 0);
        highest = label > highest ? label : highest;
        refused += label == 0;
    }
    assert_int_equal(highest, 255);
    assert_int_equal(refused, 300 - (255 - used));
    assert_int_equal(djp__reason_label(djp__text("label0")), used + 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_keys_are_unique),
        cmocka_unit_test(test_keys_follow_labels),
        cmocka_unit_test(test_labels_are_the_same_for_the_same_name),
        cmocka_unit_test(test_long_names_have_no_label),
        cmocka_unit_test(test_unknown_labels_are_words),
        cmocka_unit_test(test_labels_are_made_under_the_lock),
        cmocka_unit_test(test_labels_run_out_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
