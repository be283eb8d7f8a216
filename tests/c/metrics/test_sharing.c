/* One registry for several processes: every recording of each of them is in the exposition of any,
 * while they live and after their end, however they end. */
#include "metrics_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "metrics/fold.h"
#include "metrics/slot.h"

#define WORKERS 6
#define DEATHS 200

static char directory[64];

static int
make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/djp-sharing-XXXXXX");
    return mkdtemp(directory) == NULL;
}

static int
remove_directory(void **state)
{
    (void)state;
    DIR *dir = opendir(directory);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        unlink(path);
    }
    closedir(dir);
    return rmdir(directory);
}

static djp_registry *
open_registry(djp_metrics_sharing sharing)
{
    djp_registry_options options = {
        .reserve_bytes = 1 << 20, .sharing = sharing, .shared_dir = directory};
    djp_registry *registry = NULL;
    const char *problem;
    int error;
    assert_int_equal(djp_registry_new(&registry, &options), 0);
    djp_metrics_sharing found = djp_registry_sharing(&problem, &error, registry);
    if (found != sharing) {
        fprintf(stderr, "not shared: %s, %s\n", problem, strerror(error));
        abort();
    }
    return registry;
}

static djp_series *
series_of(djp_registry *registry, djp_metric_type type, const char *name, const char *value)
{
    const char *labels[] = {"a"};
    static const double buckets[] = {1, 2, 4};
    djp_family_options options = {.type = type, .name = name, .labels = labels, .label_count = 1};
    options.buckets = type == DJP_HISTOGRAM ? buckets : NULL;
    options.bucket_count = type == DJP_HISTOGRAM ? 3 : 0;
    djp_family *family = NULL;
    assert_int_equal(djp_family_new(&family, registry, &options), 0);
    djp_text text = {value, strlen(value)};
    return djp_family_series(family, &text);
}

static uint32_t
slots_in_use(const djp_registry *registry)
{
    uint32_t count = 0;
    for (uint32_t stripe = 1; stripe < registry->segment.stripes; stripe++) {
        count += djp__slot_state_of(&registry->segment, stripe) != DJP__SLOT_FREE;
    }
    return count;
}

static int
wait_for(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void
a_forked_child_records_into_the_same_series(void **state)
{
    (void)state;
    djp_registry *registry = open_registry(DJP_SHARE_FORK);
    djp_series *before = series_of(registry, DJP_COUNTER, "requests", "before");
    djp_counter_add(before, 1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        djp_counter_add(before, 2);
        djp_counter_add(before, 0.5);
        djp_counter_add(series_of(registry, DJP_COUNTER, "requests", "child"), 4);
        djp_histogram_observe(series_of(registry, DJP_HISTOGRAM, "sizes", "child"), 3);
        _exit(0);
    }
    assert_int_equal(wait_for(child), 0);
    assert_true(djp_series_value(before) == 3.5);
    assert_true(djp_series_value(series_of(registry, DJP_COUNTER, "requests", "child")) == 4);
    djp_series *histogram = series_of(registry, DJP_HISTOGRAM, "sizes", "child");
    assert_int_equal(djp_series_count(histogram), 1);
    assert_true(djp_series_value(histogram) == 3);
    djp_histogram_observe(histogram, 1);
    char *text = fixture_expose(registry, DJP_TEXT_0_0_4);
    assert_non_null(strstr(text, "requests_total{a=\"before\"} 3.5\n"));
    assert_non_null(strstr(text, "requests_total{a=\"child\"} 4"));
    assert_non_null(strstr(text, "sizes_bucket{a=\"child\",le=\"1.0\"} 1\n"));
    assert_non_null(strstr(text, "sizes_count{a=\"child\"} 2"));
    djp_free(text);
    assert_int_equal(slots_in_use(registry), 1); /* the child's is folded */
    djp_registry_free(registry);
}

static void
processes_of_one_directory_share_it(void **state)
{
    (void)state;
    djp_registry *registry = open_registry(DJP_SHARE_DIR);
    djp_counter_add(series_of(registry, DJP_COUNTER, "requests", "x"), 1);
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            djp_registry *other = open_registry(DJP_SHARE_DIR);
            djp_counter_add(series_of(other, DJP_COUNTER, "requests", "x"), 10);
            djp_counter_add(series_of(other, DJP_COUNTER, "requests", "y"), 10);
            if (i == 1) {
                djp_registry_free(other);
            }
            _exit(0);
        }
        assert_int_equal(wait_for(child), 0);
    }
    char *text = fixture_expose(registry, DJP_TEXT_0_0_4);
    assert_non_null(strstr(text, "requests_total{a=\"x\"} 31"));
    assert_non_null(strstr(text, "requests_total{a=\"y\"} 30"));
    djp_free(text);
    assert_int_equal(slots_in_use(registry), 1);
    djp_registry_free(registry);
    registry = open_registry(DJP_SHARE_DIR); /* the numbers stay */
    text = fixture_expose(registry, DJP_TEXT_0_0_4);
    assert_non_null(strstr(text, "requests_total{a=\"x\"} 31"));
    djp_free(text);
    djp_registry_free(registry);
}

