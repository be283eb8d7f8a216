/* An operation log, replayed: every operation arrives as what it says, local traces are decided and
 * remembered, and what cannot be right harms nothing else. */
#include "oplog_reader.h"

#include <math.h>

/* ---- operations ---- */

static void
test_start_and_end(void **state)
{
    (void)state;
    open_with(&options, 1024);
    uint64_t now = djp__clock_monotonic();
    writer_start start = {
        .slot = 3, .kind = DJP_KIND_CLIENT, .number = 1, .mono = now, .flags = DJP_OP_START_ROOT};
    start.name = writer_symbol(&log_, "by symbol");
    start.scope = writer_symbol(&log_, "a scope\x1f"
                                       "1.2");
    start.ids = writer_make_ids(0x11223344u, 0x55667788u, 0);
    writer_begin(&log_, &start);
    writer_end(&log_, 3, now + 1234567);
    writer_start child = {.slot = 4,
                          .kind = DJP_KIND_CONSUMER,
                          .number = 1,
                          .mono = now + 5,
                          .full_name = "in full \xff"};
    child.flags = DJP_OP_START_NAME | DJP_OP_START_TIME;
    child.unix_ns = 1700000000000000000ull;
    child.ids = writer_make_ids(0x11223344u, 0x99u, 0x55667788u);
    writer_begin(&log_, &child);
    uint64_t ends[2] = {now + 7, 1700000000000000042ull};
    writer_put(&log_, DJP_OP_END, 4, ends, sizeof ends);
    flush();
    const char *line = reader_line(transport, "by symbol");
    assert_has(line, "kind3 trace=0102030405060708fffffff011223344 span=0a0b0c0d55667788 parent= ");
    assert_has(line, "took=1234567 scope=a scope@1.2 ");
    uint64_t when = strtoull(strstr(line, "start=") + 6, NULL, 10);
    uint64_t expected = now + (uint64_t)djp__clock_anchor();
    assert_true((when > expected ? when - expected : expected - when) < SECOND);
    line = reader_line(transport, "in full \xef\xbf\xbd");
    assert_has(line, "kind5 trace=0102030405060708fffffff011223344 span=0a0b0c0d00000099 "
                     "parent=0a0b0c0d55667788 ");
    assert_has(line, "start=1700000000000000000 took=42 scope=@ ");
}

static void
test_remote_parent(void **state)
{
    (void)state;
    options.sampler = DJP_SAMPLER_RATIO;
    options.sample_ratio = 0.0000001;
    options.sample_errors = 0;
    open_with(&options, 1024);
    for (uint32_t sampled = 0; sampled < 2; sampled++) {
        writer_start start = {.slot = sampled,
                              .kind = DJP_KIND_SERVER,
                              .number = 1 + sampled,
                              .parent_flags = sampled};
        start.flags =
            DJP_OP_START_ROOT | DJP_OP_START_REMOTE | DJP_OP_START_STATE | DJP_OP_START_NAME;
        start.state = "vendor=value,other=x";
        start.full_name = sampled ? "sampled" : "not sampled";
        start.ids = writer_make_ids(7, 8, 9);
        writer_begin(&log_, &start);
        writer_end(&log_, sampled, 0);
    }
    flush();
    assert_null(reader_line(transport, "not sampled"));
    const char *line = reader_line(transport, "sampled");
    assert_has(line, "parent=0a0b0c0d00000009 ");
    assert_has(line, "state=vendor=value,other=x ");
    assert_has(line, "flags=301 ");
}

static void
put_number(uint32_t key, uint32_t kind, const void *value)
{
    assert_true(writer_put(&log_, kind, key << 16, value, 8));
}

