/* Signals between Node and the core. Node installs handlers at its start, so the default action
 * that the core checks for is missing. A listener of the application is a handler of libuv and is
 * not changed. */
#include <dlfcn.h>
#include <signal.h>
#include <string.h>

#include "binding.h"

/* Signals that Node handles by default. */
static const int signal_numbers[] = {SIGTERM, SIGINT};
enum { SIGNAL_COUNT = sizeof signal_numbers / sizeof signal_numbers[0] };

/* The handlers of Node; under the instance mutex. */
static struct {
    struct sigaction action;
    int taken;
} signal_of_node[SIGNAL_COUNT];

/* The handler of Node resets itself and is in the same binary as Node-API; that of libuv stays
 * installed. */
static int
signal_is_of_node(const struct sigaction *action)
{
    Dl_info handler, node;
    void *address = NULL, *known = NULL;
    void (*function)(int) = action->sa_handler;
    napi_status (*api)(napi_env, napi_value *) = napi_create_object;
    if (function == SIG_DFL || function == SIG_IGN ||
        ((unsigned)action->sa_flags & SA_RESETHAND) == 0) {
        return 0;
    }
    memcpy(&address, &function, sizeof address);
    memcpy(&known, &api, sizeof known);
    return dladdr(address, &handler) != 0 && dladdr(known, &node) != 0 &&
           handler.dli_fbase == node.dli_fbase;
}

void
djp_node_signal_prepare(const djp_options *options)
{
    struct sigaction now, plain;
    memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    sigemptyset(&plain.sa_mask);
    for (size_t i = 0; i < SIGNAL_COUNT && options->handle_sigterm; i++) {
        if (sigaction(signal_numbers[i], NULL, &now) == 0 && signal_is_of_node(&now) &&
            sigaction(signal_numbers[i], &plain, NULL) == 0) {
            signal_of_node[i].action = now;
            signal_of_node[i].taken = 1;
        }
    }
}

void
djp_node_signal_restore(void)
{
    struct sigaction now;
    /* While the signal has another handler, that of Node is kept for the next call. */
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        if (signal_of_node[i].taken && sigaction(signal_numbers[i], NULL, &now) == 0 &&
            now.sa_handler == SIG_DFL) {
            signal_of_node[i].taken =
                sigaction(signal_numbers[i], &signal_of_node[i].action, NULL) != 0;
        }
    }
}
