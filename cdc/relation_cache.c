/* See relation_cache.h. Each relation owns an arena of its own, so that a new description frees the
 * old one as a whole. */
#include "cdc/relation_cache.h"

#include "cdc/oid_table.h"
#include "cdc/schema_event.h"

#include <stdlib.h>

enum {
    RELATION_CHUNK_BYTES = 512,
    RELATION_MAX_BYTES = 1 << 20, /* 1,664 columns of long names take half of it */
};

typedef struct {
    core_relation relation;
    uint32_t told; /* the version that the stream was told; 0: not known */
    core_arena arena;
} relation_entry;

typedef struct {
    char *name; /* NULL: the slot did not name it */
    cdc_type_facts facts;
    bool asked;
} type_entry;

struct cdc_relation_cache {
    cdc_oid_table relations; /* relation_entry */
    cdc_oid_table types;     /* type_entry */
};

cdc_relation_cache *cdc_relation_cache_new(void) {
    cdc_relation_cache *cache = malloc(sizeof *cache);
    if (cache == NULL)
        return NULL;
    cdc_oid_table_init(&cache->relations, CDC_RELATIONS_MAX);
    cdc_oid_table_init(&cache->types, CDC_TYPES_MAX);
    return cache;
}

static void entry_free(relation_entry *entry) {
    if (entry == NULL)
        return;
    core_arena_fini(&entry->arena);
    free(entry);
}

static void type_free(type_entry *type) {
    if (type != NULL)
        free(type->name);
    free(type);
}

void cdc_relation_cache_free(cdc_relation_cache *cache) {
    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->relations.capacity; i++)
        entry_free(cache->relations.slots[i].value);
    for (size_t i = 0; i < cache->types.capacity; i++)
        type_free(cache->types.slots[i].value);
    cdc_oid_table_fini(&cache->relations);
    cdc_oid_table_fini(&cache->types);
    free(cache);
}

/* ---- Types ---- */

static bool cache_full(const char *what, uint32_t oid, size_t max, core_error *error) {
    return core_error_set(error, CORE_ERROR_LIMIT,
                          "%s with OID %u is one too many: at most %zu are held, within memory; "
                          "split the publication over several slots",
                          what, oid, max);
}

/* NULL when the cache is full. */
static type_entry *type_add(cdc_relation_cache *cache, uint32_t oid) {
    void **place = cdc_oid_table_add(&cache->types, oid);
    if (place != NULL && *place == NULL)
        *place = calloc(1, sizeof(type_entry));
    return place != NULL ? *place : NULL;
}

bool cdc_relation_cache_type_put(cdc_relation_cache *cache, uint32_t oid, core_slice name,
                                 core_error *error) {
    if (oid == 0)
        return core_error_set(error, CORE_ERROR_INPUT, "a type with OID 0");
    type_entry *type = type_add(cache, oid);
    char *copy = type != NULL ? strndup((const char *)name.data, name.length) : NULL;
    if (copy == NULL)
        return cache_full("the type", oid, CDC_TYPES_MAX, error);
    free(type->name);
    type->name = copy;
    return true;
}

static core_slice type_name(const cdc_relation_cache *cache, uint32_t oid) {
    const type_entry *type = cdc_oid_table_get(&cache->types, oid);
    return core_slice_text(type != NULL && type->name != NULL ? type->name : core_type_name(oid));
}

static bool type_is_unknown(const cdc_relation_cache *cache, uint32_t oid) {
    const type_entry *type = cdc_oid_table_get(&cache->types, oid);
    return core_type_name(oid) == NULL && (type == NULL || !type->asked);
}

/* Several columns of one type ask once each: harmless. */
static size_t types_list(const cdc_relation_cache *cache, const core_relation *relation,
                         cdc_type_facts *types) {
    size_t count = 0;
    for (size_t i = 0; i < relation->column_count; i++)
        if (type_is_unknown(cache, relation->columns[i].type_oid))
            types[count++] = (cdc_type_facts){.oid = relation->columns[i].type_oid};
    return count;
}

static bool types_keep(cdc_relation_cache *cache, const cdc_type_facts *types, size_t count,
                       core_error *error) {
    for (size_t i = 0; i < count; i++) {
        type_entry *type = types[i].oid != 0 ? type_add(cache, types[i].oid) : NULL;
        if (type == NULL)
            return cache_full("the type", types[i].oid, CDC_TYPES_MAX, error);
        type->facts = types[i];
        type->asked = true;
    }
    return true;
}

bool cdc_relation_cache_types_ask(cdc_relation_cache *cache, const core_relation *relation,
                                  cdc_lookup *lookup, core_error *error) {
    cdc_type_facts types[CORE_COLUMNS_MAX];
    size_t count = types_list(cache, relation, types);
    return count == 0 ||
           (lookup->types(lookup, types, count, error) && types_keep(cache, types, count, error));
}

