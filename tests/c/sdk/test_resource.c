/* The resource of a process: in the spans that leave, and as the labels of target_info. */
#include "pipeline/helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "djp/version.h"

static void
check_resource(const char *taken, size_t size, const char *key, const char *expected)
{
    char *value = helper_resource(taken, size, key);
    if (value == NULL || (expected && strcmp(value, expected) != 0)) {
        fail_msg("resource attribute %s is %s, not %s", key, value != NULL ? value : "absent",
                 expected ? expected : "anything");
    }
    free(value);
}

static void
test_resource(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.service_namespace = "shop";
    options.service_version = "1.2.3";
    options.environment = "Production";
    options.resource_attributes = "team=a%20b,service.name=other,host.name=mine,bad,%zz=1,empty=,"
                                  "service.version=9%2C9, k = v ,n%C3%A4me=x";
    djp_sdk *sdk = helper_sdk(&options, NULL);
    helper_span(sdk, "one");
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    char *taken = NULL;
    size_t size = 0;
    char pid[32];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    assert_int_equal(djp_sdk_take_exported(&taken, &size, sdk), 0);
    check_resource(taken, size, "service.name", "pipeline-test");
    check_resource(taken, size, "service.namespace", "shop");
    check_resource(taken, size, "service.version", "9,9");
    check_resource(taken, size, "deployment.environment.name", "Production");
    check_resource(taken, size, "telemetry.sdk.name", "djp-telemetry");
    check_resource(taken, size, "telemetry.sdk.language", "c");
    check_resource(taken, size, "telemetry.sdk.version", DJP_VERSION);
    check_resource(taken, size, "process.pid", pid);
    check_resource(taken, size, "process.runtime.name", "test");
    check_resource(taken, size, "process.runtime.version", "1");
    check_resource(taken, size, "process.executable.name", "test_resource");
    check_resource(taken, size, "host.name", "mine");
    check_resource(taken, size, "team", "a b");
    check_resource(taken, size, "k", "v");
    check_resource(taken, size, "n\xc3\xa4me", "x");
    assert_null(helper_resource(taken, size, "empty"));
    char *id = helper_resource(taken, size, "service.instance.id");
    assert_non_null(id);
    assert_int_equal(strlen(id), 36);
    assert_int_equal(id[14], '4');
    assert_non_null(strchr("89ab", id[19]));
    free(id);
    djp_free(taken);
    djp_sdk_free(sdk);
}

/* The labels of an instance; the caller frees with djp_free. */
static char *
labels_of(djp_sdk *sdk)
{
    djp__buf out;
    djp__buf_init(&out, 0);
    djp__resource_labels(&out, sdk);
    djp__buf_char(&out, '\0');
    return djp__buf_take(&out, NULL);
}

static void
assert_labels(djp_sdk *sdk, const char *part)
{
    char *labels = labels_of(sdk);
    if (strstr(labels, part) == NULL) {
        fail_msg("%s is not in %s", part, labels);
    }
    djp_free(labels);
}

static djp_sdk *
instance_with(const char *attributes)
{
    djp_options options = helper_options();
    options.resource_attributes = (char *)attributes;
    return helper_sdk(&options, NULL);
}

static void
test_labels(void **state)
{
    (void)state;
    djp_sdk *sdk = instance_with("quoted=a%22b%5Cc%0Ad,team.name=x,n%C3%A4me=y");
    char pid[48];
    snprintf(pid, sizeof pid, ",process_pid=\"%d\",", (int)getpid());
    assert_labels(sdk, pid);
    assert_labels(sdk, "service_name=\"pipeline-test\"");
    assert_labels(sdk, "quoted=\"a\\\"b\\\\c\\nd\"");
    assert_labels(sdk, "team_name=\"x\"");
    assert_labels(sdk, "n_me=\"y\"");
    char *labels = labels_of(sdk);
    assert_true(labels[0] != ',' && strstr(labels, ",,") == NULL);
    assert_true(labels[strlen(labels) - 1] == '"');
    djp_free(labels);
    djp_sdk_free(sdk);
}

/* Keys that are one label name share it, in the order of the keys. */
static void
test_labels_that_meet(void **state)
{
    (void)state;
    djp_sdk *sdk = instance_with("a.b=3,a_b=2,a%2Bb=1,c=4");
    assert_labels(sdk, "a_b=\"1;3;2\",c=\"4\"");
    char *labels = labels_of(sdk);
    const char *first = strstr(labels, "a_b=");
    assert_null(strstr(first + 1, "a_b="));
    djp_free(labels);
    djp_sdk_free(sdk);
}

