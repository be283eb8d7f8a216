/* Descriptors that others may close and open again under the same numbers: a table of its own for a
 * thread, and the identity of what a number stood for. */
#ifndef DJP_BASE_FILES_H
#define DJP_BASE_FILES_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* What a descriptor refers to. All zero: nothing. */
typedef struct djp_file_id {
    dev_t device, special;
    ino_t inode;
    mode_t kind;
} djp_file_id;

/* Returns 1, or 0 with an id of nothing when fd is not open. */
int djp__file_id(djp_file_id *out, int fd);
/* 1 while fd refers to what it did when id was taken. */
int djp__file_is(const djp_file_id *id, int fd);

/* Gives the calling thread a table of descriptors of its own, empty but for /dev/null as 0, 1 and
 * 2. What it opens from now on nobody else can close, inherit over a fork or an exec, or meet under
 * the same number; threads that it starts share it. Nothing that was opened before may be used
 * afterwards. Returns 1, or 0 where the system refuses: then nothing has changed. */
int djp__files_part(void);
/* 1 in a thread that djp__files_part gave its own table. */
int djp__files_are_parted(void);
/* Says so of a thread that a library started from such a thread. */
void djp__files_inherit(int parted);

/* 1 when fd, which stands for a standard stream, is what it was at the start, a terminal or device,
 * or a file that is only appended to. Anything else may be a file of the program that got the
 * number of a stream it had closed. */
int djp__standard_is_safe(const djp_file_id *at_start, int fd);
/* Writes one line (at most PIPE_BUF bytes) to the process's standard error from any thread, and
 * drops it rather than wait. Keeps the stream's flags as they are. */
void djp__standard_error_write(const djp_file_id *at_start, const char *line, size_t size);

#endif
