/* The resource of this process. The worker builds it when it starts, so that a forked child has its
 * process id and instance id. Attributes of the user replace detected ones, except the service
 * name, which the configuration has resolved. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "djp/version.h"
#include "metrics/metric_name.h"
#include "metrics/text.h"
#include "sdk/sdk.h"

enum { SDK_RESOURCE__MAX = 512, SDK_RESOURCE__ARENA_BYTES = 1 << 20 };

typedef struct sdk_resource__list {
    djp__arena arena;
    djp_attribute *items;
    size_t count;
    int failed;
} sdk_resource__list;

static const char *
resource_copy(sdk_resource__list *list, const char *text, size_t size)
{
    size_t room = djp__utf8_valid(text, size) ? size : 3 * size; /* of U+FFFD for each byte */
    char *copy = djp__arena_alloc(&list->arena, room + 1);
    if (copy == NULL) {
        list->failed = 1;
        return NULL;
    }
    size_t kept = djp__utf8_repair(copy, room, text, size, NULL);
    copy[kept] = '\0';
    return copy;
}

/* Returns the item of that key, created if it is new; NULL when the list is full. Takes text of the
 * arena or static text. */
static djp_attribute *
resource_item(sdk_resource__list *list, const char *key)
{
    size_t size = strlen(key);
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].key.size == size && memcmp(list->items[i].key.data, key, size) == 0) {
            return &list->items[i];
        }
    }
    if (list->count == SDK_RESOURCE__MAX) {
        return NULL;
    }
    djp_attribute *item = &list->items[list->count++];
    item->key = (djp_text){key, size};
    return item;
}

/* Copies value; skips an empty one. */
static void
resource_set(sdk_resource__list *list, const char *key, const char *value)
{
    if (value == NULL || !*value) {
        return;
    }
    const char *copy = resource_copy(list, value, strlen(value));
    djp_attribute *item = copy != NULL ? resource_item(list, key) : NULL;
    if (item != NULL) {
        item->value.type = DJP_STRING;
        item->value.as.text = djp__text(copy);
    }
}

static void
resource_set_int(sdk_resource__list *list, const char *key, int64_t value)
{
    djp_attribute *item = resource_item(list, key);
    if (item != NULL) {
        item->value.type = DJP_INT;
        item->value.as.integer = value;
    }
}

/* A random UUID (version 4). */
static void
resource_instance_id(char out[37])
{
    uint64_t high = (djp__rand64() & ~0xf000ull) | 0x4000u;
    uint64_t low = (djp__rand64() & 0x3fffffffffffffffull) | 0x8000000000000000ull;
    snprintf(out, 37, "%08llx-%04llx-%04llx-%04llx-%012llx", (unsigned long long)(high >> 32),
             (unsigned long long)((high >> 16) & 0xffff), (unsigned long long)(high & 0xffff),
             (unsigned long long)(low >> 48), (unsigned long long)(low & 0xffffffffffffull));
}

/* One id per process, the same in spans and in metrics. */
static void
resource_set_instance(sdk_resource__list *list, djp_sdk *sdk)
{
    char id[sizeof sdk->resource.instance_id];
    djp__mutex_lock(&sdk->worker.mutex);
    if (sdk->resource.instance_pid != getpid()) {
        resource_instance_id(sdk->resource.instance_id);
        sdk->resource.instance_pid = getpid();
    }
    memcpy(id, sdk->resource.instance_id, sizeof id);
    djp__mutex_unlock(&sdk->worker.mutex);
    resource_set(list, "service.instance.id", id);
}

static void
resource_set_process(sdk_resource__list *list, djp_sdk *sdk)
{
    char host[256] = {0};
    if (gethostname(host, sizeof host - 1) == 0) {
        resource_set(list, "host.name", host);
    }
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    if (size > 0) {
        path[size] = '\0';
        const char *slash = strrchr(path, '/');
        resource_set(list, "process.executable.name", slash != NULL ? slash + 1 : path);
    }
    resource_set_instance(list, sdk);
    resource_set_int(list, "process.pid", getpid());
}

/* Returns one percent-decoded part, in the arena; NULL if it is empty or malformed. */
static const char *
resource_decode_part(sdk_resource__list *list, djp_text part)
{
    djp__buf buf;
    djp__buf_init(&buf, 0);
    const char *text = NULL;
    if (djp__percent_decode(&buf, djp__text_trim(part)) && buf.size > 0 && !buf.failed) {
        text = resource_copy(list, buf.data, buf.size);
    }
    list->failed |= buf.failed;
    djp__buf_fini(&buf);
    return text;
}

/* The form of OTEL_RESOURCE_ATTRIBUTES, without the service name, which the configuration has
 * resolved. */
static void
resource_set_user(sdk_resource__list *list, const char *text)
{
    djp_text rest = djp__text(text);
    djp_text pair;
    while (djp__text_split(&pair, &rest, ',')) {
        djp_text key;
        if (!djp__text_split(&key, &pair, '=')) {
            continue;
        }
        const char *name = resource_decode_part(list, key);
        if (name == NULL || strcmp(name, "service.name") == 0) {
            continue;
        }
        const char *value = resource_decode_part(list, pair);
        resource_set(list, name, value);
    }
}

