/* Searching one index: /indexes/{uid}/search, /facet-search, and /search/v1/{project}/{index}. */
#include "search-index/answer.h"
#include "search-index/api.h"
#include "search-index/columns.h"
#include "search-index/payload.h"
#include "search-index/row.h"
#include "search-index/settings.h"

#include <locale.h>
#include <stddef.h>

/* ---- Queries ---- */

static bool request_read(search_call *call, search_request *request) {
    static const search_request_options options = {.location = ""};
    if (core_slice_is(call->request->method, "GET"))
        return search_request_read_query(call->arena, call->request->query, request,
                                         &call->refusal);
    if (call->request->body.length > 0 &&
        !search_payload_is_json(call->request->content_type, &call->refusal))
        return false;
    return search_request_read_json(call->arena, call->request->body, &options, request,
                                    &call->refusal);
}

static bool uid_query(search_call *call, core_slice uid) {
    search_answer answer = {0};
    core_json_writer *json = &call->json;
    bool ok = request_read(call, &answer.request) && search_answer_run(call, uid, &answer);
    if (ok) {
        core_json_object_open(json);
        ok = search_answer_write(call, &answer);
        core_json_object_close(json);
    }
    search_answer_fini(&answer);
    return ok;
}

bool search_api_query(search_call *call) {
    return uid_query(call, call->parts[1]);
}

bool search_api_own_query(search_call *call) {
    return search_call_project(call) && uid_query(call, call->parts[3]);
}

/* ---- Facet values ---- */

typedef struct {
    core_slice name, query;                    /* texts */
    core_slice q, filter, strategy, search_on; /* JSON, for the request */
} facet_body;

static bool text_take(search_call *call, core_json_reader *reader, core_json_token token,
                      void *target, search_code code, const char *name) {
    (void)reader;
    return token.kind == CORE_JSON_NULL || search_json_string(token, call->arena, target) ||
           search_refuse(&call->refusal, code, "Invalid value type at `.%s`: expected a string",
                         name);
}

static bool name_take(search_call *call, core_json_reader *reader, core_json_token token,
                      void *target) {
    return text_take(call, reader, token, target, SEARCH_CODE_INVALID_FACET_SEARCH_FACET_NAME,
                     "facetName");
}

static bool query_take(search_call *call, core_json_reader *reader, core_json_token token,
                       void *target) {
    return text_take(call, reader, token, target, SEARCH_CODE_INVALID_FACET_SEARCH_QUERY,
                     "facetQuery");
}

static const search_member facet_members[] = {
    {"facetQuery", query_take, offsetof(facet_body, query)},
    {"facetName", name_take, offsetof(facet_body, name)},
    {"q", search_call_raw, offsetof(facet_body, q)},
    {"filter", search_call_raw, offsetof(facet_body, filter)},
    {"matchingStrategy", search_call_raw, offsetof(facet_body, strategy)},
    {"attributesToSearchOn", search_call_raw, offsetof(facet_body, search_on)},
    {"exhaustiveFacetCount", search_call_ignored, 0},
};

static void raw_member(core_json_writer *json, const char *name, core_slice raw) {
    if (raw.length == 0)
        return;
    core_json_key_text(json, name);
    core_json_raw(json, raw);
}

/* The search whose facet it is: of no hits. */
static bool facet_request(search_call *call, const facet_body *body, search_request *request) {
    static const search_request_options options = {.location = ""};
    core_buffer text;
    core_buffer_init(&text, call->request->body.length * 2 + 1024);
    core_json_writer json = core_json_writer_make(&text);
    core_json_object_open(&json);
    raw_member(&json, "q", body->q);
    raw_member(&json, "filter", body->filter);
    raw_member(&json, "matchingStrategy", body->strategy);
    raw_member(&json, "attributesToSearchOn", body->search_on);
    core_json_key_text(&json, "limit");
    core_json_unsigned(&json, 0);
    core_json_key_text(&json, "facets");
    core_json_array_open(&json);
    core_json_string(&json, body->name);
    core_json_array_close(&json);
    core_json_object_close(&json);
    core_slice kept = core_arena_copy(call->arena, core_buffer_slice(&text));
    core_buffer_fini(&text);
    return search_request_read_json(call->arena, kept, &options, request, &call->refusal);
}

/* What cannot be filtered by is refused as a facet, with the name that was asked for. */
static bool facet_filters(const search_call *call, core_slice uid, core_slice name) {
    search_open *open =
        search_registry_find(call->host->registry, call->request->caller.project, uid);
    search_schema *schema =
        open != NULL ? search_backend_schema_get(search_open_backend(open)) : NULL;
    bool filters = schema != NULL && search_schema_is_filterable(schema, name);
    search_schema_release(schema);
    search_open_release(open);
    return filters;
}

/* Only documents that have a value which begins so, so that the most values of one facet do not
 * hide those that are asked for. */
