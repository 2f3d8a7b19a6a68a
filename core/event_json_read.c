/* Reads a JSON message into a run of one row; see event_json.h.
 *
 * Happy path: the top level is walked once and each known member's text kept; the change is put
 * together from these, then written as a run into the arena and decoded as any run is, which checks
 * the rest. Whatever departs from docs/JSON.md refuses the message as a whole (CORE_ERROR_INPUT).
 */
#include "core/event_json_parts.h"

#include "core/base64.h"
#include "core/lsn.h"

#include <stdio.h>

#define PART_BEGINNING "{\"part\":"

typedef struct {
    core_slice before, after, source, transaction, op, format, epoch, old_kind, unchanged,
        read_later, exact, relation, message, truncate, snapshot, part;
} message_members;

/* ---- Members ---- */

bool event_json_refuse(const event_json_source *source, const char *what, const char *reason) {
    return core_error_set(source->error, CORE_ERROR_INPUT,
                          "JSON message of %zu bytes: %s %s; expected a change in format %d",
                          source->payload.length, what, reason, CORE_EVENT_JSON_FORMAT);
}

bool event_json_no_room(const event_json_source *source) {
    return core_error_set(source->error, CORE_ERROR_LIMIT,
                          "JSON message of %zu bytes: no room for its change",
                          source->payload.length);
}

bool event_json_item(core_json_reader *reader, core_slice *key, core_slice *json, bool *more) {
    core_json_token token = core_json_next(reader);
    *more = token.kind != CORE_JSON_OBJECT_CLOSE && token.kind != CORE_JSON_ARRAY_CLOSE;
    *key = token.key;
    return !*more || core_json_skip(reader, token, json);
}

static void member_put(const event_json_member *members, size_t count, core_slice key,
                       core_slice json) {
    for (size_t i = 0; i < count; i++)
        if (core_json_raw_is(key, members[i].name))
            *members[i].json = json;
}

bool event_json_members(const event_json_source *source, core_slice object, const char *what,
                        const event_json_member *members, size_t count) {
    core_json_reader reader = core_json_envelope_reader_make(object);
    bool more = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    if (!more)
        return event_json_refuse(source, what, "is missing or no object");
    while (more) {
        core_slice key, json;
        if (!event_json_item(&reader, &key, &json, &more))
            return event_json_refuse(source, what, "is malformed");
        if (more)
            member_put(members, count, key, json);
    }
    return core_json_next(&reader).kind == CORE_JSON_END ||
           event_json_refuse(source, what, "is followed by something");
}

/* ---- Values ---- */

bool event_json_unsigned(const event_json_source *source, core_slice json, const char *what,
                         uint64_t max, uint64_t *number) {
    if (event_json_is_null(json))
        return true;
    return (core_slice_to_u64(json, number) && *number <= max) ||
           event_json_refuse(source, what, "is no whole number, or too large");
}

bool event_json_u32(const event_json_source *source, core_slice json, const char *what,
                    uint32_t *number) {
    uint64_t wide = *number;
    if (!event_json_unsigned(source, json, what, UINT32_MAX, &wide))
        return false;
    *number = (uint32_t)wide;
    return true;
}

bool event_json_signed(const event_json_source *source, core_slice json, const char *what,
                       int64_t *number) {
    return event_json_is_null(json) || core_slice_to_i64(json, number) ||
           event_json_refuse(source, what, "is no whole number, or too large");
}

bool event_json_bool(const event_json_source *source, core_slice json, const char *what,
                     bool *value) {
    if (event_json_is_null(json))
        return true;
    *value = core_slice_is(json, "true");
    return *value || core_slice_is(json, "false") ||
           event_json_refuse(source, what, "is neither true nor false");
}

bool event_json_raw(core_slice json, core_slice *raw) {
    bool is_string = json.length >= 2 && json.data[0] == '"';
    if (is_string)
        *raw = core_slice_make(json.data + 1, json.length - 2);
    return is_string;
}

bool event_json_lsn(const event_json_source *source, core_slice json, const char *what,
                    core_lsn *lsn) {
    core_slice raw;
    return event_json_is_null(json) || (event_json_raw(json, &raw) && core_lsn_parse(raw, lsn)) ||
           event_json_refuse(source, what, "is no position such as \"0/16B3748\"");
}

static bool base64_read(const event_json_source *source, core_slice json, const char *what,
                        core_slice *bytes) {
    core_slice raw;
    if (!event_json_raw(json, &raw))
        return event_json_refuse(source, what, "is not base64 in a string");
    void *memory = core_arena_alloc(source->arena, raw.length + 1);
    if (memory == NULL)
        return event_json_no_room(source);
    core_buffer out = core_buffer_over(memory, raw.length + 1);
    if (!core_base64_decode(raw, &out))
        return event_json_refuse(source, what, "is not base64");
    *bytes = core_buffer_slice(&out);
    return true;
}

