/* An array's text; see array.h. */
#include "expr/array.h"

#include "expr/text.h"

expr_array expr_array_make(core_slice text) {
    return (expr_array){.rest = text};
}

static bool fail(expr_array *array) {
    array->failed = true;
    return false;
}

static bool quoted_take(expr_array *array, expr_evaluation *at, core_slice *text) {
    core_slice rest = expr_text_after(array->rest, 1);
    size_t length = 0;
    bool has_escape = false;
    while (length < rest.length && rest.data[length] != '"') {
        bool is_escape = rest.data[length] == '\\';
        has_escape = has_escape || is_escape;
        length += is_escape ? 2 : 1;
    }
    if (length >= rest.length)
        return fail(array);
    *text = core_slice_make(rest.data, length);
    array->rest = expr_text_after(rest, length + 1);
    if (!has_escape)
        return true;
    expr_datum full;
    uint8_t *plain = expr_scratch_take(at, length, &full);
    if (plain == NULL)
        return fail(array);
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        i += rest.data[i] == '\\' ? 1 : 0;
        plain[count++] = rest.data[i];
    }
    *text = core_slice_make(plain, count);
    return true;
}

static bool plain_take(expr_array *array, core_slice *text, bool *is_null) {
    size_t length = 0;
    while (length < array->rest.length && memchr(",{}\"\\", array->rest.data[length], 5) == NULL)
        length++;
    core_slice element = core_slice_make(array->rest.data, length);
    *text = expr_text_trim(element);
    *is_null = expr_text_is_word(*text, "null");
    array->rest = expr_text_after(array->rest, length);
    return text->length > 0 || fail(array);
}

bool expr_array_text(expr_array *array, expr_evaluation *at, core_slice *text, bool *is_null) {
    *is_null = false;
    if (!array->begun) {
        array->begun = true;
        if (!expr_text_take(&array->rest, '{'))
            return fail(array);
        if (expr_text_take(&array->rest, '}'))
            return array->rest.length > 0 && fail(array);
    } else if (expr_text_take(&array->rest, '}')) {
        return array->rest.length > 0 && fail(array);
    } else if (!expr_text_take(&array->rest, ',')) {
        return fail(array);
    }
    while (expr_text_is_blank(expr_text_peek(array->rest)))
        array->rest = expr_text_after(array->rest, 1);
    if (expr_text_peek(array->rest) == '"')
        return quoted_take(array, at, text);
    return plain_take(array, text, is_null);
}

bool expr_array_next(expr_array *array, expr_evaluation *at, uint8_t kind, expr_datum *element) {
    core_slice text;
    bool is_null = false;
    if (!expr_array_text(array, at, &text, &is_null))
        return false;
    if (is_null)
        expr_datum_null(element);
    else if (expr_scalar_parse(kind, text, &element->scalar))
        element->state = EXPR_DATUM_VALUE;
    else
        expr_datum_undecided(element, "an element is written as its type's values are not");
    return true;
}
