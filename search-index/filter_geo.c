/* _geoRadius, _geoBoundingBox and _geoPolygon of the filter language. */
#include "search-index/filter_parser.h"

#include <math.h>

enum { GEO_POINTS_MAX = 250, GEO_LIST_MAX = 16 };

static const char box_form[] =
    "The `_geoBoundingBox` filter expects two pairs of arguments: `_geoBoundingBox([latitude, "
    "longitude], [latitude, longitude])`.";
static const char polygon_form[] =
    "The `_geoPolygon` filter doesn't match the expected format: `_geoPolygon([latitude, "
    "longitude], [latitude, longitude])`.";

typedef struct {
    double value;
    size_t start;
    size_t end;
} geo_number;

/* Points in their brackets, as many numbers in each as stand there. */
typedef struct {
    geo_number first[GEO_POINTS_MAX];  /* latitudes */
    geo_number second[GEO_POINTS_MAX]; /* longitudes */
    size_t sizes[GEO_POINTS_MAX];
    geo_number last;
    size_t count;
} geo_points;

static bool number_take(filter_parser *parser, geo_number *number) {
    filter_blanks_skip(parser);
    size_t end = parser->at;
    while (end < parser->text.length && parser->text.data[end] != '\0' &&
           strchr("0123456789+-.eE", parser->text.data[end]) != NULL)
        end++;
    core_slice text = core_slice_make(parser->text.data + parser->at, end - parser->at);
    if (!search_filter_number(text, &number->value))
        return false;
    number->start = parser->at;
    number->end = end;
    parser->at = end;
    filter_blanks_skip(parser);
    return true;
}

/* Numbers with commas between, at most GEO_LIST_MAX; 0: there is none, or too many. */
static size_t numbers_take(filter_parser *parser, geo_number *numbers) {
    size_t count = 0;
    do {
        if (count == GEO_LIST_MAX || !number_take(parser, &numbers[count]))
            return 0;
        count++;
    } while (filter_text_take(parser, ","));
    return count;
}

static bool latitude_check(filter_parser *parser, const geo_number *number) {
    if (number->value >= -90 && number->value <= 90)
        return true;
    return filter_fail(
        parser, number->start, number->end,
        "Bad latitude `%.10g`. Latitude must be contained between -90 and 90 degrees.",
        number->value);
}

static bool longitude_check(filter_parser *parser, const geo_number *number) {
    if (number->value >= -180 && number->value <= 180)
        return true;
    double turned = fmod(number->value + 180, 360);
    double normal = (turned < 0 ? turned + 360 : turned) - 180;
    return filter_fail(parser, number->start, number->end,
                       "Bad longitude `%.10g`. Longitude must be contained between -180 and 180 "
                       "degrees. Hint: try using `%.10g` instead.",
                       number->value, normal);
}

static search_filter *geo_node(filter_parser *parser, search_filter_kind kind, size_t start,
                               size_t count, double **numbers) {
    search_filter *node = filter_node(parser, kind);
    if (node == NULL)
        return NULL;
    *numbers = core_arena_array(parser->arena, count, sizeof **numbers);
    if (*numbers == NULL) {
        (void)filter_fail_full(parser);
        return NULL;
    }
    node->attribute = core_slice_text("_geo");
    node->start = start;
    node->end = parser->at;
    node->numbers = *numbers;
    node->number_count = count;
    return node;
}

static search_filter *radius_take(filter_parser *parser, size_t start) {
    geo_number numbers[GEO_LIST_MAX];
    size_t count = 0;
    size_t behind = parser->at;
    if (!filter_text_take(parser, "(") || (count = numbers_take(parser, numbers)) == 0 ||
        !filter_text_take(parser, ")")) {
        size_t at = count > 0 || parser->at > behind ? parser->at : behind;
        (void)filter_fail(parser, at, parser->text.length,
                          "The `_geoRadius` filter must be in the form: `_geoRadius(latitude, "
                          "longitude, radius, optionalResolution)`.");
        return NULL;
    }
    if (count != 3 && count != 4) {
        (void)filter_fail(parser, parser->at, parser->text.length,
                          "Was expecting 3 or 4 arguments for `_geoRadius`, but instead found %zu.",
                          count);
        return NULL;
    }
    if (!latitude_check(parser, &numbers[0]) || !longitude_check(parser, &numbers[1]))
        return NULL;
    double *values;
    search_filter *node = geo_node(parser, SEARCH_FILTER_GEO_RADIUS, start, 3, &values);
    for (size_t i = 0; node != NULL && i < 3; i++)
        values[i] = numbers[i].value;
    return node;
}

