/* A stored message's changes as lines; see tail.h.
 *
 * A JSON line always has the same leading members, null where the operation has none of them, so
 * that a program can read each without asking for the operation first. */
#include "cli/tail.h"

#define OUT_MAX_BYTES ((size_t)2 << 30) /* the largest row, escaped, and the lines before it */
#define ARENA_CHUNK   ((size_t)64 << 10)
/* Relation and value arrays of one run, and of a JSON message (of at most 1 GiB) all. */
#define ARENA_MAX_BYTES (((size_t)4 << 20) + CORE_EVENT_JSON_ARENA_FACTOR * ((size_t)1 << 30))

void tail_printer_init(tail_printer *printer, bool json, const tail_table *table,
                       const tail_place *place) {
    *printer = (tail_printer){.json = json, .table = table, .place = place};
    core_buffer_init(&printer->out, OUT_MAX_BYTES);
    core_arena_init(&printer->arena, ARENA_CHUNK, ARENA_MAX_BYTES);
}

void tail_printer_fini(tail_printer *printer) {
    core_buffer_fini(&printer->out);
    core_arena_fini(&printer->arena);
}

/* A GAP tells in its message what is missing. */
static bool op_has_message(core_op op) {
    return op == CORE_OP_MESSAGE || op == CORE_OP_GAP;
}

static bool op_has_record(core_op op) {
    return op == CORE_OP_INSERT || op == CORE_OP_UPDATE || op == CORE_OP_READ;
}

static void record_write(core_json_writer *writer, const char *name, const core_change *change,
                         const core_tuple *tuple, bool present, bool key_only) {
    core_json_key_text(writer, name);
    if (present)
        core_tuple_json(writer, change->relation, tuple, key_only);
    else
        core_json_null(writer);
}

static void relation_write(core_json_writer *writer, const core_relation *relation) {
    core_json_key_text(writer, "schema");
    if (relation != NULL)
        core_json_string(writer, relation->schema);
    else
        core_json_null(writer);
    core_json_key_text(writer, "table");
    if (relation != NULL)
        core_json_string(writer, relation->table);
    else
        core_json_null(writer);
}

/* Content that is not UTF-8 goes as hex. */
static void message_write(core_json_writer *writer, const core_message *message) {
    core_json_key_text(writer, "message");
    core_json_object_open(writer);
    core_json_key_text(writer, "prefix");
    core_json_string(writer, message->prefix);
    core_json_key_text(writer, "transactional");
    core_json_bool(writer, message->transactional);
    if (core_utf8_valid(message->content)) {
        core_json_key_text(writer, "content");
        core_json_string(writer, message->content);
    } else {
        core_json_key_text(writer, "content_hex");
        core_buffer_text(writer->out, "\"");
        for (size_t i = 0; i < message->content.length; i++)
            core_buffer_format(writer->out, "%02x", message->content.data[i]);
        core_buffer_text(writer->out, "\"");
        writer->needs_comma = true;
    }
    core_json_object_close(writer);
}

static core_slice shape_json(const core_change *change) {
    core_slice content = change->message.content;
    return core_json_valid(content) ? content : core_slice_text("null");
}

static void details_write(core_json_writer *writer, const core_change *change) {
    char time[CORE_CLOCK_TEXT_SIZE];
    core_clock_format(change->transaction.commit_time_us, time);
    core_json_key_text(writer, "commit_timestamp");
    core_json_text(writer, time);
    core_json_key_text(writer, "index");
    core_json_unsigned(writer, change->index);
    core_json_key_text(writer, "last");
    core_json_bool(writer, change->last);
    if (op_has_record(change->op))
        core_tuple_marks_json(writer, change->relation, &change->new_tuple);
    if (change->op == CORE_OP_TRUNCATE) {
        core_json_key_text(writer, "cascade");
        core_json_bool(writer, (change->truncate_flags & CORE_TRUNCATE_CASCADE) != 0);
        core_json_key_text(writer, "restart_identity");
        core_json_bool(writer, (change->truncate_flags & CORE_TRUNCATE_RESTART_IDENTITY) != 0);
    }
    if (op_has_message(change->op))
        message_write(writer, &change->message);
    if (change->op == CORE_OP_SCHEMA) {
        core_json_key_text(writer, "shape");
        core_json_raw(writer, shape_json(change));
    }
}

static void records_write(core_json_writer *writer, const core_change *change) {
    bool has_relation = change->relation != NULL;
    record_write(writer, "record", change, &change->new_tuple,
                 has_relation && op_has_record(change->op), false);
    record_write(writer, "old_record", change, &change->old_tuple,
                 has_relation && change->old_kind != CORE_OLD_NONE,
                 change->old_kind == CORE_OLD_KEY);
}

static void lsn_format(core_lsn lsn, char text[32]) {
    (void)snprintf(text, 32, CORE_LSN_FORMAT, CORE_LSN_ARGS(lsn));
}

