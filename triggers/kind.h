/* Triggers as definitions that files hold and key-value keeps (fanout/definition.h). */
#ifndef WALCAST_TRIGGERS_KIND_H
#define WALCAST_TRIGGERS_KIND_H

#include "fanout/fanout.h"
#include "triggers/check.h"

#define TRIGGERS_STORED_TOKEN "trigger" /* what their keys begin with */

const core_definition_kind *triggers_kind(void);
/* Connects to nothing yet; `name` is shown by the server. */
CORE_MUST_CHECK fanout_definitions *triggers_store_new(const triggers_spec *spec, const char *name,
                                                       core_error *error);
/* Lives as long as `check`. */
fanout_definition_check triggers_check_of(triggers_check *check);
/* What it takes to make a store of them. */
fanout_definitions_spec triggers_definitions_spec(const triggers_spec *spec);
/* The definition of what is stored. NULL with INPUT: not one that this version can read. */
CORE_MUST_CHECK const triggers_definition *
triggers_stored_definition(const fanout_definition *stored, core_slice environment,
                           uint64_t revision, core_error *error);

#endif
