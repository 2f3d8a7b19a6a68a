/* Reads a run: decode checks the whole payload once, then rows are walked without allocation and
 * without a way to fail.
 *
 * Happy path: core_run_decode walks the top level for the head, decodes the relation into the
 * arena, then checks each row and share. core_run_reader walks the same bytes with two cursors, one
 * on the rows and one on the transactions' shares, which may stand in any order among each other.
 * A malformed byte, a value out of range or counts that do not add up refuse the payload as a whole
 * (CORE_ERROR_INPUT with the byte's position). Fields with unknown numbers are skipped. */
#include "core/event_json.h"
#include "core/event_wire.h"

static const uint8_t run_types[] = {
    [RUN_VERSION] = WIRE_VARINT, [RUN_EPOCH] = WIRE_BYTES,        [RUN_OP] = WIRE_VARINT,
    [RUN_RELATION] = WIRE_BYTES, [RUN_TRANSACTIONS] = WIRE_BYTES, [RUN_ROWS] = WIRE_BYTES,
    [RUN_PART] = WIRE_BYTES,     [RUN_SNAPSHOT] = WIRE_BYTES,
};
static const wire_message run_message = {"Run", run_types, RUN_SNAPSHOT};

static const uint8_t snapshot_types[] = {
    [SNAPSHOT_ID] = WIRE_BYTES,
    [SNAPSHOT_AFTER_SEQUENCE] = WIRE_FIXED64,
};
static const wire_message snapshot_message = {"Snapshot", snapshot_types, SNAPSHOT_AFTER_SEQUENCE};

static const uint8_t part_types[] = {
    [PART_INDEX] = WIRE_VARINT,
    [PART_COUNT] = WIRE_VARINT,
    [PART_TOTAL_BYTES] = WIRE_VARINT,
    [PART_CHUNK] = WIRE_BYTES,
};
static const wire_message part_message = {"Part", part_types, PART_CHUNK};

static const uint8_t transaction_types[] = {
    [TRANSACTION_XID] = WIRE_VARINT,         [TRANSACTION_COMMIT_LSN] = WIRE_FIXED64,
    [TRANSACTION_END_LSN] = WIRE_FIXED64,    [TRANSACTION_COMMIT_TIME_US] = WIRE_FIXED64,
    [TRANSACTION_FIRST_INDEX] = WIRE_VARINT, [TRANSACTION_COUNT] = WIRE_VARINT,
    [TRANSACTION_LAST] = WIRE_VARINT,        [TRANSACTION_ORIGIN] = WIRE_BYTES,
};
static const wire_message transaction_message = {"Transaction", transaction_types,
                                                 TRANSACTION_ORIGIN};

static const uint8_t row_types[] = {
    [ROW_NEW] = WIRE_BYTES,       [ROW_OLD] = WIRE_BYTES,
    [ROW_OLD_KIND] = WIRE_VARINT, [ROW_TRUNCATE_FLAGS] = WIRE_VARINT,
    [ROW_MESSAGE] = WIRE_BYTES,
};
static const wire_message row_message = {"Row", row_types, ROW_MESSAGE};

static const uint8_t tuple_types[] = {[TUPLE_VALUES] = WIRE_BYTES};
static const wire_message tuple_message = {"Tuple", tuple_types, TUPLE_VALUES};

static const uint8_t value_types[] = {
    [VALUE_TEXT] = WIRE_BYTES,       [VALUE_BINARY] = WIRE_BYTES,      [VALUE_NULL] = WIRE_VARINT,
    [VALUE_UNCHANGED] = WIRE_VARINT, [VALUE_READ_LATER] = WIRE_VARINT,
};
static const wire_message value_message = {"Value", value_types, VALUE_READ_LATER};

static const uint8_t message_types[] = {
    [MESSAGE_PREFIX] = WIRE_BYTES,
    [MESSAGE_CONTENT] = WIRE_BYTES,
    [MESSAGE_LSN] = WIRE_FIXED64,
    [MESSAGE_TRANSACTIONAL] = WIRE_VARINT,
};
static const wire_message message_message = {"Message", message_types, MESSAGE_TRANSACTIONAL};

