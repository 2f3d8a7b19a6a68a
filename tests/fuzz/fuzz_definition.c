/* A trigger's definition over any bytes: refused with places within the text or taken, and what is
 * taken comes back the same from the JSON that is stored of it. */
#include "triggers/kind.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t lines_of(const uint8_t *data, size_t size) {
    size_t lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n' || data[i] == '\r' || data[i] >= 0x80; /* NEL, LS, PS */
    return lines;
}

/* Each text's last character stands somewhere. */
static void places_look(const core_document *document, const core_node *node) {
    if (node->kind == CORE_NODE_TEXT &&
        core_node_place_of(document, node, node->text.length + 1).line < node->place.line)
        abort();
    for (const core_node *child = node->first; child != NULL; child = child->next)
        places_look(document, child);
}

static void again(const core_document *document, const triggers_definition *before,
                  const triggers_definition_facts *facts) {
    core_buffer json;
    core_problems problems;
    core_buffer_init(&json, CORE_DOCUMENT_BYTES_MAX);
    core_problems_init(&problems);
    fanout_definition_canonical(document, &json);
    if (!core_buffer_ok(&json) || !core_json_valid(core_buffer_slice(&json)))
        abort();
    const triggers_definition *after =
        triggers_definition_read(core_buffer_slice(&json), facts, &problems);
    if (after == NULL || !core_slice_equal(before->name, after->name) ||
        !core_slice_equal(before->when, after->when) || before->on != after->on ||
        before->selected_count != after->selected_count || before->ops != after->ops)
        abort();
    triggers_definition_release(after);
    core_problems_fini(&problems);
    core_buffer_fini(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const triggers_definition_facts facts = {.project = core_slice_text("p"),
                                             .environment = core_slice_text("e")};
    core_problems problems;
    core_problems_init(&problems);
    core_document *document = core_document_read(core_slice_make(data, size), &problems);
    if ((document == NULL) == core_problems_ok(&problems))
        abort();
    const triggers_definition *definition = NULL;
    if (document != NULL) {
        places_look(document, core_document_root(document));
        definition = triggers_definition_of(document, &facts, &problems);
    }
    if ((definition == NULL) == core_problems_ok(&problems))
        abort();
    for (size_t i = 0; i < problems.count; i++)
        if (problems.items[i].place.line > lines_of(data, size) + 1)
            abort();
    if (definition != NULL)
        again(document, definition, &facts);
    triggers_definition_release(definition);
    core_document_free(document);
    core_problems_fini(&problems);
    return 0;
}
