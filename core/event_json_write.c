/* Writes a change as JSON; see event_json.h. Members that Debezium's PostgreSQL connector has come
 * first and have its names and meanings; a consumer made for it finds what it looks for. */
#include "core/event_json_parts.h"

#include "core/base64.h"
#include "core/value_text.h"

#include <stdio.h>

#define PART_HEAD_BYTES 16384 /* room for what is measured in `scratch` */

const char *const event_json_ops[] = {
    [CORE_OP_INSERT] = "c",   [CORE_OP_UPDATE] = "u", [CORE_OP_DELETE] = "d",
    [CORE_OP_TRUNCATE] = "t", [CORE_OP_READ] = "r",   [CORE_OP_SCHEMA] = "s",
    [CORE_OP_MESSAGE] = "m",  [CORE_OP_GAP] = "g",
};

void core_event_json_writer_init(core_event_json_writer *writer,
                                 const core_event_json_source *source, size_t row_max) {
    *writer = (core_event_json_writer){.source = *source};
    core_buffer_init(&writer->relation, row_max);
    core_buffer_init(&writer->scratch, CORE_COLUMN_TEXT_FACTOR * row_max + PART_HEAD_BYTES);
}

void core_event_json_writer_fini(core_event_json_writer *writer) {
    core_buffer_fini(&writer->relation);
    core_buffer_fini(&writer->scratch);
}

/* ---- Members ---- */

static void text_member(core_json_writer *json, const char *name, const char *text) {
    core_json_key_text(json, name);
    core_json_text(json, text);
}

static void number_member(core_json_writer *json, const char *name, uint64_t number) {
    core_json_key_text(json, name);
    core_json_unsigned(json, number);
}

static void bool_member(core_json_writer *json, const char *name, bool value) {
    core_json_key_text(json, name);
    core_json_bool(json, value);
}

static void lsn_member(core_json_writer *json, const char *name, core_lsn lsn) {
    char text[32];
    (void)snprintf(text, sizeof text, CORE_LSN_FORMAT, CORE_LSN_ARGS(lsn));
    text_member(json, name, text);
}

static void base64_value(core_json_writer *json, core_slice bytes) {
    core_json_raw(json, core_slice_text("\""));
    core_base64_encode(bytes, json->out);
    core_buffer_u8(json->out, '"');
}

/* Bytes that are not UTF-8 stand beside their readable form, in base64. */
static void bytes_member(core_json_writer *json, const char *name, const char *name_base64,
                         core_slice bytes) {
    core_json_key_text(json, name);
    core_json_string(json, bytes);
    if (core_utf8_valid(bytes))
        return;
    core_json_key_text(json, name_base64);
    base64_value(json, bytes);
}

/* ---- Relation ---- */

static void identity_member(core_json_writer *json, char identity) {
    const char letter[] = {identity, '\0'};
    const char *name = identity == 'd'   ? "default"
                       : identity == 'n' ? "nothing"
                       : identity == 'f' ? "full"
                       : identity == 'i' ? "index"
                                         : letter;
    text_member(json, "replica_identity", name);
}

/* What is as it usually is, is left out. */
static void column_write(core_json_writer *json, const core_column *column) {
    const char delimiter[] = {column->delimiter, '\0'};
    core_json_object_open(json);
    bytes_member(json, "name", "name_base64", column->name);
    bytes_member(json, "type", "type_base64", core_column_type_name(column));
    if (column->type_name.length == 0)
        bool_member(json, "type_known", false);
    number_member(json, "oid", column->type_oid);
    if (column->typmod != -1) {
        core_json_key_text(json, "typmod");
        core_json_signed(json, column->typmod);
    }
    bool_member(json, "key", column->key);
    if (column->base_oid != 0)
        number_member(json, "base_oid", column->base_oid);
    if (column->element_oid != 0)
        number_member(json, "element_oid", column->element_oid);
    if (column->delimiter != '\0')
        text_member(json, "delimiter", delimiter);
    core_json_object_close(json);
}

