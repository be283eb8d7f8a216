/* Spans found by the context that was taken from them: which are known, which gave way, and that a
 * trace leaves no entry behind. Random sharing is compared with a model. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/mem.h"
#include "local_trace_fixture.h"
#include "lock_guard.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"
#include "trace/span_seed.h"

enum { WAYS = 4, SETS = 512 };

static djp_span_context
context_of(const djp_span *span)
{
    djp_span_context context;
    djp_span_get_context(&context, span);
    return context;
}

/* Starts below a context of this process; the local trace that it joined is that of `of`. */
static int
joins(const djp_span_context *context, const djp_span *of)
{
    djp_span_options options = {.remote = context};
    djp_span *span = djp_span_start(recorder, DJP_TEXT("child"), &options);
    int joined = span->local == of->local;
    finish(span);
    return joined;
}

/* A root of these ids. */
static djp_span *
root_of(uint64_t trace, uint64_t id)
{
    djp__span_seed seed = {.start_monotonic = 1};
    memcpy(seed.trace_id, &trace, 8);
    memcpy(seed.span_id, &id, 8);
    return djp__span_start_as(recorder, "root", 4, NULL, &seed);
}

static int
set_up(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    return 0;
}

static void
a_shared_span_is_found(void **state)
{
    (void)state;
    djp_span *root = start(NULL), *child = start(root);
    djp_span_context of_root = context_of(root), of_child = context_of(child);
    assert_false(joins(&of_root, root));
    djp_span_share(root);
    assert_true(joins(&of_root, root));
    assert_false(joins(&of_child, root)); /* each for itself */
    djp_span_share(child);
    assert_true(joins(&of_child, root));
    djp_span_context other = of_root;
    other.trace_id[0] ^= 1;
    assert_false(joins(&other, root));
    other = of_root;
    other.span_id[7] ^= 1;
    assert_false(joins(&other, root));
    djp_span_share(NULL);
    finish(child);
    assert_true(joins(&of_child, root)); /* as long as its trace is open */
    finish(root);
}

static void
a_span_joins_as_a_child(void **state)
{
    (void)state;
    djp_span *root = start(NULL);
    djp_span_share(root);
    djp_span_context context = context_of(root);
    context.flags |= DJP_FLAG_SAMPLED;
    djp_span_options options = {.remote = &context};
    uint32_t refs = djp__load_relaxed(&root->own.refs);
    djp_span *span = djp_span_start(recorder, DJP_TEXT("child"), &options);
    assert_int_equal(djp__load_relaxed(&root->own.refs), refs + 1);
    assert_int_equal(span->is_root, DJP_SPAN_CHILD);
    assert_memory_equal(span->record->trace_id, context.trace_id, 16);
    assert_memory_equal(span->record->parent_id, context.span_id, 8);
    assert_int_equal(span->record->trace_flags, context.flags);
    assert_int_equal(span->record->parent_remote, 0);
    assert_int_equal(counters().started_by[DJP_ORIGIN_LOCAL][DJP__OUTCOME_RECORD_ONLY], 1);
    finish(span);
    finish(root);
}

/* Sharing twice is sharing once. */
static void
a_span_is_shared_once(void **state)
{
    (void)state;
    djp_span *root = start(NULL);
    djp_span_share(root);
    uint32_t first = djp__load_relaxed(&root->own.shared);
    assert_int_not_equal(first, 0);
    djp_span_share(root);
    assert_int_equal(djp__load_relaxed(&root->own.shared), first);
    djp__store_relaxed(&root->marks, 0); /* nor where the mark says nothing: the entry is there */
    djp_span_share(root);
    assert_int_equal(djp__load_relaxed(&root->own.shared), first);
    assert_int_equal(djp__load_relaxed(&root->marks), DJP_MARK_SHARED);
    finish(root);
}

