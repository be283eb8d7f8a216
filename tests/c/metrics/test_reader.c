/* The metric reader: one record for each metric, cumulative and delta values, start times,
 * exemplars, long metrics, and what a forked child and a lack of memory leave. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "metrics_fixture.h"

#include "base/clock.h"
#include "base/str.h"
#include "metrics/reader.h"

enum { READ_MAX = 64 };

typedef struct reading {
    djp__metric_reader reader;
    djp__metric_record *records[READ_MAX];
    size_t count;
    uint64_t lost;
} reading;

static void
reading_take(void *user, djp__metric_record *record)
{
    reading *all = user;
    assert_true(all->count < READ_MAX);
    all->records[all->count++] = record;
}

static void
reading_clear(reading *all)
{
    for (size_t i = 0; i < all->count; i++) {
        djp__free(all->records[i]);
    }
    all->count = 0;
}

static void
reading_again(reading *all)
{
    reading_clear(all);
    all->lost = djp__metric_reader_collect(&all->reader, reading_take, all);
}

static void
reading_end(reading *all)
{
    reading_clear(all);
    djp__metric_reader_fini(&all->reader);
}

static const djp__metric_record *
reading_of(const reading *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++) {
        if (djp__text_equal(djp__metric_text_of(all->records[i], all->records[i]->name), name)) {
            return all->records[i];
        }
    }
    return NULL;
}

/* The only point of a metric. */
static const djp__metric_point *
reading_point(const reading *all, const char *name)
{
    const djp__metric_record *record = reading_of(all, name);
    assert_non_null(record);
    assert_int_equal(record->point_count, 1);
    return djp__metric_point_of(record, 0);
}

static const uint64_t *
reading_buckets(const reading *all, const char *name)
{
    return djp__metric_at(reading_of(all, name), reading_point(all, name)->buckets_at);
}

static djp_series *
one_series(djp_registry *registry, djp_metric_type type, const char *name, djp_gauge_mode mode)
{
    static const double bounds[] = {1, 10};
    djp_family *family = NULL;
    djp_family_options options = {.type = type, .name = name, .help = "help", .mode = mode};
    options.buckets = type == DJP_HISTOGRAM ? bounds : NULL;
    options.bucket_count = type == DJP_HISTOGRAM ? 2 : 0;
    assert_int_equal(djp_family_new(&family, registry, &options), 0);
    return djp_family_series(family, NULL);
}

static void
each_type_has_its_kind(void **state)
{
    (void)state;
    reading all = {.count = 0};
    djp_registry *registry = fixture_registry(0, 100);
    djp_counter_add(one_series(registry, DJP_COUNTER, "calls", DJP_GAUGE_ALL), 2);
    djp_counter_add(one_series(registry, DJP_COUNTER, "calls", DJP_GAUGE_ALL), 0.5);
    djp_gauge_set(one_series(registry, DJP_GAUGE, "level", DJP_GAUGE_ALL), -3);
    djp_gauge_add(one_series(registry, DJP_GAUGE, "active", DJP_GAUGE_LIVESUM), 4);
    one_series(registry, DJP_GAUGE, "unset", DJP_GAUGE_ALL);
    one_series(registry, DJP_COUNTER, "zero", DJP_GAUGE_ALL);
    djp_histogram_observe(one_series(registry, DJP_HISTOGRAM, "took", DJP_GAUGE_ALL), 5);
    djp__metric_reader_init(&all.reader, registry, DJP__PREFER_CUMULATIVE);
    reading_again(&all);
    assert_int_equal(all.lost, 0);
    const djp__metric_record *calls = reading_of(&all, "calls");
    assert_int_equal(calls->kind, DJP__POINT_SUM);
    assert_int_equal(calls->is_monotonic, 1);
    assert_int_equal(calls->temporality, DJP__TEMPORALITY_CUMULATIVE);
    assert_true(reading_point(&all, "calls")->number == 2.5);
    assert_int_equal(reading_of(&all, "level")->kind, DJP__POINT_GAUGE);
    assert_int_equal(reading_point(&all, "level")->start_unix_ns, 0);
    assert_true(reading_point(&all, "level")->number == -3);
    assert_int_equal(reading_of(&all, "active")->kind, DJP__POINT_SUM);
    assert_int_equal(reading_of(&all, "active")->is_monotonic, 0);
    assert_null(reading_of(&all, "unset"));
    assert_true(reading_point(&all, "zero")->number == 0);
    assert_int_equal(reading_of(&all, "took")->bound_count, 2);
    assert_int_equal(reading_point(&all, "took")->count, 1);
    assert_int_equal(reading_point(&all, "took")->has_sum, 1);
    assert_int_equal(reading_buckets(&all, "took")[1], 1);
    reading_end(&all);
    djp_registry_free(registry);
}

