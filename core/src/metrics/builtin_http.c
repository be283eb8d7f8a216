/* Requests to a server in the families of the OpenTelemetry conventions. */
#include "base/str.h"
#include "metrics/builtin.h"

enum { BUILTIN_HTTP_LABELS = 6, BUILTIN_HTTP_DIGITS = 24 };

void
djp__builtin_http_exchange(djp_builtin *builtin, const djp__builtin_exchange *exchange)
{
    char room[BUILTIN_HTTP_DIGITS];
    djp_text status = {"", 0};
    if (exchange->status >= 100 && exchange->status <= 999) {
        status = djp__digits(room, exchange->status);
    }
    const djp_text labels[BUILTIN_HTTP_LABELS] = {exchange->method,  exchange->scheme,
                                                  exchange->route,   status,
                                                  exchange->version, exchange->error_type};
    djp__builtin_record_at(builtin, DJP__BUILTIN_SERVER_DURATION, labels, BUILTIN_HTTP_LABELS,
                           (double)exchange->duration_ns / 1e9, exchange->context,
                           exchange->unix_ns);
    if (exchange->request_bytes >= 0) {
        djp__builtin_record_at(builtin, DJP__BUILTIN_SERVER_REQUEST_SIZE, labels,
                               BUILTIN_HTTP_LABELS, (double)exchange->request_bytes, NULL, 0);
    }
}
