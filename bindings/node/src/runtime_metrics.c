/* Records in the families of the runtime, which JavaScript reads. */
#include <math.h>

#include "binding.h"

/* runtimeRecord(name, labels, value): whether it was accepted; false while metrics are off. */
static napi_value
runtime_metrics_record(napi_env env, napi_callback_info info)
{
    napi_value given[3];
    djp_node_text name;
    djp_node_texts labels = {NULL, NULL, 0};
    bool is_array = false;
    uint32_t count = 0;
    int taken = 0;
    if (!djp_node_arguments(env, info, given, 3)) {
        return NULL;
    }
    double value = djp_node_number(env, given[2], NAN);
    int is_listed = djp_node_ok(env, napi_is_array(env, given[1], &is_array)) && is_array &&
                    djp_node_ok(env, napi_get_array_length(env, given[1], &count)) &&
                    count <= DJP_LABELS_MAX &&
                    (count == 0 || djp_node_texts_get(&labels, env, given[1], count, 1));
    djp_node_sdk *sdk = djp_node_sdk_acquire();
    if (djp_node_text_get(&name, env, given[0]) && is_listed && sdk != NULL &&
        sdk->registry != NULL) {
        taken = djp_runtime_record(sdk->registry, name.text.data, labels.texts, count, value) == 0;
    }
    djp_node_text_release(&name);
    djp_node_texts_release(&labels);
    djp_node_sdk_release(sdk);
    return djp_node_boolean(env, taken);
}

/* runtimeWasRead(): whether the metrics were exposed or exported since the call before. */
static napi_value
runtime_metrics_was_read(napi_env env, napi_callback_info info)
{
    (void)info;
    djp_node_sdk *sdk = djp_node_sdk_acquire();
    int was_read = sdk != NULL && djp_runtime_was_read(sdk->registry);
    djp_node_sdk_release(sdk);
    return djp_node_boolean(env, was_read);
}

void
djp_node_runtime_metrics_exports(napi_env env, napi_value exports)
{
    static const djp_node_function functions[] = {
        {"runtimeRecord", runtime_metrics_record},
        {"runtimeWasRead", runtime_metrics_was_read},
    };
    DJP_NODE_FUNCTIONS(env, exports, functions);
}
