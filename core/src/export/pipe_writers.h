/* Whether a thread of this process may have written a part of a line into a pipe. */
#ifndef DJP_EXPORT_PIPE_WRITERS_H
#define DJP_EXPORT_PIPE_WRITERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    DJP__PIPE_WRITERS_THREADS = 256, /* of a process with more nothing is known */
    DJP__PIPE_WRITERS_KNOWN = 32 /* that run or wait for a processor at the same time */
};

/* A thread in an earlier look. */
typedef struct djp__pipe_writer {
    pid_t thread;
    int is_between; /* it was between lines after that many sleeps */
    uint64_t sleeps;
    uint64_t since; /* time of the first look after that many sleeps */
    uint64_t processor_ns; /* the processor time of the thread then */
} djp__pipe_writer;

/* All zero: before the first look. */
typedef struct djp__pipe_writers {
    size_t added;
    djp__pipe_writer known[DJP__PIPE_WRITERS_KNOWN];
} djp__pipe_writers;

typedef enum djp__pipe_writers_state {
    DJP__PIPE_WRITERS_UNKNOWN, /* the system does not tell, or has too many threads to tell */
    DJP__PIPE_WRITERS_BETWEEN, /* no thread is inside a line */
    DJP__PIPE_WRITERS_INSIDE /* one may be */
} djp__pipe_writers_state;

/* Looks at the other threads of the process while the pipe of standard output is empty. A thread
 * that sleeps is between lines: a writer that the full pipe blocked was woken when there was room.
 * One that waits for a processor may be that writer, until it has run and has not slept since an
 * earlier look. If standard output does not block, the main thread keeps the rest of a line in its
 * event loop, and is between lines while it waits there. Does not block. */
djp__pipe_writers_state djp__pipe_writers_look(djp__pipe_writers *writers);

#endif
