/* See answer.h. */
#include "search-index/answer.h"
#include "search-index/rls.h"
#include "search-index/rules.h"

#include <stdio.h>

enum { WAIT_MS = 5000 };

uint64_t search_call_took_ms(const search_call *call) {
    const core_clock *clock = call->host->spec.clock;
    return (uint64_t)((clock->monotonic_ns(clock) - call->began_ns) / CORE_NS_PER_MS);
}

/* ---- What binds the caller ---- */

/* The filter of the tenant's rule is part of the request from here on. */
static bool rules_apply(search_call *call, core_slice uid, search_request *request) {
    core_slice rule;
    search_filter *filter = NULL;
    search_filter_budget budget = SEARCH_FILTER_BUDGET;
    core_error error;
    bool ok = true;
    search_rules_verdict verdict = search_rules_look(call->request->caller.claims_json, uid, &rule);
    if (verdict == SEARCH_RULES_DENIED)
        return search_refuse(&call->refusal, SEARCH_CODE_INVALID_API_KEY,
                             "The provided API key is invalid: its search rules do not name the "
                             "index `%.*s`.",
                             CORE_SLICE_ARGS(uid));
    if (rule.length == 0)
        return true;
    if (!search_filter_read(call->arena, rule, &budget, &filter, &error))
        return search_refuse(&call->refusal, SEARCH_CODE_INVALID_API_KEY,
                             "The filter of the token's search rules is malformed: %s", error.text);
    request->filter = search_filter_and(call->arena, filter, request->filter, &ok);
    return ok || search_refuse(&call->refusal, SEARCH_CODE_INTERNAL, "no memory for the filter");
}

/* Who waits holds a thread, so half of them may: the others go on answering. */
static bool place_await(search_call *call, core_slice uid, const search_request *request) {
    search_registry *registry = call->host->registry;
    core_slice project = call->request->caller.project;
    unsigned threads = (unsigned)core_config_integer(call->host->spec.config, "search.threads");
    if (!request->has_min_offset ||
        search_registry_await(registry, project, uid, &request->min_offset, 0))
        return true;
    bool may = atomic_fetch_add(&call->host->waiting, 1) < (threads + 1) / 2;
    bool is_there =
        may && search_registry_await(registry, project, uid, &request->min_offset, WAIT_MS);
    (void)atomic_fetch_sub(&call->host->waiting, 1);
    if (!may)
        return search_refuse(&call->refusal, SEARCH_CODE_TOO_MANY_SEARCH_REQUESTS,
                             "Too many searches wait for `min_offset` already. Retry after 1s.");
    return is_there ||
           search_refuse(&call->refusal, SEARCH_CODE_UNAVAILABLE,
                         "Index `%.*s` has not come to `min_offset` within %d s, or the offset is "
                         "of another history.",
                         CORE_SLICE_ARGS(uid), WAIT_MS / 1000);
}

/* ---- Running ---- */

/* Of a hybrid query more neighbours are asked for when the index or the filter has too few of those
 * that came. */
static bool query_run(search_call *call, search_answer *answer) {
    core_error error;
    do {
        if (!search_hybrid_ask(call, answer->open, &answer->hybrid, &answer->request))
            return false;
        search_hits_free(answer->hits);
        answer->hits = search_reader_query(answer->reader, &answer->request, &error);
        if (answer->hits == NULL)
            return search_refuse_error(&call->refusal, SEARCH_CODE_INVALID_SEARCH_FILTER, &error);
    } while (search_hybrid_wants_more(&answer->hybrid, answer->hits));
    return true;
}

static bool shown_make(search_call *call, search_answer *answer) {
    answer->shown =
        core_arena_array(call->arena, answer->hits->hit_count + 1, sizeof *answer->shown);
    return answer->shown != NULL ||
           search_refuse(&call->refusal, SEARCH_CODE_INTERNAL, "no memory for the hits");
}

static bool answer_plain(search_call *call, search_answer *answer) {
    if (!query_run(call, answer) || !shown_make(call, answer))
        return false;
    for (uint32_t i = 0; i < answer->hits->hit_count; i++)
        answer->shown[answer->shown_count++] = &answer->hits->hits[i];
    answer->total = answer->hits->total;
    answer->is_total_exact = answer->hits->is_total_exact;
    return true;
}

