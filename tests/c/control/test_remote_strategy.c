/* Sampling strategies as servers write them, and as they should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "djp/error.h"
#include "control/remote_strategy.h"

static char error[128];

/* From a copy of exactly that size, so that a sanitizer sees every read beyond it. */
static int
parse_bytes(djp__strategy *out, const char *text, size_t size)
{
    char *copy = malloc(size + !size);
    memcpy(copy, text, size);
    error[0] = '\0';
    int code = djp__strategy_parse(out, copy, size, error, sizeof error);
    free(copy);
    assert_true((code != 0) == (error[0] != '\0'));
    return code;
}

static int
parse(djp__strategy *out, const char *text)
{
    return parse_bytes(out, text, strlen(text));
}

static const char *
describe(const djp__strategy *strategy)
{
    static char text[160];
    djp__buf out;
    djp__buf_init(&out, 0);
    djp__strategy_describe(&out, strategy);
    assert_true(out.size < sizeof text);
    memcpy(text, out.data, out.size);
    text[out.size] = '\0';
    djp__buf_fini(&out);
    return text;
}

static const struct {
    const char *text, *description;
} good[] = {
    {"{\"strategyType\":\"PROBABILISTIC\",\"probabilisticSampling\":{\"samplingRate\":0.25}}",
     "probability 0.25"},
    {"{\"strategyType\":0,\"probabilisticSampling\":{\"samplingRate\":1}}", "probability 1"},
    {"{\"probabilisticSampling\":{\"samplingRate\":1e-3}}", "probability 0.001"},
    {"{\"strategyType\":1,\"rateLimitingSampling\":{\"maxTracesPerSecond\":5}}",
     "at most 5 traces a second"},
    {"{\"strategyType\":\"RATE_LIMITING\",\"rateLimitingSampling\":{\"maxTracesPerSecond\":0.5}}",
     "at most 0.5 traces a second"},
    /* A type that does not go with what is there: what is there counts. */
    {"{\"strategyType\":1,\"probabilisticSampling\":{\"samplingRate\":0.5}}", "probability 0.5"},
    {"{\"strategyType\":0,\"rateLimitingSampling\":{\"maxTracesPerSecond\":3}}",
     "at most 3 traces a second"},
    /* With both, the type decides. */
    {"{\"strategyType\":1,\"probabilisticSampling\":{\"samplingRate\":1},\"rateLimitingSampling\":{"
     "\"maxTracesPerSecond\":"
     "3}}",
     "at most 3 traces a second"},
    {"{\"probabilisticSampling\":{\"samplingRate\":1},\"rateLimitingSampling\":{"
     "\"maxTracesPerSecond\":3}}",
     "probability 1"},
    /* What is null or left out by a writer of proto3 JSON. */
    {"{\"strategyType\":null,\"probabilisticSampling\":{},\"rateLimitingSampling\":null,"
     "\"operationSampling\":null}",
     "probability 0"},
    {" {\"new\":[{\"a\":[1,-2.5e+3,true,\"\\u0041\"]}],\n\"probabilisticSampling\":{\"x\":{},"
     "\"samplingRate\":0}}\t",
     "probability 0"},
    /* As Jaeger 2.13 answers for a service with a rate limit while the default has operations. */
    {"{\"strategyType\":1,\"rateLimitingSampling\":{\"maxTracesPerSecond\":5},"
     "\"operationSampling\":{"
     "\"defaultSamplingProbability\":0.5,\"defaultLowerBoundTracesPerSecond\":0,"
     "\"perOperationStrategies\":[{"
     "\"operation\":\"/health\",\"probabilisticSampling\":{\"samplingRate\":0}}],"
     "\"defaultUpperBoundTracesPerSecond\":0}}",
     "1 operations, others probability 0.5"},
    {"{\"operationSampling\":{\"defaultSamplingProbability\":0.1,"
     "\"defaultLowerBoundTracesPerSecond\":0.5,"
     "\"defaultUpperBoundTracesPerSecond\":9,\"perOperationStrategies\":[]}}",
     "0 operations, others probability 0.1, at least 0.5 traces a second of each, at most 9 of "
     "each"},
    {"{\"probabilisticSampling\":{\"samplingRate\":1},\"operationSampling\":{"
     "\"defaultSamplingProbability\":0.1,"
     "\"perOperationStrategies\":null}}",
     "probability 0.1"},
};

static void
test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        djp__strategy strategy;
        if (parse(&strategy, good[i].text) != 0) {
            fail_msg("%s: %s", good[i].text, error);
        }
        assert_string_equal(describe(&strategy), good[i].description);
        djp__strategy_fini(&strategy);
    }
}

