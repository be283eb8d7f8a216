/* The file that keeps the month's spending across restarts and shares it among the processes of a
 * host. */
#ifndef DJP_CONTROL_BUDGET_FILE_H
#define DJP_CONTROL_BUDGET_FILE_H

#include "control/budget.h"

typedef enum djp__budget_merged {
    DJP_BUDGET_MERGED,
    DJP_BUDGET_BUSY, /* another process uses it: try again later */
    DJP_BUDGET_DAMAGED, /* merged, but the malformed content was replaced */
    DJP_BUDGET_UNUSABLE /* not readable or writable; errno has the reason */
} djp__budget_merged;

/* Adds the account's new spending to the file and the spending of others to the account. Never
 * waits for another process. A file of an older month is replaced. A file of a later month, by a
 * clock that is ahead, remains; it counts as damaged if it is later than next month and the account
 * has run for an hour. */
djp__budget_merged djp__budget_file_merge(const char *path, djp__budget *account);

#endif