static void
times_grow_and_contain_the_recording(void **state)
{
    (void)state;
    reading all = {.count = 0};
    uint64_t before = djp__clock_realtime();
    djp_registry *registry = fixture_registry(0, 100);
    djp__metric_reader_init(&all.reader, registry, DJP__PREFER_CUMULATIVE);
    djp_counter_add(one_series(registry, DJP_COUNTER, "calls", DJP_GAUGE_ALL), 1);
    reading_again(&all);
    uint64_t start = reading_point(&all, "calls")->start_unix_ns;
    uint64_t first = reading_point(&all, "calls")->unix_ns;
    assert_true(before <= start && start <= first);
    reading_again(&all);
    assert_int_equal(reading_point(&all, "calls")->start_unix_ns, start);
    assert_true(reading_point(&all, "calls")->unix_ns >= first);
    reading_end(&all);
    djp_registry_free(registry);
}

static void
deltas_are_since_the_collection_before(void **state)
{
    (void)state;
    reading all = {.count = 0};
    djp_registry *registry = fixture_registry(0, 100);
    djp_series *calls = one_series(registry, DJP_COUNTER, "calls", DJP_GAUGE_ALL);
    djp_series *took = one_series(registry, DJP_HISTOGRAM, "took", DJP_GAUGE_ALL);
    djp_series *active = one_series(registry, DJP_GAUGE, "active", DJP_GAUGE_SUM);
    djp__metric_reader_init(&all.reader, registry, DJP__PREFER_DELTA);
    djp_counter_add(calls, 2);
    djp_gauge_add(active, 1);
    djp_histogram_observe(took, 5);
    reading_again(&all);
    assert_int_equal(reading_of(&all, "calls")->temporality, DJP__TEMPORALITY_DELTA);
    assert_true(reading_point(&all, "calls")->number == 2);
    uint64_t first = reading_point(&all, "calls")->unix_ns;
    djp_counter_add(calls, 3);
    djp_counter_add(calls, 0.25);
    djp_histogram_observe(took, 100);
    reading_again(&all);
    assert_true(reading_point(&all, "calls")->number == 3.25);
    assert_int_equal(reading_point(&all, "calls")->start_unix_ns, first);
    assert_int_equal(reading_point(&all, "took")->count, 1);
    assert_true(reading_point(&all, "took")->number == 100);
    assert_int_equal(reading_buckets(&all, "took")[1], 0);
    assert_int_equal(reading_buckets(&all, "took")[2], 1);
    reading_again(&all); /* nothing has changed */
    assert_null(reading_of(&all, "calls"));
    assert_null(reading_of(&all, "took"));
    /* A sum that may fall is cumulative under each preference. */
    assert_int_equal(reading_of(&all, "active")->temporality, DJP__TEMPORALITY_CUMULATIVE);
    assert_true(reading_point(&all, "active")->number == 1);
    reading_end(&all);
    djp_registry_free(registry);
}

static void
a_series_that_is_made_again_begins_at_zero(void **state)
{
    (void)state;
    reading all = {.count = 0};
    djp_registry *registry = fixture_registry(0, 100);
    djp_family *calls = fixture_family(registry, DJP_COUNTER, "calls", 1);
    djp__metric_reader_init(&all.reader, registry, DJP__PREFER_DELTA);
    djp_counter_add(fixture_series(calls, "x"), 5);
    reading_again(&all);
    djp_family_clear(calls);
    djp_counter_add(fixture_series(calls, "x"), 3);
    reading_again(&all);
    assert_true(reading_point(&all, "calls")->number == 3);
    reading_end(&all);
    djp_registry_free(registry);
}

