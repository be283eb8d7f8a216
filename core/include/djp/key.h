/* Interned names: attribute keys and instrumentation scopes become small numbers
 * once per process, so that recording compares and copies numbers. Both tables only
 * grow, are bounded, and are shared by all SDK instances of the process. */
#ifndef DJP_KEY_H
#define DJP_KEY_H

#include "djp/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 0 is "not interned" (table full, empty or NULL key): setters that take a key
 * ignore the attribute and count it. */
typedef uint32_t djp_key;
/* 0 is the scope without a name. */
typedef uint16_t djp_scope;

#define DJP_KEY_LIMIT 16384u /* distinct keys a process may intern */
#define DJP_KEY_SIZE_LIMIT 1024u /* longer keys are cut at a character boundary */
#define DJP_SCOPE_LIMIT 1024u

/* Interns a key. Copies the text. Any thread; lock-free when the key is known. */
djp_key djp_key_intern(djp_text text);

/* Text of an interned key; empty for 0 or an unknown id. Borrow it for ever. */
djp_text djp_key_text(djp_key key);

/* Interns an instrumentation scope; any part may be NULL. Copies. Returns 0 when the
 * table is full, which is counted ("scopes_refused") and told once. Any thread. */
djp_scope
djp_scope_intern(const char *name, const char *version, const char *schema_url,
                 const djp_attribute *attributes, size_t attribute_count);

#ifdef __cplusplus
}
#endif
#endif
