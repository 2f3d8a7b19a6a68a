/* Files put into key-value: what would be made, changed and removed, and doing it. */
#ifndef WALCAST_TRIGGERS_APPLY_H
#define WALCAST_TRIGGERS_APPLY_H

#include "triggers/check.h"
#include "triggers/files.h"
#include "triggers/store.h"

typedef struct {
    const char *file; /* NULL of what is removed */
    const char *project, *name;
    triggers_outcome outcome;
    const char *refusal; /* NULL: none */
} triggers_applied;
typedef void (*triggers_applied_handler)(void *context, const triggers_applied *applied);

typedef struct {
    bool dry;
    triggers_origin origin; /* DIRECTORY, APPLY */
    bool prune;             /* removes what came from a file that is not among these; of DIRECTORY
                               what came so, of APPLY either way */
    triggers_applied_handler handler;
    void *context;
} triggers_apply_options;

/* Tells each file's problems with the live schema. Files of projects that this source does not host
 * are left out where the process has others: their definition is released. False: the database
 * could not be asked. */
CORE_MUST_CHECK bool triggers_files_check(triggers_check *check, const core_config *config,
                                          triggers_files *files, core_error *error);
/* Puts those files that have no problems, then removes. A name that is taken over REST is told as a
 * refusal; false: the store could not be asked. */
CORE_MUST_CHECK bool triggers_apply(triggers_store *store, const triggers_files *files,
                                    const triggers_apply_options *options, size_t *refused,
                                    core_error *error);

#endif