static void type_tell(const cdc_relation_cache *cache, core_column *column) {
    const type_entry *type = cdc_oid_table_get(&cache->types, column->type_oid);
    column->type_name = type_name(cache, column->type_oid);
    if (type == NULL)
        return;
    column->base_oid = type->facts.base_oid;
    column->element_oid = type->facts.element_oid;
    column->delimiter = type->facts.delimiter;
}

/* ---- Relations ---- */

static bool column_equal(const core_column *held, const core_column *sent, core_slice sent_type) {
    return held->type_oid == sent->type_oid && held->typmod == sent->typmod &&
           held->key == sent->key && core_slice_equal(held->name, sent->name) &&
           core_slice_equal(held->type_name, sent_type);
}

static bool relation_equal(const cdc_relation_cache *cache, const core_relation *held,
                           const core_relation *sent) {
    if (held->replica_identity != sent->replica_identity ||
        held->column_count != sent->column_count || !core_slice_equal(held->schema, sent->schema) ||
        !core_slice_equal(held->table, sent->table))
        return false;
    for (size_t i = 0; i < sent->column_count; i++) {
        const core_column *column = &sent->columns[i];
        if (!column_equal(&held->columns[i], column, type_name(cache, column->type_oid)))
            return false;
    }
    return true;
}

/* False when a copy failed; an empty slice has no data and is none. */
static bool slice_copy(core_arena *arena, core_slice *slice) {
    if (slice->length == 0)
        return true;
    *slice = core_arena_copy(arena, *slice);
    return slice->data != NULL;
}

static relation_entry *entry_new(const cdc_relation_cache *cache, const core_relation *sent) {
    relation_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    core_arena_init(&entry->arena, RELATION_CHUNK_BYTES, RELATION_MAX_BYTES);
    entry->relation = *sent;
    size_t count = sent->column_count;
    core_column *columns = core_arena_array(&entry->arena, count > 0 ? count : 1, sizeof *columns);
    bool ok = columns != NULL && slice_copy(&entry->arena, &entry->relation.schema) &&
              slice_copy(&entry->arena, &entry->relation.table);
    for (size_t i = 0; ok && i < count; i++) {
        columns[i] = sent->columns[i];
        type_tell(cache, &columns[i]);
        ok = slice_copy(&entry->arena, &columns[i].name) &&
             slice_copy(&entry->arena, &columns[i].type_name);
    }
    entry->relation.columns = columns;
    if (ok)
        entry->relation.version = cdc_shape_version(&entry->relation);
    if (ok && core_relation_encode(&entry->relation, &entry->arena))
        return entry;
    entry_free(entry);
    return NULL;
}

bool cdc_relation_cache_put(cdc_relation_cache *cache, const core_relation *relation,
                            core_error *error) {
    if (relation->oid == 0)
        return core_error_set(error, CORE_ERROR_INPUT, "a relation with OID 0");
    void **place = cdc_oid_table_add(&cache->relations, relation->oid);
    if (place == NULL)
        return cache_full("the table", relation->oid, CDC_RELATIONS_MAX, error);
    relation_entry *held = *place;
    if (held != NULL && relation_equal(cache, &held->relation, relation))
        return true;
    relation_entry *entry = entry_new(cache, relation);
    if (entry == NULL)
        return cache_full("the table", relation->oid, CDC_RELATIONS_MAX, error);
    entry->told = held != NULL ? held->told : 0;
    entry_free(held);
    *place = entry;
    return true;
}

const core_relation *cdc_relation_cache_get(const cdc_relation_cache *cache, uint32_t oid) {
    const relation_entry *entry = cdc_oid_table_get(&cache->relations, oid);
    return entry != NULL ? &entry->relation : NULL;
}

uint32_t cdc_relation_cache_told(const cdc_relation_cache *cache, uint32_t oid) {
    const relation_entry *entry = cdc_oid_table_get(&cache->relations, oid);
    return entry != NULL ? entry->told : 0;
}

void cdc_relation_cache_tell(cdc_relation_cache *cache, uint32_t oid, uint32_t version) {
    relation_entry *entry = cdc_oid_table_get(&cache->relations, oid);
    if (entry != NULL)
        entry->told = version;
}

void cdc_relation_cache_untell(cdc_relation_cache *cache) {
    for (size_t i = 0; i < cache->relations.capacity; i++) {
        relation_entry *entry = cache->relations.slots[i].value;
        if (entry != NULL)
            entry->told = 0;
    }
}

size_t cdc_relation_cache_length(const cdc_relation_cache *cache) {
    return cache->relations.length;
}