static void
test_attributes(void **state)
{
    (void)state;
    open_with(&options, 1024);
    begin(0, 1, 0, "root");
    uint32_t k[12];
    for (int i = 0; i < 12; i++) {
        char name[16];
        snprintf(name, sizeof name, "k%d", i);
        k[i] = writer_symbol(&log_, name);
    }
    double half = 0.5, whole = -9007199254740992.0, large = 1e300, zero = -0.0,
           none = __builtin_nan("");
    int64_t least = INT64_MIN;
    writer_text(&log_, 0, k[0], "text \xc3\x28");
    put_number(k[1], DJP_OP_NUMBER, &half);
    put_number(k[2], DJP_OP_NUMBER, &whole);
    put_number(k[3], DJP_OP_NUMBER, &large);
    put_number(k[4], DJP_OP_NUMBER, &zero);
    put_number(k[5], DJP_OP_INTEGER, &least);
    put_number(k[6], DJP_OP_NUMBER, &none);
    writer_put(&log_, DJP_OP_TRUE, k[7] << 16, NULL, 0);
    writer_put(&log_, DJP_OP_FALSE, k[8] << 16, NULL, 0);
    writer_text(&log_, 0, k[9], "");
    uint32_t symbol[2] = {writer_symbol(&log_, "once d\xc3\xa9"
                                               "fined"),
                          0},
             unknown[2] = {8000, 0}, none_such[2] = {9000, 0};
    put_number(k[10], DJP_OP_SYMBOL, symbol);
    put_number(k[11], DJP_OP_SYMBOL, unknown);
    put_number(k[0], DJP_OP_SYMBOL, none_such);
    writer_text(&log_, 0, k[0], "text \xc3\x28");
    writer_put(&log_, DJP_OP_DROP, 7 << 16, NULL, 0);
    writer_end(&log_, 0, 0);
    flush();
    const char *line = reader_line(transport, "root");
    assert_has(line, "dropped=7 | k1=0.5d;k2=-9007199254740992i;k3=1e+300d;k4=0i;"
                     "k5=-9223372036854775808i;k6=nand;k7=true;k8=false;k9='';"
                     "k10='once d\xc3\xa9"
                     "fined';k11='';k0='text \xef\xbf\xbd(';");
}

static void
nested(writer_value *value, int depth)
{
    for (int i = 0; i < depth; i++) {
        writer_value_type(value, DJP_ARRAY);
        writer_value_count(value, 1);
    }
    writer_value_int(value, 5);
}

