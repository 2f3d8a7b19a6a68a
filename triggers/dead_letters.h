/* The stream of dead letters for people and programs: listed, looked at, thrown away, put back.
 *
 * A letter's id is its sequence in the stream, so a page goes on behind the last id of the one
 * before it, and nothing is counted or kept for it: one pull in the stream's order, the oldest
 * first, over one subject. Where schemas are tenants that is the project's, so nobody's letters
 * cost another's readers anything; else the trigger's. A project sees its own letters only; one
 * that this version cannot read is seen by the source's own project, which can throw it away.
 *
 * Everything here blocks up to the connection's time limits; TRANSIENT where NATS does not answer.
 */
#ifndef WALCAST_TRIGGERS_DEAD_LETTERS_H
#define WALCAST_TRIGGERS_DEAD_LETTERS_H

#include "fanout/fanout.h"
#include "triggers/letter.h"

typedef struct {
    fanout_connection *connection;
    const core_config *config; /* the source's */
    core_slice project;
} triggers_dead_scope;

/* The subject on which a letter of the trigger stands. LIMIT: it is too long. */
CORE_MUST_CHECK bool triggers_dead_subject(const core_config *config, core_slice project,
                                           core_slice trigger, char subject[CORE_SUBJECT_MAX],
                                           core_error *error);

/* The same of a letter's bytes; of one that cannot be read it is the source's own project's. */
CORE_MUST_CHECK bool triggers_dead_subject_of(const core_config *config, core_slice letter,
                                              char subject[CORE_SUBJECT_MAX], core_error *error);

/* Valid during the call that gives it. */
typedef struct {
    uint64_t id;
    uint64_t behind; /* on its subject, where all are gone through */
    bool is_whole;   /* the two below can be read */
    triggers_letter letter;
    triggers_task task;
} triggers_dead_letter;

/* False ends it without an error. */
typedef bool (*triggers_dead_take)(void *context, const triggers_dead_letter *letter);

/* Those behind `after` (0: all) that are there now; `trigger` empty: of all triggers. */
CORE_MUST_CHECK bool triggers_dead_each(const triggers_dead_scope *scope, core_slice trigger,
                                        uint64_t after, triggers_dead_take take, void *context,
                                        core_error *error);
/* The letter of that id; slices of `payload`, which is reset and filled. `*found` false: the
 * project has none of that id. */
CORE_MUST_CHECK bool triggers_dead_get(const triggers_dead_scope *scope, uint64_t id,
                                       core_buffer *payload, triggers_dead_letter *letter,
                                       bool *found, core_error *error);
/* Throws the letter of that id away, for good. */
CORE_MUST_CHECK bool triggers_dead_remove(const triggers_dead_scope *scope, uint64_t id,
                                          bool *found, core_error *error);

/* As one JSON object: id, project, trigger, event_id, webhook_id, key, reason, status (where there
 * was one), attempts, event_time, dead_at; with `is_full` also revision, depth and body. */
void triggers_dead_json(const triggers_dead_letter *letter, bool is_full, core_json_writer *json);
/* As a line for a terminal, without its end, and the heading over such lines; the heading is
 * static. */
void triggers_dead_line(const triggers_dead_letter *letter, core_buffer *out);
const char *triggers_dead_heading(void);

#define TRIGGERS_DEAD_ID_MAX 24
/* An id as it is written; false: it is none. */
CORE_MUST_CHECK bool triggers_dead_id_read(core_slice text, uint64_t *id);

#endif
