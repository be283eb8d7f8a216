/* Parses the text of a sampler tree by recursive descent. Depth, number of nodes and text sizes are
 * limited; an error gives its place and the expected token. */
#include "djp/sampler.h"

#include "base/mem.h"
#include "base/str.h"
#include "djp/error.h"
#include "djp/span.h"

#include <string.h>

typedef struct sampler_text {
    const char *text;
    size_t size;
    size_t at;
    unsigned depth, nodes;
    size_t added; /* attributes on the path to here */
    int result; /* 0, DJP_EINVAL or DJP_ENOMEM */
    djp_sampler_error error;
    djp__arena arena; /* texts without their escapes */
} sampler_text;

static djp_sampler *tree_parse_node(sampler_text *in);

/* ---- characters ---- */

/* The first error is reported. */
static int
tree_parse_expected(sampler_text *in, const char *what)
{
    if (in->result == 0) {
        in->result = DJP_EINVAL;
        in->error = (djp_sampler_error){in->at, what};
    }
    return 0;
}

static void
tree_parse_skip(sampler_text *in)
{
    while (in->at < in->size && strchr(" \t\r\n", in->text[in->at]) && in->text[in->at] != '\0') {
        in->at++;
    }
}

/* Reads an optional token. */
static int
tree_parse_has(sampler_text *in, const char *mark)
{
    size_t size = strlen(mark);
    tree_parse_skip(in);
    if (in->result != 0 || in->size - in->at < size || memcmp(in->text + in->at, mark, size) != 0) {
        return 0;
    }
    in->at += size;
    return 1;
}

/* Reads a required token. */
static int
tree_parse_take(sampler_text *in, const char *mark, const char *what)
{
    return tree_parse_has(in, mark) || tree_parse_expected(in, what);
}

static djp_text
tree_parse_word(sampler_text *in)
{
    tree_parse_skip(in);
    size_t start = in->at;
    while (in->at < in->size) {
        char c = in->text[in->at];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_')) {
            break;
        }
        in->at++;
    }
    return (djp_text){in->text + start, in->at - start};
}

/* Reads the rest of a number. */
static int
tree_parse_number(sampler_text *in, double *out, djp_text *digits)
{
    tree_parse_skip(in);
    size_t start = in->at;
    while (in->at < in->size && in->text[in->at] != '\0' &&
           strchr("0123456789+-.eE", in->text[in->at])) {
        in->at++;
    }
    *digits = (djp_text){in->text + start, in->at - start};
    if (digits->size == 0 || digits->size > 40 || !djp__parse_double(*digits, out)) {
        in->at = start;
        return tree_parse_expected(in, "a number");
    }
    return 1;
}

/* Copies a text into the arena. */
static int
tree_parse_keep(sampler_text *in, djp_text *out, const char *text, size_t size)
{
    char *copy = djp__arena_alloc(&in->arena, size + 1);
    if (copy == NULL) {
        in->result = DJP_ENOMEM;
        return 0;
    }
    memcpy(copy, text, size);
    *out = (djp_text){copy, size};
    return 1;
}

/* A quoted text with the escapes \" \\ and \*. With prefix, a star at its end matches any
 * ending. */
static int
tree_parse_string(sampler_text *in, djp_text *out, int *prefix)
{
    char room[DJP_SAMPLER_TEXT_MAX];
    size_t size = 0;
    int star = 0;
    if (prefix != NULL && tree_parse_has(in, "*")) {
        *out = (djp_text){"", 0};
        return *prefix = 1;
    }
    if (!tree_parse_take(in, "\"", "a text in quotation marks")) {
        return 0;
    }
    while (in->at < in->size && in->text[in->at] != '"') {
        star = in->text[in->at] == '*';
        if (in->text[in->at] == '\\' && in->at + 1 < in->size) {
            in->at++;
        }
        if (size == DJP_SAMPLER_TEXT_MAX) {
            return tree_parse_expected(in, "a text of at most 1,024 bytes");
        }
        room[size++] = in->text[in->at++];
    }
    if (in->at == in->size) {
        return tree_parse_expected(in, "a quotation mark at the end of the text");
    }
    in->at++;
    if (prefix != NULL) {
        *prefix = star;
        size -= (size_t)star;
    }
    return tree_parse_keep(in, out, room, size);
}

