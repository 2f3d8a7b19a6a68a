/* Arithmetic of dates, times and intervals: which operator PostgreSQL takes for which types
 * (pg_operator.dat), and what a literal beside one is; and interval literals with fields. */
#include "expr/compile.h"
#include "expr/interval.h"

typedef struct {
    char sign;
    uint8_t left; /* expr_type_id */
    uint8_t right;
    uint8_t result;
    bool is_swapped; /* the operation takes the right one first */
    const expr_operation *operation;
} rule;

#define DATE     EXPR_TYPE_DATE
#define TIME     EXPR_TYPE_TIME
#define STAMP    EXPR_TYPE_TIMESTAMP
#define ZONED    EXPR_TYPE_TIMESTAMPTZ
#define INTERVAL EXPR_TYPE_INTERVAL
#define INT4     EXPR_TYPE_INT4
#define FLOAT8   EXPR_TYPE_FLOAT8

static const rule rules[] = {
    {'+', DATE, INT4, DATE, false, &expr_operation_date_shift},
    {'+', INT4, DATE, DATE, true, &expr_operation_date_shift},
    {'-', DATE, INT4, DATE, false, &expr_operation_date_shift},
    {'-', DATE, DATE, INT4, false, &expr_operation_date_difference},
    {'+', DATE, TIME, STAMP, false, &expr_operation_date_time},
    {'+', TIME, DATE, STAMP, true, &expr_operation_date_time},
    {'+', DATE, INTERVAL, STAMP, false, &expr_operation_time_shift},
    {'+', INTERVAL, DATE, STAMP, true, &expr_operation_time_shift},
    {'-', DATE, INTERVAL, STAMP, false, &expr_operation_time_shift},
    {'+', STAMP, INTERVAL, STAMP, false, &expr_operation_time_shift},
    {'+', INTERVAL, STAMP, STAMP, true, &expr_operation_time_shift},
    {'-', STAMP, INTERVAL, STAMP, false, &expr_operation_time_shift},
    {'+', ZONED, INTERVAL, ZONED, false, &expr_operation_time_shift},
    {'+', INTERVAL, ZONED, ZONED, true, &expr_operation_time_shift},
    {'-', ZONED, INTERVAL, ZONED, false, &expr_operation_time_shift},
    {'-', STAMP, STAMP, INTERVAL, false, &expr_operation_time_difference},
    {'-', DATE, STAMP, INTERVAL, false, &expr_operation_time_difference},
    {'-', STAMP, DATE, INTERVAL, false, &expr_operation_time_difference},
    {'-', ZONED, ZONED, INTERVAL, false, &expr_operation_time_difference},
    {'+', TIME, INTERVAL, TIME, false, &expr_operation_clock_shift},
    {'+', INTERVAL, TIME, TIME, true, &expr_operation_clock_shift},
    {'-', TIME, INTERVAL, TIME, false, &expr_operation_clock_shift},
    {'-', TIME, TIME, INTERVAL, false, &expr_operation_clock_difference},
    {'+', INTERVAL, INTERVAL, INTERVAL, false, &expr_operation_interval_arithmetic},
    {'-', INTERVAL, INTERVAL, INTERVAL, false, &expr_operation_interval_arithmetic},
    {'*', INTERVAL, FLOAT8, INTERVAL, false, &expr_operation_interval_scale},
    {'*', FLOAT8, INTERVAL, INTERVAL, true, &expr_operation_interval_scale},
    {'/', INTERVAL, FLOAT8, INTERVAL, false, &expr_operation_interval_scale},
};

bool expr_type_is_timed(expr_type type) {
    return expr_type_is_time(type) || expr_type_is(type, TIME) || expr_type_is(type, INTERVAL);
}

/* What a literal is beside a value of that type; NONE: PostgreSQL finds several, or nothing. */
static expr_type_id literal_beside(char sign, expr_type_id other, bool is_left) {
    if (sign == '-')
        return other; /* all of them have one of two alike */
    if (sign == '*' || sign == '/')
        return other == INTERVAL && (sign == '*' || !is_left) ? FLOAT8 : EXPR_TYPE_NONE;
    return sign == '+' && other != DATE && other != TIME ? INTERVAL : EXPR_TYPE_NONE;
}

static const expr_node *literal_take(const expr_compiler *c, char sign, const expr_node *literal,
                                     expr_type other, bool is_left) {
    expr_type_id id = literal_beside(sign, other.id, is_left);
    return id == EXPR_TYPE_NONE ? literal : expr_coerce(c, literal, expr_type_make(id));
}

