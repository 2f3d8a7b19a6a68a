/* A condition's life, and its evaluation; see expr.h. */
#include "expr/condition.h"

#include "expr/compile.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES_MAX   ((size_t)8 << 20)
#define CHUNK_COMPILED    4096u
#define CHUNK_FOLDED      4096u
#define CHUNK_COMPACT     400u
#define COMPACT_NODES_MAX 64u   /* of the first chunk */
#define SCRATCH_BYTES     8192u /* of one evaluation, on the stack */

/* ---- Nodes ---- */

static bool refuse_size(expr_refusal *refusal) {
    return expr_refuse(refusal, EXPR_REFUSED_LIMIT, 0,
                       "the condition is too large: at most %u operations and %u levels, with the "
                       "bodies of functions",
                       EXPR_CONDITION_NODES_MAX, EXPR_CONDITION_DEPTH_MAX);
}

/* Adds up what is below. */
static void node_sum(expr_node *node, size_t *weight, size_t *depth) {
    *weight = 1;
    *depth = 1;
    node->raises = node->operation->raises;
    for (size_t i = 0; i < node->argument_count; i++) {
        const expr_node *argument = node->arguments[i];
        *weight += argument->weight;
        *depth = *depth > argument->depth + 1u ? *depth : argument->depth + 1u;
        node->raises = node->raises || argument->raises;
        node->reads_row = node->reads_row || argument->reads_row;
        node->reads_claims = node->reads_claims || argument->reads_claims;
    }
}

expr_node *expr_node_new(expr_condition *condition, const expr_operation *operation, expr_type type,
                         const expr_node *const *arguments, size_t count, expr_refusal *refusal) {
    size_t weight = 0;
    size_t depth = 0;
    expr_node *node = core_arena_alloc(&condition->arena, sizeof *node);
    if (node == NULL || count > EXPR_CONDITION_NODES_MAX)
        return refuse_size(refusal) ? node : NULL;
    node->operation = operation;
    node->owner = condition;
    node->type = type;
    node->argument_count = (uint16_t)count;
    if (count > 0) {
        node->arguments = core_arena_array(&condition->arena, count, sizeof(const expr_node *));
        if (node->arguments == NULL)
            return refuse_size(refusal) ? node : NULL;
        memcpy(node->arguments, arguments, count * sizeof(const expr_node *));
    }
    node_sum(node, &weight, &depth);
    if (weight > EXPR_CONDITION_NODES_MAX || depth > 2 * EXPR_CONDITION_DEPTH_MAX)
        return refuse_size(refusal) ? node : NULL;
    node->weight = (uint16_t)weight;
    node->depth = (uint16_t)depth;
    return node;
}

expr_node *expr_node_copy(expr_condition *condition, const expr_node *node, expr_refusal *refusal) {
    expr_node *copy = core_arena_alloc(&condition->arena, sizeof *copy);
    if (copy == NULL)
        return refuse_size(refusal) ? copy : NULL;
    *copy = *node;
    copy->owner = condition;
    return copy;
}

expr_node *expr_node_constant(expr_condition *condition, expr_type type, const expr_datum *value,
                              expr_refusal *refusal) {
    expr_node *node = expr_node_new(condition, &expr_operation_constant, type, NULL, 0, refusal);
    if (node == NULL)
        return NULL;
    if (!expr_datum_copy(&condition->arena, type, value, &node->constant))
        return refuse_size(refusal) ? node : NULL;
    node->raises = value->state == EXPR_DATUM_ERROR || value->state == EXPR_DATUM_UNDECIDED;
    return node;
}

/* ---- Compacting ---- */

static const expr_node *node_move(const expr_condition *condition, core_arena *arena,
                                  const expr_node *node);

static bool arguments_move(const expr_condition *condition, core_arena *arena, expr_node *node) {
    const expr_node **from = node->arguments;
    node->arguments = core_arena_array(arena, node->argument_count, sizeof(const expr_node *));
    if (node->arguments == NULL)
        return false;
    for (size_t i = 0; i < node->argument_count; i++)
        if ((node->arguments[i] = node_move(condition, arena, from[i])) == NULL)
            return false;
    return true;
}

