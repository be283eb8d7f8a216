/* Paths whose requests are not recorded: the setting excluded_paths. */
#ifndef DJP_INSTRUMENT_EXCLUDED_PATHS_H
#define DJP_INSTRUMENT_EXCLUDED_PATHS_H

#include "djp/value.h"

/* 1: an entry of the list, whose entries are separated by commas, equals the path, or is its
 * beginning if the entry ends with "*". */
int djp__path_is_excluded(const char *list, djp_text path);

#endif
