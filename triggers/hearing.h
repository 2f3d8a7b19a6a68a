/* Which triggers hear an event of the stream of events: by its type, or of Walcast's own
 * ("walcast." in front) by the name of whom it is for. Pure. */
#ifndef WALCAST_TRIGGERS_HEARING_H
#define WALCAST_TRIGGERS_HEARING_H

#include "triggers/definition.h"

/* What triggers an event of the type is for; `*name` is theirs, or of an application's event its
 * type. False: nobody hears it. */
CORE_MUST_CHECK bool triggers_hearing_kind(core_slice type, triggers_on *on, core_slice *name);
/* Whether the definition is on what that gave. */
bool triggers_hearing_is_on(const triggers_definition *definition, triggers_on on, core_slice name);
/* Both at once. */
bool triggers_hearing_hears(const triggers_definition *definition, core_slice type);
/* TRIGGERS_RESULT_* of a result's row; 0: it is none. */
unsigned triggers_hearing_result(const core_change *change);
/* Whether the row of an event that the definition hears counts: of a result its outcome decides. */
bool triggers_hearing_counts(const triggers_definition *definition, const core_change *change);

#endif
