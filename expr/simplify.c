/* Computes what is constant; see condition.h.
 *
 * In the order of PostgreSQL's planner (eval_const_expressions,
 * src/backend/optimizer/util/clauses.c): left to right, and not behind what decides (false in AND,
 * true in OR, a true WHEN, a value in COALESCE), since an error in a constant is raised where, and
 * only where, the planner gets to it. PostgreSQL does not know settings when it plans: what hangs
 * on them is computed for each row, so an error there stays a node that ends in it, if a row gets
 * there. */
#include "expr/array.h"
#include "expr/compile.h"

#include <stdlib.h>

#define SCRATCH_BYTES (2 * EXPR_CONDITION_TEXT_MAX)

typedef struct {
    expr_condition *condition;
    const expr_settings *settings;
    expr_refusal *refusal;
    uint8_t *scratch;
} simplifier;

static const expr_node *simplify(simplifier *s, const expr_node *node);

static const expr_node *refuse(const simplifier *s, const expr_node *node, expr_refusal_kind kind,
                               const char *reason) {
    s->refusal->position = node->location; /* a byte's place: the caller makes characters of it */
    s->refusal->kind = kind;
    (void)core_error_set(&s->refusal->error,
                         kind == EXPR_REFUSED_LIMIT    ? CORE_ERROR_LIMIT
                         : kind == EXPR_REFUSED_MEMORY ? CORE_ERROR_INTERNAL
                                                       : CORE_ERROR_INPUT,
                         "%s", reason);
    return NULL;
}

/* The node's value as a constant. */
static const expr_node *constant_of(const simplifier *s, const expr_node *node,
                                    const expr_datum *value) {
    if (s->settings == NULL && value->state == EXPR_DATUM_ERROR)
        return refuse(s, node, EXPR_REFUSED_WRONG, value->reason);
    if (s->settings == NULL && value->state == EXPR_DATUM_UNDECIDED)
        return refuse(s, node, EXPR_REFUSED_UNSUPPORTED, value->reason);
    expr_node *made = expr_node_constant(s->condition, node->type, value, s->refusal);
    if (made == NULL)
        return NULL;
    made->location = node->location;
    made->collating = node->collating;
    return made;
}

static const expr_node *null_of(const simplifier *s, const expr_node *node) {
    return constant_of(s, node, &(expr_datum){.state = EXPR_DATUM_NULL});
}

/* What PostgreSQL's planner does not compute beforehand, since it may hang on a setting: texts into
 * times, and what is done with a timestamptz. */
static bool is_stable(const expr_node *node) {
    if (node->operation == &expr_operation_parse)
        return expr_type_is_timed(node->type);
    if (node->operation == &expr_operation_part)
        return expr_type_is(node->arguments[0]->type, EXPR_TYPE_TIMESTAMPTZ);
    return expr_type_is(node->type, EXPR_TYPE_TIMESTAMPTZ) &&
           (node->operation == &expr_operation_time_shift ||
            node->operation == &expr_operation_trunc);
}

/* Evaluates one whose arguments are all constants. */
static const expr_node *compute(simplifier *s, const expr_node *node) {
    expr_evaluation at = {.scratch = s->scratch, .scratch_left = SCRATCH_BYTES};
    expr_datum value;
    expr_node_evaluate(node, &at, &value);
    bool is_left = s->settings == NULL && value.state != EXPR_DATUM_UNDECIDED && is_stable(node);
    return is_left ? node : constant_of(s, node, &value);
}

/* The same node over other arguments. */
static const expr_node *rebuilt(const simplifier *s, const expr_node *node,
                                const expr_node *const *arguments, size_t count) {
    bool same = count == node->argument_count;
    for (size_t i = 0; same && i < count; i++)
        same = arguments[i] == node->arguments[i];
    if (same)
        return node;
    expr_node *made =
        expr_node_new(s->condition, node->operation, node->type, arguments, count, s->refusal);
    if (made == NULL)
        return NULL;
    made->location = node->location;
    made->collating = node->collating;
    made->kind = node->kind;
    made->option = node->option;
    made->regex = node->regex;
    made->reads_claims = made->reads_claims || node->operation == &expr_operation_subselect;
    return made;
}

