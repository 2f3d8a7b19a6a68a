/* A document and, behind a NUL, a request for how to show it: JSON comes out, or an error; and any
 * bytes as a text to highlight and crop: what is shown has the text's bytes in their order. */
#include "search-index/format.h"

#include "../unit/search-index/plain_tokens.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const search_match_term terms[] = {
    {.text = {(const uint8_t *)"a", 1}},
    {.text = {(const uint8_t *)"si", 2}, .word = 1, .is_prefix = true},
    {.text = {(const uint8_t *)"b", 1}, .word = 2, .phrase_left = 1},
    {.text = {(const uint8_t *)"c", 1}, .word = 2},
    {.text = {(const uint8_t *)"東", 3}, .word = 3, .is_prefix = true},
};

static void hit_show(core_slice document, const search_request *request) {
    search_schema_spec spec = search_schema_defaults();
    core_error error = {.text = ""};
    core_buffer out;
    search_schema *schema = search_schema_new(&spec, &error);
    search_formatter *formatter =
        search_formatter_new(request, schema, plain_tokens(), terms, CORE_COUNT_OF(terms));
    if (formatter == NULL)
        abort();
    core_buffer_init(&out, (size_t)64 << 20);
    core_json_writer json = core_json_writer_make(&out);
    core_json_object_open(&json);
    bool ok = search_formatter_hit(formatter, document, &json, &error);
    core_json_object_close(&json);
    if (ok != (error.text[0] == '\0'))
        abort();
    if (ok && core_json_valid(document) && !core_json_valid(core_buffer_slice(&out)))
        abort();
    search_formatter_free(formatter);
    search_schema_release(schema);
    core_buffer_fini(&out);
}

static void text_show(core_slice text, uint32_t crop) {
    search_excerpt_options options = {.is_highlighted = true, .crop_length = crop};
    core_buffer out;
    core_buffer_init(&out, 1 << 20);
    search_excerpt *excerpt = search_excerpt_new(plain_tokens(), terms, CORE_COUNT_OF(terms));
    if (excerpt == NULL || !search_excerpt_look(excerpt, text))
        abort();
    search_excerpt_write(excerpt, &options, &out);
    /* Without tags and marker it is a piece of the text, and all of it without a crop. */
    if (out.length > text.length || (crop == 0 && out.length != text.length) ||
        (out.length > 0 && memmem(text.data, text.length, out.data, out.length) == NULL))
        abort();
    search_excerpt_free(excerpt);
    core_buffer_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const search_request_options options = {.location = ""};
    const uint8_t *split = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t length = split != NULL ? (size_t)(split - data) : size;
    core_slice document = core_slice_make(data, length);
    core_slice json =
        split != NULL ? core_slice_make(split + 1, size - length - 1) : core_slice_make(NULL, 0);
    search_request request;
    search_refusal refusal;
    core_arena arena;
    core_arena_init(&arena, 4096, SEARCH_REQUEST_ARENA_BYTES);
    if (search_request_read_json(&arena, json, &options, &request, &refusal))
        hit_show(document, &request);
    core_arena_fini(&arena);
    text_show(document, 0);
    text_show(document, 3);
    return 0;
}
