/* What an SDK leaves behind when it ends: nothing. After its life with every kind of helper
 * (listener, exporter, sampling server, files, signals) and after each rare end, descriptors,
 * threads, timers, signal handlers, ports and memory are those of before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "djp/djp.h"

enum { OVERRIDES_MAX = 12, SIGNALS = 32 };
#define SECOND 1000000000ull
#define MS 1000000ull

static char folder[64], silent_url[64], closed_url[64];
static int silent; /* a listener that accepts nothing */

/* ---- what there is ---- */

typedef struct belongings {
    int files, threads, timers;
    void (*handlers[SIGNALS])(int);
} belongings;

static int
entries_of(const char *path)
{
    int count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    closedir(directory);
    return count;
}

static int
timers_of_process(void)
{
    char line[256];
    int count = 0;
    FILE *file = fopen("/proc/self/timers", "r");
    while (file != NULL && fgets(line, sizeof line, file)) {
        count += strncmp(line, "ID:", 3) == 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

static belongings
look(void)
{
    belongings now = {0};
    /* A thread that was joined may be seen for a moment more, and one that was left behind ends
     * when it can. Its files and timers go with it. */
    for (int i = 0; i < 60000 && (now.threads = entries_of("/proc/self/task")) > 1; i++) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    now.files = entries_of("/proc/self/fd");
    now.timers = timers_of_process();
    for (int i = 1; i < SIGNALS; i++) {
        struct sigaction action;
        now.handlers[i] = sigaction(i, NULL, &action) == 0 ? action.sa_handler : NULL;
    }
    return now;
}

static belongings at_first; /* before any SDK */

static void
assert_same(const belongings *before)
{
    belongings now = look();
    assert_int_equal(now.files, before->files);
    assert_int_equal(now.threads, before->threads);
    assert_int_equal(now.timers, before->timers);
    for (int i = 1; i < SIGNALS; i++) {
        assert_ptr_equal(now.handlers[i], at_first.handlers[i]);
    }
}

static int
socket_on(int port, int *taken)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes,
               sizeof yes); /* what ended lately does not count, what listens does */
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 5) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        close(fd);
        return -1;
    }
    *taken = ntohs(address.sin_port);
    return fd;
}

static int
free_port(void)
{
    int port = 0, fd = socket_on(0, &port);
    assert_true(fd >= 0);
    close(fd);
    return port;
}

static void
assert_port_free(int port)
{
    int taken, fd = socket_on(port, &taken);
    assert_true(fd >= 0);
    close(fd);
}

/* ---- lives ---- */

typedef enum end { FREED, SHUT_DOWN, SHUT_DOWN_TWICE, FORKED, NEVER_USED } end;

static const char *
no_variables(void *user, const char *name)
{
    (void)user;
    (void)name;
    return NULL;
}

static djp_sdk *
begin(const djp_config_override *given, int port)
{
    char number[16];
    djp_config_override overrides[OVERRIDES_MAX] = {
        {"enabled", "true"}, {"backend", "hybrid"}, {"sample_ratio", "1"}};
    size_t count = 3;
    djp_options options;
    djp_sdk *sdk = NULL;
    const djp_sdk_language language = {"test", "test", "1", 0};
    snprintf(number, sizeof number, "%d", port);
    overrides[count++] = (djp_config_override){"prometheus_port", number};
    overrides[count++] = (djp_config_override){"shutdown_timeout", "0.2"};
    for (size_t i = 0; given[i].keyword; i++) {
        assert_true(count < OVERRIDES_MAX);
        overrides[count++] = given[i];
    }
    assert_int_equal(
        djp_config_resolve(&options, no_variables, NULL, overrides, count, "test", NULL, NULL), 0);
    options.log_level = 0;
    assert_int_equal(djp_sdk_new(&sdk, &options, &language, NULL, NULL), 0);
    djp_options_fini(&options);
    return sdk;
}

static void
use(djp_sdk *sdk)
{
    for (int i = 0; i < 20; i++) {
        djp_span *span = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("span"), NULL);
        djp_span_end(span, 0);
        djp_span_release(span);
    }
    djp_sdk_flush(sdk, 50 * MS);
    char *text = NULL;
    size_t size;
    assert_int_equal(djp_registry_expose(&text, &size, djp_sdk_registry(sdk), DJP_TEXT_0_0_4), 0);
    djp_free(text);
}

/* In a child: the same life once more, which leaves nothing there either, and nothing of the
 * parent's. */
