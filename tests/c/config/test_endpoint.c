/* The OTLP destination and the address of a sampling server: which texts are addresses, which
 * protocol and port they mean, and what is refused with a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "settings_fixture.h"

#define BASE "OTEL_EXPORTER_OTLP_ENDPOINT"
#define AS_IS "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"

typedef struct endpoint_case {
    const char *text;
    const char *endpoint;
    djp_protocol protocol;
} endpoint_case;

static void
assert_endpoints(const char *variable, const endpoint_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        settings got;
        settings_resolve(&got, PAIRS(variable, cases[i].text), ONLY_ON);
        assert_string_equal(got.options.endpoint, cases[i].endpoint);
        assert_int_equal(got.options.protocol, cases[i].protocol);
        assert_string_equal(got.options.endpoint_source, variable);
        settings_assert_warnings(&got, 0);
        settings_fini(&got);
    }
}

static void
addresses_are_completed(void **state)
{
    static const endpoint_case cases[] = {
        {"http://h:4318", "http://h:4318/v1/traces", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"https://h:4318", "https://h:4318/v1/traces", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h:4317", "http://h:4317", DJP_PROTOCOL_GRPC},
        {"http://h:4319", "http://h:4319", DJP_PROTOCOL_GRPC},
        {"http://h", "http://h:4317", DJP_PROTOCOL_GRPC},
        {"http://h/", "http://h:4317", DJP_PROTOCOL_GRPC}, /* no path */
        {"https://h", "https://h", DJP_PROTOCOL_GRPC},
        {"http://h/x", "http://h/x/v1/traces", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"https://h/x", "https://h/x/v1/traces", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h/x/", "http://h/x/v1/traces", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h//", "http://h/v1/traces", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h/v1/traces", "http://h/v1/traces", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h/v1/traces//", "http://h/v1/traces", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h/1/traces", "http://h/1/traces/v1/traces", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h/x?a=1", "http://h/x/v1/traces?a=1", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h:4318?a=1", "http://h:4318/v1/traces?a=1", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h:4318?a=/x", "http://h:4318/v1/traces?a=/x", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h:4318#f?x", "http://h:4318/v1/traces", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h/x?a=1#f", "http://h/x/v1/traces?a=1", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h/x#f?a=1", "http://h/x/v1/traces", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"HTTPS://h/x", "https://h/x/v1/traces", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://http:4317", "http://http:4317", DJP_PROTOCOL_GRPC},
        {"http://azAZ09-._:1", "http://azAZ09-._:1", DJP_PROTOCOL_GRPC},
        {"http://h:65535", "http://h:65535", DJP_PROTOCOL_GRPC},
        {"http://1.2:1", "http://1.2:1", DJP_PROTOCOL_GRPC},
        {"http://12a:1", "http://12a:1", DJP_PROTOCOL_GRPC},
        {"http://a12:1", "http://a12:1", DJP_PROTOCOL_GRPC},
        {"http://@h:1", "http://@h:1", DJP_PROTOCOL_GRPC},
        {"http://abc@h/@x", "http://abc@h/@x/v1/traces", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://a@b:c@h:1", "http://a%40b:c@h:1", DJP_PROTOCOL_GRPC},
        {"http://a:b@[::1]:1", "http://a:b@[::1]:1", DJP_PROTOCOL_GRPC},
        {"http://[::]", "http://[::]:4317", DJP_PROTOCOL_GRPC},
        {"http://[fe80::1%eth0]:1", "http://[fe80::1%eth0]:1", DJP_PROTOCOL_GRPC},
        {"http://[::ffff:1.2.3.4]/x", "http://[::ffff:1.2.3.4]/x/v1/traces",
         DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h/!~", "http://h/!~/v1/traces", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"h:1", "https://h:1", DJP_PROTOCOL_GRPC},
        {"h", "https://h:4317", DJP_PROTOCOL_GRPC},
        {"httpx:1", "https://httpx:1", DJP_PROTOCOL_GRPC},
        {"http.x", "https://http.x:4317", DJP_PROTOCOL_GRPC},
    };
    static const endpoint_case as_is[] = {
        {"http://h:4318", "http://h:4318/", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h/x/", "http://h/x/", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h:4318?a=1", "http://h:4318/?a=1", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"http://h:4317", "http://h:4317", DJP_PROTOCOL_GRPC},
    };
    (void)state;
    assert_endpoints(BASE, cases, sizeof cases / sizeof cases[0]);
    assert_endpoints(AS_IS, as_is, sizeof as_is / sizeof as_is[0]);
}

static void
other_texts_are_refused_with_a_reason(void **state)
{
    static const char *const cases[][2] = {
        {"http://", "a URL with a host"},
        {"http:///x", "a URL with a host"},
        {"http://?x", "a URL with a host"},
        {"http://me@", "a URL with a host"},
        {"http://:1", "a URL with a host"},
        {"http://;h:1", "a URL with a host"},
        {"http://h`:1", "a URL with a host"},
        {"http://h{:1", "a URL with a host"},
        {"http://h[:1", "a URL with a host"},
        {"http://h,x:1", "a URL with a host"},
        {"http://h;x:1", "a URL with a host"},
        {"http://h:", "a host with a port from 1 to 65535"},
        {"http://h:0", "a host with a port from 1 to 65535"},
        {"http://h:65536", "a host with a port from 1 to 65535"},
        {"http://h:-1", "a host with a port from 1 to 65535"},
        {"http://[::1]:0", "a host with a port from 1 to 65535"},
        {"http://a:1:2", "a URL with its IPv6 address in brackets"},
        {"http://h::", "a URL with its IPv6 address in brackets"},
        {"::1", "a URL with its IPv6 address in brackets"},
        {"http://[::1", "a URL with a complete IPv6 address"},
        {"http://[", "a URL with a complete IPv6 address"},
        {"http://[]", "a URL with a good IPv6 address"},
        {"http://[host]:1", "a URL with a good IPv6 address"},
        {"http://[a:]:1", "a URL with a good IPv6 address"},
        {"http://[::1]x", "a URL with a good IPv6 address"},
        {"http://[::-]", "a URL with a good IPv6 address"},
        {"http:1", "a URL with :// behind http or https"},
        {"HTTPS", "a URL with :// behind http or https"},
        {"http:/h", "a URL with :// behind http or https"},
        {"http//h", "a URL with :// behind http or https"},
        {"4317", "an address: a number alone is no host"},
        {"http://9090", "an address: a number alone is no host"},
        {"http://4317", "an address: a number alone is no host"},
        {"http://4317:1", "an address: a number alone is no host"},
        {"ftp://h", "a URL that begins with http:// or https://"},
        {"://h", "a URL that begins with http:// or https://"},
        {"httpss://h", "a URL that begins with http:// or https://"},
        {"http://a b", "a URL without blanks and special characters"},
        {"\"h:1", "a URL without blanks and special characters"},
        {"http://a\x7f", "a URL without blanks and special characters"},
        {"http://a/\"", "a URL without blanks and special characters"},
        {"http://a/\\", "a URL without blanks and special characters"},
        {"http://a/\x01", "a URL without blanks and special characters"},
        {"http://a/\xc3\xa4", "a URL without blanks and special characters"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        char warning[200];
        snprintf(warning, sizeof warning, BASE " is not %s", cases[i][1]);
        settings_resolve(&got, PAIRS(BASE, cases[i][0], "OTEL_ENDPOINT", "http://next:1"), ONLY_ON);
        settings_assert_warnings(&got, 1);
        if (!settings_warned(&got, warning)) {
            fail_msg("%s: %s", cases[i][0], got.warnings[0]);
        }
        assert_string_equal(got.options.endpoint, "http://next:1");
        assert_string_equal(settings_source(&got, "endpoint"), "OTEL_ENDPOINT");
        settings_fini(&got);
    }
}

/* A port without its host, a host without its port: the scheme, the protocol and `insecure` decide
 * together. */
static void
scheme_and_port_follow_the_protocol(void **state)
{
    static const struct {
        const char *text, *protocol, *insecure, *endpoint;
        size_t warnings;
    } cases[] = {
        {"h", "grpc", "true", "http://h:4317", 0},
        {"h:1", "grpc", "true", "http://h:1", 0},
        {"h:1", "grpc", "false", "https://h:1", 0},
        {"https://h:1", "grpc", "true", "https://h:1", 0},
        {"http://h:1", "grpc", "false", "http://h:1", 0},
        {"h", "http/protobuf", "false", "http://h:4318/v1/traces", 1},
        {"h:1", "http/json", "false", "http://h:1/v1/traces", 1},
        {"http://h", "http/protobuf", "true", "http://h/v1/traces", 0},
        {"https://h", "http/protobuf", "true", "https://h/v1/traces", 0},
        {"http://h:4318/x", "grpc", "false", "http://h:4318", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got, NO_PAIRS,
                         ON("endpoint", cases[i].text, "protocol", cases[i].protocol, "insecure",
                            cases[i].insecure));
        assert_string_equal(got.options.endpoint, cases[i].endpoint);
        settings_assert_warnings(&got, cases[i].warnings);
        assert_int_equal(settings_warned(&got, "option endpoint has no scheme. It is taken as "
                                               "http://"),
                         cases[i].warnings != 0);
        settings_fini(&got);
    }
}

static void
without_an_endpoint_it_is_this_machine(void **state)
{
    static const char *const cases[][2] = {{"grpc", "http://localhost:4317"},
                                           {"http", "http://localhost:4318/v1/traces"},
                                           {"http/json", "http://localhost:4318/v1/traces"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got, NO_PAIRS, ON("protocol", cases[i][0]));
        assert_string_equal(got.options.endpoint, cases[i][1]);
        assert_string_equal(got.options.endpoint_source, "default");
        settings_fini(&got);
    }
}

/* The name of an exporter may contain the protocol; the setting has priority. */
static void
an_exporter_may_name_the_protocol(void **state)
{
    static const struct {
        const char *exporter, *protocol, *source;
        djp_protocol wanted;
    } cases[] = {
        {"otlp_proto_http", "", "OTEL_TRACES_EXPORTER", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"OTLP_PROTO_GRPC", "", "OTEL_TRACES_EXPORTER", DJP_PROTOCOL_GRPC},
        {"console, otlp_proto_http", "", "OTEL_TRACES_EXPORTER", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"otlp_proto_http,otlp_proto_grpc", "", "OTEL_TRACES_EXPORTER", DJP_PROTOCOL_HTTP_PROTOBUF},
        {"otlp_proto_http", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL", DJP_PROTOCOL_GRPC},
        {"otlp", "", BASE, DJP_PROTOCOL_GRPC}, /* as the endpoint means */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got,
                         PAIRS("OTEL_TRACES_EXPORTER", cases[i].exporter,
                               "OTEL_EXPORTER_OTLP_PROTOCOL", cases[i].protocol, BASE,
                               "http://h:4317"),
                         ONLY_ON);
        assert_int_equal(got.options.protocol, cases[i].wanted);
        assert_string_equal(settings_source(&got, "protocol"), cases[i].source);
        settings_fini(&got);
    }
}

static void
the_option_names_an_exporter_first(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, PAIRS("OTEL_TRACES_EXPORTER", "otlp_proto_http"),
                     ON("exporter", "otlp_proto_grpc", "endpoint", "http://h:4318"));
    assert_int_equal(got.options.protocol, DJP_PROTOCOL_GRPC);
    assert_string_equal(settings_source(&got, "protocol"), "option exporter");
    settings_fini(&got);
}

static void
jaegers_thrift_collector_becomes_otlp(void **state)
{
    static const struct {
        const char *text, *protocol, *endpoint, *port;
    } cases[] = {
        {"http://j:14268/api/traces?x=1", "", "http://j:4317", "port 4317"},
        {"http://j:14268", "", "http://j:4317", "port 4317"},
        {"http://j:80/api/traces", "", "http://j:4317", "port 4317"},
        {"https://j/x/api/traces", "", "https://j:4317", "port 4317"},
        {"http://j:14268/api/traces?x=1", "http/json", "http://j:4318/v1/traces", "port 4318"},
        {"http://j:14267/api/trace", "", "http://j:14267/api/trace/v1/traces", NULL},
        {"http://j:14269/i/traces", "", "http://j:14269/i/traces/v1/traces", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got,
                         PAIRS("JAEGER_ENDPOINT", cases[i].text, "OTEL_EXPORTER_OTLP_PROTOCOL",
                               cases[i].protocol),
                         ONLY_ON);
        assert_string_equal(got.options.endpoint, cases[i].endpoint);
        settings_assert_warnings(&got, cases[i].port != NULL);
        assert_string_equal(settings_source(&got, "protocol"), cases[i].protocol[0] != '\0'
                                                                   ? "OTEL_EXPORTER_OTLP_PROTOCOL"
                                                                   : "JAEGER_ENDPOINT");
        assert_true(cases[i].port == NULL || settings_warned(&got, cases[i].port));
        settings_fini(&got);
    }
}

/* In the environment dev a variable that other programs read too names only this machine. */
static void
dev_stays_on_this_machine(void **state)
{
    static const char *const here[] = {
        "localhost",   "LOCALHOST", "[::1]",       "0.0.0.0", "[::]", "host.docker.internal",
        "a.localhost", "127.0.0.1", "127.255.0.9", "127.1"};
    static const char *const elsewhere[] = {
        "local",      "localhost.a", "xlocalhost",  "[::2]", "0.0.0.1", "128.0.0.1",
        "1270.0.0.1", "127.0.0.1a",  "127.0.0.1-1", "127.",  "h"};
    char url[64];
    settings got;
    (void)state;
    for (size_t i = 0; i < sizeof here / sizeof here[0]; i++) {
        snprintf(url, sizeof url, "http://%s:4317", here[i]);
        settings_resolve(&got, PAIRS("ENVIRONMENT", "dev", BASE, url), ONLY_ON);
        assert_string_equal(got.options.endpoint, url);
        settings_assert_warnings(&got, 0);
        settings_fini(&got);
    }
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        snprintf(url, sizeof url, "http://%s:4317", elsewhere[i]);
        settings_resolve(&got, PAIRS("ENV", "local", BASE, url), ONLY_ON);
        assert_string_equal(got.options.endpoint, "http://localhost:4317");
        settings_assert_warnings(&got, 1);
        assert_non_null(strstr(got.warnings[0], BASE " names another machine, and the environment "
                                                     "is local (ENV)"));
        assert_true(settings_warned(&got, "or the option endpoint to send there"));
        settings_fini(&got);
    }
}

static void
dev_goes_elsewhere_if_this_sdk_is_meant(void **state)
{
    static const struct {
        const char *variable, *environment, *backend;
        int refused;
    } cases[] = {
        {BASE, "dev", "hybrid", 1},       {BASE, "dev", "otel", 1},
        {BASE, "dev", "prom", 0},         {BASE, "staging", "hybrid", 0},
        {AS_IS, "dev", "hybrid", 1},      {"DJP_TELEMETRY_ENDPOINT", "dev", "hybrid", 0},
        {"OTEL_ENDPOINT", "", "otel", 0},
    };
    settings got;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings_resolve(
            &got, PAIRS("ENVIRONMENT", cases[i].environment, cases[i].variable, "http://far:4317"),
            ON("backend", cases[i].backend));
        assert_string_equal(got.options.endpoint,
                            cases[i].refused ? "http://localhost:4317" : "http://far:4317");
        settings_assert_warnings(&got, (size_t)cases[i].refused);
        settings_fini(&got);
    }
    settings_resolve(&got, PAIRS("ENVIRONMENT", "dev"), ON("endpoint", "http://far:4317"));
    assert_string_equal(got.options.endpoint, "http://far:4317");
    settings_fini(&got);
}

