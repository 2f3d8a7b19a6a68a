/* Quoted identifiers; see identifier.h. Safe in every client encoding that keeps ASCII. */
#include "core/identifier.h"

void core_identifier_append(core_buffer *out, core_slice name) {
    core_buffer_u8(out, '"');
    for (size_t i = 0; i < name.length && name.data[i] != '\0'; i++) {
        if (name.data[i] == '"')
            core_buffer_u8(out, '"');
        core_buffer_u8(out, name.data[i]);
    }
    core_buffer_u8(out, '"');
}
