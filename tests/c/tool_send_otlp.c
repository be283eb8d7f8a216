/* Drives the OTLP transport for the Python tests: options as name=value arguments, commands on
 * standard input, one JSON line of result for each. Commands: "send", "many N" (one summary),
 * "retry" (with djp__retry until it is settled), "fork" (a send in a forked child), "wake" (a send
 * of a thread with its own descriptors, woken all the time). */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/rand.h"
#include "export/destination.h"
#include "export/transport.h"
#include "net/retry.h"

typedef struct tool {
    djp_options options;
    djp__transport *transport;
    djp__buf body;
    uint64_t timeout_ns;
    uint64_t abort_ns; /* the poll callback gives up after this long; 0: never */
    uint64_t started;
    unsigned long polls;
    djp__send_result result; /* of a send of another thread */
} tool;

static const char *const tool_outcomes[] = {"sent", "retry", "rejected", "aborted"};

static int
tool_poll(void *user)
{
    tool *t = user;
    t->polls++;
    return t->abort_ns && djp__clock_monotonic() - t->started > t->abort_ns;
}

static void
tool_send(tool *t, djp__send_result *result)
{
    t->started = djp__clock_monotonic();
    t->polls = 0;
    djp__send_control control = {t->timeout_ns ? t->started + t->timeout_ns : UINT64_MAX, tool_poll,
                                 t};
    t->transport->ops->send(t->transport, t->body.data, t->body.size, &control, result);
}

static void
tool_print(const tool *t, const djp__send_result *result, unsigned attempts)
{
    djp__buf line;
    djp__buf_init(&line, 0);
    djp__buf_printf(&line,
                    "{\"outcome\":\"%s\",\"rejected\":%" PRIu64 ",\"retry_after_ns\":%" PRIu64
                    ",\"status\":%ld,\"wire_bytes\":%" PRIu64
                    ",\"attempts\":%u,\"polls\":%lu,\"us\":%" PRIu64 ",\"message\":",
                    tool_outcomes[result->outcome], result->rejected, result->retry_after_ns,
                    result->status, result->wire_bytes, attempts, t->polls,
                    (djp__clock_monotonic() - t->started) / 1000);
    djp__buf_json(&line, result->message, strlen(result->message));
    djp__buf_text(&line, "}\n");
    fwrite(line.data, 1, line.size, stdout);
    fflush(stdout);
    djp__buf_fini(&line);
}

static void
tool_send_once(tool *t)
{
    djp__send_result result;
    tool_send(t, &result);
    tool_print(t, &result, 1);
}

static void
tool_send_many(tool *t, unsigned long count)
{
    unsigned long outcomes[4] = {0};
    djp__send_result result = {0};
    char first_bad[256] = "";
    uint64_t began = djp__clock_monotonic();
    for (unsigned long i = 0; i < count; i++) {
        tool_send(t, &result);
        outcomes[result.outcome]++;
        if (result.outcome != DJP__SENT && !first_bad[0]) {
            memcpy(first_bad, result.message, sizeof first_bad);
        }
    }
    double us = (double)(djp__clock_monotonic() - began) / 1e3 / (double)(count ? count : 1);
    printf("{\"sent\":%lu,\"retry\":%lu,\"rejected\":%lu,\"aborted\":%lu,\"us\":%.1f,\"message\":"
           "\"%s\"}\n",
           outcomes[0], outcomes[1], outcomes[2], outcomes[3], us, first_bad);
    fflush(stdout);
}

static void
tool_send_with_retry(tool *t)
{
    djp__send_result result;
    djp__retry retry;
    djp__retry_init(&retry, djp__clock_monotonic(), t->timeout_ns);
    unsigned attempts = 0;
    for (;;) {
        tool_send(t, &result);
        attempts++;
        if (result.outcome != DJP__SEND_RETRY) {
            break;
        }
        uint64_t delay =
            djp__retry_delay(&retry, djp__clock_monotonic(), result.retry_after_ns, djp__rand64());
        if (delay == UINT64_MAX) {
            break;
        }
        struct timespec pause = {(time_t)(delay / 1000000000), (long)(delay % 1000000000)};
        nanosleep(&pause, NULL);
    }
    tool_print(t, &result, attempts);
}

static void
tool_send_in_child(tool *t)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        t->transport->ops->abandon(t->transport);
        tool_send_once(t);
        tool_send_once(t);
        t->transport->ops->free(t->transport);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static DJP__ATOMIC(int) tool_waiting;

/* As the SDK's own thread sends: with its own table of descriptors. */
static void *
tool_send_parted(void *user)
{
    tool *t = user;
    djp__files_part();
    tool_send(t, &t->result);
    t->transport->ops->leave(t->transport);
    djp__store_relaxed(&tool_waiting, 0);
    return NULL;
}

