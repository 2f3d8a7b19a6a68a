/* A condition's inside. Private to expr. */
#ifndef WALCAST_EXPR_CONDITION_H
#define WALCAST_EXPR_CONDITION_H

#include "expr/node.h"

#include <stdatomic.h>

typedef struct expr_pattern expr_pattern;
/* A regular expression that nodes use; freed with the condition. */
struct expr_pattern {
    expr_regex *regex;
    expr_pattern *next;
};

struct expr_condition {
    _Atomic uint32_t references;
    const expr_condition
        *origin; /* held: nodes of it are used here; NULL of one that was compiled */
    core_arena arena;
    expr_pattern *patterns;
    const expr_node *root;
    core_slice text; /* canonical */
    uint64_t hash;
};

/* Of an empty condition with one reference; NULL when memory is out. */
CORE_MUST_CHECK expr_condition *expr_condition_make(size_t chunk_bytes);
/* Puts the finished root in and writes the canonical text (condition_text.c). False when it does
 * not fit. */
CORE_MUST_CHECK bool expr_condition_finish(expr_condition *condition, const expr_node *root);

/* A node without arguments' facts; counts weight and depth. NULL with a refusal. `arguments` are
 * copied. */
CORE_MUST_CHECK expr_node *expr_node_new(expr_condition *condition, const expr_operation *operation,
                                         expr_type type, const expr_node *const *arguments,
                                         size_t count, expr_refusal *refusal);
/* A shallow copy, to be changed. */
CORE_MUST_CHECK expr_node *expr_node_copy(expr_condition *condition, const expr_node *node,
                                          expr_refusal *refusal);
CORE_MUST_CHECK expr_node *expr_node_constant(expr_condition *condition, expr_type type,
                                              const expr_datum *value, expr_refusal *refusal);

/* What PostgreSQL's planner computes beforehand, in its order; with `settings` also what hangs on
 * them. Without them an error in a constant is a refusal, as PostgreSQL raises it for every row;
 * with them it stays where it is. NULL with the refusal; its position is `location` of the node. */
CORE_MUST_CHECK const expr_node *expr_simplify(expr_condition *condition, const expr_node *root,
                                               const expr_settings *settings,
                                               expr_refusal *refusal);

/* The typed tree of the condition's text, not simplified. False with the refusal. */
CORE_MUST_CHECK bool expr_condition_compile_root(const expr_condition_spec *spec,
                                                 expr_condition *condition, expr_refusal *refusal,
                                                 const expr_node **root);
/* Of one conjunct: the values that it takes of one column of that image, perhaps none
 * (condition_key.c). False when it is of another kind. */
CORE_MUST_CHECK bool expr_conjunct_key(const expr_node *node, bool is_old, expr_key *key);

#endif
