/* What the files that read a definition share; see definition.h for what it promises.
 *
 * definition.c has the keys and walks the document's maps, definition_value.c reads simple values
 * and lists, definition_field.c the fields and what they are for, definition_related.c tables and
 * what is joined to them. */
#ifndef WALCAST_SEARCH_INDEX_DEFINITION_PRIVATE_H
#define WALCAST_SEARCH_INDEX_DEFINITION_PRIVATE_H

#include "search-index/definition.h"

typedef struct {
    search_definition *out;
    core_arena *arena;
    core_problems *problems;
    const search_definition_facts *facts;
    search_field *fields; /* out->fields while they are read; room for SEARCH_FIELDS_MAX */
} search_definition_reader;

typedef struct search_key search_key;
typedef bool (*search_key_reader)(search_definition_reader *reader, const search_key *key,
                                  const core_node *node);
struct search_key {
    const char *section; /* "", "typo" */
    const char *name;
    search_key_reader read;
    size_t offset; /* of the field in search_definition, and of an array's count there */
    size_t count;
    int64_t min, max;    /* of numbers; of a text its most bytes; of a list its most items */
    const char *choices; /* "none|rls" */
    unsigned uses;       /* of lists of fields */
};

/* ---- definition.c ---- */
/* Reads the map's keys, those of `section`, whose name is put in front in what is told. */
bool search_section_read(search_definition_reader *reader, const char *section,
                         const core_node *map);

/* ---- definition_value.c: one value each, told when it is wrong ---- */
/* "KEY: expected WHAT". False. */
bool search_expected(search_definition_reader *reader, const search_key *key, const core_node *node,
                     const char *what);
void *search_field_at(const search_definition_reader *reader, size_t offset);
/* A copy that lives as the definition does; false and told without memory. */
bool search_keep(search_definition_reader *reader, core_slice text, core_slice *kept);
/* An array of `count` that lives as the definition does; NULL and told without memory. */
void *search_array(search_definition_reader *reader, size_t count, size_t size);

bool search_key_text(search_definition_reader *reader, const search_key *key,
                     const core_node *node);
bool search_key_name(search_definition_reader *reader, const search_key *key,
                     const core_node *node);
bool search_key_bool(search_definition_reader *reader, const search_key *key,
                     const core_node *node);
bool search_key_number(search_definition_reader *reader, const search_key *key,
                       const core_node *node);
bool search_key_choice(search_definition_reader *reader, const search_key *key,
                       const core_node *node);
bool search_key_texts(search_definition_reader *reader, const search_key *key,
                      const core_node *node);
bool search_key_synonyms(search_definition_reader *reader, const search_key *key,
                         const core_node *node);
bool search_key_language(search_definition_reader *reader, const search_key *key,
                         const core_node *node);
bool search_key_section(search_definition_reader *reader, const search_key *key,
                        const core_node *node);

/* ---- definition_field.c ---- */
/* {title: 2.0, body: 1}, or [title, body]: what is searched. */
bool search_key_fields(search_definition_reader *reader, const search_key *key,
                       const core_node *node);
/* [price, meta->color]: what the key's uses are for. */
bool search_key_uses(search_definition_reader *reader, const search_key *key,
                     const core_node *node);
/* A column as an author writes it: name, "Name", meta->a->b. */
bool search_field_read(search_definition_reader *reader, const search_key *key,
                       const core_node *node, core_slice text, search_field *field);
/* embedding, or {column: embedding, metric: l2}. */
bool search_key_vector(search_definition_reader *reader, const search_key *key,
                       const core_node *node);
/* The field of that name, made if need be; NULL, told, when there are too many. */
search_field *search_field_get(search_definition_reader *reader, const search_key *key,
                               const search_field *wanted);
/* Behind all keys: those that name a joined or child table's column find it. */
bool search_fields_resolve(search_definition_reader *reader);

/* ---- definition_related.c ---- */
bool search_key_table(search_definition_reader *reader, const search_key *key,
                      const core_node *node);
/* Each by its name, or {table: NAME, when: CONDITION}. */
bool search_key_tables(search_definition_reader *reader, const search_key *key,
                       const core_node *node);
bool search_key_joins(search_definition_reader *reader, const search_key *key,
                      const core_node *node);
bool search_key_children(search_definition_reader *reader, const search_key *key,
                         const core_node *node);

#endif