static void
resource_build(sdk_resource__list *list, djp_sdk *sdk)
{
    const djp_options *options = &sdk->options;
    resource_set(list, "service.name", options->service_name);
    resource_set(list, "service.namespace", options->service_namespace);
    resource_set(list, "service.version", options->service_version);
    resource_set(list, "deployment.environment.name", options->environment);
    resource_set(list, "env", options->environment_short);
    resource_set(list, "telemetry.sdk.name", DJP_SDK_NAME);
    resource_set(list, "telemetry.sdk.language", sdk->resource.language);
    resource_set(list, "telemetry.sdk.version", DJP_VERSION);
    resource_set(list, "process.runtime.name", sdk->resource.runtime_name);
    resource_set(list, "process.runtime.version", sdk->resource.runtime_version);
    resource_set_process(list, sdk);
    resource_set_user(list, options->resource_attributes);
}

/* The console has two forms, of which the settings or standard output choose one. */
static djp__encoding
resource_encoding(const djp_options *options, djp__encoding encoding)
{
    int is_pretty = options->console_format == DJP_CONSOLE_PRETTY ||
                    (options->console_format == DJP_CONSOLE_AUTO && isatty(STDOUT_FILENO));
    return encoding == DJP__ENCODE_CONSOLE && is_pretty ? DJP__ENCODE_PRETTY : encoding;
}

/* Builds the resource of this process in list, which resource_fini frees in every case. Returns
 * 0 or DJP_ENOMEM. */
static int
resource_init(sdk_resource__list *list, djp_sdk *sdk)
{
    memset(list, 0, sizeof *list);
    djp__arena_init(&list->arena, SDK_RESOURCE__ARENA_BYTES);
    list->items = djp__calloc(SDK_RESOURCE__MAX, sizeof *list->items);
    if (!list->items) {
        return DJP_ENOMEM;
    }
    resource_build(list, sdk);
    return list->failed ? DJP_ENOMEM : 0;
}

static void
resource_fini(sdk_resource__list *list)
{
    djp__free(list->items);
    djp__arena_fini(&list->arena);
}

int
djp__resource_encoder_new(djp__encoder **out, djp_sdk *sdk, const djp__encode_signal *signal,
                          djp__encoding encoding)
{
    sdk_resource__list list;
    *out = NULL;
    int result = resource_init(&list, sdk);
    if (result == 0) {
        result = djp__encoder_new(out, signal, resource_encoding(&sdk->options, encoding),
                                  list.items, list.count);
    }
    resource_fini(&list);
    return result;
}

/* Returns the label names of all items by index, in the arena; empty for a key that is too long.
 * NULL without memory. */
static djp_text *
resource_label_names(sdk_resource__list *list)
{
    djp_text *names = djp__arena_alloc(&list->arena, list->count * sizeof *names);
    for (size_t i = 0; names && i < list->count; i++) {
        djp_text key = list->items[i].key;
        char *name = djp__arena_alloc(&list->arena, key.size + 1);
        if (name == NULL) {
            return NULL;
        }
        names[i] =
            (djp_text){name, key.size > DJP_LABEL_SIZE_MAX ? 0 : djp__metric_name_label(name, key)};
    }
    return names;
}

static int
resource_compare_keys(const void *a, const void *b)
{
    djp_text x = ((const djp_attribute *)a)->key, y = ((const djp_attribute *)b)->key;
    int order = memcmp(x.data, y.data, x.size < y.size ? x.size : y.size);
    return order != 0 ? order : (x.size > y.size) - (x.size < y.size);
}

static void
resource_write_value(djp__buf *out, const djp_value *value)
{
    if (value->type == DJP_INT) {
        djp__buf_i64(out, value->as.integer);
    } else {
        djp__text_escape(out, value->as.text, 1);
    }
}

/* Keys with the same label name share a label: their values, in the order of the keys, are
 * joined. */
static void
resource_write_label(djp__buf *out, const sdk_resource__list *list, const djp_text *names,
                     size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (names[i].size == names[at].size &&
            memcmp(names[i].data, names[at].data, names[at].size) == 0) {
            return;
        }
    }
    djp__buf_text(out, out->size == 0 ? "" : ",");
    djp__buf_append(out, names[at].data, names[at].size);
    djp__buf_text(out, "=\"");
    const char *between = "";
    for (size_t i = at; i < list->count; i++) {
        if (names[i].size == names[at].size &&
            memcmp(names[i].data, names[at].data, names[at].size) == 0) {
            djp__buf_text(out, between);
            resource_write_value(out, &list->items[i].value);
            between = ";";
        }
    }
    djp__buf_char(out, '"');
}

void
djp__resource_labels(djp__buf *out, djp_sdk *sdk)
{
    sdk_resource__list list;
    const djp_text *names = NULL;
    if (resource_init(&list, sdk) == 0) {
        qsort(list.items, list.count, sizeof *list.items, resource_compare_keys);
        names = resource_label_names(&list);
    }
    for (size_t i = 0; names && i < list.count; i++) {
        if (names[i].size > 0) {
            resource_write_label(out, &list, names, i);
        }
    }
    resource_fini(&list);
}
