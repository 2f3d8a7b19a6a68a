/* The expr room's public header: predicates over a change's columns, compiled once. Two kinds: the
 * filters of clients, and conditions in SQL, further below.
 *
 * A client's filter (`id=eq.1`) is parsed at join and bound to a relation's columns when the first
 * change of that shape comes; then evaluated on typed column values without JSON and without
 * allocation. It means what the same condition means in PostgreSQL under COLLATE "C"
 * (docs/FILTERS.md); expr_bound_sql writes that condition. What cannot be evaluated is refused with
 * a reason, never matched. A filter and what is bound from it belong to one thread at a time. */
#ifndef WALCAST_EXPR_EXPR_H
#define WALCAST_EXPR_EXPR_H

#include "core/core.h"

#define EXPR_FILTER_TEXT_MAX  4096
#define EXPR_FILTER_TERMS_MAX 32
#define EXPR_IN_VALUES_MAX    100 /* of one `in` */
/* Values of all terms together. */
#define EXPR_FILTER_VALUES_MAX (EXPR_FILTER_TEXT_MAX / 2)

typedef struct expr_filter expr_filter;

/* Parses the realtime protocol's filter text. NULL with an INPUT error that quotes what is not
 * understood. An empty text gives a filter that matches everything. */
CORE_MUST_CHECK expr_filter *expr_filter_new(core_slice text, core_error *error);
void expr_filter_free(expr_filter *filter);
/* The columns that it reads, each once; how many. They live as long as the filter. */
size_t expr_filter_columns(const expr_filter *filter, core_slice names[EXPR_FILTER_TERMS_MAX]);

typedef struct expr_bound expr_bound;
/* Binds to one shape of a relation: finds the columns, checks that their types can be compared so
 * and that the values are of those types. NULL with an INPUT error otherwise. `filter` must outlive
 * it. */
CORE_MUST_CHECK expr_bound *expr_filter_bind(expr_filter *filter, const core_relation *relation,
                                             core_error *error);
void expr_bound_free(expr_bound *bound);

typedef enum { EXPR_FALSE = 0, EXPR_TRUE, EXPR_UNKNOWN } expr_truth;
/* Three-valued, as in SQL; of an unchanged or absent value UNKNOWN, whatever the operator. Only
 * TRUE matches. */
expr_truth expr_bound_evaluate(const expr_bound *bound, const core_tuple *tuple);
/* Whether the tuple has all values that are read: an UNKNOWN is SQL's then. */
bool expr_bound_is_covered(const expr_bound *bound, const core_tuple *tuple);
/* Whether it reads nothing but key columns: an old image of only the key is enough. */
bool expr_bound_reads_keys_only(const expr_bound *bound, const core_relation *relation);

/* ---- For an index over bound filters ---- */

/* A row can only match if this column has one of these values. Values that are equal for the
 * column's type hash equally, whatever their text (1.0 and 1.00), so look up by hash, then
 * evaluate. Hashes are of use beside those of filters bound to the same column of the same shape.
 */
typedef struct {
    bool is_old;     /* of the old image: only in what expr_condition_places makes of it */
    uint16_t column; /* its index in the relation */
    uint16_t count;  /* of different hashes */
    uint64_t hashes[EXPR_IN_VALUES_MAX];
} expr_key;
/* The `number`th of the filter's keys, from 0: one for each `eq` and `in` that is not negated.
 * False when there is none of that number. */
CORE_MUST_CHECK bool expr_bound_key(const expr_bound *bound, size_t number, expr_key *key);
/* The hash of a row's value in that column. False when no key can match it: it is null, unchanged,
 * absent, or not of the column's type. */
CORE_MUST_CHECK bool expr_row_hash(const core_relation *relation, uint16_t column,
                                   const core_tuple *tuple, uint64_t *hash);

/* Appends the same predicate as an SQL condition over unqualified quoted column names, with
 * placeholders from $`first` on; `parameters` gets their texts (the filter's, ended by NUL) and
 * `count` how many. SELECT ... WHERE it picks the rows for which evaluation is TRUE, in a session
 * with TimeZone UTC and DateStyle ISO. False when `out` is full. */
