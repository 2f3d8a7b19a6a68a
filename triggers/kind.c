/* See kind.h. */
#include "triggers/kind.h"

#include "triggers/spread.h"
#include "triggers/start.h"

static const void *kind_read(const core_document *document, core_slice project,
                             core_slice environment, core_problems *problems) {
    const triggers_definition_facts facts = {.project = project, .environment = environment};
    return triggers_definition_of(document, &facts, problems);
}

static void kind_release(const void *definition) {
    triggers_definition_release(definition);
}

static core_definition_head kind_head(const void *definition) {
    const triggers_definition *it = definition;
    return (core_definition_head){.name = it->name,
                                  .project = it->project,
                                  .environment = it->environment,
                                  .disabled = it->disabled,
                                  .paused = it->paused};
}

const core_definition_kind *triggers_kind(void) {
    static const core_definition_kind kind = {
        .token = TRIGGERS_STORED_TOKEN,
        .one = "trigger",
        .some_one = "a trigger",
        .several = "triggers",
        .has_state = true,
        .name_ok = triggers_name_ok,
        .read = kind_read,
        .release = kind_release,
        .head = kind_head,
    };
    return &kind;
}

static bool since_find(fanout_connection *connection, const core_config *config,
                       const void *definition, char since[CORE_OFFSET_TEXT_SIZE],
                       core_error *error) {
    return triggers_start_find(connection, config, definition, since, error);
}

static uint32_t partitions_find(const void *definition) {
    return triggers_spread_width(definition);
}

fanout_definitions_spec triggers_definitions_spec(const triggers_spec *spec) {
    return (fanout_definitions_spec){.kind = triggers_kind(),
                                     .config = spec->config,
                                     .log = spec->log,
                                     .metrics = spec->metrics,
                                     .clock = spec->clock,
                                     .since = since_find,
                                     .partitions = partitions_find};
}

fanout_definitions *triggers_store_new(const triggers_spec *spec, const char *name,
                                       core_error *error) {
    const fanout_definitions_spec definitions = triggers_definitions_spec(spec);
    return fanout_definitions_new(&definitions, name, error);
}

static bool check_one(void *context, const void *definition, const core_document *document,
                      core_problems *problems, core_buffer *facts, core_error *error) {
    return triggers_check_definition(context, definition, document, problems, facts, error);
}

static void check_rest(void *context) {
    triggers_check_rest(context);
}

fanout_definition_check triggers_check_of(triggers_check *check) {
    return (fanout_definition_check){.one = check_one, .rest = check_rest, .context = check};
}

const triggers_definition *triggers_stored_definition(const fanout_definition *stored,
                                                      core_slice environment, uint64_t revision,
                                                      core_error *error) {
    const triggers_definition_facts facts = {.project = stored->project,
                                             .environment = environment,
                                             .revision = revision,
                                             .created_us = stored->created_us,
                                             .since = stored->since,
                                             .partitions = stored->partitions,
                                             .facts = stored->facts,
                                             .disabled = &stored->disabled,
                                             .paused = &stored->paused};
    core_problems problems;
    core_problems_init(&problems);
    const triggers_definition *definition =
        triggers_definition_read(stored->definition, &facts, &problems);
    if (definition == NULL)
        (void)core_error_set(error, CORE_ERROR_INPUT, "%s",
                             problems.count > 0 ? problems.items[0].text : "out of memory");
    core_problems_fini(&problems);
    return definition;
}
