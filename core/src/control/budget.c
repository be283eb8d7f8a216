/* The account: adds costs step by step, starts empty each month, and forecasts from the rate of
 * about the last hour. The unreduced spending is tracked too, so that a reduction ends when it is
 * no longer needed, not when it takes effect. */
#include "control/budget.h"

#include <math.h>
#include <string.h>

#define BUDGET__SMOOTH 3600.0 /* seconds */
#define BUDGET__LEARNED 60.0 /* seconds before anything is forecast */
#define BUDGET__DAY 86400.0

/* Days since 1970-01-01 of the first of a month, by the civil calendar. */
static double
budget_days(int month)
{
    int year = month / 12, of_year = month % 12;
    int shifted = of_year < 2 ? year - 1 : year,
        day_of_year = (153 * (of_year < 2 ? of_year + 10 : of_year - 2) + 2) / 5;
    int era = shifted / 400, of_era = shifted - era * 400;
    return (double)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719468;
}

double
djp__budget_month_begin(int month)
{
    return budget_days(month) * BUDGET__DAY;
}

int
djp__budget_month(double unix_seconds)
{
    double days = unix_seconds / BUDGET__DAY;
    int month = 1970 * 12 + (days > 0 && days < 1e7 ? (int)(days / 31) : 0);
    while (budget_days(month + 1) <= days && month < 12 * 30000) {
        month++;
    }
    return month;
}

void
djp__budget_init(djp__budget *it, const djp__budget_prices *prices)
{
    memset(it, 0, sizeof *it);
    it->prices = *prices;
    it->month = -1;
}

void
djp__budget_fork(djp__budget *it)
{
    djp__budget_prices prices = it->prices;
    djp__budget_init(it, &prices);
}

static double
budget_month_seconds(int month)
{
    return djp__budget_month_begin(month + 1) - djp__budget_month_begin(month);
}

static void
budget_open(djp__budget *it, int month, double since)
{
    it->month = month;
    it->since = since;
    it->spent = it->unshared = 0;
    it->alarms = 0;
}

/* The month. A clock that goes back a little counts as no time; one that goes back by more was
 * wrong before. */
static void
budget_turn(djp__budget *it, double now)
{
    int month = djp__budget_month(now);
    if (it->month < 0) {
        budget_open(it, month, now);
    } else if (month > it->month) {
        budget_open(it, month, djp__budget_month_begin(month));
    } else if (now < it->now - BUDGET__DAY) {
        it->month = month;
        it->since = now;
    } else if (now < it->now) {
        now = it->now;
    }
    it->now = now;
}

static double
budget_gained(uint64_t now, uint64_t before)
{
    return now > before ? (double)(now - before) : 0;
}

static double
budget_smooth(double before, double now, double factor)
{
    return before + factor * (now - before);
}

void
djp__budget_step(djp__budget *it, double unix_seconds, uint64_t monotonic_ns,
                 const djp__budget_load *load)
{
    double seconds = it->last_ns != 0 && monotonic_ns > it->last_ns
                         ? (double)(monotonic_ns - it->last_ns) / 1e9
                         : 0;
    budget_turn(it, unix_seconds);
    double spans = budget_gained(load->spans, it->last.spans);
    double costs[3] = {budget_gained(load->bytes, it->last.bytes) / 1e9 * it->prices.per_gb,
                       spans / 1e6 * it->prices.per_million_spans, 0};
    it->series_rate = (double)load->series / 1e3 * it->prices.per_thousand_series /
                      budget_month_seconds(it->month);
    costs[2] = it->series_rate * seconds;
    double sum = costs[0] + costs[1] + costs[2];
    for (int i = 0; i < 3; i++) {
        it->total[i] += costs[i];
    }
    it->spent += sum;
    it->unshared += sum;
    if (load->spans > 0) {
        it->span_cost = (it->total[0] + it->total[1]) / (double)load->spans;
    }
    if (seconds > 0) {
        it->learned += seconds;
        /* The mean of all samples until the smoothing period is over. */
        double factor = fmax(1 - exp(-seconds / BUDGET__SMOOTH), fmin(seconds / it->learned, 1));
        double wanted = sum + fmax(load->wanted * seconds - spans, 0) * it->span_cost;
        it->rate = budget_smooth(it->rate, sum / seconds, factor);
        it->wanted_rate = budget_smooth(it->wanted_rate, wanted / seconds, factor);
    }
    it->last = *load;
    it->last_ns = monotonic_ns;
}

void
djp__budget_look(djp__budget_view *out, const djp__budget *it)
{
    memset(out, 0, sizeof *out);
    out->target_spans = -1;
    if (it->month < 0) {
        return;
    }
    double end = djp__budget_month_begin(it->month + 1), left = fmax(end - it->now, 1);
    int known = it->learned >= BUDGET__LEARNED;
    out->allowance =
        it->prices.month * fmin((end - it->since) / budget_month_seconds(it->month), 1);
    out->spent = it->spent;
    out->forecast = it->spent + (known ? it->rate * left : 0);
    if (out->allowance > 0) {
        out->used_ratio = out->spent / out->allowance;
        out->forecast_ratio = out->forecast / out->allowance;
        if (known && it->span_cost > 0 && it->spent + it->wanted_rate * left > out->allowance) {
            double rest = (out->allowance - it->spent) / left - it->series_rate;
            out->target_spans = fmax(rest, 0) / it->span_cost;
        }
    }
}

int
djp__budget_alarm(djp__budget *it)
{
    static const int levels[DJP_BUDGET_ALARMS] = {50, 80, 100};
    djp__budget_view view;
    djp__budget_look(&view, it);
    int reached = 0;
    while (reached < DJP_BUDGET_ALARMS && view.used_ratio * 100 >= levels[reached]) {
        reached++;
    }
    if (reached <= it->alarms) {
        return 0;
    }
    it->alarms = reached;
    return levels[reached - 1];
}

int
djp__budget_take(djp__budget *it, int month, double since, double spent)
{
    if (it->month < 0 || month != it->month) {
        return 0;
    }
    double begin = djp__budget_month_begin(month);
    it->since = fmin(it->since, fmax(since, begin));
    it->spent = spent + it->unshared;
    return 1;
}
