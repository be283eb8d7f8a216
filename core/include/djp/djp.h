/* The public C interface in one include.
 *
 * Text. What recording calls take, names, keys, values and header fields, is a
 * djp_text: bytes and their number, UTF-8, not NUL-terminated (DJP_TEXT for literals,
 * djp_text_of for others). What sets something up, settings, metric definitions, scopes
 * and host names, is UTF-8 that ends in NUL.
 *
 * Pointers. "Borrows": the caller's memory is read during the call, or for the time
 * that the comment names, and stays the caller's. "Copies": it may go when the call
 * returns. "Takes": it belongs to the callee from then on, also when the call fails.
 * Where a comment says nothing, a pointer to input is borrowed for the call. Handles
 * that begin with _new are ended with _free, those with _ref with _unref. Out
 * parameters come first and hold nothing that is to be freed unless the call succeeded.
 *
 * Option structs start as their _INIT macro; members are added at the end only.
 *
 * Errors. Set-up, flush and read calls return 0 or a negative code of djp/error.h.
 * Recording calls return nothing of the kind: they accept NULL, never fail, block or
 * allocate without bound, and what cannot be kept is counted.
 *
 * Threads. Any call may come from any thread unless its comment names one. Calls on one
 * span, one writer of a shard and one writer of an operation log follow each other.
 *
 * Fork. A child process goes on with the same handles: it begins with an empty ring,
 * new ids, its own worker and connection at its first span. Nothing that waited or was
 * open in the parent is sent by the child. After a fork of a process with threads, a
 * child may record before exec.
 *
 * Units. Times are nanoseconds, unix_ns since 1970 and others of CLOCK_MONOTONIC;
 * sizes are bytes; ratios are 0 .. 1. */
#ifndef DJP_DJP_H
#define DJP_DJP_H
#include "djp/config.h"
#include "djp/context.h"
#include "djp/error.h"
#include "djp/http.h"
#include "djp/key.h"
#include "djp/metrics.h"
#include "djp/oplog.h"
#include "djp/sampler.h"
#include "djp/sdk.h"
#include "djp/shard.h"
#include "djp/span.h"
#include "djp/tail_rule.h"
#include "djp/value.h"
#include "djp/version.h"
#endif
