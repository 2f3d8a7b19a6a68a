/* Which kind a column's type is, and one scalar of each kind; see scalar.h. */
#include "expr/scalar.h"

#include "expr/text.h"

/* The OIDs of built-in types never change (src/include/catalog/pg_type.dat). */
static const struct {
    uint32_t type_oid;
    expr_scalar_kind kind;
} built_in_kinds[] = {
    {16, EXPR_SCALAR_BOOL},      {19, EXPR_SCALAR_TEXT}, /* name */
    {20, EXPR_SCALAR_INT8},      {21, EXPR_SCALAR_INT2},          {23, EXPR_SCALAR_INT4},
    {25, EXPR_SCALAR_TEXT},      {26, EXPR_SCALAR_OID},           {700, EXPR_SCALAR_FLOAT4},
    {701, EXPR_SCALAR_FLOAT8},   {1042, EXPR_SCALAR_PADDED_TEXT}, {1043, EXPR_SCALAR_TEXT},
    {1082, EXPR_SCALAR_DATE},    {1114, EXPR_SCALAR_TIMESTAMP},   {1184, EXPR_SCALAR_TIMESTAMPTZ},
    {1700, EXPR_SCALAR_NUMERIC}, {2950, EXPR_SCALAR_UUID},
};

#define FIRST_USER_TYPE_OID 16384u

/* Types of well-known extensions whose equal values have different texts. Arrays of user-defined
 * types are named with a leading underscore. */
static bool user_type_is_comparable(core_slice type_name) {
    static const char *const refused[] = {"citext", "hstore", "geometry", "geography", "vector"};
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++)
        if (core_slice_is(type_name, refused[i]))
            return false;
    return expr_text_peek(type_name) != '_';
}

/* A domain tells the OID of what it is over, not that one's name. */
static expr_scalar_kind user_kind_of(const core_column *column) {
    bool is_plain = column->base_oid == 0 && column->element_oid == 0;
    return is_plain && user_type_is_comparable(column->type_name) ? EXPR_SCALAR_LABEL
                                                                  : EXPR_SCALAR_NONE;
}

expr_scalar_kind expr_scalar_kind_of(const core_column *column) {
    uint32_t type_oid = core_column_base_oid(column);
    if (type_oid >= FIRST_USER_TYPE_OID)
        return user_kind_of(column);
    for (size_t i = 0; i < CORE_COUNT_OF(built_in_kinds); i++)
        if (built_in_kinds[i].type_oid == type_oid)
            return built_in_kinds[i].kind;
    return EXPR_SCALAR_NONE;
}

/* What begins so is a row, a range or an array of a type that is no enum: their texts do not tell
 * whether they are equal. */
static bool label_parse(core_slice text, core_slice *label) {
    *label = text;
    return text.length == 0 || memchr("([{", text.data[0], 3) == NULL;
}

static core_slice text_without_padding(core_slice text) {
    while (text.length > 0 && text.data[text.length - 1] == ' ')
        text.length--;
    return text;
}

static int hex_value(int character) {
    if (expr_text_is_digit(character))
        return character - '0';
    int folded = character | 0x20;
    return folded >= 'a' && folded <= 'f' ? folded - 'a' + 10 : -1;
}

/* 32 hex digits; a hyphen may follow each group of four. */
static bool uuid_parse(core_slice text, uint8_t uuid[16]) {
    for (size_t i = 0; i < 16; i++) {
        if (text.length < 2)
            return false;
        int high = hex_value(text.data[0]);
        int low = hex_value(text.data[1]);
        if (high < 0 || low < 0)
            return false;
        uuid[i] = (uint8_t)(high << 4 | low);
        text = expr_text_after(text, 2);
        if (i % 2 == 1 && i < 15)
            (void)expr_text_take(&text, '-');
    }
    return text.length == 0;
}

