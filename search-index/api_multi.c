/* /multi-search: several queries in one request, each answered by itself or, federated, as one
 * list.
 */
#include "search-index/answer.h"
#include "search-index/api.h"
#include "search-index/payload.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { QUERIES_MAX = 100, LIMIT_DEFAULT = 20 };

typedef struct {
    core_slice queries, federation; /* JSON */
} multi_body;

static const search_member multi_members[] = {
    {"queries", search_call_raw, offsetof(multi_body, queries)},
    {"federation", search_call_raw, offsetof(multi_body, federation)},
};

/* A refusal says which of the queries it is about. */
static bool inside(search_call *call, size_t query) {
    char message[SEARCH_REFUSAL_MAX];
    (void)snprintf(message, sizeof message, "%s", call->refusal.message);
    if (strstr(message, ".queries[") == NULL)
        (void)search_refuse(&call->refusal, call->refusal.code, "Inside `.queries[%zu]`: %s", query,
                            message);
    return false;
}

/* Each query as an answer that has read its request; false: refused. */
static bool queries_read(search_call *call, core_slice json, search_answer *answers,
                         size_t *count) {
    core_json_reader reader = core_json_reader_make(json);
    core_json_token token = core_json_next(&reader);
    core_slice whole;
    if (token.kind != CORE_JSON_ARRAY_OPEN)
        return search_refuse(&call->refusal, SEARCH_CODE_BAD_REQUEST,
                             json.length == 0 ? "Missing field `queries`"
                                              : "Invalid value type at `.queries`: expected an "
                                                "array");
    for (token = core_json_next(&reader); token.kind != CORE_JSON_ARRAY_CLOSE;
         token = core_json_next(&reader)) {
        char location[40];
        (void)snprintf(location, sizeof location, ".queries[%zu]", *count);
        const search_request_options options = {.is_multi = true, .location = location};
        if (*count == QUERIES_MAX)
            return search_refuse(&call->refusal, SEARCH_CODE_BAD_REQUEST,
                                 "At most %d queries are taken.", QUERIES_MAX);
        if (!core_json_skip(&reader, token, &whole) ||
            !search_request_read_json(call->arena, whole, &options, &answers[*count].request,
                                      &call->refusal))
            return inside(call, *count);
        ++*count;
    }
    return true;
}

/* ---- Each by itself ---- */

static bool each_write(search_call *call, search_answer *answers, size_t count) {
    core_json_writer *json = &call->json;
    core_json_object_open(json);
    core_json_key_text(json, "results");
    core_json_array_open(json);
    for (size_t i = 0; i < count; i++) {
        search_answer *answer = &answers[i];
        core_slice uid = answer->request.index_uid;
        call->began_ns = call->host->spec.clock->monotonic_ns(call->host->spec.clock);
        if (answer->request.federation_options.length > 0)
            return search_refuse(&call->refusal,
                                 SEARCH_CODE_INVALID_MULTI_SEARCH_FEDERATION_OPTIONS,
                                 "Inside `.queries[%zu]`: Using `federationOptions` is not allowed "
                                 "in a non-federated search.\n - Hint: remove `federationOptions` "
                                 "from query #%zu or add `federation` to the request.",
                                 i, i);
        if (!search_answer_run(call, uid, answer))
            return inside(call, i);
        core_json_object_open(json);
        core_json_key_text(json, "indexUid");
        core_json_string(json, uid);
        if (!search_answer_write(call, answer))
            return inside(call, i);
        core_json_object_close(json);
        search_answer_fini(answer);
    }
    core_json_array_close(json);
    core_json_object_close(json);
    return true;
}

/* ---- Federated ---- */

typedef struct {
    uint64_t offset, limit;
} federation;

typedef struct {
    double score; /* weighted */
    size_t query;
    size_t place; /* among the query's hits */
} merged;

