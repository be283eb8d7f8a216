/* A sender of jobs for one OTLP transport: what it was given, and what it reports. */
#ifndef TESTS_C_OTLP_FEED_H
#define TESTS_C_OTLP_FEED_H

#include "otlp_sender.h"

enum { JOBS_MAX = 64 };

typedef struct feed {
    size_t given, count; /* of the jobs */
    djp__send_job jobs[JOBS_MAX];
    djp__send_result results[JOBS_MAX];
    int done[JOBS_MAX];
    size_t done_count;
    int polls;
    int (*poll)(struct feed *self); /* NULL: go on */
} feed;

static int
feed_poll(void *user)
{
    feed *self = user;
    self->polls++;
    return self->poll != NULL ? self->poll(self) : DJP__SEND_GO_ON;
}

static int
feed_next(void *user, djp__send_job *job)
{
    feed *self = user;
    if (self->given == self->count) {
        return 0;
    }
    *job = self->jobs[self->given++];
    return 1;
}

static void
feed_done(void *user, void *tag, const djp__send_result *result)
{
    feed *self = user;
    size_t which = (size_t)((int *)tag - self->done);
    self->done[which]++;
    self->results[which] = *result;
    self->done_count++;
}

static feed one_feed;

static feed *
feed_of(size_t count)
{
    memset(&one_feed, 0, sizeof one_feed);
    one_feed.count = count;
    for (size_t i = 0; i < count; i++) {
        one_feed.jobs[i] =
            (djp__send_job){"body", 4, djp__clock_monotonic() + MINUTE, &one_feed.done[i]};
    }
    return &one_feed;
}

static void
run(feed *self)
{
    const djp__send_feed ops = {feed_poll, feed_next, feed_done, self};
    transport->base.ops->run(&transport->base, &ops);
}

static void
assert_all_done(const feed *self, djp__outcome outcome)
{
    assert_int_equal(self->given, self->count);
    assert_int_equal(self->done_count, self->count);
    for (size_t i = 0; i < self->count; i++) {
        assert_int_equal(self->done[i], 1);
        assert_int_equal(self->results[i].outcome, outcome);
    }
    assert_int_equal(transport->busy, 0);
    assert_int_equal(transport->is_sending, 0);
}

static inline int
pause_when_two_are_there(feed *self)
{
    (void)self;
    return loopback_requests(receiver) == 2 ? DJP__SEND_PAUSE : DJP__SEND_GO_ON;
}

#endif
