/* See event_file.h. What is read is written again as a message of the stream in JSON, and core's
 * reader makes the row of it: it knows how each type's JSON becomes PostgreSQL's text. */
#include "triggers/event_file.h"

#include <stdio.h>

typedef struct {
    core_slice op, schema, table, record, old_record, unchanged, offset, time; /* JSON */
    const core_relation *relation;
    core_arena *arena;
    core_error *error;
} event_reader;

static bool refuse(const event_reader *reader, const char *what) {
    return core_error_set(reader->error, CORE_ERROR_INPUT, "the event: %s", what);
}

/* ---- Members ---- */

static bool members_read(event_reader *reader, core_slice json) {
    const struct {
        const char *name;
        core_slice *to;
    } members[] = {{"op", &reader->op},
                   {"schema", &reader->schema},
                   {"table", &reader->table},
                   {"record", &reader->record},
                   {"old_record", &reader->old_record},
                   {"unchanged", &reader->unchanged},
                   {"offset", &reader->offset},
                   {"commit_timestamp", &reader->time}};
    core_json_reader it = core_json_reader_make(json);
    core_json_token token;
    if (core_json_next(&it).kind != CORE_JSON_OBJECT_OPEN)
        return refuse(reader, "expected a JSON object");
    while (core_json_member_next(&it, &token)) {
        core_slice whole;
        if (!core_json_skip(&it, token, &whole))
            return refuse(reader, "its JSON is malformed");
        for (size_t i = 0; i < CORE_COUNT_OF(members); i++)
            if (core_json_raw_is(token.key, members[i].name))
                *members[i].to = whole;
    }
    return core_json_next(&it).kind == CORE_JSON_END || refuse(reader, "its JSON is malformed");
}

static bool is_object(core_slice json) {
    return json.length > 0 && json.data[0] == '{';
}

/* A string's text; empty when it is none. */
static core_slice text_of(const event_reader *reader, core_slice json) {
    if (json.length < 2 || json.data[0] != '"')
        return core_slice_make(NULL, 0);
    void *memory = core_arena_alloc(reader->arena, json.length);
    core_buffer out = core_buffer_over(memory, json.length);
    if (memory == NULL ||
        !core_json_unescape(core_slice_make(json.data + 1, json.length - 2), &out))
        return core_slice_make(NULL, 0);
    return core_buffer_slice(&out);
}

static core_op op_of(const event_reader *reader) {
    char upper[16] = {0};
    core_slice text = text_of(reader, reader->op);
    for (size_t i = 0; i < text.length && i < sizeof upper - 1; i++)
        upper[i] =
            (char)(text.data[i] >= 'a' && text.data[i] <= 'z' ? text.data[i] - 32 : text.data[i]);
    core_op op = core_op_parse(core_slice_text(upper));
    return op <= CORE_OP_READ ? op : CORE_OP_NONE;
}

/* ---- Columns of the values ---- */

static uint32_t oid_of(core_json_kind kind) {
    switch (kind) {
    case CORE_JSON_TRUE:
    case CORE_JSON_FALSE:
        return 16;
    case CORE_JSON_NUMBER:
        return 1700;
    case CORE_JSON_OBJECT_OPEN:
    case CORE_JSON_ARRAY_OPEN:
        return 3802;
    default:
        return 25;
    }
}

/* Adds the object's members to the columns; a null's type is that of a value elsewhere. */
static bool columns_infer(const event_reader *reader, core_slice object, core_column *columns,
                          uint16_t *count) {
    core_json_reader it = core_json_reader_make(object);
    core_json_token token;
    if (!is_object(object))
        return true;
    (void)core_json_next(&it);
    while (core_json_member_next(&it, &token)) {
        core_slice whole;
        uint16_t at = 0;
        void *memory = core_arena_alloc(reader->arena, token.key.length + 1);
        core_buffer name = core_buffer_over(memory, token.key.length + 1);
        if (memory == NULL || !core_json_skip(&it, token, &whole) ||
            !core_json_unescape(token.key, &name))
            return refuse(reader, "a column's name is not valid");
        while (at < *count && !core_slice_equal(columns[at].name, core_buffer_slice(&name)))
            at++;
        if (at == CORE_COLUMNS_MAX)
            return refuse(reader, "it has more columns than a table");
        bool is_first = at == *count;
        *count += is_first ? 1 : 0;
        if (is_first || columns[at].type_oid == 25)
            columns[at] = (core_column){
                .name = core_buffer_slice(&name), .type_oid = oid_of(token.kind), .typmod = -1};
    }
    return true;
}

