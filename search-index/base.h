/* The base of the search log: what all records up to one position have come to, so that they need
 * not be kept. The bytes of it; pure. Where they are kept is base_stream.h's matter.
 *
 * A base is a head, a part for each index made over HTTP (its documents one behind the other), and
 * a catalog: the indexes, where each one's part is, and what became of the last tasks. Parts and
 * catalog are rows of bytes, cut into messages wherever one is full. */
#ifndef WALCAST_SEARCH_INDEX_BASE_H
#define WALCAST_SEARCH_INDEX_BASE_H

#include "search-index/backend.h"
#include "search-index/catalog.h"
#include "search-index/tasks.h"

#define SEARCH_BASE_TASKS_MAX  1000 /* that are still told */
#define SEARCH_BASE_PARTS_MAX  10000
#define SEARCH_BASE_BYTES_MAX  ((size_t)256 << 20) /* of a catalog */
#define SEARCH_BASE_HEAD_BYTES 64

/* Its message is the last of a base: where there is none the base is not there. */
typedef struct {
    int64_t log_created_us; /* the log that it is of, by its server */
    uint64_t position;      /* records up to it are in */
    uint64_t spared;        /* of the log nothing up to it is needed any more: at most `position` */
    uint64_t known;         /* how far the log was folded when the last part was made */
    uint64_t first;         /* its messages, in its own stream, up to the head */
    uint64_t catalog;       /* those of the catalog begin here */
    bool is_second;         /* of the two subjects that parts take in turn they have the second */
} search_base_head;

/* An index's documents; one that is removed by a record behind the base's, up to `known`, may have
 * none. It holds all that the log had for it up to `position`, which may lie behind
 * the base's: records up to there need not be put in again. */
typedef struct {
    uint64_t generation;
    uint64_t position;
    uint64_t first; /* messages: from here on, */
    uint64_t count; /* so many */
    core_slice primary_key;
} search_base_part;

typedef struct {
    const search_entry **entries; /* in the catalog's order; owned: released by _fini */
    size_t entry_count;
    search_base_part *parts;
    size_t part_count;
    search_task *tasks; /* by number */
    size_t task_count;
} search_base_catalog;

void search_base_head_write(const search_base_head *head, core_buffer *out);
/* INPUT: it is none that this version can read. */
CORE_MUST_CHECK bool search_base_head_read(core_slice bytes, search_base_head *head,
                                           core_error *error);

/* Append one thing to a catalog. An entry goes with those before it. */
void search_base_entry_write(const search_entry *entry, core_buffer *out);
void search_base_part_write(const search_base_part *part, core_buffer *out);
void search_base_task_write(const search_task *task, core_buffer *out);
/* Texts of parts are in `bytes`, the rest is the catalog's own. INPUT, or INTERNAL where memory is
 * out: nothing is left to free. */
CORE_MUST_CHECK bool search_base_catalog_read(core_slice bytes, search_base_catalog *catalog,
                                              core_error *error);
void search_base_catalog_fini(search_base_catalog *catalog);
/* NULL: there is none. */
const search_base_part *search_base_part_find(const search_base_catalog *catalog,
                                              uint64_t generation);

/* Appends one document to a part. */
void search_base_document_write(const search_kept *document, core_buffer *out);
/* The first document of the bytes, which it takes off them. False: there is no whole one; with
 * `*is_wrong` there is none at all. Slices are in the bytes. */
CORE_MUST_CHECK bool search_base_document_read(core_slice *bytes, search_item *item,
                                               bool *is_wrong);

#endif
