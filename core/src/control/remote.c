/* Requests the strategy from a sampling server, once per interval, in steps between the worker's
 * other work, so that no slow response delays an export, a flush or the end of the process. A
 * failed or malformed response changes nothing. */
#include "control/remote.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "djp/error.h"
#include "djp/version.h"
#include "net/curl_global.h"

#define REMOTE__TIMEOUT_NS 5000000000ull /* timeout of a response */
#define REMOTE__LOOK_MIN_NS 1000000ull /* between two checks for it */
#define REMOTE__LOOK_MAX_NS 20000000ull
#define REMOTE__FIRST_PAUSE_NS 1000000000ull
#define REMOTE__LONG_PAUSE_NS 30000000000ull

/* ---- time ---- */

/* bound x 0 .. 1 */
static uint64_t
remote_part(uint64_t bound, uint64_t random)
{
    return (uint64_t)((double)(random >> 11) * 0x1p-53 * (double)bound);
}

uint64_t
djp__remote_pause(uint64_t interval_ns, uint64_t failures, uint64_t retry_after_ns, uint64_t random)
{
    if (failures == 0) {
        return interval_ns - interval_ns / 10 + remote_part(interval_ns / 5, random);
    }
    uint64_t most = interval_ns > REMOTE__LONG_PAUSE_NS ? interval_ns : REMOTE__LONG_PAUSE_NS;
    uint64_t bound = interval_ns < REMOTE__FIRST_PAUSE_NS ? interval_ns : REMOTE__FIRST_PAUSE_NS;
    for (uint64_t i = 1; i < failures && bound < most; i++) {
        bound *= 2;
    }
    bound = bound < most ? bound : most;
    uint64_t pause = bound / 2 + remote_part(bound, random);
    if (retry_after_ns > pause) {
        pause = djp__saturate(retry_after_ns, remote_part(retry_after_ns / 10, random));
    }
    return pause;
}

uint64_t
djp__remote_next(const djp__remote *remote)
{
    return remote->next;
}

/* ---- results ---- */

static void
remote_succeed(djp__remote *remote, const char *strategy_text)
{
    const char *shown = djp__strategy_client_shown(remote->client);
    int first = djp__load_relaxed(&remote->responses) == 0;
    djp__add_relaxed(&remote->responses, 1);
    djp__store_relaxed(&remote->consecutive_failures, (uint64_t)0);
    djp__store_relaxed(&remote->last_success_unix_ns, djp__clock_realtime());
    djp__mutex_lock(&remote->mutex);
    int differs = strcmp(remote->strategy, strategy_text) != 0;
    snprintf(remote->strategy, sizeof remote->strategy, "%s", strategy_text);
    djp__mutex_unlock(&remote->mutex);
    if (remote->warned) {
        djp__diag(remote->host->diag, DJP_LOG_INFO, "The sampling server %s responds again: %s.",
                  shown, strategy_text);
    } else if (first || differs) {
        djp__diag(remote->host->diag, first ? DJP_LOG_INFO : DJP_LOG_DEBUG,
                  "The sampling server %s says: %s.", shown, strategy_text);
    }
    remote->warned = 0;
}

static void
remote_fail(djp__remote *remote, const char *message)
{
    djp__add_relaxed(&remote->failures, 1);
    djp__add_relaxed(&remote->consecutive_failures, 1);
    djp__mutex_lock(&remote->mutex);
    snprintf(remote->error, sizeof remote->error, "%s", message);
    djp__mutex_unlock(&remote->mutex);
    if (!remote->warned && djp__every_minute(&remote->warned_at)) {
        remote->warned = 1;
        djp__diag(remote->host->diag, DJP_LOG_WARN,
                  "The sampling server %s gave no strategy: %s. The previous sampling stays in "
                  "force, and the SDK "
                  "polls again. "
                  "Check the address, and that it serves remote sampling over HTTP.",
                  djp__strategy_client_shown(remote->client), message);
    }
}

static void
remote_describe(char *out, size_t out_size, const djp__strategy *strategy)
{
    djp__buf text;
    djp__buf_init(&text, out_size - 1);
    djp__strategy_describe(&text, strategy);
    memcpy(out, text.failed ? "" : text.data, text.failed ? 0 : text.size);
    out[text.failed ? 0 : text.size] = '\0';
    djp__buf_fini(&text);
}

static void
remote_judge(djp__remote *remote, djp__strategy_response *response)
{
    char strategy_text[sizeof remote->strategy];
    if (!response->good) {
        remote_fail(remote, response->message);
        return;
    }
    remote_describe(strategy_text, sizeof strategy_text, &response->strategy);
    if (djp__overrides_follow(remote->overrides, &response->strategy) == 0) {
        remote_succeed(remote, strategy_text);
    } else {
        remote_fail(remote, "its response could not be applied");
    }
    djp__strategy_fini(&response->strategy);
}

/* ---- requests ---- */

static void
remote_done(djp__remote *remote, djp__strategy_response *response, uint64_t now)
{
    remote->asking = 0;
    remote_judge(remote, response);
    uint64_t failures = djp__load_relaxed(&remote->consecutive_failures);
    uint64_t interval = remote->host->options->sampling_interval_ns;
    remote->next = djp__saturate(
        now, djp__remote_pause(interval, failures, response->retry_after_ns, djp__rand64()));
}

