/* Splits a run of one row that is too large for one message into parts (event.proto, Part).
 *
 * The parts' messages have the run's subject and consecutive sequences, since nothing else is sent
 * between them. Only the last one says that the row is stored: until then a restart finds a tail
 * that stands before the row, and the row is sent again from part 0. Owned by one thread. */
#ifndef WALCAST_CDC_RUN_SPLIT_H
#define WALCAST_CDC_RUN_SPLIT_H

#include "cdc/run_builder.h"

typedef struct {
    size_t message_max;
    core_run_writer writer; /* of one part */
    char epoch[CORE_EPOCH_TEXT_SIZE];
    core_op op;
    cdc_run whole; /* its payload must live until the last part was taken */
    core_lsn before_lsn;
    size_t chunk_bytes;
    uint32_t count; /* 0: nothing is being split */
    uint32_t next;
} cdc_run_split;

void cdc_run_split_init(cdc_run_split *split, size_t message_max);
void cdc_run_split_fini(cdc_run_split *split);
/* `before_lsn`: the end of the last transaction that is wholly in runs before this one. */
void cdc_run_split_start(cdc_run_split *split, const char *epoch, core_op op, const cdc_run *whole,
                         core_lsn before_lsn);
/* Gives the next part, its payload valid until the next call; false after the last. */
bool cdc_run_split_next(cdc_run_split *split, cdc_run *part);

#endif
