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
    djp_exposition escaping;
} negotiate_choice;

typedef struct negotiate_range {
    djp_text type;
    djp_text version, proto, encoding; /* empty: not given */
    djp_exposition escaping;
    int quality;
} negotiate_range;

typedef struct negotiate_format {
    djp_exposition format;
    const char *type, *all;
    const char *version; /* NULL: none */
    int rank; /* a range of this rank or above names it */
} negotiate_format;

/* The binary one first. In the order of preference among those of equal quality. A wildcard gets
 * the plain text; a type without version gets the version that every reader of that type knows. */
static const negotiate_format negotiate_formats[] = {
    {DJP_PROTOBUF_DELIMITED, "application/vnd.google.protobuf", "application/*", NULL, 3},
    {DJP_OPENMETRICS_2_0_0, "application/openmetrics-text", "application/*", "2.0.0", 4},
    {DJP_OPENMETRICS_1_0_0, "application/openmetrics-text", "application/*", "1.0.0", 3},
    {DJP_TEXT_1_0_0, "text/plain", "text/*", "1.0.0", 4},
    {DJP_OPENMETRICS_0_0_1, "application/openmetrics-text", "application/*", "0.0.1", 4},
    {DJP_TEXT_0_0_4, "text/plain", "text/*", "0.0.4", 1},
};
#define NEGOTIATE_FORMATS (sizeof negotiate_formats / sizeof negotiate_formats[0])

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

static djp_exposition
negotiate_escaping(djp_text value)
{
    return djp__text_equal_nocase(value, "allow-utf-8") ? DJP_ALLOW_UTF_8
           : djp__text_equal_nocase(value, "dots")      ? DJP_ESCAPE_DOTS
           : djp__text_equal_nocase(value, "values")    ? DJP_ESCAPE_VALUES
                                                        : DJP_ESCAPE_UNDERSCORES;
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
    } else if (djp__text_equal_nocase(name, "escaping")) {
        range->escaping = negotiate_escaping(value);
    } else if (djp__text_equal_nocase(name, "proto")) {
        range->proto = value;
    } else if (djp__text_equal_nocase(name, "encoding")) {
        range->encoding = value;
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

/* The protobuf type has other messages and encodings, too. */
static int
negotiate_is_ours(const negotiate_range *range, const negotiate_format *format)
{
    return format->format != DJP_PROTOBUF_DELIMITED ||
           (djp__text_equal(range->proto, "io.prometheus.client.MetricFamily") &&
            djp__text_equal_nocase(range->encoding, "delimited"));
}

static int
negotiate_rank(const negotiate_range *range, const negotiate_format *format)
{
    if (djp__text_equal(range->type, "*/*")) {
        return 1;
    }
    if (djp__text_equal_nocase(range->type, format->all)) {
        return 2;
    }
    if (!djp__text_equal_nocase(range->type, format->type) || !negotiate_is_ours(range, format)) {
        return 0;
    }
    if (range->version.size == 0 || format->version == NULL) {
        return 3;
    }
    return djp__text_equal(range->version, format->version) ? 4 : 0;
}

static void
negotiate_apply(negotiate_choice *choice, int rank, const negotiate_range *range)
{
    if (rank > choice->rank ||
        (rank > 0 && rank == choice->rank && range->quality > choice->quality)) {
        choice->rank = rank;
        choice->quality = range->quality;
        choice->escaping = range->escaping;
    }
}

/* Names in text 0.0.4 and OpenMetrics 0.0.1 are never quoted. */
static djp_exposition
negotiate_escaped(djp_exposition format, djp_exposition escaping)
{
    int is_quotable = format != DJP_TEXT_0_0_4 && format != DJP_OPENMETRICS_0_0_1;
    return is_quotable ? (djp_exposition)((unsigned)format | (unsigned)escaping) : format;
}

/* Skips that many formats of the table. */
static djp_exposition
negotiate_among(djp_text accept, size_t first)
{
    djp_text rest = {accept.data, accept.data ? accept.size : 0}, part;
    negotiate_choice choices[NEGOTIATE_FORMATS] = {{0, 0, DJP_ESCAPE_UNDERSCORES}};
    if (rest.size > NEGOTIATE_SIZE_MAX) {
        rest.size = NEGOTIATE_SIZE_MAX;
    }
    while (negotiate_split(&part, &rest, ',')) {
        negotiate_range range;
        if (part.size == 0 || !negotiate_parse(&range, part)) {
            continue;
        }
        for (size_t i = first; i < NEGOTIATE_FORMATS; i++) {
            negotiate_apply(&choices[i], negotiate_rank(&range, &negotiate_formats[i]), &range);
        }
    }
    const negotiate_format *best = &negotiate_formats[NEGOTIATE_FORMATS - 1];
    const negotiate_choice *chosen = &choices[NEGOTIATE_FORMATS - 1];
    for (size_t i = NEGOTIATE_FORMATS; i-- > first;) {
        if (choices[i].rank >= negotiate_formats[i].rank && choices[i].quality > 0 &&
            choices[i].quality >= chosen->quality) {
            best = &negotiate_formats[i];
            chosen = &choices[i];
        }
    }
    return negotiate_escaped(best->format, chosen->escaping);
}

djp_exposition
djp_exposition_negotiate(djp_text accept)
{
    return negotiate_among(accept, 0);
}

djp_exposition
djp_exposition_negotiate_text(djp_text accept)
{
    return negotiate_among(accept, 1);
}

/* Each with the four escapings, in the order of their numbers. */
#define NEGOTIATE_TYPES(type)                                                            \
    {                                                                                    \
        type "; escaping=underscores", type "; escaping=dots", type "; escaping=values", \
            type "; escaping=allow-utf-8"                                                \
    }
#define NEGOTIATE_PLAIN(type)  \
    {                          \
        type, type, type, type \
    }
/* The parameter is left out where it says nothing new: every reader of OpenMetrics knows names with
 * underscores. */
#define NEGOTIATE_OPEN(type)                                                                  \
    {                                                                                         \
        type, type "; escaping=dots", type "; escaping=values", type "; escaping=allow-utf-8" \
    }

const char *
djp_exposition_content_type(djp_exposition format)
{
    static const char *const types[][4] = {
        [DJP_TEXT_0_0_4] = NEGOTIATE_PLAIN("text/plain; version=0.0.4; charset=utf-8"),
        [DJP_OPENMETRICS_1_0_0] =
            NEGOTIATE_OPEN("application/openmetrics-text; version=1.0.0; charset=utf-8"),
        [DJP_TEXT_1_0_0] = NEGOTIATE_TYPES("text/plain; version=1.0.0; charset=utf-8"),
        [DJP_PROTOBUF_DELIMITED] =
            NEGOTIATE_TYPES("application/vnd.google.protobuf; "
                            "proto=io.prometheus.client.MetricFamily; encoding=delimited"),
        [DJP_OPENMETRICS_2_0_0] =
            NEGOTIATE_OPEN("application/openmetrics-text; version=2.0.0; charset=utf-8"),
        [DJP_OPENMETRICS_0_0_1] =
            NEGOTIATE_PLAIN("application/openmetrics-text; version=0.0.1; charset=utf-8"),
    };
    unsigned number = (unsigned)format & DJP_EXPOSITION_FORMAT, escaping = (unsigned)format >> 8;
    return number < sizeof types / sizeof types[0] ? types[number][escaping & 3] : types[0][0];
}
