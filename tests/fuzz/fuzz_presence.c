/* Presence messages over any bytes. The first byte chooses: one message, which is written again as
 * the same bytes; or several, each behind its length, to a gateway whose diffs must stay JSON. */
#include "ws/presence_wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds)
        abort();
}

static void on_diff(void *context, ws_presence_room room, core_slice joins, core_slice leaves) {
    (void)context;
    check(core_utf8_valid(room.topic) && core_json_valid(joins) && core_json_valid(leaves));
}

static void on_send(void *context, core_slice bytes) {
    presence_message message;
    (void)context;
    check(presence_message_read(bytes, &message));
}

static void one_message(core_slice bytes) {
    presence_message message;
    core_buffer again;
    if (!presence_message_read(bytes, &message))
        return;
    core_buffer_init(&again, bytes.length + 64);
    presence_message_write(&message, &again);
    check(core_slice_equal(core_buffer_slice(&again), bytes));
    core_buffer_fini(&again);
}

static void a_payload(core_slice bytes) {
    core_buffer first, second;
    core_buffer_init(&first, bytes.length);
    core_buffer_init(&second, bytes.length);
    if (presence_payload_make(bytes, &first)) {
        check(core_json_valid(core_buffer_slice(&first)));
        check(presence_payload_make(core_buffer_slice(&first), &second));
        check(core_slice_equal(core_buffer_slice(&first), core_buffer_slice(&second)));
    }
    core_buffer_fini(&first);
    core_buffer_fini(&second);
}

static void a_conversation(core_slice bytes) {
    static const ws_presence_limits limits = {.heartbeat_ms = 2000,
                                              .down_ms = 10000,
                                              .max_topics = 10,
                                              .max_keys = 10,
                                              .max_metas = 10,
                                              .max_payload_bytes = 64,
                                              .max_topic_bytes = 1000,
                                              .max_bytes = 4096,
                                              .max_nodes = 3,
                                              .max_message_bytes = 256,
                                              .max_diff_bytes = 128};
    ws_presence_events events = {.diff = on_diff, .send = on_send};
    core_error error;
    core_cursor cursor = core_cursor_make(bytes);
    int64_t now_ms = 1000;
    ws_presence *presence = ws_presence_new("here", 7, &limits, &events, &error);
    check(presence != NULL);
    while (core_cursor_left(&cursor) > 0) {
        now_ms += 200;
        core_slice message = core_cursor_bytes(&cursor, core_cursor_u8(&cursor));
        ws_presence_receive(presence, message, now_ms);
        ws_presence_tick(presence, now_ms);
        check(ws_presence_stats_get(presence).bytes <= limits.max_bytes);
    }
    ws_presence_tick(presence, now_ms + 1000);
    ws_presence_free(presence);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    core_slice rest = core_slice_make(data + 1, size - 1);
    if (data[0] % 3 == 0)
        one_message(rest);
    else if (data[0] % 3 == 1)
        a_conversation(rest);
    else
        a_payload(rest);
    return 0;
}