static void
low_memory_counts_the_process_since_its_start(void **state)
{
    (void)state;
    reading all = {.count = 0};
    djp_registry *registry = fixture_registry(0, 100);
    assert_int_equal(djp_registry_add_process(registry), 0);
    djp_series *calls = one_series(registry, DJP_COUNTER, "calls", DJP_GAUGE_ALL);
    djp__metric_reader_init(&all.reader, registry, DJP__PREFER_LOW_MEMORY);
    djp_counter_add(calls, 1);
    reading_again(&all);
    assert_int_equal(reading_of(&all, "calls")->temporality, DJP__TEMPORALITY_DELTA);
    const djp__metric_record *cpu = reading_of(&all, "process_cpu_seconds");
    assert_int_equal(cpu->temporality, DJP__TEMPORALITY_CUMULATIVE);
    assert_true(djp__text_equal(djp__metric_text_of(cpu, cpu->unit), "s"));
    reading_end(&all);
    djp_registry_free(registry);
}

static void
labels_and_values_stand_in_the_record(void **state)
{
    (void)state;
    reading all = {.count = 0};
    djp_registry *registry = fixture_registry(0, 2);
    djp_family *calls = fixture_family(registry, DJP_COUNTER, "calls", 1);
    for (int i = 0; i < 4; i++) {
        djp_counter_add(fixture_numbered(calls, i), 1);
    }
    djp__metric_reader_init(&all.reader, registry, DJP__PREFER_CUMULATIVE);
    reading_again(&all);
    const djp__metric_record *record = reading_of(&all, "calls");
    assert_int_equal(record->point_count, 3);
    assert_int_equal(record->label_count, 1);
    assert_true(
        djp__text_equal(djp__metric_text_of(record, djp__metric_labels_of(record)->key), "a"));
    const djp__metric_point *second = djp__metric_point_of(record, 1);
    const djp__metric_text *value = djp__metric_at(record, second->values_at);
    assert_true(djp__text_equal(djp__metric_text_of(record, *value), "v1"));
    assert_int_equal(second->is_overflow, 0);
    const djp__metric_point *last = djp__metric_point_of(record, 2);
    assert_int_equal(last->is_overflow, 1);
    assert_true(last->number == 2);
    reading_end(&all);
    djp_registry_free(registry);
}

static void
exemplars_are_given_once(void **state)
{
    (void)state;
    reading all = {.count = 0};
    djp_span_context context = {.flags = DJP_FLAG_SAMPLED};
    memset(context.trace_id, 1, sizeof context.trace_id);
    memset(context.span_id, 2, sizeof context.span_id);
    djp_registry *registry = fixture_registry(0, 100);
    djp_series *took = one_series(registry, DJP_HISTOGRAM, "took", DJP_GAUGE_ALL);
    djp__metric_reader_init(&all.reader, registry, DJP__PREFER_CUMULATIVE);
    djp_histogram_observe_with_context(took, 5, &context);
    reading_again(&all);
    const djp__metric_point *point = reading_point(&all, "took");
    assert_int_equal(point->exemplar_count, 1);
    const djp__exemplar *exemplar = djp__metric_at(reading_of(&all, "took"), point->exemplars_at);
    assert_true(exemplar->value == 5);
    assert_memory_equal(exemplar->span_id, context.span_id, sizeof context.span_id);
    reading_again(&all);
    assert_int_equal(reading_point(&all, "took")->exemplar_count, 0);
    reading_end(&all);
    djp_registry_free(registry);
}

static void
a_histogram_of_negative_bounds_has_no_sum(void **state)
{
    (void)state;
    reading all = {.count = 0};
    static const double bounds[] = {-1, 1};
    djp_family *family = NULL;
    djp_registry *registry = fixture_registry(0, 100);
    const djp_family_options options = {
        .type = DJP_HISTOGRAM, .name = "change", .buckets = bounds, .bucket_count = 2};
    assert_int_equal(djp_family_new(&family, registry, &options), 0);
    djp_histogram_observe(djp_family_series(family, NULL), 0.5);
    djp__metric_reader_init(&all.reader, registry, DJP__PREFER_CUMULATIVE);
    reading_again(&all);
    assert_int_equal(reading_point(&all, "change")->has_sum, 0);
    reading_end(&all);
    djp_registry_free(registry);
}

