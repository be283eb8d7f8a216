/* Parses the text of the tail-sampling rules, once, when telemetry starts. An invalid rule causes a
 * warning and is skipped. */
#include "djp/tail_rule.h"

#include "base/str.h"
#include "djp/key.h"

#include <string.h>

enum { TAIL_RULES_PARSE__LABEL_MAX = 32 };

#define TAIL_RULES_PARSE__YEAR_S 31536000.0

/* The next rule, up to a semicolon outside quotation marks. An unpaired mark is an ordinary
 * character. */
static int
tail_rules_parse_next(djp_text *rule, djp_text *rest)
{
    if (rest->size == 0) {
        return 0;
    }
    size_t at = 0;
    while (at < rest->size && rest->data[at] != ';') {
        const char *mark =
            rest->data[at] == '"' ? memchr(rest->data + at + 1, '"', rest->size - at - 1) : NULL;
        at = mark != NULL ? (size_t)(mark - rest->data) + 1 : at + 1;
    }
    *rule = djp__text_trim((djp_text){rest->data, at});
    at += at < rest->size;
    rest->data += at;
    rest->size -= at;
    return 1;
}

static int
tail_rules_parse_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int
tail_rules_parse_is_label_character(char c)
{
    return tail_rules_parse_is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
}

/* Removes a leading "LABEL:". */
static djp_text
tail_rules_parse_take_label(djp_text *rule)
{
    djp_text label = {NULL, 0};
    size_t size = 0;
    while (size < rule->size && tail_rules_parse_is_label_character(rule->data[size])) {
        size++;
    }
    if (size > 0 && size < rule->size && rule->data[size] == ':' &&
        tail_rules_parse_is_letter(rule->data[0])) {
        label = (djp_text){rule->data, size};
        *rule = djp__text_trim((djp_text){rule->data + size + 1, rule->size - size - 1});
    }
    return label;
}

/* Removes the first word. */
static djp_text
tail_rules_parse_take_word(djp_text *rule)
{
    size_t size = 0;
    while (size < rule->size && rule->data[size] != ' ' && rule->data[size] != '\t') {
        size++;
    }
    djp_text word = {rule->data, size};
    *rule = djp__text_trim((djp_text){rule->data + size, rule->size - size});
    return word;
}

/* TEXT, TEXT*, "TEXT" or "TEXT"*. Returns the error, or NULL. */
static const char *
tail_rules_parse_pattern(djp_tail_rule *out, djp_text text)
{
    text = djp__text_trim(text);
    out->prefix = text.size > 0 && text.data[text.size - 1] == '*';
    text.size -= (size_t)out->prefix;
    int quoted = text.size >= 2 && text.data[0] == '"' && text.data[text.size - 1] == '"';
    if (quoted) {
        text.data++;
        text.size -= 2;
    }
    if (text.size == 0 && !out->prefix) {
        return quoted ? "there is nothing between the quotation marks"
                      : "the text to compare with is missing";
    }
    if (text.size > 0 && memchr(text.data, '"', text.size)) {
        return "a quotation mark has no partner";
    }
    if (!quoted && text.size > 0 && memchr(text.data, '*', text.size)) {
        return "a * may only stand at the end, unless the text is in quotation marks";
    }
    out->pattern = text;
    return NULL;
}

static const char *
tail_rules_parse_duration(uint64_t *out, djp_text text)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}};
    text = djp__text_trim(text);
    size_t size = text.size;
    while (size > 0 && tail_rules_parse_is_letter(text.data[size - 1])) {
        size--;
    }
    double amount;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (djp__text_equal((djp_text){text.data + size, text.size - size}, units[i].unit) &&
            djp__parse_double((djp_text){text.data, size}, &amount) &&
            amount * units[i].seconds >= 1e-6 &&
            amount * units[i].seconds <= TAIL_RULES_PARSE__YEAR_S) {
            *out = (uint64_t)(amount * units[i].seconds * 1e9 + 0.5);
            return NULL;
        }
    }
    return "it needs a duration with its unit, such as 500ms, 2s, 5m or 1h";
}

