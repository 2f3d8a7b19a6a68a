/* Definitions are made, held and freed here; see definition.h. */
#include "triggers/definition.h"

#include "triggers/definition_private.h"

#include <stdatomic.h>
#include <stdlib.h>

#define DEFINITION_MAGIC  UINT32_C(0x54444546) /* "TDEF" */
#define ARENA_CHUNK_BYTES ((size_t)512)
/* A document's texts, each kept once, and what names and counts take beside them. */
#define ARENA_MAX_BYTES (CORE_DOCUMENT_BYTES_MAX * 4)

typedef struct {
    uint32_t magic;
    atomic_uint references;
    core_arena arena;
    triggers_definition definition;
} counted_definition;

static counted_definition *counted_of(const triggers_definition *definition) {
    uintptr_t at = (uintptr_t)definition - offsetof(counted_definition, definition);
    counted_definition *it = (counted_definition *)at;
    CORE_MAGIC_CHECK(it, DEFINITION_MAGIC);
    return it;
}

const triggers_definition *triggers_definition_hold(const triggers_definition *definition) {
    (void)atomic_fetch_add_explicit(&counted_of(definition)->references, 1, memory_order_relaxed);
    return definition;
}

void triggers_definition_release(const triggers_definition *definition) {
    if (definition == NULL)
        return;
    counted_definition *it = counted_of(definition);
    if (atomic_fetch_sub_explicit(&it->references, 1, memory_order_acq_rel) != 1)
        return;
    core_arena_fini(&it->arena);
    it->magic = 0;
    free(it);
}

/* What the text does not say. */
static bool facts_apply(triggers_definition_reader *reader) {
    const triggers_definition_facts *facts = reader->facts;
    triggers_definition *out = reader->out;
    out->revision = facts->revision;
    out->created_us = facts->created_us;
    out->partitions = facts->partitions;
    if (facts->disabled != NULL)
        out->disabled = *facts->disabled;
    if (facts->paused != NULL)
        out->paused = *facts->paused;
    return (out->project.length > 0 || triggers_keep(reader, facts->project, &out->project)) &&
           (out->environment.length > 0 ||
            triggers_keep(reader, facts->environment, &out->environment)) &&
           triggers_keep(reader, facts->since, &out->since) &&
           triggers_keep(reader, facts->facts, &out->facts);
}

static bool root_read(triggers_definition_reader *reader, const core_node *root) {
    if (root->kind != CORE_NODE_MAP)
        return core_problem_tell(reader->problems, root->place,
                                 "expected a map with the keys name, on and do");
    const core_node *on = core_node_find(root, "on"), *action = core_node_find(root, "do");
    bool good = triggers_section_read(reader, "", root);
    if (on != NULL && on->kind == CORE_NODE_MAP)
        good &= triggers_on_check(reader, on);
    if (action != NULL && action->kind == CORE_NODE_MAP)
        good &= triggers_do_check(reader, action);
    return good && triggers_whole_check(reader, root) && facts_apply(reader);
}

const triggers_definition *triggers_definition_of(const core_document *document,
                                                  const triggers_definition_facts *facts,
                                                  core_problems *problems) {
    counted_definition *it = calloc(1, sizeof *it);
    if (it == NULL) {
        (void)core_problem_tell(problems, (core_place){0}, "out of memory");
        return NULL;
    }
    it->magic = DEFINITION_MAGIC;
    atomic_init(&it->references, 1);
    core_arena_init(&it->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    triggers_definition_reader reader = {
        .out = &it->definition, .arena = &it->arena, .problems = problems, .facts = facts};
    if (root_read(&reader, core_document_root(document)))
        return &it->definition;
    triggers_definition_release(&it->definition);
    return NULL;
}

const triggers_definition *triggers_definition_read(core_slice text,
                                                    const triggers_definition_facts *facts,
                                                    core_problems *problems) {
    core_document *document = core_document_read(text, problems);
    if (document == NULL)
        return NULL;
    const triggers_definition *definition = triggers_definition_of(document, facts, problems);
    core_document_free(document);
    return definition;
}

const char *triggers_do_name(triggers_do action) {
    static const char *const names[] = {"webhook", "nats", "sql", "broadcast", "job", "workflow"};
    return names[action];
}
