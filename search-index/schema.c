/* A schema: its description copied into one arena, checked against its limits on the way. */
#include "search-index/schema.h"

#include "search-index/language.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SCHEMA_MAGIC 0x53534348u

struct search_schema {
    uint32_t magic;
    atomic_uint references;
    core_arena arena;
    search_schema_spec spec;
    uint64_t fingerprint;
};

search_schema_spec search_schema_defaults(void) {
    static const search_ranking_rule rules[] = {
        {.kind = SEARCH_RULE_WORDS}, {.kind = SEARCH_RULE_TYPO}, {.kind = SEARCH_RULE_SORT}};
    return (search_schema_spec){.shows_all = true,
                                .typo = {.is_enabled = true,
                                         .one_characters = SEARCH_TYPO_ONE_CHARACTERS,
                                         .two_characters = SEARCH_TYPO_TWO_CHARACTERS},
                                .ranking_rules = rules,
                                .ranking_rule_count = CORE_COUNT_OF(rules),
                                .max_total_hits = SEARCH_MAX_TOTAL_HITS,
                                .max_facet_values = SEARCH_FACET_VALUES,
                                .cutoff_ms = SEARCH_CUTOFF_MS,
                                .has_prefix_search = true};
}

/* ---- Checks ---- */
static bool count_check(const char *what, size_t count, size_t max, core_error *error) {
    return count <= max ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "search schema: %zu %s, at most %zu are taken; give fewer", count, what,
                          max);
}

static bool name_check(const char *what, core_slice name, core_error *error) {
    if (name.length > 0 && name.length <= SEARCH_ATTRIBUTE_NAME_MAX && core_utf8_valid(name))
        return true;
    return core_error_set(error, CORE_ERROR_INPUT,
                          "search schema: %s `%.*s` must be 1 to %d bytes of UTF-8", what,
                          (int)(name.length < 60 ? name.length : 60), (const char *)name.data,
                          SEARCH_ATTRIBUTE_NAME_MAX);
}

static bool attribute_check(const search_attribute *attribute, core_error *error) {
    core_slice name = attribute->name;
    if (!name_check("the attribute", name, error))
        return false;
    for (size_t i = 1; i + 1 < name.length; i++)
        if (name.data[i] == '*')
            return core_error_set(error, CORE_ERROR_INPUT,
                                  "search schema: the attribute pattern `%.*s` has a `*` in its "
                                  "middle; it may only begin or end with one",
                                  CORE_SLICE_ARGS(name));
    if (!(attribute->weight >= 0 && attribute->weight <= SEARCH_WEIGHT_MAX))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "search schema: the weight of `%.*s` must be 0 to %g",
                              CORE_SLICE_ARGS(name), SEARCH_WEIGHT_MAX);
    return true;
}

static bool attributes_check(const search_schema_spec *spec, core_error *error) {
    if (!count_check("attributes", spec->attribute_count, SEARCH_ATTRIBUTES_MAX, error))
        return false;
    for (size_t i = 0; i < spec->attribute_count; i++) {
        if (!attribute_check(&spec->attributes[i], error))
            return false;
        for (size_t j = 0; j < i; j++)
            if (core_slice_equal(spec->attributes[i].name, spec->attributes[j].name))
                return core_error_set(error, CORE_ERROR_INPUT,
                                      "search schema: the attribute `%.*s` is there twice",
                                      CORE_SLICE_ARGS(spec->attributes[i].name));
    }
    return true;
}

static bool synonyms_check(const search_schema_spec *spec, core_error *error) {
    if (!count_check("synonyms", spec->synonym_count, SEARCH_SYNONYMS_MAX, error))
        return false;
    for (size_t i = 0; i < spec->synonym_count; i++)
        if (!name_check("the synonym", spec->synonyms[i].word, error) ||
            !count_check("synonyms of one word", spec->synonyms[i].other_count,
                         SEARCH_SYNONYM_OTHERS_MAX, error))
            return false;
    return true;
}

/* One character, and none that the engine's own expressions are written with. */
static bool character_check(core_slice text) {
    if (text.length == 0 || text.data[0] <= ' ' || !core_utf8_valid(text))
        return false;
    uint8_t lead = text.data[0];
    return text.length == (lead < 0x80 ? 1u : lead < 0xE0 ? 2u : lead < 0xF0 ? 3u : 4u);
}

static bool separators_check(const core_slice *list, size_t count, core_error *error) {
    if (!count_check("separators", count, SEARCH_SEPARATORS_MAX, error))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!character_check(list[i]))
            return core_error_set(error, CORE_ERROR_INPUT,
                                  "search schema: the separator `%.*s` must be one character that "
                                  "is no blank",
                                  (int)(list[i].length < 20 ? list[i].length : 20),
                                  (const char *)list[i].data);
    return true;
}

