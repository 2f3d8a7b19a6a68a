/* See transaction_log.h. */
#include "cdc/transaction_log.h"

#include <stdlib.h>

enum { CHUNK_FIRST_BYTES = 4096, HEADER_BYTES = 8 };

struct cdc_log_chunk {
    cdc_log_chunk *next;
    uint8_t *bytes; /* NULL: in the file */
    size_t length;
    size_t capacity;
    uint64_t offset; /* in the file */
};

static size_t record_bytes(const cdc_log_record *record) {
    return HEADER_BYTES + 1 + record->rest.length;
}

/* ---- Chunks ---- */

static void chunk_link(cdc_transaction_log *log, cdc_log_chunk *chunk) {
    if (log->last != NULL)
        log->last->next = chunk;
    else
        log->first = chunk;
    log->last = chunk;
}

static void chunk_forget_memory(cdc_transaction_log *log, cdc_log_room *room,
                                cdc_log_chunk *chunk) {
    free(chunk->bytes);
    chunk->bytes = NULL;
    log->memory_bytes -= chunk->capacity;
    room->memory_bytes -= chunk->capacity;
}

static void first_drop(cdc_transaction_log *log, cdc_log_room *room) {
    cdc_log_chunk *chunk = log->first;
    if (chunk->bytes != NULL)
        chunk_forget_memory(log, room, chunk);
    else
        cdc_spill_file_discard(room->spill, chunk->offset, chunk->length);
    log->first = chunk->next;
    if (log->first_in_memory == chunk)
        log->first_in_memory = chunk->next;
    if (log->last == chunk)
        log->last = NULL;
    free(chunk);
}

void cdc_transaction_log_fini(cdc_transaction_log *log, cdc_log_room *room) {
    while (log->first != NULL)
        first_drop(log, room);
}

/* ---- Append ---- */

static bool last_fits(const cdc_transaction_log *log, const cdc_log_record *record) {
    const cdc_log_chunk *last = log->last;
    return last != NULL && last->bytes != NULL &&
           last->capacity - last->length >= record_bytes(record);
}

size_t cdc_transaction_log_growth(const cdc_transaction_log *log, const cdc_log_room *room,
                                  const cdc_log_record *record) {
    if (last_fits(log, record))
        return 0;
    size_t capacity = log->last != NULL ? log->last->capacity * 2 : CHUNK_FIRST_BYTES;
    if (capacity > room->chunk_max_bytes)
        capacity = room->chunk_max_bytes;
    return capacity > record_bytes(record) ? capacity : record_bytes(record);
}

bool cdc_transaction_log_is_large(const cdc_log_room *room, const cdc_log_record *record) {
    return record_bytes(record) > room->chunk_max_bytes;
}

static void header_make(const cdc_log_record *record, uint8_t header[HEADER_BYTES + 1]) {
    uint32_t length = (uint32_t)(record->rest.length + 1);
    for (size_t i = 0; i < 4; i++) {
        header[i] = (uint8_t)(length >> (24 - 8 * i));
        header[4 + i] = (uint8_t)(record->subxid >> (24 - 8 * i));
    }
    header[HEADER_BYTES] = record->letter;
}

static bool out_of_memory(core_error *error) {
    return core_error_set(error, CORE_ERROR_INTERNAL,
                          "out of memory for a transaction in progress");
}

static cdc_log_chunk *chunk_add(cdc_transaction_log *log, cdc_log_room *room, size_t capacity) {
    cdc_log_chunk *chunk = calloc(1, sizeof *chunk);
    uint8_t *bytes = chunk != NULL ? malloc(capacity) : NULL;
    if (bytes == NULL) {
        free(chunk);
        return NULL;
    }
    *chunk = (cdc_log_chunk){.bytes = bytes, .capacity = capacity};
    chunk_link(log, chunk);
    if (log->first_in_memory == NULL)
        log->first_in_memory = chunk;
    log->memory_bytes += capacity;
    room->memory_bytes += capacity;
    return chunk;
}

bool cdc_transaction_log_append(cdc_transaction_log *log, cdc_log_room *room,
                                const cdc_log_record *record, core_error *error) {
    assert(record->rest.length < UINT32_MAX - HEADER_BYTES);
    size_t growth = cdc_transaction_log_growth(log, room, record);
    cdc_log_chunk *chunk = growth > 0 ? chunk_add(log, room, growth) : log->last;
    if (chunk == NULL)
        return out_of_memory(error);
    uint8_t *target = chunk->bytes + chunk->length;
    header_make(record, target);
    if (record->rest.length > 0)
        memcpy(target + HEADER_BYTES + 1, record->rest.data, record->rest.length);
    chunk->length += record_bytes(record);
    return true;
}

