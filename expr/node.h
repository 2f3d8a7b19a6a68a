/* A compiled condition as a tree of typed operations, and what an operation works on.
 *
 * Private to expr. Nodes are immutable once made, live in their condition's arena and may be shared
 * by several parents and by the conditions folded from theirs. An operation is either strict, and
 * gets its arguments' values once they are all there, or evaluates its arguments itself. */
#ifndef WALCAST_EXPR_NODE_H
#define WALCAST_EXPR_NODE_H

#include "expr/expr.h"
#include "expr/regex.h"
#include "expr/type.h"

#define EXPR_ARGUMENTS_MAX 3 /* of a strict operation */

typedef enum {
    EXPR_DATUM_VALUE = 0,
    EXPR_DATUM_NULL,
    EXPR_DATUM_MISSING,   /* it hangs on a value that the change does not carry */
    EXPR_DATUM_UNDECIDED, /* only PostgreSQL can tell */
    EXPR_DATUM_ERROR,     /* PostgreSQL raises an error */
} expr_datum_state;

typedef struct {
    expr_datum_state state;
    const char *reason; /* static; of UNDECIDED and ERROR */
    /* Of the node's type. char(n) with its blanks; arrays, json and jsonb as their text. */
    expr_scalar scalar;
} expr_datum;

/* One evaluation: the rows, and memory for what it makes of them. */
typedef struct {
    const core_tuple *tuples[2]; /* new, old; NULL: there is no such row, all is null */
    uint8_t *scratch;
    size_t scratch_left;
} expr_evaluation;

typedef struct expr_node expr_node;

typedef struct {
    const char *name; /* in the canonical text */
    bool raises;      /* PostgreSQL can raise an error here, whatever the arguments do */
    /* Strict: all arguments are values. */
    void (*apply)(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                  expr_datum *result);
    /* Or this. */
    void (*evaluate)(const expr_node *node, expr_evaluation *at, expr_datum *result);
    /* Why it is not for the engine with the constants that it has; NULL: it is. May be NULL. */
    const char *(*refuse)(const expr_node *node);
} expr_operation;

/* What an expression's texts are ordered by; see expr_collation. */
typedef struct {
    expr_collation collation;
    bool is_explicit;
    bool conflicts;  /* several that are not the same */
    uint16_t column; /* from 1: whose own it is, of one image or both; 0: of no one column */
} expr_collating;

struct expr_node {
    const expr_operation *operation;
    const void *owner; /* the condition in whose arena it lives */
    expr_type type;
    expr_collating collating;
    bool raises;       /* this or something below can end in an error */
    bool reads_row;    /* below is a column */
    bool reads_claims; /* below is a setting */
    uint8_t kind;      /* expr_scalar_kind that is compared, of comparisons */
    uint8_t option;    /* what else an operation is told */
    uint16_t depth;
    uint16_t weight; /* nodes from here down, counted as often as they are reached */
    uint16_t argument_count;
    uint32_t location; /* byte in the text of the condition, from 1; 0: not told */
    const expr_node **arguments;
    union {
        expr_datum constant;
        expr_regex *regex;
        struct {
            uint16_t index;
            bool is_old;
            uint8_t row_kind; /* as expr_row_hash takes the column's values; `kind`: as read here */
        } column;
    };
};

static inline void expr_node_evaluate(const expr_node *node, expr_evaluation *at,
                                      expr_datum *result);
void expr_node_strict(const expr_node *node, expr_evaluation *at, expr_datum *result);

static inline void expr_node_evaluate(const expr_node *node, expr_evaluation *at,
                                      expr_datum *result) {
    if (node->operation->evaluate != NULL)
        node->operation->evaluate(node, at, result);
    else
        expr_node_strict(node, at, result);
}

extern const expr_operation expr_operation_constant;
extern const expr_operation expr_operation_column;
extern const expr_operation expr_operation_claims;
extern const expr_operation expr_operation_role;
extern const expr_operation expr_operation_unset; /* a setting that is never set */

static inline bool expr_node_is_constant(const expr_node *node) {
    return node->operation == &expr_operation_constant;
}
/* A constant that is a value or null. */
static inline bool expr_node_is_known(const expr_node *node) {
    return expr_node_is_constant(node) && node->constant.state <= EXPR_DATUM_NULL;
}
static inline bool expr_node_is_null(const expr_node *node) {
    return expr_node_is_constant(node) && node->constant.state == EXPR_DATUM_NULL;
}

static inline void expr_datum_null(expr_datum *result) {
    result->state = EXPR_DATUM_NULL;
}
static inline void expr_datum_integer(expr_datum *result, int64_t value) {
    result->state = EXPR_DATUM_VALUE;
    result->scalar.integer = value;
}
static inline void expr_datum_bool(expr_datum *result, bool value) {
    expr_datum_integer(result, value ? 1 : 0);
}
static inline void expr_datum_real(expr_datum *result, double value) {
    result->state = EXPR_DATUM_VALUE;
    result->scalar.real = value;
}
static inline void expr_datum_text(expr_datum *result, core_slice text) {
    result->state = EXPR_DATUM_VALUE;
    result->scalar.text = text;
}
static inline void expr_datum_error(expr_datum *result, const char *reason) {
    result->state = EXPR_DATUM_ERROR;
    result->reason = reason;
}
static inline void expr_datum_undecided(expr_datum *result, const char *reason) {
    result->state = EXPR_DATUM_UNDECIDED;
    result->reason = reason;
}

/* Memory until the evaluation's end; NULL, with an undecided result, when it is used up. */
uint8_t *expr_scratch_take(expr_evaluation *at, size_t length, expr_datum *result);

/* A copy whose bytes are the arena's. False when it is full. */
CORE_MUST_CHECK bool expr_datum_copy(core_arena *arena, expr_type type, const expr_datum *from,
                                     expr_datum *to);

#endif