static void
test_values(void **state)
{
    (void)state;
    open_with(&options, 2048);
    begin(0, 1, 0, "root");
    uint32_t a = writer_symbol(&log_, "a"), deep = writer_symbol(&log_, "deep"),
             deeper = writer_symbol(&log_, "deeper");
    writer_value value = {.size = 0};
    double real = 2.5;
    writer_value_type(&value, DJP_ARRAY);
    writer_value_count(&value, 7);
    writer_value_type(&value, DJP_EMPTY);
    writer_value_type(&value, DJP_BOOL);
    writer_value_add(&value, "\1", 1);
    writer_value_int(&value, -3);
    writer_value_type(&value, DJP_DOUBLE);
    writer_value_add(&value, &real, 8);
    writer_value_string(&value, "s");
    writer_value_type(&value, DJP_BYTES);
    writer_value_key(&value, "b");
    writer_value_map(&value, 1);
    writer_value_key(&value, "m");
    writer_value_type(&value, DJP_ARRAY);
    writer_value_count(&value, 0);
    writer_put(&log_, DJP_OP_VALUE, a << 16, value.bytes, value.size);
    value.size = 0;
    nested(&value, DJP_VALUE_DEPTH_MAX);
    writer_put(&log_, DJP_OP_VALUE, deep << 16, value.bytes, value.size);
    value.size = 0;
    nested(&value, DJP_VALUE_DEPTH_MAX + 1);
    writer_put(&log_, DJP_OP_VALUE, deeper << 16, value.bytes, value.size);
    value.size = 0;
    writer_value_map(&value, 2);
    writer_value_key(&value, "x");
    writer_value_int(&value, 1);
    writer_value_key(&value, "y");
    writer_value_string(&value, "2");
    writer_put(&log_, DJP_OP_KEYED, 0, value.bytes, value.size);
    writer_end(&log_, 0, 0);
    flush();
    const char *line = reader_line(transport, "root");
    assert_has(line, "a=[empty,true,-3i,2.5d,'s',<b>,{m=[];},];");
    assert_has(line, "x=1i;y='2';");
    assert_has(line, "deep=[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[5i,],],],");
    /* One level too many costs the innermost value only. */
    assert_has(line, "deeper=[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
    assert_null(strstr(strstr(line, "deeper="), "5i"));
}

/* The value is refused, the span goes on. */
static void
test_malformed_values(void **state)
{
    (void)state;
    open_with(&options, 1024);
    begin(0, 1, 0, "root");
    uint32_t key = writer_symbol(&log_, "key");
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {{"", 0},
               {"\x08", 1},
               {"\x01", 1},
               {"\x02...", 4},
               {"\x04\x05\0\0\0abcd", 9},
               {"\x06\xff\xff\xff\xff", 5},
               {"\x07\x01\0\0\0", 5},
               {"\x07\x01\0\0\0\x09\0\0\0k", 10}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        writer_put(&log_, DJP_OP_VALUE, key << 16, bad[i].bytes, bad[i].size);
        writer_put(&log_, DJP_OP_KEYED, 0, bad[i].bytes, bad[i].size);
    }
    writer_put(&log_, DJP_OP_NUMBER, key << 16, "1234", 4);
    writer_put(&log_, DJP_OP_INTEGER, key << 16, "1234", 4);
    writer_put(&log_, DJP_OP_EVENT, 0, "12345678", 8);
    writer_put(&log_, DJP_OP_EXCEPTION, 0, "1234", 4);
    writer_put(&log_, DJP_OP_LINK, 0, "1234", 4);
    writer_put(&log_, DJP_OP_END, 0, "1234", 4);
    writer_put(&log_, DJP_OP_SYMBOL, 0, "1234", 4);
    writer_put(&log_, DJP_OP_HTTP_END, 0, "1234", 4);
    writer_put(&log_, 200, 0, "1234", 4);
    writer_end(&log_, 0, 0);
    flush();
    assert_has(reader_line(transport, "root"), "dropped=19 | ");
}

static void
test_name_status_events(void **state)
{
    (void)state;
    open_with(&options, 1024);
    uint64_t now = djp__clock_monotonic(), times[2] = {0, now + 100};
    writer_start start = {.slot = 0, .number = 1, .mono = now, .flags = DJP_OP_START_ROOT};
    start.ids = writer_make_ids(1, 1, 0);
    writer_begin(&log_, &start);
    writer_put(&log_, DJP_OP_RENAME, 0, "renamed", 7);
    fail_span(0);
    writer_value event = {.size = 0};
    writer_value_add(&event, times, 16);
    writer_value_string(&event, "tick");
    writer_value_map(&event, 1);
    writer_value_key(&event, "n");
    writer_value_int(&event, 1);
    writer_put(&log_, DJP_OP_EVENT, 0, event.bytes, event.size);
    times[0] = now + (uint64_t)djp__clock_anchor() + 50;
    memcpy(event.bytes, times, 8);
    writer_put(&log_, DJP_OP_EVENT, 0, event.bytes, event.size);
    writer_value raised = {.size = 0};
    writer_value_add(&raised, &times[1], 8);
    writer_value_string(&raised, "TypeError");
    writer_value_string(&raised, "no such thing");
    writer_value_string(&raised, "at line 1");
    writer_value_map(&raised, 0);
    writer_put(&log_, DJP_OP_EXCEPTION, 1 << 16, raised.bytes, raised.size);
    writer_end(&log_, 0, now + 200);
    flush();
    const char *line = reader_line(transport, "renamed");
    assert_has(line, "status=2:bad ");
    assert_has(line, "| event tick at=100 n=1i;");
    assert_has(
        line,
        "| event exception at=100 exception.type='TypeError';exception.message='no such thing';"
        "exception.stacktrace='at line 1';exception.escaped=");
    const char *explicit_time = strstr(strstr(line, "event tick") + 1, "event tick at=");
    assert_non_null(explicit_time);
    /* the anchor may have moved meanwhile */
    assert_true(llabs(atoll(explicit_time + 14)) < (long long)SECOND);
}

static void
test_link(void **state)
{
    (void)state;
    open_with(&options, 1024);
    begin(0, 1, 0, "root");
    writer_ids to = writer_make_ids(77, 88, 0);
    uint32_t flags[2] = {1, 0};
    writer_value link = {.size = 0};
    writer_value_add(&link, to.trace, 16);
    writer_value_add(&link, to.span, 8);
    writer_value_add(&link, flags, 8);
    writer_value_string(&link, "a=1");
    writer_value_map(&link, 1);
    writer_value_key(&link, "why");
    writer_value_string(&link, "batch");
    writer_put(&log_, DJP_OP_LINK, 0, link.bytes, link.size);
    writer_end(&log_, 0, 0);
    flush();
    assert_has(reader_line(transport, "root"),
               "| link trace=0102030405060708fffffff00000004d span=0a0b0c0d00000058 state=a=1 "
               "flags=101 why='batch';");
}

static void
test_http(void **state)
{
    (void)state;
    options.metrics_enabled = 1;
    open_with(&options, 1024);
    uint64_t now = djp__clock_monotonic();
    writer_start start = {
        .slot = 5, .number = 1, .mono = now, .flags = DJP_OP_START_ROOT | DJP_OP_START_HTTP};
    start.ids = writer_make_ids(1, 1, 0);
    writer_begin(&log_, &start);
    writer_request request = {
        .slot = 5, .start = now, .end = now + SECOND / 4, .bytes = 17, .status = 503};
    request.method = writer_symbol(&log_, "GET");
    request.route = writer_symbol(&log_, "/a/{b}");
    request.scheme = writer_symbol(&log_, "http");
    request.version = writer_symbol(&log_, "1.1");
    writer_end_http(&log_, &request);
    /* Without a span, and with a route in full. */
    request.slot = DJP_OP_NO_SLOT;
    request.flags = DJP_OP_HTTP_ROUTE;
    request.full_route = "/in/full";
    request.status = 200;
    writer_end_http(&log_, &request);
    start.slot = 6;
    start.number = 2;
    start.flags |= DJP_OP_START_WEBSOCKET;
    writer_begin(&log_, &start);
    request.slot = 6;
    request.flags = DJP_OP_HTTP_WEBSOCKET;
    request.status = 101;
    writer_end_http(&log_, &request);
    writer_publish(&log_);
    char *text = NULL;
    size_t size;
    assert_int_equal(djp_registry_expose(&text, &size, djp_sdk_registry(sdk), DJP_TEXT_0_0_4), 0);
    assert_non_null(strstr(text, "endpoint=\"/a/{b}\",status_code=\"503\"} 1"));
    assert_non_null(strstr(text, "endpoint=\"/in/full\",status_code=\"200\"} 1"));
    djp_free(text);
    flush();
    assert_has(reader_line(transport, "http.server"), "kind2 ");
    assert_has(reader_line(transport, "http.server"), "took=250000000 scope=djp_telemetry.http@");
    assert_has(reader_line(transport, "http.server"), "status=2:");
    assert_has(reader_line(transport, "http.server"), "http.route='/a/{b}'");
    assert_has(reader_line(transport, "http.server"), "http.status_code=503i");
    assert_has(reader_line(transport, "websocket"), "kind2 ");
}

/* A size is counted where it is known, also that of nothing. */
static void
test_sizes_of_requests(void **state)
{
    static const struct {
        double bytes;
        const char *sum; /* of the sizes that are known by then */
    } cases[] = {{-1, NULL}, {-0.5, NULL}, {NAN, NULL},   {0, "0\n"},
                 {1, "1\n"}, {7, "8\n"},   {9e15, "8\n"}, {INFINITY, "8\n"}};
    (void)state;
    options.metrics_enabled = 1;
    open_with(&options, 1024);
    uint64_t now = djp__clock_monotonic();
    writer_request request = {
        .slot = DJP_OP_NO_SLOT, .start = now, .end = now + SECOND, .status = 200};
    request.method = writer_symbol(&log_, "GET");
    request.route = writer_symbol(&log_, "/sized");
    request.scheme = writer_symbol(&log_, "http");
    request.version = writer_symbol(&log_, "1.1");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = NULL;
        size_t size;
        request.bytes = cases[i].bytes;
        writer_end_http(&log_, &request);
        writer_publish(&log_);
        assert_int_equal(djp_registry_expose(&text, &size, djp_sdk_registry(sdk), DJP_TEXT_0_0_4),
                         0);
        const char *line = strstr(text, "\nhttp_request_size_bytes_sum{");
        assert_true((line != NULL) == (cases[i].sum != NULL));
        if (line != NULL) {
            line = strstr(line, "} ");
            assert_true(strncmp(line + 2, cases[i].sum, strlen(cases[i].sum)) == 0);
        }
        djp_free(text);
    }
}

