/* What an index is made of: which attributes of its documents are searched, filtered, sorted and
 * shown, and how words are taken from texts.
 *
 * A schema is made once from a description in plain slices, which it copies, and never changes:
 * any thread may read it, and it is counted. Other settings make another schema; those that only
 * say how to search (search_schema_is_built_alike) go with the same file, others need a rebuild. */
#ifndef WALCAST_SEARCH_INDEX_SCHEMA_H
#define WALCAST_SEARCH_INDEX_SCHEMA_H

#include "core/core.h"

#define SEARCH_ATTRIBUTES_MAX      1000
#define SEARCH_ATTRIBUTE_NAME_MAX  255 /* bytes */
#define SEARCH_STOP_WORDS_MAX      10000
#define SEARCH_SYNONYMS_MAX        10000
#define SEARCH_SYNONYM_WORDS_MAX   4  /* of one phrase on either side */
#define SEARCH_SYNONYM_OTHERS_MAX  50 /* of one word */
#define SEARCH_SEPARATORS_MAX      100
#define SEARCH_RANKING_RULES_MAX   20
#define SEARCH_SCHEMA_BYTES_MAX    ((size_t)1 << 20)
#define SEARCH_MAX_TOTAL_HITS      1000
#define SEARCH_FACET_VALUES        100
#define SEARCH_WEIGHT_MAX          1000.0
#define SEARCH_TYPO_ONE_CHARACTERS 4 /* words of as many may have one typo */
#define SEARCH_TYPO_TWO_CHARACTERS 8 /* and two */
#define SEARCH_CUTOFF_MS           1500

/* One attribute, or a pattern for several. `name` is a dotted path into the document (`meta.tags`);
 * arrays on the way are gone into. A name also stands for all beneath it (`meta` for `meta.tags`).
 * A pattern has one `*`, as its first or last character: `*` alone is every attribute. The first in
 * the list that fits an attribute decides; what fits none is kept and shown only if the schema
 * shows all. */
typedef struct {
    core_slice name;
    double weight; /* 0: not searchable; else up to SEARCH_WEIGHT_MAX, 1 is usual */
    bool is_filterable;
    bool is_sortable;
    bool is_displayed;
} search_attribute;

/* Who looks for `word` finds documents of any of `others` too; one way. Each is a word or a phrase
 * of up to SEARCH_SYNONYM_WORDS_MAX words with blanks between. */
typedef struct {
    core_slice word;
    const core_slice *others;
    size_t other_count;
} search_synonym;

typedef struct {
    bool is_enabled;
    uint32_t one_characters; /* words of fewer have no typo */
    uint32_t two_characters; /* words of fewer have one at most */
    const core_slice *words; /* these are found as they are written only */
    size_t word_count;
    const core_slice *attributes; /* in these too */
    size_t attribute_count;
    bool is_off_on_numbers;
} search_typo_rules;

typedef enum {
    SEARCH_RULE_WORDS,     /* documents of more of the words first */
    SEARCH_RULE_TYPO,      /* of fewer typos */
    SEARCH_RULE_PROXIMITY, /* whose words stand closer together, in the query's order */
    SEARCH_RULE_ATTRIBUTE, /* with words in the attributes that the schema names first */
    SEARCH_RULE_SORT,      /* where the request's `sort` counts */
    SEARCH_RULE_EXACTNESS, /* with more words as they were written */
    SEARCH_RULE_ASCENDING, /* by an attribute of the document */
    SEARCH_RULE_DESCENDING,
} search_rule_kind;

typedef struct {
    search_rule_kind kind;
    core_slice attribute; /* of the last two */
} search_ranking_rule;

/* The description that a schema is made of, and what it then is. Zeroed with
 * SEARCH_SCHEMA_DEFAULTS gives one that searches, shows and filters nothing: add attributes. */
typedef struct {
    core_slice primary_key; /* empty: not known yet */
    /* Most important first. */
    const search_attribute *attributes;
    size_t attribute_count;
    bool shows_all; /* documents are shown whole, whatever is_displayed says */
    /* A Snowball algorithm's name (`english`); empty: words are not stemmed. */
    core_slice language;
    const core_slice *stop_words;
    size_t stop_word_count;
    const search_synonym *synonyms;
    size_t synonym_count;
    search_typo_rules typo;
    /* Single characters that end words although they are letters or digits, and the opposite. */
    const core_slice *separators;
    size_t separator_count;
    const core_slice *non_separators;
    size_t non_separator_count;
    const search_ranking_rule *ranking_rules;
    size_t ranking_rule_count;
    core_slice distinct; /* an attribute of which each value is shown once; empty: none */
    uint32_t max_total_hits;
    uint32_t max_facet_values;
    uint32_t cutoff_ms;
    bool has_prefix_search; /* the last word is found by its beginning */
} search_schema_spec;

typedef struct search_schema search_schema;

/* The usual numbers, prefix search on; no attribute, all is shown. Rules: words, typo, sort; behind
 * them BM25 decides. */
search_schema_spec search_schema_defaults(void);

/* A copy with one reference. NULL: something in it is past its limit, an unknown language, a word
 * given twice (CORE_ERROR_INPUT, says which), or memory is out. */
CORE_MUST_CHECK search_schema *search_schema_new(const search_schema_spec *spec, core_error *error);
search_schema *search_schema_retain(search_schema *schema);
void search_schema_release(search_schema *schema);
const search_schema_spec *search_schema_get(const search_schema *schema);

/* Of the attribute with that dotted path: the first entry of the schema that fits it, or NULL. */
const search_attribute *search_schema_find(const search_schema *schema, core_slice name);
/* Whether an entry's name fits an attribute's: as itself, from above it, or as a pattern. */
bool search_attribute_fits(core_slice entry, core_slice attribute);

bool search_schema_is_filterable(const search_schema *schema, core_slice name);
bool search_schema_is_sortable(const search_schema *schema, core_slice name);
bool search_schema_is_displayed(const search_schema *schema, core_slice name);

/* What the index file depends on, as a number that is the same in every process: which attributes
 * are searchable, how words are taken, which have columns is not in it. */
uint64_t search_schema_fingerprint(const search_schema *schema);
/* Both go with the same file. */
bool search_schema_is_built_alike(const search_schema *a, const search_schema *b);

#endif
