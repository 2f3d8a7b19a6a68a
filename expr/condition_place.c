/* Where an index may put a condition, so that a row leads to it; see expr.h.
 *
 * Of an AND each conjunct serves by itself, as long as nothing before it can end in an error: then
 * one that is false decides, whatever else there is. Of an OR each branch must have a place. */
#include "expr/condition.h"
#include "expr/operations.h"

#define CONJUNCTS_MAX 64
/* Nodes that are looked at: an AND in an OR in an AND ... is looked at twice a level. */
#define STEPS_MAX 20000u
#define DEPTH_MAX 6

typedef struct {
    expr_place *places;
    size_t count;
    unsigned steps; /* left */
    unsigned depth;
    bool raises; /* the whole condition */
} place_list;

/* Those of an AND, flat and in order, up to the first that can raise. */
typedef struct {
    const expr_node *nodes[CONJUNCTS_MAX];
    size_t count;
    bool is_full;
} conjuncts;

static bool places_add(place_list *list, const expr_node *node);

static void conjuncts_collect(const expr_node *node, conjuncts *all) {
    if (node->operation == &expr_operation_and) {
        for (size_t i = 0; i < node->argument_count && !all->is_full; i++)
            conjuncts_collect(node->arguments[i], all);
        return;
    }
    all->nodes[all->count++] = node;
    all->is_full = node->raises || all->count == CONJUNCTS_MAX;
}

/* ---- One column ---- */

static bool is_column(const expr_node *node) {
    return node->operation == &expr_operation_column;
}

static expr_place place_of(expr_place_kind kind, const expr_node *column) {
    return (expr_place){.kind = kind,
                        .is_old = column->column.is_old,
                        .column = column->column.index,
                        .low = INT64_MIN,
                        .high = INT64_MAX};
}

/* Values of one column of one image stand in one place. False when there is no more room. */
static bool equal_join(expr_place *place, const expr_key *key) {
    for (size_t i = 0; i < key->count; i++) {
        size_t at = 0;
        while (at < place->count && place->hashes[at] != key->hashes[i])
            at++;
        if (at == EXPR_IN_VALUES_MAX)
            return false;
        place->hashes[at] = key->hashes[i];
        place->count = at == place->count ? (uint16_t)(at + 1) : place->count;
    }
    return true;
}

static bool list_push(place_list *list, const expr_place *place) {
    if (list->count == EXPR_PLACES_MAX)
        return false;
    list->places[list->count++] = *place;
    return true;
}

static bool equal_add(place_list *list, const expr_node *node) {
    expr_key key;
    if (!expr_conjunct_key(node, false, &key) && !expr_conjunct_key(node, true, &key))
        return false;
    for (size_t i = 0; i < list->count; i++) {
        expr_place *place = &list->places[i];
        if (place->kind == EXPR_PLACE_EQUAL && place->column == key.column &&
            place->is_old == key.is_old)
            return equal_join(place, &key);
    }
    expr_place place = {.kind = EXPR_PLACE_EQUAL, .column = key.column, .is_old = key.is_old};
    return equal_join(&place, &key) && list_push(list, &place);
}

static bool kind_is_integral(uint8_t kind) {
    return kind != EXPR_SCALAR_FLOAT4 && kind != EXPR_SCALAR_FLOAT8 &&
           kind != EXPR_SCALAR_NUMERIC && kind != EXPR_SCALAR_TEXT &&
           kind != EXPR_SCALAR_PADDED_TEXT && kind != EXPR_SCALAR_UUID;
}

static bool kinds_agree(uint8_t row, uint8_t compared) {
    bool row_is_integer = row >= EXPR_SCALAR_INT2 && row <= EXPR_SCALAR_INT8;
    bool compared_is_integer = compared >= EXPR_SCALAR_INT2 && compared <= EXPR_SCALAR_INT8;
    return row == compared || (row_is_integer && compared_is_integer);
}

