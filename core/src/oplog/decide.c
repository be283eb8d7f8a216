/* Head decisions for writers of oplogs, needed before the replay of a start: by ratio below a
 * remote parent, and by a sampler tree for every local root. */
#include <string.h>

#include "base/buf.h"
#include "instrument/http_server.h"
#include "oplog/oplog.h"
#include "trace/recorder_state.h"
#include "sampling/tree.h"
#include "trace/span_seed.h"

enum { OPLOG_DECIDE__BYTES = 1 << 20 };

/* ---- attributes to add, as the payload of an operation ---- */

static void
decide_word(djp__buf *out, size_t value)
{
    uint32_t word = (uint32_t)value;
    djp__buf_append(out, &word, sizeof word);
}

static void
decide_sized(djp__buf *out, djp_text text)
{
    decide_word(out, text.size);
    djp__buf_append(out, text.data, text.size);
}

static void
decide_value(djp__buf *out, const djp_value *value)
{
    djp__buf_char(out, (char)value->type);
    if (value->type == DJP_STRING) {
        decide_sized(out, value->as.text);
    } else if (value->type == DJP_BOOL) {
        djp__buf_char(out, (char)(value->as.boolean != 0));
    } else {
        djp__buf_append(out, &value->as, sizeof value->as.integer); /* or a double */
    }
}

static void
decide_notes(djp_oplog_reply *out, const djp__sampler_notes *notes)
{
    djp__buf payload;
    djp__buf_init(&payload, 0);
    djp__buf_char(&payload, DJP_MAP);
    decide_word(&payload, notes->count);
    for (uint32_t i = 0; i < notes->count; i++) {
        decide_sized(&payload, notes->items[i].key);
        decide_value(&payload, &notes->items[i].value);
    }
    out->keyed = (unsigned char *)djp__buf_take(&payload, &out->keyed_size);
}

/* ---- decisions ---- */

static void
decide_write(djp_oplog_decision *out, const djp__decision *decision)
{
    *out = (djp_oplog_decision){decision->flag, decision->outcome, decision->reason,
                                decision->threshold, decision->recorded};
    out->threshold = out->threshold < DJP__THRESHOLD_NEVER ? out->threshold : DJP__THRESHOLD_NEVER;
}

static void
decide_by_tree(djp__head *out, djp_oplog *log, djp_recorder *recorder, const djp_oplog_root *root)
{
    djp__http_sampling http;
    djp__oplog_sampling instrument;
    djp__sampler_input input = {
        .trace_id = root->parent ? root->parent->trace_id : root->trace_id,
        .parent = root->parent,
        .name = root->name,
        .kind = root->kind ? root->kind : (unsigned)DJP_KIND_INTERNAL,
    };
    djp__arena arena;
    djp__arena_init(&arena, OPLOG_DECIDE__BYTES);
    if (root->http) {
        djp__http_sampling_fill(&http, log->server,
                                root->http == 2 ? DJP_HTTP_WEBSOCKET : DJP_HTTP_REQUEST,
                                &root->request);
        input.name = http.name_text;
        input.kind = DJP_KIND_SERVER;
        input.attributes = http.attributes;
        input.attribute_count = http.count;
    } else if (root->kind & DJP_OPLOG_INSTRUMENT) {
        djp__oplog_sampling_fill(&instrument, &log->owner->host, root);
        input.name = instrument.name;
        input.kind = instrument.kind;
        input.attributes = instrument.attributes;
        input.attribute_count = instrument.count;
    } else {
        djp__oplog_attributes_in(&input.attributes, &input.attribute_count, &arena,
                                 root->attributes, root->attributes_size);
    }
    djp__policy_decide_by_tree(out, recorder, &input);
    djp__arena_fini(&arena);
}

static void
decide_decide(djp__head *out, djp_oplog *log, djp_recorder *recorder, const djp_oplog_root *root)
{
    const djp__policy *policy = djp__recorder_policy(recorder);
    const djp_span_context *parent = root->parent;
    out->notes = NULL;
    if (policy->tree) {
        decide_by_tree(out, log, recorder, root);
    } else if (parent != NULL) {
        djp__head_decide(out, policy, recorder->options.parent_based, parent->trace_id, parent);
    } else {
        djp__head_decide_root(out, policy, root->trace_id);
    }
}

void
djp_oplog_decide(djp_oplog_reply *out, djp_oplog *log, const djp_oplog_root *root)
{
    memset(out, 0, sizeof *out);
    out->decision.threshold = DJP__THRESHOLD_NEVER;
    djp__mutex_lock(&log->link);
    djp_recorder *recorder = log->owner ? log->owner->host.recorder : NULL;
    if (recorder != NULL) {
        djp__head head;
        decide_decide(&head, log, recorder, root);
        decide_write(&out->decision, &head.decision);
        out->state = head.extras & DJP_EXTRA_STATE ? head.state : djp_tracestate_ref(head.state);
        if (head.notes != NULL && head.decision.outcome != DJP__OUTCOME_DROP) {
            decide_notes(out, head.notes);
        }
        djp__sampler_notes_unref(head.notes);
    }
    djp__mutex_unlock(&log->link);
}

/* The active policy for roots without a parent, as two decisions. With a tree, each root is decided
 * separately. */
static void
decide_policy(djp_oplog_roots *out, const djp_recorder *recorder)
{
    const djp__policy *policy = djp__recorder_policy(recorder);
    uint64_t threshold = policy->always_on ? 0 : policy->threshold;
    uint64_t recorded = policy->tree ? djp__load_relaxed(&recorder->canary) : policy->recorded;
    out->threshold = policy->drop_all || policy->tree ? DJP__THRESHOLD_NEVER : threshold;
    out->unsampled.outcome = policy->drop_all ? DJP__OUTCOME_DROP : DJP__OUTCOME_RECORD_ONLY;
    out->unsampled.recorded = policy->drop_all ? 0 : recorded;
    out->sampled =
        (djp_oplog_decision){1, DJP__OUTCOME_SAMPLE, DJP_REASON_RATIO, threshold, recorded};
    if (policy->always_on) {
        out->sampled.reason = DJP_REASON_ALWAYS;
        out->sampled.threshold = DJP__THRESHOLD_NEVER;
    }
    out->state = policy->root_state != NULL ? djp_tracestate_ref(policy->root_state) : NULL;
}

void
djp_oplog_head(djp_oplog_roots *out, djp_oplog *log)
{
    memset(out, 0, sizeof *out);
    out->threshold = out->sampled.threshold = out->unsampled.threshold = DJP__THRESHOLD_NEVER;
    djp__mutex_lock(&log->link);
    if (log->owner && log->owner->host.recorder) {
        decide_policy(out, log->owner->host.recorder);
    }
    djp__mutex_unlock(&log->link);
}
