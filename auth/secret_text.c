/* See secret_text.h. */
#include "auth/secret_text.h"

#include "auth/gcm.h"

#define REFERENCE_OPEN  "${secret:"
#define REFERENCE_CLOSE '}'

/* ---- Finding ---- */

static bool is_letter(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_in_name(uint8_t c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
}

bool auth_secret_name_ok(core_slice name) {
    if (name.length == 0 || name.length > AUTH_SECRET_NAME_MAX || !is_letter(name.data[0]))
        return false;
    for (size_t i = 1; i < name.length; i++)
        if (!is_in_name(name.data[i]))
            return false;
    return true;
}

/* Where the next reference begins; the text's length: nowhere. */
static size_t reference_find(core_slice text, size_t at) {
    size_t left = text.length - at;
    const void *found =
        left == 0 ? NULL : memmem(text.data + at, left, REFERENCE_OPEN, sizeof REFERENCE_OPEN - 1);
    return found == NULL ? text.length : (size_t)((const uint8_t *)found - text.data);
}

bool auth_secret_piece_next(core_slice text, size_t *at, auth_secret_piece *piece,
                            core_error *error) {
    size_t open = reference_find(text, *at);
    piece->before = core_slice_make(text.length > 0 ? text.data + *at : NULL, open - *at);
    piece->name = core_slice_make(NULL, 0);
    *at = open;
    if (open == text.length)
        return true;
    size_t start = open + sizeof REFERENCE_OPEN - 1, end = start;
    while (end < text.length && is_in_name(text.data[end]))
        end++;
    core_slice name = core_slice_make(text.data + start, end - start);
    if (end == text.length || text.data[end] != REFERENCE_CLOSE || !auth_secret_name_ok(name))
        return core_error_set(
            error, CORE_ERROR_INPUT,
            "at byte %zu: expected ${secret:NAME} with a name of letters, digits, "
            "_ and -, at most %d",
            open, AUTH_SECRET_NAME_MAX);
    piece->name = name;
    *at = end + 1;
    return true;
}

/* ---- Replacing ---- */

typedef struct {
    core_slice name;
    core_buffer value;
} known_secret;

typedef struct {
    known_secret secrets[AUTH_SECRET_REFERENCES_MAX];
    size_t count;      /* of secrets, each once */
    size_t references; /* in the text */
    size_t length;     /* of the text when they are replaced */
} expansion;

static const known_secret *expansion_find(const expansion *it, core_slice name) {
    for (size_t i = 0; i < it->count; i++)
        if (core_slice_equal(it->secrets[i].name, name))
            return &it->secrets[i];
    return NULL;
}

static bool expansion_know(expansion *it, core_slice name, auth_secret_resolver resolve,
                           void *context, core_error *error) {
    if (++it->references > AUTH_SECRET_REFERENCES_MAX)
        return core_error_set(error, CORE_ERROR_LIMIT, "more than %d references to secrets",
                              AUTH_SECRET_REFERENCES_MAX);
    const known_secret *known = expansion_find(it, name);
    if (known == NULL) {
        known_secret *secret = &it->secrets[it->count++];
        secret->name = name;
        core_buffer_init(&secret->value, AUTH_SECRET_MAX);
        if (!resolve(context, name, &secret->value, error))
            return core_error_wrap(error, "${secret:%.*s}", CORE_SLICE_ARGS(name));
        known = secret;
    }
    it->length += known->value.length;
    return true;
}

/* All secrets of the text, and how long it becomes. */
static bool expansion_measure(expansion *it, core_slice text, auth_secret_resolver resolve,
                              void *context, core_error *error) {
    size_t at = 0;
    auth_secret_piece piece;
    do {
        if (!auth_secret_piece_next(text, &at, &piece, error))
            return false;
        it->length += piece.before.length;
        if (piece.name.length > 0 && !expansion_know(it, piece.name, resolve, context, error))
            return false;
    } while (piece.name.length > 0);
    return true;
}

static bool expansion_write(const expansion *it, core_slice text, core_buffer *out,
                            core_error *error) {
    size_t at = 0;
    auth_secret_piece piece;
    if (core_buffer_reserve(out, it->length > 0 ? it->length : 1) == NULL)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "with its secrets the text has %zu bytes, expected at most %zu",
                              it->length, out->max_bytes);
    do {
        if (!auth_secret_piece_next(text, &at, &piece, error))
            return false;
        core_buffer_slice_append(out, piece.before);
        const known_secret *known = expansion_find(it, piece.name);
        if (known != NULL)
            core_buffer_slice_append(out, core_buffer_slice(&known->value));
    } while (piece.name.length > 0);
    return true;
}

bool auth_secret_text_expand(core_slice text, auth_secret_resolver resolve, void *context,
                             core_buffer *out, core_error *error) {
    expansion it;
    assert(out->length == 0);
    it.count = it.references = it.length = 0;
    bool ok = expansion_measure(&it, text, resolve, context, error) &&
              expansion_write(&it, text, out, error);
    for (size_t i = 0; i < it.count; i++)
        auth_wipe_buffer(&it.secrets[i].value);
    return ok;
}
