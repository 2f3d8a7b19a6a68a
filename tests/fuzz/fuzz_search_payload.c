/* Any bytes as documents in each of three forms: what is taken is an array of so many objects in
 * valid UTF-8. The same bytes as a record of the search log, a token's claims and a document's id.
 */
#include "search-index/documents.h"
#include "search-index/payload.h"
#include "search-index/record.h"
#include "search-index/rules.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void array_check(core_slice text, size_t count) {
    core_json_reader reader = core_json_reader_make(text);
    core_json_token token = core_json_next(&reader);
    core_slice whole;
    size_t found = 0;
    if (!core_json_valid(text) || token.kind != CORE_JSON_ARRAY_OPEN)
        abort();
    for (token = core_json_next(&reader); token.kind == CORE_JSON_OBJECT_OPEN;
         token = core_json_next(&reader), found++)
        if (!core_json_skip(&reader, token, &whole))
            abort();
    if (token.kind != CORE_JSON_ARRAY_CLOSE || found != count)
        abort();
}

static void payload_check(search_payload_kind kind, core_slice body, core_arena *arena) {
    core_buffer out;
    size_t count;
    search_refusal refusal = {.code = SEARCH_CODE_NONE};
    core_slice key, id;
    core_buffer_init(&out, (size_t)1 << 20);
    if (search_payload_read(kind, body, ',', &out, &count, &refusal)) {
        array_check(core_buffer_slice(&out), count);
        if (search_primary_key_guess(body, body, arena, &key, &refusal) &&
            search_document_id(body, key, arena, &id, &refusal) && !search_document_id_ok(id))
            abort();
    } else if (refusal.code == SEARCH_CODE_NONE)
        abort();
    core_buffer_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_slice body = core_slice_make(data, size), filter;
    core_arena arena;
    search_record record;
    core_error error;
    core_arena_init(&arena, 4096, (size_t)1 << 20);
    for (int kind = SEARCH_PAYLOAD_JSON; kind <= SEARCH_PAYLOAD_CSV; kind++)
        payload_check((search_payload_kind)kind, body, &arena);
    if (search_rules_look(body, core_slice_text("a"), &filter) == SEARCH_RULES_DENIED &&
        filter.length > 0)
        abort();
    if (search_record_read(body, &arena, &record, &error) && record.piece_count > SEARCH_PIECES_MAX)
        abort();
    core_arena_fini(&arena);
    return 0;
}
