/* Writes whole lines into a pipe that the program, its children and others also write to. */
#ifndef DJP_EXPORT_SHARED_PIPE_H
#define DJP_EXPORT_SHARED_PIPE_H

#include <stddef.h>

#include "export/pipe_writers.h"
#include "export/transport.h"

/* Returns the size of the next piece to write: as many whole lines as surely fit into the empty
 * pipe, at least one line, even a longer one. A pipe too small for it is enlarged if the system
 * allows. */
size_t djp__shared_pipe_piece(int fd, const char *data, size_t size);
/* Waits until the pipe stays empty long enough that no process can be inside a line: a writer
 * blocked on a full pipe continues as soon as there is room. writers: what earlier waits found, or
 * all zero. found_data: 1 if an earlier call for the same piece found data. Returns 0, or -1 with
 * errno ECANCELED (cancelled), ETIMEDOUT, EINPROGRESS (paused: call it again), or that of ioctl. */
int djp__shared_pipe_wait(int fd, djp__pipe_writers *writers, const djp__send_control *control,
                          int found_data);

#endif
