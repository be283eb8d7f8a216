/* Replayed operations: symbols, starts, changes and ends arrive as what they say, and what cannot
 * be right harms nothing else. */
#include "by_hand.h"

static void
symbols_are_defined_once(void **state)
{
    (void)state;
    open_root(0, 1);
    assert_false(put(DJP_OP_DEFINE, 0, "zero", 4));
    assert_false(put(DJP_OP_DEFINE, DJP_OPLOG_SYMBOLS, "beyond", 6));
    assert_false(put(DJP_OP_DEFINE, UINT32_MAX, "beyond", 6));
    define(1, "first");
    assert_false(put(DJP_OP_DEFINE, 1, "again", 5));
    define(DJP_OPLOG_SYMBOLS - 1, "last");
    define(2, ""); /* nothing: it may still be defined */
    define(2, "second");
    djp__alloc_fail_after(1);
    define(3, "lost"); /* without memory it stays undefined */
    djp__alloc_fail_after(0);
    assert_true(put(DJP_OP_TRUE, 0 | 1 << 16, NULL, 0));
    assert_true(put(DJP_OP_TRUE, 0 | 2 << 16, NULL, 0));
    assert_true(put(DJP_OP_FALSE, 0 | (DJP_OPLOG_SYMBOLS - 1) << 16, NULL, 0));
    assert_true(put(DJP_OP_TRUE, 0 | 3 << 16, NULL, 0)); /* has no key */
    assert_true(put(DJP_OP_TRUE, 0 | DJP_OPLOG_SYMBOLS << 16, NULL, 0));
    assert_true(put(DJP_OP_TRUE, 0, NULL, 0));
    uint32_t values[][2] = {{1, 0}, {DJP_OPLOG_SYMBOLS - 1, 0}, {3, 0}, {DJP_OPLOG_SYMBOLS, 0}};
    static const char *const shown[] = {"s:first", "s:last", "s:", "s:"};
    for (uint32_t i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "symbol%u", i);
        define(10 + i, name);
        assert_true(put(DJP_OP_SYMBOL, (10 + i) << 16, values[i], 8));
        assert_false(put(DJP_OP_SYMBOL, (10 + i) << 16, values[i], 7));
    }
    djp__span_record *record = finish(0);
    assert_string_equal(span_reader_show(record, "first"), "b:1");
    assert_string_equal(span_reader_show(record, "second"), "b:1");
    assert_string_equal(span_reader_show(record, "last"), "b:0");
    for (uint32_t i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "symbol%u", i);
        assert_string_equal(span_reader_show(record, name), shown[i]);
    }
    assert_int_equal(record->dropped_attributes, 3);
    assert_int_equal(record->attribute_items, 7);
    free(record);
}

/* ---- starts ---- */

static void
a_start_is_what_its_words_say(void **state)
{
    (void)state;
    define(1, "name");
    define(2, "lib\x1f"
              "1.5");
    start_payload start = payload_of(7, 0x00000042u);
    start.name = 1;
    start.scope = 2;
    start.flags = decided(1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO);
    start.threshold = 1ull << 55;
    assert_true(put(DJP_OP_START,
                    9 | 0x8000u | DJP_KIND_PRODUCER << 16 | (uint32_t)DJP_OP_START_ROOT << 24,
                    &start, ROOT_BYTES));
    djp_span *span = djp__oplog_span_at(hand, 9);
    assert_int_equal(djp_span_start_monotonic_ns(span), start.mono);
    djp__span_record *record = finish(9);
    assert_memory_equal(record->trace_id, "\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\0\0\0\7", 16);
    assert_memory_equal(record->span_id, "\xa1\xb2\xc3\xd4\0\0\0\x42", 8);
    assert_memory_equal(record->parent_id, "\0\0\0\0\0\0\0\0", 8);
    assert_int_equal(record->kind, DJP_KIND_PRODUCER);
    assert_string_equal(djp__scope_entry_of(record->scope)->version, "1.5");
    assert_true(djp__text_equal(span_reader_name(record), "name"));
    assert_int_equal(record->threshold, 1ull << 55);
    assert_int_equal(record->reason, DJP_REASON_RATIO);
    assert_int_equal(record->trace_flags, DJP_FLAG_SAMPLED | DJP_FLAG_RANDOM);
    assert_int_equal(record->local_root, DJP_ROOT_OF_TRACE);
    free(record);
}

