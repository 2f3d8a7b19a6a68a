/* Any bytes as the text of any type: the JSON is valid. The first two bytes choose the type. */
#include "core/core.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t type_of(const uint8_t *data) {
    static const uint32_t types[] = {16,   17,   20,   22,   23,   25,   30,   114,
                                     700,  701,  1000, 1001, 1007, 199,  1009, 1020,
                                     1082, 1114, 1184, 1185, 1231, 1700, 3802, 3807};
    uint32_t any = (uint32_t)data[0] << 8 | data[1];
    return data[0] == 'T' ? types[data[1] % CORE_COUNT_OF(types)] : any;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3)
        return 0;
    core_column column = {.name = core_slice_make(data, size),
                          .type_name = core_slice_text("_x"),
                          .type_oid = type_of(data),
                          .base_oid = data[0] == 'D' ? type_of(data + 1) : 0,
                          .element_oid = data[0] == 'E' ? type_of(data + 1) : 0,
                          .delimiter = (char)(data[0] & 0x7f),
                          .key = true};
    core_value value = {.kind = CORE_VALUE_TEXT, .bytes = core_slice_make(data + 2, size - 2)};
    core_relation relation = {.column_count = 1, .columns = &column};
    core_tuple tuple = {1, &value};
    core_buffer out;
    core_buffer_init(&out, 64 + 16 * size);
    core_json_writer writer = core_json_writer_make(&out);
    core_tuple_json(&writer, &relation, &tuple, false);
    if (!core_buffer_ok(&out) || !core_json_valid(core_buffer_slice(&out)))
        abort();
    core_buffer_fini(&out);
    return 0;
}
