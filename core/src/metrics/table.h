/* The look-up table of a family: open addressing over series offsets, in the segment. Look-ups take
 * no lock; a hit is checked against the entry, and a miss counts only under the lock or without a
 * rebuild. */
#ifndef DJP_METRICS_TABLE_H
#define DJP_METRICS_TABLE_H

#include "metrics/key.h"

/* Returns the live series of a key and its generation, or NULL. No lock needed. */
djp__series_entry *
djp__table_find(uint32_t *generation, const djp_family *family, const djp__series_key *key);
/* Returns the series of a key, live or removed, or NULL. Lock held. */
djp__series_entry *djp__table_find_any(const djp_family *family, const djp__series_key *key);
/* Makes room for one more. Lock held. 0 or DJP_EFULL. */
int djp__table_reserve(djp_registry *registry, djp__family_entry *family);
/* Lock held, after reserve. */
void djp__table_insert(djp_registry *registry, djp__family_entry *family, uint32_t at);
/* Removes an entry under its current hash. Lock held. */
void djp__table_remove(djp_registry *registry, djp__family_entry *family, uint32_t at);
/* Rebuilds the table from the list of series. Lock held. */
void djp__table_rebuild(djp_registry *registry, djp__family_entry *family);

#endif
