/* From PostgreSQL's parse tree to typed nodes; what the compile_*.c share. Private to expr.
 *
 * Each function returns a node, or NULL when the refusal is filled. */
#ifndef WALCAST_EXPR_COMPILE_H
#define WALCAST_EXPR_COMPILE_H

#include "expr/condition.h"
#include "expr/operations.h"
#include "expr/sql.h"

#define EXPR_CALL_DEPTH_MAX 16u

/* The call whose body is compiled. */
typedef struct expr_call expr_call;
struct expr_call {
    const expr_function *function;
    const char *name;
    const expr_node *const *arguments;
    uint32_t location;
    unsigned depth;
};

typedef struct {
    const expr_condition_spec *spec;
    expr_condition *condition;
    expr_refusal *refusal;
    const expr_call *call; /* NULL outside of functions */
    size_t prefix;         /* as in expr_sql, of the tree at hand */
    unsigned depth;
    unsigned selects; /* sub-selects around */
} expr_compiler;

/* ---- compile.c ---- */
CORE_MUST_CHECK const expr_node *expr_compile(expr_compiler *c, const PgQuery__Node *tree);
CORE_MUST_CHECK const expr_node *expr_compile_boolean(expr_compiler *c, const PgQuery__Node *tree,
                                                      const char *of_what);
/* Where a tree's location is in the condition's text, as nodes have it. */
uint32_t expr_location(const expr_compiler *c, int64_t location);
const expr_node *expr_unsupported(const expr_compiler *c, uint32_t location, const char *format,
                                  ...) CORE_PRINTF(3, 4);
const expr_node *expr_wrong(const expr_compiler *c, uint32_t location, const char *format, ...)
    CORE_PRINTF(3, 4);
CORE_MUST_CHECK expr_node *expr_make(const expr_compiler *c, const expr_operation *operation,
                                     expr_type type, uint32_t location,
                                     const expr_node *const *arguments, size_t count);
/* A null of that type. */
CORE_MUST_CHECK const expr_node *expr_null(const expr_compiler *c, expr_type type,
                                           uint32_t location);
/* Whether it is null, or not; a column's value is not read for that. */
CORE_MUST_CHECK const expr_node *expr_null_test(const expr_compiler *c, const expr_node *argument,
                                                bool is_negated, uint32_t location);
/* What texts of these are compared by, together. */
expr_collating expr_collating_of(const expr_node *const *nodes, size_t count);
/* Refuses where it is not known which texts are equal, or (`orders`) which comes first. */
CORE_MUST_CHECK bool expr_collating_serves(const expr_compiler *c, expr_collating collating,
                                           bool orders, uint32_t location);

/* ---- compile_cast.c ---- */
/* The node as that type, by an implicit cast. */
CORE_MUST_CHECK const expr_node *expr_coerce(const expr_compiler *c, const expr_node *node,
                                             expr_type type);
/* The same by the explicit one. */
CORE_MUST_CHECK const expr_node *expr_cast(const expr_compiler *c, const expr_node *node,
                                           expr_type type, uint32_t location);
CORE_MUST_CHECK const expr_node *expr_compile_cast(expr_compiler *c, const PgQuery__TypeCast *cast);
uint32_t expr_cast_location(const expr_compiler *c, const PgQuery__TypeCast *cast);
/* The type of that name; false with the refusal. */
CORE_MUST_CHECK bool expr_type_named(const expr_compiler *c, const PgQuery__TypeName *name,
                                     expr_type *type, uint32_t location);
/* The array's elements of constants and expressions, in a node that only ANY, ALL and paths look
 * into. */
extern const expr_operation expr_operation_array;
static inline bool expr_node_is_array(const expr_node *node) {
    return node->operation == &expr_operation_array;
}

/* ---- compile_operator.c ---- */
CORE_MUST_CHECK const expr_node *expr_compile_operator(expr_compiler *c,
                                                       const PgQuery__AExpr *tree);
/* left OP right of the comparisons; `op` is an expr_op. */
CORE_MUST_CHECK const expr_node *expr_compare(const expr_compiler *c, uint8_t op,
                                              const expr_node *left, const expr_node *right,
                                              uint32_t location);
/* Brings both to what they are compared as; `kind` says how. */
CORE_MUST_CHECK bool expr_compare_types(const expr_compiler *c, uint8_t op, const expr_node **left,
                                        const expr_node **right, uint8_t *kind, uint32_t location);
