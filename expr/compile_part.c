/* Functions of dates, times and intervals: extract, date_part, date_trunc, age and AT TIME ZONE.
 *
 * What they make of a timestamptz hangs on the session's time zone, but for its epoch and where
 * 'UTC' is written; and so it does for a date that PostgreSQL would make one of. EXTRACT is a float
 * up to 13 and a numeric since 14: it is taken where that makes no difference. */
#include "expr/compile.h"
#include "expr/text.h"

#include <math.h>

static const char on_zone[] = "the result hangs on TimeZone: write (… AT TIME ZONE 'UTC') before";

/* Which fields each type has. */
enum { OF_TIME = 1, OF_DATE = 2, OF_STAMP = 4, OF_INTERVAL = 8, OF_ALL = 15 };

typedef struct {
    const char *name;
    expr_field field;
    uint8_t parts;  /* of which types it is a part */
    uint8_t truncs; /* of which types it is what they are cut to */
} field_row;

static const field_row fields_known[] = {
    {"microseconds", EXPR_FIELD_MICROSECONDS, OF_TIME | OF_STAMP | OF_INTERVAL,
     OF_STAMP | OF_INTERVAL},
    {"milliseconds", EXPR_FIELD_MILLISECONDS, OF_TIME | OF_STAMP | OF_INTERVAL,
     OF_STAMP | OF_INTERVAL},
    {"second", EXPR_FIELD_SECOND, OF_TIME | OF_STAMP | OF_INTERVAL, OF_STAMP | OF_INTERVAL},
    {"epoch", EXPR_FIELD_EPOCH, OF_ALL, 0},
    {"minute", EXPR_FIELD_MINUTE, OF_TIME | OF_STAMP | OF_INTERVAL, OF_STAMP | OF_INTERVAL},
    {"hour", EXPR_FIELD_HOUR, OF_TIME | OF_STAMP | OF_INTERVAL, OF_STAMP | OF_INTERVAL},
    {"day", EXPR_FIELD_DAY, OF_DATE | OF_STAMP | OF_INTERVAL, OF_STAMP | OF_INTERVAL},
    {"week", EXPR_FIELD_WEEK, OF_DATE | OF_STAMP, OF_STAMP},
    {"month", EXPR_FIELD_MONTH, OF_DATE | OF_STAMP | OF_INTERVAL, OF_STAMP | OF_INTERVAL},
    {"quarter", EXPR_FIELD_QUARTER, OF_DATE | OF_STAMP, OF_STAMP | OF_INTERVAL},
    {"year", EXPR_FIELD_YEAR, OF_DATE | OF_STAMP | OF_INTERVAL, OF_STAMP | OF_INTERVAL},
    {"decade", EXPR_FIELD_DECADE, OF_DATE | OF_STAMP, OF_STAMP | OF_INTERVAL},
    {"century", EXPR_FIELD_CENTURY, OF_DATE | OF_STAMP, OF_STAMP | OF_INTERVAL},
    {"millennium", EXPR_FIELD_MILLENNIUM, OF_DATE | OF_STAMP, OF_STAMP | OF_INTERVAL},
    {"dow", EXPR_FIELD_DOW, OF_DATE | OF_STAMP, 0},
    {"isodow", EXPR_FIELD_ISODOW, OF_DATE | OF_STAMP, 0},
    {"doy", EXPR_FIELD_DOY, OF_DATE | OF_STAMP, 0},
    {"isoyear", EXPR_FIELD_ISOYEAR, OF_DATE | OF_STAMP, 0},
};

static unsigned type_bit(expr_type type) {
    return expr_type_is(type, EXPR_TYPE_TIME)        ? OF_TIME
           : expr_type_is(type, EXPR_TYPE_DATE)      ? OF_DATE
           : expr_type_is(type, EXPR_TYPE_TIMESTAMP) ? OF_STAMP
           : expr_type_is(type, EXPR_TYPE_INTERVAL)  ? OF_INTERVAL
                                                     : 0u;
}

/* The text of a constant; false: it is none, or null. */
static bool constant_text(const expr_node *node, core_slice *text) {
    bool is_text = expr_type_is_string(node->type) || expr_type_is(node->type, EXPR_TYPE_UNKNOWN);
    if (!is_text || !expr_node_is_known(node) || expr_node_is_null(node))
        return false;
    *text = node->constant.scalar.text;
    return true;
}

