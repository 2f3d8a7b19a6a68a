/* Which attributes of a document an answer shows; see format_cover.h. */
#include "search-index/format_cover.h"

static bool begins_path(core_slice path, core_slice beginning) {
    return path.length > beginning.length && core_slice_begins(path, beginning) &&
           path.data[beginning.length] == '.';
}

format_cover format_name_covers(core_slice name, core_slice path) {
    if (core_slice_is(name, "*") || core_slice_equal(name, path) || begins_path(path, name))
        return COVER_WHOLE;
    return begins_path(name, path) ? COVER_PART : COVER_NONE;
}

format_cover format_names_cover(const search_names *names, core_slice path) {
    format_cover cover = COVER_NONE;
    for (uint32_t i = 0; i < names->count && cover != COVER_WHOLE; i++) {
        format_cover one = format_name_covers(names->names[i], path);
        cover = one > cover ? one : cover;
    }
    return cover;
}

static format_cover crops_cover(const search_request *request, core_slice path) {
    format_cover cover = COVER_NONE;
    for (uint32_t i = 0; i < request->crop_count && cover != COVER_WHOLE; i++) {
        format_cover one = format_name_covers(request->crops[i].name, path);
        cover = one > cover ? one : cover;
    }
    return cover;
}

/* What may be shown: an entry of the schema beneath the path can be an exception to it. */
static format_cover displayed_covers(const search_schema *schema, core_slice path) {
    const search_schema_spec *spec = search_schema_get(schema);
    bool is_displayed = search_schema_is_displayed(schema, path);
    if (spec->shows_all)
        return COVER_WHOLE;
    for (size_t i = 0; i < spec->attribute_count; i++)
        if (begins_path(spec->attributes[i].name, path) &&
            (is_displayed || spec->attributes[i].is_displayed))
            return COVER_PART;
    return is_displayed ? COVER_WHOLE : COVER_NONE;
}

format_cover format_asked_covers(const search_request *request, core_slice path,
                                 bool is_formatted) {
    format_cover cover = COVER_WHOLE;
    if (request->retrieve.is_given)
        cover = format_names_cover(&request->retrieve, path);
    if (is_formatted && cover != COVER_WHOLE) {
        format_cover highlight = format_names_cover(&request->highlight, path);
        format_cover crop = crops_cover(request, path);
        cover = highlight > cover ? highlight : cover;
        cover = crop > cover ? crop : cover;
    }
    return cover;
}

format_cover format_path_covers(const search_schema *schema, core_slice path, format_cover asked,
                                bool is_leaf) {
    if (asked == COVER_NONE || (is_leaf && asked == COVER_PART))
        return COVER_NONE;
    if (is_leaf)
        return search_schema_get(schema)->shows_all || search_schema_is_displayed(schema, path)
                   ? COVER_WHOLE
                   : COVER_NONE;
    format_cover displayed = displayed_covers(schema, path);
    return displayed < asked ? displayed : asked;
}

static bool may_be_shown(const search_schema *schema, core_slice name) {
    return core_slice_is(name, "*") || displayed_covers(schema, name) != COVER_NONE;
}

bool format_is_asked(const search_request *request, const search_schema *schema) {
    for (uint32_t i = 0; i < request->highlight.count; i++)
        if (may_be_shown(schema, request->highlight.names[i]))
            return true;
    for (uint32_t i = 0; i < request->crop_count; i++)
        if (may_be_shown(schema, request->crops[i].name))
            return true;
    return false;
}
