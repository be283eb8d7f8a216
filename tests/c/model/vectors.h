/* Short forms for the shared vectors of context and baggage. For one test program: everything is
 * static. */
#ifndef TESTS_C_MODEL_VECTORS_H
#define TESTS_C_MODEL_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "djp/context.h"
#include "json.h"

enum { FIELDS_MAX = 16 };

typedef struct fields {
    djp_header items[FIELDS_MAX];
    size_t count;
} fields;

static inline djp_text
text_of(const json *value)
{
    assert_non_null(value);
    assert_int_equal(value->kind, JSON_STRING);
    return (djp_text){value->text, value->size};
}

static inline void
assert_text(djp_text have, djp_text want, const char *about)
{
    if (have.size != want.size ||
        (want.size != 0 && memcmp(have.data, want.data, have.size) != 0)) {
        fail_msg("%s: have \"%.*s\", want \"%.*s\"", about, (int)have.size, have.data,
                 (int)want.size, want.data);
    }
}

static inline djp_baggage_entry
entry_of(const char *key, const char *value, const char *properties)
{
    return (djp_baggage_entry){
        {key, strlen(key)}, {value, strlen(value)}, {properties, strlen(properties)}};
}

/* Sets and frees the old list, as a caller who does not share would. */
static inline djp_baggage *
set(djp_baggage *baggage, const char *key, const char *value, const char *properties)
{
    djp_baggage_entry entry = entry_of(key, value, properties);
    djp_baggage *next = djp_baggage_set(baggage, &entry);
    djp_baggage_free(baggage);
    return next;
}

static inline djp_tracestate *
state_of(djp_text text)
{
    djp_tracestate *state = NULL;
    assert_true(djp_tracestate_parse(&state, &text, 1));
    return state;
}

#endif
