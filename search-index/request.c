/* The parameters of a search, in one table, and what is the same however they came. */
#include "search-index/request_private.h"

#include <stdio.h>

enum { DEFAULT_LIMIT = 20, DEFAULT_CROP_LENGTH = 10 };

#define AT(member) offsetof(search_request, member)

/* In Meilisearch's order, in which errors list them. */
static const request_parameter parameters[] = {
    {"indexUid", SEARCH_CODE_INVALID_INDEX_UID, REQUEST_TEXT, AT(index_uid), REQUEST_IN_MULTI},
    {"q", SEARCH_CODE_INVALID_SEARCH_Q, REQUEST_TEXT, AT(q), REQUEST_ANYWHERE},
    {"offset", SEARCH_CODE_INVALID_SEARCH_OFFSET, REQUEST_COUNT, AT(offset), REQUEST_ANYWHERE},
    {"limit", SEARCH_CODE_INVALID_SEARCH_LIMIT, REQUEST_COUNT, AT(limit), REQUEST_ANYWHERE},
    {"page", SEARCH_CODE_INVALID_SEARCH_PAGE, REQUEST_COUNT, AT(page), REQUEST_ANYWHERE},
    {"hitsPerPage", SEARCH_CODE_INVALID_SEARCH_HITS_PER_PAGE, REQUEST_COUNT, AT(hits_per_page),
     REQUEST_ANYWHERE},
    {"attributesToRetrieve", SEARCH_CODE_INVALID_SEARCH_ATTRIBUTES_TO_RETRIEVE, REQUEST_NAMES,
     AT(retrieve), REQUEST_ANYWHERE},
    {"retrieveVectors", SEARCH_CODE_INVALID_SEARCH_RETRIEVE_VECTORS, REQUEST_BOOL,
     AT(retrieves_vectors), REQUEST_ANYWHERE},
    {"attributesToCrop", SEARCH_CODE_INVALID_SEARCH_ATTRIBUTES_TO_CROP, REQUEST_CROPS, AT(crops),
     REQUEST_ANYWHERE},
    {"cropLength", SEARCH_CODE_INVALID_SEARCH_CROP_LENGTH, REQUEST_COUNT, AT(crop_length),
     REQUEST_ANYWHERE},
    {"attributesToHighlight", SEARCH_CODE_INVALID_SEARCH_ATTRIBUTES_TO_HIGHLIGHT, REQUEST_NAMES,
     AT(highlight), REQUEST_ANYWHERE},
    {"showMatchesPosition", SEARCH_CODE_INVALID_SEARCH_SHOW_MATCHES_POSITION, REQUEST_BOOL,
     AT(shows_matches), REQUEST_ANYWHERE},
    {"showRankingScore", SEARCH_CODE_INVALID_SEARCH_SHOW_RANKING_SCORE, REQUEST_BOOL,
     AT(shows_score), REQUEST_ANYWHERE},
    {"showRankingScoreDetails", SEARCH_CODE_INVALID_SEARCH_SHOW_RANKING_SCORE_DETAILS, REQUEST_BOOL,
     AT(shows_score_details), REQUEST_ANYWHERE},
    {"filter", SEARCH_CODE_INVALID_SEARCH_FILTER, REQUEST_FILTER, AT(filter), REQUEST_ANYWHERE},
    {"sort", SEARCH_CODE_INVALID_SEARCH_SORT, REQUEST_SORTS, AT(sorts), REQUEST_ANYWHERE},
    {"distinct", SEARCH_CODE_INVALID_SEARCH_DISTINCT, REQUEST_TEXT, AT(distinct), REQUEST_ANYWHERE},
    {"facets", SEARCH_CODE_INVALID_SEARCH_FACETS, REQUEST_NAMES, AT(facets), REQUEST_ANYWHERE},
    {"highlightPreTag", SEARCH_CODE_INVALID_SEARCH_HIGHLIGHT_PRE_TAG, REQUEST_TEXT,
     AT(highlight_pre), REQUEST_ANYWHERE},
    {"highlightPostTag", SEARCH_CODE_INVALID_SEARCH_HIGHLIGHT_POST_TAG, REQUEST_TEXT,
     AT(highlight_post), REQUEST_ANYWHERE},
    {"cropMarker", SEARCH_CODE_INVALID_SEARCH_CROP_MARKER, REQUEST_TEXT, AT(crop_marker),
     REQUEST_ANYWHERE},
    {"matchingStrategy", SEARCH_CODE_INVALID_SEARCH_MATCHING_STRATEGY, REQUEST_STRATEGY,
     AT(strategy), REQUEST_ANYWHERE},
    {"attributesToSearchOn", SEARCH_CODE_INVALID_SEARCH_ATTRIBUTES_TO_SEARCH_ON, REQUEST_NAMES,
     AT(search_on), REQUEST_ANYWHERE},
    {"hybrid", SEARCH_CODE_INVALID_SEARCH_HYBRID_QUERY, REQUEST_HYBRID, AT(embedder),
     REQUEST_IN_JSON | REQUEST_IN_MULTI},
    {"hybridEmbedder", SEARCH_CODE_INVALID_SEARCH_EMBEDDER, REQUEST_EMBEDDER, AT(embedder),
     REQUEST_IN_QUERY},
    {"hybridSemanticRatio", SEARCH_CODE_INVALID_SEARCH_SEMANTIC_RATIO, REQUEST_RATIO,
     AT(semantic_ratio), REQUEST_IN_QUERY},
    {"vector", SEARCH_CODE_INVALID_SEARCH_VECTOR, REQUEST_VECTOR, AT(vector), REQUEST_ANYWHERE},
    {"rankingScoreThreshold", SEARCH_CODE_INVALID_SEARCH_RANKING_SCORE_THRESHOLD, REQUEST_THRESHOLD,
     AT(threshold), REQUEST_ANYWHERE},
    {"locales", SEARCH_CODE_INVALID_SEARCH_LOCALES, REQUEST_NAMES, AT(locales), REQUEST_ANYWHERE},
    {"min_offset", SEARCH_CODE_INVALID_SEARCH_MIN_OFFSET, REQUEST_PLACE, AT(min_offset),
     REQUEST_ANYWHERE},
    {"boolean", SEARCH_CODE_INVALID_SEARCH_BOOLEAN, REQUEST_BOOL, AT(is_boolean), REQUEST_ANYWHERE},
    {"federationOptions", SEARCH_CODE_INVALID_MULTI_SEARCH_FEDERATION_OPTIONS, REQUEST_RAW,
     AT(federation_options), REQUEST_IN_MULTI},
};

