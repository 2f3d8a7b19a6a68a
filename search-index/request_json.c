/* A search's parameters from JSON, with errors that say where in it; see request.h. */
#include "search-index/request_private.h"

#include <stdio.h>

enum { JSON_SHOWN_MAX = 300, JSON_PLACE_SIZE = 192 };

/* ---- Errors ---- */
static bool malformed_refuse(request_reader *reader) {
    return search_refuse(reader->refusal, SEARCH_CODE_MALFORMED_PAYLOAD,
                         "The json payload provided is malformed. It must be one object of valid "
                         "JSON, at most %d levels deep.",
                         CORE_JSON_MAX_DEPTH);
}

static const char *kind_name(core_json_token token) {
    bool is_whole = token.kind == CORE_JSON_NUMBER &&
                    memchr(token.raw.data, '.', token.raw.length) == NULL &&
                    memchr(token.raw.data, 'e', token.raw.length) == NULL &&
                    memchr(token.raw.data, 'E', token.raw.length) == NULL;
    switch (token.kind) {
    case CORE_JSON_TRUE:
    case CORE_JSON_FALSE:
        return "a boolean";
    case CORE_JSON_NUMBER:
        return !is_whole                  ? "a number"
               : token.raw.data[0] == '-' ? "a negative integer"
                                          : "a positive integer";
    case CORE_JSON_STRING:
        return "a string";
    case CORE_JSON_ARRAY_OPEN:
        return "an array";
    default:
        return "an object";
    }
}

/* "Invalid value type at `.q`: expected a string, but found an array: `[1]`" */
static bool type_refuse(request_reader *reader, search_code code, const char *place,
                        const char *expected, core_json_token token) {
    core_slice whole;
    if (token.kind == CORE_JSON_NULL)
        return search_refuse(
            reader->refusal, code, "Invalid value type%s%s%s: expected %s, but found null",
            place[0] != '\0' ? " at `" : "", place, place[0] != '\0' ? "`" : "", expected);
    if (!core_json_skip(&reader->json, token, &whole))
        return malformed_refuse(reader);
    if (whole.length > JSON_SHOWN_MAX)
        whole.length = JSON_SHOWN_MAX;
    return search_refuse(reader->refusal, code,
                         "Invalid value type%s%s%s: expected %s, but found %s: `%.*s`",
                         place[0] != '\0' ? " at `" : "", place, place[0] != '\0' ? "`" : "",
                         expected, kind_name(token), CORE_SLICE_ARGS(whole));
}

/* ---- Values ---- */
static bool text_undo(request_reader *reader, core_slice raw, core_slice *text) {
    if (raw.length == 0 || memchr(raw.data, '\\', raw.length) == NULL)
        return request_keep(reader, raw, text);
    void *memory = core_arena_alloc(reader->arena, raw.length);
    if (memory == NULL)
        return request_full_refuse(reader);
    core_buffer buffer = core_buffer_over(memory, raw.length);
    if (!core_json_unescape(raw, &buffer))
        return malformed_refuse(reader);
    *text = core_buffer_slice(&buffer);
    return true;
}

static bool text_read(request_reader *reader, search_code code, const char *place,
                      core_json_token token, core_slice *text) {
    if (token.kind != CORE_JSON_STRING)
        return type_refuse(reader, code, place, "a string", token);
    return text_undo(reader, token.raw, text);
}

static bool count_read(request_reader *reader, search_code code, const char *place,
                       core_json_token token, uint32_t *count) {
    uint64_t value;
    if (token.kind != CORE_JSON_NUMBER || !core_slice_to_u64(token.raw, &value))
        return type_refuse(reader, code, place, "a positive integer", token);
    *count = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
    return true;
}

static bool bool_read(request_reader *reader, search_code code, const char *place,
                      core_json_token token, bool *value) {
    if (token.kind != CORE_JSON_TRUE && token.kind != CORE_JSON_FALSE)
        return type_refuse(reader, code, place, "a boolean", token);
    *value = token.kind == CORE_JSON_TRUE;
    return true;
}

static bool number_read(request_reader *reader, search_code code, const char *place,
                        core_json_token token, double *number) {
    if (token.kind != CORE_JSON_NUMBER)
        return type_refuse(reader, code, place, "a number", token);
    return search_filter_number(token.raw, number) ||
           search_refuse(reader->refusal, code, "Invalid value at `%s`: the number is out of range",
                         place);
}

static bool list_open(request_reader *reader, search_code code, const char *place,
                      core_json_token token) {
    return token.kind == CORE_JSON_ARRAY_OPEN ||
           type_refuse(reader, code, place, "an array", token);
}

/* The next element of the list; false: it has ended, or was malformed (`*ok`), or has more than
 * `max`. */