/* What is not recorded has nothing to join. */
static void
silent_traces_are_not_shared(void **state)
{
    (void)state;
    djp__recorder_options options = ratio_options(0);
    options.drop_all = 1;
    use(options);
    djp_span *root = start(NULL);
    djp_span_share(root);
    assert_int_equal(djp__load_relaxed(&root->own.shared), 0);
    assert_int_equal(djp__load_relaxed(&root->marks), 0);
    finish(root);
}

/* A context of a span that ended with its trace belongs to none. */
static void
an_ended_trace_is_forgotten(void **state)
{
    (void)state;
    djp_span *roots[20];
    djp_span_context contexts[20];
    for (int i = 0; i < 20; i++) {
        roots[i] = start(NULL);
        djp_span_share(roots[i]);
        contexts[i] = context_of(roots[i]);
        for (int k = 0; k < 3; k++) {
            djp_span *child = start(roots[i]);
            djp_span_share(child);
            finish(child);
        }
    }
    for (int i = 0; i < 20; i += 2) {
        finish(roots[i]);
    }
    djp_span *other = start(NULL);
    for (int i = 0; i < 20; i++) {
        if (i % 2) {
            assert_true(joins(&contexts[i], roots[i]));
            continue;
        }
        djp_span_options options = {.remote = &contexts[i]};
        djp_span *span = djp_span_start(recorder, DJP_TEXT("late"), &options);
        assert_int_equal(span->is_root, DJP_SPAN_ROOT);
        finish(span);
    }
    for (int i = 1; i < 20; i += 2) {
        finish(roots[i]);
    }
    finish(other);
}

/* ---- what is exported ---- */

static void
end_failed(djp_span *span)
{
    djp_span_set_status(span, DJP_STATUS_ERROR, (djp_text){NULL, 0});
    finish(span);
}

static djp_span *
start_by_context(const djp_span_context *context)
{
    djp_span_options options = {.remote = context};
    return djp_span_start(recorder, DJP_TEXT("span"), &options);
}

static void
a_context_of_this_process_joins_its_trace(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    for (int shared = 0; shared < 2; shared++) {
        djp_span *root = start(NULL), *child = start(root);
        djp_span_context context;
        djp_span_get_context(&context, child);
        if (shared) {
            djp_span_share(child);
            djp_span_share(child);
        }
        finish(child); /* the handle is gone, the trace is open */
        end_failed(start_by_context(&context));
        finish(root);
        assert_int_equal(span_reader_drain(recorder), shared ? 3 : 1);
        end_failed(start_by_context(&context)); /* the trace is gone: a separate one */
        djp__span_record *record = span_reader_take(recorder);
        assert_int_equal(record->local_root, DJP_ROOT_OF_TRACE);
        assert_memory_equal(record->parent_id, context.span_id, 8);
        assert_memory_equal(record->trace_id, context.trace_id, 16);
        free(record);
    }
}

static void
a_remote_context_joins_nothing(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    djp_span *root = start(NULL);
    djp_span_context context;
    djp_span_get_context(&context, root);
    djp_span_share(root);
    context.is_remote = 1;
    end_failed(start_by_context(&context));
    finish(root);
    assert_int_equal(span_reader_drain(recorder), 1);
}

static void
another_recorders_context_joins_nothing(void **state)
{
    (void)state;
    djp_recorder *other;
    djp__recorder_options options = ratio_options(1e-9);
    assert_int_equal(djp__recorder_new(&other, &options), 0);
    use(ratio_options(1e-9));
    djp_span *root = djp_span_start(other, DJP_TEXT("root"), NULL);
    djp_span_context context;
    djp_span_get_context(&context, root);
    djp_span_share(root);
    djp_span *child = start_by_context(&context);
    finish(root);
    end_failed(child);
    assert_int_equal(span_reader_drain(recorder), 1);
    djp__recorder_free(other);
}

