/* Spans for people at a terminal: trees by parent and start, whole batches in one go, every part of
 * a line, and text that cannot steer the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "djp/error.h"
#include "export/encoder.h"
#include "export/otlp_trace.h"
#include "record_builder.h"

static djp__encoder *encoder;
static rb_source source;
static djp__buf out;

static int
set_up(void **state)
{
    (void)state;
    rb_source_init(&source, 7);
    djp__buf_init(&out, 0);
    return djp__encoder_new(&encoder, &djp__otlp_trace, DJP__ENCODE_PRETTY, NULL, 0);
}

static int
tear_down(void **state)
{
    (void)state;
    djp__encoder_free(encoder);
    djp__buf_fini(&out);
    rb_source_fini(&source);
    return 0;
}

/* A span of trace t with the number n below number p (0: none), which begins at start. Without
 * attributes. */
static rb_span
span_of(uint8_t t, uint8_t n, uint8_t p, uint64_t start, const char *name)
{
    rb_span span;
    rb_span_typical(&span, &source);
    memset(span.header.trace_id, 0, sizeof span.header.trace_id);
    memset(span.header.span_id, 0, sizeof span.header.span_id);
    memset(span.header.parent_id, 0, sizeof span.header.parent_id);
    span.count = span.event_count = span.link_count = 0;
    span.header.status = span.header.local_root = 0;
    span.header.trace_id[15] = t;
    span.header.span_id[7] = n;
    span.header.parent_id[7] = p;
    span.header.start_unix_ns = start;
    span.header.end_unix_ns = start + 1500000;
    span.header.kind = 1;
    span.name = rb_text(name);
    return span;
}

static int
add(const rb_span *span)
{
    djp__span_record *record = rb_record(span);
    int result = djp__encoder_add(encoder, record);
    free(record);
    return result;
}

static void
add_one(uint8_t t, uint8_t n, uint8_t p, uint64_t start, const char *name)
{
    rb_span span = span_of(t, n, p, start, name);
    assert_int_equal(add(&span), 0);
}

static void
printed(const char *want)
{
    djp__buf_clear(&out);
    assert_int_equal(djp__encoder_finish(encoder, &out), 0);
    djp__buf_char(&out, '\0');
    if (strcmp(out.data, want) != 0) {
        fail_msg("%s\nnot\n%s", out.data, want);
    }
}

#define TRACE(n) "trace 000000000000000000000000000000" n

static void
spans_hang_on_their_parents(void **state)
{
    (void)state;
    /* Ended first, printed where they belong; brothers by their start, of equals the one that ended
     * first. */
    add_one(1, 4, 2, 30, "grandchild");
    add_one(1, 3, 1, 20, "second");
    add_one(1, 2, 1, 10, "first");
    add_one(1, 5, 1, 20, "third");
    add_one(2, 9, 0, 5, "other");
    add_one(1, 1, 0, 7, "root");
    printed(TRACE("02") "\n  other  1.500 ms\n" TRACE(
        "01") "\n  root  1.500 ms\n    first  1.500 ms\n"
              "      grandchild  1.500 ms\n    second  1.500 ms\n    third  1.500 ms\n");
    /* The next batch knows nothing of this one. */
    add_one(1, 6, 1, 40, "late");
    printed(TRACE("01") "  below span 0000000000000001\n  late  1.500 ms\n");
}

static void
a_parent_has_the_same_trace(void **state)
{
    (void)state;
    add_one(1, 1, 0, 1, "a");
    add_one(2, 2, 1, 2, "b"); /* the number of another trace's span */
    add_one(1, 3, 3, 3, "own parent");
    printed(TRACE("01") "\n  a  1.500 ms\n" TRACE("02") "  below span 0000000000000001\n  b  1.500 "
                                                        "ms\n" TRACE(
                                                            "01") "  below span 0000000000000003\n "
                                                                  " own parent  1.500 ms\n");
}

static void
deep_spans_stand_at_the_last_depth(void **state)
{
    (void)state;
    char want[8192] = TRACE("01") "\n";
    for (uint8_t i = 1; i <= 30; i++) {
        add_one(1, i, (uint8_t)(i - 1), i, "s");
        int depth = i - 1 < 24 ? i - 1 : 24;
        sprintf(want + strlen(want), "%*ss  1.500 ms\n", 2 * depth + 2, "");
    }
    printed(want);
}

