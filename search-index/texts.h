/* Texts of one column, each once, by a small number: an id is an index into arrays, so a facet is
 * counted without comparing bytes.
 *
 * A text is known by its folded form; the form that its first document had is kept beside it where
 * it differs. Ids whose last use ends are given out again. Memory is counted into the account that
 * it is made with and refused beyond its maximum. Not locked: see columns.h. */
#ifndef WALCAST_SEARCH_INDEX_TEXTS_H
#define WALCAST_SEARCH_INDEX_TEXTS_H

#include "core/core.h"

#define SEARCH_TEXTS_NONE UINT32_MAX

/* What several structures may hold together. */
typedef struct {
    size_t bytes;
    size_t max_bytes;
} search_account;

/* False: beyond the maximum; nothing was counted. */
CORE_MUST_CHECK static inline bool search_account_take(search_account *account, size_t bytes) {
    if (bytes > account->max_bytes - account->bytes)
        return false;
    account->bytes += bytes;
    return true;
}
static inline void search_account_give(search_account *account, size_t bytes) {
    assert(bytes <= account->bytes);
    account->bytes -= bytes;
}

/* Makes room for `wanted` elements in an array that holds `*capacity`, half as much again at least;
 * what is new is zeroed. False, and nothing changed: the account or memory. */
CORE_MUST_CHECK bool search_account_grow(search_account *account, void **array, size_t element_size,
                                         uint32_t *capacity, uint32_t wanted);

typedef struct {
    uint32_t uses;   /* 0: the id is free, `offset` is the next free one */
    uint32_t offset; /* into `bytes`: the folded form, behind it the shown one */
    uint16_t length;
    uint16_t shown_length; /* 0: as the folded one */
} search_text;

typedef struct {
    search_account *account;
    search_text *items;
    uint32_t item_capacity;
    uint32_t end;  /* all ids are below it */
    uint32_t free; /* the first of the free ids, or NONE */
    uint32_t used;
    uint8_t *bytes;
    uint32_t byte_capacity;
    uint32_t byte_count;
    uint32_t byte_garbage;
    uint32_t *places; /* open addressing: id + 1 */
    uint32_t place_capacity;
} search_texts;

void search_texts_init(search_texts *texts, search_account *account);
void search_texts_fini(search_texts *texts);
/* One use more of the text; its id, or NONE: no room. Both forms are below 65536 bytes. */
uint32_t search_texts_take(search_texts *texts, core_slice folded, core_slice shown);
/* One use less. */
void search_texts_give(search_texts *texts, uint32_t id);
uint32_t search_texts_find(const search_texts *texts, core_slice folded);
/* Empty of an id that is free. */
core_slice search_texts_folded(const search_texts *texts, uint32_t id);
core_slice search_texts_shown(const search_texts *texts, uint32_t id);

#endif
