/* Trace context by the shared vectors, among them all 41 cases of the W3C harness, and what vectors
 * cannot say: references, lack of memory, arguments that are NULL. Header names are matched here,
 * as a binding does. */
#include "heap.h"
#include "vectors.h"

#include <strings.h>

#include "base/rand.h"

static fields
fields_named(const json *headers, const char *name)
{
    fields found = {.count = 0};
    for (size_t i = 0; i < json_count(headers); i++) {
        const json *header = json_at(headers, i);
        if (strcasecmp(json_string(json_at(header, 0), ""), name) == 0) {
            assert_true(found.count < FIELDS_MAX);
            found.items[found.count++] = text_of(json_at(header, 1));
        }
    }
    return found;
}

static void
hex(char *out, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        sprintf(out + 2 * i, "%02x", bytes[i]);
    }
}

static int
extract(djp_span_context *out, const json *headers)
{
    fields parent = fields_named(headers, "traceparent");
    fields state = fields_named(headers, "tracestate");
    return djp_context_extract(out, parent.items, parent.count, state.items, state.count);
}

static void
check_request(const char *name, const json *request)
{
    char trace[33];
    char span[17];
    djp_span_context context;
    const json *continued = json_get(request, "continued");
    int found = extract(&context, json_get(request, "headers"));
    if (found == json_is_null(continued)) {
        fail_msg("%s: %s", name,
                 found ? "continued a trace that it must not" : "did not continue the trace");
    }
    hex(trace, context.trace_id, 16);
    hex(span, context.span_id, 8);
    if (found) {
        assert_string_equal(trace, json_string(continued, ""));
        assert_string_equal(span, json_string(json_get(request, "parent"), ""));
        assert_int_equal(context.is_remote, 1);
    } else {
        assert_false(djp_span_context_is_valid(&context));
    }
    assert_int_equal(context.flags, (int)json_number(json_get(request, "flags"), -1));
    assert_text(djp_tracestate_text(context.state), text_of(json_get(request, "tracestate")), name);
    djp_span_context_clear(&context);
}

/* The part of a service: a child context for each outgoing call. */
static void
check_callbacks(const json *request, int count)
{
    char sent[8][DJP_TRACEPARENT_SIZE + 1];
    djp_span_context context;
    int found = extract(&context, json_get(request, "headers"));
    assert_true(count <= 8);
    if (!found) {
        djp__rand_trace_id(context.trace_id);
    }
    for (int i = 0; i < count; i++) {
        djp_span_context child = context;
        djp__rand_span_id(child.span_id);
        djp_traceparent_write(sent[i], &child);
        djp_span_context back;
        assert_true(djp_traceparent_parse(&back, djp_text_of(sent[i])));
        assert_memory_equal(back.trace_id, context.trace_id, 16);
        assert_memory_not_equal(back.span_id, context.span_id, 8);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(sent[i], sent[j]);
        }
    }
    djp_span_context_clear(&context);
}

static size_t
check_file(const char *file)
{
    json *vectors = json_load(file);
    const json *cases = json_get(vectors, "cases");
    size_t harness = 0;
    assert_true(json_count(cases) > 0);
    for (size_t i = 0; i < json_count(cases); i++) {
        const json *item = json_at(cases, i);
        const json *requests = json_get(item, "requests");
        const char *name = json_string(json_get(item, "case"), "?");
        int callbacks = (int)json_number(json_get(item, "callbacks"), 0);
        assert_true(json_count(requests) > 0);
        for (size_t k = 0; k < json_count(requests); k++) {
            check_request(name, json_at(requests, k));
            check_callbacks(json_at(requests, k), callbacks);
        }
        harness += json_get(item, "harness") != NULL;
    }
    json_free(vectors);
    return harness;
}

static void
test_extract_vectors(void **unused)
{
    (void)unused;
    size_t harness = check_file("traceparent.json") + check_file("tracestate.json");
    assert_int_equal(harness, 41);
}

static void
test_null_and_huge(void **unused)
{
    (void)unused;
    djp_span_context context;
    assert_false(djp_context_extract(&context, NULL, 0, NULL, 0));
    assert_false(djp_traceparent_parse(&context, (djp_text){NULL, 0}));
    djp_header none = {NULL, 0};
    assert_false(djp_context_extract(&context, &none, 1, &none, 1));
    size_t size = 10u << 20;
    char *huge = malloc(size);
    assert_non_null(huge);
    for (const char *c = "a,=;%0-"; *c != '\0'; c++) {
        memset(huge, *c, size);
        djp_header field = {huge, size};
        djp_tracestate *state;
        assert_false(djp_traceparent_parse(&context, (djp_text){huge, size}));
        djp_tracestate_parse(&state, &field, 1);
        assert_null(state);
        assert_null(djp_baggage_parse(&field, 1));
    }
    free(huge);
    char out[DJP_TRACEPARENT_SIZE + 1];
    memset(out, 'x', sizeof out);
    djp_traceparent_write(out, NULL);
    assert_string_equal(out, "");
}

static void
check_injected(const json *headers, size_t *at, const char *name, djp_text value)
{
    if (value.size != 0) {
        const json *header = json_at(headers, (*at)++);
        assert_string_equal(json_string(json_at(header, 0), "absent"), name);
        assert_text(value, text_of(json_at(header, 1)), name);
    }
}

