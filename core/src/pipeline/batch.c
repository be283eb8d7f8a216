/* Encodes records and fans out closed batches. Does not send or wait. */
#include "pipeline/batch.h"

/* The first destination's lock is held by the caller. */
static void
batch_lock(djp__pipeline *destination)
{
    if (destination->first != destination) {
        djp__mutex_lock(&destination->work);
    }
}

static void
batch_unlock(djp__pipeline *destination)
{
    if (destination->first != destination) {
        djp__mutex_unlock(&destination->work);
    }
}

static const djp__encode *
batch_encode(const djp__pipeline *destination)
{
    return destination->signal->encode;
}

uint64_t
djp__batch_encoded(const djp__pipeline *destination)
{
    const void *encoder = destination->encodes->encoder;
    return encoder != NULL ? batch_encode(destination)->items(encoder) : 0;
}

uint64_t
djp__batch_items(djp__pipeline *first)
{
    uint64_t most = 0;
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        uint64_t items = djp__batch_encoded(one);
        most = items > most ? items : most;
    }
    return most;
}

int
djp__batch_is_full(djp__pipeline *first, size_t size)
{
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        uint64_t items = djp__batch_encoded(one);
        if (items > 0 &&
            (items >= first->options.batch_items ||
             batch_encode(one)->bytes(one->encodes->encoder) + size > one->options.batch_bytes)) {
            return 1;
        }
    }
    return 0;
}

void
djp__batch_take(djp__pipeline *first, const void *record, size_t size)
{
    int failed = 0;
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        one->add_result =
            one->encodes == one ? batch_encode(one)->add(one->encoder, record, size) : 0;
        failed |= one->add_result;
    }
    uint64_t items = first->signal->drain->consume(first->source);
    if (failed == 0) {
        return;
    }
    uint64_t end = first->signal->drain->consumed(first->source);
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        int result = one->encodes->add_result;
        if (result != 0) {
            djp__pipeline_lose(
                one, result == DJP_ENOMEM ? DJP__LOSS_ENCODE_NO_MEMORY : DJP__LOSS_DAMAGED, items,
                end);
        }
    }
}

void
djp__batch_count(djp__pipeline *first)
{
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        djp__store_relaxed(&one->stats.in_encoder, djp__batch_encoded(one));
    }
}

/* ---- closing ---- */

static void
batch_lose_oldest(void *user, const djp__request *request)
{
    djp__pipeline_lose(user, DJP__LOSS_QUEUE_FULL, request->items, request->end);
}

/* During an outage newer items replace those that are older than the export timeout. is_urgent: all
 * that wait, because another destination goes on. */
static int
batch_make_room(djp__pipeline *destination, uint64_t bytes, uint64_t now, int is_urgent)
{
    uint64_t timeout = destination->options.export_timeout_ns, until = UINT64_MAX;
    int is_outage = djp__load_relaxed(&destination->stats.consecutive_failures) > 0;
    if (!is_urgent) {
        if (timeout == 0 || timeout > now || !is_outage) {
            return djp__queue_has_room(&destination->queue, bytes);
        }
        until = now - timeout;
    }
    return djp__queue_make_room(&destination->queue, bytes, until, batch_lose_oldest, destination);
}

/* Opens a request for a destination that has items. Returns 1 if it has one. */
static int
batch_open(djp__pipeline *destination, uint64_t now, int is_urgent)
{
    if (destination->opening == NULL && djp__batch_encoded(destination) > 0) {
        uint64_t bytes = batch_encode(destination)->bytes(destination->encodes->encoder);
        batch_lock(destination);
        if (batch_make_room(destination, bytes, now, is_urgent)) {
            destination->opening = djp__queue_take(&destination->queue);
        }
        batch_unlock(destination);
    }
    return destination->opening != NULL;
}

/* Closed items of one form. */
typedef struct batch_closed {
    djp__pipeline *writer; /* whose request has the body */
    uint64_t items, end;
    uint64_t born;
    int is_full, failed;
} batch_closed;

/* Completes the request of a destination, or counts its items as lost. Returns 1 if it is in the
 * queue. */
