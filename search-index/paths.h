/* Where the files of indexes are: `{search.dir}/{stream}/{project}/{uid}.{generation}-{build}.db`.
 * The generation is the record that asked for it, the build counts how often it was built anew from
 * the same definition. */
#ifndef WALCAST_SEARCH_INDEX_PATHS_H
#define WALCAST_SEARCH_INDEX_PATHS_H

#include "search-index/spec.h"

#define SEARCH_PATH_SIZE  4096
#define SEARCH_BUILDS_MAX 64 /* files of one index that are looked at */

typedef struct {
    uint64_t generation;
    uint32_t build;
} search_file;

/* The directory of a project's indexes; made if need be. */
CORE_MUST_CHECK bool search_paths_directory(const search_spec *spec, core_slice project,
                                            char path[SEARCH_PATH_SIZE], core_error *error);
/* False: it is too long. */
CORE_MUST_CHECK bool search_paths_file(const char *directory, core_slice uid, search_file file,
                                       char path[SEARCH_PATH_SIZE]);
/* The files that an index has (of one generation; 0: of all), the newest first; how many, at most
 * SEARCH_BUILDS_MAX. */
size_t search_paths_list(const char *directory, core_slice uid, uint64_t generation,
                         search_file files[SEARCH_BUILDS_MAX]);
/* Calls `take` with each file of the source's indexes, whatever index it is of. */
typedef void (*search_path_taker)(void *context, const char *path, search_file file);
void search_paths_each(const search_spec *spec, search_path_taker take, void *context);
/* The file of what became of the source's tasks. False: it is too long. */
CORE_MUST_CHECK bool search_paths_tasks(const search_spec *spec, char path[SEARCH_PATH_SIZE],
                                        core_error *error);
/* Holds the source's directory for this process until the descriptor is closed; -1: another one has
 * it, or it cannot be made. */
CORE_MUST_CHECK int search_paths_lock(const search_spec *spec, core_error *error);

#endif
