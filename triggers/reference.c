/* See reference.h. */
#include "triggers/reference.h"

/* Behind the opening quote: up to the closing one, "" for one. */
static bool quoted_take(core_slice text, size_t *at, char name[TRIGGERS_IDENTIFIER_MAX + 1]) {
    size_t length = 0;
    for ((*at)++; *at < text.length; (*at)++) {
        bool quote = text.data[*at] == '"';
        bool twice = quote && *at + 1 < text.length && text.data[*at + 1] == '"';
        if (quote && !twice) {
            (*at)++;
            name[length] = '\0';
            return length > 0;
        }
        *at += twice;
        if (length == TRIGGERS_IDENTIFIER_MAX || text.data[*at] == '\0')
            return false;
        name[length++] = (char)text.data[*at];
    }
    return false;
}

static bool is_letter(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' ||
           byte >= 0x80;
}

static bool is_digit(uint8_t byte) {
    return byte >= '0' && byte <= '9';
}

/* An SQL identifier, folded. */
static bool plain_take(core_slice text, size_t *at, char name[TRIGGERS_IDENTIFIER_MAX + 1]) {
    size_t length = 0;
    for (; *at < text.length; (*at)++) {
        uint8_t byte = text.data[*at];
        if (!is_letter(byte) && (length == 0 || !(is_digit(byte) || byte == '$')))
            break;
        if (length == TRIGGERS_IDENTIFIER_MAX)
            return false;
        name[length++] = (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
    }
    name[length] = '\0';
    return length > 0;
}

/* At `*at`: a reference, or false. */
static bool reference_take(core_slice text, size_t *at, triggers_reference *reference) {
    char image[TRIGGERS_IDENTIFIER_MAX + 1];
    if (!plain_take(text, at, image) || *at >= text.length || text.data[(*at)++] != '.')
        return false;
    reference->is_old = strcmp(image, "old") == 0;
    if (!reference->is_old && strcmp(image, "new") != 0)
        return false;
    bool quoted = *at < text.length && text.data[*at] == '"';
    return quoted ? quoted_take(text, at, reference->column)
                  : plain_take(text, at, reference->column);
}

bool triggers_reference_read(core_slice text, triggers_reference *reference) {
    size_t at = 0;
    return reference_take(text, &at, reference) && at == text.length;
}

static bool is_in_name(uint8_t byte) {
    return is_letter(byte) || is_digit(byte) || byte == '$' || byte == '.' || byte == '"';
}

/* Behind the literal that begins at `at`; a doubled quote begins another one at once. */
static size_t literal_end(core_slice text, size_t at) {
    const uint8_t *end =
        at + 1 < text.length ? memchr(text.data + at + 1, '\'', text.length - at - 1) : NULL;
    return end != NULL ? (size_t)(end - text.data) + 1 : text.length;
}

static size_t characters(core_slice text, size_t end) {
    size_t count = 0;
    for (size_t i = 0; i < end; i++)
        count += (text.data[i] & 0xC0) != 0x80;
    return count;
}

bool triggers_reference_next(core_slice text, size_t *at, size_t *position,
                             triggers_reference *reference) {
    while (*at < text.length) {
        size_t begin = *at;
        bool starts =
            is_letter(text.data[begin]) && (begin == 0 || !is_in_name(text.data[begin - 1]));
        if (starts && reference_take(text, at, reference)) {
            *position = characters(text, begin) + 1;
            return true;
        }
        *at = text.data[begin] == '\'' ? literal_end(text, begin) : begin + 1;
    }
    return false;
}

/* Unquoted: up to a dot. */
static bool name_take(core_slice text, size_t *at, char name[TRIGGERS_IDENTIFIER_MAX + 1]) {
    size_t length = 0;
    if (*at < text.length && text.data[*at] == '"')
        return quoted_take(text, at, name);
    for (; *at < text.length && text.data[*at] != '.'; (*at)++) {
        uint8_t byte = text.data[*at];
        if (length == TRIGGERS_IDENTIFIER_MAX || byte == '\0' || byte == '"')
            return false;
        name[length++] = (char)byte;
    }
    name[length] = '\0';
    return length > 0;
}

bool triggers_table_name_read(core_slice text, triggers_table_name *name) {
    size_t at = 0;
    if (!name_take(text, &at, name->table))
        return false;
    if (at == text.length) {
        memcpy(name->schema, CORE_TENANT_HOME, sizeof CORE_TENANT_HOME);
        return true;
    }
    memcpy(name->schema, name->table, sizeof name->schema);
    return text.data[at++] == '.' && name_take(text, &at, name->table) && at == text.length;
}