bool event_json_bytes(const event_json_source *source, core_slice json, core_slice base64,
                      const char *what, core_slice *bytes) {
    core_slice raw;
    if (base64.length > 0)
        return base64_read(source, base64, what, bytes);
    if (event_json_is_null(json))
        return true;
    if (!event_json_raw(json, &raw))
        return event_json_refuse(source, what, "is no string");
    *bytes = raw;
    if (raw.length == 0 || memchr(raw.data, '\\', raw.length) == NULL)
        return true;
    void *memory = source->arena != NULL ? core_arena_alloc(source->arena, raw.length) : NULL;
    if (memory == NULL)
        return event_json_no_room(source);
    core_buffer out = core_buffer_over(memory, raw.length);
    if (!core_json_unescape(raw, &out))
        return event_json_refuse(source, what, "has an escape that is not valid");
    *bytes = core_buffer_slice(&out);
    return true;
}

/* ---- Head: what parts have too ---- */

static bool members_read(const event_json_source *source, message_members *json) {
    const event_json_member members[] = {
        {"before", &json->before},
        {"after", &json->after},
        {"source", &json->source},
        {"transaction", &json->transaction},
        {"op", &json->op},
        {"format", &json->format},
        {"epoch", &json->epoch},
        {"old_kind", &json->old_kind},
        {"unchanged", &json->unchanged},
        {"read_later", &json->read_later},
        {"exact", &json->exact},
        {"relation", &json->relation},
        {"message", &json->message},
        {"truncate", &json->truncate},
        {"snapshot", &json->snapshot},
        {"part", &json->part},
    };
    return event_json_members(source, source->payload, "it", members, CORE_COUNT_OF(members));
}

static bool op_read(const event_json_source *source, core_slice json, core_op *op) {
    core_slice raw;
    if (event_json_raw(json, &raw))
        for (size_t i = CORE_OP_NONE + 1; i < CORE_COUNT_OF(event_json_ops); i++)
            if (core_slice_is(raw, event_json_ops[i])) {
                *op = (core_op)i;
                return true;
            }
    return event_json_refuse(source, "op", "is unknown");
}

static bool epoch_read(const event_json_source *source, core_slice json,
                       char epoch[CORE_EPOCH_TEXT_SIZE]) {
    core_slice raw;
    bool is_epoch = event_json_raw(json, &raw) && raw.length > 0 &&
                    core_slice_to_text(raw, epoch, CORE_EPOCH_TEXT_SIZE);
    for (size_t i = 0; is_epoch && i < raw.length; i++)
        is_epoch = (raw.data[i] >= '0' && raw.data[i] <= '9') ||
                   (raw.data[i] >= 'a' && raw.data[i] <= 'z');
    return is_epoch || event_json_refuse(source, "epoch", "is not 1 to 16 of [0-9a-z]");
}

static bool format_check(const event_json_source *source, core_slice json) {
    uint64_t format = 0;
    if (!event_json_unsigned(source, json, "format", UINT32_MAX, &format))
        return false;
    return format == CORE_EVENT_JSON_FORMAT ||
           core_error_set(source->error, CORE_ERROR_INPUT,
                          "JSON message: its format is version %llu, this Walcast reads version "
                          "%d; upgrade the reader",
                          (unsigned long long)format, CORE_EVENT_JSON_FORMAT);
}

/* The relation's names stand here, as Debezium has them. A part's origin would need memory and is
 * nowhere asked for. */
static bool source_read(const event_json_source *source, core_slice object, core_change *change,
                        core_relation *names) {
    core_slice xid = {0}, commit = {0}, end = {0}, time = {0}, origin = {0}, origin_base64 = {0},
               schema = {0}, schema_base64 = {0}, table = {0}, table_base64 = {0};
    const event_json_member members[] = {
        {"txId", &xid},      {"commit_lsn", &commit},
        {"end_lsn", &end},   {"ts_us", &time},
        {"origin", &origin}, {"origin_base64", &origin_base64},
        {"schema", &schema}, {"schema_base64", &schema_base64},
        {"table", &table},   {"table_base64", &table_base64},
    };
    core_transaction *transaction = &change->transaction;
    if (!event_json_members(source, object, "source", members, CORE_COUNT_OF(members)) ||
        !event_json_u32(source, xid, "source.txId", &transaction->xid) ||
        !event_json_lsn(source, commit, "source.commit_lsn", &transaction->commit_lsn) ||
        !event_json_lsn(source, end, "source.end_lsn", &transaction->end_lsn) ||
        !event_json_signed(source, time, "source.ts_us", &transaction->commit_time_us))
        return false;
    if (event_json_is_null(commit))
        return event_json_refuse(source, "source.commit_lsn", "is missing");
    return names == NULL ||
           (event_json_bytes(source, origin, origin_base64, "source.origin",
                             &transaction->origin) &&
            event_json_bytes(source, schema, schema_base64, "source.schema", &names->schema) &&
            event_json_bytes(source, table, table_base64, "source.table", &names->table));
}

