/* Definitions (triggers, indexes) in key-value, so that every node has them: the value of key
 * `{token}.{project}.{name}` in the bucket {nats.stream}_defs, written by compare-and-set. Part of
 * fanout's public header. What a definition is, its room knows (core/definition_files.h).
 *
 * Who made one may change it: what came from a file is not REST's to change, nor the other way
 * round. */
#ifndef WALCAST_FANOUT_DEFINITION_H
#define WALCAST_FANOUT_DEFINITION_H

#include "core/core.h"

typedef struct fanout_connection fanout_connection;

#define FANOUT_DEFINITION_KEY_MAX   1024
#define FANOUT_DEFINITION_BYTES_MAX ((size_t)512 << 10)
#define FANOUT_DEFINITION_NAME_MAX  128
#define FANOUT_PROJECT_MAX          256 /* with its NUL */
#define FANOUT_REVISION_ANY         UINT64_MAX

/* ---- One, as it is stored; pure ---- */

typedef enum {
    FANOUT_ORIGIN_REST,
    FANOUT_ORIGIN_DIRECTORY, /* a file of some node's directory */
    FANOUT_ORIGIN_APPLY,     /* a file that `walcast apply` was given */
} fanout_origin;

typedef struct {
    core_slice project, name;
    core_slice environment; /* empty: the process's */
    core_slice definition;  /* a JSON object, as written, without what stands below */
    fanout_origin origin;
    core_slice file;  /* its path; empty over REST */
    core_slice facts; /* what the check saw of the schema, a JSON object; or empty */
    int64_t created_us, changed_us;
    bool has_state; /* of the rest */
    bool disabled, paused;
    core_slice since;    /* where it begins in its stream */
    uint32_t partitions; /* how many do its work, for good; 0: all that there are */
} fanout_definition;

/* "TOKEN.PROJECT.NAME". False: the project is too long. */
CORE_MUST_CHECK bool fanout_definition_key(const char *token, const char *project, const char *name,
                                           char key[FANOUT_DEFINITION_KEY_MAX]);
void fanout_definition_write(const fanout_definition *stored, core_buffer *out);
/* As REST and tools show it. `warnings` may be NULL. */
void fanout_definition_view(const fanout_definition *stored, uint64_t revision,
                            const core_problems *warnings, core_json_writer *json);
/* Texts live in `arena`, `definition` in the value. INPUT when it is none, or of a later version.
 */
CORE_MUST_CHECK bool fanout_definition_read(core_slice value, core_arena *arena,
                                            fanout_definition *stored, core_error *error);
/* The document's JSON without what is stored beside it. */
void fanout_definition_canonical(const core_document *document, core_buffer *out);
/* Whether both are the same but for times. */
bool fanout_definition_equal(const fanout_definition *a, const fanout_definition *b);

/* ---- All of a kind ---- */

/* All must outlive what is made of it. */
typedef struct {
    const core_definition_kind *kind;
    const core_config *config; /* the source's */
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    /* Where a new one begins in its stream; NULL: they do not. May ask the server. */
    bool (*since)(fanout_connection *connection, const core_config *config, const void *definition,
                  char since[CORE_OFFSET_TEXT_SIZE], core_error *error);
    /* How many partitions a new one keeps to; NULL: 0. */
    uint32_t (*partitions)(const void *definition);
} fanout_definitions_spec;

/* For one thread at a time; each call blocks up to the connection's time limit. */
typedef struct fanout_definitions fanout_definitions;

/* Connects to nothing yet: each call does, when it is not connected. `name` is shown by the server.
 */
CORE_MUST_CHECK fanout_definitions *fanout_definitions_new(const fanout_definitions_spec *spec,
                                                           const char *name, core_error *error);
void fanout_definitions_free(fanout_definitions *store);
/* NULL with TRANSIENT: NATS is away. */
CORE_MUST_CHECK fanout_connection *fanout_definitions_connection(fanout_definitions *store,
                                                                 core_error *error);
const fanout_definitions_spec *fanout_definitions_spec_of(const fanout_definitions *store);

/* What is there under the name; its slices live until the store's next call. `*revision` 0: nothing
 * is. INPUT when it cannot be read. */
CORE_MUST_CHECK bool fanout_definitions_get(fanout_definitions *store, const char *project,
                                            const char *name, fanout_definition *stored,
                                            uint64_t *revision, core_error *error);

/* `stored` is NULL where one cannot be read; then `problem` says why, and `key` which. The slices
 * live during the call. False ends the walk, with `error` set. */
typedef bool (*fanout_definition_handler)(void *context, const fanout_definition *stored,
                                          uint64_t revision, const char *key, const char *problem,
                                          core_error *error);
