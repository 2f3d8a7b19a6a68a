/* Any sequence of messages to the reorder buffer, each behind a length of two bytes: it takes them,
 * refuses one (which ends the connection), or replays; never more. A control message that is read
 * is written again and must give the same bytes. */
#include "cdc/pgoutput_stream.h"
#include "cdc/reorder.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds)
        abort();
}

static void control_try(core_slice bytes) {
    cdc_control control;
    core_error error;
    if (!cdc_control_read(bytes, &control, &error))
        return;
    core_buffer again;
    core_buffer_init(&again, 1 << 20);
    cdc_control_write(&again, &control);
    check(core_slice_equal(core_buffer_slice(&again), bytes));
    core_buffer_fini(&again);
}

/* A transaction from its Begin to its Commit, or only descriptions. False when a stored message was
 * refused. */
static bool replay(cdc_reorder *reorder, core_arena *arena) {
    bool open = false;
    size_t count = 0;
    while (cdc_reorder_replaying(reorder)) {
        cdc_message message;
        bool given = false;
        core_error error;
        core_arena_reset(arena);
        if (!cdc_reorder_next(reorder, arena, &message, &given, &error))
            return false;
        if (!given)
            continue;
        if (open)
            check(message.kind != CDC_BEGIN);
        else if (count > 0 || message.kind != CDC_BEGIN)
            check(message.kind == CDC_RELATION || message.kind == CDC_TYPE);
        open = (open || message.kind == CDC_BEGIN) && message.kind != CDC_COMMIT;
        count++;
    }
    check(!open);
    return true;
}

static void messages_take(cdc_reorder *reorder, core_slice input) {
    core_arena arena;
    core_arena_init(&arena, 4096, 1 << 20);
    core_cursor cursor = core_cursor_make(input);
    bool ok = true;
    while (ok && core_cursor_left(&cursor) > 0) {
        core_slice bytes = core_cursor_bytes(&cursor, core_cursor_u16(&cursor));
        bool plain = false;
        core_error error;
        control_try(bytes);
        ok = core_cursor_ok(&cursor) && cdc_reorder_take(reorder, bytes, &plain, &error) &&
             replay(reorder, &arena);
    }
    core_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_error error;
    cdc_store_limits limits = {
        .memory_bytes = 4096, .spill_dir = "/tmp", .spill_max_bytes = 1 << 20};
    cdc_reorder *reorder = cdc_reorder_new(&limits, &error);
    check(reorder != NULL);
    messages_take(reorder, core_slice_make(data, size));
    cdc_reorder_free(reorder);
    return 0;
}
