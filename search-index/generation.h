/* One file of one table-backed index: the engine's index of it, and the rules by which rows of its
 * tables become documents there. A generation is built from snapshots while changes flow already,
 * and then lives on changes alone. For one thread, the indexer's.
 *
 * Changes come in the stream's order, each once; rows of snapshots come beside them with the
 * sequence that they belong after. Of what is known of a row the greatest version counts. What a
 * change leaves out (TOAST) is filled up from the row as it is kept, or where that has not come yet
 * from the snapshot's row, whenever that comes. */
#ifndef WALCAST_SEARCH_INDEX_GENERATION_H
#define WALCAST_SEARCH_INDEX_GENERATION_H

#include "search-index/backend.h"
#include "search-index/entry.h"
#include "search-index/image.h"
#include "search-index/paths.h"
#include "search-index/spec.h"
#include "search-index/version.h"

/* How far a table's snapshot has come into the file. */
typedef struct {
    char id[CORE_SNAPSHOT_ID_SIZE]; /* "": none was asked for yet */
    uint64_t taken;                 /* messages of its stream up to here are in */
    bool is_done;
    uint64_t end_sequence; /* of the change stream when it ended; the changes up to it must be in */
    uint64_t floor;        /* versions up to it are of rows that a TRUNCATE removed */
} search_build;

typedef struct search_generation search_generation;

typedef struct {
    const search_spec *spec;
    const search_entry *entry;
    const char *path;
    bool is_new; /* nothing is at the path */
    /* Of a new one: all changes up to it are of no concern to it; the epoch may be "". */
    search_position position;
    const char *epoch;
} search_generation_options;

/* GAP: the file is damaged or of another version: remove it and build anew. CONFLICT: of another
 * schema, the same. INPUT: the entry cannot be an index. */
CORE_MUST_CHECK search_generation *search_generation_open(const search_generation_options *options,
                                                          core_error *error);
/* Rolls back what is not committed. The engine is closed too, unless it was lent. */
void search_generation_free(search_generation *generation);

const search_entry *search_generation_entry(const search_generation *generation);
const search_plan *search_generation_plan(const search_generation *generation);
search_backend *search_generation_backend(search_generation *generation);
/* From here on somebody else closes the engine, after the generation was freed. */
void search_generation_lend(search_generation *generation);
const char *search_generation_path(const search_generation *generation);
/* Up to where changes were given. */
search_position search_generation_position(const search_generation *generation);
/* The change sequence of the last commit. */
uint64_t search_generation_committed(const search_generation *generation);
/* "": not known yet. */
const char *search_generation_epoch(const search_generation *generation);
/* What is wrong with a table's shape, or with its rows; "": nothing. */
const char *search_generation_problem(const search_generation *generation);

/* Whether the table is one of its, which: its place in the plan; -1: it is not. */
int search_generation_table(const search_generation *generation, core_slice schema,
                            core_slice table);
/* One change of that table. */
CORE_MUST_CHECK bool search_generation_change(search_generation *generation, size_t table,
                                              const core_change *change, uint64_t version,
                                              core_error *error);
/* One row of that table's snapshot. */
CORE_MUST_CHECK bool search_generation_row(search_generation *generation, size_t table,
                                           const core_change *change, uint64_t version,
                                           core_error *error);
/* Changes up to `position` were given; the epoch is theirs. */
void search_generation_reach(search_generation *generation, search_position position,
                             const char *epoch);
/* Documents that must be made again since a related row changed: a bounded step. `*is_done`: none
 * is left. */
CORE_MUST_CHECK bool search_generation_step(search_generation *generation, bool *is_done,
                                            core_error *error);
/* There is something that a commit would make durable, other than the position alone. */
bool search_generation_is_touched(const search_generation *generation);
/* So much that a commit should come before more is given. */
bool search_generation_is_full(const search_generation *generation);
CORE_MUST_CHECK bool search_generation_commit(search_generation *generation, core_error *error);
/* Back to the last commit: give all from search_generation_position on again. */
void search_generation_rollback(search_generation *generation);

/* The state of a table's snapshot, and to change it, in the open group. */
search_build search_generation_build(const search_generation *generation, size_t table);
CORE_MUST_CHECK bool search_generation_build_set(search_generation *generation, size_t table,
                                                 const search_build *build, core_error *error);
bool search_generation_is_building(search_generation *generation);
/* All snapshots are in: the file is an index from the next commit on. */
CORE_MUST_CHECK bool search_generation_built(search_generation *generation, core_error *error);

#endif
