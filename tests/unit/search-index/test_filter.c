/* Meilisearch's filter language: what each expression is read as, and in which words it is refused.
 */
#include "search-index/filter.h"

#include "filter_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define OPERATIONS                                                                                 \
    "Was expecting an operation `=`, `!=`, `>=`, `>`, `<=`, `<`, `IN`, `NOT IN`, `TO`, `EXISTS`, " \
    "`NOT EXISTS`, `IS NULL`, `IS NOT NULL`, `IS EMPTY`, `IS NOT EMPTY`, `CONTAINS`, `NOT "        \
    "CONTAINS`, `STARTS WITH`, `NOT STARTS WITH`, `_geoRadius`, `_geoBoundingBox` or "             \
    "`_geoPolygon` "
#define RESERVED_GEO                                                                               \
    " is a reserved keyword and thus can't be used as a filter expression. Use the "               \
    "`_geoRadius(latitude, longitude, distance)` or `_geoBoundingBox([latitude, longitude], "      \
    "[latitude, longitude])` built-in rules to filter on `_geo` coordinates."
#define RESERVED_WORD(word)                                                                        \
    "Was expecting a value but instead got `" word "`, which is a reserved keyword. To use `" word \
    "` as a field name or a value, surround it by quotes."
#define RADIUS_FORM                                                                                \
    "The `_geoRadius` filter must be in the form: `_geoRadius(latitude, longitude, radius, "       \
    "optionalResolution)`."
#define BOX_FORM                                                                                   \
    "The `_geoBoundingBox` filter expects two pairs of arguments: `_geoBoundingBox([latitude, "    \
    "longitude], [latitude, longitude])`."
#define POLYGON_FORM                                                                               \
    "The `_geoPolygon` filter doesn't match the expected format: `_geoPolygon([latitude, "         \
    "longitude], [latitude, longitude])`."

typedef struct {
    const char *text;
    const char *tree;
} valid_case;

typedef struct {
    const char *text;
    const char *message; /* with the columns behind it, without the filter */
} invalid_case;

