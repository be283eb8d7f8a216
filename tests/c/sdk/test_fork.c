/* fork(2) with a pipeline at work: the child delivers its own spans and nothing of the parent's,
 * ids stay unique, no process hangs. Children report through files that the parent reads, and are
 * killed when they outlive their time. */
#include "pipeline/helper.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { CHILD_SECONDS = 200 };

/* The sanitizers' own allocator takes no care of fork: a lock that another thread holds stays held
 * in the child. ASan runs the tests in which no other thread can be inside the allocator, TSan
 * none. */
#if defined(__SANITIZE_THREAD__)
#define FORKS_TESTED 0
#elif defined(__SANITIZE_ADDRESS__)
#define FORKS_TESTED 1
#else
#define FORKS_TESTED 2
#endif

/* The exit status of a child, which must end by itself. */
static int
wait_child(pid_t pid)
{
    for (uint64_t deadline = djp__clock_monotonic() + CHILD_SECONDS * SECOND;
         djp__clock_monotonic() < deadline;) {
        int status = 0;
        if (waitpid(pid, &status, WNOHANG) == pid) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        }
        helper_sleep(MS);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return 2000;
}

/* Checks in children must not use cmocka's asserts, which would go on in the parent's test. */
#define CHILD_CHECK(condition, code)                                               \
    do {                                                                           \
        if (!(condition)) {                                                        \
            fprintf(stderr, "child: %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            _exit(code);                                                           \
        }                                                                          \
    } while (0)

static void
finish(djp_sdk *sdk, script_transport *transport)
{
    djp_sdk_free(sdk);
    assert_int_equal(transport->overlaps, 0);
    script_fini(transport);
}

static unsigned
hold(void *user, unsigned attempt)
{
    (void)user;
    (void)attempt;
    return SCRIPT_HELD;
}

static void
child_delivers_its_own(djp_sdk *sdk, script_transport *transport, char *parent_instance)
{
    CHILD_CHECK(djp_sdk_flush(sdk, PATIENCE) == 0, 10);
    CHILD_CHECK(transport->attempts == 0, 11);
    helper_spans(sdk, "child", 7);
    CHILD_CHECK(djp_sdk_flush(sdk, PATIENCE) == 0, 12);
    CHILD_CHECK(script_spans(transport, "child") == 7, 13);
    CHILD_CHECK(script_spans(transport, NULL) == 7, 14);
    char *instance =
        helper_resource(transport->stored, transport->stored_size, "service.instance.id");
    char *pid = helper_resource(transport->stored, transport->stored_size, "process.pid");
    CHILD_CHECK(instance && strcmp(instance, parent_instance) != 0, 15);
    CHILD_CHECK(pid && atoi(pid) == (int)getpid(), 16);
    json *status = helper_status(sdk);
    CHILD_CHECK(helper_number(status, "spans", "started") == 7, 17);
    CHILD_CHECK(helper_number(status, "spans", "exported") == 7, 18);
    CHILD_CHECK(helper_number(status, "worker", "starts") == 1, 19);
    CHILD_CHECK(helper_unaccounted(status) == 0, 20);
    json_free(status);
    CHILD_CHECK(djp_sdk_shutdown(sdk, PATIENCE) == 0, 21);
    _exit(0);
}

static void
test_each_process_delivers_its_own(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.export_timeout_ns = 600 * SECOND;
    script_transport *transport = script_new(hold, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "parent", 5);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    char *instance =
        helper_resource(transport->stored, transport->stored_size, "service.instance.id");
    /* One request on its way, some waiting, one span open. */
    transport->held = 1;
    helper_spans(sdk, "parent", 5);
    while (transport->inside == 0) {
        helper_sleep(MS);
    }
    helper_spans(sdk, "parent", 5);
    djp_span *open = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("parent"), NULL);
    pid_t pid = fork(); /* comes back, although nothing ends the send */
    if (pid == 0) {
        transport->held = 0;
        djp_span_end(open, 0);
        djp_span_release(open);
        child_delivers_its_own(sdk, transport, instance);
    }
    djp_span_end(open, 0);
    djp_span_release(open);
    assert_int_equal(wait_child(pid), 0);
    transport->held = 0;
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, "parent"), 16);
    assert_int_equal(script_spans(transport, NULL), 16);
    assert_int_equal(transport->abandoned, 0);
    free(instance);
    finish(sdk, transport);
}

