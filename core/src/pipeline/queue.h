/* Finished requests that wait to be sent or are on their way, oldest first, bounded in bytes. One
 * thread changes it (under the pipeline's `work` lock); any thread may read the counts. */
#ifndef DJP_PIPELINE_QUEUE_H
#define DJP_PIPELINE_QUEUE_H

#include "base/atomic.h"
#include "base/buf.h"

typedef enum djp__request_state {
    DJP__REQUEST_WAITING,
    DJP__REQUEST_SENDING,
    DJP__REQUEST_DONE
} djp__request_state;

typedef struct djp__request {
    struct djp__request *next;
    djp_buf body;
    uint64_t items;
    uint64_t end; /* position in the source behind its last record */
    uint64_t born; /* monotonic time at which it was finished */
    uint64_t begun; /* monotonic time of the first attempt; valid once attempted */
    uint64_t sent_at; /* ... and of the newest */
    /* requests that the receiver had accepted when the newest attempt failed */
    uint64_t accepted_before;
    int is_full; /* no further item fitted */
    unsigned attempts;
    unsigned passed_over; /* failed attempts between which the receiver accepted others */
    unsigned timeouts;
    djp__request_state state;
} djp__request;

typedef struct djp__queue {
    djp__request *head;
    djp__request *tail;
    djp__request *spare; /* requests with memory to use again, at most two */
    unsigned spares;
    uint64_t limit;
    uint64_t sending; /* requests on their way */
    DJP_ATOMIC(uint64_t) attempted_items; /* of requests that were attempted and are not done */
    DJP_ATOMIC(uint64_t) bytes; /* of those that are not done; relaxed, as the two below */
    DJP_ATOMIC(uint64_t) items;
    DJP_ATOMIC(uint64_t) count;
} djp__queue;

void djp__queue_init(djp__queue *queue, uint64_t limit);
void djp__queue_fini(djp__queue *queue);
/* An empty request, perhaps with memory of an earlier one; NULL without memory. The caller pushes
 * it or gives it back. */
djp__request *djp__queue_take(djp__queue *queue);
void djp__queue_give(djp__queue *queue, djp__request *request);
/* 1 when bytes more may be pushed; an empty queue takes anything. */
int djp__queue_has_room(const djp__queue *queue, uint64_t bytes);
void djp__queue_push(djp__queue *queue, djp__request *request); /* takes */
/* The waiting request with the fewest attempts, of these the oldest: one that fails again and again
 * holds up none. NULL: none waits. */
djp__request *djp__queue_next(const djp__queue *queue);
/* When the oldest attempt that is on its way began, of those that began after `since`; 0: none
 * is. */
uint64_t djp__queue_sent_since(const djp__queue *queue, uint64_t since);
djp__request *djp__queue_oldest_waiting(const djp__queue *queue);
void djp__queue_begin(djp__queue *queue, djp__request *request); /* it is on its way ... */
void djp__queue_again(djp__queue *queue, djp__request *request); /* ... and waits once more ... */
/* ... or is dealt with, sent or lost: its body goes, and it stays in line for its position
 * alone. */
void djp__queue_finish(djp__queue *queue, djp__request *request);
/* Removes requests that are done from the front; the position behind the newest removed, 0 when
 * there was none. */
uint64_t djp__queue_reap(djp__queue *queue);

/* In a forked child: nothing counts any more. The requests are freed by djp__queue_fini. */
void djp__queue_fork_child(djp__queue *queue);

#endif
