/* The event model: what a change is, and the run that carries changes through the stream.
 *
 * A run is consecutive changes of one table and operation in commit order. It is written once, by
 * core_run_writer, straight from the decoded WAL bytes (the one copy), and read without allocation
 * per row by core_run_reader. The wire form is event.proto; both sides stand in event_run_*.c and
 * tests hold them against protobuf-c's own code. Slices in decoded things point into the source. */
#ifndef WALCAST_CORE_EVENT_H
#define WALCAST_CORE_EVENT_H

#include "core/arena.h"
#include "core/buffer.h"
#include "core/error.h"
#include "core/offset.h"

#define CORE_COLUMNS_MAX 1664 /* PostgreSQL's MaxTupleAttributeNumber */
#define CORE_RUN_VERSION 1

/* Numbers are the wire's: never renumber. */
typedef enum {
    CORE_OP_NONE = 0,
    CORE_OP_INSERT = 1,
    CORE_OP_UPDATE = 2,
    CORE_OP_DELETE = 3,
    CORE_OP_TRUNCATE = 4,
    CORE_OP_READ = 5,
    CORE_OP_SCHEMA = 6,
    CORE_OP_MESSAGE = 7,
    CORE_OP_GAP = 8,
} core_op;

/* "INSERT", ...; the subject's last token. Static; NULL for a number that is no operation. */
const char *core_op_name(core_op op);
/* CORE_OP_NONE when the text is none. */
core_op core_op_parse(core_slice text);

typedef enum {
    CORE_VALUE_NULL = 0,
    CORE_VALUE_UNCHANGED, /* TOAST that the change did not touch: a state of its own, never null */
    CORE_VALUE_TEXT,
    CORE_VALUE_BINARY,
} core_value_kind;

typedef struct {
    core_value_kind kind;
    bool read_later;  /* not from the change but from the table, after it: may be newer */
    core_slice bytes; /* empty for NULL and UNCHANGED */
} core_value;

typedef struct {
    core_slice name;
    core_slice type_name; /* pg_type.typname, "int8"; empty when not known */
    uint32_t type_oid;
    int32_t typmod;
    bool key;             /* part of the replica identity */
    char delimiter;       /* between elements; 0: a comma */
    uint32_t base_oid;    /* what a domain is over; 0: type_oid is no domain */
    uint32_t element_oid; /* of an array that is not built in, through domains; 0: none */
} core_column;

/* The type whose text the column's values are: type_oid, through domains. */
static inline uint32_t core_column_base_oid(const core_column *column) {
    return column->base_oid != 0 ? column->base_oid : column->type_oid;
}

typedef struct {
    uint32_t oid;
    core_slice schema;
    core_slice table;
    char replica_identity; /* 'd', 'n', 'f', 'i' */
    uint32_t version;      /* a fingerprint of the rest: the table's shape */
    uint16_t column_count;
    const core_column *columns;
    /* Wire form of all the above, or empty; see core_relation_encode. */
    core_slice encoded;
} core_relation;

/* Encodes the relation once into `arena`, so that opening a run only copies it (tables that
 * alternate make runs of one row). Changing the relation afterwards needs a new call. Optional:
 * without it each core_run_open encodes. False when the arena is full; `encoded` is empty then. */
CORE_MUST_CHECK bool core_relation_encode(core_relation *relation, core_arena *arena);

/* Which old image came with an UPDATE or DELETE. */
typedef enum { CORE_OLD_NONE = 0, CORE_OLD_KEY, CORE_OLD_FULL } core_old_kind;

/* Values in the relation's column order. */
typedef struct {
    uint16_t count;
    core_value *values;
} core_tuple;

typedef struct {
    uint32_t xid;           /* top-level; 0 for a non-transactional message */
    core_lsn commit_lsn;    /* start of the commit record: the order of the stream */
    core_lsn end_lsn;       /* behind the commit record: what may be confirmed once all is stored;
                               0 in a share that was written before the commit was read */
    int64_t commit_time_us; /* since 1970 */
    core_slice origin;      /* replication origin's name, or empty */
} core_transaction;

