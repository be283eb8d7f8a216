/* Starts, ends and releases spans. The fast path takes an idle block, draws ids, reads the clock
 * once and copies the name, without lock, system call or allocation. */
#include "djp/span.h"

#include <string.h>

#include "base/clock.h"
#include "base/fork.h"
#include "base/mem.h"
#include "base/rand.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"
#include "trace/span_seed.h"
#include "model/text_copy.h"

/* Initialises a block as an empty span that does not record. */
static void
span_clear(djp_span *span, djp_recorder *recorder)
{
    djp__span_record *record = (djp__span_record *)(void *)span->space;
    const djp__recorder_options *options = &recorder->options;
    /* In two parts, which compilers turn into stores instead of a call. */
    memset(record, 0, 64);
    memset((char *)record + 64, 0, sizeof *record - 64);
    record->type = DJP_RECORD_SPAN;
    span->record = record;
    span->used = sizeof *record;
    span->capacity = DJP__SPAN_INLINE_BYTES;
    span->attributes = 0;
    span->attribute_limit = options->attribute_count_limit;
    span->value_limit = options->attribute_value_length_limit;
    span->is_root = 0;
    span->explicit_start = 0;
    span->keys_unique = 0;
    djp__store_relaxed(&span->ended, 0);
    djp__store_relaxed(&span->marks, 0);
    djp__store_relaxed(&span->refs, 1u);
    span->dead_bytes = 0;
    span->lost = 0;
    span->recorder = recorder;
}

/* The parent's local trace is over. 1: span begins a late one. */
static __attribute__((noinline)) int
span_join_late(djp_span *span, djp_span *parent, uintptr_t word)
{
    span->local = djp__late_home(parent, word);
    if (span->local) {
        return 0;
    }
    djp__late_begin(span, parent->local);
    return 1;
}

static void
span_join(djp_span *span, djp_span *parent)
{
    const djp__span_record *from = djp__span_identity(parent);
    djp__span_record *record = span->record;
    uintptr_t word = djp__load_acquire(&parent->local->state_word);
    span->local = parent->local;
    if (__builtin_expect(!djp__trace_is_over(word), 1) || !span_join_late(span, parent, word)) {
        djp__add_relaxed(&span->local->refs, 1u);
    }
    memcpy(record->trace_id, from->trace_id, sizeof record->trace_id);
    memcpy(record->parent_id, from->span_id, sizeof record->parent_id);
    record->trace_flags = from->trace_flags;
    djp__count_in(span->recorder, span->local, DJP__COUNT_STARTED_LOCAL);
}

/* Below a local context: joins the local trace of its span if that is known and live. */
static __attribute__((noinline)) int
span_join_shared(djp_span *span, const djp_span_context *parent)
{
    djp__span_record *record = span->record;
    if (!djp_span_context_is_valid(parent) || !djp__shared_join(span, parent)) {
        return 0;
    }
    memcpy(record->trace_id, parent->trace_id, sizeof record->trace_id);
    memcpy(record->parent_id, parent->span_id, sizeof record->parent_id);
    record->trace_flags = parent->flags;
    djp__count_in(span->recorder, span->local, DJP__COUNT_STARTED_LOCAL);
    return 1;
}

/* Decides by the sampler tree. */
static __attribute__((noinline)) void
span_decide_by_tree(djp__head *out, djp_span *span, djp_text name, const djp_span_options *options,
                    const djp_span_context *parent)
{
    djp__sampler_input input = {
        .trace_id = span->record->trace_id,
        .parent = parent,
        .name = options->sampling_name.data ? options->sampling_name : name,
        .kind = span->record->kind,
        .attributes = options->sampling_attributes,
        .attribute_count = options->sampling_attribute_count,
    };
    djp__policy_decide_by_tree(out, span->recorder, &input);
    uint8_t outcome = out->decision.outcome;
    if (outcome == DJP__OUTCOME_DROP ||
        (outcome == DJP__OUTCOME_RECORD_ONLY && !span->recorder->tail_rules)) {
        djp__sampler_notes_unref(out->notes); /* nothing is recorded */
        out->notes = NULL;
    }
    span->own.notes = out->notes;
    out->extras |= out->notes != NULL ? DJP_EXTRA_NOTES : 0;
}

/* sampling.reason counts towards the root's attribute limit. */
static inline void
span_reserve_reason(djp_span *span)
{
    if (span->attribute_limit > 0) {
        span->attribute_limit--;
    } else {
        span->record->local_root = DJP_ROOT_NOT;
    }
}

/* A rule may allow the route more time than decision_wait. The route of a request is not known
 * yet. */