/* + - * / % and the signs (left is NULL). */
CORE_MUST_CHECK const expr_node *expr_arithmetic(const expr_compiler *c, char sign,
                                                 const expr_node *left, const expr_node *right,
                                                 uint32_t location);
/* Those of texts and json, by name; NULL without a refusal where there is none. */
CORE_MUST_CHECK const expr_node *expr_text_operator(const expr_compiler *c, const char *name,
                                                    const expr_node *left, const expr_node *right,
                                                    uint32_t location);
CORE_MUST_CHECK const expr_node *expr_json_operator(const expr_compiler *c, const char *name,
                                                    const expr_node *left, const expr_node *right,
                                                    uint32_t location);

/* ---- compile_time.c ---- */
/* A date, a time, an interval: what time arithmetic has on one side at least. */
bool expr_type_is_timed(expr_type type);
CORE_MUST_CHECK const expr_node *expr_time_arithmetic(const expr_compiler *c, char sign,
                                                      const expr_node *left, const expr_node *right,
                                                      uint32_t location);
/* An interval literal with fields (interval '5' day); NULL without a refusal: it is none. */
CORE_MUST_CHECK const expr_node *expr_compile_interval(const expr_compiler *c,
                                                       const PgQuery__TypeCast *cast);

/* ---- compile_part.c ---- */
/* A function of times by its name; NULL without a refusal where there is none. */
CORE_MUST_CHECK const expr_node *expr_time_call(const expr_compiler *c, const char *name,
                                                const expr_node *const *arguments, size_t count,
                                                uint32_t location);
/* Refuse an EXTRACT where its type counts, which is another in another version: as an operand of a
 * comparison, of a cast, of anything else. */
CORE_MUST_CHECK bool expr_extract_compares(const expr_compiler *c, const expr_node *left,
                                           const expr_node *right, uint32_t location);
CORE_MUST_CHECK bool expr_extract_casts(const expr_compiler *c, const expr_node *node,
                                        expr_type type);
CORE_MUST_CHECK bool expr_extract_serves(const expr_compiler *c, const expr_node *node);

/* ---- compile_contains.c: @>, <@ and && in the same way ---- */
CORE_MUST_CHECK const expr_node *expr_contains_operator(const expr_compiler *c, const char *name,
                                                        const expr_node *left,
                                                        const expr_node *right, uint32_t location);

/* ---- compile_list.c: IN, ANY, ALL, ARRAY[], CASE, COALESCE, GREATEST, LEAST ---- */
CORE_MUST_CHECK const expr_node *expr_compile_in(expr_compiler *c, const PgQuery__AExpr *tree);
CORE_MUST_CHECK const expr_node *
expr_compile_quantified(expr_compiler *c, const PgQuery__AExpr *tree, const char *name);
/* value OP ANY/ALL (array) of an array that is no list of nodes. */
CORE_MUST_CHECK const expr_node *expr_any_of_array(const expr_compiler *c, uint8_t op, bool is_any,
                                                   const expr_node *value, const expr_node *array,
                                                   uint32_t location);
CORE_MUST_CHECK const expr_node *expr_compile_array(expr_compiler *c,
                                                    const PgQuery__AArrayExpr *tree);
CORE_MUST_CHECK const expr_node *expr_compile_case(expr_compiler *c, const PgQuery__CaseExpr *tree);
CORE_MUST_CHECK const expr_node *expr_compile_coalesce(expr_compiler *c,
                                                       const PgQuery__CoalesceExpr *tree);
CORE_MUST_CHECK const expr_node *expr_compile_extreme(expr_compiler *c,
                                                      const PgQuery__MinMaxExpr *tree);

/* ---- compile_select.c ---- */
CORE_MUST_CHECK const expr_node *expr_compile_select(expr_compiler *c,
                                                     const PgQuery__SubLink *tree);

/* ---- compile_call.c ---- */
CORE_MUST_CHECK const expr_node *expr_compile_call(expr_compiler *c, const PgQuery__FuncCall *tree);
CORE_MUST_CHECK const expr_node *expr_compile_value_function(expr_compiler *c,
                                                             const PgQuery__SQLValueFunction *tree);

/* Comparison operators by name: an expr_op, -1 for all others. */
int expr_comparison_of(const char *name);

#endif
