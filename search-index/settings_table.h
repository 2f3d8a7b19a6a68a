/* The settings of an index that is made over HTTP: X(NAME, name, path, group, shape, code, initial,
 * low, high). `path` is that of /indexes/{uid}/settings/{path}, NULL within a group; `group` is the
 * setting that it is a member of. A group stands right before its members. No guard. */
X(DISPLAYED, "displayedAttributes", "displayed-attributes", NONE, STRINGS, DISPLAYED_ATTRIBUTES,
  "[\"*\"]", 0, SEARCH_ATTRIBUTES_MAX)
X(SEARCHABLE, "searchableAttributes", "searchable-attributes", NONE, STRINGS, SEARCHABLE_ATTRIBUTES,
  "[\"*\"]", 0, SEARCH_ATTRIBUTES_MAX)
X(FILTERABLE, "filterableAttributes", "filterable-attributes", NONE, FILTERABLE,
  FILTERABLE_ATTRIBUTES, "[]", 0, SEARCH_ATTRIBUTES_MAX)
X(SORTABLE, "sortableAttributes", "sortable-attributes", NONE, SET, SORTABLE_ATTRIBUTES, "[]", 0,
  SEARCH_ATTRIBUTES_MAX)
X(RANKING, "rankingRules", "ranking-rules", NONE, RULES, RANKING_RULES,
  "[\"words\",\"typo\",\"proximity\",\"attributeRank\",\"sort\",\"wordPosition\",\"exactness\"]", 0,
  SEARCH_RANKING_RULES_MAX)
X(STOP_WORDS, "stopWords", "stop-words", NONE, SET, STOP_WORDS, "[]", 0, SEARCH_STOP_WORDS_MAX)
X(NON_SEPARATORS, "nonSeparatorTokens", "non-separator-tokens", NONE, SET, NON_SEPARATOR_TOKENS,
  "[]", 0, SEARCH_SEPARATORS_MAX)
X(SEPARATORS, "separatorTokens", "separator-tokens", NONE, SET, SEPARATOR_TOKENS, "[]", 0,
  SEARCH_SEPARATORS_MAX)
X(DICTIONARY, "dictionary", "dictionary", NONE, SET, DICTIONARY, "[]", 0, 1000)
X(SYNONYMS, "synonyms", "synonyms", NONE, SYNONYMS, SYNONYMS, "{}", 0, SEARCH_SYNONYMS_MAX)
X(DISTINCT, "distinctAttribute", "distinct-attribute", NONE, STRING, DISTINCT_ATTRIBUTE, "null", 0,
  SEARCH_ATTRIBUTE_NAME_MAX)
X(PROXIMITY, "proximityPrecision", "proximity-precision", NONE, PROXIMITY, PROXIMITY_PRECISION,
  "\"byWord\"", 0, 0)
X(TYPO, "typoTolerance", "typo-tolerance", NONE, GROUP, TYPO_TOLERANCE, NULL, 0, 0)
X(TYPO_ENABLED, "enabled", NULL, TYPO, BOOL, TYPO_TOLERANCE, "true", 0, 0)
X(TYPO_SIZES, "minWordSizeForTypos", NULL, TYPO, GROUP, TYPO_TOLERANCE, NULL, 0, 0)
X(TYPO_ONE, "oneTypo", NULL, TYPO_SIZES, NUMBER, TYPO_TOLERANCE, "5", 0, 255)
X(TYPO_TWO, "twoTypos", NULL, TYPO_SIZES, NUMBER, TYPO_TOLERANCE, "9", 0, 255)
X(TYPO_WORDS, "disableOnWords", NULL, TYPO, SET, TYPO_TOLERANCE, "[]", 0, SEARCH_STOP_WORDS_MAX)
X(TYPO_ATTRIBUTES, "disableOnAttributes", NULL, TYPO, SET, TYPO_TOLERANCE, "[]", 0,
  SEARCH_ATTRIBUTES_MAX)
X(TYPO_NUMBERS, "disableOnNumbers", NULL, TYPO, BOOL, TYPO_TOLERANCE, "false", 0, 0)
X(FACETING, "faceting", "faceting", NONE, GROUP, FACETING, NULL, 0, 0)
X(FACET_VALUES, "maxValuesPerFacet", NULL, FACETING, NUMBER, FACETING, "100", 1, 10000)
X(FACET_SORT, "sortFacetValuesBy", NULL, FACETING, FACET_SORT, FACETING, "{\"*\":\"alpha\"}", 0,
  SEARCH_ATTRIBUTES_MAX)
X(PAGINATION, "pagination", "pagination", NONE, GROUP, PAGINATION, NULL, 0, 0)
X(TOTAL_HITS, "maxTotalHits", NULL, PAGINATION, NUMBER, PAGINATION, "1000", 1, 100000)
X(EMBEDDERS, "embedders", "embedders", NONE, EMBEDDERS, EMBEDDERS, "{}", 0, 1)
X(CUTOFF, "searchCutoffMs", "search-cutoff-ms", NONE, NUMBER, SEARCH_CUTOFF_MS, "null", 0, 60000)
X(LOCALIZED, "localizedAttributes", "localized-attributes", NONE, LOCALIZED, LOCALIZED_ATTRIBUTES,
  "null", 0, 100)
X(FACET_SEARCH, "facetSearch", "facet-search", NONE, BOOL, FACET_SEARCH, "true", 0, 0)
X(PREFIX, "prefixSearch", "prefix-search", NONE, PREFIX, PREFIX_SEARCH, "\"indexingTime\"", 0, 0)