/* ---- predicates ---- */

typedef struct sampler_text_rule {
    djp_sampler_term terms[DJP_SAMPLER_TERMS_MAX];
    size_t count;
} sampler_text_rule;

static int
tree_parse_kind(sampler_text *in, unsigned *kind)
{
    static const char *const words[] = {"internal", "server", "client", "producer", "consumer"};
    size_t start = (tree_parse_skip(in), in->at);
    djp_text word = tree_parse_word(in);
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (djp__text_equal_nocase(word, words[i])) {
            *kind = DJP_KIND_INTERNAL + i;
            return 1;
        }
    }
    in->at = start;
    return tree_parse_expected(in, "internal, server, client, producer or consumer");
}

static int
tree_parse_term(sampler_text *in, sampler_text_rule *rule)
{
    static const char *const words[] = {
        [DJP_SAMPLER_ANY] = "any",
        [DJP_SAMPLER_ROOT] = "root",
        [DJP_SAMPLER_REMOTE_PARENT] = "remote_parent",
        [DJP_SAMPLER_PARENT_SAMPLED] = "parent_sampled",
        [DJP_SAMPLER_KIND] = "kind",
        [DJP_SAMPLER_NAME] = "name",
        [DJP_SAMPLER_ATTRIBUTE] = "attribute",
    };
    tree_parse_skip(in);
    if (rule->count == DJP_SAMPLER_TERMS_MAX) {
        return tree_parse_expected(in, "at most 8 conditions in one rule");
    }
    djp_sampler_term *term = &rule->terms[rule->count++];
    *term = (djp_sampler_term){.negated = tree_parse_has(in, "!")};
    size_t start = (tree_parse_skip(in), in->at);
    djp_text word = tree_parse_word(in);
    unsigned test = 0;
    while (test <= DJP_SAMPLER_ATTRIBUTE && !djp__text_equal_nocase(word, words[test])) {
        test++;
    }
    if (test > DJP_SAMPLER_ATTRIBUTE) {
        in->at = start;
        return tree_parse_expected(in, "a condition: any, root, remote_parent, parent_sampled, "
                                       "kind(..), name(..) or attribute(..)");
    }
    term->test = (djp_sampler_test)test;
    if (test < DJP_SAMPLER_KIND) {
        return 1;
    }
    int good = tree_parse_take(in, "(", "an opening parenthesis");
    if (test == DJP_SAMPLER_KIND) {
        good = good && tree_parse_kind(in, &term->kind);
    } else if (test == DJP_SAMPLER_ATTRIBUTE) {
        good = good && tree_parse_string(in, &term->key, NULL) &&
               tree_parse_take(in, "=", "an equals sign");
    }
    good =
        good && (test == DJP_SAMPLER_KIND || tree_parse_string(in, &term->pattern, &term->prefix));
    return good && tree_parse_take(in, ")", "a closing parenthesis");
}

/* ---- nodes ---- */

/* Maps a failed constructor to an error: memory, or one of the limits. */
static djp_sampler *
tree_parse_made(sampler_text *in, djp_sampler *node)
{
    if (node == NULL && in->result == 0) {
        in->result = DJP_ENOMEM;
    }
    return node;
}

/* One rule, added to node. */
static int
tree_parse_rule_of(sampler_text *in, djp_sampler *node)
{
    sampler_text_rule rule = {.count = 0};
    do {
        if (!tree_parse_term(in, &rule)) {
            return 0;
        }
    } while (tree_parse_has(in, "&"));
    if (!tree_parse_take(in, "=>", "& or =>")) {
        return 0;
    }
    djp_sampler *sampler = tree_parse_node(in);
    int good = sampler && djp_sampler_add_rule(node, rule.terms, rule.count, sampler) == 0;
    if (!good) {
        tree_parse_made(in, NULL);
    }
    return good;
}

static djp_sampler *
tree_parse_rules(sampler_text *in)
{
    djp_sampler *node = tree_parse_made(in, djp_sampler_rule_based());
    int good = node != NULL;
    if (good && tree_parse_has(in, ")")) {
        return node;
    }
    do {
        good = good && tree_parse_rule_of(in, node);
    } while (good && tree_parse_has(in, ","));
    if (!good || !tree_parse_take(in, ")", "a comma or a closing parenthesis")) {
        djp_sampler_free(node);
        return NULL;
    }
    return node;
}

