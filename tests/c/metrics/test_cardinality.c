/* The families with the most series: their order, number and removal. */
#include "metrics_fixture.h"

#include "metrics/cardinality.h"

static void
assert_entry(const djp_registry *registry, const djp__cardinality *found, size_t index,
             const char *name, uint32_t series)
{
    djp_text text = djp__cardinality_name(found, index, registry);
    assert_int_equal(text.size, strlen(name));
    assert_string_equal(text.data, name);
    assert_int_equal(found->largest[index].series, series);
}

static void
grow(djp_family *family, int count)
{
    for (int i = 0; i < count; i++) {
        fixture_numbered(family, i);
    }
}

static void
the_largest_come_first(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp__cardinality found;
    djp__cardinality_read(&found, r);
    assert_int_equal(found.count, 0);
    djp_family *small = fixture_family(r, DJP_COUNTER, "small", 1);
    djp_family *large = fixture_family(r, DJP_GAUGE, "large", 1);
    djp_family *equal = fixture_family(r, DJP_GAUGE, "equal", 1);
    fixture_family(r, DJP_GAUGE, "empty", 1);
    grow(small, 2);
    grow(large, 5);
    grow(equal, 2);
    grow(fixture_family(r, DJP_GAUGE, "single", 1), 1);
    djp__cardinality_read(&found, r);
    assert_int_equal(found.count, 3);
    assert_entry(r, &found, 0, "large", 5);
    assert_entry(r, &found, 1, "small", 2);
    assert_entry(r, &found, 2, "equal", 2);
    djp_family_clear(large);
    djp__cardinality_read(&found, r);
    assert_int_equal(found.count, 2);
    djp_registry_free(r);
}

static void
at_most_ten_and_those_the_largest(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 0);
    djp__cardinality found;
    for (int i = 0; i < 14; i++) {
        char name[16];
        snprintf(name, sizeof name, "family_%d", i);
        grow(fixture_family(r, DJP_GAUGE, name, 1), 2 + (i * 5) % 14);
    }
    djp__cardinality_read(&found, r);
    assert_int_equal(found.count, 10);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(found.largest[i].series, 15 - i);
    }
    assert_entry(r, &found, 0, "family_11", 15);
    djp_registry_free(r);
}

static void
the_overflow_series_counts(void **state)
{
    (void)state;
    djp_registry *r = fixture_registry(0, 3);
    djp__cardinality found;
    grow(fixture_family(r, DJP_GAUGE, "full", 1), 9);
    djp__cardinality_read(&found, r);
    assert_int_equal(found.count, 1);
    assert_entry(r, &found, 0, "full", 4);
    djp_registry_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_come_first),
        cmocka_unit_test(at_most_ten_and_those_the_largest),
        cmocka_unit_test(the_overflow_series_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
