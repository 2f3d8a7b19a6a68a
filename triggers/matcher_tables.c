/* Indexes of rules, one of each table in its present shape, for one set of definitions. */
#include "triggers/matcher_private.h"

#include <stdlib.h>

enum { TABLES_MAX = 4096 };

void triggers_matcher_tables_forget(triggers_matcher *matcher) {
    while (matcher->tables != NULL) {
        triggers_table *next = matcher->tables->next;
        triggers_rule_index_free(matcher->tables->index);
        free(matcher->tables);
        matcher->tables = next;
    }
    matcher->table_count = 0;
}

static triggers_table *table_new(triggers_matcher *matcher, const core_relation *relation) {
    core_error error = {0};
    triggers_table *table =
        calloc(1, sizeof *table + relation->schema.length + relation->table.length);
    if (table == NULL)
        return NULL;
    uint8_t *room = (uint8_t *)(table + 1);
    table->oid = relation->oid;
    table->version = relation->version;
    table->schema = core_slice_keep(&room, relation->schema);
    table->name = core_slice_keep(&room, relation->table);
    table->index = triggers_rule_index_new(matcher->set, &matcher->tenants, relation, NULL, &error);
    if (table->index == NULL)
        CORE_LOG(matcher->spec.log, ERROR, "triggers", "triggers of a table cannot be matched",
                 CORE_LOG_NUMBER("oid", relation->oid), CORE_LOG_TEXT("reason", error.text));
    table->next = matcher->tables;
    matcher->tables = table;
    matcher->table_count++;
    return table;
}

/* The one that was found stands in front for the next change. */
static triggers_table *table_find(triggers_matcher *matcher, const core_relation *relation) {
    triggers_table **at = &matcher->tables;
    while (*at != NULL && !((*at)->oid == relation->oid && (*at)->version == relation->version &&
                            core_slice_equal((*at)->name, relation->table) &&
                            core_slice_equal((*at)->schema, relation->schema)))
        at = &(*at)->next;
    triggers_table *table = *at;
    if (table == NULL || table == matcher->tables)
        return table;
    *at = table->next;
    table->next = matcher->tables;
    matcher->tables = table;
    return table;
}

void triggers_matcher_set_renew(triggers_matcher *matcher) {
    if (triggers_definitions_renew(matcher->spec.definitions, &matcher->set))
        triggers_matcher_tables_forget(matcher);
}

triggers_rule_index *triggers_matcher_index(triggers_matcher *matcher,
                                            const core_relation *relation) {
    if (matcher->set == NULL)
        return NULL;
    triggers_table *table = table_find(matcher, relation);
    if (table == NULL) {
        if (matcher->table_count >= TABLES_MAX)
            triggers_matcher_tables_forget(matcher);
        table = table_new(matcher, relation);
    }
    if (table == NULL || table->index == NULL || triggers_rule_index_count(table->index) == 0)
        return NULL;
    return table->index;
}
