/* What clients are shown of the schema of an index of tables: the settings that it would be made
 * of; see settings.h. */
#include "search-index/settings.h"

typedef struct {
    search_settings *settings;
    const search_schema_spec *spec;
    core_arena *arena;
    core_buffer buffer;
    core_json_writer json;
    bool ok;
} showing;

static core_json_writer *value_begin(showing *it) {
    core_buffer_reset(&it->buffer);
    it->json = core_json_writer_make(&it->buffer);
    return &it->json;
}

static void value_end(showing *it, search_setting setting) {
    core_slice kept = core_arena_copy(it->arena, core_buffer_slice(&it->buffer));
    it->settings->values[setting] = kept;
    it->ok = it->ok && core_buffer_ok(&it->buffer) && kept.data != NULL;
}

static void texts_show(showing *it, search_setting setting, const core_slice *texts, size_t count) {
    core_json_writer *json = value_begin(it);
    core_json_array_open(json);
    for (size_t i = 0; i < count; i++)
        core_json_string(json, texts[i]);
    core_json_array_close(json);
    value_end(it, setting);
}

static void number_show(showing *it, search_setting setting, uint64_t number) {
    core_json_unsigned(value_begin(it), number);
    value_end(it, setting);
}

static void bool_show(showing *it, search_setting setting, bool is_true) {
    core_json_bool(value_begin(it), is_true);
    value_end(it, setting);
}

static bool attribute_has(const search_attribute *attribute, search_setting setting) {
    return setting == SEARCH_SETTING_SEARCHABLE   ? attribute->weight > 0
           : setting == SEARCH_SETTING_FILTERABLE ? attribute->is_filterable
           : setting == SEARCH_SETTING_SORTABLE   ? attribute->is_sortable
                                                  : attribute->is_displayed;
}

static void attributes_show(showing *it, search_setting setting) {
    core_json_writer *json = value_begin(it);
    core_json_array_open(json);
    bool is_all = setting == SEARCH_SETTING_DISPLAYED && it->spec->shows_all;
    for (size_t i = 0; !is_all && i < it->spec->attribute_count; i++)
        if (attribute_has(&it->spec->attributes[i], setting))
            core_json_string(json, it->spec->attributes[i].name);
    if (is_all)
        core_json_text(json, "*");
    core_json_array_close(json);
    value_end(it, setting);
}

static void rule_show(const search_ranking_rule *rule, core_json_writer *json) {
    static const char *const names[] = {
        [SEARCH_RULE_WORDS] = "words",         [SEARCH_RULE_TYPO] = "typo",
        [SEARCH_RULE_PROXIMITY] = "proximity", [SEARCH_RULE_ATTRIBUTE] = "attribute",
        [SEARCH_RULE_SORT] = "sort",           [SEARCH_RULE_EXACTNESS] = "exactness",
    };
    char text[SEARCH_ATTRIBUTE_NAME_MAX + 8];
    core_buffer name = core_buffer_over(text, sizeof text);
    if (rule->kind < CORE_COUNT_OF(names)) {
        core_json_text(json, names[rule->kind]);
        return;
    }
    core_buffer_slice_append(&name, rule->attribute);
    core_buffer_text(&name, rule->kind == SEARCH_RULE_ASCENDING ? ":asc" : ":desc");
    core_json_string(json, core_buffer_slice(&name));
}

static void rules_show(showing *it) {
    core_json_writer *json = value_begin(it);
    core_json_array_open(json);
    for (size_t i = 0; i < it->spec->ranking_rule_count; i++)
        rule_show(&it->spec->ranking_rules[i], json);
    core_json_array_close(json);
    value_end(it, SEARCH_SETTING_RANKING);
}

static void synonyms_show(showing *it) {
    core_json_writer *json = value_begin(it);
    core_json_object_open(json);
    for (size_t i = 0; i < it->spec->synonym_count; i++) {
        const search_synonym *synonym = &it->spec->synonyms[i];
        core_json_key(json, synonym->word);
        core_json_array_open(json);
        for (size_t j = 0; j < synonym->other_count; j++)
            core_json_string(json, synonym->others[j]);
        core_json_array_close(json);
    }
    core_json_object_close(json);
    value_end(it, SEARCH_SETTING_SYNONYMS);
}

static void typo_show(showing *it) {
    const search_typo_rules *typo = &it->spec->typo;
    bool_show(it, SEARCH_SETTING_TYPO_ENABLED, typo->is_enabled);
    bool_show(it, SEARCH_SETTING_TYPO_NUMBERS, typo->is_off_on_numbers);
    number_show(it, SEARCH_SETTING_TYPO_ONE, typo->one_characters);
    number_show(it, SEARCH_SETTING_TYPO_TWO, typo->two_characters);
    texts_show(it, SEARCH_SETTING_TYPO_WORDS, typo->words, typo->word_count);
    texts_show(it, SEARCH_SETTING_TYPO_ATTRIBUTES, typo->attributes, typo->attribute_count);
}

bool search_settings_of_schema(search_settings *settings, const search_schema *schema,
                               core_arena *arena) {
    const search_schema_spec *spec = search_schema_get(schema);
    showing it = {.settings = settings, .spec = spec, .arena = arena, .ok = true};
    *settings = (search_settings){0};
    core_buffer_init(&it.buffer, SEARCH_SETTINGS_BYTES_MAX);
    attributes_show(&it, SEARCH_SETTING_DISPLAYED);
    attributes_show(&it, SEARCH_SETTING_SEARCHABLE);
    attributes_show(&it, SEARCH_SETTING_FILTERABLE);
    attributes_show(&it, SEARCH_SETTING_SORTABLE);
    rules_show(&it);
    synonyms_show(&it);
    typo_show(&it);
    texts_show(&it, SEARCH_SETTING_STOP_WORDS, spec->stop_words, spec->stop_word_count);
    texts_show(&it, SEARCH_SETTING_SEPARATORS, spec->separators, spec->separator_count);
    texts_show(&it, SEARCH_SETTING_NON_SEPARATORS, spec->non_separators, spec->non_separator_count);
    number_show(&it, SEARCH_SETTING_FACET_VALUES, spec->max_facet_values);
    number_show(&it, SEARCH_SETTING_TOTAL_HITS, spec->max_total_hits);
    number_show(&it, SEARCH_SETTING_CUTOFF, spec->cutoff_ms);
    if (!spec->has_prefix_search) {
        core_json_text(value_begin(&it), "disabled");
        value_end(&it, SEARCH_SETTING_PREFIX);
    }
    if (spec->distinct.length > 0) {
        core_json_string(value_begin(&it), spec->distinct);
        value_end(&it, SEARCH_SETTING_DISTINCT);
    }
    core_buffer_fini(&it.buffer);
    return it.ok;
}
