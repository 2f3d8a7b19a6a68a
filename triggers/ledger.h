/* Which definitions have begun: those that the matcher hears live. Kept in key-value, in parts by
 * hash, each under its revision, so that a matcher that slept cannot write it any more.
 *
 * What is begun is a definition in one making of it: removed and made anew it begins again, and
 * changed it does not. For one thread. */
#ifndef WALCAST_TRIGGERS_LEDGER_H
#define WALCAST_TRIGGERS_LEDGER_H

#include "fanout/fanout.h"
#include "triggers/definition.h"

#define TRIGGERS_LEDGER_PARTS 16u

typedef struct {
    uint64_t *ids; /* sorted */
    size_t count, capacity;
    uint64_t revision;
    bool is_dirty;
} triggers_ledger_part;

typedef struct {
    triggers_ledger_part parts[TRIGGERS_LEDGER_PARTS];
} triggers_ledger;

/* Of project, name and the time of its making. */
uint64_t triggers_ledger_id(const triggers_definition *definition);

/* Frees what it holds; it is empty then. */
void triggers_ledger_fini(triggers_ledger *ledger);
/* What is kept, instead of what it holds. Blocks. */
CORE_MUST_CHECK bool triggers_ledger_read(triggers_ledger *ledger, fanout_bucket *bucket,
                                          core_error *error);
bool triggers_ledger_has(const triggers_ledger *ledger, uint64_t id);
/* Kept with the next write. False without memory. */
CORE_MUST_CHECK bool triggers_ledger_add(triggers_ledger *ledger, uint64_t id);
/* Forgets all but these where it holds far more than so many. */
void triggers_ledger_trim(triggers_ledger *ledger, const uint64_t *ids, size_t count);
/* Blocks. CONFLICT: another matcher wrote. */
CORE_MUST_CHECK bool triggers_ledger_write(triggers_ledger *ledger, fanout_bucket *bucket,
                                           core_error *error);

/* Of sorted ids: whether it is among them, and where it belongs. */
bool triggers_ids_find(const uint64_t *ids, size_t count, uint64_t id, size_t *place);
/* Sorts them. */
void triggers_ids_sort(uint64_t *ids, size_t count);

#endif
