/* The look-up table and the keys of series: full chains of places, removed marks, growth, rebuilds,
 * and keys of every size. */
#include "metrics_fixture.h"

#include <pthread.h>
#include <stdlib.h>

#include "metrics/key.h"
#include "metrics/table.h"

static uint32_t
places_of(const djp_family *family)
{
    return 1u << (djp__load_relaxed(&family->entry->table) & 31);
}

/* It grows before three quarters are passed, and everything is found all the way. */
static void
it_grows_in_time(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 10000);
    djp_family *f = fixture_family(r, DJP_GAUGE, "g", 1);
    for (int i = 0; i < 3000; i++) {
        djp_gauge_set(fixture_numbered(f, i), i);
        /* The overflow series of the family is no part of it before it lives. */
        assert_true(f->entry->used * 4 <= places_of(f) * 3);
        assert_int_equal(f->entry->used, i + 1);
        assert_int_equal(djp__load_relaxed(&f->entry->version) & 1, 0);
        uint32_t least = 16;
        while ((uint32_t)(i + 1) * 4 > least * 3) {
            least *= 2;
        }
        assert_int_equal(places_of(f), least);
    }
    for (int i = 0; i < 3000; i++) {
        assert_true(djp_series_value(fixture_numbered(f, i)) == i);
    }
    assert_int_equal(fixture_counters(r).series, 3000);
    djp_registry_free(r);
}

/* Marks of removed series fill the table; it is made anew in place while few live, and nothing is
 * lost. */
static void
removed_marks_are_swept(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *f = fixture_family(r, DJP_GAUGE, "g", 1);
    r->reuse_after_ns = 0;
    for (int i = 0; i < 5; i++) {
        djp_gauge_set(fixture_numbered(f, i), i + 1);
    }
    uint32_t version = djp__load_relaxed(&f->entry->version);
    for (int i = 100; i < 400; i++) {
        char value[32];
        snprintf(value, sizeof value, "v%d", i);
        djp_text text = {value, strlen(value)};
        djp_gauge_set(fixture_numbered(f, i), i);
        assert_true(djp_family_remove(f, &text));
        for (int k = 0; k < 5; k++) {
            assert_true(djp_series_value(fixture_numbered(f, k)) == k + 1);
        }
    }
    assert_int_equal(places_of(f), 16);
    assert_true(djp__load_relaxed(&f->entry->version) > version);
    assert_int_equal(djp__load_relaxed(&f->entry->version) & 1, 0);
    assert_int_equal(fixture_counters(r).refused, 0);
    djp_registry_free(r);
}

/* Label values of every length around the ends of words and of what lies on the stack. */
static void
keys_of_every_size(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 100000);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 3);
    char *text = calloc(1, 3000);
    for (size_t size = 0; size < 200; size++) {
        for (int which = 0; which < 3; which++) {
            djp_text values[3] = {{"", 0}, {"", 0}, {"", 0}};
            memset(text, 'a' + which, size);
            values[which] = (djp_text){text, size};
            djp_series *series = djp_family_series(f, values);
            djp_counter_add(series, 1);
            assert_ptr_equal(djp_family_series(f, values), series);
            /* Without values all three are the same. */
            assert_true(djp_series_value(series) == (size == 0 ? which + 1 : 1));
        }
    }
    djp_text values[3] = {{"", 0}, {text, 0}, {"", 0}};
    for (size_t size = DJP_LABEL_SIZE_MAX - 2; size <= DJP_LABEL_SIZE_MAX + 2; size++) {
        memset(text, 'm', size);
        values[1].size = size;
        djp_series *series = djp_family_series(f, values);
        djp_counter_add(series, 1);
        assert_true(djp_series_value(series) ==
                    (size <= DJP_LABEL_SIZE_MAX ? 1 : size - DJP_LABEL_SIZE_MAX + 1));
    }
    free(text);
    djp_registry_free(r);
}

/* Bytes that are no text become replacement characters, three bytes for each, up to the same
 * length. */
static void
keys_are_repaired(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp_family *f = fixture_family(r, DJP_COUNTER, "f", 1);
    static const struct {
        const char *bad, *good;
    } cases[] = {{"\xff", "\xef\xbf\xbd"},
                 {"a\xc3", "a\xef\xbf\xbd"},
                 {"\x80z", "\xef\xbf\xbdz"},
                 {"\xed\xa0\x80", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp_series *series = fixture_series(f, cases[i].bad);
        assert_non_null(series);
        if (cases[i].good) {
            assert_ptr_equal(fixture_series(f, cases[i].good), series);
        }
    }
    char *text = malloc(5000);
    for (size_t size = 340; size <= 345; size++) {
        memset(text, '\xff', size);
        djp_text value = {text, size};
        djp_series *series = djp_family_series(f, &value);
        size_t kept = size < 341 ? size : 341; /* 341 times three are 1,023 bytes */
        djp__series_key key;
        assert_int_equal(djp__series_key_build(&key, f, &value), 0);
        djp_text out;
        djp__series_key_values(&out, 1, &key);
        assert_int_equal(out.size, kept * 3);
        djp__series_key_fini(&key);
        assert_non_null(series);
    }
    /* Very long bad texts are looked at up to four times the length that is kept. */
    memset(text, 'x', 5000);
    text[0] = '\xff';
    djp_text longest = {text, 5000};
    djp__series_key key;
    djp_text out;
    assert_int_equal(djp__series_key_build(&key, f, &longest), 0);
    djp__series_key_values(&out, 1, &key);
    assert_int_equal(out.size, DJP_LABEL_SIZE_MAX);
    djp__series_key_fini(&key);
    free(text);
    djp_registry_free(r);
}

static void *
die_in_the_middle(void *argument)
{
    djp_registry *r = argument;
    djp__registry_lock(r);
    djp__family_entry *family = r->families[0]->entry;
    DJP__ATOMIC(uint32_t) *places =
        djp__segment_at(&r->segment, (uint32_t)(djp__load_relaxed(&family->table) >> 32));
    for (uint32_t i = 0; i < 16; i++) {
        djp__store_relaxed(&places[i], 0);
    }
    djp__store_relaxed(&family->version, djp__load_relaxed(&family->version) | 1);
    family->used = 0;
    return NULL;
}

/* A writer that died while it rebuilt the table: the next one makes it whole before anything is
 * looked up. */
static void
a_table_of_a_dead_writer_is_made_anew(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 100);
    djp_family *f = fixture_family(r, DJP_GAUGE, "g", 1);
    for (int i = 0; i < 10; i++) {
        djp_gauge_set(fixture_numbered(f, i), i);
    }
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, die_in_the_middle, r), 0);
    pthread_join(thread, NULL);
    djp__registry_lock(r);
    assert_int_equal(f->entry->used, 10);
    assert_int_equal(djp__load_relaxed(&f->entry->version) & 1, 0);
    djp__registry_unlock(r);
    for (int i = 0; i < 10; i++) {
        assert_true(djp_series_value(fixture_numbered(f, i)) == i);
    }
    /* with the overflow series: none was made twice */
    assert_int_equal(r->segment.header->series_count, 11);
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_in_time),
        cmocka_unit_test(removed_marks_are_swept),
        cmocka_unit_test(keys_of_every_size),
        cmocka_unit_test(keys_are_repaired),
        cmocka_unit_test(a_table_of_a_dead_writer_is_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