/* The newest are known; those that gave way still work as contexts. */
static void
many_shared_spans_are_bounded(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    djp_span *root = start(NULL), *spans[100];
    djp_span_context context;
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 100; i++) {
            spans[i] = start(i % 2 ? root : NULL);
            djp_span_share(spans[i]);
        }
        djp_span_get_context(&context, spans[99]);
        djp_span *child = start_by_context(&context);
        djp_span_release(child);
        for (int i = 0; i < 100; i++) {
            finish(spans[i]);
        }
    }
    end_failed(start_by_context(&context));
    finish(root);
    djp__span_record *record;
    unsigned kept = 0;
    while ((record = span_reader_take(recorder)) != NULL) {
        kept++;
        free(record);
    }
    assert_int_equal(kept, 5002);
}

/* ---- a model ---- */

enum { MODEL_ROOTS = 40, MODEL_STEPS = 20000, MODEL_IDS = 3 * WAYS };

typedef struct shared_span {
    djp_span *span;
    djp_span_context context;
    int root; /* index of its root */
    uint64_t age; /* 0: not shared, or it gave way */
} shared_span;

typedef struct model {
    djp_span *roots[MODEL_ROOTS];
    shared_span spans[MODEL_ROOTS][4]; /* the first is the root's */
    uint64_t clock;
} model;

static uint32_t
draw(uint32_t below)
{
    static uint64_t random = 3;
    random = random * 6364136223846793005u + 1442695040888963407ull;
    return (uint32_t)((random >> 33) % below);
}

/* All ids of a test have the same set: so many of them that the product has the same upper bits. */
static uint64_t
id_of_set(uint32_t number)
{
    static uint64_t ids[MODEL_ROOTS * 4];
    static uint32_t found;
    for (uint64_t id = found == 0 ? 1 : ids[found - 1] + 1; found <= number; id++) {
        if ((id * 0x9e3779b97f4a7c15ull >> 55) % SETS == 7) {
            ids[found++] = id;
        }
    }
    return ids[number];
}

static void
model_open(model *it, int r)
{
    djp__span_seed seed = {.start_monotonic = 1};
    djp_span_options options = {.parent = NULL};
    it->roots[r] = root_of(1 + draw(1000000), id_of_set((uint32_t)r * 4));
    for (uint32_t i = 0; i < 4; i++) {
        shared_span *shared = &it->spans[r][i];
        uint64_t id = id_of_set((uint32_t)r * 4 + i);
        memcpy(seed.span_id, &id, 8);
        options.parent = it->roots[r];
        shared->span =
            i == 0 ? it->roots[r] : djp__span_start_as(recorder, "child", 5, &options, &seed);
        shared->context = context_of(shared->span);
        shared->root = r;
        shared->age = 0;
    }
}

static void
model_close(model *it, int r)
{
    for (int i = 4; i-- > 0;) {
        finish(it->spans[r][i].span);
        it->spans[r][i].age = 0;
    }
    it->roots[r] = NULL;
}

/* The oldest of the set gives way when it is full. */
static void
model_share(model *it, shared_span *shared)
{
    shared_span *oldest = NULL;
    int known = 0;
    for (int i = 0; i < MODEL_ROOTS * 4; i++) {
        shared_span *other = &it->spans[i / 4][i % 4];
        if (other->age != 0) {
            known++;
            oldest = oldest == NULL || other->age < oldest->age ? other : oldest;
        }
    }
    if (shared->age != 0 || djp__load_relaxed(&shared->span->marks) & DJP_MARK_SHARED) {
        return; /* it is shared only once */
    }
    if (known == WAYS) {
        oldest->age = 0;
    }
    shared->age = ++it->clock;
}