/* NULL with a refusal: it is not known. */
static const field_row *field_find(const expr_compiler *c, const expr_node *name,
                                   uint32_t location) {
    core_slice text = {.length = 0};
    if (constant_text(name, &text))
        for (size_t i = 0; i < CORE_COUNT_OF(fields_known); i++)
            if (expr_text_is_word(text, fields_known[i].name))
                return &fields_known[i];
    (void)expr_unsupported(c, location, "the field \"%.*s\" is not known to the engine",
                           (int)(text.length < 40 ? text.length : 40), (const char *)text.data);
    return NULL;
}

static const expr_node *field_refuse(const expr_compiler *c, const char *name, expr_type type,
                                     uint32_t location) {
    return expr_unsupported(c, location, "that field of %.*s in %s is not known to the engine",
                            CORE_SLICE_ARGS(expr_type_name(type)), name);
}

/* ---- extract, date_part ---- */

static const expr_node *part_make(const expr_compiler *c, const char *name,
                                  const expr_node *const *arguments, uint32_t location) {
    bool is_extract = strcmp(name, "extract") == 0;
    const expr_node *source = arguments[1];
    const field_row *field = field_find(c, arguments[0], location);
    if (field == NULL)
        return NULL;
    bool is_zoned = expr_type_is(source->type, EXPR_TYPE_TIMESTAMPTZ);
    if (is_zoned && field->field != EXPR_FIELD_EPOCH)
        return expr_unsupported(c, location, on_zone);
    if (!is_zoned && (field->parts & type_bit(source->type)) == 0)
        return field_refuse(c, name, source->type, location);
    if (expr_type_is(source->type, EXPR_TYPE_DATE)) { /* date_part casts it, EXTRACT up to 13 */
        const expr_operation *start =
            is_extract ? &expr_operation_date_to_timestamp : &expr_operation_date_to_start;
        source =
            expr_make(c, start, expr_type_make(EXPR_TYPE_TIMESTAMP), source->location, &source, 1);
    }
    if (source == NULL)
        return NULL;
    expr_node *node =
        expr_make(c, &expr_operation_part, expr_type_make(EXPR_TYPE_FLOAT8), location, &source, 1);
    if (node != NULL)
        node->option = (uint8_t)(field->field | (is_extract ? EXPR_FIELD_EXTRACTED : 0));
    return node;
}

static bool is_extracted(const expr_node *node) {
    return node->operation == &expr_operation_part && (node->option & EXPR_FIELD_EXTRACTED) != 0;
}

static bool is_whole(const expr_node *extracted) {
    return (extracted->option & ~(unsigned)EXPR_FIELD_EXTRACTED) > EXPR_FIELD_EPOCH;
}

/* A constant that is the same as a float and as a numeric, beside a part. */
static bool constant_serves(const expr_node *constant, bool is_whole_part) {
    enum { DIGITS_MAX = 15 };
    const expr_scalar *scalar = &constant->constant.scalar;
    if (!expr_node_is_known(constant))
        return false;
    if (expr_node_is_null(constant) || expr_type_is_integer(constant->type))
        return true;
    if (expr_type_is(constant->type, EXPR_TYPE_FLOAT8))
        return fabs(scalar->real) < 0x1p32 && rint(scalar->real) == scalar->real;
    bool is_numeric = expr_type_is(constant->type, EXPR_TYPE_NUMERIC) &&
                      scalar->numeric.form == EXPR_NUMERIC_FINITE &&
                      scalar->numeric.digit_count <= DIGITS_MAX;
    return is_numeric && (is_whole_part || scalar->numeric.exponent >= 0);
}

/* Without the casts that PostgreSQL puts in: (2024)::numeric. */
static const expr_node *uncast(const expr_node *node) {
    while (node->operation == &expr_operation_integer_to_real ||
           node->operation == &expr_operation_integer_to_numeric ||
           node->operation == &expr_operation_numeric_to_real)
        node = node->arguments[0];
    return node;
}

/* What is compared with it is an integer, or a constant that has the same value in both. */
static bool is_beside_extracted(const expr_node *extracted, const expr_node *other) {
    if (is_extracted(other))
        return is_whole(extracted) && is_whole(other);
    other = uncast(other);
    return expr_type_is_integer(other->type) || constant_serves(other, is_whole(extracted));
}

static const char on_version[] = "EXTRACT is a float or a numeric, which hangs on the server's "
                                 "version: compare it with integers, or cast it";

bool expr_extract_compares(const expr_compiler *c, const expr_node *left, const expr_node *right,
                           uint32_t location) {
    bool serves = (!is_extracted(left) || is_beside_extracted(left, right)) &&
                  (!is_extracted(right) || is_beside_extracted(right, left));
    return serves || expr_unsupported(c, location, on_version) != NULL;
}