/* A share of a transaction. */
typedef struct {
    core_transaction transaction;
    uint64_t first_index;
    uint32_t count;
    bool last;
} run_share;

/* ---- Rows ---- */

static bool value_read(const wire_source *source, core_slice bytes, core_value *value) {
    static const core_value_kind kinds[] = {
        [VALUE_TEXT] = CORE_VALUE_TEXT,
        [VALUE_BINARY] = CORE_VALUE_BINARY,
        [VALUE_NULL] = CORE_VALUE_NULL,
        [VALUE_UNCHANGED] = CORE_VALUE_UNCHANGED,
    };
    core_cursor cursor = core_cursor_make(bytes);
    wire_field field = {.start = bytes.data};
    bool found = false;
    value->read_later = false;
    while (wire_next(&cursor, &value_message, &field)) {
        if (field.number == VALUE_READ_LATER)
            value->read_later = field.value != 0;
        if (field.number > VALUE_UNCHANGED)
            continue;
        value->kind = kinds[field.number];
        value->bytes = field.number <= VALUE_BINARY ? field.bytes : core_slice_make(NULL, 0);
        found = field.number <= VALUE_BINARY || field.value == 1;
    }
    if (!wire_done(source, &cursor, &value_message, &field))
        return false;
    /* Never taken for null: a kind of a later version must raise Run.version. */
    return found || wire_refuse(source, bytes.data, "Value", "is of no known kind");
}

/* `values` NULL: only checks. */
static bool tuple_read(const wire_source *source, core_slice bytes, size_t max_values,
                       core_tuple *tuple) {
    core_cursor cursor = core_cursor_make(bytes);
    wire_field field = {.start = bytes.data};
    size_t count = 0;
    while (wire_next(&cursor, &tuple_message, &field)) {
        if (field.number != TUPLE_VALUES)
            continue;
        if (count == max_values)
            return wire_refuse(source, field.start, "Tuple", "has more values than columns");
        core_value unused;
        core_value *value = tuple->values != NULL ? &tuple->values[count] : &unused;
        if (!value_read(source, field.bytes, value))
            return false;
        count++;
    }
    tuple->count = (uint16_t)count;
    return wire_done(source, &cursor, &tuple_message, &field);
}

static bool message_read(const wire_source *source, core_slice bytes, core_message *message) {
    core_cursor cursor = core_cursor_make(bytes);
    wire_field field = {.start = bytes.data};
    while (wire_next(&cursor, &message_message, &field)) {
        if (field.number == MESSAGE_PREFIX)
            message->prefix = field.bytes;
        else if (field.number == MESSAGE_CONTENT)
            message->content = field.bytes;
        else if (field.number == MESSAGE_LSN)
            message->lsn = field.value;
        else if (field.number == MESSAGE_TRANSACTIONAL)
            message->transactional = field.value != 0;
    }
    return wire_done(source, &cursor, &message_message, &field);
}

static bool row_field_read(const wire_source *source, const wire_field *field, size_t max_values,
                           core_change *change) {
    switch (field->number) {
    case ROW_NEW:
        return tuple_read(source, field->bytes, max_values, &change->new_tuple);
    case ROW_OLD:
        return tuple_read(source, field->bytes, max_values, &change->old_tuple);
    case ROW_OLD_KIND:
        if (field->value > CORE_OLD_FULL)
            return wire_refuse(source, field->start, "Row", "has an unknown old_kind");
        change->old_kind = (core_old_kind)field->value;
        return true;
    case ROW_TRUNCATE_FLAGS:
        if (field->value > UINT32_MAX)
            return wire_refuse(source, field->start, "Row", "has truncate_flags over 32 bits");
        change->truncate_flags = (unsigned)field->value;
        return true;
    case ROW_MESSAGE:
        return message_read(source, field->bytes, &change->message);
    default:
        return true;
    }
}

