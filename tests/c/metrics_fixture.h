/* Short forms for the metrics tests: a registry with small limits, families and series in one line,
 * and the exposition. */
#ifndef TESTS_C_METRICS_FIXTURE_H
#define TESTS_C_METRICS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "djp/djp.h"
#include "metrics/registry.h"
#include "metrics/stripe.h"

static inline djp_registry *
fixture_registry(uint64_t bytes, uint32_t limit)
{
    djp_registry *registry = NULL;
    djp_registry_options options = {.reserve_bytes = bytes, .cardinality_limit = limit};
    assert_int_equal(djp_registry_new(&registry, &options), 0);
    return registry;
}

static inline djp_family *
fixture_family(djp_registry *registry, djp_metric_type type, const char *name, size_t labels)
{
    static const char *const names[] = {"a", "b", "c"};
    djp_family *family = NULL;
    djp_family_options options = {
        .type = type, .name = name, .help = "help", .labels = names, .label_count = labels};
    assert_int_equal(djp_family_new(&family, registry, &options), 0);
    assert_non_null(family);
    return family;
}

/* The series of one label value. */
static inline djp_series *
fixture_series(djp_family *family, const char *value)
{
    djp_text text = {value, value != NULL ? strlen(value) : 0};
    return djp_family_series(family, &text);
}

static inline djp_series *
fixture_numbered(djp_family *family, int number)
{
    char value[32];
    snprintf(value, sizeof value, "v%d", number);
    return fixture_series(family, value);
}

/* A word of a counter or histogram, summed over all stripes. */
__attribute__((unused)) static uint64_t
fixture_word(const djp_series *series, uint32_t index)
{
    uint64_t words[DJP__SEGMENT_FOLD_MAX];
    djp__stripe_sum(words, series->family->registry, series->family->entry, series->entry);
    return words[index];
}

/* The caller frees with djp_free. Not inlined: compilers then take the text for the local that
 * first held it. */
__attribute__((noinline, unused)) static char *
fixture_expose(djp_registry *registry, djp_exposition format)
{
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(djp_registry_expose(&text, &size, registry, format), 0);
    assert_int_equal(strlen(text), size);
    return text;
}

static inline void
fixture_assert_shows(djp_registry *registry, djp_exposition format, const char *part)
{
    char *text = fixture_expose(registry, format);
    if (!strstr(text, part)) {
        print_error("missing: %s\nin:\n%.3000s\n", part, text);
        fail();
    }
    djp_free(text);
}

static inline void
fixture_assert_hides(djp_registry *registry, djp_exposition format, const char *part)
{
    char *text = fixture_expose(registry, format);
    if (strstr(text, part)) {
        print_error("should not be there: %s\nin:\n%.3000s\n", part, text);
        fail();
    }
    djp_free(text);
}

static inline djp__registry_totals
fixture_counters(djp_registry *registry)
{
    djp__registry_totals counters;
    djp__registry_counters(&counters, registry);
    return counters;
}

#endif