/* What is not the condition's own stays where it is. */
static const expr_node *node_move(const expr_condition *condition, core_arena *arena,
                                  const expr_node *node) {
    if (node->owner != condition)
        return node;
    expr_node *moved = core_arena_alloc(arena, sizeof *moved);
    if (moved == NULL)
        return NULL;
    *moved = *node;
    if (node->type.enum_name.length > 0 &&
        (moved->type.enum_name = core_arena_copy(arena, node->type.enum_name)).data == NULL)
        return NULL;
    if (expr_node_is_constant(node) &&
        !expr_datum_copy(arena, node->type, &node->constant, &moved->constant))
        return NULL;
    if (node->argument_count > 0 && !arguments_move(condition, arena, moved))
        return NULL;
    return moved;
}

/* The list anew; the old one stays until all is done. */
static bool patterns_move(const expr_pattern *from, core_arena *arena, expr_pattern **to) {
    *to = NULL;
    for (; from != NULL; from = from->next) {
        expr_pattern *moved = core_arena_alloc(arena, sizeof *moved);
        if (moved == NULL)
            return false;
        *moved = (expr_pattern){.regex = from->regex, .next = *to};
        *to = moved;
    }
    return true;
}

/* Into an arena of only what is used: most of what compiling and folding make is on the way to it.
 * In one piece and in the order in which it is evaluated: of many conditions, each is far away. */
static const expr_node *compacted(expr_condition *condition, const expr_node *root,
                                  size_t chunk_bytes) {
    core_arena arena;
    core_arena_init(&arena, chunk_bytes, ARENA_BYTES_MAX);
    const expr_node *moved = node_move(condition, &arena, root);
    expr_pattern *patterns = NULL;
    if (moved == NULL || !patterns_move(condition->patterns, &arena, &patterns)) {
        core_arena_fini(&arena);
        return NULL;
    }
    core_arena_fini(&condition->arena);
    condition->arena = arena;
    condition->patterns = patterns;
    return moved;
}

/* About what the nodes below and their canonical text take. */
static size_t compact_bytes(const expr_node *root) {
    size_t nodes = (size_t)root->weight + 1;
    return (nodes < COMPACT_NODES_MAX ? nodes : COMPACT_NODES_MAX) * (sizeof *root + 48);
}

/* ---- Life ---- */

expr_condition *expr_condition_make(size_t chunk_bytes) {
    expr_condition *condition = calloc(1, sizeof *condition);
    if (condition == NULL)
        return NULL;
    atomic_init(&condition->references, 1);
    core_arena_init(&condition->arena, chunk_bytes, ARENA_BYTES_MAX);
    return condition;
}

/* Shares what is immutable: the count is not. */
static expr_condition *counted(const expr_condition *condition) {
    union {
        const expr_condition *shared;
        expr_condition *counted;
    } same = {.shared = condition};
    return same.counted;
}

expr_condition *expr_condition_hold(const expr_condition *condition) {
    expr_condition *held = counted(condition);
    (void)atomic_fetch_add_explicit(&held->references, 1, memory_order_relaxed);
    return held;
}

void expr_condition_release(const expr_condition *condition) {
    while (condition != NULL) { /* then its origin, which it held */
        expr_condition *held = counted(condition);
        if (atomic_fetch_sub_explicit(&held->references, 1, memory_order_acq_rel) != 1)
            return;
        for (expr_pattern *pattern = held->patterns; pattern != NULL; pattern = pattern->next)
            expr_regex_free(pattern->regex);
        condition = held->origin;
        core_arena_fini(&held->arena);
        free(held);
    }
}

bool expr_condition_compile_root(const expr_condition_spec *spec, expr_condition *condition,
                                 expr_refusal *refusal, const expr_node **root) {
    expr_compiler compiler = {.spec = spec, .condition = condition, .refusal = refusal};
    expr_sql sql;
    if (!expr_sql_parse_expression(spec->text, &sql, refusal))
        return false;
    compiler.prefix = sql.prefix;
    *root = expr_compile_boolean(&compiler, sql.expression, "a condition");
    expr_sql_free(&sql);
    return *root != NULL;
}

/* Gives a refusal of expr_simplify its place. */
static void refusal_place(expr_refusal *refusal, core_slice text) {
    if (refusal->position == 0)
        return;
    refusal->position = expr_sql_position(text, 0, (int64_t)refusal->position - 1);
    (void)core_error_wrap(&refusal->error, "at character %zu", refusal->position);
}

