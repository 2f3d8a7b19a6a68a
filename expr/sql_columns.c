/* The columns that an SQL expression names, found in its parse tree, whatever else is in it; see
 * expr.h.
 *
 * Names are not resolved: one that stands anywhere, in a sub-query too, counts as the column of
 * that name. A whole row (`f(notes.*)`, `notes`) counts as all of them. So a column that does not
 * count is not read. The tree is walked by protobuf's own description of it, since a name may stand
 * in any of some two hundred kinds of nodes; its depth is bounded where it is parsed (sql.c). */
#include "expr/sql.h"

typedef struct {
    const core_relation *relation;
    bool *reads;
} column_search;

static void search_all(const column_search *search) {
    for (size_t i = 0; i < search->relation->column_count; i++)
        search->reads[i] = true;
}

/* False: there is none of that name. */
static bool search_name(const column_search *search, const char *name) {
    for (size_t i = 0; i < search->relation->column_count; i++)
        if (core_slice_is(search->relation->columns[i].name, name)) {
            search->reads[i] = true;
            return true;
        }
    return false;
}

/* `table` is the row itself, and `table.f` is f(table) where it is no column. */
static void search_reference(const column_search *search, const PgQuery__ColumnRef *reference) {
    bool found = false;
    for (size_t i = 0; i < reference->n_fields; i++) {
        const char *name = expr_sql_string(reference->fields[i]);
        bool last = i + 1 == reference->n_fields;
        if (name == NULL) {
            search_all(search);
            return;
        }
        found = search_name(search, name);
        if (last && !found && reference->n_fields == 1 &&
            core_slice_is(search->relation->table, name))
            search_all(search);
    }
    for (size_t i = 0; !found && i + 1 < reference->n_fields; i++)
        if (core_slice_is(search->relation->table, expr_sql_string(reference->fields[i])))
            search_all(search);
}

static void search_message(const column_search *search, const ProtobufCMessage *message);

static void search_field(const column_search *search, const ProtobufCMessage *message,
                         const ProtobufCFieldDescriptor *field) {
    const uint8_t *base = (const uint8_t *)message;
    const void *member = base + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
        ProtobufCMessage *const *items = *(ProtobufCMessage *const *const *)member;
        for (size_t i = 0; i < count; i++)
            search_message(search, items[i]);
        return;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
        *(const uint32_t *)(const void *)(base + field->quantifier_offset) != field->id)
        return;
    search_message(search, *(ProtobufCMessage *const *)member);
}

static void search_message(const column_search *search, const ProtobufCMessage *message) {
    if (message == NULL)
        return;
    if (message->descriptor == &pg_query__column_ref__descriptor) {
        search_reference(search, (const PgQuery__ColumnRef *)(const void *)message);
        return;
    }
    for (unsigned i = 0; i < message->descriptor->n_fields; i++)
        if (message->descriptor->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            search_field(search, message, &message->descriptor->fields[i]);
}

void expr_sql_columns(core_slice text, const core_relation *relation, bool *reads) {
    expr_sql sql;
    expr_refusal refusal;
    const column_search search = {.relation = relation, .reads = reads};
    for (size_t i = 0; i < relation->column_count; i++)
        reads[i] = false;
    if (!expr_sql_parse_expression(text, &sql, &refusal)) {
        search_all(&search);
        return;
    }
    search_message(&search, &sql.expression->base);
    expr_sql_free(&sql);
}
