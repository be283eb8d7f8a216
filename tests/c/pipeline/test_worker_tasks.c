/* The worker alone: its states are those of its table, and it runs tasks that it knows nothing of,
 * in their order, when they are due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "pipeline/worker.h"

#define MS 1000000ull
#define SECOND 1000000000ull

static void
wait_ms(uint64_t ms)
{
    struct timespec pause = {(time_t)(ms / 1000), (long)(ms % 1000 * MS)};
    nanosleep(&pause, NULL);
}

/* ---- the table ---- */

enum { ABSENT = DJP__WORKER_ABSENT, WORKING, SENDING, PARKED, NONE = -1 };

static void
the_table_is_the_documented_one(void **state)
{
    static const int expected[DJP__WORKER_STATES][DJP__WORKER_EVENTS] = {
        [ABSENT] = {WORKING, NONE, NONE, NONE, NONE, NONE, ABSENT},
        [WORKING] = {NONE, SENDING, NONE, NONE, NONE, ABSENT, ABSENT},
        [SENDING] = {NONE, NONE, WORKING, PARKED, NONE, NONE, ABSENT},
        [PARKED] = {NONE, NONE, NONE, NONE, SENDING, NONE, ABSENT},
    };
    (void)state;
    for (int from = 0; from < DJP__WORKER_STATES; from++) {
        for (int event = 0; event < DJP__WORKER_EVENTS; event++) {
            assert_int_equal(djp__worker_next((djp__worker_state)from, (djp__worker_event)event),
                             expected[from][event]);
        }
    }
}

/* ---- a worker and its script ---- */

typedef struct bench {
    djp__worker worker;
    djp__task first, always, sender, other, last;
    djp__transport transport;
    _Atomic int references;
    _Atomic int runs[5]; /* of the tasks */
    _Atomic uint64_t due[5]; /* what next_due answers; 0: when notified */
    _Atomic int asked[5];
    char order[256]; /* of the runs of the first round */
    _Atomic size_t order_size;
    _Atomic int entered, left, sends, wakes;
    _Atomic int sending; /* 1: the sender goes into its transport, and stays while `stays` */
    _Atomic int stays;
    _Atomic int wish; /* the last that poll said */
    _Atomic int is_this; /* in a task: it runs in the worker */
} bench;

static void
bench_run(bench *self, int task, char letter)
{
    self->runs[task]++;
    if (self->order_size < sizeof self->order) {
        self->order[self->order_size++] = letter;
    }
}

static uint64_t
bench_due(bench *self, int task)
{
    self->asked[task]++;
    return self->due[task] == 0 ? UINT64_MAX : self->due[task];
}

#define TASK(name, number, letter)                       \
    static void run_##name(void *user, uint64_t now)     \
    {                                                    \
        (void)now;                                       \
        bench_run(user, number, letter);                 \
    }                                                    \
    static uint64_t due_##name(void *user, uint64_t now) \
    {                                                    \
        (void)now;                                       \
        return bench_due(user, number);                  \
    }
TASK(first, 0, 'f')
TASK(always, 1, 'a')
TASK(other, 3, 'o')
TASK(last, 4, 'l')

static void
run_sender(void *user, uint64_t now)
{
    bench *self = user;
    (void)now;
    bench_run(self, 2, 's');
    self->is_this = djp__worker_is_this(&self->worker);
    if (!self->sending) {
        return;
    }
    djp__worker_begin_send(&self->worker, &self->transport, &self->sender);
    self->sends++;
    do {
        self->wish = djp__worker_poll(&self->worker);
        wait_ms(1);
    } while (self->stays && self->wish == DJP__SEND_GO_ON);
    djp__worker_end_send(&self->worker);
    self->sending = self->stays;
}

static uint64_t
due_sender(void *user, uint64_t now)
{
    bench *self = user;
    self->asked[2]++;
    return self->sending ? now : UINT64_MAX;
}

static void
bench_ref(void *user)
{
    ((bench *)user)->references++;
}

static void
bench_unref(void *user)
{
    ((bench *)user)->references--;
}

static void
bench_enter(void *user)
{
    ((bench *)user)->entered++;
}

static void
bench_leave(void *user)
{
    ((bench *)user)->left++;
}

static bench *bench_woken;

static void
bench_wake(djp__transport *transport)
{
    (void)transport;
    bench_woken->wakes++;
}

static const djp__transport_ops bench_ops = {.name = "bench", .wake = bench_wake};

