/* See change_json.h.
 *
 * `record` is the new row; `old_record` what the replica identity gave of the old one: the whole
 * row with FULL, else the key (of the new row where the key did not change, so nothing came).
 * TOAST values that the change did not touch are left out and named in `unchanged`; those that cdc
 * read from the table afterwards are named in `read_later`. A LEAVE, Walcast's own too, is an
 * UPDATE whose row stopped matching: it has the old row only. Both and `offset` are Walcast's own.
 * A TRUNCATE has neither record nor old_record; a READ, a snapshot's row, has a record, and when
 * it was read for its commit_timestamp. */
#include "ws/change_json.h"

typedef struct {
    core_json_writer json;
    const core_relation *relation;
    const ws_change_select *select;
} change_writer;

/* With replica identity FULL every column counts as key, which says nothing. */
static bool column_is_key(const core_relation *relation, const core_column *column) {
    return column->key && relation->replica_identity != 'f';
}

bool ws_change_selects(const core_relation *relation, const core_column *column,
                       const ws_change_select *select) {
    if (select->visible != NULL && !auth_table_column(select->visible, column->name))
        return false;
    if (select->count == 0 || column_is_key(relation, column))
        return true;
    for (size_t i = 0; i < select->count; i++)
        if (core_slice_equal(select->columns[i], column->name))
            return true;
    return false;
}

static bool column_selected(const change_writer *writer, const core_column *column) {
    return ws_change_selects(writer->relation, column, writer->select);
}

static void write_columns(change_writer *writer) {
    core_json_key_text(&writer->json, "columns");
    core_json_array_open(&writer->json);
    for (size_t i = 0; i < writer->relation->column_count; i++) {
        const core_column *column = &writer->relation->columns[i];
        if (!column_selected(writer, column))
            continue;
        core_json_object_open(&writer->json);
        core_json_key_text(&writer->json, "name");
        core_json_string(&writer->json, column->name);
        core_json_key_text(&writer->json, "type");
        core_json_string(&writer->json, core_column_type_name(column));
        core_json_object_close(&writer->json);
    }
    core_json_array_close(&writer->json);
}

static bool is_omitted(const change_writer *writer, const core_value *value) {
    return writer->select->brief && value->bytes.length > WS_CHANGE_BRIEF_BYTES;
}

static bool is_long(const core_value *value) {
    return value->bytes.length > WS_CHANGE_BRIEF_BYTES;
}

static void write_tuple(change_writer *writer, const char *name, const core_tuple *tuple,
                        bool key_only) {
    core_json_key_text(&writer->json, name);
    core_json_object_open(&writer->json);
    for (size_t i = 0; i < tuple->count && i < writer->relation->column_count; i++) {
        const core_column *column = &writer->relation->columns[i];
        const core_value *value = &tuple->values[i];
        if (value->kind == CORE_VALUE_UNCHANGED || (key_only && !column->key) ||
            !column_selected(writer, column) || is_omitted(writer, value))
            continue;
        core_json_key(&writer->json, column->name);
        core_column_value_json(&writer->json, column, value);
    }
    core_json_object_close(&writer->json);
}

static bool is_unchanged(const core_value *value) {
    return value->kind == CORE_VALUE_UNCHANGED;
}

static bool is_read_later(const core_value *value) {
    return value->read_later;
}

/* Names of the columns whose value is so; no member when there are none. */
static void write_names(change_writer *writer, const char *name, const core_tuple *tuple,
                        bool (*is_so)(const core_value *value)) {
    bool any = false;
    for (size_t i = 0; i < tuple->count && i < writer->relation->column_count; i++) {
        const core_column *column = &writer->relation->columns[i];
        if (!is_so(&tuple->values[i]) || !column_selected(writer, column))
            continue;
        if (!any) {
            core_json_key_text(&writer->json, name);
            core_json_array_open(&writer->json);
        }
        any = true;
        core_json_string(&writer->json, column->name);
    }
    if (any)
        core_json_array_close(&writer->json);
}

/* Of an old row that is not to be seen the key, as the new row has it; with replica identity FULL
 * nobody knows which columns that is. */
static void write_hidden(change_writer *writer, const core_change *change) {
    static const core_tuple nothing;
    bool full = writer->relation->replica_identity == 'f';
    write_tuple(writer, "old_record", full ? &nothing : &change->new_tuple, true);
}

static void write_images(change_writer *writer, const core_change *change) {
    bool full = change->old_kind == CORE_OLD_FULL;
    bool new_row =
        change->op == CORE_OP_INSERT || change->op == CORE_OP_UPDATE || change->op == CORE_OP_READ;
    if (new_row && !writer->select->left) {
        write_tuple(writer, "record", &change->new_tuple, false);
        write_names(writer, "unchanged", &change->new_tuple, is_unchanged);
        write_names(writer, "read_later", &change->new_tuple, is_read_later);
        if (writer->select->brief)
            write_names(writer, "omitted", &change->new_tuple, is_long);
    }
    if (change->op == CORE_OP_UPDATE && writer->select->hides_old)
        write_hidden(writer, change);
    else if (change->op == CORE_OP_UPDATE && change->old_kind == CORE_OLD_NONE)
        write_tuple(writer, "old_record", &change->new_tuple, true);
    else if (change->op == CORE_OP_UPDATE || change->op == CORE_OP_DELETE)
        write_tuple(writer, "old_record", &change->old_tuple, !full);
}

static void write_errors(change_writer *writer) {
    if (!writer->select->brief) {
        core_json_null(&writer->json);
        return;
    }
    core_json_array_open(&writer->json);
    core_json_text(&writer->json, "Error 413: Payload Too Large");
    core_json_array_close(&writer->json);
}

void ws_change_json(core_buffer *out, const core_change *change, const core_offset *offset,
                    const ws_change_select *select) {
    change_writer writer = {
        .json = core_json_writer_make(out), .relation = change->relation, .select = select};
    char time[CORE_CLOCK_TEXT_SIZE], place[CORE_OFFSET_TEXT_SIZE];
    core_clock_format(change->transaction.commit_time_us, time);
    core_json_object_open(&writer.json);
    core_json_key_text(&writer.json, "schema");
    core_json_string(&writer.json,
                     select->schema.length > 0 ? select->schema : change->relation->schema);
    core_json_key_text(&writer.json, "table");
    core_json_string(&writer.json, change->relation->table);
    core_json_key_text(&writer.json, "commit_timestamp");
    core_json_text(&writer.json, time);
    core_json_key_text(&writer.json, "type");
    core_json_text(&writer.json, select->left ? "LEAVE" : core_op_name(change->op));
    write_columns(&writer);
    write_images(&writer, change);
    core_json_key_text(&writer.json, "errors");
    write_errors(&writer);
    if (offset != NULL) {
        core_offset_format(offset, place);
        core_json_key_text(&writer.json, "offset");
        core_json_text(&writer.json, place);
    }
    core_json_object_close(&writer.json);
}