/* Labels are sorted by the key, a prefix before what is longer. */
static void
test_labels_have_an_order(void **state)
{
    (void)state;
    djp_sdk *sdk = instance_with("zz=3,z=1,zzz=5,za=2,zza=4");
    assert_labels(sdk, ",z=\"1\",za=\"2\",zz=\"3\",zza=\"4\",zzz=\"5\"");
    djp_sdk_free(sdk);
}

static void
test_attributes_of_the_user(void **state)
{
    (void)state;
    djp_sdk *sdk = instance_with(" a = 1 ,b,=2,c=,%zz=4,d=%zz,e=5=6,service.name=other,,f=7");
    assert_labels(sdk, "a=\"1\"");
    assert_labels(sdk, "e=\"5=6\"");
    assert_labels(sdk, "f=\"7\"");
    assert_labels(sdk, "service_name=\"pipeline-test\"");
    char *labels = labels_of(sdk);
    assert_null(strstr(labels, ",b="));
    assert_null(strstr(labels, ",c="));
    assert_null(strstr(labels, ",d="));
    assert_null(strstr(labels, "zz"));
    assert_null(strstr(labels, "other"));
    assert_null(strstr(labels, "=\"2\""));
    djp_free(labels);
    djp_sdk_free(sdk);
}

/* A limited number of attributes; what is known of the process comes first. A later value of the
 * same key replaces the earlier one. */
static void
test_many_attributes(void **state)
{
    (void)state;
    static char text[64 << 10];
    size_t size = 0;
    for (int i = 0; i < 600; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size, "key%03d=%d,", i, i);
    }
    snprintf(text + size, sizeof text - size, "key000=again");
    djp_sdk *sdk = instance_with(text);
    assert_labels(sdk, "service_name=\"pipeline-test\"");
    assert_labels(sdk, "key000=\"again\"");
    char *labels = labels_of(sdk);
    int count = 0;
    for (const char *at = labels; (at = strstr(at, "=\"")) != NULL; at++) {
        count++;
    }
    assert_int_equal(count, 512);
    assert_null(strstr(labels, "key599"));
    djp_free(labels);
    djp_sdk_free(sdk);
}

/* A name that is too long for a label is left out of the labels alone. */
static void
test_a_long_key(void **state)
{
    (void)state;
    static char text[4096];
    memset(text, 'k', DJP_LABEL_SIZE_MAX);
    strcpy(text + DJP_LABEL_SIZE_MAX, "=fits,");
    size_t size = strlen(text);
    memset(text + size, 'l', DJP_LABEL_SIZE_MAX + 1);
    strcpy(text + size + DJP_LABEL_SIZE_MAX + 1, "=long,z=last");
    djp_sdk *sdk = instance_with(text);
    assert_labels(sdk, "=\"fits\"");
    assert_labels(sdk, ",z=\"last\"");
    char *labels = labels_of(sdk);
    assert_null(strstr(labels, "long"));
    djp_free(labels);
    djp_sdk_free(sdk);
}

/* Invalid bytes of a setting do not make invalid text. */
static void
test_text_is_repaired(void **state)
{
    (void)state;
    djp_sdk *sdk = instance_with("bad=a%FFb");
    assert_labels(sdk, "bad=\"a\xef\xbf\xbd"
                       "b\"");
    djp_sdk_free(sdk);
}

/* ---- the process ---- */

static char *
instance_id(djp_sdk *sdk)
{
    char *labels = labels_of(sdk);
    char *at = strstr(labels, "service_instance_id=\"");
    assert_non_null(at);
    char *id = strndup(at + strlen("service_instance_id=\""), 36);
    djp_free(labels);
    return id;
}

