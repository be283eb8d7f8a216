/* The decisions that a writer of an oplog asks for: by ratio once for all roots, by a parent or a
 * tree for each, with the attributes that a tree adds. */
#include "oplog_host.h"

#include "base/str.h"
#include "djp/sampler.h"
#include "heap.h"
#include "lock_guard.h"

#define NEVER DJP__THRESHOLD_NEVER
#define HALF (1ull << 55)
#define QUARTER (1ull << 54)

static host instance;
static djp_oplog *log_of_test;

static const uint8_t low[16] = {1, [9] = 0, [15] = 1}, high[16] = {1, [9] = 0xff};

static djp__recorder_options
ratio_options(double ratio)
{
    djp__recorder_options options = span_reader_options();
    options.always_on = 0;
    options.threshold = djp__threshold_of(ratio);
    return options;
}

static void
open_log(djp__recorder_options options)
{
    host_init(&instance, &options);
    assert_int_equal(djp_oplog_new(&log_of_test, DJP_OPLOG_UNITS_MIN), 0);
    assert_int_equal(djp__oplogs_attach(&instance.oplogs, log_of_test), 0);
}

static int
tear_down(void **state)
{
    (void)state;
    host_fini(&instance);
    djp_oplog_unref(log_of_test);
    log_of_test = NULL;
    return 0;
}

static void
use_tree(const char *text)
{
    djp_sampler *tree = NULL;
    assert_int_equal(djp_sampler_parse(&tree, djp_text_of(text), NULL), 0);
    assert_int_equal(djp__recorder_set_sampler(instance.recorder, tree), 0);
}

static djp_tracestate *
state_of(const char *text)
{
    djp_tracestate *state = NULL;
    djp_header field = {text, strlen(text)};
    assert_int_equal(djp_tracestate_parse(&state, &field, 1), 1);
    return state;
}

static void
assert_decision(djp_oplog_decision have, int flag, int outcome, int reason, uint64_t threshold,
                uint64_t recorded)
{
    assert_int_equal(have.flag, flag);
    assert_int_equal(have.outcome, outcome);
    assert_int_equal(have.reason, reason);
    assert_int_equal(have.threshold, threshold);
    assert_int_equal(have.recorded, recorded);
}

static void
assert_state(djp_tracestate *state, const char *text)
{
    djp_text have = djp_tracestate_text(state);
    if (!djp__text_equal(have, text)) {
        fail_msg("%.*s, not %s", (int)have.size, have.data, text);
    }
    djp_tracestate_unref(state);
}

static djp_oplog_reply
decide(const djp_oplog_root *root)
{
    djp_oplog_reply reply;
    memset(&reply, 0xff, sizeof reply);
    djp_oplog_decide(&reply, log_of_test, root);
    return reply;
}

/* ---- all roots at once ---- */

static djp_oplog_roots
roots_now(void)
{
    djp_oplog_roots roots;
    memset(&roots, 0xff, sizeof roots);
    djp_oplog_head(&roots, log_of_test);
    return roots;
}

static void
roots_are_decided_by_a_threshold(void **state)
{
    (void)state;
    djp__recorder_options options = ratio_options(0.5);
    options.canary = QUARTER;
    open_log(options);
    djp_oplog_roots roots = roots_now();
    assert_int_equal(roots.threshold, HALF);
    assert_decision(roots.sampled, 1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO, HALF, QUARTER);
    assert_decision(roots.unsampled, 0, DJP__OUTCOME_RECORD_ONLY, DJP_REASON_NONE, NEVER, QUARTER);
    assert_state(roots.state, "ot=th:8");
    djp__recorder_set_ratio(instance.recorder, 0);
    roots = roots_now();
    assert_int_equal(roots.threshold, NEVER);
    assert_decision(roots.unsampled, 0, DJP__OUTCOME_DROP, DJP_REASON_NONE, NEVER, 0);
    assert_null(roots.state);
}

static void
always_on_has_no_threshold(void **state)
{
    (void)state;
    open_log(span_reader_options());
    djp_oplog_roots roots = roots_now();
    assert_int_equal(roots.threshold, 0);
    assert_decision(roots.sampled, 1, DJP__OUTCOME_SAMPLE, DJP_REASON_ALWAYS, NEVER, 0);
    assert_null(roots.state);
}

/* A tree decides about each; what is recorded of a root that is not asked about is the canary's. */
static void
a_tree_has_no_threshold(void **state)
{
    (void)state;
    open_log(ratio_options(0.5));
    use_tree("always_on");
    djp__recorder_set_canary(instance.recorder, 0.75);
    djp_oplog_roots roots = roots_now();
    assert_int_equal(roots.threshold, NEVER);
    assert_decision(roots.unsampled, 0, DJP__OUTCOME_RECORD_ONLY, DJP_REASON_NONE, NEVER, QUARTER);
    assert_null(roots.state);
}

