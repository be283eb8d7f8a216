/* Feeds the SDK's counters to the budget. Warns once per threshold and month, without a lock. */
#include "control/account.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "metrics/registry.h"
#include "control/budget_file.h"

#define ACCOUNT__FILE_NS 30000000000ull
#define ACCOUNT__BUSY_NS 1000000000ull
#define ACCOUNT__END_NS 50000000ull
#define ACCOUNT__END_PAUSE_NS 2000000

void
djp__account_init(djp__account *account, const djp__control_host *host)
{
    const djp_options *options = host->options;
    account->host = host;
    djp__budget_prices prices = {options->budget_per_month, options->price_per_gb,
                                 options->price_per_million_spans,
                                 options->price_per_thousand_series};
    int priced =
        prices.per_gb > 0 || prices.per_million_spans > 0 || prices.per_thousand_series > 0;
    djp__budget_init(&account->budget, &prices);
    account->wanted = -1;
    account->file_next = UINT64_MAX;
    account->on = priced && options->enabled;
    if (prices.month > 0 && !priced && options->enabled) {
        djp__diag(account->host->diag, DJP_LOG_WARN,
                  "budget_per_month is set but no price is, so telemetry costs nothing and no "
                  "budget is watched. Set "
                  "price_per_gb, price_per_million_spans or price_per_thousand_series.");
    }
    if (account->on) {
        account->file_next = options->budget_file && options->budget_file[0] ? 0 : UINT64_MAX;
        djp__account_step(account);
        if (account->file_next == 0) {
            djp__account_tick(account, djp__clock_monotonic(),
                              -1); /* earlier spending counts at once */
        }
    }
}

/* A sampler tree, a sampling server or the first minute: the budget does not change the ratio. */
static const char *
account_reduction(const djp__account *account, const djp__budget_view *view)
{
    if (account->steered && view->target_spans >= 0) {
        return "The ratio is being reduced; errors are still exported.";
    }
    return view->forecast > view->allowance ? "The ratio is not reduced."
                                            : "No reduction is needed so far.";
}

static void
account_warn(djp__account *account, int percent, const djp__budget *budget)
{
    djp__budget_view view;
    djp__budget_look(&view, budget);
    int digits = view.allowance < 1 ? 6 : 2;
    djp__diag(account->host->diag, DJP_LOG_WARN,
              "%d %% of the telemetry budget for %04d-%02d is used up: %.*f of %.*f, and %.*f by "
              "the end of the month "
              "at the present rate. %s Lower sample_ratio or the rates of the sampler, the number "
              "of metric series or "
              "span_rate_limit, or raise budget_per_month.",
              percent, budget->month / 12, budget->month % 12 + 1, digits, view.spent, digits,
              view.allowance, digits, view.forecast, account_reduction(account, &view));
}

/* The mutex is held. */
static void
account_feed_locked(djp__account *account)
{
    djp__registry_totals metrics;
    memset(&metrics, 0, sizeof metrics);
    if (account->host->registry && account->budget.prices.per_thousand_series > 0) {
        djp__registry_counters(&metrics, account->host->registry);
    }
    djp__control_exported exported;
    account->host->read(&exported, account->host->user);
    djp__budget_load load = {exported.bytes, exported.spans, metrics.series, account->wanted};
    double unix_seconds = (double)djp__clock_realtime() / 1e9;
    djp__budget_step(&account->budget, unix_seconds, djp__clock_monotonic(), &load);
}

void
djp__account_feed(djp__account *account)
{
    if (account->on) {
        djp__mutex_lock(&account->mutex);
        account_feed_locked(account);
        djp__mutex_unlock(&account->mutex);
    }
}

void
djp__account_step(djp__account *account)
{
    if (!account->on) {
        return;
    }
    djp__mutex_lock(&account->mutex);
    account_feed_locked(account);
    int percent = djp__budget_alarm(&account->budget);
    djp__budget seen = account->budget;
    djp__mutex_unlock(&account->mutex);
    if (percent > 0) {
        account_warn(account, percent, &seen);
    }
}

/* Warns once of an unusable file; the account continues without it. */
static void
account_warn_file(djp__account *account, djp__budget_merged merged, int error)
{
    const char *path = account->host->options->budget_file;
    if (account->file_warned || merged == DJP_BUDGET_MERGED || merged == DJP_BUDGET_BUSY) {
        return;
    }
    account->file_warned = 1;
    if (merged == DJP_BUDGET_DAMAGED) {
        djp__diag(account->host->diag, DJP_LOG_WARN,
                  "The budget file %s was not understood, or is of a month that lies far ahead, "
                  "and has been begun anew: "
                  "the earlier spending of this month is unknown.",
                  path);
    } else {
        djp__diag(account->host->diag, DJP_LOG_WARN,
                  "The budget file %s cannot be used (%s), so this process watches the budget "
                  "alone. Name a regular "
                  "file in a directory in which this process may write.",
                  path, strerror(error));
    }
}