/* A logical message (pg_logical_emit_message). */
typedef struct {
    core_slice prefix;
    core_slice content;
    core_lsn lsn;
    bool transactional;
} core_message;

/* Its prefix begins with "walcast.": a mark that Walcast itself put into the WAL (a heartbeat,
 * say), which nobody else sees. */
bool core_message_is_own(const core_message *message);
/* Two of its own are in the change stream. This one: its transaction changed what roles may see
 * (policies, grants, functions). Written by the event triggers of `walcast setup`, or by whoever
 * may write logical messages: nothing but that it came is to be believed. */
#define CORE_DDL_PREFIX "walcast.ddl"
bool core_message_tells_ddl(const core_message *message);
/* The other one: a trigger's statement made the transaction, and what it changes stands so deep in
 * a chain of triggers as its content says, a number. */
#define CORE_CHAIN_PREFIX    "walcast.chain"
#define CORE_CHAIN_DEPTH_MAX 1000u
bool core_message_tells_chain(const core_message *message);
/* At most CORE_CHAIN_DEPTH_MAX, also for what is no number: whoever cannot say it ends the chain.
 */
uint16_t core_message_chain_depth(const core_message *message);

#define CORE_TRUNCATE_CASCADE          1u
#define CORE_TRUNCATE_RESTART_IDENTITY 2u

/* One change, complete. Which parts count depends on `op`. */
typedef struct {
    core_op op;
    const core_relation *relation; /* NULL for MESSAGE and GAP */
    core_transaction transaction;
    uint64_t index; /* within its transaction, from 0, counted before any filter */
    bool last;      /* the last change of its transaction */
    core_old_kind old_kind;
    core_tuple old_tuple;
    core_tuple new_tuple;
    unsigned truncate_flags;
    core_message message;
} core_change;

/* The old image's value of a column that an UPDATE left unchanged: it is the new row's too. NULL
 * when there is none. */
const core_value *core_change_old_value(const core_change *change, size_t column);
/* Puts these values into the new tuple, so that it is whole with REPLICA IDENTITY FULL. Changes
 * read from a run come so. */
void core_change_fill_unchanged(core_change *change);

/* A piece of a run of one row that is too large for one message. */
typedef struct {
    uint32_t index; /* from 0 */
    uint32_t count;
    uint64_t total_bytes; /* of all chunks */
    core_slice chunk;
    bool is_base64; /* read from a JSON message: that is the chunk's form */
} core_part;

/* ---- Writing a run ----
 * Owned by one thread. open, then for each transaction: rows..., transaction_end (also before a
 * run closes in mid-transaction), then close. */
typedef struct {
    core_buffer body; /* the message's payload */
    core_op op;
    uint32_t rows;      /* in the run */
    uint32_t open_rows; /* of the transaction not yet ended in this run */
    /* Of the open share. Its writer may set end_lsn, which Begin does not tell, until the end. */
    core_transaction transaction;
    uint64_t open_first_index;
    uint64_t first_index; /* of the run's first row, in its transaction */
    core_lsn first_commit_lsn;
    bool open;
} core_run_writer;

void core_run_writer_init(core_run_writer *writer, size_t max_bytes);
void core_run_writer_fini(core_run_writer *writer);
/* Starts a run; the one before must be closed. `relation` is NULL for MESSAGE and GAP. A head that
 * does not fit into `max_bytes` makes every append false. */
void core_run_open(core_run_writer *writer, const char *epoch, core_op op,
                   const core_relation *relation);
/* Bytes that appending `change` adds at the most: to close the run before its size bound. */
size_t core_run_change_size(const core_change *change);
/* Bytes of the relation in a run. */
size_t core_relation_size(const core_relation *relation);
/* Appends one row; its transaction must be the open one or none may be open, its op the run's. What
 * of the change its op does not use is ignored. Keeps room for the transaction's share, so that
 * nothing after a true can fail. An index that does not follow the row before is fine (changes
 * between them were filtered). False when the buffer's maximum is reached (nothing was added).
 * transaction.origin must live until the transaction's end. */
CORE_MUST_CHECK bool core_run_append(core_run_writer *writer, const core_change *change);
/* Makes the run, which must have no rows, a part: `change` says whose (op, transaction, index).
 * Then transaction_end and close as with a row. False when it does not fit. */
