/* The resource: who this process is. Built by the worker when it starts, so that a forked child has its own process id and instance
 * id; the user's own attributes win over everything found here but the service name, which the configuration has decided. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "djp/version.h"
#include "pipeline/pipeline.h"

enum { IDENTITY__MAX = 512, IDENTITY__ARENA_BYTES = 1 << 20 };

typedef struct identity__list {
    djp_arena arena;
    djp_attribute *items;
    size_t count;
    int failed;
} identity__list;

static const char *
identity_copy(identity__list *list, const char *text, size_t size)
{
    char *copy = djp__arena_alloc(&list->arena, size + 1);
    if (!copy) {
        list->failed = 1;
        return NULL;
    }
    size_t kept = djp__utf8_repair(copy, size, text, size, NULL);
    copy[kept] = '\0';
    return copy;
}

/* The item of that key, made when new; NULL when the list is full. Takes text that lives in the arena or for ever. */
static djp_attribute *
identity_item(identity__list *list, const char *key)
{
    size_t size = strlen(key);
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].key.size == size && memcmp(list->items[i].key.data, key, size) == 0) {
            return &list->items[i];
        }
    }
    if (list->count == IDENTITY__MAX) {
        return NULL;
    }
    djp_attribute *item = &list->items[list->count++];
    item->key = (djp_text){key, size};
    return item;
}

/* Copies value; an empty one is left out. */
static void
identity_set(identity__list *list, const char *key, const char *value)
{
    if (!value || !*value) {
        return;
    }
    const char *copy = identity_copy(list, value, strlen(value));
    djp_attribute *item = copy ? identity_item(list, key) : NULL;
    if (item) {
        item->value.type = DJP_STRING;
        item->value.as.text = djp__text(copy);
    }
}

static void
identity_set_int(identity__list *list, const char *key, int64_t value)
{
    djp_attribute *item = identity_item(list, key);
    if (item) {
        item->value.type = DJP_INT;
        item->value.as.integer = value;
    }
}

/* A random UUID (version 4). */
static void
identity_instance_id(char out[37])
{
    uint64_t high = (djp__rand64() & ~0xf000ull) | 0x4000u;
    uint64_t low = (djp__rand64() & 0x3fffffffffffffffull) | 0x8000000000000000ull;
    snprintf(out, 37, "%08llx-%04llx-%04llx-%04llx-%012llx", (unsigned long long)(high >> 32),
             (unsigned long long)((high >> 16) & 0xffff), (unsigned long long)(high & 0xffff),
             (unsigned long long)(low >> 48), (unsigned long long)(low & 0xffffffffffffull));
}

static void
identity_set_process(identity__list *list)
{
    char host[256] = {0};
    if (gethostname(host, sizeof host - 1) == 0) {
        identity_set(list, "host.name", host);
    }
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    if (size > 0) {
        path[size] = '\0';
        const char *slash = strrchr(path, '/');
        identity_set(list, "process.executable.name", slash ? slash + 1 : path);
    }
    char id[37];
    identity_instance_id(id);
    identity_set(list, "service.instance.id", id);
    identity_set_int(list, "process.pid", getpid());
}

/* One percent-decoded part, in the arena; NULL when it is empty or malformed. */
static const char *
identity_decode(identity__list *list, djp_text part)
{
    djp_buf buf;
    djp__buf_init(&buf, 0);
    const char *text = NULL;
    if (djp__percent_decode(&buf, djp__text_trim(part)) && buf.size > 0 && !buf.failed) {
        text = identity_copy(list, buf.data, buf.size);
    }
    djp__buf_fini(&buf);
    return text;
}

/* OTEL_RESOURCE_ATTRIBUTES form. The service name in it has had its chance in the configuration. */
static void
identity_set_user(identity__list *list, const char *text)
{
    djp_text rest = djp__text(text);
    djp_text pair;
    while (djp__text_split(&pair, &rest, ',')) {
        djp_text key;
        if (!djp__text_split(&key, &pair, '=')) {
            continue;
        }
        const char *name = identity_decode(list, key);
        if (!name || strcmp(name, "service.name") == 0) {
            continue;
        }
        const char *value = identity_decode(list, pair);
        identity_set(list, name, value);
    }
}

static void
identity_build(identity__list *list, const djp_sdk *sdk)
{
    const djp_options *options = &sdk->options;
    identity_set(list, "service.name", options->service_name);
    identity_set(list, "service.namespace", options->service_namespace);
    identity_set(list, "service.version", options->service_version);
    identity_set(list, "deployment.environment.name", options->environment);
    identity_set(list, "env", options->environment_short);
    identity_set(list, "telemetry.sdk.name", DJP_SDK_NAME);
    identity_set(list, "telemetry.sdk.language", sdk->language);
    identity_set(list, "telemetry.sdk.version", DJP_VERSION);
    identity_set(list, "process.runtime.name", sdk->runtime_name);
    identity_set(list, "process.runtime.version", sdk->runtime_version);
    identity_set_process(list);
    identity_set_user(list, options->resource_attributes);
}

static djp_encoding
identity_encoding(const djp_options *options)
{
    if (options->exporter == DJP_EXPORTER_CONSOLE) {
        return DJP_ENCODE_CONSOLE;
    }
    if (options->exporter == DJP_EXPORTER_FILE) {
        return DJP_ENCODE_JSON;
    }
    if (options->exporter == DJP_EXPORTER_OTLP && options->protocol == DJP_PROTOCOL_HTTP_JSON) {
        return DJP_ENCODE_JSON;
    }
    return DJP_ENCODE_PROTOBUF;
}

int
djp__resource_encoder_new(djp_encoder **out, const djp_sdk *sdk)
{
    identity__list list = {{0}, NULL, 0, 0};
    int result = DJP_ENOMEM;
    *out = NULL;
    djp__arena_init(&list.arena, IDENTITY__ARENA_BYTES);
    list.items = djp__calloc(IDENTITY__MAX, sizeof *list.items);
    if (!list.items) {
        goto done;
    }
    identity_build(&list, sdk);
    if (list.failed) {
        goto done;
    }
    result = djp__encoder_new(out, identity_encoding(&sdk->options), list.items, list.count);
done:
    djp__free(list.items);
    djp__arena_fini(&list.arena);
    return result;
}
