/* One table of the stream, and the rules that apply to it, arranged so that a change costs by its
 * matches.
 *
 * Entries stand apart by their interest (which operations their rule's users want), so an operation
 * looks only at those that want it. Among these are rules without a filter in a list; rules with an
 * `eq` or `in` by that column's values, of several such conditions by the one that the
 * fewest others share; those whose policy is an OR over several columns (`is_public OR owner = 7`)
 * by each of them; the rest, which must be evaluated each time, in another list.
 *
 * Filters are bound to the table's shape when its first change comes, and again when it changes. A
 * filter that does not fit the shape is told to its subscribers and matches nothing. */
#ifndef WALCAST_WS_HUB_TABLE_H
#define WALCAST_WS_HUB_TABLE_H

#include "ws/hub_group.h"
#include "ws/hub_rule.h"
#include "ws/hub_shape.h"

typedef enum {
    HUB_PLACE_UNBOUND, /* no shape yet */
    HUB_PLACE_PLAIN,
    HUB_PLACE_EQUAL,
    HUB_PLACE_RESIDUAL,
    HUB_PLACE_BROKEN, /* does not fit the shape */
    HUB_PLACES
} hub_place;

/* What cannot be told of changes whose old image is only the key: to be said once a shape to those
 * whose filter reads other columns. */
typedef enum { HUB_UNTOLD_DELETE, HUB_UNTOLD_LEAVE, HUB_UNTOLDS } hub_untold;

typedef struct hub_table hub_table;

struct hub_entry {
    hub_link link;     /* beside what a match needs: of 100,000 entries none is in the cache */
    expr_bound *bound; /* NULL: no filter, or not bound */
    hub_rule *rule;
    uint16_t link_count;
    uint8_t place;   /* hub_place */
    bool several;    /* HUB_PLACE_EQUAL: a row can find it by more than one column */
    bool policy_key; /* HUB_PLACE_EQUAL: what it is found by is its policy's, not its filter's */
    hub_link *links; /* HUB_PLACE_EQUAL: one for each value, column by column; `link` when one is
                        enough */
    hub_table *table;
    hub_entry *rule_next;       /* in the rule's list */
    hub_entry *next, *previous; /* in the place's list */
    uint64_t round; /* in which it was found last; only where it stands under several columns */
    uint8_t interest;
    bool by_policy;   /* its rule's policy is of the table's present shape */
    bool keys_only;   /* the filter reads only key columns: old keys are enough */
    bool told_update; /* that an update did not carry what the filter reads */
    bool told[HUB_UNTOLDS];
    bool waits[HUB_UNTOLDS]; /* stands in the table's list of untold */
    struct {
        hub_entry *next, *previous;
    } untold[HUB_UNTOLDS];
};

/* Entries of one interest. */
typedef struct {
    hub_entry *places[HUB_PLACES];
    hub_group *groups; /* one a column that equalities look at */
} hub_shelf;

struct hub_table {
    hub_map_node node;
    core_block *text; /* holds the two */
    core_slice schema, name;
    hub_shape *shape;                  /* NULL until a change has come */
    hub_shelf *shelves[HUB_INTERESTS]; /* NULL until an entry is of that interest */
    size_t entry_count;
    hub_entry *untold[HUB_UNTOLDS];
    core_value *masked; /* room for one tuple; see hub_match.c */
    uint64_t round;     /* look-ups so far */
};

/* What the table has to say about an entry's rule. */
typedef struct {
    void (*matched)(void *context, const hub_rule *rule);
    /* The old row matched, the new one does not: only of rules with a user that wants leaves. */
    void (*left)(void *context, const hub_rule *rule);
    /* The rule's filter cannot be evaluated: once a shape; of updates, deletes and leaves once. */
    void (*problem)(void *context, const hub_rule *rule, const char *text);
    void *context;
} hub_listener;

CORE_MUST_CHECK hub_table *hub_table_new(core_slice schema, core_slice name);
/* Frees its entries too. */
void hub_table_free(hub_table *table);
/* Adds an entry for the rule, whose interest counts. A filter that does not fit the known shape is
 * an INPUT error. */
CORE_MUST_CHECK bool hub_table_add(hub_table *table, hub_rule *rule, core_error *error);
void hub_table_drop(hub_entry *entry);
/* After the interest of the entry's rule may have changed: moves it. False when memory is out. */
CORE_MUST_CHECK bool hub_table_settle(hub_entry *entry);
/* Takes the shape of a change's relation over, if it is another. False when memory is out. */
CORE_MUST_CHECK bool hub_table_reshape(hub_table *table, const core_relation *relation,
                                       const hub_listener *listener);
/* Takes the entry out of a list of untold, if it stands there. */
void hub_table_told(hub_entry *entry, hub_untold what);
/* Tells every rule that matches the change, or that the row has left. The table must have the
 * change's shape. */
void hub_table_match(hub_table *table, const core_change *change, const hub_listener *listener);

#endif