static const valid_case valid[] = {
    {"", ""},
    {" \t\n", ""},
    /* Comparisons. */
    {"channel = ponce", "{channel} = {ponce}"},
    {"channel=ponce", "{channel} = {ponce}"},
    {"channel != ponce", "{channel} != {ponce}"},
    {"subscribers < 1000", "{subscribers} < {1000}"},
    {"subscribers > 1000", "{subscribers} > {1000}"},
    {"subscribers <= 1000", "{subscribers} <= {1000}"},
    {"subscribers >= 1000", "{subscribers} >= {1000}"},
    {"subscribers>=-1.5e3", "{subscribers} >= {-1.5e3}"},
    {"subscribers 100 TO 1000", "{subscribers} {100} TO {1000}"},
    {"subscribers -1.5 TO 1e3 ", "{subscribers} {-1.5} TO {1e3}"},
    /* Values. */
    {"channel = 'ponce le chien'", "{channel} = {ponce le chien}"},
    {"channel = \"ponce\"", "{channel} = {ponce}"},
    {"'channel name' = ponce", "{channel name} = {ponce}"},
    {"\"channel\" != \"\"", "{channel} != {}"},
    {"channel = ''", "{channel} = {}"},
    {"a.b.c = d-e_f.9", "{a.b.c} = {d-e_f.9}"},
    {"größe = naïve", "{größe} = {naïve}"},
    {"色 = 赤", "{色} = {赤}"},
    {"name = 'it\\'s'", "{name} = {it's}"},
    {"name = \"I'm \\\"super\\\" tamo\"", "{name} = {I'm \"super\" tamo}"},
    {"name = 'a \"quoted\" word'", "{name} = {a \"quoted\" word}"},
    {"name = 'tab\\there \\u{1F43B} \\u00e9 \\x41'", "{name} = {tab\there 🐻 é A}"},
    {"name = 'back\\\\slash'", "{name} = {back\\slash}"},
    {"name = 'cha)nnel'", "{name} = {cha)nnel}"},
    {"name = and", "{name} = {and}"},
    {"not = 'NOT'", "{not} = {NOT}"},
    {"'AND' = 'OR'", "{AND} = {OR}"},
    {"x = ORdog", "{x} = {ORdog}"},
    /* Lists. */
    {"colour IN [green]", "{colour} IN[{green}]"},
    {"colour IN[green, blue]", "{colour} IN[{green}, {blue}]"},
    {" colour IN [green, blue,] ", "{colour} IN[{green}, {blue}]"},
    {"colour IN []", "{colour} IN[]"},
    {"colour IN [ 'dark green' , \"blue\" ,9]", "{colour} IN[{dark green}, {blue}, {9}]"},
    {"colour NOT IN [green, blue]", "NOT ({colour} IN[{green}, {blue}])"},
    {" colour NOT  IN [green] ", "NOT ({colour} IN[{green}])"},
    {"NOT colour IN [green]", "NOT ({colour} IN[{green}])"},
    {"colour IN [green] AND color = green", "AND[{colour} IN[{green}], {color} = {green}]"},
    /* States. */
    {"subscribers EXISTS", "{subscribers} EXISTS"},
    {"subscribers NOT EXISTS", "NOT ({subscribers} EXISTS)"},
    {"NOT subscribers NOT   EXISTS", "{subscribers} EXISTS"},
    {"subscribers IS NULL", "{subscribers} IS NULL"},
    {"subscribers  IS   NOT   NULL", "NOT ({subscribers} IS NULL)"},
    {"NOT subscribers IS NOT NULL", "{subscribers} IS NULL"},
    {"subscribers IS EMPTY", "{subscribers} IS EMPTY"},
    {"subscribers IS NOT EMPTY", "NOT ({subscribers} IS EMPTY)"},
    {"NOT \"OR\" EXISTS AND \"EXISTS\" NOT EXISTS",
     "AND[NOT ({OR} EXISTS), NOT ({EXISTS} EXISTS)]"},
    /* Texts. */
    {"subscribers CONTAINS 'hello'", "{subscribers} CONTAINS {hello}"},
    {"subscribers NOT CONTAINS hello", "NOT ({subscribers} CONTAINS {hello})"},
    {"subscribers STARTS WITH 'hel'", "{subscribers} STARTS WITH {hel}"},
    {"subscribers NOT STARTS WITH hel", "NOT ({subscribers} STARTS WITH {hel})"},
    {"NOT subscribers NOT STARTS WITH hel", "{subscribers} STARTS WITH {hel}"},
    /* Joined. */
    {"NOT channel = ponce", "NOT ({channel} = {ponce})"},
    {"NOT NOT NOT NOT x = 5", "{x} = {5}"},
    {"NOT NOT NOT x = 5", "NOT ({x} = {5})"},
    {"NOT NOT (NOT NOT x = 5)", "{x} = {5}"},
    {"a = 1 AND b = 2", "AND[{a} = {1}, {b} = {2}]"},
    {"a = 1 OR b = 2", "OR[{a} = {1}, {b} = {2}]"},
    {"a=1 AND b=2 OR c=3", "OR[AND[{a} = {1}, {b} = {2}], {c} = {3}]"},
    {"a=1 OR b=2 AND c=3", "OR[{a} = {1}, AND[{b} = {2}, {c} = {3}]]"},
    {"a=1 AND b=2 AND c=3", "AND[{a} = {1}, {b} = {2}, {c} = {3}]"},
    {"a=1 AND (b=2 OR c=3)", "AND[{a} = {1}, OR[{b} = {2}, {c} = {3}]]"},
    {"(a=1 OR b=2) AND NOT (c=3 AND d=4)",
     "AND[OR[{a} = {1}, {b} = {2}], NOT (AND[{c} = {3}, {d} = {4}])]"},
    {" ( a = 1 ) ", "{a} = {1}"},
    {"((a=1) OR ((b=2)))", "OR[{a} = {1}, {b} = {2}]"},
    {"a=1\nAND\tb=2", "AND[{a} = {1}, {b} = {2}]"},
    {"NOT subscribers 100 TO 1000", "NOT ({subscribers} {100} TO {1000})"},
    {"channel = ponce AND 'dog race' != 'bernese mountain' OR subscribers > 1000 OR colour = red "
     "OR colour = blue AND size = 7",
     "OR[AND[{channel} = {ponce}, {dog race} != {bernese mountain}], {subscribers} > {1000}, "
     "{colour} = {red}, AND[{colour} = {blue}, {size} = {7}]]"},
    {"((((((((((((((((((((((((((((((((((((x = 1))))))))))))))))))))))))))))))))))))", "{x} = {1}"},
    /* Places. */
    {"_geoRadius(12, 13, 14)", "_geoRadius(12, 13, 14)"},
    {"_geoRadius(12,13,14)", "_geoRadius(12, 13, 14)"},
    {"NOT _geoRadius( 12.5 , -13e1 , 14 )", "NOT (_geoRadius(12.5, -130, 14))"},
    {"_geoRadius(12, 13, 14, 1000)", "_geoRadius(12, 13, 14)"},
    {"_geoBoundingBox([14, 15], [12, 13])", "_geoBoundingBox(14, 15, 12, 13)"},
    {"_geoBoundingBox([14,15],[12,13])", "_geoBoundingBox(14, 15, 12, 13)"},
    {"_geoBoundingBox([14,-170],[12,170])", "_geoBoundingBox(14, -170, 12, 170)"},
    {"_geoPolygon([12, 13], [14, 15], [16, 17])", "_geoPolygon(12, 13, 14, 15, 16, 17)"},
    {"_geoPolygon([1,1],[2,2],[-3,4.5],)", "_geoPolygon(1, 1, 2, 2, -3, 4.5)"},
    {"a = 1 AND _geoRadius(1,2,3)", "AND[{a} = {1}, _geoRadius(1, 2, 3)]"},
};

