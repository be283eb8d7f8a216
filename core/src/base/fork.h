/* Fork: a generation number that changes in every child, and hooks around fork(2). */
#ifndef DJP_BASE_FORK_H
#define DJP_BASE_FORK_H

#include <stdint.h>

#include "base/atomic.h"

/* Written only in the child of a fork, while it has one thread; read relaxed. */
extern DJP__ATOMIC(uint32_t) djp__fork_generation_value;
#define djp__fork_generation() djp__load_relaxed(&djp__fork_generation_value)

typedef struct djp__fork_hook {
    void (*prepare)(void *user); /* in the parent before; may take locks; NULL allowed */
    void (*parent)(void *user);
    void (*child)(void *user); /* only re-initialise: no allocation, no thread */
    void *user;
    struct djp__fork_hook *next; /* owned by fork.c */
} djp__fork_hook;

/* Starts counting forks in the generation; the other calls here and the first random number do so
 * too. Any thread. */
void djp__fork_watch(void);
/* Links the caller's storage into the process-wide list (prepare runs newest first). Any thread;
 * not from a hook. */
void djp__fork_register(djp__fork_hook *hook);
void djp__fork_unregister(djp__fork_hook *hook);

#endif