static bool number_take(search_call *call, core_json_reader *reader, core_json_token token,
                        void *target) {
    (void)reader;
    return (token.kind == CORE_JSON_NUMBER && core_slice_to_u64(token.raw, target)) ||
           search_refuse(&call->refusal, SEARCH_CODE_BAD_REQUEST,
                         "Invalid value at `.federation`: expected a positive integer");
}

/* Facets over several indexes are not offered. */
static bool nothing_take(search_call *call, core_json_reader *reader, core_json_token token,
                         void *target) {
    core_slice whole;
    (void)target;
    if (!search_call_raw(call, reader, token, &whole))
        return false;
    return token.kind == CORE_JSON_NULL || core_slice_is(whole, "{}") ||
           search_refuse(&call->refusal, SEARCH_CODE_FEATURE_NOT_ENABLED,
                         "Facets of a federated search are not offered here.");
}

static const search_member federation_members[] = {
    {"offset", number_take, offsetof(federation, offset)},
    {"limit", number_take, offsetof(federation, limit)},
    {"facetsByIndex", nothing_take, 0},
    {"mergeFacets", nothing_take, 0},
};

static bool weight_take(search_call *call, core_json_reader *reader, core_json_token token,
                        void *target) {
    char text[40];
    (void)reader;
    double *weight = target;
    bool ok = token.kind == CORE_JSON_NUMBER && core_slice_to_text(token.raw, text, sizeof text);
    if (ok)
        *weight = strtod(text, NULL);
    return (ok && *weight >= 0 && isfinite(*weight)) ||
           search_refuse(&call->refusal, SEARCH_CODE_INVALID_MULTI_SEARCH_WEIGHT,
                         "Invalid value at `.federationOptions.weight`: the value of `weight` is "
                         "invalid, expected a positive float (>= 0.0).");
}

static const search_member option_members[] = {{"weight", weight_take, 0}};

static bool federated_check(search_call *call, const search_answer *answer, size_t query) {
    const search_request *request = &answer->request;
    const search_request usual = search_request_defaults();
    if (request->is_paged || request->offset != usual.offset || request->limit != usual.limit)
        return search_refuse(&call->refusal, SEARCH_CODE_INVALID_MULTI_SEARCH_QUERY_PAGINATION,
                             "Inside `.queries[%zu]`: Using pagination options is not allowed in "
                             "federated queries.\n - Hint: pass `federation.limit` and "
                             "`federation.offset` for pagination in federated search",
                             query);
    return request->facets.count == 0 ||
           search_refuse(&call->refusal, SEARCH_CODE_INVALID_MULTI_SEARCH_QUERY_FACETS,
                         "Inside `.queries[%zu]`: Using facet options is not allowed in federated "
                         "queries.",
                         query);
}

static int merged_order(const void *a, const void *b) {
    const merged *left = a, *right = b;
    if (left->score != right->score)
        return left->score > right->score ? -1 : 1;
    if (left->query != right->query)
        return left->query < right->query ? -1 : 1;
    return left->place < right->place ? -1 : 1;
}

static bool merged_write(search_call *call, search_answer *answer, const merged *it) {
    core_json_writer *json = &call->json;
    char score[32];
    search_formatter *formatter = search_answer_formatter(call, answer);
    if (formatter == NULL)
        return false;
    core_json_object_open(json);
    bool ok = search_answer_hit(call, answer, formatter, answer->shown[it->place]);
    core_json_key_text(json, "_federation");
    core_json_object_open(json);
    core_json_key_text(json, "indexUid");
    core_json_string(json, answer->request.index_uid);
    core_json_key_text(json, "queriesPosition");
    core_json_unsigned(json, it->query);
    core_json_key_text(json, "weightedRankingScore");
    (void)snprintf(score, sizeof score, "%.6f", it->score);
    core_json_raw(json, core_slice_text(score));
    core_json_object_close(json);
    core_json_object_close(json);
    search_formatter_free(formatter);
    return ok;
}

