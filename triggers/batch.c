/* See batch.h. A list of ids is each one's length and bytes. */
#include "triggers/batch.h"

static const char between[] = "..";

enum { BETWEEN = sizeof between - 1, AROUND_ID = 2, AROUND_BODY = 1 };

static bool may_go_along(const triggers_task *first, const triggers_task *task) {
    return task->batch.length == 0 && task->depth <= TRIGGERS_DEPTH_MAX &&
           first->event_id.length + BETWEEN + task->event_id.length <= TRIGGERS_EVENT_ID_MAX;
}

/* What a task adds: its body and its id, with what stands around them. */
static size_t part_bytes(const triggers_task *task) {
    return task->body.length + AROUND_BODY + task->event_id.length + AROUND_ID;
}

size_t triggers_batch_count(const triggers_task *tasks, size_t count, size_t max_bytes) {
    size_t taken = 0, bytes = AROUND_BODY;
    while (taken < count && may_go_along(&tasks[0], &tasks[taken])) {
        bytes += part_bytes(&tasks[taken]);
        if (bytes > max_bytes)
            break;
        taken++;
    }
    return taken > 0 ? taken : 1;
}

static void list_write(const triggers_task *tasks, size_t count, core_buffer *ids,
                       core_buffer *body) {
    for (size_t i = 0; i < count; i++) {
        core_buffer_u16(ids, (uint16_t)tasks[i].event_id.length);
        core_buffer_slice_append(ids, tasks[i].event_id);
        core_buffer_u8(body, i == 0 ? '[' : ',');
        core_buffer_slice_append(body, tasks[i].body);
    }
    core_buffer_u8(body, ']');
}

static void id_write(const triggers_task *tasks, size_t count, core_buffer *id) {
    core_buffer_slice_append(id, tasks[0].event_id);
    core_buffer_slice_append(id, core_slice_text(between));
    core_buffer_slice_append(id, tasks[count - 1].event_id);
}

core_block *triggers_batch_write(const triggers_task *tasks, size_t count) {
    enum { OUT_MAX_BYTES = 128 * 1024 * 1024 };
    uint8_t memory[TRIGGERS_EVENT_ID_MAX];
    core_buffer ids, body, out, id = core_buffer_over(memory, sizeof memory);
    triggers_task task = tasks[count - 1];
    core_buffer_init(&ids, OUT_MAX_BYTES);
    core_buffer_init(&body, OUT_MAX_BYTES);
    core_buffer_init(&out, OUT_MAX_BYTES);
    list_write(tasks, count, &ids, &body);
    id_write(tasks, count, &id);
    for (size_t i = 0; i < count; i++)
        task.depth = tasks[i].depth > task.depth ? tasks[i].depth : task.depth;
    task.event_id = core_buffer_slice(&id);
    task.batch = core_buffer_slice(&ids);
    task.body = core_buffer_slice(&body);
    bool ok = core_buffer_ok(&ids) && core_buffer_ok(&body) && core_buffer_ok(&id);
    if (ok)
        triggers_task_write(&task, &out);
    core_block *block =
        ok && core_buffer_ok(&out) ? core_block_copy(core_buffer_slice(&out)) : NULL;
    core_buffer_fini(&out);
    core_buffer_fini(&body);
    core_buffer_fini(&ids);
    return block;
}

bool triggers_batch_next(core_cursor *cursor, core_slice *event_id) {
    if (core_cursor_left(cursor) == 0)
        return false;
    *event_id = core_cursor_bytes(cursor, core_cursor_u16(cursor));
    return core_cursor_ok(cursor);
}