/* Works on a copy, so that readers of the status do not wait for the disk. */
static djp__budget_merged
account_merge(djp__account *account)
{
    djp__mutex_lock(&account->mutex);
    djp__budget copy = account->budget;
    djp__mutex_unlock(&account->mutex);
    double unshared = copy.unshared;
    djp__budget_merged merged = djp__budget_file_merge(account->host->options->budget_file, &copy);
    int error = errno;
    djp__mutex_lock(&account->mutex);
    if ((merged == DJP_BUDGET_MERGED || merged == DJP_BUDGET_DAMAGED) &&
        copy.month == account->budget.month) {
        account->budget.since = copy.since;
        account->budget.unshared -= unshared - copy.unshared;
        account->budget.spent = copy.spent + account->budget.unshared - copy.unshared;
    }
    djp__mutex_unlock(&account->mutex);
    account_warn_file(account, merged, error);
    return merged;
}

double
djp__account_tick(djp__account *account, uint64_t now, double wanted)
{
    djp__budget_view view;
    if (!account->on) {
        return -1;
    }
    djp__mutex_lock(&account->mutex);
    account->wanted = wanted;
    djp__mutex_unlock(&account->mutex);
    if (now >= account->file_next) {
        djp__budget_merged merged = account_merge(account);
        account->file_next =
            now + (merged == DJP_BUDGET_BUSY ? ACCOUNT__BUSY_NS : ACCOUNT__FILE_NS);
    }
    djp__account_step(account);
    djp__account_read(account, &view, NULL);
    return view.target_spans;
}

int
djp__account_is_complete(djp__account *account)
{
    djp__mutex_lock(&account->mutex);
    int complete = account->file_next == UINT64_MAX || account->budget.unshared <= 0;
    djp__mutex_unlock(&account->mutex);
    return complete;
}

void
djp__account_end(djp__account *account)
{
    djp__account_step(account);
    if (!account->on || account->file_next == UINT64_MAX) {
        return;
    }
    /* Processes of one service often end together and compete for the file; there is no later
     * try. */
    const struct timespec pause = {0, ACCOUNT__END_PAUSE_NS};
    uint64_t deadline = djp__clock_monotonic() + ACCOUNT__END_NS;
    while (account_merge(account) == DJP_BUDGET_BUSY && djp__clock_monotonic() < deadline) {
        nanosleep(&pause, NULL);
    }
}

void
djp__account_fork_child(djp__account *account)
{
    djp__budget_fork(&account->budget);
    account->wanted = -1;
    account->file_next = account->file_next == UINT64_MAX ? UINT64_MAX : 0;
}

void
djp__account_read(djp__account *account, djp__budget_view *view, double total[3])
{
    djp__mutex_lock(&account->mutex);
    djp__budget_look(view, &account->budget);
    if (total) {
        memcpy(total, account->budget.total, sizeof account->budget.total);
    }
    djp__mutex_unlock(&account->mutex);
}

void
djp__account_status(djp__buf *out, djp__account *account)
{
    static const char *const parts[3] = {"cost_bytes", "cost_spans", "cost_series"};
    djp__budget_view view;
    double total[3];
    djp__account_step(account);
    djp__account_read(account, &view, total);
    struct {
        const char *name;
        double value;
    } fields[] = {{"allowance", view.allowance},
                  {"spent", view.spent},
                  {"forecast", view.forecast},
                  {"used_ratio", view.used_ratio},
                  {"forecast_ratio", view.forecast_ratio}};
    djp__buf_char(out, '{');
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        djp__buf_printf(out, "%s\"%s\":", i ? "," : "", fields[i].name);
        djp__buf_double(out, fields[i].value);
    }
    for (int i = 0; i < 3; i++) {
        djp__buf_printf(out, ",\"%s\":", parts[i]);
        djp__buf_double(out, total[i]);
    }
    djp__buf_text(out, ",\"target_spans_per_second\":");
    if (view.target_spans < 0) {
        djp__buf_text(out, "null");
    } else {
        djp__buf_double(out, view.target_spans);
    }
    djp__buf_char(out, '}');
}
