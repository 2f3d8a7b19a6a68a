/* An interner: open addressing over an array of items over one array of bytes. Bytes of texts that
 * are gone are swept out when they are half of all. */
#include "search-index/texts.h"

#include <stdlib.h>

#define GARBAGE_MIN 65536
#define BYTES_MAX   0x7FFFFFFFu
#define ITEMS_MAX   0x7FFFFFFFu

bool search_account_grow(search_account *account, void **array, size_t element_size,
                         uint32_t *capacity, uint32_t wanted) {
    if (wanted <= *capacity)
        return true;
    uint64_t size = *capacity + (uint64_t)*capacity / 2;
    size = size < wanted ? wanted : size;
    size = size < 16 ? 16 : size;
    if (size > ITEMS_MAX)
        size = ITEMS_MAX;
    if (size < wanted || !search_account_take(account, (size - *capacity) * element_size))
        return false;
    uint8_t *grown = realloc(*array, size * element_size);
    if (grown == NULL) {
        search_account_give(account, (size - *capacity) * element_size);
        return false;
    }
    memset(grown + *capacity * element_size, 0, (size - *capacity) * element_size);
    *array = grown;
    *capacity = (uint32_t)size;
    return true;
}

void search_texts_init(search_texts *texts, search_account *account) {
    *texts = (search_texts){.account = account, .free = SEARCH_TEXTS_NONE};
}

void search_texts_fini(search_texts *texts) {
    search_account_give(texts->account, texts->item_capacity * sizeof *texts->items +
                                            texts->byte_capacity +
                                            texts->place_capacity * sizeof *texts->places);
    free(texts->items);
    free(texts->bytes);
    free(texts->places);
    search_texts_init(texts, texts->account);
}

core_slice search_texts_folded(const search_texts *texts, uint32_t id) {
    if (id >= texts->end || texts->items[id].uses == 0)
        return core_slice_make(NULL, 0);
    const search_text *text = &texts->items[id];
    return core_slice_make(texts->bytes + text->offset, text->length);
}

core_slice search_texts_shown(const search_texts *texts, uint32_t id) {
    core_slice folded = search_texts_folded(texts, id);
    if (folded.data == NULL || texts->items[id].shown_length == 0)
        return folded;
    return core_slice_make(folded.data + folded.length, texts->items[id].shown_length);
}

/* Where the text is, or the empty place where it belongs. */
static uint32_t place_of(const search_texts *texts, core_slice folded) {
    uint32_t mask = texts->place_capacity - 1;
    uint32_t at = (uint32_t)core_slice_hash(folded) & mask;
    while (texts->places[at] != 0 &&
           !core_slice_equal(search_texts_folded(texts, texts->places[at] - 1), folded))
        at = (at + 1) & mask;
    return at;
}

uint32_t search_texts_find(const search_texts *texts, core_slice folded) {
    if (texts->place_capacity == 0)
        return SEARCH_TEXTS_NONE;
    uint32_t place = texts->places[place_of(texts, folded)];
    return place != 0 ? place - 1 : SEARCH_TEXTS_NONE;
}

/* At most half full. */
static bool places_reserve(search_texts *texts) {
    if (2 * ((uint64_t)texts->used + 1) <= texts->place_capacity)
        return true;
    uint32_t size = texts->place_capacity > 0 ? 2 * texts->place_capacity : 16;
    if (!search_account_take(texts->account, size * sizeof *texts->places))
        return false;
    uint32_t *places = calloc(size, sizeof *places);
    if (places == NULL) {
        search_account_give(texts->account, size * sizeof *texts->places);
        return false;
    }
    search_account_give(texts->account, texts->place_capacity * sizeof *texts->places);
    free(texts->places);
    texts->places = places;
    texts->place_capacity = size;
    for (uint32_t id = 0; id < texts->end; id++)
        if (texts->items[id].uses > 0)
            texts->places[place_of(texts, search_texts_folded(texts, id))] = id + 1;
    return true;
}

