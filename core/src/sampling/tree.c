/* Sampler trees: built from the leaves upwards, checked against their limits, freed as a whole. */
#include "sampling/tree.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "djp/error.h"
#include "djp/span.h"
#include "sampling/head.h"

#define SAMPLER_TREE__SECOND_NS 1000000000.0
#define SAMPLER_TREE__LONGEST_NS 1e15 /* between two traces: eleven days */

/* ---- attributes to add ---- */

static djp_text
tree_cut(djp_text text)
{
    size_t size = text.data ? djp__utf8_cut(text.data, text.size, DJP_SAMPLER_TEXT_MAX) : 0;
    return (djp_text){size ? text.data : "", size};
}

/* Appends a copy of an attribute. Returns 0 on failure. */
static int
tree_note(djp__sampler_notes *notes, const djp_attribute *attribute)
{
    djp_text key = tree_cut(attribute->key), text = {"", 0};
    djp_value value = attribute->value;
    int is_text = value.type == DJP_STRING;
    if (notes->count == DJP_SAMPLER_ATTRIBUTES_MAX || key.size == 0 ||
        (!is_text && value.type > DJP_DOUBLE) || value.type == DJP_EMPTY ||
        (value.type == DJP_DOUBLE && !isfinite(value.as.real))) {
        return 0;
    }
    if (is_text) {
        text = tree_cut(value.as.text);
    }
    char *copy = djp__alloc(key.size + text.size + 2);
    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, key.data, key.size);
    copy[key.size] = '\0';
    memcpy(copy + key.size + 1, text.data, text.size);
    copy[key.size + 1 + text.size] = '\0';
    if (is_text) {
        value.as.text = (djp_text){copy + key.size + 1, text.size};
    }
    notes->texts[notes->count] = copy;
    notes->items[notes->count++] = (djp_attribute){{copy, key.size}, value};
    return 1;
}

void
djp__sampler_notes_unref(djp__sampler_notes *notes)
{
    if (notes == NULL || djp__sub_acq_rel(&notes->refs, 1u) != 1) {
        return;
    }
    for (uint32_t i = 0; i < notes->count; i++) {
        djp__free(notes->texts[i]);
    }
    djp__free(notes);
}

/* Adds the attributes of an outer node to the annotating nodes below. */
static int
tree_hand_down(djp_sampler *node, const djp__sampler_notes *outer)
{
    int good = 1;
    for (uint32_t i = 0; node->notes && good && i < outer->own; i++) {
        good = tree_note(node->notes, &outer->items[i]);
    }
    if (good && node->child) {
        good = tree_hand_down(node->child, outer);
    }
    for (size_t i = 0; good && i < node->rule_count; i++) {
        good = tree_hand_down(node->rules[i].sampler, outer);
    }
    return good;
}

/* ---- nodes ---- */

static djp_sampler *
tree_new(djp__sampler_form form)
{
    djp_sampler *node = djp__calloc(1, sizeof *node);
    if (node != NULL) {
        node->form = form;
        node->depth = 1;
        node->nodes = 1;
        node->threshold = DJP__THRESHOLD_NEVER;
        node->first = node->last = UINT32_MAX;
        djp__map_init(&node->names);
    }
    return node;
}

void
djp_sampler_free(djp_sampler *sampler)
{
    if (sampler == NULL) {
        return;
    }
    djp_sampler_free(sampler->child);
    for (size_t i = 0; i < sampler->rule_count; i++) {
        djp__free(sampler->rules[i].terms);
        djp_sampler_free(sampler->rules[i].sampler);
    }
    djp__free(sampler->rules);
    djp__map_fini(&sampler->names);
    djp__sampler_notes_unref(sampler->notes);
    djp_tracestate_unref(sampler->state);
    djp__free(sampler->text);
    djp__free(sampler);
}

/* Adds the size of a child. Returns 0 if the tree becomes too large. */
static int
tree_count(djp_sampler *node, const djp_sampler *child)
{
    if (child->depth >= DJP_SAMPLER_DEPTH_MAX ||
        node->nodes + child->nodes > DJP_SAMPLER_NODES_MAX) {
        return 0;
    }
    node->nodes += child->nodes;
    node->depth = child->depth + 1 > node->depth ? child->depth + 1 : node->depth;
    node->needs |= child->needs;
    return 1;
}

