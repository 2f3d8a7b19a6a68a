/* Any bytes as a row of COPY's text form: refused, or values that lie within the row and, escaped
 * again as the server does, give the row. The first byte says how many columns. */
#include "cdc/verify_copy.h"

#include <stdlib.h>

enum { COLUMNS_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds)
        abort();
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
static bool is_written_so(core_slice row) {
    for (size_t i = 0; i < row.length; i++)
        if (row.data[i] != '\t' && row.data[i] < 0x20)
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_value values[COLUMNS_MAX];
    core_error error;
    core_buffer again;
    size_t count = size > 0 ? data[0] % (COLUMNS_MAX + 1u) : 0;
    core_slice row = core_slice_make(size > 0 ? data + 1 : data, size > 0 ? size - 1 : 0);
    uint8_t *line = malloc(row.length + 1);
    check(line != NULL);
    memcpy(line, row.data, row.length);
    core_buffer_init(&again, 2 * row.length + 16);
    if (cdc_verify_copy_split(line, row.length, values, count, &error) && is_written_so(row)) {
        for (size_t i = 0; i < count; i++) {
            core_buffer_text(&again, i > 0 ? "\t" : "");
            if (values[i].kind == CORE_VALUE_NULL)
                core_buffer_text(&again, "\\N");
            else
                escaped_append(&again, values[i].bytes);
        }
        check(core_buffer_ok(&again) && core_slice_equal(core_buffer_slice(&again), row));
    }
    core_buffer_fini(&again);
    free(line);
    return 0;
}
