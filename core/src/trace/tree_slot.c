/* A sampler tree as the policy of a recorder, replaceable during decisions. Remote sampling may
 * replace it every minute for months: an old tree is freed as soon as no thread decides, and only a
 * few may wait for that. */
#include <sched.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "djp/error.h"
#include "trace/recorder_state.h"
#include "model/tables.h"

/* Trees that may wait for readers, and how often a writer yields to these. */
enum { TREE_SLOT__RETIRED = 4, TREE_SLOT__YIELDS = 1000 };

void
djp__policy_decide_by_tree(djp__head *out, djp_recorder *recorder, djp__sampler_input *input)
{
    djp__tree_slot *slot = &recorder->slot;
    djp__add_seq_cst(&slot->readers, 1u);
    djp_sampler *tree = djp__load_seq_cst(&slot->tree);
    if (tree != NULL) {
        djp__head_decide_by_tree(out, tree, input, djp__load_relaxed(&recorder->canary));
    } else {
        /* Replaced by a ratio a moment ago. */
        out->notes = NULL;
        const djp__policy *policy = &recorder->first;
        if (input->parent) {
            djp__head_decide(out, policy, recorder->options.parent_based, input->trace_id,
                             input->parent);
        } else {
            djp__head_decide_root(out, policy, input->trace_id);
        }
    }
    djp__sub_acq_rel(&slot->readers, 1u);
}

/* Frees replaced trees, unless a thread may still use them. Under the tables lock. */
static void
tree_slot_reap(djp__tree_slot *slot)
{
    for (int i = 0; slot->retired && i < TREE_SLOT__YIELDS; i++) {
        /* A reader that counts itself in from now on finds the new tree. */
        if (djp__load_seq_cst(&slot->readers) == 0) {
            while (slot->retired != NULL) {
                djp_sampler *tree = slot->retired;
                slot->retired = tree->next;
                djp_sampler_free(tree);
            }
            slot->retired_count = 0;
        } else if (slot->retired_count < TREE_SLOT__RETIRED) {
            return; /* retried at the next change */
        } else {
            sched_yield();
        }
    }
}

void
djp__tree_slot_fini(djp__tree_slot *slot)
{
    djp_sampler_free(djp__load_relaxed(&slot->tree));
    while (slot->retired != NULL) {
        djp_sampler *tree = slot->retired;
        slot->retired = tree->next;
        djp_sampler_free(tree);
    }
}

void
djp__policy_put(djp_recorder *recorder, const djp__policy *policy)
{
    const djp_sampler *tree = policy->tree ? djp__load_relaxed(&recorder->slot.tree) : NULL;
    djp__store_relaxed(&recorder->needs,
                       (tree != NULL ? tree->needs : 0u) | djp__span_processors_need(recorder));
    djp__store_release(&recorder->policy, policy);
    djp__recorder_set_off(recorder, (djp__load_relaxed(&recorder->state) & DJP__RECORDER_OFF) != 0);
}

/* Under the tables lock. */
static int
tree_slot_replace(djp_recorder *recorder, djp_sampler *tree)
{
    djp__tree_slot *slot = &recorder->slot;
    djp_sampler *old = djp__load_relaxed(&slot->tree);
    int same = tree && old != NULL && tree->text_size == old->text_size &&
               memcmp(tree->text, old->text, old->text_size) == 0;
    tree_slot_reap(slot);
    if (same || slot->retired_count >= TREE_SLOT__RETIRED) {
        djp_sampler_free(tree);
        return same ? 0 : DJP_ERETRY;
    }
    djp__store_seq_cst(&slot->tree, tree);
    recorder->configured = tree != NULL ? &slot->policy : &recorder->first;
    const djp__policy *configured = recorder->by_ratio ? NULL : djp__policy_configured(recorder);
    if (configured != NULL) {
        djp__policy_put(recorder, configured);
    }
    if (old != NULL) {
        old->next = slot->retired;
        slot->retired = old;
        slot->retired_count++;
        tree_slot_reap(slot);
    }
    return 0;
}

int
djp__recorder_set_sampler(djp_recorder *recorder, djp_sampler *sampler)
{
    if (sampler != NULL) {
        sampler->text = djp_sampler_text(&sampler->text_size, sampler);
        if (!sampler->text) {
            djp_sampler_free(sampler);
            return DJP_ENOMEM;
        }
    }
    djp__tables_lock();
    int result = tree_slot_replace(recorder, sampler);
    djp__tables_unlock();
    return result;
}

unsigned
djp_recorder_needs(const djp_recorder *recorder)
{
    return recorder != NULL ? djp__load_relaxed(&recorder->needs) : 0;
}

int
djp__recorder_sampler_text(char **out, djp_recorder *recorder)
{
    djp__tables_lock();
    const djp_sampler *tree = djp__load_relaxed(&recorder->slot.tree);
    char *text = tree != NULL ? djp__strdup(tree->text) : NULL;
    int result = tree && text == NULL ? DJP_ENOMEM : 0;
    djp__tables_unlock();
    *out = text;
    return result;
}

int
djp_recorder_would_sample(djp_recorder *recorder, const uint8_t trace_id[16])
{
    djp__head head;
    if (recorder == NULL) {
        return 0;
    }
    djp__head_decide_root(&head, djp__recorder_policy(recorder), trace_id);
    return head.decision.flag;
}
