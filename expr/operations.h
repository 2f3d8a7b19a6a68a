/* The operations that nodes are made of, by what they work on. Private to expr.
 *
 * Each says in its file what it wants of its arguments; compile_*.c puts them together. */
#ifndef WALCAST_EXPR_OPERATIONS_H
#define WALCAST_EXPR_OPERATIONS_H

#include "expr/node.h"
#include "expr/operator.h"

/* ---- logic.c ---- */
extern const expr_operation expr_operation_and;
extern const expr_operation expr_operation_or;
extern const expr_operation expr_operation_not;
extern const expr_operation expr_operation_is_null; /* option: 1 negated */
extern const expr_operation expr_operation_is;      /* option: a test below */
extern const expr_operation expr_operation_case;    /* when, then, ..., else */
extern const expr_operation expr_operation_coalesce;
extern const expr_operation expr_operation_subselect; /* what is in it; folding takes it away */

enum { EXPR_IS_TRUE, EXPR_IS_FALSE, EXPR_IS_UNKNOWN, EXPR_IS_NEGATED = 4 };

/* ---- compare.c: `kind` says how; option: an expr_op ---- */
#define EXPR_KIND_JSONB 200 /* beside expr_scalar_kind's */

extern const expr_operation expr_operation_compare;
extern const expr_operation expr_operation_distinct; /* option: 1 negated */
extern const expr_operation expr_operation_any;      /* value, elements... */
extern const expr_operation expr_operation_all;
extern const expr_operation expr_operation_any_array; /* value, an array's text */
extern const expr_operation expr_operation_all_array;
extern const expr_operation expr_operation_array_contains; /* an array's text, elements... */
extern const expr_operation expr_operation_array_overlaps;
extern const expr_operation expr_operation_nullif;
extern const expr_operation expr_operation_greatest;
extern const expr_operation expr_operation_least;

/* ---- cast.c: into the node's type ---- */
extern const expr_operation expr_operation_parse; /* of text */
extern const expr_operation expr_operation_integer_to_integer;
extern const expr_operation expr_operation_integer_to_real;
extern const expr_operation expr_operation_integer_to_numeric;
extern const expr_operation expr_operation_integer_to_bool;
extern const expr_operation expr_operation_integer_to_text;
extern const expr_operation expr_operation_bool_to_text;
extern const expr_operation expr_operation_real_to_real;
extern const expr_operation expr_operation_real_to_integer;
extern const expr_operation expr_operation_real_to_numeric;
extern const expr_operation expr_operation_numeric_to_integer;
extern const expr_operation expr_operation_numeric_to_real;
extern const expr_operation expr_operation_uuid_to_text;
extern const expr_operation expr_operation_unpadded; /* char(n) to text */
extern const expr_operation expr_operation_date_to_timestamp;
extern const expr_operation expr_operation_timestamp_to_date;
/* Whether a text is one of the type; `result` says what it is, or NULL'd reasons why not. */
void expr_parse_text(expr_type type, core_slice text, expr_datum *result);

/* ---- array_operation.c: an array's text ---- */
extern const expr_operation expr_operation_json_elements; /* of null: none */
extern const expr_operation expr_operation_string_to_array;

/* ---- arithmetic.c: both arguments and the result of one class; option: the sign ---- */
extern const expr_operation expr_operation_integer_arithmetic; /* + - * / % */
extern const expr_operation expr_operation_real_arithmetic;    /* + - * / */
extern const expr_operation expr_operation_numeric_arithmetic; /* + - * */
extern const expr_operation expr_operation_negate;
extern const expr_operation expr_operation_absolute;

/* ---- interval_operation.c ---- */
extern const expr_operation expr_operation_interval_arithmetic; /* option: + or - */
extern const expr_operation expr_operation_interval_negate;
extern const expr_operation expr_operation_interval_scale; /* by a float; option: * or / */
/* False at the end of a part's range. */
CORE_MUST_CHECK bool expr_interval_negate(const expr_interval *value, expr_interval *negated);

