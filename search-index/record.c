/* See record.h. */
#include "search-index/record.h"

#include <string.h>

enum { VERSION = 1 };

static const char *const kind_names[SEARCH_TASK_KINDS] = {
    [SEARCH_TASK_DEFINITION] = "definition",
    [SEARCH_TASK_INDEX_CREATION] = "indexCreation",
    [SEARCH_TASK_INDEX_UPDATE] = "indexUpdate",
    [SEARCH_TASK_INDEX_DELETION] = "indexDeletion",
    [SEARCH_TASK_INDEX_SWAP] = "indexSwap",
    [SEARCH_TASK_SETTINGS_UPDATE] = "settingsUpdate",
    [SEARCH_TASK_DOCUMENTS_ADD] = "documentAdditionOrUpdate",
    [SEARCH_TASK_DOCUMENTS_UPDATE] = "documentPartialUpdate",
    [SEARCH_TASK_DOCUMENTS_DELETE] = "documentDeletion",
    [SEARCH_TASK_CANCELATION] = "taskCancelation",
    [SEARCH_TASK_DELETION] = "taskDeletion",
};

const char *search_task_kind_name(search_task_kind kind) {
    return kind_names[kind];
}

bool search_task_kind_find(core_slice name, search_task_kind *kind) {
    for (size_t i = 0; i < SEARCH_TASK_KINDS; i++)
        if (core_slice_is(name, kind_names[i])) {
            *kind = (search_task_kind)i;
            return true;
        }
    return false;
}

bool search_uid_ok(core_slice uid) {
    for (size_t i = 0; i < uid.length; i++) {
        uint8_t byte = uid.data[i];
        if (!((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
              (byte >= '0' && byte <= '9') || byte == '_' || byte == '-'))
            return false;
    }
    return uid.length > 0 && uid.length <= SEARCH_UID_MAX;
}

/* ---- Writing ---- */

static void text_member(core_json_writer *json, const char *name, core_slice text) {
    if (text.length == 0)
        return;
    core_json_key_text(json, name);
    core_json_string(json, text);
}

static void swaps_member(core_json_writer *json, const search_record *record) {
    if (record->swap_count == 0)
        return;
    core_json_key_text(json, "swaps");
    core_json_array_open(json);
    for (size_t i = 0; i < record->swap_count; i++) {
        core_json_string(json, record->swaps[i].a);
        core_json_string(json, record->swaps[i].b);
    }
    core_json_array_close(json);
}

static void pieces_member(core_json_writer *json, const search_record *record) {
    if (record->is_piece) {
        core_json_key_text(json, "piece");
        core_json_bool(json, true);
    }
    if (record->taken > 0) {
        core_json_key_text(json, "taken");
        core_json_unsigned(json, record->taken);
    }
    if (record->cancels) {
        core_json_key_text(json, "matched");
        core_json_unsigned(json, record->matched);
    }
    if (record->piece_count == 0)
        return;
    core_json_key_text(json, "pieces");
    core_json_array_open(json);
    for (size_t i = 0; i < record->piece_count; i++)
        core_json_unsigned(json, record->pieces[i]);
    core_json_array_close(json);
}

void search_record_write(const search_record *record, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "v");
    core_json_unsigned(&json, VERSION);
    core_json_key_text(&json, "kind");
    core_json_text(&json, kind_names[record->kind]);
    text_member(&json, "project", record->project);
    text_member(&json, "environment", record->environment);
    text_member(&json, "index", record->index);
    core_json_key_text(&json, "at");
    core_json_signed(&json, record->at_us);
    text_member(&json, "primary_key", record->primary_key);
    if (record->is_held) {
        core_json_key_text(&json, "replaces");
        core_json_unsigned(&json, record->replaces);
    }
    text_member(&json, "facts", record->facts);
    swaps_member(&json, record);
    pieces_member(&json, record);
    core_json_object_close(&json);
    core_buffer_u8(out, '\n');
    core_buffer_slice_append(out, record->body);
}

/* ---- Reading ---- */

static bool text_keep(core_slice raw, core_arena *arena, core_slice *text) {
    core_buffer unescaped;
    core_buffer_init(&unescaped, SEARCH_RECORD_LINE);
    bool ok = core_json_unescape(raw, &unescaped);
    if (ok)
        *text = core_arena_copy(arena, core_buffer_slice(&unescaped));
    core_buffer_fini(&unescaped);
    return ok && text->data != NULL;
}

