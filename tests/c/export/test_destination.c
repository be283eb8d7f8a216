/* Settings to destinations: every field of a receiver comes from its own setting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/destination.h"

static void
every_setting_has_its_place(void **state)
{
    static const djp__route route = {"/v1/x", "/x.Service/Export", djp__response_partial};
    djp_options options = {
        .protocol = DJP_PROTOCOL_HTTP_JSON,
        .endpoint = (char *)"endpoint",
        .headers = (char *)"headers",
        .compress = 1,
        .insecure = 1,
        .certificate = (char *)"certificate",
        .extra_certificate = (char *)"extra",
        .client_key = (char *)"key",
        .client_certificate = (char *)"client",
        .http_proxy = (char *)"http",
        .https_proxy = (char *)"https",
        .no_proxy = (char *)"none",
        .max_request_bytes = 11,
        .max_response_bytes = 12,
        .export_concurrency = 13,
    };
    (void)state;
    djp__destination to = djp__destination_of_traces(&options, &route);
    assert_int_equal(to.protocol, DJP_PROTOCOL_HTTP_JSON);
    assert_string_equal(to.endpoint, "endpoint");
    assert_string_equal(to.http_path, "/v1/x");
    assert_string_equal(to.grpc_method, "/x.Service/Export");
    assert_ptr_equal(to.decode_partial, djp__response_partial);
    assert_string_equal(to.headers, "headers");
    assert_int_equal(to.compress, 1);
    assert_int_equal(to.insecure, 1);
    assert_string_equal(to.certificate, "certificate");
    assert_string_equal(to.extra_certificate, "extra");
    assert_string_equal(to.client_key, "key");
    assert_string_equal(to.client_certificate, "client");
    assert_string_equal(to.http_proxy, "http");
    assert_string_equal(to.https_proxy, "https");
    assert_string_equal(to.no_proxy, "none");
    assert_int_equal(to.max_request_bytes, 11);
    assert_int_equal(to.max_response_bytes, 12);
    assert_int_equal(to.concurrency, 13);
    options.compress = options.insecure = 0;
    options.export_concurrency = UINT64_C(1) << 32;
    to = djp__destination_of_traces(&options, &route);
    assert_int_equal(to.compress, 0);
    assert_int_equal(to.insecure, 0);
    assert_int_equal(to.concurrency, UINT32_MAX);
}

/* What metrics have no setting for is that of all signals. */
static void
metrics_have_their_own_receiver(void **state)
{
    static const djp__route route = {"/v1/y", "/y.Service/Export", djp__response_partial};
    const djp_options options = {
        .protocol = DJP_PROTOCOL_GRPC,
        .metrics_protocol = DJP_PROTOCOL_HTTP_PROTOBUF,
        .endpoint = (char *)"traces",
        .metrics_endpoint = (char *)"metrics",
        .headers = (char *)"traces",
        .metrics_headers = (char *)"headers",
        .metrics_compress = 1,
        .metrics_insecure = 1,
        .metrics_certificate = (char *)"certificate",
        .extra_certificate = (char *)"extra",
        .metrics_client_key = (char *)"key",
        .metrics_client_certificate = (char *)"client",
        .http_proxy = (char *)"http",
        .max_request_bytes = 11,
        .export_concurrency = 3,
    };
    (void)state;
    djp__destination to = djp__destination_of_metrics(&options, &route);
    assert_int_equal(to.protocol, DJP_PROTOCOL_HTTP_PROTOBUF);
    assert_string_equal(to.endpoint, "metrics");
    assert_string_equal(to.http_path, "/v1/y");
    assert_string_equal(to.headers, "headers");
    assert_int_equal(to.compress, 1);
    assert_int_equal(to.insecure, 1);
    assert_string_equal(to.certificate, "certificate");
    assert_string_equal(to.extra_certificate, "extra");
    assert_string_equal(to.client_key, "key");
    assert_string_equal(to.client_certificate, "client");
    assert_string_equal(to.http_proxy, "http");
    assert_int_equal(to.max_request_bytes, 11);
    assert_int_equal(to.concurrency, 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_has_its_place),
        cmocka_unit_test(metrics_have_their_own_receiver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
