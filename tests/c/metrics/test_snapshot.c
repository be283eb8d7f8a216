/* Snapshots: plain and escaped labels, every type, removed series, and a second reader whose
 * numbers are those of the text exposition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "metrics/snapshot.h"

static const char *const snapshot_labels[] = {"path", "kind"};

static djp_family *
snapshot_family(djp_registry *registry, djp_metric_type type, const char *name, size_t labels)
{
    static const double bounds[] = {0.5, 2};
    djp_family_options options = DJP_FAMILY_OPTIONS_INIT;
    djp_family *family;
    options.type = type;
    options.name = name;
    options.help = "what \"it\" is";
    options.labels = snapshot_labels;
    options.label_count = labels;
    options.buckets = bounds;
    options.bucket_count = type == DJP_HISTOGRAM ? 2 : 0;
    assert_int_equal(djp_family_new(&family, registry, &options), 0);
    return family;
}

/* What a reader saw, as one line a series. */
typedef struct snapshot_seen {
    djp__buf out;
    size_t points;
} snapshot_seen;

static void
snapshot_put(djp__buf *out, djp_text text)
{
    djp__buf_append(out, text.data, text.size);
    djp__buf_char(out, '|');
}

static void
snapshot_see(void *user, const djp__snapshot *snapshot, const djp__snapshot_point *point)
{
    snapshot_seen *seen = user;
    djp_text names[DJP_LABELS_MAX], values[DJP_LABELS_MAX];
    const djp__snapshot_family *family = &snapshot->family;
    djp__snapshot_labels(names, snapshot);
    djp__snapshot_values(values, snapshot, point);
    snapshot_put(&seen->out, family->name);
    for (size_t i = 0; i < family->label_count; i++) {
        snapshot_put(&seen->out, names[i]);
        snapshot_put(&seen->out, values[i]);
    }
    snapshot_put(&seen->out, djp__snapshot_escaped(family, point));
    djp__buf_printf(&seen->out, "%llu|%g", (unsigned long long)point->whole, point->number);
    for (size_t i = 0; family->type == DJP_HISTOGRAM && i <= family->bucket_count; i++) {
        djp__buf_printf(&seen->out, ",%llu", (unsigned long long)point->buckets[i]);
    }
    djp__buf_char(&seen->out, '\n');
    seen->points++;
}

/* All families of a registry; the caller frees. */
static char *
snapshot_read_all(djp_registry *registry, size_t *points,
                  void (*begin)(djp__snapshot *snapshot, djp_registry *registry))
{
    djp__snapshot snapshot;
    snapshot_seen seen = {.points = 0};
    djp__buf_init(&seen.out, 0);
    begin(&snapshot, registry);
    while (djp__snapshot_next(&snapshot)) {
        djp__snapshot_points(&snapshot, snapshot_see, &seen);
    }
    assert_int_equal(djp__snapshot_next(&snapshot), 0);
    if (points != NULL) {
        *points = seen.points;
    }
    djp__buf_char(&seen.out, '\0');
    char *text = djp__buf_take(&seen.out, NULL);
    assert_non_null(text);
    return text;
}

static char *
snapshot_all(djp_registry *registry, size_t *points)
{
    return snapshot_read_all(registry, points, djp__snapshot_begin);
}

static void
labels_are_plain_and_escaped(void **state)
{
    djp_registry *registry;
    (void)state;
    assert_int_equal(djp_registry_new(&registry, NULL), 0);
    djp_family *family = snapshot_family(registry, DJP_COUNTER, "calls", 2);
    djp_text values[] = {DJP_TEXT("C:\\dir \"x\"\n"), DJP_TEXT("")};
    djp_counter_add(djp_family_series(family, values), 3);
    djp_counter_add(djp_family_series(family, values), 0.5);
    char *text = snapshot_all(registry, NULL);
    assert_string_equal(text, "calls|path|C:\\dir \"x\"\n|kind||"
                              "path=\"C:\\\\dir \\\"x\\\"\\n\",kind=\"\"|3|0.5\n");
    djp_free(text);
    djp_registry_free(registry);
}

static void
every_type_says_its_values(void **state)
{
    djp_registry *registry;
    (void)state;
    assert_int_equal(djp_registry_new(&registry, NULL), 0);
    djp_gauge_set(djp_family_series(snapshot_family(registry, DJP_GAUGE, "level", 0), NULL), -1.5);
    djp_series *histogram =
        djp_family_series(snapshot_family(registry, DJP_HISTOGRAM, "took", 0), NULL);
    djp_histogram_observe(histogram, 0.25);
    djp_histogram_observe(histogram, 1);
    djp_histogram_observe(histogram, 1.75);
    djp_histogram_observe(histogram, 9);
    djp_counter_add(djp_family_series(snapshot_family(registry, DJP_COUNTER, "calls", 0), NULL), 2);
    char *text = snapshot_all(registry, NULL);
    assert_string_equal(text, "level||0|-1.5\ntook||4|12,1,2,1\ncalls||2|0\n");
    djp_free(text);
    djp_registry_free(registry);
}

