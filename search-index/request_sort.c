/* Sort expressions, `name:asc` and `_geoPoint(latitude, longitude):desc`; see request.h. */
#include "search-index/request_private.h"

#include <math.h>

#define SORT_SHOWN_MAX 200

static core_slice shown(core_slice text) {
    if (text.length > SORT_SHOWN_MAX)
        text.length = SORT_SHOWN_MAX;
    return text;
}

static bool ends_with(core_slice text, const char *end) {
    size_t length = strlen(end);
    return text.length >= length && memcmp(text.data + text.length - length, end, length) == 0;
}

core_slice request_blanks_trim(core_slice text) {
    while (text.length > 0 && text.data[0] == ' ')
        text = core_slice_make(text.data + 1, text.length - 1);
    while (text.length > 0 && text.data[text.length - 1] == ' ')
        text.length--;
    return text;
}

/* ---- Places ---- */
static bool point_refuse(core_slice text, search_code code, search_refusal *refusal) {
    text = shown(text);
    return search_refuse(refusal, code,
                         "Invalid syntax for the geo parameter: expected expression formated like "
                         "`_geoPoint(latitude, longitude)` and ending by `:asc` or `:desc`, found "
                         "`%.*s`.",
                         CORE_SLICE_ARGS(text));
}

/* What stands between the brackets. */
static bool point_numbers(core_slice inner, double *latitude, double *longitude) {
    const uint8_t *comma = inner.length > 0 ? memchr(inner.data, ',', inner.length) : NULL;
    if (comma == NULL)
        return false;
    size_t length = (size_t)(comma - inner.data);
    core_slice second = core_slice_make(comma + 1, inner.length - length - 1);
    return search_filter_number(request_blanks_trim(core_slice_make(inner.data, length)),
                                latitude) &&
           search_filter_number(request_blanks_trim(second), longitude);
}

static bool point_read(core_slice text, search_code code, search_sort *sort,
                       search_refusal *refusal) {
    size_t before = strlen("_geoPoint(");
    sort->is_geo = true;
    if (!point_numbers(core_slice_make(text.data + before, text.length - before - 1),
                       &sort->latitude, &sort->longitude))
        return point_refuse(text, code, refusal);
    if (sort->latitude < -90 || sort->latitude > 90)
        return search_refuse(
            refusal, code,
            "Bad latitude `%.10g`. Latitude must be contained between -90 and 90 degrees.",
            sort->latitude);
    if (sort->longitude >= -180 && sort->longitude <= 180)
        return true;
    double turned = fmod(sort->longitude + 180, 360);
    return search_refuse(refusal, code,
                         "Bad longitude `%.10g`. Longitude must be contained between -180 and 180 "
                         "degrees. Hint: try using `%.10g` instead.",
                         sort->longitude, (turned < 0 ? turned + 360 : turned) - 180);
}

/* ---- Attributes ---- */
static bool reserved_refuse(core_slice text, search_code code, search_refusal *refusal) {
    static const char *const filters[] = {"_geoRadius", "_geoBoundingBox"};
    for (size_t i = 0; i < CORE_COUNT_OF(filters); i++)
        if (core_slice_begins(text, core_slice_text(filters[i])))
            return search_refuse(
                refusal, code,
                "`%s` is a reserved keyword and thus can't be used as a sort expression. Use the "
                "_geoPoint(latitude, longitude) built-in rule to sort on _geo field coordinates.",
                filters[i]);
    if (core_slice_begins(text, core_slice_text("_geoPoint")))
        return point_refuse(text, code, refusal);
    if (core_slice_is(text, "_geo"))
        return search_refuse(
            refusal, code,
            "`_geo` is a reserved keyword and thus can't be used as a sort expression. Use the "
            "_geoPoint(latitude, longitude) built-in rule to sort on _geo field coordinates.");
    if (core_slice_is(text, "_geoDistance") ||
        core_slice_begins(text, core_slice_text("_geoDistance(")) ||
        core_slice_begins(text, core_slice_text("_geo(")))
        return search_refuse(
            refusal, code,
            "`%.*s` is a reserved keyword and thus can't be used as a sort expression.",
            CORE_SLICE_ARGS(shown(text)));
    return true;
}

bool search_sort_read(core_slice text, search_code code, search_sort *sort,
                      search_refusal *refusal) {
    *sort = (search_sort){.is_descending = ends_with(text, ":desc")};
    core_slice left = text;
    if (sort->is_descending)
        left.length -= strlen(":desc");
    else if (ends_with(text, ":asc"))
        left.length -= strlen(":asc");
    else
        return search_refuse(refusal, code,
                             "Invalid syntax for the sort parameter: expected expression ending by "
                             "`:asc` or `:desc`, found `%.*s`.",
                             CORE_SLICE_ARGS(shown(text)));
    if (core_slice_begins(left, core_slice_text("_geoPoint(")) && ends_with(left, ")"))
        return point_read(left, code, sort, refusal);
    sort->attribute = left;
    return reserved_refuse(left, code, refusal);
}