static bool page_write(search_call *call, search_answer *answers, const merged *all, size_t count,
                       const federation *page, uint64_t total) {
    core_json_writer *json = &call->json;
    size_t near = 0;
    bool is_hybrid = false;
    core_json_object_open(json);
    core_json_key_text(json, "hits");
    core_json_array_open(json);
    for (size_t i = (size_t)page->offset; i < count && i - page->offset < page->limit; i++) {
        const search_answer *answer = &answers[all[i].query];
        is_hybrid = is_hybrid || answer->hybrid.is_wanted;
        near += answer->shown[all[i].place]->near_rank > 0;
        if (!merged_write(call, &answers[all[i].query], &all[i]))
            return inside(call, all[i].query);
    }
    core_json_array_close(json);
    core_json_key_text(json, "processingTimeMs");
    core_json_unsigned(json, search_call_took_ms(call));
    core_json_key_text(json, "limit");
    core_json_unsigned(json, page->limit);
    core_json_key_text(json, "offset");
    core_json_unsigned(json, page->offset);
    core_json_key_text(json, "estimatedTotalHits");
    core_json_unsigned(json, total);
    if (is_hybrid) {
        core_json_key_text(json, "semanticHitCount");
        core_json_unsigned(json, near);
    }
    core_json_object_close(json);
    return true;
}

static bool federated_write(search_call *call, core_slice json, search_answer *answers,
                            size_t queries) {
    federation page = {.limit = LIMIT_DEFAULT};
    double weights[QUERIES_MAX];
    size_t count = 0, hits = 0;
    uint64_t total = 0;
    if (!search_call_members(call, json, federation_members, CORE_COUNT_OF(federation_members),
                             &page))
        return false;
    uint64_t wanted = page.offset + page.limit;
    for (size_t i = 0; i < queries; i++) {
        search_request *request = &answers[i].request;
        weights[i] = 1;
        if (!federated_check(call, &answers[i], i) ||
            (request->federation_options.length > 0 &&
             !core_slice_is(request->federation_options, "null") &&
             !search_call_members(call, request->federation_options, option_members, 1,
                                  &weights[i])))
            return inside(call, i);
        request->limit = wanted < UINT32_MAX ? (uint32_t)wanted : UINT32_MAX;
        if (!search_answer_run(call, request->index_uid, &answers[i]))
            return inside(call, i);
        hits += answers[i].shown_count;
        total += answers[i].total;
    }
    merged *all = core_arena_array(call->arena, hits + 1, sizeof *all);
    if (all == NULL)
        return search_refuse(&call->refusal, SEARCH_CODE_INTERNAL, "no memory for the hits");
    for (size_t i = 0; i < queries; i++)
        for (size_t j = 0; j < answers[i].shown_count; j++)
            all[count++] = (merged){answers[i].shown[j]->score * weights[i], i, j};
    if (count > 1)
        qsort(all, count, sizeof *all, merged_order);
    return page_write(call, answers, all, count, &page, total);
}

bool search_api_multi(search_call *call) {
    multi_body body = {0};
    size_t count = 0;
    if (!search_payload_is_json(call->request->content_type, &call->refusal) ||
        !search_call_json(call) ||
        !search_call_members(call, call->request->body, multi_members, CORE_COUNT_OF(multi_members),
                             &body))
        return false;
    search_answer *answers = calloc(QUERIES_MAX, sizeof *answers);
    if (answers == NULL)
        return search_refuse(&call->refusal, SEARCH_CODE_INTERNAL, "no memory for the queries");
    bool is_federated = body.federation.length > 0 && !core_slice_is(body.federation, "null");
    bool ok = queries_read(call, body.queries, answers, &count) &&
              (is_federated ? federated_write(call, body.federation, answers, count)
                            : each_write(call, answers, count));
    for (size_t i = 0; i < count; i++)
        search_answer_fini(&answers[i]);
    free(answers);
    return ok;
}