/* Creates a node with one child, which it takes. */
static djp_sampler *
tree_above(djp__sampler_form form, djp_sampler *child)
{
    djp_sampler *node = child != NULL ? tree_new(form) : NULL;
    if (node == NULL || !tree_count(node, child)) {
        djp_sampler_free(node);
        djp_sampler_free(child);
        return NULL;
    }
    node->child = child;
    return node;
}

djp_sampler *
djp_sampler_always_on(void)
{
    djp_sampler *node = tree_new(DJP_SAMPLER_TREE_ON);
    if (node != NULL) {
        node->threshold = 0;
        node->state = djp__ot_root_state(0);
    }
    return node;
}

djp_sampler *
djp_sampler_always_off(void)
{
    return tree_new(DJP_SAMPLER_TREE_OFF);
}

djp_sampler *
djp_sampler_drop(void)
{
    return tree_new(DJP_SAMPLER_TREE_DROP);
}

djp_sampler *
djp_sampler_probability(double ratio)
{
    djp_sampler *node = tree_new(DJP_SAMPLER_TREE_PROBABILITY);
    if (node != NULL) {
        ratio = ratio > 0 ? ratio : 0;
        node->number = ratio < 1 ? ratio : 1;
        node->threshold = djp__threshold_of(node->number);
        node->state = djp__ot_root_state(node->threshold);
    }
    return node;
}

static void
tree_set_rate(djp_sampler *node, double per_second)
{
    double rate = per_second > 0 ? per_second : 0;
    rate = rate < DJP_SAMPLER_RATE_MAX ? rate : DJP_SAMPLER_RATE_MAX;
    double period = rate > 0 ? SAMPLER_TREE__SECOND_NS / rate : 0;
    period = period < SAMPLER_TREE__LONGEST_NS ? period : SAMPLER_TREE__LONGEST_NS;
    node->number = rate;
    node->period_ns = (uint64_t)period;
    node->saved_ns = rate > 1 ? (uint64_t)(SAMPLER_TREE__SECOND_NS - period) : 0;
}

djp_sampler *
djp_sampler_rate_limited(double per_second)
{
    djp_sampler *node = tree_new(DJP_SAMPLER_TREE_RATE);
    if (node != NULL) {
        tree_set_rate(node, per_second);
    }
    return node;
}

djp_sampler *
djp_sampler_at_least(double per_second, djp_sampler *delegate)
{
    djp_sampler *node = tree_above(DJP_SAMPLER_TREE_AT_LEAST, delegate);
    if (node != NULL) {
        tree_set_rate(node, per_second);
    }
    return node;
}

djp_sampler *
djp_sampler_parent_threshold(djp_sampler *root)
{
    return tree_above(DJP_SAMPLER_TREE_PARENT, root);
}

djp_sampler *
djp_sampler_annotating(const djp_attribute *attributes, size_t count, djp_sampler *delegate)
{
    djp_sampler *node = tree_above(DJP_SAMPLER_TREE_ANNOTATING, delegate);
    djp__sampler_notes *notes = node != NULL ? djp__calloc(1, sizeof *notes) : NULL;
    if (notes == NULL) {
        djp_sampler_free(node);
        return NULL;
    }
    node->notes = notes;
    djp__store_relaxed(&notes->refs, 1u);
    int good = count <= DJP_SAMPLER_ATTRIBUTES_MAX;
    for (size_t i = 0; good && i < count; i++) {
        good = tree_note(notes, &attributes[i]);
    }
    notes->own = notes->count;
    if (!good || !tree_hand_down(delegate, notes)) {
        djp_sampler_free(node);
        return NULL;
    }
    return node;
}

/* ---- rules ---- */

djp_sampler *
djp_sampler_rule_based(void)
{
    return tree_new(DJP_SAMPLER_TREE_RULES);
}

/* Copies terms and their texts into one block; NULL when memory is short. */
static djp_sampler_term *
tree_copy_terms(const djp_sampler_term *terms, size_t count)
{
    size_t size = count * sizeof *terms;
    for (size_t i = 0; i < count; i++) {
        size += tree_cut(terms[i].key).size + tree_cut(terms[i].pattern).size;
    }
    djp_sampler_term *copy = djp__alloc(size + 1);
    if (copy == NULL) {
        return NULL;
    }
    char *at = (char *)(copy + count);
    for (size_t i = 0; i < count; i++) {
        djp_text key = tree_cut(terms[i].key), pattern = tree_cut(terms[i].pattern);
        copy[i] = terms[i];
        copy[i].key = (djp_text){at, key.size};
        memcpy(at, key.data, key.size);
        at += key.size;
        copy[i].pattern = (djp_text){at, pattern.size};
        memcpy(at, pattern.data, pattern.size);
        at += pattern.size;
    }
    return copy;
}

