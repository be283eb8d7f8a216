/* Interned instrumentation scopes: name, version, schema URL and attributes. Scopes are equal if
 * all of these are, in any order of the attributes. Entries are not freed. */
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/mem.h"
#include "base/str.h"
#include "djp/key.h"
#include "model/record.h"
#include "model/tables.h"

#define SCOPE__ATTRIBUTES_MAX 128u
#define SCOPE__SIZE_MAX (64u * 1024u)
#define SCOPE__TEXT_MAX 4096u

/* Each is written once, before the count that includes it. */
static struct {
    djp__scope_entry entry;
    djp__arena memory; /* of the entry; here so that leak checkers find it */
} scope__table[DJP_SCOPE_LIMIT];
/* Entry 0 is the scope without a name; entries 1 .. count are in use. Written under the tables
 * lock, release. */
static DJP__ATOMIC(uint32_t) scope__count;

static DJP__ATOMIC(uint32_t) scope__refused; /* any thread, relaxed */

static const djp__scope_entry scope__empty = {(char *)(uintptr_t) "", (char *)(uintptr_t) "",
                                              (char *)(uintptr_t) "", NULL, 0};

static int scope_copy_value(djp__arena *arena, djp_value *out, const djp_value *from, int depth);

/* A NUL-terminated copy of repaired text. */
static char *
scope_copy_text(djp__arena *arena, djp_text from, size_t limit, size_t *size)
{
    size_t taken = from.data ? djp__utf8_cut(from.data, from.size, limit) : 0;
    size_t room = djp__utf8_valid(from.data, taken) ? taken : 3 * taken;
    char *text = djp__arena_alloc(arena, room + 1);
    if (text == NULL) {
        return NULL;
    }
    size_t made = djp__utf8_repair(text, room, from.data, taken, NULL);
    text[made] = '\0';
    if (size != NULL) {
        *size = made;
    }
    return text;
}

static int
scope_copy_attribute(djp__arena *arena, djp_attribute *out, const djp_attribute *from, int depth)
{
    out->key.data = scope_copy_text(arena, from->key, DJP_KEY_SIZE_LIMIT, &out->key.size);
    return out->key.data && scope_copy_value(arena, &out->value, &from->value, depth);
}

static int
scope_copy_items(djp__arena *arena, djp_value *out, const djp_value *from, int depth)
{
    size_t count = from->type == DJP_ARRAY ? from->as.array.count : from->as.map.count;
    size_t each = from->type == DJP_ARRAY ? sizeof(djp_value) : sizeof(djp_attribute);
    if (count == 0 || (from->type == DJP_ARRAY ? !from->as.array.items : !from->as.map.items)) {
        return 1;
    }
    char *items = count > SCOPE__SIZE_MAX / each ? NULL : djp__arena_alloc(arena, count * each);
    if (items == NULL) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        int copied = from->type == DJP_ARRAY
                         ? scope_copy_value(arena, (djp_value *)(void *)items + i,
                                            &from->as.array.items[i], depth + 1)
                         : scope_copy_attribute(arena, (djp_attribute *)(void *)items + i,
                                                &from->as.map.items[i], depth + 1);
        if (!copied) {
            return 0;
        }
    }
    if (from->type == DJP_ARRAY) {
        out->as.array.items = (djp_value *)(void *)items;
        out->as.array.count = count;
    } else {
        out->as.map.items = (djp_attribute *)(void *)items;
        out->as.map.count = count;
    }
    return 1;
}

/* Recursion ends at DJP_VALUE_DEPTH_MAX: deeper values become empty. */
static int
scope_copy_value(djp__arena *arena, djp_value *out, const djp_value *from, int depth)
{
    memset(out, 0, sizeof *out);
    if (from->type < DJP_EMPTY || from->type > DJP_MAP ||
        (from->type >= DJP_ARRAY && depth >= DJP_VALUE_DEPTH_MAX)) {
        return 1;
    }
    out->type = from->type;
    switch (from->type) {
    case DJP_STRING:
        out->as.text.data =
            scope_copy_text(arena, from->as.text, SCOPE__TEXT_MAX, &out->as.text.size);
        return out->as.text.data != NULL;
    case DJP_BYTES: {
        size_t size = from->as.text.data ? from->as.text.size : 0;
        char *bytes = size > SCOPE__TEXT_MAX ? NULL : djp__arena_alloc(arena, size + 1);
        if (bytes == NULL) {
            return 0;
        }
        if (size > 0) {
            memcpy(bytes, from->as.text.data, size);
        }
        out->as.text = (djp_text){bytes, size};
        return 1;
    }
    case DJP_ARRAY:
    case DJP_MAP:
        return scope_copy_items(arena, out, from, depth);
    default:
        out->as = from->as;
        return 1;
    }
}

static int
scope_compare_text(djp_text a, djp_text b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* Reduces to the last value of each key, sorted by key, so that equal sets are identical. */
static size_t
scope_normalise(djp_attribute *attributes, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        djp_attribute next = attributes[i];
        size_t at = 0;
        while (at < kept && scope_compare_text(attributes[at].key, next.key) < 0) {
            at++;
        }
        if (at == kept || scope_compare_text(attributes[at].key, next.key) != 0) {
            memmove(&attributes[at + 1], &attributes[at], (kept - at) * sizeof *attributes);
            kept++;
        }
        attributes[at] = next;
    }
    return kept;
}

