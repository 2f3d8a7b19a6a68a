/* See run_split.h. */
#include "cdc/run_split.h"

enum { CHUNK_MIN_BYTES = 64 };

void cdc_run_split_init(cdc_run_split *split, size_t message_max) {
    *split = (cdc_run_split){.message_max = message_max};
    core_run_writer_init(&split->writer, message_max);
}

void cdc_run_split_fini(cdc_run_split *split) {
    core_run_writer_fini(&split->writer);
    split->count = 0;
}

void cdc_run_split_start(cdc_run_split *split, const char *epoch, core_op op, const cdc_run *whole,
                         core_lsn before_lsn) {
    assert(whole->rows == 1 && split->count == 0);
    size_t overhead = core_run_part_overhead(&whole->last);
    assert(split->message_max >= overhead + CHUNK_MIN_BYTES);
    memcpy(split->epoch, epoch, sizeof split->epoch);
    split->op = op;
    split->whole = *whole;
    split->before_lsn = before_lsn;
    split->chunk_bytes = split->message_max - overhead;
    split->next = 0;
    split->count =
        (uint32_t)((whole->payload.length + split->chunk_bytes - 1) / split->chunk_bytes);
}

static core_part part_next(cdc_run_split *split) {
    core_slice payload = split->whole.payload;
    size_t from = split->next * split->chunk_bytes;
    size_t left = payload.length - from;
    size_t length = left < split->chunk_bytes ? left : split->chunk_bytes;
    return (core_part){
        .index = split->next++,
        .count = split->count,
        .total_bytes = payload.length,
        .chunk = core_slice_make(payload.data + from, length),
    };
}

/* What stands before the row is whole; of the row nothing is stored. */
static void part_unfinished(const cdc_run_split *split, cdc_run *run) {
    if (core_run_is_behind(split->op, split->whole.last_complete))
        return; /* no change: what stands before it is whole with and without it */
    run->holds_last = run->last_complete = false;
    run->last.end_lsn = run->last.xid == 0 ? split->before_lsn : 0;
    run->shown_lsn = run->last.xid == 0 ? split->before_lsn : run->last.commit_lsn;
    run->safe_lsn = split->before_lsn;
}

bool cdc_run_split_next(cdc_run_split *split, cdc_run *run) {
    if (split->next == split->count) {
        split->count = split->next = 0;
        return false;
    }
    core_part part = part_next(split);
    *run = split->whole;
    run->rows = 0;
    if (split->next < split->count)
        part_unfinished(split, run);
    core_change place = {.op = split->op, .transaction = run->last, .index = run->last_index};
    core_run_open(&split->writer, split->epoch, split->op, NULL);
    bool fits = core_run_append_part(&split->writer, &place, &part);
    assert(fits);
    (void)fits;
    core_run_transaction_end(&split->writer, run->last_complete);
    run->payload = core_run_close(&split->writer);
    return true;
}
