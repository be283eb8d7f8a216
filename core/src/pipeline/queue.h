/* Finished requests that wait to be sent or are on their way, oldest first, bounded in bytes. One thread changes it (under the pipeline's `work` lock);
 * the counts may be read by anybody. */
#ifndef DJP_PIPELINE_QUEUE_H
#define DJP_PIPELINE_QUEUE_H

#include "base/atomic.h"
#include "base/buf.h"
#include "export/transport.h"

typedef enum djp_request_state { DJP_REQUEST_WAITING, DJP_REQUEST_SENDING, DJP_REQUEST_DONE } djp_request_state;

typedef struct djp_request {
    struct djp_request *next;
    djp_buf body;
    uint64_t spans;
    uint64_t end; /* ring position behind its last record */
    uint64_t born; /* monotonic time at which it was finished */
    uint64_t begun; /* monotonic time of the first attempt; valid once attempted */
    uint64_t sent_at; /* ... and of the newest */
    uint64_t accepted_before; /* requests that the receiver had accepted when the newest attempt failed */
    int is_full; /* no further span fitted */
    unsigned attempts;
    unsigned passed_over; /* failed attempts between which the receiver accepted others */
    unsigned timeouts;
    djp_request_state state;
} djp_request;

typedef struct djp_queue {
    djp_request *head;
    djp_request *tail;
    djp_request *spare; /* requests with memory to use again, at most two */
    unsigned spares;
    uint64_t limit;
    uint64_t sending; /* requests on their way */
    DJP_ATOMIC(uint64_t) attempted_spans; /* of requests that were attempted and are not done */
    DJP_ATOMIC(uint64_t) bytes; /* of those that are not done; relaxed, as the two below */
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
/* The waiting request with the fewest attempts, of these the oldest: one that fails again and again holds up none. NULL: none waits. */
djp_request *djp__queue_next(const djp_queue *queue);
/* When the oldest attempt that is on its way began, of those that began after `since`; 0: none is. */
uint64_t djp__queue_sent_since(const djp_queue *queue, uint64_t since);
djp_request *djp__queue_oldest_waiting(const djp_queue *queue);
void djp__queue_begin(djp_queue *queue, djp_request *request); /* it is on its way ... */
void djp__queue_again(djp_queue *queue, djp_request *request); /* ... and waits once more ... */
/* ... or is dealt with, sent or lost: its body goes, and it stays in line for its ring position alone. */
void djp__queue_finish(djp_queue *queue, djp_request *request);
/* Removes requests that are done from the front; the ring position behind the newest removed, 0 when there was none. */
uint64_t djp__queue_reap(djp_queue *queue);

#endif
