/* Writer and reader of the envelope, side by side; see realtime_message.h.
 *
 * The reader believes nothing: lengths through the cursor, enumerations by their range, names as
 * UTF-8 and JSON as JSON, since what passes is put into clients' frames without another look. */
#include "core/realtime_message.h"

#include "core/cursor.h"
#include "core/json.h"

enum { MESSAGE_MARK = 'W', MESSAGE_VERSION = 1, FLAG_PRIVATE = 1, FLAG_PUSHED = 2 };

/* ---- id ---- */

static bool dash_follows(size_t byte) {
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

static int hex_value(char digit) {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool id_write(core_buffer *out, const char *text) {
    uint8_t id[CORE_REALTIME_ID_BYTES] = {0};
    for (size_t i = 0; text[0] != '\0' && i < sizeof id; i++) {
        if (i > 0 && dash_follows(i) && *text++ != '-')
            return false;
        int high = hex_value(text[0]), low = high < 0 ? -1 : hex_value(text[1]);
        if (low < 0)
            return false;
        id[i] = (uint8_t)(high << 4 | low);
        text += 2;
        if (i + 1 < sizeof id && *text == '\0')
            return false;
    }
    core_buffer_append(out, id, sizeof id);
    return *text == '\0';
}

static void id_read(core_slice id, char text[CORE_REALTIME_ID_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    static const uint8_t none[CORE_REALTIME_ID_BYTES];
    bool has = memcmp(id.data, none, sizeof none) != 0;
    for (size_t i = 0; has && i < id.length; i++) {
        if (dash_follows(i))
            *text++ = '-';
        *text++ = digits[id.data[i] >> 4];
        *text++ = digits[id.data[i] & 15];
    }
    *text = '\0';
}

/* ---- message ---- */

static bool names_fit(const core_realtime_message *message) {
    return message->environment.length <= CORE_REALTIME_NAME_MAX &&
           message->node.length <= CORE_REALTIME_NAME_MAX && message->channel.length > 0 &&
           message->channel.length <= CORE_REALTIME_CHANNEL_MAX &&
           message->event.length <= CORE_REALTIME_EVENT_MAX;
}

static void short_name_write(core_buffer *out, core_slice name) {
    core_buffer_u8(out, (uint8_t)name.length);
    core_buffer_slice_append(out, name);
}

bool core_realtime_message_write(const core_realtime_message *message, core_buffer *out) {
    if (!names_fit(message))
        return false;
    core_buffer_u8(out, MESSAGE_MARK);
    core_buffer_u8(out, MESSAGE_VERSION);
    core_buffer_u8(out, (uint8_t)((message->is_private ? FLAG_PRIVATE : 0) |
                                  (message->pushed ? FLAG_PUSHED : 0)));
    core_buffer_u8(out, (uint8_t)message->encoding);
    core_buffer_u8(out, (uint8_t)message->origin);
    core_buffer_u64(out, (uint64_t)message->time_us);
    core_buffer_u64(out, (uint64_t)message->expires_us);
    if (!id_write(out, message->id))
        return false;
    short_name_write(out, message->environment);
    short_name_write(out, message->node);
    core_buffer_u16(out, (uint16_t)message->channel.length);
    core_buffer_slice_append(out, message->channel);
    short_name_write(out, message->event);
    core_buffer_slice_append(out, message->payload);
    return core_buffer_ok(out);
}

static core_slice short_name_read(core_cursor *cursor) {
    return core_cursor_bytes(cursor, core_cursor_u8(cursor));
}

static bool content_is_valid(const core_realtime_message *message) {
    return names_fit(message) && message->time_us >= 0 && message->expires_us >= 0 &&
           core_utf8_valid(message->environment) && core_utf8_valid(message->node) &&
           core_utf8_valid(message->channel) && core_utf8_valid(message->event) &&
           (message->encoding == CORE_REALTIME_BYTES || core_json_valid(message->payload));
}

bool core_realtime_message_read(core_slice bytes, core_realtime_message *message) {
    core_cursor cursor = core_cursor_make(bytes);
    *message = (core_realtime_message){0};
    if (core_cursor_u8(&cursor) != MESSAGE_MARK || core_cursor_u8(&cursor) != MESSAGE_VERSION)
        return false;
    uint8_t flags = core_cursor_u8(&cursor);
    uint8_t encoding = core_cursor_u8(&cursor);
    uint8_t origin = core_cursor_u8(&cursor);
    message->time_us = (int64_t)core_cursor_u64(&cursor);
    message->expires_us = (int64_t)core_cursor_u64(&cursor);
    core_slice id = core_cursor_bytes(&cursor, CORE_REALTIME_ID_BYTES);
    message->environment = short_name_read(&cursor);
    message->node = short_name_read(&cursor);
    message->channel = core_cursor_bytes(&cursor, core_cursor_u16(&cursor));
    message->event = short_name_read(&cursor);
    message->payload = core_cursor_rest(&cursor);
    if (!core_cursor_ok(&cursor) || (flags & ~(FLAG_PRIVATE | FLAG_PUSHED)) != 0 ||
        encoding > CORE_REALTIME_JSON || origin > CORE_REALTIME_DATABASE)
        return false;
    id_read(id, message->id);
    message->is_private = (flags & FLAG_PRIVATE) != 0;
    message->pushed = (flags & FLAG_PUSHED) != 0;
    message->encoding = (core_realtime_encoding)encoding;
    message->origin = (core_realtime_origin)origin;
    return content_is_valid(message);
}
