/* Definitions in key-value: read, and written by compare-and-set. For one thread at a time; each
 * call blocks up to the connection's time limit. */
#ifndef WALCAST_TRIGGERS_STORE_H
#define WALCAST_TRIGGERS_STORE_H

#include "triggers/spec.h"
#include "triggers/stored.h"

typedef struct triggers_store triggers_store;

/* Connects to nothing yet: each call does, when it is not connected. */
CORE_MUST_CHECK triggers_store *triggers_store_new(const triggers_spec *spec, const char *name,
                                                   core_error *error);
void triggers_store_free(triggers_store *store);
/* NULL with TRANSIENT: NATS is away. */
CORE_MUST_CHECK fanout_connection *triggers_store_connection(triggers_store *store,
                                                             core_error *error);

/* What is there under the name; its slices live until the store's next call. `*revision` 0: nothing
 * is. INPUT when it cannot be read. */
CORE_MUST_CHECK bool triggers_store_get(triggers_store *store, const char *project,
                                        const char *name, triggers_stored *stored,
                                        uint64_t *revision, core_error *error);

/* `stored` is NULL where one cannot be read; then `problem` says why, and `key` which. The slices
 * live during the call. False ends the walk, with `error` set. */
typedef bool (*triggers_store_handler)(void *context, const triggers_stored *stored,
                                       uint64_t revision, const char *key, const char *problem,
                                       core_error *error);
/* Of one project, or NULL: of all. The store must not be used from within. */
CORE_MUST_CHECK bool triggers_store_each(triggers_store *store, const char *project,
                                         triggers_store_handler handler, void *context,
                                         core_error *error);

typedef enum {
    TRIGGERS_UNCHANGED,
    TRIGGERS_CREATED,
    TRIGGERS_CHANGED,
    TRIGGERS_REMOVED,
} triggers_outcome;

#define TRIGGERS_REVISION_ANY UINT64_MAX

/* What is to stand there. */
typedef struct {
    const triggers_definition *definition; /* read and checked */
    const core_document *document;         /* the same as text */
    core_slice facts;                      /* of the check (facts.h), or empty */
    triggers_origin origin;
    const char *file;  /* NULL over REST */
    uint64_t expected; /* its revision now; 0: nothing; TRIGGERS_REVISION_ANY */
    bool keeps_state;  /* disabled and paused stay as they are where the text names none */
    bool dry;          /* says the outcome only */
} triggers_wish;

/* CONFLICT: another revision, or one that came another way (a file's is not REST's to change, nor
 * the other way round). `*revision` gets the one that is there now. */
CORE_MUST_CHECK bool triggers_store_put(triggers_store *store, const triggers_wish *wish,
                                        triggers_outcome *outcome, uint64_t *revision,
                                        core_error *error);

typedef struct {
    const bool *disabled, *paused; /* what is set; NULL: stays */
} triggers_state;
/* INPUT: there is no such trigger; else as _put. */
CORE_MUST_CHECK bool triggers_store_state(triggers_store *store, const char *project,
                                          const char *name, const triggers_state *state,
                                          uint64_t expected, uint64_t *revision, core_error *error);
/* The same. `over_rest`: not what came from a file. */
CORE_MUST_CHECK bool triggers_store_remove(triggers_store *store, const char *project,
                                           const char *name, bool over_rest, uint64_t expected,
                                           core_error *error);

#endif
