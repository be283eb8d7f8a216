/* Baggage entries as span attributes: where the baggage comes from, which entries are copied, and
 * that keys which callers choose cannot fill the table of keys. The vectors of baggage_attributes
 * are read by the tests of both languages. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "span_fixture.h"

#include "base/mem.h"
#include "djp/djp.h"
#include "instrument/baggage_attributes.h"
#include "instrument/http_server.h"

static djp__baggage_attributes *copier;
static const char *current; /* the header of the current context; NULL: none */
static int asked;

static void
source(void *user, djp_baggage_use use, void *argument)
{
    assert_ptr_equal(user, &current);
    asked++;
    if (current != NULL) {
        djp_header header = djp_text_of(current);
        djp_baggage *baggage = djp_baggage_parse(&header, 1);
        use(argument, baggage);
        djp_baggage_free(baggage);
    }
}

static void
copy(const char *entries)
{
    assert_int_equal(djp__baggage_attributes_add(&copier, recorder, entries), 0);
    assert_int_equal(djp_recorder_needs(recorder), DJP_NEEDS_BAGGAGE);
}

/* The record of a span below a context with that header; NULL: without one. */
static djp__span_record *
record_of(const char *header)
{
    djp_header field = djp_text_of(header != NULL ? header : "");
    djp_baggage *baggage = djp_baggage_parse(&field, 1);
    djp_span_options options = {.baggage = baggage};
    djp__span_record *record =
        finish(djp_span_start(recorder, DJP_TEXT("span"), header != NULL ? &options : NULL));
    djp_baggage_free(baggage);
    return record;
}

static void
named_entries_become_attributes(void **state)
{
    (void)state;
    copy("user.id,tenant.*");
    djp__span_record *record = record_of("user.id=7,secret=x,tenant.id=%C3%A9,user.idx=8,tenan=9");
    assert_int_equal(record->attribute_items, 2);
    assert_string_equal(span_reader_show(record, "user.id"), "s:7");
    assert_string_equal(span_reader_show(record, "tenant.id"), "s:\xc3\xa9");
    free(record);
    record = record_of(NULL);
    assert_int_equal(record->attribute_items, 0);
    free(record);
}

static void
a_given_baggage_comes_before_the_source(void **state)
{
    (void)state;
    copy("k");
    djp__baggage_attributes_set_source(copier, source, &current);
    current = "k=current";
    asked = 0;
    djp__span_record *record = record_of("k=given");
    assert_string_equal(span_reader_show(record, "k"), "s:given");
    assert_int_equal(asked, 0);
    free(record);
    record = record_of(NULL);
    assert_string_equal(span_reader_show(record, "k"), "s:current");
    free(record);
    current = NULL;
    record = record_of(NULL);
    assert_string_equal(span_reader_show(record, "k"), "");
    assert_int_equal(asked, 2);
    free(record);
    djp__baggage_attributes_set_source(NULL, source, &current);
}

/* A request has the baggage of its headers, never that of the context in which it is served. */
static void
a_request_has_no_baggage_but_its_own(void **state)
{
    (void)state;
    copy("*");
    djp__baggage_attributes_set_source(copier, source, &current);
    current = "k=of the server";
    djp_options options = {.known_methods = (char *)(uintptr_t) "GET",
                           .excluded_paths = (char *)(uintptr_t) ""};
    djp_http_server *server;
    assert_int_equal(djp__http_server_new(&server, &options, recorder, NULL), 0);
    assert_true(djp_http_server_wants_request(server));
    djp_header header = DJP_TEXT("k=mine");
    djp_baggage *baggage = djp_baggage_parse(&header, 1);
    for (int with = 0; with < 2; with++) {
        djp_http_request request = DJP_HTTP_REQUEST_INIT;
        uint64_t start_ns;
        request.baggage = with ? baggage : NULL;
        djp__span_record *record = finish(
            djp_http_server_start_request(&start_ns, server, DJP_HTTP_REQUEST, NULL, &request));
        assert_string_equal(span_reader_show(record, "k"), with ? "s:mine" : "");
        free(record);
    }
    djp_baggage_free(baggage);
    djp_http_server_free(server);
}