static bool element_next(request_reader *reader, search_code code, const char *place,
                         uint32_t count, uint32_t max, core_json_token *token, bool *ok) {
    *token = core_json_next(&reader->json);
    *ok = true;
    if (token->kind == CORE_JSON_ARRAY_CLOSE)
        return false;
    if (token->kind == CORE_JSON_INVALID || token->kind == CORE_JSON_END)
        *ok = malformed_refuse(reader);
    else if (count == max)
        *ok = search_refuse(reader->refusal, code,
                            "Invalid value at `%s`: at most %u elements are taken", place, max);
    return *ok;
}

static bool names_read(request_reader *reader, search_code code, const char *place,
                       core_json_token token, search_names *names) {
    char inner[JSON_PLACE_SIZE + 16];
    bool ok;
    if (!list_open(reader, code, place, token))
        return false;
    core_slice *list = core_arena_array(reader->arena, SEARCH_REQUEST_NAMES_MAX, sizeof *list);
    if (list == NULL)
        return request_full_refuse(reader);
    *names = (search_names){.names = list, .is_given = true};
    while (element_next(reader, code, place, names->count, SEARCH_REQUEST_NAMES_MAX, &token, &ok)) {
        (void)snprintf(inner, sizeof inner, "%s[%u]", place, names->count);
        if (!text_read(reader, code, inner, token, &list[names->count]))
            return false;
        names->count++;
    }
    return ok;
}

static bool vector_read(request_reader *reader, search_code code, const char *place,
                        core_json_token token) {
    char inner[JSON_PLACE_SIZE + 16];
    bool ok;
    if (!list_open(reader, code, place, token))
        return false;
    float *vector = core_arena_array(reader->arena, SEARCH_REQUEST_VECTOR_MAX, sizeof *vector);
    if (vector == NULL)
        return request_full_refuse(reader);
    uint32_t count = 0;
    while (element_next(reader, code, place, count, SEARCH_REQUEST_VECTOR_MAX, &token, &ok)) {
        double number;
        (void)snprintf(inner, sizeof inner, "%s[%u]", place, count);
        if (!number_read(reader, code, inner, token, &number))
            return false;
        if (!request_float_check(number))
            return search_refuse(reader->refusal, code,
                                 "Invalid value at `%s`: the number is out of range", inner);
        vector[count++] = (float)number;
    }
    reader->request->vector = vector;
    reader->request->vector_count = count;
    return ok;
}

static bool ratio_read(request_reader *reader, search_code code, const char *place,
                       const char *name, core_json_token token, double *ratio) {
    if (!number_read(reader, code, place, token, ratio))
        return false;
    return request_ratio_check(*ratio) ||
           search_refuse(reader->refusal, code,
                         "Invalid value at `%s`: the value of `%s` is invalid, expected a float "
                         "between `0.0` and `1.0`.",
                         place, name);
}

static bool hybrid_read(request_reader *reader, search_code code, const char *place,
                        core_json_token token) {
    char inner[JSON_PLACE_SIZE + 32];
    search_request *request = reader->request;
    if (token.kind != CORE_JSON_OBJECT_OPEN)
        return type_refuse(reader, code, place, "an object", token);
    while (core_json_member_next(&reader->json, &token)) {
        bool is_embedder = core_json_raw_is(token.key, "embedder");
        (void)snprintf(inner, sizeof inner, "%s.%s", place,
                       is_embedder ? "embedder" : "semanticRatio");
        if (!is_embedder && !core_json_raw_is(token.key, "semanticRatio"))
            return search_refuse(reader->refusal, code,
                                 "Unknown field `%.*s` inside `%s`: expected one of `embedder`, "
                                 "`semanticRatio`",
                                 (int)(token.key.length < 100 ? token.key.length : 100),
                                 (const char *)token.key.data, place);
        bool ok = is_embedder ? text_read(reader, SEARCH_CODE_INVALID_SEARCH_EMBEDDER, inner, token,
                                          &request->embedder)
                              : ratio_read(reader, SEARCH_CODE_INVALID_SEARCH_SEMANTIC_RATIO, inner,
                                           "semanticRatio", token, &request->semantic_ratio);
        if (!ok)
            return false;
    }
    return request->embedder.length > 0 ||
           search_refuse(reader->refusal, code, "Missing field `embedder` inside `%s`", place);
}

static bool filter_read(request_reader *reader, core_json_token token) {
    core_slice whole;
    core_error error = {.text = ""};
    if (!core_json_skip(&reader->json, token, &whole))
        return malformed_refuse(reader);
    return search_filter_read(reader->arena, whole, &reader->budget, &reader->request->filter,
                              &error) ||
           search_refuse_error(reader->refusal, SEARCH_CODE_INVALID_SEARCH_FILTER, &error);
}

