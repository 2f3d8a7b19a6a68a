/* The record of a name's keys; see key.h. */
#include "auth/key.h"

#include <stdio.h>
#include <string.h>

/* One that is for some indexes alone must not be taken for one of all by who does not know of it.
 */
enum { RECORD_VERSION = 1, RECORD_VERSION_INDEXES = 2, HASH_BYTES = 32 };

auth_key_state auth_key_secret_state(const auth_key_secret *secret, int64_t now_s) {
    if (secret->revoked_s != 0)
        return AUTH_KEY_REVOKED;
    return secret->expires_s <= now_s ? AUTH_KEY_ENDED : AUTH_KEY_ACTIVE;
}

bool auth_key_place(const auth_key_record *record, core_buffer *out) {
    core_buffer_text(out, AUTH_KEY_TOKEN ".");
    core_subject_token_append(out, core_slice_text(record->project));
    core_buffer_text(out, ".");
    core_subject_token_append(out, core_slice_text(record->environment));
    core_buffer_text(out, ".");
    core_subject_token_append(out, core_slice_text(record->name));
    core_buffer_u8(out, 0);
    return core_buffer_ok(out);
}

/* ---- What is allowed ---- */

static bool name_valid(const char *name) {
    static const char allowed[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-_";
    return name[0] != '\0' && strspn(name, allowed) == strlen(name);
}

static bool text_valid(const char *text, const char *what, core_error *error) {
    core_slice slice = core_slice_text(text);
    if (slice.length > 0 && core_utf8_valid(slice))
        return true;
    return core_error_set(error, CORE_ERROR_INPUT, "the %s of a key must be text in UTF-8", what);
}

bool auth_key_valid(const auth_key_record *record, core_error *error) {
    if (!name_valid(record->name))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "the name of a key must be 1 to %d letters, digits, '.', '-', '_'",
                              AUTH_KEY_NAME_MAX - 1);
    if (!text_valid(record->role, "role", error))
        return false;
    if (record->subject[0] != '\0' && !text_valid(record->subject, "subject", error))
        return false;
    return (core_subject_id_valid(record->project, error) ||
            core_error_wrap(error, "the project of a key")) &&
           (core_subject_id_valid(record->environment, error) ||
            core_error_wrap(error, "the environment of a key"));
}

/* ---- Encode ---- */

static void hash_write(core_json_writer *json, const uint8_t hash[HASH_BYTES]) {
    char text[2 * HASH_BYTES + 1];
    for (size_t i = 0; i < HASH_BYTES; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", hash[i]);
    core_json_key_text(json, "sha256");
    core_json_text(json, text);
}

static void secret_write(core_json_writer *json, const auth_key_secret *secret) {
    core_json_object_open(json);
    core_json_key_text(json, "prefix");
    core_json_text(json, secret->prefix);
    hash_write(json, secret->hash);
    core_json_key_text(json, "created");
    core_json_signed(json, secret->created_s);
    core_json_key_text(json, "expires");
    if (secret->expires_s == AUTH_NEVER_S)
        core_json_null(json);
    else
        core_json_signed(json, secret->expires_s);
    core_json_key_text(json, "state");
    core_json_text(json, secret->revoked_s == 0 ? "active" : "revoked");
    if (secret->revoked_s != 0) {
        core_json_key_text(json, "revoked");
        core_json_signed(json, secret->revoked_s);
    }
    core_json_object_close(json);
}

static void optional_write(core_json_writer *json, const auth_key_record *record) {
    if (record->indexes[0] != '\0') {
        core_json_key_text(json, "indexes");
        core_json_raw(json, core_slice_text(record->indexes));
    }
    if (record->title[0] != '\0') {
        core_json_key_text(json, "title");
        core_json_text(json, record->title);
    }
    if (record->description[0] != '\0') {
        core_json_key_text(json, "description");
        core_json_text(json, record->description);
    }
    if (record->changed_s != 0) {
        core_json_key_text(json, "changed");
        core_json_signed(json, record->changed_s);
    }
}

void auth_key_encode(const auth_key_record *record, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "version");
    core_json_unsigned(&json, record->indexes[0] != '\0' ? RECORD_VERSION_INDEXES : RECORD_VERSION);
    core_json_key_text(&json, "name");
    core_json_text(&json, record->name);
    core_json_key_text(&json, "project");
    core_json_text(&json, record->project);
    core_json_key_text(&json, "environment");
    core_json_text(&json, record->environment);
    core_json_key_text(&json, "role");
    core_json_text(&json, record->role);
    if (record->subject[0] != '\0') {
        core_json_key_text(&json, "sub");
        core_json_text(&json, record->subject);
    }
    core_json_key_text(&json, "scopes");
    core_scopes_write(&json, record->scopes);
    optional_write(&json, record);
    core_json_key_text(&json, "created");
    core_json_signed(&json, record->created_s);
    core_json_key_text(&json, "secrets");
    core_json_array_open(&json);
    for (size_t i = 0; i < record->secret_count; i++)
        secret_write(&json, &record->secrets[i]);
    core_json_array_close(&json);
    core_json_object_close(&json);
}

