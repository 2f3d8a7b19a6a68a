/* Dead letters, as other writers may have left them in their stream. What is taken is written again
 * the same, and shown as JSON. */
#include "triggers/dead_letters.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_written_alike(const triggers_letter *letter, core_slice input) {
    core_buffer out;
    core_buffer_init(&out, input.length + 64);
    triggers_letter_write(letter, &out);
    if (!core_buffer_ok(&out) || !core_slice_equal(core_buffer_slice(&out), input))
        abort();
    core_buffer_fini(&out);
}

static void must_be_shown(const triggers_dead_letter *letter, size_t size) {
    core_buffer out;
    core_buffer_init(&out, 64 * size + 65536);
    core_json_writer json = core_json_writer_make(&out);
    triggers_dead_json(letter, true, &json);
    if (!core_buffer_ok(&out) || !core_json_valid(core_buffer_slice(&out)))
        abort();
    core_buffer_reset(&out);
    triggers_dead_line(letter, &out);
    core_buffer_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const core_slice input = core_slice_make(data, size);
    triggers_dead_letter letter = {.id = 7};
    if (!triggers_letter_read(input, &letter.letter, NULL))
        return 0;
    must_be_written_alike(&letter.letter, input);
    letter.is_whole = triggers_task_read(letter.letter.task, &letter.task, NULL);
    must_be_shown(&letter, size);
    return 0;
}