/* Digits alone, in the range of an integer. */
static int
tree_parse_whole(int64_t *out, djp_text digits)
{
    uint64_t size;
    int is_signed = digits.data[0] == '-' || digits.data[0] == '+',
        is_negative = digits.data[0] == '-';
    if (!djp__parse_u64((djp_text){digits.data + is_signed, digits.size - (size_t)is_signed},
                        &size) ||
        size > (uint64_t)INT64_MAX + (uint64_t)is_negative) {
        return 0;
    }
    *out = (int64_t)(is_negative ? 0 - size : size);
    return 1;
}

/* true, false, a number or a text. */
static int
tree_parse_value(sampler_text *in, djp_value *out)
{
    size_t start = (tree_parse_skip(in), in->at);
    if (in->at < in->size && in->text[in->at] == '"') {
        out->type = DJP_STRING;
        return tree_parse_string(in, &out->as.text, NULL);
    }
    djp_text word = tree_parse_word(in);
    if (djp__text_equal_nocase(word, "true") || djp__text_equal_nocase(word, "false")) {
        out->type = DJP_BOOL;
        out->as.boolean = word.size == 4;
        return 1;
    }
    in->at = start;
    double real;
    djp_text digits;
    if (word.size > 0 || !tree_parse_number(in, &real, &digits)) {
        in->result = 0;
        return tree_parse_expected(in, "a text in quotation marks, a number, true or false");
    }
    int64_t integer;
    int whole = tree_parse_whole(&integer, digits);
    out->type = whole ? DJP_INT : DJP_DOUBLE;
    if (whole) {
        out->as.integer = integer;
    } else {
        out->as.real = real;
    }
    return 1;
}

/* key = value */
static int
tree_parse_attribute(sampler_text *in, djp_attribute *item)
{
    return tree_parse_string(in, &item->key, NULL) &&
           (item->key.size > 0 || tree_parse_expected(in, "a key that is not empty")) &&
           tree_parse_take(in, "=", "an equals sign") && tree_parse_value(in, &item->value);
}

/* The attributes in braces; returns 0 where they are not good. */
static int
tree_parse_attributes(sampler_text *in, djp_attribute items[DJP_SAMPLER_ATTRIBUTES_MAX],
                      size_t *count)
{
    int good = tree_parse_take(in, "{", "attributes in braces");
    int more = good && !tree_parse_has(in, "}");
    while (good && more) {
        tree_parse_skip(in);
        if (in->added + *count == DJP_SAMPLER_ATTRIBUTES_MAX) {
            return tree_parse_expected(
                in, "at most 32 attributes, with those of the samplers around it");
        }
        good = tree_parse_attribute(in, &items[(*count)++]);
        more = good && tree_parse_has(in, ",");
        good = good && (more || tree_parse_take(in, "}", "a comma or a closing brace"));
    }
    return good;
}

static djp_sampler *
tree_parse_annotating(sampler_text *in)
{
    djp_attribute items[DJP_SAMPLER_ATTRIBUTES_MAX];
    size_t count = 0;
    int good = tree_parse_attributes(in, items, &count);
    in->added += count;
    djp_sampler *child = good && tree_parse_take(in, ",", "a comma") ? tree_parse_node(in) : NULL;
    in->added -= count;
    if (child == NULL || !tree_parse_take(in, ")", "a closing parenthesis")) {
        djp_sampler_free(child);
        return NULL;
    }
    return tree_parse_made(in, djp_sampler_annotating(items, count, child));
}

/* The arguments in parentheses: a number, a sampler, or both. */
static djp_sampler *
tree_parse_inside(sampler_text *in, int rate, double maximum, int sampler,
                  djp_sampler *(*make)(double, djp_sampler *))
{
    double number = 0;
    djp_text digits;
    djp_sampler *child = NULL;
    size_t start = (tree_parse_skip(in), in->at);
    int good = !rate || tree_parse_number(in, &number, &digits);
    if (good && !(number >= 0 && number <= maximum)) {
        in->at = start;
        good = tree_parse_expected(in, maximum > 1 ? "a number from 0 to 1,000,000"
                                                   : "a number from 0 to 1");
    }
    good = good && (!rate || !sampler || tree_parse_take(in, ",", "a comma"));
    child = good && sampler ? tree_parse_node(in) : NULL;
    if (!good || (sampler && child == NULL) || !tree_parse_take(in, ")", "a closing parenthesis")) {
        djp_sampler_free(child);
        return NULL;
    }
    return tree_parse_made(in, make(number, child));
}

