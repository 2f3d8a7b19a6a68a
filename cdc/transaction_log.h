/* The messages of one transaction in progress, in the order they came: written at the end, moved
 * from memory to the spill file from the front, and at last consumed by reading.
 *
 * Kept in chunks that double up to the room's maximum. A record is a length and the xid of its
 * sub-transaction, both of 4 bytes, then the message; records do not cross chunks. Owned by one
 * thread. */
#ifndef WALCAST_CDC_TRANSACTION_LOG_H
#define WALCAST_CDC_TRANSACTION_LOG_H

#include "cdc/spill_file.h"

/* What all logs share. */
typedef struct {
    size_t memory_bytes; /* held by all of them now */
    size_t chunk_max_bytes;
    cdc_spill_file *spill; /* NULL: nothing can be spilled yet */
} cdc_log_room;

typedef struct cdc_log_chunk cdc_log_chunk;

typedef struct {
    cdc_log_chunk *first;
    cdc_log_chunk *last;
    cdc_log_chunk *first_in_memory; /* all before it are spilled */
    size_t memory_bytes;            /* of this log */
} cdc_transaction_log;

/* Where reading stands; zeroed at the start. */
typedef struct {
    uint8_t *buffer; /* a chunk that came from the file */
    size_t capacity;
    core_cursor cursor;
    const cdc_log_chunk *chunk;
    bool begun; /* the cursor is over `chunk` */
    bool started;
} cdc_log_reader;

/* Zeroed is empty. */
void cdc_transaction_log_fini(cdc_transaction_log *log, cdc_log_room *room);

/* A message as its letter and the rest. */
typedef struct {
    uint32_t subxid;
    uint8_t letter;
    core_slice rest;
} cdc_log_record;

/* Memory that appending would add. */
size_t cdc_transaction_log_growth(const cdc_transaction_log *log, const cdc_log_room *room,
                                  const cdc_log_record *record);
/* The record is larger than a chunk: it goes by append_spilled, not through memory. */
bool cdc_transaction_log_is_large(const cdc_log_room *room, const cdc_log_record *record);
/* INTERNAL when memory is out. */
CORE_MUST_CHECK bool cdc_transaction_log_append(cdc_transaction_log *log, cdc_log_room *room,
                                                const cdc_log_record *record, core_error *error);
/* Straight into the file, after all that the log has in memory. */
CORE_MUST_CHECK bool cdc_transaction_log_append_spilled(cdc_transaction_log *log,
                                                        cdc_log_room *room,
                                                        const cdc_log_record *record,
                                                        core_error *error);
/* Moves the oldest chunk in memory to the file; there must be one. On error it stays. */
CORE_MUST_CHECK bool cdc_transaction_log_spill(cdc_transaction_log *log, cdc_log_room *room,
                                               core_error *error);

/* The next record: `*message` is whole (letter and rest) and valid until the next call; `*end` when
 * there is none, and the next call starts again. Chunks that were read are freed unless `keep`,
 * which stays the same until the end. TRANSIENT when the disk fails. */
CORE_MUST_CHECK bool cdc_transaction_log_next(cdc_transaction_log *log, cdc_log_room *room,
                                              cdc_log_reader *reader, bool keep, uint32_t *subxid,
                                              core_slice *message, bool *end, core_error *error);
void cdc_log_reader_fini(cdc_log_reader *reader);

#endif