/* Of rows of a snapshot: which, and event.proto's after_sequence when there is one. */
static void snapshot_write(core_json_writer *writer, const core_run *run) {
    core_json_key_text(writer, "snapshot");
    core_json_object_open(writer);
    core_json_key_text(writer, "id");
    core_json_string(writer, run->snapshot_id);
    if (run->snapshot_after_sequence != 0) {
        core_json_key_text(writer, "after_sequence");
        core_json_unsigned(writer, run->snapshot_after_sequence);
    }
    core_json_object_close(writer);
}

static void line_json(core_buffer *out, const char *offset, const core_run *run,
                      const core_change *change) {
    core_json_writer writer = core_json_writer_make(out);
    char lsn[32];
    lsn_format(change->transaction.commit_lsn, lsn);
    core_json_object_open(&writer);
    core_json_key_text(&writer, "offset");
    core_json_text(&writer, offset);
    core_json_key_text(&writer, "lsn");
    core_json_text(&writer, lsn);
    core_json_key_text(&writer, "xid");
    core_json_unsigned(&writer, change->transaction.xid);
    core_json_key_text(&writer, "op");
    core_json_text(&writer, core_op_name(change->op));
    relation_write(&writer, change->relation);
    records_write(&writer, change);
    details_write(&writer, change);
    if (run->snapshot_id.length > 0)
        snapshot_write(&writer, run);
    core_json_object_close(&writer);
    core_buffer_text(out, "\n");
}

/* time offset lsn xid OP schema.table {record} was {old record} */
static void line_text(core_buffer *out, const char *offset, const core_change *change) {
    core_json_writer writer = core_json_writer_make(out);
    char time[CORE_CLOCK_TEXT_SIZE];
    core_clock_format(change->transaction.commit_time_us, time);
    core_buffer_format(out, "%s %s " CORE_LSN_FORMAT " %u %s", time, offset,
                       CORE_LSN_ARGS(change->transaction.commit_lsn), change->transaction.xid,
                       core_op_name(change->op));
    if (change->relation != NULL)
        core_buffer_format(out, " %.*s.%.*s", CORE_SLICE_ARGS(change->relation->schema),
                           CORE_SLICE_ARGS(change->relation->table));
    if (change->relation != NULL && op_has_record(change->op)) {
        core_buffer_text(out, " ");
        core_tuple_json(&writer, change->relation, &change->new_tuple, false);
    }
    if (change->relation != NULL && change->old_kind != CORE_OLD_NONE) {
        writer.needs_comma = false;
        core_buffer_text(out, " was ");
        core_tuple_json(&writer, change->relation, &change->old_tuple,
                        change->old_kind == CORE_OLD_KEY);
    }
    if (op_has_message(change->op)) {
        writer.needs_comma = false;
        core_buffer_text(out, " {");
        message_write(&writer, &change->message);
        core_buffer_text(out, "}");
    }
    if (change->op == CORE_OP_SCHEMA) {
        core_buffer_text(out, " ");
        core_buffer_slice_append(out, shape_json(change));
    }
    core_buffer_text(out, "\n");
}

/* A table's first description says nothing that its rows do not: by choice only. */
static bool change_is_shown(const tail_printer *printer, const core_change *change) {
    bool first = change->op == CORE_OP_SCHEMA && core_slice_is(change->message.prefix, "first");
    return (!first || printer->shapes) &&
           !tail_place_is_behind(printer->place, &change->transaction);
}

static bool run_is_shown(const tail_printer *printer, const core_run *run) {
    const tail_table *table = printer->table;
    if (tail_place_is_behind(printer->place, &run->last_transaction))
        return false;
    return table == NULL || run->op == CORE_OP_GAP || /* it concerns every table */
           (run->has_relation && core_slice_is(run->relation.table, table->table) &&
            core_slice_is(run->relation.schema, table->schema));
}

static bool run_print(tail_printer *printer, const core_run *run, uint64_t sequence,
                      core_error *error) {
    core_run_reader reader;
    if (!core_run_reader_init(&reader, run, &printer->arena, error))
        return false;
    core_offset offset = {.sequence = sequence};
    memcpy(offset.epoch, run->epoch, sizeof offset.epoch);
    const core_change *change;
    for (; (change = core_run_next(&reader)) != NULL; offset.index++) {
        char text[CORE_OFFSET_TEXT_SIZE];
        if (!change_is_shown(printer, change))
            continue;
        core_offset_format(&offset, text);
        if (printer->json)
            line_json(&printer->out, text, run, change);
        else
            line_text(&printer->out, text, change);
    }
    return core_buffer_ok(&printer->out) ||
           core_error_set(error, CORE_ERROR_LIMIT, "the lines are longer than %zu bytes",
                          OUT_MAX_BYTES);
}

bool tail_print_message(tail_printer *printer, core_slice payload, uint64_t sequence,
                        core_error *error) {
    core_run run;
    core_arena_reset(&printer->arena);
    if (!core_run_decode(payload, &printer->arena, &run, error) ||
        (run_is_shown(printer, &run) && !run_print(printer, &run, sequence, error)))
        return core_error_wrap(error, "stream sequence %llu", (unsigned long long)sequence);
    return true;
}