static const struct {
    const char *text, *error;
} bad[] = {
    {"", "a JSON object is missing"},
    {"[]", "a JSON object is missing"},
    {"strategy not found", "a JSON object is missing"},
    {"{}", "there is no strategy in it"},
    {"{\"strategyType\":0}", "there is no strategy in it"},
    {"{\"strategyType\":0", "it is not JSON"},
    {"{\"strategyType\":2,\"probabilisticSampling\":{}}",
     "strategyType is neither PROBABILISTIC nor RATE_LIMITING"},
    {"{\"strategyType\":0.5,\"probabilisticSampling\":{}}",
     "strategyType is neither PROBABILISTIC nor RATE_LIMITING"},
    {"{\"strategyType\":\"CONST\",\"probabilisticSampling\":{}}",
     "strategyType is neither PROBABILISTIC nor RATE_LIMITING"},
    {"{\"strategyType\":[],\"probabilisticSampling\":{}}",
     "strategyType is neither PROBABILISTIC nor RATE_LIMITING"},
    {"{\"probabilisticSampling\":{\"samplingRate\":1.5}}",
     "samplingRate is not a number from 0 to 1"},
    {"{\"probabilisticSampling\":{\"samplingRate\":-0.1}}",
     "samplingRate is not a number from 0 to 1"},
    {"{\"probabilisticSampling\":{\"samplingRate\":NaN}}",
     "samplingRate is not a number from 0 to 1"},
    {"{\"probabilisticSampling\":{\"samplingRate\":1e999}}",
     "samplingRate is not a number from 0 to 1"},
    {"{\"probabilisticSampling\":{\"samplingRate\":\"1\"}}",
     "samplingRate is not a number from 0 to 1"},
    {"{\"probabilisticSampling\":{\"samplingRate\":true}}",
     "samplingRate is not a number from 0 to 1"},
    {"{\"probabilisticSampling\":{\"samplingRate\":01}}",
     "samplingRate is not a number from 0 to 1"},
    {"{\"probabilisticSampling\":0.5}", "a JSON object is missing"},
    {"{\"probabilisticSampling\":{\"samplingRate\":1}} x", "it is not JSON"},
    {"{\"probabilisticSampling\":{\"samplingRate\":1}},", "it is not JSON"},
    {"{\"probabilisticSampling\":{\"samplingRate\":1},}", "it is not JSON"},
    {"{\"probabilisticSampling\":{\"samplingRate\":0.1,\"samplingRate\":1}}",
     "samplingRate is there twice"},
    {"{\"probabilisticSampling\":{},\"probabilisticSampling\":{}}",
     "probabilisticSampling is there twice"},
    {"{\"rateLimitingSampling\":{\"maxTracesPerSecond\":-1}}",
     "maxTracesPerSecond is not a number from 0 to 1e+09"},
    {"{\"rateLimitingSampling\":{\"maxTracesPerSecond\":1e10}}",
     "maxTracesPerSecond is not a number from 0 to 1e+09"},
    {"{\"operationSampling\":[]}", "a JSON object is missing"},
    {"{\"operationSampling\":{\"defaultSamplingProbability\":2}}",
     "defaultSamplingProbability is not a number from 0 to 1"},
    {"{\"operationSampling\":{\"defaultLowerBoundTracesPerSecond\":-1}}",
     "defaultLowerBoundTracesPerSecond is not a number from 0 to 1e+09"},
    {"{\"operationSampling\":{\"perOperationStrategies\":{}}}",
     "perOperationStrategies is not a list"},
    {"{\"operationSampling\":{\"perOperationStrategies\":[1]}}", "a JSON object is missing"},
    {"{\"operationSampling\":{\"perOperationStrategies\":[{\"operation\":7}]}}",
     "operation is not a text"},
    {"{\"operationSampling\":{\"perOperationStrategies\":[{\"operation\":\"a\",\"operation\":\"b\"}"
     "]}}",
     "operation is there twice"},
    {"{\"operationSampling\":{\"perOperationStrategies\":[{\"operation\":\"a\\x\"}]}}",
     "it is not JSON"},
    {"{\"operationSampling\":{\"perOperationStrategies\":[{\"operation\":\"a\","
     "\"probabilisticSampling\":{"
     "\"samplingRate\":7}}]}}",
     "samplingRate is not a number from 0 to 1"},
    {"{\"operationSampling\":{\"perOperationStrategies\":[{\"operation\":\"a\"},]}}",
     "a JSON object is missing"},
    {"{\"deep\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "it is not JSON"},
};

static void
test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        djp__strategy strategy;
        if (parse(&strategy, bad[i].text) != DJP_EINVAL) {
            fail_msg("%s is taken", bad[i].text);
        }
        assert_string_equal(error, bad[i].error);
        assert_null(strategy.operations);
    }
    djp__strategy strategy;
    assert_int_equal(parse_bytes(&strategy, "{\"probabilisticSampling\":{}}\0", 29), DJP_EINVAL);
}

