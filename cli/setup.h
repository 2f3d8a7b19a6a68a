/* What Walcast needs in the source database beside the tables: asked for, and named when it is not
 * there. Private to cli; `walcast setup` is in command_setup.c. */
#ifndef WALCAST_CLI_SETUP_H
#define WALCAST_CLI_SETUP_H

#include "pg/pg.h"

#include <stdio.h>

/* cli/setup.sql, one transaction; made by cmake/WalcastText.cmake. */
extern const char cli_setup_sql[];

typedef struct {
    unsigned made;    /* Walcast's, or as Walcast needs them */
    unsigned foreign; /* functions of the same name that are not Walcast's */
    unsigned missing;
    unsigned absent; /* event triggers, which only a superuser may make */
} cli_setup_count;

/* Prints one line for each object to `out` (NULL: counts only). */
CORE_MUST_CHECK bool cli_setup_look(pg_connection *connection, FILE *out, cli_setup_count *count,
                                    core_error *error);
/* For `walcast check`: one line when something is missing, none when the database cannot be asked,
 * which is told elsewhere. */
void cli_setup_hint(const core_config *config, FILE *out);
/* To the database of postgres.url, with a minute's patience. */
CORE_MUST_CHECK pg_connection *cli_setup_connect(const core_config *config, core_error *error);

#endif
