/* See snapshot_predecessor.h. To the server a transaction whose commit waits for a standby is as
 * open as any other: all are waited for that began before one that does nothing. */
#include "cdc/snapshot_predecessor.h"

#include <inttypes.h>
#include <stdio.h>

/* 0 where no commit waits for a standby. The id is a new one: a snapshot's xmax can be below those
 * of open transactions. One that wrote nothing does not wait for a standby itself. */
static bool until_ask(pg_connection *connection, uint64_t *until_xid, core_error *error) {
    pg_result *result = pg_query(connection,
                                 "SELECT CASE current_setting('synchronous_standby_names')"
                                 " WHEN '' THEN '0' ELSE"
                                 " pg_current_xact_id()::text END",
                                 NULL, 0, error);
    if (result == NULL)
        return core_error_wrap(error, "asking for open transactions");
    bool ok = core_slice_to_u64(core_slice_text(pg_result_value(result, 0, 0)), until_xid);
    pg_result_free(result);
    return ok || core_error_set(error, CORE_ERROR_INPUT, "the server gave no transaction id");
}

static bool ended_ask(pg_connection *connection, uint64_t until_xid, bool *ended,
                      core_error *error) {
    char until[24];
    const char *const parameters[] = {until};
    (void)snprintf(until, sizeof until, "%" PRIu64, until_xid);
    pg_result *result =
        pg_query(connection, "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::xid8",
                 parameters, 1, error);
    if (result == NULL)
        return core_error_wrap(error, "asking for open transactions");
    *ended = pg_result_value(result, 0, 0)[0] == 't';
    pg_result_free(result);
    return true;
}

bool cdc_snapshot_predecessor_passed(cdc_snapshot_predecessor *predecessor,
                                     pg_connection *connection, uint64_t session,
                                     core_error *error) {
    bool ended = false;
    if (predecessor->session != session) {
        if (!until_ask(connection, &predecessor->until_xid, error))
            return false;
        predecessor->session = session;
    }
    if (predecessor->until_xid == 0)
        return true;
    if (!ended_ask(connection, predecessor->until_xid, &ended, error))
        return false;
    if (!ended)
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "transactions before %" PRIu64 " are still open: what one wrote may "
                              "be in the stream already while its commit waits for a synchronous "
                              "standby",
                              predecessor->until_xid);
    predecessor->until_xid = 0;
    return true;
}
