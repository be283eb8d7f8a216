/* The overrides file with the clock in the test's hand: what a line may be, when the file is looked
 * at, what counts as a change, and what is said about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "djp/error.h"
#include "span_reader.h"

static uint64_t unix_ns;
#define djp__clock_realtime() unix_ns
#include "control/overrides_file.c"
#undef djp__clock_realtime

#define SECOND 1000000000ull

static djp_options options;
static djp__diagnostics diag;
static djp__control_host host;
static djp__overrides overrides;
static char folder[64], path[96], last[1024];
static int warnings, messages, changes;

static void
note(void *user, int level, const char *message)
{
    (void)user;
    messages++;
    warnings += level == DJP_LOG_WARN;
    snprintf(last, sizeof last, "%s", message);
}

static void
changed(void *user)
{
    assert_ptr_equal(user, &host);
    changes++;
}

static void
put(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int
set_up(void **state)
{
    (void)state;
    memset(&options, 0, sizeof options);
    memset(&overrides, 0, sizeof overrides);
    djp__recorder_options recorder = span_reader_options();
    recorder.always_on = 0;
    recorder.threshold = 1ull << 55;
    options.enabled = 1;
    options.sample_ratio = 0.5;
    options.canary_ratio = 1;
    options.overrides_file = path;
    host = (djp__control_host){.options = &options,
                               .diag = &diag,
                               .recorder = span_reader_recorder(&recorder),
                               .exports = 1,
                               .changed = changed,
                               .user = &host};
    strcpy(folder, "/tmp/djp-overrides-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    warnings = messages = changes = 0;
    unix_ns = 4000000000ull * SECOND; /* long after every file of the test was written */
    djp__mutex_init(&overrides.mutex);
    return djp__diag_init(&diag, DJP_LOG_INFO, note, NULL);
}

static int
tear_down(void **state)
{
    (void)state;
    unlink(path);
    rmdir(path);
    djp__recorder_free(host.recorder);
    djp__mutex_fini(&overrides.mutex);
    djp__diag_fini(&diag);
    return rmdir(folder);
}

static djp__overrides_view
holds(void)
{
    djp__overrides_view view;
    djp__overrides_read(&view, &overrides);
    return view;
}

/* ---- lines ---- */