static int
scope_copy_attributes(djp__arena *arena, djp__scope_entry *entry, const djp_attribute *attributes,
                      size_t count)
{
    count = count > SCOPE__ATTRIBUTES_MAX ? SCOPE__ATTRIBUTES_MAX : count;
    if (attributes == NULL || count == 0) {
        return 1;
    }
    djp_attribute *copies = djp__arena_alloc(arena, count * sizeof *copies);
    if (copies == NULL) {
        return 0;
    }
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        if (!attributes[i].key.data || attributes[i].key.size == 0) {
            continue;
        }
        if (!scope_copy_attribute(arena, &copies[made], &attributes[i], 0)) {
            return 0;
        }
        made++;
    }
    entry->attribute_count = scope_normalise(copies, made);
    entry->attributes = copies;
    return 1;
}

static int scope_values_equal(const djp_value *a, const djp_value *b);

static int
scope_attributes_equal(const djp_attribute *a, const djp_attribute *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (scope_compare_text(a[i].key, b[i].key) != 0 ||
            !scope_values_equal(&a[i].value, &b[i].value)) {
            return 0;
        }
    }
    return 1;
}

static int
scope_values_equal(const djp_value *a, const djp_value *b)
{
    if (a->type != b->type) {
        return 0;
    }
    switch (a->type) {
    case DJP_BOOL:
        return !a->as.boolean == !b->as.boolean;
    case DJP_INT:
        return a->as.integer == b->as.integer;
    case DJP_DOUBLE: /* by bits, so that NaN equals itself */
        return memcmp(&a->as.real, &b->as.real, sizeof(double)) == 0;
    case DJP_STRING:
    case DJP_BYTES:
        return scope_compare_text(a->as.text, b->as.text) == 0;
    case DJP_ARRAY:
        if (a->as.array.count != b->as.array.count) {
            return 0;
        }
        for (size_t i = 0; i < a->as.array.count; i++) {
            if (!scope_values_equal(&a->as.array.items[i], &b->as.array.items[i])) {
                return 0;
            }
        }
        return 1;
    case DJP_MAP:
        return a->as.map.count == b->as.map.count &&
               scope_attributes_equal(a->as.map.items, b->as.map.items, a->as.map.count);
    default:
        return 1;
    }
}

static int
scope_equal(const djp__scope_entry *a, const djp__scope_entry *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->version, b->version) == 0 &&
           strcmp(a->schema_url, b->schema_url) == 0 && a->attribute_count == b->attribute_count &&
           scope_attributes_equal(a->attributes, b->attributes, a->attribute_count);
}

/* Returns the id of an equal entry among from .. count, or 0. */
static djp_scope
scope_find(const djp__scope_entry *wanted, uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i <= count; i++) {
        if (scope_equal(&scope__table[i].entry, wanted)) {
            return (djp_scope)i;
        }
    }
    return 0;
}

djp_scope
djp_scope_intern(const char *name, const char *version, const char *schema_url,
                 const djp_attribute *attributes, size_t attribute_count)
{
    djp__arena arena;
    djp__scope_entry entry = {NULL, NULL, NULL, NULL, 0};
    djp_scope scope = 0;
    djp__arena_init(&arena, SCOPE__SIZE_MAX);
    entry.name = scope_copy_text(&arena, djp__text(name), SCOPE__TEXT_MAX, NULL);
    entry.version = scope_copy_text(&arena, djp__text(version), SCOPE__TEXT_MAX, NULL);
    entry.schema_url = scope_copy_text(&arena, djp__text(schema_url), SCOPE__TEXT_MAX, NULL);
    if (!entry.name || !entry.version || entry.schema_url == NULL ||
        !scope_copy_attributes(&arena, &entry, attributes, attribute_count) ||
        scope_equal(&entry, &scope__empty)) {
        goto done;
    }
    uint32_t known = djp__load_acquire(&scope__count);
    scope = scope_find(&entry, 1, known);
    if (scope) {
        goto done;
    }
    djp__tables_lock();
    uint32_t count = djp__load_relaxed(&scope__count);
    scope = scope_find(&entry, known + 1, count);
    if (scope == 0 && count + 1 < DJP_SCOPE_LIMIT) {
        scope = (djp_scope)(count + 1);
        scope__table[scope].entry = entry;
        scope__table[scope].memory = arena;
        djp__arena_init(&arena, 0);
        djp__store_release(&scope__count, count + 1);
    }
    djp__tables_unlock();
    if (scope == 0) {
        djp__add_relaxed(&scope__refused, 1u);
    }
done:
    djp__arena_fini(&arena);
    return scope;
}

uint32_t
djp__scopes_refused(void)
{
    return djp__load_relaxed(&scope__refused);
}

const djp__scope_entry *
djp__scope_entry_of(djp_scope scope)
{
    return scope == 0 || scope > djp__load_acquire(&scope__count) ? &scope__empty
                                                                  : &scope__table[scope].entry;
}
