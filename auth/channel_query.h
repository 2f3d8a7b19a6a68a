/* What the policies on realtime.messages say of one topic, role and claims: one round trip.
 *
 * Private to auth. The way Supabase Realtime asks them (lib/realtime/tenants/authorization.ex):
 * probe rows that are always rolled back. */
#ifndef WALCAST_AUTH_CHANNEL_QUERY_H
#define WALCAST_AUTH_CHANNEL_QUERY_H

#include "auth/auth.h"

/* auth/channel_body.sql; made by cmake/WalcastText.cmake. */
extern const char auth_channel_body_sql[];

/* Fills `rights`, also when it fails: false only when the database could not be asked (`error`), so
 * that nothing is known. The connection is left outside any transaction, or broken. */
CORE_MUST_CHECK bool auth_channel_query(pg_connection *connection,
                                        const auth_channel_question *question, int64_t timeout_ms,
                                        auth_channel_rights *rights, core_error *error);
/* Nothing is allowed, for this reason. */
void auth_channel_refuse(auth_channel_rights *rights, bool unavailable, const char *reason);

#endif
