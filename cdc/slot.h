/* The replication slot and the server's fitness for it, over an ordinary connection. */
#ifndef WALCAST_CDC_SLOT_H
#define WALCAST_CDC_SLOT_H

#include "cdc/wal_stream.h"
#include "pg/pg.h"

/* wal_level, replication privilege, version, not in recovery. CONFIG or DENIED errors say the
 * value, what was expected and how to mend it; TRANSIENT for a standby. */
CORE_MUST_CHECK bool cdc_server_check(pg_connection *connection, core_error *error);
/* Reads the slot. CONFIG when it is not one of ours (other plugin, database, physical). */
CORE_MUST_CHECK bool cdc_slot_look(pg_connection *connection, const char *name,
                                   cdc_slot_state *slot, core_error *error);
/* Makes it. Waits for transactions that are running, up to the connection's time limit. */
CORE_MUST_CHECK bool cdc_slot_create(pg_connection *connection, const char *name,
                                     cdc_slot_state *slot, core_error *error);
/* The same over the replication connection; `slot` gets the name of the database snapshot that it
 * begins with, valid until the connection's next command. */
CORE_MUST_CHECK bool cdc_slot_create_exporting(pg_connection *replication, const char *name,
                                               cdc_slot_state *slot, core_error *error);
/* Drops it, whatever its state. */
CORE_MUST_CHECK bool cdc_slot_drop(pg_connection *connection, const char *name, core_error *error);
/* Moves an unused slot to the server's present position. */
CORE_MUST_CHECK bool cdc_slot_advance(pg_connection *connection, const char *name,
                                      cdc_slot_state *slot, core_error *error);

/* With postgres.failover: whether an unused slot is yet to be marked so that standbys keep a copy
 * of it in step (PostgreSQL 17 and newer; before it only a log line says that there is none). */
CORE_MUST_CHECK bool cdc_slot_failover_wanted(pg_connection *connection, const char *name,
                                              core_log *log, bool *wanted, core_error *error);
/* Marks it, over a replication connection. */
CORE_MUST_CHECK bool cdc_slot_failover_mark(pg_connection *replication, const char *name,
                                            core_log *log, core_error *error);

#endif