static void
test_symbols(void **state)
{
    (void)state;
    open_with(&options, 1024);
    begin(0, 1, 0, "root");
    uint32_t once = writer_symbol(&log_, "once");
    writer_put(&log_, DJP_OP_DEFINE, once, "twice", 5);
    writer_put(&log_, DJP_OP_DEFINE, 0, "zero", 4);
    writer_put(&log_, DJP_OP_DEFINE, DJP_OPLOG_SYMBOLS, "beyond", 6);
    writer_text(&log_, 0, once, "1");
    writer_text(&log_, 0, 4711, "undefined");
    writer_text(&log_, 0, 0xffff, "out of range");
    writer_text(&log_, 17, once, "of no span");
    writer_end(&log_, 17, 0);
    writer_end(&log_, 0, 0);
    flush();
    assert_has(reader_line(transport, "root"), "| once='1';");
    assert_null(strstr(reader_line(transport, "root"), "undefined"));
}

/* ---- local traces ---- */

static void
test_traces_are_decided_at_the_root(void **state)
{
    (void)state;
    options.sampler = DJP_SAMPLER_RATIO;
    options.sample_ratio = 0.0000001;
    open_with(&options, 1024);
    /* An error below keeps the whole trace, late spans included; without one nothing leaves but
     * what fails later. */
    for (uint32_t number = 1; number <= 2; number++) {
        begin(0, number, 0, number == 1 ? "kept root" : "lost root");
        begin(1, number, 1, number == 1 ? "kept child" : "lost child");
        if (number == 1) {
            fail_span(1);
        }
        writer_end(&log_, 1, 0);
        begin(2, number, 1, number == 1 ? "kept late" : "lost late");
        writer_end(&log_, 0, 0);
        begin(3, number, 1, number == 1 ? "kept later" : "late error");
        fail_span(3);
        writer_end(&log_, 2, 0);
        writer_end(&log_, 3, 0);
    }
    flush();
    assert_null(strstr(reader_all(transport), "lost"));
    assert_int_equal(script_spans(transport, "kept"), 4);
    assert_has(reader_line(transport, "kept later"), "parent=0a0b0c0d00000001 ");
    assert_has(reader_line(transport, "late error"), "sampling.late=");
}

