/* Converts attributes given as values (resource, scopes) to the form of a record's items, so that
 * encodings read one form. */
#ifndef DJP_EXPORT_RESOURCE_ATTRIBUTES_H
#define DJP_EXPORT_RESOURCE_ATTRIBUTES_H

#include "base/buf.h"
#include "model/record.h"

/* Unused bytes at the start of the buffer: encoders read a little before an item's payload. */
enum { DJP__RESOURCE_ATTRIBUTES_FROM = 64 };

/* Replaces the content of out: the preamble, then an ITEM_KEY and an ITEM_ATTRIBUTE per attribute
 * in order, with repeated keys. Text is repaired to valid UTF-8, values nested too deep become
 * empty, values too large are omitted. Borrows attributes. Returns 0 or DJP_ENOMEM. */
int djp__resource_attributes(djp__buf *out, const djp_attribute *attributes, size_t count);

#endif
