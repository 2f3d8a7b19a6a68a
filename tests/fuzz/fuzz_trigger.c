/* Any bytes as a template and as an event: the template up to a NUL, the event behind it. What is
 * taken is filled twice alike, as valid JSON; a trigger that acts has a body that is. */
#include "triggers/explain.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT(text)                                                                                 \
    { (const uint8_t *)(text), sizeof(text) - 1 }

static const core_column columns[] = {
    {.name = TEXT("id"), .type_oid = 20, .key = true},
    {.name = TEXT("t"), .type_oid = 25},
    {.name = TEXT("n"), .type_oid = 1700},
    {.name = TEXT("j"), .type_oid = 3802},
    {.name = TEXT("a"), .type_oid = 1009},
    {.name = TEXT("q\"}"), .type_oid = 25},
};
static const core_relation relation = {.schema = TEXT("public"),
                                       .table = TEXT("t"),
                                       .replica_identity = 'f',
                                       .column_count = CORE_COUNT_OF(columns),
                                       .columns = columns};

#define BEGINNING                                                                                  \
    "{\"name\":\"t\",\"on\":{\"table\":\"t\",\"ops\":[\"insert\",\"update\",\"delete\"]},"         \
    "\"when\":\"new.t is not null or new.n > 1 and old.id is null\",\"do\":{\"nats\":{"            \
    "\"subject\":\"x\"}},\"template\":"

static const triggers_definition *definition_make(core_slice text) {
    core_buffer out;
    core_problems problems;
    const triggers_definition_facts facts = {.project = TEXT("p"), .environment = TEXT("e")};
    core_buffer_init(&out, 1u << 20);
    core_buffer_text(&out, BEGINNING);
    core_json_writer json = core_json_writer_make(&out);
    core_json_string(&json, text);
    core_buffer_text(&out, "}");
    core_problems_init(&problems);
    const triggers_definition *made =
        triggers_definition_read(core_buffer_slice(&out), &facts, &problems);
    core_problems_fini(&problems);
    core_buffer_fini(&out);
    return made;
}

static void explain(const triggers_definition *definition, core_slice event,
                    const core_relation *shape, core_buffer *out) {
    core_error error;
    bool matched = false;
    core_buffer_init(out, TRIGGERS_EXPLANATION_MAX);
    if (!triggers_explain_event(definition, event, shape, NULL, 0, true, out, &matched, &error))
        core_buffer_reset(out);
    else if (!core_json_valid(core_buffer_slice(out)))
        abort();
}

static void explain_twice(const triggers_definition *definition, core_slice event,
                          const core_relation *shape) {
    core_buffer first, second;
    explain(definition, event, shape, &first);
    explain(definition, event, shape, &second);
    if (!core_slice_equal(core_buffer_slice(&first), core_buffer_slice(&second)))
        abort();
    core_buffer_fini(&first);
    core_buffer_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *end = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t length = end != NULL ? (size_t)(end - data) : size;
    core_slice event =
        end != NULL ? core_slice_make(end + 1, size - length - 1) : core_slice_make(NULL, 0);
    const triggers_definition *definition = definition_make(core_slice_make(data, length));
    if (definition == NULL)
        return 0;
    explain_twice(definition, event, &relation);
    explain_twice(definition, event, NULL);
    triggers_definition_release(definition);
    return 0;
}