static void relation_write(core_buffer *out, const core_relation *relation) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    number_member(&json, "oid", relation->oid);
    identity_member(&json, relation->replica_identity);
    number_member(&json, "version", relation->version);
    core_json_key_text(&json, "columns");
    core_json_array_open(&json);
    for (size_t i = 0; i < relation->column_count; i++)
        column_write(&json, &relation->columns[i]);
    core_json_array_close(&json);
    core_json_object_close(&json);
}

void core_event_json_begin(core_event_json_writer *writer, const core_run *run, int64_t now_us) {
    memcpy(writer->epoch, run->epoch, sizeof writer->epoch);
    writer->now_us = now_us;
    writer->snapshot_id = run->snapshot_id;
    writer->snapshot_after_sequence = run->snapshot_after_sequence;
    core_buffer_reset(&writer->relation);
    if (run->has_relation)
        relation_write(&writer->relation, &run->relation);
}

/* ---- Rows ---- */

static bool is_marked(const uint8_t *marks, size_t column) {
    return marks[column / 8] >> column % 8 & 1;
}

/* The JSON that was written gives the very text back. */
static bool value_is_told(core_event_json_writer *writer, const core_column *column,
                          const core_value *value, core_slice json) {
    core_value again;
    if (value->kind == CORE_VALUE_NULL)
        return true;
    core_buffer_reset(&writer->scratch);
    return value->kind == CORE_VALUE_TEXT &&
           core_column_text(column, json, &writer->scratch, &again) &&
           again.kind == CORE_VALUE_TEXT && core_slice_equal(again.bytes, value->bytes);
}

static void value_write(core_event_json_writer *writer, core_json_writer *json,
                        const core_column *column, const core_value *value, bool *is_told) {
    size_t start = json->out->length;
    core_column_value_json(json, column, value);
    *is_told = !core_buffer_ok(json->out) ||
               value_is_told(writer, column, value,
                             core_slice_make(json->out->data + start, json->out->length - start));
}

static void tuple_write(core_event_json_writer *writer, core_json_writer *json,
                        const core_relation *relation, const core_tuple *tuple, bool key_only,
                        uint8_t *marks) {
    core_json_object_open(json);
    for (size_t i = 0; i < tuple->count; i++) {
        const core_column *column = &relation->columns[i];
        bool is_told = true;
        if (tuple->values[i].kind == CORE_VALUE_UNCHANGED || (key_only && !column->key))
            continue;
        core_json_key(json, column->name);
        value_write(writer, json, column, &tuple->values[i], &is_told);
        if (!is_told)
            marks[i / 8] |= (uint8_t)(1u << i % 8);
    }
    core_json_object_close(json);
}

static bool has_new(const core_change *change) {
    return change->relation != NULL && (change->op == CORE_OP_INSERT ||
                                        change->op == CORE_OP_UPDATE || change->op == CORE_OP_READ);
}

static bool has_old(const core_change *change) {
    return change->relation != NULL &&
           (change->op == CORE_OP_UPDATE || change->op == CORE_OP_DELETE) &&
           change->old_kind != CORE_OLD_NONE;
}

static void images_write(core_event_json_writer *writer, core_json_writer *json,
                         const core_change *change) {
    memset(writer->inexact, 0, sizeof writer->inexact);
    core_json_key_text(json, "before");
    if (has_old(change))
        tuple_write(writer, json, change->relation, &change->old_tuple,
                    change->old_kind == CORE_OLD_KEY, writer->inexact[0]);
    else
        core_json_null(json);
    core_json_key_text(json, "after");
    if (has_new(change))
        tuple_write(writer, json, change->relation, &change->new_tuple, false, writer->inexact[1]);
    else
        core_json_null(json);
}

/* ---- What JSON does not tell ---- */

static void exact_value(core_json_writer *json, const core_value *value) {
    bool is_binary = value->kind == CORE_VALUE_BINARY;
    if (!is_binary && core_utf8_valid(value->bytes)) {
        core_json_string(json, value->bytes);
        return;
    }
    core_json_object_open(json);
    core_json_key_text(json, is_binary ? "binary_base64" : "text_base64");
    base64_value(json, value->bytes);
    core_json_object_close(json);
}

