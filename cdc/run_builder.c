/* See run_builder.h. Happy path: Begin, then for each row: number it, skip or append; Commit ends
 * the transaction's share of the run. A protocol violation (a row outside a transaction, a relation
 * never described, commits out of order) is INPUT: the source stops and loses nothing. */
#include "cdc/run_builder.h"

#include "cdc/relation_cache.h"
#include "cdc/schema_event.h"
#include "cdc/start.h"

#include <stdlib.h>

enum {
    ORIGIN_MAX_BYTES = 1024,
    HEAD_MAX_BYTES = 128, /* of a run, but for its relation */
    SCHEMA_JSON_MAX = 4 << 20,
};

struct cdc_run_builder {
    cdc_run_limits limits;
    char epoch[CORE_EPOCH_TEXT_SIZE];
    cdc_position stored; /* skip up to here */
    cdc_relation_cache *relations;

    bool in_transaction;
    core_transaction transaction;
    char origin[ORIGIN_MAX_BYTES];
    uint64_t next_index; /* of the transaction's next row */
    core_lsn whole_lsn;
    core_lsn place_lsn;     /* commit LSN of what was fed last, whole */
    core_lsn order_lsn;     /* of the last transaction begun: the next must be greater */
    uint32_t truncate_next; /* within the TRUNCATE being fed */

    core_run_writer writer;
    uint32_t run_oid;
    uint32_t run_version;
    char subject[CORE_SUBJECT_MAX];
    uint64_t last_index; /* of the run's last row */
    bool last_complete;
    core_lsn before_lsn; /* whole_lsn when the run was opened */

    bool ready;
    cdc_run run;
    core_buffer schema_json;
    cdc_run_counts counts;
};

cdc_run_builder *cdc_run_builder_new(core_error *error) {
    cdc_run_builder *builder = calloc(1, sizeof *builder);
    cdc_relation_cache *relations = builder != NULL ? cdc_relation_cache_new() : NULL;
    if (relations == NULL) {
        free(builder);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for the run builder");
        return NULL;
    }
    builder->relations = relations;
    core_run_writer_init(&builder->writer, 0);
    core_buffer_init(&builder->schema_json, SCHEMA_JSON_MAX);
    return builder;
}

void cdc_run_builder_free(cdc_run_builder *builder) {
    if (builder == NULL)
        return;
    core_run_writer_fini(&builder->writer);
    core_buffer_fini(&builder->schema_json);
    cdc_relation_cache_free(builder->relations);
    free(builder);
}

void cdc_run_builder_start(cdc_run_builder *builder, const cdc_run_limits *limits,
                           const cdc_position *stored) {
    size_t row_max = limits->row_max > limits->message_max ? limits->row_max : limits->message_max;
    core_run_writer_fini(&builder->writer);
    core_run_writer_init(&builder->writer, row_max);
    builder->limits = *limits;
    builder->limits.row_max = row_max;
    builder->stored = *stored;
    memcpy(builder->epoch, stored->epoch, sizeof builder->epoch);
    builder->in_transaction = false;
    builder->whole_lsn = stored->end_lsn;
    builder->place_lsn = stored->complete ? stored->commit_lsn : 0;
    builder->order_lsn = 0;
    builder->truncate_next = 0;
    builder->ready = false;
    cdc_relation_cache_untell(builder->relations);
}

/* ---- The run at hand ---- */

static bool run_is_open(const cdc_run_builder *builder) {
    return builder->writer.open;
}

static void run_close(cdc_run_builder *builder) {
    assert(!builder->ready);
    core_run_writer *writer = &builder->writer;
    if (writer->open_rows > 0) {
        core_run_transaction_end(writer, false);
        builder->last_complete = false;
    }
    builder->run = (cdc_run){
        .subject = builder->subject,
        .rows = writer->rows,
        .last = writer->transaction,
        .last_index = builder->last_index,
        .last_complete = builder->last_complete,
        .holds_last = writer->op != CORE_OP_SCHEMA || builder->last_complete,
        .shown_lsn = cdc_run_shown_lsn(&writer->transaction, builder->last_complete),
        .safe_lsn = builder->whole_lsn,
        .before_lsn = builder->before_lsn,
        .payload = core_run_close(writer),
    };
    builder->ready = true;
}

static void share_end(cdc_run_builder *builder, core_lsn end_lsn) {
    core_run_writer *writer = &builder->writer;
    if (!run_is_open(builder) || writer->open_rows == 0)
        return;
    writer->transaction.end_lsn = end_lsn; /* not known before the commit */
    core_run_transaction_end(writer, true);
    builder->last_complete = true;
}

