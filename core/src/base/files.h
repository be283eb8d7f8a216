/* Descriptors that other code may close and reopen under the same numbers: a separate table for a
 * thread, and the identity of a descriptor's file. */
#ifndef DJP_BASE_FILES_H
#define DJP_BASE_FILES_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The file of a descriptor. All zero: none. */
typedef struct djp__file_id {
    dev_t device, special;
    ino_t inode;
    mode_t kind;
} djp__file_id;

/* Returns 1, or 0 and an empty id if fd is not open. */
int djp__file_id_get(djp__file_id *out, int fd);
/* 1 while fd refers to the file of id. */
int djp__file_is(const djp__file_id *id, int fd);

/* Opens without blocking for any path, and accepts only a regular file with one name: another may
 * be a file of other code. Adds O_CLOEXEC, O_NONBLOCK and O_NOFOLLOW to flags. Returns a
 * descriptor and sets facts, or -1 with errno: EINVAL for another kind of file, EMLINK for one
 * with more names. */
int djp__file_open_regular(struct stat *facts, const char *path, int flags);

/* Gives the calling thread a separate descriptor table, with /dev/null as 0, 1 and 2. No other
 * thread can close its later descriptors, inherit them over fork or exec, or get their numbers;
 * threads it starts share the table. Earlier descriptors must not be used afterwards. Returns 1, or
 * 0 without a change if the system refuses. */
int djp__files_part(void);
/* 1: djp__files_part gave this thread a table. */
int djp__files_are_parted(void);
/* Sets that for a thread that a library started from such a thread. */
void djp__files_inherit(int parted);

/* 1: fd, a standard stream, is the same as at the start, a terminal or device, or an append-only
 * file. Any other may be a file of the program that reused the number of a closed stream. */
int djp__standard_is_safe(const djp__file_id *at_start, int fd);
/* Writes one line (at most PIPE_BUF bytes) to the process's standard error from any thread; drops
 * it instead of waiting. Keeps the stream's flags. */
void djp__standard_error_write(const djp__file_id *at_start, const char *line, size_t size);

#endif