static uint8_t op_mirrored(uint8_t op) {
    static const uint8_t mirrored[] = {[EXPR_OP_LT] = EXPR_OP_GT,
                                       [EXPR_OP_LTE] = EXPR_OP_GTE,
                                       [EXPR_OP_GT] = EXPR_OP_LT,
                                       [EXPR_OP_GTE] = EXPR_OP_LTE};
    return mirrored[op];
}

/* column OP constant, either way round; null: no value is in it. */
static void range_fill(expr_place *place, uint8_t kind, uint8_t op, const expr_datum *constant) {
    if (constant->state == EXPR_DATUM_NULL) {
        place->low = INT64_MAX;
        place->high = INT64_MIN;
        return;
    }
    expr_scalar scalar = constant->scalar;
    if (kind == EXPR_SCALAR_PADDED_TEXT)
        while (scalar.text.length > 0 && scalar.text.data[scalar.text.length - 1] == ' ')
            scalar.text.length--;
    int64_t rank = expr_scalar_rank(kind, &scalar);
    bool is_exact = kind_is_integral(kind);
    if (op == EXPR_OP_GT || op == EXPR_OP_GTE)
        place->low = op == EXPR_OP_GT && is_exact && rank < INT64_MAX ? rank + 1 : rank;
    else
        place->high = op == EXPR_OP_LT && is_exact && rank > INT64_MIN ? rank - 1 : rank;
}

static bool range_of(const expr_node *node, expr_place *place) {
    if (node->operation != &expr_operation_compare || node->option < EXPR_OP_LT ||
        node->option > EXPR_OP_GTE)
        return false;
    size_t at = is_column(node->arguments[0]) ? 0 : 1;
    const expr_node *column = node->arguments[at];
    const expr_node *constant = node->arguments[1 - at];
    if (!is_column(column) || !expr_node_is_known(constant) ||
        column->column.row_kind == EXPR_SCALAR_NONE || column->column.row_kind != column->kind ||
        !kinds_agree(column->kind, node->kind))
        return false;
    *place = place_of(EXPR_PLACE_RANGE, column);
    range_fill(place, column->kind, at == 0 ? node->option : op_mirrored(node->option),
               &constant->constant);
    return true;
}

/* ---- Prefixes ---- */

/* What a LIKE pattern begins with, its escapes undone. */
static void pattern_prefix(expr_place *place, core_slice pattern) {
    for (size_t i = 0; i < pattern.length && place->prefix_length < EXPR_PLACE_PREFIX_MAX; i++) {
        if (pattern.data[i] == '%' || pattern.data[i] == '_')
            break;
        if (pattern.data[i] == '\\' && ++i == pattern.length)
            break;
        place->prefix[place->prefix_length++] = pattern.data[i];
    }
}

static void literal_prefix(expr_place *place, core_slice text) {
    place->prefix_length =
        text.length < EXPR_PLACE_PREFIX_MAX ? text.length : EXPR_PLACE_PREFIX_MAX;
    if (place->prefix_length > 0)
        memcpy(place->prefix, text.data, place->prefix_length);
}

static bool prefix_add(place_list *list, const expr_node *node) {
    bool is_like = node->operation == &expr_operation_like && node->option == 0;
    bool is_like_local =
        node->operation == &expr_operation_like && node->option == EXPR_PATTERN_LOCAL;
    if (!is_like && !is_like_local && node->operation != &expr_operation_starts_with)
        return false;
    const expr_node *column = node->arguments[0];
    const expr_node *constant = node->arguments[1];
    bool is_text = is_column(column) &&
                   (column->kind == EXPR_SCALAR_TEXT || column->kind == EXPR_SCALAR_PADDED_TEXT) &&
                   column->column.row_kind == column->kind;
    if (!is_text || !expr_node_is_known(constant) || expr_node_is_null(constant))
        return false;
    expr_place place = place_of(EXPR_PLACE_PREFIX, column);
    if (is_like || is_like_local)
        pattern_prefix(&place, constant->constant.scalar.text);
    else
        literal_prefix(&place, constant->constant.scalar.text);
    return place.prefix_length > 0 && list_push(list, &place);
}