/* The change can go into the run at hand. */
static bool run_fits(const cdc_run_builder *builder, const core_change *change) {
    const core_run_writer *writer = &builder->writer;
    const core_relation *relation = change->relation;
    return writer->op == change->op && builder->run_oid == (relation ? relation->oid : 0) &&
           builder->run_version == (relation ? relation->version : 0) &&
           writer->rows < builder->limits.run_rows &&
           writer->body.length + core_run_change_size(change) <= builder->limits.run_bytes;
}

bool cdc_run_builder_subject(const cdc_run_builder *builder, const core_relation *relation,
                             core_op op, char subject[CORE_SUBJECT_MAX], core_error *error) {
    core_slice none = {0};
    return core_subject_change(&builder->limits.scope, relation ? relation->schema : none,
                               relation ? relation->table : none, op, subject) ||
           core_error_set(error, CORE_ERROR_LIMIT,
                          "the subject of table OID %u is longer than %d bytes; shorten "
                          "nats.prefix, project or environment",
                          relation ? relation->oid : 0, CORE_SUBJECT_MAX);
}

static bool run_open(cdc_run_builder *builder, const core_change *change, core_error *error) {
    const core_relation *relation = change->relation;
    if (!cdc_run_builder_subject(builder, relation, change->op, builder->subject, error))
        return false;
    builder->run_oid = relation ? relation->oid : 0;
    builder->run_version = relation ? relation->version : 0;
    builder->before_lsn = builder->whole_lsn;
    core_run_open(&builder->writer, builder->epoch, change->op, relation);
    return true;
}

static bool row_too_large(const cdc_run_builder *builder, const core_change *change,
                          core_error *error) {
    const core_relation *relation = change->relation;
    return core_error_set(
        error, CORE_ERROR_LIMIT,
        "a row of \"%.*s\".\"%.*s\" takes %zu bytes, cdc.max_row_bytes allows %zu; raise it, here "
        "and where the stream is read (PostgreSQL keeps the WAL until then)",
        relation ? (int)relation->schema.length : 0,
        relation ? (const char *)relation->schema.data : "",
        relation ? (int)relation->table.length : 0,
        relation ? (const char *)relation->table.data : "", core_run_change_size(change),
        builder->limits.row_max);
}

static bool is_stored(const cdc_run_builder *builder, const core_change *change) {
    const cdc_position *stored = &builder->stored;
    core_lsn commit_lsn = change->transaction.commit_lsn;
    return commit_lsn < stored->commit_lsn ||
           (commit_lsn == stored->commit_lsn &&
            (stored->complete || change->index <= stored->index));
}

/* A run of its own: the table's shape, at the place of the change that it precedes. */
static cdc_feed_result schema_run(cdc_run_builder *builder, const core_change *change,
                                  uint32_t previous, core_error *error) {
    core_buffer_reset(&builder->schema_json);
    cdc_shape_json(&builder->schema_json, change->relation, previous);
    core_change schema = {
        .op = CORE_OP_SCHEMA,
        .relation = change->relation,
        .transaction = change->transaction,
        .index = change->index,
        .message = {.prefix = core_slice_text(previous != 0 ? "changed" : "first"),
                    .content = core_buffer_slice(&builder->schema_json),
                    .transactional = true},
    };
    if (!run_open(builder, &schema, error))
        return CDC_REFUSED;
    if (!core_buffer_ok(&builder->schema_json) || !core_run_append(&builder->writer, &schema)) {
        core_run_abandon(&builder->writer);
        (void)row_too_large(builder, &schema, error);
        return CDC_REFUSED;
    }
    builder->last_index = schema.index;
    if (change->last)
        share_end(builder, change->transaction.end_lsn);
    run_close(builder);
    return CDC_RUN_READY;
}

/* Before a run of the table is opened: FED when the stream knows its shape. */
static cdc_feed_result schema_feed(cdc_run_builder *builder, const core_change *change,
                                   core_error *error) {
    const core_relation *relation = change->relation;
    if (relation == NULL || builder->limits.shapes == NULL)
        return CDC_FED;
    uint32_t told = cdc_relation_cache_told(builder->relations, relation->oid);
    if (told == relation->version)
        return CDC_FED;
    if (told == 0)
        told = cdc_shape_log_get(builder->limits.shapes, relation);
    cdc_feed_result result =
        told == relation->version ? CDC_FED : schema_run(builder, change, told, error);
    if (result == CDC_REFUSED)
        return result;
    cdc_relation_cache_tell(builder->relations, relation->oid, relation->version);
    cdc_shape_log_put(builder->limits.shapes, relation);
    return result;
}

