/* A search's parameters from a URL's query; see request.h. Lists have commas between. */
#include "search-index/request_private.h"

#include <stdio.h>

enum { QUERY_PARAMETERS_MAX = 200 };

/* ---- Values ---- */
static bool value_refuse(request_reader *reader, const request_parameter *parameter,
                         core_slice text, const char *expected) {
    if (text.length > 300)
        text.length = 300;
    return search_refuse(reader->refusal, parameter->code,
                         "Invalid value in parameter `%s`: could not parse `%.*s` as %s",
                         parameter->name, CORE_SLICE_ARGS(text), expected);
}

static bool count_read(request_reader *reader, const request_parameter *parameter, core_slice text,
                       uint32_t *count) {
    uint64_t value;
    if (!core_slice_to_u64(text, &value))
        return value_refuse(reader, parameter, text, "a positive integer");
    *count = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
    return true;
}

static bool bool_read(request_reader *reader, const request_parameter *parameter, core_slice text,
                      bool *value) {
    *value = core_slice_is(text, "true");
    return *value || core_slice_is(text, "false") ||
           value_refuse(reader, parameter, text, "a boolean, expected either `true` or `false`");
}

static bool ratio_read(request_reader *reader, const request_parameter *parameter, core_slice text,
                       double *ratio) {
    const char *name = parameter->kind == REQUEST_RATIO ? "semanticRatio" : "rankingScoreThreshold";
    return (search_filter_number(text, ratio) && request_ratio_check(*ratio)) ||
           search_refuse(reader->refusal, parameter->code,
                         "Invalid value in parameter `%s`: the value of `%s` is invalid, expected "
                         "a float between `0.0` and `1.0`.",
                         parameter->name, name);
}

/* Up to the next comma. */
static core_slice element_take(core_slice *rest) {
    const uint8_t *comma = rest->length > 0 ? memchr(rest->data, ',', rest->length) : NULL;
    size_t length = comma != NULL ? (size_t)(comma - rest->data) : rest->length;
    core_slice element = core_slice_make(rest->data, length);
    *rest = core_slice_make(rest->data + length + (comma != NULL),
                            rest->length - length - (comma != NULL));
    return element;
}

static bool names_read(request_reader *reader, const request_parameter *parameter, core_slice text,
                       search_names *names) {
    core_slice *list = core_arena_array(reader->arena, SEARCH_REQUEST_NAMES_MAX, sizeof *list);
    if (list == NULL)
        return request_full_refuse(reader);
    *names = (search_names){.names = list, .is_given = true};
    while (text.length > 0) {
        if (names->count == SEARCH_REQUEST_NAMES_MAX)
            return search_refuse(reader->refusal, parameter->code,
                                 "Invalid value in parameter `%s`: at most %d elements are taken",
                                 parameter->name, SEARCH_REQUEST_NAMES_MAX);
        list[names->count++] = element_take(&text);
    }
    return true;
}

/* A place has a comma of its own: its end is the next comma behind its bracket. */
static core_slice sort_take(core_slice *rest) {
    core_slice element = element_take(rest);
    core_slice trimmed = request_blanks_trim(element);
    if (!core_slice_begins(trimmed, core_slice_text("_geoPoint(")) ||
        memchr(trimmed.data, ')', trimmed.length) != NULL || rest->length == 0)
        return trimmed;
    core_slice more = element_take(rest);
    size_t length = (size_t)(more.data + more.length - trimmed.data);
    return request_blanks_trim(core_slice_make(trimmed.data, length));
}

static bool sorts_read(request_reader *reader, const request_parameter *parameter,
                       core_slice text) {
    core_slice list[SEARCH_REQUEST_SORTS_MAX + 1];
    search_names names = {.names = list};
    while (text.length > 0 && names.count <= SEARCH_REQUEST_SORTS_MAX)
        list[names.count++] = sort_take(&text);
    return request_sorts_set(reader, &names, parameter->code);
}

static bool vector_read(request_reader *reader, const request_parameter *parameter,
                        core_slice text) {
    float *vector = core_arena_array(reader->arena, SEARCH_REQUEST_VECTOR_MAX, sizeof *vector);
    uint32_t count = 0;
    if (vector == NULL)
        return request_full_refuse(reader);
    while (text.length > 0) {
        double number;
        core_slice element = element_take(&text);
        if (count == SEARCH_REQUEST_VECTOR_MAX)
            return search_refuse(reader->refusal, parameter->code,
                                 "Invalid value in parameter `%s`: at most %d elements are taken",
                                 parameter->name, SEARCH_REQUEST_VECTOR_MAX);
        if (!search_filter_number(request_blanks_trim(element), &number) ||
            !request_float_check(number))
            return value_refuse(reader, parameter, element, "a number");
        vector[count++] = (float)number;
    }
    reader->request->vector = vector;
    reader->request->vector_count = count;
    return true;
}

/* What is JSON is read as such, else it is an expression. */
static bool filter_read(request_reader *reader, core_slice text) {
    core_error error = {.text = ""};
    bool is_json = core_json_valid(text);
    bool ok = is_json ? search_filter_read(reader->arena, text, &reader->budget,
                                           &reader->request->filter, &error)
                      : search_filter_parse(reader->arena, text, &reader->budget,
                                            &reader->request->filter, &error);
    return ok || search_refuse_error(reader->refusal, SEARCH_CODE_INVALID_SEARCH_FILTER, &error);
}

