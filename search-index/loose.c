/* See loose.h. One array in the order of numbers. */
#include "search-index/loose.h"

#include <stdlib.h>

#define LOOSE_MAGIC UINT32_C(0x534c4f4f) /* "SLOO" */

typedef struct {
    uint64_t sequence;
    int64_t stored_us;
    uint64_t record; /* that it is of; 0: it has not come */
} loose_piece;

struct search_loose {
    uint32_t magic;
    loose_piece *pieces;
    size_t count, room;
    uint64_t last;  /* message that was noted */
    int64_t now_us; /* when the log took it */
    bool is_over;   /* there were too many */
};

search_loose *search_loose_new(void) {
    search_loose *loose = calloc(1, sizeof *loose);
    if (loose != NULL)
        loose->magic = LOOSE_MAGIC;
    return loose;
}

void search_loose_free(search_loose *loose) {
    if (loose == NULL)
        return;
    CORE_MAGIC_CHECK(loose, LOOSE_MAGIC);
    free(loose->pieces);
    loose->magic = 0;
    free(loose);
}

static void piece_add(search_loose *loose, uint64_t sequence, int64_t stored_us) {
    if (loose->count == loose->room) {
        size_t room = loose->room > 0 ? loose->room * 2 : 64;
        loose_piece *grown =
            room <= SEARCH_LOOSE_MAX ? realloc(loose->pieces, room * sizeof *grown) : NULL;
        loose->is_over |= grown == NULL;
        if (grown == NULL)
            return;
        loose->pieces = grown;
        loose->room = room;
    }
    loose->pieces[loose->count++] = (loose_piece){.sequence = sequence, .stored_us = stored_us};
}

static void piece_claim(search_loose *loose, uint64_t sequence, uint64_t record) {
    size_t low = 0, high = loose->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (loose->pieces[middle].sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < loose->count && loose->pieces[low].sequence == sequence)
        loose->pieces[low].record = record;
}

void search_loose_note(search_loose *loose, uint64_t sequence, int64_t stored_us,
                       const search_record *record) {
    CORE_MAGIC_CHECK(loose, LOOSE_MAGIC);
    if (sequence <= loose->last)
        return;
    loose->last = sequence;
    loose->now_us = stored_us > loose->now_us ? stored_us : loose->now_us;
    if (record->is_piece && record->taken == 0)
        piece_add(loose, sequence, stored_us);
    for (size_t i = 0; i < record->piece_count; i++)
        piece_claim(loose, record->pieces[i], sequence);
}

/* Nothing will need it. */
static bool is_done(const search_loose *loose, const loose_piece *piece, uint64_t position) {
    return piece->record > 0 ? piece->record <= position
                             : loose->now_us - piece->stored_us > SEARCH_PIECE_AGE_US;
}

uint64_t search_loose_spared(search_loose *loose, uint64_t position) {
    size_t kept = 0;
    CORE_MAGIC_CHECK(loose, LOOSE_MAGIC);
    for (size_t i = 0; i < loose->count; i++)
        if (!is_done(loose, &loose->pieces[i], position))
            loose->pieces[kept++] = loose->pieces[i];
    loose->count = kept;
    if (loose->is_over)
        return 0;
    return kept > 0 && loose->pieces[0].sequence <= position ? loose->pieces[0].sequence - 1
                                                             : position;
}