static const expr_node **room_of(const simplifier *s, const expr_node *node) {
    const expr_node **room = core_arena_array(&s->condition->arena, node->argument_count + 2u,
                                              sizeof(const expr_node *));
    if (room == NULL)
        (void)refuse(s, node, EXPR_REFUSED_LIMIT, "the expression is too large");
    return room;
}

/* ---- What does not look at all its arguments ---- */

static const expr_node *junction_simplify(simplifier *s, const expr_node *node) {
    bool decisive = node->operation == &expr_operation_or;
    const expr_node **kept = room_of(s, node);
    size_t count = 0;
    bool raises = false;
    for (size_t i = 0; kept != NULL && i < node->argument_count; i++) {
        const expr_node *next = simplify(s, node->arguments[i]);
        if (next == NULL)
            return NULL;
        bool is_value = expr_node_is_constant(next) && next->constant.state == EXPR_DATUM_VALUE;
        bool decides = is_value && (next->constant.scalar.integer != 0) == decisive;
        if (decides && (s->settings == NULL || !raises))
            return next;
        if (is_value && !decides)
            continue;
        if (expr_node_is_constant(next) && next->constant.state == EXPR_DATUM_ERROR && count == 0)
            return next;
        kept[count++] = next;
        raises = raises || next->raises;
        if (decides)
            break;
    }
    if (kept == NULL)
        return NULL;
    if (count == 0) {
        expr_datum value = {.state = EXPR_DATUM_VALUE, .scalar.integer = decisive ? 0 : 1};
        return constant_of(s, node, &value);
    }
    return count == 1 ? kept[0] : rebuilt(s, node, kept, count);
}

static const expr_node *case_simplify(simplifier *s, const expr_node *node) {
    const expr_node **kept = room_of(s, node);
    size_t count = 0;
    if (kept == NULL)
        return NULL;
    for (size_t i = 0; i < node->argument_count; i += 2) {
        bool is_else = i + 1 == node->argument_count;
        const expr_node *when = is_else ? NULL : simplify(s, node->arguments[i]);
        if (!is_else && when == NULL)
            return NULL;
        bool is_known = !is_else && expr_node_is_known(when);
        bool is_true = is_known && !expr_node_is_null(when) && when->constant.scalar.integer != 0;
        if (is_known && !is_true)
            continue;
        if (!is_else && !is_known && expr_node_is_constant(when) && count == 0) {
            expr_datum value = when->constant; /* an error, or undecided */
            return constant_of(s, node, &value);
        }
        const expr_node *result = simplify(s, node->arguments[is_else ? i : i + 1]);
        if (result == NULL)
            return NULL;
        if (!is_else && !is_true)
            kept[count++] = when;
        kept[count++] = result;
        if (is_true)
            break;
    }
    return count == 1 ? kept[0] : rebuilt(s, node, kept, count);
}

static const expr_node *coalesce_simplify(simplifier *s, const expr_node *node) {
    const expr_node **kept = room_of(s, node);
    size_t count = 0;
    for (size_t i = 0; kept != NULL && i < node->argument_count; i++) {
        const expr_node *next = simplify(s, node->arguments[i]);
        if (next == NULL)
            return NULL;
        if (expr_node_is_null(next))
            continue;
        kept[count++] = next;
        if (expr_node_is_constant(next))
            break;
    }
    if (kept == NULL)
        return NULL;
    if (count == 0)
        return null_of(s, node);
    return count == 1 ? kept[0] : rebuilt(s, node, kept, count);
}

/* ---- Leaves, patterns, json ---- */

static const expr_node *setting_simplify(const simplifier *s, const expr_node *node) {
    expr_datum value = {.state = EXPR_DATUM_NULL};
    if (s->settings == NULL)
        return node;
    core_slice text = {.data = NULL};
    if (node->operation == &expr_operation_claims)
        text = s->settings->claims_json;
    else if (node->operation == &expr_operation_role)
        text = core_slice_text(s->settings->role);
    if (text.length > EXPR_CONDITION_TEXT_MAX)
        return refuse(s, node, EXPR_REFUSED_LIMIT, "the claims are too long for the engine");
    if (text.data != NULL)
        expr_datum_text(&value, text);
    return constant_of(s, node, &value);
}

/* The refusals of filters say so; here they do not. */
static const char *pattern_reason(const core_error *error) {
    static const char filter[] = "filter: ";
    bool has = strncmp(error->text, filter, sizeof filter - 1) == 0;
    return has ? error->text + sizeof filter - 1 : error->text;
}

