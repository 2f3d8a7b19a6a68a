/* The operations' names, as subjects spell them; see event.h. */
#include "core/event.h"

static const char *const op_names[] = {
    [CORE_OP_INSERT] = "INSERT",     [CORE_OP_UPDATE] = "UPDATE", [CORE_OP_DELETE] = "DELETE",
    [CORE_OP_TRUNCATE] = "TRUNCATE", [CORE_OP_READ] = "READ",     [CORE_OP_SCHEMA] = "SCHEMA",
    [CORE_OP_MESSAGE] = "MESSAGE",   [CORE_OP_GAP] = "GAP",
};

const char *core_op_name(core_op op) {
    return (size_t)op < CORE_COUNT_OF(op_names) ? op_names[op] : NULL;
}

core_op core_op_parse(core_slice text) {
    for (size_t op = 1; op < CORE_COUNT_OF(op_names); op++)
        if (core_slice_is(text, op_names[op]))
            return (core_op)op;
    return CORE_OP_NONE;
}
