/* The dictionary's memory: texts in one arena, counts by id, a hash from text to id; see terms.h.
 *
 * A term that stands in no document keeps its place, so that it costs nothing to come back. Terms
 * that come out of order have ids and texts far from those of their neighbours, which makes looks
 * at many neighbours wait for memory. When either are a quarter of all, the dictionary is built
 * anew in its order. */
#include "search-index/terms_private.h"

#include "search-index/letter.h"

#include <stdlib.h>

enum { TERMS_FIRST = 64, TERMS_SWEEP_MIN = 1024, TERMS_ID_BITS = 24, LETTER_KINDS_OTHER = 4 };

static const uint32_t terms_id_mask = (1u << TERMS_ID_BITS) - 1;

static unsigned letter_kind(uint32_t letter) {
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a';
    if (letter >= '0' && letter <= '9')
        return 26 + (letter & 1);
    return 28 + letter % LETTER_KINDS_OTHER;
}

uint64_t search_letters_of(core_slice word) {
    uint64_t letters = 0;
    for (size_t at = 0; at < word.length;) {
        unsigned shift = 2 * letter_kind(search_letter_next(word, &at));
        uint64_t seen = letters >> shift & 1;
        letters |= UINT64_C(1) << (shift + seen);
    }
    return letters;
}

search_terms *search_terms_new(void) {
    return calloc(1, sizeof(search_terms));
}

static void terms_fini(search_terms *terms) {
    free(terms->starts);
    free(terms->documents);
    free(terms->bytes);
    free(terms->slots);
    search_terms_order_fini(&terms->order);
}

void search_terms_free(search_terms *terms) {
    if (terms == NULL)
        return;
    terms_fini(terms);
    free(terms);
}

/* ---- Room ---- */
static bool grown(void **array, size_t count, size_t size) {
    void *more = realloc(*array, count * size);
    if (more != NULL)
        *array = more;
    return more != NULL;
}

static bool ids_reserve(search_terms *terms) {
    if (terms->count < terms->capacity)
        return true;
    uint32_t capacity = terms->capacity + terms->capacity / 16 + TERMS_FIRST;
    /* What grew before a failure stays: its further room is just not counted. */
    if (!grown((void **)&terms->starts, capacity, sizeof *terms->starts) ||
        !grown((void **)&terms->documents, capacity, sizeof *terms->documents))
        return false;
    terms->capacity = capacity;
    return true;
}

static bool bytes_reserve(search_terms *terms, size_t length) {
    size_t wanted = terms->bytes_used + length;
    if (wanted <= terms->bytes_capacity)
        return true;
    size_t capacity = wanted + wanted / 16 + SEARCH_TERM_BYTES_MAX;
    if (capacity > UINT32_MAX || !grown((void **)&terms->bytes, capacity, 1))
        return false;
    terms->bytes_capacity = capacity;
    return true;
}

/* ---- From text to id ---- */
static uint32_t hash_tag(uint64_t hash) {
    return (uint32_t)(hash >> (64 - (32 - TERMS_ID_BITS))) << TERMS_ID_BITS;
}

/* The slot of the text, or the free one where it would stand. There is always a free one. */
static size_t slot_of(const search_terms *terms, core_slice text, uint64_t hash) {
    uint64_t part = hash & UINT32_MAX;
    size_t at = (size_t)(part * terms->slot_count >> 32);
    for (uint32_t slot; (slot = terms->slots[at]) != 0;) {
        if ((slot & ~terms_id_mask) == hash_tag(hash) &&
            core_slice_equal(search_term_text(terms, (slot & terms_id_mask) - 1), text))
            break;
        at = at + 1 < terms->slot_count ? at + 1 : 0;
    }
    return at;
}

static bool slots_reserve(search_terms *terms) {
    if (terms->slot_count > 0 && terms->count < terms->slot_count / 4 * 3)
        return true;
    size_t slot_count = terms->slot_count + terms->slot_count / 8 + TERMS_FIRST;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL)
        return false;
    free(terms->slots);
    terms->slots = slots;
    terms->slot_count = slot_count;
    for (uint32_t id = 0; id < terms->count; id++) {
        core_slice text = search_term_text(terms, id);
        uint64_t hash = core_slice_hash(text);
        slots[slot_of(terms, text, hash)] = hash_tag(hash) | (id + 1);
    }
    return true;
}

bool search_terms_find(const search_terms *terms, core_slice word, uint32_t *id) {
    if (terms->slot_count == 0 || word.length > SEARCH_TERM_BYTES_MAX)
        return false;
    uint32_t slot = terms->slots[slot_of(terms, word, core_slice_hash(word))];
    *id = (slot & terms_id_mask) - 1;
    return slot != 0;
}