static void
unhex(uint8_t *out, size_t size, const char *text)
{
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
}

static void
check_inject(const json *item)
{
    djp_span_context context = {.flags = (uint8_t)json_number(json_get(item, "flags"), 0)};
    unhex(context.trace_id, 16, json_string(json_get(item, "trace_id"), ""));
    unhex(context.span_id, 8, json_string(json_get(item, "span_id"), ""));
    context.state = state_of(text_of(json_get(item, "tracestate")));
    djp_baggage *baggage = NULL;
    const json *entries = json_get(item, "baggage");
    for (size_t i = 0; i < json_count(entries); i++) {
        const json *entry = json_at(entries, i);
        baggage =
            set(baggage, json_at(entry, 0)->text, json_at(entry, 1)->text, json_at(entry, 2)->text);
        assert_non_null(baggage);
    }
    char parent[DJP_TRACEPARENT_SIZE + 1];
    djp_traceparent_write(parent, &context);
    const json *headers = json_get(item, "headers");
    size_t at = 0;
    check_injected(headers, &at, "traceparent", (djp_text){parent, strlen(parent)});
    if (parent[0] != '\0') {
        check_injected(headers, &at, "tracestate", djp_tracestate_text(context.state));
    }
    check_injected(headers, &at, "baggage", djp_baggage_text(baggage));
    assert_int_equal(at, json_count(headers));
    djp_span_context_clear(&context);
    djp_baggage_free(baggage);
}

static void
test_inject_vectors(void **unused)
{
    (void)unused;
    json *vectors = json_load("inject.json");
    const json *cases = json_get(vectors, "cases");
    assert_true(json_count(cases) >= 10);
    for (size_t i = 0; i < json_count(cases); i++) {
        check_inject(json_at(cases, i));
    }
    json_free(vectors);
}

/* With the nth allocation failing, a call gives nothing or everything, and the parent survives. */
static void
test_no_memory(void **unused)
{
    (void)unused;
    static const char parent[] = "00-12345678901234567890123456789012-1234567890123456-01";
    static const char value[] = "a=%41;p,b=2";
    djp_header parent_field = {parent, sizeof parent - 1};
    djp_header list = {"a=1,b=2", 7};
    djp_header bag = {value, sizeof value - 1};
    djp_baggage_entry entry = entry_of("c", "3", "");
    int succeeded = 0;
    for (long n = 1; n < 40; n++) {
        djp_span_context context;
        djp__alloc_fail_after(n);
        int found = djp_context_extract(&context, &parent_field, 1, &list, 1);
        djp__alloc_fail_after(n);
        djp_tracestate *state = djp_tracestate_set(context.state, DJP_TEXT("ot"), DJP_TEXT("1"));
        djp__alloc_fail_after(n);
        djp_baggage *baggage = djp_baggage_parse(&bag, 1);
        djp__alloc_fail_after(n);
        djp_baggage *more = djp_baggage_set(baggage, &entry);
        djp__alloc_fail_after(0);
        assert_true(found);
        assert_true(context.state == NULL || djp_tracestate_text(context.state).size == 7);
        assert_true(baggage == NULL || djp_baggage_count(baggage) == 2);
        assert_true(more == NULL || djp_baggage_count(more) == djp_baggage_count(baggage) + 1);
        succeeded += more != NULL && state != NULL && djp_baggage_count(more) == 3;
        djp_tracestate_unref(state);
        djp_span_context_clear(&context);
        djp_baggage_free(more);
        djp_baggage_free(baggage);
    }
    assert_true(succeeded > 0);
    assert_true(succeeded < 39);
}

/* A copy holds its tracestate, a cleared context holds nothing. */
static void
test_copy_and_clear(void **unused)
{
    (void)unused;
    static const djp_span_context none;
    djp_span_context first = {.trace_id = {1}, .span_id = {2}, .flags = 3, .is_remote = 1}, second;
    first.state = state_of(DJP_TEXT("a=1"));
    memset(&second, 0xee, sizeof second);
    djp_span_context_copy(&second, &first);
    assert_memory_equal(second.trace_id, first.trace_id, 16);
    assert_memory_equal(second.span_id, first.span_id, 8);
    assert_int_equal(second.flags, 3);
    assert_int_equal(second.is_remote, 1);
    assert_ptr_equal(second.state, first.state);
    djp_span_context_clear(&first);
    assert_memory_equal(&first, &none, sizeof none);
    assert_text(djp_tracestate_text(second.state), DJP_TEXT("a=1"), "held by the copy");
    djp_span_context_copy(&second, &second); /* itself: another reference */
    djp_tracestate_unref(second.state);
    djp_span_context_clear(&second);
    djp_span_context_clear(&second);
    djp_span_context_clear(NULL);
    djp_span_context_copy(&first, &none);
    assert_null(first.state);
}

static void
copy_and_clear_once(void)
{
    test_copy_and_clear(NULL);
}

static void
test_references_are_released(void **unused)
{
    (void)unused;
    assert_int_equal(heap_growth(copy_and_clear_once, 50), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extract_vectors), cmocka_unit_test(test_null_and_huge),
        cmocka_unit_test(test_copy_and_clear),  cmocka_unit_test(test_references_are_released),
        cmocka_unit_test(test_inject_vectors),  cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
