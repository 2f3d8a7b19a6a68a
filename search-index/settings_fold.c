/* See settings_fold.h. */
#include "search-index/settings_fold.h"

#define ARENA_CHUNK_BYTES ((size_t)4096)
#define ARENA_MAX_BYTES   (SEARCH_SETTINGS_BYTES_MAX * 8)

bool search_settings_fold(core_slice settings, core_slice patch, core_buffer *out,
                          search_refusal *refusal) {
    core_arena arena;
    search_settings merged = {0};
    search_schema *schema = NULL;
    core_arena_init(&arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    if (search_settings_patch(&merged, settings, &arena, refusal) &&
        search_settings_patch(&merged, patch, &arena, refusal))
        schema = search_settings_schema(&merged, core_slice_make(NULL, 0), refusal);
    bool ok = schema != NULL;
    if (ok) {
        core_json_writer json = core_json_writer_make(out);
        search_schema_release(schema);
        search_settings_write(&merged, false, &json);
        ok = core_buffer_ok(out) ||
             search_refuse(refusal, SEARCH_CODE_BAD_REQUEST, "The settings are too large.");
    }
    core_arena_fini(&arena);
    return ok;
}

search_schema *search_settings_folded(core_slice settings, core_slice primary_key,
                                      search_refusal *refusal) {
    core_arena arena;
    search_settings merged = {0};
    search_schema *schema = NULL;
    core_arena_init(&arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    if (search_settings_patch(&merged, settings, &arena, refusal))
        schema = search_settings_schema(&merged, primary_key, refusal);
    core_arena_fini(&arena);
    return schema;
}

search_schema *search_settings_filtered_as(core_slice settings, core_slice then,
                                           core_slice primary_key, search_refusal *refusal) {
    core_arena arena;
    search_settings merged = {0}, before = {0};
    search_schema *schema = NULL;
    core_arena_init(&arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    if (search_settings_patch(&merged, settings, &arena, refusal) &&
        search_settings_patch(&before, then, &arena, refusal))
        schema = search_settings_schema_then(&merged, &before, primary_key, refusal);
    core_arena_fini(&arena);
    return schema;
}
