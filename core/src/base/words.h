/* A short list of words, such as the known HTTP methods, found by comparing words of memory. */
#ifndef DJP_BASE_WORDS_H
#define DJP_BASE_WORDS_H

#include <stddef.h>

#include "base/str.h"

enum { DJP__WORDS_MAX = 32 };

typedef struct djp__words {
    struct {
        djp__text_words head; /* of the first DJP__TEXT_WORDS_SIZE bytes */
        djp_text text; /* points into `copy` */
    } items[DJP__WORDS_MAX];
    size_t count;
    char *copy; /* owned */
} djp__words;

/* Reads words that commas separate; blanks around them, empty ones, and those beyond the limit are
 * left out. Copies; NULL is an empty list. Returns 0 or DJP_ENOMEM. */
int djp__words_init(djp__words *out, const char *list);
void djp__words_fini(djp__words *words); /* accepts zeros */

static inline djp__text_words
djp__words_head(djp_text word)
{
    djp_text head = {word.data,
                     word.size < DJP__TEXT_WORDS_SIZE ? word.size : DJP__TEXT_WORDS_SIZE};
    return djp__text_to_words(head);
}

/* Returns the index of a word, compared with case; `count` if it is not in the list. */
static inline size_t
djp__words_find(const djp__words *words, djp_text word)
{
    djp__text_words head = djp__words_head(word);
    for (size_t i = 0; i < words->count; i++) {
        const djp_text *text = &words->items[i].text;
        if (djp__text_words_equal(&words->items[i].head, &head) &&
            (word.size < DJP__TEXT_WORDS_SIZE ||
             (text->size == word.size && memcmp(text->data, word.data, word.size) == 0))) {
            return i;
        }
    }
    return words->count;
}

#endif
