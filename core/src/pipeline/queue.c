/* The queue of finished requests, with two spare buffers, so that a steady stream of batches
 * allocates nothing. A full one drops its oldest requests. Does not send or count items. */
#include "pipeline/queue.h"

#include <string.h>

#include "base/mem.h"

enum { QUEUE__SPARES = 2, QUEUE__SPARE_BYTES = 2 << 20 };

void
djp__queue_init(djp__queue *queue, uint64_t limit)
{
    memset(queue, 0, sizeof *queue);
    queue->limit = limit;
}

static void
queue_destroy(djp__request *request)
{
    djp__buf_fini(&request->body);
    djp__free(request);
}

void
djp__queue_fini(djp__queue *queue)
{
    djp__request *lists[2] = {queue->head, queue->spare};
    for (int i = 0; i < 2; i++) {
        for (djp__request *request = lists[i]; request;) {
            djp__request *next = request->next;
            queue_destroy(request);
            request = next;
        }
    }
    queue->head = queue->tail = queue->spare = NULL;
    queue->spares = 0;
    queue->sending = 0;
    djp__store_relaxed(&queue->attempted_items, (uint64_t)0);
    djp__store_relaxed(&queue->bytes, (uint64_t)0); /* other threads may read the counts */
    djp__store_relaxed(&queue->items, (uint64_t)0);
    djp__store_relaxed(&queue->count, (uint64_t)0);
}

djp__request *
djp__queue_take(djp__queue *queue)
{
    djp__request *request = queue->spare;
    if (request != NULL) {
        queue->spare = request->next;
        queue->spares--;
        djp__buf body = request->body;
        djp__buf_clear(&body);
        memset(request, 0, sizeof *request);
        request->body = body;
        return request;
    }
    request = djp__calloc(1, sizeof *request);
    if (request != NULL) {
        djp__buf_init(&request->body, 0);
    }
    return request;
}

void
djp__queue_give(djp__queue *queue, djp__request *request)
{
    if (queue->spares >= QUEUE__SPARES || request->body.capacity > QUEUE__SPARE_BYTES) {
        queue_destroy(request);
        return;
    }
    request->next = queue->spare;
    queue->spare = request;
    queue->spares++;
}

int
djp__queue_has_room(const djp__queue *queue, uint64_t bytes)
{
    return djp__load_relaxed(&queue->count) == 0 ||
           djp__load_relaxed(&queue->bytes) + bytes <= queue->limit;
}

void
djp__queue_push(djp__queue *queue, djp__request *request)
{
    request->next = NULL;
    request->state = DJP__REQUEST_WAITING;
    if (queue->tail) {
        queue->tail->next = request;
    } else {
        queue->head = request;
    }
    queue->tail = request;
    djp__add_relaxed(&queue->bytes, request->body.size);
    djp__add_relaxed(&queue->items, request->items);
    djp__add_relaxed(&queue->count, 1);
}

djp__request *
djp__queue_next(const djp__queue *queue)
{
    djp__request *best = NULL;
    for (djp__request *request = queue->head; request; request = request->next) {
        if (request->state == DJP__REQUEST_WAITING &&
            (best == NULL || request->attempts < best->attempts)) {
            best = request;
            if (best->attempts == 0) {
                break;
            }
        }
    }
    return best;
}

uint64_t
djp__queue_sent_since(const djp__queue *queue, uint64_t since)
{
    uint64_t oldest = 0, left = queue->sending;
    for (djp__request *request = queue->head; request && left > 0; request = request->next) {
        if (request->state == DJP__REQUEST_SENDING) {
            left--;
            if (request->sent_at > since && (oldest == 0 || request->sent_at < oldest)) {
                oldest = request->sent_at;
            }
        }
    }
    return oldest;
}

djp__request *
djp__queue_oldest_waiting(const djp__queue *queue)
{
    djp__request *request = queue->head;
    while (request != NULL && request->state != DJP__REQUEST_WAITING) {
        request = request->next;
    }
    return request;
}

void
djp__queue_begin(djp__queue *queue, djp__request *request)
{
    request->state = DJP__REQUEST_SENDING;
    queue->sending++;
    if (request->attempts++ == 0) {
        djp__add_relaxed(&queue->attempted_items, request->items);
    }
}

void
djp__queue_again(djp__queue *queue, djp__request *request)
{
    request->state = DJP__REQUEST_WAITING;
    queue->sending--;
}

void
djp__queue_finish(djp__queue *queue, djp__request *request)
{
    if (request->state == DJP__REQUEST_SENDING) {
        djp__queue_again(queue, request);
    }
    request->state = DJP__REQUEST_DONE;
    if (request->attempts > 0) {
        djp__sub_relaxed(&queue->attempted_items, request->items);
    }
    djp__sub_relaxed(&queue->bytes, request->body.size);
    djp__sub_relaxed(&queue->items, request->items);
    djp__sub_relaxed(&queue->count, 1);
    if (request != queue->head) {
        djp__buf_fini(&request->body);
    }
}

int
djp__queue_make_room(djp__queue *queue, uint64_t bytes, uint64_t until,
                     void (*lost)(void *user, const djp__request *request), void *user)
{
    while (!djp__queue_has_room(queue, bytes)) {
        djp__request *oldest = djp__queue_oldest_waiting(queue);
        if (oldest == NULL || oldest->born > until) {
            return 0;
        }
        lost(user, oldest);
        djp__queue_finish(queue, oldest);
    }
    return 1;
}

uint64_t
djp__queue_reap(djp__queue *queue)
{
    uint64_t end = 0;
    while (queue->head && queue->head->state == DJP__REQUEST_DONE) {
        djp__request *request = queue->head;
        end = request->end;
        queue->head = request->next;
        if (!queue->head) {
            queue->tail = NULL;
        }
        djp__queue_give(queue, request);
    }
    return end;
}

void
djp__queue_fork_child(djp__queue *queue)
{
    djp__store_relaxed(&queue->bytes, (uint64_t)0);
    djp__store_relaxed(&queue->items, (uint64_t)0);
    djp__store_relaxed(&queue->count, (uint64_t)0);
    djp__store_relaxed(&queue->attempted_items, (uint64_t)0);
}