void
djp__remote_tick(djp__remote *remote, uint64_t now)
{
    djp__strategy_response response;
    if (now < remote->next || !remote->client) {
        return;
    }
    if (!remote->asking) {
        remote->asking = 1;
        remote->begun = now;
        djp__add_relaxed(&remote->requests, 1);
        djp__strategy_client_ask(remote->client);
    }
    uint64_t age = now - remote->begun;
    if (!djp__strategy_client_step(remote->client, &response)) {
        remote_done(remote, &response, now);
    } else if (age >= REMOTE__TIMEOUT_NS) {
        djp__strategy_client_give_up(remote->client);
        strcpy(response.message, "it did not respond within 5 seconds");
        remote_done(remote, &response, now);
    } else {
        uint64_t pause = age < REMOTE__LOOK_MIN_NS ? REMOTE__LOOK_MIN_NS : age;
        remote->next = now + (pause < REMOTE__LOOK_MAX_NS ? pause : REMOTE__LOOK_MAX_NS);
    }
}

void
djp__remote_stop(djp__remote *remote)
{
    remote->asking = 0;
    if (remote->client && !djp__curl_is_over()) {
        djp__strategy_client_leave(remote->client);
    }
}

/* ---- start and end ---- */

int
djp__remote_init(djp__remote *remote, const djp__control_host *host, djp__overrides *overrides)
{
    remote->host = host;
    remote->overrides = overrides;
    remote->next = UINT64_MAX;
    if (remote->host->options->sampler != DJP_SAMPLER_JAEGER_REMOTE || !host->recorder ||
        !host->exports) {
        return 0;
    }
    int result = djp__strategy_client_new(&remote->client, host->options,
                                          "djp-telemetry-exporter-c/" DJP_VERSION);
    if (result == 0) {
        remote->next = 0;
    } else if (result == DJP_EINVAL) {
        djp__diag(
            remote->host->diag, DJP_LOG_WARN,
            "The address of the sampling server cannot be used; the ratio stays as it is. Correct "
            "remote_sampling_endpoint.");
        result = 0;
    }
    return result;
}

void
djp__remote_fini(djp__remote *remote)
{
    djp__strategy_client_free(remote->client);
}

void
djp__remote_fork_child(djp__remote *remote)
{
    if (!remote->client) {
        return;
    }
    djp__strategy_client_abandon(remote->client);
    remote->asking = 0;
    remote->next = 0;
    remote->warned = 0;
    remote->error[0] = '\0';
    djp__store_relaxed(&remote->warned_at, (uint64_t)0);
    djp__store_relaxed(&remote->requests, (uint64_t)0);
    djp__store_relaxed(&remote->responses, (uint64_t)0);
    djp__store_relaxed(&remote->failures, (uint64_t)0);
    djp__store_relaxed(&remote->consecutive_failures, (uint64_t)0);
}

/* ---- status ---- */

static void
remote_status_time(djp__buf *out, uint64_t unix_ns)
{
    uint64_t now = djp__clock_realtime();
    uint64_t age = now > unix_ns ? now - unix_ns : 0;
    if (unix_ns == 0) {
        djp__buf_text(out, "\"last_success\":null,\"last_success_age\":null");
        return;
    }
    djp__buf_printf(out, "\"last_success\":%llu.%03llu,\"last_success_age\":%llu.%03llu",
                    (unsigned long long)(unix_ns / 1000000000u),
                    (unsigned long long)(unix_ns / 1000000u % 1000u),
                    (unsigned long long)(age / 1000000000u),
                    (unsigned long long)(age / 1000000u % 1000u));
}

void
djp__remote_status(djp__buf *out, djp__remote *remote)
{
    char strategy[sizeof remote->strategy], error[sizeof remote->error];
    djp__mutex_lock(&remote->mutex);
    memcpy(strategy, remote->strategy, sizeof strategy);
    memcpy(error, remote->error, sizeof error);
    djp__mutex_unlock(&remote->mutex);
    const char *shown = djp__strategy_client_shown(remote->client);
    djp__buf_text(out, "{\"endpoint\":");
    djp__buf_json(out, shown, strlen(shown));
    djp__buf_text(out, ",\"strategy\":");
    djp__buf_json(out, strategy, strlen(strategy));
    djp__buf_printf(
        out,
        ",\"requests\":%llu,\"responses\":%llu,\"failures\":%llu,\"consecutive_failures\":%llu,",
        (unsigned long long)djp__load_relaxed(&remote->requests),
        (unsigned long long)djp__load_relaxed(&remote->responses),
        (unsigned long long)djp__load_relaxed(&remote->failures),
        (unsigned long long)djp__load_relaxed(&remote->consecutive_failures));
    remote_status_time(out, djp__load_relaxed(&remote->last_success_unix_ns));
    djp__buf_text(out, ",\"last_error\":");
    djp__buf_json(out, error, strlen(error));
    djp__buf_char(out, '}');
}
