/* Versions of documents: where what they say stands in the change stream, so that of two the one
 * that is greater is newer, whichever came first. Pure.
 *
 * Bits: 40 of the message's sequence, 16 of the row in it, 8 for documents that were made again
 * without a change of their own row. A snapshot's row stands behind all rows of the message that it
 * belongs after. */
#ifndef WALCAST_SEARCH_INDEX_VERSION_H
#define WALCAST_SEARCH_INDEX_VERSION_H

#include "core/core.h"

#define SEARCH_VERSION_ROW_MAX   0xFFFFu /* a run has fewer rows */
#define SEARCH_VERSION_AGAIN_MAX 0xFFu

static inline uint64_t search_version_make(uint64_t sequence, uint32_t row) {
    assert(row <= SEARCH_VERSION_ROW_MAX && sequence < UINT64_C(1) << 40);
    return sequence << 24 | (uint64_t)row << 8;
}

static inline uint64_t search_version_snapshot(uint64_t after_sequence) {
    return search_version_make(after_sequence, SEARCH_VERSION_ROW_MAX);
}

/* Of the same row made again when all up to `sequence` is known; 0: not now, later there is one. */
static inline uint64_t search_version_again(uint64_t version, uint64_t sequence) {
    uint64_t now = search_version_snapshot(sequence);
    if ((version & SEARCH_VERSION_AGAIN_MAX) < SEARCH_VERSION_AGAIN_MAX)
        return version + 1;
    return now > version ? now : 0;
}

#endif
