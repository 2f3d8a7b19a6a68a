/* Definitions are made, held and freed here, and their maps walked by the table of keys; see
 * definition.h. */
#include "search-index/definition.h"

#include "search-index/definition_private.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFINITION_MAGIC  UINT32_C(0x53444546) /* "SDEF" */
#define ARENA_CHUNK_BYTES ((size_t)2048)
#define CANDIDATES        200 /* of a vector column that says nothing else */
/* A document's texts, each kept once, and what names and counts take beside them. */
#define ARENA_MAX_BYTES (CORE_DOCUMENT_BYTES_MAX * 4)

typedef struct {
    uint32_t magic;
    atomic_uint references;
    core_arena arena;
    search_definition definition;
} counted_definition;

/* ---- The keys ---- */

#define FIELD(name) offsetof(search_definition, name)

/* clang-format off */
static const search_key key_rows[] = {
    {.name = "name", .read = search_key_name, .offset = FIELD(name)},
    {.name = "project", .read = search_key_name, .offset = FIELD(project)},
    {.name = "environment", .read = search_key_name, .offset = FIELD(environment)},
    {.name = "description", .read = search_key_text, .offset = FIELD(description), .max = 1024},
    {.name = "table", .read = search_key_table},
    {.name = "tables", .read = search_key_tables, .max = SEARCH_TABLES_MAX},
    {.name = "joins", .read = search_key_joins, .max = SEARCH_RELATED_MAX},
    {.name = "children", .read = search_key_children, .max = SEARCH_RELATED_MAX},
    {.name = "fields", .read = search_key_fields, .uses = SEARCH_USE_SEARCH | SEARCH_USE_SHOW},
    {.name = "filterable", .read = search_key_uses, .uses = SEARCH_USE_FILTER | SEARCH_USE_SHOW},
    {.name = "sortable", .read = search_key_uses, .uses = SEARCH_USE_SORT | SEARCH_USE_SHOW},
    {.name = "facets", .read = search_key_uses,
     .uses = SEARCH_USE_FACET | SEARCH_USE_FILTER | SEARCH_USE_SHOW},
    {.name = "select", .read = search_key_uses, .uses = SEARCH_USE_SHOW},
    {.name = "when", .read = search_key_text, .offset = FIELD(when),
     .max = SEARCH_WHEN_MAX},
    {.name = "language", .read = search_key_language, .offset = FIELD(language)},
    {.name = "stop_words", .read = search_key_texts, .offset = FIELD(stop_words),
     .count = FIELD(stop_word_count), .max = SEARCH_WORDS_MAX},
    {.name = "synonyms", .read = search_key_synonyms, .max = SEARCH_WORDS_MAX},
    {.name = "separators", .read = search_key_texts, .offset = FIELD(separators),
     .count = FIELD(separator_count), .max = 100},
    {.name = "non_separators", .read = search_key_texts, .offset = FIELD(non_separators),
     .count = FIELD(non_separator_count), .max = 100},
    {.name = "typo", .read = search_key_section},
    {.name = "ranking", .read = search_key_texts, .offset = FIELD(ranking),
     .count = FIELD(ranking_count), .max = 16},
    {.name = "security", .read = search_key_choice, .offset = FIELD(security),
     .choices = "none|rls"},
    {.name = "vector", .read = search_key_vector},
    {.name = "max_total_hits", .read = search_key_number, .offset = FIELD(max_total_hits),
     .min = 1, .max = 100000},
    {.name = "max_facet_values", .read = search_key_number, .offset = FIELD(max_facet_values),
     .min = 1, .max = 10000},

    {.section = "typo", .name = "enabled", .read = search_key_bool, .offset = FIELD(typo.is_enabled)},
    {.section = "typo", .name = "one_from", .read = search_key_number,
     .offset = FIELD(typo.one_characters), .min = 1, .max = 255},
    {.section = "typo", .name = "two_from", .read = search_key_number,
     .offset = FIELD(typo.two_characters), .min = 1, .max = 255},
    {.section = "typo", .name = "except_words", .read = search_key_texts,
     .offset = FIELD(typo.words), .count = FIELD(typo.word_count),
     .max = SEARCH_WORDS_MAX},
    {.section = "typo", .name = "except_fields", .read = search_key_texts,
     .offset = FIELD(typo.attributes), .count = FIELD(typo.attribute_count),
     .max = SEARCH_FIELDS_MAX},

    {.section = "vector", .name = "column", .read = search_key_vector},
    {.section = "vector", .name = "embedder", .read = search_key_name,
     .offset = FIELD(vector.embedder)},
    {.section = "vector", .name = "metric", .read = search_key_choice,
     .offset = FIELD(vector.metric), .choices = "cosine|l2|inner|l1"},
    {.section = "vector", .name = "candidates", .read = search_key_number,
     .offset = FIELD(vector.candidates), .min = 1, .max = SEARCH_CANDIDATES_MAX},
};
/* clang-format on */

