/* Primary keys and ids of documents, in Meilisearch's ways and words; see documents.h. */
#include "search-index/documents.h"
#include "search-index/settings.h"

#include <stdio.h>
#include <strings.h>

#define DOCUMENT_SHOWN_MAX 300 /* bytes of a document in a message */

/* ---- Members ---- */

/* Whether the raw key is the name, escapes undone. */
static bool key_is(core_slice raw, core_slice name) {
    uint8_t room[SEARCH_ATTRIBUTE_NAME_MAX + 1];
    if (raw.length == 0 || memchr(raw.data, '\\', raw.length) == NULL)
        return core_slice_equal(raw, name);
    core_buffer text = core_buffer_over(room, sizeof room);
    return core_json_unescape(raw, &text) && core_slice_equal(core_buffer_slice(&text), name);
}

/* The object's member of that name: its value's text and kind. False: there is none. */
static bool member_find(core_slice object, core_slice name, core_json_token *found,
                        core_slice *whole) {
    core_json_reader reader = core_json_reader_make(object);
    core_json_token token = core_json_next(&reader);
    bool any = false;
    if (token.kind != CORE_JSON_OBJECT_OPEN)
        return false;
    while (core_json_member_next(&reader, &token)) {
        core_slice value;
        const core_json_token member = token;
        if (!core_json_skip(&reader, token, &value))
            return false;
        if (!key_is(member.key, name))
            continue;
        any = true; /* the last one of a name counts */
        *found = member;
        *whole = value;
    }
    return any;
}

/* As it is written, then as a path. */
static bool path_find(core_slice object, core_slice path, core_json_token *found,
                      core_slice *whole) {
    if (member_find(object, path, found, whole))
        return true;
    for (size_t i = 0; i < path.length; i++) {
        if (path.data[i] != '.')
            continue;
        core_slice rest = core_slice_make(path.data + i + 1, path.length - i - 1);
        if (member_find(object, core_slice_make(path.data, i), found, whole) &&
            found->kind == CORE_JSON_OBJECT_OPEN && path_find(*whole, rest, found, whole))
            return true;
    }
    return false;
}

/* ---- Ids ---- */