static void
span_ask_patience(djp_span *span, djp_text name)
{
    const djp_recorder *recorder = span->recorder;
    int route_comes = span->record->kind == DJP_KIND_SERVER;
    if (djp__tail_rules_is_patient(recorder->rules, name, route_comes,
                                   recorder->decision_wait_ns)) {
        djp__or_acq_rel(&span->own.flags, DJP__TRACE_FLAG_PATIENT);
    }
}

/* The rare work at the start of a local trace. */
static __attribute__((noinline)) void
span_begin_more(djp_span *span, djp_text name)
{
    if (span->recorder->begins & DJP__BEGINS_RULED) {
        span_ask_patience(span, name);
    }
    if (span->recorder->begins & DJP__BEGINS_PROCESSED) {
        span->own.extras |= DJP__EXTRA_PROCESSED;
    }
}

/* Begins a local trace: below a remote parent, below a span of another process or recorder, or
 * without a parent. */
static inline __attribute__((always_inline)) void
span_begin_local(djp_span *span, djp_text name, const djp_span_options *options,
                 const djp_span_context *parent, const djp__span_seed *seed)
{
    djp__span_record *record = span->record;
    djp__head head;
    uint8_t random = DJP_FLAG_RANDOM;
    djp__count_place origin = DJP__COUNT_STARTED;
    if (parent != NULL) {
        memcpy(record->trace_id, parent->trace_id, sizeof record->trace_id);
        memcpy(record->parent_id, parent->span_id, sizeof record->parent_id);
        record->parent_remote = parent->is_remote;
        random = parent->flags & DJP_FLAG_RANDOM;
        origin = parent->is_remote ? DJP__COUNT_STARTED_REMOTE : DJP__COUNT_STARTED_LOCAL;
    } else if (seed != NULL) {
        memcpy(record->trace_id, seed->trace_id, sizeof record->trace_id);
    } else {
        djp__rand_trace_id(record->trace_id);
    }
    const djp__policy *policy = djp__recorder_policy(span->recorder);
    if (seed != NULL && seed->decided) {
        djp__head_adopt(&head, &seed->decision, parent);
    } else if (__builtin_expect(policy->tree, 0)) {
        span_decide_by_tree(&head, span, name, options, parent);
    } else if (parent != NULL) {
        djp__head_decide(&head, policy, span->recorder->options.parent_based, record->trace_id,
                         parent);
    } else {
        djp__head_decide_root(&head, policy, record->trace_id);
    }
    record->trace_flags = (uint8_t)(random | (head.decision.flag ? DJP_FLAG_SAMPLED : 0u));
    record->local_root = DJP_ROOT_OF_TRACE;
    if (head.decision.reason != DJP_REASON_ALWAYS) {
        span_reserve_reason(span);
    }
    djp__local_trace_begin(span, &head);
    if (__builtin_expect(span->recorder->begins != 0, 0)) {
        span_begin_more(span, name);
    }
    span->own.anchor = djp__clock_anchor();
    djp__count_in(span->recorder, &span->own, origin);
}

static inline uint8_t
span_kind_of(const djp_span_options *options)
{
    int known = options->kind >= DJP_KIND_INTERNAL && options->kind <= DJP_KIND_CONSUMER;
    return known ? options->kind : (uint8_t)DJP_KIND_INTERNAL;
}

static inline void
span_place(djp_span *span, djp_text name, const djp_span_options *options,
           const djp__span_seed *seed)
{
    static const djp_span_options none;
    djp_span_context context;
    options = options != NULL ? options : &none;
    djp_span *parent = options->force_root ? NULL : options->parent;
    const djp_span_context *remote = options->force_root ? NULL : options->remote;
    span->record->scope = options->scope;
    span->record->kind = span_kind_of(options);
    if (seed != NULL) {
        memcpy(span->record->span_id, seed->span_id, sizeof seed->span_id);
    } else {
        djp__rand_span_id(span->record->span_id);
    }
    if (parent != NULL && parent->recorder == span->recorder &&
        parent->local->generation == djp__fork_generation()) {
        span_join(span, parent);
        if (seed != NULL) {
            memcpy(span->record->parent_id, seed->parent_id, sizeof seed->parent_id);
        }
        return;
    }
    if (parent != NULL) {
        djp_span_get_context(&context, parent);
        remote = &context;
    } else if (remote != NULL) {
        if (!remote->is_remote && span_join_shared(span, remote)) {
            return;
        }
        remote = djp_span_context_is_valid(remote) ? remote : NULL;
    }
    span_begin_local(span, name, options, remote, seed);
}

