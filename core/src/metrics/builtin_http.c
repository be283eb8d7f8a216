/* Requests to a server in the families of the OpenTelemetry conventions. */
#include "base/str.h"
#include "metrics/builtin.h"

enum { BUILTIN_HTTP_LABELS = 6, BUILTIN_HTTP_DIGITS = 24, BUILTIN_HTTP_SCHEMES = 3 };

/* The values of url_scheme of requests that run: what a client may choose is none of them. */
static const char *const builtin_http_schemes[BUILTIN_HTTP_SCHEMES] = {"", "http", "https"};

/* A mark is 1 + method * schemes + scheme, so it names its series after any change of the request;
 * the method after the known ones is the one for all others. */
static void
builtin_http_add(djp_builtin *builtin, uint32_t mark, double amount)
{
    uint32_t method = (mark - 1) / BUILTIN_HTTP_SCHEMES;
    djp_family *family = djp__builtin_family_at(builtin, DJP__BUILTIN_SERVER_ACTIVE);
    djp_text labels[] = {method < builtin->methods.count ? builtin->methods.items[method].text
                                                         : djp__text("_OTHER"),
                         djp__text(builtin_http_schemes[(mark - 1) % BUILTIN_HTTP_SCHEMES])};
    if (family == NULL) {
        djp__add_relaxed(&builtin->registry->dropped, 1);
        return;
    }
    djp_gauge_add(djp_family_series(family, labels), amount);
}

uint32_t
djp_builtin_http_enter(djp_builtin *builtin, djp_text method, djp_text scheme)
{
    if (builtin == NULL || !builtin->conventions) {
        return 0;
    }
    uint32_t found = BUILTIN_HTTP_SCHEMES - 1;
    while (found > 0 && !djp__text_equal(scheme, builtin_http_schemes[found])) {
        found--;
    }
    uint32_t mark =
        1 + (uint32_t)djp__words_find(&builtin->methods, method) * BUILTIN_HTTP_SCHEMES + found;
    builtin_http_add(builtin, mark, 1);
    return mark;
}

void
djp_builtin_http_leave(djp_builtin *builtin, uint32_t mark)
{
    if (builtin != NULL && mark != 0) {
        builtin_http_add(builtin, mark, -1);
    }
}

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
