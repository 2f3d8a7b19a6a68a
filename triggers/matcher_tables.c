/* Indexes of rules: one of each table in its present shape, and one of each type of a project's
 * events, for one set of definitions. */
#include "triggers/hearing.h"
#include "triggers/matcher_private.h"

#include "triggers/shape.h"

#include <stdlib.h>

/* Of each kind. At more all of the kind are forgotten: whoever makes up types of events costs the
 * tables of changes nothing. */
enum { TABLES_MAX = 4096 };

static void tables_forget(triggers_tables *tables) {
    for (size_t i = 0; i < CORE_COUNT_OF(tables->buckets); i++)
        while (tables->buckets[i] != NULL) {
            triggers_table *next = tables->buckets[i]->next;
            triggers_rule_index_free(tables->buckets[i]->index);
            free(tables->buckets[i]);
            tables->buckets[i] = next;
        }
    tables->count = 0;
}

void triggers_matcher_tables_forget(triggers_matcher *matcher) {
    tables_forget(&matcher->tables);
    tables_forget(&matcher->types);
}

/* ---- the set ---- */

/* Those that are on no table, since these are gone through for each new type of event. */
static bool others_find(triggers_matcher *matcher) {
    const triggers_set *set = matcher->set;
    free(matcher->others);
    matcher->other_count = 0;
    matcher->others = calloc(set->count + 1, sizeof *matcher->others);
    for (size_t i = 0; matcher->others != NULL && i < set->count; i++)
        if (set->definitions[i]->on != TRIGGERS_ON_TABLE)
            matcher->others[matcher->other_count++] = set->definitions[i];
    return matcher->others != NULL;
}

bool triggers_matcher_set_renew(triggers_matcher *matcher, core_error *error) {
    bool is_new = triggers_definitions_renew(matcher->spec.definitions, &matcher->set);
    if (!is_new && matcher->heards != NULL)
        return true;
    triggers_matcher_tables_forget(matcher);
    return (others_find(matcher) && triggers_matcher_starts_renew(matcher)) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the set of triggers");
}

/* ---- found ---- */

static uint64_t key_hash(const core_relation *key) {
    return core_slice_hash_more(core_slice_hash(key->schema), key->table);
}

static triggers_table **table_place(triggers_tables *tables, const core_relation *key) {
    triggers_table **at = &tables->buckets[key_hash(key) % CORE_COUNT_OF(tables->buckets)];
    while (*at != NULL && !((*at)->oid == key->oid && (*at)->version == key->version &&
                            core_slice_equal((*at)->name, key->table) &&
                            core_slice_equal((*at)->schema, key->schema)))
        at = &(*at)->next;
    return at;
}

/* Behind all of its bucket. NULL without memory. */
static triggers_table *table_new(triggers_tables *tables, const core_relation *key) {
    if (tables->count >= TABLES_MAX)
        tables_forget(tables);
    triggers_table *table = calloc(1, sizeof *table + key->schema.length + key->table.length);
    if (table == NULL)
        return NULL;
    uint8_t *room = (uint8_t *)(table + 1);
    table->oid = key->oid;
    table->version = key->version;
    table->schema = core_slice_keep(&room, key->schema);
    table->name = core_slice_keep(&room, key->table);
    *table_place(tables, key) = table;
    tables->count++;
    return table;
}

static triggers_rule_index *index_of(const triggers_matcher *matcher, triggers_table *table,
                                     const core_error *error) {
    if (table->index == NULL && error->code != CORE_ERROR_NONE)
        CORE_LOG(matcher->spec.log, ERROR, "triggers", "triggers cannot be matched",
                 CORE_LOG_TEXT("reason", error->text));
    if (table->index != NULL && triggers_rule_index_count(table->index) == 0) {
        triggers_rule_index_free(table->index);
        table->index = NULL;
    }
    return table->index;
}

triggers_rule_index *triggers_matcher_index(triggers_matcher *matcher,
                                            const core_relation *relation) {
    core_error error = {0};
    if (matcher->set == NULL)
        return NULL;
    triggers_table *table = *table_place(&matcher->tables, relation);
    if (table != NULL)
        return table->index;
    table = table_new(&matcher->tables, relation);
    if (table == NULL)
        return NULL;
    table->index = triggers_rule_index_new(matcher->set, &matcher->tenants, relation, NULL, &error);
    return index_of(matcher, table, &error);
}

/* ---- events ---- */

static bool is_on_event(const triggers_definition *definition, const core_tenants *tenants,
                        triggers_on on, core_slice project, core_slice name) {
    if (definition->disabled || !core_slice_is(definition->environment, tenants->environment) ||
        !core_slice_equal(definition->project, project))
        return false;
    return triggers_hearing_is_on(definition, on, name);
}

static triggers_rule_index *event_index_new(const triggers_matcher *matcher, triggers_on on,
                                            core_slice project, core_slice name,
                                            core_error *error) {
    size_t count = 0;
    const triggers_definition **found = calloc(matcher->other_count + 1, sizeof *found);
    if (found == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the triggers on events");
        return NULL;
    }
    for (size_t i = 0; i < matcher->other_count; i++)
        if (is_on_event(matcher->others[i], &matcher->tenants, on, project, name))
            found[count++] = matcher->others[i];
    triggers_rule_index *index =
        count > 0 ? triggers_rule_index_of(found, count, triggers_shape(on), NULL, error) : NULL;
    free(found);
    return index;
}

triggers_rule_index *triggers_matcher_event_index(triggers_matcher *matcher, triggers_on on,
                                                  core_slice project, core_slice name) {
    core_error error = {0};
    const core_relation key = {.schema = project, .table = name, .version = on};
    if (matcher->set == NULL || matcher->others == NULL || matcher->other_count == 0)
        return NULL;
    triggers_table *table = *table_place(&matcher->types, &key);
    if (table != NULL)
        return table->index;
    table = table_new(&matcher->types, &key);
    if (table == NULL)
        return NULL;
    table->index = event_index_new(matcher, on, project, name, &error);
    return index_of(matcher, table, &error);
}
