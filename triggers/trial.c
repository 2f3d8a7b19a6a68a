/* See trial.h. */
#include "triggers/trial.h"

#include "triggers/check_private.h"
#include "triggers/explain.h"

#include <stdlib.h>

static bool table_explain(const triggers_check_table *table, const triggers_definition *definition,
                          core_slice event_json, int64_t now_us, bool as_json, core_buffer *out,
                          bool *matched, core_error *error) {
    const core_relation *relation = &table->relation;
    core_slice *keys = calloc((size_t)relation->column_count + 1, sizeof *keys);
    triggers_relation_facts facts = {.columns = table->facts, .primary_key = keys};
    if (keys == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the table's key");
    for (size_t i = 0; i < relation->column_count; i++)
        if (table->columns[i].in_primary_key)
            keys[facts.primary_key_count++] = relation->columns[i].name;
    bool ok = triggers_explain_event(definition, event_json, relation, &facts, now_us, as_json, out,
                                     matched, error);
    free(keys);
    return ok;
}

bool triggers_trial(triggers_check *check, const triggers_definition *definition,
                    core_slice event_json, int64_t now_us, bool as_json, core_buffer *out,
                    bool *matched, core_error *error) {
    triggers_check_table table;
    if (definition->on == TRIGGERS_ON_QUEUE)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "the trigger is on a queue: its jobs go out as they are");
    if (check == NULL || definition->on != TRIGGERS_ON_TABLE)
        return triggers_explain_event(definition, event_json, NULL, NULL, now_us, as_json, out,
                                      matched, error);
    bool ok = triggers_check_shape(check, definition, &table, error) &&
              table_explain(&table, definition, event_json, now_us, as_json, out, matched, error);
    triggers_check_table_fini(&table);
    return ok;
}
