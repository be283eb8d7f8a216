/* The whole core as one translation unit, so that every build system lists one file and the compiler sees everything. Statics
 * therefore carry the noun of their file. Order: base, then the layers of docs/design.md. */
#define _GNU_SOURCE

#include "base/error.c"
#include "base/mem.c"
#include "base/buf.c"
#include "base/utf8.c"
#include "base/str.c"
#include "base/codec.c"
#include "base/map.c"
#include "base/clock.c"
#include "base/fork.c"
#include "base/rand.c"
#include "base/thread.c"
#include "base/diag.c"
#include "base/ring.c"

#include "trace/traceparent.c"
#include "trace/tracestate.c"
#include "trace/context.c"
#include "trace/baggage.c"
