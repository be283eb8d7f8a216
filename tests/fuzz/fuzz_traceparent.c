/* traceparent from any bytes: what is accepted must be valid, must have the form of a traceparent,
 * and must survive writing and reading again. */
#include <stdlib.h>
#include <string.h>

#include "djp/context.h"

#define REQUIRE(condition)  \
    do {                    \
        if (!(condition)) { \
            abort();        \
        }                   \
    } while (0)

static int
is_lower_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* The grammar once more, written another way: 55 characters, then nothing or, in a later version, a
 * dash. */
static void
require_form(const char *text, size_t size)
{
    static const char form[] = "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";
    while (size > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        size--;
    }
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t')) {
        size--;
    }
    REQUIRE(size >= sizeof form - 1);
    for (size_t i = 0; i < sizeof form - 1; i++) {
        REQUIRE(form[i] == 'h' ? is_lower_hex(text[i]) : text[i] == '-');
    }
    REQUIRE(memcmp(text, "ff", 2) != 0);
    REQUIRE(size == sizeof form - 1 ||
            (memcmp(text, "00", 2) != 0 && text[sizeof form - 1] == '-'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    djp_span_context context;
    char written[DJP_TRACEPARENT_SIZE + 1];
    if (!djp_traceparent_parse(&context, (djp_text){(const char *)data, size})) {
        static const djp_span_context zero;
        REQUIRE(memcmp(&context, &zero, sizeof zero) == 0);
        djp_traceparent_write(written, &context);
        REQUIRE(written[0] == '\0');
        return 0;
    }
    require_form((const char *)data, size);
    REQUIRE(djp_span_context_is_valid(&context));
    REQUIRE(context.is_remote == 1 && context.state == NULL);
    REQUIRE((context.flags & ~(DJP_FLAG_SAMPLED | DJP_FLAG_RANDOM)) == 0);
    djp_traceparent_write(written, &context);
    REQUIRE(strlen(written) == DJP_TRACEPARENT_SIZE);
    djp_span_context again;
    REQUIRE(djp_traceparent_parse(&again, (djp_text){written, DJP_TRACEPARENT_SIZE}));
    REQUIRE(memcmp(again.trace_id, context.trace_id, 16) == 0 &&
            memcmp(again.span_id, context.span_id, 8) == 0);
    REQUIRE(again.flags == context.flags);
    return 0;
}