/* ---- Images, nulls ---- */

/* new.x against old.x; <> of two nulls is null, and something behind it could be an error. */
static bool changed_add(place_list *list, const expr_node *node) {
    bool is_distinct = node->operation == &expr_operation_distinct && node->option == 0;
    bool is_unequal =
        node->operation == &expr_operation_compare && node->option == EXPR_OP_NEQ && !list->raises;
    if (!is_distinct && !is_unequal)
        return false;
    const expr_node *left = node->arguments[0];
    const expr_node *right = node->arguments[1];
    if (!is_column(left) || !is_column(right) || left->column.index != right->column.index ||
        left->column.is_old == right->column.is_old)
        return false;
    expr_place place = place_of(EXPR_PLACE_CHANGED, left);
    place.is_old = false;
    return list_push(list, &place);
}

static bool null_add(place_list *list, const expr_node *node) {
    if (node->operation == &expr_operation_is_null && is_column(node->arguments[0])) {
        expr_place place =
            place_of(node->option == 0 ? EXPR_PLACE_NULL : EXPR_PLACE_NOT_NULL, node->arguments[0]);
        return list_push(list, &place);
    }
    if (node->operation != &expr_operation_distinct)
        return false;
    size_t at = is_column(node->arguments[0]) ? 0 : 1;
    if (!is_column(node->arguments[at]) || !expr_node_is_null(node->arguments[1 - at]))
        return false;
    expr_place place =
        place_of(node->option == 0 ? EXPR_PLACE_NOT_NULL : EXPR_PLACE_NULL, node->arguments[at]);
    return list_push(list, &place);
}

/* ---- Conjuncts ---- */

static bool place_is_beside(const expr_place *place, const expr_place *other) {
    return place->is_old == other->is_old && place->column == other->column;
}

/* The ranges of the conjunct's column together; false where an earlier conjunct is one of them. */
static bool range_join(const conjuncts *all, size_t number, expr_place *place) {
    expr_place other;
    if (!range_of(all->nodes[number], place))
        return false;
    for (size_t i = 0; i < all->count; i++) {
        if (i == number || !range_of(all->nodes[i], &other) || !place_is_beside(place, &other))
            continue;
        if (i < number)
            return false;
        place->low = other.low > place->low ? other.low : place->low;
        place->high = other.high < place->high ? other.high : place->high;
    }
    return true;
}

static bool or_add(place_list *list, const expr_node *node) {
    for (size_t i = 0; i < node->argument_count; i++)
        if (!places_add(list, node->arguments[i]))
            return false;
    return true;
}

/* Appends the conjunct's places; false, with the list as it was, when it has none. */
static bool conjunct_add(place_list *list, const conjuncts *all, size_t number) {
    const expr_node *node = all->nodes[number];
    expr_place range;
    if (list->steps == 0)
        return false;
    list->steps--;
    if (range_of(node, &range))
        return range_join(all, number, &range) && list_push(list, &range);
    if (equal_add(list, node) || prefix_add(list, node) || changed_add(list, node) ||
        null_add(list, node))
        return true;
    return node->operation == &expr_operation_or && or_add(list, node);
}

/* What is better has the smaller number. */
static unsigned place_grade(const expr_place *place) {
    static const unsigned grades[] = {
        [EXPR_PLACE_EQUAL] = 0,   [EXPR_PLACE_PREFIX] = 1, [EXPR_PLACE_RANGE] = 2,
        [EXPR_PLACE_CHANGED] = 4, [EXPR_PLACE_NULL] = 5,   [EXPR_PLACE_NOT_NULL] = 6};
    bool is_half =
        place->kind == EXPR_PLACE_RANGE && (place->low == INT64_MIN || place->high == INT64_MAX);
    return grades[place->kind] + (is_half ? 1 : 0);
}

static unsigned list_grade(const place_list *list) {
    unsigned worst = 0;
    for (size_t i = 0; i < list->count; i++) {
        unsigned grade = place_grade(&list->places[i]);
        worst = grade > worst ? grade : worst;
    }
    return worst;
}