/* `[1, 2], [3, 4]` within brackets; a comma may stand behind the last. */
static bool points_take(filter_parser *parser, geo_points *points) {
    points->count = 0;
    if (!filter_text_take(parser, "("))
        return false;
    do {
        geo_number numbers[GEO_LIST_MAX];
        if (points->count > 0 && filter_text_take(parser, ")"))
            return true;
        if (points->count == GEO_POINTS_MAX)
            return filter_fail(parser, parser->at, parser->text.length,
                               "The `_geoPolygon` filter takes at most %d points.", GEO_POINTS_MAX);
        if (!filter_text_take(parser, "["))
            return false;
        size_t size = numbers_take(parser, numbers);
        if (size == 0 || !filter_text_take(parser, "]"))
            return false;
        points->first[points->count] = numbers[0];
        points->second[points->count] = numbers[size > 1 ? 1 : 0];
        points->last = numbers[size - 1];
        points->sizes[points->count++] = size;
    } while (filter_text_take(parser, ","));
    return filter_text_take(parser, ")");
}

static bool points_check(filter_parser *parser, const geo_points *points) {
    for (size_t i = 0; i < points->count; i++)
        if (points->sizes[i] != 2)
            return filter_fail(parser, points->first[i].start, points->first[i].end,
                               "Was expecting 2 coordinates but instead found %zu.",
                               points->sizes[i]);
    for (size_t i = 0; i < points->count; i++)
        if (!latitude_check(parser, &points->first[i]) ||
            !longitude_check(parser, &points->second[i]))
            return false;
    return true;
}

static bool box_check(filter_parser *parser, const geo_points *points) {
    if (points->count != 2)
        return filter_fail(parser, parser->at, parser->text.length, "%s", box_form);
    if (!points_check(parser, points))
        return false;
    if (points->first[0].value >= points->first[1].value)
        return true;
    return filter_fail(parser, points->second[1].start, points->second[1].end,
                       "The top latitude `%.10g` is below the bottom latitude `%.10g`.",
                       points->first[0].value, points->first[1].value);
}

static bool polygon_check(filter_parser *parser, const geo_points *points) {
    if (points->count >= 3)
        return points_check(parser, points);
    return filter_fail(parser, points->last.start, points->last.end,
                       "The `_geoPolygon` filter expects at least 3 points but only %zu were "
                       "specified",
                       points->count);
}

static search_filter *area_take(filter_parser *parser, size_t start, bool is_box) {
    geo_points points;
    if (!points_take(parser, &points)) {
        if (!parser->failed)
            (void)filter_fail(parser, parser->at, parser->text.length, "%s",
                              is_box ? box_form : polygon_form);
        return NULL;
    }
    if (!(is_box ? box_check(parser, &points) : polygon_check(parser, &points)))
        return NULL;
    double *values;
    search_filter_kind kind = is_box ? SEARCH_FILTER_GEO_BOX : SEARCH_FILTER_GEO_POLYGON;
    search_filter *node = geo_node(parser, kind, start, 2 * points.count, &values);
    for (size_t i = 0; node != NULL && i < points.count; i++) {
        values[2 * i] = points.first[i].value;
        values[2 * i + 1] = points.second[i].value;
    }
    return node;
}

search_filter *filter_geo_take(filter_parser *parser, bool *is_geo) {
    filter_blanks_skip(parser);
    size_t start = parser->at;
    core_slice word = filter_word_at(parser, start);
    bool is_radius = core_slice_is(word, "_geoRadius");
    bool is_box = core_slice_is(word, "_geoBoundingBox");
    *is_geo = is_radius || is_box || core_slice_is(word, "_geoPolygon");
    if (!*is_geo)
        return NULL;
    parser->at += word.length;
    search_filter *node = is_radius ? radius_take(parser, start) : area_take(parser, start, is_box);
    filter_blanks_skip(parser);
    return node;
}