bool expr_extract_serves(const expr_compiler *c, const expr_node *node) {
    return !is_extracted(node) || expr_unsupported(c, node->location, on_version) != NULL;
}

bool expr_extract_casts(const expr_compiler *c, const expr_node *node, expr_type type) {
    bool serves = !is_extracted(node) || (is_whole(node) && expr_type_is_number(type));
    return serves || expr_unsupported(c, node->location, on_version) != NULL;
}

/* ---- date_trunc, age, AT TIME ZONE ---- */

static bool is_utc(const expr_node *node) {
    core_slice text;
    return constant_text(node, &text) && expr_text_is_word(text, "utc");
}

/* date_trunc(field, source [, zone]). */
static const expr_node *trunc_make(const expr_compiler *c, const expr_node *const *arguments,
                                   size_t count, uint32_t location) {
    const expr_node *source = arguments[1];
    const field_row *field = field_find(c, arguments[0], location);
    if (field == NULL)
        return NULL;
    bool is_zoned = expr_type_is(source->type, EXPR_TYPE_TIMESTAMPTZ);
    bool at_zone = count == 3 && is_zoned && is_utc(arguments[2]);
    if (expr_type_is(source->type, EXPR_TYPE_DATE))
        return expr_unsupported(c, location,
                                "date_trunc makes a timestamptz of a date, which hangs on "
                                "TimeZone: cast it to timestamp before");
    if ((is_zoned || count == 3) && !at_zone)
        return expr_unsupported(c, location, on_zone);
    if ((field->truncs & (is_zoned ? OF_STAMP : type_bit(source->type))) == 0)
        return field_refuse(c, "date_trunc", source->type, location);
    expr_node *node = expr_make(c, &expr_operation_trunc, source->type, location, &source, 1);
    if (node != NULL)
        node->option = (uint8_t)field->field;
    return node;
}

static const expr_node *age_make(const expr_compiler *c, const expr_node *const *arguments,
                                 uint32_t location) {
    const expr_node *both[] = {arguments[0], arguments[1]};
    expr_type stamp = expr_type_make(EXPR_TYPE_TIMESTAMP);
    bool has_one = false;
    for (size_t i = 0; i < 2; i++)
        has_one = has_one || expr_type_is(both[i]->type, stamp.id);
    for (size_t i = 0; i < 2; i++) {
        bool serves = has_one && (expr_type_is(both[i]->type, stamp.id) ||
                                  expr_type_is(both[i]->type, EXPR_TYPE_UNKNOWN));
        if (!serves)
            return expr_unsupported(c, location,
                                    "age is known of two timestamps: of others the "
                                    "result hangs on TimeZone");
        if ((both[i] = expr_coerce(c, both[i], stamp)) == NULL)
            return NULL;
    }
    return expr_make(c, &expr_operation_age, expr_type_make(EXPR_TYPE_INTERVAL), location, both, 2);
}

/* source AT TIME ZONE zone. */
static const expr_node *zone_make(const expr_compiler *c, const expr_node *const *arguments,
                                  uint32_t location) {
    const expr_node *source = arguments[1];
    bool is_zoned = expr_type_is(source->type, EXPR_TYPE_TIMESTAMPTZ);
    if (!is_utc(arguments[0]))
        return expr_unsupported(c, location, "the only time zone that the engine knows is 'UTC'");
    if (!is_zoned && !expr_type_is(source->type, EXPR_TYPE_TIMESTAMP))
        return expr_unsupported(c, location, "AT TIME ZONE of %.*s is not known to the engine",
                                CORE_SLICE_ARGS(expr_type_name(source->type)));
    expr_type type = expr_type_make(is_zoned ? EXPR_TYPE_TIMESTAMP : EXPR_TYPE_TIMESTAMPTZ);
    return expr_make(c, &expr_operation_at_utc, type, location, &source, 1);
}

const expr_node *expr_time_call(const expr_compiler *c, const char *name,
                                const expr_node *const *arguments, size_t count,
                                uint32_t location) {
    if (count == 2 && (strcmp(name, "extract") == 0 || strcmp(name, "date_part") == 0))
        return part_make(c, name, arguments, location);
    if ((count == 2 || count == 3) && strcmp(name, "date_trunc") == 0)
        return trunc_make(c, arguments, count, location);
    if (count == 2 && strcmp(name, "age") == 0)
        return age_make(c, arguments, location);
    if (count == 2 && strcmp(name, "timezone") == 0)
        return zone_make(c, arguments, location);
    return NULL;
}
