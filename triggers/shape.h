/* The rows that triggers on something else than a table see as `new`: a fixed shape each, as
 * definition.h and docs/TRIGGERS.md have them. */
#ifndef WALCAST_TRIGGERS_SHAPE_H
#define WALCAST_TRIGGERS_SHAPE_H

#include "expr/expr.h"
#include "triggers/definition.h"

/* A relation "walcast"."event", "cron" or "result", static; NULL of a table, and of a queue. Its
 * texts compare as under "C". */
const core_relation *triggers_shape(triggers_on on);
/* Of the columns of whichever shape; static. */
const expr_column_facts *triggers_shape_facts(void);

#endif