static unsigned
stuck_first(void *user, unsigned attempt)
{
    (void)user;
    return attempt == 0 ? SCRIPT_STUCK : SCRIPT_ACCEPT;
}

/* A transport that does not come out of its send delays the fork by a bounded time only. */
static void
test_fork_over_a_stuck_send(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(stuck_first, NULL);
    transport->held = 1;
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "parent", 3);
    while (transport->inside == 0) {
        helper_sleep(MS);
    }
    pid_t pid = fork();
    if (pid == 0) {
        transport->next = NULL;
        child_delivers_its_own(sdk, transport, "");
    }
    assert_int_equal(wait_child(pid), 0);
    transport->held = 0;
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, "parent"), 3);
    finish(sdk, transport);
}

static void
test_before_the_first_span_and_after_shutdown(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    pid_t pid = fork();
    if (pid == 0) {
        child_delivers_its_own(sdk, transport, "");
    }
    assert_int_equal(wait_child(pid), 0);
    helper_spans(sdk, "parent", 2);
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    pid = fork();
    if (pid == 0) {
        helper_spans(sdk, "late", 2);
        CHILD_CHECK(djp_sdk_flush(sdk, PATIENCE) == DJP_ESHUTDOWN, 1);
        CHILD_CHECK(djp_sdk_shutdown(sdk, PATIENCE) == DJP_ESHUTDOWN, 2);
        CHILD_CHECK(transport->attempts == 0, 3);
        djp_sdk_free(sdk);
        _exit(0);
    }
    assert_int_equal(wait_child(pid), 0);
    assert_int_equal(script_spans(transport, NULL), 2);
    finish(sdk, transport);
}

static void
child_of_many(djp_sdk *sdk, script_transport *transport, int report)
{
    helper_spans(sdk, "child", 20);
    int code = djp_sdk_shutdown(sdk, PATIENCE);
    if (code != 0) {
        char *text = NULL;
        size_t size = 0;
        djp_sdk_status_json(&text, &size, sdk);
        fprintf(stderr, "child: shutdown gave %d (%s): %s\n", code, djp_error_text(code), text);
    }
    CHILD_CHECK(code == 0, 1);
    CHILD_CHECK(script_spans(transport, NULL) == 20, 2);
    for (size_t at = 0; at < transport->stored_size;) {
        ssize_t wrote = write(report, transport->stored + at, transport->stored_size - at);
        CHILD_CHECK(wrote > 0, 3);
        at += (size_t)wrote;
    }
    _exit(0);
}

struct forker {
    djp_sdk *sdk;
    script_transport *transport;
    int report;
    int forks;
    int failures;
};

static _Atomic int recording_stops;

static void *
fork_repeatedly(void *argument)
{
    struct forker *forker = argument;
    for (int i = 0; i < forker->forks; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            if (i % 3 == 2) {
                _exit(0);
            }
            child_of_many(forker->sdk, forker->transport, forker->report);
        }
        int code = wait_child(pid);
        if (code != 0) {
            fprintf(stderr, "child ended with %d\n", code);
            forker->failures++;
        }
    }
    return NULL;
}

static void *
record_until_stopped(void *argument)
{
    while (!recording_stops) {
        helper_spans(argument, "parent", 20);
        helper_sleep(MS);
    }
    return NULL;
}

struct seen {
    uint8_t (*ids)[8];
    size_t count, capacity, children;
};