static void
tool_send_woken(tool *t)
{
    const struct timespec pause = {0, 100000};
    pthread_t thread;
    djp__store_relaxed(&tool_waiting, 1);
    djp__thread_start(&thread, tool_send_parted, t, "send");
    while (djp__load_relaxed(&tool_waiting)) {
        t->transport->ops->wake(t->transport);
        nanosleep(&pause, NULL);
    }
    pthread_join(thread, NULL);
    tool_print(t, &t->result, 1);
}

static void
tool_read_body(djp__buf *body, const char *path)
{
    char part[65536];
    size_t size;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    while ((size = fread(part, 1, sizeof part, file)) > 0) {
        djp__buf_append(body, part, size);
    }
    fclose(file);
}

static int
tool_option(tool *t, const char *name, const char *value)
{
    djp_options *o = &t->options;
    struct {
        const char *name;
        char **text;
    } texts[] = {{"endpoint", &o->endpoint}, {"headers", &o->headers},
                 {"ca", &o->certificate},    {"cert", &o->client_certificate},
                 {"key", &o->client_key},    {"http_proxy", &o->http_proxy},
                 {"no_proxy", &o->no_proxy}};
    struct {
        const char *name;
        uint64_t *number;
    } numbers[] = {{"timeout_ns", &t->timeout_ns},
                   {"abort_ns", &t->abort_ns},
                   {"max_request", &o->max_request_bytes},
                   {"max_response", &o->max_response_bytes}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(name, texts[i].name) == 0) {
            free(*texts[i].text);
            *texts[i].text = strdup(value);
            return 1;
        }
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(name, numbers[i].name) == 0) {
            *numbers[i].number = strtoull(value, NULL, 10);
            return 1;
        }
    }
    if (strcmp(name, "protocol") == 0) {
        o->protocol = strcmp(value, "grpc") == 0   ? DJP_PROTOCOL_GRPC
                      : strcmp(value, "json") == 0 ? DJP_PROTOCOL_HTTP_JSON
                                                   : DJP_PROTOCOL_HTTP_PROTOBUF;
    } else if (strcmp(name, "compress") == 0) {
        o->compress = atoi(value);
    } else if (strcmp(name, "body") == 0) {
        tool_read_body(&t->body, value);
    } else {
        return 0;
    }
    return 1;
}

static void
tool_set_up(tool *t, int argc, char **argv)
{
    memset(t, 0, sizeof *t);
    djp__buf_init(&t->body, 0);
    char **texts[] = {&t->options.endpoint,    &t->options.headers,
                      &t->options.certificate, &t->options.client_certificate,
                      &t->options.client_key,  &t->options.http_proxy,
                      &t->options.no_proxy};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = strdup("");
    }
    t->options.protocol = DJP_PROTOCOL_HTTP_PROTOBUF;
    t->options.max_request_bytes = 64u << 20;
    t->options.max_response_bytes = 4u << 20;
    t->timeout_ns = UINT64_C(5000000000);
    for (int i = 1; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals != NULL) {
            *equals = '\0';
        }
        if (equals == NULL || !tool_option(t, argv[i], equals + 1)) {
            fprintf(stderr, "unknown argument %s\n", argv[i]);
            exit(2);
        }
    }
}

static void
tool_clear(tool *t)
{
    char *texts[] = {t->options.endpoint,    t->options.headers,
                     t->options.certificate, t->options.client_certificate,
                     t->options.client_key,  t->options.http_proxy,
                     t->options.no_proxy};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        free(texts[i]);
    }
    djp__buf_fini(&t->body);
}

static void
tool_run(tool *t)
{
    char command[64];
    while (fgets(command, sizeof command, stdin)) {
        unsigned long count;
        if (sscanf(command, "many %lu", &count) == 1) {
            tool_send_many(t, count);
        } else if (strcmp(command, "retry\n") == 0) {
            tool_send_with_retry(t);
        } else if (strcmp(command, "fork\n") == 0) {
            tool_send_in_child(t);
        } else if (strcmp(command, "wake\n") == 0) {
            tool_send_woken(t);
        } else {
            tool_send_once(t);
        }
    }
}

int
main(int argc, char **argv)
{
    tool t;
    djp__diagnostics diag;
    tool_set_up(&t, argc, argv);
    djp__diag_init(&diag, DJP_LOG_WARN, NULL, NULL);
    static const djp__route route = DJP__ROUTE_TRACES;
    djp__destination destination = djp__destination_of_traces(&t.options, &route);
    int code = djp__transport_otlp_new(&t.transport, &destination, "djp-telemetry-test/1", &diag);
    if (code == 0) {
        tool_run(&t);
        t.transport->ops->free(t.transport);
    } else {
        printf("{\"outcome\":\"invalid\",\"status\":%d}\n", code);
    }
    djp__diag_fini(&diag);
    tool_clear(&t);
    return 0;
}