static void
without_a_recorder_nothing_is_sampled(void **state)
{
    (void)state;
    djp_oplog_root root = {.trace_id = high};
    open_log(ratio_options(1));
    for (int detached = 0; detached < 2; detached++) {
        if (detached) {
            djp_oplog_detach(log_of_test);
        } else {
            instance.oplogs.host.recorder = NULL;
        }
        djp_oplog_roots roots = roots_now();
        assert_int_equal(roots.threshold, NEVER);
        assert_decision(roots.sampled, 0, DJP__OUTCOME_DROP, 0, NEVER, 0);
        assert_decision(roots.unsampled, 0, DJP__OUTCOME_DROP, 0, NEVER, 0);
        assert_null(roots.state);
        djp_oplog_reply reply = decide(&root);
        assert_decision(reply.decision, 0, DJP__OUTCOME_DROP, 0, NEVER, 0);
        assert_true(reply.state == NULL && reply.keyed == NULL && reply.keyed_size == 0);
        instance.oplogs.host.recorder = instance.recorder;
    }
}

/* ---- one root ---- */

static void
a_root_without_parent_is_decided_by_its_id(void **state)
{
    (void)state;
    open_log(ratio_options(0.5));
    djp_oplog_root root = {.trace_id = high};
    djp_oplog_reply reply = decide(&root);
    assert_decision(reply.decision, 1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO, HALF, 0);
    assert_state(reply.state, "ot=th:8");
    assert_null(reply.keyed);
    root.trace_id = low;
    reply = decide(&root);
    assert_decision(reply.decision, 0, DJP__OUTCOME_RECORD_ONLY, DJP_REASON_NONE, NEVER, 0);
    assert_null(reply.state);
}

static void
below_a_parent_its_flag_decides(void **state)
{
    (void)state;
    djp_span_context parent = {.span_id = {2}, .flags = DJP_FLAG_SAMPLED, .is_remote = 1};
    memcpy(parent.trace_id, low, 16);
    djp_oplog_root root = {.parent = &parent, .trace_id = high};
    open_log(ratio_options(0.5));
    djp_oplog_reply reply = decide(&root);
    assert_decision(reply.decision, 1, DJP__OUTCOME_SAMPLE, DJP_REASON_PARENT, NEVER, 0);
    assert_null(reply.state);
    parent.state = state_of("a=b");
    reply = decide(&root);
    assert_state(reply.state, "a=b");
    parent.flags = 0;
    reply = decide(&root);
    assert_decision(reply.decision, 0, DJP__OUTCOME_RECORD_ONLY, DJP_REASON_NONE, NEVER, 0);
    assert_state(reply.state, "a=b");
    /* Where parents do not decide, the ratio does, by the parent's trace id. */
    instance.recorder->options.parent_based = 0;
    parent.flags = DJP_FLAG_SAMPLED;
    reply = decide(&root);
    assert_decision(reply.decision, 0, DJP__OUTCOME_RECORD_ONLY, DJP_REASON_NONE, NEVER, 0);
    assert_state(reply.state, "a=b");
    memcpy(parent.trace_id, high, 16);
    reply = decide(&root);
    assert_decision(reply.decision, 1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO, HALF, 0);
    assert_state(reply.state, "ot=th:8,a=b");
    djp_tracestate_unref(parent.state);
}

/* ---- by a tree ---- */

/* 1: the tree of that text samples the root. */
static int
samples(const char *tree, const djp_oplog_root *root)
{
    use_tree(tree);
    djp_oplog_reply reply = decide(root);
    djp_tracestate_unref(reply.state);
    djp_free((char *)reply.keyed);
    return reply.decision.outcome == DJP__OUTCOME_SAMPLE;
}

static void
a_tree_sees_what_the_writer_says(void **state)
{
    (void)state;
    open_log(ratio_options(0));
    djp_oplog_root root = {.trace_id = high, .name = DJP_TEXT("a name")};
    assert_true(samples("rule_based(name(\"a name\") => always_on)", &root));
    assert_false(samples("rule_based(name(\"other\") => always_on)", &root));
    assert_true(samples("rule_based(kind(internal) => always_on)", &root));
    root.kind = DJP_KIND_PRODUCER;
    assert_true(samples("rule_based(kind(producer) => always_on)", &root));
    assert_false(samples("rule_based(kind(internal) => always_on)", &root));
    assert_true(samples("rule_based(root => always_on)", &root));
    assert_true(samples("probability(0.5)", &root));
    djp_span_context parent = {.span_id = {2}, .is_remote = 1};
    memcpy(parent.trace_id, low, 16);
    root.parent = &parent;
    assert_false(samples("rule_based(root => always_on)", &root));
    assert_true(samples("rule_based(remote_parent => always_on)", &root));
    assert_false(samples("probability(0.5)", &root)); /* by the parent's trace id */
    djp__recorder_reset_ratio(instance.recorder);
}

