/* One row of COPY ... TO STDOUT in text form, taken apart:
 * https://www.postgresql.org/docs/current/sql-copy.html, "Text Format". Pure. */
#ifndef WALCAST_CDC_VERIFY_COPY_H
#define WALCAST_CDC_VERIFY_COPY_H

#include "core/core.h"

/* Undoes the escapes in `line` itself (with or without its line end) and points `values` into it.
 * INPUT error when it has not exactly `count` columns or a malformed escape. */
CORE_MUST_CHECK bool cdc_verify_copy_split(uint8_t *line, size_t length, core_value *values,
                                           size_t count, core_error *error);

#endif
