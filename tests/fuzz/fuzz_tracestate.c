/* tracestate from any bytes, one field a line: what is accepted must obey every limit, must read
 * back as itself, and setting or removing a member must do that and nothing else. */
#include <stdlib.h>
#include <string.h>

#include "djp/context.h"

#define REQUIRE(condition)  \
    do {                    \
        if (!(condition)) { \
            abort();        \
        }                   \
    } while (0)

enum { FIELDS_MAX = 8 };

static size_t
split_lines(djp_header *fields, const char *text, size_t size)
{
    size_t count = 0;
    while (count < FIELDS_MAX) {
        const char *end = size == 0 ? NULL : memchr(text, '\n', size);
        size_t line = end == NULL ? size : (size_t)(end - text);
        fields[count++] = (djp_header){text, line};
        if (end == NULL) {
            break;
        }
        text = end + 1;
        size -= line + 1;
    }
    return count;
}

/* Checks the member key=value between at and stop. */
static void
require_member(const djp_tracestate *state, const char *at, const char *stop)
{
    const char *equals = memchr(at, '=', (size_t)(stop - at));
    REQUIRE(equals != NULL && equals > at && equals - at <= 256 && stop - equals > 1 &&
            stop - equals <= 257);
    REQUIRE((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9'));
    djp_text value = djp_tracestate_get(state, (djp_text){at, (size_t)(equals - at)});
    REQUIRE(value.data == equals + 1 && value.size == (size_t)(stop - equals - 1));
    for (const char *c = at; c < stop; c++) {
        REQUIRE(*c >= 0x20 && *c <= 0x7e);
    }
    REQUIRE(stop[-1] != ' ');
}

/* Checks every member and returns how many there are. */
static size_t
require_members(const djp_tracestate *state)
{
    djp_text text = djp_tracestate_text(state);
    size_t count = 0;
    const char *at = text.data;
    const char *end = text.data + text.size;
    REQUIRE(text.size > 0 && text.size <= DJP_TRACESTATE_SIZE_MAX && *end == '\0');
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma == NULL ? end : comma;
        require_member(state, at, stop);
        count++;
        REQUIRE(comma == NULL || comma + 1 < end);
        at = comma == NULL ? end : comma + 1;
    }
    REQUIRE(count <= DJP_TRACESTATE_MEMBERS_MAX);
    return count;
}

static void
check_set(djp_tracestate *state, size_t count)
{
    djp_tracestate *set = djp_tracestate_set(state, DJP_TEXT("ot"), DJP_TEXT("th:8"));
    REQUIRE(set != NULL && require_members(set) <= count + 1);
    REQUIRE(memcmp(djp_tracestate_text(set).data, "ot=th:8", 7) == 0);
    djp_tracestate *removed = djp_tracestate_set(set, DJP_TEXT("ot"), (djp_text){NULL, 0});
    REQUIRE(djp_tracestate_get(removed, DJP_TEXT("ot")).data == NULL);
    REQUIRE(removed == NULL || require_members(removed) <= count);
    djp_tracestate_unref(removed);
    djp_tracestate_unref(set);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    djp_header fields[FIELDS_MAX];
    djp_tracestate *state;
    size_t count = split_lines(fields, (const char *)data, size);
    int valid = djp_tracestate_parse(&state, fields, count);
    REQUIRE(valid || state == NULL);
    size_t members = 0;
    if (state != NULL) {
        members = require_members(state);
        djp_text text = djp_tracestate_text(state);
        djp_tracestate *again;
        REQUIRE(djp_tracestate_parse(&again, &text, 1));
        djp_text same = djp_tracestate_text(again);
        REQUIRE(same.size == text.size && memcmp(same.data, text.data, text.size) == 0);
        djp_tracestate_unref(again);
    }
    check_set(state, members);
    /* The first line as a key and the second as a value: refused, or first in the list. */
    if (count >= 2) {
        djp_tracestate *set = djp_tracestate_set(state, fields[0], fields[1]);
        if (set != NULL) {
            require_members(set);
            djp_text value = djp_tracestate_get(set, fields[0]);
            REQUIRE(value.size == fields[1].size &&
                    (value.size == 0 || memcmp(value.data, fields[1].data, value.size) == 0));
        }
        djp_tracestate_unref(set);
    }
    djp_tracestate_unref(state);
    return 0;
}
