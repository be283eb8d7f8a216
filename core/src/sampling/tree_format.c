/* Formats a sampler tree as text, the form in which it is configured, compared and shown. */
#include <string.h>

#include "base/buf.h"
#include "sampling/tree.h"

static const char *const sampler_write__kinds[] = {"",       "internal", "server",
                                                   "client", "producer", "consumer"};

/* In quotation marks; an unescaped star marks a prefix. */
static void
tree_format_string(djp__buf *out, djp_text text, int pattern, int prefix)
{
    djp__buf_char(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        int last = pattern && c == '*' && i + 1 == text.size;
        if (c == '"' || c == '\\' || last) {
            djp__buf_char(out, '\\');
        }
        djp__buf_char(out, c);
    }
    djp__buf_text(out, prefix ? "*\"" : "\"");
}

static void
tree_format_term(djp__buf *out, const djp_sampler_term *term)
{
    static const char *const words[] = {
        [DJP_SAMPLER_ANY] = "any",
        [DJP_SAMPLER_ROOT] = "root",
        [DJP_SAMPLER_REMOTE_PARENT] = "remote_parent",
        [DJP_SAMPLER_PARENT_SAMPLED] = "parent_sampled",
        [DJP_SAMPLER_KIND] = "kind(",
        [DJP_SAMPLER_NAME] = "name(",
        [DJP_SAMPLER_ATTRIBUTE] = "attribute(",
    };
    djp__buf_text(out, term->negated ? "!" : "");
    djp__buf_text(out, words[term->test]);
    if (term->test == DJP_SAMPLER_KIND) {
        size_t known = sizeof sampler_write__kinds / sizeof sampler_write__kinds[0];
        djp__buf_text(out, sampler_write__kinds[term->kind < known ? term->kind : 0]);
    } else if (term->test == DJP_SAMPLER_ATTRIBUTE) {
        tree_format_string(out, term->key, 0, 0);
        djp__buf_char(out, '=');
    }
    if (term->test >= DJP_SAMPLER_NAME) {
        tree_format_string(out, term->pattern, 1, term->prefix);
    }
    if (term->test >= DJP_SAMPLER_KIND) {
        djp__buf_char(out, ')');
    }
}

static void
tree_format_attribute(djp__buf *out, const djp_attribute *attribute)
{
    const djp_value *value = &attribute->value;
    tree_format_string(out, attribute->key, 0, 0);
    djp__buf_char(out, '=');
    if (value->type == DJP_STRING) {
        tree_format_string(out, value->as.text, 0, 0);
    } else if (value->type == DJP_BOOL) {
        djp__buf_text(out, value->as.boolean ? "true" : "false");
    } else if (value->type == DJP_INT) {
        djp__buf_i64(out, value->as.integer);
    } else {
        size_t start = out->size;
        djp__buf_double(out, value->as.real);
        /* So that it is parsed as the same type. */
        if (!out->failed && !memchr(out->data + start, '.', out->size - start) &&
            !memchr(out->data + start, 'e', out->size - start)) {
            djp__buf_text(out, ".0");
        }
    }
}

static void
tree_format_rules(djp__buf *out, const djp_sampler *tree)
{
    for (size_t i = 0; i < tree->rule_count; i++) {
        const djp__sampler_rule *rule = &tree->rules[i];
        djp__buf_text(out, i ? ", " : "");
        for (size_t k = 0; k < rule->count; k++) {
            djp__buf_text(out, k ? " & " : "");
            tree_format_term(out, &rule->terms[k]);
        }
        djp__buf_text(out, rule->count ? " => " : "any => ");
        djp__sampler_write(out, rule->sampler);
    }
}

/* The arguments before the child: attributes, number, rules. */
static void
tree_format_inside(djp__buf *out, const djp_sampler *tree)
{
    if (tree->form == DJP_SAMPLER_TREE_ANNOTATING) {
        djp__buf_char(out, '{');
        for (uint32_t i = 0; i < tree->notes->own; i++) {
            djp__buf_text(out, i ? ", " : "");
            tree_format_attribute(out, &tree->notes->items[i]);
        }
        djp__buf_char(out, '}');
    } else if (tree->form == DJP_SAMPLER_TREE_RULES) {
        tree_format_rules(out, tree);
    } else if (tree->form != DJP_SAMPLER_TREE_PARENT) {
        djp__buf_double(out, tree->number);
    }
}

void
djp__sampler_write(djp__buf *out, const djp_sampler *tree)
{
    static const char *const words[] = {
        [DJP_SAMPLER_TREE_ON] = "always_on",
        [DJP_SAMPLER_TREE_OFF] = "always_off",
        [DJP_SAMPLER_TREE_DROP] = "drop",
        [DJP_SAMPLER_TREE_PROBABILITY] = "probability(",
        [DJP_SAMPLER_TREE_RATE] = "rate_limited(",
        [DJP_SAMPLER_TREE_AT_LEAST] = "at_least(",
        [DJP_SAMPLER_TREE_PARENT] = "parent_threshold(",
        [DJP_SAMPLER_TREE_ANNOTATING] = "annotating(",
        [DJP_SAMPLER_TREE_RULES] = "rule_based(",
    };
    djp__buf_text(out, words[tree->form]);
    if (tree->form <= DJP_SAMPLER_TREE_DROP) {
        return;
    }
    tree_format_inside(out, tree);
    if (tree->child) {
        djp__buf_text(out, tree->form == DJP_SAMPLER_TREE_PARENT ? "" : ", ");
        djp__sampler_write(out, tree->child);
    }
    djp__buf_char(out, ')');
}

char *
djp_sampler_text(size_t *size, const djp_sampler *sampler)
{
    djp__buf out;
    djp__buf_init(&out, 0);
    djp__sampler_write(&out, sampler);
    return djp__buf_take(&out, size);
}
