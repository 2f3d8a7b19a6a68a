/* json and jsonb by their text: -> ->> #> #>> ? and equality; see operations.h.
 *
 * A row's jsonb comes as PostgreSQL prints it, so a part of it is what PostgreSQL prints of that
 * part; what settings hold is brought into that form first (jsonb.c). Of a key that comes more than
 * once, in json, the last counts. What is malformed or nested too deeply is undecided. */
#include "expr/operations.h"
#include "expr/text.h"

#define KEY_BYTES_MAX 512 /* of one that is written with escapes */

static const char malformed_reason[] = "a json document is not one that the engine reads";

typedef struct {
    core_json_token token;
    core_slice whole;
    bool found;
    bool failed;
} part;

/* Equal, escapes undone; sets `failed` where that cannot be told. */
static bool raw_equal(core_slice raw, core_slice text, bool *failed) {
    if (raw.length == 0 || memchr(raw.data, '\\', raw.length) == NULL)
        return core_slice_equal(raw, text);
    uint8_t bytes[KEY_BYTES_MAX];
    core_buffer plain = core_buffer_over(bytes, sizeof bytes);
    if (core_json_unescape(raw, &plain))
        return core_slice_equal(core_buffer_slice(&plain), text);
    *failed = true;
    return false;
}

static part part_of_member(core_slice document, core_slice key) {
    part result = {.found = false};
    core_json_reader reader = core_json_reader_make(document);
    core_json_token token = core_json_next(&reader);
    if (token.kind != CORE_JSON_OBJECT_OPEN) {
        result.failed = token.kind == CORE_JSON_INVALID;
        return result;
    }
    while (core_json_member_next(&reader, &token)) {
        core_slice whole;
        bool is_it = raw_equal(token.key, key, &result.failed);
        if (!core_json_skip(&reader, token, &whole))
            break;
        if (is_it)
            result = (part){token, whole, true, result.failed};
    }
    result.failed = result.failed || core_json_next(&reader).kind != CORE_JSON_END;
    return result;
}

/* The next element of an array that is open. False behind the last, or malformed. */
static bool element_next(core_json_reader *reader, core_json_token *token, core_slice *whole) {
    *token = core_json_next(reader);
    return token->kind != CORE_JSON_ARRAY_CLOSE && core_json_skip(reader, *token, whole);
}

static int64_t element_count(core_slice document) {
    int64_t count = 0;
    core_json_token token;
    core_slice whole;
    core_json_reader reader = core_json_reader_make(document);
    (void)core_json_next(&reader);
    while (element_next(&reader, &token, &whole))
        count++;
    return count;
}

static part part_of_index(core_slice document, int64_t index, bool is_binary) {
    part result = {.found = false};
    core_json_reader reader = core_json_reader_make(document);
    core_json_token token = core_json_next(&reader);
    if (token.kind != CORE_JSON_ARRAY_OPEN) {
        bool is_scalar = token.kind != CORE_JSON_OBJECT_OPEN && token.kind != CORE_JSON_INVALID;
        result.failed = token.kind == CORE_JSON_INVALID;
        if (is_binary && is_scalar && (index == 0 || index == -1)) /* jsonb: an array of one */
            result = (part){token, expr_text_trim(document), true, false};
        return result;
    }
    index = index < 0 ? index + element_count(document) : index;
    core_slice whole;
    while (element_next(&reader, &token, &whole))
        if (index-- == 0)
            result = (part){token, whole, true, false};
    result.failed =
        token.kind != CORE_JSON_ARRAY_CLOSE || core_json_next(&reader).kind != CORE_JSON_END;
    return result;
}

/* The part as json, or as text: a string without its quotes, null as SQL's. */
static void part_end(const part *found, bool is_text, expr_evaluation *at, expr_datum *result) {
    if (found->failed) {
        expr_datum_undecided(result, malformed_reason);
    } else if (!found->found || (is_text && found->token.kind == CORE_JSON_NULL)) {
        expr_datum_null(result);
    } else if (!is_text || found->token.kind != CORE_JSON_STRING) {
        expr_datum_text(result, found->whole);
    } else if (found->token.raw.length == 0 ||
               memchr(found->token.raw.data, '\\', found->token.raw.length) == NULL) {
        expr_datum_text(result, found->token.raw);
    } else {
        uint8_t *bytes = expr_scratch_take(at, found->token.raw.length, result);
        if (bytes == NULL)
            return;
        core_buffer plain = core_buffer_over(bytes, found->token.raw.length);
        if (core_json_unescape(found->token.raw, &plain) &&
            memchr(bytes, '\0', plain.length) == NULL)
            expr_datum_text(result, core_buffer_slice(&plain));
        else
            expr_datum_undecided(result, malformed_reason);
    }
}