static void
a_tree_sees_attributes(void **state)
{
    (void)state;
    open_log(ratio_options(0));
    writer_value value = {.size = 0};
    writer_value_map(&value, 2);
    writer_value_key(&value, "tier");
    writer_value_string(&value, "gold");
    writer_value_key(&value, "shard");
    writer_value_int(&value, 7);
    djp_oplog_root root = {
        .trace_id = high, .attributes = value.bytes, .attributes_size = value.size};
    assert_true(samples("rule_based(attribute(\"tier\"=\"gold\") => always_on)", &root));
    assert_true(samples("rule_based(attribute(\"shard\"=\"7\") => always_on)", &root));
    assert_false(samples("rule_based(attribute(\"tier\"=\"iron\") => always_on)", &root));
    root.attributes_size--; /* malformed: none */
    assert_false(samples("rule_based(attribute(\"tier\"=\"gold\") => always_on)", &root));
    assert_true(samples("rule_based(any => always_on)", &root));
    root.attributes_size = 0;
    root.attributes = NULL;
    assert_false(samples("rule_based(attribute(\"tier\"=*) => always_on)", &root));
}

/* The attributes of one root take 1 MiB at most; more are ignored. */
static void
attributes_are_bounded(void **state)
{
    (void)state;
    enum { MOST = (1 << 20) / sizeof(djp_attribute) };
    open_log(ratio_options(0));
    static unsigned char bytes[5 + 5 * (MOST + 1) + 32];
    for (uint32_t count = MOST; count <= MOST + 1; count++) {
        memset(bytes, 0, sizeof bytes); /* empty values with empty keys */
        bytes[0] = DJP_MAP;
        memcpy(bytes + 1, &count, 4);
        djp_oplog_root root = {
            .trace_id = high, .attributes = bytes, .attributes_size = sizeof bytes};
        assert_int_equal(samples("rule_based(attribute(\"\"=*) => always_on)", &root),
                         count == MOST);
    }
}

static void
a_tree_sees_requests(void **state)
{
    (void)state;
    open_log(ratio_options(0));
    djp_oplog_root root = {.trace_id = high, .name = DJP_TEXT("not this"), .http = 1};
    root.request.method = DJP_TEXT("GET");
    root.request.path = DJP_TEXT("/a/1");
    root.request.route = DJP_TEXT("/a/{id}");
    assert_true(samples("rule_based(name(\"GET /a/{id}\") => always_on)", &root));
    assert_true(samples("rule_based(kind(server) => always_on)", &root));
    assert_true(samples("rule_based(attribute(\"url.path\"=\"/a/1\") => always_on)", &root));
    assert_true(samples("rule_based(attribute(\"http.request.method\"=*) => always_on)", &root));
    assert_false(samples("rule_based(name(\"not this\") => always_on)", &root));
    root.http = 2; /* a websocket */
    assert_false(samples("rule_based(name(\"GET /a/{id}\") => always_on)", &root));
    assert_true(samples("rule_based(name(\"websocket /a/{id}\") => always_on)", &root));
}

static const djp_value *
added(const djp_attribute *items, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (djp__text_equal(items[i].key, key)) {
            return &items[i].value;
        }
    }
    fail_msg("no %s", key);
    return NULL;
}

