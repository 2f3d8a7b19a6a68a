/* Writes a run: event.proto's bytes straight from the change's slices, the one copy of a row on its
 * way to the stream.
 *
 * core_run_append computes the row's size first and reserves room for the row and for the
 * transaction shares that may yet follow, so that nothing after it can fail: a run that took a row
 * can always be closed. The caller keeps runs whole: same operation, same relation. */
#include "core/event_wire.h"

/* A Transaction field with its tag and the largest of everything but origin. */
#define SHARE_MAX_BYTES (1 + 5 + (1 + 5) + 3 * 9 + (1 + 10) + (1 + 5) + 2 + (1 + 5))

/* Lengths of the row's parts, computed once and used for the reservation and for the bytes. */
typedef struct {
    size_t new_tuple;
    size_t old_tuple;
    size_t message;
    size_t row;   /* the Row message's content */
    size_t field; /* with tag and length */
} row_size;

void core_run_writer_init(core_run_writer *writer, size_t max_bytes) {
    *writer = (core_run_writer){0};
    core_buffer_init(&writer->body, max_bytes);
}

void core_run_writer_fini(core_run_writer *writer) {
    core_buffer_fini(&writer->body);
    writer->open = false;
}

/* ---- Sizes ---- */

static size_t value_size(const core_value *value) {
    size_t mark_size = wire_number_size(value->read_later);
    if (value->kind == CORE_VALUE_TEXT || value->kind == CORE_VALUE_BINARY)
        return wire_delimited_size(value->bytes.length) + mark_size;
    return 2 + mark_size;
}

static size_t tuple_size(const core_tuple *tuple) {
    size_t size = 0;
    for (size_t i = 0; i < tuple->count; i++)
        size += wire_delimited_size(value_size(&tuple->values[i]));
    return size;
}

static size_t message_size(const core_message *message) {
    return wire_bytes_size(message->prefix) + wire_bytes_size(message->content) +
           wire_fixed64_size(message->lsn) + wire_number_size(message->transactional);
}

static bool has_new(core_op op) {
    return op == CORE_OP_INSERT || op == CORE_OP_UPDATE || op == CORE_OP_READ;
}

static bool has_old(const core_change *change) {
    return (change->op == CORE_OP_UPDATE || change->op == CORE_OP_DELETE) &&
           change->old_kind != CORE_OLD_NONE;
}

static bool has_message(core_op op) {
    return op == CORE_OP_MESSAGE || op == CORE_OP_GAP || op == CORE_OP_SCHEMA;
}

static size_t part_size(size_t content) {
    return content > 0 ? wire_delimited_size(content) : 0;
}

static row_size row_size_of(const core_change *change) {
    row_size size = {0};
    if (has_new(change->op))
        size.new_tuple = tuple_size(&change->new_tuple);
    if (has_old(change)) {
        size.old_tuple = tuple_size(&change->old_tuple);
        size.row += wire_number_size(change->old_kind);
    }
    if (change->op == CORE_OP_TRUNCATE)
        size.row += wire_number_size(change->truncate_flags);
    if (has_message(change->op))
        size.message = message_size(&change->message);
    size.row += part_size(size.new_tuple) + part_size(size.old_tuple) + part_size(size.message);
    size.field = wire_delimited_size(size.row);
    return size;
}

/* Two shares: a jump in the index ends one before the row, and one follows it. */
static size_t shares_size(const core_run_writer *writer, const core_transaction *transaction) {
    bool is_open = writer != NULL && writer->open_rows > 0;
    return 2 * (SHARE_MAX_BYTES +
                (is_open ? writer->transaction.origin.length : transaction->origin.length));
}

size_t core_run_change_size(const core_change *change) {
    return row_size_of(change).field + shares_size(NULL, &change->transaction);
}

/* ---- Bytes ---- */

static uint8_t *value_put(uint8_t *at, const core_value *value) {
    at = wire_put_delimited(at, TUPLE_VALUES, value_size(value));
    switch (value->kind) {
    case CORE_VALUE_TEXT:
    case CORE_VALUE_BINARY:
        at = wire_put_delimited(at, value->kind == CORE_VALUE_TEXT ? VALUE_TEXT : VALUE_BINARY,
                                value->bytes.length);
        at = wire_put_raw(at, value->bytes);
        break;
    case CORE_VALUE_UNCHANGED:
        at = wire_put_number(at, VALUE_UNCHANGED, 1);
        break;
    case CORE_VALUE_NULL:
        at = wire_put_number(at, VALUE_NULL, 1);
        break;
    }
    return wire_put_number(at, VALUE_READ_LATER, value->read_later);
}

