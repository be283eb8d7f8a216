/* Tail-sampling rules in their compiled form: interned keys, copied texts, prepared labels.
 * Matching walks the span's items with one number comparison each. */
#include "sampling/tail_rules.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "djp/error.h"
#include "djp/span.h"
#include "sampling/tail_history.h"

typedef struct tail_rules__rule {
    djp_tail_kind kind;
    djp_key key;
    uint8_t label;
    uint8_t prefix;
    char *pattern; /* owned */
    uint32_t size;
    uint64_t duration_ns;
} tail_rules__rule;

struct djp__tail_rules {
    size_t count;
    uint64_t keys; /* a bit per interned key, by its last six bits */
    uint32_t names, routes; /* bits by rule */
    uint8_t slowest_label, rare_label;
    uint8_t reads_root; /* 1: a rule uses the root's route */
    struct {
        djp_key route, status, old_status, method, old_method;
    } http;
    djp_tail_history *table; /* NULL if no rule uses the history */
    tail_rules__rule rules[DJP_TAIL_RULES_MAX];
};

static djp_key
tail_rules_key(const char *text)
{
    return djp_key_intern(djp_text_of(text));
}

static int
tail_rules_copy(tail_rules__rule *out, const djp_tail_rule *rule)
{
    out->kind = rule->kind;
    out->label = djp__reason_label(rule->label);
    out->prefix = (uint8_t)rule->prefix;
    out->duration_ns = rule->duration_ns;
    out->size = (uint32_t)rule->pattern.size;
    out->pattern = djp__strndup(rule->pattern.size ? rule->pattern.data : "", rule->pattern.size);
    out->key = rule->kind == DJP_TAIL_ATTRIBUTE ? djp_key_intern(rule->key) : 0;
    return out->pattern != NULL;
}

int
djp__tail_rules_new(djp__tail_rules **out, const djp_tail_rule *rules, size_t count)
{
    djp__tail_rules *keep = *out = djp__calloc(1, sizeof *keep);
    double slowest = 0;
    uint64_t rare_ns = 0;
    int good = keep != NULL;
    for (size_t i = 0; good && i < count && i < DJP_TAIL_RULES_MAX; i++) {
        tail_rules__rule *rule = &keep->rules[keep->count++];
        good = tail_rules_copy(rule, &rules[i]);
        keep->keys |= rule->key ? 1ull << (rule->key & 63) : 0;
        keep->names |= rule->kind == DJP_TAIL_NAME ? 1u << i : 0;
        keep->routes |= rule->kind == DJP_TAIL_ROUTE ? 1u << i : 0;
        if (rule->kind == DJP_TAIL_SLOWEST) {
            slowest = rules[i].part;
            keep->slowest_label = rule->label;
        } else if (rule->kind == DJP_TAIL_RARE) {
            rare_ns = rule->duration_ns;
            keep->rare_label = rule->label;
        }
    }
    if (good && (slowest > 0 || rare_ns > 0)) {
        good = djp__tail_history_new(&keep->table, slowest, rare_ns) == 0;
    }
    if (!good) {
        djp__tail_rules_free(keep);
        *out = NULL;
        return DJP_ENOMEM;
    }
    keep->reads_root = keep->routes != 0 || keep->table != NULL;
    keep->http.route = tail_rules_key("http.route");
    keep->http.status = tail_rules_key("http.response.status_code");
    keep->http.old_status = tail_rules_key("http.status_code");
    keep->http.method = tail_rules_key("http.request.method");
    keep->http.old_method = tail_rules_key("http.method");
    return 0;
}

void
djp__tail_rules_free(djp__tail_rules *keep)
{
    if (keep != NULL) {
        for (size_t i = 0; i < keep->count; i++) {
            djp__free(keep->rules[i].pattern);
        }
        djp__tail_history_free(keep->table);
        djp__free(keep);
    }
}

/* ---- any span ---- */

static int
tail_rules_fits(const tail_rules__rule *rule, djp_text text)
{
    return djp__text_fits(text, (djp_text){rule->pattern, rule->size}, rule->prefix);
}

static int64_t
tail_rules_integer(const djp__item *item)
{
    int64_t value;
    memcpy(&value, djp__item_payload(item), sizeof value);
    return value;
}

static int
tail_rules_fits_item(const tail_rules__rule *rule, const djp__item *item)
{
    char room[24];
    switch (djp__item_type(item)) {
    case DJP_STRING:
        return tail_rules_fits(rule, (djp_text){djp__item_payload(item), djp__item_size(item)});
    case DJP_INT:
        return tail_rules_fits(rule, djp__digits(room, tail_rules_integer(item)));
    case DJP_BOOL:
        return tail_rules_fits(rule, tail_rules_integer(item) ? (djp_text){"true", 4}
                                                              : (djp_text){"false", 5});
    default:
        return rule->prefix && rule->size == 0; /* KEY=* matches any value */
    }
}

/* Bits of the rules that the attributes match. A later value of a key replaces an earlier one. */
static uint32_t
tail_rules_match_attributes(const djp__tail_rules *keep, const djp__span_record *record)
{
    uint32_t met = 0;
    for (const djp__item *item = djp__record_first(record); item < djp__record_end(record);
         item = djp__item_next(item)) {
        if (item->key == 0 || (keep->keys >> (item->key & 63) & 1) == 0 ||
            djp__item_kind(item) != DJP_ITEM_ATTRIBUTE) {
            continue;
        }
        for (size_t i = 0; i < keep->count; i++) {
            if (keep->rules[i].key == item->key) {
                uint32_t bit = 1u << i;
                met = tail_rules_fits_item(&keep->rules[i], item) ? met | bit : met & ~bit;
            }
        }
    }
    return met;
}