/* Compiles the pattern of a regex node, once it is known. */
static const expr_node *pattern_prepare(const simplifier *s, const expr_node *node) {
    const expr_node *pattern = node->arguments[1];
    bool folds = (node->option & EXPR_PATTERN_FOLD) != 0;
    if (node->regex != NULL || !expr_node_is_known(pattern) || expr_node_is_null(pattern))
        return node;
    core_slice text = pattern->constant.scalar.text;
    bool is_ascii = expr_text_is_ascii(text);
    if (folds && (node->option & EXPR_PATTERN_LOCAL) != 0 && !is_ascii)
        return refuse(s, node, EXPR_REFUSED_UNSUPPORTED,
                      "which letters outside ASCII are one in two cases hangs on a locale");
    core_error error;
    expr_pattern *kept = core_arena_alloc(&s->condition->arena, sizeof *kept);
    expr_node *made = expr_node_copy(s->condition, node, s->refusal);
    if (kept == NULL || made == NULL)
        return refuse(s, node, EXPR_REFUSED_LIMIT, "the expression is too large");
    expr_regex *regex = expr_regex_new(text, folds, &error);
    if (regex == NULL || !expr_regex_prepare(regex)) {
        expr_regex_free(regex);
        return refuse(s, node, EXPR_REFUSED_UNSUPPORTED,
                      regex == NULL ? pattern_reason(&error) : "no memory");
    }
    *kept = (expr_pattern){.regex = regex, .next = s->condition->patterns};
    s->condition->patterns = kept;
    made->regex = regex;
    if (!folds && !expr_pattern_is_local(text))
        made->option &= (uint8_t)~EXPR_PATTERN_LOCAL;
    return made;
}

/* A text that is known as json. */
static const expr_node *json_simplify(const simplifier *s, const expr_node *node) {
    const expr_datum *text = &node->arguments[0]->constant;
    expr_datum value = *text;
    if (text->state == EXPR_DATUM_VALUE && expr_type_is(node->type, EXPR_TYPE_JSONB)) {
        (void)expr_jsonb_normalize(text->scalar.text, &s->condition->arena, &value);
        if (value.state == EXPR_DATUM_VALUE && value.scalar.text.data == NULL)
            return refuse(s, node, EXPR_REFUSED_LIMIT, "the claims are too long for the engine");
    } else if (text->state == EXPR_DATUM_VALUE && !core_json_valid(text->scalar.text)) {
        expr_datum_undecided(&value, "a json text is not one that the engine reads");
    }
    return constant_of(s, node, &value);
}

/* ---- An array that is known becomes a list of constants, which can be a key ---- */

#define LIST_MAX 256u

/* The elements; their number, or SIZE_MAX where it must stay an array. */
static size_t elements_make(const simplifier *s, const expr_node *node,
                            const expr_node *elements[LIST_MAX]) {
    expr_evaluation at = {.scratch = s->scratch, .scratch_left = SCRATCH_BYTES};
    expr_array array = expr_array_make(node->arguments[1]->constant.scalar.text);
    expr_type type = node->arguments[1]->type;
    expr_datum element;
    size_t count = 0;
    type.is_array = false;
    while (expr_array_next(&array, &at, node->kind, &element)) {
        if (count == LIST_MAX || element.state > EXPR_DATUM_NULL)
            return SIZE_MAX;
        elements[count] = expr_node_constant(s->condition, type, &element, s->refusal);
        if (elements[count++] == NULL)
            return SIZE_MAX;
    }
    return array.failed ? SIZE_MAX : count;
}

static const expr_node *array_simplify(const simplifier *s, const expr_node *node) {
    const expr_node *list[LIST_MAX + 1];
    bool is_any = node->operation == &expr_operation_any_array;
    if (node->arguments[1]->constant.state != EXPR_DATUM_VALUE)
        return node;
    size_t count = elements_make(s, node, list + 1);
    if (s->refusal->kind != EXPR_REFUSED_NOT)
        return NULL;
    if (count == SIZE_MAX)
        return node;
    list[0] = node->arguments[0];
    expr_node *made =
        expr_node_new(s->condition, is_any ? &expr_operation_any : &expr_operation_all, node->type,
                      list, count + 1, s->refusal);
    if (made == NULL)
        return NULL;
    made->location = node->location;
    made->collating = node->collating;
    made->kind = node->kind;
    made->option = node->option;
    return made;
}

