/* All definitions at one moment, immutable and counted: whoever holds it reads it without a lock.
 */
#ifndef WALCAST_TRIGGERS_SET_H
#define WALCAST_TRIGGERS_SET_H

#include "triggers/definition.h"

typedef struct {
    uint64_t generation; /* another one: something has changed */
    uint64_t revision;   /* of the bucket: it is read up to here */
    size_t count;
    const triggers_definition *const *definitions; /* in order of project, then name */
} triggers_set;

/* Holds each of them. NULL when memory is out. The caller holds one reference. */
CORE_MUST_CHECK const triggers_set *triggers_set_new(const triggers_definition *const *definitions,
                                                     size_t count, uint64_t generation,
                                                     uint64_t revision);
const triggers_set *triggers_set_hold(const triggers_set *set);
void triggers_set_release(const triggers_set *set);
/* Its place in the set; `count`: there is none. */
size_t triggers_set_place(const triggers_set *set, core_slice project, core_slice name);
/* NULL: there is none. */
const triggers_definition *triggers_set_find(const triggers_set *set, core_slice project,
                                             core_slice name);

#endif
