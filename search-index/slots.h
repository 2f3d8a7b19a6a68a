/* Which of the index's columns (slots) an attribute's words go to.
 *
 * Each entry of the schema that is searchable and no pattern has a slot of its own, in the schema's
 * order, and with it all attributes beneath it. Attributes that a pattern brings (`*`: all) get the
 * next of SEARCH_SLOTS_FOUND slots as documents bring them, for good; what comes when those are
 * taken shares the last one: it is found as well, but no query can be held to it alone. Words with
 * no slot are not searched.
 *
 * One owner. A copy is for readers. */
#ifndef WALCAST_SEARCH_INDEX_SLOTS_H
#define WALCAST_SEARCH_INDEX_SLOTS_H

#include "search-index/schema.h"

#define SEARCH_SLOT_NONE   UINT32_MAX
#define SEARCH_SLOTS_FOUND 32u
/* Attributes of patterns that are remembered; those beyond share the last slot. */
#define SEARCH_SLOT_NAMES_MAX 1000u

typedef struct {
    core_slice name;
    uint64_t hash;
    uint32_t slot; /* NONE: not searched */
    bool is_found; /* by a pattern: to be kept in the file */
} search_slot_name;

typedef struct {
    search_schema *schema;
    core_arena arena;
    search_slot_name *names;
    uint32_t name_count;
    uint32_t found_names;
    uint32_t *places; /* of names, by hash: number + 1 */
    double *weights;  /* by slot */
    uint32_t count;   /* slots of the file, used or not */
    uint32_t fixed;   /* the schema's own */
    uint32_t found;   /* slots taken by patterns */
    uint32_t kept;    /* names that are in the file */
} search_slots;

/* Keeps the schema. False: out of memory. */
CORE_MUST_CHECK bool search_slots_init(search_slots *slots, search_schema *schema);
void search_slots_fini(search_slots *slots);
/* Weights as another schema has them, of the same searchable attributes; it is kept in the other's
 * place. */
void search_slots_weigh(search_slots *slots, search_schema *schema);
/* The attribute's slot; a new one may come up. The writer's only. */
uint32_t search_slots_of(search_slots *slots, core_slice attribute);
/* As the file has it. False: out of memory, or the slot cannot be. */
CORE_MUST_CHECK bool search_slots_restore(search_slots *slots, core_slice attribute, uint32_t slot);
/* Makes `to`, of the same schema, what `from` is. */
CORE_MUST_CHECK bool search_slots_copy(search_slots *to, const search_slots *from);

/* ---- For readers ---- */
/* Of the slot's first attribute; empty: it has none yet. */
core_slice search_slots_name(const search_slots *slots, uint32_t slot);
/* Whether some attribute of the slot is one of those wanted, beneath one, or above. */
bool search_slots_serve(const search_slots *slots, uint32_t slot, const core_slice *wanted,
                        uint32_t count);

#endif
