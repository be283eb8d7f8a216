/* The small file in which the spending of a month survives restarts and is shared by the processes
 * of a host. */
#ifndef DJP_CONTROL_BUDGET_FILE_H
#define DJP_CONTROL_BUDGET_FILE_H

#include "control/budget.h"

typedef enum djp__budget_merged {
    DJP_BUDGET_MERGED,
    DJP_BUDGET_BUSY, /* another process is at it: try again later */
    DJP_BUDGET_DAMAGED, /* merged, but what was there could not be understood and was given up */
    DJP_BUDGET_UNUSABLE /* nothing could be read or written; errno says why */
} djp__budget_merged;

/* Adds what the account spent since the last time, and takes what the others spent into it. Never
 * waits for another process. A file of an older month is begun anew; one of a younger month, by a
 * clock that is ahead, is left alone, but counts as damaged where it is of a month after the next
 * and the account has run for an hour. */
djp__budget_merged djp__budget_file_merge(const char *path, djp__budget *account);

#endif