bool cdc_transaction_log_append_spilled(cdc_transaction_log *log, cdc_log_room *room,
                                        const cdc_log_record *record, core_error *error) {
    assert(record->rest.length < UINT32_MAX - HEADER_BYTES);
    while (log->first_in_memory != NULL)
        if (!cdc_transaction_log_spill(log, room, error))
            return false;
    cdc_log_chunk *chunk = calloc(1, sizeof *chunk);
    if (chunk == NULL)
        return out_of_memory(error);
    uint8_t header[HEADER_BYTES + 1];
    header_make(record, header);
    core_slice parts[] = {core_slice_make(header, sizeof header), record->rest};
    chunk->length = record_bytes(record);
    chunk->capacity = room->chunk_max_bytes; /* the next one's measure */
    if (!cdc_spill_file_write(room->spill, parts, CORE_COUNT_OF(parts), &chunk->offset, error)) {
        free(chunk);
        return false;
    }
    chunk_link(log, chunk);
    return true;
}

bool cdc_transaction_log_spill(cdc_transaction_log *log, cdc_log_room *room, core_error *error) {
    cdc_log_chunk *chunk = log->first_in_memory;
    assert(chunk != NULL && chunk->bytes != NULL);
    core_slice bytes = core_slice_make(chunk->bytes, chunk->length);
    if (!cdc_spill_file_write(room->spill, &bytes, 1, &chunk->offset, error))
        return false;
    chunk_forget_memory(log, room, chunk);
    log->first_in_memory = chunk->next;
    return true;
}

/* ---- Read ---- */

static bool buffer_grow(cdc_log_reader *reader, size_t needed, core_error *error) {
    if (needed <= reader->capacity)
        return true;
    uint8_t *buffer = realloc(reader->buffer, needed);
    if (buffer == NULL)
        return out_of_memory(error);
    reader->buffer = buffer;
    reader->capacity = needed;
    return true;
}

/* Puts the cursor over the reader's chunk. */
static bool chunk_open(cdc_log_room *room, cdc_log_reader *reader, core_error *error) {
    const cdc_log_chunk *chunk = reader->chunk;
    const uint8_t *bytes = chunk->bytes;
    if (bytes == NULL) {
        if (!buffer_grow(reader, chunk->length, error) ||
            !cdc_spill_file_read(room->spill, chunk->offset, reader->buffer, chunk->length, error))
            return false;
        bytes = reader->buffer;
    }
    reader->cursor = core_cursor_make(core_slice_make(bytes, chunk->length));
    reader->begun = true;
    return true;
}

/* To the next chunk when this one is read; NULL behind the last. */
static void chunk_advance(cdc_transaction_log *log, cdc_log_room *room, cdc_log_reader *reader,
                          bool keep) {
    if (!reader->started) {
        reader->started = true;
        reader->chunk = log->first;
    } else if (reader->begun && core_cursor_left(&reader->cursor) == 0) {
        reader->chunk = reader->chunk->next;
        reader->begun = false;
        if (!keep)
            first_drop(log, room);
    }
}

bool cdc_transaction_log_next(cdc_transaction_log *log, cdc_log_room *room, cdc_log_reader *reader,
                              bool keep, uint32_t *subxid, core_slice *message, bool *end,
                              core_error *error) {
    chunk_advance(log, room, reader, keep);
    *end = reader->chunk == NULL;
    if (*end) {
        reader->started = false;
        return true;
    }
    if (!reader->begun && !chunk_open(room, reader, error))
        return false;
    uint32_t length = core_cursor_u32(&reader->cursor);
    *subxid = core_cursor_u32(&reader->cursor);
    *message = core_cursor_bytes(&reader->cursor, length);
    return core_cursor_ok(&reader->cursor) ||
           core_error_set(error, CORE_ERROR_TRANSIENT,
                          "the spill file gave back other bytes than were written to it");
}

void cdc_log_reader_fini(cdc_log_reader *reader) {
    free(reader->buffer);
    *reader = (cdc_log_reader){0};
}
