/* An instance as its operation logs see it, without a thread: a test replays them itself. For one
 * test program: everything is static. */
#ifndef TESTS_C_OPLOG_HOST_H
#define TESTS_C_OPLOG_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "djp/error.h"
#include "oplog/oplog.h"
#include "oplog_writer.h"
#include "span_reader.h"
#include "trace/recorder_state.h"

typedef struct host {
    djp_options options;
    djp__oplogs oplogs;
    djp_recorder *recorder; /* owned, as the next two */
    djp_registry *registry;
    djp_builtin *builtin;
    int references, is_closed, wakes;
    int refuses; /* so many wakes find no thread */
} host;

static void
host_ref(void *user)
{
    ((host *)user)->references++;
}

static void
host_unref(void *user)
{
    ((host *)user)->references--;
}

static int
host_is_open(void *user)
{
    return !((host *)user)->is_closed;
}

static int
host_wake(void *user)
{
    host *self = user;
    return ++self->wakes > self->refuses;
}

/* recorder: NULL for an instance without traces. */
static inline void
host_init(host *self, const djp__recorder_options *recorder)
{
    static char no_text[] = "", methods[] = "GET";
    memset(self, 0, sizeof *self);
    self->options.known_methods = methods;
    self->options.excluded_paths = no_text;
    self->options.attribute_value_length_limit = UINT32_MAX;
    self->options.semconv = DJP_SEMCONV_BOTH;
    self->recorder = recorder != NULL ? span_reader_recorder(recorder) : NULL;
    djp__oplogs_init(&self->oplogs);
    self->oplogs.host = (djp__oplog_host){.options = &self->options,
                                          .recorder = self->recorder,
                                          .ref = host_ref,
                                          .unref = host_unref,
                                          .is_open = host_is_open,
                                          .wake = host_wake,
                                          .user = self};
}

/* Counts requests. Before an oplog is attached. */
static inline void
host_add_metrics(host *self)
{
    djp_registry_options options = {.reserve_bytes = 1 << 20, .cardinality_limit = 100};
    djp_builtin_options builtin;
    memset(&builtin, 0, sizeof builtin);
    assert_int_equal(djp_registry_new(&self->registry, &options), 0);
    assert_int_equal(djp_builtin_new(&self->builtin, self->registry, &builtin), 0);
    self->oplogs.host.registry = self->registry;
    self->oplogs.host.standard = self->builtin;
}

static inline void
host_fini(host *self)
{
    djp__oplogs_detach(&self->oplogs);
    assert_int_equal(self->references, 0);
    djp__oplogs_fini(&self->oplogs);
    djp__recorder_free(self->recorder);
    djp_builtin_free(self->builtin);
    djp_registry_free(self->registry);
}

static inline djp__recorder_totals
host_counters(const host *self)
{
    djp__recorder_totals out;
    djp__recorder_counters(&out, self->recorder);
    return out;
}

static inline uint64_t
host_damage(host *self)
{
    djp__oplogs_replay(&self->oplogs, 0);
    return djp__load_relaxed(&self->oplogs.damage);
}

#endif
