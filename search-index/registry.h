/* The indexes that answer here: what queries look into, by project and name. The indexer puts them
 * in and takes them out; whoever asks holds one while it asks, so a swap never waits for a query
 * and a query never sees two files. Any thread. */
#ifndef WALCAST_SEARCH_INDEX_REGISTRY_H
#define WALCAST_SEARCH_INDEX_REGISTRY_H

#include "search-index/backend.h"
#include "search-index/entry.h"

/* An index that answers, counted. Its file is closed, and where it is to go removed, when the last
 * one lets it go. */
typedef struct search_open search_open;
/* As it is now; it lives as long as the index does. */
const search_entry *search_open_entry(const search_open *open);
/* For readers and stats only; the indexer alone writes. Readers must be freed before the release.
 */
search_backend *search_open_backend(const search_open *open);
/* Up to where the change stream is in what queries see; the epoch may be "". */
core_offset search_open_reached(const search_open *open);
search_open *search_open_hold(search_open *open);
void search_open_release(search_open *open); /* NULL is allowed */

typedef struct search_registry search_registry;
CORE_MUST_CHECK search_registry *search_registry_new(size_t max);
void search_registry_free(search_registry *registry); /* NULL is allowed */
/* Held for the caller; NULL: none of that name answers here. */
CORE_MUST_CHECK search_open *search_registry_find(search_registry *registry, core_slice project,
                                                  core_slice uid);
/* Waits until the index holds all up to the offset, which is one of its epoch. False: the time is
 * over, it does not answer here, or the offset is of another history. */
CORE_MUST_CHECK bool search_registry_await(search_registry *registry, core_slice project,
                                           core_slice uid, const core_offset *offset,
                                           int64_t timeout_ms);

/* ---- The indexer's ---- */
/* Takes the entry's reference too, and the backend in any case. NULL: memory is out. */
CORE_MUST_CHECK search_open *search_open_new(const search_entry *entry, search_backend *backend,
                                             const char *path);
/* In the place of whatever stood there, which is let go; keeps a reference of its own. False: there
 * are too many. */
CORE_MUST_CHECK bool search_registry_put(search_registry *registry, search_open *open);
void search_registry_remove(search_registry *registry, core_slice project, core_slice uid);
/* The index has another entry from here on, which may name it otherwise: its place changes with it.
 * What stood there under that name is gone from the registry. */
void search_registry_rename(search_registry *registry, search_open *open,
                            const search_entry *entry);
/* The file is removed with the last release. */
void search_open_discard(search_open *open);
/* What queries see goes up to here now; wakes who waits. */
void search_registry_reach(search_registry *registry, search_open *open, uint64_t sequence,
                           const char *epoch);
/* Whoever waits goes on, unanswered. */
void search_registry_stop(search_registry *registry);

#endif
