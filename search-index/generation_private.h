/* What the files of a generation share; see generation.h. */
#ifndef WALCAST_SEARCH_INDEX_GENERATION_PRIVATE_H
#define WALCAST_SEARCH_INDEX_GENERATION_PRIVATE_H

#include "search-index/generation.h"

#define SEARCH_BATCH_ITEMS 256
#define SEARCH_BATCH_EACH  2                 /* items that one row puts at the most */
#define SEARCH_BATCH_BYTES ((size_t)4 << 20) /* a batch is applied when it has more */

/* Spaces of side rows. */
enum {
    SEARCH_SPACE_META = 0,     /* of the generation itself */
    SEARCH_SPACE_DIRTY = 1,    /* what must be made again */
    SEARCH_SPACE_MOVED = 2,    /* generation_moved.c: rows that left an id */
    SEARCH_SPACE_ARRIVED = 3,  /* the same: rows that came to one */
    SEARCH_SPACE_TABLE = 16,   /* + own table: its documents' ids; of an index of several tables */
    SEARCH_SPACE_RELATED = 64, /* + related table: its rows */
    SEARCH_SPACE_LINK = 128,   /* + joined table: documents by the key that they name */
};

typedef struct {
    bool is_row;  /* of a snapshot */
    size_t table; /* in the plan */
} search_batch_note;

struct search_generation {
    uint32_t magic;
    const search_spec *spec;
    const search_entry *entry;
    const search_definition *definition;
    search_plan *plan;
    search_binding *bindings; /* one a table of the plan */
    search_schema *schema;
    search_backend *backend;
    char path[SEARCH_PATH_SIZE];
    char epoch[CORE_EPOCH_TEXT_SIZE];
    char told_epoch[CORE_EPOCH_TEXT_SIZE]; /* as the file has it */
    search_position committed, reached;
    search_build builds[SEARCH_TABLES_MAX + SEARCH_RELATED_MAX];
    bool is_building;
    bool is_lent;
    bool is_touched;
    bool has_dirty; /* there may be rows in SEARCH_SPACE_DIRTY */
    size_t group_items, group_bytes;
    char problem[CORE_ERROR_TEXT_MAX];
    /* The batch. */
    core_arena arena; /* texts of its items */
    size_t batch_bytes;
    search_item items[SEARCH_BATCH_ITEMS];
    search_batch_note notes[SEARCH_BATCH_ITEMS];
    search_item_result results[SEARCH_BATCH_ITEMS];
    size_t item_count;
    /* For one row at a time. */
    core_value *values, *old_values, *kept_values; /* room for any table's columns */
    core_buffer id, old_id, document, source, scratch;
};

/* ---- generation_batch.c ---- */
/* Before a row is taken: there is room for what it may put. Nothing later flushes, so what is being
 * made of the row stays. */
CORE_MUST_CHECK bool search_batch_room(search_generation *generation, core_error *error);
/* Puts the item into the batch; its texts are copied. */
CORE_MUST_CHECK bool search_batch_put(search_generation *generation, const search_item *item,
                                      search_batch_note note, core_error *error);
/* All that is in the batch is in the open group then. */
CORE_MUST_CHECK bool search_batch_flush(search_generation *generation, core_error *error);
/* One item by itself, behind what is in the batch. */
CORE_MUST_CHECK bool search_batch_apply(search_generation *generation, const search_item *item,
                                        search_item_state *state, core_error *error);

/* ---- generation_rows.c ---- */
/* The row as it was kept; `*found` false: there is none, or it cannot be read. The image's slices
 * live until the engine is asked again. */
CORE_MUST_CHECK bool search_rows_kept(search_generation *generation, size_t table, core_slice id,
                                      search_image *image, search_kept *kept, bool *found,
                                      core_error *error);
/* Puts the row at once under that version; 0: not now. The batch must be empty. */
CORE_MUST_CHECK bool search_rows_again(search_generation *generation, size_t table,
                                       search_image *image, core_slice id, uint64_t version,
                                       core_error *error);
CORE_MUST_CHECK bool search_rows_change(search_generation *generation, size_t table,
                                        const core_change *change, uint64_t version,
                                        core_error *error);
CORE_MUST_CHECK bool search_rows_snapshot(search_generation *generation, size_t table,
                                          const core_change *change, uint64_t version,
                                          core_error *error);

/* ---- generation_moved.c ---- */
/* A row changed its id while values of it are not known. */
CORE_MUST_CHECK bool search_moved_note(search_generation *generation, core_slice from,
                                       core_slice to, uint64_t version, core_error *error);
/* A snapshot's row came that is older than what is known of its id: what of the same row is not
 * known, wherever it is now, is taken from it. */
CORE_MUST_CHECK bool search_moved_fill(search_generation *generation, size_t table,
                                       const search_item *item, core_error *error);

/* ---- generation_related.c ---- */
CORE_MUST_CHECK bool search_related_change(search_generation *generation, size_t table,
                                           const core_change *change, uint64_t version,
                                           core_error *error);
/* Appends the member's JSON: null, an object, or an array. */
CORE_MUST_CHECK bool search_related_json(search_generation *generation, size_t related,
                                         const search_image *image, core_buffer *out,
                                         core_error *error);
/* The document names these rows of joined tables now; NULL: it is gone. */
CORE_MUST_CHECK bool search_related_link(search_generation *generation, core_slice id,
                                         const search_image *image, uint64_t version,
                                         core_error *error);

#endif