static bool place_read(request_reader *reader, const request_parameter *parameter,
                       core_slice text) {
    reader->request->has_min_offset = true;
    return core_offset_parse(text, &reader->request->min_offset) ||
           value_refuse(reader, parameter, text,
                        "an offset of the change stream, as a write's answer or an event has it");
}

static bool strategy_read(request_reader *reader, const request_parameter *parameter,
                          core_slice text) {
    char unknown[64];
    (void)snprintf(unknown, sizeof unknown, "for parameter `%s`", parameter->name);
    return request_strategy_set(reader, text, unknown);
}

static bool list_read(request_reader *reader, const request_parameter *parameter, core_slice text) {
    search_names names;
    if (parameter->kind == REQUEST_NAMES)
        return names_read(reader, parameter, text, request_target(reader, parameter));
    return names_read(reader, parameter, text, &names) && request_crops_set(reader, &names);
}

static bool value_read(request_reader *reader, const request_parameter *parameter,
                       core_slice text) {
    void *target = request_target(reader, parameter);
    switch (parameter->kind) {
    case REQUEST_TEXT:
    case REQUEST_EMBEDDER:
        *(core_slice *)target = text;
        return true;
    case REQUEST_COUNT:
        return count_read(reader, parameter, text, target);
    case REQUEST_BOOL:
        return bool_read(reader, parameter, text, target);
    case REQUEST_NAMES:
    case REQUEST_CROPS:
        return list_read(reader, parameter, text);
    case REQUEST_FILTER:
        return filter_read(reader, text);
    case REQUEST_SORTS:
        return sorts_read(reader, parameter, text);
    case REQUEST_STRATEGY:
        return strategy_read(reader, parameter, text);
    case REQUEST_THRESHOLD:
        reader->request->has_threshold = true;
        return ratio_read(reader, parameter, text, target);
    case REQUEST_RATIO:
        return ratio_read(reader, parameter, text, target);
    case REQUEST_VECTOR:
        return vector_read(reader, parameter, text);
    case REQUEST_PLACE:
        return place_read(reader, parameter, text);
    default:
        assert(false); /* not in a query */
        return false;
    }
}

/* ---- The query ---- */
/* `+` is a blank, %XX a byte; what is no escape stands for itself. */
static bool percent_undo(request_reader *reader, core_slice raw, core_slice *text) {
    uint8_t *out = core_arena_alloc(reader->arena, raw.length + 1);
    size_t length = 0;
    if (out == NULL)
        return request_full_refuse(reader);
    for (size_t at = 0; at < raw.length; at++) {
        bool is_escape = raw.data[at] == '%' && raw.length - at > 2 &&
                         core_hex_digit(raw.data[at + 1]) >= 0 &&
                         core_hex_digit(raw.data[at + 2]) >= 0;
        out[length++] = raw.data[at] == '+' ? ' ' : raw.data[at];
        if (is_escape) {
            out[length - 1] =
                (uint8_t)(core_hex_digit(raw.data[at + 1]) << 4 | core_hex_digit(raw.data[at + 2]));
            at += 2;
        }
    }
    *text = core_slice_make(out, length);
    return core_utf8_valid(*text) || search_refuse(reader->refusal, SEARCH_CODE_BAD_REQUEST,
                                                   "The query of the URL is no valid UTF-8.");
}

static bool parameter_read(request_reader *reader, core_slice raw) {
    const uint8_t *equals = memchr(raw.data, '=', raw.length);
    size_t length = equals != NULL ? (size_t)(equals - raw.data) : raw.length;
    size_t behind = length + (equals != NULL);
    core_slice name;
    core_slice value;
    if (!percent_undo(reader, core_slice_make(raw.data, length), &name) ||
        !percent_undo(reader, core_slice_make(raw.data + behind, raw.length - behind), &value))
        return false;
    const request_parameter *parameter = request_parameter_find(name, REQUEST_IN_QUERY);
    if (core_slice_is(name, "apikey"))
        return true; /* the caller's credential, which the server has looked at */
    if (parameter == NULL)
        return request_unknown_refuse(reader, name);
    request_note(reader, parameter);
    return value_read(reader, parameter, value);
}

static bool parameters_read(request_reader *reader, core_slice query) {
    size_t count = 0;
    for (size_t at = 0; at < query.length; count++) {
        const uint8_t *start = query.data + at;
        const uint8_t *end = memchr(start, '&', query.length - at);
        size_t length = end != NULL ? (size_t)(end - start) : query.length - at;
        if (count == QUERY_PARAMETERS_MAX)
            return search_refuse(reader->refusal, SEARCH_CODE_BAD_REQUEST,
                                 "At most %d parameters are taken.", QUERY_PARAMETERS_MAX);
        if (length > 0 && !parameter_read(reader, core_slice_make(start, length)))
            return false;
        at += length + 1;
    }
    return true;
}

bool search_request_read_query(core_arena *arena, core_slice query, search_request *request,
                               search_refusal *refusal) {
    request_reader reader = {
        .arena = arena,
        .request = request,
        .refusal = refusal,
        .location = "",
        .where = REQUEST_IN_QUERY,
        .budget = SEARCH_FILTER_BUDGET,
    };
    *request = search_request_defaults();
    return parameters_read(&reader, query) && request_finish(&reader);
}
