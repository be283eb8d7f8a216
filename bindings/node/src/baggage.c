/* Baggage: JavaScript holds its header text, which the core parses and writes. A change creates a
 * new text. */
#include <string.h>

#include "binding.h"

enum { BAGGAGE_FIELDS_MAX = 32 };

static djp_baggage *
baggage_of(napi_env env, napi_value value)
{
    djp_node_texts fields;
    (void)djp_node_texts_get(&fields, env, value, BAGGAGE_FIELDS_MAX, 0);
    djp_baggage *list = djp_baggage_parse(fields.texts, fields.count);
    djp_node_texts_release(&fields);
    return list;
}

/* baggageParse(header | header[]): [{key, value, properties}]. */
static napi_value
baggage_parse(napi_env env, napi_callback_info info)
{
    napi_value given[1], list = NULL;
    djp_baggage_entry entry;
    if (!djp_node_arguments(env, info, given, 1) ||
        !djp_node_ok(env, napi_create_array(env, &list))) {
        return NULL;
    }
    djp_baggage *baggage = baggage_of(env, given[0]);
    for (size_t i = 0; djp_baggage_entry_at(&entry, baggage, i); i++) {
        napi_value item = djp_node_object(env);
        djp_node_put(env, item, "key", djp_node_string(env, entry.key));
        djp_node_put(env, item, "value", djp_node_string(env, entry.value));
        djp_node_put(env, item, "properties", djp_node_string(env, entry.properties));
        if (item != NULL) {
            (void)djp_node_ok(env, napi_set_element(env, list, (uint32_t)i, item));
        }
    }
    djp_baggage_free(baggage);
    return list;
}

/* Frees both. */
static napi_value
baggage_result(napi_env env, djp_baggage *old, djp_baggage *changed, int keep_old)
{
    napi_value result =
        djp_node_string(env, djp_baggage_text(changed == NULL && keep_old ? old : changed));
    djp_baggage_free(old);
    djp_baggage_free(changed);
    return result;
}

/* baggageText(header | header[]): the header to propagate, '' for none. */
static napi_value
baggage_text(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    if (!djp_node_arguments(env, info, given, 1)) {
        return NULL;
    }
    return baggage_result(env, baggage_of(env, given[0]), NULL, 1);
}

/* baggageSet(header, key, value, properties): the new header; the old one for an invalid entry. */
static napi_value
baggage_set(napi_env env, napi_callback_info info)
{
    napi_value given[4];
    djp_node_text key, value, properties;
    if (!djp_node_arguments(env, info, given, 4)) {
        return NULL;
    }
    djp_baggage *old = baggage_of(env, given[0]);
    int good = djp_node_text_get(&key, env, given[1]) & djp_node_text_get(&value, env, given[2]);
    (void)djp_node_text_get(&properties, env, given[3]);
    djp_baggage_entry entry = {key.text, value.text, properties.text};
    napi_value result = baggage_result(env, old, good ? djp_baggage_set(old, &entry) : NULL, 1);
    djp_node_text_release(&key);
    djp_node_text_release(&value);
    djp_node_text_release(&properties);
    return result;
}

/* baggageRemove(header, key): the header without the entry. */
static napi_value
baggage_remove(napi_env env, napi_callback_info info)
{
    napi_value given[2];
    djp_node_text key;
    if (!djp_node_arguments(env, info, given, 2)) {
        return NULL;
    }
    djp_baggage *old = baggage_of(env, given[0]);
    int good = djp_node_text_get(&key, env, given[1]);
    djp_baggage *changed = good ? djp_baggage_remove(old, key.text) : NULL;
    djp_node_text_release(&key);
    return baggage_result(env, old, changed, !good);
}

void
djp_node_baggage_exports(napi_env env, napi_value exports)
{
    static const djp_node_function functions[] = {
        {"baggageParse", baggage_parse},
        {"baggageText", baggage_text},
        {"baggageSet", baggage_set},
        {"baggageRemove", baggage_remove},
    };
    DJP_NODE_FUNCTIONS(env, exports, functions);
}
