/* Whole lines into a pipe that the program, its children and others write lines to as well. */
#ifndef DJP_EXPORT_SHARED_PIPE_H
#define DJP_EXPORT_SHARED_PIPE_H

#include <stddef.h>

#include "export/transport.h"

/* Bytes of the next piece to write at once: as many whole lines as the pipe takes for certain when
 * it is empty, at least one line, which may be longer than that. A pipe that is too small for it is
 * made larger where the system allows. */
size_t djp__shared_pipe_piece(int fd, const char *data, size_t size);
/* Waits until the pipe is empty, and stays so for long enough that nobody can be in the middle of a
 * line: a writer that found the pipe full goes on the moment there is room. Returns 0, or -1 with
 * errno ECANCELED (given up), ETIMEDOUT, or what ioctl says. */
int djp__shared_pipe_wait(int fd, const djp__send_control *control);

#endif