/* The fast path for a short ASCII name. */
static inline void
span_put_name(djp_span *span, const char *name, size_t size)
{
    djp__span_record *record = span->record;
    if (__builtin_expect(name && size - 1u < 128u, 1)) {
        djp__item item = {0, djp__item_head(DJP_ITEM_TEXT, DJP_STRING, size)};
        char *at = (char *)(record + 1);
        memcpy(at, &item, sizeof item);
        if (__builtin_expect(!djp__copy_text(at + sizeof item, name, size), 1)) {
            record->name_at = (uint32_t)(sizeof *record + sizeof item);
            record->name_size = (uint32_t)size;
            span->used = (uint32_t)(sizeof *record + sizeof item + djp__pad8(size));
            return;
        }
    }
    djp_span_update_name(span, (djp_text){name, size});
}

/* The received tracestate without the "ot" member, which the exporter writes from the threshold. */
static void
span_put_state(djp_span *span)
{
    djp_text text = djp_tracestate_text(span->local->state);
    if (text.size > 0 && text.size <= DJP_TRACESTATE_SIZE_MAX) {
        uint32_t start = span->used, kept;
        if (djp__span_put_text_item(span, DJP_ITEM_TEXT, DJP_STRING, 0, text, SIZE_MAX, &kept)) {
            span->record->state_at = start + (uint32_t)sizeof(djp__item);
            span->record->state_size = kept;
        } else {
            span->used = start;
        }
    }
}

static __attribute__((noinline)) void
span_put_extras(djp_span *span, const djp_span_options *options)
{
    djp__local_trace *local = span->local;
    if (local->extras & DJP_EXTRA_STATE) {
        span_put_state(span);
    }
    if (local->extras & DJP_EXTRA_NOTES && span->is_root) {
        djp__sampler_notes *notes = local->notes;
        for (uint32_t i = 0; i < notes->count; i++) {
            const djp_attribute *item = &notes->items[i];
            djp_span_set_value(span, djp_key_intern(item->key), &item->value);
        }
        local->extras &= (uint8_t)~DJP_EXTRA_NOTES;
        djp__sampler_notes_unref(notes);
    }
    if (local->extras & DJP__EXTRA_PROCESSED) {
        djp__span_processors_start(span, options);
    }
}

/* Inlined into both callers, so that the common one has no overhead. */
static inline __attribute__((always_inline)) djp_span *
span_start(djp_recorder *recorder, const char *name, size_t name_size,
           const djp_span_options *options, const djp__span_seed *seed)
{
    if ((recorder == NULL ||
         (djp__load_relaxed(&recorder->state) & (DJP__RECORDER_NO_STARTS | DJP__RECORDER_FIRST))) &&
        !djp__recorder_try_start(recorder)) {
        return NULL;
    }
    djp_span *span = djp__span_block_take();
    if (__builtin_expect(span == NULL, 0)) {
        djp__count(recorder, DJP__COUNT_DROP(SPAN_NO_MEMORY));
        return NULL;
    }
    span_clear(span, recorder);
    span_place(span, (djp_text){name, name_size}, options, seed);
    span->start_monotonic = seed != NULL ? seed->start_monotonic : djp__clock_monotonic();
    span->record->start_unix_ns = span->start_monotonic + (uint64_t)span->local->anchor;
    if (options != NULL && options->start_unix_ns) {
        span->record->start_unix_ns = options->start_unix_ns;
        span->explicit_start = 1;
    }
    span->recording = !djp__local_is_silent(span->local);
    if (span->recording) {
        span_put_name(span, name, name_size);
        if (__builtin_expect(span->local->extras, 0)) {
            span_put_extras(span, options);
        }
    } else if (djp__recorder_policy(recorder)->drop_all) {
        djp__recorder_notify(recorder);
    }
    return span;
}

djp_span *
djp_span_start(djp_recorder *recorder, djp_text name, const djp_span_options *options)
{
    return span_start(recorder, name.data, name.size, options, NULL);
}

djp_span *
djp__span_start_as(djp_recorder *recorder, const char *name, size_t name_size,
                   const djp_span_options *options, const djp__span_seed *seed)
{
    return span_start(recorder, name, name_size, options, seed);
}

/* Sets the end time and returns the duration. */
static uint64_t
span_stop(djp_span *span, uint64_t end_unix_ns)
{
    djp__span_record *record = span->record;
    uint64_t duration;
    if (end_unix_ns == 0) {
        uint64_t now = djp__clock_monotonic();
        duration = now > span->start_monotonic ? now - span->start_monotonic : 0;
        end_unix_ns = record->start_unix_ns + duration;
        if (span->explicit_start) {
            end_unix_ns = now + (uint64_t)span->local->anchor;
        }
    }
    if (end_unix_ns < record->start_unix_ns) {
        end_unix_ns = record->start_unix_ns;
    }
    record->end_unix_ns = end_unix_ns;
    return end_unix_ns - record->start_unix_ns;
}

