/* One index as the indexer has it: the generation that answers, and the one that is being built to
 * take its place. For the indexer's thread. */
#ifndef WALCAST_SEARCH_INDEX_SLOT_H
#define WALCAST_SEARCH_INDEX_SLOT_H

#include "search-index/feed.h"
#include "search-index/generation.h"
#include "search-index/host.h"

typedef struct {
    const search_entry *entry; /* as the log wants it */
    char directory[SEARCH_PATH_SIZE];
    search_file live_file, building_file;
    search_generation *live; /* NULL: nothing answers yet */
    search_open *open;       /* its engine as queries have it */
    bool is_stale; /* the live one missed changes, and gets no more: another must be built */
    search_generation *building;
    bool is_stuck;  /* it cannot be built or go on as it is: `problem` says why */
    bool is_wanted; /* while the catalog is gone through */
    /* The build's snapshot. */
    search_feed *rows;
    size_t table;       /* of the plan */
    uint64_t rows_read; /* of the tables before it, since this process began or went on */
    core_assembly assembly;
    int64_t look_ms; /* when its record is looked at next */
    char problem[CORE_ERROR_TEXT_MAX];
} search_slot;

/* NULL: memory is out. */
CORE_MUST_CHECK search_slot *search_slot_new(const search_entry *entry);
/* Closes what is open; files stay. */
void search_slot_free(search_slot *slot);
/* The same, and its files go. */
void search_slot_remove(search_host *host, search_slot *slot);
/* Opens what is there of the index, or begins to build it: behind `position`, in that epoch. False:
 * it cannot be done now. What cannot be done at all makes the slot stuck. */
CORE_MUST_CHECK bool search_slot_open(search_host *host, search_slot *slot,
                                      search_position position, const char *epoch,
                                      core_error *error);
/* The entry is another one now. */
CORE_MUST_CHECK bool search_slot_change(search_host *host, search_slot *slot,
                                        const search_entry *entry, search_position position,
                                        const char *epoch, core_error *error);
/* What `lost` has missed cannot be had any more: it is built anew, and answers as it is until then.
 */
CORE_MUST_CHECK bool search_slot_again(search_host *host, search_slot *slot,
                                       const search_generation *lost, search_position position,
                                       const char *epoch, const char *reason, core_error *error);
/* The generation cannot go on: what answers stays as it is until the definition is put again. */
void search_slot_stick(search_host *host, search_slot *slot, const search_generation *generation,
                       const char *reason);
/* The build is an index: it takes the place of what answered. */
CORE_MUST_CHECK bool search_slot_swap(search_host *host, search_slot *slot, core_error *error);
/* The generations that changes are for, the live one first; how many. */
size_t search_slot_active(const search_slot *slot, search_generation *active[2]);

#endif