static void
see(void *user, const char *name, const uint8_t *trace_id, const uint8_t *span_id)
{
    struct seen *seen = user;
    (void)trace_id;
    if (seen->count == seen->capacity) {
        seen->capacity = seen->capacity * 2 + 1024;
        seen->ids = realloc(seen->ids, seen->capacity * 8);
    }
    memcpy(seen->ids[seen->count++], span_id, 8);
    seen->children += strcmp(name, "child") == 0;
}

static int
compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, 8);
}

static char *
read_whole(int file, size_t *size)
{
    off_t end = lseek(file, 0, SEEK_END);
    char *bytes = malloc((size_t)end + 1);
    assert_true(end >= 0);
    assert_int_equal(pread(file, bytes, (size_t)end, 0), end);
    *size = (size_t)end;
    return bytes;
}

static unsigned
often_slow(void *user, unsigned attempt)
{
    (void)user;
    return attempt % 2 ? SCRIPT_SLOW : SCRIPT_ACCEPT;
}

/* Several threads fork, others record, the worker sends all the time. */
static void
test_many_forks_in_many_threads(void **state)
{
    (void)state;
    enum { FORKERS = 3, FORKS = 12 };
    djp_options options = helper_options();
    options.flush_interval_ns = 2 * MS;
    script_transport *transport = script_new(often_slow, NULL);
    transport->slow_ns = 3 * MS;
    djp_sdk *sdk = helper_sdk(&options, transport);
    char path[] = "/tmp/djp-fork-XXXXXX";
    int report = mkstemp(path);
    assert_true(report >= 0);
    unlink(path);
    assert_int_equal(fcntl(report, F_SETFL, O_APPEND), 0);
    pthread_t recorder, threads[FORKERS];
    struct forker forkers[FORKERS];
    recording_stops = 0;
    assert_int_equal(pthread_create(&recorder, NULL, record_until_stopped, sdk), 0);
    for (int i = 0; i < FORKERS; i++) {
        forkers[i] = (struct forker){sdk, transport, report, FORKS, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, fork_repeatedly, &forkers[i]), 0);
    }
    int failures = 0;
    for (int i = 0; i < FORKERS; i++) {
        pthread_join(threads[i], NULL);
        failures += forkers[i].failures;
    }
    recording_stops = 1;
    pthread_join(recorder, NULL);
    assert_int_equal(failures, 0);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    json *status = helper_status(sdk);
    double exported = helper_number(status, "spans", "exported");
    assert_true(helper_unaccounted(status) == 0);
    json_free(status);
    struct seen seen = {0};
    size_t size = 0;
    char *children = read_whole(report, &size);
    helper_each(children, size, see, &seen);
    assert_int_equal(seen.count, FORKERS * FORKS * 2 / 3 * 20);
    assert_int_equal(seen.children, seen.count);
    size_t before = seen.count;
    helper_each(transport->stored, transport->stored_size, see, &seen);
    assert_int_equal(seen.children, before);
    assert_true((double)(seen.count - before) == exported);
    qsort(seen.ids, seen.count, 8, compare_ids);
    for (size_t i = 1; i < seen.count; i++) {
        assert_memory_not_equal(seen.ids[i - 1], seen.ids[i], 8);
    }
    free(seen.ids);
    free(children);
    close(report);
    finish(sdk, transport);
}

static unsigned
always_retry(void *user, unsigned attempt)
{
    (void)user;
    (void)attempt;
    return SCRIPT_RETRY;
}