static void
bench_init(bench *self)
{
    memset(self, 0, sizeof *self);
    bench_woken = self;
    self->transport.ops = &bench_ops;
    djp__worker_init(&self->worker);
    self->worker.ref = bench_ref;
    self->worker.unref = bench_unref;
    self->worker.owner = self;
    self->worker.shares_files = 1;
    self->first = (djp__task){"first",     DJP__TASK_BETWEEN, run_first, due_first,
                              bench_enter, bench_leave,       self,      NULL};
    self->always =
        (djp__task){"always", DJP__TASK_ALWAYS, run_always, due_always, NULL, NULL, self, NULL};
    self->sender =
        (djp__task){"sender", DJP__TASK_SEND, run_sender, due_sender, NULL, NULL, self, NULL};
    self->other =
        (djp__task){"other", DJP__TASK_SEND, run_other, due_other, NULL, NULL, self, NULL};
    self->last = (djp__task){"last", DJP__TASK_BETWEEN, run_last, due_last, NULL, NULL, self, NULL};
    djp__task *const tasks[] = {&self->first, &self->always, &self->sender, &self->other,
                                &self->last};
    for (size_t i = 0; i < 5; i++) {
        djp__worker_add(&self->worker, tasks[i]);
    }
}

static int
state_of(bench *self)
{
    return djp__load_acquire(&self->worker.state);
}

static void
wait_for_state(bench *self, int state)
{
    for (int i = 0; i < 60000 && state_of(self) != state; i++) {
        wait_ms(1);
    }
    assert_int_equal(state_of(self), state);
}

static void
wait_for(const _Atomic int *value, int least)
{
    for (int i = 0; i < 60000 && *value < least; i++) {
        wait_ms(1);
    }
    assert_true(*value >= least);
}

static void
bench_end(bench *self)
{
    djp__mutex_lock(&self->worker.mutex);
    int ended = djp__worker_stop_locked(&self->worker, djp__clock_monotonic() + 20 * SECOND);
    djp__mutex_unlock(&self->worker.mutex);
    assert_int_equal(ended, 1);
    assert_int_equal(self->references, 0);
    assert_int_equal(state_of(self), ABSENT);
    assert_int_equal(self->entered, self->left);
    djp__worker_fini(&self->worker);
}

/* ---- tests ---- */

static void
it_walks_through_its_states(void **state)
{
    (void)state;
    bench self;
    bench_init(&self);
    assert_int_equal(state_of(&self), ABSENT);
    assert_int_equal(djp__worker_is_this(&self.worker), 0);
    self.sending = self.stays = 1;
    assert_int_equal(djp__worker_ensure(&self.worker), 0); /* START */
    assert_int_equal(self.references, 1);
    wait_for_state(&self, SENDING); /* SEND */
    djp__worker_notify(&self.worker);
    assert_true(self.wakes > 0);
    self.stays = 0;
    wait_for_state(&self, WORKING); /* SENT */
    bench_end(&self); /* END */
    assert_int_equal(self.worker.starts, 1);
}

static void
tasks_run_in_their_order(void **state)
{
    (void)state;
    bench self;
    bench_init(&self);
    assert_int_equal(djp__worker_ensure(&self.worker), 0);
    wait_for(&self.runs[4], 1);
    assert_memory_equal(self.order, "fasol", 5);
    assert_int_equal(self.is_this, 1);
    assert_int_equal(djp__worker_is_this(&self.worker), 0);
    assert_int_equal(self.entered, 1);
    /* All were asked, and none is due: it sleeps until it is notified. */
    wait_for(&self.asked[0], 1);
    wait_ms(50);
    int runs = self.runs[0];
    wait_ms(50);
    assert_int_equal(self.runs[0], runs);
    djp__worker_notify(&self.worker);
    wait_for(&self.runs[0], runs + 1);
    bench_end(&self);
}

static void
it_sleeps_until_the_earliest_task_is_due(void **state)
{
    (void)state;
    bench self;
    bench_init(&self);
    uint64_t begun = djp__clock_monotonic();
    self.due[0] = begun + 3600 * SECOND;
    self.due[1] = begun + 100 * MS;
    assert_int_equal(djp__worker_ensure(&self.worker), 0);
    wait_for(&self.runs[0], 2);
    assert_true(djp__clock_monotonic() - begun >= 100 * MS);
    self.due[1] = 0;
    bench_end(&self);
}

