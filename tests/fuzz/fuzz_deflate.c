/* A client's compressed message over any bytes, and what comes out compressed again: bounded, and
 * the same at the end. The first byte chooses the limit; the rest are also read as an offer. */
#include "ws/deflate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(ws_deflate *engine, core_slice text) {
    bool made;
    core_block *block = ws_frame_block(WS_FRAME_BINARY, &text, 1);
    core_block *twin = ws_deflate_frame(engine, block, &made);
    if (made) {
        size_t head = twin->bytes[1] < 126 ? 2 : twin->bytes[1] == 126 ? 4 : 10;
        core_buffer message;
        core_buffer_init(&message, text.length);
        core_slice payload = core_slice_make(twin->bytes + head, twin->length - head);
        if (ws_deflate_read(engine, payload, &message) != WS_INFLATE_OK ||
            !core_slice_equal(core_buffer_slice(&message), text))
            abort();
        core_buffer_fini(&message);
    }
    core_block_release(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ws_deflate *engine;
    if (engine == NULL)
        engine = ws_deflate_new();
    if (size == 0)
        return 0;
    core_slice input = core_slice_make(data + 1, size - 1);
    (void)ws_deflate_offers_fit(input);
    core_buffer message;
    core_buffer_init(&message, (size_t)data[0] * 64 + 1);
    if (ws_deflate_read(engine, input, &message) == WS_INFLATE_OK)
        again(engine, core_buffer_slice(&message));
    if (message.length > message.max_bytes)
        abort();
    core_buffer_fini(&message);
    return 0;
}