/* What waits to be sent in the parent is not lost in a child that never sends. */
static void
test_the_backlog_is_not_the_childs(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.max_batch_spans = 8;
    options.flush_interval_ns = 100 * SECOND;
    script_transport *transport = script_new(always_retry, NULL);
    transport->retry_after_ns = 100 * SECOND;
    options.export_timeout_ns = 1000 * SECOND;
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "parent", 8);
    while (transport->attempts == 0) {
        helper_sleep(MS);
    }
    /* One request waits for its next attempt, three spans for the rest of their batch. */
    helper_spans(sdk, "parent", 3);
    djp_sdk_flush(sdk, 20 * MS);
    pid_t pid = fork();
    if (pid == 0) {
        json *status = helper_status(sdk);
        CHILD_CHECK(helper_number(status, "queue", "spans") == 0, 1);
        CHILD_CHECK(helper_number(status, "queue", "batch_spans") == 0, 2);
        CHILD_CHECK(helper_unaccounted(status) == 0, 3);
        json_free(status);
        CHILD_CHECK(djp_sdk_shutdown(sdk, PATIENCE) == 0, 4);
        status = helper_status(sdk);
        CHILD_CHECK(helper_number(status, "dropped", "shutdown") == 0, 5);
        CHILD_CHECK(helper_unaccounted(status) == 0, 6);
        json_free(status);
        djp_sdk_free(sdk);
        _exit(0);
    }
    assert_int_equal(wait_child(pid), 0);
    djp_sdk_shutdown(sdk, 0);
    json *status = helper_status_at_rest(sdk);
    assert_true(helper_number(status, "dropped", "shutdown") == 11);
    json_free(status);
    finish(sdk, transport);
}

/* A child's child, and so on: each starts afresh. */
static void
test_nested_forks(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "parent", 3);
    pid_t pid = fork();
    if (pid == 0) {
        helper_spans(sdk, "child", 4);
        pid_t inner = fork();
        if (inner == 0) {
            helper_spans(sdk, "grandchild", 5);
            CHILD_CHECK(djp_sdk_shutdown(sdk, PATIENCE) == 0, 1);
            CHILD_CHECK(script_spans(transport, "grandchild") == 5 &&
                            script_spans(transport, NULL) == 5,
                        2);
            djp_sdk_free(sdk);
            _exit(0);
        }
        CHILD_CHECK(djp_sdk_shutdown(sdk, PATIENCE) == 0, 3);
        CHILD_CHECK(script_spans(transport, "child") == 4 && script_spans(transport, NULL) == 4, 4);
        CHILD_CHECK(wait_child(inner) == 0, 5);
        djp_sdk_free(sdk);
        _exit(0);
    }
    assert_int_equal(wait_child(pid), 0);
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, NULL), 3);
    finish(sdk, transport);
}

static int
count_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(directory)) {
        count++;
    }
    closedir(directory);
    return count;
}

/* A child that goes on does not collect the descriptors of its ancestors. */
static void
test_descriptors_do_not_pile_up(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_span(sdk, "parent");
    int files = count_files();
    pid_t pid = fork();
    if (pid == 0) {
        for (int depth = 0; depth < 5; depth++) {
            helper_span(sdk, "child");
            CHILD_CHECK(djp_sdk_flush(sdk, PATIENCE) == 0, 1);
            CHILD_CHECK(count_files() == files, 2);
            pid_t inner = fork();
            if (inner != 0) {
                CHILD_CHECK(wait_child(inner) == 0, 3);
                _exit(0);
            }
        }
        _exit(0);
    }
    assert_int_equal(wait_child(pid), 0);
    finish(sdk, transport);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_process_delivers_its_own),
        cmocka_unit_test(test_fork_over_a_stuck_send),
        cmocka_unit_test(test_before_the_first_span_and_after_shutdown),
    };
    const struct CMUnitTest busy_tests[] = {
        cmocka_unit_test(test_the_backlog_is_not_the_childs),
        cmocka_unit_test(test_nested_forks),
        cmocka_unit_test(test_descriptors_do_not_pile_up),
        cmocka_unit_test(test_many_forks_in_many_threads),
    };
    int failed = FORKS_TESTED >= 1 ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
    failed += FORKS_TESTED >= 2 ? cmocka_run_group_tests(busy_tests, NULL, NULL) : 0;
    if (FORKS_TESTED < 2) {
        printf("%s\n",
               "some fork tests are left out: the sanitizer's allocator does not survive them");
    }
    return failed;
}