static void
entries_give_way_in_their_order(void **state)
{
    (void)state;
    static model it;
    memset(&it, 0, sizeof it);
    for (int step = 0; step < MODEL_STEPS; step++) {
        int r = (int)draw(MODEL_ROOTS);
        if (it.roots[r] == NULL) {
            model_open(&it, r);
        } else if (draw(6) == 0) {
            model_close(&it, r);
        } else {
            shared_span *shared = &it.spans[r][draw(4)];
            model_share(&it, shared);
            djp_span_share(shared->span);
        }
        shared_span *asked = &it.spans[draw(MODEL_ROOTS)][draw(4)];
        if (it.roots[asked->root] != NULL && asked->span != NULL) {
            assert_int_equal(joins(&asked->context, it.roots[asked->root]), asked->age != 0);
        }
        if (step % 500 == 0) {
            span_reader_drain(recorder);
        }
    }
    for (int r = 0; r < MODEL_ROOTS; r++) {
        if (it.roots[r] != NULL) {
            model_close(&it, r);
        }
    }
}

/* All 2,048 places are in use before one gives way that is not of the same set. */
static void
the_table_holds_so_many(void **state)
{
    (void)state;
    enum { MANY = WAYS * SETS / 2 };
    djp_span **roots = calloc(MANY, sizeof *roots);
    int known = 0;
    for (int i = 0; i < MANY; i++) {
        roots[i] = start(NULL);
        djp_span_share(roots[i]);
    }
    for (int i = 0; i < MANY; i++) {
        djp_span_context context = context_of(roots[i]);
        known += joins(&context, roots[i]);
    }
    assert_in_range(known, MANY * 9 / 10, MANY);
    for (int i = 0; i < MANY; i++) {
        finish(roots[i]);
    }
    free(roots);
}

/* ---- threads, processes and memory ---- */

static djp_span *guarded;
static djp_span_context guarded_context;

static void
share_it(void)
{
    djp_span_share(guarded);
}

static void
join_it(void)
{
    djp_span_options options = {.remote = &guarded_context};
    finish(djp_span_start(recorder, DJP_TEXT("child"), &options));
}

static void
end_it(void)
{
    finish(guarded);
}

static void
the_table_is_locked(void **state)
{
    (void)state;
    guarded = start(NULL);
    guarded_context = context_of(guarded);
    assert_true(waits_for(NULL, share_it));
    assert_true(waits_for(NULL, join_it));
    assert_true(waits_for(NULL, end_it));
}

/* The last block of a trace is leaving while a start finds it: it begins another trace. */
static void
a_trace_that_leaves_is_not_joined(void **state)
{
    (void)state;
    djp_span *root = start(NULL);
    djp_span_context context = context_of(root);
    djp_span_share(root);
    uint32_t refs = djp__load_relaxed(&root->own.refs);
    djp__store_relaxed(&root->own.refs, 0u);
    assert_false(joins(&context, root));
    assert_int_equal(djp__load_relaxed(&root->own.refs), 0);
    djp__store_relaxed(&root->own.refs, refs);
    assert_true(joins(&context, root));
    finish(root);
}

static void
another_process_knows_none(void **state)
{
    (void)state;
    djp_span *root = start(NULL), *not_yet = start(root);
    djp_span_context context = context_of(root);
    djp_span_share(root);
    djp__store_relaxed(&djp__fork_generation_value, djp__fork_generation() + 1);
    int joined = joins(&context, root);
    djp_span_share(not_yet);
    int marked = djp__load_relaxed(&not_yet->marks);
    djp__store_relaxed(&djp__fork_generation_value, djp__fork_generation() - 1);
    assert_false(joined);
    assert_int_equal(marked, 0);
    finish(not_yet);
    finish(root);
    span_reader_drain(recorder);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_shared_span_is_found),
        CASE(a_span_joins_as_a_child),
        CASE(a_span_is_shared_once),
        CASE(silent_traces_are_not_shared),
        CASE(an_ended_trace_is_forgotten),
        CASE(a_context_of_this_process_joins_its_trace),
        CASE(a_remote_context_joins_nothing),
        CASE(another_recorders_context_joins_nothing),
        CASE(many_shared_spans_are_bounded),
        CASE(entries_give_way_in_their_order),
        CASE(the_table_holds_so_many),
        CASE(the_table_is_locked),
        CASE(a_trace_that_leaves_is_not_joined),
        CASE(another_process_knows_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
