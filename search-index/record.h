/* A record of the search log: one thing that was asked of the indexes. Its sequence in the log is
 * the task's number. Pure.
 *
 * A message is one line of JSON, what is asked, and behind the line's end the body as it came: a
 * definition's text, settings, documents. */
#ifndef WALCAST_SEARCH_INDEX_RECORD_H
#define WALCAST_SEARCH_INDEX_RECORD_H

#include "core/core.h"

#define SEARCH_UID_MAX    400 /* bytes of an index's name over HTTP */
#define SEARCH_SWAPS_MAX  64
#define SEARCH_PIECES_MAX 512 /* messages of one body */
/* A record whose pieces the log took so much earlier is one without a body. */
#define SEARCH_PIECE_AGE_US (INT64_C(600) * 1000000)
#define SEARCH_RECORD_LINE  ((size_t)256 << 10)
#define SEARCH_RECORD_BYTES ((size_t)64 << 20) /* nats-server's own limit on a message */

/* Numbers do not go to the log: names do. */
typedef enum {
    SEARCH_TASK_DEFINITION,     /* body: a definition, of a table-backed index */
    SEARCH_TASK_INDEX_CREATION, /* primary_key may be given */
    SEARCH_TASK_INDEX_UPDATE,   /* the same; body: the key that documents hold it to: it fails */
    SEARCH_TASK_INDEX_DELETION,
    SEARCH_TASK_INDEX_SWAP,       /* swaps */
    SEARCH_TASK_SETTINGS_UPDATE,  /* body: a JSON object of what changes; null: as by default */
    SEARCH_TASK_DOCUMENTS_ADD,    /* body: a JSON array of documents, each whole */
    SEARCH_TASK_DOCUMENTS_UPDATE, /* the same: what they leave out stays */
    SEARCH_TASK_DOCUMENTS_DELETE, /* body: {"ids": [...]}, {"filter": ...} or {} for all */
    SEARCH_TASK_CANCELATION,      /* body: {"uids": [...]}; matched */
    SEARCH_TASK_DELETION,         /* body: the same */
} search_task_kind;
enum { SEARCH_TASK_KINDS = SEARCH_TASK_DELETION + 1 };

typedef struct {
    core_slice a, b; /* uids */
} search_swap;

typedef struct {
    search_task_kind kind;
    core_slice project, environment;
    core_slice index; /* uid; empty where none applies */
    int64_t at_us;    /* when it was asked, since 1970 */
    core_slice primary_key;
    /* Of DEFINITION and INDEX_DELETION: key-value has it so. It counts where the index's last
     * record is `replaces` (0: there is no index), else somebody was first, who looks again. */
    bool is_held;
    uint64_t replaces;
    core_slice facts; /* of DEFINITION: what its check saw of the tables (facts.h), JSON */
    const search_swap *swaps;
    size_t swap_count;
    /* A body that one message does not take is cut: the parts before the last are messages of their
     * own, which ask for nothing, and the record names their sequences. */
    bool is_piece;
    /* Of a piece without a body, a mark: all records of documents up to here are taken (queue.h);
     * 0: it is none. */
    uint64_t taken;
    const uint64_t *pieces;
    size_t piece_count;
    bool cancels;     /* of CANCELATION: what waits is canceled; earlier versions' cancel nothing */
    uint64_t matched; /* of the same: tasks that its filters matched, whether they can be or not */
    core_slice body;  /* of a record with pieces: the last part */
    bool is_void;     /* not of the record: pieces of its body are gone, or too old */
    const char *id;   /* not of the record: what makes a repetition within the stream's window the
                         same one; NULL: nothing */
} search_record;

/* "definition", "indexCreation", ...; static. */
const char *search_task_kind_name(search_task_kind kind);
CORE_MUST_CHECK bool search_task_kind_find(core_slice name, search_task_kind *kind);

/* Appends the message. */
void search_record_write(const search_record *record, core_buffer *out);
/* Texts are in `arena`, the body in the message. INPUT when it is no such record. */
CORE_MUST_CHECK bool search_record_read(core_slice message, core_arena *arena,
                                        search_record *record, core_error *error);

/* 1 to SEARCH_UID_MAX letters, digits, _ and -. */
bool search_uid_ok(core_slice uid);

#endif
