/* The entry point of the addon: every environment (main thread, worker thread) has separate data
 * and the same functions. The end of an environment does not end the SDK. */
#include <stdio.h>
#include <stdlib.h>

#include "binding.h"
#include "djp/version.h"

static void
module_env_free(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)hint;
    free(data);
}

static void
module_env_end(void *data)
{
    djp_node_log_env_end(data);
}

djp_node_env *
djp_node_env_of(napi_env env)
{
    void *data = NULL;
    return djp_node_ok(env, napi_get_instance_data(env, &data)) ? data : NULL;
}

void
djp_node_functions(napi_env env, napi_value exports, const djp_node_function *functions,
                   size_t count)
{
    for (size_t i = 0; i < count; i++) {
        napi_value function;
        if (djp_node_ok(env, napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH,
                                                  functions[i].call, NULL, &function))) {
            djp_node_put(env, exports, functions[i].name, function);
        }
    }
}

static int
module_env_new(napi_env env)
{
    djp_node_env *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return 0;
    }
    self->env = env;
    const napi_node_version *version = NULL;
    if (djp_node_ok(env, napi_get_node_version(env, &version))) {
        (void)snprintf(self->version, sizeof self->version, "%u.%u.%u", version->major,
                       version->minor, version->patch);
    }
    if (!djp_node_ok(env, napi_set_instance_data(env, self, module_env_free, NULL))) {
        free(self);
        return 0;
    }
    return djp_node_ok(env, napi_add_env_cleanup_hook(env, module_env_end, self));
}

NAPI_MODULE_INIT()
{
    if (!module_env_new(env)) {
        djp_node_throw(env, "the environment could not be prepared");
        return exports;
    }
    djp_node_put_text(env, exports, "coreVersion", DJP_VERSION);
    djp_node_sdk_exports(env, exports);
    djp_node_shutdown_exports(env, exports);
    djp_node_context_exports(env, exports);
    djp_node_baggage_exports(env, exports);
    djp_node_metrics_exports(env, exports);
    djp_node_runtime_metrics_exports(env, exports);
    djp_node_shards_exports(env, exports);
    djp_node_exposition_exports(env, exports);
    djp_node_http_exports(env, exports);
    djp_node_sampler_exports(env, exports);
    djp_node_log_exports(env, exports);
    return exports;
}