static void member_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                         expr_datum *result) {
    part found = part_of_member(arguments[0].scalar.text, arguments[1].scalar.text);
    part_end(&found, node->option == 1, at, result);
}

static bool is_binary(const expr_node *node) {
    return expr_type_is(node->arguments[0]->type, EXPR_TYPE_JSONB);
}

static void element_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                          expr_datum *result) {
    part found =
        part_of_index(arguments[0].scalar.text, arguments[1].scalar.integer, is_binary(node));
    part_end(&found, node->option == 1, at, result);
}

/* One step of a path. A step into an array is a number; what else may be one to PostgreSQL (+1,
 * blanks) fails. */
static part path_step(core_slice document, core_slice step) {
    core_json_reader reader = core_json_reader_make(document);
    int64_t index = 0;
    if (core_json_next(&reader).kind != CORE_JSON_ARRAY_OPEN)
        return part_of_member(document, step);
    if (core_slice_to_i64(step, &index) && index >= INT32_MIN && index <= INT32_MAX)
        return part_of_index(document, index, false);
    bool is_odd = step.length == 0 || expr_text_is_blank(step.data[0]) || step.data[0] == '+' ||
                  step.data[0] == '-' || expr_text_is_digit(step.data[0]);
    return (part){.failed = is_odd};
}

static void path_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    expr_node_evaluate(node->arguments[0], at, result);
    if (result->state != EXPR_DATUM_VALUE)
        return;
    core_json_reader reader = core_json_reader_make(result->scalar.text);
    part found = {.whole = result->scalar.text, .found = true, .token = core_json_next(&reader)};
    for (size_t i = 1; i < node->argument_count && found.found; i++) {
        const expr_datum *step = &node->arguments[i]->constant;
        if (step->state == EXPR_DATUM_NULL) {
            expr_datum_null(result);
            return;
        }
        found = path_step(found.whole, step->scalar.text);
    }
    part_end(&found, node->option == 1, at, result);
}

static void exists_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                         expr_datum *result) {
    core_slice document = arguments[0].scalar.text;
    core_slice key = arguments[1].scalar.text;
    core_json_reader reader = core_json_reader_make(document);
    core_json_token token = core_json_next(&reader);
    core_slice whole;
    bool failed = token.kind == CORE_JSON_INVALID;
    bool exists = token.kind == CORE_JSON_STRING && raw_equal(token.raw, key, &failed);
    (void)node;
    (void)at;
    if (token.kind == CORE_JSON_OBJECT_OPEN) {
        part found = part_of_member(document, key);
        exists = found.found;
        failed = found.failed;
    } else if (token.kind == CORE_JSON_ARRAY_OPEN) {
        while (element_next(&reader, &token, &whole))
            exists =
                exists || (token.kind == CORE_JSON_STRING && raw_equal(token.raw, key, &failed));
        failed = failed || token.kind != CORE_JSON_ARRAY_CLOSE;
    }
    if (failed)
        expr_datum_undecided(result, malformed_reason);
    else
        expr_datum_bool(result, exists);
}

static bool numbers_equal(core_slice left, core_slice right) {
    expr_numeric a, b;
    return expr_numeric_parse(left, &a) && expr_numeric_parse(right, &b) &&
           expr_numeric_equal(&a, &b);
}

/* Both in jsonb's form: alike but for the digits of equal numbers. */
bool expr_jsonb_equal(core_slice left, core_slice right) {
    if (core_slice_equal(left, right))
        return true;
    core_json_reader a = core_json_reader_make(left);
    core_json_reader b = core_json_reader_make(right);
    for (;;) {
        core_json_token x = core_json_next(&a);
        core_json_token y = core_json_next(&b);
        if (x.kind != y.kind || x.kind == CORE_JSON_INVALID || !core_slice_equal(x.key, y.key))
            return false;
        if (x.kind == CORE_JSON_END)
            return true;
        if (x.kind == CORE_JSON_STRING && !core_slice_equal(x.raw, y.raw))
            return false;
        if (x.kind == CORE_JSON_NUMBER && !numbers_equal(x.raw, y.raw))
            return false;
    }
}

const expr_operation expr_operation_json_member = {.name = "member", .apply = member_apply};
const expr_operation expr_operation_json_element = {.name = "element", .apply = element_apply};
const expr_operation expr_operation_json_path = {.name = "path", .evaluate = path_evaluate};
const expr_operation expr_operation_json_exists = {.name = "exists", .apply = exists_apply};
