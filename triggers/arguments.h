/* What an action needs of an event beside the body: the parameters of a statement, the keys of a
 * job, the id of a workflow's run.
 *
 * The matcher renders them with the body, since whoever makes attempts knows neither the table's
 * shape nor the row. Each names what it is, so what a task carries is whole even when the
 * definition has changed since; what the body has as well is not carried twice. Written by us only,
 * but read through the cursor: it comes from outside the process. Pure. */
#ifndef WALCAST_TRIGGERS_ARGUMENTS_H
#define WALCAST_TRIGGERS_ARGUMENTS_H

#include "triggers/rule.h"

typedef enum {
    TRIGGERS_ARGUMENT_NULL = 1,
    TRIGGERS_ARGUMENT_TEXT, /* a column's value as PostgreSQL writes it, or a key's text */
    TRIGGERS_ARGUMENT_DATA, /* the body's member, as the next three */
    TRIGGERS_ARGUMENT_TYPE,
    TRIGGERS_ARGUMENT_TIME,
    TRIGGERS_ARGUMENT_OFFSET,
    TRIGGERS_ARGUMENT_ID, /* the webhook-id */
} triggers_argument_kind;

typedef struct {
    triggers_argument_kind kind;
    core_slice text; /* of TEXT */
} triggers_argument;

/* The keys' texts are cut to this, the rest of a longer one being its hash. */
#define TRIGGERS_ARGUMENT_KEY_MAX 200

/* Appends what the rule's action needs of the change: of a statement its parameters, in order; of a
 * job its unique and its concurrency key, of a workflow the run's, NULL where the definition names
 * none. Of a DELETE the keys are the old row's. False when `out` is full, or (`*missing`) when the
 * change does not carry a value of them: then the action cannot be done, and that is the outcome.
 */
CORE_MUST_CHECK bool triggers_arguments_write(const triggers_rule *rule, const core_change *change,
                                              const triggers_images *images, core_buffer *out,
                                              bool *missing);

/* The next argument; its text points into what is read. False: none is left, or it is not one (then
 * `cursor` failed). */
CORE_MUST_CHECK bool triggers_argument_read(core_cursor *cursor, triggers_argument *argument);

#endif
