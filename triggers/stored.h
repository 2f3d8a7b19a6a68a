/* A definition as it is stored: the value of key `trigger.{project}.{name}` in the bucket
 * {nats.stream}_defs. Pure. */
#ifndef WALCAST_TRIGGERS_STORED_H
#define WALCAST_TRIGGERS_STORED_H

#include "triggers/definition.h"

#define TRIGGERS_STORED_TOKEN     "trigger"
#define TRIGGERS_STORED_KEY_MAX   1024
#define TRIGGERS_STORED_BYTES_MAX ((size_t)512 << 10)

typedef enum {
    TRIGGERS_ORIGIN_REST,
    TRIGGERS_ORIGIN_DIRECTORY, /* a file of some node's triggers.dir */
    TRIGGERS_ORIGIN_APPLY,     /* a file that `walcast apply` was given */
} triggers_origin;

typedef struct {
    core_slice project, name;
    core_slice definition; /* a JSON object, as written, without what stands below */
    triggers_origin origin;
    core_slice file; /* its path; empty over REST */
    core_slice since;
    core_slice facts; /* a JSON object (facts.h), or empty */
    bool disabled, paused;
    int64_t created_us, changed_us;
} triggers_stored;

/* "trigger.PROJECT.NAME". False: the project is too long. */
CORE_MUST_CHECK bool triggers_stored_key(const char *project, const char *name,
                                         char key[TRIGGERS_STORED_KEY_MAX]);
void triggers_stored_write(const triggers_stored *stored, core_buffer *out);
/* As REST and tools show it. `warnings` may be NULL. */
void triggers_stored_view(const triggers_stored *stored, uint64_t revision,
                          const core_problems *warnings, core_json_writer *json);
/* Texts live in `arena`, `definition` in the value. INPUT when it is none, or of a later version.
 */
CORE_MUST_CHECK bool triggers_stored_read(core_slice value, core_arena *arena,
                                          triggers_stored *stored, core_error *error);
/* The definition of it. NULL with INPUT: not one that this version can read. */
CORE_MUST_CHECK const triggers_definition *triggers_stored_definition(const triggers_stored *stored,
                                                                      core_slice environment,
                                                                      uint64_t revision,
                                                                      core_error *error);
/* The document's JSON without what is stored beside it. */
void triggers_stored_canonical(const core_document *document, core_buffer *out);
/* Whether both are the same but for times. */
bool triggers_stored_equal(const triggers_stored *a, const triggers_stored *b);

#endif