static void
test_forgotten_trace(void **state)
{
    (void)state;
    options.sampler = DJP_SAMPLER_RATIO;
    open_with(&options, 1024);
    log_.patient = 1;
    for (uint32_t number = 1; number <= DJP_OPLOG_TRACES_KEPT + 1; number++) {
        begin(0, number, 0, "root");
        writer_end(&log_, 0, 0);
    }
    /* The second is still known; the first is not: its child is a local root, which tells by its
     * reason. */
    begin(1, 2, 7, "known");
    writer_end(&log_, 1, 0);
    begin(2, 1, 7, "forgotten");
    begin(3, 1, 8, "below forgotten");
    writer_end(&log_, 3, 0);
    writer_end(&log_, 2, 0);
    flush();
    assert_null(strstr(reader_line(transport, "known"), "sampling.reason"));
    assert_has(reader_line(transport, "forgotten"), "sampling.reason");
    assert_has(reader_line(transport, "forgotten"), "parent=0a0b0c0d00000007 ");
    assert_null(strstr(reader_line(transport, "below forgotten"), "sampling.reason"));
    assert_int_equal(script_spans(transport, NULL), DJP_OPLOG_TRACES_KEPT + 4);
}

static void
test_reused_slots(void **state)
{
    (void)state;
    open_with(&options, 1024);
    begin(0, 1, 0, "given up");
    begin(0, 2, 0, "after");
    writer_end(&log_, 0, 0);
    flush();
    assert_int_equal(dropped("never_ended"), 1);
    assert_int_equal(script_spans(transport, NULL), 1);
    assert_non_null(reader_line(transport, "after"));
}

