/* What telemetry costs, this calendar month (UTC), and what that leaves. It only calculates: times
 * and counts come in, money comes out, so that the same course always gives the same account. Money
 * is in whatever unit the prices are in. */
#ifndef DJP_CONTROL_BUDGET_H
#define DJP_CONTROL_BUDGET_H

#include <stdint.h>

typedef struct djp__budget_prices {
    double month; /* the budget; 0: none */
    double per_gb; /* of 10^9 bytes on the wire */
    double per_million_spans;
    double per_thousand_series; /* and month */
} djp__budget_prices;

/* What the process counted so far. */
typedef struct djp__budget_load {
    uint64_t bytes, spans; /* exported */
    uint64_t series; /* of metrics, now */
    /* spans a second that the configured ratio would export; below 0: as many as now */
    double wanted;
} djp__budget_load;

enum { DJP_BUDGET_ALARMS = 3 }; /* at 50, 80 and 100 % */

typedef struct djp__budget {
    djp__budget_prices prices;
    int month; /* year * 12 + month from 0, of the account; -1: none yet */
    double since; /* Unix seconds from which on the account counts in this month */
    double now; /* of the last step; never goes back within a month */
    double spent; /* this month */
    double unshared; /* the part of it that no file knows yet */
    double total[3]; /* since the process started: bytes, spans, series */
    double rate, wanted_rate; /* money a second, smoothed: as it is, and without restraint */
    double learned; /* seconds that it was smoothed over */
    double span_cost; /* of one span with its bytes, as far as is known */
    double series_rate; /* money a second */
    int alarms; /* how many were told this month */
    uint64_t last_ns; /* monotonic, of the last step; 0: none */
    djp__budget_load last;
} djp__budget;

/* What there is to say. All of the month; 0 where nothing is known yet. */
typedef struct djp__budget_view {
    /* the part of the budget that this account has: from its beginning to the end of the month */
    double allowance;
    double spent, forecast; /* forecast: for the whole account by the present rate */
    double used_ratio, forecast_ratio; /* of the allowance; 0 without a budget */
    /* Spans a second that bring the forecast back to the allowance, 0 and more; below 0: nothing
     * need be reduced. */
    double target_spans;
} djp__budget_view;

void djp__budget_init(djp__budget *it, const djp__budget_prices *prices);
/* Accounts for what was counted since the last step, which is about a second ago. unix_seconds may
 * jump. */
void djp__budget_step(djp__budget *it, double unix_seconds, uint64_t monotonic_ns,
                      const djp__budget_load *load);
/* The account of a forked child begins anew; so do its counts. */
void djp__budget_fork(djp__budget *it);
void djp__budget_look(djp__budget_view *out, const djp__budget *it);
/* 50, 80 or 100 when the account has just reached that percentage of its allowance, once each a
 * month; else 0. */
int djp__budget_alarm(djp__budget *it);

/* Sums of a month that processes share. take: what another place knows of the month becomes the
 * account, with what was spent here and is not known there. An account of an older month says
 * nothing. Returns 1 when it was of this month. */
int djp__budget_take(djp__budget *it, int month, double since, double spent);
/* The calendar month of a time: year * 12 + month from 0; and the time at which a month begins. */
int djp__budget_month(double unix_seconds);
double djp__budget_month_begin(int month);

#endif
