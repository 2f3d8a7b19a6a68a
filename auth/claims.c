/* Parsing and reading a payload's claims; see claims.h. The set is sorted by name, so a name that
 * comes twice shows as two neighbours and equal claims hash equally in whatever order they came. */
#include "auth/claims.h"

#include "auth/decimal.h"
#include "auth/mac.h"

#include <stdlib.h>

static int claim_compare(const void *left, const void *right) {
    return core_slice_compare(((const auth_claim *)left)->name, ((const auth_claim *)right)->name);
}

static bool claim_set_sort(auth_claim_set *set) {
    qsort(set->claims, set->count, sizeof set->claims[0], claim_compare);
    for (size_t i = 1; i < set->count; i++)
        if (core_slice_equal(set->claims[i - 1].name, set->claims[i].name))
            return false;
    return true;
}

/* `names` has room for all of them already, so what was appended before does not move. */
static bool claim_set_add(auth_claim_set *set, core_json_reader *reader, core_json_token token) {
    auth_claim *claim = &set->claims[set->count];
    size_t start = set->names.length;
    if (!core_json_unescape(token.key, &set->names))
        return false;
    claim->name = core_slice_make(set->names.data + start, set->names.length - start);
    claim->kind = token.kind;
    if (!core_json_skip(reader, token, &claim->value))
        return false;
    if (token.kind == CORE_JSON_STRING)
        claim->value = token.raw;
    set->count++;
    return true;
}

auth_verdict auth_claim_set_parse(auth_claim_set *set, core_slice payload) {
    set->count = 0;
    core_buffer_init(&set->names, payload.length);
    if (!core_utf8_valid(payload))
        return AUTH_MALFORMED;
    core_json_reader reader = core_json_reader_make(payload);
    if (core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN ||
        core_buffer_reserve(&set->names, payload.length) == NULL)
        return AUTH_MALFORMED;
    for (;;) {
        core_json_token token = core_json_next(&reader);
        if (token.kind == CORE_JSON_OBJECT_CLOSE)
            break;
        if (set->count == AUTH_CLAIMS_MAX)
            return AUTH_CLAIM_INVALID;
        if (token.kind == CORE_JSON_INVALID || !claim_set_add(set, &reader, token))
            return AUTH_MALFORMED;
    }
    if (core_json_next(&reader).kind != CORE_JSON_END)
        return AUTH_MALFORMED;
    return claim_set_sort(set) ? AUTH_OK : AUTH_CLAIM_INVALID;
}

void auth_claim_set_fini(auth_claim_set *set) {
    core_buffer_fini(&set->names);
}

const auth_claim *auth_claim_find(const auth_claim_set *set, const char *name) {
    auth_claim wanted = {.name = core_slice_text(name)};
    const auth_claim *found =
        bsearch(&wanted, set->claims, set->count, sizeof set->claims[0], claim_compare);
    return found != NULL && found->kind != CORE_JSON_NULL ? found : NULL;
}

auth_verdict auth_claim_text(const auth_claim_set *set, const char *path,
                             char text[AUTH_CLAIM_MAX]) {
    auth_claim claim;
    auth_verdict verdict = auth_claim_at(set, path, &claim);
    if (verdict != AUTH_OK || claim.kind == CORE_JSON_NULL)
        return verdict;
    if (claim.kind != CORE_JSON_STRING || claim.value.length == 0)
        return AUTH_CLAIM_INVALID;
    core_buffer plain;
    core_buffer_init(&plain, claim.value.length);
    bool fits = core_json_unescape(claim.value, &plain) && core_buffer_ok(&plain) &&
                core_slice_to_text(core_buffer_slice(&plain), text, AUTH_CLAIM_MAX);
    core_buffer_fini(&plain);
    return fits ? AUTH_OK : AUTH_CLAIM_INVALID;
}

auth_verdict auth_claim_time(const auth_claim_set *set, const char *name, bool *present,
                             int64_t *time_us) {
    const auth_claim *claim = auth_claim_find(set, name);
    *present = claim != NULL;
    if (claim == NULL)
        return AUTH_OK;
    if (claim->kind != CORE_JSON_NUMBER || !auth_decimal_to_micro(claim->value, time_us))
        return AUTH_CLAIM_INVALID;
    return AUTH_OK;
}

static bool claim_is_time(const auth_claim *claim) {
    static const char *const times[] = {"exp", "iat", "nbf", "jti"};
    for (size_t i = 0; i < CORE_COUNT_OF(times); i++)
        if (core_slice_is(claim->name, times[i]))
            return true;
    return false;
}

/* Lengths go before the bytes, so no two sets give the same text. */
static void claim_canonical_append(const auth_claim *claim, core_buffer *out) {
    core_buffer_u32(out, (uint32_t)claim->name.length);
    core_buffer_slice_append(out, claim->name);
    core_buffer_u8(out, (uint8_t)claim->kind);
    core_buffer_u32(out, (uint32_t)claim->value.length);
    core_buffer_slice_append(out, claim->value);
}

bool auth_claim_set_hash(const auth_claim_set *set, core_slice secret, uint64_t *hash) {
    core_buffer canonical;
    core_buffer_init(&canonical, 2 * AUTH_TOKEN_MAX + 9 * AUTH_CLAIMS_MAX);
    for (size_t i = 0; i < set->count; i++)
        if (!claim_is_time(&set->claims[i]))
            claim_canonical_append(&set->claims[i], &canonical);
    uint8_t code[AUTH_MAC_SIZE];
    bool done = core_buffer_ok(&canonical) && auth_mac(secret, core_buffer_slice(&canonical), code);
    core_buffer_fini(&canonical);
    if (!done)
        return false;
    core_cursor cursor = core_cursor_make(core_slice_make(code, sizeof code));
    *hash = core_cursor_u64(&cursor);
    return true;
}

void auth_claim_set_write(const auth_claim_set *set, const char *role, core_buffer *out) {
    core_json_writer writer = core_json_writer_make(out);
    core_json_object_open(&writer);
    for (size_t i = 0; i < set->count; i++) {
        core_slice value = set->claims[i].value;
        if (core_slice_is(set->claims[i].name, "role"))
            continue;
        core_json_key(&writer, set->claims[i].name);
        if (set->claims[i].kind == CORE_JSON_STRING) /* with the quotes around it */
            value = core_slice_make(value.data - 1, value.length + 2);
        core_json_raw(&writer, value);
    }
    core_json_key_text(&writer, "role");
    core_json_text(&writer, role);
    core_json_object_close(&writer);
}
