/* Definitions of indexes in files: a directory's, those of its directories too. */
#ifndef WALCAST_SEARCH_INDEX_FILES_H
#define WALCAST_SEARCH_INDEX_FILES_H

#include "search-index/definition.h"

#define SEARCH_FILES_MAX 10000

typedef struct {
    char *path; /* as it is opened, for messages */
    core_problems problems;
    core_document *document;             /* NULL: it cannot be read */
    const search_definition *definition; /* the same, or not valid by itself */
} search_definition_file;

typedef struct {
    search_definition_file *items; /* in the order of their paths */
    size_t count, room;
} search_files;

void search_files_init(search_files *files);
void search_files_fini(search_files *files);
/* Adds `*.yaml`, `*.yml` and `*.json`, hidden ones left out, four directories deep; a directory
 * that is not there has none. What is wrong with a file is told to its problems. False: LIMIT, or
 * it cannot be read. */
CORE_MUST_CHECK bool search_files_read(search_files *files, const char *directory,
                                       const search_definition_facts *facts, core_error *error);
/* Something to compare that changes when a file may have: of names, times and sizes. */
uint64_t search_files_look(const char *directory);

#endif