search_request search_request_defaults(void) {
    return (search_request){
        .q = core_slice_text(""),
        .limit = DEFAULT_LIMIT,
        .page = 1,
        .hits_per_page = DEFAULT_LIMIT,
        .crop_length = DEFAULT_CROP_LENGTH,
        .crop_marker = core_slice_text("…"),
        .highlight_pre = core_slice_text("<em>"),
        .highlight_post = core_slice_text("</em>"),
        .semantic_ratio = 0.5,
    };
}

bool search_names_have(const search_names *names, core_slice name) {
    for (uint32_t i = 0; i < names->count; i++)
        if (core_slice_equal(names->names[i], name) || core_slice_is(names->names[i], "*"))
            return true;
    return false;
}

const request_parameter *request_parameter_find(core_slice name, unsigned where) {
    for (size_t i = 0; i < CORE_COUNT_OF(parameters); i++)
        if ((parameters[i].where & where) != 0 && core_slice_is(name, parameters[i].name))
            return &parameters[i];
    return NULL;
}

/* ---- Refusals ---- */
/* How many typos a name of that length may have to be meant still. */
static size_t typos_allowed(size_t length) {
    return length < 4 ? 0 : length < 8 ? 1 : length < 13 ? 2 : length < 18 ? 3 : 4;
}

static const char *parameter_meant(core_slice name, unsigned where) {
    char text[CORE_DISTANCE_TEXT_MAX];
    const char *meant = NULL;
    size_t nearest = typos_allowed(name.length) + 1;
    if (!core_slice_to_text(name, text, sizeof text))
        return NULL;
    for (size_t i = 0; i < CORE_COUNT_OF(parameters); i++) {
        size_t distance = core_text_distance(text, parameters[i].name);
        if ((parameters[i].where & where) != 0 && distance < nearest) {
            nearest = distance;
            meant = parameters[i].name;
        }
    }
    return meant;
}

bool request_unknown_refuse(request_reader *reader, core_slice name) {
    char memory[SEARCH_REFUSAL_MAX];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    if (name.length > 100)
        name.length = 100;
    const char *meant = parameter_meant(name, reader->where);
    core_buffer_format(&out, "Unknown %s `%.*s`",
                       reader->where == REQUEST_IN_QUERY ? "parameter" : "field",
                       CORE_SLICE_ARGS(name));
    if (reader->location[0] != '\0')
        core_buffer_format(&out, " inside `%s`", reader->location);
    core_buffer_text(&out, ": ");
    if (meant != NULL)
        core_buffer_format(&out, "did you mean `%s`? ", meant);
    core_buffer_text(&out, "expected one of ");
    const char *before = "";
    for (size_t i = 0; i < CORE_COUNT_OF(parameters); i++) {
        if ((parameters[i].where & reader->where) == 0)
            continue;
        core_buffer_format(&out, "%s`%s`", before, parameters[i].name);
        before = ", ";
    }
    return search_refuse(reader->refusal, SEARCH_CODE_BAD_REQUEST, "%.*s",
                         CORE_SLICE_ARGS(core_buffer_slice(&out)));
}

bool request_full_refuse(request_reader *reader) {
    return search_refuse(reader->refusal, SEARCH_CODE_BAD_REQUEST,
                         "The request takes more memory than a search may.");
}

