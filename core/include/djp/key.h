/* Interned names. Attribute keys and instrumentation scopes become small numbers, once
 * per process. Both tables only grow, are bounded, and are shared by all SDK instances
 * of the process. */
#ifndef DJP_KEY_H
#define DJP_KEY_H

#include "djp/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 0: not interned (table full, or an empty or NULL key). A setter with key 0 ignores
 * the attribute and counts it as dropped. */
typedef uint32_t djp_key;
/* 0: the scope without a name. */
typedef uint16_t djp_scope;

#define DJP_KEY_LIMIT 16384u /* keys per process */
/* in bytes; longer keys are cut at a character boundary */
#define DJP_KEY_SIZE_LIMIT 1024u
#define DJP_SCOPE_LIMIT 1024u

/* Returns the number of a key. Copies the text. Any thread; lock-free for a known
 * key. */
djp_key djp_key_intern(djp_text text);

/* Returns the text of a key: static, empty for 0 or an unknown number. */
djp_text djp_key_text(djp_key key);

/* Returns the number of an instrumentation scope. Copies; each argument may be NULL.
 * Returns 0 when the table is full, which is counted ("scopes_refused") and reported
 * once. Any thread. */
djp_scope
djp_scope_intern(const char *name, const char *version, const char *schema_url,
                 const djp_attribute *attributes, size_t attribute_count);

#ifdef __cplusplus
}
#endif
#endif