static const invalid_case invalid[] = {
    /* What stands behind. */
    {"channel = Ponce = 12", "Found unexpected characters at the end of the filter: `= 12`. You "
                             "probably forgot an `OR` or an `AND` rule.\n17:21"},
    {"channel = mv OR followers >= 1000)",
     "Found unexpected characters at the end of the filter: `)`. You probably forgot an `OR` or an "
     "`AND` rule.\n34:35"},
    {"channel = ponce ORdog != 'bernese mountain'",
     "Found unexpected characters at the end of the filter: `ORdog != \\'bernese mountain\\'`. You "
     "probably forgot an `OR` or an `AND` rule.\n17:44"},
    {"title = Glass XOR title = Glass",
     "Found unexpected characters at the end of the filter: `XOR title = Glass`. You probably "
     "forgot an `OR` or an `AND` rule.\n15:32"},
    /* Values. */
    {"channel =    ", "Was expecting a value but instead got nothing.\n14:14"},
    {"channel = 🐻", "Was expecting a value but instead got `🐻`.\n11:12"},
    {"channel = 🐻 AND followers < 100", "Was expecting a value but instead got `🐻`.\n11:12"},
    {"channel = ?", "Was expecting a value but instead got `?`.\n11:12"},
    {"channel = )", "Was expecting a value but instead got nothing.\n11:11"},
    {"a 1 TO", "Was expecting a value but instead got nothing.\n7:7"},
    {"a CONTAINS", "Was expecting a value but instead got nothing.\n11:11"},
    {"a NOT STARTS WITH", "Was expecting a value but instead got nothing.\n18:18"},
    {"OR", RESERVED_WORD("OR") "\n1:3"},
    {"AND = 8", RESERVED_WORD("AND") "\n1:4"},
    {"x = EXISTS", RESERVED_WORD("EXISTS") "\n5:11"},
    {"x = IN", RESERVED_WORD("IN") "\n5:7"},
    {"NOT OR EXISTS AND EXISTS NOT EXISTS", RESERVED_WORD("OR") "\n5:7"},
    {"a 1 TO NULL", RESERVED_WORD("NULL") "\n8:12"},
    {"channel = 'ponce",
     "Expression `\\'ponce` is missing the following closing delimiter: `'`.\n11:17"},
    {"channel = \"ponce",
     "Expression `\\\"ponce` is missing the following closing delimiter: `\"`.\n11:17"},
    {"'channel = ponce",
     "Expression `\\'channel = ponce` is missing the following closing delimiter: `'`.\n1:17"},
    {"channel = 'ponce\\'",
     "Expression `\\'ponce\\\\\\'` is missing the following closing delimiter: `'`.\n11:19"},
    {"name = 'a\\qb'", "Malformed value: `a\\\\qb`.\n9:13"},
    {"name = '\\u{110000}'", "Malformed value: `\\\\u{110000}`.\n9:19"},
    {"name = '\\ud800'", "Malformed value: `\\\\ud800`.\n9:15"},
    /* Operations. */
    {"'OR'", OPERATIONS "at `\\'OR\\'`.\n1:5"},
    {"channel Ponce", OPERATIONS "at `channel Ponce`.\n1:14"},
    {"channel = Ponce OR", OPERATIONS "but instead got nothing.\n19:19"},
    {"channel = Ponce AND ", OPERATIONS "but instead got nothing.\n21:21"},
    {"NOT", OPERATIONS "but instead got nothing.\n4:4"},
    {"()", OPERATIONS "at `)`.\n2:3"},
    {"title & Glass", OPERATIONS "at `title & Glass`.\n1:14"},
    {"= 5", OPERATIONS "at `= 5`.\n1:4"},
    {"colour NOT EXIST", OPERATIONS "at `colour NOT EXIST`.\n1:17"},
    {"subscribers 100 TO1000", OPERATIONS "at `subscribers 100 TO1000`.\n1:23"},
    {"value NULL", OPERATIONS "at `value NULL`.\n1:11"},
    {"value NOT NULL", OPERATIONS "at `value NOT NULL`.\n1:15"},
    {"value EMPTY", OPERATIONS "at `value EMPTY`.\n1:12"},
    {"value IS", OPERATIONS "at `value IS`.\n1:9"},
    {"value IS NOT", OPERATIONS "at `value IS NOT`.\n1:13"},
    {"value IS NOT EXISTS", OPERATIONS "at `value IS NOT EXISTS`.\n1:20"},
    {"value STARTS x", OPERATIONS "at `value STARTS x`.\n1:15"},
    {"a = 1 AND value IS", OPERATIONS "at `value IS`.\n11:19"},
    /* Brackets and lists. */
    {"channel = mv OR (followers >= 1000",
     "Expression `(followers >= 1000` is missing the following closing delimiter: `)`.\n17:35"},
    {"(a = 1 b = 2)",
     "Expression `(a = 1 b = 2)` is missing the following closing delimiter: `)`.\n1:14"},
    {"colour IN blue, green]", "Expected `[` after `IN` keyword.\n11:23"},
    {"colour NOT IN (blue)", "Expected `[` after `IN` keyword.\n15:21"},
    {"colour IN [blue, green, 'blue' > 2]",
     "Expected only comma-separated field names inside `IN[..]` but instead found `> "
     "2]`.\n32:36"},
    {"colour IN [blue, green, AND]",
     "Expected only comma-separated field names inside `IN[..]` but instead found `AND]`, which is "
     "a keyword. To use `AND]` as a field name or a value, surround it by quotes.\n25:29"},
    {"colour IN [blue,,green]",
     "Expected only comma-separated field names inside `IN[..]` but instead found "
     "`,green]`.\n17:24"},
    {"colour IN [blue, green",
     "Expected matching `]` after the list of field names given to `IN[`\n23:23"},
    {"colour IN ['blue, green",
     "Expression `\\'blue, green` is missing the following closing delimiter: `'`.\n12:24"},
    {"((((((((((((((((((((((((((((((((((((((((((((((((((x = "
     "1))))))))))))))))))))))))))))))))))))))))))))))))))",
     "The filter exceeded the maximum depth limit. Try rewriting the filter so that it contains "
     "fewer nested conditions.\n38:106"},
    /* Places. */
    {"_geoRadius", RADIUS_FORM "\n11:11"},
    {"_geoRadius = 12", RADIUS_FORM "\n11:16"},
    {"_geoRadius(1, 2, x)", RADIUS_FORM "\n18:20"},
    {"_geoRadius(1, 2)",
     "Was expecting 3 or 4 arguments for `_geoRadius`, but instead found 2.\n17:17"},
    {"_geoRadius(-100, 150, 10)",
     "Bad latitude `-100`. Latitude must be contained between -90 and 90 degrees.\n12:16"},
    {"_geoRadius(-10, 250, 10)",
     "Bad longitude `250`. Longitude must be contained between -180 and 180 degrees. Hint: try "
     "using `-110` instead.\n17:20"},
    {"_geoBoundingBox", BOX_FORM "\n16:16"},
    {"_geoBoundingBox = 12", BOX_FORM "\n16:21"},
    {"_geoBoundingBox(1.0, 1.0)", BOX_FORM "\n17:26"},
    {"_geoBoundingBox([1,1],[0,0],[2,2])", BOX_FORM "\n35:35"},
    {"_geoBoundingBox([1,1,1],[0,0])", "Was expecting 2 coordinates but instead found 3.\n18:19"},
    {"_geoBoundingBox([-90.5, 150], [30, 10])",
     "Bad latitude `-90.5`. Latitude must be contained between -90 and 90 degrees.\n18:23"},
    {"_geoBoundingBox([50, 10], [60, 20])",
     "The top latitude `50` is below the bottom latitude `60`.\n32:34"},
    {"_geoPolygon([1,2,3])",
     "The `_geoPolygon` filter expects at least 3 points but only 1 were specified\n18:19"},
    {"_geoPolygon([1,2],[1,2,3])",
     "The `_geoPolygon` filter expects at least 3 points but only 2 were specified\n24:25"},
    {"_geoPolygon(1,2,3)", POLYGON_FORM "\n13:19"},
    {"_geoPolygon([1,2],[1,2],[1,2,3])", "Was expecting 2 coordinates but instead found 3.\n26:27"},
    {"_geoPolygon([1,2)", POLYGON_FORM "\n17:18"},
    {"_geoPoint(12, 13, 14)", "`_geoPoint`" RESERVED_GEO "\n1:22"},
    {"position <= _geoPoint(12, 13, 14)", "`_geoPoint`" RESERVED_GEO "\n13:34"},
    {"position <= _geoDistance(12, 13, 14)", "`_geoDistance`" RESERVED_GEO "\n13:37"},
    {"_geo(12, 13, 14)", "`_geo`" RESERVED_GEO "\n1:17"},
    {"position <= _geoRadius(12, 13, 14)",
     "The `_geoRadius` filter is an operation and can't be used as a value.\n13:35"},
    {"position = _geoBoundingBox([1,2],[3,4])",
     "The `_geoBoundingBox` filter is an operation and can't be used as a value.\n12:40"},
    {"_foreign(a, b = 1)", "`_foreign` filters are not supported.\n1:19"},
    {"NOT _vectors.x EXISTS", "`_vectors` filters are not supported.\n5:22"},
};

