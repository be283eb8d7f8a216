/* An instance that exports two signals, spans and events, through one scripted transport each. */
#ifndef TESTS_C_PIPELINE_PAIR_H
#define TESTS_C_PIPELINE_PAIR_H

#include "pipeline/helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "events_signal.h"

typedef struct pair {
    djp_sdk *sdk;
    script_transport *spans;
    script_transport *logs;
    events events;
} pair;

static char last_message[512];

static inline void
note_message(void *user, int level, const char *message)
{
    (void)user;
    if (level <= DJP_LOG_WARN && strstr(message, "events")) {
        snprintf(last_message, sizeof last_message, "%s", message);
    }
}

static inline void
pair_start(pair *self, djp_options *options, unsigned (*next)(void *, unsigned), void *user)
{
    djp_sdk_language language = {"c", "test", "1", 0};
    last_message[0] = '\0';
    options->log_level = DJP_LOG_WARN;
    self->spans = script_new(NULL, NULL);
    self->logs = script_new(next, user);
    assert_int_equal(djp__sdk_new_with_transport(&self->sdk, options, &language, note_message, NULL,
                                                 &self->spans->base),
                     0);
    assert_int_equal(events_start(&self->events, self->sdk, &self->logs->base, 1 << 16), 0);
}

static inline void
pair_end(pair *self)
{
    djp_sdk_free(self->sdk);
    script_fini(self->spans);
    script_fini(self->logs);
    djp__ring_free(self->events.ring);
}

#endif
