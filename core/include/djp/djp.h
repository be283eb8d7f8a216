/* The public C interface in one include.
 *
 * Text. Recording calls take names, keys, values and header fields as djp_text: UTF-8
 * bytes with a size, not NUL-terminated (DJP_TEXT for literals, djp_text_of for
 * NUL-terminated strings). Settings, metric definitions, scopes and host names are
 * NUL-terminated UTF-8.
 *
 * Pointers. "Borrows": the callee reads the caller's memory during the call, or for the
 * time the comment names; the caller still owns it. "Copies": the caller may free it
 * when the call returns. "Takes": the callee owns it from then on, even when the call
 * fails. Without such a word, a pointer to input is borrowed for the call. A handle
 * from _new is released with _free, one from _ref with _unref. Out parameters come
 * first; they hold nothing to free unless the call succeeded.
 *
 * Initialise an option struct with its _INIT macro. New members are added only at the
 * end.
 *
 * Errors. Set-up, flush and read calls return 0 or a negative code of djp/error.h.
 * Recording calls accept NULL and never fail, block or allocate without bound; they
 * count the data they cannot record.
 *
 * Threads. Any thread may make any call unless the comment restricts it. Do not make
 * two calls at once on the same span, on the same shard as its writer, or on the same
 * operation log as its writer.
 *
 * Fork. A child process uses the same handles. It starts with an empty ring and new
 * ids, and creates its worker and its connection at its first span. It never sends
 * spans that were open or queued in the parent. A child of a multi-threaded process may
 * record before exec.
 *
 * Units. Times are nanoseconds: unix_ns since 1970, all others CLOCK_MONOTONIC. Sizes
 * are bytes. Ratios are 0 .. 1. */
#ifndef DJP_DJP_H
#define DJP_DJP_H
#include "djp/config.h"
#include "djp/context.h"
#include "djp/error.h"
#include "djp/http.h"
#include "djp/http_client.h"
#include "djp/key.h"
#include "djp/metrics.h"
#include "djp/operation.h"
#include "djp/oplog.h"
#include "djp/sampler.h"
#include "djp/sdk.h"
#include "djp/shard.h"
#include "djp/span.h"
#include "djp/tail_rule.h"
#include "djp/value.h"
#include "djp/version.h"
#endif
