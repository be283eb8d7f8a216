/* The variables that hold lists or URLs, from any bytes (one variable a line), then names of
 * variables and options that do not exist: whatever they hold, resolution succeeds, headers cannot
 * split a request, the report is complete, and no header value or endpoint password is shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "djp/config.h"

#define REQUIRE(condition)  \
    do {                    \
        if (!(condition)) { \
            abort();        \
        }                   \
    } while (0)

static const char *const variables[] = {"OTEL_EXPORTER_OTLP_HEADERS",
                                        "OTEL_EXPORTER_OTLP_ENDPOINT",
                                        "OTEL_RESOURCE_ATTRIBUTES",
                                        "OTEL_PROPAGATORS",
                                        "OTEL_TRACES_SAMPLER",
                                        "OTEL_TRACES_SAMPLER_ARG",
                                        "DJP_TELEMETRY_EXCLUDED_PATHS",
                                        "OTEL_TRACES_EXPORTER",
                                        "OTEL_EXPORTER_OTLP_TIMEOUT",
                                        "OTEL_EXPORTER_OTLP_PROTOCOL",
                                        "OTEL_SEMCONV_STABILITY_OPT_IN",
                                        "DJP_TELEMETRY_RING_BYTES",
                                        "ENVIRONMENT",
                                        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"};
enum { VARIABLES = sizeof variables / sizeof variables[0] };

static const char *
look_up(void *user, const char *name)
{
    char **lines = user;
    for (size_t i = 0; i < VARIABLES; i++) {
        if (strcmp(name, variables[i]) == 0) {
            return lines[i];
        }
    }
    return strcmp(name, "ENABLE_OBSERVABILITY") == 0 ? "true" : NULL;
}

static void
check_warning(void *user, const char *message)
{
    size_t size = strlen(message);
    (void)user;
    REQUIRE(size > 20 && message[size - 1] == '.' && djp__utf8_valid(message, size));
    for (size_t i = 0; i < size; i++) {
        REQUIRE((unsigned char)message[i] >= 0x20 && message[i] != 0x7f);
    }
    REQUIRE(strstr(message, "sEcReT") == NULL ||
            strncmp(message, variables[0], strlen(variables[0])) != 0);
    REQUIRE(strstr(message, "sEcReT") == NULL ||
            strncmp(message, variables[1], strlen(variables[1])) != 0);
}

static void
check_headers(const char *headers)
{
    djp_text rest = {headers, strlen(headers)};
    djp_text line;
    while (rest.size != 0 && djp__text_split(&line, &rest, '\n')) {
        const char *colon = memchr(line.data, ':', line.size);
        REQUIRE(colon != NULL && colon > line.data && colon[1] == ' ');
        for (const char *c = line.data; c < colon; c++) {
            REQUIRE(*c > 0x20 && *c < 0x7f);
        }
        for (const char *c = colon; c < line.data + line.size; c++) {
            REQUIRE(((unsigned char)*c >= 0x20 || *c == '\t') && *c != 0x7f);
        }
    }
}

static void
check_endpoint(const djp_options *options)
{
    const char *endpoint = options->endpoint;
    REQUIRE(strncmp(endpoint, "http://", 7) == 0 || strncmp(endpoint, "https://", 8) == 0);
    REQUIRE(strpbrk(endpoint, " \t\r\n#\"") == NULL && strlen(endpoint) > 8);
    const char *path = strchr(strstr(endpoint, "://") + 3, '/');
    REQUIRE((path == NULL) == (options->protocol == DJP_PROTOCOL_GRPC) ||
            strchr(endpoint, '?') != NULL);
}

static void
check_attributes(const char *attributes)
{
    djp_text rest = {attributes, strlen(attributes)};
    djp_text member;
    while (rest.size != 0 && djp__text_split(&member, &rest, ',')) {
        const char *equals = memchr(member.data, '=', member.size);
        REQUIRE(equals != NULL && equals > member.data);
        REQUIRE(memchr(equals + 1, '=', member.size - (size_t)(equals + 1 - member.data)) == NULL);
    }
}

static void
check_numbers(const djp_options *options)
{
    REQUIRE(options->sample_ratio >= 0 && options->sample_ratio <= 1);
    REQUIRE(options->ring_bytes >= 65536 && (options->ring_bytes & (options->ring_bytes - 1)) == 0);
    REQUIRE(options->ring_bytes <= 1u << 30 && options->max_batch_spans >= 1);
    REQUIRE(options->service_name[0] != '\0');
}

/* The lines behind the values: each one a variable that is set and an option that is given,
 * whatever it is called. */
enum { NAMES_MAX = 8 };
typedef struct names {
    char texts[NAMES_MAX][128];
    const char *variables[NAMES_MAX];
    djp_config_override overrides[NAMES_MAX];
    size_t count;
} names;

static void
read_names(names *out, char *at)
{
    static const char *const prefixes[] = {"DJP_TELEMETRY_", "OTEL_", "TELEMETRY_", ""};
    while (at != NULL && out->count < NAMES_MAX) {
        char *text = out->texts[out->count];
        snprintf(text, sizeof out->texts[0], "%s%s", prefixes[out->count % 4], strsep(&at, "\n"));
        out->variables[out->count] = text;
        out->overrides[out->count] =
            (djp_config_override){strlen(text) > 20 ? text + 14 : text, "1"};
        out->count++;
    }
}

static int
resolve(djp_options *options, char **lines, const names *given)
{
    djp_config_request request = {.lookup = look_up,
                                  .lookup_user = lines,
                                  .variables = given->variables,
                                  .variable_count = given->count,
                                  .overrides = given->overrides,
                                  .override_count = given->count,
                                  .default_service_name = "fuzz",
                                  .spelling = given->count % 2 ? DJP_CAMEL_CASE : DJP_SNAKE_CASE,
                                  .warn = check_warning};
    return djp_config_resolve_request(options, &request);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    char *lines[VARIABLES] = {NULL};
    REQUIRE(copy != NULL);
    memcpy(copy, data, size);
    copy[size] = '\0';
    char *at = copy;
    for (size_t i = 0; i < VARIABLES && at != NULL; i++) {
        lines[i] = strsep(&at, "\n");
    }
    djp_options options;
    djp_options second;
    names given = {.count = 0};
    read_names(&given, at);
    REQUIRE(resolve(&options, lines, &given) == 0);
    REQUIRE(djp__utf8_valid(options.summary, strlen(options.summary)));
    check_headers(options.headers);
    check_endpoint(&options);
    check_attributes(options.resource_attributes);
    check_numbers(&options);
    size_t report = strlen(options.report_json);
    REQUIRE(options.report_json[0] == '{' && options.report_json[report - 1] == '}' &&
            djp__utf8_valid(options.report_json, report));
    REQUIRE(options.headers[0] == '\0' ||
            strstr(options.report_json, "\"headers\":{\"value\":\"[set]\"") != NULL);
    REQUIRE(djp_options_copy(&second, &options) == 0);
    djp_options_fini(&options);
    REQUIRE(second.report_json[report] == '\0');
    djp_options_fini(&second);
    free(copy);
    return 0;
}
