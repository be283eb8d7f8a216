/* Which hosts are reached without a proxy. */
#ifndef DJP_NET_PROXY_H
#define DJP_NET_PROXY_H

/* 1: a host of the loopback interface, or one that `list` (the setting no_proxy, may be NULL)
 * excepts together with its port. The other forms of an entry are left to libcurl. */
int djp__proxy_is_direct(const char *list, const char *host, const char *port);

#endif