/* Of one project, or NULL: of all. The store must not be used from within. */
CORE_MUST_CHECK bool fanout_definitions_each(fanout_definitions *store, const char *project,
                                             fanout_definition_handler handler, void *context,
                                             core_error *error);

typedef enum {
    FANOUT_UNCHANGED,
    FANOUT_CREATED,
    FANOUT_CHANGED,
    FANOUT_REMOVED,
} fanout_outcome;

/* What is to stand there. */
typedef struct {
    const void *definition;        /* read and checked */
    const core_document *document; /* the same as text */
    core_slice facts;              /* of the check, or empty */
    fanout_origin origin;
    const char *file;  /* NULL over REST */
    uint64_t expected; /* its revision now; 0: nothing; FANOUT_REVISION_ANY */
    bool keeps_state;  /* disabled and paused stay as they are where the text names none */
    bool dry;          /* says the outcome only */
} fanout_definition_wish;

/* CONFLICT: another revision, or one that came another way. `*revision` gets the one that is there
 * now. */
CORE_MUST_CHECK bool fanout_definitions_put(fanout_definitions *store,
                                            const fanout_definition_wish *wish,
                                            fanout_outcome *outcome, uint64_t *revision,
                                            core_error *error);

typedef struct {
    const bool *disabled, *paused; /* what is set; NULL: stays */
} fanout_definition_state;
/* INPUT: there is none of that name; else as _put. */
CORE_MUST_CHECK bool fanout_definitions_state(fanout_definitions *store, const char *project,
                                              const char *name,
                                              const fanout_definition_state *state,
                                              uint64_t expected, uint64_t *revision,
                                              core_error *error);
/* The same. `over_rest`: not what came from a file. */
CORE_MUST_CHECK bool fanout_definitions_remove(fanout_definitions *store, const char *project,
                                               const char *name, bool over_rest, uint64_t expected,
                                               core_error *error);

/* ---- Files put into key-value ---- */

/* What holds definitions against the live schema. */
typedef struct {
    /* One: tells `problems`, appends to `facts`. False: the database could not be asked. */
    bool (*one)(void *context, const void *definition, const core_document *document,
                core_problems *problems, core_buffer *facts, core_error *error);
    void (*rest)(void *context); /* a batch of them is checked: what was opened may be closed */
    void *context;
} fanout_definition_check;

typedef struct {
    const char *file; /* NULL of what is removed */
    const char *project, *name;
    fanout_outcome outcome;
    const char *refusal; /* NULL: none */
} fanout_applied;
typedef void (*fanout_applied_handler)(void *context, const fanout_applied *applied);

typedef struct {
    bool dry;
    fanout_origin origin; /* DIRECTORY, APPLY */
    bool prune;           /* removes what came from a file that is not among these; of DIRECTORY
                             what came so, of APPLY either way */
    fanout_applied_handler handler;
    void *context;
} fanout_apply_options;

/* Tells each file's problems with the live schema. Files of projects that this source does not host
 * are left out where the process has others: their definition is released. */
CORE_MUST_CHECK bool fanout_definitions_check(core_definition_files *files,
                                              const core_config *config,
                                              const fanout_definition_check *check,
                                              core_error *error);
/* Puts those files that have no problems, then removes. A name that is taken over REST is told as a
 * refusal; false: the store could not be asked. */
CORE_MUST_CHECK bool fanout_definitions_apply(fanout_definitions *store,
                                              const core_definition_files *files,
                                              const fanout_apply_options *options, size_t *refused,
                                              core_error *error);

/* ---- A directory of files, followed ---- */

typedef struct {
    fanout_definitions_spec definitions;
    const char *room;   /* in the log */
    const char *thread; /* its name, at most 15 bytes */
    const char *client; /* the connection's */
    const char *path;   /* of the directory; copied by none */
    core_slice project, environment;
    fanout_definition_check check;
    fanout_applied_handler applied; /* what was created, changed or removed: to be recorded */
    void *context;                  /* its own */
} fanout_definition_directory_spec;

/* A thread that loads the directory at its start, and again when it changes. */
typedef struct fanout_definition_directory fanout_definition_directory;
CORE_MUST_CHECK fanout_definition_directory *
fanout_definition_directory_new(const fanout_definition_directory_spec *spec, core_error *error);
CORE_MUST_CHECK bool fanout_definition_directory_start(fanout_definition_directory *directory,
                                                       core_error *error);
/* Any thread: a WARNING while a file is not in force, with the reason. */
core_readiness fanout_definition_directory_ready(fanout_definition_directory *directory,
                                                 char *reason, size_t reason_size);
/* Started or not. NULL is nothing. */
void fanout_definition_directory_free(fanout_definition_directory *directory);

#endif
