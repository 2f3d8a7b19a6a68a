/* What a condition's text is joined of by AND, piece by piece, for telling which of them did not
 * hold; see expr.h. The parse tree tells where each begins; what is between two of them is theirs,
 * but for the AND and the parentheses around. */
#include "expr/compile.h"
#include "expr/operations.h"

typedef struct {
    uint32_t starts[EXPR_CLAUSES_MAX]; /* bytes, from 1 */
    size_t count;
    bool failed;
} clause_starts;

static uint32_t first_location(const expr_node *node) {
    uint32_t first = node->location;
    for (size_t i = 0; i < node->argument_count; i++) {
        uint32_t below = first_location(node->arguments[i]);
        if (below > 0 && (first == 0 || below < first))
            first = below;
    }
    return first;
}

/* BETWEEN is an AND too: both of its halves begin at one place. */
static void starts_collect(const expr_node *node, clause_starts *all) {
    if (node->operation == &expr_operation_and) {
        for (size_t i = 0; i < node->argument_count; i++)
            starts_collect(node->arguments[i], all);
        return;
    }
    uint32_t start = first_location(node);
    uint32_t last = all->count > 0 ? all->starts[all->count - 1] : 0;
    if (start == last && start > 0)
        return;
    all->failed = all->failed || start < last || start == 0 || all->count == EXPR_CLAUSES_MAX;
    if (!all->failed)
        all->starts[all->count++] = start;
}

/* Opening less closing parentheses outside of quotes. */
static int balance(core_slice text) {
    int depth = 0;
    uint8_t quote = 0;
    for (size_t i = 0; i < text.length; i++) {
        uint8_t byte = text.data[i];
        if (quote != 0)
            quote = byte == quote ? 0 : quote;
        else if (byte == '\'' || byte == '"')
            quote = byte;
        else
            depth += byte == '(' ? 1 : byte == ')' ? -1 : 0;
    }
    return depth;
}

static bool is_blank(uint8_t byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static core_slice trimmed(core_slice text) {
    while (text.length > 0 && is_blank(text.data[text.length - 1]))
        text.length--;
    while (text.length > 0 && is_blank(text.data[0]))
        text = core_slice_make(text.data + 1, text.length - 1);
    return text;
}

/* Without what opens the next clause, and the AND before it. */
static core_slice without_and(core_slice text) {
    text = trimmed(text);
    while (text.length > 0 && text.data[text.length - 1] == '(') {
        text.length--;
        text = trimmed(text);
    }
    bool has_and = text.length > 3 && (text.data[text.length - 3] | 0x20) == 'a' &&
                   (text.data[text.length - 2] | 0x20) == 'n' &&
                   (text.data[text.length - 1] | 0x20) == 'd';
    text.length -= has_and ? 3 : 0;
    return trimmed(text);
}

/* Without parentheses that are open at one end only. */
static core_slice balanced(core_slice text) {
    for (int depth = balance(text); depth != 0 && text.length > 0; depth = balance(text)) {
        if (depth > 0 && text.data[0] == '(')
            text = core_slice_make(text.data + 1, text.length - 1);
        else if (depth < 0 && text.data[text.length - 1] == ')')
            text.length--;
        else
            break;
        text = trimmed(text);
    }
    return text;
}

static expr_clause clause_of(core_slice whole, const clause_starts *all, size_t number) {
    size_t start = all->starts[number] - 1;
    bool is_last = number + 1 == all->count;
    size_t end = is_last ? whole.length : all->starts[number + 1] - 1;
    while (start > 0 && (whole.data[start - 1] == '(' || is_blank(whole.data[start - 1])))
        start--;
    core_slice text = core_slice_make(whole.data + start, end - start);
    text = balanced(is_last ? trimmed(text) : without_and(text));
    return (expr_clause){
        .text = text, .position = expr_sql_position(whole, 0, (int64_t)(text.data - whole.data))};
}

/* Each must be a condition by itself. */
static bool clause_is_one(const expr_condition_spec *spec, const expr_clause *clause) {
    expr_refusal refusal;
    expr_condition_spec one = *spec;
    one.text = clause->text;
    expr_condition *condition = expr_condition_new(&one, &refusal);
    bool ok = condition != NULL;
    expr_condition_release(condition);
    return ok;
}

static bool starts_find(const expr_condition_spec *spec, clause_starts *all) {
    expr_refusal refusal;
    const expr_node *root = NULL;
    expr_condition *condition = expr_condition_make(4096);
    if (condition == NULL)
        return false;
    refusal = (expr_refusal){.kind = EXPR_REFUSED_NOT};
    if (expr_condition_compile_root(spec, condition, &refusal, &root))
        starts_collect(root, all);
    expr_condition_release(condition);
    return root != NULL && !all->failed && all->count > 0 &&
           all->starts[all->count - 1] <= spec->text.length;
}

size_t expr_condition_clauses(const expr_condition_spec *spec,
                              expr_clause clauses[EXPR_CLAUSES_MAX]) {
    clause_starts all = {.count = 0};
    bool ok = starts_find(spec, &all);
    for (size_t i = 0; ok && i < all.count; i++) {
        clauses[i] = clause_of(spec->text, &all, i);
        ok = clause_is_one(spec, &clauses[i]);
    }
    if (ok)
        return all.count;
    clauses[0] = (expr_clause){.text = trimmed(spec->text), .position = 1};
    return 1;
}