static djp_series *
gauge_of(djp_registry *registry, const char *name, djp_gauge_mode mode, int per_process)
{
    djp_family_options options = {
        .type = DJP_GAUGE, .name = name, .mode = mode, .per_process = per_process};
    djp_family *family = NULL;
    assert_int_equal(djp_family_new(&family, registry, &options), 0);
    return djp_family_series(family, NULL);
}

static const struct {
    const char *name;
    djp_gauge_mode mode;
    const char *two_live, *one_ended; /* the sample of the values 3 (own) and 5 (child) */
} gauges[] = {
    {"g_min", DJP_GAUGE_MIN, " 3\n", " 3\n"},
    {"g_max", DJP_GAUGE_MAX, " 5\n", " 5\n"},
    {"g_sum", DJP_GAUGE_SUM, " 8\n", " 8\n"},
    {"g_recent", DJP_GAUGE_MOSTRECENT, " 5\n", " 5\n"},
    {"g_livemin", DJP_GAUGE_LIVEMIN, " 3\n", " 3\n"},
    {"g_livemax", DJP_GAUGE_LIVEMAX, " 5\n", " 3\n"},
    {"g_livesum", DJP_GAUGE_LIVESUM, " 8\n", " 3\n"},
    {"g_liverecent", DJP_GAUGE_LIVEMOSTRECENT, " 5\n", " 3\n"},
    {"g_average", DJP_GAUGE_LIVEAVERAGE, " 4\n", " 3\n"},
    {"g_omit", DJP_GAUGE_OMIT, NULL, " 3\n"},
};
#define GAUGES (sizeof gauges / sizeof gauges[0])

static void
set_gauges(djp_registry *registry, double value)
{
    for (size_t i = 0; i < GAUGES; i++) {
        djp_gauge_set(gauge_of(registry, gauges[i].name, gauges[i].mode, 0), value);
    }
    djp_gauge_set(gauge_of(registry, "g_all", DJP_GAUGE_ALL, 0), value);
    djp_gauge_set(gauge_of(registry, "g_own", DJP_GAUGE_SUM, 1), value);
}

static void
check_gauges(djp_registry *registry, int ended)
{
    char *text = fixture_expose(registry, DJP_TEXT_0_0_4), sample[64];
    for (size_t i = 0; i < GAUGES; i++) {
        const char *value = ended ? gauges[i].one_ended : gauges[i].two_live;
        snprintf(sample, sizeof sample, "\n%s%s", gauges[i].name, value != NULL ? value : " ");
        if ((strstr(text, sample) != NULL) != (value != NULL)) {
            fail_msg("%s%s", sample, text);
        }
    }
    assert_non_null(strstr(text, "\ng_own 3\n")); /* of this process alone */
    djp_free(text);
}