static void
fork_and_use(djp_sdk *sdk)
{
#ifdef __SANITIZE_ADDRESS__ /* whose allocator may be locked by another thread at the fork */
    (void)sdk;
    return;
#endif
    pid_t child = fork();
    if (child == 0) {
        alarm(200);
        use(sdk);
        djp_sdk_shutdown(sdk, 200 * MS);
        djp_sdk_free(sdk);
        int left = 0;
        for (int i = 0; i < 60000 && (left = entries_of("/proc/self/task")) > 1; i++) {
            nanosleep(&(struct timespec){0, 1000000}, NULL);
        }
        _exit(left == 1 && timers_of_process() == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void
live(const djp_config_override *given, end how)
{
    int port = free_port();
    djp_sdk *sdk = begin(given, port);
    if (how != NEVER_USED) {
        use(sdk);
        int taken, fd = socket_on(port, &taken);
        assert_true(fd < 0); /* somebody listens */
    }
    if (how == FORKED) {
        fork_and_use(sdk);
    }
    if (how == SHUT_DOWN || how == SHUT_DOWN_TWICE || how == FORKED) {
        djp_sdk_shutdown(sdk, 300 * MS);
        assert_port_free(port);
    }
    if (how == SHUT_DOWN_TWICE) {
        use(sdk); /* nothing begins again */
        djp_sdk_shutdown(sdk, 300 * MS);
    }
    djp_sdk_free(sdk);
    assert_port_free(port);
}

static size_t
memory_in_use(void)
{
    malloc_trim(0);
    return mallinfo2().uordblks;
}

static void
leaves_nothing(const djp_config_override *given)
{
    live(given, SHUT_DOWN); /* what a process keeps once, like the state of libraries */
    live(given, FORKED);
    belongings before = look();
    size_t memory = memory_in_use();
    for (end how = FREED; how <= NEVER_USED; how++) {
        live(given, how);
        assert_same(&before);
    }
    assert_true(memory_in_use() < memory + 16384);
}

static void
with_a_receiver_in_memory(void **state)
{
    (void)state;
    leaves_nothing((djp_config_override[]){{"exporter", "memory"}, {NULL, NULL}});
}

static void
with_a_receiver_that_is_not_there(void **state)
{
    (void)state;
    leaves_nothing(
        (djp_config_override[]){{"exporter", "otlp"}, {"endpoint", closed_url}, {NULL, NULL}});
}

static void
with_a_receiver_that_never_answers(void **state)
{
    (void)state;
    leaves_nothing(
        (djp_config_override[]){{"exporter", "otlp"}, {"endpoint", silent_url}, {NULL, NULL}});
}

static void
with_files(void **state)
{
    char file[128], overrides[128], budget[128];
    (void)state;
    snprintf(file, sizeof file, "%s/spans", folder);
    snprintf(overrides, sizeof overrides, "%s/overrides", folder);
    snprintf(budget, sizeof budget, "%s/budget", folder);
    FILE *text = fopen(overrides, "w");
    fputs("ratio=1\n", text);
    fclose(text);
    leaves_nothing((djp_config_override[]){{"exporter", "file"},
                                           {"file_path", file},
                                           {"overrides_file", overrides},
                                           {"budget_file", budget},
                                           {"price_per_million_spans", "1"},
                                           {NULL, NULL}});
}

static void
with_a_sampling_server(void **state)
{
    (void)state;
    leaves_nothing((djp_config_override[]){{"exporter", "memory"},
                                           {"sampler", "jaeger_remote"},
                                           {"remote_sampling_endpoint", silent_url},
                                           {NULL, NULL}});
}

static void
with_a_port_that_is_taken(void **state)
{
    (void)state;
    belongings before = look();
    djp_config_override given[] = {{"exporter", "memory"}, {NULL, NULL}};
    for (int i = 0; i < 3; i++) {
        int port = 0, fd = socket_on(0, &port);
        djp_sdk *sdk = begin(given, port);
        use(sdk);
        djp_sdk_free(sdk);
        close(fd);
        assert_same(&before);
    }
}

static int
set_up(void **state)
{
    int port = 0;
    (void)state;
    at_first = look();
    strcpy(folder, "/tmp/djp-left-XXXXXX");
    assert_non_null(mkdtemp(folder));
    silent = socket_on(0, &port);
    snprintf(silent_url, sizeof silent_url, "http://127.0.0.1:%d/v1/traces", port);
    snprintf(closed_url, sizeof closed_url, "http://127.0.0.1:%d/v1/traces", free_port());
    return silent < 0;
}

static int
tear_down(void **state)
{
    static const char *const names[] = {"spans", "overrides", "budget", "budget.lock"};
    char path[128];
    (void)state;
    close(silent);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_a_receiver_in_memory),
        cmocka_unit_test(with_a_receiver_that_is_not_there),
        cmocka_unit_test(with_a_receiver_that_never_answers),
        cmocka_unit_test(with_files),
        cmocka_unit_test(with_a_sampling_server),
        cmocka_unit_test(with_a_port_that_is_taken),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