static unsigned
tree_needs(const djp_sampler_term *terms, size_t count)
{
    unsigned needs = 0;
    for (size_t i = 0; i < count; i++) {
        needs |= terms[i].test == DJP_SAMPLER_NAME ? (unsigned)DJP_NEEDS_NAME : 0u;
        needs |= terms[i].test == DJP_SAMPLER_ATTRIBUTE ? (unsigned)DJP_NEEDS_ATTRIBUTES : 0u;
    }
    return needs;
}

static int
tree_has_room(djp_sampler *rules)
{
    if (rules->rule_count < rules->rule_places) {
        return 1;
    }
    size_t places = rules->rule_places ? rules->rule_places * 2 : 4;
    djp__sampler_rule *grown = djp__realloc(rules->rules, places * sizeof *grown);
    if (grown != NULL) {
        rules->rules = grown;
        rules->rule_places = places;
    }
    return grown != NULL;
}

/* Indexes a new rule: in the map if it only tests one exact name, so that thousands of names need
 * one look-up; else in the list. */
static int
tree_index(djp_sampler *rules, uint32_t number)
{
    const djp__sampler_rule *rule = &rules->rules[number];
    const djp_sampler_term *term = rule->terms;
    if (rule->count == 1 && term->test == DJP_SAMPLER_NAME && !term->negated && !term->prefix) {
        djp_text name = term->pattern;
        return djp__map_get(&rules->names, name.data, name.size) != NULL ||
               djp__map_set(&rules->names, name.data, name.size, (void *)((uintptr_t)number + 1)) ==
                   0;
    }
    if (rules->last != UINT32_MAX) {
        rules->rules[rules->last].next = number;
    } else {
        rules->first = number;
    }
    rules->last = number;
    return 1;
}

int
djp_sampler_add_rule(djp_sampler *rules, const djp_sampler_term *terms, size_t count,
                     djp_sampler *sampler)
{
    int fits = rules && rules->form == DJP_SAMPLER_TREE_RULES && sampler != NULL &&
               count <= DJP_SAMPLER_TERMS_MAX;
    if (!fits || sampler->depth >= DJP_SAMPLER_DEPTH_MAX ||
        rules->nodes + sampler->nodes > DJP_SAMPLER_NODES_MAX) {
        djp_sampler_free(sampler);
        return DJP_EINVAL;
    }
    djp_sampler_term *copy = tree_has_room(rules) ? tree_copy_terms(terms, count) : NULL;
    if (copy == NULL) {
        djp_sampler_free(sampler);
        return DJP_ENOMEM;
    }
    rules->rules[rules->rule_count] = (djp__sampler_rule){copy, count, sampler, UINT32_MAX};
    if (!tree_index(rules, (uint32_t)rules->rule_count)) {
        djp__free(copy);
        djp_sampler_free(sampler);
        return DJP_ENOMEM;
    }
    rules->rule_count++;
    tree_count(rules, sampler);
    rules->needs |= tree_needs(terms, count);
    return 0;
}

int
djp_sampler_is_ratio(double *ratio, int *parent_based, const djp_sampler *sampler)
{
    int annotated = 0;
    *parent_based = 0;
    while (sampler->form == DJP_SAMPLER_TREE_ANNOTATING ||
           sampler->form == DJP_SAMPLER_TREE_PARENT) {
        annotated |= sampler->form == DJP_SAMPLER_TREE_ANNOTATING;
        *parent_based |= sampler->form == DJP_SAMPLER_TREE_PARENT;
        sampler = sampler->child;
    }
    *ratio = sampler->form == DJP_SAMPLER_TREE_PROBABILITY ? sampler->number : 0;
    int probable = sampler->form == DJP_SAMPLER_TREE_PROBABILITY && sampler->number > 0;
    int off = sampler->form == DJP_SAMPLER_TREE_OFF || sampler->form == DJP_SAMPLER_TREE_DROP ||
              (sampler->form == DJP_SAMPLER_TREE_PROBABILITY && !probable);
    return off || (probable && !annotated);
}
