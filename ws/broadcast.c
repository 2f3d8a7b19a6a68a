/* See broadcast.h. JSON goes as text, as it came, so that Phoenix's own client can read it; a push
 * of realtime-js goes as its binary form to those who sent such themselves could have. Bytes can go
 * in binary form only, whose names have at most 255 bytes. */
#include "ws/broadcast.h"

#include "ws/frame.h"

#include <stdlib.h>

#define BROADCAST_KIND      4 /* of a binary frame */
#define BROADCAST_NAME_MAX  255
#define BROADCAST_EXTRA_MAX 16384 /* of a payload's object without its payload */

size_t ws_broadcast_bytes(const ws_broadcast *broadcast) {
    return broadcast->topic.length + broadcast->event.length + broadcast->payload.length;
}

ws_broadcast *ws_broadcast_copy(const ws_broadcast *from) {
    core_slice tenant = from->home.tenant;
    ws_broadcast *copy = malloc(sizeof *copy + ws_topic_scoped_length(tenant, from->topic) +
                                from->event.length + from->payload.length);
    if (copy == NULL)
        return NULL;
    *copy = *from;
    uint8_t *room = (uint8_t *)(copy + 1);
    copy->topic = ws_topic_scope(&room, tenant, from->topic);
    copy->home.tenant = ws_topic_tenant(copy->topic);
    copy->event = core_slice_keep(&room, from->event);
    copy->payload = core_slice_keep(&room, from->payload);
    return copy;
}

bool ws_broadcast_read(core_slice payload, core_buffer *scratch, ws_broadcast *broadcast,
                       const char **reason) {
    core_json_reader json = core_json_reader_make(payload);
    core_json_token member;
    bool named = false;
    *reason = "the payload must be an object with event and payload";
    if (core_json_next(&json).kind != CORE_JSON_OBJECT_OPEN)
        return false;
    broadcast->json = true;
    broadcast->payload = core_slice_text("{}");
    while (core_json_member_next(&json, &member)) {
        core_slice whole;
        if (!core_json_skip(&json, member, &whole))
            return false;
        if (core_json_raw_is(member.key, "payload"))
            broadcast->payload = whole;
        if (!core_json_raw_is(member.key, "event"))
            continue;
        core_buffer_reset(scratch);
        named = member.kind == CORE_JSON_STRING && core_json_unescape(member.raw, scratch);
        broadcast->event = core_buffer_slice(scratch);
    }
    *reason = "event must be a string of at most 255 bytes";
    return named && broadcast->event.length <= WS_EVENT_MAX;
}

/* ---- Frames ---- */

static void write_meta(core_json_writer *json, const ws_broadcast *broadcast) {
    core_json_object_open(json);
    core_json_key_text(json, "id");
    core_json_text(json, broadcast->id);
    if (broadcast->replayed) {
        core_json_key_text(json, "replayed");
        core_json_bool(json, true);
    }
    core_json_object_close(json);
}

static core_block *frame_text(const ws_broadcast *broadcast, ws_protocol protocol) {
    core_buffer payload;
    core_buffer_init(&payload, broadcast->payload.length + BROADCAST_EXTRA_MAX);
    core_json_writer json = core_json_writer_make(&payload);
    core_json_object_open(&json);
    core_json_key_text(&json, "event");
    core_json_string(&json, broadcast->event);
    if (broadcast->id[0] != '\0') {
        core_json_key_text(&json, "meta");
        write_meta(&json, broadcast);
    }
    core_json_key_text(&json, "payload");
    core_json_raw(&json, broadcast->payload);
    core_json_key_text(&json, "type");
    core_json_text(&json, "broadcast");
    core_json_object_close(&json);
    core_block *block = core_buffer_ok(&payload)
                            ? ws_protocol_message(protocol, ws_protocol_null, ws_protocol_null,
                                                  ws_topic_plain(broadcast->topic), "broadcast",
                                                  core_buffer_slice(&payload))
                            : NULL;
    core_buffer_fini(&payload);
    return block;
}

/* 04 | lengths of topic, event, meta | encoding | those three | payload */
static core_block *frame_binary(const ws_broadcast *broadcast) {
    core_buffer meta;
    core_buffer_init(&meta, BROADCAST_NAME_MAX);
    core_json_writer json = core_json_writer_make(&meta);
    if (broadcast->id[0] != '\0')
        write_meta(&json, broadcast);
    core_slice topic = ws_topic_plain(broadcast->topic);
    const uint8_t head[] = {BROADCAST_KIND, (uint8_t)topic.length, (uint8_t)broadcast->event.length,
                            (uint8_t)meta.length, broadcast->json ? 1 : 0};
    core_slice parts[] = {core_slice_make(head, sizeof head), topic, broadcast->event,
                          core_buffer_slice(&meta), broadcast->payload};
    core_block *block =
        core_buffer_ok(&meta) ? ws_frame_block(WS_FRAME_BINARY, parts, CORE_COUNT_OF(parts)) : NULL;
    core_buffer_fini(&meta);
    return block;
}

static bool broadcast_fits_binary(const ws_broadcast *broadcast) {
    return ws_topic_plain(broadcast->topic).length <= BROADCAST_NAME_MAX &&
           broadcast->event.length <= BROADCAST_NAME_MAX;
}

bool ws_broadcast_reaches(const ws_broadcast *broadcast, ws_protocol protocol) {
    return broadcast->json || (protocol == WS_PROTOCOL_2 && broadcast_fits_binary(broadcast));
}

core_block *ws_broadcast_frame(const ws_broadcast *broadcast, ws_protocol protocol) {
    bool binary = !broadcast->json || (broadcast->pushed && protocol == WS_PROTOCOL_2 &&
                                       broadcast_fits_binary(broadcast));
    return binary ? frame_binary(broadcast) : frame_text(broadcast, protocol);
}
