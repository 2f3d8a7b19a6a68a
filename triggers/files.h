/* Definitions in files: a directory's, or single ones. */
#ifndef WALCAST_TRIGGERS_FILES_H
#define WALCAST_TRIGGERS_FILES_H

#include "triggers/definition.h"

#define TRIGGERS_FILES_MAX 10000

typedef struct {
    char *path; /* as it is opened, for messages */
    char *name; /* within its directory */
    core_problems problems;
    core_document *document;               /* NULL: it cannot be read */
    const triggers_definition *definition; /* the same, or not valid by itself */
    core_buffer facts;                     /* of the check with the live schema; empty before */
} triggers_file;

typedef struct {
    triggers_file *items; /* in order of their paths */
    size_t count, room;
    uint64_t hash; /* of all names and texts */
} triggers_files;

void triggers_files_init(triggers_files *files);
void triggers_files_fini(triggers_files *files);
/* Adds the file, or the directory's `*.yaml`, `*.yml` and `*.json`, hidden ones left out, that of
 * subdirectories too, four deep; a directory that is not there has none, if `may_be_missing`. What
 * is wrong with a file is told to its problems. */
CORE_MUST_CHECK bool triggers_files_add(triggers_files *files, const char *path,
                                        bool may_be_missing, const triggers_definition_facts *facts,
                                        core_error *error);
/* Behind the last one: puts them in order, and tells of names that two of them have. */
void triggers_files_end(triggers_files *files);
/* Something to compare that changes when a file may have: of names, times and sizes. */
uint64_t triggers_files_look(const char *directory);

#endif