/* Each mode over a process that runs and one that runs, too, or has ended. */
static void
gauges_follow_their_mode(void **state)
{
    (void)state;
    djp_registry *registry = open_registry(DJP_SHARE_FORK);
    int go[2], ready[2];
    char byte = 0, sample[64];
    set_gauges(registry, 3);
    assert_int_equal(pipe(go) + pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        set_gauges(registry, 5);
        (void)!write(ready[1], &byte, 1);
        (void)!read(go[0], &byte, 1);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    check_gauges(registry, 0);
    char *text = fixture_expose(registry, DJP_TEXT_0_0_4);
    snprintf(sample, sizeof sample, "\ng_all{pid=\"%d\"} 3\n", (int)getpid());
    assert_non_null(strstr(text, sample));
    snprintf(sample, sizeof sample, "\ng_all{pid=\"%d\"} 5\n", (int)child);
    assert_non_null(strstr(text, sample));
    djp_free(text);
    assert_int_equal(write(go[1], &byte, 1), 1);
    assert_int_equal(wait_for(child), 0);
    check_gauges(registry, 1);
    text = fixture_expose(registry, DJP_TEXT_0_0_4);
    assert_null(strstr(text, sample));
    djp_free(text);
    for (int i = 0; i < 2; i++) {
        close(go[i]);
        close(ready[i]);
    }
    djp_registry_free(registry);
}

/* A program that closes all descriptors, as daemons do, goes on sharing. */
static void
closed_descriptors_change_nothing(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        djp_registry *other = open_registry(DJP_SHARE_DIR);
        for (int fd = 3; fd < 256; fd++) {
            close(fd);
        }
        for (int i = 0; i < 2000; i++) { /* more values than one row holds */
            char value[16];
            snprintf(value, sizeof value, "%d", i);
            djp_counter_add(series_of(other, DJP_COUNTER, "daemon", value), 1);
        }
        _exit(0);
    }
    assert_int_equal(wait_for(child), 0);
    djp_registry *registry = open_registry(DJP_SHARE_DIR);
    assert_true(djp_series_value(series_of(registry, DJP_COUNTER, "daemon", "7")) == 1);
    assert_true(djp_series_value(series_of(registry, DJP_COUNTER, "daemon", "1500")) == 1);
    djp_registry_free(registry);
}

typedef struct {
    _Atomic uint64_t counted[DEATHS + WORKERS], observed[DEATHS + WORKERS], added;
} tally;

/* Records until it is killed, and notes each recording when it is done. New label values appear all
 * the time, so that some deaths fall into the adding of a series. */
static _Noreturn void
work(djp_registry *registry, tally *shared, int number)
{
    djp_series *histogram = series_of(registry, DJP_HISTOGRAM, "work_seconds", "all");
    djp_series *counter = series_of(registry, DJP_COUNTER, "work", "all");
    for (uint64_t i = 0;; i++) {
        djp_counter_add(counter, 1);
        shared->counted[number]++;
        djp_histogram_observe(histogram, (double)(i % 5));
        shared->observed[number]++;
        if (i % 16 == 0) {
            char value[32];
            snprintf(value, sizeof value, "%d", (int)(shared->added++ % 700));
            djp_counter_add(series_of(registry, DJP_COUNTER, "names", value), 1);
        }
    }
}

static pid_t
start_worker(djp_registry *registry, djp_metrics_sharing sharing, tally *shared, int number)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(120);
        if (sharing == DJP_SHARE_DIR) {
            registry = open_registry(sharing);
        }
        work(registry, shared, number);
    }
    return child;
}

static double
total_of(const char *text, const char *sample)
{
    const char *found = strstr(text, sample);
    return found != NULL ? strtod(found + strlen(sample), NULL) : 0;
}

