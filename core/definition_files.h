/* Definitions in files: a directory's, or single ones. What a definition is (a trigger, an index)
 * is its room's to know, which hands in what reads one. */
#ifndef WALCAST_CORE_DEFINITION_FILES_H
#define WALCAST_CORE_DEFINITION_FILES_H

#include "core/buffer.h"
#include "core/document.h"
#include "core/error.h"

#define CORE_DEFINITION_FILES_MAX   10000
#define CORE_DEFINITION_FACTS_BYTES ((size_t)256 << 10) /* what a check with the schema saw */

/* What every definition says, whatever it defines; lives as long as it does. */
typedef struct {
    core_slice name, project, environment;
    bool disabled, paused;
} core_definition_head;

/* What a room's definitions are. Static. */
typedef struct {
    const char *token;    /* what their keys begin with: "trigger" */
    const char *one;      /* in texts: "trigger"; */
    const char *some_one; /* "a trigger"; */
    const char *several;  /* "triggers" */
    bool has_state;       /* they can be paused and disabled, and begin somewhere in a stream */
    bool (*name_ok)(core_slice name);
    /* Of a document; `project` and `environment` where it names none. NULL: `problems` has why. */
    const void *(*read)(const core_document *document, core_slice project, core_slice environment,
                        core_problems *problems);
    void (*release)(const void *definition); /* NULL is nothing */
    core_definition_head (*head)(const void *definition);
} core_definition_kind;

typedef struct {
    char *path; /* as it is opened, for messages */
    char *name; /* within its directory */
    core_problems problems;
    core_document *document; /* NULL: it cannot be read */
    const void *definition;  /* the same, or not valid by itself */
    core_buffer facts;       /* of the check with the live schema; empty before */
} core_definition_file;

/* Whether a file is among those that are wanted; NULL document: it cannot be read. */
typedef bool (*core_definition_filter)(const void *context, const char *path,
                                       const core_document *document);

typedef struct {
    const core_definition_kind *kind;
    core_slice project, environment; /* where a file names none */
    core_definition_filter takes;    /* NULL: all */
    const void *context;
    core_definition_file *items; /* in order of their paths */
    size_t count, room;
    uint64_t hash; /* of all names and texts */
} core_definition_files;

void core_definition_files_init(core_definition_files *files, const core_definition_kind *kind,
                                core_slice project, core_slice environment);
void core_definition_files_fini(core_definition_files *files);
/* Adds the file, or the directory's `*.yaml`, `*.yml` and `*.json`, hidden ones left out, that of
 * subdirectories too, four deep; a directory that is not there has none, if `may_be_missing`. What
 * is wrong with a file is told to its problems. */
CORE_MUST_CHECK bool core_definition_files_add(core_definition_files *files, const char *path,
                                               bool may_be_missing, core_error *error);
/* Behind the last one: tells of names that two of them have. */
void core_definition_files_end(core_definition_files *files);
/* Something to compare that changes when a file may have: of names, times and sizes. */
uint64_t core_definition_files_look(const char *directory);
/* The file's definition is none of ours. */
void core_definition_file_leave_out(const core_definition_files *files, core_definition_file *file);

#endif
