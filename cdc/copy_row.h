/* A row of COPY ... TO STDOUT, in text and in binary format.
 *
 * Source: PostgreSQL's documentation of COPY, "File Formats". The readers are total: any bytes give
 * a row or INPUT with the place. */
#ifndef WALCAST_CDC_COPY_ROW_H
#define WALCAST_CDC_COPY_ROW_H

#include "core/core.h"

/* One line of text format, its newline with it or not. Escapes are undone in place, so values point
 * into `line` and live as long. Exactly `count` values. */
CORE_MUST_CHECK bool cdc_copy_text_read(uint8_t *line, size_t length, core_value *values,
                                        size_t count, core_error *error);

typedef struct {
    bool begun; /* the header was read */
} cdc_copy_binary;

/* One message of binary format. `*given` false: it was the trailer. Which values are text though
 * (their type has no binary form) the caller knows: all come as BINARY. */
CORE_MUST_CHECK bool cdc_copy_binary_read(cdc_copy_binary *state, core_slice bytes,
                                          core_value *values, size_t count, bool *given,
                                          core_error *error);

#endif