/* Ranks must not tell how many rows that the caller does not see stand before one that it sees. */
static bool seen_fuse(search_call *call, search_answer *answer, bool has_threshold) {
    const search_request *request = &answer->request;
    const search_hybrid_seen seen = {.shown = answer->shown,
                                     .count = answer->shown_count,
                                     .ratio = request->is_near_only || answer->hits->word_count == 0
                                                  ? 1
                                                  : request->semantic_ratio,
                                     .is_sorted = request->sort_count > 0,
                                     .threshold = has_threshold ? request->threshold : 0};
    return search_hybrid_fuse_seen(call, &seen, &answer->shown_count);
}

/* More and more hits are asked for, until those that may be seen fill the page. What is told of the
 * whole (totals) counts only what may be seen of the hits that were looked at. */
static bool answer_secured(search_call *call, search_answer *answer) {
    const search_schema_spec *spec = search_schema_get(answer->schema);
    uint64_t wanted = (uint64_t)answer->offset + answer->limit;
    bool has_threshold = answer->request.has_threshold;
    uint64_t asked = answer->hybrid.is_wanted ? spec->max_total_hits : wanted + 20;
    answer->request.offset = 0;
    answer->request.is_paged = false;
    answer->request.has_threshold = answer->request.has_threshold && !answer->hybrid.is_wanted;
    for (;; asked *= 4) {
        bool is_most = asked >= spec->max_total_hits;
        answer->request.limit = is_most ? spec->max_total_hits : (uint32_t)asked;
        if (!query_run(call, answer) || !shown_make(call, answer) ||
            !search_rls_seen(call, answer->open, answer->hits, answer->shown, &answer->shown_count))
            return false;
        if (answer->hybrid.is_wanted && !seen_fuse(call, answer, has_threshold))
            return false;
        bool is_all = answer->hits->hit_count < answer->request.limit;
        answer->total = answer->shown_count;
        answer->is_total_exact = is_all;
        if (is_most || is_all || answer->shown_count >= wanted)
            break;
    }
    size_t skipped = answer->offset < answer->shown_count ? answer->offset : answer->shown_count;
    answer->shown += skipped;
    answer->shown_count -= skipped;
    if (answer->shown_count > answer->limit)
        answer->shown_count = answer->limit;
    return true;
}

bool search_answer_run(search_call *call, core_slice uid, search_answer *answer) {
    core_error error;
    search_request *request = &answer->request;
    bool is_secured;
    answer->offset = request->offset;
    answer->limit = request->limit;
    answer->is_paged = request->is_paged;
    if (!rules_apply(call, uid, request) || !place_await(call, uid, request))
        return false;
    answer->open = search_call_open(call, uid);
    if (answer->open == NULL)
        return false;
    answer->reader = search_worker_reader(call->worker, answer->open, &error);
    if (answer->reader == NULL)
        return search_refuse_error(&call->refusal, SEARCH_CODE_INTERNAL, &error);
    answer->schema = search_backend_schema_get(search_open_backend(answer->open));
    if (!search_request_check(call->arena, request, answer->schema, &call->refusal) ||
        !search_rls_wanted(call, answer->open, &is_secured) ||
        !search_hybrid_prepare(call, answer->open, &answer->hybrid, request))
        return false;
    if (is_secured && request->facets.count > 0)
        return search_refuse(&call->refusal, SEARCH_CODE_INVALID_SEARCH_FACETS,
                             "Index `%.*s` has `security: rls`: facets would count rows that the "
                             "caller may not see, so they are not offered.",
                             CORE_SLICE_ARGS(uid));
    bool ok = is_secured ? answer_secured(call, answer) : answer_plain(call, answer);
    const core_clock *clock = call->host->spec.clock;
    core_metrics_observe(call->host->spec.metrics, CORE_METRIC_SEARCH_QUERY_TIME,
                         (clock->monotonic_ns(clock) - call->began_ns) / (CORE_NS_PER_MS / 1000));
    return ok;
}

void search_answer_fini(search_answer *answer) {
    search_hits_free(answer->hits);
    search_schema_release(answer->schema);
    search_open_release(answer->open);
    *answer = (search_answer){0};
}

/* ---- Writing ---- */

search_formatter *search_answer_formatter(search_call *call, search_answer *answer) {
    core_error error;
    search_tokenizer *tokenizer =
        search_worker_tokenizer(call->worker, answer->open, answer->schema, &error);
    if (tokenizer == NULL) {
        (void)search_refuse_error(&call->refusal, SEARCH_CODE_INTERNAL, &error);
        return NULL;
    }
    search_formatter *formatter =
        search_formatter_new(&answer->request, answer->schema, search_tokenizer_source(tokenizer),
                             answer->hits->terms, answer->hits->term_count);
    if (formatter == NULL)
        (void)search_refuse(&call->refusal, SEARCH_CODE_INTERNAL, "no memory for the hits");
    return formatter;
}