/* The change's value arrays stay, everything else of the row is set anew. */
static bool row_read(const wire_source *source, core_slice bytes, size_t max_values,
                     core_change *change) {
    core_cursor cursor = core_cursor_make(bytes);
    wire_field field = {.start = bytes.data};
    change->new_tuple.count = 0;
    change->old_tuple.count = 0;
    change->old_kind = CORE_OLD_NONE;
    change->truncate_flags = 0;
    change->message = (core_message){0};
    while (wire_next(&cursor, &row_message, &field))
        if (!row_field_read(source, &field, max_values, change))
            return false;
    if (!wire_done(source, &cursor, &row_message, &field))
        return false;
    if (change->old_tuple.count > 0 && change->old_kind == CORE_OLD_NONE)
        return wire_refuse(source, bytes.data, "Row", "has an old tuple of no old_kind");
    return true;
}

/* ---- Shares of transactions ---- */

static bool share_number_read(const wire_source *source, const wire_field *field,
                              run_share *share) {
    bool is_narrow = field->number == TRANSACTION_XID || field->number == TRANSACTION_COUNT;
    if (is_narrow && field->value > UINT32_MAX)
        return wire_refuse(source, field->start, "Transaction", "has a number over 32 bits");
    switch (field->number) {
    case TRANSACTION_XID:
        share->transaction.xid = (uint32_t)field->value;
        break;
    case TRANSACTION_COMMIT_LSN:
        share->transaction.commit_lsn = field->value;
        break;
    case TRANSACTION_END_LSN:
        share->transaction.end_lsn = field->value;
        break;
    case TRANSACTION_COMMIT_TIME_US:
        share->transaction.commit_time_us = (int64_t)field->value;
        break;
    case TRANSACTION_FIRST_INDEX:
        share->first_index = field->value;
        break;
    case TRANSACTION_COUNT:
        share->count = (uint32_t)field->value;
        break;
    case TRANSACTION_LAST:
        share->last = field->value != 0;
        break;
    default:
        break;
    }
    return true;
}

static bool share_read(const wire_source *source, core_slice bytes, run_share *share) {
    core_cursor cursor = core_cursor_make(bytes);
    wire_field field = {.start = bytes.data};
    *share = (run_share){0};
    while (wire_next(&cursor, &transaction_message, &field)) {
        if (field.number == TRANSACTION_ORIGIN)
            share->transaction.origin = field.bytes;
        else if (!share_number_read(source, &field, share))
            return false;
    }
    if (!wire_done(source, &cursor, &transaction_message, &field))
        return false;
    if (share->count == 0 || share->first_index > UINT64_MAX - share->count)
        return wire_refuse(source, bytes.data, "Transaction", "has no rows or an index too high");
    return true;
}

/* ---- Part ---- */

static bool part_number_read(const wire_field *field, core_part *part) {
    if (field->number != PART_TOTAL_BYTES && field->value > UINT32_MAX)
        return false;
    if (field->number == PART_INDEX)
        part->index = (uint32_t)field->value;
    else if (field->number == PART_COUNT)
        part->count = (uint32_t)field->value;
    else
        part->total_bytes = field->value;
    return true;
}

static bool part_read(const wire_source *source, core_slice bytes, core_part *part) {
    core_cursor cursor = core_cursor_make(bytes);
    wire_field field = {.start = bytes.data};
    *part = (core_part){0};
    while (wire_next(&cursor, &part_message, &field)) {
        if (field.number == PART_CHUNK)
            part->chunk = field.bytes;
        else if (field.number < PART_CHUNK && !part_number_read(&field, part))
            return wire_refuse(source, field.start, "Part", "has a number over 32 bits");
    }
    if (!wire_done(source, &cursor, &part_message, &field))
        return false;
    if (part->index >= part->count || part->chunk.length == 0)
        return wire_refuse(source, bytes.data, "Part", "is empty or beyond their count");
    return true;
}

/* ---- Decode ---- */

/* What the first walk finds; rows are only counted. */
typedef struct {
    uint64_t version;
    core_slice epoch;
    uint64_t op;
    core_slice relation;
    bool has_relation;
    core_slice part;
    bool has_part;
    core_slice snapshot;
    uint64_t rows;
} run_head;

static bool version_check(const wire_source *source, uint64_t version) {
    if (version == CORE_RUN_VERSION)
        return true;
    return core_error_set(source->error, CORE_ERROR_INPUT,
                          "run: its format is version %llu, this Walcast reads version %d; "
                          "upgrade the reader",
                          (unsigned long long)version, CORE_RUN_VERSION);
}

