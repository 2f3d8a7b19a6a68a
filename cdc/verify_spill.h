/* Rows on disk in 256 parts by one byte of their key's hash, so that each part can be compared in
 * bounded memory: a part that is still too large is split again by the next byte.
 *
 * Rows of one key keep their order. Memory: a block of 32 KiB for each part while it is filled, one
 * while it is read, and 8 bytes for each block written. The file is nameless (cdc/spill_file.h).
 * Owned by one thread at a time. */
#ifndef WALCAST_CDC_VERIFY_SPILL_H
#define WALCAST_CDC_VERIFY_SPILL_H

#include "cdc/verify_row.h"

#define CDC_VERIFY_PARTS     256u
#define CDC_VERIFY_DEPTH_MAX 4u

typedef struct cdc_verify_spill cdc_verify_spill;

/* `depth`: which byte of the hash, from 0. */
CORE_MUST_CHECK cdc_verify_spill *cdc_verify_spill_new(const core_config *config, unsigned depth,
                                                       core_error *error);
void cdc_verify_spill_free(cdc_verify_spill *spill);
CORE_MUST_CHECK bool cdc_verify_spill_add(cdc_verify_spill *spill, const cdc_verify_row *row,
                                          core_error *error);
/* Writes out what is in memory and gives that memory back. Nothing can be added any more. */
CORE_MUST_CHECK bool cdc_verify_spill_finish(cdc_verify_spill *spill, core_error *error);

/* Reads one part in order. The spill must be finished. */
typedef struct {
    cdc_verify_spill *spill; /* all private */
    unsigned part;
    size_t block;
    core_cursor cursor;
    core_buffer bytes;
} cdc_verify_reader;

void cdc_verify_reader_init(cdc_verify_reader *reader, cdc_verify_spill *spill, unsigned part);
void cdc_verify_reader_fini(cdc_verify_reader *reader);
/* As cdc_verify_row_read; the row's text is valid until the next call. `*end` behind the last. */
CORE_MUST_CHECK bool cdc_verify_reader_next(cdc_verify_reader *reader, cdc_verify_row *row,
                                            uint16_t columns, bool *end, core_error *error);

#endif