static void expressions_are_read(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(valid); i++) {
        char text[1024];
        core_buffer out = core_buffer_over(text, sizeof text);
        search_filter_budget budget = SEARCH_FILTER_BUDGET;
        search_filter *filter;
        core_error error = {.text = ""};
        core_arena arena;
        core_arena_init(&arena, 4096, 1 << 20);
        if (!search_filter_parse(&arena, core_slice_text(valid[i].text), &budget, &filter, &error))
            fail_msg("%s: %s", valid[i].text, error.text);
        if (filter != NULL)
            filter_text(filter, &out);
        core_buffer_u8(&out, '\0');
        assert_string_equal(text, valid[i].tree);
        core_arena_fini(&arena);
    }
}

static void what_is_no_filter_is_refused_in_meilisearchs_words(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(invalid); i++) {
        char expected[CORE_ERROR_TEXT_MAX * 2];
        search_filter_budget budget = SEARCH_FILTER_BUDGET;
        search_filter *filter;
        core_error error = {.text = ""};
        core_arena arena;
        core_arena_init(&arena, 4096, 1 << 20);
        if (search_filter_parse(&arena, core_slice_text(invalid[i].text), &budget, &filter, &error))
            fail_msg("taken: %s", invalid[i].text);
        (void)snprintf(expected, sizeof expected, "%s %s", invalid[i].message, invalid[i].text);
        assert_string_equal(error.text, expected);
        assert_int_equal(error.code, CORE_ERROR_INPUT);
        assert_null(filter);
        core_arena_fini(&arena);
    }
}

