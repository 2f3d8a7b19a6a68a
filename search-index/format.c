/* One document, walked once for each form in which it is shown; see format.h. */
#include "search-index/format_cover.h"

#include <stdlib.h>

enum { FORMAT_PATH_MAX = 1024, FORMAT_INDICES_MAX = 64 };

typedef enum {
    FORMAT_COPY,      /* the attributes that were asked for */
    FORMAT_FORMATTED, /* `_formatted` */
    FORMAT_POSITIONS, /* collects; writes nothing */
} format_pass;

/* Where something was found. */
typedef struct {
    uint32_t path; /* in the buffer of paths */
    uint32_t path_length;
    uint32_t order;
    size_t start;
    size_t length;
    uint32_t first_index; /* in the buffer of indices */
    uint32_t index_count;
} format_position;

struct search_formatter {
    const search_request *request;
    const search_schema *schema;
    search_excerpt *excerpt;
    core_buffer text;  /* a value, escapes undone */
    core_buffer shown; /* the same, formatted */
    core_buffer path;
    core_buffer paths;
    bool is_formatted; /* `_formatted` is wanted */
    bool copies_all;
    format_position *positions;
    uint32_t position_count;
    uint32_t indices[FORMAT_INDICES_MAX]; /* of the arrays that the walk is in */
    uint32_t index_count;
    core_buffer index_list;
};

typedef struct {
    search_formatter *formatter;
    format_pass pass;
    core_json_reader reader;
    core_json_writer *json;
    core_error *error;
} format_walk;

/* ---- Which attributes ---- */
static format_cover path_covers(const format_walk *walk, bool is_leaf) {
    const search_formatter *formatter = walk->formatter;
    format_cover asked = COVER_WHOLE;
    core_slice path = core_buffer_slice(&formatter->path);
    if (walk->pass != FORMAT_POSITIONS)
        asked = format_asked_covers(formatter->request, path, walk->pass == FORMAT_FORMATTED);
    return format_path_covers(formatter->schema, path, asked, is_leaf);
}

/* ---- Making ---- */
search_formatter *search_formatter_new(const search_request *request, const search_schema *schema,
                                       search_token_source source, const search_match_term *terms,
                                       uint32_t term_count) {
    search_formatter *formatter = calloc(1, sizeof *formatter);
    if (formatter == NULL)
        return NULL;
    formatter->request = request;
    formatter->schema = schema;
    core_buffer_init(&formatter->text, SEARCH_FORMAT_BYTES_MAX);
    core_buffer_init(&formatter->shown, SEARCH_FORMAT_BYTES_MAX);
    core_buffer_init(&formatter->path, FORMAT_PATH_MAX);
    core_buffer_init(&formatter->paths, (size_t)SEARCH_FORMAT_POSITIONS_MAX * 256);
    core_buffer_init(&formatter->index_list,
                     (size_t)SEARCH_FORMAT_POSITIONS_MAX * FORMAT_INDICES_MAX * sizeof(uint32_t));
    formatter->excerpt = search_excerpt_new(source, terms, term_count);
    if (request->shows_matches)
        formatter->positions = calloc(SEARCH_FORMAT_POSITIONS_MAX, sizeof *formatter->positions);
    if (formatter->excerpt == NULL || (request->shows_matches && formatter->positions == NULL)) {
        search_formatter_free(formatter);
        return NULL;
    }
    formatter->is_formatted = format_is_asked(request, schema);
    formatter->copies_all = search_schema_get(schema)->shows_all && !request->retrieve.is_given;
    return formatter;
}

void search_formatter_free(search_formatter *formatter) {
    if (formatter == NULL)
        return;
    search_excerpt_free(formatter->excerpt);
    core_buffer_fini(&formatter->text);
    core_buffer_fini(&formatter->shown);
    core_buffer_fini(&formatter->path);
    core_buffer_fini(&formatter->paths);
    core_buffer_fini(&formatter->index_list);
    free(formatter->positions);
    free(formatter);
}

/* ---- Leaves ---- */
static bool document_broken(core_error *error) {
    return core_error_set(error, CORE_ERROR_INTERNAL,
                          "A kept document is no valid JSON object; rebuild the index.");
}

static bool walk_broken(const format_walk *walk) {
    return document_broken(walk->error);
}

