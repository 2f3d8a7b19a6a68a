/* See verify_shape_sql.h. Names are quoted, since COPY takes no parameters. */
#include "cdc/verify_shape_sql.h"

#include "cdc/publication.h"

/* ---- The shape ---- */

static bool columns_take(cdc_verify_shape *shape, const cdc_snapshot_table *described,
                         core_arena *arena) {
    size_t count = described->relation.column_count;
    bool keyed = described->rows == CDC_ROWS_KEYED;
    shape->columns = core_arena_array(arena, count > 0 ? count : 1, sizeof *shape->columns);
    if (shape->columns == NULL)
        return false;
    shape->column_count = (uint16_t)count;
    shape->key_count = keyed ? described->key_count : 0;
    for (size_t i = 0; i < count; i++) {
        shape->columns[i] = described->relation.columns[i];
        shape->columns[i].base_oid = described->columns[i].base_oid;
        shape->columns[i].key = keyed && described->columns[i].key_place > 0;
    }
    return true;
}

bool cdc_verify_shape_ask(cdc_verify_table *table, pg_connection *connection,
                          const core_config *config, core_error *error) {
    cdc_verify_shape *shape = &table->shape;
    const cdc_snapshot_table *described = &table->described;
    char inserts[CDC_NAME_MAX];
    const cdc_snapshot_scope scope = {
        .publication = core_config_text(config, "postgres.publication"),
        .inserts_publication = inserts,
    };
    cdc_publication_inserts_name(scope.publication, inserts);
    if (!cdc_snapshot_table_describe(connection, &scope, shape->schema, shape->table,
                                     &table->described, error))
        return false;
    shape->oid = described->relation.oid;
    shape->published = described->published;
    shape->born = core_visibility_widen(&table->visibility, described->born);
    return columns_take(shape, described, &table->arena) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a table's description");
}

/* ---- Rows ---- */

void cdc_verify_copy_append(const cdc_verify_table *table, core_buffer *sql) {
    const cdc_verify_shape *shape = &table->shape;
    core_buffer_text(sql, "COPY (SELECT xmin");
    for (size_t i = 0; i < shape->column_count; i++) {
        core_buffer_text(sql, ", ");
        pg_identifier_append(sql, shape->columns[i].name);
    }
    /* A table's children, if it has any, are tables of their own; partitions are its rows. */
    core_buffer_text(sql, table->described.is_root ? " FROM " : " FROM ONLY ");
    pg_identifier_append(sql, shape->schema);
    core_buffer_u8(sql, '.');
    pg_identifier_append(sql, shape->table);
    if (table->described.filter.length > 0)
        core_buffer_format(sql, " WHERE %.*s", CORE_SLICE_ARGS(table->described.filter));
    core_buffer_text(sql, ") TO STDOUT");
    core_buffer_u8(sql, '\0');
}
