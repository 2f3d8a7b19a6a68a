/* Presence in the hub: the state machine of presence.h with a clock, the bus and the rooms. */
#include "ws/hub_private.h"

#include <stdio.h>
#include <stdlib.h>

#define PRESENCE_TICK_MS   500
#define PRESENCE_STATE_MAX ((size_t)64 << 20)

/* ---- What it says ---- */

static core_block *diff_frame(ws_protocol protocol, core_slice topic, core_slice joins,
                              core_slice leaves) {
    core_buffer payload;
    core_buffer_init(&payload, joins.length + leaves.length + 64);
    core_json_writer json = core_json_writer_make(&payload);
    core_json_object_open(&json);
    core_json_key_text(&json, "joins");
    core_json_raw(&json, joins);
    core_json_key_text(&json, "leaves");
    core_json_raw(&json, leaves);
    core_json_object_close(&json);
    core_block *frame =
        core_buffer_ok(&payload)
            ? ws_protocol_message(protocol, ws_protocol_null, ws_protocol_null, topic,
                                  "presence_diff", core_buffer_slice(&payload))
            : NULL;
    core_buffer_fini(&payload);
    return frame;
}

static void presence_diff(void *context, ws_presence_room room, core_slice joins,
                          core_slice leaves) {
    ws_hub *hub = context;
    unsigned kind = HUB_ROOM_PRESENCE | (room.private_channel ? HUB_ROOM_PRIVATE : 0);
    const hub_room *found = hub_rooms_find(&hub->rooms, room.topic, kind);
    for (size_t i = 0; found != NULL && i < WS_PROTOCOLS; i++) {
        const hub_part *part = found->parts[i];
        core_block *frame =
            part != NULL ? diff_frame(part->protocol, ws_topic_plain(room.topic), joins, leaves)
                         : NULL;
        if (frame != NULL)
            hub_spread_part(hub, part, WS_DELIVERY_PRESENCE, frame, 0, 0);
        else if (part != NULL)
            CORE_LOG(hub->log, ERROR, "ws", "out of memory for who is present");
        core_block_release(frame);
    }
}

static void presence_send(void *context, core_slice bytes) {
    hub_bus_presence(context, bytes);
}

/* ---- What clients ask ---- */

/* To one member; takes the frame's reference. */
static void presence_answer(ws_hub *hub, size_t thread, uint64_t member, core_block *frame) {
    if (frame == NULL) {
        CORE_LOG(hub->log, ERROR, "ws", "out of memory for who is present");
        return;
    }
    ws_delivery delivery = {.kind = WS_DELIVERY_DIRECT, .member = member, .block = frame};
    hub_deliver(hub, thread, &delivery);
}

void hub_presence_track(ws_hub *hub, size_t thread, uint64_t member, ws_presence_wish *wish) {
    core_error error = {.text = ""};
    ws_presence_room room = {.topic = wish->topic, .private_channel = wish->private_channel};
    hub->presence_changed = true;
    if (!ws_presence_track(hub->presence, room, wish->key, member, wish->payload, &error)) {
        char text[CORE_ERROR_TEXT_MAX + 32];
        (void)snprintf(text, sizeof text, "presence is not tracked: %s", error.text);
        presence_answer(hub, thread, member,
                        ws_protocol_system(wish->protocol, ws_protocol_null,
                                           ws_topic_plain(wish->topic), "presence", false, text));
    }
    free(wish);
}

void hub_presence_untrack(ws_hub *hub, uint64_t member) {
    if (ws_presence_untrack(hub->presence, member))
        hub->presence_changed = true;
}

/* What was told so far, so that the next difference joins on to it. */
void hub_presence_state(ws_hub *hub, size_t thread, uint64_t member, ws_presence_wish *wish) {
    core_buffer state;
    ws_presence_room room = {.topic = wish->topic, .private_channel = wish->private_channel};
    core_buffer_init(&state, PRESENCE_STATE_MAX);
    ws_presence_flush(hub->presence, core_clock_ms(hub->clock));
    core_block *frame = ws_presence_state(hub->presence, room, &state)
                            ? ws_protocol_message(wish->protocol, ws_protocol_null,
                                                  ws_protocol_null, ws_topic_plain(wish->topic),
                                                  "presence_state", core_buffer_slice(&state))
                            : NULL;
    presence_answer(hub, thread, member, frame);
    core_buffer_fini(&state);
    free(wish);
}

void hub_presence_round(ws_hub *hub) {
    int64_t now_ms = core_clock_ms(hub->clock);
    if (now_ms - hub->ticked_ms >= PRESENCE_TICK_MS) {
        hub->ticked_ms = now_ms;
        ws_presence_tick(hub->presence, now_ms);
        ws_presence_measure(hub->presence, hub->metrics);
    } else if (hub->presence_changed) {
        ws_presence_flush(hub->presence, now_ms);
    }
    hub->presence_changed = false;
}

/* ---- Life ---- */

bool hub_presence_init(ws_hub *hub, const core_config *config, core_error *error) {
    const ws_presence_events events = {
        .diff = presence_diff, .send = presence_send, .context = hub};
    ws_presence_limits limits = ws_presence_limits_make(config);
    uint64_t boot = (uint64_t)core_clock_wall_us(hub->clock);
    hub->presence = ws_presence_new(hub->node, boot, &limits, &events, error);
    return hub->presence != NULL;
}

void hub_presence_fini(ws_hub *hub) {
    if (hub->presence == NULL)
        return;
    ws_presence_leave(hub->presence, core_clock_ms(hub->clock));
    ws_presence_free(hub->presence);
    hub->presence = NULL;
}
