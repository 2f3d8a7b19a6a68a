/* See kind.h. */
#include "search-index/kind.h"

static const void *kind_read(const core_document *document, core_slice project,
                             core_slice environment, core_problems *problems) {
    const search_definition_facts facts = {.project = project, .environment = environment};
    return search_definition_of(document, &facts, problems);
}

static void kind_release(const void *definition) {
    search_definition_release(definition);
}

static core_definition_head kind_head(const void *definition) {
    const search_definition *it = definition;
    return (core_definition_head){
        .name = it->name, .project = it->project, .environment = it->environment};
}

const core_definition_kind *search_kind(void) {
    static const core_definition_kind kind = {
        .token = "index",
        .one = "index",
        .some_one = "an index",
        .several = "indexes",
        .name_ok = search_name_ok,
        .read = kind_read,
        .release = kind_release,
        .head = kind_head,
    };
    return &kind;
}

fanout_definitions_spec search_definitions_spec(const search_spec *spec) {
    return (fanout_definitions_spec){.kind = search_kind(),
                                     .config = spec->config,
                                     .log = spec->log,
                                     .metrics = spec->metrics,
                                     .clock = spec->clock};
}

static bool check_one(void *context, const void *definition, const core_document *document,
                      core_problems *problems, core_buffer *facts, core_error *error) {
    return search_check_definition(context, definition, document, problems, facts, error);
}

static void check_rest(void *context) {
    search_check_rest(context);
}

fanout_definition_check search_check_of(search_check *check) {
    return (fanout_definition_check){.one = check_one, .rest = check_rest, .context = check};
}

bool search_kind_is(const core_document *document) {
    const core_node *root = core_document_root(document);
    return core_node_find(root, "on") == NULL && core_node_find(root, "do") == NULL &&
           (core_node_find(root, "table") != NULL || core_node_find(root, "tables") != NULL ||
            core_node_find(root, "fields") != NULL);
}