/* A version 4 UUID, the same in every reading; another one in every instance and process. */
static void
test_the_instance_has_an_id(void **state)
{
    (void)state;
    djp_sdk *sdk = instance_with(""), *other = instance_with("");
    char *id = instance_id(sdk), *again = instance_id(sdk), *theirs = instance_id(other);
    assert_string_equal(id, again);
    assert_string_not_equal(id, theirs);
    for (size_t i = 0; i < 36; i++) {
        int is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        assert_non_null(strchr(is_dash   ? "-"
                               : i == 14 ? "4"
                               : i == 19 ? "89ab"
                                         : "0123456789abcdef",
                               id[i]));
    }
    pid_t child = fork();
    if (child == 0) {
        char *ours = instance_id(sdk);
        char *once_more = instance_id(sdk);
        _exit(strcmp(ours, id) != 0 && strcmp(ours, once_more) == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    free(id);
    free(again);
    free(theirs);
    djp_sdk_free(sdk);
    djp_sdk_free(other);
}

/* ---- encodings ---- */

/* The first byte that an encoder of these options writes. */
static char
begins_with(const djp_options *options)
{
    djp_sdk *sdk = NULL;
    djp__encoder *encoder = NULL;
    djp__buf body;
    script_transport *transport = script_new(NULL, NULL);
    sdk = helper_sdk(options, transport);
    djp__store_release(&sdk->worker.state, DJP__WORKER_WORKING); /* nothing else drains */
    helper_span(sdk, "span");
    size_t size;
    const djp__span_record *record = djp__ring_peek(djp__recorder_ring(sdk->recorder), &size);
    djp__buf_init(&body, 0);
    assert_int_equal(djp__resource_encoder_new(&encoder, sdk, &djp__otlp_trace,
                                               (djp__encoding)sdk->traces.options.form),
                     0);
    assert_int_equal(djp__encoder_add(encoder, record), 0);
    assert_int_equal(djp__encoder_finish(encoder, &body), 0);
    char first = body.data[0];
    int has_resource = memmem(body.data, body.size, "pipeline-test", 13) != NULL;
    djp__buf_fini(&body);
    djp__encoder_free(encoder);
    djp__store_release(&sdk->worker.state, DJP__WORKER_ABSENT);
    djp_sdk_free(sdk);
    script_fini(transport);
    /* all but trees at a terminal name the service */
    return has_resource || options->console_format == DJP_CONSOLE_PRETTY ? first : '?';
}

static void
test_the_encoding_is_that_of_the_exporter(void **state)
{
    (void)state;
    djp_options options = helper_options();
    assert_int_equal(begins_with(&options), '\n'); /* protobuf: field 1 of the request */
    options.exporter = DJP_EXPORTER_OTLP;
    options.endpoint = "http://127.0.0.1:9/v1/traces";
    assert_int_equal(begins_with(&options), '\n');
    options.protocol = DJP_PROTOCOL_GRPC;
    assert_int_equal(begins_with(&options), '\n');
    options.protocol = DJP_PROTOCOL_HTTP_JSON;
    assert_int_equal(begins_with(&options), '{');
    options.exporter = DJP_EXPORTER_MEMORY; /* which has no protocol */
    assert_int_equal(begins_with(&options), '\n');
    options.protocol = DJP_PROTOCOL_GRPC;
    options.exporter = DJP_EXPORTER_FILE;
    options.file_path = "/dev/null";
    assert_int_equal(begins_with(&options), '{');
    options.exporter = DJP_EXPORTER_CONSOLE;
    options.console_format = DJP_CONSOLE_JSON;
    assert_int_equal(begins_with(&options), '{');
    options.console_format = DJP_CONSOLE_PRETTY;
    assert_int_not_equal(begins_with(&options), '{');
    /* by itself: lines for a file or a pipe, which standard output is here */
    int saved = dup(1), ends[2];
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], 1);
    options.console_format = DJP_CONSOLE_AUTO;
    char first = begins_with(&options);
    dup2(saved, 1);
    close(saved);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(first, '{');
}

static void
test_without_memory(void **state)
{
    (void)state;
    djp_sdk *sdk = instance_with("a=1,b=2");
    int result = DJP_ENOMEM;
    for (long n = 1; result != 0; n++) {
        djp__encoder *encoder = NULL;
        djp__alloc_fail_after(n);
        result = djp__resource_encoder_new(&encoder, sdk, &djp__otlp_trace, DJP__ENCODE_PROTOBUF);
        djp__alloc_fail_after(0);
        assert_true(result == 0 ? encoder != NULL : result == DJP_ENOMEM && encoder == NULL);
        djp__encoder_free(encoder);
        assert_true(n < 100);
    }
    char *whole = labels_of(sdk);
    for (long n = 1;; n++) {
        djp__buf out;
        djp__buf_init(&out, 0);
        djp__alloc_fail_once(n);
        djp__resource_labels(&out, sdk);
        djp__alloc_fail_after(0);
        int is_whole =
            !out.failed && out.size == strlen(whole) && memcmp(out.data, whole, out.size) == 0;
        assert_true(is_whole || out.failed || out.size == 0);
        djp__buf_fini(&out);
        assert_true(n < 100);
        if (is_whole && n > 10) {
            break;
        }
    }
    djp_free(whole);
    djp_sdk_free(sdk);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resource),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_labels_that_meet),
        cmocka_unit_test(test_labels_have_an_order),
        cmocka_unit_test(test_attributes_of_the_user),
        cmocka_unit_test(test_many_attributes),
        cmocka_unit_test(test_a_long_key),
        cmocka_unit_test(test_text_is_repaired),
        cmocka_unit_test(test_the_instance_has_an_id),
        cmocka_unit_test(test_the_encoding_is_that_of_the_exporter),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
