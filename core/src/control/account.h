/* The budget of a running SDK: fed with what it exports, shown, warned of, and held against the
 * file that processes share. */
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
    double wanted; /* spans a second that the configured ratio would keep; below 0: not known */
    int on; /* constant: there are prices or a budget */

    /* constant after the start; 1: where the budget asks for it, the ratio is reduced */
    int steered;

    /* Touched by the worker only, and by djp_sdk_new before there is one. */
    uint64_t file_next; /* monotonic; UINT64_MAX: no file */
    int file_warned;
} djp__account;

void djp__account_init(djp__account *account, const djp__control_host *host);
/* Brings the account up to date. Any thread. */
void djp__account_feed(djp__account *account);
/* The same, and warns where a part of the budget is used up. Any thread; no lock is held. */
void djp__account_step(djp__account *account);
/* The same by the worker, which also looks at the file. Returns spans a second that the budget
 * leaves; below 0: it needs no reduction. */
double djp__account_tick(djp__account *account, uint64_t now, double wanted);
/* What the file does not know yet goes there now. By the worker, or when there is none. */
void djp__account_end(djp__account *account);
int djp__account_is_settled(djp__account *account); /* the file knows all */
void djp__account_fork_child(djp__account *account);
void djp__account_read(djp__account *account, djp__budget_view *view, double total[3]);
/* One object of JSON. */
void djp__account_status(djp_buf *out, djp__account *account);

#endif
