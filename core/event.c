/* Operations' names, as subjects spell them, and what a change's two images say together; see
 * event.h. */
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

bool core_message_is_own(const core_message *message) {
    return core_slice_begins(message->prefix, core_slice_text("walcast."));
}

bool core_message_tells_ddl(const core_message *message) {
    return message->transactional && core_slice_is(message->prefix, CORE_DDL_PREFIX);
}

bool core_message_tells_chain(const core_message *message) {
    return message->transactional && core_slice_is(message->prefix, CORE_CHAIN_PREFIX);
}

uint16_t core_message_chain_depth(const core_message *message) {
    uint64_t depth;
    if (!core_slice_to_u64(message->content, &depth) || depth > CORE_CHAIN_DEPTH_MAX)
        return CORE_CHAIN_DEPTH_MAX;
    return (uint16_t)depth;
}

/* Of a key's image only the key columns count. */
const core_value *core_change_old_value(const core_change *change, size_t column) {
    bool has_column = change->op == CORE_OP_UPDATE && column < change->old_tuple.count &&
                      (change->old_kind == CORE_OLD_FULL ||
                       (change->old_kind == CORE_OLD_KEY && change->relation->columns[column].key));
    if (!has_column || change->old_tuple.values[column].kind == CORE_VALUE_UNCHANGED)
        return NULL;
    return &change->old_tuple.values[column];
}

void core_change_fill_unchanged(core_change *change) {
    if (change->op != CORE_OP_UPDATE || change->old_kind == CORE_OLD_NONE)
        return;
    for (size_t i = 0; i < change->new_tuple.count; i++) {
        if (change->new_tuple.values[i].kind != CORE_VALUE_UNCHANGED)
            continue;
        const core_value *old = core_change_old_value(change, i);
        if (old != NULL)
            change->new_tuple.values[i] = *old;
    }
}
