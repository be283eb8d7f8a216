/* Content negotiation: selects the exposition format by an Accept header. The header is untrusted;
 * invalid parts are skipped. */
#include <string.h>

#include "base/str.h"
#include "djp/metrics.h"

/* The used part of a longer header. */
#define NEGOTIATE_SIZE_MAX 8192u
#define NEGOTIATE_UNSET (-1)

/* The q-value (0..1000) that the most specific range so far gives a format: 1 "*" slash "*", 2 type
 * slash "*", 3 the type itself, 4 with its version. */
typedef struct negotiate_choice {
    int quality;
    int rank;
} negotiate_choice;

typedef struct negotiate_range {
    djp_text type;
    djp_text version; /* empty: not given */
    int quality;
} negotiate_range;

/* 0, 1, 0.25, 1.000 as thousandths; out of range or not a number: NEGOTIATE_UNSET. */
static int
negotiate_quality(djp_text text)
{
    if (text.size == 0 || text.size > 5 || (text.data[0] != '0' && text.data[0] != '1')) {
        return NEGOTIATE_UNSET;
    }
    int value = (text.data[0] - '0') * 1000, unit = 100;
    if (text.size > 1 && text.data[1] != '.') {
        return NEGOTIATE_UNSET;
    }
    for (size_t i = 2; i < text.size; i++, unit /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return NEGOTIATE_UNSET;
        }
        value += (text.data[i] - '0') * unit;
    }
    return value > 1000 ? NEGOTIATE_UNSET : value;
}

/* Next part up to a separator that is not inside a quoted string. */
static int
negotiate_split(djp_text *part, djp_text *rest, char separator)
{
    if (rest->size == 0) {
        return 0;
    }
    int quoted = 0;
    size_t i = 0;
    for (; i < rest->size; i++) {
        char c = rest->data[i];
        if (quoted && c == '\\' && i + 1 < rest->size) {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (c == separator && !quoted) {
            break;
        }
    }
    *part = djp__text_trim((djp_text){rest->data, i});
    size_t skip = i < rest->size ? i + 1 : i;
    *rest = (djp_text){rest->data + skip, rest->size - skip};
    return 1;
}

static void
negotiate_parameter(negotiate_range *range, djp_text parameter)
{
    const char *equals = memchr(parameter.data, '=', parameter.size);
    if (equals == NULL) {
        return;
    }
    djp_text name = djp__text_trim((djp_text){parameter.data, (size_t)(equals - parameter.data)});
    djp_text value = djp__text_trim(
        (djp_text){equals + 1, parameter.size - (size_t)(equals - parameter.data) - 1});
    if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"') {
        value = (djp_text){value.data + 1, value.size - 2};
    }
    if (djp__text_equal_nocase(name, "q")) {
        range->quality = negotiate_quality(value);
    } else if (djp__text_equal_nocase(name, "version")) {
        range->version = value;
    }
}

static int
negotiate_parse(negotiate_range *out, djp_text text)
{
    djp_text part;
    memset(out, 0, sizeof *out);
    out->quality = 1000;
    if (!negotiate_split(&out->type, &text, ';') || out->type.size == 0) {
        return 0;
    }
    while (negotiate_split(&part, &text, ';')) {
        if (part.size > 0) {
            negotiate_parameter(out, part);
        }
    }
    return out->quality != NEGOTIATE_UNSET;
}

static int
negotiate_rank(const negotiate_range *range, const char *type, const char *all, const char *version)
{
    if (djp__text_equal(range->type, "*/*")) {
        return 1;
    }
    if (djp__text_equal_nocase(range->type, all)) {
        return 2;
    }
    if (!djp__text_equal_nocase(range->type, type)) {
        return 0;
    }
    if (range->version.size == 0) {
        return 3;
    }
    return djp__text_equal(range->version, version) ? 4 : 0;
}

static void
negotiate_apply(negotiate_choice *choice, int rank, int quality)
{
    if (rank > choice->rank || (rank > 0 && rank == choice->rank && quality > choice->quality)) {
        choice->rank = rank;
        choice->quality = quality;
    }
}

djp_exposition
djp_exposition_negotiate(djp_text accept)
{
    djp_text rest = {accept.data, accept.data ? accept.size : 0}, part;
    negotiate_choice plain = {0, 0}, open = {0, 0};
    if (rest.size > NEGOTIATE_SIZE_MAX) {
        rest.size = NEGOTIATE_SIZE_MAX;
    }
    while (negotiate_split(&part, &rest, ',')) {
        negotiate_range range;
        if (part.size == 0 || !negotiate_parse(&range, part)) {
            continue;
        }
        negotiate_apply(&plain, negotiate_rank(&range, "text/plain", "text/*", "0.0.4"),
                        range.quality);
        negotiate_apply(
            &open, negotiate_rank(&range, "application/openmetrics-text", "application/*", "1.0.0"),
            range.quality);
    }
    /* OpenMetrics only if it is named: a wildcard gets the plain format. */
    int named = open.rank >= 3 && open.quality > 0;
    return named && open.quality >= plain.quality ? DJP_OPENMETRICS_1_0_0 : DJP_TEXT_0_0_4;
}

const char *
djp_exposition_content_type(djp_exposition format)
{
    return format == DJP_OPENMETRICS_1_0_0
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}
