/* Rows of COPY: the first byte says the format and how many columns. Values lie inside the row. */
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

static void text_read(const uint8_t *row, size_t length, size_t count) {
    core_value values[COLUMNS_MAX] = {0};
    core_error error = {0};
    uint8_t *line = malloc(length > 0 ? length : 1);
    if (line == NULL)
        return;
    if (length > 0)
        memcpy(line, row, length);
    if (cdc_copy_text_read(line, length, values, count, &error))
        inside_check(values, count, line, length);
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
