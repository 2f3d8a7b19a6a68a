/* Attempts as SQL statements, each in a transaction of its own that says how deep in a chain it
 * stands. */
#ifndef WALCAST_TRIGGERS_SENDER_SQL_H
#define WALCAST_TRIGGERS_SENDER_SQL_H

#include "triggers/sender.h"

/* A triggers_sender_maker. Connects when the first statement is to run. */
CORE_MUST_CHECK bool triggers_sql_sender(const triggers_sender_spec *spec, triggers_sender *sender,
                                         core_error *error);

/* The configuration whose database the definition's statement is for, with the URL. NULL with a
 * CONFIG error that says what the operator would have to allow; DENIED: a tenant's. */
CORE_MUST_CHECK const core_config *triggers_sql_database(const core_config *config,
                                                         const triggers_definition *definition,
                                                         const char **url, core_error *error);

#endif
