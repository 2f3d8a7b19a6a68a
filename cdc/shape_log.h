/* What the stream was told of tables' shapes (schema_event.h): the version told last, by OID, or
 * for a table that the stream has not had, by the name of one that it has had (dropped and made
 * anew).
 *
 * Filled from the stream itself before each connection streams (source_shapes.c), so that nothing
 * about it is kept anywhere else and no table waits for an answer in the middle of the WAL. Past
 * CDC_SHAPES_MAX nothing is added: such a shape is told again by the next connection, never missed.
 * Owned by one thread. */
#ifndef WALCAST_CDC_SHAPE_LOG_H
#define WALCAST_CDC_SHAPE_LOG_H

#include "core/core.h"

#define CDC_SHAPES_MAX 262144 /* tables, dropped ones too: about 32 MB */

typedef struct cdc_shape_log cdc_shape_log;

/* NULL when memory is out. */
CORE_MUST_CHECK cdc_shape_log *cdc_shape_log_new(void);
void cdc_shape_log_free(cdc_shape_log *log);
/* Forgets everything. */
void cdc_shape_log_reset(cdc_shape_log *log);
/* The stream was told `relation`, after all that was put before. */
void cdc_shape_log_put(cdc_shape_log *log, const core_relation *relation);
/* 0: nothing was told. */
uint32_t cdc_shape_log_get(const cdc_shape_log *log, const core_relation *relation);

#endif
