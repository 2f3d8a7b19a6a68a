/* Reading a key set; see jwks.h. One pass with the core's JSON reader; nothing of the document is
 * kept but the keys. */
#include "auth/jwks.h"

#include "auth/claims.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct auth_jwks {
    atomic_uint references;
    size_t count;
    size_t left_out;
    char note[AUTH_JWKS_NOTE_MAX];
    auth_jwk keys[AUTH_JWKS_MAX_KEYS];
};

/* ---- One key ---- */

static core_slice *member_slot(auth_jwk_text *text, core_slice name) {
    const struct {
        const char *name;
        core_slice *slot;
    } rows[] = {{"kty", &text->kty}, {"kid", &text->kid}, {"use", &text->use},
                {"alg", &text->alg}, {"crv", &text->crv}, {"n", &text->n},
                {"e", &text->e},     {"x", &text->x},     {"y", &text->y}};
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        if (core_json_raw_is(name, rows[i].name))
            return rows[i].slot;
    return NULL;
}

static bool operations_verify(core_json_kind kind, core_slice value) {
    const auth_claim operations = {.kind = kind, .value = value};
    return kind == CORE_JSON_ARRAY_OPEN && auth_claim_has(&operations, "verify");
}

/* False: the document is malformed. */
static bool member_take(core_json_reader *reader, core_json_token member, auth_jwk_text *text) {
    core_slice whole;
    core_slice *slot = member_slot(text, member.key);
    if (!core_json_skip(reader, member, &whole))
        return false;
    if (slot != NULL && member.kind == CORE_JSON_STRING && slot->data == NULL)
        *slot = member.raw;
    else if (slot != NULL)
        text->malformed = true;
    else if (core_json_raw_is(member.key, "d"))
        text->is_private = true;
    else if (core_json_raw_is(member.key, "key_ops"))
        text->cannot_verify = !operations_verify(member.kind, whole);
    return true;
}

static void left_out_note(auth_jwks *keys, const auth_jwk *key, const char *note) {
    if (keys->left_out++ == 0)
        (void)snprintf(keys->note, sizeof keys->note, "key %s %s",
                       key->id[0] != '\0' ? key->id : "without an id", note);
}

/* Behind the key's opening bracket. */
static bool key_take(core_json_reader *reader, auth_jwks *keys, core_error *error) {
    auth_jwk_text text = {.malformed = false};
    char note[AUTH_JWK_NOTE_MAX];
    core_json_token member;
    while (core_json_member_next(reader, &member))
        if (!member_take(reader, member, &text))
            return core_error_set(error, CORE_ERROR_INPUT, "not valid JSON inside a key");
    if (reader->failed)
        return core_error_set(error, CORE_ERROR_INPUT, "not valid JSON inside a key");
    if (keys->count + keys->left_out == AUTH_JWKS_MAX_KEYS)
        return core_error_set(error, CORE_ERROR_LIMIT, "more than %d keys", AUTH_JWKS_MAX_KEYS);
    auth_jwk *key = &keys->keys[keys->count];
    if (auth_jwk_init(key, &text, note))
        keys->count++;
    else
        left_out_note(keys, key, note);
    return true;
}

/* ---- The set ---- */

static bool array_take(core_json_reader *reader, auth_jwks *keys, core_error *error) {
    for (;;) {
        core_json_token token = core_json_next(reader);
        if (token.kind == CORE_JSON_ARRAY_CLOSE)
            return true;
        if (token.kind != CORE_JSON_OBJECT_OPEN)
            return core_error_set(error, CORE_ERROR_INPUT,
                                  "expected objects in the array \"keys\"");
        if (!key_take(reader, keys, error))
            return false;
    }
}

static bool document_take(core_slice json, auth_jwks *keys, core_error *error) {
    core_json_reader reader = core_json_reader_make(json);
    core_json_token member = core_json_next(&reader);
    bool found = false;
    if (!core_utf8_valid(json) || member.kind != CORE_JSON_OBJECT_OPEN)
        return core_error_set(error, CORE_ERROR_INPUT, "expected a JSON object with \"keys\"");
    while (core_json_member_next(&reader, &member)) {
        core_slice whole;
        bool is_keys = core_json_raw_is(member.key, "keys");
        if (is_keys && (found || member.kind != CORE_JSON_ARRAY_OPEN))
            return core_error_set(error, CORE_ERROR_INPUT, "expected one array \"keys\"");
        if (is_keys && !array_take(&reader, keys, error))
            return false;
        if (!is_keys && !core_json_skip(&reader, member, &whole))
            break;
        found = found || is_keys;
    }
    if (core_json_next(&reader).kind != CORE_JSON_END)
        return core_error_set(error, CORE_ERROR_INPUT, "not valid JSON");
    return found || core_error_set(error, CORE_ERROR_INPUT, "expected an array \"keys\"");
}

auth_jwks *auth_jwks_parse(core_slice json, core_error *error) {
    auth_jwks *keys = calloc(1, sizeof *keys);
    if (keys == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a key set");
        return NULL;
    }
    atomic_init(&keys->references, 1);
    if (document_take(json, keys, error))
        return keys;
    (void)core_error_wrap(error, "not a JSON Web Key Set");
    auth_jwks_release(keys);
    return NULL;
}

auth_jwks *auth_jwks_retain(auth_jwks *keys) {
    (void)atomic_fetch_add_explicit(&keys->references, 1, memory_order_relaxed);
    return keys;
}

void auth_jwks_release(auth_jwks *keys) {
    if (keys == NULL || atomic_fetch_sub_explicit(&keys->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < keys->count; i++)
        auth_jwk_fini(&keys->keys[i]);
    free(keys);
}

size_t auth_jwks_count(const auth_jwks *keys) {
    return keys->count;
}

const auth_jwk *auth_jwks_at(const auth_jwks *keys, size_t index) {
    return &keys->keys[index];
}

size_t auth_jwks_left_out(const auth_jwks *keys, const char **note) {
    *note = keys->note;
    return keys->left_out;
}

uint64_t auth_jwks_fingerprint(const auth_jwks *keys) {
    uint64_t sum = keys->count;
    for (size_t i = 0; i < keys->count; i++)
        sum += keys->keys[i].tag ^ core_slice_hash(core_slice_text(keys->keys[i].id));
    return sum;
}
