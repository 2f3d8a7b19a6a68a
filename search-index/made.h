/* One index made over HTTP: its file, and the records of the search log put into it. All that it
 * holds is in the log or its base, so a file that does not fit any more is built anew from there.
 * For the indexer's thread. */
#ifndef WALCAST_SEARCH_INDEX_MADE_H
#define WALCAST_SEARCH_INDEX_MADE_H

#include "search-index/base.h"
#include "search-index/host.h"
#include "search-index/paths.h"

#define SEARCH_PRIMARY_KEY_MAX 255

typedef struct {
    const search_entry *entry; /* as the log has it */
    char directory[SEARCH_PATH_SIZE];
    search_file file;
    search_backend *backend;
    search_open *open; /* as queries have it; its closing closes the engine */
    search_position position;
    char primary_key[SEARCH_PRIMARY_KEY_MAX + 1]; /* found in documents; "": not yet */
    bool is_shown;                                /* it answers */
    uint64_t until;                               /* it answers when records up to here are in */
    uint64_t task; /* the settings that made it be built anew; 0: none */
    /* The file that answers while another one is built; NULL: none does. */
    search_open *older;
    bool is_wanted;  /* while the catalog is gone through */
    bool is_renamed; /* it is to be put under its new name */
} search_made;

/* Opens the file, or makes one. NULL: not now (FULL, TRANSIENT), or not at all. */
CORE_MUST_CHECK search_made *search_made_open(search_host *host, const search_entry *entry,
                                              uint64_t until, core_error *error);
/* Closes what is open; files stay. */
void search_made_free(search_made *made);
/* The same, and its files go. */
void search_made_remove(search_host *host, search_made *made);
/* The entry is another one now: another name, settings, primary key. `*is_again`: it is built anew,
 * and the log must be read again from its beginning. */
CORE_MUST_CHECK bool search_made_change(search_host *host, search_made *made,
                                        const search_entry *entry, uint64_t until, bool *is_again,
                                        core_error *error);
/* All that were renamed have left their old names: this one takes its new one. */
CORE_MUST_CHECK bool search_made_settle(search_host *host, search_made *made, core_error *error);
/* Puts one record's documents in, and commits. `then` is the index as it was at the record: what a
 * filter could ask then it can when the record is taken later, or again. */
CORE_MUST_CHECK bool search_made_take(search_host *host, search_made *made,
                                      const search_entry *then, uint64_t sequence,
                                      const search_record *record, core_error *error);
/* Out of a base (base.h), where the log has not all any more: first the file is made an empty one,
 * beside the one that answers; then documents are put in, whole ones, which `bytes` loses; behind
 * the last the file is at the part's position. Each call commits; a file that was not filled to the
 * end has position 0. False of the first: the file may be closed, `made` is to be freed. */
CORE_MUST_CHECK bool search_made_empty(search_host *host, search_made *made, uint64_t until,
                                       core_error *error);
CORE_MUST_CHECK bool search_made_fill(search_made *made, core_slice *bytes, core_error *error);
CORE_MUST_CHECK bool search_made_filled(search_made *made, const search_base_part *part,
                                        core_error *error);
/* The primary key that its documents brought; empty: they brought none. */
core_slice search_made_key(const search_made *made);
/* Records up to `sequence` are in: it answers, if that is enough. */
CORE_MUST_CHECK bool search_made_reach(search_host *host, search_made *made, uint64_t sequence,
                                       core_error *error);

/* The task is about the index, which does not answer yet: done is told when it does, by the
 * indexer. */
bool search_made_hides(const search_made *made, const search_task *task);

#endif
