/* The budget of a running SDK: updated with its exports, reported, and merged with the file shared
 * by processes. */
#ifndef DJP_CONTROL_ACCOUNT_H
#define DJP_CONTROL_ACCOUNT_H

#include "base/buf.h"
#include "base/thread.h"
#include "control/budget.h"
#include "control/host.h"

typedef struct djp__account {
    const djp__control_host *host;
    djp_mutex mutex; /* a leaf; guards budget and wanted */
    djp__budget budget;
    double wanted; /* spans per second that the configured ratio would sample; below 0: unknown */
    int on; /* constant: there are prices or a budget */

    /* constant after the start; 1: the budget may reduce the ratio */
    int steered;

    /* Used only by the worker, and by djp_sdk_new before it exists. */
    uint64_t file_next; /* monotonic; UINT64_MAX: no file */
    int file_warned;
} djp__account;

void djp__account_init(djp__account *account, const djp__control_host *host);
/* Updates the account. Any thread. */
void djp__account_feed(djp__account *account);
/* Updates the account and warns when a part of the budget is used up. Any thread; no lock is
 * held. */
void djp__account_step(djp__account *account);
/* Updates the account and merges the file. Returns the spans per second that the budget allows;
 * below 0: no reduction. Worker only. */
double djp__account_tick(djp__account *account, uint64_t now, double wanted);
/* Merges the rest into the file. By the worker, or when there is none. */
void djp__account_end(djp__account *account);
int djp__account_is_complete(djp__account *account); /* the file has all */
void djp__account_fork_child(djp__account *account);
void djp__account_read(djp__account *account, djp__budget_view *view, double total[3]);
/* One JSON object. */
void djp__account_status(djp__buf *out, djp__account *account);

#endif
