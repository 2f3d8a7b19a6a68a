/* Open addressing at most half full, so a look ends soon. */
#include "search-index/word_set.h"

bool search_word_set_init(search_word_set *set, core_arena *arena, size_t max) {
    *set = (search_word_set){.size = 0};
    if (max == 0)
        return true;
    size_t size = 8;
    while (size < 2 * max)
        size *= 2;
    set->words = core_arena_array(arena, size, sizeof *set->words);
    set->size = set->words != NULL ? size : 0;
    return set->words != NULL;
}

static core_slice *word_place(const search_word_set *set, core_slice word) {
    size_t at = core_slice_hash(word) & (set->size - 1);
    while (set->words[at].data != NULL && !core_slice_equal(set->words[at], word))
        at = (at + 1) & (set->size - 1);
    return &set->words[at];
}

bool search_word_set_add(search_word_set *set, core_arena *arena, core_slice word) {
    assert(2 * set->count < set->size);
    core_slice *place = word_place(set, word);
    if (place->data != NULL)
        return true;
    *place = core_arena_copy(arena, word);
    set->count += place->data != NULL;
    return place->data != NULL;
}

bool search_word_set_has(const search_word_set *set, core_slice word) {
    return set->count > 0 && word_place(set, word)->data != NULL;
}
