/* Finished requests that wait to be sent, oldest first, bounded in bytes. One thread changes it (under the pipeline's `work` lock);
 * the counts may be read by anybody. */
#ifndef DJP_PIPELINE_QUEUE_H
#define DJP_PIPELINE_QUEUE_H

#include "base/atomic.h"
#include "base/buf.h"
#include "export/transport.h"

typedef struct djp_request {
    struct djp_request *next;
    djp_buf body;
    uint64_t spans;
    uint64_t end; /* ring position behind its last record */
    uint64_t born; /* monotonic time at which it was finished */
    uint64_t next_attempt; /* monotonic time, 0: at once */
    djp_retry retry; /* valid once attempted */
    uint64_t begun; /* monotonic time of the first attempt; valid once attempted */
    int attempted;
} djp_request;

typedef struct djp_queue {
    djp_request *head; /* the one being sent, when one is */
    djp_request *tail;
    djp_request *spare; /* requests with memory to use again, at most two */
    unsigned spares;
    uint64_t limit;
    DJP_ATOMIC(uint64_t) bytes; /* relaxed, as the two below */
    DJP_ATOMIC(uint64_t) spans;
    DJP_ATOMIC(uint64_t) count;
} djp_queue;

void djp__queue_init(djp_queue *queue, uint64_t limit);
void djp__queue_fini(djp_queue *queue);
/* An empty request, perhaps with memory of an earlier one; NULL without memory. The caller pushes it or gives it back. */
djp_request *djp__queue_take(djp_queue *queue);
void djp__queue_give(djp_queue *queue, djp_request *request);
/* 1 when bytes more may be pushed; an empty queue takes anything. */
int djp__queue_has_room(const djp_queue *queue, uint64_t bytes);
void djp__queue_push(djp_queue *queue, djp_request *request); /* takes */
void djp__queue_pop(djp_queue *queue); /* removes the oldest and gives it back */
/* Unlinks the oldest request behind the head, which may be on its way. NULL when there is none; the caller gives it back. */
djp_request *djp__queue_pop_second(djp_queue *queue);

#endif