static void
kill_workers(djp_metrics_sharing sharing)
{
    djp_registry *registry = open_registry(sharing);
    tally *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t workers[WORKERS];
    double before = 0;
    int started = 0;
    for (; started < WORKERS; started++) {
        workers[started] = start_worker(registry, sharing, shared, started);
    }
    uint32_t heap = 0;
    for (int deaths = 0; deaths < DEATHS; deaths++) {
        usleep((useconds_t)(rand() % 3000));
        int victim = rand() % WORKERS;
        kill(workers[victim], SIGKILL);
        wait_for(workers[victim]);
        workers[victim] = start_worker(registry, sharing, shared, started++);
        char *text = fixture_expose(registry, DJP_TEXT_0_0_4);
        double now = total_of(text, "work_total{a=\"all\"} ");
        assert_true(now >= before);
        before = now;
        djp_free(text);
        assert_in_range(slots_in_use(registry), 1, 2 * WORKERS + 2);
        heap = deaths == DEATHS / 2 ? registry->segment.header->heap_top : heap;
    }
    for (int i = 0; i < WORKERS; i++) {
        kill(workers[i], SIGKILL);
        wait_for(workers[i]);
    }
    char *text = fixture_expose(registry, DJP_TEXT_0_0_4);
    uint64_t counted = 0, observed = 0;
    for (int i = 0; i < started; i++) {
        counted += shared->counted[i];
        observed += shared->observed[i];
    }
    double work_total = total_of(text, "work_total{a=\"all\"} ");
    double count = total_of(text, "work_seconds_count{a=\"all\"} ");
    /* At most one recording of each killed worker was done, but not noted. */
    assert_in_range((uint64_t)work_total, counted, counted + (uint64_t)started);
    assert_in_range((uint64_t)count, observed, observed + (uint64_t)started);
    djp_free(text);
    assert_int_equal(slots_in_use(registry), 1);
    assert_true(registry->segment.header->heap_top <= heap + (64u << 10));
    djp_registry_free(registry);
    munmap(shared, sizeof *shared);
}

static void
killed_children_lose_nothing(void **state)
{
    (void)state;
    kill_workers(DJP_SHARE_FORK);
}

static void
killed_processes_of_a_directory_lose_nothing(void **state)
{
    (void)state;
    kill_workers(DJP_SHARE_DIR);
}

/* A process that is stopped while it adds a series delays the others once, and hides nothing. */
static void
a_stopped_process_blocks_nobody(void **state)
{
    (void)state;
    for (int sharing = DJP_SHARE_FORK; sharing <= DJP_SHARE_DIR; sharing++) {
        djp_registry *registry = open_registry((djp_metrics_sharing)sharing);
        djp_series *before = series_of(registry, DJP_COUNTER, "before", "a");
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            djp_counter_add(before, 2);
            djp__registry_lock(registry);
            raise(SIGSTOP);
            djp__registry_unlock(registry);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, WUNTRACED), child);
        assert_true(WIFSTOPPED(status));
        djp_counter_add(before, 1);
        for (int i = 0; i < 200; i++) {
            djp_text value = {"b", 1};
            assert_null(djp_family_series(before->family, &value));
            fixture_assert_shows(registry, DJP_TEXT_0_0_4, "before_total{a=\"a\"} 3\n");
        }
        assert_int_equal(fixture_counters(registry).refused, 200);
        assert_int_equal(djp_family_remove(before->family, &(djp_text){"a", 1}), 0);
        pid_t next = fork(); /* the child counts for itself */
        assert_true(next >= 0);
        if (next == 0) {
            djp_counter_add(before, 1);
            _exit(djp_series_value(before) > 0 ? 0 : 1);
        }
        assert_int_equal(wait_for(next), 0);
        kill(child, SIGKILL);
        wait_for(child);
        djp_text value = {"b", 1};
        djp_series *after = djp_family_series(before->family, &value);
        assert_non_null(after);
        djp_counter_add(after, 1);
        fixture_assert_shows(registry, DJP_TEXT_0_0_4, "before_total{a=\"b\"} 1\n");
        assert_int_equal(slots_in_use(registry), 1);
        djp_registry_free(registry);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forked_child_records_into_the_same_series),
        cmocka_unit_test_setup_teardown(processes_of_one_directory_share_it, make_directory,
                                        remove_directory),
        cmocka_unit_test(gauges_follow_their_mode),
        cmocka_unit_test_setup_teardown(closed_descriptors_change_nothing, make_directory,
                                        remove_directory),
        cmocka_unit_test(killed_children_lose_nothing),
        cmocka_unit_test_setup_teardown(killed_processes_of_a_directory_lose_nothing,
                                        make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(a_stopped_process_blocks_nobody, make_directory,
                                        remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
