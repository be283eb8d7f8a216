/* Finished requests, waiting or in transit, oldest first, limited in bytes. One thread changes it
 * under the pipeline's `work` lock; any thread may read the counts. */
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
    djp__buf body;
    uint64_t items;
    uint64_t end; /* source position after its last record */
    uint64_t born; /* monotonic time at which it was finished */
    uint64_t begun; /* monotonic time of the first attempt; valid once attempted */
    uint64_t sent_at; /* ... and of the newest */
    /* value of sender.accepted when the latest attempt failed */
    uint64_t accepted_before;
    int is_full; /* no other item fitted */
    unsigned attempts;
    unsigned passed_over; /* failed attempts while the receiver accepted others */
    unsigned timeouts;
    djp__request_state state;
} djp__request;

typedef struct djp__queue {
    djp__request *head;
    djp__request *tail;
    djp__request *spare; /* requests with reusable memory, at most two */
    unsigned spares;
    uint64_t limit;
    uint64_t sending; /* requests in transit */
    DJP__ATOMIC(uint64_t) attempted_items; /* of attempted, unfinished requests */
    DJP__ATOMIC(uint64_t) bytes; /* of unfinished requests; relaxed, as the two below */
    DJP__ATOMIC(uint64_t) items;
    DJP__ATOMIC(uint64_t) count;
} djp__queue;

void djp__queue_init(djp__queue *queue, uint64_t limit);
void djp__queue_fini(djp__queue *queue);
/* Returns an empty request, with reused memory if there is some; NULL without memory. The caller
 * pushes it or gives it back. */
djp__request *djp__queue_take(djp__queue *queue);
void djp__queue_give(djp__queue *queue, djp__request *request);
/* 1: there is room for bytes more; an empty queue accepts any size. */
int djp__queue_has_room(const djp__queue *queue, uint64_t bytes);
void djp__queue_push(djp__queue *queue, djp__request *request); /* takes */
/* Returns the waiting request with the fewest attempts, the oldest of these, so that a failing
 * request delays no other; NULL if none waits. */
djp__request *djp__queue_next(const djp__queue *queue);
/* Returns the start of the oldest attempt in transit that began after `since`; 0 if there is
 * none. */
uint64_t djp__queue_sent_since(const djp__queue *queue, uint64_t since);
djp__request *djp__queue_oldest_waiting(const djp__queue *queue);
/* Makes room for bytes more in a full queue: drops the oldest waiting requests, but none that was
 * finished after `until` or is in transit. Calls lost before each, for its items. Returns 1 if
 * there is room. */
int djp__queue_make_room(djp__queue *queue, uint64_t bytes, uint64_t until,
                         void (*lost)(void *user, const djp__request *request), void *user);
void djp__queue_begin(djp__queue *queue, djp__request *request); /* in transit */
void djp__queue_again(djp__queue *queue, djp__request *request); /* waiting again */
/* Sent or lost: frees the body; the request stays in the queue for its position. */
void djp__queue_finish(djp__queue *queue, djp__request *request);
/* Removes finished requests from the front. Returns the position after the last one; 0 if there was
 * none. */
uint64_t djp__queue_reap(djp__queue *queue);

/* In a forked child: resets the counts. djp__queue_fini frees the requests. */
void djp__queue_fork_child(djp__queue *queue);

#endif
