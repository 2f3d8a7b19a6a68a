/* See presence_wish.h. */
#include "ws/presence_wish.h"

#include <stdlib.h>

ws_presence_wish *ws_presence_wish_copy(const ws_presence_wish *from) {
    ws_presence_wish *copy =
        malloc(sizeof *copy + ws_topic_scoped_length(from->tenant, from->topic) + from->key.length +
               from->payload.length);
    if (copy == NULL)
        return NULL;
    *copy = *from;
    uint8_t *room = (uint8_t *)(copy + 1);
    copy->topic = ws_topic_scope(&room, from->tenant, from->topic);
    copy->tenant = ws_topic_tenant(copy->topic);
    copy->key = core_slice_keep(&room, from->key);
    copy->payload = core_slice_keep(&room, from->payload);
    return copy;
}
