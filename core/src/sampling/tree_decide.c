/* The decision of a sampler tree about one root: one walk from the root of the tree to a leaf,
 * without allocation or lock. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "djp/span.h"
#include "model/record.h"
#include "sampling/head.h"
#include "sampling/tree.h"

/* ---- rate limits ---- */

/* Takes one trace from the budget, by the virtual schedule of a leaky bucket, which needs one
 * number. */
static int
tree_decide_take(djp_sampler *node, uint64_t now)
{
    uint64_t due = djp__load_acquire(&node->due_ns), next;
    if (node->period_ns == 0) {
        return 0;
    }
    now = now ? now : djp__clock_monotonic();
    do {
        if (due > now + node->saved_ns) {
            return 0;
        }
        next = (due > now ? due : now) + node->period_ns;
    } while (!djp__cas_weak_acq_rel(&node->due_ns, &due, next));
    return 1;
}

/* ---- predicates ---- */

static int
tree_decide_fits(const djp_sampler_term *term, djp_text text)
{
    return djp__text_fits(text, term->pattern, term->prefix);
}

static int
tree_decide_fits_value(const djp_sampler_term *term, const djp_value *value)
{
    char room[24];
    switch (value->type) {
    case DJP_STRING:
        return tree_decide_fits(term, value->as.text);
    case DJP_INT:
        return tree_decide_fits(term, djp__digits(room, value->as.integer));
    case DJP_BOOL:
        return tree_decide_fits(term,
                                value->as.boolean ? (djp_text){"true", 4} : (djp_text){"false", 5});
    default:
        return term->prefix && term->pattern.size == 0;
    }
}

/* The last value of a key applies. */
static int
tree_decide_has(const djp_sampler_term *term, const djp__sampler_input *input)
{
    for (size_t i = input->attribute_count; i > 0; i--) {
        const djp_attribute *attribute = &input->attributes[i - 1];
        if (attribute->key.size == term->key.size &&
            memcmp(attribute->key.data, term->key.data, term->key.size) == 0) {
            return tree_decide_fits_value(term, &attribute->value);
        }
    }
    return 0;
}

static int
tree_decide_holds(const djp_sampler_term *term, const djp__sampler_input *input)
{
    const djp_span_context *parent = input->parent;
    switch (term->test) {
    case DJP_SAMPLER_ANY:
        return 1;
    case DJP_SAMPLER_ROOT:
        return parent == NULL;
    case DJP_SAMPLER_REMOTE_PARENT:
        return parent && parent->is_remote;
    case DJP_SAMPLER_PARENT_SAMPLED:
        return parent && (parent->flags & DJP_FLAG_SAMPLED) != 0;
    case DJP_SAMPLER_KIND:
        return input->kind == term->kind;
    case DJP_SAMPLER_NAME:
        return tree_decide_fits(term, input->name);
    case DJP_SAMPLER_ATTRIBUTE:
        return tree_decide_has(term, input);
    }
    return 0;
}

static int
tree_decide_meets(const djp__sampler_rule *rule, const djp__sampler_input *input)
{
    for (size_t i = 0; i < rule->count; i++) {
        if (tree_decide_holds(&rule->terms[i], input) == (rule->terms[i].negated != 0)) {
            return 0;
        }
    }
    return 1;
}

/* The first matching rule, or NULL. */
static djp_sampler *
tree_decide_rule(const djp_sampler *node, const djp__sampler_input *input)
{
    uint32_t named = UINT32_MAX;
    if (node->names.count > 0) {
        void *found =
            djp__map_get(&node->names, input->name.size ? input->name.data : "", input->name.size);
        named = found != NULL ? (uint32_t)((uintptr_t)found - 1) : UINT32_MAX;
    }
    for (uint32_t i = node->first; i < named; i = node->rules[i].next) {
        if (tree_decide_meets(&node->rules[i], input)) {
            return node->rules[i].sampler;
        }
    }
    return named != UINT32_MAX ? node->rules[named].sampler : NULL;
}

/* ---- nodes ---- */

static void
tree_decide_yes(djp__sampler_intent *out, const djp_sampler *node, uint8_t reason)
{
    out->sampled = 1;
    out->reliable = node->form != DJP_SAMPLER_TREE_RATE && node->form != DJP_SAMPLER_TREE_AT_LEAST;
    out->threshold = out->reliable ? node->threshold : 0;
    out->reason = reason;
    out->state = node->state;
}

static void
tree_decide_leaf(djp__sampler_intent *out, djp_sampler *node, const djp__sampler_input *input)
{
    switch (node->form) {
    case DJP_SAMPLER_TREE_ON:
        tree_decide_yes(out, node, DJP_REASON_ALWAYS);
        break;
    case DJP_SAMPLER_TREE_DROP:
        out->drop = 1;
        break;
    case DJP_SAMPLER_TREE_PROBABILITY:
        if (input->randomness >= node->threshold) {
            tree_decide_yes(out, node, DJP_REASON_RATIO);
        }
        break;
    case DJP_SAMPLER_TREE_RATE:
        if (tree_decide_take(node, input->now_ns)) {
            tree_decide_yes(out, node, DJP_REASON_RATIO);
        }
        break;
    default:
        break;
    }
}

/* The at_least nodes on one path. */
typedef struct sampler_intent__path {
    djp_sampler *limits[DJP_SAMPLER_DEPTH_MAX];
    unsigned count;
} sampler_intent__path;

/* A sampled trace uses up each rate on the path, innermost first; a rate with remaining budget
 * samples. */
static void
tree_decide_fill_up(djp__sampler_intent *out, sampler_intent__path *path,
                    const djp__sampler_input *input)
{
    while (path->count > 0 && !out->drop) {
        djp_sampler *limit = path->limits[--path->count];
        int due = tree_decide_take(limit, input->now_ns);
        if (due && !out->sampled) {
            out->followed = 0;
            tree_decide_yes(out, limit, DJP_REASON_RATIO);
        }
    }
}

void
djp__sampler_intend(djp__sampler_intent *out, djp_sampler *tree, const djp__sampler_input *input)
{
    sampler_intent__path path;
    djp_sampler *node = tree, *leaf = NULL;
    memset(out, 0, sizeof *out);
    out->reliable = 1;
    out->threshold = DJP__THRESHOLD_NEVER;
    path.count = 0;
    while (node != NULL) {
        leaf = node;
        out->notes = node->notes != NULL ? node->notes : out->notes;
        if (node->form == DJP_SAMPLER_TREE_AT_LEAST) {
            path.limits[path.count++] = node;
        }
        if (node->form == DJP_SAMPLER_TREE_PARENT && input->parent) {
            out->followed = 1;
            out->sampled = (input->parent->flags & DJP_FLAG_SAMPLED) != 0;
            break;
        }
        node = node->form == DJP_SAMPLER_TREE_RULES ? tree_decide_rule(node, input) : node->child;
    }
    if (!out->followed) {
        tree_decide_leaf(out, leaf, input);
    }
    tree_decide_fill_up(out, &path, input);
}
