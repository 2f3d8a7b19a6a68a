/* Answers of routes; see route.h. */
#include "core/route.h"

#include "core/utf8.h"

core_json_writer core_route_answer(core_route_reply *reply, unsigned status) {
    core_route_response *response = &reply->response;
    response->status = status;
    response->content_type = "application/json";
    core_buffer_reset(&response->body);
    return core_json_writer_make(&response->body);
}

void core_route_refuse(core_route_reply *reply, unsigned status, const char *detail,
                       const core_problems *problems) {
    core_json_writer json = core_route_answer(reply, status);
    reply->response.content_type = "application/problem+json";
    if (status == 503)
        (void)core_route_response_header(&reply->response, "Retry-After", "1");
    core_route_problem_open(&json, status, detail);
    if (problems != NULL) {
        core_json_key_text(&json, "problems");
        core_problems_write(problems, &json);
    }
    core_json_object_close(&json);
}

unsigned core_route_error_status(core_error_code code) {
    switch (code) {
    case CORE_ERROR_INPUT:
        return 400;
    case CORE_ERROR_CONFLICT:
        return 409;
    case CORE_ERROR_DENIED:
        return 403;
    case CORE_ERROR_LIMIT:
        return 413;
    case CORE_ERROR_TRANSIENT:
    case CORE_ERROR_FULL:
        return 503;
    default:
        return 500;
    }
}

static bool part_decode(core_slice part, core_buffer *out) {
    for (size_t i = 0; i < part.length; i++) {
        int high, low;
        if (part.data[i] != '%') {
            core_buffer_u8(out, part.data[i]);
            continue;
        }
        if (i + 2 >= part.length || (high = core_hex_digit(part.data[i + 1])) < 0 ||
            (low = core_hex_digit(part.data[i + 2])) < 0 || (high == 0 && low == 0))
            return false;
        core_buffer_u8(out, (uint8_t)(high << 4 | low));
        i += 2;
    }
    return core_buffer_ok(out) && core_utf8_valid(core_buffer_slice(out));
}

bool core_route_path_part(core_slice path, size_t index, char *text, size_t text_size) {
    size_t at = 0, slashes = 0;
    while (at < path.length && slashes <= index)
        slashes += path.data[at++] == '/';
    size_t end = at;
    while (end < path.length && path.data[end] != '/')
        end++;
    core_buffer out = core_buffer_over(text, text_size - 1);
    text[0] = '\0';
    if (slashes <= index || end == at ||
        !part_decode(core_slice_make(path.data + at, end - at), &out))
        return false;
    text[out.length] = '\0';
    return true;
}

bool core_route_if_match(core_slice value, uint64_t *expected) {
    *expected = UINT64_MAX;
    if (value.length == 0 || core_slice_is(value, "*"))
        return true;
    return value.length > 2 && value.data[0] == '"' && value.data[value.length - 1] == '"' &&
           core_slice_to_u64(core_slice_make(value.data + 1, value.length - 2), expected) &&
           *expected > 0;
}

core_slice core_route_query_next(core_slice *query) {
    const uint8_t *end = memchr(query->data, '&', query->length);
    size_t length = end != NULL ? (size_t)(end - query->data) : query->length;
    core_slice part = core_slice_make(query->data, length);
    length += end != NULL;
    *query = core_slice_make(query->data + length, query->length - length);
    return part;
}
