/* libcurl's process-wide state: initialisation, and a lock that a fork waits for. */
#ifndef DJP_NET_CURL_GLOBAL_H
#define DJP_NET_CURL_GLOBAL_H

/* Initialises libcurl at the first call. Returns 0, or DJP_EIO if libcurl fails. Any thread. */
int djp__curl_start(void);
/* Held during each call that may be inside libcurl or its TLS library, but not during waits: a fork
 * in another thread waits for it, so that the child inherits none of their locks locked. When the
 * process is in exit(3), it returns only in the exiting thread. */
void djp__curl_lock(void);
void djp__curl_unlock(void);
/* Called by a thread that may have used libcurl, after its last call into it and before it ends.
 * exit(3) in another thread then waits, for a bounded time, until the TLS library has freed the
 * state of this thread. Does not return when the process is in exit(3) already. */
void djp__curl_leave_thread(void);
/* 1: the process is in exit(3); do not touch handles. */
int djp__curl_is_over(void);
/* 1: a version (7.88.0, 7.88.1) that breaks the second request of an HTTP/2 connection opened with
 * prior knowledge. */
int djp__curl_breaks_reuse(void);
/* 1: a version (before 8.1) that drops the trailers of an HTTP/2 response on a connection with a
 * GOAWAY. */
int djp__curl_loses_trailers(void);

#endif
