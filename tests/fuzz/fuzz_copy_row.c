/* Rows of COPY: the first byte says the format and how many columns. Values lie inside the row;
 * those of text, escaped again as the server does, give the row. */
#include "cdc/copy_row.h"

#include <stdlib.h>

enum { COLUMNS_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside_check(const core_value *values, size_t count, const uint8_t *row,
                         size_t length) {
    for (size_t i = 0; i < count; i++) {
        core_slice bytes = values[i].bytes;
        if (bytes.length > 0 && (bytes.data < row || bytes.data + bytes.length > row + length))
            abort();
    }
}

static void binary_read(const uint8_t *row, size_t length, size_t count, bool begun) {
    core_value values[COLUMNS_MAX] = {0};
    cdc_copy_binary state = {.begun = begun};
    core_error error = {0};
    bool given = false;
    if (cdc_copy_binary_read(&state, core_slice_make(row, length), values, count, &given, &error) &&
        given)
        inside_check(values, count, row, length);
}

static void escaped_append(core_buffer *out, core_slice bytes) {
    static const char special[] = "\b\f\n\r\t\v\\";
    static const char letters[] = "bfnrtv\\";
    for (size_t i = 0; i < bytes.length; i++) {
        const char *found = bytes.data[i] != 0 ? strchr(special, bytes.data[i]) : NULL;
        if (found != NULL)
            core_buffer_format(out, "\\%c", letters[found - special]);
        else
            core_buffer_u8(out, bytes.data[i]);
    }
}

/* Raw control characters are let pass, so rows that hold any are not written again. */
static bool is_written_so(const uint8_t *row, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (row[i] != '\t' && row[i] < 0x20)
            return false;
    return true;
}

static void again_check(const core_value *values, size_t count, const uint8_t *row, size_t length) {
    core_buffer again;
    if (length > 0 && row[length - 1] == '\n')
        length--;
    if (!is_written_so(row, length))
        return;
    core_buffer_init(&again, 2 * length + 16);
    for (size_t i = 0; i < count; i++) {
        core_buffer_text(&again, i > 0 ? "\t" : "");
        if (values[i].kind == CORE_VALUE_NULL)
            core_buffer_text(&again, "\\N");
        else
            escaped_append(&again, values[i].bytes);
    }
    if (!core_buffer_ok(&again) ||
        !core_slice_equal(core_buffer_slice(&again), core_slice_make(row, length)))
        abort();
    core_buffer_fini(&again);
}

static void text_read(const uint8_t *row, size_t length, size_t count) {
    core_value values[COLUMNS_MAX] = {0};
    core_error error = {0};
    uint8_t *line = malloc(length > 0 ? length : 1);
    if (line == NULL)
        return;
    if (length > 0)
        memcpy(line, row, length);
    if (cdc_copy_text_read(line, length, values, count, &error)) {
        inside_check(values, count, line, length);
        again_check(values, count, row, length);
    }
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    size_t count = data[0] % COLUMNS_MAX;
    if ((data[0] & 0x80) != 0)
        binary_read(data + 1, size - 1, count, (data[0] & 0x40) != 0);
    else
        text_read(data + 1, size - 1, count);
    return 0;
}