/* Which of the conjuncts is best for a branch; SIZE_MAX: none has a place. */
static size_t best_of(place_list *list, const conjuncts *all) {
    expr_place room[EXPR_PLACES_MAX];
    size_t best = SIZE_MAX;
    unsigned best_grade = 0;
    for (size_t i = 0; i < all->count; i++) {
        place_list tried = *list;
        tried.places = room;
        tried.count = 0;
        bool has = conjunct_add(&tried, all, i);
        list->steps = tried.steps;
        if (!has || (best != SIZE_MAX && list_grade(&tried) >= best_grade))
            continue;
        best = i;
        best_grade = list_grade(&tried);
    }
    return best;
}

static bool places_add(place_list *list, const expr_node *node) {
    conjuncts all = {.count = 0};
    if (list->depth == DEPTH_MAX)
        return false;
    list->depth++;
    conjuncts_collect(node, &all);
    size_t best = all.count == 1 ? 0 : best_of(list, &all);
    bool has = best != SIZE_MAX && conjunct_add(list, &all, best);
    list->depth--;
    return has;
}

size_t expr_condition_places(const expr_condition *condition, size_t number,
                             expr_place places[EXPR_PLACES_MAX]) {
    conjuncts all = {.count = 0};
    conjuncts_collect(condition->root, &all);
    for (size_t i = 0; i < all.count; i++) {
        place_list list = {.places = places, .steps = STEPS_MAX, .raises = condition->root->raises};
        if (conjunct_add(&list, &all, i) && number-- == 0)
            return list.count;
    }
    return 0;
}

bool expr_condition_raises(const expr_condition *condition) {
    return condition->root->raises;
}

/* ---- The row's side ---- */

uint8_t expr_column_kind(const core_column *column) {
    return (uint8_t)expr_scalar_kind_of(column);
}

expr_probe expr_row_probe(uint8_t kind, unsigned wants, uint16_t column, const core_tuple *tuple) {
    expr_probe probe = {.state = EXPR_PROBE_NULL};
    expr_scalar scalar;
    if (tuple == NULL)
        return probe;
    probe.state = EXPR_PROBE_OPEN;
    if (column >= tuple->count)
        return probe;
    const core_value *value = &tuple->values[column];
    if (value->kind == CORE_VALUE_NULL)
        probe.state = EXPR_PROBE_NULL;
    if (value->kind != CORE_VALUE_TEXT)
        return probe;
    probe.text = value->bytes;
    bool is_read = kind == EXPR_SCALAR_NONE || wants == 0 ||
                   expr_scalar_parse((expr_scalar_kind)kind, value->bytes, &scalar);
    if (!is_read)
        return probe;
    probe.state = EXPR_PROBE_VALUE;
    if (kind != EXPR_SCALAR_NONE && (wants & EXPR_PROBE_HASH) != 0)
        probe.hash = expr_scalar_hash((expr_scalar_kind)kind, &scalar);
    if (kind != EXPR_SCALAR_NONE && (wants & EXPR_PROBE_RANK) != 0)
        probe.rank = expr_scalar_rank((expr_scalar_kind)kind, &scalar);
    return probe;
}

static const core_value *value_at(const core_tuple *tuple, uint16_t column) {
    static const core_value null = {.kind = CORE_VALUE_NULL};
    if (tuple == NULL)
        return &null;
    return column < tuple->count ? &tuple->values[column] : NULL;
}

bool expr_row_changed(uint16_t column, const core_tuple *new_tuple, const core_tuple *old_tuple) {
    const core_value *now = value_at(new_tuple, column);
    const core_value *before = value_at(old_tuple, column);
    if (now == NULL || before == NULL || now->kind == CORE_VALUE_UNCHANGED ||
        before->kind == CORE_VALUE_UNCHANGED)
        return true;
    return now->kind != before->kind || !core_slice_equal(now->bytes, before->bytes);
}