static djp_text
tail_rules_name(const djp__span_record *record)
{
    return record->name_at ? (djp_text){(const char *)record + record->name_at, record->name_size}
                           : (djp_text){"", 0};
}

uint32_t
djp__tail_rules_match(const djp__tail_rules *keep, const djp__span_record *record)
{
    uint32_t met = keep->keys ? tail_rules_match_attributes(keep, record) : 0;
    for (uint32_t left = keep->names; left != 0; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(left);
        met |= tail_rules_fits(&keep->rules[i], tail_rules_name(record)) ? 1u << i : 0;
    }
    return met ? (uint32_t)__builtin_ctz(met) + 1 : 0;
}

djp__verdict
djp__tail_rules_verdict(const djp__tail_rules *keep, uint32_t number)
{
    return djp__verdict_of(DJP_REASON_RULE, keep->rules[number - 1].label);
}

/* ---- the root ---- */

typedef struct tail_rules__root {
    djp_text route, method;
    int64_t status;
} tail_rules__root;

static void
tail_rules_read_root(tail_rules__root *out, const djp__tail_rules *keep,
                     const djp__span_record *record)
{
    *out = (tail_rules__root){tail_rules_name(record), {"", 0}, 0};
    for (const djp__item *item = djp__record_first(record); item < djp__record_end(record);
         item = djp__item_next(item)) {
        djp_key key = item->key;
        if (key == 0 || djp__item_kind(item) != DJP_ITEM_ATTRIBUTE) {
            continue;
        }
        djp_text text = {djp__item_payload(item), djp__item_size(item)};
        if (djp__item_type(item) == DJP_STRING && key == keep->http.route) {
            out->route = text;
        } else if (djp__item_type(item) == DJP_STRING &&
                   (key == keep->http.method || key == keep->http.old_method)) {
            out->method = text;
        } else if (djp__item_type(item) == DJP_INT &&
                   (key == keep->http.status || key == keep->http.old_status)) {
            out->status = tail_rules_integer(item);
        }
    }
}

static djp__verdict
tail_rules_look_back(djp__tail_rules *keep, const djp__span_record *record,
                     const tail_rules__root *root, unsigned flags)
{
    int kept = (flags & DJP_TAIL_IS_SAMPLED) != 0;
    uint64_t parts[4];
    djp__tail_look look;
    look.route = parts[0] = djp__hash(root->route.data, root->route.size);
    parts[1] = djp__hash(root->method.data, root->method.size);
    parts[2] = (uint64_t)(root->status / 100);
    parts[3] = record->status;
    look.kind = djp__hash(parts, sizeof parts);
    look.duration_ns = record->end_unix_ns - record->start_unix_ns;
    look.now_ns = record->end_unix_ns;
    look.kept = kept;
    djp__tail_found found = djp__tail_history_look(keep->table, &look);
    found.slowest = found.slowest && !(flags & DJP_TAIL_IS_LONG);
    if (kept || (!found.slowest && !found.rare)) {
        return djp__verdict_of(DJP_REASON_NONE, 0);
    }
    return found.slowest ? djp__verdict_of(DJP_REASON_SLOWEST, keep->slowest_label)
                         : djp__verdict_of(DJP_REASON_RARE, keep->rare_label);
}

djp__verdict
djp__tail_rules_root(djp__tail_rules *keep, const djp__span_record *record, uint64_t slow_ns,
                     unsigned flags)
{
    slow_ns = flags & DJP_TAIL_IS_LONG ? 0 : slow_ns;
    tail_rules__root root = {{"", 0}, {"", 0}, 0};
    uint64_t duration = record->end_unix_ns - record->start_unix_ns;
    uint8_t label = 0;
    djp__verdict verdict = djp__verdict_of(DJP_REASON_NONE, 0);
    if (keep->reads_root) {
        tail_rules_read_root(&root, keep, record);
    }
    for (uint32_t left = keep->routes; left != 0; left &= left - 1) {
        const tail_rules__rule *rule = &keep->rules[__builtin_ctz(left)];
        if (tail_rules_fits(rule, root.route)) {
            slow_ns = rule->duration_ns;
            label = rule->label;
            break;
        }
    }
    if (slow_ns > 0 && duration > slow_ns) {
        verdict = djp__verdict_of(DJP_REASON_SLOW, label);
    }
    if (keep->table) {
        flags |= djp__verdict_reason(verdict) != DJP_REASON_NONE ? DJP_TAIL_IS_SAMPLED : 0u;
        djp__verdict found = tail_rules_look_back(keep, record, &root, flags);
        verdict = djp__verdict_reason(verdict) != DJP_REASON_NONE ? verdict : found;
    }
    return verdict;
}

int
djp__tail_rules_is_patient(const djp__tail_rules *keep, djp_text name, int route_comes,
                           uint64_t age_ns)
{
    for (uint32_t left = keep->routes; left != 0; left &= left - 1) {
        const tail_rules__rule *rule = &keep->rules[__builtin_ctz(left)];
        if (route_comes && rule->duration_ns > age_ns) {
            return 1;
        }
        if (!route_comes && tail_rules_fits(rule, name)) {
            return rule->duration_ns > age_ns;
        }
    }
    return 0;
}

void
djp__tail_rules_counters(djp__tail_history_totals *out, const djp__tail_rules *keep)
{
    *out = (djp__tail_history_totals){0, 0, 0};
    if (keep != NULL && keep->table) {
        djp__tail_history_counters(out, keep->table);
    }
}
