/* A trigger held against what is past: each change that its table had is explained as the matcher
 * would decide it by the present definition. Nothing is delivered. Blocks. */
#ifndef WALCAST_TRIGGERS_REHEARSAL_H
#define WALCAST_TRIGGERS_REHEARSAL_H

#include "triggers/explain.h"
#include "triggers/past.h"

/* False ends it: with an error where `error` is set. Both are valid during the call. */
typedef bool (*triggers_rehearsal_take)(void *context, const triggers_past_event *event,
                                        const triggers_explanation *explanation, core_error *error);

/* As triggers_past_read. A definition that is disabled is taken as if it were not. */
CORE_MUST_CHECK bool triggers_rehearse(const triggers_past_spec *spec, triggers_rehearsal_take take,
                                       void *context, core_error *error);

/* ---- What it comes to ---- */

#define TRIGGERS_TALLY_MAX 64 /* different reasons; what is beyond is counted as one */

typedef struct {
    core_slice outcome; /* static, as an explanation has it */
    size_t clause;      /* that decided, from 1; 0: none */
    expr_verdict verdict;
    uint64_t count;
    char text[256]; /* the clause, or the reason; perhaps cut */
} triggers_tally_row;

typedef struct {
    uint64_t events, matched;
    triggers_tally_row rows[TRIGGERS_TALLY_MAX]; /* of those that did not match */
    size_t count;
} triggers_tally;

void triggers_tally_add(triggers_tally *tally, const triggers_explanation *explanation);
/* As one JSON object {"events", "matched", "others": [{"outcome", "count", "clause", "result"}]},
 * and as lines to read. */
void triggers_tally_json(const triggers_tally *tally, core_json_writer *json);
void triggers_tally_text(const triggers_tally *tally, core_buffer *out);

#endif
