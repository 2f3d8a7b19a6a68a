/* See shape_log.h. Two tables, by OID and by the name's hash; each entry keeps what tells it from
 * another one at the same key. */
#include "cdc/shape_log.h"

#include "cdc/oid_table.h"

#include <stdlib.h>

typedef struct {
    uint64_t name; /* hash of the qualified name; 0 where the key is an OID */
    uint32_t version;
} told_shape;

struct cdc_shape_log {
    cdc_oid_table by_oid;
    cdc_oid_table by_name;
};

cdc_shape_log *cdc_shape_log_new(void) {
    cdc_shape_log *log = malloc(sizeof *log);
    if (log == NULL)
        return NULL;
    cdc_oid_table_init(&log->by_oid, CDC_SHAPES_MAX);
    cdc_oid_table_init(&log->by_name, CDC_SHAPES_MAX);
    return log;
}

static void table_empty(cdc_oid_table *table) {
    for (size_t i = 0; i < table->capacity; i++)
        free(table->slots[i].value);
    cdc_oid_table_fini(table);
}

void cdc_shape_log_reset(cdc_shape_log *log) {
    table_empty(&log->by_oid);
    table_empty(&log->by_name);
}

void cdc_shape_log_free(cdc_shape_log *log) {
    if (log == NULL)
        return;
    cdc_shape_log_reset(log);
    free(log);
}

static uint64_t name_hash(const core_relation *relation) {
    return core_slice_hash(relation->schema) * 31 + core_slice_hash(relation->table);
}

/* A key of the table: never 0. Names that share one replace each other. */
static uint32_t name_key(uint64_t name) {
    uint32_t key = (uint32_t)(name ^ name >> 32);
    return key != 0 ? key : 1;
}

static void table_put(cdc_oid_table *table, uint32_t key, told_shape told) {
    void **place = cdc_oid_table_add(table, key);
    if (place != NULL && *place == NULL)
        *place = malloc(sizeof told);
    if (place != NULL && *place != NULL)
        *(told_shape *)*place = told;
}

void cdc_shape_log_put(cdc_shape_log *log, const core_relation *relation) {
    uint64_t name = name_hash(relation);
    table_put(&log->by_oid, relation->oid, (told_shape){.version = relation->version});
    table_put(&log->by_name, name_key(name),
              (told_shape){.name = name, .version = relation->version});
}

uint32_t cdc_shape_log_get(const cdc_shape_log *log, const core_relation *relation) {
    const told_shape *told = cdc_oid_table_get(&log->by_oid, relation->oid);
    if (told != NULL)
        return told->version;
    uint64_t name = name_hash(relation);
    told = cdc_oid_table_get(&log->by_name, name_key(name));
    return told != NULL && told->name == name ? told->version : 0;
}
