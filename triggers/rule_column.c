/* Where a rule's columns are, and what the write-ahead log carries of them; see rule.h. */
#include "core/identifier.h"
#include "triggers/rule.h"

bool triggers_rule_old_carried(const core_relation *relation, unsigned ops, uint16_t column,
                               triggers_rule_problem *problem) {
    uint8_t memory[600];
    core_buffer statement = core_buffer_over(memory, sizeof memory);
    const core_column *found = &relation->columns[column];
    bool is_whole = relation->replica_identity == 'f' || relation->replica_identity == '\0';
    bool has_old = (ops & (TRIGGERS_OP_UPDATE | TRIGGERS_OP_DELETE)) != 0;
    if (is_whole || !has_old || (relation->replica_identity != 'n' && found->key))
        return true;
    core_buffer_text(&statement, "ALTER TABLE ");
    core_identifier_append(&statement, relation->schema);
    core_buffer_text(&statement, ".");
    core_identifier_append(&statement, relation->table);
    core_buffer_text(&statement, " REPLICA IDENTITY FULL");
    return core_error_set(&problem->error, CORE_ERROR_INPUT,
                          "old.%.*s is not in the write-ahead log: the table's replica identity "
                          "%s; mend it with: %.*s",
                          CORE_SLICE_ARGS(found->name),
                          relation->replica_identity == 'n' ? "is nothing" : "is only its key",
                          CORE_SLICE_ARGS(core_buffer_slice(&statement)));
}

bool triggers_rule_column_find(const core_relation *relation, unsigned ops,
                               const triggers_selected *selected, triggers_rule_value *value,
                               triggers_rule_problem *problem) {
    for (uint16_t i = 0; i < relation->column_count; i++) {
        if (!core_slice_equal(relation->columns[i].name, selected->column))
            continue;
        *value =
            (triggers_rule_value){.is_old = selected->is_old, .column = i, .name = selected->name};
        return !selected->is_old || triggers_rule_old_carried(relation, ops, i, problem);
    }
    return core_error_set(&problem->error, CORE_ERROR_INPUT,
                          "column \"%.*s\" does not exist in \"%.*s\".\"%.*s\"",
                          CORE_SLICE_ARGS(selected->column), CORE_SLICE_ARGS(relation->schema),
                          CORE_SLICE_ARGS(relation->table));
}

/* ---- Images ---- */

/* What is known of the row before an UPDATE or DELETE. */
static void old_fill(const core_change *change, core_value *values) {
    const core_relation *relation = change->relation;
    const core_tuple *key = change->old_kind == CORE_OLD_KEY ? &change->old_tuple
                            : change->op == CORE_OP_UPDATE   ? &change->new_tuple
                                                             : NULL;
    bool has_key = relation->replica_identity == 'd' || relation->replica_identity == 'i';
    for (size_t i = 0; i < relation->column_count; i++) {
        bool is_known = has_key && relation->columns[i].key && key != NULL && i < key->count;
        values[i] = is_known ? key->values[i] : (core_value){.kind = CORE_VALUE_UNCHANGED};
    }
}

void triggers_images_make(triggers_images *images, const core_change *change, core_value *values) {
    *images = (triggers_images){.new_tuple = NULL};
    if (change->op == CORE_OP_INSERT || change->op == CORE_OP_READ || change->op == CORE_OP_UPDATE)
        images->new_tuple = &change->new_tuple;
    if (change->op != CORE_OP_UPDATE && change->op != CORE_OP_DELETE)
        return;
    images->old_tuple = &change->old_tuple;
    if (change->old_kind == CORE_OLD_FULL)
        return;
    old_fill(change, values);
    images->old_room = (core_tuple){.count = change->relation->column_count, .values = values};
    images->old_tuple = &images->old_room;
}

const core_value *triggers_images_value(const triggers_images *images,
                                        const triggers_rule_value *which) {
    static const core_value null = {.kind = CORE_VALUE_NULL};
    const core_tuple *tuple = which->is_old ? images->old_tuple : images->new_tuple;
    if (tuple == NULL)
        return &null;
    if (which->column >= tuple->count || tuple->values[which->column].kind == CORE_VALUE_UNCHANGED)
        return NULL;
    return &tuple->values[which->column];
}