/* The root's slot is taken away, a later span begins the trace anew under the same number, and then
 * the first one's child ends: it must not count as the end of the new one's. */
static void
test_trace_begun_anew(void **state)
{
    (void)state;
    open_with(&options, 1024);
    log_.patient = 1;
    begin(1, 5, 0, "given up");
    begin(2, 5, 1, "child");
    begin(1, 6, 0, "takes the slot");
    begin(3, 5, 1, "anew");
    writer_end(&log_, 2, 0);
    writer_end(&log_, 1, 0);
    for (uint32_t number = 10; number < 20 + DJP_OPLOG_TRACES_KEPT; number++) {
        begin(4, number, 0, "other");
        writer_end(&log_, 4, 0);
    }
    uint32_t key = writer_symbol(&log_, "alive");
    writer_put(&log_, DJP_OP_TRUE, 3 | key << 16, NULL, 0);
    writer_end(&log_, 3, 0);
    flush();
    assert_has(reader_line(transport, "anew"), "alive=true");
    assert_int_equal(dropped("never_ended"), 1);
}

static void
test_number_used_twice(void **state)
{
    (void)state;
    options.sampler = DJP_SAMPLER_RATIO;
    open_with(&options, 1024);
    begin(0, 1, 0, "first");
    begin(1, 1, 0, "second");
    begin(2, 1, 1, "child");
    writer_end(&log_, 1, 0);
    writer_end(&log_, 0, 0);
    writer_end(&log_, 2, 0);
    flush();
    assert_int_equal(script_spans(transport, NULL), 3);
    assert_has(reader_line(transport, "second"), "sampling.reason");
}

/* Roots in more places than the table begins with, ended in another order than they began. */
static void
test_many_open_traces(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    options.ring_bytes = 8 << 20;
    open_with(&options, 1 << 12);
    log_.patient = 1;
    for (uint32_t i = 0; i < MANY; i++) {
        begin(i, i + 1, 0, "root");
    }
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t slot = i * 7 % MANY;
        begin(MANY + 1, slot + 1, 1, "child");
        writer_end(&log_, slot, 0);
        writer_end(&log_, MANY + 1, 0);
    }
    flush();
    assert_int_equal(script_spans(transport, "root"), MANY);
    assert_int_equal(script_spans(transport, "child"), MANY);
    json *status = helper_status(sdk);
    assert_int_equal(helper_number(status, "spans", "live"), 0);
    json_free(status);
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ONE(test_start_and_end),
        ONE(test_remote_parent),
        ONE(test_attributes),
        ONE(test_values),
        ONE(test_malformed_values),
        ONE(test_name_status_events),
        ONE(test_link),
        ONE(test_http),
        ONE(test_sizes_of_requests),
        ONE(test_symbols),
        ONE(test_traces_are_decided_at_the_root),
        ONE(test_forgotten_trace),
        ONE(test_reused_slots),
        ONE(test_trace_begun_anew),
        ONE(test_number_used_twice),
        ONE(test_many_open_traces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
