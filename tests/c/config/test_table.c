/* The table of settings against a second list of ranges and defaults, and rules that each row
 * keeps. Users depend on these numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

static const struct {
    djp__setting setting;
    djp__form form;
    double minimum, maximum;
    const char *standard;
} numbers[] = {
    {DJP_SETTING_SAMPLE_RATIO, DJP_FORM_RATIO, 0, 1, "0.02"},
    {DJP_SETTING_CANARY_RATIO, DJP_FORM_RATIO, 0, 1, "1"},
    {DJP_SETTING_REMOTE_SAMPLING_INTERVAL, DJP_FORM_SECONDS, 0.1, 86400, "60"},
    {DJP_SETTING_TARGET_SPANS, DJP_FORM_SIZE, 0, 1e9, "0"},
    {DJP_SETTING_TARGET_BYTES, DJP_FORM_SIZE, 0, 1e12, "0"},
    {DJP_SETTING_SPAN_RATE_LIMIT, DJP_FORM_SIZE, 0, 1e9, "0"},
    {DJP_SETTING_BUDGET, DJP_FORM_RATIO, 0, 1e12, "0"},
    {DJP_SETTING_PRICE_GB, DJP_FORM_RATIO, 0, 1e12, "0"},
    {DJP_SETTING_PRICE_SPANS, DJP_FORM_RATIO, 0, 1e12, "0"},
    {DJP_SETTING_PRICE_SERIES, DJP_FORM_RATIO, 0, 1e12, "0"},
    {DJP_SETTING_SLOW_THRESHOLD, DJP_FORM_SECONDS, 0, 31536000, "2"},
    {DJP_SETTING_EXPORT_TIMEOUT, DJP_FORM_SECONDS, 0, 31536000, "10"},
    {DJP_SETTING_MAX_REQUEST_BYTES, DJP_FORM_SIZE, 4096, 1 << 30, "67108864"},
    {DJP_SETTING_MAX_RESPONSE_BYTES, DJP_FORM_SIZE, 1024, 1 << 30, "4194304"},
    {DJP_SETTING_RING_BYTES, DJP_FORM_SIZE, 65536, 1 << 30, "4194304"},
    {DJP_SETTING_FLUSH_INTERVAL, DJP_FORM_SECONDS, 0, 31536000, "5"},
    {DJP_SETTING_MAX_BATCH_SPANS, DJP_FORM_SIZE, 1, 1000000, "512"},
    {DJP_SETTING_EXPORT_CONCURRENCY, DJP_FORM_SIZE, 1, 16, "4"},
    {DJP_SETTING_SHUTDOWN_TIMEOUT, DJP_FORM_SECONDS, 0, 31536000, "1"},
    {DJP_SETTING_DECISION_BUFFER_BYTES, DJP_FORM_SIZE, 65536, 1 << 30, "8388608"},
    {DJP_SETTING_DECISION_WAIT, DJP_FORM_SECONDS, 0, 31536000, "60"},
    {DJP_SETTING_ATTRIBUTE_COUNT_LIMIT, DJP_FORM_COUNT, 0, UINT32_MAX, "128"},
    {DJP_SETTING_ATTRIBUTE_VALUE_LENGTH_LIMIT, DJP_FORM_COUNT, 0, UINT32_MAX, "4294967295"},
    {DJP_SETTING_EVENT_COUNT_LIMIT, DJP_FORM_COUNT, 0, UINT32_MAX, "128"},
    {DJP_SETTING_LINK_COUNT_LIMIT, DJP_FORM_COUNT, 0, UINT32_MAX, "128"},
    {DJP_SETTING_EVENT_ATTRIBUTE_COUNT_LIMIT, DJP_FORM_COUNT, 0, UINT32_MAX, "128"},
    {DJP_SETTING_LINK_ATTRIBUTE_COUNT_LIMIT, DJP_FORM_COUNT, 0, UINT32_MAX, "128"},
    {DJP_SETTING_METRICS_INTERVAL, DJP_FORM_SECONDS, 0.1, 31536000, "60"},
    {DJP_SETTING_METRICS_TIMEOUT, DJP_FORM_SECONDS, 0, 31536000, "10"},
    {DJP_SETTING_PROMETHEUS_PORT, DJP_FORM_PORT, 0, 65535, "0"},
    {DJP_SETTING_CARDINALITY_LIMIT, DJP_FORM_COUNT, 1, 1000000, "2000"},
};

static void
numbers_have_their_ranges(void **state)
{
    int count = 0;
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const djp__config_row *row = &djp__config_table[numbers[i].setting];
        assert_int_equal(row->form, numbers[i].form);
        assert_true(row->minimum == numbers[i].minimum);
        assert_true(row->maximum == numbers[i].maximum);
        assert_string_equal(row->standard, numbers[i].standard);
    }
    for (int i = 0; i < DJP_SETTINGS; i++) {
        count += djp__config_table[i].maximum != 0;
    }
    assert_int_equal(count, sizeof numbers / sizeof numbers[0]); /* there is no other */
}