static bool is_of(const search_key *key, const char *section) {
    return strcmp(key->section != NULL ? key->section : "", section) == 0;
}

/* What is expected in the section: the nearest name, or all of them. */
static bool unknown_tell(search_definition_reader *reader, const char *section,
                         const core_node *node) {
    char listed[CORE_PROBLEM_TEXT_MAX / 2] = "";
    const char *name = (const char *)node->key.data, *nearest = NULL;
    size_t best = strlen(name) / 3 + 1, used = 0;
    for (size_t i = 0; i < CORE_COUNT_OF(key_rows); i++) {
        if (!is_of(&key_rows[i], section))
            continue;
        size_t distance = core_text_distance(name, key_rows[i].name);
        if (distance <= best) {
            best = distance;
            nearest = key_rows[i].name;
        }
        if (used < sizeof listed)
            used += (size_t)snprintf(listed + used, sizeof listed - used, "%s%s",
                                     used > 0 ? ", " : "", key_rows[i].name);
    }
    if (nearest != NULL)
        return core_problem_tell(reader->problems, node->key_place,
                                 "%s: unknown key; did you mean %s?", name, nearest);
    return core_problem_tell(reader->problems, node->key_place, "%s: unknown key; expected %s",
                             name, listed);
}

static bool child_read(search_definition_reader *reader, const char *section,
                       const core_node *child) {
    for (size_t i = 0; i < CORE_COUNT_OF(key_rows); i++) {
        if (!is_of(&key_rows[i], section) || !core_slice_is(child->key, key_rows[i].name))
            continue;
        if (child->kind == CORE_NODE_NULL)
            return core_problem_tell(reader->problems, child->key_place,
                                     "%s: has no value: give one or remove the line",
                                     key_rows[i].name);
        return key_rows[i].read(reader, &key_rows[i], child);
    }
    return unknown_tell(reader, section, child);
}

bool search_section_read(search_definition_reader *reader, const char *section,
                         const core_node *map) {
    bool good = true;
    for (const core_node *child = map->first; child != NULL; child = child->next)
        good &= child_read(reader, section, child);
    return good;
}

/* ---- What several keys together must be ---- */

static bool tables_check(search_definition_reader *reader, const core_node *root) {
    const search_definition *out = reader->out;
    const core_node *tables = core_node_find(root, "tables");
    if (out->table_count == 0)
        return core_problem_tell(reader->problems, root->place, "table: expected, and not given");
    if (tables != NULL && core_node_find(root, "table") != NULL)
        return core_problem_tell(reader->problems, tables->key_place,
                                 "tables: stands beside table; give one of both");
    if (out->table_count > 1 && out->related_count > 0)
        return core_problem_tell(reader->problems, tables->key_place,
                                 "tables: joins and children go with one table only");
    if (out->table_count > 1 && out->when.length > 0)
        return core_problem_tell(reader->problems, out->when_place,
                                 "when: goes with one table only; of several each has its own, as "
                                 "{table: NAME, when: CONDITION}");
    return true;
}