static void exact_tuple(core_json_writer *json, const char *name, const core_relation *relation,
                        const core_tuple *tuple, const uint8_t *marks) {
    core_json_key_text(json, name);
    core_json_object_open(json);
    for (size_t i = 0; i < tuple->count; i++) {
        if (!is_marked(marks, i))
            continue;
        core_json_key(json, relation->columns[i].name);
        exact_value(json, &tuple->values[i]);
    }
    core_json_object_close(json);
}

static bool any_marked(const uint8_t *marks) {
    uint8_t any = 0;
    for (size_t i = 0; i < CORE_EVENT_JSON_MARKS; i++)
        any |= marks[i];
    return any != 0;
}

static void exact_write(const core_event_json_writer *writer, core_json_writer *json,
                        const core_change *change) {
    bool before = any_marked(writer->inexact[0]), after = any_marked(writer->inexact[1]);
    if (!before && !after)
        return;
    core_json_key_text(json, "exact");
    core_json_object_open(json);
    if (before)
        exact_tuple(json, "before", change->relation, &change->old_tuple, writer->inexact[0]);
    if (after)
        exact_tuple(json, "after", change->relation, &change->new_tuple, writer->inexact[1]);
    core_json_object_close(json);
}

/* ---- Where it comes from ---- */

static void names_write(core_json_writer *json, const core_relation *relation) {
    if (relation != NULL) {
        bytes_member(json, "schema", "schema_base64", relation->schema);
        bytes_member(json, "table", "table_base64", relation->table);
        return;
    }
    core_json_key_text(json, "schema");
    core_json_null(json);
    core_json_key_text(json, "table");
    core_json_null(json);
}

static int64_t floor_ms(int64_t time_us) {
    return time_us / CORE_US_PER_MS - (time_us % CORE_US_PER_MS < 0);
}

static void source_write(const core_event_json_writer *writer, core_json_writer *json,
                         const core_change *change) {
    const core_transaction *transaction = &change->transaction;
    core_json_key_text(json, "source");
    core_json_object_open(json);
    text_member(json, "version", writer->source.version);
    text_member(json, "connector", "walcast");
    text_member(json, "name", writer->source.name);
    core_json_key_text(json, "ts_ms");
    core_json_signed(json, floor_ms(transaction->commit_time_us));
    core_json_key_text(json, "ts_us");
    core_json_signed(json, transaction->commit_time_us);
    text_member(json, "snapshot", change->op == CORE_OP_READ ? "true" : "false");
    if (writer->source.database != NULL)
        text_member(json, "db", writer->source.database);
    names_write(json, change->relation);
    core_json_key_text(json, "txId");
    if (transaction->xid != 0)
        core_json_unsigned(json, transaction->xid);
    else
        core_json_null(json);
    number_member(json, "lsn", transaction->commit_lsn);
    lsn_member(json, "commit_lsn", transaction->commit_lsn);
    if (transaction->end_lsn != 0) {
        lsn_member(json, "end_lsn", transaction->end_lsn);
    } else {
        core_json_key_text(json, "end_lsn"); /* not known before the commit is read */
        core_json_null(json);
    }
    if (transaction->origin.length > 0)
        bytes_member(json, "origin", "origin_base64", transaction->origin);
    core_json_object_close(json);
}

/* Debezium counts a transaction's changes from 1. */
static void transaction_write(core_json_writer *json, const core_change *change) {
    char id[40];
    (void)snprintf(id, sizeof id, "%u:%llu", change->transaction.xid,
                   (unsigned long long)change->transaction.commit_lsn);
    core_json_key_text(json, "transaction");
    core_json_object_open(json);
    text_member(json, "id", id);
    number_member(json, "total_order", change->index + 1);
    number_member(json, "index", change->index);
    bool_member(json, "last", change->last);
    core_json_object_close(json);
}

/* source, transaction, op, ts_ms, format, epoch: what parts have too. */
static void place_write(const core_event_json_writer *writer, core_json_writer *json,
                        const core_change *change) {
    source_write(writer, json, change);
    transaction_write(json, change);
    text_member(json, "op", event_json_ops[change->op]);
    core_json_key_text(json, "ts_ms");
    core_json_signed(json, floor_ms(writer->now_us));
    number_member(json, "format", CORE_EVENT_JSON_FORMAT);
    text_member(json, "epoch", writer->epoch);
}

/* ---- The rest ---- */