static void
the_address_of_a_sampling_server_is_completed(void **state)
{
    static const struct {
        const char *text, *url, *warning;
    } cases[] = {
        {"http://h", "http://h/sampling", NULL},
        {"https://h/", "https://h/sampling", NULL},
        {"http://h/?a=1", "http://h/sampling?a=1", NULL},
        {"http://h:1/x?a=1", "http://h:1/x?a=1", NULL},
        {"http://h/xy", "http://h/xy", NULL},
        {"h", "http://h:5778/sampling", NULL},
        {"h:1", "http://h:1/sampling", NULL},
        {"h/x", "http://h:5778/x", NULL},
        {"http://a@b@h", "http://a%40b@h/sampling", NULL},
        {"https://h:14250/x?a=1", "https://h:5778/sampling", "by HTTP on port 5778"},
        {"h:14251/x", "http://h:14251/x", NULL},
        {"ftp://h", "http://localhost:5778/sampling", "is not a URL that begins with"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got, NO_PAIRS,
                         ON("sampler", "jaeger_remote", "remote_sampling_endpoint", cases[i].text));
        assert_string_equal(got.options.sampling_endpoint, cases[i].url);
        settings_assert_warnings(&got, cases[i].warning != NULL);
        assert_true(cases[i].warning == NULL || settings_warned(&got, cases[i].warning));
        settings_fini(&got);
    }
}

static void
lack_of_memory_is_reported(void **state)
{
    (void)state;
    settings_without_memory(PAIRS(BASE, "ftp://x", "OTEL_ENDPOINT", "http://a@b@h/x?q"), ONLY_ON);
    settings_without_memory(PAIRS(BASE, "http://h:4318"), ON("protocol", "http"));
    settings_without_memory(NO_PAIRS, ON("sampler", "jaeger_remote", "remote_sampling_endpoint",
                                         "http://a@b@h/x?q", "protocol", "http"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_completed),
        cmocka_unit_test(other_texts_are_refused_with_a_reason),
        cmocka_unit_test(scheme_and_port_follow_the_protocol),
        cmocka_unit_test(without_an_endpoint_it_is_this_machine),
        cmocka_unit_test(an_exporter_may_name_the_protocol),
        cmocka_unit_test(the_option_names_an_exporter_first),
        cmocka_unit_test(jaegers_thrift_collector_becomes_otlp),
        cmocka_unit_test(dev_stays_on_this_machine),
        cmocka_unit_test(dev_goes_elsewhere_if_this_sdk_is_meant),
        cmocka_unit_test(the_address_of_a_sampling_server_is_completed),
        cmocka_unit_test(lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
