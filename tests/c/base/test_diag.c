/* Messages: which level goes where, what is kept of the newest one, how long a line may be, and how
 * often one may be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"

static uint64_t mono_ns, unix_ns;
#define djp__clock_monotonic() mono_ns
#define djp__clock_realtime() unix_ns
#include "base/diag.c"
#undef djp__clock_monotonic
#undef djp__clock_realtime

static char last[2048];
static int count, last_level;

static void
note(void *user, int level, const char *message)
{
    assert_ptr_equal(user, &count);
    count++;
    last_level = level;
    snprintf(last, sizeof last, "%s", message);
}

static void
levels_are_kept(void **state)
{
    (void)state;
    for (int at = DJP_LOG_NONE; at <= DJP_LOG_DEBUG; at++) {
        djp__diagnostics diag;
        assert_int_equal(djp__diag_init(&diag, at, note, &count), 0);
        for (int level = DJP_LOG_ERROR; level <= DJP_LOG_DEBUG; level++) {
            count = 0;
            diag.last_error[0] = '\0';
            unix_ns = (uint64_t)(100 * at + level);
            djp__diag(&diag, level, "%s %d", "number", level);
            assert_int_equal(count, level <= at);
            if (count) {
                assert_int_equal(last_level, level);
                assert_int_equal(strlen(last), strlen("number 1"));
            }
            /* Errors and warnings are kept for the status, whatever is logged. */
            assert_int_equal(diag.last_error[0] != '\0', level <= DJP_LOG_WARN);
            assert_int_equal(diag.last_error_unix_ns == unix_ns, level <= DJP_LOG_WARN);
        }
        djp__diag_fini(&diag);
    }
}

static void
what_is_kept_is_cut_between_characters(void **state)
{
    (void)state;
    djp__diagnostics diag;
    assert_int_equal(djp__diag_init(&diag, DJP_LOG_WARN, note, &count), 0);
    for (int size = 253; size <= 257; size++) {
        char text[300];
        memset(text, 'x', sizeof text);
        text[size] = '\0';
        djp__diag(&diag, DJP_LOG_WARN, "%s", text);
        assert_int_equal(strlen(diag.last_error), size < 255 ? size : 255);
        memcpy(text + size - 3, "\xe2\x82\xac", 3);
        djp__diag(&diag, DJP_LOG_ERROR, "%s", text);
        assert_int_equal(strlen(diag.last_error), size <= 255 ? size : size - 3);
    }
    for (int size = 1022; size <= 1025; size++) {
        char text[1100];
        memset(text, 'x', sizeof text);
        text[size] = '\0';
        djp__diag(&diag, DJP_LOG_WARN, "%s", text);
        assert_int_equal(strlen(last), size < 1023 ? size : 1023);
    }
    djp__diag_fini(&diag);
}

/* Standard error is a file here; what is written is read from it. */
static void
lines_on_standard_error(void **state)
{
    static const char *const begins[] = {"djp-telemetry: error: text\n",
                                         "djp-telemetry: warning: text\n", "djp-telemetry: text\n",
                                         "djp-telemetry: debug: text\n"};
    char name[] = "/tmp/djp-diag-XXXXXX", text[4096];
    djp__diagnostics diag;
    (void)state;
    int file = mkstemp(name), saved = dup(2);
    assert_true(file >= 0 && saved >= 0);
    fcntl(file, F_SETFL, O_APPEND);
    assert_int_equal(dup2(file, 2), 2);
    assert_int_equal(djp__diag_init(&diag, DJP_LOG_DEBUG, NULL, NULL), 0);
    for (int level = DJP_LOG_ERROR; level <= DJP_LOG_DEBUG; level++) {
        djp__diag(&diag, level, "text");
    }
    diag.log(diag.user, 9, "nine");
    diag.log(diag.user, -1, "minus");
    char line[1200];
    memset(line, 'y', sizeof line);
    line[sizeof line - 1] = '\0';
    diag.log(diag.user, DJP_LOG_INFO, line);
    dup2(saved, 2);
    close(saved);
    ssize_t size = pread(file, text, sizeof text - 1, 0);
    close(file);
    unlink(name);
    djp__diag_fini(&diag);
    assert_true(size > 0);
    text[size] = '\0';
    const char *at = text;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(strncmp(at, begins[i], strlen(begins[i])), 0);
        at += strlen(begins[i]);
    }
    static const char odd[] = "djp-telemetry: nine\ndjp-telemetry: minus\n";
    assert_int_equal(strncmp(at, odd, strlen(odd)), 0);
    at += strlen(odd);
    assert_int_equal(strlen(at), 1099); /* cut to a line, with its end */
    assert_int_equal(strncmp(at, "djp-telemetry: yyy", 18), 0);
    assert_string_equal(at + 1097, "y\n");
}

static void
once_and_once_a_minute(void **state)
{
    (void)state;
    DJP__ATOMIC(int) flag = 0;
    DJP__ATOMIC(uint64_t) guard = 0;
    assert_true(djp__once(&flag));
    assert_false(djp__once(&flag));
    mono_ns = 0; /* 0 would be: never */
    assert_true(djp__every_minute(&guard));
    assert_false(djp__every_minute(&guard));
    mono_ns = 59999999999ull;
    assert_false(djp__every_minute(&guard));
    mono_ns = 60000000001ull;
    assert_true(djp__every_minute(&guard));
    assert_false(djp__every_minute(&guard));
    mono_ns += 60000000000ull;
    assert_true(djp__every_minute(&guard));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_kept),
        cmocka_unit_test(what_is_kept_is_cut_between_characters),
        cmocka_unit_test(lines_on_standard_error),
        cmocka_unit_test(once_and_once_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
