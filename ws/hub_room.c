/* See hub_room.h. */
#include "ws/hub_room.h"

#include <stdlib.h>

void hub_rooms_init(hub_rooms *rooms, size_t threads) {
    *rooms = (hub_rooms){.threads = threads};
}

static uint64_t room_hash(core_slice topic, unsigned kind) {
    return core_slice_hash(topic) ^ kind * UINT64_C(0x9e3779b97f4a7c15);
}

hub_room *hub_rooms_find(const hub_rooms *rooms, core_slice topic, unsigned kind) {
    hub_map_node *node = hub_map_first(&rooms->by_topic, room_hash(topic, kind));
    for (; node != NULL; node = hub_map_next(node)) {
        hub_room *room = node->owner;
        if (room->kind == kind && core_slice_equal(core_block_slice(room->topic), topic))
            return room;
    }
    return NULL;
}

static hub_room *room_new(hub_rooms *rooms, core_slice topic, unsigned kind) {
    hub_room *room = calloc(1, sizeof *room);
    core_block *text = core_block_copy(topic);
    if (room != NULL && text != NULL &&
        hub_map_add(&rooms->by_topic, &room->node, room_hash(topic, kind), room)) {
        room->topic = text;
        room->kind = kind;
        return room;
    }
    free(room);
    core_block_release(text);
    return NULL;
}

/* Once it has no part. */
static void room_drop_empty(hub_rooms *rooms, hub_room *room) {
    for (size_t i = 0; i < WS_PROTOCOLS; i++)
        if (room->parts[i] != NULL)
            return;
    hub_map_remove(&rooms->by_topic, &room->node);
    core_block_release(room->topic);
    free(room);
}

/* ---- Parts and their numbers ---- */

static hub_part *part_new(hub_rooms *rooms, hub_room *room, ws_protocol protocol) {
    hub_part *part = calloc(1, sizeof *part + rooms->threads * sizeof part->members[0]);
    if (part == NULL || !hub_ids_take(&rooms->ids, part, &part->id)) {
        free(part);
        return NULL;
    }
    part->room = room;
    part->protocol = protocol;
    room->parts[protocol] = part;
    return part;
}

static void part_free(hub_rooms *rooms, hub_part *part) {
    hub_ids_give_back(&rooms->ids, part->id);
    part->room->parts[part->protocol] = NULL;
    room_drop_empty(rooms, part->room);
    free(part);
}

uint32_t hub_rooms_enter(hub_rooms *rooms, core_slice topic, unsigned kind, ws_protocol protocol,
                         size_t thread) {
    hub_room *room = hub_rooms_find(rooms, topic, kind);
    if (room == NULL)
        room = room_new(rooms, topic, kind);
    if (room == NULL)
        return WS_GROUP_NONE;
    hub_part *part = room->parts[protocol];
    if (part == NULL)
        part = part_new(rooms, room, protocol);
    if (part == NULL) {
        room_drop_empty(rooms, room);
        return WS_GROUP_NONE;
    }
    part->members[thread]++;
    part->total++;
    return part->id;
}

void hub_rooms_leave(hub_rooms *rooms, uint32_t id, size_t thread) {
    if (id == WS_GROUP_NONE)
        return;
    hub_part *part = hub_ids_owner(&rooms->ids, id);
    assert(part != NULL && part->members[thread] > 0);
    part->members[thread]--;
    if (--part->total == 0)
        part_free(rooms, part);
}

void hub_rooms_fini(hub_rooms *rooms) {
    for (uint32_t id = 0; id < rooms->ids.count; id++)
        if (hub_ids_owner(&rooms->ids, id) != NULL)
            part_free(rooms, hub_ids_owner(&rooms->ids, id));
    hub_map_fini(&rooms->by_topic);
    hub_ids_fini(&rooms->ids);
}
