/* The last state of each row by the stream's events: one part of them, folded in stream order into
 * a table in memory of bounded size. Pure.
 *
 * With keys an entry is the row with that key. Without, it is all rows that are alike: how many of
 * them the events add up to. */
#ifndef WALCAST_CDC_VERIFY_FOLD_H
#define WALCAST_CDC_VERIFY_FOLD_H

#include "cdc/verify_row.h"

typedef struct {
    cdc_verify_hash key;
    cdc_verify_value *values; /* of every column; NULL before the first SET */
    core_slice text;
    uint8_t *shown; /* the values' texts, when they are to be shown */
    uint16_t shown_length;
    uint16_t shown_room;
    bool present; /* with keys: the stream's last word is that the row is there */
    bool seen;    /* with keys: the table has it */
    /* Without keys. */
    uint64_t added;      /* all ADDs */
    int64_t net;         /* ADDs less TAKEs */
    int64_t lowest;      /* of net, ever: below 0, such rows were there before the events */
    uint64_t table_rows; /* the table's, for whoever compares */
    uint64_t table_new;  /* of these, written since the stream surely holds all */
} cdc_verify_entry;

typedef struct {
    core_arena arena;
    core_buffer shown; /* of the entry at hand */
    uint16_t columns;
    size_t max_bytes;
    cdc_verify_entry *entries;
    size_t count;
    size_t capacity;
    uint32_t *slots; /* open addressing: an entry's index and 1; 0: free */
    size_t slot_count;
} cdc_verify_fold;

/* Of rows with `columns` columns; takes up to about `max_bytes`. */
void cdc_verify_fold_init(cdc_verify_fold *fold, uint16_t columns, size_t max_bytes);
void cdc_verify_fold_fini(cdc_verify_fold *fold);
void cdc_verify_fold_reset(cdc_verify_fold *fold);

/* False when the maximum is reached: the part must be split. */
CORE_MUST_CHECK bool cdc_verify_fold_apply(cdc_verify_fold *fold, const cdc_verify_row *event);
/* NULL when no event told of such a key. */
cdc_verify_entry *cdc_verify_fold_find(const cdc_verify_fold *fold, cdc_verify_hash key);
/* Finds or adds, for rows of the table that no event told of; NULL at the maximum. */
CORE_MUST_CHECK cdc_verify_entry *cdc_verify_fold_entry(cdc_verify_fold *fold,
                                                        const cdc_verify_row *row);

#endif
