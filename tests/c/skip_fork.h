/* ThreadSanitizer ends a child of a process with threads that starts one, and takes a shared lock
 * that the parent held at the fork for one of the child. */
#ifndef DJP_TESTS_SKIP_FORK_H
#define DJP_TESTS_SKIP_FORK_H

#ifdef __SANITIZE_THREAD__
#define SKIP_FORK() skip()
#else
#define SKIP_FORK() ((void)0)
#endif

#endif
