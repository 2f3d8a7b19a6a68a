/* See params.h. */
#include "search-index/params.h"

#include <stdio.h>

bool search_percent_undo(core_slice text, bool plus_is_blank, core_arena *arena, core_slice *out) {
    uint8_t *room = core_arena_alloc(arena, text.length + 1);
    size_t length = 0;
    for (size_t i = 0; room != NULL && i < text.length; i++) {
        uint8_t byte = text.data[i];
        if (byte == '%') {
            int high = i + 2 < text.length ? core_hex_digit(text.data[i + 1]) : -1;
            int low = i + 2 < text.length ? core_hex_digit(text.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            byte = (uint8_t)(high * 16 + low);
            i += 2;
        } else if (byte == '+' && plus_is_blank) {
            byte = ' ';
        }
        room[length++] = byte;
    }
    *out = core_slice_make(room, length);
    return room != NULL && core_utf8_valid(*out);
}

/* ---- Parameters ---- */

static bool param_add(core_slice part, core_arena *arena, search_params *params) {
    const uint8_t *mark = memchr(part.data, '=', part.length);
    size_t length = mark != NULL ? (size_t)(mark - part.data) : part.length;
    size_t behind = mark != NULL ? length + 1 : length;
    search_param *param = &params->items[params->count];
    if (!search_percent_undo(core_slice_make(part.data, length), true, arena, &param->name) ||
        !search_percent_undo(core_slice_make(part.data + behind, part.length - behind), true, arena,
                             &param->value))
        return false;
    params->count += !core_slice_is(param->name, "apikey");
    return true;
}

bool search_params_read(core_slice query, core_arena *arena, search_params *params,
                        search_refusal *refusal) {
    size_t at = 0;
    params->count = 0;
    while (at < query.length) {
        const uint8_t *end = memchr(query.data + at, '&', query.length - at);
        size_t length = end != NULL ? (size_t)(end - query.data) - at : query.length - at;
        if (params->count == SEARCH_PARAMS_MAX)
            return search_refuse(refusal, SEARCH_CODE_BAD_REQUEST,
                                 "At most %d parameters are taken.", SEARCH_PARAMS_MAX);
        if (length > 0 && !param_add(core_slice_make(query.data + at, length), arena, params))
            return search_refuse(refusal, SEARCH_CODE_BAD_REQUEST,
                                 "A parameter is not percent-encoded UTF-8.");
        at += length + 1;
    }
    return true;
}

const core_slice *search_params_find(const search_params *params, const char *name) {
    for (size_t i = 0; i < params->count; i++)
        if (core_slice_is(params->items[i].name, name))
            return &params->items[i].value;
    return NULL;
}

static bool is_among(core_slice name, const char *const *names) {
    for (; *names != NULL; names++)
        if (core_slice_is(name, *names))
            return true;
    return false;
}

bool search_params_known(const search_params *params, const char *const *names,
                         search_refusal *refusal) {
    for (size_t i = 0; i < params->count; i++) {
        core_slice name = params->items[i].name;
        char list[600] = "";
        size_t used = 0;
        if (is_among(name, names) || core_slice_is(name, "apikey")) /* the caller's credential */
            continue;
        for (size_t j = 0; names[j] != NULL && used < sizeof list; j++)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s`%s`", j > 0 ? ", " : "",
                                     names[j]);
        return search_refuse(
            refusal, SEARCH_CODE_BAD_REQUEST, "Unknown parameter `%.*s`: expected one of %s",
            name.length < 100 ? (int)name.length : 100, (const char *)name.data, list);
    }
    return true;
}

static bool value_refuse(const char *name, core_slice value, const char *what, search_code code,
                         search_refusal *refusal) {
    return search_refuse(
        refusal, code, "Invalid value in parameter `%s`: could not parse `%.*s` %s", name,
        value.length < 100 ? (int)value.length : 100, (const char *)value.data, what);
}

bool search_params_number(const search_params *params, const char *name, search_code code,
                          uint64_t *number, search_refusal *refusal) {
    const core_slice *value = search_params_find(params, name);
    return value == NULL || core_slice_to_u64(*value, number) ||
           value_refuse(name, *value, "as a positive integer", code, refusal);
}

bool search_params_bool(const search_params *params, const char *name, search_code code, bool *flag,
                        search_refusal *refusal) {
    const core_slice *value = search_params_find(params, name);
    if (value == NULL)
        return true;
    *flag = core_slice_is(*value, "true");
    return *flag || core_slice_is(*value, "false") ||
           value_refuse(name, *value, "as a boolean, expected either `true` or `false`", code,
                        refusal);
}

bool search_params_list(const search_params *params, const char *name, core_arena *arena,
                        core_slice **texts, size_t *count) {
    const core_slice *value = search_params_find(params, name);
    *count = 0;
    *texts = NULL;
    if (value == NULL || core_slice_is(*value, "*"))
        return true;
    size_t most = 1, at = 0;
    for (size_t i = 0; i < value->length; i++)
        most += value->data[i] == ',';
    *texts = core_arena_array(arena, most, sizeof **texts);
    while (*texts != NULL && at <= value->length) {
        size_t length = 0;
        while (at + length < value->length && value->data[at + length] != ',')
            length++;
        (*texts)[(*count)++] = core_slice_make(value->data + at, length);
        at += length + 1;
    }
    return *texts != NULL;
}