static int
batch_put(djp__pipeline *destination, const batch_closed *closed)
{
    djp__request *request = destination->opening;
    djp__loss reason = DJP__LOSS_COUNT;
    destination->opening = NULL;
    if (request == NULL) {
        djp__pipeline_lose(destination, DJP__LOSS_QUEUE_FULL, closed->items, closed->end);
        return 0;
    }
    if (destination != closed->writer && !closed->failed) {
        const djp__buf *body = &closed->writer->opening->body;
        djp__buf_append(&request->body, body->data, body->size);
    }
    if (closed->failed || request->body.failed) {
        reason = DJP__LOSS_ENCODE_NO_MEMORY;
    } else if (request->body.size > destination->options.max_request_bytes) {
        reason = DJP__LOSS_TOO_LARGE;
    }
    request->items = closed->items;
    request->end = closed->end;
    request->born = closed->born;
    request->is_full = closed->is_full;
    batch_lock(destination);
    if (reason == DJP__LOSS_COUNT) {
        djp__queue_push(&destination->queue, request);
    } else {
        djp__pipeline_lose(destination, reason, closed->items, closed->end);
        djp__queue_give(&destination->queue, request);
    }
    batch_unlock(destination);
    return reason == DJP__LOSS_COUNT;
}

/* Discards the content of an encoder. Returns its number of items. */
static uint64_t
batch_empty(djp__pipeline *owner)
{
    uint64_t items = djp__batch_encoded(owner), left = items;
    djp__buf body;
    djp__buf_init(&body, 0);
    while (left > 0 && batch_encode(owner)->finish(owner->encoder, &body) == 0 &&
           djp__batch_encoded(owner) < left) {
        left = djp__batch_encoded(owner);
        djp__buf_clear(&body);
    }
    djp__buf_fini(&body);
    return items - left;
}

/* Writes the body of one form and gives it to each destination that takes it. Returns 1 if one has
 * it, or nothing is left. */
static int
batch_finish(djp__pipeline *first, djp__pipeline *owner, uint64_t now, int is_full)
{
    batch_closed closed = {.born = now, .end = first->signal->drain->consumed(first->source)};
    uint64_t items = djp__batch_encoded(owner);
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        closed.writer = closed.writer == NULL && one->encodes == owner && one->opening != NULL
                            ? one
                            : closed.writer;
    }
    if (closed.writer != NULL) {
        djp__buf *body = &closed.writer->opening->body;
        closed.failed = batch_encode(owner)->finish(owner->encoder, body) != 0 || body->failed;
    } else {
        batch_empty(owner);
    }
    uint64_t left = djp__batch_encoded(owner);
    int queued = 0;
    closed.items = items - left;
    closed.is_full = is_full || left > 0;
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        if (one->encodes == owner && one != closed.writer) {
            queued |= batch_put(one, &closed);
        }
    }
    /* Last, because the others copy its body. */
    queued |= closed.writer != NULL && batch_put(closed.writer, &closed);
    return queued || left == 0;
}

int
djp__batch_close(djp__pipeline *first, uint64_t now, int is_full)
{
    int opened = 0, done = 1;
    if (djp__batch_items(first) == 0) {
        return 1;
    }
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        opened |= batch_open(one, now, 0);
    }
    if (!opened) {
        return 0;
    }
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        batch_open(one, now, 1);
    }
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        if (one->encodes == one && djp__batch_encoded(one) > 0) {
            done &= batch_finish(first, one, now, is_full);
        }
    }
    return done;
}

/* ---- start and end ---- */

int
djp__batch_is_adopted(djp__pipeline *first)
{
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        if (!one->is_adopted || one->encodes->encoder == NULL) {
            return 0;
        }
    }
    return 1;
}

static int
batch_adopt_one(djp__pipeline *destination)
{
    void *encoder = NULL;
    int is_owner = destination->encodes == destination;
    if (destination->is_adopted && (destination->encoder != NULL || !is_owner)) {
        return 1;
    }
    if (is_owner &&
        batch_encode(destination)
                ->create(&encoder, destination->source, destination->options.form) != 0) {
        return 0;
    }
    djp__mutex_lock(&destination->work);
    if (!destination->is_adopted) {
        batch_encode(destination)->free(destination->encoder);
        djp__queue_fini(&destination->queue);
        destination->is_adopted = 1;
    }
    destination->encoder = encoder;
    djp__mutex_unlock(&destination->work);
    return 1;
}

int
djp__batch_adopt(djp__pipeline *first)
{
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        if (!batch_adopt_one(one)) {
            return 0;
        }
    }
    return 1;
}

void
djp__batch_drop(djp__pipeline *first, djp__loss reason, uint64_t source_items)
{
    uint64_t end = first->signal->drain->consumed(first->source);
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        one->dropping = one->encodes == one ? batch_empty(one) : 0;
    }
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        batch_lock(one);
        uint64_t lost =
            djp__load_relaxed(&one->queue.items) + one->encodes->dropping + source_items;
        if (one->queue.head != NULL) {
            djp__queue_fini(&one->queue);
        }
        batch_unlock(one);
        djp__pipeline_lose(one, reason, lost, end);
    }
    djp__batch_count(first);
}