/* ---- time_operation.c; option: + or - ---- */
extern const expr_operation expr_operation_date_shift; /* by days */
extern const expr_operation expr_operation_date_difference;
extern const expr_operation expr_operation_date_to_start; /* an error where a cast is undecided */
extern const expr_operation expr_operation_date_time;     /* a date and a time of the day */
extern const expr_operation expr_operation_time_shift;    /* also a date's start; by an interval */
extern const expr_operation expr_operation_time_difference;
extern const expr_operation expr_operation_at_utc; /* between timestamp and timestamptz */
extern const expr_operation expr_operation_clock_shift;
extern const expr_operation expr_operation_clock_difference;
extern const expr_operation expr_operation_clock_to_interval;
extern const expr_operation expr_operation_interval_to_clock;
extern const expr_operation expr_operation_timestamp_to_clock;

/* ---- time_part.c, time_trunc.c; option: an expr_field ---- */
typedef enum {
    EXPR_FIELD_NONE = 0,
    EXPR_FIELD_MICROSECONDS,
    EXPR_FIELD_MILLISECONDS,
    EXPR_FIELD_SECOND,
    EXPR_FIELD_EPOCH, /* up to here with fractions */
    EXPR_FIELD_MINUTE,
    EXPR_FIELD_HOUR,
    EXPR_FIELD_DAY,
    EXPR_FIELD_WEEK,
    EXPR_FIELD_MONTH,
    EXPR_FIELD_QUARTER,
    EXPR_FIELD_YEAR,
    EXPR_FIELD_DECADE,
    EXPR_FIELD_CENTURY,
    EXPR_FIELD_MILLENNIUM,
    EXPR_FIELD_DOW,
    EXPR_FIELD_ISODOW,
    EXPR_FIELD_DOY,
    EXPR_FIELD_ISOYEAR,
} expr_field;

enum { EXPR_FIELD_EXTRACTED = 128 }; /* beside it: EXTRACT, which is a numeric since 14 */

extern const expr_operation expr_operation_part; /* date_part, a float */
extern const expr_operation expr_operation_trunc;
extern const expr_operation expr_operation_age;

/* ---- text_operation.c ---- */
extern const expr_operation expr_operation_concat;
extern const expr_operation expr_operation_like;  /* option: the bits below */
extern const expr_operation expr_operation_regex; /* the same; has `regex` */
extern const expr_operation expr_operation_lower;
extern const expr_operation expr_operation_upper;
extern const expr_operation expr_operation_length;
extern const expr_operation expr_operation_starts_with;
extern const expr_operation expr_operation_split_part;
extern const expr_operation expr_operation_trim; /* option: 1 left, 2 right */
extern const expr_operation expr_operation_left;
extern const expr_operation expr_operation_strpos;
extern const expr_operation expr_operation_right;
extern const expr_operation expr_operation_substr;
extern const expr_operation expr_operation_replace;

enum { EXPR_PATTERN_NEGATED = 1, EXPR_PATTERN_FOLD = 2, EXPR_PATTERN_LOCAL = 4 };
/* Whether what the pattern matches outside ASCII hangs on a locale. */
bool expr_pattern_is_local(core_slice pattern);
bool expr_text_is_ascii(core_slice text);

/* ---- json_operation.c: of json and jsonb by their text ---- */
extern const expr_operation expr_operation_json_member;   /* -> and ->> by key; option: 1 text */
extern const expr_operation expr_operation_json_element;  /* by index */
extern const expr_operation expr_operation_json_path;     /* #> and #>>: document, key... */
extern const expr_operation expr_operation_json_exists;   /* ? */
extern const expr_operation expr_operation_json_contains; /* @> (json_contains.c) */
extern const expr_operation expr_operation_text_to_json;  /* of settings only */
bool expr_jsonb_equal(core_slice left, core_slice right);
/* The text that jsonb_out gives of a valid JSON text, in `arena`. False, with a result that says
 * why, when there is none or it cannot be told. */
bool expr_jsonb_normalize(core_slice json, core_arena *arena, expr_datum *result);

#endif
