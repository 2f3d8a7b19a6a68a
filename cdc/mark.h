/* Marks: from which transaction on the stream surely holds everything, noted beside it now and then
 * in the key-value bucket `{nats.stream}_state` under `marks.{source}`.
 *
 * A mark is a stream sequence and a transaction id that no transaction had when that sequence was
 * stored: whatever has this id or a later one commits behind everything up to the sequence, so as
 * long as the stream begins at or before the next one, it holds every published change of it.
 * `walcast verify` tells by them which rows the stream must know. Pure. */
#ifndef WALCAST_CDC_MARK_H
#define WALCAST_CDC_MARK_H

#include "core/core.h"

#define CDC_MARKS_MAX      256u
#define CDC_MARKS_JSON_MAX 16384u

typedef struct {
    uint64_t sequence;
    uint64_t xid; /* at full length */
} cdc_mark;

typedef struct {
    char epoch[CORE_EPOCH_TEXT_SIZE]; /* another epoch, other sequences: no mark of it holds */
    size_t count;
    cdc_mark marks[CDC_MARKS_MAX]; /* sequences ascending */
} cdc_marks;

/* Of the same sequence the earlier id counts. When full, every second one goes. */
void cdc_marks_add(cdc_marks *marks, const char *epoch, const cdc_mark *mark);
/* The first mark that holds for a history that begins at `first_sequence`; NULL: none. */
const cdc_mark *cdc_marks_find(const cdc_marks *marks, const char *epoch, uint64_t first_sequence);

void cdc_marks_encode(const cdc_marks *marks, core_buffer *out);
/* INPUT error when it is not such a record. */
CORE_MUST_CHECK bool cdc_marks_decode(core_slice json, cdc_marks *marks, core_error *error);

#endif
