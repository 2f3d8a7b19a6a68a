/* See http_response.h. */
#include "ws/http_response.h"

#include <stdio.h>
#include <time.h>

#define RESPONSE_HEAD_MAX 4096

void ws_http_problem_append(core_buffer *out, unsigned status, const char *detail,
                            const char *member) {
    core_json_writer json = core_json_writer_make(out);
    core_route_problem_open(&json, status, detail);
    if (member != NULL) {
        core_json_key_text(&json, member);
        core_json_text(&json, detail);
    }
    core_json_object_close(&json);
}

/* RFC 9110 5.6.7, whatever the locale. */
static void response_date(core_buffer *out, int64_t wall_us) {
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == NULL)
        return;
    core_buffer_format(out, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
                       days + (size_t)parts.tm_wday * 3, parts.tm_mday,
                       months + (size_t)parts.tm_mon * 3, parts.tm_year + 1900, parts.tm_hour,
                       parts.tm_min, parts.tm_sec);
}

static bool response_has_body(unsigned status) {
    return status >= 200 && status != 204 && status != 304;
}

static void response_cors(core_buffer *out, const ws_http_cors *cors) {
    if (cors->allow.length > 0)
        core_buffer_format(out,
                           "Access-Control-Allow-Origin: %.*s\r\n"
                           "Access-Control-Expose-Headers: X-Request-Id, Retry-After\r\n",
                           CORE_SLICE_ARGS(cors->allow));
    if (cors->vary)
        core_buffer_text(out, "Vary: Origin\r\n");
}

static void response_head(core_buffer *out, const ws_http_response *response) {
    core_buffer_format(out, "HTTP/1.1 %u %s\r\n", response->status,
                       core_route_status_text(response->status));
    response_date(out, response->wall_us);
    core_buffer_format(out, "X-Request-Id: %.*s\r\n", CORE_SLICE_ARGS(response->request_id));
    core_buffer_text(out, "X-Content-Type-Options: nosniff\r\n");
    response_cors(out, &response->cors);
    if (response->content_type != NULL)
        core_buffer_format(out, "Content-Type: %s\r\n", response->content_type);
    if (response_has_body(response->status) && !response->open_end)
        core_buffer_format(out, "Content-Length: %zu\r\n", response->body.length);
    core_buffer_text(out, response->extra);
    if (response->status >= 200)
        core_buffer_text(out,
                         response->close ? "Connection: close\r\n" : "Connection: keep-alive\r\n");
    core_buffer_text(out, "\r\n");
}

core_block *ws_http_response_block(const ws_http_response *response) {
    core_buffer head;
    core_buffer_init(&head, RESPONSE_HEAD_MAX);
    response_head(&head, response);
    bool with_body = response_has_body(response->status) && !response->head_only;
    size_t body = with_body ? response->body.length : 0;
    core_block *block = core_buffer_ok(&head) ? core_block_new(head.length + body) : NULL;
    if (block != NULL) {
        memcpy(block->bytes, head.data, head.length);
        if (body > 0)
            memcpy(block->bytes + head.length, response->body.data, body);
    }
    core_buffer_fini(&head);
    return block;
}
