/* Requests the strategy of this service from a sampling server, in steps that do not wait. For one
 * thread. */
#ifndef DJP_CONTROL_REMOTE_CLIENT_H
#define DJP_CONTROL_REMOTE_CLIENT_H

#include "djp/config.h"
#include "control/remote_strategy.h"

enum { DJP_STRATEGY_RESPONSE_MAX = 1 << 20 }; /* bytes, decompressed */

typedef struct djp__strategy_client djp__strategy_client;

typedef struct djp__strategy_response {
    int good; /* 1: strategy is filled in, and freed by the caller */
    djp__strategy strategy;
    char message[256]; /* the error; contains no headers or credentials */
    uint64_t retry_after_ns; /* requested by the server; 0: none */
} djp__strategy_response;

/* options has the address, the service name, and the settings for TLS and proxies; the exporter's
 * headers may hold credentials and go only to the exporter's host. Borrows options for its
 * lifetime, copies user_agent. Opens nothing. Returns 0, DJP_EINVAL for an invalid address,
 * DJP_ENOMEM or DJP_EIO. */
int djp__strategy_client_new(djp__strategy_client **out, const djp_options *options,
                             const char *user_agent);
void djp__strategy_client_free(djp__strategy_client *client); /* accepts NULL */
/* The address for messages, without credentials. */
const char *djp__strategy_client_shown(const djp__strategy_client *client);
/* Starts a request, one at a time. */
void djp__strategy_client_ask(djp__strategy_client *client);
/* 1: the response is pending; 0: *out is filled in. */
int djp__strategy_client_step(djp__strategy_client *client, djp__strategy_response *out);
/* Cancels the request, if there is one. */
void djp__strategy_client_give_up(djp__strategy_client *client);
/* Called by the requesting thread before it ends: cancels and closes the connection. */
void djp__strategy_client_leave(djp__strategy_client *client);
/* In a forked child: discards the parent's request and connection without touching them. Allocates
 * nothing. */
void djp__strategy_client_abandon(djp__strategy_client *client);

#endif
