/* Paths whose requests are not recorded: the setting excluded_paths. */
#include "instrument/excluded_paths.h"

#include "base/str.h"

int
djp__path_is_excluded(const char *list, djp_text path)
{
    djp_text rest = djp__text(list), part;
    while (djp__text_split(&part, &rest, ',')) {
        part = djp__text_trim(part);
        int is_prefix = part.size > 0 && part.data[part.size - 1] == '*';
        djp_text pattern = {part.data, part.size - (size_t)is_prefix};
        if (part.size > 0 && djp__text_fits(path, pattern, is_prefix)) {
            return 1;
        }
    }
    return 0;
}
