/* The hub: one thread that owns the subscription index, takes the stream's messages one by one,
 * and gives each change, encoded once, to the service threads that have somebody for it.
 *
 * The consumer's thread hands messages in (hub_feed); service threads talk to it over their rings
 * (hub_ring.h). Happy path: message, decode, match, one `data` a change, one frame a class, one
 * delivery a class and thread. When the stream has a gap, or the consumer lost its place, every
 * channel is told to join again: nothing is skipped silently. */
#ifndef WALCAST_WS_HUB_H
#define WALCAST_WS_HUB_H

#include "auth/auth.h"
#include "fanout/fanout.h"
#include "ws/hub_reader.h"
#include "ws/server.h"

typedef struct ws_hub ws_hub;

/* Told, on the hub's thread, that a reader (hub_reader.h) is wanted or was let go. */
typedef void (*ws_hub_readers_changed)(void *context);

/* Starts the thread. */
CORE_MUST_CHECK ws_hub *ws_hub_new(ws_server *server, const ws_gateway_spec *spec,
                                   ws_hub_readers_changed changed, void *context,
                                   core_error *error);
/* Stops it. Nobody may feed any more, and the server's gateway must have been detached. */
void ws_hub_free(ws_hub *hub);

/* ---- The consumer's thread; one at a time ---- */
/* What is fed next comes behind `sequence`. `epoch`: of the stream's last message, "" without one.
 */
void ws_hub_feed_begin(ws_hub *hub, uint64_t sequence, const char epoch[CORE_EPOCH_TEXT_SIZE]);
/* Takes a copy. Waits while WS_HUB_MESSAGES or WS_HUB_MESSAGE_BYTES wait: the stream holds the
 * rest. */
void ws_hub_feed(ws_hub *hub, core_slice payload, uint64_t sequence);
/* What follows does not continue what came before: every channel must join again. */
void ws_hub_feed_lost(ws_hub *hub);

/* ---- The bus's threads, one at a time ---- */
/* What another gateway said. Takes a copy; what finds no room is lost, and counts as such. */
void ws_hub_hear(ws_hub *hub, const char *subject, core_slice payload);
/* Some of what they said was lost. */
void ws_hub_hear_lost(ws_hub *hub);

/* ---- Any thread ---- */
/* The bus to the other gateways, and the connection for stored broadcasts; both must outlive the
 * hub. */
void ws_hub_set_bus(ws_hub *hub, fanout_bus *bus, fanout_connection *connection);
/* Whether the stream's tail is being consumed: joins are answered only while it is. */
void ws_hub_set_live(ws_hub *hub, bool live);
/* What the hub asks the database with; as long as the hub is not being freed. */
auth_access *ws_hub_access(const ws_hub *hub);
/* The readers of history, WS_LANES of them. */
hub_reader *ws_hub_reader(ws_hub *hub, size_t index);
/* Lets a waiting feed go, for a stop. */
void ws_hub_stop_feeding(ws_hub *hub);

#endif