static bool head_field_read(const wire_source *source, const wire_field *field, run_head *head) {
    switch (field->number) {
    case RUN_VERSION:
        head->version = field->value;
        return version_check(source, field->value);
    case RUN_EPOCH:
        head->epoch = field->bytes;
        return true;
    case RUN_OP:
        head->op = field->value;
        return true;
    case RUN_RELATION:
        if (head->has_relation)
            return wire_refuse(source, field->start, "Run", "has two relations");
        head->relation = field->bytes;
        head->has_relation = true;
        return true;
    case RUN_ROWS:
        head->rows++;
        return true;
    case RUN_PART:
        head->part = field->bytes;
        head->has_part = true;
        return true;
    case RUN_SNAPSHOT:
        head->snapshot = field->bytes;
        return true;
    default:
        return true;
    }
}

static bool head_read(const wire_source *source, run_head *head) {
    core_cursor cursor = core_cursor_make(source->payload);
    wire_field field = {.start = source->payload.data};
    while (wire_next(&cursor, &run_message, &field))
        if (!head_field_read(source, &field, head))
            return false;
    return wire_done(source, &cursor, &run_message, &field) && version_check(source, head->version);
}

static bool snapshot_read(const wire_source *source, core_slice bytes, core_run *run) {
    core_cursor cursor = core_cursor_make(bytes);
    wire_field field = {.start = bytes.data};
    while (wire_next(&cursor, &snapshot_message, &field)) {
        if (field.number == SNAPSHOT_ID)
            run->snapshot_id = field.bytes;
        else if (field.number == SNAPSHOT_AFTER_SEQUENCE)
            run->snapshot_after_sequence = field.value;
    }
    return wire_done(source, &cursor, &snapshot_message, &field);
}

static bool epoch_read(core_slice text, char epoch[CORE_EPOCH_TEXT_SIZE]) {
    for (size_t i = 0; i < text.length; i++) {
        uint8_t letter = text.data[i];
        if (!(letter >= '0' && letter <= '9') && !(letter >= 'a' && letter <= 'z'))
            return false;
    }
    return text.length > 0 && core_slice_to_text(text, epoch, CORE_EPOCH_TEXT_SIZE);
}

static bool head_check(const wire_source *source, const run_head *head, core_run *run) {
    const uint8_t *start = source->payload.data;
    if (!epoch_read(head->epoch, run->epoch))
        return wire_refuse(source, head->epoch.data, "Run.epoch", "is not 1 to 16 of [0-9a-z]");
    if (head->op > CORE_OP_GAP || head->op == CORE_OP_NONE)
        return wire_refuse(source, start, "Run.op", "is unknown");
    if (head->has_part != (head->rows == 0) || head->rows > UINT32_MAX)
        return wire_refuse(source, start, "Run", "has no rows, too many, or rows beside a part");
    if (head->has_part && head->has_relation)
        return wire_refuse(source, start, "Run", "has a relation beside a part");
    bool needs_relation = !head->has_part && head->op != CORE_OP_MESSAGE && head->op != CORE_OP_GAP;
    if (needs_relation && !head->has_relation)
        return wire_refuse(source, start, "Run", "has no relation");
    run->op = (core_op)head->op;
    run->rows = (uint32_t)head->rows;
    run->has_relation = head->has_relation;
    run->is_part = head->has_part;
    return snapshot_read(source, head->snapshot, run) &&
           (!head->has_part || part_read(source, head->part, &run->part));
}

static void run_last_set(core_run *run, const run_share *share) {
    run->last_transaction = share->transaction;
    run->last_index = share->first_index + share->count - 1;
    run->last_complete = share->last;
}