CORE_MUST_CHECK bool expr_bound_sql(const expr_bound *bound, size_t first, core_buffer *out,
                                    const char *parameters[EXPR_FILTER_VALUES_MAX], size_t *count);

/* ==== Conditions in SQL ====
 *
 * A policy's or a trigger's condition: a boolean expression over one row (or its new and old image)
 * and the settings that say who asks. Parsed with PostgreSQL's own grammar, typed as PostgreSQL
 * types it, compiled once, evaluated on typed values without JSON and without allocation. What is
 * evaluated means what it means in PostgreSQL; all else is refused when it is compiled, or its
 * answer for the one row is UNDECIDED: only SQL can say then (docs/CONDITIONS.md).
 *
 * A condition is immutable and counted (atomically): any number of threads may evaluate it. */

#define EXPR_CONDITION_TEXT_MAX                                                                    \
    ((size_t)64 << 10)                    /* the expression; a function's body; the claims */
#define EXPR_CONDITION_NODES_MAX    4096u /* with the functions' bodies put in */
#define EXPR_CONDITION_DEPTH_MAX    100u  /* operations in each other */
#define EXPR_FUNCTION_ARGUMENTS_MAX 8

typedef struct expr_condition expr_condition;

/* By what a column's texts are compared. */
typedef enum {
    EXPR_COLLATION_DEFAULT = 0, /* the database's: equal are equal bytes, the order is not known */
    EXPR_COLLATION_C,           /* "C" or "POSIX": by bytes */
    EXPR_COLLATION_OTHER,       /* another, deterministic */
    EXPR_COLLATION_LOOSE,       /* not deterministic: different bytes may be equal */
} expr_collation;

/* What core_column does not tell. */
typedef struct {
    expr_collation collation; /* pg_attribute.attcollation */
    bool is_enum;             /* its type, or what its domain is over, is an enum */
    const core_slice *labels; /* the enum's, where they are known: no other is taken for one */
    size_t label_count;       /* 0: they are not known */
} expr_column_facts;

/* A function in SQL whose call may be replaced by its body: not SECURITY DEFINER, without SET,
 * returns one value, and the only one that a call of this name with so many arguments can mean.
 * Its slices must live until expr_condition_new returns. */
typedef struct {
    core_slice body; /* "SELECT expression" or "RETURN expression" */
    uint32_t result_oid;
    bool is_strict;        /* null when an argument is */
    size_t argument_count; /* as it was called */
    uint32_t argument_oids[EXPR_FUNCTION_ARGUMENTS_MAX];
    core_slice argument_names[EXPR_FUNCTION_ARGUMENTS_MAX]; /* empty: only $1 */
} expr_function;

typedef struct {
    core_slice text; /* UTF-8; one SQL expression, as pg_get_expr prints it or a user writes it */
    const core_relation *relation;  /* names and types of the columns; not needed afterwards */
    const expr_column_facts *facts; /* one a column; NULL: collations are the database's, types that
                                       are not built in are enums where filters take them so */
    /* Columns are written new.x and old.x, only so (triggers); else x, table.x or schema.table.x
     * (policies). */
    bool has_images;
    /* Finds a function; NULL: there are none. `schema` is empty where none is written: then it is
     * whatever the session's search_path finds. False: none that can be replaced. Called while
     * compiling only, also for calls in bodies. */
    bool (*function)(void *context, core_slice schema, core_slice name, size_t arguments,
                     expr_function *function);
    void *context;
} expr_condition_spec;

typedef enum {
    EXPR_REFUSED_NOT = 0,
    /* PostgreSQL would refuse it too, or fail for every row, as far as its own operators go: of a
     * policy that it holds, leave it to SQL too. */
    EXPR_REFUSED_WRONG,
    EXPR_REFUSED_UNSUPPORTED, /* it may be right, but not for the engine: leave it to SQL */
    EXPR_REFUSED_LIMIT,       /* a stated maximum was passed: leave it to SQL */
    EXPR_REFUSED_MEMORY,
} expr_refusal_kind;