/* SCHEMA's and GAP's content is an object of Walcast's own and stands as one. */
static bool content_is_object(const core_change *change) {
    core_slice content = change->message.content;
    return change->op != CORE_OP_MESSAGE && content.length > 1 && content.data[0] == '{' &&
           content.data[content.length - 1] == '}' && core_json_valid(content);
}

static void message_write(core_json_writer *json, const core_change *change) {
    const core_message *message = &change->message;
    core_json_key_text(json, "message");
    core_json_object_open(json);
    bytes_member(json, "prefix", "prefix_base64", message->prefix);
    if (content_is_object(change)) {
        core_json_key_text(json, "content");
        core_json_raw(json, message->content);
    } else if (core_utf8_valid(message->content)) {
        core_json_key_text(json, "content");
        core_json_string(json, message->content);
    } else {
        core_json_key_text(json, "content_base64");
        base64_value(json, message->content);
    }
    lsn_member(json, "lsn", message->lsn);
    bool_member(json, "transactional", message->transactional);
    core_json_object_close(json);
}

static void truncate_write(core_json_writer *json, unsigned flags) {
    core_json_key_text(json, "truncate");
    core_json_object_open(json);
    bool_member(json, "cascade", (flags & CORE_TRUNCATE_CASCADE) != 0);
    bool_member(json, "restart_identity", (flags & CORE_TRUNCATE_RESTART_IDENTITY) != 0);
    core_json_object_close(json);
}

static void details_write(core_json_writer *json, const core_change *change) {
    if (has_old(change))
        text_member(json, "old_kind", change->old_kind == CORE_OLD_KEY ? "key" : "full");
    if (has_new(change))
        core_tuple_marks_json(json, change->relation, &change->new_tuple);
    if (change->op == CORE_OP_TRUNCATE)
        truncate_write(json, change->truncate_flags);
    if (change->op == CORE_OP_MESSAGE || change->op == CORE_OP_GAP || change->op == CORE_OP_SCHEMA)
        message_write(json, change);
}

static void snapshot_write(const core_event_json_writer *writer, core_json_writer *json) {
    if (writer->snapshot_id.length == 0)
        return;
    core_json_key_text(json, "snapshot");
    core_json_object_open(json);
    core_json_key_text(json, "id");
    core_json_string(json, writer->snapshot_id);
    if (writer->snapshot_after_sequence != 0)
        number_member(json, "after_sequence", writer->snapshot_after_sequence);
    core_json_object_close(json);
}

void core_event_json_change(core_event_json_writer *writer, const core_change *change,
                            core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    images_write(writer, &json, change);
    place_write(writer, &json, change);
    details_write(&json, change);
    snapshot_write(writer, &json);
    exact_write(writer, &json, change);
    if (change->relation != NULL) {
        core_json_key_text(&json, "relation");
        core_json_raw(&json, core_buffer_slice(&writer->relation));
    }
    core_json_object_close(&json);
    if (!core_buffer_ok(&writer->relation))
        out->failed = true; /* no room: the message would not be whole */
}

/* ---- Parts ---- */

void core_event_json_part(core_event_json_writer *writer, const core_change *place,
                          const core_part *part, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    core_json_key_text(&json, "part");
    core_json_object_open(&json);
    number_member(&json, "index", part->index);
    number_member(&json, "count", part->count);
    number_member(&json, "total_bytes", part->total_bytes);
    core_json_key_text(&json, "chunk");
    base64_value(&json, part->chunk);
    core_json_object_close(&json);
    place_write(writer, &json, place);
    core_json_object_close(&json);
}

size_t core_event_json_part_overhead(core_event_json_writer *writer, const core_change *place) {
    const core_part largest = {.index = UINT32_MAX, .count = UINT32_MAX, .total_bytes = UINT64_MAX};
    core_change longest = *place;
    longest.last = false;                     /* a letter more than true */
    longest.transaction.end_lsn = UINT64_MAX; /* of the last part; 0 in the others */
    longest.relation = NULL;
    core_buffer_reset(&writer->scratch);
    core_event_json_part(writer, &longest, &largest, &writer->scratch);
    return core_buffer_ok(&writer->scratch) ? writer->scratch.length : SIZE_MAX;
}