static bool walk_full(const format_walk *walk) {
    return core_error_set(walk->error, CORE_ERROR_LIMIT, "A hit takes more than %zu bytes to show.",
                          SEARCH_FORMAT_BYTES_MAX);
}

/* How the value at the path is shown. */
static search_excerpt_options options_at(const search_formatter *formatter) {
    const search_request *request = formatter->request;
    core_slice path = core_buffer_slice(&formatter->path);
    search_excerpt_options options = {
        .is_highlighted = format_names_cover(&request->highlight, path) == COVER_WHOLE,
        .crop_marker = request->crop_marker,
        .highlight_pre = request->highlight_pre,
        .highlight_post = request->highlight_post,
    };
    for (uint32_t i = 0; i < request->crop_count; i++)
        if (format_name_covers(request->crops[i].name, path) == COVER_WHOLE)
            options.crop_length = request->crops[i].length;
    return options;
}

/* The value's text: of a string without its escapes, of a number its digits. */
static bool text_take(format_walk *walk, core_json_token token) {
    core_buffer *text = &walk->formatter->text;
    core_buffer_reset(text);
    if (token.kind == CORE_JSON_NUMBER)
        core_buffer_slice_append(text, token.raw);
    else if (!core_json_unescape(token.raw, text))
        return core_buffer_ok(text) ? walk_broken(walk) : walk_full(walk);
    return core_buffer_ok(text) || walk_full(walk);
}

static bool leaf_format(format_walk *walk, core_json_token token) {
    search_formatter *formatter = walk->formatter;
    search_excerpt_options options = options_at(formatter);
    if (!text_take(walk, token))
        return false;
    if (!options.is_highlighted && options.crop_length == 0) {
        core_json_string(walk->json, core_buffer_slice(&formatter->text));
        return true;
    }
    core_buffer_reset(&formatter->shown);
    if (!search_excerpt_look(formatter->excerpt, core_buffer_slice(&formatter->text)))
        return walk_full(walk);
    search_excerpt_write(formatter->excerpt, &options, &formatter->shown);
    if (!core_buffer_ok(&formatter->shown))
        return walk_full(walk);
    core_json_string(walk->json, core_buffer_slice(&formatter->shown));
    return true;
}

static bool position_put(search_formatter *formatter, const search_match *match) {
    format_position *position = &formatter->positions[formatter->position_count];
    size_t path = formatter->paths.length;
    size_t indices = formatter->index_list.length;
    core_buffer_slice_append(&formatter->paths, core_buffer_slice(&formatter->path));
    core_buffer_append(&formatter->index_list, formatter->indices,
                       formatter->index_count * sizeof *formatter->indices);
    if (!core_buffer_ok(&formatter->paths) || !core_buffer_ok(&formatter->index_list))
        return false;
    *position = (format_position){.path = (uint32_t)path,
                                  .path_length = (uint32_t)formatter->path.length,
                                  .order = formatter->position_count,
                                  .start = match->start,
                                  .length = match->end - match->start,
                                  .first_index = (uint32_t)(indices / sizeof(uint32_t)),
                                  .index_count = formatter->index_count};
    formatter->position_count++;
    return true;
}

/* What does not fit any more is left out. */
static bool leaf_positions(format_walk *walk, core_json_token token) {
    search_formatter *formatter = walk->formatter;
    if (!text_take(walk, token))
        return false;
    if (!search_excerpt_look(formatter->excerpt, core_buffer_slice(&formatter->text)))
        return walk_full(walk);
    uint32_t count;
    const search_match *matches = search_excerpt_matches(formatter->excerpt, &count);
    for (uint32_t i = 0; i < count; i++)
        if (formatter->position_count == SEARCH_FORMAT_POSITIONS_MAX ||
            !position_put(formatter, &matches[i]))
            break;
    return true;
}

static bool leaf_walk(format_walk *walk, core_json_token token) {
    core_slice whole;
    bool is_text = token.kind == CORE_JSON_STRING || token.kind == CORE_JSON_NUMBER;
    if (walk->pass == FORMAT_FORMATTED && is_text)
        return leaf_format(walk, token);
    if (walk->pass == FORMAT_POSITIONS)
        return !is_text || leaf_positions(walk, token);
    if (!core_json_skip(&walk->reader, token, &whole))
        return walk_broken(walk);
    core_json_raw(walk->json, whole);
    return true;
}