/* Turns the data of an ended span into its record. */
static inline void
span_seal(djp_span *span)
{
    span->record->size = span->used;
    span->record->attribute_items = (uint16_t)span->attributes;
}

void
djp__span_mark_late(djp_span *span)
{
    span->recording = 1;
    djp_span_set_bool(span, span->recorder->late_key, 1);
    span->recording = 0;
    span_seal(span);
}

/* An end after losses, or with processors. */
static __attribute__((noinline)) void
span_end_more(djp_span *span)
{
    const djp__span_record *record = span->record;
    if (span->lost & DJP__SPAN_PROCESSED) {
        djp__span_processors_end(span);
        if (span->dead_bytes >= 256) {
            djp__span_sweep(span);
        }
        span_seal(span);
        record = span->record;
    }
    uint64_t lost = (uint64_t)record->dropped_attributes + record->dropped_events +
                    record->dropped_links + span->lost;
    if (lost != 0) {
        djp__count_add(span->recorder, DJP__COUNT_ATTRIBUTES, lost);
    }
}

uint64_t
djp_span_end(djp_span *span, uint64_t end_unix_ns)
{
    if (__builtin_expect(span == NULL || djp__load_relaxed(&span->ended), 0)) {
        return 0;
    }
    djp__store_relaxed(&span->ended, 1);
    if (__builtin_expect(span->record->status == DJP_STATUS_ERROR, 0) &&
        span->recorder->options.tell_errors && span->recording) {
        djp__span_tell_error(span);
    }
    span->recording = 0;
    if (span->dead_bytes >= 256) {
        djp__span_sweep(span);
    }
    djp__span_record *record = span->record;
    uint64_t duration = span_stop(span, end_unix_ns);
    span_seal(span);
    uint64_t lost = (uint64_t)record->dropped_attributes + record->dropped_events +
                    record->dropped_links + span->lost;
    if (__builtin_expect(lost != 0, 0)) {
        span_end_more(span);
    }
    djp__local_trace_submit(span, duration);
    return duration;
}

uint64_t
djp__span_unix_time(const djp_span *span, uint64_t monotonic)
{
    return span != NULL ? monotonic + (uint64_t)span->local->anchor : 0;
}

int
djp__span_is_sampled(const djp_span *span)
{
    uintptr_t word = djp__load_acquire(&span->local->state_word);
    return djp__trace_is_decided(word) && !djp__verdict_drops(djp__trace_verdict(word));
}

uint64_t
djp__span_end_at(djp_span *span, uint64_t end_monotonic)
{
    return djp_span_end(span, djp__span_unix_time(span, end_monotonic));
}

void
djp_span_release(djp_span *span)
{
    if (span == NULL) {
        return;
    }
    djp_recorder *recorder = span->recorder;
    int inherited = span->local->generation != djp__fork_generation();
    if (__builtin_expect(!djp__load_relaxed(&span->ended), 0)) {
        djp__store_relaxed(&span->ended, 1);
        span->recording = 0;
        djp__count_in(recorder, span->local,
                      inherited ? DJP__COUNT_DROP(FORKED) : DJP__COUNT_DROP(NEVER_ENDED));
        if (span->is_root) {
            djp__local_trace_abandon(span);
        }
    }
    djp__span_unref(span);
    /* From here on its owner may free the recorder. */
    if (__builtin_expect(inherited, 0)) {
        djp__sub_acq_rel(&recorder->inherited, 1u);
    } else {
        djp__count(recorder, DJP__COUNT_RELEASED);
    }
}

void
djp_span_set_long_lived(djp_span *span)
{
    if (span != NULL && span->is_root == DJP_SPAN_ROOT) {
        djp__or_acq_rel(&span->own.flags, DJP__TRACE_FLAG_LONG);
    }
}

int
djp_span_is_recording(const djp_span *span)
{
    return span && span->recording;
}

void
djp_span_get_context(djp_span_context *out, const djp_span *span)
{
    memset(out, 0, sizeof *out);
    if (span != NULL) {
        const djp__span_record *identity = djp__span_identity(span);
        memcpy(out->trace_id, identity->trace_id, sizeof out->trace_id);
        memcpy(out->span_id, identity->span_id, sizeof out->span_id);
        out->flags = identity->trace_flags;
        out->state = span->local->state;
    }
}

uint64_t
djp_span_start_monotonic_ns(const djp_span *span)
{
    return span != NULL ? span->start_monotonic : 0;
}
