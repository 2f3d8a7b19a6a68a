/* One table of the stream, and the rules that apply to it, arranged so that a change costs by its
 * matches: rules without a filter in a list, rules with an equality by that column's value, the
 * rest (which must be evaluated each time) in another list.
 *
 * Filters are bound to the table's shape when its first change comes, and again when it changes. A
 * filter that does not fit the shape is told to its subscribers and matches nothing. */
#ifndef WALCAST_WS_HUB_TABLE_H
#define WALCAST_WS_HUB_TABLE_H

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

typedef struct hub_table hub_table;

struct hub_entry {
    hub_rule *rule;
    hub_table *table;
    hub_entry *rule_next;       /* in the rule's list */
    hub_entry *next, *previous; /* in the place's list */
    hub_map_node node;          /* HUB_PLACE_EQUAL: in its group's values */
    expr_bound *bound;          /* NULL: no filter, or not bound */
    hub_place place;
    uint16_t column;  /* HUB_PLACE_EQUAL */
    bool told_delete; /* its subscribers know that deletes cannot be evaluated */
};

typedef struct hub_group hub_group;

struct hub_table {
    hub_map_node node;
    core_block *text; /* holds the two */
    core_slice schema, name;
    hub_shape *shape; /* NULL until a change has come */
    hub_entry *places[HUB_PLACES];
    hub_group *groups;   /* one a column that equalities look at */
    core_value *masked;  /* room for one tuple; see match */
    bool untold_deletes; /* entries came that no delete has been held against */
};

/* What the table has to say about an entry's rule. */
typedef struct {
    void (*matched)(void *context, const hub_rule *rule);
    /* The rule's filter cannot be evaluated: once a shape, or once a table for deletes. */
    void (*problem)(void *context, const hub_rule *rule, const char *text);
    void *context;
} hub_listener;

CORE_MUST_CHECK hub_table *hub_table_new(core_slice schema, core_slice name);
/* Frees its entries too. */
void hub_table_free(hub_table *table);
/* Adds an entry for the rule. A filter that does not fit the known shape is an INPUT error. */
CORE_MUST_CHECK bool hub_table_add(hub_table *table, hub_rule *rule, core_error *error);
void hub_table_drop(hub_entry *entry);
/* Takes the shape of a change's relation over, if it is another. False when memory is out. */
CORE_MUST_CHECK bool hub_table_reshape(hub_table *table, const core_relation *relation,
                                       const hub_listener *listener);
/* Tells every rule that matches the change. The table must have the change's shape. */
void hub_table_match(hub_table *table, const core_change *change, const hub_listener *listener);

#endif
