/* See deflate.h. Both streams are reset before each message. */
#include "ws/deflate.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#define DEFLATE_MAGIC      0xdef1a7e0u
#define DEFLATE_WINDOW     (-15) /* raw */
#define DEFLATE_MEMORY     8
#define DEFLATE_INFLATE_TO 16384 /* bytes of output at a time */

struct ws_deflate {
    uint32_t magic;
    z_stream out;
    z_stream in;
    bool out_ready, in_ready;
    uint8_t room[DEFLATE_INFLATE_TO];
};

/* What a message ends with before it is sent, and what is left out (RFC 7692 7.2.1). */
static const uint8_t deflate_tail[4] = {0x00, 0x00, 0xFF, 0xFF};

ws_deflate *ws_deflate_new(void) {
    ws_deflate *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return NULL;
    engine->magic = DEFLATE_MAGIC;
    engine->out_ready = deflateInit2(&engine->out, Z_BEST_SPEED, Z_DEFLATED, DEFLATE_WINDOW,
                                     DEFLATE_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
    engine->in_ready = inflateInit2(&engine->in, DEFLATE_WINDOW) == Z_OK;
    if (engine->out_ready && engine->in_ready)
        return engine;
    ws_deflate_free(engine);
    return NULL;
}

void ws_deflate_free(ws_deflate *engine) {
    if (engine == NULL)
        return;
    CORE_MAGIC_CHECK(engine, DEFLATE_MAGIC);
    if (engine->out_ready)
        (void)deflateEnd(&engine->out);
    if (engine->in_ready)
        (void)inflateEnd(&engine->in);
    engine->magic = 0;
    free(engine);
}

/* ---- Out ---- */

/* The compressed payload without its tail; 0 when it does not fit into `room_bytes`. */
static size_t deflate_payload(ws_deflate *engine, core_slice payload, uint8_t *room,
                              size_t room_bytes) {
    z_stream *out = &engine->out;
    if (payload.length > UINT_MAX || deflateReset(out) != Z_OK)
        return 0;
    out->next_in = (Bytef *)(uintptr_t)payload.data; /* zlib reads it only */
    out->avail_in = (uInt)payload.length;
    out->next_out = room;
    out->avail_out = (uInt)room_bytes;
    if (deflate(out, Z_SYNC_FLUSH) != Z_OK || out->avail_in > 0 || out->avail_out == 0)
        return 0;
    size_t length = room_bytes - out->avail_out;
    assert(length > sizeof deflate_tail);
    return length - sizeof deflate_tail;
}

static core_block *deflate_twin(ws_deflate *engine, const core_block *block) {
    ws_frame_opcode opcode;
    core_slice payload;
    if (!ws_frame_plain(core_block_slice(block), &opcode, &payload) ||
        payload.length < WS_DEFLATE_MIN_BYTES)
        return NULL;
    uint8_t *room = malloc(payload.length); /* what becomes longer is sent plain */
    size_t length = room ? deflate_payload(engine, payload, room, payload.length) : 0;
    core_slice part = core_slice_make(room, length);
    core_block *twin = length > 0 ? ws_frame_compressed_block(opcode, part) : NULL;
    free(room);
    return twin;
}

core_block *ws_deflate_frame(ws_deflate *engine, core_block *block, bool *made) {
    CORE_MAGIC_CHECK(engine, DEFLATE_MAGIC);
    core_block *twin = core_block_twin(block);
    *made = false;
    if (twin != NULL)
        return twin;
    twin = deflate_twin(engine, block);
    *made = twin != NULL;
    return core_block_set_twin(block, twin != NULL ? twin : block);
}

/* ---- In ---- */

/* Feeds one piece of input; what follows the end of a stream begins another (RFC 7692 7.2.3.5). */
static ws_inflate_result inflate_piece(ws_deflate *engine, core_slice piece, core_buffer *message) {
    z_stream *in = &engine->in;
    in->next_in = (Bytef *)(uintptr_t)piece.data;
    in->avail_in = (uInt)piece.length;
    for (;;) {
        in->next_out = engine->room;
        in->avail_out = sizeof engine->room;
        int result = inflate(in, Z_SYNC_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return result == Z_MEM_ERROR ? WS_INFLATE_NO_MEMORY : WS_INFLATE_INVALID;
        size_t made = sizeof engine->room - in->avail_out;
        if (made > message->max_bytes - message->length)
            return WS_INFLATE_TOO_BIG;
        core_buffer_append(message, engine->room, made);
        if (!core_buffer_ok(message))
            return WS_INFLATE_NO_MEMORY;
        if (result == Z_STREAM_END && inflateReset(in) != Z_OK)
            return WS_INFLATE_INVALID;
        if (in->avail_in == 0 && in->avail_out > 0)
            return WS_INFLATE_OK;
        if (result == Z_BUF_ERROR) /* neither input taken nor output made */
            return WS_INFLATE_INVALID;
    }
}

/* True at the end of a block: bit 7 of data_type, or a stream that has just begun anew. */
static bool inflate_is_whole(const ws_deflate *engine) {
    return (engine->in.data_type & 128) != 0 || engine->in.total_in == 0;
}

ws_inflate_result ws_deflate_read(ws_deflate *engine, core_slice payload, core_buffer *message) {
    CORE_MAGIC_CHECK(engine, DEFLATE_MAGIC);
    if (payload.length > UINT_MAX || inflateReset(&engine->in) != Z_OK)
        return WS_INFLATE_INVALID;
    ws_inflate_result result = inflate_piece(engine, payload, message);
    if (result == WS_INFLATE_OK)
        result = inflate_piece(engine, core_slice_make(deflate_tail, sizeof deflate_tail), message);
    if (result == WS_INFLATE_OK && !inflate_is_whole(engine))
        result = WS_INFLATE_INVALID;
    return result;
}
