/* An index's definition: what an author wrote, read and checked by itself.
 *
 * Read from YAML or JSON (docs/SEARCH.md has every key). Immutable and counted (atomically): any
 * thread may read it, its slices live as long as it does. Whether tables and columns exist is asked
 * of the database by check.h.
 *
 * A document has the columns that the definition names: a column as a member of its name, a path
 * into a JSON column (`meta->a->b`) as members in each other, a joined table's row as an object and
 * a child table's rows as an array of objects under the name that the definition gives them. */
#ifndef WALCAST_SEARCH_INDEX_DEFINITION_H
#define WALCAST_SEARCH_INDEX_DEFINITION_H

#include "search-index/schema.h"

#define SEARCH_NAME_MAX       128
#define SEARCH_IDENTIFIER_MAX 63 /* PostgreSQL's */
#define SEARCH_FIELDS_MAX     256
#define SEARCH_PATH_MAX       8 /* steps into a JSON column */
#define SEARCH_TABLES_MAX     16
#define SEARCH_WHEN_MAX       (64 << 10)
#define SEARCH_RELATED_MAX    16
#define SEARCH_WORDS_MAX      2000 /* of each kind of words */
#define SEARCH_CANDIDATES_MAX 1000 /* of a vector column: hnsw.ef_search's maximum */

/* What a field is for; bits. */
enum {
    SEARCH_USE_SEARCH = 1,
    SEARCH_USE_FILTER = 2,
    SEARCH_USE_SORT = 4,
    SEARCH_USE_FACET = 8,
    SEARCH_USE_SHOW = 16,
};

typedef struct {
    core_slice name;   /* dotted, as the document has it: "title", "meta.tags", "category.name" */
    int related;       /* the joined or child table's place in `related`; -1: of the row itself */
    core_slice column; /* of its table */
    const core_slice *steps; /* into the column's JSON */
    size_t step_count;
    double weight;    /* of SEARCH_USE_SEARCH */
    unsigned uses;    /* SEARCH_USE_* */
    core_place place; /* in the document that was read */
} search_field;

typedef struct {
    core_slice schema, table; /* `public` as written: a tenant's home (core/tenant.h) */
    core_place place;
    core_slice when; /* of one of several: which of its rows belong; empty: every one */
} search_table;

/* A joined table: one row, whose primary key is the row's `key`. A child table: those of its rows
 * whose `key` is the row's primary key. */
typedef struct {
    core_slice name; /* the document's member */
    bool is_child;
    search_table table;
    core_slice key;
    core_place key_place;
} search_related;

typedef enum { SEARCH_SECURITY_NONE, SEARCH_SECURITY_RLS } search_security;

/* How far two vectors are from each other. */
typedef enum {
    SEARCH_METRIC_COSINE,
    SEARCH_METRIC_L2,
    SEARCH_METRIC_INNER, /* the negative inner product */
    SEARCH_METRIC_L1,
} search_metric;

/* The column that nearest neighbours are asked of, for hybrid queries. */
typedef struct {
    core_slice column;   /* empty: there is none */
    core_slice embedder; /* the name that queries say */
    search_metric metric;
    uint32_t candidates; /* neighbours that are fused with what words find */
    core_place place;    /* of the column */
} search_vector;

typedef struct search_definition {
    core_slice name, project, environment, description;
    const search_table *tables;
    size_t table_count;
    const search_field *fields; /* in order of importance: `fields` as written, then the others */
    size_t field_count;
    const search_related *related;
    size_t related_count;
    core_slice when; /* SQL over the only table's columns; empty: every row belongs */
    core_place when_place;
    core_slice language; /* a Snowball stemmer's name; empty: none */
    const core_slice *stop_words;
    size_t stop_word_count;
    const search_synonym *synonyms;
    size_t synonym_count;
    const core_slice *separators, *non_separators;
    size_t separator_count, non_separator_count;
    search_typo_rules typo;
    const core_slice *ranking;
    size_t ranking_count; /* 0: the default rules */
    search_security security;
    search_vector vector;
    uint32_t max_total_hits, max_facet_values;
} search_definition;

/* What the text does not say itself. */
typedef struct {
    core_slice project, environment; /* where the text names none */
} search_definition_facts;

/* Of YAML or JSON. NULL when `problems` got an error; warnings may come with a definition. The
 * caller holds one reference. */
CORE_MUST_CHECK const search_definition *
search_definition_read(core_slice text, const search_definition_facts *facts,
                       core_problems *problems);
/* The same of a document, which is not needed afterwards. */
CORE_MUST_CHECK const search_definition *search_definition_of(const core_document *document,
                                                              const search_definition_facts *facts,
                                                              core_problems *problems);
/* Another reference; gives one back (NULL is nothing). From any thread. */
const search_definition *search_definition_hold(const search_definition *definition);
void search_definition_release(const search_definition *definition);

/* A letter, digit or _, then letters, digits, _ and -, at most SEARCH_NAME_MAX. */
bool search_name_ok(core_slice name);

#endif