static djp_series *
exponential_series(djp_registry *registry)
{
    djp_family *family = NULL;
    const djp_family_options options = {
        .type = DJP_HISTOGRAM, .name = "spread", .exponential = DJP_EXPONENTIAL_ON};
    assert_int_equal(djp_family_new(&family, registry, &options), 0);
    return djp_family_series(family, NULL);
}

static uint64_t
side_total(const reading *all, const djp__metric_side *side)
{
    const uint64_t *counts = djp__metric_at(reading_of(all, "spread"), side->counts_at);
    uint64_t total = 0;
    for (uint32_t i = 0; i < side->size; i++) {
        total += counts[i];
    }
    return total;
}

static const djp__metric_exponential *
reading_exponential(const reading *all)
{
    const djp__metric_record *record = reading_of(all, "spread");
    assert_int_equal(record->kind, DJP__POINT_EXPONENTIAL);
    return djp__metric_at(record, reading_point(all, "spread")->buckets_at);
}

static void
an_exponential_histogram_has_its_buckets(void **state)
{
    (void)state;
    reading all = {.count = 0};
    djp_registry *registry = fixture_registry(0, 100);
    djp_series *spread = exponential_series(registry);
    djp__metric_reader_init(&all.reader, registry, DJP__PREFER_CUMULATIVE);
    djp_histogram_observe(spread, 1);
    djp_histogram_observe(spread, 1);
    djp_histogram_observe(spread, 0);
    djp_histogram_observe(spread, -4);
    reading_again(&all);
    const djp__metric_exponential *read = reading_exponential(&all);
    assert_int_equal(reading_point(&all, "spread")->count, 4);
    assert_int_equal(read->zero_count, 1);
    assert_int_equal(read->positive.size, 1);
    assert_int_equal(side_total(&all, &read->positive), 2);
    assert_int_equal(side_total(&all, &read->negative), 1);
    assert_int_equal(read->scale, DJP__EXPONENTIAL_SCALE_MAX);
    assert_int_equal(read->positive.offset, djp__exponential_index(1, read->scale));
    assert_int_equal(reading_of(&all, "spread")->bound_count, 0);
    reading_end(&all);
    djp_registry_free(registry);
}

/* Between two collections the scale falls, because the values spread. */
static void
exponential_deltas_follow_the_scale(void **state)
{
    (void)state;
    reading all = {.count = 0};
    djp_registry *registry = fixture_registry(0, 100);
    djp_series *spread = exponential_series(registry);
    djp__metric_reader_init(&all.reader, registry, DJP__PREFER_DELTA);
    djp_histogram_observe(spread, 1);
    djp_histogram_observe(spread, 1.5);
    reading_again(&all);
    int32_t scale = reading_exponential(&all)->scale;
    djp_histogram_observe(spread, 1);
    djp_histogram_observe(spread, 1e9);
    djp_histogram_observe(spread, -2);
    reading_again(&all);
    const djp__metric_exponential *read = reading_exponential(&all);
    assert_true(read->scale < scale);
    assert_int_equal(reading_point(&all, "spread")->count, 3);
    assert_int_equal(side_total(&all, &read->positive), 2);
    assert_int_equal(side_total(&all, &read->negative), 1);
    assert_true(reading_point(&all, "spread")->number == 1e9 + 1 - 2);
    const uint64_t *counts = djp__metric_at(reading_of(&all, "spread"), read->positive.counts_at);
    int32_t of_one = djp__exponential_index(1, read->scale) - read->positive.offset;
    assert_int_equal(counts[of_one], 1);
    reading_again(&all);
    assert_null(reading_of(&all, "spread"));
    reading_end(&all);
    djp_registry_free(registry);
}