static bool numbers_check(const search_schema_spec *spec, core_error *error) {
    if (spec->max_total_hits < 1 || spec->max_total_hits > 1000000)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "search schema: max_total_hits must be 1 to 1000000");
    if (spec->typo.one_characters > spec->typo.two_characters || spec->typo.two_characters > 255)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "search schema: the size of words for one typo must be at most that "
                              "for two, and both at most 255");
    return true;
}

static bool spec_check(const search_schema_spec *spec, core_error *error) {
    if (!attributes_check(spec, error) || !synonyms_check(spec, error) ||
        !separators_check(spec->separators, spec->separator_count, error) ||
        !separators_check(spec->non_separators, spec->non_separator_count, error) ||
        !numbers_check(spec, error))
        return false;
    if (!count_check("stop-words", spec->stop_word_count, SEARCH_STOP_WORDS_MAX, error) ||
        !count_check("words without typos", spec->typo.word_count, SEARCH_STOP_WORDS_MAX, error) ||
        !count_check("attributes without typos", spec->typo.attribute_count, SEARCH_ATTRIBUTES_MAX,
                     error) ||
        !count_check("ranking rules", spec->ranking_rule_count, SEARCH_RANKING_RULES_MAX, error))
        return false;
    if (spec->language.length > 0 && !search_language_is_known(spec->language))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "search schema: `%.*s` is no language that words can be stemmed in; "
                              "give a Snowball algorithm's name such as english, or none",
                              (int)(spec->language.length < 40 ? spec->language.length : 40),
                              (const char *)spec->language.data);
    return true;
}

/* ---- The copy ---- */
static bool text_copy(core_arena *arena, core_slice from, core_slice *to) {
    *to = core_arena_copy(arena, from);
    return to->data != NULL;
}

static bool list_copy(core_arena *arena, const core_slice *from, size_t count,
                      const core_slice **to) {
    core_slice *list = core_arena_array(arena, count > 0 ? count : 1, sizeof *list);
    if (list == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!text_copy(arena, from[i], &list[i]))
            return false;
    *to = list;
    return true;
}

static bool attributes_copy(core_arena *arena, search_schema_spec *spec) {
    size_t count = spec->attribute_count;
    search_attribute *list = core_arena_array(arena, count > 0 ? count : 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < count; i++) {
        list[i] = spec->attributes[i];
        if (!text_copy(arena, list[i].name, &list[i].name))
            return false;
    }
    spec->attributes = list;
    return list != NULL;
}

static bool synonyms_copy(core_arena *arena, search_schema_spec *spec) {
    size_t count = spec->synonym_count;
    search_synonym *list = core_arena_array(arena, count > 0 ? count : 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < count; i++) {
        list[i] = spec->synonyms[i];
        if (!text_copy(arena, list[i].word, &list[i].word) ||
            !list_copy(arena, list[i].others, list[i].other_count, &list[i].others))
            return false;
    }
    spec->synonyms = list;
    return list != NULL;
}

static bool rules_copy(core_arena *arena, search_schema_spec *spec) {
    size_t count = spec->ranking_rule_count;
    search_ranking_rule *list = core_arena_array(arena, count > 0 ? count : 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < count; i++) {
        list[i] = spec->ranking_rules[i];
        if (!text_copy(arena, list[i].attribute, &list[i].attribute))
            return false;
    }
    spec->ranking_rules = list;
    return list != NULL;
}

static bool spec_copy(core_arena *arena, search_schema_spec *spec) {
    search_typo_rules *typo = &spec->typo;
    return attributes_copy(arena, spec) && synonyms_copy(arena, spec) && rules_copy(arena, spec) &&
           text_copy(arena, spec->primary_key, &spec->primary_key) &&
           text_copy(arena, spec->language, &spec->language) &&
           text_copy(arena, spec->distinct, &spec->distinct) &&
           list_copy(arena, spec->stop_words, spec->stop_word_count, &spec->stop_words) &&
           list_copy(arena, spec->separators, spec->separator_count, &spec->separators) &&
           list_copy(arena, spec->non_separators, spec->non_separator_count,
                     &spec->non_separators) &&
           list_copy(arena, typo->words, typo->word_count, &typo->words) &&
           list_copy(arena, typo->attributes, typo->attribute_count, &typo->attributes);
}