/* The attributes that a tree adds come in the form of an operation. */
static void
a_tree_adds_attributes(void **state)
{
    (void)state;
    open_log(ratio_options(0));
    use_tree("annotating({\"text\"=\"t\", \"yes\"=true, \"no\"=false, \"whole\"=-5, \"real\"=0.5, "
             "\"empty\"=\"\"}, always_on)");
    djp_oplog_root root = {.trace_id = high};
    djp_oplog_reply reply = decide(&root);
    assert_decision(reply.decision, 1, DJP__OUTCOME_SAMPLE, DJP_REASON_ALWAYS, 0, 0);
    const djp_attribute *items;
    size_t count;
    djp__arena arena;
    djp__arena_init(&arena, 4096);
    assert_true(djp__oplog_attributes_in(&items, &count, &arena, reply.keyed, reply.keyed_size));
    assert_int_equal(count, 6);
    assert_int_equal(added(items, count, "text")->type, DJP_STRING);
    assert_true(djp__text_equal(added(items, count, "text")->as.text, "t"));
    assert_int_equal(added(items, count, "empty")->as.text.size, 0);
    assert_int_equal(added(items, count, "yes")->type, DJP_BOOL);
    assert_int_equal(added(items, count, "yes")->as.boolean, 1);
    assert_int_equal(added(items, count, "no")->type, DJP_BOOL);
    assert_int_equal(added(items, count, "no")->as.boolean, 0);
    assert_int_equal(added(items, count, "whole")->type, DJP_INT);
    assert_true(added(items, count, "whole")->as.integer == -5);
    assert_int_equal(added(items, count, "real")->type, DJP_DOUBLE);
    assert_true(added(items, count, "real")->as.real == 0.5);
    djp__arena_fini(&arena);
    djp_value whole;
    const unsigned char *at = reply.keyed;
    assert_true(djp__oplog_value(&whole, log_of_test, &at, at + reply.keyed_size));
    assert_ptr_equal(at, reply.keyed + reply.keyed_size); /* and nothing behind it */
    djp_free((char *)reply.keyed);
    djp_tracestate_unref(reply.state);
    djp__alloc_fail_after(1);
    reply = decide(&root);
    djp__alloc_fail_after(0);
    assert_null(reply.keyed);
    assert_int_equal(reply.keyed_size, 0);
    djp_tracestate_unref(reply.state);
    use_tree("annotating({\"text\"=\"t\"}, drop)"); /* nothing is recorded of it */
    reply = decide(&root);
    assert_decision(reply.decision, 0, DJP__OUTCOME_DROP, DJP_REASON_NONE, NEVER, 0);
    assert_null(reply.keyed);
    use_tree("annotating({\"text\"=\"t\"}, always_off)"); /* an error may still sample it */
    reply = decide(&root);
    assert_non_null(reply.keyed);
    djp_free((char *)reply.keyed);
}

/* ---- memory and threads ---- */

static void
decide_in_every_way(void)
{
    djp_span_context parent = {.span_id = {2}, .flags = DJP_FLAG_SAMPLED, .is_remote = 1};
    memcpy(parent.trace_id, high, 16);
    parent.state = state_of("ot=th:f,a=b");
    writer_value value = {.size = 0};
    writer_value_map(&value, 1);
    writer_value_key(&value, "tier");
    writer_value_string(&value, "gold");
    djp_oplog_root root = {
        .trace_id = high, .attributes = value.bytes, .attributes_size = value.size};
    static const char *const trees[] = {"annotating({\"a\"=1}, probability(0.5))",
                                        "annotating({\"a\"=1}, drop)", NULL};
    for (int i = 0; i < 3; i++) {
        if (trees[i] != NULL) {
            use_tree(trees[i]);
        } else {
            djp__recorder_set_sampler(instance.recorder, NULL);
        }
        for (int below = 0; below < 2; below++) {
            root.parent = below ? &parent : NULL;
            djp_oplog_reply reply = decide(&root);
            djp_tracestate_unref(reply.state);
            djp_free((char *)reply.keyed);
        }
        djp_oplog_roots roots = roots_now();
        djp_tracestate_unref(roots.state);
    }
    djp_tracestate_unref(parent.state);
}

static void
nothing_is_left_behind(void **state)
{
    (void)state;
    open_log(ratio_options(0.5));
    assert_int_equal(heap_growth(decide_in_every_way, 50), 0);
}

static void
decide_once(void)
{
    djp_oplog_root root = {.trace_id = low};
    djp_oplog_decide(&(djp_oplog_reply){.keyed = NULL}, log_of_test, &root);
}

static void
read_roots_once(void)
{
    djp_oplog_roots roots = roots_now();
    djp_tracestate_unref(roots.state);
}

/* The instance does not go while it is asked. */
static void
a_decision_holds_its_instance(void **state)
{
    (void)state;
    open_log(ratio_options(0.5));
    assert_true(waits_for(&log_of_test->link, decide_once));
    assert_true(waits_for(&log_of_test->link, read_roots_once));
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(roots_are_decided_by_a_threshold),
        CASE(always_on_has_no_threshold),
        CASE(a_tree_has_no_threshold),
        CASE(without_a_recorder_nothing_is_sampled),
        CASE(a_root_without_parent_is_decided_by_its_id),
        CASE(below_a_parent_its_flag_decides),
        CASE(a_tree_sees_what_the_writer_says),
        CASE(a_tree_sees_attributes),
        CASE(attributes_are_bounded),
        CASE(a_tree_sees_requests),
        CASE(a_tree_adds_attributes),
        CASE(nothing_is_left_behind),
        CASE(a_decision_holds_its_instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
