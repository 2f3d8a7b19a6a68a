/* Relations and changes for the hub's tests. */
#ifndef WALCAST_TESTS_HUB_FIXTURE_H
#define WALCAST_TESTS_HUB_FIXTURE_H

#include "core/core.h"
#include "ws/hub_rule.h"

static const core_column fixture_columns[] = {
    {.name = {(const uint8_t *)"id", 2}, .type_oid = 20, .key = true},
    {.name = {(const uint8_t *)"name", 4}, .type_oid = 25},
    {.name = {(const uint8_t *)"price", 5}, .type_oid = 1700},
};

static inline core_relation fixture_relation(const char *schema, const char *table) {
    return (core_relation){.schema = core_slice_text(schema),
                           .table = core_slice_text(table),
                           .replica_identity = 'd',
                           .column_count = CORE_COUNT_OF(fixture_columns),
                           .columns = fixture_columns};
}

static inline hub_rule_key fixture_key(const char *schema, const char *table, const char *filter) {
    return (hub_rule_key){.schema = core_slice_text(schema),
                          .table = core_slice_text(table),
                          .filter = core_slice_text(filter)};
}

/* NULL: SQL's null. */
static inline core_value fixture_value(const char *text) {
    if (text == NULL)
        return (core_value){.kind = CORE_VALUE_NULL};
    return (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(text)};
}

static inline core_tuple fixture_tuple(core_value values[3], const char *id, const char *name,
                                       const char *price) {
    values[0] = fixture_value(id);
    values[1] = fixture_value(name);
    values[2] = fixture_value(price);
    return (core_tuple){.count = 3, .values = values};
}

#endif
