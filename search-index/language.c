/* Snowball stemming with a table of the stems of recent words, each at the place of its hash: what
 * comes later takes the place, so nothing grows. */
#include "search-index/language.h"

#include <libstemmer.h>
#include <stdlib.h>

#define RECENT_COUNT 8192 /* 400 KB a stemmer */
#define RECENT_BYTES 24   /* longer words are stemmed each time */
#define LANGUAGE_MAX 32

typedef struct {
    uint8_t word_length; /* 0: nothing is here */
    uint8_t stem_length;
    uint8_t word[RECENT_BYTES];
    uint8_t stem[RECENT_BYTES];
} recent_stem;

struct search_stemmer {
    struct sb_stemmer *snowball;
    recent_stem recent[RECENT_COUNT];
};

bool search_language_is_known(core_slice name) {
    for (const char **known = sb_stemmer_list(); *known != NULL; known++)
        if (core_slice_is(name, *known))
            return true;
    return false;
}

search_stemmer *search_stemmer_new(core_slice language) {
    char name[LANGUAGE_MAX];
    if (!search_language_is_known(language) || !core_slice_to_text(language, name, sizeof name))
        return NULL;
    search_stemmer *stemmer = calloc(1, sizeof *stemmer);
    if (stemmer == NULL)
        return NULL;
    stemmer->snowball = sb_stemmer_new(name, "UTF_8");
    if (stemmer->snowball == NULL) {
        free(stemmer);
        return NULL;
    }
    return stemmer;
}

void search_stemmer_free(search_stemmer *stemmer) {
    if (stemmer == NULL)
        return;
    sb_stemmer_delete(stemmer->snowball);
    free(stemmer);
}

static core_slice stem_make(search_stemmer *stemmer, core_slice word) {
    const sb_symbol *stem = sb_stemmer_stem(stemmer->snowball, word.data, (int)word.length);
    int length = stem != NULL ? sb_stemmer_length(stemmer->snowball) : 0;
    return length > 0 ? core_slice_make(stem, (size_t)length) : word;
}

core_slice search_stemmer_stem(search_stemmer *stemmer, core_slice word) {
    if (word.length == 0 || word.length > RECENT_BYTES)
        return stem_make(stemmer, word);
    recent_stem *at = &stemmer->recent[core_slice_hash(word) % RECENT_COUNT];
    if (at->word_length == word.length && memcmp(at->word, word.data, word.length) == 0)
        return core_slice_make(at->stem, at->stem_length);
    core_slice stem = stem_make(stemmer, word);
    if (stem.length > RECENT_BYTES)
        return stem;
    at->word_length = (uint8_t)word.length;
    at->stem_length = (uint8_t)stem.length;
    memcpy(at->word, word.data, word.length);
    memcpy(at->stem, stem.data, stem.length);
    return core_slice_make(at->stem, at->stem_length);
}