/* ---- A request's forms ---- */
static void read_is(const char *json, const char *tree) {
    char text[1024];
    core_buffer out = core_buffer_over(text, sizeof text);
    search_filter_budget budget = SEARCH_FILTER_BUDGET;
    search_filter *filter;
    core_error error = {.text = ""};
    core_arena arena;
    core_arena_init(&arena, 4096, 1 << 20);
    bool ok = search_filter_read(&arena, core_slice_text(json), &budget, &filter, &error);
    if (ok && filter != NULL)
        filter_text(filter, &out);
    if (!ok)
        core_buffer_text(&out, error.text);
    core_buffer_u8(&out, '\0');
    assert_string_equal(text, tree);
    core_arena_fini(&arena);
}

static void a_request_gives_text_or_lists(void **state) {
    (void)state;
    read_is("null", "");
    read_is("\"\"", "");
    read_is("[]", "");
    read_is("[[], \"\"]", "");
    read_is("\"a = 1\"", "{a} = {1}");
    read_is("\"a = \\\"b\\\\\\\"c\\\"\"", "{a} = {b\"c}");
    read_is("[\"a = 1\"]", "{a} = {1}");
    read_is("[\"a = 1\", \"b = 2\"]", "AND[{a} = {1}, {b} = {2}]");
    read_is("[\"a = 1 OR c = 1\", \"b = 2\"]", "AND[OR[{a} = {1}, {c} = {1}], {b} = {2}]");
    read_is("[[\"a = 1\", \"b = 2\"], \"c = 3\", [\"d = 4\"]]",
            "AND[OR[{a} = {1}, {b} = {2}], {c} = {3}, {d} = {4}]");
    read_is("[[\"a = 1\", \"b = 2\"]]", "OR[{a} = {1}, {b} = {2}]");
    read_is("true", "Invalid syntax for the filter parameter: `expected String, Array, found: "
                    "true`.");
    read_is("{\"a\":1}", "Invalid syntax for the filter parameter: `expected String, Array, found: "
                         "{\"a\":1}`.");
    read_is("[1]", "Invalid syntax for the filter parameter: `expected String, [String], found: "
                   "1`.");
    read_is("[[[\"a = 1\"]]]", "Invalid syntax for the filter parameter: `expected String, found: "
                               "[\"a = 1\"]`.");
    read_is("[\"a = 1\", \"OR\"]", RESERVED_WORD("OR") "\n1:3 OR");
    read_is("[\"a = 1\"", "The filter is no valid JSON.");
}