static bool swaps_read(core_json_reader *reader, core_arena *arena, search_record *record) {
    search_swap *swaps = core_arena_array(arena, SEARCH_SWAPS_MAX, sizeof *swaps);
    record->swaps = swaps;
    while (swaps != NULL) {
        core_json_token token = core_json_next(reader);
        if (token.kind == CORE_JSON_ARRAY_CLOSE)
            return true;
        if (token.kind != CORE_JSON_STRING || record->swap_count == SEARCH_SWAPS_MAX)
            return false;
        search_swap *swap = &swaps[record->swap_count++];
        if (!text_keep(token.raw, arena, &swap->a))
            return false;
        token = core_json_next(reader);
        if (token.kind != CORE_JSON_STRING || !text_keep(token.raw, arena, &swap->b))
            return false;
    }
    return false;
}

static bool pieces_read(core_json_reader *reader, core_arena *arena, search_record *record) {
    uint64_t *pieces = core_arena_array(arena, SEARCH_PIECES_MAX, sizeof *pieces);
    core_json_token token = core_json_next(reader);
    record->pieces = pieces;
    for (; pieces != NULL && token.kind == CORE_JSON_NUMBER; token = core_json_next(reader))
        if (record->piece_count == SEARCH_PIECES_MAX ||
            !core_slice_to_u64(token.raw, &pieces[record->piece_count++]))
            return false;
    return pieces != NULL && token.kind == CORE_JSON_ARRAY_CLOSE;
}

static bool text_of(search_record *record, core_slice key, core_slice **text) {
    const struct {
        const char *name;
        core_slice *text;
    } rows[] = {{"project", &record->project},
                {"environment", &record->environment},
                {"index", &record->index},
                {"primary_key", &record->primary_key},
                {"facts", &record->facts}};
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        if (core_slice_is(key, rows[i].name)) {
            *text = rows[i].text;
            return true;
        }
    return false;
}

/* One member; unknown ones are passed over. `seen` counts those that must be there. */
static bool member_read(core_json_reader *reader, const core_json_token *member, core_arena *arena,
                        search_record *record, unsigned *seen) {
    core_slice whole, *text;
    if (core_slice_is(member->key, "v"))
        *seen |= core_slice_is(member->raw, "1") ? 1 : 0;
    if (core_slice_is(member->key, "kind"))
        *seen |= search_task_kind_find(member->raw, &record->kind) ? 2 : 0;
    if (core_slice_is(member->key, "at"))
        *seen |= core_slice_to_i64(member->raw, &record->at_us) ? 4 : 0;
    if (core_slice_is(member->key, "piece"))
        record->is_piece = member->kind == CORE_JSON_TRUE;
    if (core_slice_is(member->key, "taken") && !core_slice_to_u64(member->raw, &record->taken))
        return false;
    if (core_slice_is(member->key, "matched"))
        record->cancels = core_slice_to_u64(member->raw, &record->matched);
    if (core_slice_is(member->key, "pieces") && member->kind == CORE_JSON_ARRAY_OPEN)
        return pieces_read(reader, arena, record);
    if (core_slice_is(member->key, "replaces"))
        record->is_held = core_slice_to_u64(member->raw, &record->replaces);
    if (core_slice_is(member->key, "swaps") && member->kind == CORE_JSON_ARRAY_OPEN)
        return swaps_read(reader, arena, record);
    if (member->kind == CORE_JSON_STRING && text_of(record, member->key, &text))
        return text_keep(member->raw, arena, text);
    return core_json_skip(reader, *member, &whole);
}

bool search_record_read(core_slice message, core_arena *arena, search_record *record,
                        core_error *error) {
    const uint8_t *end = message.length > 0 ? memchr(message.data, '\n', message.length) : NULL;
    size_t length = end != NULL ? (size_t)(end - message.data) : 0;
    core_json_reader reader = core_json_reader_make(core_slice_make(message.data, length));
    core_json_token member;
    unsigned seen = 0;
    *record = (search_record){.kind = SEARCH_TASK_DEFINITION};
    bool ok = end != NULL && core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    while (ok && core_json_member_next(&reader, &member))
        ok = member_read(&reader, &member, arena, record, &seen);
    ok = ok && core_json_next(&reader).kind == CORE_JSON_END && seen == 7;
    if (!ok)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "not a record of the search log that this version can read");
    record->body = core_slice_make(message.data + length + 1, message.length - length - 1);
    return true;
}
