/* Any bytes as a patch of settings: what is taken is shown as a patch that is taken again and shows
 * the same, and makes a schema or is refused with a reason. */
#include "search-index/settings.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void settings_show(const search_settings *settings, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_buffer_reset(out);
    search_settings_write(settings, false, &json);
    if (!core_json_valid(core_buffer_slice(out)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    search_settings settings = {0}, again = {0};
    search_refusal refusal = {.code = SEARCH_CODE_NONE};
    core_arena arena;
    core_buffer shown, twice;
    core_arena_init(&arena, 4096, (size_t)8 << 20);
    core_buffer_init(&shown, (size_t)4 << 20);
    core_buffer_init(&twice, (size_t)4 << 20);
    if (search_settings_patch(&settings, core_slice_make(data, size), &arena, &refusal)) {
        settings_show(&settings, &shown);
        if (!search_settings_patch(&again, core_buffer_slice(&shown), &arena, &refusal))
            abort();
        settings_show(&again, &twice);
        if (!core_slice_equal(core_buffer_slice(&shown), core_buffer_slice(&twice)))
            abort();
        search_schema *schema = search_settings_schema(&settings, core_slice_text("id"), &refusal);
        if (schema == NULL && refusal.code == SEARCH_CODE_NONE)
            abort();
        search_schema_release(schema);
    } else if (refusal.code == SEARCH_CODE_NONE)
        abort();
    core_buffer_fini(&twice);
    core_buffer_fini(&shown);
    core_arena_fini(&arena);
    return 0;
}
