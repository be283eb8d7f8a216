/* The whole pipeline from one recording thread to a loopback HTTP receiver in another process:
 * spans a second without loss, process time per exported span, and memory after a million spans.
 * Prints one line a figure, with its bar. */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "djp/djp.h"

enum { SLICES_PER_SECOND = 1000 };

static uint64_t
bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- the receiver: reads requests of one connection at a time and answers 200 ---- */

static size_t
sink_content_length(const char *head)
{
    for (const char *line = head; line; line = strstr(line, "\r\n")) {
        line += line == head ? 0 : 2;
        if (strncasecmp(line, "content-length:", 15) == 0) {
            return strtoul(line + 15, NULL, 10);
        }
    }
    return 0;
}

static void
sink_serve(int connection)
{
    static char buffer[1 << 20];
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
    size_t have = 0;
    for (;;) {
        ssize_t got = read(connection, buffer + have, sizeof buffer - 1 - have);
        if (got <= 0) {
            return;
        }
        have += (size_t)got;
        buffer[have] = '\0';
        char *end = strstr(buffer, "\r\n\r\n");
        if (end == NULL) {
            continue;
        }
        size_t body = sink_content_length(buffer);
        size_t read_of_body = have - (size_t)(end + 4 - buffer);
        while (read_of_body < body) {
            got = read(connection, buffer, sizeof buffer - 1);
            if (got <= 0) {
                return;
            }
            read_of_body += (size_t)got;
        }
        have = 0;
        if (write(connection, answer, sizeof answer - 1) < 0) {
            return;
        }
    }
}

static pid_t
sink_start(int *port)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 8) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        perror("sink");
        exit(1);
    }
    *port = ntohs(address.sin_port);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            int connection = accept(listener, NULL, NULL);
            sink_serve(connection);
            close(connection);
        }
    }
    close(listener);
    return pid;
}

/* ---- the sender ---- */

static const char *
no_environment(void *user, const char *name)
{
    (void)user;
    (void)name;
    return NULL;
}

static void
print_warning(void *user, const char *message)
{
    (void)user;
    fprintf(stderr, "%s\n", message);
}

static djp_sdk *
make_sdk(int port)
{
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d/v1/traces", port);
    const djp_config_override overrides[] = {
        {"enabled", "true"},    {"backend", "otel"},     {"exporter", "otlp"},
        {"endpoint", endpoint}, {"sample_ratio", "1.0"}, {"protocol", "http/protobuf"}};
    djp_options options;
    djp_sdk *sdk = NULL;
    djp_sdk_language language = {"c", "", "", 0};
    if (djp_config_resolve(&options, no_environment, NULL, overrides,
                           sizeof overrides / sizeof overrides[0], "bench", print_warning,
                           NULL) != 0 ||
        djp_sdk_new(&sdk, &options, &language, NULL, NULL) != 0) {
        fprintf(stderr, "no SDK\n");
        exit(1);
    }
    djp_options_fini(&options);
    return sdk;
}

typedef struct bench_keys {
    djp_key method, route, status, scheme, version;
} bench_keys;

static void
record_span(djp_recorder *recorder, const bench_keys *keys)
{
    djp_span *span = djp_span_start(recorder, DJP_TEXT("GET /orders/{id}"), NULL);
    djp_span_set_string(span, keys->method, DJP_TEXT("GET"));
    djp_span_set_string(span, keys->route, DJP_TEXT("/orders/{id}"));
    djp_span_set_int(span, keys->status, 200);
    djp_span_set_string(span, keys->scheme, DJP_TEXT("http"));
    djp_span_set_string(span, keys->version, DJP_TEXT("1.1"));
    djp_span_end(span, 0);
    djp_span_release(span);
}

static double
status_number(djp_sdk *sdk, const char *key)
{
    char *text = NULL, find[64];
    size_t size = 0;
    double value = -1;
    snprintf(find, sizeof find, "\"%s\":", key);
    if (djp_sdk_status_json(&text, &size, sdk) == 0) {
        const char *at = strstr(text, find);
        value = at != NULL ? strtod(at + strlen(find), NULL) : -1;
    }
    djp_free(text);
    return value;
}

