/* What the check of a definition saw of its table that a change's relation does not tell: the
 * primary key, collations, enums. Kept beside the definition (stored.h), so that what the check
 * took the matcher decides in the same way; renewed when the definition is put again. Pure. */
#ifndef WALCAST_TRIGGERS_FACTS_H
#define WALCAST_TRIGGERS_FACTS_H

#include "triggers/rule.h"

/* Appends an object of arrays of columns' names, those that are not empty; `relation` is the
 * facts'. */
void triggers_facts_write(const core_relation *relation, const triggers_relation_facts *facts,
                          core_buffer *out);
/* Facts of this shape, in `arena`; a column that it does not have is passed over. False when it is
 * not such an object, or the arena is full. */
CORE_MUST_CHECK bool triggers_facts_read(core_slice json, const core_relation *relation,
                                         core_arena *arena, triggers_relation_facts *facts);

#endif