static void
lines_and_their_edges(void **state)
{
    static const struct {
        const char *text;
        int bad; /* line; 0: good */
        int enabled;
        double ratio, canary;
    } cases[] = {
        {"", 0, -1, -1, -1},
        {"\n\n", 0, -1, -1, -1},
        {"on", 0, 1, -1, -1},
        {"off", 0, 0, -1, -1},
        {"OFF\n", 0, 0, -1, -1},
        {" on \r\n", 0, 1, -1, -1},
        {"on\r", 0, 1, -1, -1},
        {"off # for a while", 0, 0, -1, -1},
        {"# on", 0, -1, -1, -1},
        {"ratio=0", 0, -1, 0, -1},
        {"ratio=1", 0, -1, 1, -1},
        {"Ratio = 0.25\ncanary=0.5", 0, -1, 0.25, 0.5},
        {"ratio=0.25\nratio=0.5", 0, -1, 0.5, -1},
        {"ratio=1.0001", 1, 0, 0, 0},
        {"ratio=-0.0001", 1, 0, 0, 0},
        {"on\ncanary=2", 2, 0, 0, 0},
        {"ratio=", 1, 0, 0, 0},
        {"ratio", 1, 0, 0, 0},
        {"ratio=x", 1, 0, 0, 0},
        {"ratio=nan", 1, 0, 0, 0},
        {"other=1", 1, 0, 0, 0},
        {"on off", 1, 0, 0, 0},
        {"o", 1, 0, 0, 0},
        {"on\n\noffs", 3, 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__override out;
        int line = 99,
            good = djp__overrides_parse(&out, &line, cases[i].text, strlen(cases[i].text));
        if (good != !cases[i].bad || (cases[i].bad && line != cases[i].bad) ||
            (good && (out.enabled != cases[i].enabled || out.ratio != cases[i].ratio ||
                      out.canary != cases[i].canary))) {
            fail_msg("%s: line %d, %d %g %g", cases[i].text, line, out.enabled, out.ratio,
                     out.canary);
        }
    }
}

/* ---- looks ---- */

static void
it_is_looked_at_once_a_second(void **state)
{
    (void)state;
    put("ratio=0.25");
    djp__overrides_init(&overrides, &host);
    assert_true(holds().ratio == 0.25);
    assert_string_equal(holds().ratio_by, "overrides_file");
    uint64_t start = overrides.look_next - SECOND;
    put("ratio=0.75");
    djp__overrides_look(&overrides, start + SECOND - 1);
    assert_true(holds().ratio == 0.25);
    djp__overrides_look(&overrides, start + SECOND);
    assert_true(holds().ratio == 0.75);
    assert_true(overrides.look_next == start + 2 * SECOND);
    assert_int_equal(changes, 2);
    assert_int_equal(messages, 2);
}

static void
it_does_not_look_where_nothing_can_be_overridden(void **state)
{
    (void)state;
    put("ratio=0.25");
    djp_recorder *recorder = host.recorder;
    for (int i = 0; i < 4; i++) {
        char none[1] = "";
        host.recorder = i == 0 ? NULL : recorder;
        host.exports = i != 1;
        options.overrides_file = i == 2 ? NULL : i == 3 ? none : path;
        djp__overrides_init(&overrides, &host);
        assert_true(overrides.look_next == UINT64_MAX);
        assert_true(holds().ratio == 0.5);
        options.overrides_file = path;
    }
    host.recorder = recorder;
    assert_int_equal(changes, 0);
}

/* What is not there withdraws what was asked for; what cannot be read or understood changes
 * nothing, and is said once. */
static void
files_that_are_none(void **state)
{
    (void)state;
    djp__overrides_init(&overrides, &host);
    assert_true(holds().ratio == 0.5 && messages == 0);
    uint64_t now = overrides.look_next;
    put("ratio=0.25");
    djp__overrides_look(&overrides, now);
    assert_true(holds().ratio == 0.25);
    put("ratio=4");
    for (int i = 1; i <= 3; i++) {
        djp__overrides_look(&overrides, now + (uint64_t)i * SECOND);
        assert_true(holds().ratio == 0.25);
    }
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last, "Line 1 of"));
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    for (int i = 4; i <= 6; i++) {
        djp__overrides_look(&overrides, now + (uint64_t)i * SECOND);
        assert_true(holds().ratio == 0.25);
    }
    assert_int_equal(warnings, 2);
    assert_non_null(strstr(last, "cannot be read"));
    rmdir(path);
    djp__overrides_look(&overrides, now + 7 * SECOND);
    assert_true(holds().ratio == 0.5);
    int before = changes;
    djp__overrides_look(&overrides, now + 8 * SECOND);
    assert_int_equal(changes, before);
    /* A part of the path that is no folder says that there is no file. */
    char below[128];
    put("x");
    snprintf(below, sizeof below, "%s/below", path);
    options.overrides_file = below;
    djp__overrides_look(&overrides, now + 9 * SECOND);
    assert_int_equal(warnings, 2);
    options.overrides_file = path;
}

static void
the_longest_file(void **state)
{
    (void)state;
    for (size_t size = DJP__OVERRIDES_FILE_MAX - 1; size <= DJP__OVERRIDES_FILE_MAX + 1; size++) {
        char *text = calloc(1, size + 1);
        memset(text, '#', size);
        memcpy(text, "ratio=0.25\n", 11);
        put(text);
        warnings = 0;
        djp__overrides_init(&overrides, &host);
        assert_true(holds().ratio == (size <= DJP__OVERRIDES_FILE_MAX ? 0.25 : 0.5));
        assert_int_equal(warnings, size > DJP__OVERRIDES_FILE_MAX);
        memset(&overrides.file, 0, sizeof overrides.file);
        overrides.looked = 0;
        free(text);
    }
}

/* A file whose description is the same is not read again, unless it was written within the last
 * three seconds. */
static void
a_fresh_file_is_read_again(void **state)
{
    (void)state;
    struct stat seen;
    struct timespec times[2];
    put("ratio=0.25");
    djp__overrides_init(&overrides, &host);
    assert_int_equal(stat(path, &seen), 0);
    uint64_t now = overrides.look_next, written = (uint64_t)seen.st_mtim.tv_sec * SECOND;
    put("ratio=0.75");
    times[0] = seen.st_atim;
    times[1] = seen.st_mtim;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    /* as if all of the description were that of before */
    assert_int_equal(stat(path, &overrides.seen), 0);
    unix_ns = written + 3 * SECOND;
    djp__overrides_look(&overrides, now);
    assert_true(holds().ratio == 0.25);
    unix_ns = written + 3 * SECOND - 1;
    djp__overrides_look(&overrides, now + SECOND);
    assert_true(holds().ratio == 0.75);
    /* Read again, and the same text: nothing happens. */
    int before = changes;
    djp__overrides_look(&overrides, now + 2 * SECOND);
    assert_int_equal(changes, before);
}