static bool relation_infer(event_reader *reader, core_relation *relation) {
    core_column *columns = core_arena_array(reader->arena, CORE_COLUMNS_MAX, sizeof *columns);
    if (columns == NULL)
        return refuse(reader, "no memory");
    *relation = (core_relation){.schema = text_of(reader, reader->schema),
                                .table = text_of(reader, reader->table),
                                .replica_identity = 'f',
                                .columns = columns};
    return columns_infer(reader, reader->record, columns, &relation->column_count) &&
           columns_infer(reader, reader->old_record, columns, &relation->column_count);
}

/* ---- The message ---- */

static bool object_has(core_slice object, core_slice name) {
    core_json_reader it = core_json_reader_make(object);
    core_json_token token;
    char text[256];
    core_slice whole;
    if (!core_slice_to_text(name, text, sizeof text))
        return false;
    (void)core_json_next(&it);
    while (core_json_member_next(&it, &token)) {
        if (core_json_raw_is(token.key, text))
            return true;
        if (!core_json_skip(&it, token, &whole))
            return false;
    }
    return false;
}

static void relation_write(core_json_writer *json, const core_relation *relation) {
    char identity[] = {relation->replica_identity, '\0'};
    core_json_key_text(json, "relation");
    core_json_object_open(json);
    core_json_key_text(json, "replica_identity");
    core_json_text(json, identity);
    core_json_key_text(json, "columns");
    core_json_array_open(json);
    for (size_t i = 0; i < relation->column_count; i++) {
        const core_column *column = &relation->columns[i];
        const struct {
            const char *name;
            int64_t value;
        } numbers[] = {{"oid", column->type_oid},
                       {"typmod", column->typmod},
                       {"base_oid", column->base_oid},
                       {"element_oid", column->element_oid}};
        core_json_object_open(json);
        core_json_key_text(json, "name");
        core_json_string(json, column->name);
        core_json_key_text(json, "type");
        core_json_string(json, core_column_type_name(column));
        core_json_key_text(json, "key");
        core_json_bool(json, column->key);
        for (size_t k = 0; k < CORE_COUNT_OF(numbers); k++) {
            core_json_key_text(json, numbers[k].name);
            core_json_signed(json, numbers[k].value);
        }
        core_json_object_close(json);
    }
    core_json_array_close(json);
    core_json_object_close(json);
}

static void raw_member(core_json_writer *json, const char *name, core_slice raw) {
    core_json_key_text(json, name);
    core_json_raw(json, raw);
}

/* What the record does not name did not come. */
static void unchanged_write(core_json_writer *json, const core_relation *relation,
                            core_slice record) {
    core_json_key_text(json, "unchanged");
    core_json_array_open(json);
    for (size_t i = 0; i < relation->column_count; i++)
        if (!object_has(record, relation->columns[i].name))
            core_json_string(json, relation->columns[i].name);
    core_json_array_close(json);
}

/* Of columns that the old record lacks only the key can have come. */
static bool old_is_whole(const event_reader *reader, const core_relation *relation) {
    for (size_t i = 0; i < relation->column_count; i++)
        if (!object_has(reader->old_record, relation->columns[i].name))
            return false;
    return true;
}

static void message_write(const event_reader *reader, const core_relation *relation, core_op op,
                          core_buffer *out) {
    static const char *const ops[] = {"", "c", "u", "d", "t", "r"};
    core_json_writer json = core_json_writer_make(out);
    const core_slice null = core_slice_text("null");
    bool has_new = is_object(reader->record) && op != CORE_OP_DELETE && op != CORE_OP_TRUNCATE;
    bool has_old = is_object(reader->old_record) && (op == CORE_OP_UPDATE || op == CORE_OP_DELETE);
    core_json_object_open(&json);
    raw_member(&json, "before", has_old ? reader->old_record : null);
    raw_member(&json, "after", has_new ? reader->record : null);
    if (has_old) {
        core_json_key_text(&json, "old_kind");
        core_json_text(&json, old_is_whole(reader, relation) ? "full" : "key");
    }
    core_json_key_text(&json, "source");
    core_json_object_open(&json);
    core_json_key_text(&json, "commit_lsn");
    core_json_text(&json, "0/1");
    core_json_key_text(&json, "schema");
    core_json_string(&json, relation->schema);
    core_json_key_text(&json, "table");
    core_json_string(&json, relation->table);
    core_json_object_close(&json);
    raw_member(&json, "transaction", core_slice_text("{\"index\":0,\"last\":true}"));
    core_json_key_text(&json, "op");
    core_json_text(&json, ops[op]);
    raw_member(&json, "format", core_slice_text("1"));
    core_json_key_text(&json, "epoch");
    core_json_text(&json, "0");
    if (has_new && op == CORE_OP_UPDATE)
        unchanged_write(&json, relation, reader->record);
    relation_write(&json, relation);
    core_json_object_close(&json);
}