static bool transaction_read(const event_json_source *source, core_slice object,
                             core_change *change) {
    core_slice index = {0}, last = {0};
    const event_json_member members[] = {{"index", &index}, {"last", &last}};
    if (!event_json_members(source, object, "transaction", members, CORE_COUNT_OF(members)) ||
        !event_json_unsigned(source, index, "transaction.index", UINT64_MAX - 1, &change->index) ||
        !event_json_bool(source, last, "transaction.last", &change->last))
        return false;
    return (!event_json_is_null(index) && !event_json_is_null(last)) ||
           event_json_refuse(source, "transaction", "lacks index or last");
}

/* ---- Parts ---- */

bool core_event_json_is_part(core_slice payload) {
    size_t length = sizeof PART_BEGINNING - 1;
    return payload.length > length && memcmp(payload.data, PART_BEGINNING, length) == 0;
}

static bool part_read(const event_json_source *source, core_slice object, core_part *part) {
    core_slice index = {0}, count = {0}, total = {0}, chunk = {0};
    const event_json_member members[] = {
        {"index", &index}, {"count", &count}, {"total_bytes", &total}, {"chunk", &chunk}};
    *part = (core_part){.is_base64 = true};
    if (!event_json_members(source, object, "part", members, CORE_COUNT_OF(members)) ||
        !event_json_u32(source, index, "part.index", &part->index) ||
        !event_json_u32(source, count, "part.count", &part->count) ||
        !event_json_unsigned(source, total, "part.total_bytes", UINT64_MAX, &part->total_bytes))
        return false;
    return (event_json_raw(chunk, &part->chunk) && part->chunk.length > 0 &&
            part->index < part->count) ||
           event_json_refuse(source, "part", "is empty or beyond their count");
}

static bool part_decode(const event_json_source *source, const message_members *json,
                        core_change *change, core_run *run) {
    if (!core_event_json_is_part(source->payload))
        return event_json_refuse(source, "part", "does not come first");
    if (!part_read(source, json->part, &run->part) ||
        !source_read(source, json->source, change, NULL))
        return false;
    run->op = change->op;
    run->is_part = true;
    run->last_transaction = change->transaction;
    run->last_index = change->index;
    run->last_complete = change->last;
    return true;
}

/* ---- The change ---- */

static bool old_kind_read(const event_json_source *source, core_slice json, core_old_kind *kind) {
    core_slice raw;
    if (json.length == 0)
        return true;
    if (!event_json_raw(json, &raw) || !(core_slice_is(raw, "key") || core_slice_is(raw, "full")))
        return event_json_refuse(source, "old_kind", "is neither key nor full");
    *kind = core_slice_is(raw, "key") ? CORE_OLD_KEY : CORE_OLD_FULL;
    return true;
}

static bool images_read(const event_json_source *source, const message_members *json,
                        const event_json_relation *relation, core_change *change) {
    core_slice before = {0}, after = {0};
    const event_json_member members[] = {{"before", &before}, {"after", &after}};
    if (json->exact.length > 0 &&
        !event_json_members(source, json->exact, "exact", members, CORE_COUNT_OF(members)))
        return false;
    event_json_image old_image = {
        .values = json->before, .exact = before, .old_kind = change->old_kind};
    event_json_image new_image = {.values = json->after,
                                  .exact = after,
                                  .unchanged = json->unchanged,
                                  .read_later = json->read_later};
    if (change->old_kind != CORE_OLD_NONE &&
        !event_json_tuple_read(source, relation, &old_image, &change->old_tuple))
        return false;
    return event_json_is_null(json->after) ||
           event_json_tuple_read(source, relation, &new_image, &change->new_tuple);
}

/* SCHEMA's and GAP's content is an object, whose text it is. */
static bool message_read(const event_json_source *source, core_slice object,
                         core_message *message) {
    core_slice prefix = {0}, prefix_base64 = {0}, content = {0}, content_base64 = {0}, lsn = {0},
               transactional = {0};
    const event_json_member members[] = {
        {"prefix", &prefix},   {"prefix_base64", &prefix_base64},
        {"content", &content}, {"content_base64", &content_base64},
        {"lsn", &lsn},         {"transactional", &transactional},
    };
    if (object.length == 0)
        return true;
    if (!event_json_members(source, object, "message", members, CORE_COUNT_OF(members)) ||
        !event_json_bytes(source, prefix, prefix_base64, "message.prefix", &message->prefix) ||
        !event_json_lsn(source, lsn, "message.lsn", &message->lsn) ||
        !event_json_bool(source, transactional, "message.transactional", &message->transactional))
        return false;
    if (content.length > 0 && content.data[0] == '{') {
        message->content = content;
        return true;
    }
    return event_json_bytes(source, content, content_base64, "message.content", &message->content);
}

