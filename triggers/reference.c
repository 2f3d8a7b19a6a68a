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

bool triggers_reference_read(core_slice text, triggers_reference *reference) {
    char image[TRIGGERS_IDENTIFIER_MAX + 1];
    size_t at = 0;
    if (!plain_take(text, &at, image) || at >= text.length || text.data[at++] != '.')
        return false;
    reference->is_old = strcmp(image, "old") == 0;
    if (!reference->is_old && strcmp(image, "new") != 0)
        return false;
    bool quoted = at < text.length && text.data[at] == '"';
    return (quoted ? quoted_take(text, &at, reference->column)
                   : plain_take(text, &at, reference->column)) &&
           at == text.length;
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
