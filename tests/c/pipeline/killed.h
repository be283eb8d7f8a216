/* What the tests of ending signals share: children that a signal ends, and a transport whose counts
 * outlive them. */
#ifndef TESTS_C_PIPELINE_KILLED_H
#define TESTS_C_PIPELINE_KILLED_H

#include "pipeline/helper.h"

/* Written by the child's transport, read by the parent after the child is dead. */
struct killed_shared {
    _Atomic unsigned accepted;
    _Atomic unsigned sending; /* how often the transport was entered */
    _Atomic unsigned ready;
    _Atomic unsigned handled;
};

/* The test's main maps it into memory that children share. */
extern struct killed_shared *killed_shared;
extern const djp__transport_ops killed_transport_ops;

/* The timeout of a request in killed_sdk, when not 0. */
extern uint64_t killed_export_timeout_ns;
/* An SDK that handles SIGTERM and sends nothing before it. Ends the process when it cannot be
 * made. */
djp_sdk *killed_sdk(script_transport *transport, uint64_t shutdown_timeout_ns);

struct killed_outcome {
    int killed_by; /* 0: exited */
    int exit_code;
    uint64_t took; /* from the (last) signal */
};

/* The signal of killed_child: SIGTERM unless a test sets another. */
extern int killed_signal;
/* Runs body in a child and sends it the signal once it is ready; with two signals, the second one
 * when the first made it send. */
struct killed_outcome killed_child(void (*body)(void), int signals);

#endif
