/* The cost of telemetry in this calendar month (UTC) and the rest of its budget. Pure calculation:
 * times and counts in, money out, in the currency of the prices; the same input gives the same
 * result. */
#ifndef DJP_CONTROL_BUDGET_H
#define DJP_CONTROL_BUDGET_H

#include <stdint.h>

typedef struct djp__budget_prices {
    double month; /* the budget; 0: none */
    double per_gb; /* of 10^9 bytes on the wire */
    double per_million_spans;
    double per_thousand_series; /* and month */
} djp__budget_prices;

/* Counts of the process so far. */
typedef struct djp__budget_load {
    uint64_t bytes, spans; /* exported */
    uint64_t series; /* current metric series */
    /* spans per second that the configured ratio would export; below 0: as many as now */
    double wanted;
} djp__budget_load;

enum { DJP_BUDGET_ALARMS = 3 }; /* at 50, 80 and 100 % */

typedef struct djp__budget {
    djp__budget_prices prices;
    int month; /* year * 12 + month from 0, of the account; -1: none yet */
    double since; /* Unix seconds since which the account counts in this month */
    double now; /* of the last step; does not go back within a month */
    double spent; /* this month */
    double unshared; /* the part of it not yet in the file */
    double total[3]; /* since the process started: bytes, spans, series */
    double rate, wanted_rate; /* money per second, smoothed: actual, and without reduction */
    double learned; /* seconds of the smoothing so far */
    double span_cost; /* of one span with its bytes, as known so far */
    double series_rate; /* money a second */
    int alarms; /* reported this month */
    uint64_t last_ns; /* monotonic, of the last step; 0: none */
    djp__budget_load last;
} djp__budget;

/* A snapshot of this month; 0: unknown yet. */
typedef struct djp__budget_view {
    /* the share of the budget for this account: from its start to the end of the month */
    double allowance;
    double spent, forecast; /* forecast: for the whole account at the present rate */
    double used_ratio, forecast_ratio; /* of the allowance; 0 without a budget */
    /* Spans per second that bring the forecast back to the allowance, 0 and more; below 0: no
     * reduction. */
    double target_spans;
} djp__budget_view;

void djp__budget_init(djp__budget *it, const djp__budget_prices *prices);
/* Adds the counts since the last step, about a second ago. unix_seconds may jump. */
void djp__budget_step(djp__budget *it, double unix_seconds, uint64_t monotonic_ns,
                      const djp__budget_load *load);
/* A forked child starts a new account and new counts. */
void djp__budget_fork(djp__budget *it);
void djp__budget_look(djp__budget_view *out, const djp__budget *it);
/* Returns 50, 80 or 100 when the account reaches that percentage of its allowance, once each a
 * month; else 0. */
int djp__budget_alarm(djp__budget *it);

/* Merges sums that processes share. take: the shared sum of the month replaces the account, plus
 * its unshared spending. An account of an older month is ignored. Returns 1 if it was of this
 * month. */
int djp__budget_take(djp__budget *it, int month, double since, double spent);
/* The calendar month of a time: year * 12 + month from 0; and the time at which a month begins. */
int djp__budget_month(double unix_seconds);
double djp__budget_month_begin(int month);

#endif