/* ---- All others ---- */

static bool is_strict(const expr_node *node) {
    return node->operation->apply != NULL;
}

/* What a constant among the arguments of a strict operation makes of it; `found` false: nothing. */
static const expr_node *strict_simplify(const simplifier *s, const expr_node *node, bool *found) {
    bool has_null = false;
    bool raises = false;
    *found = true;
    for (size_t i = 0; i < node->argument_count; i++) {
        const expr_node *argument = node->arguments[i];
        if (expr_node_is_constant(argument) && argument->constant.state == EXPR_DATUM_ERROR)
            return constant_of(s, node, &argument->constant);
        has_null = has_null || expr_node_is_null(argument);
        raises = raises || argument->raises;
    }
    if (has_null && (s->settings == NULL || !raises))
        return null_of(s, node);
    *found = false;
    return NULL;
}

static const expr_node *general_simplify(simplifier *s, const expr_node *node) {
    const expr_node **arguments = room_of(s, node);
    bool all_constant = node->argument_count > 0;
    bool found = false;
    for (size_t i = 0; arguments != NULL && i < node->argument_count; i++) {
        if ((arguments[i] = simplify(s, node->arguments[i])) == NULL)
            return NULL;
        all_constant = all_constant && expr_node_is_constant(arguments[i]);
    }
    if (arguments == NULL)
        return NULL;
    if (node->operation == &expr_operation_subselect && s->settings != NULL)
        return arguments[0];
    bool is_select = node->operation == &expr_operation_subselect;
    if ((node = rebuilt(s, node, arguments, node->argument_count)) == NULL || is_select)
        return node;
    if (is_strict(node)) {
        const expr_node *made = strict_simplify(s, node, &found);
        if (found)
            return made;
    }
    const char *reason = node->operation->refuse != NULL && s->settings == NULL
                             ? node->operation->refuse(node)
                             : NULL;
    if (reason != NULL)
        return refuse(s, node, EXPR_REFUSED_UNSUPPORTED, reason);
    if (node->operation == &expr_operation_nullif && s->settings == NULL &&
        (all_constant || expr_node_is_null(node->arguments[0]) ||
         expr_node_is_null(node->arguments[1])))
        return refuse(s, node, EXPR_REFUSED_UNSUPPORTED, /* since 14 its planner computes it */
                      "NULLIF of constants hangs on the server's version");
    if (node->operation == &expr_operation_regex && (node = pattern_prepare(s, node)) == NULL)
        return NULL;
    if (node->operation == &expr_operation_text_to_json && all_constant)
        return json_simplify(s, node);
    bool is_array = node->operation == &expr_operation_any_array ||
                    node->operation == &expr_operation_all_array;
    if (is_array && !all_constant && expr_node_is_constant(node->arguments[1]))
        return array_simplify(s, node);
    bool is_open_list = node->operation == &expr_operation_array;
    return all_constant && !is_open_list ? compute(s, node) : node;
}

static const expr_node *simplify(simplifier *s, const expr_node *node) {
    if (expr_node_is_constant(node) || node->operation == &expr_operation_column)
        return node;
    if (s->settings != NULL && !node->reads_claims) /* done when it was compiled */
        return node;
    if (node->argument_count == 0 && node->reads_claims)
        return setting_simplify(s, node);
    if (node->operation == &expr_operation_and || node->operation == &expr_operation_or)
        return junction_simplify(s, node);
    if (node->operation == &expr_operation_case)
        return case_simplify(s, node);
    if (node->operation == &expr_operation_coalesce)
        return coalesce_simplify(s, node);
    return general_simplify(s, node);
}

const expr_node *expr_simplify(expr_condition *condition, const expr_node *root,
                               const expr_settings *settings, expr_refusal *refusal) {
    simplifier s = {.condition = condition, .settings = settings, .refusal = refusal};
    s.scratch = malloc(SCRATCH_BYTES);
    if (s.scratch == NULL)
        return refuse(&s, root, EXPR_REFUSED_MEMORY, "no memory");
    const expr_node *node = simplify(&s, root);
    free(s.scratch);
    return node;
}
