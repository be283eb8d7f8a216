/* The head decision of the active SDK for many trace ids, for tests that compare languages. */
#include "binding.h"

/* samplerDecideMany(ids, out): the head decision of roots; ids has 16 bytes each, out receives 0 or
 * 1. false while traces are off or if the sizes do not match. */
static napi_value
sampler_decide_many(napi_env env, napi_callback_info info)
{
    napi_value given[2];
    uint8_t *ids, *out;
    size_t ids_size, out_size;
    if (!djp_node_arguments(env, info, given, 2)) {
        return NULL;
    }
    djp_node_sdk *sdk = djp_node_sdk_acquire();
    int good = djp_node_bytes(env, given[0], &ids, &ids_size) &&
               djp_node_bytes(env, given[1], &out, &out_size) && ids_size % 16 == 0 &&
               out_size >= ids_size / 16 && sdk != NULL && sdk->recorder != NULL;
    for (size_t i = 0; good && i < ids_size / 16; i++) {
        out[i] = djp_recorder_would_sample(sdk->recorder, ids + i * 16) != 0;
    }
    djp_node_sdk_release(sdk);
    return djp_node_boolean(env, good);
}

void
djp_node_sampler_exports(napi_env env, napi_value exports)
{
    static const djp_node_function functions[] = {{"samplerDecideMany", sampler_decide_many}};
    DJP_NODE_FUNCTIONS(env, exports, functions);
}
