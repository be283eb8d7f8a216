/* The tracestate list by the grammar of Trace Context Level 2: immutable, reference-counted, stored
 * as normalised text. It holds no invalid member, no repeated key, at most 32 members, and no more
 * text than is propagated. */
#include "base/atomic.h"
#include "base/mem.h"
#include "base/str.h"
#include "djp/context.h"

#include <string.h>

enum { TRACESTATE_PART_MAX = 256, TRACESTATE_LONG_MEMBER = 128 };

struct djp_tracestate {
    DJP__ATOMIC(uint32_t) refs; /* every owner; relaxed up, acquire-release down */
    uint32_t size;
    char text[]; /* key=value,key=value and a NUL; never changes */
};

typedef struct tracestate_list {
    djp_text members[DJP_TRACESTATE_MEMBERS_MAX]; /* "key=value", borrowed */
    size_t key_sizes[DJP_TRACESTATE_MEMBERS_MAX];
    size_t count;
    size_t seen; /* members read, repeated keys included */
} tracestate_list;

static int
tracestate_key_is_valid(const char *key, size_t size)
{
    if (size == 0 || size > TRACESTATE_PART_MAX) {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        char c = key[i];
        int alphanumeric = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (i == 0 || c == '\0' || strchr("_-*/@", c) == NULL)) {
            return 0;
        }
    }
    return 1;
}

static int
tracestate_value_is_valid(const char *value, size_t size)
{
    if (size == 0 || size > TRACESTATE_PART_MAX || value[size - 1] == ' ') {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e || value[i] == ',' || value[i] == '=') {
            return 0;
        }
    }
    return 1;
}

static size_t
tracestate_list_find(const tracestate_list *list, const char *key, size_t size)
{
    size_t i = 0;
    while (i < list->count &&
           (list->key_sizes[i] != size || memcmp(list->members[i].data, key, size) != 0)) {
        i++;
    }
    return i;
}

/* Of a list to which nothing is added any more. */
static void
tracestate_list_remove(tracestate_list *list, size_t i)
{
    list->count--;
    for (; i < list->count; i++) {
        list->members[i] = list->members[i + 1];
    }
}

/* Adds one member. Of a repeated key the first applies: it is the latest, because writers prepend
 * theirs. */
static int
tracestate_list_add(tracestate_list *list, djp_text member)
{
    const char *equals = memchr(member.data, '=', member.size);
    if (equals == NULL || list->seen == DJP_TRACESTATE_MEMBERS_MAX) {
        return 0;
    }
    size_t key_size = (size_t)(equals - member.data);
    if (!tracestate_key_is_valid(member.data, key_size) ||
        !tracestate_value_is_valid(equals + 1, member.size - key_size - 1)) {
        return 0;
    }
    list->seen++;
    if (tracestate_list_find(list, member.data, key_size) == list->count) {
        list->members[list->count] = member;
        list->key_sizes[list->count++] = key_size;
    }
    return 1;
}

static int
tracestate_list_read(tracestate_list *list, djp_text field)
{
    djp_text member;
    while (djp__text_split(&member, &field, ',')) {
        member = djp__text_trim(member);
        if (member.size != 0 && !tracestate_list_add(list, member)) {
            return 0;
        }
    }
    return 1;
}

static size_t
tracestate_list_size(const tracestate_list *list)
{
    size_t size = list->count == 0 ? 0 : list->count - 1;
    for (size_t i = 0; i < list->count; i++) {
        size += list->members[i].size;
    }
    return size;
}

/* Drops whole members until the text fits: long ones first, then the oldest, from the end. The
 * first `keep` remain, 0 or 1: one member fits. */
static void
tracestate_list_shorten(tracestate_list *list, size_t keep)
{
    size_t size = tracestate_list_size(list);
    for (size_t i = list->count; size > DJP_TRACESTATE_SIZE_MAX && i > keep; i--) {
        if (list->members[i - 1].size > TRACESTATE_LONG_MEMBER) {
            tracestate_list_remove(list, i - 1);
            size = tracestate_list_size(list);
        }
    }
    while (size > DJP_TRACESTATE_SIZE_MAX) {
        list->count--;
        size = tracestate_list_size(list);
    }
}

static djp_tracestate *
tracestate_list_build(const tracestate_list *list)
{
    size_t size = tracestate_list_size(list);
    djp_tracestate *state = size == 0 ? NULL : djp__alloc(sizeof *state + size + 1);
    if (state == NULL) {
        return NULL;
    }
    char *at = state->text;
    for (size_t i = 0; i < list->count; i++) {
        if (i != 0) {
            *at++ = ',';
        }
        memcpy(at, list->members[i].data, list->members[i].size);
        at += list->members[i].size;
    }
    *at = '\0';
    state->size = (uint32_t)size;
    djp__store_relaxed(&state->refs, 1u);
    return state;
}

int
djp_tracestate_parse(djp_tracestate **out, const djp_header *fields, size_t count)
{
    *out = NULL;
    tracestate_list list = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        if (!tracestate_list_read(&list, fields[i])) {
            return 0;
        }
    }
    if (list.count == 0) {
        return 1;
    }
    tracestate_list_shorten(&list, 0);
    *out = tracestate_list_build(&list);
    return *out != NULL;
}

djp_text
djp_tracestate_text(const djp_tracestate *state)
{
    return state == NULL ? (djp_text){"", 0} : (djp_text){state->text, state->size};
}

djp_tracestate *
djp_tracestate_ref(djp_tracestate *state)
{
    if (state != NULL) {
        djp__add_relaxed(&state->refs, 1u);
    }
    return state;
}

void
djp_tracestate_unref(djp_tracestate *state)
{
    if (state != NULL && djp__sub_acq_rel(&state->refs, 1u) == 1u) {
        djp__free(state);
    }
}

djp_tracestate *
djp_tracestate_set(djp_tracestate *state, djp_text key, djp_text value)
{
    char member[2 * TRACESTATE_PART_MAX + 1];
    tracestate_list list = {.count = 0};
    if (key.data == NULL || !tracestate_key_is_valid(key.data, key.size)) {
        return NULL;
    }
    if (value.size != 0) {
        if (value.data == NULL || !tracestate_value_is_valid(value.data, value.size)) {
            return NULL;
        }
        memcpy(member, key.data, key.size);
        member[key.size] = '=';
        memcpy(member + key.size + 1, value.data, value.size);
        tracestate_list_add(&list, (djp_text){member, key.size + 1 + value.size});
    }
    djp_text rest = djp_tracestate_text(state);
    djp_text old;
    while (djp__text_split(&old, &rest, ',')) {
        int same = old.size > key.size && old.data[key.size] == '=' &&
                   memcmp(old.data, key.data, key.size) == 0;
        if (!same) {
            tracestate_list_add(&list, old);
        }
    }
    tracestate_list_shorten(&list, 1);
    return tracestate_list_build(&list);
}

djp_text
djp_tracestate_get(const djp_tracestate *state, djp_text key)
{
    djp_text rest = djp_tracestate_text(state);
    djp_text member;
    while (key.data != NULL && djp__text_split(&member, &rest, ',')) {
        if (member.size > key.size && member.data[key.size] == '=' &&
            memcmp(member.data, key.data, key.size) == 0) {
            return (djp_text){member.data + key.size + 1, member.size - key.size - 1};
        }
    }
    return (djp_text){NULL, 0};
}
