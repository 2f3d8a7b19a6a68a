/* The table of operators; see operator.h. */
#include "expr/operator.h"

#include "expr/text.h"

static const expr_operator operators[] = {
    {"eq", "=", EXPR_OP_EQ, EXPR_NEEDS_EQUALITY},
    {"neq", "<>", EXPR_OP_NEQ, EXPR_NEEDS_EQUALITY},
    {"lt", "<", EXPR_OP_LT, EXPR_NEEDS_ORDER},
    {"lte", "<=", EXPR_OP_LTE, EXPR_NEEDS_ORDER},
    {"gt", ">", EXPR_OP_GT, EXPR_NEEDS_ORDER},
    {"gte", ">=", EXPR_OP_GTE, EXPR_NEEDS_ORDER},
    {"in", "IN", EXPR_OP_IN, EXPR_NEEDS_EQUALITY},
    {"isdistinct", "IS DISTINCT FROM", EXPR_OP_ISDISTINCT, EXPR_NEEDS_EQUALITY},
    {"like", "LIKE", EXPR_OP_LIKE, EXPR_NEEDS_TEXT},
    {"ilike", "ILIKE", EXPR_OP_ILIKE, EXPR_NEEDS_TEXT},
    {"match", "~", EXPR_OP_MATCH, EXPR_NEEDS_TEXT},
    {"imatch", "~*", EXPR_OP_IMATCH, EXPR_NEEDS_TEXT},
    {"is", "IS", EXPR_OP_IS, EXPR_NEEDS_NOTHING},
};

const expr_operator *expr_operator_find(core_slice name) {
    for (size_t i = 0; i < CORE_COUNT_OF(operators); i++)
        if (core_slice_is(name, operators[i].name))
            return &operators[i];
    return NULL;
}

expr_literal expr_literal_of(core_slice word) {
    static const char *const words[] = {[EXPR_LITERAL_NULL] = "null",
                                        [EXPR_LITERAL_TRUE] = "true",
                                        [EXPR_LITERAL_FALSE] = "false",
                                        [EXPR_LITERAL_UNKNOWN] = "unknown"};
    for (size_t i = EXPR_LITERAL_NULL; i < CORE_COUNT_OF(words); i++)
        if (expr_text_is_word(word, words[i]))
            return (expr_literal)i;
    return EXPR_LITERAL_NONE;
}
