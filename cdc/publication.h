/* The publication: made from `postgres.tables` when missing, and from then on kept in step.
 *
 * A publication that is not ours (its comment says whose it is) is used as it is and never altered;
 * how it differs from `postgres.tables` is reported. Ours lists its tables one by one: publishing a
 * table without a usable key (FOR TABLES IN SCHEMA would) makes the application's own UPDATE and
 * DELETE fail, so such a table goes to a second publication, `{publication}_inserts`, which
 * publishes only INSERT and TRUNCATE. Tables that appear, or gain or lose their key, are moved by
 * `sync`. What is written to a new table before the next sync is not published. */
#ifndef WALCAST_CDC_PUBLICATION_H
#define WALCAST_CDC_PUBLICATION_H

#include "cdc/table_pattern.h"
#include "cdc/wal_stream.h"
#include "pg/pg.h"

#define CDC_PUBLICATION_COMMENT "made and kept by walcast from postgres.tables"

typedef struct cdc_publication cdc_publication;

/* CONFIG error when a pattern of postgres.tables is malformed. */
CORE_MUST_CHECK cdc_publication *cdc_publication_new(const core_config *config, core_log *log,
                                                     core_error *error);
void cdc_publication_free(cdc_publication *publication);

/* Makes it when missing, else finds out whose it is; ours is synced, another's compared.
 * `state` gets whether it was there, and the oids. Blocks for a few queries. */
CORE_MUST_CHECK bool cdc_publication_ensure(cdc_publication *publication, pg_connection *connection,
                                            cdc_publication_state *state, core_error *error);
/* Whether both are still the ones that `ensure` found. */
CORE_MUST_CHECK bool cdc_publication_same(const cdc_publication *publication,
                                          pg_connection *connection, bool *same, core_error *error);
/* Brings ours in step with the tables that are there now; nothing to do for another's. */
CORE_MUST_CHECK bool cdc_publication_sync(cdc_publication *publication, pg_connection *connection,
                                          core_error *error);
/* The second publication's name. */
void cdc_publication_inserts_name(const char *publication, char name[CDC_NAME_MAX]);
/* Appends the value of pgoutput's option publication_names. */
void cdc_publication_names_append(const cdc_publication *publication, core_buffer *out);

/* Only looks: whether it exists, for `walcast check`. */
CORE_MUST_CHECK bool cdc_publication_exists(pg_connection *connection, const char *name,
                                            bool *exists, core_error *error);

#endif
