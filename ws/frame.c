/* See frame.h. */
#include "ws/frame.h"

#define FRAME_HEADER_MAX 10
#define FRAME_FINAL      0x80
#define FRAME_COMPRESSED 0x40 /* RSV1 */
#define FRAME_RESERVED   0x30

static size_t frame_header(uint8_t header[FRAME_HEADER_MAX], uint8_t first, size_t length) {
    header[0] = first;
    if (length < 126) {
        header[1] = (uint8_t)length;
        return 2;
    }
    size_t bytes = length <= UINT16_MAX ? 2 : 8;
    header[1] = bytes == 2 ? 126 : 127;
    for (size_t i = 0; i < bytes; i++)
        header[2 + i] = (uint8_t)((uint64_t)length >> (8 * (bytes - 1 - i)));
    return 2 + bytes;
}

static core_block *frame_block(uint8_t first, const core_slice *parts, size_t count) {
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += parts[i].length;
    uint8_t header[FRAME_HEADER_MAX];
    size_t at = frame_header(header, first, length);
    core_block *block = core_block_new(at + length);
    if (block == NULL)
        return NULL;
    memcpy(block->bytes, header, at);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].length > 0)
            memcpy(block->bytes + at, parts[i].data, parts[i].length);
        at += parts[i].length;
    }
    return block;
}

core_block *ws_frame_block(ws_frame_opcode opcode, const core_slice *parts, size_t count) {
    return frame_block((uint8_t)(FRAME_FINAL | opcode), parts, count);
}

core_block *ws_frame_compressed_block(ws_frame_opcode opcode, core_slice part) {
    return frame_block((uint8_t)(FRAME_FINAL | FRAME_COMPRESSED | opcode), &part, 1);
}

static uint64_t frame_length(core_cursor *cursor, uint8_t second) {
    switch (second & 0x7F) {
    case 126:
        return core_cursor_u16(cursor);
    case 127:
        return core_cursor_u64(cursor);
    default:
        return second & 0x7F;
    }
}

bool ws_frame_plain(core_slice frame, ws_frame_opcode *opcode, core_slice *payload) {
    core_cursor cursor = core_cursor_make(frame);
    uint8_t first = core_cursor_u8(&cursor);
    uint64_t length = frame_length(&cursor, core_cursor_u8(&cursor));
    *opcode = first & 0x0F;
    *payload = core_cursor_rest(&cursor);
    return core_cursor_ok(&cursor) && payload->length == length &&
           (first == (FRAME_FINAL | WS_FRAME_TEXT) || first == (FRAME_FINAL | WS_FRAME_BINARY));
}

core_block *ws_frame_close(unsigned code, const char *reason) {
    uint8_t number[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    core_slice text = core_slice_text(reason);
    if (text.length > WS_CONTROL_FRAME_MAX - sizeof number)
        text.length = WS_CONTROL_FRAME_MAX - sizeof number;
    while (text.length > 0 && !core_utf8_valid(text)) /* cut in the middle of a character */
        text.length--;
    core_slice parts[] = {core_slice_make(number, sizeof number), text};
    return ws_frame_block(WS_FRAME_CLOSE, parts, CORE_COUNT_OF(parts));
}

/* ---- Reading ---- */

static ws_frame_result frame_refuse(unsigned *code, const char **reason, unsigned value,
                                    const char *text) {
    *code = value;
    *reason = text;
    return WS_FRAME_REFUSED;
}

/* RSV1 belongs to the first frame of a message, where it was negotiated. */
static bool frame_bits_allowed(uint8_t first, bool deflate) {
    unsigned opcode = first & 0x0F;
    bool begins = opcode == WS_FRAME_TEXT || opcode == WS_FRAME_BINARY;
    return (first & FRAME_RESERVED) == 0 && (!(first & FRAME_COMPRESSED) || (deflate && begins));
}

static bool frame_opcode_known(unsigned opcode) {
    return opcode <= WS_FRAME_BINARY || (opcode >= WS_FRAME_CLOSE && opcode <= WS_FRAME_PONG);
}

ws_frame_result ws_frame_read(core_slice bytes, size_t max_bytes, bool deflate, ws_frame_head *head,
                              unsigned *code, const char **reason) {
    core_cursor cursor = core_cursor_make(bytes);
    uint8_t first = core_cursor_u8(&cursor);
    uint8_t second = core_cursor_u8(&cursor);
    if (!core_cursor_ok(&cursor))
        return WS_FRAME_PARTIAL;
    if (!frame_bits_allowed(first, deflate))
        return frame_refuse(code, reason, WS_CLOSE_PROTOCOL, "reserved bits are set");
    if (!frame_opcode_known(first & 0x0F))
        return frame_refuse(code, reason, WS_CLOSE_PROTOCOL, "unknown opcode");
    if (!(second & 0x80))
        return frame_refuse(code, reason, WS_CLOSE_PROTOCOL, "a client's frames must be masked");
    *head = (ws_frame_head){.opcode = first & 0x0F,
                            .final = first & FRAME_FINAL,
                            .compressed = first & FRAME_COMPRESSED};
    bool control = head->opcode >= WS_FRAME_CLOSE;
    if (control && (!head->final || (second & 0x7F) > WS_CONTROL_FRAME_MAX))
        return frame_refuse(code, reason, WS_CLOSE_PROTOCOL,
                            "a control frame must be short and whole");
    uint64_t length = frame_length(&cursor, second);
    if (core_cursor_ok(&cursor) && length >> 63)
        return frame_refuse(code, reason, WS_CLOSE_PROTOCOL, "the length is not valid");
    if (core_cursor_ok(&cursor) && !control && length > max_bytes)
        return frame_refuse(code, reason, WS_CLOSE_TOO_BIG, "the message is too long");
    core_slice mask = core_cursor_bytes(&cursor, sizeof head->mask);
    if (!core_cursor_ok(&cursor))
        return WS_FRAME_PARTIAL;
    memcpy(head->mask, mask.data, sizeof head->mask);
    head->header_bytes = core_cursor_offset(&cursor);
    head->payload_bytes = (size_t)length;
    return WS_FRAME_WHOLE;
}

void ws_frame_unmask(const ws_frame_head *head, uint8_t *payload) {
    for (size_t i = 0; i < head->payload_bytes; i++)
        payload[i] ^= head->mask[i & 3];
}

bool ws_close_code_valid(unsigned code) {
    if (code >= 3000 && code <= 4999)
        return true;
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}