/* Numbers beside an interval are floats, integers beside a date of four bytes. */
static expr_type_id matched(expr_type type, expr_type other) {
    if (expr_type_is(other, INTERVAL) && expr_type_is_number(type))
        return FLOAT8;
    if (expr_type_is(other, DATE) && expr_type_is(type, EXPR_TYPE_INT2))
        return INT4;
    return type.is_array ? EXPR_TYPE_NONE : type.id;
}

static const rule *rule_find(char sign, expr_type left, expr_type right) {
    expr_type_id left_id = matched(left, right);
    expr_type_id right_id = matched(right, left);
    for (size_t i = 0; i < CORE_COUNT_OF(rules); i++)
        if (rules[i].sign == sign && rules[i].left == left_id && rules[i].right == right_id)
            return &rules[i];
    return NULL;
}

/* As the rule wants it. Beside a timestamp a date is cast before, even where the other is null. */
static const expr_node *argument_make(const expr_compiler *c, const rule *found,
                                      const expr_node *node, expr_type_id id) {
    if (id == DATE && found->operation == &expr_operation_time_difference)
        return expr_make(c, &expr_operation_date_to_start, expr_type_make(STAMP), node->location,
                         &node, 1);
    return expr_coerce(c, node, expr_type_make(id));
}

const expr_node *expr_time_arithmetic(const expr_compiler *c, char sign, const expr_node *left,
                                      const expr_node *right, uint32_t location) {
    if (expr_type_is(left->type, EXPR_TYPE_UNKNOWN))
        left = literal_take(c, sign, left, right->type, true);
    else if (expr_type_is(right->type, EXPR_TYPE_UNKNOWN))
        right = literal_take(c, sign, right, left->type, false);
    if (left == NULL || right == NULL)
        return NULL;
    const rule *found = rule_find(sign, left->type, right->type);
    if (found == NULL)
        return expr_unsupported(c, location, "%.*s %c %.*s is not computed by the engine",
                                CORE_SLICE_ARGS(expr_type_name(left->type)), sign,
                                CORE_SLICE_ARGS(expr_type_name(right->type)));
    const expr_node *arguments[2];
    size_t first = found->is_swapped ? 1 : 0;
    if ((arguments[first] = argument_make(c, found, left, found->left)) == NULL ||
        (arguments[1 - first] = argument_make(c, found, right, found->right)) == NULL)
        return NULL;
    expr_node *node =
        expr_make(c, found->operation, expr_type_make(found->result), location, arguments, 2);
    if (node != NULL)
        node->option = (uint8_t)sign;
    return node;
}

/* ---- INTERVAL '5' DAY ---- */

/* The one modifier of an interval's type; 0: there is another, or none. */
static int64_t fields_of(const PgQuery__TypeName *name) {
    const char *last = name->n_names > 0 ? expr_sql_string(name->names[name->n_names - 1]) : NULL;
    if (last == NULL || strcmp(last, "interval") != 0 || name->n_array_bounds > 0 ||
        name->n_typmods != 1 || name->typmods[0]->node_case != PG_QUERY__NODE__NODE_A_CONST)
        return 0;
    const PgQuery__AConst *fields = name->typmods[0]->a_const;
    return fields->val_case == PG_QUERY__A__CONST__VAL_IVAL ? fields->ival->ival : 0;
}

static const char *literal_of(const PgQuery__Node *tree) {
    bool is_text = tree->node_case == PG_QUERY__NODE__NODE_A_CONST && !tree->a_const->isnull &&
                   tree->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL;
    return is_text ? tree->a_const->sval->sval : NULL;
}

const expr_node *expr_compile_interval(const expr_compiler *c, const PgQuery__TypeCast *cast) {
    int64_t fields = fields_of(cast->type_name);
    const char *text = literal_of(cast->arg);
    uint32_t location = expr_cast_location(c, cast);
    expr_datum value = {.state = EXPR_DATUM_VALUE};
    if (fields == 0 || text == NULL)
        return NULL;
    if (!expr_interval_parse_fields(core_slice_text(text), fields, &value.scalar.interval))
        return expr_unsupported(c, location,
                                "the literal \"%.80s\": an interval is written as the engine does "
                                "not take it",
                                text);
    expr_node *node =
        expr_node_constant(c->condition, expr_type_make(INTERVAL), &value, c->refusal);
    if (node != NULL)
        node->location = location;
    return node;
}
