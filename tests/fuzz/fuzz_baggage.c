/* baggage from any bytes, one field a line: the list obeys the limits, holds valid text only, is
 * sent as printable ASCII, and reads back as itself; set and remove keep all of that. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
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

static int
same(djp_text a, djp_text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void
require_sound(const djp_baggage *baggage)
{
    djp_text text = djp_baggage_text(baggage);
    REQUIRE(text.size <= DJP_BAGGAGE_SIZE_MAX && text.data[text.size] == '\0');
    REQUIRE(djp_baggage_count(baggage) <= DJP_BAGGAGE_MEMBERS_MAX);
    for (size_t i = 0; i < text.size; i++) {
        REQUIRE(text.data[i] > 0x20 && text.data[i] < 0x7f);
    }
    djp_baggage_entry entry;
    djp_baggage_entry other;
    for (size_t i = 0; i < djp_baggage_count(baggage); i++) {
        REQUIRE(djp_baggage_entry_at(&entry, baggage, i));
        REQUIRE(entry.key.size > 0 && djp__utf8_valid(entry.value.data, entry.value.size));
        for (size_t k = 0; k < i; k++) {
            REQUIRE(djp_baggage_entry_at(&other, baggage, k) && !same(entry.key, other.key));
        }
    }
}

static void
require_same(const djp_baggage *a, const djp_baggage *b)
{
    REQUIRE(djp_baggage_count(a) == djp_baggage_count(b) &&
            same(djp_baggage_text(a), djp_baggage_text(b)));
    djp_baggage_entry x;
    djp_baggage_entry y;
    for (size_t i = 0; i < djp_baggage_count(a); i++) {
        REQUIRE(djp_baggage_entry_at(&x, a, i) && djp_baggage_entry_at(&y, b, i));
        REQUIRE(same(x.key, y.key) && same(x.value, y.value) && same(x.properties, y.properties));
    }
}

static void
check_set(const djp_baggage *baggage, const djp_header *fields)
{
    djp_baggage_entry entry = {fields[0], fields[1], fields[2]};
    djp_baggage_entry found;
    djp_baggage *set = djp_baggage_set(baggage, &entry);
    if (set == NULL) {
        return;
    }
    require_sound(set);
    djp_baggage *removed = djp_baggage_remove(set, entry.key);
    require_sound(removed);
    REQUIRE(djp_baggage_count(removed) + 1 == djp_baggage_count(set));
    for (size_t i = 0; djp_baggage_entry_at(&found, removed, i); i++) {
        REQUIRE(!same(found.key, entry.key));
    }
    djp_baggage_free(removed);
    djp_baggage_free(set);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    djp_header fields[FIELDS_MAX];
    size_t count = split_lines(fields, (const char *)data, size);
    djp_baggage *baggage = djp_baggage_parse(fields, count);
    require_sound(baggage);
    djp_header text = djp_baggage_text(baggage);
    djp_baggage *again = djp_baggage_parse(&text, 1);
    require_same(baggage, again);
    djp_baggage_free(again);
    if (count >= 3) {
        check_set(baggage, fields);
    }
    djp_baggage_free(baggage);
    return 0;
}