/* A task that is due keeps those before it from being asked: asking has effects. */
static void
a_task_that_is_due_is_the_last_one_asked(void **state)
{
    (void)state;
    bench self;
    bench_init(&self);
    self.due[3] = 1;
    assert_int_equal(djp__worker_ensure(&self.worker), 0);
    wait_for(&self.asked[3], 3);
    assert_int_equal(self.asked[0] + self.asked[1] + self.asked[2], 0);
    assert_true(self.asked[4] >= 3);
    self.due[3] = 0;
    bench_end(&self);
}

/* What a request came to is looked at before the next sleep, and once is enough. */
static void
a_round_follows_each_send(void **state)
{
    (void)state;
    bench self;
    bench_init(&self);
    self.sending = 1;
    assert_int_equal(djp__worker_ensure(&self.worker), 0);
    wait_for(&self.sends, 1);
    wait_for(&self.runs[0], 2);
    assert_int_equal(self.sends, 1);
    wait_for(&self.asked[0], 1);
    int runs = self.runs[0];
    wait_ms(50);
    assert_true(self.runs[0] <= runs + 1);
    bench_end(&self);
}

static void
only_some_tasks_run_while_a_transport_waits(void **state)
{
    (void)state;
    bench self;
    bench_init(&self);
    self.sending = self.stays = 1;
    assert_int_equal(djp__worker_ensure(&self.worker), 0);
    wait_for_state(&self, SENDING);
    int always = self.runs[1];
    wait_for(&self.runs[1], always + 3);
    assert_int_equal(self.runs[0], 1);
    assert_int_equal(self.runs[4], 0);
    assert_int_equal(self.wish, DJP__SEND_GO_ON);
    bench_end(&self); /* which the transport learns from its poll callback, and leaves */
    assert_int_equal(self.wish, DJP__SEND_GIVE_UP);
}

static void
a_transport_pauses_for_another_task(void **state)
{
    (void)state;
    bench self;
    bench_init(&self);
    self.sending = self.stays = 1;
    assert_int_equal(djp__worker_ensure(&self.worker), 0);
    wait_for_state(&self, SENDING);
    assert_int_equal(self.runs[3], 0);
    self.due[3] = 1;
    wait_for(&self.runs[3], 2);
    wait_for(&self.sends, 2); /* ... and goes on afterwards */
    self.due[3] = 0;
    bench_end(&self);
}

static void
the_end_of_the_process_gives_up_what_is_sent(void **state)
{
    (void)state;
    bench self;
    bench_init(&self);
    djp__store_release(&self.worker.state, WORKING);
    djp__worker_begin_send(&self.worker, &self.transport, &self.sender);
    uint64_t now = djp__clock_monotonic();
    self.worker.end_deadline = now + 3600 * SECOND;
    assert_int_equal(djp__worker_poll(&self.worker), DJP__SEND_GO_ON);
    self.worker.end_deadline = now;
    assert_int_equal(djp__worker_poll(&self.worker), DJP__SEND_GIVE_UP);
    djp__worker_end_send(&self.worker);
    assert_int_equal(state_of(&self), WORKING);
    djp__store_release(&self.worker.state, ABSENT);
    djp__worker_fini(&self.worker);
}

static void
a_closed_instance_starts_none(void **state)
{
    (void)state;
    bench self;
    bench_init(&self);
    assert_int_equal(djp__worker_is_open(&self.worker), 1);
    self.worker.phase = DJP__PHASE_CLOSING;
    assert_int_equal(djp__worker_is_open(&self.worker), 0);
    assert_int_equal(djp__worker_ensure(&self.worker), 0);
    assert_int_equal(state_of(&self), ABSENT);
    djp__worker_fini(&self.worker);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_the_documented_one),
        cmocka_unit_test(it_walks_through_its_states),
        cmocka_unit_test(tasks_run_in_their_order),
        cmocka_unit_test(it_sleeps_until_the_earliest_task_is_due),
        cmocka_unit_test(a_task_that_is_due_is_the_last_one_asked),
        cmocka_unit_test(a_round_follows_each_send),
        cmocka_unit_test(only_some_tasks_run_while_a_transport_waits),
        cmocka_unit_test(a_transport_pauses_for_another_task),
        cmocka_unit_test(the_end_of_the_process_gives_up_what_is_sent),
        cmocka_unit_test(a_closed_instance_starts_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