/* ---- The walk ---- */
static bool value_walk(format_walk *walk, core_json_token token);

static bool is_container(core_json_token token) {
    return token.kind == CORE_JSON_OBJECT_OPEN || token.kind == CORE_JSON_ARRAY_OPEN;
}

static bool value_skip(format_walk *walk, core_json_token token) {
    core_slice whole;
    return core_json_skip(&walk->reader, token, &whole) || walk_broken(walk);
}

static bool value_copy(format_walk *walk, core_json_token token) {
    core_slice whole;
    if (!core_json_skip(&walk->reader, token, &whole))
        return walk_broken(walk);
    core_json_raw(walk->json, whole);
    return true;
}

/* The member's name behind the path. False: the path is too long, and is left alone. */
static bool path_push(search_formatter *formatter, core_slice key) {
    size_t before = formatter->path.length;
    if (before > 0)
        core_buffer_text(&formatter->path, ".");
    if (core_json_unescape(key, &formatter->path) && core_buffer_ok(&formatter->path))
        return true;
    formatter->path.length = before;
    formatter->path.failed = false;
    return false;
}

static bool member_walk(format_walk *walk, core_json_token token) {
    size_t before = walk->formatter->path.length;
    if (!path_push(walk->formatter, token.key))
        return value_skip(walk, token);
    bool is_inner = is_container(token);
    format_cover cover = path_covers(walk, !is_inner);
    bool ok;
    if (cover != COVER_NONE && walk->pass != FORMAT_POSITIONS) {
        core_buffer *text = &walk->formatter->text;
        core_buffer_reset(text);
        if (!core_json_unescape(token.key, text))
            return walk_full(walk);
        core_json_key(walk->json, core_buffer_slice(text));
    }
    if (cover == COVER_NONE)
        ok = value_skip(walk, token);
    else if (cover == COVER_WHOLE && walk->pass == FORMAT_COPY)
        ok = value_copy(walk, token);
    else
        ok = value_walk(walk, token);
    walk->formatter->path.length = before;
    return ok;
}

static bool members_walk(format_walk *walk) {
    core_json_token token;
    while (core_json_member_next(&walk->reader, &token))
        if (!member_walk(walk, token))
            return false;
    return true;
}

/* An element is asked for as its array is; a leaf of an array of which only a part is, is not. */
static bool element_walk(format_walk *walk, core_json_token token) {
    if (!is_container(token) && path_covers(walk, true) == COVER_NONE)
        return value_skip(walk, token);
    return value_walk(walk, token);
}

static bool elements_walk(format_walk *walk) {
    search_formatter *formatter = walk->formatter;
    bool is_kept = formatter->index_count < FORMAT_INDICES_MAX;
    formatter->index_count += is_kept;
    for (uint32_t index = 0;; index++) {
        core_json_token token = core_json_next(&walk->reader);
        if (token.kind == CORE_JSON_ARRAY_CLOSE)
            break;
        if (token.kind == CORE_JSON_INVALID || token.kind == CORE_JSON_END)
            return walk_broken(walk);
        if (is_kept)
            formatter->indices[formatter->index_count - 1] = index;
        if (!element_walk(walk, token))
            return false;
    }
    formatter->index_count -= is_kept;
    return true;
}

static bool value_walk(format_walk *walk, core_json_token token) {
    bool writes = walk->pass != FORMAT_POSITIONS;
    bool ok;
    if (token.kind == CORE_JSON_OBJECT_OPEN) {
        if (writes)
            core_json_object_open(walk->json);
        ok = members_walk(walk);
        if (writes)
            core_json_object_close(walk->json);
        return ok;
    }
    if (token.kind != CORE_JSON_ARRAY_OPEN)
        return leaf_walk(walk, token);
    if (writes)
        core_json_array_open(walk->json);
    ok = elements_walk(walk);
    if (writes)
        core_json_array_close(walk->json);
    return ok;
}

