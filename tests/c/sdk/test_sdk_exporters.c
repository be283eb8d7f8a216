/* The exporters of the settings: which transports there are, in which order, and what remains when
 * one cannot be used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "pipeline/helper.h"

static char said[512];

static void
hear(void *user, int level, const char *message)
{
    (void)user;
    if (level == DJP_LOG_WARN) {
        snprintf(said, sizeof said, "%s", message);
    }
}

static int
begin(djp_sdk **out, djp_options *options)
{
    said[0] = '\0';
    options->log_level = DJP_LOG_WARN;
    return djp_sdk_new(out, options, NULL, hear, NULL);
}

/* The names of the transports, in their order. */
static const char *
names_of(const djp_sdk *sdk)
{
    static char names[128];
    names[0] = '\0';
    for (const djp__pipeline *one = sdk->pipelines; one != NULL; one = one->next) {
        strcat(names, one == sdk->pipelines ? "" : " ");
        strcat(names, one->transport->ops->name);
        assert_ptr_equal(one->first, &sdk->traces);
    }
    return names;
}

static void
each_exporter_has_a_pipeline(void **state)
{
    enum { CONSOLE = 1u << DJP_EXPORTER_CONSOLE, FILES = 1u << DJP_EXPORTER_FILE };
    enum { MEMORY = 1u << DJP_EXPORTER_MEMORY };
    static const struct {
        djp_exporter first;
        unsigned further;
        const char *names;
    } cases[] = {
        {DJP_EXPORTER_MEMORY, 0, "memory"},
        {DJP_EXPORTER_MEMORY, FILES, "memory file"},
        {DJP_EXPORTER_OTLP, CONSOLE | FILES | MEMORY, "otlp_http console file memory"},
        {DJP_EXPORTER_FILE, FILES, "file"}, /* named twice */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp_sdk *sdk;
        djp_options options = helper_options();
        options.exporter = cases[i].first;
        options.further_exporters = cases[i].further;
        options.file_path = "/nowhere/spans"; /* opened by the first span */
        options.endpoint = "http://127.0.0.1:1/v1/traces";
        assert_int_equal(begin(&sdk, &options), 0);
        assert_string_equal(names_of(sdk), cases[i].names);
        assert_string_equal(said, "");
        int is_otlp = cases[i].first == DJP_EXPORTER_OTLP;
        assert_string_equal(djp__sdk_target(sdk),
                            is_otlp ? "http://127.0.0.1:1/v1/traces" : sdk->transport_name);
        /* one that writes to standard output keeps the descriptors of the process */
        assert_int_equal(sdk->worker.shares_files, (cases[i].further & CONSOLE) != 0);
        djp_sdk_free(sdk);
    }
}

/* Binary OTLP for memory, JSON for a file; JSON by HTTP and the file share an encoder. */
static void
equal_forms_share_an_encoder(void **state)
{
    (void)state;
    djp_sdk *sdk;
    djp_options options = helper_options();
    options.exporter = DJP_EXPORTER_OTLP;
    options.further_exporters = 1u << DJP_EXPORTER_FILE | 1u << DJP_EXPORTER_MEMORY;
    options.endpoint = "http://127.0.0.1:1/v1/traces";
    options.protocol = DJP_PROTOCOL_HTTP_JSON;
    assert_int_equal(begin(&sdk, &options), 0);
    djp__pipeline *file = sdk->traces.next, *memory = file->next;
    assert_ptr_equal(file->encodes, &sdk->traces);
    assert_ptr_equal(memory->encodes, memory);
    assert_string_equal(sdk->traces.options.exporter, "otlp_http_json");
    assert_string_equal(file->options.exporter, "file");
    djp_sdk_free(sdk);
    options.protocol = DJP_PROTOCOL_HTTP_PROTOBUF;
    assert_int_equal(begin(&sdk, &options), 0);
    file = sdk->traces.next, memory = file->next;
    assert_ptr_equal(file->encodes, file);
    assert_ptr_equal(memory->encodes, &sdk->traces);
    djp_sdk_free(sdk);
}

static void
spans_reach_memory_and_file(void **state)
{
    (void)state;
    char folder[] = "/tmp/djp-test-XXXXXX", path[64], text[8192];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/spans", folder);
    djp_sdk *sdk;
    djp_options options = helper_options();
    options.exporter = DJP_EXPORTER_FILE;
    options.further_exporters = 1u << DJP_EXPORTER_MEMORY;
    options.file_path = path;
    assert_int_equal(begin(&sdk, &options), 0);
    helper_spans(sdk, "everywhere", 3);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    char *bytes;
    size_t size;
    assert_int_equal(djp_sdk_take_exported(&bytes, &size, sdk), 0);
    assert_int_equal(helper_count(bytes, size, "everywhere"), 3);
    djp_free(bytes);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    unsigned found = 0;
    for (const char *at = text; (at = strstr(at, "\"everywhere\"")) != NULL; at++) {
        found++;
    }
    assert_int_equal(found, 3);
    json *status = helper_status(sdk);
    const json *further = json_get(json_get(status, "signals"), "traces.memory");
    assert_non_null(further);
    assert_true(json_get(json_get(further, "books"), "exported")->number == 3);
    assert_string_equal(json_string(json_get(further, "transport"), ""), "memory");
    json_free(status);
    djp_sdk_free(sdk);
    unlink(path);
    rmdir(folder);
}

/* An address that cannot be used excludes OTLP; without another exporter there are no traces. */
static void
a_bad_address_leaves_the_others(void **state)
{
    (void)state;
    for (int alone = 0; alone < 2; alone++) {
        djp_sdk *sdk;
        djp_options options = helper_options();
        options.exporter = DJP_EXPORTER_OTLP;
        options.further_exporters = alone ? 0 : 1u << DJP_EXPORTER_MEMORY;
        options.endpoint = "nonsense://";
        options.endpoint_source = "OTEL_ENDPOINT";
        options.baggage_attributes = "k";
        assert_int_equal(begin(&sdk, &options), 0);
        assert_non_null(strstr(said, "the address in OTEL_ENDPOINT cannot be used"));
        assert_int_equal(strstr(said, "The other exporters go on") != NULL, !alone);
        assert_int_equal(djp_sdk_recorder(sdk) == NULL, alone);
        assert_int_equal(sdk->pipelines == NULL, alone);
        assert_int_equal(sdk->baggage_attributes == NULL, alone);
        if (!alone) {
            assert_string_equal(djp__sdk_target(sdk), "memory");
            helper_spans(sdk, "span", 2);
            assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
            assert_int_equal(sdk->traces.stats.items_exported, 2);
        }
        djp_sdk_free(sdk);
    }
}

static void
without_memory_there_is_no_instance(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.exporter = DJP_EXPORTER_MEMORY;
    options.further_exporters = 1u << DJP_EXPORTER_FILE | 1u << DJP_EXPORTER_CONSOLE;
    options.file_path = "/dev/null";
    int result = DJP_ENOMEM;
    for (long n = 1; result != 0; n++) {
        djp_sdk *sdk = NULL;
        djp__alloc_fail_after(n);
        result = begin(&sdk, &options);
        djp__alloc_fail_after(0);
        assert_true(result == 0 || (result == DJP_ENOMEM && sdk == NULL));
        djp_sdk_free(sdk);
        assert_true(n < 1000);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_exporter_has_a_pipeline),
        cmocka_unit_test(equal_forms_share_an_encoder),
        cmocka_unit_test(spans_reach_memory_and_file),
        cmocka_unit_test(a_bad_address_leaves_the_others),
        cmocka_unit_test(without_memory_there_is_no_instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