static void
sizes_of_starts_are_checked(void **state)
{
    (void)state;
    start_payload start = payload_of(1, 2);
    start.flags = decided(1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO);
    assert_false(put(DJP_OP_START, 1, &start, CHILD_BYTES - 1));
    assert_false(put(DJP_OP_START, 1 | DJP_OP_START_ROOT << 24, &start, ROOT_BYTES - 1));
    assert_false(put(DJP_OP_START, DJP_OP_NO_SLOT | DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
    assert_null(djp__oplog_span_at(hand, 1));
    assert_true(put(DJP_OP_START, 1 | DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
    free(finish(1));
    assert_true(put(DJP_OP_START, 1, &start, CHILD_BYTES));
    free(finish(1));
    /* What is optional must be there as a whole. */
    static const struct {
        uint32_t flags;
        size_t size; /* that is needed beyond the words */
    } cases[] = {{DJP_OP_START_STATE, 8 + 8},
                 {DJP_OP_START_NAME, 8 + 8},
                 {DJP_OP_START_TIME, 8},
                 {DJP_OP_START_STATE | DJP_OP_START_NAME, 32},
                 {DJP_OP_START_STATE | DJP_OP_START_NAME | DJP_OP_START_TIME, 40}};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        const uint32_t flags = cases[i / 2].flags | (i % 2 ? DJP_OP_START_ROOT : 0);
        size_t first = i % 2 ? ROOT_BYTES : CHILD_BYTES;
        char payload[128] = {0};
        start = payload_of(2 + (uint32_t)i, 2);
        start.flags = decided(1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO);
        memcpy(payload, &start, first);
        for (size_t at = first; at < first + 32; at += 16) {
            memcpy(payload + at, "\x08\0\0\0\0\0\0\0a=bcdefg", 16);
        }
        for (size_t size = first; size <= first + cases[i / 2].size; size++) {
            assert_int_equal(put(DJP_OP_START, 3 | flags << 24, payload, size),
                             size == first + cases[i / 2].size);
        }
        free(finish(3));
    }
    assert_int_equal(host_counters(&instance).dropped[DJP__DROP_NEVER_ENDED], 0);
}

/* Texts need not be padded to their end, and may be empty. */
static void
optional_parts_arrive(void **state)
{
    (void)state;
    char payload[256] = {0};
    start_payload start = payload_of(1, 2);
    uint64_t when = 1700000000000000000ull;
    start.flags = decided(1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO) | DJP_FLAG_SAMPLED;
    start.parent[0] = 0x0d0e0f10u;
    memcpy(payload, &start, ROOT_BYTES);
    memcpy(payload + ROOT_BYTES, "\x03\0\0\0\0\0\0\0a=b.....", 16);
    memcpy(payload + ROOT_BYTES + 16, "\x09\0\0\0\0\0\0\0nine char.......", 24);
    memcpy(payload + ROOT_BYTES + 40, &when, 8);
    uint32_t flags = DJP_OP_START_ROOT | DJP_OP_START_STATE | DJP_OP_START_NAME |
                     DJP_OP_START_TIME | DJP_OP_START_REMOTE;
    assert_true(put(DJP_OP_START, flags << 24, payload, ROOT_BYTES + 48));
    djp__span_record *record = finish(0);
    assert_true(djp__text_equal(span_reader_name(record), "nine char"));
    assert_true(djp__text_equal(span_reader_state(record), "a=b"));
    assert_int_equal(record->start_unix_ns, when);
    assert_memory_equal(record->parent_id, "\x0d\x0e\x0f\x10\0\0\0\0", 8);
    assert_int_equal(record->parent_remote, 1);
    free(record);
    memcpy(payload + ROOT_BYTES, "\0\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0abc", 19); /* no padding */
    start.number = 2;
    memcpy(payload, &start, ROOT_BYTES);
    flags = DJP_OP_START_ROOT | DJP_OP_START_STATE | DJP_OP_START_NAME;
    assert_true(put(DJP_OP_START, flags << 24, payload, ROOT_BYTES + 19));
    record = finish(0);
    assert_true(djp__text_equal(span_reader_name(record), "abc"));
    assert_int_equal(record->state_size, 0);
    assert_int_equal(record->parent_remote, 0);
    free(record);
}

/* A decision is taken over whole: flag, outcome, reason and both thresholds. */
static void
a_start_carries_its_decision(void **state)
{
    (void)state;
    static const struct {
        int flag, outcome, reason, fails;
        uint64_t threshold, recorded;
        int kept; /* 1: exported */
        int shown; /* reason */
        uint64_t exported;
    } cases[] = {
        {1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO, 0, 5 << 20, 3 << 20, 1, DJP_REASON_RATIO,
         5 << 20},
        {1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO, 1, 5 << 20, 3 << 20, 1, DJP_REASON_ERROR,
         3 << 20},
        {0, DJP__OUTCOME_SAMPLE, DJP_REASON_PARENT, 0, 7, 0, 1, DJP_REASON_PARENT, 7},
        {0, DJP__OUTCOME_RECORD_ONLY, 0, 0, 7, 0, 0, 0, 0},
        {1, DJP__OUTCOME_RECORD_ONLY, 0, 1, 7, 9, 1, DJP_REASON_ERROR, 9},
        {1, DJP__OUTCOME_DROP, 0, 1, 7, 0, 0, 0, 0},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start_payload start = payload_of(i + 1, 2);
        start.flags = decided(cases[i].flag, cases[i].outcome, cases[i].reason);
        start.threshold = cases[i].threshold;
        start.recorded = cases[i].recorded;
        assert_true(put(DJP_OP_START, DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
        djp_span_context context;
        djp_span_get_context(&context, djp__oplog_span_at(hand, 0));
        assert_int_equal(context.flags & DJP_FLAG_SAMPLED, cases[i].flag);
        assert_true(put(DJP_OP_STATUS, (uint32_t)(cases[i].fails ? 2 : 0) << 16, NULL, 0));
        assert_true(put(DJP_OP_END, 0, &start.mono, 8));
        djp__span_record *record = span_reader_take(instance.recorder);
        assert_int_equal(record != NULL, cases[i].kept);
        if (record != NULL) {
            assert_int_equal(record->reason, cases[i].shown);
            assert_int_equal(record->threshold, cases[i].exported);
        }
        free(record);
    }
}

/* A child names its trace, and its parent by slot and id; one whose trace is unknown begins another
 * below its parent's id. */
static void
children_belong_to_their_trace(void **state)
{
    (void)state;
    open_root(0, 5);
    start_payload child = payload_of(5, 20);
    child.parent[0] = 0xa1b2c3d4u;
    child.parent[1] = 1;
    child.flags = (0 + 1) << 16;
    assert_true(put(DJP_OP_START, 1, &child, CHILD_BYTES));
    start_payload below = payload_of(5, 21);
    below.parent[0] = 0xa1b2c3d4u;
    below.parent[1] = 20;
    below.flags = (1 + 1) << 16;
    assert_true(put(DJP_OP_START, 2, &below, CHILD_BYTES));
    assert_ptr_equal(djp__oplog_span_at(hand, 2)->local, djp__oplog_span_at(hand, 0)->local);
    start_payload unknown = payload_of(6, 22);
    unknown.parent[1] = 99;
    unknown.flags = DJP_FLAG_SAMPLED;
    assert_true(put(DJP_OP_START, 3, &unknown, CHILD_BYTES));
    assert_ptr_not_equal(djp__oplog_span_at(hand, 3)->local, djp__oplog_span_at(hand, 0)->local);
    djp__span_record *record = finish(3);
    assert_int_equal(record->local_root, DJP_ROOT_OF_TRACE);
    assert_memory_equal(record->parent_id, "\0\0\0\0\0\0\0\x63", 8);
    assert_memory_equal(record->trace_id, "\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\0\0\0\6", 16);
    assert_int_equal(record->trace_flags & DJP_FLAG_SAMPLED, DJP_FLAG_SAMPLED);
    assert_int_equal(record->parent_remote, 0);
    free(record);
    start_payload orphan = payload_of(7, 23); /* no parent at all */
    assert_true(put(DJP_OP_START, 3, &orphan, CHILD_BYTES));
    record = finish(3);
    assert_memory_equal(record->parent_id, "\0\0\0\0\0\0\0\0", 8);
    free(record);
    uint64_t now = djp__clock_monotonic();
    for (uint32_t slot = 0; slot < 3; slot++) {
        assert_true(put(DJP_OP_END, 2 - slot, &now, 8));
    }
    record = span_reader_take(instance.recorder);
    assert_memory_equal(record->parent_id, "\xa1\xb2\xc3\xd4\0\0\0\x14", 8);
    assert_int_equal(record->local_root, 0);
    free(record);
    assert_int_equal(span_reader_drain(instance.recorder), 2);
}

/* An invalid parent is none: its trace id is that of the root. */
static void
an_invalid_parent_is_none(void **state)
{
    (void)state;
    start_payload start = payload_of(1, 2);
    memset(start.trace, 0, sizeof start.trace);
    start.parent[0] = 1;
    start.flags = decided(1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO);
    assert_true(
        put(DJP_OP_START, (DJP_OP_START_ROOT | DJP_OP_START_REMOTE) << 24, &start, ROOT_BYTES));
    djp__span_record *record = finish(0);
    assert_int_equal(record->parent_remote, 0);
    assert_memory_equal(record->parent_id, "\0\0\0\0\0\0\0\0", 8);
    free(record);
}

static void
a_slot_in_use_is_taken(void **state)
{
    (void)state;
    open_root(4, 1);
    open_root(4, 2);
    assert_int_equal(host_counters(&instance).dropped[DJP__DROP_NEVER_ENDED], 1);
    djp_oplog_detach(hand);
    start_payload start = payload_of(3, 2);
    assert_true(put(DJP_OP_START, 4 | DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
    assert_null(djp__oplog_span_at(hand, 4)); /* nothing records */
}

/* What was written before the writer saw that recording is off counts as switched off; after the
 * end of the SDK, and where nothing was refused, it does not. */
static void
starts_while_recording_is_off_are_counted(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        djp__recorder_options with = span_reader_options();
        use_hand(&with);
        start_payload start = payload_of(1, 2);
        djp__recorder_set_off(instance.recorder, 1);
        if (first) {
            instance.recorder->options.wake = host_unref; /* any function of a pointer */
            instance.recorder->options.wake_user = &instance;
            instance.references++;
            djp__or_seq_cst(&instance.recorder->state, DJP__RECORDER_FIRST);
        }
        assert_true(put(DJP_OP_START, DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
        djp__recorder_totals counters = host_counters(&instance);
        assert_int_equal(counters.dropped[DJP__DROP_SWITCHED_OFF], 1);
        assert_int_equal(counters.started, 1);
        assert_int_equal(counters.live, 0);
        djp__recorder_close(instance.recorder);
        assert_true(put(DJP_OP_START, DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
        assert_int_equal(host_counters(&instance).started, 1);
    }
    djp__recorder_options with = span_reader_options();
    use_hand(&with);
    start_payload start = payload_of(1, 2);
    djp__span_block_trim();
    djp__alloc_fail_after(1);
    assert_true(put(DJP_OP_START, DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
    djp__alloc_fail_after(0);
    assert_int_equal(host_counters(&instance).started, 0);
    assert_int_equal(host_counters(&instance).dropped[DJP__DROP_SPAN_NO_MEMORY], 1);
}

static void
requests_begin_as_requests(void **state)
{
    (void)state;
    define(1, "name");
    for (uint32_t i = 0; i < 4; i++) {
        start_payload start = payload_of(1, 10 + i);
        start.name = 1;
        start.number = i < 2 ? i + 1 : 1; /* the last two are children */
        start.flags = decided(1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO);
        uint32_t flags = DJP_OP_START_HTTP | (i % 2 ? DJP_OP_START_WEBSOCKET : 0) |
                         (i < 2 ? DJP_OP_START_ROOT : 0);
        assert_true(put(DJP_OP_START, i | flags << 24, &start, i < 2 ? ROOT_BYTES : CHILD_BYTES));
    }
    static const char *const names[] = {"http.server", "websocket", "name", "name"};
    uint64_t now = djp__clock_monotonic();
    for (uint32_t i = 4; i-- > 0;) {
        assert_true(put(DJP_OP_END, i, &now, 8));
        djp__span_record *record = span_reader_take(instance.recorder);
        assert_true(djp__text_equal(span_reader_name(record), names[i]));
        assert_int_equal(record->kind, i < 2 ? DJP_KIND_SERVER : DJP_KIND_INTERNAL);
        free(record);
    }
}

/* A payload of fixed bytes, and then values. */
static writer_value
fixed_of(const void *bytes, size_t size)
{
    writer_value value = {.size = 0};
    writer_value_add(&value, bytes, size);
    return value;
}

/* ---- changes and ends ---- */

static void
changes_change_the_span(void **state)
{
    (void)state;
    open_root(0, 1);
    assert_true(put(DJP_OP_RENAME, 0, "renamed", 7));
    assert_true(put(DJP_OP_DROP, 5 << 16, NULL, 0));
    assert_true(put(DJP_OP_DROP, 0, NULL, 0));
    assert_true(put(DJP_OP_STATUS, DJP_STATUS_ERROR << 16 | 4u << 16, "why", 3));
    djp__span_record *record = finish(0);
    assert_true(djp__text_equal(span_reader_name(record), "renamed"));
    assert_int_equal(record->dropped_attributes, 5);
    assert_int_equal(record->status, DJP_STATUS_ERROR);
    assert_true(djp__text_equal(span_reader_status_text(record), "why"));
    free(record);
    open_root(0, 2);
    assert_true(put(DJP_OP_STATUS, DJP_STATUS_OK << 16, "no text", 7));
    record = finish(0);
    assert_int_equal(record->status, DJP_STATUS_OK);
    free(record);
    open_root(0, 3);
    assert_true(put(DJP_OP_LONG, 0, NULL, 0));
    assert_int_equal(djp__load_relaxed(&djp__oplog_span_at(hand, 0)->own.flags),
                     DJP__TRACE_FLAG_LONG);
    free(finish(0));
}

/* An operation of the future is invalid where its span is open; a known one of no span is not. */
static void
unknown_operations_are_invalid(void **state)
{
    (void)state;
    assert_true(put(DJP_OP_PAD, 0, NULL, 0));
    assert_true(put(DJP_OP_LONG, 0, NULL, 0));
    assert_true(put(DJP_OP_END, 0, NULL, 0));
    assert_false(put(DJP_OP_LAST, 0, NULL, 0));
    assert_false(put(255, 0, NULL, 0));
    open_root(0, 1);
    assert_true(put(DJP_OP_PAD, 0, NULL, 0));
    assert_false(put(DJP_OP_LAST, 0, NULL, 0));
    assert_true(put(DJP_OP_LONG, 0, NULL, 0));
    free(finish(0));
}

static void
ends_have_a_time(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        open_root(0, i + 1);
        djp_span *span = djp__oplog_span_at(hand, 0);
        uint64_t began = djp_span_start_monotonic_ns(span), anchor = (uint64_t)span->local->anchor;
        uint64_t times[2] = {began + 1000, i == 1 ? began + anchor + 99 : 0};
        assert_false(put(DJP_OP_END, 0, times, 7));
        assert_ptr_equal(djp__oplog_span_at(hand, 0), span);
        assert_true(put(DJP_OP_END, 0, times, i == 0 ? 15 : 16));
        assert_null(djp__oplog_span_at(hand, 0));
        djp__span_record *record = span_reader_take(instance.recorder);
        assert_int_equal(record->end_unix_ns - record->start_unix_ns, i == 1 ? 99 : 1000);
        free(record);
    }
}

typedef struct http_payload {
    uint64_t start, end;
    double bytes;
    uint32_t status, names, protocol, error;
    char more[24];
} http_payload;
enum { HTTP_BYTES = 40 };

static void
requests_end_with_what_is_known(void **state)
{
    (void)state;
    static const char *const symbols[] = {"GET", "/a/{b}", "https", "2", "Failure"};
    for (uint32_t i = 0; i < 5; i++) {
        define(i + 1, symbols[i]);
    }
    for (uint32_t i = 0; i < 4; i++) {
        uint64_t now = djp__clock_monotonic();
        start_payload start = payload_of(i + 1, 2);
        start.mono = now;
        start.flags = decided(1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO);
        uint32_t flags = DJP_OP_START_ROOT | DJP_OP_START_HTTP;
        assert_true(put(DJP_OP_START, 3 | flags << 24, &start, ROOT_BYTES));
        http_payload end = {.start = now,
                            .end = now + 5000,
                            .bytes = 12,
                            .status = 201,
                            .names = 1 | 2 << 16,
                            .protocol = 3 | 4 << 16};
        size_t size = HTTP_BYTES;
        if (i == 1) {
            end.status = 0 | DJP_OP_HTTP_FAILED << 16;
            end.error = 5;
        } else if (i == 2) {
            end.status = 0 | DJP_OP_HTTP_DISCONNECTED << 16;
        } else if (i == 3) {
            end.status |= DJP_OP_HTTP_ROUTE << 16;
            memcpy(end.more, "\x08\0\0\0\0\0\0\0/in/full", 16);
            size += 16;
        }
        for (size_t less = 0; less < size; less++) {
            if (less < HTTP_BYTES || i == 3) {
                assert_false(put(DJP_OP_HTTP_END, 3, &end, less));
            }
        }
        assert_non_null(djp__oplog_span_at(hand, 3));
        assert_true(put(DJP_OP_HTTP_END, 3, &end, size));
        assert_null(djp__oplog_span_at(hand, 3));
        djp__span_record *record = span_reader_take(instance.recorder);
        assert_int_equal(record->end_unix_ns - record->start_unix_ns, 5000);
        assert_string_equal(span_reader_show(record, "http.method"), "s:GET");
        assert_string_equal(span_reader_show(record, "url.scheme"), "s:https");
        assert_string_equal(span_reader_show(record, "network.protocol.version"), "s:2");
        assert_string_equal(span_reader_show(record, "http.route"),
                            i == 3 ? "s:/in/full" : "s:/a/{b}");
        static const char *const statuses[] = {"i:201", "i:500", "", "i:201"};
        assert_string_equal(span_reader_show(record, "http.status_code"), statuses[i]);
        assert_string_equal(span_reader_show(record, "error.type"), i == 1 ? "s:Failure" : "");
        free(record);
    }
}

/* ---- without an instance ---- */

/* Before an attachment, or after it, only symbols are read. */
static void
without_an_instance_nothing_is_recorded(void **state)
{
    (void)state;
    djp_oplog_detach(hand);
    define(1, "symbol");
    start_payload start = payload_of(1, 2);
    start.scope = 1;
    assert_true(put(DJP_OP_START, DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
    http_payload end = {.status = 200};
    assert_true(put(DJP_OP_HTTP_END, DJP_OP_NO_SLOT, &end, HTTP_BYTES));
    assert_false(put(DJP_OP_HTTP_END, DJP_OP_NO_SLOT, &end, HTTP_BYTES - 1));
    assert_int_equal(host_counters(&instance).started, 0);
    assert_int_equal(djp__oplogs_attach(&instance.oplogs, hand), 0);
    open_root(0, 1);
    assert_true(put(DJP_OP_TRUE, 1 << 16, NULL, 0));
    djp__span_record *record = finish(0);
    assert_string_equal(span_reader_show(record, "symbol"), "b:1");
    free(record);
}

static void
replay_some_of_all(void)
{
    char payload[128] = {0};
    start_payload start = payload_of(1, 2);
    start.parent[1] = 3;
    start.flags = decided(1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO);
    memcpy(payload, &start, ROOT_BYTES);
    memcpy(payload + ROOT_BYTES, "\x03\0\0\0\0\0\0\0a=b.....", 16);
    uint32_t flags = DJP_OP_START_ROOT | DJP_OP_START_STATE | DJP_OP_START_REMOTE;
    put(DJP_OP_START, flags << 24, payload, ROOT_BYTES + 16);
    uint32_t ids[8] = {1, 2, 3, 4, 5, 6, 0x201, 0};
    writer_value link = fixed_of(ids, 32);
    writer_value_string(&link, "a=b");
    writer_value_map(&link, 0);
    put(DJP_OP_LINK, 0, link.bytes, link.size);
    uint64_t now = djp__clock_monotonic();
    put(DJP_OP_END, 0, &now, 8);
    djp__oplog_close_all(hand);
    span_reader_drain(instance.recorder);
}

static void
nothing_is_left_behind(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(replay_some_of_all, 100), 0);
}

/* The last test: the table of scopes is full from here on. A symbol is refused once, and the
 * instance hears of it. */
static void
a_full_table_of_scopes_is_reported(void **state)
{
    (void)state;
    char name[32];
    define(1, "a scope of before");
    open_root(0, 1);
    start_payload start = payload_of(2, 2);
    start.flags = decided(1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO);
    start.scope = 1;
    assert_true(put(DJP_OP_START, 1 | DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
    djp_scope known = hand->symbols[1].scope;
    assert_int_not_equal(known, 0);
    for (int i = 0; djp__scopes_refused() == 0; i++) {
        snprintf(name, sizeof name, "scope %d", i);
        djp_scope_intern(name, NULL, NULL, NULL, 0);
    }
    assert_int_equal(djp__load_relaxed(&instance.oplogs.scopes_full), 0);
    uint32_t refused = djp__scopes_refused();
    define(2, "one too many");
    for (uint32_t i = 0; i < 3; i++) {
        start.scope = 2;
        start.number = 10 + i;
        assert_true(put(DJP_OP_START, 2 | DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
        djp__span_record *record = finish(2);
        assert_int_equal(record->scope, 0);
        free(record);
    }
    assert_int_equal(djp__scopes_refused(), refused + 1);
    assert_int_equal(djp__load_relaxed(&instance.oplogs.scopes_full), 1);
    start.scope = 1;
    start.number = 20;
    assert_true(put(DJP_OP_START, 2 | DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
    djp__span_record *record = finish(2);
    assert_int_equal(record->scope, known);
    free(record);
    djp_oplog_detach(hand);
    define(3, "another one");
    start.scope = 3;
    assert_true(put(DJP_OP_START, 2 | DJP_OP_START_ROOT << 24, &start, ROOT_BYTES));
    span_reader_drain(instance.recorder);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up_hand, tear_down_hand)
    const struct CMUnitTest tests[] = {
        CASE(symbols_are_defined_once),
        CASE(a_start_is_what_its_words_say),
        CASE(sizes_of_starts_are_checked),
        CASE(optional_parts_arrive),
        CASE(a_start_carries_its_decision),
        CASE(children_belong_to_their_trace),
        CASE(an_invalid_parent_is_none),
        CASE(a_slot_in_use_is_taken),
        CASE(starts_while_recording_is_off_are_counted),
        CASE(requests_begin_as_requests),
        CASE(changes_change_the_span),
        CASE(unknown_operations_are_invalid),
        CASE(ends_have_a_time),
        CASE(requests_end_with_what_is_known),
        CASE(without_an_instance_nothing_is_recorded),
        CASE(nothing_is_left_behind),
        CASE(a_full_table_of_scopes_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
