/* What libcurl needs once per process: its global set-up, and a lock that a fork waits for. */
#ifndef DJP_NET_CURL_GLOBAL_H
#define DJP_NET_CURL_GLOBAL_H

/* Sets libcurl up at the first call. 0, or DJP_EIO when libcurl refuses. Any thread. */
int djp__curl_start(void);
/* Held around every call that may be inside libcurl or its TLS library, never around a wait: a fork
 * in another thread waits for it, so that the child never inherits one of their locks in the locked
 * state. Once the process is in exit(3) it does not return, but in the thread that exits. */
void djp__curl_lock(void);
void djp__curl_unlock(void);
/* 1 once the process is in exit(3): handles are left as they are. */
int djp__curl_is_over(void);
/* 1 for the versions (7.88.0, 7.88.1) that break the second request of an HTTP/2 connection opened
 * with prior knowledge. */
int djp__curl_breaks_reuse(void);
/* 1 for the versions (before 8.1) that drop the trailers of an HTTP/2 response whose connection was
 * told to end (GOAWAY). */
int djp__curl_loses_trailers(void);

#endif