typedef struct {
    expr_refusal_kind kind;
    size_t position;  /* of characters in the text, from 1; 0: none */
    core_error error; /* one line, with the position; the code says no more than `kind` */
} expr_refusal;

/* NULL with the refusal. The caller holds one reference. */
CORE_MUST_CHECK expr_condition *expr_condition_new(const expr_condition_spec *spec,
                                                   expr_refusal *refusal);

/* Who asks. Walcast sets these two and no other setting, so other `request.*` ones are null. */
typedef struct {
    core_slice claims_json; /* request.jwt.claims; data NULL: it is not set */
    const char *role;       /* current_user, current_role, current_setting('role') */
} expr_settings;

/* The same with the settings known: what hangs on them alone is computed. Texts are copied; it
 * keeps `condition`. An error that the claims cause (a sub that is no uuid) is not a refusal: rows
 * that get there end in it. NULL with a refusal where memory is out, a maximum is passed, or a
 * pattern that the claims hold is not taken. Costs microseconds. */
CORE_MUST_CHECK expr_condition *expr_condition_fold(const expr_condition *condition,
                                                    const expr_settings *settings,
                                                    expr_refusal *refusal);
/* Another reference; gives one back (NULL is nothing). From any thread. */
expr_condition *expr_condition_hold(const expr_condition *condition);
void expr_condition_release(const expr_condition *condition);

typedef enum {
    EXPR_VERDICT_FALSE = 0,
    EXPR_VERDICT_TRUE,
    EXPR_VERDICT_UNKNOWN,   /* null */
    EXPR_VERDICT_MISSING,   /* it hangs on a value that is unchanged or absent */
    EXPR_VERDICT_UNDECIDED, /* only SQL can tell, of this row; also before settings are folded */
    EXPR_VERDICT_ERROR,     /* PostgreSQL raises an error for this row */
} expr_verdict;
const char *expr_verdict_name(expr_verdict verdict);

/* Of one row. Without images `new_tuple` is the row; with images NULL stands for a row that is not
 * (old of an INSERT): its columns are null. Values are PostgreSQL's text under DateStyle ISO and
 * TimeZone UTC. `reason` (may be NULL) gets a static text with UNDECIDED and ERROR, else NULL.
 * From any thread. */
expr_verdict expr_condition_evaluate(const expr_condition *condition, const core_tuple *new_tuple,
                                     const core_tuple *old_tuple, const char **reason);
/* ---- For telling why not ---- */

#define EXPR_CLAUSES_MAX 64

typedef struct {
    core_slice text; /* of the condition's text */
    size_t position; /* of characters in it, from 1 */
} expr_clause;

/* What the condition is joined of by AND at its top, each a condition by itself: how many, at least
 * one. The whole text is one where it cannot be told apart. `spec` is one that compiles. */
size_t expr_condition_clauses(const expr_condition_spec *spec,
                              expr_clause clauses[EXPR_CLAUSES_MAX]);

/* Whether every row gets the same verdict, and which. */
bool expr_condition_constant(const expr_condition *condition, expr_verdict *verdict,
                             const char **reason);
/* Whether it still hangs on settings: it must be folded. */
bool expr_condition_reads_settings(const expr_condition *condition);

/* Like expr_bound_key: a row for which the condition is TRUE has one of these values in this
 * column. From conjuncts `column = constant`, IN, = ANY, IS NOT DISTINCT FROM, boolean columns, and
 * OR of such over one column; with images of the new one. */
CORE_MUST_CHECK bool expr_condition_key(const expr_condition *condition, size_t number,
                                        expr_key *key);
/* Keys over several columns, of which a row that it takes has at least one: `is_public OR owner =
 * 7`. How many, of different columns; 0: there are none. One where there is a key as above. */
#define EXPR_ALTERNATIVES_MAX 8
size_t expr_condition_alternatives(const expr_condition *condition,
                                   expr_key keys[EXPR_ALTERNATIVES_MAX]);
