/* The books of a signal: every item is in exactly one of them, and each loss has a reason. */
#include "pipeline/by_hand.h"

#include "pipeline/books.h"

typedef struct losses {
    const char *reasons[32];
    uint64_t items[32];
    size_t count;
} losses;

static void
note(void *user, const char *reason, uint64_t items)
{
    losses *self = user;
    assert_true(self->count < 32);
    self->reasons[self->count] = reason;
    self->items[self->count++] = items;
}

static uint64_t
lost_for(const losses *self, const char *reason)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->reasons[i], reason) == 0) {
            return self->items[i];
        }
    }
    fail_msg("no reason %s", reason);
    return 0;
}

static void
counts_of_a_source(djp__source_counts *out, const void *source)
{
    *out = *(const djp__source_counts *)source;
}

static void
losses_of_a_source(const void *source, djp__visit_loss visit, void *user)
{
    visit(user, "refused", ((const djp__source_counts *)source)->dropped);
}

static const djp__drain drain = {.counts = counts_of_a_source, .losses = losses_of_a_source};
static const djp__signal row = {.name = "rows", .item_name = "items", .drain = &drain};

static void
an_item_is_in_one_book(void **state)
{
    (void)state;
    const djp__source_counts counts = {.started = 100,
                                       .live = 5,
                                       .not_sampled = 20,
                                       .accepted = 60,
                                       .dropped = 15,
                                       .switched_off = 4};
    djp__export_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.items_exported = 30;
    stats.lost[DJP__LOSS_REJECTED] = 7;
    stats.lost[DJP__LOSS_SHUTDOWN] = 3;
    djp__books books;
    djp__books_read(&books, &row, &counts, &stats);
    assert_int_equal(books.started, 100);
    assert_int_equal(books.live, 5);
    assert_int_equal(books.not_sampled, 20);
    assert_int_equal(books.exported, 30);
    assert_int_equal(books.dropped, 25);
    assert_int_equal(books.waiting, 20);
    assert_int_equal(books.live + books.not_sampled + books.exported + books.dropped +
                         books.waiting,
                     books.started);
}

/* The counts are not read at one moment: an item may already be exported while it is not yet
 * counted as accepted. */
static void
what_waits_is_never_negative(void **state)
{
    (void)state;
    const djp__source_counts counts = {.started = 4, .accepted = 4};
    djp__export_stats stats;
    memset(&stats, 0, sizeof stats);
    stats.items_exported = 3;
    stats.lost[DJP__LOSS_DAMAGED] = 2;
    djp__books books;
    djp__books_read(&books, &row, &counts, &stats);
    assert_int_equal(books.waiting, 0);
}

/* Items that were switched off are one reason, whether the source or the pipeline lost them. */
static void
each_loss_has_one_reason(void **state)
{
    (void)state;
    const djp__source_counts counts = {.dropped = 15, .switched_off = 4};
    djp__export_stats stats;
    memset(&stats, 0, sizeof stats);
    for (int i = 0; i < DJP__LOSS_COUNT; i++) {
        stats.lost[i] = (uint64_t)(i + 1);
    }
    losses found = {.count = 0};
    djp__books_losses(&row, &counts, &stats, note, &found);
    assert_int_equal(found.count, DJP__LOSS_COUNT + 1);
    assert_string_equal(found.reasons[0], "refused");
    assert_int_equal(found.items[0], 15);
    for (int i = 0; i < DJP__LOSS_COUNT; i++) {
        uint64_t more = i == DJP__LOSS_SWITCHED_OFF ? 4 : 0;
        assert_int_equal(lost_for(&found, djp__loss_name((djp__loss)i)), (uint64_t)i + 1 + more);
    }
}

static void
a_pipeline_knows_what_waits_in_its_source(void **state)
{
    (void)state;
    hand hand;
    djp__pipeline zeros;
    memset(&zeros, 0, sizeof zeros);
    assert_int_equal(djp__books_source_bytes(&zeros), 0);
    hand_init(&hand);
    assert_int_equal(djp__books_source_bytes(&hand.pipeline), 0);
    hand_add(&hand, "an event", 3);
    uint64_t bytes = djp__books_source_bytes(&hand.pipeline);
    assert_true(bytes >= 3 * strlen("an event"));
    assert_int_equal(bytes, djp__ring_used(hand.events.ring));
    djp__books books;
    djp__books_read(&books, &events_signal, &hand.events, &hand.pipeline.stats);
    assert_int_equal(books.waiting, 3);
    djp__pipeline_discard(&hand.pipeline, DJP__LOSS_SHUTDOWN);
    assert_int_equal(djp__books_source_bytes(&hand.pipeline), 0);
    djp__books_read(&books, &events_signal, &hand.events, &hand.pipeline.stats);
    assert_int_equal(books.waiting, 0);
    assert_int_equal(books.dropped, 3);
    hand_end(&hand);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_is_in_one_book),
        cmocka_unit_test(what_waits_is_never_negative),
        cmocka_unit_test(each_loss_has_one_reason),
        cmocka_unit_test(a_pipeline_knows_what_waits_in_its_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
