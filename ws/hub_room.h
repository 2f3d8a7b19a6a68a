/* Rooms: who is in a topic, by serializer, counted a service thread.
 *
 * A topic's private room is another than its public one, and who hears of presence is in one more.
 * Each serializer's part has a number of its own, under which the threads keep their lists
 * (member.h). Belongs to the hub's thread. */
#ifndef WALCAST_WS_HUB_ROOM_H
#define WALCAST_WS_HUB_ROOM_H

#include "ws/hub_ids.h"
#include "ws/hub_map.h"
#include "ws/member.h"
#include "ws/protocol.h"

typedef struct hub_room hub_room;

/* What makes rooms of one topic different: bits. */
#define HUB_ROOM_PRIVATE  1u
#define HUB_ROOM_PRESENCE 2u /* of those who want to hear who is there, else of broadcasts */

/* Those in a room who speak one serializer. */
typedef struct {
    hub_room *room;
    uint32_t id;
    ws_protocol protocol;
    uint32_t total;
    uint32_t members[]; /* a thread */
} hub_part;

struct hub_room {
    hub_map_node node;
    core_block *topic;
    unsigned kind;
    hub_part *parts[WS_PROTOCOLS]; /* NULL: nobody */
};

typedef struct {
    hub_map by_topic;
    hub_ids ids; /* of parts */
    size_t threads;
} hub_rooms;

void hub_rooms_init(hub_rooms *rooms, size_t threads);
void hub_rooms_fini(hub_rooms *rooms);
/* One more in the topic's room; WS_GROUP_NONE when memory is out. */
CORE_MUST_CHECK uint32_t hub_rooms_enter(hub_rooms *rooms, core_slice topic, unsigned kind,
                                         ws_protocol protocol, size_t thread);
/* One less; the last one's leaving frees the part, and with its last part the room. NONE is none.
 */
void hub_rooms_leave(hub_rooms *rooms, uint32_t id, size_t thread);
/* NULL: nobody is there. */
hub_room *hub_rooms_find(const hub_rooms *rooms, core_slice topic, unsigned kind);

#endif
