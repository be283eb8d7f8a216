/* The Retry-After header: seconds, or an HTTP date in its three forms. Accepts any bytes;
 * independent of the locale. */
#include "net/otlp_response.h"

#include <string.h>

#include "base/str.h"

#define RETRY_AFTER_MAX_S UINT64_C(3600)
#define RETRY_AFTER_SECOND UINT64_C(1000000000)

typedef struct retry_date {
    int year, month, day, hour, minute, second;
} retry_date;

/* The scanner of the date: after one failure every step fails. */
typedef struct retry_text {
    const char *at;
    const char *end;
    int ok;
} retry_text;

static void
retry_literal(retry_text *text, const char *literal)
{
    size_t size = strlen(literal);
    text->ok =
        text->ok && (size_t)(text->end - text->at) >= size && memcmp(text->at, literal, size) == 0;
    text->at += text->ok ? size : 0;
}

/* A number of exactly `width` digits; a leading blank counts as zero where the form pads with
 * one. */
static int
retry_number(retry_text *text, int width, int blank)
{
    int value = 0;
    for (int i = 0; i < width && text->ok; i++) {
        char c = text->at < text->end ? *text->at : 'x';
        if (c == ' ' && blank && i == 0) {
            c = '0';
        }
        text->ok = c >= '0' && c <= '9';
        text->at += text->ok;
        value = value * 10 + (c - '0');
    }
    return value;
}

/* One of the names, 1 for the first; if none matches, does not advance. */
static int
retry_name(retry_text *text, const char *const *names, int count)
{
    for (int i = 0; i < count && text->ok; i++) {
        size_t size = strlen(names[i]);
        if ((size_t)(text->end - text->at) >= size && memcmp(text->at, names[i], size) == 0) {
            text->at += size;
            return i + 1;
        }
    }
    text->ok = 0;
    return 0;
}

static void
retry_month(retry_text *text, retry_date *date)
{
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    date->month = retry_name(text, names, 12);
}

static void
retry_time(retry_text *text, retry_date *date)
{
    date->hour = retry_number(text, 2, 0);
    retry_literal(text, ":");
    date->minute = retry_number(text, 2, 0);
    retry_literal(text, ":");
    date->second = retry_number(text, 2, 0);
}

/* "06 Nov 1994 08:49:37 GMT", or with dashes and a two-digit year of which the century is the
 * nearest past or 50 years ahead. */
static void
retry_gmt_date(retry_text *text, retry_date *date, const char *separator, int two_digits,
               int year_now)
{
    date->day = retry_number(text, 2, 0);
    retry_literal(text, separator);
    retry_month(text, date);
    retry_literal(text, separator);
    if (two_digits) {
        date->year = retry_number(text, 2, 0) + year_now - year_now % 100;
        date->year -= date->year > year_now + 50 ? 100 : 0;
    } else {
        date->year = retry_number(text, 4, 0);
    }
    retry_literal(text, " ");
    retry_time(text, date);
    retry_literal(text, " GMT");
}

/* "Nov  6 08:49:37 1994" */
static void
retry_asctime_date(retry_text *text, retry_date *date)
{
    retry_month(text, date);
    retry_literal(text, " ");
    date->day = retry_number(text, 2, 1);
    retry_literal(text, " ");
    retry_time(text, date);
    retry_literal(text, " ");
    date->year = retry_number(text, 4, 0);
}

static int
retry_days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static int
retry_date_valid(const retry_date *date)
{
    return date->year >= 1970 && date->month >= 1 && date->day >= 1 &&
           date->day <= retry_days_in_month(date->year, date->month) && date->hour < 24 &&
           date->minute < 60 && date->second <= 60;
}

/* Reads any of the three forms. The weekday is not checked against the date. */
static int
retry_date_parse(retry_date *date, djp_text value, int year_now)
{
    static const char *const long_days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                            "Friday", "Saturday", "Sunday"};
    static const char *const short_days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    retry_text text = {value.data, value.data + value.size, 1};
    memset(date, 0, sizeof *date);
    int is_long = retry_name(&text, long_days, 7) != 0;
    if (is_long) {
        retry_literal(&text, ", ");
        retry_gmt_date(&text, date, "-", 1, year_now);
    } else {
        text.ok = 1;
        retry_name(&text, short_days, 7);
        if (text.ok && text.at < text.end && *text.at == ',') {
            retry_literal(&text, ", ");
            retry_gmt_date(&text, date, " ", 0, year_now);
        } else {
            retry_literal(&text, " ");
            retry_asctime_date(&text, date);
        }
    }
    return text.ok && text.at == text.end && retry_date_valid(date);
}

static uint64_t
retry_date_unix(const retry_date *date)
{
    uint64_t days = 0;
    for (int year = 1970; year < date->year; year++) {
        days += 337u + (uint64_t)retry_days_in_month(year, 2);
    }
    for (int month = 1; month < date->month; month++) {
        days += (uint64_t)retry_days_in_month(date->year, month);
    }
    days += (uint64_t)date->day - 1;
    return days * 86400u + (uint64_t)date->hour * 3600u + (uint64_t)date->minute * 60u +
           (uint64_t)date->second;
}

/* Digits only; a number too large becomes the cap. */
static int
retry_seconds(uint64_t *seconds, djp_text value)
{
    *seconds = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return 0;
        }
        *seconds = *seconds * 10 + (uint64_t)(value.data[i] - '0');
        *seconds = *seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : *seconds;
    }
    return value.size != 0;
}

int
djp__retry_after(uint64_t *delay_ns, djp_text value, uint64_t now_unix_ns)
{
    uint64_t seconds, most = RETRY_AFTER_MAX_S * RETRY_AFTER_SECOND;
    retry_date date;
    *delay_ns = 0;
    if (value.data == NULL) {
        return 0;
    }
    value = djp__text_trim(value);
    if (retry_seconds(&seconds, value)) {
        *delay_ns = seconds * RETRY_AFTER_SECOND;
        return 1;
    }
    int year_now = 1970 + (int)(now_unix_ns / RETRY_AFTER_SECOND / 31556952u);
    if (!retry_date_parse(&date, value, year_now)) {
        return 0;
    }
    uint64_t at = retry_date_unix(&date), now = now_unix_ns / RETRY_AFTER_SECOND;
    if (at > now) {
        /* Capped before the conversion to nanoseconds; rounded up, so that it does not end before
         * the date. */
        *delay_ns = at - now >= RETRY_AFTER_MAX_S ? most : at * RETRY_AFTER_SECOND - now_unix_ns;
    }
    return 1;
}
