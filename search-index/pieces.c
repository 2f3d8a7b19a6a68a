/* Values in the document's order, then by slot with SEARCH_BREAK between those of one slot. */
#include "search-index/pieces.h"

#include "search-index/tokenizer_fts.h"
#include "search-index/walk.h"

#include <stdlib.h>

#define PIECES_BYTES_MAX ((size_t)64 << 20)

void search_pieces_init(search_pieces *pieces, search_slots *slots) {
    *pieces = (search_pieces){.slots = slots};
    core_buffer_init(&pieces->bytes, PIECES_BYTES_MAX);
    core_buffer_init(&pieces->joined, PIECES_BYTES_MAX);
}

void search_pieces_fini(search_pieces *pieces) {
    core_buffer_fini(&pieces->bytes);
    core_buffer_fini(&pieces->joined);
    free(pieces->pieces);
    free(pieces->texts);
    pieces->pieces = NULL;
    pieces->texts = NULL;
}

static bool room_make(void **array, size_t element, uint32_t count, uint32_t *capacity) {
    if (count < *capacity)
        return true;
    uint32_t size = *capacity > 0 ? 2 * *capacity : 32;
    void *grown = realloc(*array, size * element);
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = size;
    return true;
}

static bool piece_add(search_pieces *pieces, uint32_t slot, size_t start) {
    void *array = pieces->pieces;
    size_t length = pieces->bytes.length - start;
    if (length == 0 || pieces->piece_count == SEARCH_PIECES_MAX)
        return true;
    if (!room_make(&array, sizeof *pieces->pieces, pieces->piece_count, &pieces->piece_capacity))
        return false;
    pieces->pieces = array;
    pieces->pieces[pieces->piece_count] =
        (search_piece){.slot = slot, .offset = (uint32_t)start, .length = (uint32_t)length};
    if (pieces->piece_count > 0 && pieces->pieces[pieces->piece_count - 1].slot > slot)
        pieces->is_sorted = false;
    pieces->piece_count++;
    return true;
}

/* A NUL would end the text for SQLite. */
static void nul_blank(uint8_t *text, size_t length) {
    for (uint8_t *at = text; (at = memchr(at, 0, length - (size_t)(at - text))) != NULL;)
        *at = ' ';
}

static bool step_take(void *context, const search_walk_step *step) {
    search_pieces *pieces = context;
    core_json_kind kind = step->token.kind;
    if (kind == CORE_JSON_NULL || kind == CORE_JSON_OBJECT_OPEN || kind == CORE_JSON_ARRAY_OPEN)
        return true;
    uint32_t slot = search_slots_of(pieces->slots, step->path);
    if (slot == SEARCH_SLOT_NONE)
        return true;
    core_buffer *bytes = &pieces->bytes;
    size_t start = bytes->length;
    core_slice raw = step->token.raw;
    if (kind == CORE_JSON_STRING && memchr(raw.data, '\\', raw.length) != NULL) {
        if (!core_json_unescape(raw, bytes) && core_buffer_ok(bytes))
            bytes->length = start; /* half a surrogate pair: no text */
        if (core_buffer_ok(bytes) && bytes->length > start)
            nul_blank(bytes->data + start, bytes->length - start);
    } else {
        core_buffer_slice_append(bytes, raw);
    }
    pieces->is_failed = !core_buffer_ok(bytes) || !piece_add(pieces, slot, start);
    return !pieces->is_failed;
}

static int piece_compare(const void *left, const void *right) {
    const search_piece *a = left, *b = right;
    if (a->slot != b->slot)
        return a->slot < b->slot ? -1 : 1;
    return a->offset < b->offset ? -1 : 1;
}

/* Texts are offsets while `joined` may still move. */
static bool text_add(search_pieces *pieces, uint32_t slot, size_t start) {
    void *array = pieces->texts;
    if (!room_make(&array, sizeof *pieces->texts, pieces->text_count, &pieces->text_capacity))
        return false;
    pieces->texts = array;
    pieces->texts[pieces->text_count++] = (search_slot_text){
        .slot = slot, .text = core_slice_make(NULL, pieces->joined.length - start)};
    return true;
}

static bool texts_join(search_pieces *pieces) {
    core_buffer *joined = &pieces->joined;
    for (uint32_t i = 0; i < pieces->piece_count;) {
        uint32_t slot = pieces->pieces[i].slot;
        size_t start = joined->length;
        for (; i < pieces->piece_count && pieces->pieces[i].slot == slot; i++) {
            if (joined->length > start)
                core_buffer_u8(joined, SEARCH_BREAK);
            core_buffer_append(joined, pieces->bytes.data + pieces->pieces[i].offset,
                               pieces->pieces[i].length);
        }
        if (!core_buffer_ok(joined) || !text_add(pieces, slot, start))
            return false;
    }
    size_t at = 0;
    for (uint32_t i = 0; i < pieces->text_count; i++) {
        pieces->texts[i].text.data = joined->data + at;
        at += pieces->texts[i].text.length;
    }
    return true;
}

bool search_pieces_read(search_pieces *pieces, core_slice json, core_error *error) {
    core_buffer_reset(&pieces->bytes);
    core_buffer_reset(&pieces->joined);
    pieces->piece_count = pieces->text_count = 0;
    pieces->is_sorted = true;
    pieces->is_failed = false;
    search_walk_result result = search_walk(json, step_take, pieces);
    if (result == SEARCH_WALK_REFUSED)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "search document: it must be a JSON object nested at most 256 deep");
    if (!pieces->is_sorted)
        qsort(pieces->pieces, pieces->piece_count, sizeof *pieces->pieces, piece_compare);
    if (result == SEARCH_WALK_STOPPED || !texts_join(pieces))
        return core_error_set(error, CORE_ERROR_INTERNAL, "search document: out of memory");
    return true;
}

bool search_pieces_equal(const search_pieces *a, const search_pieces *b) {
    if (a->text_count != b->text_count)
        return false;
    for (uint32_t i = 0; i < a->text_count; i++)
        if (a->texts[i].slot != b->texts[i].slot ||
            !core_slice_equal(a->texts[i].text, b->texts[i].text))
            return false;
    return true;
}
