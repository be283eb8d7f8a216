/* A pipeline without an instance and without a thread: the test is the worker, and calls its
 * tasks. */
#ifndef TESTS_C_PIPELINE_BY_HAND_H
#define TESTS_C_PIPELINE_BY_HAND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "events_signal.h"

#define SECOND 1000000000ull
#define MS 1000000ull

typedef struct hand {
    djp__worker worker;
    djp__diagnostics diag;
    djp__pipeline pipeline;
    events events;
    djp__transport transport;
    djp__send_result results[16]; /* of the attempts, in turn; the last one repeats */
    unsigned result_count, attempts;
    size_t sizes[16]; /* of the bodies */
    int polls; /* what the poll callback said last */
    unsigned freed, sent_calls;
    char sent_error[32]; /* of the last export that ended */
} hand;

static hand *hand_of_transport;

static inline void
hand_send(djp__transport *transport, const void *body, size_t size,
          const djp__send_control *control, djp__send_result *result)
{
    hand *self = hand_of_transport;
    (void)transport;
    (void)body;
    unsigned at = self->attempts < self->result_count ? self->attempts : self->result_count - 1;
    self->sizes[self->attempts++ % 16] = size;
    self->polls = control->poll(control->user);
    *result = self->results[at];
}

static inline void
hand_free(djp__transport *transport)
{
    (void)transport;
    hand_of_transport->freed++;
}

static const djp__transport_ops hand_ops = {.name = "hand", .send = hand_send, .free = hand_free};

static inline void
hand_sent(void *user, const djp__request *request, const char *error)
{
    hand *self = user;
    (void)request;
    self->sent_calls++;
    strncpy(self->sent_error, error, sizeof self->sent_error - 1);
}

static inline void
hand_init(hand *self)
{
    static const djp__pipeline_options options = {.queue_bytes = 4096,
                                                  .batch_bytes = 2048,
                                                  .batch_items = 10,
                                                  .max_request_bytes = 3000,
                                                  .flush_interval_ns = SECOND,
                                                  .export_timeout_ns = 10 * SECOND,
                                                  .target = "nowhere",
                                                  .on_sent = hand_sent};
    memset(self, 0, sizeof *self);
    hand_of_transport = self;
    self->transport.ops = &hand_ops;
    self->result_count = 1;
    djp__worker_init(&self->worker);
    djp__diag_init(&self->diag, DJP_LOG_NONE, NULL, NULL);
    djp__pipeline_options own = options;
    own.user = self;
    assert_int_equal(djp__ring_new(&self->events.ring, 1 << 15), 0);
    self->events.pipeline = &self->pipeline;
    self->events.wake_level = UINT64_MAX;
    djp__pipeline_init(&self->pipeline, &events_signal, &self->events, &self->transport,
                       &self->worker, &self->diag, &own);
    djp__worker_add(&self->worker, &self->pipeline.batch_task);
    djp__worker_add(&self->worker, &self->pipeline.send_task);
    self->worker.state = DJP__WORKER_WORKING; /* the test is its thread */
    self->pipeline.batch_task.enter(&self->pipeline);
}

static inline void
hand_end(hand *self)
{
    djp__pipeline_fini(&self->pipeline);
    assert_int_equal(self->freed, 1);
    djp__ring_free(self->events.ring);
    self->worker.state = DJP__WORKER_ABSENT;
    djp__worker_fini(&self->worker);
    djp__diag_fini(&self->diag);
}

static inline void
hand_batch(hand *self, uint64_t now)
{
    self->pipeline.batch_task.run(&self->pipeline, now);
}

static inline uint64_t
hand_batch_due(hand *self, uint64_t now)
{
    return self->pipeline.batch_task.next_due(&self->pipeline, now);
}

static inline void
hand_add(hand *self, const char *text, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        event_add(&self->events, text);
    }
}

static inline uint64_t
hand_lost(const hand *self, djp__loss reason)
{
    return djp__load_relaxed(&self->pipeline.stats.lost[reason]);
}

static inline uint64_t
hand_queued(const hand *self)
{
    return djp__load_relaxed(&self->pipeline.queue.count);
}

#endif
