/* Any bytes as a JSON message: decode refuses them, or the change can be written again, and what is
 * written reads back as the same change. */
#include "core/core.h"

#include <stdlib.h>

enum { MAX_BYTES = 1 << 22 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds)
        abort();
}

/* Columns whose names are one in JSON cannot be told apart there. */
static bool names_differ(const core_relation *relation) {
    for (size_t i = 0; i < relation->column_count; i++) {
        if (!core_utf8_valid(relation->columns[i].name))
            return false;
        for (size_t j = 0; j < i; j++)
            if (core_slice_equal(relation->columns[i].name, relation->columns[j].name))
                return false;
    }
    return true;
}

static void message_write(const core_run *run, core_arena *arena, core_buffer *out) {
    static const core_event_json_source source = {"1", "S", "d"};
    core_event_json_writer writer;
    core_run_reader reader;
    core_error error;
    core_event_json_writer_init(&writer, &source, MAX_BYTES);
    core_event_json_begin(&writer, run, 0);
    if (run->is_part) {
        core_change place = {
            .op = run->op, .transaction = run->last_transaction, .index = run->last_index};
        place.last = run->last_complete;
        core_event_json_part(&writer, &place, &run->part, out);
    } else {
        check(core_run_reader_init(&reader, run, arena, &error));
        core_event_json_change(&writer, core_run_next(&reader), out);
    }
    check(core_buffer_ok(out) && core_utf8_valid(core_buffer_slice(out)));
    core_event_json_writer_fini(&writer);
}

static void round_trip(const core_run *run, core_arena *arena) {
    core_buffer first, second;
    core_run again;
    core_error error;
    core_buffer_init(&first, MAX_BYTES);
    core_buffer_init(&second, MAX_BYTES);
    message_write(run, arena, &first);
    check(core_run_decode(core_buffer_slice(&first), arena, &again, &error));
    check(again.op == run->op && again.is_part == run->is_part &&
          again.last_index == run->last_index && again.last_complete == run->last_complete &&
          again.last_transaction.commit_lsn == run->last_transaction.commit_lsn);
    message_write(&again, arena, &second);
    check(run->is_part || core_slice_equal(core_buffer_slice(&first), core_buffer_slice(&second)));
    core_buffer_fini(&first);
    core_buffer_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_arena arena;
    core_run run;
    core_error error = {0};
    core_slice payload = core_slice_make(data, size);
    if (!core_event_is_json(payload))
        return 0;
    core_arena_init(&arena, 4096, 8 * MAX_BYTES);
    if (!core_run_decode(payload, &arena, &run, &error))
        check(error.code == CORE_ERROR_INPUT && error.text[0] != '\0');
    else if (!run.has_relation || names_differ(&run.relation))
        round_trip(&run, &arena);
    core_arena_fini(&arena);
    return 0;
}
