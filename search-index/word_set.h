/* A set of words that is filled once and then only asked: stop-words, words without typos. */
#ifndef WALCAST_SEARCH_INDEX_WORD_SET_H
#define WALCAST_SEARCH_INDEX_WORD_SET_H

#include "core/core.h"

typedef struct {
    core_slice *words; /* in the arena that it was made in; empty places have no data */
    size_t size;       /* a power of two, or 0 */
    size_t count;
} search_word_set;

/* For up to `max` words, in `arena`. False: out of memory. */
CORE_MUST_CHECK bool search_word_set_init(search_word_set *set, core_arena *arena, size_t max);
/* Copies the word. False: the arena is full. More than `max` words are never given. */
CORE_MUST_CHECK bool search_word_set_add(search_word_set *set, core_arena *arena, core_slice word);
bool search_word_set_has(const search_word_set *set, core_slice word);

#endif