/* A row of an INSERT lacks nothing: what is not named is what the columns' defaults would be. */
static bool insert_is_whole(const event_reader *reader, const core_relation *relation) {
    for (size_t i = 0; i < relation->column_count; i++)
        if (!object_has(reader->record, relation->columns[i].name))
            return core_error_set(reader->error, CORE_ERROR_INPUT,
                                  "the event: record lacks the column \"%.*s\"",
                                  CORE_SLICE_ARGS(relation->columns[i].name));
    return true;
}

/* As `walcast tail` writes it. */
static bool time_read(const event_reader *reader, int64_t *time_us) {
    char text[64];
    if (reader->time.length == 0 || core_slice_is(reader->time, "null"))
        return true;
    return (core_slice_to_text(text_of(reader, reader->time), text, sizeof text) &&
            core_clock_parse(text, time_us)) ||
           refuse(reader, "commit_timestamp: expected a time such as 2026-01-31T09:00:00Z");
}

static bool change_decode(const event_reader *reader, const core_relation *relation, core_op op,
                          triggers_event *event) {
    core_run run;
    core_run_reader rows;
    core_buffer message;
    core_buffer_init(&message, 4 * TRIGGERS_EVENT_FILE_MAX);
    message_write(reader, relation, op, &message);
    core_slice kept = core_buffer_ok(&message)
                          ? core_arena_copy(reader->arena, core_buffer_slice(&message))
                          : core_slice_make(NULL, 0);
    core_buffer_fini(&message);
    if (kept.data == NULL)
        return refuse(reader, "it is too large");
    if (!core_run_decode(kept, reader->arena, &run, reader->error) ||
        !core_run_reader_init(&rows, &run, reader->arena, reader->error))
        return core_error_wrap(reader->error, "the event");
    const core_change *change = core_run_next(&rows);
    if (change == NULL)
        return refuse(reader, "it holds no change");
    event->change = *change;
    return true;
}

bool triggers_event_read(core_slice json, const core_relation *relation, core_arena *arena,
                         triggers_event *event, core_error *error) {
    event_reader reader = {.relation = relation, .arena = arena, .error = error};
    *event = (triggers_event){.offset = core_slice_make(NULL, 0)};
    if (json.length > TRIGGERS_EVENT_FILE_MAX)
        return refuse(&reader, "it is larger than 16 MiB");
    if (!members_read(&reader, json))
        return false;
    core_op op = op_of(&reader);
    bool wants_new = op == CORE_OP_INSERT || op == CORE_OP_UPDATE || op == CORE_OP_READ;
    if (op == CORE_OP_NONE)
        return refuse(&reader, "op: expected INSERT, UPDATE, DELETE, TRUNCATE or READ");
    if (wants_new && !is_object(reader.record))
        return refuse(&reader, "record: expected an object, the row");
    if (op == CORE_OP_DELETE && !is_object(reader.old_record))
        return refuse(&reader, "old_record: expected an object, the row that is gone");
    if (relation != NULL)
        event->relation = *relation;
    else if (!relation_infer(&reader, &event->relation))
        return false;
    bool is_row = op == CORE_OP_INSERT || op == CORE_OP_READ;
    if (is_row && !insert_is_whole(&reader, &event->relation))
        return false;
    if (!time_read(&reader, &event->time_us) ||
        !change_decode(&reader, &event->relation, op, event))
        return false;
    event->offset = text_of(&reader, reader.offset);
    event->change.relation = &event->relation;
    return true;
}
