/* The settings of an index that is made over HTTP, as Meilisearch has them: read, merged, shown,
 * and made a schema of. One table (settings_table.h) has all of them.
 *
 * A patch is checked when it is asked for, and merged when the log is applied; both by the same
 * code, so that what was taken once is taken everywhere. Taken and of no effect here: `dictionary`,
 * `proximityPrecision`, the ranking rules of words' places, tokens of several characters among the
 * separators; docs/SEARCH_API.md says so. Pure. */
#ifndef WALCAST_SEARCH_INDEX_SETTINGS_H
#define WALCAST_SEARCH_INDEX_SETTINGS_H

#include "search-index/code.h"
#include "search-index/schema.h"

#define SEARCH_SETTINGS_BYTES_MAX ((size_t)4 << 20)

typedef enum {
#define X(name, text, path, group, shape, code, initial, low, high) SEARCH_SETTING_##name,
#include "search-index/settings_table.h"
#undef X
    SEARCH_SETTING_NONE,
} search_setting;

/* Each setting's JSON; empty: as by default. Slices live as long as the arena they were put with.
 */
typedef struct {
    core_slice values[SEARCH_SETTING_NONE];
} search_settings;

/* Of a path below /settings/; NONE: there is none. */
search_setting search_setting_find(core_slice path);
/* The whole group is patched (PATCH), or the value replaced (PUT). */
bool search_setting_is_group(search_setting setting);
const char *search_setting_name(search_setting setting);
/* It is a member of the settings themselves, not of a group. */
bool search_setting_is_outer(search_setting setting);

/* Merges a patch, an object of settings; null: as by default. Checks all of it, in Meilisearch's
 * words; what was refused has left the settings half merged. */
CORE_MUST_CHECK bool search_settings_patch(search_settings *settings, core_slice patch,
                                           core_arena *arena, search_refusal *refusal);
/* The same of one setting's value. */
CORE_MUST_CHECK bool search_settings_patch_one(search_settings *settings, search_setting setting,
                                               core_slice value, core_arena *arena,
                                               search_refusal *refusal);

/* All of them, or only those that are not as by default, which is a patch again. */
void search_settings_write(const search_settings *settings, bool all, core_json_writer *json);
void search_settings_write_one(const search_settings *settings, search_setting setting,
                               core_json_writer *json);
/* The value, or the default's. */
core_slice search_settings_value(const search_settings *settings, search_setting setting);

/* NULL, with a refusal: something in them is past a limit of schema.h. */
CORE_MUST_CHECK search_schema *search_settings_schema(const search_settings *settings,
                                                      core_slice primary_key,
                                                      search_refusal *refusal);
/* The same, built alike, but what can be filtered by is as `then` has it; NULL: as `settings`. */
CORE_MUST_CHECK search_schema *search_settings_schema_then(const search_settings *settings,
                                                           const search_settings *then,
                                                           core_slice primary_key,
                                                           search_refusal *refusal);
/* From the other side, of an index of tables: what clients are shown of its schema. */
CORE_MUST_CHECK bool search_settings_of_schema(search_settings *settings,
                                               const search_schema *schema, core_arena *arena);

/* An array of strings, escapes undone, in the arena. False: it is none, or memory is out. */
CORE_MUST_CHECK bool search_json_strings(core_slice json, core_arena *arena, core_slice **texts,
                                         size_t *count);
/* One string, the same. */
CORE_MUST_CHECK bool search_json_string(core_json_token token, core_arena *arena, core_slice *text);

#endif
