/* See secret_box.h. */
#include "auth/secret_box.h"

#include <inttypes.h>

#define BOX_VERSION 1

static core_slice box_text(core_cursor *cursor) {
    size_t length = core_cursor_u16(cursor);
    const uint8_t *bytes = core_cursor_take(cursor, length);
    return bytes != NULL ? core_slice_make(bytes, length) : core_slice_make(NULL, 0);
}

bool auth_secret_box_read(core_slice bytes, auth_secret_box *box, core_error *error) {
    core_cursor cursor = core_cursor_make(bytes);
    uint8_t version = core_cursor_u8(&cursor);
    if (core_cursor_ok(&cursor) && version != BOX_VERSION)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "the stored value is of form %u, and this Walcast reads form %d: it "
                              "is a newer one's, or no secret",
                              version, BOX_VERSION);
    box->key_id = core_cursor_u64(&cursor);
    box->created_us = (int64_t)core_cursor_u64(&cursor);
    box->id.project = box_text(&cursor);
    box->id.name = box_text(&cursor);
    box->head = core_slice_make(bytes.data, core_cursor_offset(&cursor));
    const uint8_t *nonce = core_cursor_take(&cursor, AUTH_GCM_NONCE_SIZE);
    box->nonce = core_slice_make(nonce, nonce != NULL ? AUTH_GCM_NONCE_SIZE : 0);
    size_t left = core_cursor_left(&cursor);
    const uint8_t *sealed = core_cursor_take(&cursor, left);
    box->sealed = core_slice_make(sealed, left);
    return (core_cursor_ok(&cursor) && left >= AUTH_GCM_TAG_SIZE) ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "the stored value is cut short: it has %zu bytes", bytes.length);
}

static bool box_is_of(const auth_secret_box *box, const auth_secret_id *id, core_error *error) {
    if (core_slice_equal(box->id.project, id->project) && core_slice_equal(box->id.name, id->name))
        return true;
    return core_error_set(error, CORE_ERROR_INPUT,
                          "the stored value is another secret's (%.*s of project %.*s), put under "
                          "this name: set the secret anew",
                          CORE_SLICE_ARGS(box->id.name), CORE_SLICE_ARGS(box->id.project));
}

bool auth_secret_box_read_of(core_slice bytes, const auth_secret_id *id, auth_secret_box *box,
                             core_error *error) {
    return auth_secret_box_read(bytes, box, error) && box_is_of(box, id, error);
}

/* ---- Sealing ---- */

static void box_text_write(core_buffer *out, core_slice text) {
    core_buffer_u16(out, (uint16_t)text.length);
    core_buffer_slice_append(out, text);
}

bool auth_secret_box_seal(const auth_secret_keys *keys, const auth_secret_id *id,
                          int64_t created_us, core_slice plain, core_buffer *out,
                          core_error *error) {
    const auth_secret_key *key = &keys->keys[0];
    uint8_t nonce[AUTH_GCM_NONCE_SIZE];
    size_t start = out->length, sealed_length = plain.length + AUTH_GCM_TAG_SIZE;
    assert(keys->count > 0);
    if (!auth_random(nonce, sizeof nonce))
        return core_error_set(error, CORE_ERROR_INTERNAL, "the system gives no random bytes");
    core_buffer_u8(out, BOX_VERSION);
    core_buffer_u64(out, key->id);
    core_buffer_u64(out, (uint64_t)created_us);
    box_text_write(out, id->project);
    box_text_write(out, id->name);
    size_t head_length = out->length - start;
    core_buffer_append(out, nonce, sizeof nonce);
    uint8_t *sealed = core_buffer_reserve(out, sealed_length);
    if (sealed == NULL)
        return core_error_set(error, CORE_ERROR_LIMIT, "the secret does not fit: %zu bytes",
                              plain.length);
    core_slice head = core_slice_make(out->data + start, head_length);
    if (!auth_gcm_seal(key->key, nonce, head, plain, sealed))
        return core_error_set(error, CORE_ERROR_INTERNAL, "AES-256-GCM failed");
    core_buffer_commit(out, sealed_length);
    return true;
}

/* ---- Opening ---- */

static const auth_secret_key *box_key(const auth_secret_keys *keys, const auth_secret_box *box,
                                      core_error *error) {
    const auth_secret_key *key = auth_secret_keys_find(keys, box->key_id);
    if (key == NULL)
        (void)core_error_set(error, CORE_ERROR_CONFIG,
                             "it is sealed under key %016" PRIx64 ", which is not among those of "
                             "secrets.key and secrets.key_file: add that key behind the first, or "
                             "set the secret anew",
                             box->key_id);
    return key;
}

bool auth_secret_box_open(const auth_secret_keys *keys, const auth_secret_id *id, core_slice bytes,
                          core_buffer *plain, core_error *error) {
    auth_secret_box box;
    assert(plain->length == 0);
    if (!auth_secret_box_read_of(bytes, id, &box, error))
        return false;
    const auth_secret_key *key = box_key(keys, &box, error);
    if (key == NULL)
        return false;
    size_t length = box.sealed.length - AUTH_GCM_TAG_SIZE;
    uint8_t *room = core_buffer_reserve(plain, length > 0 ? length : 1);
    if (room == NULL)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "the secret has %zu bytes, expected at most "
                              "%zu",
                              length, plain->max_bytes);
    if (!auth_gcm_open(key->key, box.nonce.data, box.head, box.sealed, room))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "the stored value was changed since it was sealed: it does not open "
                              "under its key; set the secret anew, and ask who writes the bucket");
    core_buffer_commit(plain, length);
    return true;
}
