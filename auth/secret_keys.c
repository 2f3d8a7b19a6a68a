/* See secret_keys.h. */
#include "auth/secret_keys.h"

#include "auth/mac.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_HEX_LENGTH  64
#define KEY_OTHERS_MODE 077u

/* ---- From text ---- */

static bool key_of_hex(core_slice word, uint8_t key[AUTH_GCM_KEY_SIZE]) {
    if (word.length != KEY_HEX_LENGTH)
        return false;
    for (size_t i = 0; i < AUTH_GCM_KEY_SIZE; i++) {
        int high = core_hex_digit(word.data[2 * i]), low = core_hex_digit(word.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool key_of_base64(core_slice word, uint8_t key[AUTH_GCM_KEY_SIZE]) {
    core_buffer bytes = core_buffer_over(key, AUTH_GCM_KEY_SIZE);
    return core_base64_decode(word, &bytes) && bytes.length == AUTH_GCM_KEY_SIZE;
}

static bool key_identify(auth_secret_key *key) {
    uint8_t code[AUTH_MAC_SIZE];
    bool ok = auth_mac(core_slice_make(key->key, sizeof key->key),
                       core_slice_text("walcast secrets.key id"), code);
    core_cursor cursor = core_cursor_make(core_slice_make(code, sizeof code));
    key->id = core_cursor_u64(&cursor);
    return ok;
}

static bool keys_add(auth_secret_keys *keys, core_slice word, const char *where,
                     core_error *error) {
    if (keys->count == AUTH_SECRET_KEYS_MAX)
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "%s: more than %d keys; remove those that nothing is sealed under "
                              "any more (walcast secret rotate)",
                              where, AUTH_SECRET_KEYS_MAX);
    auth_secret_key *key = &keys->keys[keys->count];
    if (!key_of_hex(word, key->key) && !key_of_base64(word, key->key))
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "%s: key %zu is not 32 bytes as 64 hexadecimal digits or as base64; "
                              "`walcast secret key` makes one",
                              where, keys->count + 1);
    if (!key_identify(key))
        return core_error_set(error, CORE_ERROR_INTERNAL, "%s: HMAC-SHA256 failed", where);
    keys->count++;
    return true;
}

static bool is_between(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',';
}

/* Behind blanks and comments. */
static size_t keys_skip(core_slice text, size_t at) {
    bool comment = false;
    for (; at < text.length; at++) {
        uint8_t c = text.data[at];
        comment = (comment || c == '#') && c != '\n';
        if (!comment && !is_between(c))
            break;
    }
    return at;
}

bool auth_secret_keys_read(auth_secret_keys *keys, core_slice text, const char *where,
                           core_error *error) {
    size_t before = keys->count;
    size_t at = keys_skip(text, 0);
    while (at < text.length) {
        size_t end = at;
        while (end < text.length && !is_between(text.data[end]) && text.data[end] != '#')
            end++;
        if (!keys_add(keys, core_slice_make(text.data + at, end - at), where, error))
            return false;
        at = keys_skip(text, end);
    }
    return keys->count > before ||
           core_error_set(error, CORE_ERROR_CONFIG, "%s: no key is in it", where);
}

/* ---- From a file ---- */

static bool file_failed(const char *path, const char *what, core_error *error) {
    return core_error_set(error, CORE_ERROR_CONFIG, "secrets.key_file %s: %s: %s", path, what,
                          strerror(errno));
}

/* All of it, at most `size`; -1 with errno. */
static ssize_t file_read(int fd, uint8_t *bytes, size_t size) {
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(fd, bytes + length, size - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

static bool file_take(auth_secret_keys *keys, int fd, const char *path, core_error *error) {
    uint8_t text[AUTH_SECRET_KEYS_TEXT_MAX + 1];
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return file_failed(path, "cannot be looked at", error);
    keys->exposed = facts.st_mode & KEY_OTHERS_MODE ? facts.st_mode & 0777u : 0;
    ssize_t length = file_read(fd, text, sizeof text);
    bool ok = false;
    if (length < 0)
        (void)file_failed(path, "cannot be read", error);
    else if (length > AUTH_SECRET_KEYS_TEXT_MAX)
        (void)core_error_set(error, CORE_ERROR_CONFIG,
                             "secrets.key_file %s: has more than %d bytes; expected a key a line",
                             path, AUTH_SECRET_KEYS_TEXT_MAX);
    else
        ok = auth_secret_keys_read(keys, core_slice_make(text, (size_t)length), "secrets.key_file",
                                   error);
    auth_wipe(text, sizeof text);
    return ok;
}

static bool keys_of_file(auth_secret_keys *keys, const char *path, core_error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not to wait at a pipe's end */
    if (fd < 0)
        return file_failed(path, "cannot be opened", error);
    bool ok = file_take(keys, fd, path, error);
    (void)close(fd);
    return ok;
}

bool auth_secret_keys_load(auth_secret_keys *keys, const core_config *config, core_error *error) {
    const char *text = core_config_text(config, "secrets.key");
    const char *path = core_config_text(config, "secrets.key_file");
    *keys = (auth_secret_keys){.count = 0};
    if (text != NULL && path != NULL)
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "secrets.key and secrets.key_file are both set: which keys count is "
                              "to be clear; leave one");
    if (path != NULL)
        return keys_of_file(keys, path, error);
    return text == NULL || auth_secret_keys_read(keys, core_slice_text(text), "secrets.key", error);
}

const auth_secret_key *auth_secret_keys_find(const auth_secret_keys *keys, uint64_t id) {
    for (size_t i = 0; i < keys->count; i++)
        if (keys->keys[i].id == id)
            return &keys->keys[i];
    return NULL;
}

void auth_secret_keys_wipe(auth_secret_keys *keys) {
    auth_wipe(keys, sizeof *keys);
}