static bool place_read(request_reader *reader, search_code code, const char *place,
                       core_json_token token) {
    core_slice text;
    if (!text_read(reader, code, place, token, &text))
        return false;
    reader->request->has_min_offset = true;
    return core_offset_parse(text, &reader->request->min_offset) ||
           search_refuse(reader->refusal, code,
                         "Invalid value at `%s`: expected an offset of the change stream, as a "
                         "write's answer or an event has it",
                         place);
}

static bool threshold_read(request_reader *reader, search_code code, const char *place,
                           core_json_token token) {
    reader->request->has_threshold = true;
    return ratio_read(reader, code, place, "rankingScoreThreshold", token,
                      &reader->request->threshold);
}

static bool strategy_read(request_reader *reader, search_code code, const char *place,
                          core_json_token token) {
    char unknown[JSON_PLACE_SIZE + 16];
    core_slice text;
    (void)snprintf(unknown, sizeof unknown, "at `%s`", place);
    return text_read(reader, code, place, token, &text) &&
           request_strategy_set(reader, text, unknown);
}

static bool list_read(request_reader *reader, const request_parameter *parameter, const char *place,
                      core_json_token token) {
    search_names names;
    if (parameter->kind == REQUEST_NAMES)
        return names_read(reader, parameter->code, place, token, request_target(reader, parameter));
    if (!names_read(reader, parameter->code, place, token, &names))
        return false;
    return parameter->kind == REQUEST_CROPS ? request_crops_set(reader, &names)
                                            : request_sorts_set(reader, &names, parameter->code);
}

static bool raw_read(request_reader *reader, core_json_token token, core_slice *raw) {
    return core_json_skip(&reader->json, token, raw) || malformed_refuse(reader);
}

static bool value_read(request_reader *reader, const request_parameter *parameter,
                       const char *place, core_json_token token) {
    void *target = request_target(reader, parameter);
    search_code code = parameter->code;
    switch (parameter->kind) {
    case REQUEST_TEXT:
    case REQUEST_EMBEDDER:
        return text_read(reader, code, place, token, target);
    case REQUEST_COUNT:
        return count_read(reader, code, place, token, target);
    case REQUEST_BOOL:
        return bool_read(reader, code, place, token, target);
    case REQUEST_NAMES:
    case REQUEST_CROPS:
    case REQUEST_SORTS:
        return list_read(reader, parameter, place, token);
    case REQUEST_FILTER:
        return filter_read(reader, token);
    case REQUEST_STRATEGY:
        return strategy_read(reader, code, place, token);
    case REQUEST_THRESHOLD:
        return threshold_read(reader, code, place, token);
    case REQUEST_RATIO:
        return ratio_read(reader, code, place, parameter->name, token, target);
    case REQUEST_HYBRID:
        return hybrid_read(reader, code, place, token);
    case REQUEST_VECTOR:
        return vector_read(reader, code, place, token);
    case REQUEST_PLACE:
        return place_read(reader, code, place, token);
    case REQUEST_RAW:
        return raw_read(reader, token, target);
    }
    assert(false);
    return false;
}

/* ---- The object ---- */
static bool member_read(request_reader *reader, core_json_token token) {
    char place[JSON_PLACE_SIZE];
    core_slice name;
    if (!text_undo(reader, token.key, &name))
        return false;
    const request_parameter *parameter = request_parameter_find(name, reader->where);
    if (parameter == NULL)
        return request_unknown_refuse(reader, name);
    if (token.kind == CORE_JSON_NULL)
        return true;
    (void)snprintf(place, sizeof place, "%s.%s", reader->location, parameter->name);
    request_note(reader, parameter);
    return value_read(reader, parameter, place, token);
}

static bool object_read(request_reader *reader) {
    core_json_token token = core_json_next(&reader->json);
    if (token.kind == CORE_JSON_INVALID)
        return malformed_refuse(reader);
    if (token.kind != CORE_JSON_OBJECT_OPEN)
        return type_refuse(reader, SEARCH_CODE_BAD_REQUEST, reader->location, "an object", token);
    while (core_json_member_next(&reader->json, &token))
        if (!member_read(reader, token))
            return false;
    return core_json_next(&reader->json).kind == CORE_JSON_END || malformed_refuse(reader);
}

bool search_request_read_json(core_arena *arena, core_slice json,
                              const search_request_options *options, search_request *request,
                              search_refusal *refusal) {
    request_reader reader = {
        .arena = arena,
        .request = request,
        .refusal = refusal,
        .location = options->location,
        .where = options->is_multi ? REQUEST_IN_MULTI : REQUEST_IN_JSON,
        .budget = SEARCH_FILTER_BUDGET,
        .json = core_json_reader_make(json),
    };
    assert(strlen(options->location) < JSON_PLACE_SIZE / 2);
    *request = search_request_defaults();
    return (json.length == 0 || object_read(&reader)) && request_finish(&reader);
}
