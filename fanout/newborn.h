/* A stream or bucket found or made, when others make it at this moment.
 *
 * nats-server shows a stream before it has a store, and dies (2.9.10: a nil pointer in
 * jsMsgGetRequest) when a message is asked of it then; and it tells one of two that make the same
 * stream that its subjects are another's. Private to fanout. */
#ifndef WALCAST_FANOUT_NEWBORN_H
#define WALCAST_FANOUT_NEWBORN_H

#include "fanout/connection.h"

/* The stream of the configuration's name, as it is, or made so (`*is_made`, which may be NULL).
 * Waits until it surely has a store: a quarter of a second from when another connection began to
 * make it, less for one that is our own in all likelihood. `*found` is the caller's when NATS_OK.
 */
natsStatus fanout_newborn_ensure(fanout_connection *connection, jsStreamConfig *config,
                                 jsStreamInfo **found, bool *is_made, jsErrCode *code);

#endif