bool expr_scalar_parse(expr_scalar_kind kind, core_slice text, expr_scalar *scalar) {
    switch (kind) {
    case EXPR_SCALAR_NONE:
        return false;
    case EXPR_SCALAR_BOOL:
        return expr_bool_parse(text, &scalar->integer);
    case EXPR_SCALAR_INT2:
        return expr_integer_parse(text, INT16_MIN, INT16_MAX, &scalar->integer);
    case EXPR_SCALAR_INT4:
        return expr_integer_parse(text, INT32_MIN, INT32_MAX, &scalar->integer);
    case EXPR_SCALAR_INT8:
        return expr_integer_parse(text, INT64_MIN, INT64_MAX, &scalar->integer);
    case EXPR_SCALAR_OID:
        return expr_integer_parse(text, 0, UINT32_MAX, &scalar->integer);
    case EXPR_SCALAR_FLOAT4:
        return expr_real_parse(text, true, &scalar->real);
    case EXPR_SCALAR_FLOAT8:
        return expr_real_parse(text, false, &scalar->real);
    case EXPR_SCALAR_NUMERIC:
        return expr_numeric_parse(text, &scalar->numeric);
    case EXPR_SCALAR_TEXT:
        scalar->text = text;
        return true;
    case EXPR_SCALAR_PADDED_TEXT:
        scalar->text = text_without_padding(text);
        return true;
    case EXPR_SCALAR_LABEL:
        return label_parse(text, &scalar->text);
    case EXPR_SCALAR_UUID:
        return uuid_parse(text, scalar->uuid);
    case EXPR_SCALAR_DATE:
        return expr_date_parse(text, &scalar->integer);
    case EXPR_SCALAR_TIMESTAMP:
        return expr_timestamp_parse(text, false, &scalar->integer);
    case EXPR_SCALAR_TIMESTAMPTZ:
        return expr_timestamp_parse(text, true, &scalar->integer);
    case EXPR_SCALAR_TIME:
        return expr_clock_parse(text, &scalar->integer);
    case EXPR_SCALAR_INTERVAL:
        return expr_interval_parse(text, &scalar->interval);
    }
    return false;
}

static bool kind_is_real(expr_scalar_kind kind) {
    return kind == EXPR_SCALAR_FLOAT4 || kind == EXPR_SCALAR_FLOAT8;
}

static bool kind_is_text(expr_scalar_kind kind) {
    return kind == EXPR_SCALAR_TEXT || kind == EXPR_SCALAR_PADDED_TEXT || kind == EXPR_SCALAR_LABEL;
}

bool expr_scalar_equal(expr_scalar_kind kind, const expr_scalar *left, const expr_scalar *right) {
    if (kind_is_text(kind))
        return core_slice_equal(left->text, right->text);
    if (kind_is_real(kind))
        return left->real == right->real ||
               (left->real != left->real && right->real != right->real);
    if (kind == EXPR_SCALAR_NUMERIC)
        return expr_numeric_equal(&left->numeric, &right->numeric);
    if (kind == EXPR_SCALAR_UUID)
        return memcmp(left->uuid, right->uuid, sizeof left->uuid) == 0;
    if (kind == EXPR_SCALAR_INTERVAL)
        return expr_interval_compare(&left->interval, &right->interval) == 0;
    return left->integer == right->integer;
}

static int real_compare(double left, double right) {
    if (left != left || right != right)
        return (left != left) - (right != right);
    return (left > right) - (left < right);
}

int expr_scalar_compare(expr_scalar_kind kind, const expr_scalar *left, const expr_scalar *right) {
    assert(kind != EXPR_SCALAR_NONE && kind != EXPR_SCALAR_LABEL);
    if (kind_is_text(kind))
        return core_slice_compare(left->text, right->text);
    if (kind_is_real(kind))
        return real_compare(left->real, right->real);
    if (kind == EXPR_SCALAR_NUMERIC)
        return expr_numeric_compare(&left->numeric, &right->numeric);
    if (kind == EXPR_SCALAR_UUID)
        return memcmp(left->uuid, right->uuid, sizeof left->uuid);
    if (kind == EXPR_SCALAR_INTERVAL)
        return expr_interval_compare(&left->interval, &right->interval);
    return (left->integer > right->integer) - (left->integer < right->integer);
}

/* One bit pattern for both zeros and one for every NaN. */
static uint64_t real_hash(double value) {
    double canonical = value == 0 || value != value ? 0.0 : value;
    uint64_t hash = core_slice_hash(core_slice_make(&canonical, sizeof canonical));
    return value != value ? ~hash : hash;
}

uint64_t expr_scalar_hash(expr_scalar_kind kind, const expr_scalar *scalar) {
    if (kind_is_text(kind))
        return core_slice_hash(scalar->text);
    if (kind_is_real(kind))
        return real_hash(scalar->real);
    if (kind == EXPR_SCALAR_NUMERIC)
        return expr_numeric_hash(&scalar->numeric);
    if (kind == EXPR_SCALAR_UUID)
        return core_slice_hash(core_slice_make(scalar->uuid, sizeof scalar->uuid));
    if (kind == EXPR_SCALAR_INTERVAL)
        return expr_interval_hash(&scalar->interval);
    return core_slice_hash(core_slice_make(&scalar->integer, sizeof scalar->integer));
}