expr_condition *expr_condition_new(const expr_condition_spec *spec, expr_refusal *refusal) {
    const expr_node *root = NULL;
    *refusal = (expr_refusal){.kind = EXPR_REFUSED_NOT};
    expr_condition *condition = expr_condition_make(CHUNK_COMPILED);
    if (condition == NULL) {
        (void)expr_refuse(refusal, EXPR_REFUSED_MEMORY, 0, "no memory");
        return NULL;
    }
    if (!expr_condition_compile_root(spec, condition, refusal, &root)) {
        expr_condition_release(condition);
        return NULL;
    }
    root = expr_simplify(condition, root, NULL, refusal);
    if (root == NULL) {
        refusal_place(refusal, spec->text);
        expr_condition_release(condition);
        return NULL;
    }
    root = compacted(condition, root, compact_bytes(root));
    if (root != NULL && expr_condition_finish(condition, root))
        return condition;
    (void)refuse_size(refusal);
    expr_condition_release(condition);
    return NULL;
}

expr_condition *expr_condition_fold(const expr_condition *condition, const expr_settings *settings,
                                    expr_refusal *refusal) {
    *refusal = (expr_refusal){.kind = EXPR_REFUSED_NOT};
    if (!condition->root->reads_claims)
        return expr_condition_hold(condition);
    expr_condition *folded = expr_condition_make(CHUNK_FOLDED);
    if (folded == NULL) {
        (void)expr_refuse(refusal, EXPR_REFUSED_MEMORY, 0, "no memory");
        return NULL;
    }
    folded->origin = expr_condition_hold(condition);
    const expr_node *root = expr_simplify(folded, condition->root, settings, refusal);
    if (root != NULL && (root = compacted(folded, root, CHUNK_COMPACT)) == NULL)
        (void)refuse_size(refusal);
    if (root != NULL && expr_condition_finish(folded, root))
        return folded;
    if (root != NULL)
        (void)refuse_size(refusal);
    refusal->position = 0; /* the text is not kept */
    expr_condition_release(folded);
    return NULL;
}

/* ---- Evaluation ---- */

const char *expr_verdict_name(expr_verdict verdict) {
    static const char *const names[] = {"false",   "true",      "unknown",
                                        "missing", "undecided", "error"};
    return names[verdict];
}

static expr_verdict verdict_of(const expr_datum *value, const char **reason) {
    bool has_reason = value->state == EXPR_DATUM_UNDECIDED || value->state == EXPR_DATUM_ERROR;
    if (reason != NULL)
        *reason = has_reason ? value->reason : NULL;
    switch (value->state) {
    case EXPR_DATUM_VALUE:
        return value->scalar.integer != 0 ? EXPR_VERDICT_TRUE : EXPR_VERDICT_FALSE;
    case EXPR_DATUM_NULL:
        return EXPR_VERDICT_UNKNOWN;
    case EXPR_DATUM_MISSING:
        return EXPR_VERDICT_MISSING;
    case EXPR_DATUM_UNDECIDED:
        return EXPR_VERDICT_UNDECIDED;
    case EXPR_DATUM_ERROR:
        break;
    }
    return EXPR_VERDICT_ERROR;
}

expr_verdict expr_condition_evaluate(const expr_condition *condition, const core_tuple *new_tuple,
                                     const core_tuple *old_tuple, const char **reason) {
    uint8_t scratch[SCRATCH_BYTES];
    expr_evaluation at = {
        .tuples = {new_tuple, old_tuple}, .scratch = scratch, .scratch_left = sizeof scratch};
    expr_datum value;
    expr_node_evaluate(condition->root, &at, &value);
    return verdict_of(&value, reason);
}

bool expr_condition_constant(const expr_condition *condition, expr_verdict *verdict,
                             const char **reason) {
    if (!expr_node_is_constant(condition->root))
        return false;
    *verdict = verdict_of(&condition->root->constant, reason);
    return true;
}

core_slice expr_condition_memory(const expr_condition *condition) {
    return core_slice_make(condition->root, condition->root->weight * sizeof *condition->root);
}

bool expr_condition_reads_settings(const expr_condition *condition) {
    return condition->root->reads_claims;
}

core_slice expr_condition_text(const expr_condition *condition) {
    return condition->text;
}

uint64_t expr_condition_hash(const expr_condition *condition) {
    return condition->hash;
}