/* The document's members, in one form. */
static bool document_walk(search_formatter *formatter, format_pass pass, core_slice document,
                          core_json_writer *json, core_error *error) {
    format_walk walk = {.formatter = formatter,
                        .pass = pass,
                        .reader = core_json_reader_make(document),
                        .json = json,
                        .error = error};
    core_buffer_reset(&formatter->path);
    formatter->index_count = 0;
    if (core_json_next(&walk.reader).kind != CORE_JSON_OBJECT_OPEN)
        return walk_broken(&walk);
    return members_walk(&walk) &&
           (core_json_next(&walk.reader).kind == CORE_JSON_END || walk_broken(&walk));
}

/* ---- Positions ---- */
static core_slice position_path(const search_formatter *formatter, const format_position *at) {
    return core_slice_make(formatter->paths.data + at->path, at->path_length);
}

static int position_compare(const void *a, const void *b, void *context) {
    const format_position *left = a;
    const format_position *right = b;
    int order = core_slice_compare(position_path(context, left), position_path(context, right));
    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

static void position_write(const search_formatter *formatter, const format_position *position,
                           core_json_writer *json) {
    core_json_object_open(json);
    core_json_key_text(json, "start");
    core_json_unsigned(json, position->start);
    core_json_key_text(json, "length");
    core_json_unsigned(json, position->length);
    if (position->index_count > 0) {
        core_json_key_text(json, "indices");
        core_json_array_open(json);
        for (uint32_t i = 0; i < position->index_count; i++) {
            uint32_t index;
            memcpy(&index, formatter->index_list.data + (position->first_index + i) * sizeof index,
                   sizeof index);
            core_json_unsigned(json, index);
        }
        core_json_array_close(json);
    }
    core_json_object_close(json);
}

static void positions_write(search_formatter *formatter, core_json_writer *json) {
    core_slice path = core_slice_make(NULL, 0);
    qsort_r(formatter->positions, formatter->position_count, sizeof *formatter->positions,
            position_compare, formatter);
    core_json_object_open(json);
    for (uint32_t i = 0; i < formatter->position_count; i++) {
        core_slice next = position_path(formatter, &formatter->positions[i]);
        if (i == 0 || !core_slice_equal(path, next)) {
            if (i > 0)
                core_json_array_close(json);
            core_json_key(json, next);
            core_json_array_open(json);
            path = next;
        }
        position_write(formatter, &formatter->positions[i], json);
    }
    if (formatter->position_count > 0)
        core_json_array_close(json);
    core_json_object_close(json);
}

static bool positions_show(search_formatter *formatter, core_slice document, core_json_writer *json,
                           core_error *error) {
    formatter->position_count = 0;
    core_buffer_reset(&formatter->paths);
    core_buffer_reset(&formatter->index_list);
    if (!document_walk(formatter, FORMAT_POSITIONS, document, json, error))
        return false;
    core_json_key_text(json, "_matchesPosition");
    positions_write(formatter, json);
    return true;
}

static bool formatted_show(search_formatter *formatter, core_slice document, core_json_writer *json,
                           core_error *error) {
    core_json_key_text(json, "_formatted");
    core_json_object_open(json);
    bool ok = document_walk(formatter, FORMAT_FORMATTED, document, json, error);
    core_json_object_close(json);
    return ok;
}

static bool is_blank(uint8_t byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* All members as they are kept, without a look at each. */
static bool members_copy(core_slice document, core_json_writer *json, core_error *error) {
    size_t start = 0;
    size_t end = document.length;
    while (end > 0 && is_blank(document.data[end - 1]))
        end--;
    while (start < end && is_blank(document.data[start]))
        start++;
    if (end - start < 2 || document.data[start] != '{' || document.data[end - 1] != '}')
        return document_broken(error);
    for (start++, end--; start < end && is_blank(document.data[start]);)
        start++;
    if (start < end)
        core_json_raw(json, core_slice_make(document.data + start, end - start));
    return true;
}

bool search_formatter_hit(search_formatter *formatter, core_slice document, core_json_writer *json,
                          core_error *error) {
    bool ok = formatter->copies_all ? members_copy(document, json, error)
                                    : document_walk(formatter, FORMAT_COPY, document, json, error);
    if (ok && formatter->is_formatted)
        ok = formatted_show(formatter, document, json, error);
    if (ok && formatter->request->shows_matches)
        ok = positions_show(formatter, document, json, error);
    return ok;
}
