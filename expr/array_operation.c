/* Arrays that are made: of a json array's elements, and of a text's parts; see operations.h.
 *
 * What comes out is an array's text, as PostgreSQL prints one, in the evaluation's memory. Where it
 * is made of settings alone folding computes it, and makes a list of constants of it. */
#include "expr/operations.h"
#include "expr/text.h"

/* Writes `{"a","b"}` into what is left of the evaluation's memory. */
typedef struct {
    core_buffer out;
    expr_type type; /* that each element must be one of */
    bool has_element;
    bool is_odd; /* one is not: whether PostgreSQL gets to it hangs on its plan */
} array_writer;

/* No memory is needed of an empty one. */
static array_writer writer_make(const expr_evaluation *at, expr_type type) {
    static uint8_t nothing[1];
    array_writer writer = {.type = type};
    writer.type.is_array = false;
    writer.out = at->scratch_left > 0 ? core_buffer_over(at->scratch, at->scratch_left)
                                      : core_buffer_over(nothing, sizeof nothing);
    core_buffer_u8(&writer.out, '{');
    return writer;
}

static void element_write(array_writer *writer, core_slice text) {
    expr_datum value;
    expr_parse_text(writer->type, text, &value);
    writer->is_odd = writer->is_odd || value.state != EXPR_DATUM_VALUE;
    core_buffer_text(&writer->out, writer->has_element ? ",\"" : "\"");
    writer->has_element = true;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            core_buffer_u8(&writer->out, '\\');
        core_buffer_u8(&writer->out, text.data[i]);
    }
    core_buffer_u8(&writer->out, '"');
}

static void null_write(array_writer *writer) {
    core_buffer_text(&writer->out, writer->has_element ? ",NULL" : "NULL");
    writer->has_element = true;
}

static void writer_end(array_writer *writer, expr_evaluation *at, expr_datum *result) {
    core_buffer_u8(&writer->out, '}');
    if (!core_buffer_ok(&writer->out)) {
        expr_datum_undecided(result, "an array that has to be made is too long for the engine");
        return;
    }
    if (writer->is_odd) {
        expr_datum_undecided(result, "an element is no value of the type that it is cast to");
        return;
    }
    size_t length = writer->out.length;
    (void)expr_scratch_take(at, length, result);
    expr_datum_text(result, core_slice_make(writer->out.data, length));
}

/* ---- The elements of a json array, as texts ---- */

#define ESCAPED_MAX 512 /* bytes of a string with escapes */

/* A string's text without escapes is written as it comes; one with them is undone first. */
static bool string_write(array_writer *writer, core_slice raw) {
    if (raw.length == 0 || memchr(raw.data, '\\', raw.length) == NULL) {
        element_write(writer, raw);
        return true;
    }
    uint8_t bytes[ESCAPED_MAX];
    core_buffer plain = core_buffer_over(bytes, sizeof bytes);
    if (!core_json_unescape(raw, &plain) || memchr(bytes, '\0', plain.length) != NULL)
        return false;
    element_write(writer, core_buffer_slice(&plain));
    return true;
}

static bool elements_write(array_writer *writer, core_json_reader *reader) {
    for (;;) {
        core_slice whole;
        core_json_token token = core_json_next(reader);
        if (token.kind == CORE_JSON_ARRAY_CLOSE)
            return core_json_next(reader).kind == CORE_JSON_END;
        if (!core_json_skip(reader, token, &whole))
            return false;
        if (token.kind == CORE_JSON_NULL)
            null_write(writer);
        else if (token.kind != CORE_JSON_STRING)
            element_write(writer, whole);
        else if (!string_write(writer, token.raw))
            return false;
    }
}

/* Of null there are none. */
static void elements_evaluate(const expr_node *node, expr_evaluation *at, expr_datum *result) {
    expr_node_evaluate(node->arguments[0], at, result);
    if (result->state == EXPR_DATUM_NULL) {
        expr_datum_text(result, core_slice_text("{}"));
        return;
    }
    if (result->state != EXPR_DATUM_VALUE)
        return;
    core_json_reader reader = core_json_reader_make(result->scalar.text);
    core_json_kind kind = core_json_next(&reader).kind;
    array_writer writer = writer_make(at, node->type);
    if (kind == CORE_JSON_ARRAY_OPEN && elements_write(&writer, &reader))
        writer_end(&writer, at, result);
    else if (kind == CORE_JSON_ARRAY_OPEN || kind == CORE_JSON_INVALID)
        expr_datum_undecided(result, "a json document is not one that the engine reads");
    else
        expr_datum_error(result, "cannot extract elements from what is no json array");
}

/* ---- The parts of a text ---- */

static void split_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                        expr_datum *result) {
    core_slice text = arguments[0].scalar.text;
    core_slice by = arguments[1].scalar.text;
    array_writer writer = writer_make(at, node->type);
    while (text.length > 0) {
        const uint8_t *end = by.length > 0 && text.length >= by.length
                                 ? memmem(text.data, text.length, by.data, by.length)
                                 : NULL;
        if (end == NULL) {
            element_write(&writer, text);
            break;
        }
        size_t length = (size_t)(end - text.data);
        element_write(&writer, core_slice_make(text.data, length));
        text = expr_text_after(text, length + by.length);
        if (text.length == 0)
            element_write(&writer, text); /* behind the last separator */
    }
    writer_end(&writer, at, result);
}

const expr_operation expr_operation_json_elements = {
    .name = "elements", .raises = true, .evaluate = elements_evaluate};
const expr_operation expr_operation_string_to_array = {.name = "split", .apply = split_apply};