/* ---- Decode ---- */

/* A string, whole, without NUL. */
static bool text_read(core_json_token token, char *text, size_t size) {
    if (token.kind != CORE_JSON_STRING)
        return false;
    core_buffer plain = core_buffer_over(text, size);
    if (!core_json_unescape(token.raw, &plain))
        return false;
    core_buffer_u8(&plain, 0);
    return core_buffer_ok(&plain) && strlen(text) + 1 == plain.length;
}

static bool time_read(core_json_token token, int64_t *time_s) {
    return token.kind == CORE_JSON_NUMBER && core_slice_to_i64(token.raw, time_s) && *time_s >= 0 &&
           *time_s <= AUTH_NEVER_S;
}

static bool hash_read(core_json_token token, uint8_t hash[HASH_BYTES]) {
    char text[2 * HASH_BYTES + 1];
    if (!text_read(token, text, sizeof text) || strlen(text) != 2 * HASH_BYTES)
        return false;
    for (size_t i = 0; i < HASH_BYTES; i++) {
        int high = core_hex_digit((uint8_t)text[2 * i]);
        int low = core_hex_digit((uint8_t)text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        hash[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* What is not known to be active is not. */
static bool secret_member(core_json_token member, auth_key_secret *secret, bool *active) {
    if (core_json_raw_is(member.key, "prefix"))
        return text_read(member, secret->prefix, sizeof secret->prefix);
    if (core_json_raw_is(member.key, "sha256"))
        return hash_read(member, secret->hash);
    if (core_json_raw_is(member.key, "created"))
        return time_read(member, &secret->created_s);
    if (core_json_raw_is(member.key, "revoked"))
        return time_read(member, &secret->revoked_s);
    if (core_json_raw_is(member.key, "expires"))
        return member.kind == CORE_JSON_NULL || time_read(member, &secret->expires_s);
    if (core_json_raw_is(member.key, "state"))
        *active = member.kind == CORE_JSON_STRING && core_json_raw_is(member.raw, "active");
    return true;
}

static bool secret_read(core_json_reader *json, auth_key_secret *secret) {
    core_json_token member;
    core_slice whole;
    bool active = false, has_hash = false;
    *secret = (auth_key_secret){.expires_s = AUTH_NEVER_S};
    while (core_json_member_next(json, &member)) {
        if (!secret_member(member, secret, &active) || !core_json_skip(json, member, &whole))
            return false;
        has_hash |= core_json_raw_is(member.key, "sha256");
    }
    if (!active && secret->revoked_s == 0)
        secret->revoked_s = 1;
    return has_hash && strlen(secret->prefix) == AUTH_KEY_PREFIX_MAX - 1;
}

static bool secrets_read(core_json_reader *json, core_json_token array, auth_key_record *record) {
    if (array.kind != CORE_JSON_ARRAY_OPEN)
        return false;
    record->secret_count = 0;
    for (;;) {
        core_json_token item = core_json_next(json);
        if (item.kind == CORE_JSON_ARRAY_CLOSE)
            return true;
        if (item.kind != CORE_JSON_OBJECT_OPEN || record->secret_count == AUTH_KEY_SECRETS_MAX ||
            !secret_read(json, &record->secrets[record->secret_count]))
            return false;
        record->secret_count++;
    }
}

static bool scopes_read(core_json_reader *json, core_json_token array, auth_key_record *record) {
    if (array.kind != CORE_JSON_ARRAY_OPEN)
        return false;
    record->scopes = 0;
    for (;;) {
        core_json_token item = core_json_next(json);
        if (item.kind == CORE_JSON_ARRAY_CLOSE)
            return true;
        if (item.kind != CORE_JSON_STRING)
            return false;
        record->scopes |= core_scope_parse(item.raw);
    }
}

/* Where a member that is text goes; false: it is none. */
static bool member_is_text(core_json_token member, auth_key_record *record, char **text,
                           size_t *size) {
    const struct {
        const char *name;
        char *text;
        size_t size;
    } rows[] = {
        {"name", record->name, sizeof record->name},
        {"project", record->project, sizeof record->project},
        {"environment", record->environment, sizeof record->environment},
        {"role", record->role, sizeof record->role},
        {"sub", record->subject, sizeof record->subject},
        {"title", record->title, sizeof record->title},
        {"description", record->description, sizeof record->description},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        if (core_json_raw_is(member.key, rows[i].name)) {
            *text = rows[i].text;
            *size = rows[i].size;
            return true;
        }
    return false;
}

static bool member_read(core_json_reader *json, core_json_token member, auth_key_record *record,
                        int64_t *version) {
    char *text;
    size_t size;
    core_slice whole;
    if (core_json_raw_is(member.key, "secrets"))
        return secrets_read(json, member, record);
    if (core_json_raw_is(member.key, "scopes"))
        return scopes_read(json, member, record);
    if (member_is_text(member, record, &text, &size))
        return text_read(member, text, size);
    if (core_json_raw_is(member.key, "created"))
        return time_read(member, &record->created_s);
    if (core_json_raw_is(member.key, "changed"))
        return time_read(member, &record->changed_s);
    if (core_json_raw_is(member.key, "indexes"))
        return member.kind == CORE_JSON_ARRAY_OPEN && core_json_skip(json, member, &whole) &&
               core_slice_to_text(whole, record->indexes, sizeof record->indexes);
    if (core_json_raw_is(member.key, "version"))
        return time_read(member, version);
    return core_json_skip(json, member, &whole);
}

bool auth_key_decode(core_slice json, auth_key_record *record, core_error *error) {
    core_json_reader reader = core_json_reader_make(json);
    core_json_token member;
    int64_t version = 0;
    *record = (auth_key_record){.secret_count = 0};
    bool ok = json.length <= AUTH_KEY_RECORD_MAX && core_utf8_valid(json) &&
              core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    while (ok && core_json_member_next(&reader, &member))
        ok = member_read(&reader, member, record, &version);
    if (!ok || core_json_next(&reader).kind != CORE_JSON_END)
        return core_error_set(error, CORE_ERROR_INPUT, "this is no record of an API key");
    bool is_of_some = version == RECORD_VERSION_INDEXES && record->indexes[0] != '\0';
    if (version != RECORD_VERSION && !is_of_some)
        return core_error_set(
            error, CORE_ERROR_INPUT,
            "the record of key '%s' is of version %lld, expected %d (%d with indexes): update this "
            "walcast",
            record->name, (long long)version, RECORD_VERSION, RECORD_VERSION_INDEXES);
    return auth_key_valid(record, error);
}