bool search_answer_hit(search_call *call, search_answer *answer, search_formatter *formatter,
                       const search_hit *hit) {
    core_error error;
    core_json_writer *json = &call->json;
    if (!search_formatter_hit(formatter, hit->json, json, &error))
        return search_refuse_error(&call->refusal, SEARCH_CODE_INTERNAL, &error);
    if (answer->request.shows_score) {
        core_json_key_text(json, "_rankingScore");
        char text[32];
        (void)snprintf(text, sizeof text, "%.6f", hit->score);
        core_json_raw(json, core_slice_text(text));
    }
    if (hit->distance_m >= 0) {
        core_json_key_text(json, "_geoDistance");
        core_json_unsigned(json, (uint64_t)(hit->distance_m + 0.5));
    }
    return true;
}

static bool hits_write(search_call *call, search_answer *answer) {
    core_json_writer *json = &call->json;
    search_formatter *formatter = search_answer_formatter(call, answer);
    if (formatter == NULL)
        return false;
    bool ok = true;
    core_json_array_open(json);
    for (size_t i = 0; ok && i < answer->shown_count; i++) {
        core_json_object_open(json);
        ok = search_answer_hit(call, answer, formatter, answer->shown[i]);
        core_json_object_close(json);
    }
    core_json_array_close(json);
    search_formatter_free(formatter);
    return ok;
}

static void number_member(core_json_writer *json, const char *name, uint64_t value) {
    core_json_key_text(json, name);
    core_json_unsigned(json, value);
}

static void double_member(core_json_writer *json, const char *name, double value) {
    char text[40];
    (void)snprintf(text, sizeof text, "%.17g", value);
    core_json_key_text(json, name);
    core_json_raw(json, core_slice_text(text));
}

static void facets_write(core_json_writer *json, const search_hits *hits) {
    core_json_key_text(json, "facetDistribution");
    core_json_object_open(json);
    for (uint32_t i = 0; i < hits->facet_count; i++) {
        const search_facet *facet = &hits->facets[i];
        core_json_key(json, facet->attribute);
        core_json_object_open(json);
        for (uint32_t j = 0; j < facet->value_count; j++) {
            core_json_key(json, facet->values[j].shown);
            core_json_unsigned(json, facet->values[j].count);
        }
        core_json_object_close(json);
    }
    core_json_object_close(json);
    core_json_key_text(json, "facetStats");
    core_json_object_open(json);
    for (uint32_t i = 0; i < hits->facet_count; i++) {
        if (!hits->facets[i].has_numbers)
            continue;
        core_json_key(json, hits->facets[i].attribute);
        core_json_object_open(json);
        double_member(json, "min", hits->facets[i].number_min);
        double_member(json, "max", hits->facets[i].number_max);
        core_json_object_close(json);
    }
    core_json_object_close(json);
}

static void totals_write(core_json_writer *json, const search_answer *answer, bool is_paged) {
    const search_request *request = &answer->request;
    if (!is_paged) {
        number_member(json, "limit", answer->limit);
        number_member(json, "offset", answer->offset);
        number_member(json, "estimatedTotalHits", answer->total);
        return;
    }
    uint64_t a_page = request->hits_per_page;
    number_member(json, "hitsPerPage", a_page);
    number_member(json, "page", request->page);
    number_member(json, "totalPages", a_page > 0 ? (answer->total + a_page - 1) / a_page : 0);
    number_member(json, "totalHits", answer->total);
}

static size_t near_count(const search_answer *answer) {
    size_t count = 0;
    for (size_t i = 0; i < answer->shown_count; i++)
        count += answer->shown[i]->near_rank > 0;
    return count;
}

bool search_answer_write(search_call *call, search_answer *answer) {
    core_json_writer *json = &call->json;
    core_json_key_text(json, "hits");
    if (!hits_write(call, answer))
        return false;
    core_json_key_text(json, "query");
    core_json_string(json, answer->request.q);
    number_member(json, "processingTimeMs", search_call_took_ms(call));
    totals_write(json, answer, answer->is_paged);
    if (answer->hybrid.is_wanted)
        number_member(json, "semanticHitCount", near_count(answer));
    if (answer->hits->facet_count > 0)
        facets_write(json, answer->hits);
    return true;
}
