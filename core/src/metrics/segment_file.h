/* The file of a shared segment in a directory that several processes name. It is sparse: memory is
 * reserved in the file system before it is used, so that a full one is an error of a call and not a
 * signal. */
#ifndef DJP_METRICS_SEGMENT_FILE_H
#define DJP_METRICS_SEGMENT_FILE_H

#include "metrics/segment.h"

/* Opens or creates the file in `dir`, which is created if its parent exists, and maps it. Locks the
 * file until djp__segment_file_ready, so that no other process opens it meanwhile. A file that is
 * damaged, or that no process has used for a minute, is begun again. Returns 0, DJP_ENOMEM or
 * DJP_EIO; why (static) says what failed, with errno. */
int djp__segment_file_open(djp__segment *out, const char **why, const char *dir, uint64_t bytes,
                           uint32_t slots);
void djp__segment_file_ready(djp__segment *segment);
/* Reserves [at, at + size) of the file. Returns 0 or DJP_EFULL. The segment's lock is held. */
int djp__segment_file_commit(const djp__segment *segment, size_t at, size_t size);
/* The directory, or "" without a file. */
const char *djp__segment_file_directory(const djp__segment *segment);
/* The end of the block of the heap that `end` lies in. */
uint32_t djp__segment_file_round(uint32_t end);
/* 0: the file was removed or replaced, so that processes that start now use another one. */
int djp__segment_file_is_current(const djp__segment *segment);
/* Closes what is open, and frees. Accepts NULL. */
void djp__segment_file_free(struct djp__segment_file *file);

#endif
