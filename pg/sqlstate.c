/* What a SQLSTATE means for whoever must decide whether to try again.
 *
 * Source: PostgreSQL's appendix A, errcodes.txt. A state that is not in the table, or none at all
 * (the socket broke before the server could say anything), is taken as something that may heal. */
#include "pg/connection.h"

#include <string.h>

typedef struct {
    const char *prefix; /* a whole state or a class; the first that fits counts */
    core_error_code code;
} sqlstate_row;

static const sqlstate_row sqlstate_rows[] = {
    {"28", CORE_ERROR_CONFIG},       /* password, pg_hba.conf, no such role */
    {"3D000", CORE_ERROR_CONFIG},    /* no such database */
    {"42501", CORE_ERROR_DENIED},    /* privilege missing */
    {"42601", CORE_ERROR_INTERNAL},  /* our SQL is wrong */
    {"42710", CORE_ERROR_TRANSIENT}, /* somebody made it a moment ago: look again */
    {"42", CORE_ERROR_CONFIG},       /* names something that is not there or not so */
    {"53400", CORE_ERROR_CONFIG},    /* max_replication_slots, max_wal_senders */
    {"55000", CORE_ERROR_CONFIG},    /* not in prerequisite state: wal_level */
    {"0A000", CORE_ERROR_CONFIG},    /* a server that cannot do this */
    {"F0", CORE_ERROR_CONFIG},       /* its configuration file */
};

core_error_code pg_sqlstate_class(const char *sqlstate) {
    for (size_t i = 0; i < CORE_COUNT_OF(sqlstate_rows); i++) {
        const sqlstate_row *row = &sqlstate_rows[i];
        if (strncmp(sqlstate, row->prefix, strlen(row->prefix)) == 0)
            return row->code;
    }
    return CORE_ERROR_TRANSIENT;
}