static bool whole_check(search_definition_reader *reader, const core_node *root) {
    const search_definition *out = reader->out;
    bool searches = false;
    if (out->name.length == 0)
        return core_problem_tell(reader->problems, root->place, "name: expected, and not given");
    if (core_slice_is(out->name, "indexes"))
        return core_problem_tell(reader->problems, core_node_find(root, "name")->place,
                                 "name: indexes is where definitions are under /search/v1; choose "
                                 "another");
    if (!tables_check(reader, root))
        return false;
    for (size_t i = 0; i < out->field_count; i++)
        searches |= (out->fields[i].uses & SEARCH_USE_SEARCH) != 0;
    if (!searches)
        return core_problem_tell(reader->problems, root->place,
                                 "fields: expected at least one column to search in, such as "
                                 "{title: 2.0, body: 1}");
    if (out->typo.two_characters < out->typo.one_characters)
        return core_problem_tell(reader->problems, core_node_find(root, "typo")->place,
                                 "typo: two_from is %u, below one_from, %u",
                                 out->typo.two_characters, out->typo.one_characters);
    const core_node *vector = core_node_find(root, "vector");
    if (vector != NULL && out->vector.column.length == 0)
        return core_problem_tell(reader->problems, vector->place,
                                 "vector: column: expected, and not given");
    return true;
}

/* What the text does not say. */
static bool facts_apply(search_definition_reader *reader) {
    search_definition *out = reader->out;
    return (out->project.length > 0 ||
            search_keep(reader, reader->facts->project, &out->project)) &&
           (out->environment.length > 0 ||
            search_keep(reader, reader->facts->environment, &out->environment));
}

static bool root_read(search_definition_reader *reader, const core_node *root) {
    if (root->kind != CORE_NODE_MAP)
        return core_problem_tell(reader->problems, root->place,
                                 "expected a map with the keys name, table and fields");
    const core_node *when = core_node_find(root, "when");
    search_field *fields = search_array(reader, SEARCH_FIELDS_MAX, sizeof *fields);
    if (fields == NULL)
        return false;
    reader->fields = fields;
    reader->out->fields = fields;
    if (when != NULL)
        reader->out->when_place = when->place;
    bool good = search_section_read(reader, "", root);
    good &= search_fields_resolve(reader);
    return good && whole_check(reader, root) && facts_apply(reader);
}

/* ---- Life ---- */

static counted_definition *counted_of(const search_definition *definition) {
    uintptr_t at = (uintptr_t)definition - offsetof(counted_definition, definition);
    counted_definition *it = (counted_definition *)at;
    CORE_MAGIC_CHECK(it, DEFINITION_MAGIC);
    return it;
}

const search_definition *search_definition_hold(const search_definition *definition) {
    (void)atomic_fetch_add_explicit(&counted_of(definition)->references, 1, memory_order_relaxed);
    return definition;
}

void search_definition_release(const search_definition *definition) {
    if (definition == NULL)
        return;
    counted_definition *it = counted_of(definition);
    if (atomic_fetch_sub_explicit(&it->references, 1, memory_order_acq_rel) != 1)
        return;
    core_arena_fini(&it->arena);
    it->magic = 0;
    free(it);
}

const search_definition *search_definition_of(const core_document *document,
                                              const search_definition_facts *facts,
                                              core_problems *problems) {
    counted_definition *it = calloc(1, sizeof *it);
    if (it == NULL) {
        (void)core_problem_tell(problems, (core_place){0}, "out of memory");
        return NULL;
    }
    it->magic = DEFINITION_MAGIC;
    atomic_init(&it->references, 1);
    core_arena_init(&it->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    it->definition = (search_definition){
        .typo = {.is_enabled = true,
                 .one_characters = SEARCH_TYPO_ONE_CHARACTERS,
                 .two_characters = SEARCH_TYPO_TWO_CHARACTERS},
        .max_total_hits = SEARCH_MAX_TOTAL_HITS,
        .vector = {.embedder = core_slice_text("default"), .candidates = CANDIDATES},
        .max_facet_values = SEARCH_FACET_VALUES,
    };
    search_definition_reader reader = {
        .out = &it->definition, .arena = &it->arena, .problems = problems, .facts = facts};
    if (root_read(&reader, core_document_root(document)))
        return &it->definition;
    search_definition_release(&it->definition);
    return NULL;
}

const search_definition *search_definition_read(core_slice text,
                                                const search_definition_facts *facts,
                                                core_problems *problems) {
    core_document *document = core_document_read(text, problems);
    if (document == NULL)
        return NULL;
    const search_definition *definition = search_definition_of(document, facts, problems);
    core_document_free(document);
    return definition;
}
