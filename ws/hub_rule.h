/* A rule: one predicate over one table (or several, by wildcards), whoever asks for it.
 *
 * Bindings of any number of classes that say the same share a rule, so it is evaluated once a
 * change. Where it applies to a table it has an entry there (hub_table.h), which stands among those
 * of the same interest: a rule costs nothing on operations that none of its users wants. */
#ifndef WALCAST_WS_HUB_RULE_H
#define WALCAST_WS_HUB_RULE_H

#include "expr/expr.h"
#include "ws/hub_map.h"

typedef struct hub_class hub_class;
typedef struct hub_entry hub_entry;

/* A class's binding that wants what the rule matches. */
typedef struct {
    hub_class *class;
    uint32_t binding;
    unsigned operations; /* bit N: core_op N */
    bool leaves;         /* also wants to know when a row stops matching */
} hub_user;

/* What a rule's users want together: bit N: core_op N, from INSERT to TRUNCATE; bit 0: leaves. */
typedef unsigned hub_interest;
#define HUB_LEAVES          ((hub_interest)1)
#define HUB_INTEREST_BITS   5
#define HUB_INTERESTS       (1u << HUB_INTEREST_BITS)
#define HUB_INTEREST_OF(op) ((hub_interest)1 << (op))

typedef struct {
    hub_map_node node;
    core_block *text;  /* holds the four */
    core_slice tenant; /* of any schema: whose; else empty, since a schema is somebody's */
    core_slice schema, table, filter;
    const expr_condition *policy; /* of row-level security, held; NULL: none. It only narrows */
    uint64_t policy_serial;       /* of the hub_policy that it is from; 0: none */
    expr_filter *parsed;          /* NULL: everything matches */
    hub_user *users;              /* `only` while one is enough */
    hub_user only;
    uint32_t user_count, user_capacity;
    uint32_t wanted[HUB_INTEREST_BITS]; /* users that want each bit's part */
    hub_entry *entries;                 /* its places in tables */
} hub_rule;

/* What makes a rule. */
typedef struct {
    core_slice tenant; /* whose it is; empty: the source's own project's */
    core_slice schema, table, filter;
    const expr_condition *policy; /* what narrows what its users may see; NULL: nothing known */
    uint64_t policy_serial;
} hub_rule_key;

uint64_t hub_rule_hash(const hub_rule_key *key);
bool hub_rule_is(const hub_rule *rule, const hub_rule_key *key);
/* The rule applies to this table, which is the tenant's. */
bool hub_rule_covers(const hub_rule *rule, core_slice tenant, core_slice schema, core_slice table);
CORE_MUST_CHECK hub_rule *hub_rule_new(const hub_rule_key *key, core_error *error);
/* It must have no user and no entry. */
void hub_rule_free(hub_rule *rule);
hub_interest hub_rule_interest(const hub_rule *rule);
/* `*position` is where the user stands until hub_rule_drop_user says otherwise. False when memory
 * is out. */
CORE_MUST_CHECK bool hub_rule_add_user(hub_rule *rule, const hub_user *user, uint32_t *position);
/* The last user takes the place that becomes free; returns it so that its owner can be told, or
 * NULL when none moved. */
const hub_user *hub_rule_drop_user(hub_rule *rule, uint32_t position);

#endif