/* ---- For an index over many conditions ----
 *
 * Where a condition may stand so that a row leads to it. Each of its place sets is enough by
 * itself: of a row that is at none of a set's places the condition is FALSE or null, never TRUE;
 * nor an error, unless a value that a place looks at is null and expr_condition_raises. Where a
 * value that a place looks at is open (expr_probe), look at the condition. */

#define EXPR_PLACES_MAX       16
#define EXPR_PLACE_PREFIX_MAX 64 /* a longer one is cut */

typedef enum {
    EXPR_PLACE_EQUAL = 0, /* the value has one of these hashes */
    EXPR_PLACE_RANGE,     /* its rank is within low and high, ends included */
    EXPR_PLACE_PREFIX,    /* its text begins so */
    EXPR_PLACE_CHANGED,   /* the column's new value may differ from the old one */
    EXPR_PLACE_NULL,
    EXPR_PLACE_NOT_NULL,
} expr_place_kind;

typedef struct {
    expr_place_kind kind;
    bool is_old;     /* of the old image; never of CHANGED */
    uint16_t column; /* its index in the relation */
    uint16_t count;  /* of EQUAL: of different hashes; 0: no value is */
    int64_t low;     /* of RANGE; above high: no value is */
    int64_t high;
    size_t prefix_length; /* at least 1 */
    uint8_t prefix[EXPR_PLACE_PREFIX_MAX];
    uint64_t hashes[EXPR_IN_VALUES_MAX];
} expr_place;

/* The `number`th set, from 0: how many places; 0: there is none of that number. From conjuncts: the
 * same as for expr_condition_key, of the old image too, comparisons with constants (those of one
 * column together are one range), LIKE with a literal beginning, starts_with and ^@, new.x IS
 * DISTINCT FROM old.x, IS [NOT] NULL, and OR of any of these. */
size_t expr_condition_places(const expr_condition *condition, size_t number,
                             expr_place places[EXPR_PLACES_MAX]);
/* What an evaluation reads first, to be fetched into the cache ahead of it where there are too many
 * conditions for all to be there. */
core_slice expr_condition_memory(const expr_condition *condition);
/* Whether some row may end in an error. */
bool expr_condition_raises(const expr_condition *condition);

typedef enum {
    EXPR_PROBE_VALUE = 0,
    EXPR_PROBE_NULL,
    EXPR_PROBE_OPEN, /* unchanged, absent, or not as its type's values are written */
} expr_probe_state;

/* One value of a row, as places are looked up. */
typedef struct {
    expr_probe_state state;
    uint64_t hash; /* as of EQUAL; where it was asked for */
    int64_t rank;  /* as of RANGE: of two values the greater one's is not less */
    core_slice text;
} expr_probe;

enum { EXPR_PROBE_HASH = 1, EXPR_PROBE_RANK = 2 };
/* How a column's values are taken, for expr_row_probe; does not change with the row. */
uint8_t expr_column_kind(const core_column *column);
/* `tuple` NULL: there is no such row, all is null. `wants`: bits from above. */
expr_probe expr_row_probe(uint8_t kind, unsigned wants, uint16_t column, const core_tuple *tuple);
/* Whether the column's new value may be distinct from the old one; NULL: no such row. */
bool expr_row_changed(uint16_t column, const core_tuple *new_tuple, const core_tuple *old_tuple);

/* The columns that it reads, each once, in order, of the new image (the row) or the old one; how
 * many. `indexes` has room for the relation's columns. */
size_t expr_condition_columns(const expr_condition *condition, bool is_old, uint16_t *indexes);
/* Which columns of the relation an SQL expression may read, the engine's or not: all that it names
 * anywhere, all columns where it names the row itself or cannot be parsed. */
void expr_sql_columns(core_slice text, const core_relation *relation, bool *reads);
/* Whether it reads nothing but key columns. */
bool expr_condition_reads_keys_only(const expr_condition *condition, const core_relation *relation);
/* A canonical text over column numbers, for equal conditions over one shape of one relation to be
 * shared: equal texts decide every row alike. It may hold claims: not for logs. Lives as long as
 * the condition. The hash is its. */
core_slice expr_condition_text(const expr_condition *condition);
uint64_t expr_condition_hash(const expr_condition *condition);

#endif