bool search_document_id_ok(core_slice id) {
    for (size_t i = 0; i < id.length; i++) {
        uint8_t byte = id.data[i];
        bool ok = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                  (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';
        if (!ok)
            return false;
    }
    return id.length > 0 && id.length <= SEARCH_ID_BYTES_MAX;
}

static bool id_refuse(core_slice value, search_refusal *refusal) {
    return search_refuse(refusal, SEARCH_CODE_INVALID_DOCUMENT_ID,
                         "Document identifier `%.*s` is invalid. A document identifier can be of "
                         "type integer or string, only composed of alphanumeric characters (a-z "
                         "A-Z 0-9), hyphens (-) and underscores (_), and can not be more than %d "
                         "bytes.",
                         value.length < DOCUMENT_SHOWN_MAX ? (int)value.length : DOCUMENT_SHOWN_MAX,
                         (const char *)value.data, SEARCH_ID_BYTES_MAX);
}

bool search_document_id(core_slice document, core_slice primary_key, core_arena *arena,
                        core_slice *id, search_refusal *refusal) {
    core_json_token token;
    core_slice whole;
    if (!path_find(document, primary_key, &token, &whole)) {
        int shown =
            document.length < DOCUMENT_SHOWN_MAX ? (int)document.length : DOCUMENT_SHOWN_MAX;
        return search_refuse(refusal, SEARCH_CODE_MISSING_DOCUMENT_ID,
                             "Document doesn't have a `%.*s` attribute: `%.*s`.",
                             CORE_SLICE_ARGS(primary_key), shown, (const char *)document.data);
    }
    if (token.kind == CORE_JSON_NUMBER) {
        int64_t number;
        uint64_t great;
        *id = token.raw;
        return core_slice_to_i64(token.raw, &number) || core_slice_to_u64(token.raw, &great) ||
               id_refuse(whole, refusal);
    }
    core_slice text;
    if (!search_json_string(token, arena, &text))
        return id_refuse(whole, refusal);
    while (text.length > 0 && text.data[text.length - 1] == ' ')
        text.length--;
    while (text.length > 0 && text.data[0] == ' ')
        text = core_slice_make(text.data + 1, text.length - 1);
    *id = text;
    return search_document_id_ok(text) || id_refuse(whole, refusal);
}

/* ---- The primary key ---- */

static bool ends_with_id(core_slice name) {
    return name.length >= 2 && strncasecmp((const char *)name.data + name.length - 2, "id", 2) == 0;
}

bool search_primary_key_guess(core_slice document, core_slice index, core_arena *arena,
                              core_slice *primary_key, search_refusal *refusal) {
    core_json_reader reader = core_json_reader_make(document);
    core_json_token token = core_json_next(&reader);
    core_slice whole, candidates[2] = {{0}};
    size_t count = 0;
    while (core_json_member_next(&reader, &token)) {
        core_slice key = token.key;
        if (!core_json_skip(&reader, token, &whole))
            break;
        if (!ends_with_id(key))
            continue;
        if (count < 2)
            candidates[count] = key;
        count++;
    }
    if (count == 0)
        return search_refuse(refusal, SEARCH_CODE_INDEX_PRIMARY_KEY_NO_CANDIDATE_FOUND,
                             "Index `%.*s`: The primary key inference failed as the engine did not "
                             "find any field ending with `id` in its name. Please specify the "
                             "primary key manually using the `primaryKey` query parameter.",
                             CORE_SLICE_ARGS(index));
    if (count > 1)
        return search_refuse(
            refusal, SEARCH_CODE_INDEX_PRIMARY_KEY_MULTIPLE_CANDIDATES_FOUND,
            "Index `%.*s`: The primary key inference failed as the engine found "
            "%zu fields ending with `id` in their names: '%.*s' and '%.*s'. Please "
            "specify the primary key manually using the `primaryKey` query "
            "parameter.",
            CORE_SLICE_ARGS(index), count, CORE_SLICE_ARGS(candidates[0]),
            CORE_SLICE_ARGS(candidates[1]));
    *primary_key = core_arena_copy(arena, candidates[0]);
    return primary_key->data != NULL ||
           search_refuse(refusal, SEARCH_CODE_INTERNAL, "no memory for the primary key");
}

/* ---- Updates ---- */

static void member_write(core_buffer *out, core_slice key, core_slice value, bool *any) {
    core_buffer_text(out, *any ? ",\"" : "\"");
    core_buffer_slice_append(out, key);
    core_buffer_text(out, "\":");
    core_buffer_slice_append(out, value);
    *any = true;
}

/* Those that `without`, an object, does not have. */
static void members_write(core_slice object, const core_slice *without, core_buffer *out,
                          bool *any) {
    core_json_reader reader = core_json_reader_make(object);
    core_json_token token = core_json_next(&reader), found;
    core_slice value, other;
    while (core_json_member_next(&reader, &token)) {
        core_slice key = token.key;
        if (!core_json_skip(&reader, token, &value))
            return;
        uint8_t room[SEARCH_ATTRIBUTE_NAME_MAX + 1];
        core_buffer name = core_buffer_over(room, sizeof room);
        bool is_name = core_json_unescape(key, &name);
        if (without == NULL || !is_name ||
            !member_find(*without, core_buffer_slice(&name), &found, &other))
            member_write(out, key, value, any);
    }
}

void search_document_merge(core_slice kept, core_slice document, core_buffer *out) {
    bool any = false;
    core_buffer_u8(out, '{');
    members_write(kept, &document, out, &any);
    members_write(document, NULL, out, &any);
    core_buffer_u8(out, '}');
}
