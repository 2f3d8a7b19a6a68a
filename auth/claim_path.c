/* Claims by their path, and those that are lists; see claims.h. Values are read where they stand,
 * by the JSON reader; what was parsed before is valid, so a reader that fails finds nothing. */
#include "auth/claims.h"

#include <stdio.h>

#define PATH_MAX_BYTES 512 /* a longer one finds nothing; the configuration refuses it */

static const auth_claim nothing = {.kind = CORE_JSON_NULL};

/* A value as a claim: a string without its quotes. */
static bool value_take(core_json_reader *reader, core_json_token token, auth_claim *claim) {
    core_slice whole;
    if (!core_json_skip(reader, token, &whole))
        return false;
    *claim = (auth_claim){.kind = token.kind,
                          .value = token.kind == CORE_JSON_STRING ? token.raw : whole};
    return true;
}

/* The members of the name, counted. */
static size_t member_find(core_slice object, const char *name, auth_claim *claim) {
    core_json_reader reader = core_json_reader_make(object);
    core_json_token member = core_json_next(&reader);
    size_t count = 0;
    while (core_json_member_next(&reader, &member)) {
        auth_claim value;
        bool named = core_json_raw_is(member.key, name);
        if (!value_take(&reader, member, &value))
            return 0;
        if (named)
            *claim = value;
        count += named ? 1 : 0;
    }
    return count;
}

static bool element_find(core_slice array, uint64_t index, auth_claim *claim) {
    core_json_reader reader = core_json_reader_make(array);
    (void)core_json_next(&reader);
    for (uint64_t i = 0;; i++) {
        core_json_token token = core_json_next(&reader);
        if (token.kind == CORE_JSON_ARRAY_CLOSE || !value_take(&reader, token, claim))
            return false;
        if (i == index)
            return true;
    }
}

/* Ends `name` at its last dot. False: it has none. */
static bool name_shorten(char *name) {
    char *dot = strrchr(name, '.');
    if (dot != NULL)
        *dot = '\0';
    return dot != NULL;
}

/* What is left of the path behind `name`. */
static const char *rest_of(const char *path, const char *name) {
    const char *behind = path + strlen(name);
    return *behind == '.' ? behind + 1 : behind;
}

static auth_verdict object_step(const char **path, auth_claim *claim) {
    char name[PATH_MAX_BYTES];
    core_slice object = claim->value;
    (void)snprintf(name, sizeof name, "%s", *path);
    do {
        size_t count = member_find(object, name, claim);
        if (count > 1)
            return AUTH_CLAIM_INVALID;
        if (count == 1) {
            *path = rest_of(*path, name);
            return AUTH_OK;
        }
    } while (name_shorten(name));
    *claim = nothing;
    return AUTH_OK;
}

static auth_verdict array_step(const char **path, auth_claim *claim) {
    size_t length = strcspn(*path, ".");
    uint64_t index;
    core_slice array = claim->value;
    if (!core_slice_to_u64(core_slice_make(*path, length), &index) ||
        !element_find(array, index, claim))
        *claim = nothing;
    *path += length + ((*path)[length] == '.' ? 1 : 0);
    return AUTH_OK;
}

/* The first step: names of the set come once only. */
static void set_step(const auth_claim_set *set, const char **path, auth_claim *claim) {
    char name[PATH_MAX_BYTES];
    (void)snprintf(name, sizeof name, "%s", *path);
    const auth_claim *found = auth_claim_find(set, name);
    while (found == NULL && name_shorten(name))
        found = auth_claim_find(set, name);
    *claim = found != NULL ? *found : nothing;
    *path = rest_of(*path, name);
}

auth_verdict auth_claim_at(const auth_claim_set *set, const char *path, auth_claim *claim) {
    auth_verdict verdict = AUTH_OK;
    *claim = nothing;
    if (strlen(path) >= PATH_MAX_BYTES)
        return AUTH_OK;
    set_step(set, &path, claim);
    while (verdict == AUTH_OK && *path != '\0' && claim->kind != CORE_JSON_NULL) {
        if (claim->kind == CORE_JSON_OBJECT_OPEN)
            verdict = object_step(&path, claim);
        else if (claim->kind == CORE_JSON_ARRAY_OPEN)
            verdict = array_step(&path, claim);
        else
            *claim = nothing;
    }
    return verdict;
}

/* ---- Lists ---- */

bool auth_claim_has(const auth_claim *claim, const char *text) {
    if (claim->kind == CORE_JSON_STRING)
        return core_json_raw_is(claim->value, text);
    if (claim->kind != CORE_JSON_ARRAY_OPEN)
        return false;
    core_json_reader reader = core_json_reader_make(claim->value);
    auth_claim element;
    (void)core_json_next(&reader);
    for (;;) {
        core_json_token token = core_json_next(&reader);
        if (token.kind == CORE_JSON_ARRAY_CLOSE || !value_take(&reader, token, &element))
            return false;
        if (element.kind == CORE_JSON_STRING && core_json_raw_is(element.value, text))
            return true;
    }
}

static bool words_have(core_slice text, const char *name) {
    size_t at = 0;
    while (at < text.length) {
        size_t start = at;
        while (at < text.length && text.data[at] != ' ')
            at++;
        if (core_slice_is(core_slice_make(text.data + start, at - start), name))
            return true;
        at++;
    }
    return false;
}

unsigned auth_claim_scopes(const auth_claim *claim) {
    unsigned scopes = 0;
    for (unsigned i = 0; i < CORE_SCOPE_COUNT; i++) {
        const char *name = core_scope_name(i);
        bool named = claim->kind == CORE_JSON_STRING ? words_have(claim->value, name)
                                                     : auth_claim_has(claim, name);
        if (named)
            scopes |= 1u << i;
    }
    return scopes;
}
