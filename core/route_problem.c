/* What every answer over HTTP says of a status; see route.h. */
#include "core/route.h"

const char *core_route_status_text(unsigned status) {
    static const struct {
        unsigned status;
        const char *text;
    } rows[] = {
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        if (rows[i].status == status)
            return rows[i].text;
    return "Unknown";
}

void core_route_problem_open(core_json_writer *json, unsigned status, const char *detail) {
    core_json_object_open(json);
    core_json_key_text(json, "type");
    core_json_text(json, "about:blank");
    core_json_key_text(json, "title");
    core_json_text(json, core_route_status_text(status));
    core_json_key_text(json, "status");
    core_json_unsigned(json, status);
    core_json_key_text(json, "detail");
    core_json_text(json, detail);
}
