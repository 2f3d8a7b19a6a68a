/* The audit record of what a command did. Private to cli. */
#ifndef WALCAST_CLI_AUDIT_H
#define WALCAST_CLI_AUDIT_H

#include "auth/auth.h"

/* Records the act; `connection` NULL: connects for it. Waits at most nats.connect_timeout and
 * nats.ack_timeout. Where that fails the act is done all the same, and standard error says so. */
void cli_audit(const core_config *config, fanout_connection *connection, const auth_act *act);

#endif