static bool facet_narrow(search_call *call, const facet_body *body, search_request *request) {
    char text[1024];
    core_buffer filter = core_buffer_over(text, sizeof text);
    search_filter_budget budget = SEARCH_FILTER_BUDGET;
    search_filter *tree = NULL;
    core_error error;
    bool ok = true;
    if (body->query.length == 0 || !facet_filters(call, call->parts[1], body->name))
        return true;
    bool is_plain = memchr(body->query.data, '"', body->query.length) == NULL &&
                    memchr(body->query.data, '\\', body->query.length) == NULL &&
                    memchr(body->name.data, '"', body->name.length) == NULL;
    if (!is_plain)
        return true;
    core_buffer_format(&filter, "\"%.*s\" STARTS WITH \"%.*s\"", CORE_SLICE_ARGS(body->name),
                       CORE_SLICE_ARGS(body->query));
    core_slice kept = core_arena_copy(call->arena, core_buffer_slice(&filter));
    if (!core_buffer_ok(&filter) || !search_filter_parse(call->arena, kept, &budget, &tree, &error))
        return true; /* then all values are looked at */
    request->filter = search_filter_and(call->arena, request->filter, tree, &ok);
    return ok || search_refuse(&call->refusal, SEARCH_CODE_INTERNAL, "no memory for the filter");
}

/* As filters compare texts, whatever their case. */
static bool value_begins(locale_t locale, core_slice value, core_slice query) {
    char value_text[SEARCH_COLUMN_TEXT_MAX + 8], query_text[SEARCH_COLUMN_TEXT_MAX + 8];
    const search_row_rules rules = {.locale = locale};
    core_buffer folded = core_buffer_over(value_text, sizeof value_text);
    core_buffer beginning = core_buffer_over(query_text, sizeof query_text);
    search_row_fold(&rules, value, &folded);
    search_row_fold(&rules, query, &beginning);
    return core_slice_begins(core_buffer_slice(&folded), core_buffer_slice(&beginning));
}

static void facet_write(search_call *call, const facet_body *body, const search_answer *answer) {
    core_json_writer *json = &call->json;
    const search_hits *hits = answer->hits;
    locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    core_json_object_open(json);
    core_json_key_text(json, "facetHits");
    core_json_array_open(json);
    for (uint32_t i = 0; hits->facet_count == 1 && i < hits->facets[0].value_count; i++) {
        const search_facet_value *value = &hits->facets[0].values[i];
        if (body->query.length > 0 && locale != (locale_t)0 &&
            !value_begins(locale, value->shown, body->query))
            continue;
        core_json_object_open(json);
        core_json_key_text(json, "value");
        core_json_string(json, value->shown);
        core_json_key_text(json, "count");
        core_json_unsigned(json, value->count);
        core_json_object_close(json);
    }
    core_json_array_close(json);
    core_json_key_text(json, "facetQuery");
    if (body->query.data != NULL)
        core_json_string(json, body->query);
    else
        core_json_null(json);
    core_json_key_text(json, "processingTimeMs");
    core_json_unsigned(json, search_call_took_ms(call));
    core_json_object_close(json);
    if (locale != (locale_t)0)
        freelocale(locale);
}

/* Only of an index made over HTTP it can be switched off. */
static bool facet_allowed(search_call *call, core_slice uid) {
    search_settings settings = {0};
    const search_entry *entry = search_call_entry(call, uid);
    if (entry == NULL)
        return false;
    bool ok = entry->is_table ||
              search_settings_patch(&settings, entry->text, call->arena, &call->refusal);
    search_entry_release(entry);
    if (ok && core_slice_is(search_settings_value(&settings, SEARCH_SETTING_FACET_SEARCH), "false"))
        ok = search_refuse(&call->refusal, SEARCH_CODE_FACET_SEARCH_DISABLED,
                           "The facet search is disabled for this index");
    return ok;
}

bool search_api_facet(search_call *call) {
    facet_body body = {0};
    search_answer answer = {0};
    core_slice uid = call->parts[1];
    if (!search_payload_is_json(call->request->content_type, &call->refusal) ||
        !search_call_json(call) ||
        !search_call_members(call, call->request->body, facet_members, CORE_COUNT_OF(facet_members),
                             &body))
        return false;
    if (body.name.data == NULL)
        return search_refuse(&call->refusal, SEARCH_CODE_MISSING_FACET_SEARCH_FACET_NAME,
                             "Missing field `facetName`");
    bool ok = facet_request(call, &body, &answer.request) &&
              facet_narrow(call, &body, &answer.request) && search_answer_run(call, uid, &answer) &&
              facet_allowed(call, uid);
    if (ok)
        facet_write(call, &body, &answer);
    else if (call->refusal.code == SEARCH_CODE_INVALID_SEARCH_FACETS)
        call->refusal.code = SEARCH_CODE_INVALID_FACET_SEARCH_FACET_NAME;
    search_answer_fini(&answer);
    return ok;
}