static djp_sampler *
tree_parse_make_probability(double ratio, djp_sampler *none)
{
    (void)none;
    return djp_sampler_probability(ratio);
}

static djp_sampler *
tree_parse_make_rate(double per_second, djp_sampler *none)
{
    (void)none;
    return djp_sampler_rate_limited(per_second);
}

static djp_sampler *
tree_parse_make_parent(double none, djp_sampler *root)
{
    (void)none;
    return djp_sampler_parent_threshold(root);
}

/* The node of a word with arguments; the parenthesis is already read. */
static djp_sampler *
tree_parse_named(sampler_text *in, djp_text word)
{
    if (djp__text_equal_nocase(word, "probability")) {
        return tree_parse_inside(in, 1, 1, 0, tree_parse_make_probability);
    }
    if (djp__text_equal_nocase(word, "rate_limited")) {
        return tree_parse_inside(in, 1, DJP_SAMPLER_RATE_MAX, 0, tree_parse_make_rate);
    }
    if (djp__text_equal_nocase(word, "at_least")) {
        return tree_parse_inside(in, 1, DJP_SAMPLER_RATE_MAX, 1, djp_sampler_at_least);
    }
    if (djp__text_equal_nocase(word, "parent_threshold")) {
        return tree_parse_inside(in, 0, 1, 1, tree_parse_make_parent);
    }
    return djp__text_equal_nocase(word, "annotating") ? tree_parse_annotating(in)
                                                      : tree_parse_rules(in);
}

static int
tree_parse_is_named(djp_text word)
{
    static const char *const words[] = {"probability",      "rate_limited", "at_least",
                                        "parent_threshold", "annotating",   "rule_based"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (djp__text_equal_nocase(word, words[i])) {
            return 1;
        }
    }
    return 0;
}

static djp_sampler *
tree_parse_node(sampler_text *in)
{
    djp_sampler *(*const leaves[])(void) = {djp_sampler_always_on, djp_sampler_always_off,
                                            djp_sampler_drop};
    static const char *const words[] = {"always_on", "always_off", "drop"};
    size_t start = (tree_parse_skip(in), in->at);
    if (in->depth == DJP_SAMPLER_DEPTH_MAX || in->nodes == DJP_SAMPLER_NODES_MAX) {
        tree_parse_expected(in, "the end: a sampler has at most 16 levels and 8,192 nodes");
        return NULL;
    }
    djp_text word = tree_parse_word(in);
    in->nodes++;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (djp__text_equal_nocase(word, words[i])) {
            return tree_parse_made(in, leaves[i]());
        }
    }
    if (!tree_parse_is_named(word)) {
        in->at = start;
        tree_parse_expected(in, "a sampler: always_on, always_off, drop, probability(..), "
                                "rate_limited(..), at_least(..), "
                                "parent_threshold(..), rule_based(..) or annotating(..)");
        return NULL;
    }
    in->depth++;
    djp_sampler *node =
        tree_parse_take(in, "(", "an opening parenthesis") ? tree_parse_named(in, word) : NULL;
    in->depth--;
    return node;
}

int
djp_sampler_parse(djp_sampler **out, djp_text text, djp_sampler_error *error)
{
    sampler_text in = {.text = text.data ? text.data : "", .size = text.data ? text.size : 0};
    djp__arena_init(&in.arena, 0);
    djp_sampler *node = tree_parse_node(&in);
    tree_parse_skip(&in);
    if (node != NULL && in.at < in.size) {
        tree_parse_expected(&in, "the end of the text");
    }
    djp__arena_fini(&in.arena);
    if (in.result != 0) {
        djp_sampler_free(node);
        node = NULL;
    }
    if (error != NULL) {
        *error = in.error;
    }
    *out = node;
    return in.result;
}
