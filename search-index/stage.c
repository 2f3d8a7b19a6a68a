/* See stage.h. Terms are in a table that is at most half full and grows by doubling. */
#include "search-index/stage.h"

#include <stdlib.h>

#define CHANGES_MAX (1u << 20)
#define TABLE_KEPT  65536u /* a larger one is given back after its group */
#define BYTES_KEPT  ((size_t)1 << 20)

void search_stage_init(search_stage *stage) {
    *stage = (search_stage){.is_cleared = false};
    core_buffer_init(&stage->bytes, SEARCH_STAGE_TERM_BYTES_MAX);
}

static void rows_free(search_stage *stage) {
    for (uint32_t i = 0; i < stage->change_count; i++) {
        search_row_free(stage->changes[i].row);
        search_row_free(stage->changes[i].before);
    }
    stage->change_count = 0;
}

static void table_free(search_stage *stage) {
    free(stage->terms);
    free(stage->places);
    stage->terms = NULL;
    stage->places = NULL;
    stage->term_capacity = stage->place_count = 0;
}

void search_stage_fini(search_stage *stage) {
    rows_free(stage);
    free(stage->changes);
    stage->changes = NULL;
    table_free(stage);
    core_buffer_fini(&stage->bytes);
}

void search_stage_reset(search_stage *stage) {
    rows_free(stage);
    if (stage->place_count > TABLE_KEPT)
        table_free(stage);
    else if (stage->places != NULL)
        memset(stage->places, 0, stage->place_count * sizeof *stage->places);
    if (stage->bytes.capacity > BYTES_KEPT) {
        core_buffer_fini(&stage->bytes);
        core_buffer_init(&stage->bytes, SEARCH_STAGE_TERM_BYTES_MAX);
    }
    core_buffer_reset(&stage->bytes);
    stage->term_count = 0;
    stage->stamp = 0;
    stage->is_cleared = stage->is_failed = false;
}

core_slice search_stage_term_text(const search_stage *stage, const search_stage_term *term) {
    return core_slice_make(stage->bytes.data + term->offset, term->length);
}

static uint32_t *place_of(const search_stage *stage, core_slice word) {
    uint32_t mask = stage->place_count - 1;
    uint32_t at = (uint32_t)core_slice_hash(word) & mask;
    while (stage->places[at] != 0) {
        const search_stage_term *term = &stage->terms[stage->places[at] - 1];
        if (core_slice_equal(search_stage_term_text(stage, term), word))
            break;
        at = (at + 1) & mask;
    }
    return &stage->places[at];
}

static bool places_grow(search_stage *stage) {
    uint32_t count = stage->place_count > 0 ? 2 * stage->place_count : 4096;
    uint32_t *places = calloc(count, sizeof *places);
    if (places == NULL)
        return false;
    free(stage->places);
    stage->places = places;
    stage->place_count = count;
    for (uint32_t i = 0; i < stage->term_count; i++)
        *place_of(stage, search_stage_term_text(stage, &stage->terms[i])) = i + 1;
    return true;
}

static bool terms_grow(search_stage *stage) {
    uint32_t capacity = stage->term_capacity > 0 ? 2 * stage->term_capacity : 2048;
    if (stage->term_count < stage->term_capacity)
        return true;
    search_stage_term *grown =
        capacity <= SEARCH_STAGE_TERMS_MAX ? realloc(stage->terms, capacity * sizeof *grown) : NULL;
    if (grown == NULL)
        return false;
    stage->terms = grown;
    stage->term_capacity = capacity;
    return true;
}

static search_stage_term *term_of(search_stage *stage, core_slice word) {
    if (2 * (stage->term_count + 1) > stage->place_count && !places_grow(stage))
        return NULL;
    uint32_t *place = place_of(stage, word);
    if (*place != 0)
        return &stage->terms[*place - 1];
    if (!terms_grow(stage))
        return NULL;
    search_stage_term *term = &stage->terms[stage->term_count];
    *term = (search_stage_term){.offset = (uint32_t)stage->bytes.length,
                                .length = (uint8_t)word.length};
    core_buffer_slice_append(&stage->bytes, word);
    if (!core_buffer_ok(&stage->bytes))
        return NULL;
    *place = ++stage->term_count;
    return term;
}

void search_stage_document(search_stage *stage, int32_t sign) {
    stage->stamp++;
    stage->sign = sign;
    stage->words = 0;
}

void search_stage_word(void *context, const search_token *token) {
    search_stage *stage = context;
    stage->words += !token->is_stem;
    search_stage_term *term = stage->is_failed ? NULL : term_of(stage, token->text);
    if (term == NULL) {
        stage->is_failed = true;
        return;
    }
    if (term->stamp == stage->stamp)
        return;
    term->stamp = stage->stamp;
    term->documents += stage->sign;
}

bool search_stage_add(search_stage *stage, const search_stage_change *change) {
    if (stage->change_count == stage->change_capacity) {
        uint32_t capacity = stage->change_capacity > 0 ? 2 * stage->change_capacity : 256;
        search_stage_change *grown =
            capacity <= CHANGES_MAX ? realloc(stage->changes, capacity * sizeof *grown) : NULL;
        if (grown == NULL)
            return false;
        stage->changes = grown;
        stage->change_capacity = capacity;
    }
    stage->changes[stage->change_count++] = *change;
    return true;
}