/* Each row and share, and that the shares cover the rows. */
static bool content_check(const wire_source *source, core_run *run) {
    core_cursor cursor = core_cursor_make(source->payload);
    wire_field field;
    core_change change = {0};
    uint64_t covered = 0;
    while (wire_next(&cursor, &run_message, &field)) {
        if (field.number == RUN_ROWS) {
            if (!row_read(source, field.bytes, run->relation.column_count, &change))
                return false;
        } else if (field.number == RUN_TRANSACTIONS) {
            run_share share;
            if (!share_read(source, field.bytes, &share))
                return false;
            covered += share.count;
            run_last_set(run, &share);
        }
    }
    if (covered != (run->is_part ? 1 : run->rows))
        return wire_refuse(source, source->payload.data, "Run",
                           "has transactions that count other than its rows");
    return true;
}

bool core_run_decode(core_slice payload, core_arena *arena, core_run *run, core_error *error) {
    if (core_event_is_json(payload))
        return core_event_json_decode(payload, arena, run, error);
    wire_source source = {payload, error};
    run_head head = {.epoch = core_slice_make(payload.data, 0)};
    *run = (core_run){.payload = payload};
    if (payload.length == 0)
        return core_error_set(error, CORE_ERROR_INPUT, "run: the message is empty");
    if (!head_read(&source, &head) || !head_check(&source, &head, run))
        return false;
    if (head.has_relation &&
        !core_relation_wire_read(&source, head.relation, arena, &run->relation))
        return false;
    return content_check(&source, run);
}

/* Head and shares of a part are short, and neither rows nor a relation stand in it: what comes
 * first tells. */
bool core_run_part_peek(core_slice payload) {
    if (core_event_is_json(payload))
        return core_event_json_is_part(payload);
    core_cursor cursor = core_cursor_make(payload);
    wire_field field;
    while (wire_next(&cursor, &run_message, &field))
        if (field.number == RUN_ROWS || field.number == RUN_RELATION || field.number == RUN_PART)
            return field.number == RUN_PART;
    return false;
}

/* ---- Iteration ---- */

bool core_run_reader_init(core_run_reader *reader, const core_run *run, core_arena *arena,
                          core_error *error) {
    size_t columns = run->relation.column_count;
    *reader = (core_run_reader){
        .run = run,
        .rows_left = run->payload,
        .transactions_left = run->payload,
        .change = {.op = run->op, .relation = run->has_relation ? &run->relation : NULL},
    };
    reader->values = core_arena_array(arena, columns > 0 ? 2 * columns : 1, sizeof(core_value));
    if (reader->values == NULL)
        return core_error_set(error, CORE_ERROR_LIMIT, "run: no room for rows of %zu columns",
                              columns);
    reader->change.new_tuple.values = reader->values;
    reader->change.old_tuple.values = reader->values + columns;
    return true;
}

/* The next top-level field of that number, behind which `left` then begins. */
static bool field_find(core_slice *left, uint64_t number, core_slice *bytes) {
    core_cursor cursor = core_cursor_make(*left);
    wire_field field;
    bool found = false;
    while (!found && wire_next(&cursor, &run_message, &field))
        found = field.number == number;
    *left = core_cursor_rest(&cursor);
    if (found)
        *bytes = field.bytes;
    return found;
}

static bool share_next(core_run_reader *reader) {
    wire_source source = {reader->run->payload, NULL};
    core_slice bytes;
    run_share share;
    if (!field_find(&reader->transactions_left, RUN_TRANSACTIONS, &bytes) ||
        !share_read(&source, bytes, &share))
        return false;
    reader->transaction = share.transaction;
    reader->next_index = share.first_index;
    reader->transaction_rows_left = share.count;
    reader->transaction_last = share.last;
    reader->change.transaction = share.transaction;
    return true;
}

const core_change *core_run_next(core_run_reader *reader) {
    wire_source source = {reader->run->payload, NULL};
    core_slice bytes;
    if (reader->transaction_rows_left == 0 && !share_next(reader))
        return NULL;
    if (!field_find(&reader->rows_left, RUN_ROWS, &bytes) ||
        !row_read(&source, bytes, reader->run->relation.column_count, &reader->change))
        return NULL;
    reader->transaction_rows_left--;
    reader->next_row++;
    reader->change.index = reader->next_index++;
    reader->change.last = reader->transaction_last && reader->transaction_rows_left == 0;
    core_change_fill_unchanged(&reader->change);
    return &reader->change;
}