static uint8_t *tuple_put(uint8_t *at, unsigned number, const core_tuple *tuple, size_t size) {
    if (size == 0)
        return at;
    at = wire_put_delimited(at, number, size);
    for (size_t i = 0; i < tuple->count; i++)
        at = value_put(at, &tuple->values[i]);
    return at;
}

static uint8_t *message_put(uint8_t *at, const core_message *message, size_t size) {
    if (size == 0)
        return at;
    at = wire_put_delimited(at, ROW_MESSAGE, size);
    at = wire_put_bytes(at, MESSAGE_PREFIX, message->prefix);
    at = wire_put_bytes(at, MESSAGE_CONTENT, message->content);
    at = wire_put_fixed64(at, MESSAGE_LSN, message->lsn);
    return wire_put_number(at, MESSAGE_TRANSACTIONAL, message->transactional);
}

static uint8_t *row_put(uint8_t *at, const core_change *change, const row_size *size) {
    at = wire_put_delimited(at, RUN_ROWS, size->row);
    at = tuple_put(at, ROW_NEW, &change->new_tuple, size->new_tuple);
    at = tuple_put(at, ROW_OLD, &change->old_tuple, size->old_tuple);
    if (has_old(change))
        at = wire_put_number(at, ROW_OLD_KIND, change->old_kind);
    if (change->op == CORE_OP_TRUNCATE)
        at = wire_put_number(at, ROW_TRUNCATE_FLAGS, change->truncate_flags);
    return message_put(at, &change->message, size->message);
}

/* ---- The run ---- */

void core_run_open(core_run_writer *writer, const char *epoch, core_op op,
                   const core_relation *relation) {
    assert(!writer->open && core_op_name(op) != NULL);
    core_buffer body = writer->body;
    core_buffer_reset(&body);
    *writer = (core_run_writer){.body = body, .op = op, .open = true};
    core_slice epoch_text = core_slice_text(epoch);
    size_t relation_size = relation != NULL ? core_relation_wire_size(relation) : 0;
    size_t size = wire_number_size(CORE_RUN_VERSION) + wire_bytes_size(epoch_text) +
                  wire_number_size(op) +
                  (relation != NULL ? wire_delimited_size(relation_size) : 0);
    uint8_t *start = core_buffer_reserve(&writer->body, size);
    if (start == NULL)
        return; /* sticky: no append will succeed */
    uint8_t *at = wire_put_number(start, RUN_VERSION, CORE_RUN_VERSION);
    at = wire_put_bytes(at, RUN_EPOCH, epoch_text);
    at = wire_put_number(at, RUN_OP, op);
    if (relation != NULL)
        at = core_relation_wire_put(wire_put_delimited(at, RUN_RELATION, relation_size), relation);
    assert(at == start + size);
    core_buffer_commit(&writer->body, size);
}

/* Cannot fail: append reserved the room. */
static void share_put(core_run_writer *writer, bool last) {
    const core_transaction *transaction = &writer->transaction;
    size_t size = wire_number_size(transaction->xid) + wire_fixed64_size(transaction->commit_lsn) +
                  wire_fixed64_size(transaction->end_lsn) +
                  wire_fixed64_size((uint64_t)transaction->commit_time_us) +
                  wire_number_size(writer->open_first_index) + wire_number_size(writer->open_rows) +
                  wire_number_size(last) + wire_bytes_size(transaction->origin);
    size_t field_size = wire_delimited_size(size);
    uint8_t *start = core_buffer_reserve(&writer->body, field_size);
    assert(start != NULL);
    uint8_t *at = wire_put_delimited(start, RUN_TRANSACTIONS, size);
    at = wire_put_number(at, TRANSACTION_XID, transaction->xid);
    at = wire_put_fixed64(at, TRANSACTION_COMMIT_LSN, transaction->commit_lsn);
    at = wire_put_fixed64(at, TRANSACTION_END_LSN, transaction->end_lsn);
    at = wire_put_fixed64(at, TRANSACTION_COMMIT_TIME_US, (uint64_t)transaction->commit_time_us);
    at = wire_put_number(at, TRANSACTION_FIRST_INDEX, writer->open_first_index);
    at = wire_put_number(at, TRANSACTION_COUNT, writer->open_rows);
    at = wire_put_number(at, TRANSACTION_LAST, last);
    at = wire_put_bytes(at, TRANSACTION_ORIGIN, transaction->origin);
    assert(at == start + field_size);
    core_buffer_commit(&writer->body, field_size);
    writer->open_rows = 0;
}