static void
every_part_of_the_description_counts(void **state)
{
    (void)state;
    struct stat a, b;
    put("x");
    assert_int_equal(stat(path, &a), 0);
    b = a;
    assert_false(overrides_file_differs(&a, &b));
    b.st_ino++;
    assert_true(overrides_file_differs(&a, &b));
    b = a, b.st_dev++;
    assert_true(overrides_file_differs(&a, &b));
    b = a, b.st_size++;
    assert_true(overrides_file_differs(&a, &b));
    b = a, b.st_mode ^= 1;
    assert_true(overrides_file_differs(&a, &b));
    b = a, b.st_mtim.tv_sec++;
    assert_true(overrides_file_differs(&a, &b));
    b = a, b.st_mtim.tv_nsec++;
    assert_true(overrides_file_differs(&a, &b));
    b = a, b.st_ctim.tv_sec++;
    assert_true(overrides_file_differs(&a, &b));
    b = a, b.st_ctim.tv_nsec++;
    assert_true(overrides_file_differs(&a, &b));
}

static void
no_descriptor_is_left(void **state)
{
    (void)state;
    int before = dup(0);
    close(before);
    put("ratio=0.25");
    djp__overrides_init(&overrides, &host);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* opens at once, and is none */
    djp__overrides_look(&overrides, overrides.look_next);
    assert_int_equal(warnings, 1);
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

/* ---- who wins ---- */

static void
the_file_wins_over_the_program_and_that_over_the_rest(void **state)
{
    (void)state;
    djp__overrides_init(&overrides, &host);
    djp__overrides_set_target(&overrides, 0.4, "budget");
    assert_true(holds().ratio == 0.4);
    assert_string_equal(holds().ratio_by, "budget");
    int before = changes;
    djp__overrides_set_target(&overrides, 0.4, "budget");
    assert_int_equal(changes, before);
    djp__overrides_set_target(&overrides, 0.4, "target"); /* the same ratio, by somebody else */
    assert_string_equal(holds().ratio_by, "target");
    assert_int_equal(djp__overrides_set_ratio(&overrides, 0.3), 0);
    assert_string_equal(holds().ratio_by, "program");
    djp__overrides_set_target(&overrides, 0.6, "target");
    assert_true(holds().ratio == 0.3);
    djp__override file = {0, 0.2, 0.7};
    djp__overrides_set_file(&overrides, &file, DJP_LOG_INFO);
    assert_true(holds().ratio == 0.2 && holds().canary == 0.7 && !holds().enabled);
    assert_string_equal(holds().enabled_by, "overrides_file");
    assert_int_equal(djp__overrides_set_ratio(&overrides, 0.35), DJP_EUNSUPPORTED);
    assert_int_equal(djp__overrides_set_enabled(&overrides, 1), DJP_EUNSUPPORTED);
    assert_int_equal(djp__overrides_set_enabled(&overrides, 0), 0); /* as the file has it */
    assert_int_equal(djp__overrides_set_canary(&overrides, -1), DJP_EUNSUPPORTED);
    assert_true(djp__overrides_ratio(&overrides) == 0); /* muted */
    file = (djp__override){-1, DJP__RATIO_UNSET, 0.1};
    djp__overrides_set_file(&overrides, &file, DJP_LOG_INFO);
    assert_int_equal(djp__overrides_set_enabled(&overrides, 1), 0);
    assert_true(holds().ratio == 0.35 && holds().enabled);
    assert_true(djp__overrides_ratio(&overrides) == 0.1); /* the canary bounds it */
    file.canary = DJP__RATIO_UNSET;
    djp__overrides_set_file(&overrides, &file, DJP_LOG_INFO);
    assert_int_equal(djp__overrides_set_canary(&overrides, 0.8), 0);
    assert_string_equal(holds().canary_by, "program");
    assert_int_equal(djp__overrides_set_canary(&overrides, -1), 0);
    assert_true(holds().canary == 1);
    assert_string_equal(holds().canary_by, "configuration");
    assert_int_equal(djp__overrides_set_ratio(&overrides, -1), 0);
    assert_true(holds().ratio == 0.6);
    djp__overrides_set_target(&overrides, DJP__RATIO_UNSET, "target");
    assert_true(holds().ratio == 0.5);
    assert_string_equal(holds().ratio_by, "configuration");
    before = changes;
    /* neither asks for anything */
    djp__overrides_set_target(&overrides, DJP__RATIO_UNSET, "budget");
    assert_int_equal(changes, before);
}

static void
nothing_to_override(void **state)
{
    (void)state;
    djp_recorder *recorder = host.recorder;
    host.recorder = NULL;
    djp__overrides_init(&overrides, &host);
    assert_int_equal(djp__overrides_set_ratio(&overrides, 0.3), DJP_EUNSUPPORTED);
    assert_int_equal(djp__overrides_set_enabled(&overrides, 0), DJP_EUNSUPPORTED);
    host.recorder = recorder;
    host.exports = 0;
    djp__overrides_init(&overrides, &host);
    /* nothing could take it out */
    assert_int_equal(djp__overrides_set_ratio(&overrides, 0.3), DJP_EUNSUPPORTED);
    assert_int_equal(djp__overrides_set_ratio(&overrides, 0), 0);
    assert_true(djp__overrides_ratio(&overrides) == 0);
}

static void
texts_of_the_file(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int good, enabled;
        double ratio, canary;
    } cases[] = {
        {"canary=0.5", 1, -1, DJP__RATIO_UNSET, 0.5},
        {" Canary = 0 #\nratio=1", 1, -1, 1, 0},
        {"canary=1.5", 0, 0, 0, 0},
        {"canary", 0, 0, 0, 0},
        {"canary=", 0, 0, 0, 0},
        {"", 1, -1, DJP__RATIO_UNSET, DJP__RATIO_UNSET},
        {"\n\n# nothing\n", 1, -1, DJP__RATIO_UNSET, DJP__RATIO_UNSET},
        {"on", 1, 1, DJP__RATIO_UNSET, DJP__RATIO_UNSET},
        {" OFF \r\n", 1, 0, DJP__RATIO_UNSET, DJP__RATIO_UNSET},
        {"off # while the collector moves\nratio=0.25", 1, 0, 0.25, DJP__RATIO_UNSET},
        {"ratio = 0\n", 1, -1, 0, DJP__RATIO_UNSET},
        {"off\non\nratio=0.1\nRatio=1", 1, 1, 1, DJP__RATIO_UNSET},
        {"of", 0, 0, 0, DJP__RATIO_UNSET},
        {"on\nratio=", 0, 0, 0, DJP__RATIO_UNSET},
        {"ratio=1.5", 0, 0, 0, DJP__RATIO_UNSET},
        {"ratio=-0.1", 0, 0, 0, DJP__RATIO_UNSET},
        {"ratio=nan", 0, 0, 0, DJP__RATIO_UNSET},
        {"ratio=0.1x", 0, 0, 0, DJP__RATIO_UNSET},
        {"ratio", 0, 0, 0, DJP__RATIO_UNSET},
        {"=0.1", 0, 0, 0, DJP__RATIO_UNSET},
        {"on off", 0, 0, 0, DJP__RATIO_UNSET},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__override out;
        int line;
        int good = djp__overrides_parse(&out, &line, cases[i].text, strlen(cases[i].text));
        if (good != cases[i].good ||
            (good && (out.enabled != cases[i].enabled || out.ratio != cases[i].ratio ||
                      out.canary != cases[i].canary))) {
            fail_msg("case %zu: %s", i, cases[i].text);
        }
    }
    djp__override out;
    int line;
    assert_int_equal(djp__overrides_parse(&out, &line, "a\0b", 3), 0);
    assert_int_equal(djp__overrides_parse(&out, &line, "on\n# x\nbad\n", 11), 0);
    assert_int_equal(line, 3);
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_the_file),
        ONE(lines_and_their_edges),
        ONE(it_is_looked_at_once_a_second),
        ONE(it_does_not_look_where_nothing_can_be_overridden),
        ONE(files_that_are_none),
        ONE(the_longest_file),
        ONE(a_fresh_file_is_read_again),
        ONE(every_part_of_the_description_counts),
        ONE(no_descriptor_is_left),
        ONE(the_file_wins_over_the_program_and_that_over_the_rest),
        ONE(nothing_to_override),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