/* Appends the change or says why not yet. */
static cdc_feed_result change_feed(cdc_run_builder *builder, const core_change *change,
                                   core_error *error) {
    if (is_stored(builder, change)) {
        builder->counts.rows++;
        builder->counts.skipped_rows++;
        return CDC_FED;
    }
    if (run_is_open(builder) && !run_fits(builder, change)) {
        run_close(builder);
        return CDC_RUN_READY;
    }
    if (!run_is_open(builder)) {
        cdc_feed_result schema = schema_feed(builder, change, error);
        if (schema != CDC_FED)
            return schema;
        if (!run_open(builder, change, error))
            return CDC_REFUSED;
    }
    if (!core_run_append(&builder->writer, change)) {
        if (builder->writer.rows == 0)
            core_run_abandon(&builder->writer);
        (void)row_too_large(builder, change, error);
        return CDC_REFUSED;
    }
    builder->counts.rows++;
    builder->last_index = change->index;
    return CDC_FED;
}

/* ---- Messages ---- */

static cdc_feed_result refuse(core_error *error, const char *what, uint32_t oid) {
    (void)core_error_set(error, CORE_ERROR_INPUT, "%s (relation OID %u)", what, oid);
    return CDC_REFUSED;
}

static cdc_feed_result begin_feed(cdc_run_builder *builder, const cdc_begin *begin,
                                  core_error *error) {
    if (builder->in_transaction)
        return refuse(error, "a Begin within a transaction", 0);
    if (begin->commit_lsn <= builder->order_lsn) {
        (void)core_error_set(error, CORE_ERROR_INPUT,
                             "transaction %u commits at " CORE_LSN_FORMAT
                             ", not after the one before it at " CORE_LSN_FORMAT,
                             begin->xid, CORE_LSN_ARGS(begin->commit_lsn),
                             CORE_LSN_ARGS(builder->order_lsn));
        return CDC_REFUSED;
    }
    builder->in_transaction = true;
    builder->order_lsn = begin->commit_lsn;
    builder->next_index = 0;
    builder->transaction = (core_transaction){
        .xid = begin->xid,
        .commit_lsn = begin->commit_lsn,
        .commit_time_us = begin->commit_time_us,
    };
    return CDC_FED;
}

static cdc_feed_result commit_feed(cdc_run_builder *builder, const cdc_commit *commit,
                                   core_error *error) {
    if (!builder->in_transaction || commit->commit_lsn != builder->transaction.commit_lsn)
        return refuse(error, "a Commit that ends no open transaction", 0);
    share_end(builder, commit->end_lsn);
    builder->in_transaction = false;
    builder->whole_lsn = commit->end_lsn;
    builder->place_lsn = commit->commit_lsn;
    builder->counts.transactions++;
    builder->counts.changing += builder->next_index > 0;
    return CDC_FED;
}

static cdc_feed_result origin_feed(cdc_run_builder *builder, const cdc_origin *origin,
                                   core_error *error) {
    if (!builder->in_transaction || builder->next_index > 0)
        return refuse(error, "an Origin that does not follow a Begin", 0);
    if (!core_slice_to_text(origin->name, builder->origin, sizeof builder->origin))
        return refuse(error, "an Origin whose name is too long", 0);
    builder->transaction.origin = core_slice_text(builder->origin);
    return CDC_FED;
}

static cdc_feed_result relation_feed(cdc_run_builder *builder, const core_relation *relation,
                                     core_error *error) {
    cdc_lookup *lookup = builder->limits.lookup;
    bool known =
        lookup == NULL || cdc_relation_cache_types_ask(builder->relations, relation, lookup, error);
    return known && cdc_relation_cache_put(builder->relations, relation, error) ? CDC_FED
                                                                                : CDC_REFUSED;
}

/* The relation of a row, checked against the row's width. NULL with `error` set. */
static const core_relation *relation_find(const cdc_run_builder *builder, uint32_t oid,
                                          core_error *error) {
    const core_relation *relation = cdc_relation_cache_get(builder->relations, oid);
    if (!builder->in_transaction) {
        (void)refuse(error, "a change outside a transaction", oid);
        return NULL;
    }
    if (relation == NULL)
        (void)refuse(error, "a change of a relation that was never described", oid);
    return relation;
}