/* Of a key longer than the table takes, the part that fits is known again. */
static void
prefixes_add_a_limited_number_of_keys(void **state)
{
    (void)state;
    copy("p.*,named");
    char long_key[1100] = "p.", header[1200];
    memset(long_key + 2, 'x', sizeof long_key - 3);
    snprintf(header, sizeof header, "%s=1", long_key);
    long_key[DJP_KEY_SIZE_LIMIT] = '\0';
    djp__span_record *record;
    for (int i = 0; i < 3; i++) {
        record = record_of(header);
        assert_string_equal(span_reader_show(record, long_key), "s:1");
        free(record);
    }
    for (int i = 0; i < DJP__BAGGAGE_KEYS_MAX + 9; i++) {
        snprintf(header, sizeof header, "p.%d=1,named=2", i);
        record = record_of(header);
        int fits = i + 1 < DJP__BAGGAGE_KEYS_MAX;
        assert_int_equal(record->attribute_items, 1 + fits);
        assert_int_equal(record->dropped_attributes, !fits);
        assert_string_equal(span_reader_show(record, "named"), "s:2");
        free(record);
    }
    record = record_of("p.5=again,p.50=too,p.=new");
    assert_string_equal(span_reader_show(record, "p.5"), "s:again");
    assert_string_equal(span_reader_show(record, "p.50"), "s:too");
    assert_int_equal(record->dropped_attributes, 1);
    free(record);
}

static void
without_memory_nothing_is_registered(void **state)
{
    (void)state;
    for (long at = 1; at < 3; at++) {
        djp__alloc_fail_after(at);
        int result = djp__baggage_attributes_add(&copier, recorder, "k");
        djp__alloc_fail_after(0);
        assert_int_equal(result, DJP_ENOMEM);
        assert_null(copier);
        assert_int_equal(djp_recorder_needs(recorder), 0);
    }
}

/* ---- one SDK ---- */

static const char *
no_variables(void *user, const char *name)
{
    (void)user;
    (void)name;
    return NULL;
}

static djp_sdk *
sdk_with(const char *entries)
{
    const djp_config_override overrides[] = {{"enabled", "true"},
                                             {"backend", "otel"},
                                             {"exporter", "memory"},
                                             {"sample_ratio", "1"},
                                             {"baggage_attributes", entries}};
    djp_options options;
    djp_sdk *sdk;
    assert_int_equal(
        djp_config_resolve(&options, no_variables, NULL, overrides, 5, "test", NULL, NULL), 0);
    assert_int_equal(djp_sdk_new(&sdk, &options, NULL, NULL, NULL), 0);
    djp_options_fini(&options);
    djp_sdk_set_baggage_source(sdk, source, &current);
    return sdk;
}

/* 1: the request that the SDK exported has the text. */
static int
exports(djp_sdk *sdk, const char *text)
{
    char *bytes;
    size_t size;
    djp_span *span = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("exported"), NULL);
    djp_span_end(span, 0);
    djp_span_release(span);
    assert_int_equal(djp_sdk_flush(sdk, 10000000000u), 0);
    assert_int_equal(djp_sdk_take_exported(&bytes, &size, sdk), 0);
    assert_non_null(memmem(bytes, size, "exported", 8));
    int found = memmem(bytes, size, text, strlen(text)) != NULL;
    djp_free(bytes);
    return found;
}

static void
the_setting_decides(void **state)
{
    (void)state;
    current = "customer=mine,other=theirs";
    djp_sdk *with = sdk_with("customer"), *without = sdk_with("");
    assert_true(exports(with, "\n\x08"
                              "customer\x12\x06\n\x04mine"));
    assert_false(exports(with, "theirs"));
    asked = 0;
    assert_false(exports(without, "customer"));
    assert_int_equal(asked, 0);
    djp_sdk_free(with);
    djp_sdk_free(without);
    djp_sdk_set_baggage_source(NULL, source, NULL);
}

/* ---- threads ---- */

enum { THREADS = 4, KEYS = 40 };

static void *
record_keys(void *argument)
{
    (void)argument;
    for (int i = 0; i < KEYS * 50; i++) {
        char header[32];
        snprintf(header, sizeof header, "p.%d=v", i % KEYS);
        djp_header field = djp_text_of(header);
        djp_baggage *baggage = djp_baggage_parse(&field, 1);
        djp_span_options options = {.baggage = baggage};
        djp_span *span = djp_span_start(recorder, DJP_TEXT("span"), &options);
        djp_span_end(span, 0);
        djp_span_release(span);
        djp_baggage_free(baggage);
    }
    return NULL;
}

static void
threads_share_the_keys(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.ring_bytes = 64u << 20;
    with_options(options);
    copy("p.*");
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, record_keys, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    djp__span_record *record;
    int records = 0;
    while ((record = span_reader_take(recorder)) != NULL) {
        records++;
        assert_int_equal(record->attribute_items + record->dropped_attributes, 1);
        free(record);
    }
    assert_int_equal(records, THREADS * KEYS * 50);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(named_entries_become_attributes),
        TEST(a_given_baggage_comes_before_the_source),
        TEST(a_request_has_no_baggage_but_its_own),
        TEST(prefixes_add_a_limited_number_of_keys),
        TEST(without_memory_nothing_is_registered),
        TEST(the_setting_decides),
        TEST(threads_share_the_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