/* ---- Inserting ---- */
static void first_note(search_terms *terms, core_slice word, uint32_t id) {
    size_t at = 0;
    uint32_t letter = search_letter_next(word, &at), i = 0;
    if (terms->first_count > SEARCH_FIRSTS_MAX)
        return;
    while (i < terms->first_count && terms->firsts[i].letter != letter)
        i++;
    if (i < terms->first_count)
        return;
    if (i < SEARCH_FIRSTS_MAX)
        terms->firsts[i] = (search_first){.letter = letter, .id = id};
    terms->first_count++;
}

static bool term_insert(search_terms *terms, core_slice word, uint32_t documents) {
    if (terms->count >= SEARCH_TERMS_MAX || !ids_reserve(terms) ||
        !bytes_reserve(terms, word.length + 1) || !slots_reserve(terms))
        return false;
    uint32_t id = terms->count;
    search_terms_place place = search_terms_order_find(terms, word, false);
    terms->strays += place.block < terms->order.count;
    if (!search_terms_order_insert(&terms->order, place, id, search_letters_of(word)))
        return false;
    terms->starts[id] = (uint32_t)terms->bytes_used;
    terms->documents[id] = documents;
    terms->bytes[terms->bytes_used] = (uint8_t)word.length;
    memcpy(terms->bytes + terms->bytes_used + 1, word.data, word.length);
    terms->bytes_used += word.length + 1;
    terms->count++;
    first_note(terms, word, id);
    uint64_t hash = core_slice_hash(word);
    terms->slots[slot_of(terms, word, hash)] = hash_tag(hash) | (id + 1);
    return true;
}

/* The terms that stand somewhere, in a dictionary of their own. */
static bool terms_rebuild(const search_terms *terms, search_terms *anew) {
    for (size_t i = 0; i < terms->order.count; i++) {
        const search_terms_block *block = &terms->order.blocks[i];
        for (uint32_t at = 0; at < block->count; at++) {
            uint32_t id = block->ids[at];
            if (terms->documents[id] > 0 &&
                !term_insert(anew, search_term_text(terms, id), terms->documents[id]))
                return false;
        }
    }
    return true;
}

/* Without memory for it all stay as they are until the next time, of strays a quarter later. */
static void terms_sweep(search_terms *terms) {
    search_terms anew = {.count = 0};
    terms->strays = 0;
    if (!terms_rebuild(terms, &anew)) {
        terms_fini(&anew);
        return;
    }
    terms_fini(terms);
    *terms = anew;
}

static void sweep_if_due(search_terms *terms, uint32_t out_of_place) {
    if (out_of_place >= TERMS_SWEEP_MIN && out_of_place > terms->count / 4)
        terms_sweep(terms);
}

/* ---- Changes ---- */
bool search_terms_add(search_terms *terms, core_slice word, uint32_t documents) {
    uint32_t id;
    if (documents == 0 || word.length == 0 || word.length > SEARCH_TERM_BYTES_MAX)
        return true;
    if (!search_terms_find(terms, word, &id)) {
        bool added = term_insert(terms, word, documents);
        sweep_if_due(terms, terms->strays);
        return added;
    }
    if (terms->documents[id] == 0)
        terms->forgotten--;
    uint32_t room = UINT32_MAX - terms->documents[id];
    terms->documents[id] += documents < room ? documents : room;
    return true;
}

void search_terms_remove(search_terms *terms, core_slice word, uint32_t documents) {
    uint32_t id;
    if (documents == 0 || !search_terms_find(terms, word, &id) || terms->documents[id] == 0)
        return;
    terms->documents[id] -= documents < terms->documents[id] ? documents : terms->documents[id];
    if (terms->documents[id] > 0)
        return;
    terms->forgotten++;
    sweep_if_due(terms, terms->forgotten);
}

/* ---- Look-ups ---- */
uint32_t search_terms_documents(const search_terms *terms, core_slice word) {
    uint32_t id;
    return search_terms_find(terms, word, &id) ? terms->documents[id] : 0;
}

uint32_t search_terms_count(const search_terms *terms) {
    return terms->count - terms->forgotten;
}

size_t search_terms_bytes(const search_terms *terms) {
    size_t each = sizeof *terms->starts + sizeof *terms->documents;
    return sizeof *terms + terms->capacity * each + terms->bytes_capacity +
           terms->slot_count * sizeof *terms->slots + search_terms_order_bytes(&terms->order);
}
