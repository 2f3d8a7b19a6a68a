/* One row or event as `walcast verify` keeps it on disk: hashes instead of values, and the key's
 * text, cut, to show it by. Written and read side by side. Pure. */
#ifndef WALCAST_CDC_VERIFY_ROW_H
#define WALCAST_CDC_VERIFY_ROW_H

#include "cdc/verify_hash.h"

#define CDC_VERIFY_TEXT_MAX  4096        /* of a key, or of a row's values, in all */
#define CDC_VERIFY_KEY_MAX   256         /* of one value of a key */
#define CDC_VERIFY_VALUE_MAX 64          /* of one of a row's values */
#define CDC_VERIFY_ROW_MAX   (24u << 10) /* encoded: 1664 columns, both texts and the rest */

/* What is known of a column's value. */
typedef enum {
    CDC_VERIFY_NULL = 0,
    CDC_VERIFY_VALUE,
    CDC_VERIFY_LATER,     /* read from the table after the change: may be newer */
    CDC_VERIFY_OTHER,     /* from when the column had another type: its text may differ by that */
    CDC_VERIFY_UNCHANGED, /* what it was before */
    CDC_VERIFY_UNKNOWN,   /* the stream does not say */
} cdc_verify_kind;

typedef struct {
    uint64_t hash; /* 0 for NULL, UNCHANGED and UNKNOWN */
    uint8_t kind;
} cdc_verify_value;

typedef enum {
    CDC_VERIFY_ROW = 0, /* of the table */
    CDC_VERIFY_SET,     /* the stream: the row with this key is now so */
    CDC_VERIFY_DROP,    /* there is none with this key any more */
    CDC_VERIFY_ADD,     /* without keys: one more such row */
    CDC_VERIFY_TAKE,    /* one such row less */
} cdc_verify_op;

typedef struct {
    cdc_verify_op op;
    uint64_t number; /* of the event, in stream order; of a row: its xmin, at full length */
    cdc_verify_hash key;
    uint16_t count; /* of values; 0 but for ROW and SET of tables with keys */
    cdc_verify_value *values;
    core_slice text;  /* of the key, see cdc_verify_text_append */
    core_slice shown; /* of ROW and SET, when values are to be shown: of every column */
} cdc_verify_row;

void cdc_verify_row_write(core_buffer *out, const cdc_verify_row *row);
/* The next row of `cursor` into `row`, whose `values` must have room for `columns`. INPUT error
 * when it is malformed. */
CORE_MUST_CHECK bool cdc_verify_row_read(core_cursor *cursor, cdc_verify_row *row, uint16_t columns,
                                         core_error *error);

/* A text is values one behind the other, each cut to `most` bytes; what is not known is UNCHANGED.
 * Beyond the buffer's maximum there are no more. */
void cdc_verify_text_append(core_buffer *text, const core_value *value, size_t most);
/* The next value; `*cut`: it was longer. False at the end. */
CORE_MUST_CHECK bool cdc_verify_text_next(core_cursor *cursor, core_value *value, bool *cut);

#endif
