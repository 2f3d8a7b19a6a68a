/* The indexes as the search log has them, folded record by record: the same on every node at the
 * same record. One thread folds; any thread may look. */
#ifndef WALCAST_SEARCH_INDEX_CATALOG_H
#define WALCAST_SEARCH_INDEX_CATALOG_H

#include "search-index/entry.h"
#include "search-index/record.h"

#define SEARCH_OUTCOME_MAX 1024

typedef struct search_catalog search_catalog;

/* What a record did; with `code` and `message` in Meilisearch's form where it failed. */
typedef enum {
    SEARCH_EFFECT_NONE,
    SEARCH_EFFECT_FAILED,
    SEARCH_EFFECT_MADE,      /* `entry` is new, or another index than it was */
    SEARCH_EFFECT_CHANGED,   /* settings, or the primary key */
    SEARCH_EFFECT_REMOVED,   /* `entry` is gone */
    SEARCH_EFFECT_SWAPPED,   /* names stand for other indexes */
    SEARCH_EFFECT_DOCUMENTS, /* the record's documents are for `entry`, which may be new by it */
    SEARCH_EFFECT_TASKS,     /* other tasks are meant */
} search_effect;

typedef struct {
    search_effect effect;
    const search_entry *entry; /* held for the caller; NULL: none */
    bool is_new;               /* DOCUMENTS, CHANGED: the index was made by this record */
    const char *code;          /* static */
    char message[SEARCH_OUTCOME_MAX];
} search_outcome;

/* `max`: indexes at the most. NULL: memory is out. */
CORE_MUST_CHECK search_catalog *search_catalog_new(size_t max);
void search_catalog_free(search_catalog *catalog);
/* Takes one record; the caller releases outcome->entry. False: memory is out, nothing was taken. */
CORE_MUST_CHECK bool search_catalog_fold(search_catalog *catalog, uint64_t sequence,
                                         const search_record *record, search_outcome *outcome);
/* In the place of all that it has: what stood in another one at the record. Entries come in the
 * order of project and uid, and are held besides. False: there are more than may be. */
CORE_MUST_CHECK bool search_catalog_load(search_catalog *catalog, uint64_t sequence,
                                         const search_entry *const *entries, size_t count);
/* Forgets all. */
void search_catalog_reset(search_catalog *catalog);

/* Any thread: the index of that name, held for the caller; NULL: there is none. */
CORE_MUST_CHECK const search_entry *search_catalog_find(search_catalog *catalog, core_slice project,
                                                        core_slice uid);
size_t search_catalog_count(search_catalog *catalog);
/* The one at a place in the order of project and uid, from 0, held; NULL: behind the last. Others
 * may come and go between two calls. */
CORE_MUST_CHECK const search_entry *search_catalog_at(search_catalog *catalog, size_t place);
/* All records up to it are taken. */
uint64_t search_catalog_sequence(search_catalog *catalog);

#endif
