/* See hub_shape.h. Compared column by column and not by version: a version means nothing across
 * epochs, and the comparison costs less than one row's JSON. */
#include "ws/hub_shape.h"

#include <stdlib.h>

#define SHAPE_MAX_BYTES ((size_t)4 << 20)

static bool shape_copy_columns(hub_shape *shape, const core_relation *relation) {
    core_column *columns =
        core_arena_array(&shape->arena, relation->column_count + 1u, sizeof *columns);
    if (columns == NULL)
        return false;
    bool ok = true;
    for (size_t i = 0; i < relation->column_count; i++) {
        columns[i] = relation->columns[i];
        columns[i].name = core_arena_copy(&shape->arena, relation->columns[i].name);
        columns[i].type_name = core_arena_copy(&shape->arena, relation->columns[i].type_name);
        ok = ok && columns[i].name.data != NULL && columns[i].type_name.data != NULL;
    }
    shape->relation.columns = columns;
    return ok;
}

hub_shape *hub_shape_new(const core_relation *relation) {
    hub_shape *shape = calloc(1, sizeof *shape);
    if (shape == NULL)
        return NULL;
    core_arena_init(&shape->arena, 2048, SHAPE_MAX_BYTES);
    shape->relation = *relation;
    shape->relation.schema = core_arena_copy(&shape->arena, relation->schema);
    shape->relation.table = core_arena_copy(&shape->arena, relation->table);
    if (shape->relation.schema.data != NULL && shape->relation.table.data != NULL &&
        shape_copy_columns(shape, relation))
        return shape;
    hub_shape_free(shape);
    return NULL;
}

void hub_shape_free(hub_shape *shape) {
    if (shape == NULL)
        return;
    core_arena_fini(&shape->arena);
    free(shape);
}

static bool column_same(const core_column *a, const core_column *b) {
    return a->type_oid == b->type_oid && a->typmod == b->typmod && a->key == b->key &&
           a->base_oid == b->base_oid && a->element_oid == b->element_oid &&
           a->delimiter == b->delimiter && core_slice_equal(a->name, b->name) &&
           core_slice_equal(a->type_name, b->type_name);
}

bool hub_shape_is(const hub_shape *shape, const core_relation *relation) {
    if (shape->relation.column_count != relation->column_count ||
        shape->relation.replica_identity != relation->replica_identity)
        return false;
    for (size_t i = 0; i < relation->column_count; i++)
        if (!column_same(&shape->relation.columns[i], &relation->columns[i]))
            return false;
    return true;
}