/* Room for what is read: a row must not become too large by it. */
static size_t room_left(const cdc_run_builder *builder, const core_change *change) {
    size_t taken = HEAD_MAX_BYTES + change->relation->encoded.length + core_run_change_size(change);
    return builder->limits.row_max > taken ? builder->limits.row_max - taken : 0;
}

/* Puts unchanged values into the message's own tuple: fed again, it has them. */
static bool values_read(cdc_run_builder *builder, core_change *change, core_error *error) {
    cdc_lookup *lookup = builder->limits.lookup;
    if (!builder->limits.reads_values || lookup == NULL || change->op != CORE_OP_UPDATE ||
        is_stored(builder, change))
        return true;
    return lookup->values(lookup, change, room_left(builder, change), error);
}

static cdc_feed_result row_feed(cdc_run_builder *builder, const cdc_message *message,
                                core_error *error) {
    const cdc_row *row = &message->row;
    const core_relation *relation = relation_find(builder, row->relation_oid, error);
    if (relation == NULL)
        return CDC_REFUSED;
    bool new_fits = message->kind == CDC_DELETE || row->new_tuple.count == relation->column_count;
    bool old_fits =
        row->old_kind == CORE_OLD_NONE || row->old_tuple.count == relation->column_count;
    if (!new_fits || !old_fits)
        return refuse(error, "a row with another number of columns than its relation",
                      row->relation_oid);
    core_change change = {
        .op = message->kind == CDC_INSERT   ? CORE_OP_INSERT
              : message->kind == CDC_UPDATE ? CORE_OP_UPDATE
                                            : CORE_OP_DELETE,
        .relation = relation,
        .transaction = builder->transaction,
        .index = builder->next_index,
        .old_kind = row->old_kind,
        .old_tuple = row->old_tuple,
        .new_tuple = row->new_tuple,
    };
    if (!values_read(builder, &change, error))
        return CDC_REFUSED;
    cdc_feed_result result = change_feed(builder, &change, error);
    builder->next_index += result == CDC_FED;
    return result;
}

/* One change a truncated table; goes on where READY stopped it. */
static cdc_feed_result truncate_feed(cdc_run_builder *builder, const cdc_truncate *truncate,
                                     core_error *error) {
    while (builder->truncate_next < truncate->count) {
        uint32_t oid = truncate->relation_oids[builder->truncate_next];
        core_change change = {
            .op = CORE_OP_TRUNCATE,
            .relation = relation_find(builder, oid, error),
            .transaction = builder->transaction,
            .index = builder->next_index,
            .truncate_flags = truncate->flags,
        };
        if (change.relation == NULL)
            return CDC_REFUSED;
        cdc_feed_result result = change_feed(builder, &change, error);
        if (result != CDC_FED)
            return result;
        builder->next_index++;
        builder->truncate_next++;
    }
    builder->truncate_next = 0;
    return CDC_FED;
}

/* A non-transactional message stands between transactions, at its own LSN, which is the end of its
 * WAL record and can be the start of the next commit record: one less is nobody else's. */
static cdc_feed_result lone_message_feed(cdc_run_builder *builder, const core_message *message,
                                         int64_t sent_us, core_error *error) {
    if (builder->in_transaction || message->lsn == 0)
        return refuse(error, "a non-transactional message within a transaction", 0);
    core_change change = {
        .op = CORE_OP_MESSAGE,
        .transaction = {.commit_lsn = message->lsn - 1,
                        .end_lsn = message->lsn,
                        .commit_time_us = sent_us},
        .message = *message,
    };
    /* A mark of our own is no change: it only moves the position. */
    if (!core_message_is_own(message)) {
        cdc_feed_result result = change_feed(builder, &change, error);
        if (result != CDC_FED)
            return result;
        share_end(builder, message->lsn);
    }
    builder->whole_lsn = message->lsn > builder->whole_lsn ? message->lsn : builder->whole_lsn;
    builder->place_lsn = message->lsn - 1;
    return CDC_FED;
}

static cdc_feed_result message_feed(cdc_run_builder *builder, const core_message *message,
                                    int64_t sent_us, core_error *error) {
    if (!message->transactional)
        return lone_message_feed(builder, message, sent_us, error);
    if (!builder->in_transaction)
        return refuse(error, "a transactional message outside a transaction", 0);
    core_change change = {
        .op = CORE_OP_MESSAGE,
        .transaction = builder->transaction,
        .index = builder->next_index,
        .message = *message,
    };
    /* A mark of our own is counted, as everything is that survived; of them two are told. */
    bool is_told = !core_message_is_own(message) || core_message_tells_ddl(message) ||
                   core_message_tells_chain(message);
    cdc_feed_result result = is_told ? change_feed(builder, &change, error) : CDC_FED;
    builder->next_index += result == CDC_FED;
    return result;
}