/* Each list with its length before it and each text too, so that no two schemas write the same. */
static uint64_t texts_hash(uint64_t hash, const core_slice *list, size_t count) {
    hash = core_slice_hash_more(hash, core_slice_make(&count, sizeof count));
    for (size_t i = 0; i < count; i++) {
        hash = core_slice_hash_more(hash, core_slice_make(&list[i].length, sizeof list[i].length));
        hash = core_slice_hash_more(hash, list[i]);
    }
    return hash;
}

static uint64_t fingerprint_make(const search_schema_spec *spec) {
    uint64_t hash = core_slice_hash(core_slice_text("walcast search 1"));
    for (size_t i = 0; i < spec->attribute_count; i++)
        if (spec->attributes[i].weight > 0)
            hash = texts_hash(hash, &spec->attributes[i].name, 1);
    hash = texts_hash(hash, &spec->language, 1);
    hash = texts_hash(hash, spec->stop_words, spec->stop_word_count);
    hash = texts_hash(hash, spec->separators, spec->separator_count);
    return texts_hash(hash, spec->non_separators, spec->non_separator_count);
}

search_schema *search_schema_new(const search_schema_spec *spec, core_error *error) {
    if (!spec_check(spec, error))
        return NULL;
    search_schema *schema = calloc(1, sizeof *schema);
    if (schema == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "search schema: out of memory");
        return NULL;
    }
    schema->magic = SCHEMA_MAGIC;
    atomic_init(&schema->references, 1);
    core_arena_init(&schema->arena, 4096, SEARCH_SCHEMA_BYTES_MAX);
    schema->spec = *spec;
    if (!spec_copy(&schema->arena, &schema->spec)) {
        (void)core_error_set(error, CORE_ERROR_INPUT,
                             "search schema: it has more than %zu bytes; give fewer stop-words, "
                             "synonyms or attributes",
                             SEARCH_SCHEMA_BYTES_MAX);
        search_schema_release(schema);
        return NULL;
    }
    schema->fingerprint = fingerprint_make(&schema->spec);
    return schema;
}

search_schema *search_schema_retain(search_schema *schema) {
    CORE_MAGIC_CHECK(schema, SCHEMA_MAGIC);
    (void)atomic_fetch_add_explicit(&schema->references, 1, memory_order_relaxed);
    return schema;
}

void search_schema_release(search_schema *schema) {
    if (schema == NULL)
        return;
    CORE_MAGIC_CHECK(schema, SCHEMA_MAGIC);
    if (atomic_fetch_sub_explicit(&schema->references, 1, memory_order_acq_rel) != 1)
        return;
    core_arena_fini(&schema->arena);
    schema->magic = 0;
    free(schema);
}

const search_schema_spec *search_schema_get(const search_schema *schema) {
    CORE_MAGIC_CHECK(schema, SCHEMA_MAGIC);
    return &schema->spec;
}

/* ---- Questions ---- */
bool search_attribute_fits(core_slice entry, core_slice attribute) {
    size_t length = entry.length;
    if (length == 0)
        return false;
    if (entry.data[length - 1] == '*')
        return core_slice_begins(attribute, core_slice_make(entry.data, length - 1));
    if (entry.data[0] == '*')
        return attribute.length >= length - 1 &&
               memcmp(attribute.data + (attribute.length - (length - 1)), entry.data + 1,
                      length - 1) == 0;
    return core_slice_begins(attribute, entry) &&
           (attribute.length == length || attribute.data[length] == '.');
}

const search_attribute *search_schema_find(const search_schema *schema, core_slice name) {
    const search_schema_spec *spec = search_schema_get(schema);
    for (size_t i = 0; i < spec->attribute_count; i++)
        if (search_attribute_fits(spec->attributes[i].name, name))
            return &spec->attributes[i];
    return NULL;
}

bool search_schema_is_filterable(const search_schema *schema, core_slice name) {
    const search_attribute *attribute = search_schema_find(schema, name);
    return attribute != NULL && attribute->is_filterable;
}

bool search_schema_is_sortable(const search_schema *schema, core_slice name) {
    const search_attribute *attribute = search_schema_find(schema, name);
    return attribute != NULL && attribute->is_sortable;
}

bool search_schema_is_displayed(const search_schema *schema, core_slice name) {
    const search_attribute *attribute = search_schema_find(schema, name);
    return search_schema_get(schema)->shows_all || (attribute != NULL && attribute->is_displayed);
}

uint64_t search_schema_fingerprint(const search_schema *schema) {
    CORE_MAGIC_CHECK(schema, SCHEMA_MAGIC);
    return schema->fingerprint;
}

bool search_schema_is_built_alike(const search_schema *a, const search_schema *b) {
    return search_schema_fingerprint(a) == search_schema_fingerprint(b);
}
