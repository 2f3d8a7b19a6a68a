/* See verify_copy.h. An unescaped value is never longer than what it came from, so it is written
 * over it. The server writes only the escapes \b \f \n \r \t \v \\ and \N for null. */
#include "cdc/verify_copy.h"

static int escape_byte(uint8_t letter) {
    static const char letters[] = "bfnrtv\\";
    static const char bytes[] = "\b\f\n\r\t\v\\";
    const char *found = letter != '\0' ? strchr(letters, letter) : NULL;
    return found != NULL ? (uint8_t)bytes[found - letters] : -1;
}

/* Unescapes up to the next tab; `*at` moves onto it, or to the end. */
static bool value_take(uint8_t *line, size_t length, size_t *at, core_value *value) {
    uint8_t *start = line + *at;
    uint8_t *out = start;
    size_t i = *at;
    if (i + 1 < length && line[i] == '\\' && line[i + 1] == 'N') {
        *at = i + 2;
        *value = (core_value){.kind = CORE_VALUE_NULL};
        return *at == length || line[*at] == '\t';
    }
    for (; i < length && line[i] != '\t'; i++) {
        if (line[i] != '\\') {
            *out++ = line[i];
            continue;
        }
        int byte = ++i < length ? escape_byte(line[i]) : -1;
        if (byte < 0)
            return false;
        *out++ = (uint8_t)byte;
    }
    *at = i;
    *value = (core_value){.kind = CORE_VALUE_TEXT,
                          .bytes = core_slice_make(start, (size_t)(out - start))};
    return true;
}

bool cdc_verify_copy_split(uint8_t *line, size_t length, core_value *values, size_t count,
                           core_error *error) {
    size_t at = 0;
    if (length > 0 && line[length - 1] == '\n')
        length--;
    for (size_t i = 0; i < count; i++) {
        bool more = i + 1 < count;
        if (!value_take(line, length, &at, &values[i]) || (at < length) != more)
            return core_error_set(error, CORE_ERROR_INPUT,
                                  "COPY gave a row whose column %zu of %zu is not in text form", i,
                                  count);
        at += more ? 1 : 0;
    }
    return count > 0 || length == 0 ||
           core_error_set(error, CORE_ERROR_INPUT, "COPY gave a row with columns, expected none");
}