/* ---- Bounds ---- */
static void what_is_too_much_is_refused(void **state) {
    (void)state;
    core_buffer text;
    core_buffer_init(&text, (size_t)4 << 20);
    for (int i = 0; i < SEARCH_FILTER_NODES_MAX; i++)
        core_buffer_format(&text, "%sa=%d", i > 0 ? " OR " : "", i);
    search_filter *filter;
    core_error error = {.text = ""};
    core_arena arena;
    core_arena_init(&arena, 4096, (size_t)8 << 20);
    search_filter_budget budget = SEARCH_FILTER_BUDGET;
    assert_false(search_filter_parse(&arena, core_buffer_slice(&text), &budget, &filter, &error));
    assert_string_equal(error.text,
                        "Too many filter conditions, can't process more than 2000 filters.");
    core_buffer_reset(&text);
    core_buffer_text(&text, "a IN [");
    for (int i = 0; i < SEARCH_FILTER_WORDS_MAX; i++)
        core_buffer_format(&text, "%d,", i);
    core_buffer_text(&text, "]");
    budget = SEARCH_FILTER_BUDGET;
    assert_true(search_filter_parse(&arena, core_buffer_slice(&text), &budget, &filter, &error));
    assert_int_equal(filter->value_count, SEARCH_FILTER_WORDS_MAX);
    assert_false(
        search_filter_parse(&arena, core_slice_text("a IN [1]"), &budget, &filter, &error));
    core_buffer_reset(&text);
    while (text.length <= SEARCH_FILTER_BYTES_MAX)
        core_buffer_text(&text, "                ");
    assert_false(search_filter_parse(&arena, core_buffer_slice(&text), &budget, &filter, &error));
    assert_string_equal(error.text, "The filter has 1048592 bytes; at most 1048576 are taken.");
    core_arena_fini(&arena);
    core_arena_init(&arena, 64, 256);
    budget = SEARCH_FILTER_BUDGET;
    assert_false(search_filter_parse(&arena, core_slice_text("a=1 AND b=2 AND c=3 AND d=4"),
                                     &budget, &filter, &error));
    core_arena_fini(&arena);
    core_buffer_fini(&text);
}

static void two_filters_are_joined(void **state) {
    (void)state;
    char text[256];
    core_buffer out = core_buffer_over(text, sizeof text);
    search_filter_budget budget = SEARCH_FILTER_BUDGET;
    search_filter *a;
    search_filter *b;
    core_error error;
    core_arena arena;
    bool ok;
    core_arena_init(&arena, 4096, 1 << 20);
    assert_true(search_filter_parse(&arena, core_slice_text("a=1 OR b=2"), &budget, &a, &error));
    assert_true(search_filter_parse(&arena, core_slice_text("c=3"), &budget, &b, &error));
    assert_ptr_equal(search_filter_and(&arena, NULL, b, &ok), b);
    assert_true(ok);
    assert_null(search_filter_and(&arena, NULL, NULL, &ok));
    assert_true(ok);
    filter_text(search_filter_and(&arena, a, b, &ok), &out);
    core_buffer_u8(&out, '\0');
    assert_string_equal(text, "AND[OR[{a} = {1}, {b} = {2}], {c} = {3}]");
    core_arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_are_read),
        cmocka_unit_test(what_is_no_filter_is_refused_in_meilisearchs_words),
        cmocka_unit_test(a_request_gives_text_or_lists),
        cmocka_unit_test(what_is_too_much_is_refused),
        cmocka_unit_test(two_filters_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