static const char *
tail_rules_parse_attribute(djp_tail_rule *out, djp_text text)
{
    const char *equals = text.size > 0 ? memchr(text.data, '=', text.size) : NULL;
    if (equals == NULL) {
        return "it needs the form KEY=VALUE";
    }
    size_t size = (size_t)(equals - text.data);
    out->key = djp__text_trim((djp_text){text.data, size});
    if (out->key.size == 0 || out->key.size > DJP_KEY_SIZE_LIMIT) {
        return "it needs the form KEY=VALUE";
    }
    return tail_rules_parse_pattern(out, (djp_text){equals + 1, text.size - size - 1});
}

static const char *
tail_rules_parse_route(djp_tail_rule *out, djp_text text)
{
    size_t at = text.size;
    while (at > 0 && text.data[at - 1] != '>') {
        at--;
    }
    if (at == 0) {
        return "it needs the form ROUTE > DURATION";
    }
    const char *problem = tail_rules_parse_pattern(out, (djp_text){text.data, at - 1});
    return problem != NULL ? problem
                           : tail_rules_parse_duration(&out->duration_ns,
                                                       (djp_text){text.data + at, text.size - at});
}

static const char *
tail_rules_parse_slowest(djp_tail_rule *out, djp_text text)
{
    double percent;
    if (text.size < 2 || text.data[text.size - 1] != '%' ||
        !djp__parse_double((djp_text){text.data, text.size - 1}, &percent) || percent < 0.01 ||
        percent > 50) {
        return "it needs a part from 0.01% to 50%";
    }
    out->part = percent / 100;
    return NULL;
}

/* Parses one rule. Returns the error, or NULL. */
static const char *
tail_rules_parse_read(djp_tail_rule *out, djp_text rule)
{
    memset(out, 0, sizeof *out);
    out->label = tail_rules_parse_take_label(&rule);
    if (out->label.size > TAIL_RULES_PARSE__LABEL_MAX) {
        return "its name is longer than 32 characters";
    }
    djp_text word = tail_rules_parse_take_word(&rule);
    if (djp__text_equal_nocase(word, "attribute")) {
        out->kind = DJP_TAIL_ATTRIBUTE;
        return tail_rules_parse_attribute(out, rule);
    }
    if (djp__text_equal_nocase(word, "name")) {
        out->kind = DJP_TAIL_NAME;
        return tail_rules_parse_pattern(out, rule);
    }
    if (djp__text_equal_nocase(word, "route")) {
        out->kind = DJP_TAIL_ROUTE;
        return tail_rules_parse_route(out, rule);
    }
    if (djp__text_equal_nocase(word, "slowest")) {
        out->kind = DJP_TAIL_SLOWEST;
        return tail_rules_parse_slowest(out, rule);
    }
    if (djp__text_equal_nocase(word, "rare")) {
        out->kind = DJP_TAIL_RARE;
        return tail_rules_parse_duration(&out->duration_ns, rule);
    }
    return "a rule begins with attribute, name, route, slowest or rare";
}

/* Rules that may occur only once. */
static int
tail_rules_parse_is_second(const djp_tail_rule *rules, size_t count, djp_tail_kind kind)
{
    for (size_t i = 0; i < count; i++) {
        if (rules[i].kind == kind && kind >= DJP_TAIL_SLOWEST) {
            return 1;
        }
    }
    return 0;
}

size_t
djp_tail_rules_parse(djp_tail_rule *out, djp_text text, djp_tail_rule_bad bad, void *user)
{
    size_t count = 0;
    djp_text rule;
    while (tail_rules_parse_next(&rule, &text)) {
        if (rule.size == 0) {
            continue;
        }
        djp_tail_rule read;
        const char *problem = tail_rules_parse_read(&read, rule);
        if (problem == NULL && tail_rules_parse_is_second(out, count, read.kind)) {
            problem = "there is one of its kind already";
        } else if (problem == NULL && count == DJP_TAIL_RULES_MAX) {
            problem = "there are 32 rules already";
        }
        if (problem == NULL) {
            out[count++] = read;
        } else if (bad) {
            bad(user, rule, problem);
        }
    }
    return count;
}