/* Whatever is cut off a good answer, what is left is refused. */
static void
test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const char *end = strrchr(good[i].text, '}');
        for (size_t size = 0; size < (size_t)(end - good[i].text); size++) {
            djp__strategy strategy;
            assert_int_equal(parse_bytes(&strategy, good[i].text, size), DJP_EINVAL);
        }
    }
}

static void
test_operations(void **state)
{
    (void)state;
    djp__strategy strategy;
    assert_int_equal(
        parse(&strategy,
              "{\"operationSampling\":{\"defaultSamplingProbability\":0.5,"
              "\"perOperationStrategies\":["
              "{\"operation\":\"GET /a\",\"probabilisticSampling\":{\"samplingRate\":0.1}},"
              "{\"probabilisticSampling\":{\"samplingRate\":1},\"operation\":\"\\u00e9\\n\xff\"},"
              "{\"operation\":\"never\"},"
              "{\"operation\":\"GET /a\",\"probabilisticSampling\":{\"samplingRate\":0.2}}]}}"),
        0);
    assert_int_equal(strategy.kind, DJP_STRATEGY_OPERATIONS);
    assert_int_equal(strategy.operation_count, 3);
    assert_string_equal(strategy.operations[0].name.data, "GET /a");
    assert_true(strategy.operations[0].probability == 0.2);
    assert_string_equal(strategy.operations[1].name.data, "\xc3\xa9\n\xef\xbf\xbd");
    assert_int_equal(strategy.operations[1].name.size, 6);
    assert_true(strategy.operations[1].probability == 1);
    assert_true(strategy.operations[2].probability == 0);
    djp__strategy_fini(&strategy);
}

/* 10,000 operations, every second of them with a name that is too long. */
static char *
many(size_t *size)
{
    size_t room = 10000 * 700u;
    char *text = malloc(room), name[DJP_STRATEGY_OPERATION_MAX + 2];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    *size = (size_t)sprintf(text, "{\"operationSampling\":{\"perOperationStrategies\":[");
    for (int i = 0; i < 10000; i++) {
        *size += (size_t)sprintf(text + *size, "%s{\"operation\":\"%s%d\"}", i ? "," : "",
                                 i % 2 ? name : "op", i);
    }
    *size += (size_t)sprintf(text + *size, "]}}");
    assert_true(*size < room);
    return text;
}

static void
test_bounds(void **state)
{
    (void)state;
    djp__strategy strategy;
    size_t size;
    char *text = many(&size);
    assert_int_equal(parse_bytes(&strategy, text, size), 0);
    assert_int_equal(strategy.operation_count, DJP_STRATEGY_OPERATIONS_MAX);
    assert_int_equal(strategy.operations_left_out, 10000 - DJP_STRATEGY_OPERATIONS_MAX);
    assert_string_equal(strategy.operations[DJP_STRATEGY_OPERATIONS_MAX - 1].name.data, "op3998");
    assert_string_equal(describe(&strategy),
                        "2000 operations, others probability 0; 8000 operations left out");
    djp__strategy_fini(&strategy);
    free(text);
}

static void
test_no_memory(void **state)
{
    (void)state;
    const char *text = "{\"operationSampling\":{\"perOperationStrategies\":[{\"operation\":\"a\"},{"
                       "\"operation\":\"b\"}]}}";
    djp__strategy strategy;
    int code = DJP_ENOMEM;
    for (long nth = 1; nth < 100 && code != 0; nth++) {
        djp__alloc_fail_after(nth);
        code = djp__strategy_parse(&strategy, text, strlen(text), error, sizeof error);
        djp__alloc_fail_after(0);
        assert_true(code == 0 || (nth < 20 && code == DJP_ENOMEM));
    }
    assert_int_equal(code, 0);
    djp__strategy_fini(&strategy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),   cmocka_unit_test(test_bad),
        cmocka_unit_test(test_cut),    cmocka_unit_test(test_operations),
        cmocka_unit_test(test_bounds), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