cdc_feed_result cdc_run_builder_feed(cdc_run_builder *builder, const cdc_message *message,
                                     int64_t sent_us, core_error *error) {
    assert(!builder->ready);
    switch (message->kind) {
    case CDC_BEGIN:
        return begin_feed(builder, &message->begin, error);
    case CDC_COMMIT:
        return commit_feed(builder, &message->commit, error);
    case CDC_ORIGIN:
        return origin_feed(builder, &message->origin, error);
    case CDC_RELATION:
        return relation_feed(builder, &message->relation, error);
    case CDC_TYPE:
        return cdc_relation_cache_type_put(builder->relations, message->type.oid,
                                           message->type.name, error)
                   ? CDC_FED
                   : CDC_REFUSED;
    case CDC_INSERT:
    case CDC_UPDATE:
    case CDC_DELETE:
        return row_feed(builder, message, error);
    case CDC_TRUNCATE:
        return truncate_feed(builder, &message->truncate, error);
    case CDC_MESSAGE:
        return message_feed(builder, &message->message, sent_us, error);
    }
    return refuse(error, "a message of no known kind", 0);
}

/* ---- Giving out ---- */

void cdc_run_builder_flush(cdc_run_builder *builder) {
    if (!builder->ready && run_is_open(builder) && !builder->in_transaction)
        run_close(builder);
}

const cdc_run *cdc_run_builder_run(const cdc_run_builder *builder) {
    return builder->ready ? &builder->run : NULL;
}

void cdc_run_builder_taken(cdc_run_builder *builder) {
    assert(builder->ready);
    builder->ready = false;
    if (builder->writer.body.capacity > 2 * builder->limits.message_max)
        core_buffer_fini(&builder->writer.body); /* a large row's memory is not kept */
}

bool cdc_run_builder_pending(const cdc_run_builder *builder) {
    return builder->ready || run_is_open(builder);
}

bool cdc_run_builder_in_transaction(const cdc_run_builder *builder) {
    return builder->in_transaction;
}

core_lsn cdc_run_builder_whole_lsn(const cdc_run_builder *builder) {
    return builder->whole_lsn;
}

cdc_run_counts cdc_run_builder_counts(const cdc_run_builder *builder) {
    return builder->counts;
}

/* ---- For snapshots ---- */

bool cdc_run_builder_describe(cdc_run_builder *builder, const core_relation *relation,
                              const core_slice *type_names, const core_relation **held,
                              core_error *error) {
    for (size_t i = 0; i < relation->column_count; i++) {
        uint32_t oid = relation->columns[i].type_oid;
        if (core_type_name(oid) == NULL &&
            !cdc_relation_cache_type_put(builder->relations, oid, type_names[i], error))
            return false;
    }
    if (relation_feed(builder, relation, error) != CDC_FED)
        return false;
    *held = cdc_relation_cache_get(builder->relations, relation->oid);
    return true;
}

bool cdc_run_builder_place(const cdc_run_builder *builder, core_transaction *place) {
    const cdc_position *stored = &builder->stored;
    /* Transactions that the stream holds come again: until the last of them, it is ahead of us. */
    bool behind = builder->place_lsn < stored->commit_lsn;
    if (builder->in_transaction || cdc_run_builder_pending(builder) ||
        (behind && !stored->complete))
        return false;
    *place = (core_transaction){
        .commit_lsn = behind ? stored->commit_lsn : builder->place_lsn,
        .end_lsn = builder->whole_lsn,
    };
    return true;
}

cdc_feed_result cdc_run_builder_shape(cdc_run_builder *builder, uint32_t oid,
                                      const core_transaction *place, core_error *error) {
    core_change behind = {
        .relation = cdc_relation_cache_get(builder->relations, oid),
        .transaction = *place,
        .last = true,
    };
    assert(!cdc_run_builder_pending(builder));
    return schema_feed(builder, &behind, error);
}

const core_relation *cdc_run_builder_relation(const cdc_run_builder *builder, uint32_t oid) {
    return cdc_relation_cache_get(builder->relations, oid);
}

cdc_run_limits cdc_run_builder_limits(const cdc_run_builder *builder) {
    return builder->limits;
}
