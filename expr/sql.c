/* libpg_query behind sql.h: the only file that calls it.
 *
 * The parser keeps what it makes on the heap, but writing its tree out and reading it back recur,
 * so a text whose tree could be deep is refused before it is parsed (a level takes 2 KiB of the
 * stack): its tokens, which the scanner gives flat, bound that depth. Within one parenthesis each
 * token adds a level at the most; a comma, AND, OR, and the words of CASE begin beside what was,
 * not below it. */
#include "expr/sql.h"

#include <pg_query.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NESTING_MAX  700u
#define BRACKETS_MAX 500u

static const char prefix_expression[] = "SELECT WHERE ";

bool expr_refuse(expr_refusal *refusal, expr_refusal_kind kind, size_t position, const char *format,
                 ...) {
    static const core_error_code codes[] = {
        [EXPR_REFUSED_NOT] = CORE_ERROR_NONE,          [EXPR_REFUSED_WRONG] = CORE_ERROR_INPUT,
        [EXPR_REFUSED_UNSUPPORTED] = CORE_ERROR_INPUT, [EXPR_REFUSED_LIMIT] = CORE_ERROR_LIMIT,
        [EXPR_REFUSED_MEMORY] = CORE_ERROR_INTERNAL,
    };
    char text[CORE_ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    refusal->kind = kind;
    refusal->position = position;
    if (position > 0)
        return core_error_set(&refusal->error, codes[kind], "at character %zu: %s", position, text);
    return core_error_set(&refusal->error, codes[kind], "%s", text);
}

size_t expr_sql_position(core_slice text, size_t prefix, int64_t location) {
    if (location < 0 || (size_t)location < prefix)
        return 0;
    size_t end = (size_t)location - prefix;
    size_t position = 1;
    for (size_t i = 0; i < end && i < text.length; i++)
        position += (text.data[i] & 0xC0) != 0x80 ? 1 : 0;
    return position;
}

const char *expr_sql_string(const PgQuery__Node *node) {
    return node->node_case == PG_QUERY__NODE__NODE_STRING ? node->string->sval : NULL;
}

/* ---- How deep it may be ---- */

typedef struct {
    uint16_t counts[BRACKETS_MAX]; /* by open bracket */
    size_t open;
    size_t sum;
} nesting;

static void nesting_restart(nesting *n) {
    n->sum -= n->counts[n->open];
    n->counts[n->open] = 0;
}

static void nesting_close(nesting *n) {
    if (n->open == 0) /* the parser will tell */
        return;
    nesting_restart(n);
    n->open--;
}

/* False when it may be too deep. */
static bool nesting_count(nesting *n, PgQuery__Token token) {
    switch ((int)token) {
    case '(':
    case '[':
    case PG_QUERY__TOKEN__CASE:
        if (n->open + 1 == BRACKETS_MAX)
            return false;
        n->counts[++n->open] = 0;
        break;
    case ')':
    case ']':
    case PG_QUERY__TOKEN__END_P:
        nesting_close(n);
        break;
    case ',':
    case PG_QUERY__TOKEN__AND:
    case PG_QUERY__TOKEN__OR:
    case PG_QUERY__TOKEN__WHEN:
    case PG_QUERY__TOKEN__THEN:
    case PG_QUERY__TOKEN__ELSE:
        nesting_restart(n);
        return true;
    case PG_QUERY__TOKEN__SQL_COMMENT:
    case PG_QUERY__TOKEN__C_COMMENT:
        return true;
    default:
        break;
    }
    n->counts[n->open]++;
    n->sum++;
    return n->sum + n->open < NESTING_MAX;
}

static bool tokens_check(const PgQuery__ScanResult *scan, core_slice text, size_t prefix,
                         bool may_end, expr_refusal *refusal) {
    nesting n = {.open = 0};
    for (size_t i = 0; i < scan->n_tokens; i++) {
        const PgQuery__ScanToken *token = scan->tokens[i];
        if ((int)token->token == ';' && !(may_end && i + 1 == scan->n_tokens))
            return expr_refuse(refusal, EXPR_REFUSED_WRONG,
                               expr_sql_position(text, prefix, token->start),
                               "a \";\" ends no condition: write one expression");
        if (!nesting_count(&n, token->token))
            return expr_refuse(refusal, EXPR_REFUSED_LIMIT,
                               expr_sql_position(text, prefix, token->start),
                               "the expression is nested too deeply");
    }
    return true;
}

/* ---- Parsing ---- */

static bool refuse_syntax(const PgQueryError *error, core_slice text, size_t prefix,
                          expr_refusal *refusal) {
    size_t position = 0; /* the parser counts characters, and the prefix is ASCII */
    (void)text;
    if (error->cursorpos > 0 && (size_t)error->cursorpos > prefix)
        position = (size_t)error->cursorpos - prefix;
    return expr_refuse(refusal, EXPR_REFUSED_WRONG, position, "%s", error->message);
}

static bool scan_check(const char *statement, core_slice text, size_t prefix, bool may_end,
                       expr_refusal *refusal) {
    PgQueryScanResult result = pg_query_scan(statement);
    bool ok = false;
    if (result.error != NULL) {
        ok = refuse_syntax(result.error, text, prefix, refusal);
    } else {
        PgQuery__ScanResult *scan =
            pg_query__scan_result__unpack(NULL, result.pbuf.len, (const uint8_t *)result.pbuf.data);
        ok = scan != NULL ? tokens_check(scan, text, prefix, may_end, refusal)
                          : expr_refuse(refusal, EXPR_REFUSED_MEMORY, 0, "no memory");
        if (scan != NULL)
            pg_query__scan_result__free_unpacked(scan, NULL);
    }
    pg_query_free_scan_result(result);
    return ok;
}

static bool tree_read(const char *statement, core_slice text, expr_sql *sql,
                      expr_refusal *refusal) {
    PgQueryProtobufParseResult result = pg_query_parse_protobuf(statement);
    bool ok = false;
    if (result.error != NULL) {
        ok = refuse_syntax(result.error, text, sql->prefix, refusal);
    } else {
        sql->result = pg_query__parse_result__unpack(NULL, result.parse_tree.len,
                                                     (const uint8_t *)result.parse_tree.data);
        ok = sql->result != NULL || expr_refuse(refusal, EXPR_REFUSED_MEMORY, 0, "no memory");
    }
    pg_query_free_protobuf_parse_result(result);
    return ok;
}

/* The only statement's SELECT; NULL. */
static const PgQuery__SelectStmt *select_of(const PgQuery__ParseResult *result) {
    if (result->n_stmts != 1 || result->stmts[0]->stmt == NULL ||
        result->stmts[0]->stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return NULL;
    return result->stmts[0]->stmt->select_stmt;
}

/* Nothing but a list of targets and a condition. */
static bool select_is_bare(const PgQuery__SelectStmt *select) {
    return select->n_distinct_clause == 0 && select->into_clause == NULL &&
           select->n_from_clause == 0 && select->n_group_clause == 0 &&
           select->having_clause == NULL && select->n_window_clause == 0 &&
           select->n_values_lists == 0 && select->n_sort_clause == 0 &&
           select->limit_offset == NULL && select->limit_count == NULL &&
           select->n_locking_clause == 0 && select->with_clause == NULL && select->larg == NULL &&
           select->rarg == NULL;
}

const PgQuery__Node *expr_sql_select_value(const PgQuery__SelectStmt *select) {
    if (!select_is_bare(select) || select->where_clause != NULL || select->n_target_list != 1)
        return NULL;
    const PgQuery__Node *target = select->target_list[0];
    if (target->node_case != PG_QUERY__NODE__NODE_RES_TARGET ||
        target->res_target->n_indirection > 0)
        return NULL;
    return target->res_target->val;
}

static bool text_check(core_slice text, expr_refusal *refusal) {
    if (text.length > EXPR_CONDITION_TEXT_MAX)
        return expr_refuse(refusal, EXPR_REFUSED_LIMIT, 0, "the text is longer than %zu bytes",
                           EXPR_CONDITION_TEXT_MAX);
    if (!core_utf8_valid(text) || (text.length > 0 && memchr(text.data, '\0', text.length) != NULL))
        return expr_refuse(refusal, EXPR_REFUSED_WRONG, 0, "the text is not UTF-8 without NUL");
    return true;
}

/* Parses `prefix` and the text. */
static bool parse(const char *prefix, core_slice text, bool may_end, expr_sql *sql,
                  expr_refusal *refusal) {
    *sql = (expr_sql){.prefix = strlen(prefix)};
    if (!text_check(text, refusal))
        return false;
    char *statement = malloc(sql->prefix + text.length + 1);
    if (statement == NULL)
        return expr_refuse(refusal, EXPR_REFUSED_MEMORY, 0, "no memory");
    memcpy(statement, prefix, sql->prefix);
    if (text.length > 0)
        memcpy(statement + sql->prefix, text.data, text.length);
    statement[sql->prefix + text.length] = '\0';
    bool ok = scan_check(statement, text, sql->prefix, may_end, refusal) &&
              tree_read(statement, text, sql, refusal);
    free(statement);
    return ok;
}

bool expr_sql_parse_expression(core_slice text, expr_sql *sql, expr_refusal *refusal) {
    if (!parse(prefix_expression, text, false, sql, refusal))
        return false;
    const PgQuery__SelectStmt *select = select_of(sql->result);
    if (select != NULL && select_is_bare(select) && select->n_target_list == 0)
        sql->expression = select->where_clause;
    if (sql->expression != NULL)
        return true;
    expr_sql_free(sql);
    return expr_refuse(refusal, EXPR_REFUSED_WRONG, 0,
                       "expected one expression and nothing behind it");
}

/* "RETURN expression", the form of a body in the SQL standard's syntax, without its first word. */
static bool return_take(core_slice *text) {
    core_slice rest = *text;
    static const char word[] = "RETURN";
    while (rest.length > 0 && memchr(" \t\r\n", rest.data[0], 4) != NULL)
        rest = core_slice_make(rest.data + 1, rest.length - 1);
    for (size_t i = 0; i < sizeof word - 1; i++)
        if (i >= rest.length || (rest.data[i] & ~0x20) != word[i])
            return false;
    rest = core_slice_make(rest.data + sizeof word - 1, rest.length - (sizeof word - 1));
    if (rest.length == 0 || memchr(" \t\r\n(", rest.data[0], 5) == NULL)
        return false;
    *text = rest;
    return true;
}

bool expr_sql_parse_body(core_slice text, expr_sql *sql, expr_refusal *refusal) {
    bool is_return = return_take(&text);
    if (!parse(is_return ? "SELECT " : "", text, true, sql, refusal))
        return false;
    const PgQuery__SelectStmt *select = select_of(sql->result);
    if (select != NULL)
        sql->expression = expr_sql_select_value(select);
    if (sql->expression != NULL)
        return true;
    expr_sql_free(sql);
    return expr_refuse(refusal, EXPR_REFUSED_UNSUPPORTED, 0,
                       "its body is not SELECT and one expression");
}

void expr_sql_free(expr_sql *sql) {
    if (sql->result != NULL)
        pg_query__parse_result__free_unpacked(sql->result, NULL);
    sql->result = NULL;
    sql->expression = NULL;
}