/* A metric of many series has several records, and every series once. */
static void
a_long_metric_has_several_records(void **state)
{
    enum { SERIES = 4000 };
    (void)state;
    reading all = {.count = 0};
    double sum = 0;
    uint32_t points = 0;
    djp_registry *registry = fixture_registry(0, SERIES);
    djp_family *calls = fixture_family(registry, DJP_COUNTER, "calls", 1);
    for (int i = 0; i < SERIES; i++) {
        djp_counter_add(fixture_numbered(calls, i), i);
    }
    djp__metric_reader_init(&all.reader, registry, DJP__PREFER_CUMULATIVE);
    reading_again(&all);
    assert_true(all.count > 1);
    for (size_t i = 0; i < all.count; i++) {
        points += all.records[i]->point_count;
        for (uint32_t j = 0; j < all.records[i]->point_count; j++) {
            sum += djp__metric_point_of(all.records[i], j)->number;
        }
    }
    assert_int_equal(points, SERIES);
    assert_true(sum == SERIES * (SERIES - 1) / 2);
    reading_end(&all);
    djp_registry_free(registry);
}

static void
points_without_memory_are_counted(void **state)
{
    (void)state;
    reading all = {.count = 0};
    djp_registry *registry = fixture_registry(0, 100);
    djp_counter_add(one_series(registry, DJP_COUNTER, "calls", DJP_GAUGE_ALL), 1);
    djp__metric_reader_init(&all.reader, registry, DJP__PREFER_DELTA);
    djp_series *spread = exponential_series(registry);
    for (long n = 1; n < 12; n++) {
        djp_counter_add(one_series(registry, DJP_COUNTER, "calls", DJP_GAUGE_ALL), 1);
        djp_histogram_observe(spread, 1);
        djp__alloc_fail_after(n);
        reading_again(&all);
        djp__alloc_fail_after(0);
        assert_int_equal(all.lost + all.count, 2);
    }
    reading_end(&all);
    djp_registry_free(registry);
}

/* Returns 0 if the child of a fork reads only what it has recorded since. */
static int
read_in_child(reading *all, djp_series *calls)
{
    uint64_t forked = djp__clock_realtime();
    reading_clear(all);
    djp__metric_reader_fork_child(&all->reader);
    djp_counter_add(calls, 3);
    reading_again(all);
    const djp__metric_record *record = reading_of(all, "calls");
    int is_good = record != NULL && djp__metric_point_of(record, 0)->number == 3 &&
                  djp__metric_point_of(record, 0)->start_unix_ns >= forked;
    reading_end(all);
    return is_good ? 0 : 1;
}

static void
a_forked_child_reads_its_share(void **state)
{
    (void)state;
    for (int preference = DJP__PREFER_CUMULATIVE; preference <= DJP__PREFER_DELTA; preference++) {
        reading all = {.count = 0};
        djp_registry *registry = NULL;
        const djp_registry_options options = {.sharing = DJP_SHARE_FORK};
        int status = -1;
        assert_int_equal(djp_registry_new(&registry, &options), 0);
        djp_series *calls = one_series(registry, DJP_COUNTER, "calls", DJP_GAUGE_ALL);
        djp__metric_reader_init(&all.reader, registry, (djp__temporality_preference)preference);
        djp_counter_add(calls, 10);
        reading_again(&all);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            _exit(read_in_child(&all, calls));
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        djp_counter_add(calls, 1);
        reading_again(&all);
        assert_true(reading_point(&all, "calls")->number ==
                    (preference == DJP__PREFER_DELTA ? 1 : 11));
        reading_end(&all);
        djp_registry_free(registry);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_has_its_kind),
        cmocka_unit_test(times_grow_and_contain_the_recording),
        cmocka_unit_test(deltas_are_since_the_collection_before),
        cmocka_unit_test(a_series_that_is_made_again_begins_at_zero),
        cmocka_unit_test(low_memory_counts_the_process_since_its_start),
        cmocka_unit_test(labels_and_values_stand_in_the_record),
        cmocka_unit_test(exemplars_are_given_once),
        cmocka_unit_test(a_histogram_of_negative_bounds_has_no_sum),
        cmocka_unit_test(an_exponential_histogram_has_its_buckets),
        cmocka_unit_test(exponential_deltas_follow_the_scale),
        cmocka_unit_test(a_long_metric_has_several_records),
        cmocka_unit_test(points_without_memory_are_counted),
        cmocka_unit_test(a_forked_child_reads_its_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
