/* The conditions that one operation of a table asks for, arranged by what a row must have for them
 * to be true, so that a change costs by its matches.
 *
 * A condition stands at the place set (expr_condition_places) that it shares with the fewest
 * others; where each of its equalities is common, under several of them at once; where it has none,
 * in the list that is looked at each time. Made once, then only read but for the probes: one thread
 * at a time.
 *
 * Private to triggers. */
#ifndef WALCAST_TRIGGERS_RULE_TABLE_H
#define WALCAST_TRIGGERS_RULE_TABLE_H

#include "expr/expr.h"
#include "triggers/prefixes.h"
#include "triggers/ranges.h"

#define TRIGGERS_COMPOSITE_COLUMNS_MAX 4
#define TRIGGERS_COMPOSITE_VALUES_MAX  64 /* of one condition, all columns' together */
#define TRIGGERS_COMPOSITES_MAX        32 /* sets of columns of one table: each is a look */

typedef struct {
    uint32_t *ids;
    size_t count;
    size_t capacity;
} triggers_ids;

/* A column of one image that places look at. */
typedef struct {
    uint16_t column;
    bool is_old;
    uint8_t kind;
    unsigned wants; /* EXPR_PROBE_* */
    triggers_postings equal;
    triggers_ranges ranges;
    triggers_prefixes prefixes;
    triggers_ids changed;
    triggers_ids null;
    triggers_ids not_null;
    triggers_ids open;    /* all that stand here: of a value that did not come */
    triggers_ids raising; /* of these those that can end in an error: of a null */
} triggers_rule_column;

/* Equalities of several columns at once. */
typedef struct {
    uint16_t columns[TRIGGERS_COMPOSITE_COLUMNS_MAX]; /* their numbers in the table */
    size_t column_count;
    triggers_postings equal;
} triggers_composite;

typedef struct {
    triggers_rule_column *columns;
    size_t column_count;
    size_t column_capacity;
    triggers_composite *composites; /* room for TRIGGERS_COMPOSITES_MAX */
    size_t composite_count;
    triggers_ids scan;
    expr_probe *probes; /* one a column */
    const core_relation *relation;
} triggers_rule_table;

/* One condition as the table knows it; NULL is always true. */
typedef struct {
    const expr_condition *condition;
    uint32_t id;
} triggers_rule_entry;

/* Of the entries; their conditions must live as long as the table. `relation` too. False when
 * memory is out. */
CORE_MUST_CHECK bool triggers_rule_table_make(triggers_rule_table *table,
                                              const core_relation *relation,
                                              const triggers_rule_entry *entries, size_t count);
void triggers_rule_table_fini(triggers_rule_table *table);
/* Visits a superset of the entries whose condition is not false or null for these images (NULL:
 * there is none), some of them twice. */
void triggers_rule_table_find(const triggers_rule_table *table, const core_tuple *new_tuple,
                              const core_tuple *old_tuple, triggers_visit visit, void *context);

/* ---- rule_plan.c: where a condition stands ---- */

typedef struct {
    const triggers_rule_table *crowd; /* all conditions at all their places */
    const triggers_postings *composite_crowd;
    size_t entries;
} triggers_rule_plan;

/* Equalities of several columns that a condition asks for together. */
typedef struct {
    expr_place places[TRIGGERS_COMPOSITE_COLUMNS_MAX]; /* in order of image and column */
    size_t count;
} triggers_composite_key;

/* The hash of values of several columns, one after the other. */
uint64_t triggers_composite_hash(uint64_t hash, const expr_place *place, uint64_t value);
/* Calls `add` with each combination of the key's values. False when one of these was. */
CORE_MUST_CHECK bool triggers_composite_each(const triggers_composite_key *key,
                                             bool (*add)(void *context, uint64_t hash),
                                             void *context);
/* The equalities of the condition that each have few values; false when there are not two. */
CORE_MUST_CHECK bool triggers_composite_of(const triggers_rule_table *crowd,
                                           const expr_condition *condition,
                                           triggers_composite_key *key);
/* Which set the condition stands at best: its number, SIZE_MAX where it has none. `key` (count 0:
 * none) is taken instead where that is better by far: then `*by_composite`. */
size_t triggers_rule_plan_choose(const triggers_rule_plan *plan, const expr_condition *condition,
                                 const triggers_composite_key *key, bool *by_composite);

#endif
