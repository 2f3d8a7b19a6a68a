/* A trigger tried on one event: `walcast trigger test`. Nothing is delivered. */
#ifndef WALCAST_TRIGGERS_TRIAL_H
#define WALCAST_TRIGGERS_TRIAL_H

#include "triggers/check.h"

/* Appends what the definition makes of the event (event_file.h; of one on no table event_row.h), as
 * one JSON object or as lines (explain.h); `*matched`: it would be delivered. `check` gives the
 * table's shape as it is now; NULL: types are inferred of the event's values. False with an error:
 * the event is not one, the table is not there, or cannot be asked for. Blocks as
 * triggers_check_definition does. */
CORE_MUST_CHECK bool triggers_trial(triggers_check *check, const triggers_definition *definition,
                                    core_slice event_json, int64_t now_us, bool as_json,
                                    core_buffer *out, bool *matched, core_error *error);

#endif
