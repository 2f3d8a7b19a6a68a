/* Asks for something to be delivered again: puts the wish (redeliver.h) into the stream of events,
 * from where the matcher takes it in its turn. Blocks up to the connection's time limits. */
#ifndef WALCAST_TRIGGERS_AGAIN_H
#define WALCAST_TRIGGERS_AGAIN_H

#include "triggers/dead_letters.h"

/* One change (by its offset) or event (by its id), to be matched by the trigger's present
 * definition. Asked twice it is matched twice. */
CORE_MUST_CHECK bool triggers_again_event(const triggers_dead_scope *scope, core_slice trigger,
                                          core_slice event_id, core_error *error);
/* A letter that can be read becomes a task again, as it was. Asked twice within the stream's
 * duplicate window it becomes one once. */
CORE_MUST_CHECK bool triggers_again_letter(const triggers_dead_scope *scope,
                                           const triggers_dead_letter *letter, core_error *error);

#endif
