/* /search/v1/{project}/indexes: definitions of indexes of tables, in key-value
 * (fanout/definition_serve.h). */
#include "search-index/api.h"

static search_call *call_of(const fanout_definition_call *it) {
    return it->context;
}

/* An index of that name that was made over HTTP stays, and one too many is none. */
static bool name_expect(const fanout_definition_call *it, const core_document *document,
                        const void *definition, core_problems *problems) {
    search_call *call = call_of(it);
    const search_definition *given = definition;
    size_t max = (size_t)core_config_integer(call->host->spec.config, "search.max_indexes");
    const search_entry *entry =
        search_catalog_find(call->host->catalog, given->project, given->name);
    bool is_taken = entry != NULL && !entry->is_table;
    bool has_room = entry != NULL || search_catalog_count(call->host->catalog) < max;
    (void)document;
    (void)problems;
    search_entry_release(entry);
    if (is_taken)
        core_route_refuse(it->reply, 409,
                          "there is an index of that name that was made by its documents or "
                          "settings: remove that, or give this another name",
                          NULL);
    else if (!has_room)
        core_route_refuse(it->reply, 409, "there are as many indexes as search.max_indexes allows",
                          NULL);
    return !is_taken && has_room;
}

static void done_audit(const fanout_definition_call *it, fanout_outcome outcome,
                       const void *definition) {
    (void)definition;
    auth_audit_caller(call_of(it)->host->spec.audit, &it->reply->request.caller,
                      outcome == FANOUT_REMOVED ? "index.removed" : "index.defined", it->name,
                      NULL);
}

static const fanout_definition_manner manner = {.missing = "no index of that name is defined",
                                                .several = "indexes",
                                                .expects = name_expect,
                                                .done = done_audit};

/* What is answered by `serve`; false: refused before. */
static bool definition_serve(search_call *call, void (*serve)(fanout_definition_call *it)) {
    core_error error;
    if (!search_call_project(call))
        return false;
    fanout_definitions *store = search_worker_definitions(call->worker, &error);
    search_check *check = store != NULL ? search_worker_check(call->worker, &error) : NULL;
    if (check == NULL)
        return search_refuse_error(&call->refusal, SEARCH_CODE_INTERNAL, &error);
    fanout_definition_call it = {.store = store,
                                 .check = search_check_of(check),
                                 .manner = &manner,
                                 .reply = call->reply,
                                 .context = call};
    bool is_named = call->part_count > 4;
    if (fanout_definition_call_begin(&it, is_named ? call->parts[4] : core_slice_make(NULL, 0)))
        serve(&it);
    return true;
}

bool search_api_definitions(search_call *call) {
    return definition_serve(call, fanout_definition_serve_list);
}

bool search_api_definition_make(search_call *call) {
    return definition_serve(call, fanout_definition_serve_create);
}

bool search_api_definition(search_call *call) {
    return definition_serve(call, fanout_definition_serve_get);
}

bool search_api_definition_put(search_call *call) {
    return definition_serve(call, fanout_definition_serve_put);
}

bool search_api_definition_remove(search_call *call) {
    return definition_serve(call, fanout_definition_serve_delete);
}