static double
cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Resident memory by kind, MiB: "RssAnon:" is the process's own, "RssFile:" pages of libraries,
 * which processes share. */
static double
resident_mib(const char *kind)
{
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file)) {
        if (strncmp(line, kind, strlen(kind)) == 0) {
            kib = strtod(line + strlen(kind), NULL);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib / 1024;
}

/* Records at a rate for some seconds from this thread, then waits until all has left. Returns the
 * spans that were lost. */
static double
run_rate(djp_sdk *sdk, const bench_keys *keys, double rate, double seconds, double *achieved,
         double *cpu_ns)
{
    djp_recorder *recorder = djp_sdk_recorder(sdk);
    double exported = status_number(sdk, "spans_exported");
    double cpu = cpu_seconds();
    uint64_t start = bench_now();
    uint64_t recorded = 0;
    unsigned slices = (unsigned)(seconds * SLICES_PER_SECOND);
    for (unsigned slice = 1; slice <= slices; slice++) {
        uint64_t until = (uint64_t)(rate * slice / SLICES_PER_SECOND);
        for (; recorded < until; recorded++) {
            record_span(recorder, keys);
        }
        uint64_t due = start + (uint64_t)slice * (1000000000u / SLICES_PER_SECOND);
        if (bench_now() < due) {
            struct timespec when = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
        }
    }
    double took = (double)(bench_now() - start) / 1e9;
    int code = djp_sdk_flush(sdk, 10000000000ull);
    exported = status_number(sdk, "spans_exported") - exported;
    *achieved = (double)recorded / took;
    *cpu_ns = (cpu_seconds() - cpu) * 1e9 / (double)recorded;
    double lost = (double)recorded - exported;
    printf("  %8.0f spans/s asked, %8.0f recorded, lost %8.0f, %5.0f ns of process time a span, "
           "flush %s\n",
           rate, *achieved, lost, *cpu_ns, code == 0 ? "ok" : djp_error_text(code));
    return lost;
}

int
main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 3;
    int port = 0;
    pid_t sink = sink_start(&port);
    double own = resident_mib("RssAnon:"), shared = resident_mib("RssFile:");
    djp_sdk *sdk = make_sdk(port);
    double ring = (double)djp_sdk_options(sdk)->ring_bytes / (1024.0 * 1024.0);
    bench_keys keys = {djp_key_intern(DJP_TEXT("http.request.method")),
                       djp_key_intern(DJP_TEXT("http.route")),
                       djp_key_intern(DJP_TEXT("http.response.status_code")),
                       djp_key_intern(DJP_TEXT("url.scheme")),
                       djp_key_intern(DJP_TEXT("network.protocol.version"))};
    printf("pipeline: one thread, 5 attributes a span, OTLP/HTTP to a loopback receiver, ring %.0f "
           "MiB\n",
           ring);
    double best = 0, cpu_at_bar = 0, achieved = 0, cpu = 0;
    run_rate(sdk, &keys, 500000, 2, &achieved, &cpu);
    own = resident_mib("RssAnon:") - own;
    shared = resident_mib("RssFile:") - shared;
    static const double rates[] = {250000, 500000, 750000, 1000000, 1500000, 2000000};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        double lost = run_rate(sdk, &keys, rates[i], seconds, &achieved, &cpu);
        if (rates[i] == 500000) {
            cpu_at_bar = cpu;
        }
        if (lost == 0 && achieved > best) {
            best = achieved;
        }
    }
    printf("sustained without loss: %.0f spans/s (bar: 500000)\n", best);
    printf("process time per exported span at 500000/s: %.0f ns (bar: 1000)\n", cpu_at_bar);
    printf(
        "memory grown after 1 M spans: %.1f MiB, %.1f own and %.1f of library pages (bar: %.0f)\n",
        own + shared, own, shared, 4 + ring);
    djp_sdk_free(sdk);
    kill(sink, SIGKILL);
    waitpid(sink, NULL, 0);
    return 0;
}