static void
every_part_of_a_line(void **state)
{
    static const char *const kinds[] = {"",           "",           "  SERVER", "  CLIENT",
                                        "  PRODUCER", "  CONSUMER", ""};
    char want[256];
    (void)state;
    for (uint8_t kind = 0; kind < 7; kind++) {
        rb_span span = span_of(1, 1, 0, 1000, "n");
        span.header.kind = kind;
        assert_int_equal(add(&span), 0);
        sprintf(want, TRACE("01") "\n  n  1.500 ms%s\n", kinds[kind]);
        printed(want);
    }
    static const struct {
        uint64_t ns;
        const char *text;
    } times[] = {{0, "0.000"},      {999, "0.000"},     {1000, "0.001"},
                 {999999, "0.999"}, {1000000, "1.000"}, {1234567890, "1234.567"}};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        rb_span span = span_of(1, 1, 0, 1000, "n");
        span.header.end_unix_ns = 1000 + times[i].ns;
        assert_int_equal(add(&span), 0);
        sprintf(want, TRACE("01") "\n  n  %s ms\n", times[i].text);
        printed(want);
    }
    rb_span span = span_of(1, 1, 0, 1000, "n");
    span.header.end_unix_ns = 1; /* before its start */
    span.header.status = 2;
    assert_int_equal(add(&span), 0);
    printed(TRACE("01") "\n  n  0.000 ms  ERROR\n");
    span.status = rb_text("went \"wrong\"\n");
    assert_int_equal(add(&span), 0);
    printed(TRACE("01") "\n  n  0.000 ms  ERROR: went \\\"wrong\\\"\\n\n");
    span.header.status = 1;
    assert_int_equal(add(&span), 0);
    printed(TRACE("01") "\n  n  0.000 ms\n");
    djp_attribute attributes[] = {{{"k", 1}, {DJP_INT, {.integer = 5}}},
                                  {{"t", 1}, {DJP_STRING, {.text = {"x", 1}}}}};
    rb_event events[] = {{.time = 1, .name = rb_text("one")},
                         {.time = 2, .name = rb_text("two"), .attributes = attributes, .count = 1}};
    span = span_of(1, 1, 0, 1000, "n");
    span.attributes = attributes;
    span.count = 2;
    span.events = events;
    span.event_count = 2;
    span.header.local_root = 1;
    span.header.reason = DJP_REASON_SLOW;
    assert_int_equal(add(&span), 0);
    djp__buf_clear(&out);
    assert_int_equal(djp__encoder_finish(encoder, &out), 0);
    djp__buf_char(&out, '\0');
    assert_non_null(
        strstr(out.data,
               "\n  n  1.500 ms  {\"k\":5,\"t\":\"x\",\"sampling.reason\":\"slow\"}\n      * one\n"
               "      * two  {\"k\":5}\n"));
}

/* Whatever a text holds, the terminal gets no control character but the ends of lines. */
static void
the_terminal_is_not_steered(void **state)
{
    (void)state;
    char name[256];
    size_t size = 0;
    for (int c = 1; c < 128; c++) {
        name[size++] = (char)c;
    }
    memcpy(name + size, "\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0\xc3\xa9", 11);
    rb_span span = span_of(1, 1, 0, 1, name);
    assert_int_equal(add(&span), 0);
    djp__buf_clear(&out);
    assert_int_equal(djp__encoder_finish(encoder, &out), 0);
    int lines = 0;
    for (size_t i = 0; i < out.size; i++) {
        unsigned char c = (unsigned char)out.data[i];
        lines += c == '\n';
        assert_true(c == '\n' || (c >= 0x20 && c != 0x7f));
        assert_false(c == 0xc2 && (unsigned char)out.data[i + 1] < 0xa0);
    }
    assert_int_equal(lines, 2);
    djp__buf_char(&out, '\0');
    assert_non_null(strstr(out.data, "}~\xc2\xa0\xc3\xa9  1.500 ms\n"));
}

/* A span that could not be added leaves the others and what comes after it. */
static void
no_memory_costs_one_span(void **state)
{
    (void)state;
    int failures = 0;
    for (long n = 1; n < 30; n++) {
        add_one(1, 1, 0, 1, "first");
        rb_span span = span_of(1, 2, 1, 2, "second");
        djp__span_record *record = rb_record(&span);
        djp__alloc_fail_after(n);
        int result = djp__encoder_add(encoder, record);
        djp__alloc_fail_after(0);
        free(record);
        assert_true(result == 0 || result == DJP_ENOMEM);
        failures += result != 0;
        add_one(1, 3, 1, 3, "third");
        printed(result == 0
                    ? TRACE("01") "\n  first  1.500 ms\n    second  1.500 ms\n    third  1.500 ms\n"
                    : TRACE("01") "\n  first  1.500 ms\n    third  1.500 ms\n");
        djp__encoder_free(encoder);
        assert_int_equal(djp__encoder_new(&encoder, &djp__otlp_trace, DJP__ENCODE_PRETTY, NULL, 0),
                         0);
    }
    (void)failures;
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ONE(spans_hang_on_their_parents),        ONE(a_parent_has_the_same_trace),
        ONE(deep_spans_stand_at_the_last_depth), ONE(every_part_of_a_line),
        ONE(the_terminal_is_not_steered),        ONE(no_memory_costs_one_span),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
