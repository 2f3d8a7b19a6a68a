/* See code.h. */
#include "search-index/code.h"

#include <stdarg.h>
#include <stdio.h>

/* Of Meilisearch's codes its own page says most; of ours docs/SEARCH_API.md. */
#define CODE_LINK "https://docs.meilisearch.com/errors#"

static const search_code_row rows[] = {
#define X(name, text, status, type) [SEARCH_CODE_##name] = {text, status, type},
#include "search-index/code_table.h"
#undef X
};

const search_code_row *search_code_look(search_code code) {
    assert(code < SEARCH_CODE_NONE);
    return &rows[code];
}

search_code search_code_find(core_slice name) {
    size_t i = 0;
    while (i < SEARCH_CODE_NONE && !core_slice_is(name, rows[i].name))
        i++;
    return (search_code)i;
}

bool search_refuse(search_refusal *refusal, search_code code, const char *format, ...) {
    va_list arguments;
    if (refusal == NULL)
        return false;
    refusal->code = code;
    va_start(arguments, format);
    int length = vsnprintf(refusal->message, sizeof refusal->message, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length < sizeof refusal->message)
        return false;
    size_t whole = sizeof refusal->message - 1;
    if (core_utf8_begins(core_slice_make(refusal->message, whole), &whole))
        refusal->message[whole] = '\0';
    return false;
}

bool search_refuse_error(search_refusal *refusal, search_code input, const core_error *error) {
    static const search_code codes[] = {
        [CORE_ERROR_TRANSIENT] = SEARCH_CODE_UNAVAILABLE,
        [CORE_ERROR_DENIED] = SEARCH_CODE_INVALID_API_KEY,
        [CORE_ERROR_FULL] = SEARCH_CODE_NO_SPACE_LEFT_ON_DEVICE,
        [CORE_ERROR_GAP] = SEARCH_CODE_UNAVAILABLE,
    };
    bool is_input = error->code == CORE_ERROR_INPUT || error->code == CORE_ERROR_LIMIT ||
                    error->code == CORE_ERROR_CONFLICT;
    bool is_listed = error->code == CORE_ERROR_TRANSIENT || error->code == CORE_ERROR_DENIED ||
                     error->code == CORE_ERROR_FULL || error->code == CORE_ERROR_GAP;
    return search_refuse(refusal,
                         is_input    ? input
                         : is_listed ? codes[error->code]
                                     : SEARCH_CODE_INTERNAL,
                         "%s", error->text);
}

void search_refusal_write(const search_refusal *refusal, core_json_writer *json) {
    const search_code_row *row = search_code_look(refusal->code);
    char link[sizeof CODE_LINK + 64];
    (void)snprintf(link, sizeof link, CODE_LINK "%s", row->name);
    core_json_object_open(json);
    core_json_key_text(json, "message");
    core_json_text(json, refusal->message);
    core_json_key_text(json, "code");
    core_json_text(json, row->name);
    core_json_key_text(json, "type");
    core_json_text(json, row->type);
    core_json_key_text(json, "link");
    core_json_text(json, link);
    core_json_object_close(json);
}