/* Room for the row and the shares, or NULL with nothing changed. */
static uint8_t *row_reserve(core_run_writer *writer, size_t size) {
    core_buffer *body = &writer->body;
    if (!core_buffer_ok(body) || size > body->max_bytes - body->length)
        return NULL;
    uint8_t *start = core_buffer_reserve(body, size);
    if (start == NULL)
        body->failed = false; /* out of memory: what is written stays good */
    return start;
}

static void transaction_open(core_run_writer *writer, const core_change *change) {
    if (writer->rows == 0) {
        writer->first_index = change->index;
        writer->first_commit_lsn = change->transaction.commit_lsn;
    }
    writer->transaction = change->transaction;
    writer->open_first_index = change->index;
}

static bool is_open_transaction(const core_run_writer *writer, const core_change *change) {
    return writer->transaction.xid == change->transaction.xid &&
           writer->transaction.commit_lsn == change->transaction.commit_lsn;
}

bool core_run_append(core_run_writer *writer, const core_change *change) {
    assert(writer->open && change->op == writer->op);
    assert(writer->open_rows == 0 || is_open_transaction(writer, change));
    row_size size = row_size_of(change);
    if (row_reserve(writer, size.field + shares_size(writer, &change->transaction)) == NULL)
        return false;
    if (writer->open_rows > 0 && change->index != writer->open_first_index + writer->open_rows)
        share_put(writer, false);
    if (writer->open_rows == 0)
        transaction_open(writer, change);
    uint8_t *start = writer->body.data + writer->body.length;
    const uint8_t *end = row_put(start, change, &size);
    assert(end == start + size.field);
    core_buffer_commit(&writer->body, size.field);
    writer->rows++;
    writer->open_rows++;
    (void)end;
    return true;
}

/* ---- Parts ---- */

static size_t part_content_size(const core_part *part) {
    return wire_number_size(part->index) + wire_number_size(part->count) +
           wire_number_size(part->total_bytes) + wire_bytes_size(part->chunk);
}

/* Tags and numbers of the head and the Part at their largest; chunks are below 4 GiB. */
size_t core_run_part_overhead(const core_transaction *transaction) {
    size_t head = 6 + 2 + CORE_EPOCH_TEXT_SIZE + 6;
    size_t part = 6 + 6 + 6 + 11 + 6;
    return head + part + shares_size(NULL, transaction);
}

bool core_run_append_part(core_run_writer *writer, const core_change *change,
                          const core_part *part) {
    assert(writer->open && writer->rows == 0 && change->op == writer->op);
    size_t content = part_content_size(part);
    size_t field = wire_delimited_size(content);
    uint8_t *start = row_reserve(writer, field + shares_size(writer, &change->transaction));
    if (start == NULL)
        return false;
    transaction_open(writer, change);
    uint8_t *at = wire_put_delimited(start, RUN_PART, content);
    at = wire_put_number(at, PART_INDEX, part->index);
    at = wire_put_number(at, PART_COUNT, part->count);
    at = wire_put_number(at, PART_TOTAL_BYTES, part->total_bytes);
    at = wire_put_bytes(at, PART_CHUNK, part->chunk);
    assert(at == start + field);
    core_buffer_commit(&writer->body, (size_t)(at - start));
    writer->rows = writer->open_rows = 1;
    return true;
}

/* ---- Ends ---- */

bool core_run_snapshot_put(core_run_writer *writer, core_slice id, uint64_t after_sequence) {
    assert(writer->open && writer->op == CORE_OP_READ);
    size_t content = wire_bytes_size(id) + wire_fixed64_size(after_sequence);
    size_t field = wire_delimited_size(content);
    uint8_t *start = core_buffer_reserve(&writer->body, field);
    if (start == NULL)
        return false;
    uint8_t *at = wire_put_delimited(start, RUN_SNAPSHOT, content);
    at = wire_put_bytes(at, SNAPSHOT_ID, id);
    at = wire_put_fixed64(at, SNAPSHOT_AFTER_SEQUENCE, after_sequence);
    assert(at == start + field);
    core_buffer_commit(&writer->body, (size_t)(at - start));
    return true;
}

void core_run_transaction_end(core_run_writer *writer, bool last) {
    assert(writer->open && writer->open_rows > 0);
    share_put(writer, last);
}

core_slice core_run_close(core_run_writer *writer) {
    assert(writer->open && writer->open_rows == 0 && writer->rows > 0);
    writer->open = false;
    return core_buffer_slice(&writer->body);
}

void core_run_abandon(core_run_writer *writer) {
    writer->open = false;
    writer->rows = 0;
    writer->open_rows = 0;
}