bool request_keep(request_reader *reader, core_slice text, core_slice *kept) {
    *kept = core_slice_make("", 0);
    if (text.length == 0)
        return true;
    *kept = core_arena_copy(reader->arena, text);
    return kept->data != NULL || request_full_refuse(reader);
}

/* ---- Values ---- */
bool request_ratio_check(double value) {
    return value >= 0 && value <= 1;
}

bool request_strategy_set(request_reader *reader, core_slice text, const char *unknown) {
    static const char *const names[] = {"last", "all", "frequency"};
    for (size_t i = 0; i < CORE_COUNT_OF(names); i++)
        if (core_slice_is(text, names[i])) {
            reader->request->strategy = (search_strategy)i;
            return true;
        }
    if (text.length > 100)
        text.length = 100;
    return search_refuse(reader->refusal, SEARCH_CODE_INVALID_SEARCH_MATCHING_STRATEGY,
                         "Unknown value `%.*s` %s: expected one of `last`, `all`, `frequency`",
                         CORE_SLICE_ARGS(text), unknown);
}

/* `name:length`; what does not end in a number is a name as a whole. */
static void crop_read(core_slice text, search_crop *crop) {
    const uint8_t *colon = text.length > 0 ? memrchr(text.data, ':', text.length) : NULL;
    size_t length = colon != NULL ? (size_t)(colon - text.data) : text.length;
    uint64_t words;
    *crop = (search_crop){.name = text, .length = UINT32_MAX};
    if (colon == NULL ||
        !core_slice_to_u64(core_slice_make(colon + 1, text.length - length - 1), &words))
        return;
    crop->name.length = length;
    crop->length = words < UINT32_MAX ? (uint32_t)words : UINT32_MAX - 1;
}

bool request_crops_set(request_reader *reader, const search_names *names) {
    search_crop *crops = core_arena_array(reader->arena, names->count + 1, sizeof *crops);
    if (crops == NULL)
        return request_full_refuse(reader);
    for (uint32_t i = 0; i < names->count; i++)
        crop_read(names->names[i], &crops[i]);
    reader->crops = crops;
    reader->request->crops = crops;
    reader->request->crop_count = names->count;
    return true;
}

bool request_sorts_set(request_reader *reader, const search_names *names, search_code code) {
    search_sort *sorts = core_arena_array(reader->arena, names->count + 1, sizeof *sorts);
    if (sorts == NULL)
        return request_full_refuse(reader);
    if (names->count > SEARCH_REQUEST_SORTS_MAX)
        return search_refuse(reader->refusal, code, "At most %d sort expressions are taken.",
                             SEARCH_REQUEST_SORTS_MAX);
    for (uint32_t i = 0; i < names->count; i++)
        if (!search_sort_read(names->names[i], code, &sorts[i], reader->refusal))
            return false;
    reader->request->sorts = sorts;
    reader->request->sort_count = names->count;
    return true;
}

/* ---- Parameters together ---- */
void request_note(request_reader *reader, const request_parameter *parameter) {
    reader->has_page = reader->has_page || parameter->target == AT(page);
    reader->has_hits_per_page = reader->has_hits_per_page || parameter->target == AT(hits_per_page);
    reader->has_ratio = reader->has_ratio || parameter->kind == REQUEST_RATIO;
    reader->request->has_hybrid = reader->request->has_hybrid || parameter->target == AT(embedder);
}

static void pages_finish(request_reader *reader) {
    search_request *request = reader->request;
    request->is_paged = reader->has_page || reader->has_hits_per_page;
    if (!request->is_paged)
        return;
    uint64_t before = request->page > 0 ? request->page - 1 : 0;
    uint64_t offset = before * request->hits_per_page;
    request->offset = offset < UINT32_MAX ? (uint32_t)offset : UINT32_MAX;
    request->limit = request->page > 0 ? request->hits_per_page : 0;
}

bool request_finish(request_reader *reader) {
    search_request *request = reader->request;
    bool is_query = reader->where == REQUEST_IN_QUERY;
    pages_finish(reader);
    for (uint32_t i = 0; i < request->crop_count; i++)
        if (reader->crops[i].length == UINT32_MAX)
            reader->crops[i].length = request->crop_length;
    if (reader->has_ratio && !request->has_hybrid)
        return search_refuse(reader->refusal, SEARCH_CODE_INVALID_SEARCH_HYBRID_QUERY,
                             "`hybridEmbedder` is mandatory when `hybridSemanticRatio` is present");
    if (request->vector != NULL && !request->has_hybrid)
        return search_refuse(reader->refusal, SEARCH_CODE_MISSING_SEARCH_HYBRID,
                             is_query ? "`hybridEmbedder` is mandatory when `vector` is present"
                                      : "Invalid request: missing `hybrid` parameter when `vector` "
                                        "is present.");
    if (reader->where == REQUEST_IN_MULTI && request->index_uid.length == 0)
        return search_refuse(reader->refusal, SEARCH_CODE_MISSING_INDEX_UID,
                             "Missing field `indexUid` inside `%s`", reader->location);
    return true;
}