static void
families_say_what_they_are(void **state)
{
    djp_registry *registry;
    djp__snapshot snapshot;
    (void)state;
    assert_int_equal(djp_registry_new(&registry, NULL), 0);
    djp__snapshot_begin(&snapshot, registry);
    assert_int_equal(djp__snapshot_next(&snapshot), 0);
    snapshot_family(registry, DJP_HISTOGRAM, "took", 2);
    djp__snapshot_begin(&snapshot, registry);
    assert_int_equal(djp__snapshot_next(&snapshot), 1);
    assert_int_equal(snapshot.family.type, DJP_HISTOGRAM);
    assert_int_equal(snapshot.family.label_count, 2);
    assert_int_equal(snapshot.family.bucket_count, 2);
    assert_true(snapshot.family.bounds[1] == 2);
    assert_int_equal(snapshot.family.help.size, strlen("what \"it\" is"));
    assert_memory_equal(snapshot.family.help.data, "what \"it\" is", snapshot.family.help.size);
    assert_int_equal(snapshot.family.unit.size, 0);
    assert_int_equal(snapshot.family.alias.size, 0);
    djp_registry_free(registry);
}

/* More series than one hold of the lock shows; removed ones are not shown. */
static void
all_live_series_are_shown_once(void **state)
{
    enum { SERIES = 300 };
    djp_registry *registry;
    char name[16];
    size_t points = 0, size = 0;
    char *exposition = NULL;
    (void)state;
    assert_int_equal(djp_registry_new(&registry, NULL), 0);
    djp_family *family = snapshot_family(registry, DJP_COUNTER, "calls", 1);
    for (int i = 0; i < SERIES; i++) {
        djp_text value = {name, (size_t)snprintf(name, sizeof name, "%d", i)};
        djp_counter_add(djp_family_series(family, &value), i + 1);
    }
    djp_text removed = DJP_TEXT("7");
    assert_int_equal(djp_family_remove(family, &removed), 1);
    char *text = snapshot_all(registry, &points);
    assert_int_equal(points, SERIES - 1);
    assert_null(strstr(text, "calls|path|7|"));
    assert_non_null(strstr(text, "calls|path|299|path=\"299\"|300|0\n"));
    assert_int_equal(djp_registry_expose(&exposition, &size, registry, DJP_TEXT_0_0_4), 0);
    assert_non_null(strstr(exposition, "calls_total{path=\"299\"} 300\n"));
    assert_null(strstr(exposition, "{path=\"7\"}"));
    djp_free(exposition);
    djp_free(text);
    djp_registry_free(registry);
}

/* The child of a fork: its own share of what all processes have. */
static int
own_values_in_child(djp_registry *registry, djp_series *calls, djp_family *levels)
{
    djp_text value = DJP_TEXT("child");
    djp_counter_add(calls, 2);
    djp_gauge_set(djp_family_series(levels, &value), 7);
    char *text = snapshot_read_all(registry, NULL, djp__snapshot_begin_own);
    int is_good =
        strcmp(text, "calls|path|a|path=\"a\"|2|0\nlevel|path|child|path=\"child\"|0|7\n") == 0;
    djp_free(text);
    return is_good ? 0 : 1;
}

static void
own_values_leave_out_other_processes(void **state)
{
    djp_registry *registry;
    const djp_registry_options options = {.sharing = DJP_SHARE_FORK};
    int status = -1;
    (void)state;
    assert_int_equal(djp_registry_new(&registry, &options), 0);
    djp_text values[] = {DJP_TEXT("a"), DJP_TEXT("parent")};
    djp_family *levels = NULL;
    djp_series *calls =
        djp_family_series(snapshot_family(registry, DJP_COUNTER, "calls", 1), &values[0]);
    levels = snapshot_family(registry, DJP_GAUGE, "level", 1);
    djp_counter_add(calls, 3);
    djp_gauge_set(djp_family_series(levels, &values[1]), 5);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(own_values_in_child(registry, calls, levels));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    char *text = snapshot_read_all(registry, NULL, djp__snapshot_begin_own);
    assert_string_equal(text,
                        "calls|path|a|path=\"a\"|3|0\nlevel|path|parent|path=\"parent\"|0|5\n");
    djp_free(text);
    text = snapshot_all(registry, NULL);
    assert_non_null(strstr(text, "calls|path|a|path=\"a\"|5|0\n"));
    djp_free(text);
    djp_registry_free(registry);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_plain_and_escaped),
        cmocka_unit_test(every_type_says_its_values),
        cmocka_unit_test(families_say_what_they_are),
        cmocka_unit_test(all_live_series_are_shown_once),
        cmocka_unit_test(own_values_leave_out_other_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