static bool truncate_read(const event_json_source *source, core_slice object, unsigned *flags) {
    core_slice cascade_json = {0}, restart_json = {0};
    const event_json_member members[] = {{"cascade", &cascade_json},
                                         {"restart_identity", &restart_json}};
    bool cascade = false, restart = false;
    if (object.length == 0)
        return true;
    if (!event_json_members(source, object, "truncate", members, CORE_COUNT_OF(members)) ||
        !event_json_bool(source, cascade_json, "truncate.cascade", &cascade) ||
        !event_json_bool(source, restart_json, "truncate.restart_identity", &restart))
        return false;
    *flags = (cascade ? CORE_TRUNCATE_CASCADE : 0) | (restart ? CORE_TRUNCATE_RESTART_IDENTITY : 0);
    return true;
}

/* ---- The run ---- */

/* The head's numbers and epoch, and what the writer keeps free for the shares. */
#define RUN_HEAD_BYTES 512

/* Of READ: which snapshot. */
typedef struct {
    core_slice id;
    uint64_t after_sequence;
} snapshot_mark;

static bool snapshot_read(const event_json_source *source, core_slice object, snapshot_mark *mark) {
    core_slice id = {0}, after = {0};
    const event_json_member members[] = {{"id", &id}, {"after_sequence", &after}};
    if (object.length == 0)
        return true;
    return event_json_members(source, object, "snapshot", members, CORE_COUNT_OF(members)) &&
           event_json_bytes(source, id, core_slice_make(NULL, 0), "snapshot.id", &mark->id) &&
           event_json_unsigned(source, after, "snapshot.after_sequence", UINT64_MAX,
                               &mark->after_sequence);
}

static bool run_write(const event_json_source *source, const char *epoch, const core_change *change,
                      const snapshot_mark *mark, core_slice *bytes) {
    core_run_writer writer = {0};
    size_t size = RUN_HEAD_BYTES + core_run_change_size(change) +
                  (change->relation != NULL ? core_relation_size(change->relation) : 0) +
                  mark->id.length;
    void *memory = core_arena_alloc(source->arena, size);
    if (memory == NULL)
        return event_json_no_room(source);
    writer.body = core_buffer_over(memory, size);
    core_run_open(&writer, epoch, change->op, change->relation);
    if (!core_run_append(&writer, change))
        return event_json_no_room(source);
    if (change->op == CORE_OP_READ && mark->id.length > 0 &&
        !core_run_snapshot_put(&writer, mark->id, mark->after_sequence))
        return event_json_no_room(source);
    core_run_transaction_end(&writer, change->last);
    *bytes = core_run_close(&writer);
    return true;
}

static bool change_decode(const event_json_source *source, const message_members *json,
                          core_change *change, core_run *run) {
    event_json_relation relation = {0};
    snapshot_mark mark = {0};
    core_slice bytes;
    if (source->arena == NULL)
        return event_json_no_room(source);
    if (!source_read(source, json->source, change, &relation.relation) ||
        !old_kind_read(source, json->old_kind, &change->old_kind) ||
        !message_read(source, json->message, &change->message) ||
        !truncate_read(source, json->truncate, &change->truncate_flags) ||
        !snapshot_read(source, json->snapshot, &mark))
        return false;
    if (json->relation.length > 0) {
        if (!event_json_relation_read(source, json->relation, &relation) ||
            !images_read(source, json, &relation, change))
            return false;
        change->relation = &relation.relation;
    }
    return run_write(source, run->epoch, change, &mark, &bytes) &&
           core_run_decode(bytes, source->arena, run, source->error);
}

bool core_event_json_decode(core_slice payload, core_arena *arena, core_run *run,
                            core_error *error) {
    event_json_source source = {payload, arena, error};
    message_members json = {0};
    core_change change = {0};
    *run = (core_run){.payload = payload};
    if (!members_read(&source, &json) || !format_check(&source, json.format) ||
        !epoch_read(&source, json.epoch, run->epoch) || !op_read(&source, json.op, &change.op) ||
        !transaction_read(&source, json.transaction, &change))
        return false;
    return json.part.length > 0 ? part_decode(&source, &json, &change, run)
                                : change_decode(&source, &json, &change, run);
}
