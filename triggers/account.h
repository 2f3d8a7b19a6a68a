/* What became of one event for one trigger where no outcome of it is kept: most events match
 * nothing, and of those nothing is recorded. The event is read again and held against the
 * definition as it is now; what matches is looked for where it would wait. Blocks. */
#ifndef WALCAST_TRIGGERS_ACCOUNT_H
#define WALCAST_TRIGGERS_ACCOUNT_H

#include "fanout/fanout.h"
#include "triggers/definition.h"

typedef struct {
    fanout_connection *connection;
    const core_config *config;             /* the source's */
    const triggers_definition *definition; /* as it is stored */
    core_slice event_id;
} triggers_account_spec;

typedef struct {
    const char *outcome; /* "not matched", "waiting", "not looked at", "not held", "matched" (no
                            outcome of it is kept any more), or why it is undecided, as an
                            explanation has it */
    core_buffer reason;  /* one line */
    core_buffer clauses; /* a JSON array, each part of the condition; empty: it was not asked */
} triggers_account;

void triggers_account_init(triggers_account *account);
void triggers_account_fini(triggers_account *account);
/* INPUT error when the id is none; TRANSIENT when NATS does not answer. */
CORE_MUST_CHECK bool triggers_account_find(const triggers_account_spec *spec,
                                           triggers_account *account, core_error *error);
/* As one JSON object {"outcome", "project", "trigger", "event_id", "webhook_id", "reason",
 * "clauses"}, and as a line beneath triggers_history_heading, without its end. */
void triggers_account_json(const triggers_account_spec *spec, const triggers_account *account,
                           core_json_writer *json);
void triggers_account_line(const triggers_account_spec *spec, const triggers_account *account,
                           core_buffer *out);

#endif