static const struct {
    djp__setting setting;
    const char *words; /* each value with its words */
} words[] = {
    {DJP_SETTING_BACKEND, "0 noop,1 prom,1 prometheus,2 otel,3 hybrid,"},
    {DJP_SETTING_EXPORTER, "2 otlp,1 console,0 none,3 file,4 memory,"},
    {DJP_SETTING_SAMPLER, "0 always_on,1 always_off,2 traceidratio,4 jaeger_remote,"},
    {DJP_SETTING_PROTOCOL, "0 grpc,1 http/protobuf,2 http/json,1 http,"},
    {DJP_SETTING_COMPRESSION, "0 none,1 gzip,"},
    {DJP_SETTING_METRICS_EXPORTER, "2 otlp,1 console,3 file,0 none,5 prometheus,"},
    {DJP_SETTING_METRICS_TEMPORALITY, "0 cumulative,1 delta,2 lowmemory,"},
    {DJP_SETTING_METRICS_PROTOCOL, "0 grpc,1 http/protobuf,2 http/json,1 http,"},
    {DJP_SETTING_METRICS_COMPRESSION, "0 none,1 gzip,"},
    {DJP_SETTING_CONSOLE_FORMAT, "0 auto,1 json,2 pretty,"},
    {DJP_SETTING_STATUS_CLASS, "0 code,1 class,0 false,1 true,0 no,1 yes,0 0,1 1,0 exact,"},
    {DJP_SETTING_LABEL_STYLE, "0 endpoint,1 path,"},
    {DJP_SETTING_EXEMPLAR_FILTER, "0 trace_based,1 always_on,2 always_off,"},
    {DJP_SETTING_HISTOGRAM_AGGREGATION,
     "0 explicit_bucket_histogram,1 base2_exponential_bucket_histogram,"},
    {DJP_SETTING_SDK_METRICS, "0 basic,1 otel,"},
    {DJP_SETTING_SEMCONV, "0 old,1 stable,2 both,2 http/dup,1 http,"},
    {DJP_SETTING_LOG_LEVEL,
     "0 none,1 error,2 warn,3 info,4 debug,0 off,2 warning,1 fatal,4 trace,"},
};

static void
words_have_their_values(void **state)
{
    int count = 0;
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        djp__buf have;
        djp__buf_init(&have, 0);
        const djp__config_word *word = djp__config_table[words[i].setting].words;
        for (; word->text != NULL; word++) {
            djp__buf_printf(&have, "%d %s,", word->value, word->text);
        }
        djp__buf_char(&have, '\0');
        assert_string_equal(have.data, words[i].words);
        djp__buf_fini(&have);
    }
    for (int i = 0; i < DJP_SETTINGS; i++) {
        count += djp__config_table[i].form == DJP_FORM_WORD;
    }
    assert_int_equal(count, sizeof words / sizeof words[0]);
}

/* Headers and proxies may contain passwords, and a token is one. */
static void
five_settings_are_secret(void **state)
{
    (void)state;
    for (int i = 0; i < DJP_SETTINGS; i++) {
        assert_int_equal(djp__config_table[i].secret,
                         i == DJP_SETTING_HEADERS || i == DJP_SETTING_METRICS_HEADERS ||
                             i == DJP_SETTING_HTTP_PROXY || i == DJP_SETTING_HTTPS_PROXY ||
                             i == DJP_SETTING_PROMETHEUS_TOKEN);
    }
}

/* Two settings that wrote to one field, or the row of another name, would be hard to see. */
static void
each_row_has_its_own_name_and_field(void **state)
{
    const char *const *keywords = djp_config_keywords();
    (void)state;
    for (int i = 0; i < DJP_SETTINGS; i++) {
        const djp__config_row *row = &djp__config_table[i];
        assert_ptr_equal(keywords[i], djp__config_name((djp__setting)i));
        assert_non_null(row->doc);
        assert_non_null(row->standard);
        for (int j = 0; j < i; j++) {
            assert_true(row->offset != djp__config_table[j].offset);
            assert_string_not_equal(keywords[i], keywords[j]);
        }
    }
    assert_null(keywords[DJP_SETTINGS]);
}

static void
each_default_is_a_valid_value(void **state)
{
    (void)state;
    for (int i = 0; i < DJP_SETTINGS; i++) {
        const djp__config_row *row = &djp__config_table[i];
        djp__config_value value;
        djp_text text = {row->standard, strlen(row->standard)};
        assert_int_equal(djp__config_parse(&value, row, row->form, text), 1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_their_ranges),
        cmocka_unit_test(words_have_their_values),
        cmocka_unit_test(five_settings_are_secret),
        cmocka_unit_test(each_row_has_its_own_name_and_field),
        cmocka_unit_test(each_default_is_a_valid_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
