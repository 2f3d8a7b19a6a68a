/* The certificate that a server serves with: http.tls_cert and http.tls_key, and their
 * replacements.
 *
 * A thread looks at the files every few seconds, and at once when it is told to (SIGHUP). A pair
 * that has changed and stands still becomes what new connections get; open ones go on with theirs.
 * One that is broken, or not valid now, is refused with a log line, and the old one goes on, which
 * readiness tells too. Once a day the files are read anyhow, for new keys of session tickets. */
#ifndef WALCAST_WS_CERTIFICATE_H
#define WALCAST_WS_CERTIFICATE_H

#include "ws/server.h"
#include "ws/tls_context.h"

typedef struct ws_certificate ws_certificate;

/* Reads the pair that the configuration names; CONFIG error when it cannot be used. One that has
 * expired is used, with a warning in log and readiness: a source that does not start because of its
 * clients' certificate would let WAL pile up. */
CORE_MUST_CHECK ws_certificate *ws_certificate_new(ws_server *server, core_error *error);
/* The present one, with a reference of its own. */
ws_tls_context *ws_certificate_context(ws_certificate *certificate);
/* Starts the thread; the services must be there, and stay until ws_certificate_stop. */
CORE_MUST_CHECK bool ws_certificate_start(ws_certificate *certificate, core_error *error);
/* Any thread: looks now. */
void ws_certificate_reload(ws_certificate *certificate);
/* Any thread: whether somebody should see to it, and `reason` why. */
bool ws_certificate_warns(const ws_certificate *certificate, char *reason, size_t reason_size);
void ws_certificate_stop(ws_certificate *certificate);
/* Stopped, or never started. NULL: nothing. */
void ws_certificate_free(ws_certificate *certificate);

#endif
