/* The catalog's answers about one table: see verify_table.h. Private to the table's side. */
#ifndef WALCAST_CDC_VERIFY_SHAPE_SQL_H
#define WALCAST_CDC_VERIFY_SHAPE_SQL_H

#include "cdc/verify_table.h"
#include "pg/pg.h"

/* Fills the shape and the filter, in the transaction at hand, whose snapshot is known. CONFIG when
 * there is no such table or it is not published. */
CORE_MUST_CHECK bool cdc_verify_shape_ask(cdc_verify_table *table, pg_connection *connection,
                                          const core_config *config, core_error *error);
/* "COPY (SELECT xmin, ... FROM ...) TO STDOUT" and NUL. */
void cdc_verify_copy_append(const cdc_verify_table *table, core_buffer *sql);

#endif