CORE_MUST_CHECK bool core_run_append_part(core_run_writer *writer, const core_change *change,
                                          const core_part *part);
/* Bytes of such a message besides its chunk, at the most. */
size_t core_run_part_overhead(const core_transaction *transaction);
/* Ends the open transaction's share of this run; it must have rows. `last`: its last change is in
 * this run. */
void core_run_transaction_end(core_run_writer *writer, bool last);
/* Says which snapshot the rows of READ belong to (event.proto, Snapshot); once, before close. False
 * when it does not fit. */
CORE_MUST_CHECK bool core_run_snapshot_put(core_run_writer *writer, core_slice id,
                                           uint64_t after_sequence);
/* The finished payload, valid until the next open. Every transaction must have been ended, and
 * there must be a row. */
CORE_MUST_CHECK core_slice core_run_close(core_run_writer *writer);
/* Gives up a run without a row (whose first row did not fit), or whatever was written. */
void core_run_abandon(core_run_writer *writer);

/* ---- Reading a run ---- */
typedef struct {
    core_op op;
    char epoch[CORE_EPOCH_TEXT_SIZE];
    core_relation relation; /* columns NULL when the run has none */
    bool has_relation;
    uint32_t rows;
    /* The last transaction's share: where the stream stands after this run. */
    core_transaction last_transaction;
    uint64_t last_index;    /* index within it of the run's last row */
    bool last_complete;     /* that row is its transaction's last */
    core_slice snapshot_id; /* of READ, or empty */
    uint64_t snapshot_after_sequence;
    bool is_part; /* no rows: core_assembly puts them together */
    core_part part;
    core_slice payload;
} core_run;

/* It stands behind whole transactions and is no change of theirs: a snapshot's rows, and the SCHEMA
 * before them. */
static inline bool core_run_is_behind(core_op op, bool last_complete) {
    return op == CORE_OP_READ || (op == CORE_OP_SCHEMA && last_complete);
}

/* False: of the row that last_index names there is only a part, or its table's SCHEMA. */
static inline bool core_run_holds_last(const core_run *run) {
    bool is_whole = !run->is_part || run->part.index + 1 == run->part.count;
    return core_run_is_behind(run->op, run->last_complete) ||
           (run->op != CORE_OP_SCHEMA && is_whole);
}

/* Behind the run all transactions up to last_transaction's are whole. Rows of a snapshot stand
 * between transactions. */
static inline bool core_run_is_complete(const core_run *run) {
    return run->last_complete || run->op == CORE_OP_READ;
}

typedef struct {
    const core_run *run; /* all private; use the functions below */
    core_slice rows_left;
    core_slice transactions_left;
    core_transaction transaction;
    uint64_t next_index;
    uint32_t transaction_rows_left;
    bool transaction_last;
    uint32_t next_row;  /* IDX, in the offset, of the row that the next call gives */
    core_value *values; /* room for two tuples */
    core_change change;
} core_run_reader;

/* Decodes head, relation (into `arena`) and transactions, and checks the whole message's form and
 * counts. A JSON message (event_json.h) comes out as the run of its change, made in `arena`, which
 * needs CORE_EVENT_JSON_ARENA_FACTOR times its size. `payload` must outlive the run. Errors are
 * CORE_ERROR_INPUT with the byte's position. */
CORE_MUST_CHECK bool core_run_decode(core_slice payload, core_arena *arena, core_run *run,
                                     core_error *error);
/* The message is a part, by its first fields; its form is not checked. A part decodes without an
 * arena. */
bool core_run_part_peek(core_slice payload);
/* Iterates a decoded run; `arena` gives the value arrays, once. */
CORE_MUST_CHECK bool core_run_reader_init(core_run_reader *reader, const core_run *run,
                                          core_arena *arena, core_error *error);
/* The next change, valid until the next call; NULL after the last. Cannot fail after decode. */
const core_change *core_run_next(core_run_reader *reader);
/* IDX, in the offset, of the change that core_run_next gave last. */
static inline uint32_t core_run_row(const core_run_reader *reader) {
    return reader->next_row - 1;
}

#endif
