/* Asks a sampling server for the strategy of this service, in steps that never wait. Used by one
 * thread. */
#ifndef DJP_CONTROL_REMOTE_CLIENT_H
#define DJP_CONTROL_REMOTE_CLIENT_H

#include "djp/config.h"
#include "control/remote_strategy.h"

enum { DJP_STRATEGY_ANSWER_MAX = 1 << 20 }; /* bytes, decompressed */

typedef struct djp__strategy_client djp__strategy_client;

typedef struct djp__strategy_response {
    int good; /* 1: strategy is filled in, and freed by the caller */
    djp__strategy strategy;
    char message[256]; /* why not; never holds headers or credentials */
    uint64_t retry_after_ns; /* the server's wish; 0: none */
} djp__strategy_response;

/* The address and the name come from options, as do the settings for TLS and proxies; the headers
 * of the exporter go to the exporter's own host only, because they hold credentials. Borrows
 * options for its life, copies user_agent. Opens nothing. Returns 0, DJP_EINVAL for an address that
 * is none, DJP_ENOMEM or DJP_EIO. */
int djp__strategy_client_new(djp__strategy_client **out, const djp_options *options,
                             const char *user_agent);
void djp__strategy_client_free(djp__strategy_client *client); /* accepts NULL */
/* The address for people: without credentials. */
const char *djp__strategy_client_shown(const djp__strategy_client *client);
/* Begins a question, one at a time. */
void djp__strategy_client_ask(djp__strategy_client *client);
/* 1 while the answer is on its way; 0 with *out filled in when it is there. */
int djp__strategy_client_step(djp__strategy_client *client, djp__strategy_response *out);
/* Gives the question up, if there is one. */
void djp__strategy_client_give_up(djp__strategy_client *client);
/* By the thread that asked, before it ends: gives up and closes the connection. */
void djp__strategy_client_leave(djp__strategy_client *client);
/* In a forked child: forgets the parent's question and connection without touching them. Allocates
 * nothing. */
void djp__strategy_client_abandon(djp__strategy_client *client);

#endif
