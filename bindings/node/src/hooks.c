/* The places where the operation log joins in, empty for an addon that is built without it. */
#include "binding.h"

__attribute__((weak)) void
djp_node_before_stop(djp_node_sdk *sdk)
{
    (void)sdk;
}

__attribute__((weak)) void
djp_node_before_flush(djp_node_sdk *sdk)
{
    (void)sdk;
}

__attribute__((weak)) void
djp_node_log_activated(djp_node_sdk *sdk)
{
    (void)sdk;
}

__attribute__((weak)) void
djp_node_log_exports(napi_env env, napi_value exports)
{
    (void)env;
    (void)exports;
}

__attribute__((weak)) void
djp_node_log_env_end(djp_node_env *self)
{
    (void)self;
}