/* Moves what is in use together. */
static void bytes_sweep(search_texts *texts) {
    uint8_t *kept = malloc(texts->byte_capacity);
    uint32_t count = 0;
    if (kept == NULL)
        return; /* later, then */
    for (uint32_t id = 0; id < texts->end; id++) {
        search_text *text = &texts->items[id];
        uint32_t length = (uint32_t)text->length + text->shown_length;
        if (text->uses == 0)
            continue;
        memcpy(kept + count, texts->bytes + text->offset, length);
        text->offset = count;
        count += length;
    }
    free(texts->bytes);
    texts->bytes = kept;
    texts->byte_count = count;
    texts->byte_garbage = 0;
}

static bool bytes_reserve(search_texts *texts, size_t length) {
    if (texts->byte_garbage > GARBAGE_MIN && texts->byte_garbage > texts->byte_count / 2)
        bytes_sweep(texts);
    void *bytes = texts->bytes;
    if (length > BYTES_MAX - texts->byte_count ||
        !search_account_grow(texts->account, &bytes, 1, &texts->byte_capacity,
                             texts->byte_count + (uint32_t)length))
        return false;
    texts->bytes = bytes;
    return true;
}

static bool items_reserve(search_texts *texts) {
    void *items = texts->items;
    if (texts->free != SEARCH_TEXTS_NONE)
        return true;
    if (!search_account_grow(texts->account, &items, sizeof *texts->items, &texts->item_capacity,
                             texts->end + 1))
        return false;
    texts->items = items;
    return true;
}

static uint32_t text_add(search_texts *texts, core_slice folded, core_slice shown) {
    bool is_same = core_slice_equal(folded, shown);
    if (!places_reserve(texts) || !items_reserve(texts) ||
        !bytes_reserve(texts, folded.length + (is_same ? 0 : shown.length)))
        return SEARCH_TEXTS_NONE;
    uint32_t id = texts->free != SEARCH_TEXTS_NONE ? texts->free : texts->end++;
    search_text *text = &texts->items[id];
    if (id == texts->free)
        texts->free = text->offset;
    *text = (search_text){.uses = 1,
                          .offset = texts->byte_count,
                          .length = (uint16_t)folded.length,
                          .shown_length = is_same ? 0 : (uint16_t)shown.length};
    uint8_t *room = texts->bytes + texts->byte_count;
    (void)core_slice_keep(&room, folded);
    if (!is_same)
        (void)core_slice_keep(&room, shown);
    texts->byte_count = (uint32_t)(room - texts->bytes);
    texts->places[place_of(texts, folded)] = id + 1;
    texts->used++;
    return id;
}

uint32_t search_texts_take(search_texts *texts, core_slice folded, core_slice shown) {
    assert(folded.length <= UINT16_MAX && shown.length <= UINT16_MAX);
    uint32_t id = search_texts_find(texts, folded);
    if (id == SEARCH_TEXTS_NONE)
        return text_add(texts, folded, shown);
    texts->items[id].uses++;
    return id;
}

/* Those behind an emptied place that a look would no longer reach move up. */
static void place_clear(search_texts *texts, uint32_t at) {
    uint32_t mask = texts->place_capacity - 1, hole = at;
    for (at = (at + 1) & mask; texts->places[at] != 0; at = (at + 1) & mask) {
        core_slice folded = search_texts_folded(texts, texts->places[at] - 1);
        uint32_t home = (uint32_t)core_slice_hash(folded) & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        texts->places[hole] = texts->places[at];
        hole = at;
    }
    texts->places[hole] = 0;
}

void search_texts_give(search_texts *texts, uint32_t id) {
    assert(id < texts->end && texts->items[id].uses > 0);
    search_text *text = &texts->items[id];
    if (text->uses > 1) {
        text->uses--;
        return;
    }
    place_clear(texts, place_of(texts, search_texts_folded(texts, id)));
    texts->byte_garbage += (uint32_t)text->length + text->shown_length;
    *text = (search_text){.uses = 0, .offset = texts->free};
    texts->free = id;
    texts->used--;
}
