/* See verify_spill.h. Rows never straddle two blocks: a block that has no room for the next row is
 * written out. The last block of a part may be short; each block's length stands before it. */
#include "cdc/verify_spill.h"

#include "cdc/spill_file.h"

#include <stdlib.h>

enum { BLOCK_BYTES = 32 << 10, HEAD_BYTES = 4 };

typedef struct {
    core_buffer open; /* the block that is filled */
    uint64_t *blocks; /* where the others are */
    size_t block_count;
    size_t block_capacity;
    uint64_t rows;
} spill_part;

struct cdc_verify_spill {
    cdc_spill_file *file;
    unsigned depth;
    bool finished;
    core_buffer row;
    spill_part parts[CDC_VERIFY_PARTS];
};

cdc_verify_spill *cdc_verify_spill_new(const core_config *config, unsigned depth,
                                       core_error *error) {
    assert(depth < CDC_VERIFY_DEPTH_MAX);
    cdc_verify_spill *spill = calloc(1, sizeof *spill);
    if (spill == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for rows to compare");
        return NULL;
    }
    spill->depth = depth;
    core_buffer_init(&spill->row, CDC_VERIFY_ROW_MAX);
    for (size_t i = 0; i < CDC_VERIFY_PARTS; i++)
        core_buffer_init(&spill->parts[i].open, BLOCK_BYTES);
    spill->file = cdc_spill_file_new(core_config_text(config, "cdc.spill_dir"), 0, NULL, error);
    if (spill->file != NULL)
        return spill;
    cdc_verify_spill_free(spill);
    return NULL;
}

void cdc_verify_spill_free(cdc_verify_spill *spill) {
    if (spill == NULL)
        return;
    for (size_t i = 0; i < CDC_VERIFY_PARTS; i++) {
        core_buffer_fini(&spill->parts[i].open);
        free(spill->parts[i].blocks);
    }
    core_buffer_fini(&spill->row);
    cdc_spill_file_free(spill->file);
    free(spill);
}

static unsigned part_of(const cdc_verify_spill *spill, cdc_verify_hash key) {
    return (unsigned)(key.high >> (56 - 8 * spill->depth)) & 0xff;
}

static bool block_room(spill_part *part, core_error *error) {
    if (part->block_count < part->block_capacity)
        return true;
    size_t capacity = part->block_capacity > 0 ? 2 * part->block_capacity : 4;
    uint64_t *blocks = reallocarray(part->blocks, capacity, sizeof *blocks);
    if (blocks == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for rows to compare");
    part->blocks = blocks;
    part->block_capacity = capacity;
    return true;
}

static bool block_write(cdc_verify_spill *spill, spill_part *part, core_error *error) {
    if (part->open.length == 0)
        return true;
    uint8_t head[HEAD_BYTES];
    for (unsigned i = 0; i < HEAD_BYTES; i++)
        head[i] = (uint8_t)(part->open.length >> (24 - 8 * i));
    const core_slice parts[] = {core_slice_make(head, sizeof head), core_buffer_slice(&part->open)};
    if (!block_room(part, error) || !cdc_spill_file_write(spill->file, parts, CORE_COUNT_OF(parts),
                                                          &part->blocks[part->block_count], error))
        return false;
    part->block_count++;
    core_buffer_reset(&part->open);
    return true;
}

bool cdc_verify_spill_add(cdc_verify_spill *spill, const cdc_verify_row *row, core_error *error) {
    assert(!spill->finished);
    spill_part *part = &spill->parts[part_of(spill, row->key)];
    core_buffer_reset(&spill->row);
    cdc_verify_row_write(&spill->row, row);
    core_slice bytes = core_buffer_slice(&spill->row);
    if (part->open.length + bytes.length > BLOCK_BYTES - HEAD_BYTES &&
        !block_write(spill, part, error))
        return false;
    if (part->open.capacity == 0) /* all of it at once: what grows step by step leaves holes */
        (void)core_buffer_reserve(&part->open, BLOCK_BYTES);
    core_buffer_slice_append(&part->open, bytes);
    part->rows++;
    return (core_buffer_ok(&spill->row) && core_buffer_ok(&part->open)) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for rows to compare");
}

bool cdc_verify_spill_finish(cdc_verify_spill *spill, core_error *error) {
    for (size_t i = 0; i < CDC_VERIFY_PARTS; i++) {
        if (!block_write(spill, &spill->parts[i], error))
            return false;
        core_buffer_fini(&spill->parts[i].open);
    }
    spill->finished = true;
    return true;
}

/* ---- Reading ---- */

void cdc_verify_reader_init(cdc_verify_reader *reader, cdc_verify_spill *spill, unsigned part) {
    assert(spill->finished && part < CDC_VERIFY_PARTS);
    *reader = (cdc_verify_reader){.spill = spill, .part = part};
    core_buffer_init(&reader->bytes, BLOCK_BYTES);
    reader->cursor = core_cursor_make(core_slice_make(NULL, 0));
}

void cdc_verify_reader_fini(cdc_verify_reader *reader) {
    core_buffer_fini(&reader->bytes);
}

static bool block_read(cdc_verify_reader *reader, core_error *error) {
    const spill_part *part = &reader->spill->parts[reader->part];
    uint64_t offset = part->blocks[reader->block++];
    uint8_t head[HEAD_BYTES];
    size_t length = 0;
    if (!cdc_spill_file_read(reader->spill->file, offset, head, sizeof head, error))
        return false;
    for (unsigned i = 0; i < HEAD_BYTES; i++)
        length = length << 8 | head[i];
    core_buffer_reset(&reader->bytes);
    uint8_t *target = length <= BLOCK_BYTES ? core_buffer_reserve(&reader->bytes, length) : NULL;
    if (target == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no room for %zu bytes of rows", length);
    if (!cdc_spill_file_read(reader->spill->file, offset + HEAD_BYTES, target, length, error))
        return false;
    core_buffer_commit(&reader->bytes, length);
    reader->cursor = core_cursor_make(core_buffer_slice(&reader->bytes));
    return true;
}

bool cdc_verify_reader_next(cdc_verify_reader *reader, cdc_verify_row *row, uint16_t columns,
                            bool *end, core_error *error) {
    *end = false;
    if (core_cursor_left(&reader->cursor) == 0) {
        *end = reader->block == reader->spill->parts[reader->part].block_count;
        if (*end)
            return true;
        if (!block_read(reader, error))
            return false;
    }
    return cdc_verify_row_read(&reader->cursor, row, columns, error);
}
