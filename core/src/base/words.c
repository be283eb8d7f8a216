/* Reads a list of words. */
#include "base/words.h"

#include "base/mem.h"
#include "djp/error.h"

int
djp__words_init(djp__words *out, const char *list)
{
    memset(out, 0, sizeof *out);
    out->copy = djp__strdup(list != NULL ? list : "");
    if (out->copy == NULL) {
        return DJP_ENOMEM;
    }
    djp_text rest = djp__text(out->copy), part;
    while (out->count < DJP__WORDS_MAX && djp__text_split(&part, &rest, ',')) {
        part = djp__text_trim(part);
        if (part.size > 0) {
            out->items[out->count].head = djp__words_head(part);
            out->items[out->count++].text = part;
        }
    }
    return 0;
}

void
djp__words_fini(djp__words *words)
{
    djp__free(words->copy);
    memset(words, 0, sizeof *words);
}
