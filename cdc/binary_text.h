/* The text of a value that came in binary form, byte by byte as the server's own output function
 * writes it under the settings of our connections (DateStyle ISO, TimeZone UTC, bytea_output hex).
 *
 * A row of COPY in binary form costs the server about two thirds of one in text. Types are told
 * apart by the names of their output and send functions, so that domains and enums count as what
 * they are; what is not in the table (floats, whose shortest digits are the server's secret, inet,
 * arrays, types of extensions) has no text here, and its table is read as text.
 *
 * Sources: the *send and *out functions of PostgreSQL's src/backend/utils/adt. Total: any bytes
 * give a text or INPUT. Nothing is kept; safe from every thread. */
#ifndef WALCAST_CDC_BINARY_TEXT_H
#define WALCAST_CDC_BINARY_TEXT_H

#include "core/core.h"

typedef struct cdc_binary_text cdc_binary_text;

/* `functions`: as regproc writes them, "int4out int4send". Static; NULL: no such type here. */
const cdc_binary_text *cdc_binary_text_of(core_slice functions);

/* Makes text of `count` values: NULLs stay, the others must be BINARY. Their bytes lie in what they
 * lay in, or in `room`, which is emptied first. INPUT: a value is not of its type; LIMIT: they
 * take more than the room may. */
CORE_MUST_CHECK bool cdc_binary_text_row(const cdc_binary_text *const *types, core_value *values,
                                         size_t count, core_buffer *room, core_error *error);

#endif
